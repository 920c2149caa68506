// Finds nodes and columns by every word of a question: names first, then columns, tags, descriptions and SQL.

let entries = null;

function searchEntries() {
  entries ||= facts.nodes.map((node) => ({
    node,
    name: title(node).toLowerCase(),
    bare: node.name.toLowerCase(),
    columns: node.columns.map((column) => ({ column, name: column.name.toLowerCase(), text: words(column.description).toLowerCase() })),
    tags: (node.tags || []).map((tag) => tag.toLowerCase()),
    text: words(`${node.description || ""} ${node.columns.map((column) => column.description || "").join(" ")}`).toLowerCase(),
    path: node.path.toLowerCase(),
    code: "",
  }));
  return entries;
}

/** Adds the SQL to what is searched, as soon as it is there. */
function searchCode() {
  return loadCode().then((all) => {
    for (const entry of searchEntries()) entry.code = ((all[entry.node.place] || [])[0] || "").toLowerCase();
  }, () => {});
}

/** What fits all words, the best first: nodes, and columns as `{node, column}`. `tag:`, `layer:`, `kind:` and `is:` narrow. */
function search(question, fits = () => true) {
  const terms = question.toLowerCase().split(/\s+/).filter(Boolean);
  if (!terms.length) return [];
  const found = [];
  for (const entry of searchEntries()) {
    if (!fits(entry.node)) continue;
    const ofNode = terms.map((term) => narrow(entry, term, entry.node.kind) ?? pointsOf(entry, term));
    const columns = columnHits(entry, terms, ofNode);
    found.push(...columns);
    // A node whose texts and SQL alone have the words is left out where its columns have them as names.
    const isNamed = ofNode.some((points, at) => points > MOST_OF_TEXT && !isNarrow(terms[at]));
    if (ofNode.every(Boolean) && (isNamed || !columns.length)) {
      found.push({ node: entry.node, name: entry.name, score: sum(ofNode) * kindWeight(entry.node) });
    }
  }
  return found.sort((a, b) => b.score - a.score || a.name.length - b.name.length || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** The columns of which a word is the name, or a part of it; what their node has counts for the other words. */
function columnHits({ node, columns, tags }, terms, ofNode) {
  const hits = [];
  for (const { column, name, text } of columns) {
    let isNamed = false;
    const points = terms.map((term, at) => {
      const own = narrow({ node, tags }, term, "column") ?? columnPoints(name, term);
      isNamed ||= own > 0 && (!isNarrow(term) || term === "kind:column");
      return own || (isNarrow(term) ? 0 : Math.max(ofNode[at], text.includes(term) ? 6 : 0));
    });
    if (isNamed && points.every(Boolean)) hits.push({ node, column, name, score: sum(points) });
  }
  return hits;
}

function sum(numbers) {
  return numbers.reduce((a, b) => a + b, 0);
}

function isNarrow(term) {
  return /^(tag|layer|kind|is):./.test(term);
}

/** Points if what is asked for holds, 0 if it does not, null if the word asks for nothing. A column is of the kind of its node too. */
function narrow({ node, tags }, term, kind) {
  if (!isNarrow(term)) return null;
  const [key, value] = [term.slice(0, term.indexOf(":")), term.slice(term.indexOf(":") + 1)];
  const holds = { tag: () => tags.includes(value), layer: () => node.layer === value, kind: () => kind === value || node.kind === value, is: () => STATES[node.shown].replace(" ", "-") === value };
  return holds[key]() ? 10 : 0;
}

/** No more points than these are for what is not a name or a tag. */
const MOST_OF_TEXT = 6;

function pointsOf(entry, term) {
  const { name, bare } = entry;
  if (name === term || bare === term) return 100;
  if (bare.startsWith(term) || name.startsWith(term)) return 60;
  const at = name.indexOf(term);
  if (at > 0 && /[^a-z0-9]/.test(name[at - 1])) return 40;
  if (at > 0) return 25;
  if (entry.tags.includes(term)) return 14;
  if (entry.text.includes(term)) return MOST_OF_TEXT;
  if (entry.path.includes(term)) return 4;
  return entry.code.includes(term) ? 2 : 0;
}

/** Less than for the name of a node. */
function columnPoints(name, term) {
  if (name === term) return 19;
  if (name.startsWith(term)) return 15;
  const at = name.indexOf(term);
  return at > 0 ? (/[^a-z0-9]/.test(name[at - 1]) ? 13 : 10) : 0;
}

/** The names of tests are made of those of columns, which go before them. */
function kindWeight(node) {
  return { model: 1.2, source: 1.1, exposure: 1.1, test: 0.3, unit_test: 0.3, macro: 0.8 }[node.kind] || 1;
}

/** Where in what is found the words are, with a little of what stands around them. */
function snippet({ node, column }, question) {
  const term = question.toLowerCase().split(/\s+/).find((word) => word && !isNarrow(word));
  if (column) return [column.type ? h("code", null, column.type) : null, " ", marked(words(column.description).slice(0, 160), term)];
  const text = words(node.description);
  if (!term || title(node).toLowerCase().includes(term)) return marked(text.slice(0, 160), term);
  const at = text.toLowerCase().indexOf(term);
  if (at >= 0) return marked((at > 60 ? "…" : "") + text.slice(Math.max(0, at - 60), at + 110), term);
  const told = node.columns.find((other) => words(other.description).toLowerCase().includes(term));
  if (told) return [h("code", null, told.name), " ", marked(words(told.description).slice(0, 120), term)];
  const entry = searchEntries()[node.place];
  const line = entry.code.split("\n").find((candidate) => candidate.includes(term));
  return line ? h("code", null, marked(line.trim().slice(0, 140), term)) : text.slice(0, 160);
}

/** What is found, as people say it. */
function hitTitle({ node, column }) {
  return column ? [title(node), h("span.quiet", null, "."), column.name] : title(node);
}

function marked(text, term) {
  const at = term ? text.toLowerCase().indexOf(term) : -1;
  if (at < 0) return text;
  return [text.slice(0, at), h("mark", null, text.slice(at, at + term.length)), text.slice(at + term.length)];
}

/** The dialog of the search: `onpick` is given the node that is picked. */
function openSearch({ onpick, fits, hint } = {}) {
  const listId = "search-results";
  const input = h("input", { type: "search", placeholder: hint || "Search models, columns, descriptions, SQL", role: "combobox", "aria-label": "Search", "aria-expanded": "true", "aria-controls": listId, "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false" });
  const list = h("ul.results", { id: listId, role: "listbox", "aria-label": "Results" });
  const foot = h("p.quiet.search-foot");
  const dialog = h("dialog.search", { "aria-label": "Search" }, h("div.search-field", null, icon("search"), input), list, foot);
  let results = [];
  let chosen = 0;
  const pick = ({ node, column }) => {
    dialog.close();
    if (onpick) onpick(node);
    else go(address(node, column && column.name));
  };
  const choose = (at) => {
    chosen = at;
    [...list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === at)));
    const item = list.children[at];
    if (item) input.setAttribute("aria-activedescendant", item.id), item.scrollIntoView({ block: "nearest" });
    else input.removeAttribute("aria-activedescendant");
  };
  const update = () => {
    const all = search(input.value, fits);
    results = all.slice(0, 30);
    replace(list, results.map((hit, at) => h("li", { role: "option", id: `result-${at}`, onclick: () => pick(hit), onpointermove: () => at !== chosen && choose(at) },
      h("span.result-kind", null, hit.column ? "column" : kindWord(hit.node)), h("span.result-name", null, hitTitle(hit)), h("span.result-snippet", null, snippet(hit, input.value)))));
    list.hidden = !results.length;
    const more = all.length > results.length ? ` The first ${results.length} are shown.` : "";
    replace(foot, !input.value.trim() ? ["Narrow with ", h("code", null, "kind:model"), " ", h("code", null, "layer:gold"), " ", h("code", null, "tag:daily"), " ", h("code", null, "is:failed")]
      : all.length ? `${count(all.length, "result")}.${more}` : `Nothing has all of these words.`);
    choose(0);
  };
  input.addEventListener("input", update);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") choose(Math.min(chosen + 1, results.length - 1));
    else if (event.key === "ArrowUp") choose(Math.max(chosen - 1, 0));
    else if (event.key === "Enter" && results[chosen]) pick(results[chosen]);
    // A browser would only empty the field.
    else if (event.key === "Escape") dialog.close();
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  update();
  searchCode().then(() => dialog.open && update());
}
