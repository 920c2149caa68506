// Column lineage: what a column is made of, what it decides, and both as a graph that one clicks through.

const USE_WORDS = {
  identity: "as it is", transformation: "computed", aggregation: "aggregated", filter: "filter", join: "join", group_by: "group", sort: "order", window: "window", conditional: "condition",
};

let uses = null;

function columnKey(id, column) {
  return `${id}\n${column.toLowerCase()}`;
}

/** `known`, `unknown` (the query could not be read) or `none` (nothing is known of lineage here). */
function lineageOf(node) {
  const lineage = facts.column_lineage[node.id];
  return lineage === null ? "unknown" : lineage ? "known" : "none";
}

/** The columns that a column is made of: `{node, column, use}`. */
function madeOf(node, column) {
  const lineage = facts.column_lineage[node.id];
  const name = Object.keys((lineage && lineage.columns) || {}).find((other) => other.toLowerCase() === column.toLowerCase());
  return resolved(name === undefined ? [] : lineage.columns[name]);
}

/** The columns that decide which rows a node has, and in which order. */
function decidedBy(node) {
  const lineage = facts.column_lineage[node.id];
  return resolved((lineage && lineage.rows) || []);
}

function resolved(list) {
  return list.flatMap((entry) => {
    const node = facts.byId.get(entry.node);
    return node ? [{ node, column: entry.column, use: entry.use }] : [];
  });
}

/** The columns that are made of a column: `{node, column, use}`; without a column where it decides rows only. */
function usedBy(node, column) {
  if (!uses) {
    uses = new Map();
    const note = (of, use) => (uses.get(of) || uses.set(of, []).get(of)).push(use);
    for (const [id, lineage] of Object.entries(facts.column_lineage)) {
      const child = facts.byId.get(id);
      if (!child || !lineage) continue;
      for (const [name, parents] of Object.entries(lineage.columns || {})) {
        for (const parent of parents) note(columnKey(parent.node, parent.column), { node: child, column: name, use: parent.use });
      }
      for (const parent of lineage.rows || []) note(columnKey(parent.node, parent.column), { node: child, column: null, use: parent.use });
    }
  }
  return uses.get(columnKey(node.id, column)) || [];
}

function columnPage(node, name) {
  const column = node.columns.find((other) => other.name.toLowerCase() === name.toLowerCase());
  const shown = column ? column.name : name;
  const tests = node.tests.filter((test) => test.test && (test.test.column || "").toLowerCase() === name.toLowerCase());
  const parents = madeOf(node, name);
  const children = usedBy(node, name);
  const rows = decidedBy(node);
  const status = lineageOf(node);
  return [
    h("header.page-head", null,
      h("p.crumbs", null, h("a", { href: address(node) }, title(node)), h("span", { "aria-hidden": "true" }, "›"), "column"),
      h("h1", { tabindex: "-1" }, shown),
      h("p.chips", null, column && chip(column.type), (column ? column.tags || [] : []).map(tagChip), tests.map((test) => h("a.chip", { href: address(test) }, stateSign(test.state), test.test.name))),
      column && column.description ? prose(column.description) : empty("No description of this column yet.")),
    status === "unknown" ? empty("Where this column comes from is unknown: the query of this model could not be read.")
      : status === "none" && !children.length ? empty("Nothing is known of the lineage of this column.")
        : section("column-graph", "Lineage", columnGraph(node, shown)),
    h("div.pair", null,
      columnList("Made of", parents, parents.length ? null : status === "known" ? "Of no other column: it is a constant, or begins here." : null),
      columnList("Used by", children, "No column is known to use it.")),
    rows.length ? columnList(`Rows of ${title(node)} are decided by`, rows) : null,
  ];
}

function columnList(heading, list, none) {
  return section(`list-${heading}`, heading, list.length ? h("ul.node-list", null, list.map(({ node, column, use }) => h("li", null,
    h("a.node-link", { href: address(node, column) }, h("span", null, title(node), column ? h("span.quiet", null, ".") : "", column || "")),
    h("span.quiet", null, column ? USE_WORDS[use] || use : `rows: ${USE_WORDS[use] || use}`)))) : none ? empty(none) : null);
}

/** All columns that a column comes from or goes into, as a graph. */
function columnGraph(node, name) {
  const nodes = [];
  const places = new Map();
  const edges = [];
  const put = (of, column) => {
    const key = columnKey(of.id, column || "");
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
    for (const other of way === "up" ? madeOf(of, column) : usedBy(of, column).filter((use) => use.column)) {
      const [from, to] = way === "up" ? [put(other.node, other.column), put(of, column)] : [put(of, column), put(other.node, other.column)];
      if (from !== to) edges.push([from, to, !["identity", "transformation", "aggregation"].includes(other.use)]);
      open.push([other.node, other.column, way]);
    }
  }
  const view = graphView({
    nodes: nodes.map(({ of, column }) => ({ label: column || "rows", note: title(of), hint: `${title(of)}.${column}`, state: "none", tint: graphNode(of).tint })),
    edges, lanes: null, laneOf: null,
  }, {
    label: `Lineage of the column ${name} of ${title(node)}`, chosen: 0,
    onopen: (at) => go(address(nodes[at].of, nodes[at].column)),
    said: (at) => `${nodes[at].column} of ${title(nodes[at].of)}`,
  });
  onleave(view.close);
  return view.element;
}
