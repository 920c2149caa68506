// Column lineage: what a column is made of, what it decides, and both as a graph that one clicks through.

let uses = null;

function columnKey(id, column) {
  return `${id}\n${column.toLowerCase()}`;
}

/** `known`, `unknown` (the query could not be read) or `none` (nothing is known of lineage here). */
function lineageOf(node) {
  const lineage = facts.column_lineage[node.id];
  return lineage === null ? "unknown" : lineage ? "known" : "none";
}

/** The columns above a column, as `{node, column}`: `direct`, which it is made of, or `indirect`, which decide its rows. */
function madeOf(node, column, way = "direct") {
  const lineage = facts.column_lineage[node.id] || {};
  const name = Object.keys(lineage).find((other) => other.toLowerCase() === column.toLowerCase());
  return ((lineage[name] || {})[way] || []).flatMap(([id, of]) => (facts.byId.has(id) ? [{ node: facts.byId.get(id), column: of }] : []));
}

/** The columns below a column, in the same way. */
function usedBy(node, column, way = "direct") {
  if (!uses) {
    uses = { direct: new Map(), indirect: new Map() };
    for (const [id, columns] of Object.entries(facts.column_lineage)) {
      const child = facts.byId.get(id);
      for (const [name, above] of Object.entries((child && columns) || {})) {
        for (const [kind, list] of Object.entries(uses)) {
          for (const [parent, of] of above[kind] || []) {
            const key = columnKey(parent, of);
            list.set(key, [...(list.get(key) || []), { node: child, column: name }]);
          }
        }
      }
    }
  }
  return uses[way].get(columnKey(node.id, column)) || [];
}

function columnPage(node, name) {
  const column = node.columns.find((other) => other.name.toLowerCase() === name.toLowerCase());
  const shown = column ? column.name : name;
  const tests = node.tests.filter((test) => test.test && (test.test.column || "").toLowerCase() === name.toLowerCase());
  const parents = madeOf(node, name);
  const children = usedBy(node, name);
  const deciders = madeOf(node, name, "indirect");
  const decided = [...new Set(usedBy(node, name, "indirect").map((use) => use.node))];
  const status = lineageOf(node);
  return [
    h("header.page-head", null,
      h("p.crumbs", null, h("a", { href: address(node) }, title(node)), h("span", { "aria-hidden": "true" }, "›"), "column"),
      h("h1", { tabindex: "-1" }, shown),
      h("p.chips", null, column && chip(column.type), column && columnMarks(column), tests.map((test) => h("a.chip", { href: address(test) }, stateSign(test.state), test.test.name))),
      column && column.description ? prose(column.description) : empty("No description of this column yet.")),
    status === "unknown" ? empty("Where this column comes from is unknown: the query of this model could not be read.")
      : status === "none" && !children.length ? empty("Nothing is known of the lineage of this column.")
        : section("column-graph", "Lineage", columnGraph(node, shown)),
    h("div.pair", null,
      status === "known" ? columnList("Made of", parents, "Of no other column: it begins here, or is computed from none.") : null,
      status === "none" && !children.length ? null : columnList("Used by", children, "No column is made of it.")),
    deciders.length || decided.length ? h("div.pair", null,
      deciders.length ? columnList("Rows decided by", deciders) : null,
      decided.length ? section("decides", "Decides rows of", nodeList(decided)) : null) : null,
  ];
}

function columnList(heading, list, none) {
  return section(`list-${heading.toLowerCase().replaceAll(" ", "-")}`, heading, list.length ? h("ul.node-list", null, list.map(({ node, column }) => h("li", null,
    h("a.node-link", { href: address(node, column) }, h("span", null, title(node), h("span.quiet", null, "."), column)),
    h("span.quiet", null, node.layer || kindWord(node))))) : none ? empty(none) : null);
}

/** All columns that a column comes from or goes into, as a graph. */
function columnGraph(node, name) {
  const nodes = [];
  const places = new Map();
  const edges = [];
  const put = (of, column) => {
    const key = columnKey(of.id, column);
    if (!places.has(key)) {
      places.set(key, nodes.length);
      nodes.push({ of, column });
    }
    return places.get(key);
  };
  const open = [[node, name, "up"], [node, name, "down"]];
  const seen = new Set();
  put(node, name);
  while (open.length && nodes.length < 400) {
    const [of, column, way] = open.pop();
    const key = `${way}\n${columnKey(of.id, column)}`;
    if (seen.has(key)) continue;
    seen.add(key);
    for (const other of way === "up" ? madeOf(of, column) : usedBy(of, column)) {
      const [from, to] = way === "up" ? [put(other.node, other.column), put(of, column)] : [put(of, column), put(other.node, other.column)];
      if (from !== to) edges.push([from, to]);
      open.push([other.node, other.column, way]);
    }
  }
  const view = graphView({
    nodes: nodes.map(({ of, column }) => ({ label: column, note: title(of), hint: `${title(of)}.${column}`, state: "none", tint: graphNode(of).tint })),
    edges, lanes: null, laneOf: null,
  }, {
    label: `Lineage of the column ${name} of ${title(node)}`, chosen: 0,
    onopen: (at) => go(address(nodes[at].of, nodes[at].column)),
    said: (at) => `${nodes[at].column} of ${title(nodes[at].of)}`,
  });
  onleave(view.close);
  return view.element;
}
