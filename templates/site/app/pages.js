// The pages of the whole project: overview, graph, search.

function overviewPage() {
  const of = (kind) => facts.nodes.filter((node) => node.kind === kind);
  const broken = facts.nodes.filter((node) => node.state === "bad");
  const layers = facts.layers.filter((layer) => facts.nodes.some((node) => node.layer === layer && !isTest(node)));
  const ran = facts.nodes.filter((node) => node.result);
  const counts = ["model", "source", "seed", "snapshot", "test", "unit_test", "exposure"].map((kind) => [kind, of(kind).length]).filter(([, number]) => number);
  return [
    h("header.page-head", null, h("h1", { tabindex: "-1" }, facts.project.name), runLine()),
    h("ul.tiles", null, counts.map(([kind, number]) => h("li", null, h("a", { href: kind === "test" ? "#!/tests" : `#!/search/${encodeURIComponent(`kind:${kind}`)}` }, h("strong", null, NUMBER.format(number)), h("span", null, number === 1 ? KIND_WORDS[kind][0] : KIND_WORDS[kind][1].toLowerCase()))))),
    ran.length ? section("run", "Last run", resultBar(ran), broken.length ? [h("h3", null, "Failed"), nodeList(broken.slice(0, 20)), broken.length > 20 ? h("p", null, h("a", { href: "#!/search/is%3Afailed" }, `All ${NUMBER.format(broken.length)}`)) : null] : h("p.quiet", null, "Nothing failed.")) : null,
    quarantineOverview(),
    layers.length ? section("layers", "Layers", h("ul.layers", null, layers.map(layerCard))) : null,
    facts.project.overview ? section("overview", "About this project", prose(facts.project.overview, "long"))
      : section("overview", "About this project", empty("Nothing is written here yet. A block ", h("code", null, "{% docs __overview__ %}"), " in a Markdown file of the project fills this place.")),
    of("exposure").length ? section("exposures", "Who uses it", nodeList(of("exposure"))) : null,
  ];
}

function layerCard(layer) {
  const models = facts.nodes.filter((node) => node.layer === layer && !isTest(node));
  const bad = models.filter((node) => node.shown === "bad").length;
  return h("li", { class: `tint-${tint(layer)}` },
    h("h3", null, h("a", { href: `#!/search/${encodeURIComponent(`layer:${layer}`)}` }, layer)),
    h("p", null, count(models.length, "model")),
    bad ? statePill("bad", `${bad} failed`) : statePill(worst(models.map((node) => node.shown))));
}

function runLine() {
  const { run } = facts;
  if (!run) return empty("No run is known yet: ", h("code", null, "medal build"), ", then ", h("code", null, "medal docs generate"), ".");
  return h("p.quiet", null, h("code", null, `medal ${run.command}`), " of ", time(run.at), ` took ${duration(run.seconds)}`);
}

/** How many of the nodes ended how, as a bar and in words. */
function resultBar(nodes) {
  const parts = ["ok", "warn", "bad", "skip", "none"].map((state) => [state, nodes.filter((node) => node.state === state).length]).filter(([, number]) => number);
  const bar = h("div.bar", { "aria-hidden": "true" }, parts.map(([state, number]) => {
    const part = h("span", { class: state });
    part.style.flexGrow = String(number);
    return part;
  }));
  return h("div.result-bar", null, bar, h("p.row", null, parts.map(([state, number]) => statePill(state, `${NUMBER.format(number)} ${STATES[state]}`))));
}

// --- the graph ---

function graphPage([id], query) {
  const focus = id === undefined ? null : facts.byId.get(id);
  if (id !== undefined && !focus) return missingPage(id);
  const steps = Number(query.get("steps")) || Infinity;
  const whole = facts.nodes.filter((node) => IN_GRAPH.has(node.kind));
  const nodes = focus ? [focus, ...reach(focus, above, steps), ...reach(focus, below, steps)].filter((node) => IN_GRAPH.has(node.kind)) : whole;
  const card = h("aside.graph-card", { "aria-label": "Chosen node", hidden: true });
  const view = nodeGraph(nodes, {
    label: focus ? `Lineage of ${title(focus)}` : `Graph of ${facts.project.name}`, isWhole: true, withLanes: true, chosen: focus,
    onchoose: (node) => showCard(card, node),
  });
  onleave(view.close);
  if (focus) showCard(card, focus);
  const find = h("button.button", { type: "button", onclick: () => openSearch({ hint: "Find in the graph", fits: (node) => view.place.has(node), onpick: (node) => view.find(node) }) }, icon("search"), "Find");
  const switches = focus ? [
    h("div.switch", { role: "group", "aria-label": "How far the lineage goes" }, [[1, "1 step"], [2, "2 steps"], [Infinity, "All"]].map(([value, name]) =>
      h("a", { href: `#!/graph/${encodeURIComponent(focus.id)}${value === Infinity ? "" : `?steps=${value}`}`, "aria-current": value === steps ? "true" : null }, name))),
    h("a.button", { href: "#!/graph" }, "Whole project"),
  ] : null;
  return h("div.graph-page", null,
    h("div.graph-bar", null, h("h1", { tabindex: "-1" }, focus ? title(focus) : "Graph"), h("span.quiet", null, count(nodes.length, "node")), find, switches, legend(nodes)),
    nodes.length ? view.element : empty("There is nothing to draw yet."), card);
}

function legend(all) {
  const nodes = all.filter((node) => node.kind !== "exposure");
  const states = ["ok", "warn", "bad", "skip", "none"].filter((state) => nodes.some((node) => node.shown === state));
  return h("ul.legend", { "aria-label": "Results" }, states.map((state) => h("li", null, stateSign(state), STATES[state], h("span.quiet", null, NUMBER.format(nodes.filter((node) => node.shown === state).length)))));
}

function showCard(card, node) {
  card.hidden = !node;
  if (!node) return;
  const text = words(node.description);
  replace(card,
    h("p.crumbs", null, kindWord(node), node.materialized ? [h("span", { "aria-hidden": "true" }, "·"), node.materialized] : null),
    h("h2", null, title(node)),
    h("p.chips", null, layerChip(node.layer), node.kind === "exposure" ? null : statePill(node.state, node.result ? node.result.status : undefined), heldPill(node), node.tests.length ? testSummary(node.tests) : null),
    text ? h("p", null, text.length > 220 ? `${text.slice(0, 220)}…` : text) : h("p.quiet", null, "No description yet."),
    h("p.quiet", null, `${count(reach(node, above).size, "node")} upstream, ${NUMBER.format(reach(node, below).size)} downstream`),
    h("p.row", null, h("a.button.strong", { href: address(node) }, "Open"), h("a.button", { href: `#!/graph/${encodeURIComponent(node.id)}` }, "Only its lineage")));
}

// --- search ---

function searchPage([question = ""]) {
  const holder = h("div");
  const show = () => {
    const found = search(question);
    const shown = found.slice(0, 300);
    replace(holder, h("p.quiet", { "aria-live": "polite" }, count(found.length, "result"), found.length > shown.length ? `; the first ${shown.length} are shown` : ""),
      h("ul.found", null, shown.map((hit) => h("li", null, h("div", null, hitLink(hit), " ", h("span.quiet", null, hit.column ? "column" : kindWord(hit.node)), " ", layerChip(hit.node.layer)), h("p", null, snippet(hit, question))))));
  };
  show();
  searchCode().then(show);
  return [h("header.page-head", null, h("h1", { tabindex: "-1" }, question ? `“${question}”` : "Search"),
    h("button.button", { type: "button", onclick: () => openSearch() }, icon("search"), "Search again")), holder];
}

function hitLink({ node, column }) {
  return column ? h("a.node-link", { href: address(node, column.name) }, h("span", null, hitTitle({ node, column }))) : nodeLink(node);
}

function missingPage(what) {
  return h("header.page-head", null, h("h1", { tabindex: "-1" }, "Not here"), empty("This project has no page ", h("code", null, what || ""), ". It may have been renamed or removed. "), h("p", null, h("a", { href: "#!/overview" }, "Go to the overview")));
}
