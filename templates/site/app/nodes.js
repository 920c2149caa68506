// The pages of models, seeds, snapshots, sources, exposures and macros.

function nodePage(node) {
  const body = isTest(node) ? testBody(node) : node.kind === "macro" ? macroBody(node) : node.kind === "exposure" ? exposureBody(node) : tableBody(node);
  return [head(node), body];
}

function head(node) {
  const wasRun = node.result || node.freshness || node.tests.length;
  return h("header.page-head", null,
    h("p.crumbs", null, kindWord(node), h("span", { "aria-hidden": "true" }, "·"), h("code", null, node.path)),
    h("div.title", null, h("h1", { tabindex: "-1" }, title(node)), wasRun ? statePill(node.shown) : null, heldPill(node)),
    h("p.chips", null, layerChip(node.layer), chip(node.materialized, "materialized"), node.contract && chip("contract", "The contract is enforced"),
      classified(node), node.access && node.access !== "protected" ? chip(node.access, "access") : null, node.group && chip(node.group, "group"),
      node.package !== facts.project.name && chip(node.package, "package"), (node.tags || []).map(tagChip)),
    node.description ? prose(node.description) : node.kind === "test" ? null : empty("No description yet. Add ", h("code", null, "description:"), " to its YAML."));
}

// --- what has rows ---

function tableBody(node) {
  const source = node.source && node.source.description ? section("source", `About ${node.source.name}`, prose(node.source.description)) : null;
  return [
    runFacts(node), quarantineSection(node), source, lineageSection(node), columnsSection(node),
    node.kind === "seed" || node.kind === "source" ? null : codeSection(node),
    node.tests.length ? section("tests", "Tests", testTable(node.tests, node)) : null,
    node.macros.length ? section("macros", "Macros", nodeList(node.macros)) : null,
  ];
}

function runFacts(node) {
  const { result, freshness } = node;
  const rows = result && result.rows !== undefined ? NUMBER.format(result.rows) : null;
  return h("section.card", { "aria-label": "Facts" }, factList([
    ["Relation", node.relation && h("code", null, node.relation)],
    ...(node.stats || []).map((stat) => [stat.label, typeof stat.value === "number" ? NUMBER.format(stat.value) : String(stat.value)]),
    ["Rows", node.rows !== undefined ? NUMBER.format(node.rows) : null],
    ["Rows written", node.rows === undefined ? rows : null],
    ["Last run", lastRun(node)],
    ["Message", result && result.message && !/^(OK|INSERT \d+)$/.test(result.message) && message(result.message)],
    ["Tests", node.tests.length ? testSummary(node.tests) : null],
    ["Quarantine", node.quarantine && !node.quarantine.rows && "empty"],
    ["Freshness", freshness && [statePill(STATE_OF[freshness.status] || "bad", freshness.status), freshness.loaded_at ? [" loaded ", time(freshness.loaded_at)] : null, freshness.checked_at ? h("span.quiet", null, " as of ", time(freshness.checked_at)) : null]],
    ["Earlier runs", runHistory(node)],
    ["Loader", node.source && node.source.loader],
  ]), metaFacts(node.meta), node.result || node.kind === "source" ? null : h("p.quiet", null, "Not part of the last run."));
}

/** How a node ended last, when, and how long it took. */
function lastRun(node) {
  const { result } = node;
  return result && [statePill(node.state, result.status), " ", time(result.at), took(result) && h("span.quiet", null, ` in ${took(result)}`)];
}

/** What an engine or a test said; a text of several lines, such as a table of rows that differ, keeps them. */
function message(text) {
  return text.trim().includes("\n") ? scrolled("Message", h("pre.message", null, text.trim())) : h("code", null, text);
}

/** How a node ended in the last runs, the newest first: each a mark that says when, and how long it took. */
function runHistory(node) {
  const runs = (node.runs || []).map(([place, status, seconds, number]) => ({ run: facts.runs[place], status, seconds, number }));
  if (runs.length < 2) return null;
  const said = ({ run, status, seconds, number }) => {
    const counted = number === undefined ? "" : `, ${count(number, isTest(node) ? "failure" : "row")}`;
    const lasted = took({ status, seconds });
    return `${run.command} of ${(time(run.at) || {}).textContent}: ${status}${lasted ? ` in ${lasted}` : ""}${counted}`;
  };
  return h("ol.runs", null, runs.map((run) => h("li", { title: said(run) }, stateSign(STATE_OF[run.status] || "none"), h("span.unseen", null, said(run)), h("span.quiet", { "aria-hidden": "true" }, took(run)))));
}

function testSummary(tests) {
  const states = ["bad", "warn", "ok", "skip", "none"].map((state) => [state, tests.filter((test) => test.state === state).length]);
  return h("span.row", null, states.filter(([, number]) => number).map(([state, number]) => statePill(state, `${number} ${STATES[state]}`)));
}

function lineageSection(node) {
  const holder = h("div");
  let view = null;
  const show = (steps) => {
    if (view) view.close();
    const nodes = [node, ...reach(node, above, steps), ...reach(node, below, steps)].filter((other) => IN_GRAPH.has(other.kind));
    view = nodeGraph(nodes, { label: `Lineage of ${title(node)}`, chosen: node });
    replace(holder, view.element);
  };
  onleave(() => view && view.close());
  if (!node.parents.length && !node.children.length) {
    return section("lineage", "Lineage", empty("Nothing is above it, and nothing below."));
  }
  show(1);
  const all = h("a.button", { href: `#!/graph/${encodeURIComponent(node.id)}` }, icon("graph"), "Open in the graph");
  return h("section", { id: "lineage" },
    h("div.section-head", null, h("h2", null, "Lineage"), stepSwitch(1, show), all), holder,
    h("div.pair", null,
      h("div", null, h("h3", null, "Upstream"), node.parents.length ? nodeList(node.parents) : h("p.quiet", null, "None.")),
      h("div", null, h("h3", null, "Downstream"), node.children.length ? nodeList(node.children) : h("p.quiet", null, "None."))));
}

function columnsSection(node) {
  if (!node.columns.length) {
    return section("columns", "Columns", empty("No columns are known. Describe them in YAML, or build the model and run ", h("code", null, "medal docs generate"), " again."));
  }
  const has = (field) => node.columns.some((column) => column[field]);
  const names = ["Column", has("type") && "Type", has("description") && "Description", "Tests"].filter(Boolean);
  const rows = node.columns.map((column) => {
    const tests = node.tests.filter((test) => test.test && (test.test.column || "").toLowerCase() === column.name.toLowerCase());
    const marks = columnMarks(column);
    const cells = [
      h("a.column-name", { href: address(node, column.name) }, column.name),
      has("type") && h("code.type", null, column.type || ""),
      has("description") && [column.description && prose(column.description), marks.some(Boolean) ? h("span.chips", null, marks) : null],
      [tests.map((test) => h("a.chip", { href: address(test), title: STATES[test.state] }, stateSign(test.state), test.test.name)), has("description") ? null : marks],
    ];
    return { cells: cells.filter((cell) => cell !== false) };
  });
  return section("columns", `Columns`, table(names, rows, `Columns of ${title(node)}`));
}

/** What `meta` says of how sensitive something is: `pii: email`, or `medal: {pii: true}`. */
function classification(meta) {
  const own = (meta || {}).medal || {};
  const said = [(meta || {}).pii, own.pii, own.classification].find((value) => value !== undefined && value !== null && value !== false);
  return said === undefined ? null : said === true ? "PII" : `PII: ${typeof said === "string" ? said : JSON.stringify(said)}`;
}

function sensitive(text) {
  return text ? h("span.pill.pii", { title: "Classified in meta" }, text) : null;
}

/** What is sensitive in a node: itself, or some of its columns. */
function classified(node) {
  const columns = node.columns.filter((column) => classification(column.meta));
  return sensitive(classification(node.meta) || (columns.length ? `PII in ${count(columns.length, "column")}` : null));
}

/** The tags of a column, its classification, what else is noted of it, and whether it is there, as chips. */
function columnMarks(column) {
  const rest = Object.entries(column.meta || {}).filter(([name]) => !(name === "pii" && classification(column.meta)));
  return [
    ...(column.tags || []).map(tagChip), sensitive(classification(column.meta)),
    ...rest.map(([name, value]) => chip(`${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)),
    column.absent && h("span.pill.warn", { title: "It is described, but the relation does not have it" }, "absent"),
  ];
}

// --- macros and exposures ---

function macroBody(node) {
  const given = node.arguments || [];
  const rows = given.map((argument) => ({ cells: [h("code", null, argument.name), h("code.type", null, argument.type || ""), argument.description ? prose(argument.description) : ""] }));
  return [
    given.length ? section("arguments", "Arguments", table(["Argument", "Type", "Description"], rows, `Arguments of ${node.name}`)) : null,
    codeSection(node),
    node.macros.length ? section("macros", "Calls", nodeList(node.macros)) : null,
    section("users", "Used by", node.users.length ? nodeList(node.users.slice(0, 200)) : empty("Nothing calls it."),
      node.users.length > 200 ? h("p.quiet", null, `and ${NUMBER.format(node.users.length - 200)} more.`) : null),
  ];
}

function exposureBody(node) {
  const { exposure } = node;
  const owner = exposure.owner || {};
  const mail = typeof owner.email === "string" && /^[^\s@<>]+@[^\s@<>]+$/.test(owner.email) ? h("a", { href: `mailto:${encodeURIComponent(owner.email).replace("%40", "@")}` }, owner.email) : owner.email;
  return [
    h("section.card", { "aria-label": "Facts" }, factList([
      ["Type", exposure.type], ["Maturity", exposure.maturity],
      ["Owner", (owner.name || mail) && [owner.name, owner.name && mail ? " · " : null, mail]],
      ["Address", exposure.url && outsideLink(exposure.url)],
      ["Name", h("code", null, node.name)],
    ]), metaFacts(node.meta)),
    lineageSection(node),
  ];
}
