// The small parts that pages share: states, chips, links, lists, lineage.

function stateSign(state) {
  return h("span.state", { class: state }, icon(state));
}

/** A state in words and colour. */
function statePill(state, text) {
  return h("span.pill", { class: state }, icon(state), text || STATES[state]);
}

function layerChip(layer) {
  return layer ? h("a.chip.layer", { href: `#!/search/${encodeURIComponent(`layer:${layer}`)}`, class: `tint-${tint(layer)}` }, layer) : null;
}

function tagChip(tag) {
  return h("a.chip", { href: `#!/search/${encodeURIComponent(`tag:${tag}`)}` }, tag);
}

function chip(text, hint) {
  return text ? h("span.chip.plain", { title: hint }, text) : null;
}

/** The colour of a layer: the three metals have their own. */
function tint(layer) {
  if (["bronze", "silver", "gold"].includes(layer)) return layer;
  const at = facts.layers.indexOf(layer);
  return at < 0 ? "" : `lane-${(at % 4) + 1}`;
}

function nodeLink(node) {
  return h("a.node-link", { href: address(node) }, stateSign(node.shown), h("span", null, title(node)));
}

function nodeList(nodes) {
  return h("ul.node-list", null, nodes.map((node) => h("li", null, nodeLink(node), h("span.quiet", null, node.layer || kindWord(node)))));
}

function section(name, heading, ...children) {
  return h("section", { id: name }, h("div.section-head", null, h("h2", null, heading)), children);
}

function empty(...children) {
  return h("p.empty", null, children);
}

/** Terms and what they are; a term without content is left out. */
function factList(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false);
  return shown.length ? h("dl.facts", null, shown.map(([term, value]) => h("div", null, h("dt", null, term), h("dd", null, value)))) : null;
}

/** A table that a narrow screen shows as cards: each cell knows the name of its column. */
function table(names, rows, label) {
  return h("table", { "aria-label": label, role: "table" },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, names.map((name) => h("th", { scope: "col", role: "columnheader" }, name)))),
    h("tbody", { role: "rowgroup" }, rows.map(({ cells, id }) => h("tr", { role: "row", id },
      cells.map((cell, at) => h("td", { role: "cell", "data-name": names[at], class: isBlank(cell) ? "blank" : "" }, cell))))));
}

/** Something wide that is scrolled within its place, with keys too. */
function scrolled(label, ...children) {
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": label }, children);
}

function isBlank(cell) {
  return cell === null || cell === undefined || cell === false || cell === "" || (Array.isArray(cell) && cell.every(isBlank));
}

/** An address that a user has written is a link only if it leads to a page. */
function outsideLink(text) {
  return /^https?:\/\//i.test(text) ? h("a", { href: text, rel: "noopener noreferrer" }, text) : text;
}

function metaFacts(meta) {
  const entries = Object.entries(meta || {});
  const shown = (value) => (typeof value === "string" ? outsideLink(value) : h("code", null, JSON.stringify(value)));
  return factList(entries.map(([name, value]) => [name, shown(value)]));
}

// --- graphs of nodes ---

function graphNode(node) {
  const kinds = { source: "lane-1", seed: "lane-2", exposure: "lane-4" };
  return {
    label: title(node),
    note: node.kind === "model" ? "" : kindWord(node),
    hint: `${title(node)}: ${kindWord(node)}${node.layer ? ` of ${node.layer}` : ""}${stateWords(node)}`,
    state: node.shown,
    tint: node.layer ? tint(node.layer) : kinds[node.kind] || "lane-3",
    dashed: node.materialized === "ephemeral" || node.kind === "exposure",
  };
}

/** A graph view of some nodes and the edges between them. */
function nodeGraph(nodes, { withLanes, ...options }) {
  const place = new Map(nodes.map((node, at) => [node, at]));
  const edges = nodes.flatMap((node) => node.parents.filter((parent) => place.has(parent)).map((parent) => [place.get(parent), place.get(node)]));
  const hasLanes = withLanes && facts.layers.length > 0;
  const last = facts.layers.length + 1;
  const laneOf = (at) => {
    const node = nodes[at];
    if (node.kind === "source" || node.kind === "seed") return 0;
    if (node.kind === "exposure") return last;
    return node.layer ? facts.layers.indexOf(node.layer) + 1 : null;
  };
  const model = {
    nodes: nodes.map(graphNode), edges,
    lanes: hasLanes ? [{ name: "Sources" }, ...facts.layers.map((name) => ({ name, tint: tint(name) })), { name: "Exposures" }] : null,
    laneOf: hasLanes ? laneOf : null,
  };
  const view = graphView(model, {
    ...options,
    chosen: options.chosen ? place.get(options.chosen) : null,
    onopen: (at) => go(address(nodes[at])),
    onchoose: options.onchoose && ((at) => options.onchoose(at === null ? null : nodes[at])),
    said: (at) => said(nodes[at]),
  });
  return { ...view, find: (node) => place.has(node) && view.find(place.get(node)), place };
}

/** How a node ended, in words that go on after its kind; nothing of an exposure, which is not run. */
function stateWords(node) {
  return node.kind === "exposure" ? "" : `, ${STATES[node.shown]}`;
}

function said(node) {
  return `${title(node)}, ${kindWord(node)}${node.layer ? ` of ${node.layer}` : ""}${stateWords(node)}, ${count(node.parents.length, "parent")}, ${count(node.children.length, "child", "children")}`;
}

/** How many steps a small graph goes, chosen by buttons. */
function stepSwitch(steps, onchange) {
  const choices = [[1, "1 step"], [2, "2 steps"], [Infinity, "All"]];
  const buttons = choices.map(([value, name]) => h("button", { type: "button", "aria-pressed": String(value === steps), onclick: () => {
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(button === buttons[choices.findIndex(([other]) => other === value)])));
    onchange(value);
  } }, name));
  return h("div.switch", { role: "group", "aria-label": "How far the lineage goes" }, buttons);
}
