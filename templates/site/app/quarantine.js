// What tests and readers have held back, as numbers: the rows themselves stay in the warehouse.

/** The nodes of which rows are in quarantine, those with the most first. */
function nodesHeld() {
  return facts.nodes.filter((node) => node.quarantine && node.quarantine.rows).sort((a, b) => b.quarantine.rows - a.quarantine.rows);
}

function heldPill(node) {
  return node.quarantine && node.quarantine.rows ? statePill("warn", `${NUMBER.format(node.quarantine.rows)} in quarantine`) : null;
}

/** What a model has in quarantine, by reason. */
function quarantineSection(node) {
  const { rows, newest, reasons = [] } = node.quarantine || {};
  if (!rows) return null;
  const lines = reasons.map((reason) => {
    const test = facts.nodes[reason.test];
    const column = reason.column || (test && test.test.column);
    return { cells: [
      test ? h("a", { href: address(test) }, reason.code) : h("code", null, reason.code),
      column ? h("a.column-name", { href: address(node, column) }, column) : "",
      NUMBER.format(reason.rows), time(reason.newest) || "",
    ] };
  });
  const isSeveral = reasons.reduce((sum, reason) => sum + reason.rows, 0) > rows;
  return section("quarantine", "Quarantine",
    h("p", null, `${count(rows, "row is", "rows are")} held back, the newest since `, time(newest), isSeveral ? "; some for several reasons." : "."),
    table(["Reason", "Column", "Rows", "Newest"], lines, `Quarantine of ${title(node)}`),
    h("p.hint", null, "To see them: ", h("code", null, `medal quarantine show --select ${node.name}`)));
}

/** What the whole project has in quarantine. */
function quarantineOverview() {
  const held = nodesHeld();
  if (!held.length) return null;
  const lines = held.slice(0, 20).map((node) => ({ cells: [
    h("a", { href: address(node) }, title(node)), NUMBER.format(node.quarantine.rows),
    (node.quarantine.reasons || []).map((reason) => [h("span.chip.plain", null, `${reason.code} ${NUMBER.format(reason.rows)}`), " "]),
    time(node.quarantine.newest) || "",
  ] }));
  return section("quarantine", "Quarantine", table(["Model", "Rows", "Reasons", "Newest"], lines, "Quarantine"),
    held.length > lines.length ? h("p.quiet", null, `and ${NUMBER.format(held.length - lines.length)} more.`) : null,
    h("p.hint", null, "All of it: ", h("code", null, "medal quarantine list")));
}

/** How many rows a test holds back now. */
function heldBy(test) {
  const reasons = testedNodes(test).flatMap((node) => (node.quarantine && node.quarantine.reasons) || []).filter((reason) => facts.nodes[reason.test] === test);
  const rows = reasons.reduce((sum, reason) => sum + reason.rows, 0);
  return rows ? count(rows, "row") : null;
}
