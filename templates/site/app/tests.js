// The page of all tests, and that of one: what it says, how it ended, and the rows of a unit test.

function testTable(tests, on) {
  const order = [...tests].sort((a, b) => WEIGHT[b.state] - WEIGHT[a.state]);
  const names = ["Test", !on && "On", "Column", "Result", "Time"].filter(Boolean);
  return table(names, order.map((test) => ({ cells: [
    h("a", { href: address(test) }, test.test && test.test.name ? test.test.name : test.name),
    !on && testedNodes(test).slice(0, 3).map((node, at) => [at ? ", " : null, h("a", { href: address(node) }, title(node))]),
    test.test && test.test.column ? h("code", null, test.test.column) : "",
    [statePill(test.state), test.result && test.result.failures ? h("span.quiet", null, ` ${count(test.result.failures, "row")}`) : null],
    test.result && took(test.result) ? h("span.quiet", null, took(test.result)) : "",
  ].filter((cell) => cell !== false) })), "Tests");
}

function testBody(test) {
  const { given = [], expect } = test.test || {};
  const told = Object.entries((test.test && test.test.arguments) || {});
  const { result } = test;
  return [
    h("section.card", { "aria-label": "Facts" }, factList([
      ["On", testedNodes(test).map((node, at) => [at ? ", " : null, nodeLink(node)])],
      ["Column", test.test && test.test.column && testedNodes(test)[0] && h("a", { href: address(testedNodes(test)[0], test.test.column) }, test.test.column)],
      ["Earlier runs", runHistory(test)],
      ["Severity", test.test && test.test.severity && test.test.severity.toLowerCase()],
      ["Last run", lastRun(test)],
      ["Failures", result && result.failures ? NUMBER.format(result.failures) : null],
      ["Held back", heldBy(test)],
      ["Message", result && result.message && message(result.message)],
      ...told.map(([name, value]) => [name, h("code", null, typeof value === "string" ? value : JSON.stringify(value))]),
    ]), result ? null : h("p.quiet", null, "Not part of the last run.")),
    rowsHint(test),
    given.length ? section("given", "Given", given.map((fixture) => fixtureRows(fixture, test))) : null,
    expect ? section("expect", "Expected", fixtureRows(expect, test)) : null,
    codeSection(test),
  ];
}

/** How to look at the rows that a test found, if there are any. */
function rowsHint(test) {
  const [on] = testedNodes(test);
  const how = heldBy(test) ? `medal quarantine show --select ${on.name}` : test.result && test.result.failures ? `medal show --select ${test.name}` : null;
  return how && h("p.hint", null, "The rows that it found: ", h("code", null, how));
}

/** More rows of a fixture than these are only counted. */
const MOST_ROWS = 50;

/** Rows of a unit test as a small table, or the SQL that gives them. */
function fixtureRows({ input, fixture, rows }, test) {
  const heading = input ? h("h3", null, h("code", null, input)) : null;
  const file = fixture ? h("p.quiet", null, "from ", h("code", null, fixture)) : null;
  if (typeof rows === "string") return h("div.fixture", null, heading, file, sqlView(rows.trim(), test));
  if (!(rows || []).length) return h("div.fixture", null, heading, file, h("p.quiet", null, "No rows."));
  const names = [...new Set(rows.flatMap(Object.keys))];
  const cell = (value) => (value === undefined ? "" : value === null ? h("span.quiet", null, "null") : typeof value === "string" ? value : JSON.stringify(value));
  const label = input ? `Rows of ${input}` : "Expected rows";
  const shown = rows.slice(0, MOST_ROWS).map((row) => ({ cells: names.map((name) => cell(row[name])) }));
  return h("div.fixture", null, heading, file, scrolled(label, table(names, shown, label)),
    rows.length > MOST_ROWS ? h("p.quiet", null, `and ${count(rows.length - MOST_ROWS, "more row", "more rows")}.`) : null);
}

const TEST_FILTERS = [["all", "All"], ["bad", "Failed"], ["warn", "Warned"], ["ok", "Passed"], ["none", "Not run"]];

function testsPage(_, query) {
  const tests = facts.nodes.filter(isTest);
  const filter = query.get("is") || "all";
  const fitting = filter === "all" ? tests : tests.filter((test) => (filter === "none" ? test.state === "none" || test.state === "skip" : test.state === filter));
  const holder = h("div");
  let shown = 100;
  const show = () => replace(holder, testTable([...fitting].sort((a, b) => WEIGHT[b.state] - WEIGHT[a.state]).slice(0, shown)),
    fitting.length > shown ? h("button.button", { type: "button", onclick: () => ((shown += 400), show()) }, `Show more of ${NUMBER.format(fitting.length)}`) : null);
  if (fitting.length) show();
  else replace(holder, empty(tests.length ? "No test has this result." : "This project has no tests yet. Add some below a column: data_tests: [unique, not_null]."));
  const tabs = TEST_FILTERS.map(([state, name]) => {
    const number = state === "all" ? tests.length : tests.filter((test) => test.state === state || (state === "none" && test.state === "skip")).length;
    return h("a.tab", { href: state === "all" ? "#!/tests" : `#!/tests?is=${state}`, "aria-current": state === filter ? "true" : null }, name, h("span.quiet", null, NUMBER.format(number)));
  });
  return [
    h("header.page-head", null, h("h1", { tabindex: "-1" }, "Tests"), runLine(), resultBar(tests)),
    h("nav.tabs", { "aria-label": "Results" }, tabs), holder,
  ];
}
