// Finds nodes by every word of a question: names first, then columns, tags, descriptions and SQL.

let entries = null;

function searchEntries() {
  entries ||= facts.nodes.map((node) => ({
    node,
    name: title(node).toLowerCase(),
    bare: node.name.toLowerCase(),
    columns: node.columns.map((column) => column.name.toLowerCase()),
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

/** The nodes that fit all words, the best first. `tag:`, `layer:`, `kind:` and `is:` narrow. */
function search(question, fits = () => true) {
  const terms = question.toLowerCase().split(/\s+/).filter(Boolean);
  if (!terms.length) return [];
  const found = [];
  for (const entry of searchEntries()) {
    if (!fits(entry.node)) continue;
    let score = 0;
    for (const term of terms) {
      const points = narrow(entry, term) ?? points_of(entry, term);
      if (!points) {
        score = 0;
        break;
      }
      score += points;
    }
    if (score) found.push([score * kindWeight(entry.node), entry]);
  }
  found.sort((a, b) => b[0] - a[0] || a[1].name.length - b[1].name.length || (a[1].name < b[1].name ? -1 : 1));
  return found.map(([, entry]) => entry.node);
}

function narrow({ node, tags }, term) {
  const [, key, value] = /^(tag|layer|kind|is):(.+)$/.exec(term) || [];
  if (!key) return null;
  const holds = { tag: () => tags.includes(value), layer: () => node.layer === value, kind: () => node.kind === value, is: () => STATES[node.shown].replace(" ", "-") === value };
  return holds[key]() ? 10 : 0;
}

function points_of(entry, term) {
  const { name, bare } = entry;
  if (name === term || bare === term) return 100;
  if (bare.startsWith(term) || name.startsWith(term)) return 60;
  const at = name.indexOf(term);
  if (at > 0 && /[^a-z0-9]/.test(name[at - 1])) return 40;
  if (at > 0) return 25;
  if (entry.columns.includes(term)) return 20;
  if (entry.tags.includes(term)) return 14;
  if (entry.columns.some((column) => column.includes(term))) return 10;
  if (entry.text.includes(term)) return 6;
  if (entry.path.includes(term)) return 4;
  return entry.code.includes(term) ? 2 : 0;
}

function kindWeight(node) {
  return { model: 1.2, source: 1.1, exposure: 1.1, test: 0.5, unit_test: 0.5, macro: 0.8 }[node.kind] || 1;
}

/** Where in a node the words were found, with a little of what stands around them. */
function snippet(node, question) {
  const term = question.toLowerCase().split(/\s+/).find((word) => word && !/^(tag|layer|kind|is):/.test(word));
  const text = words(node.description);
  if (!term || title(node).toLowerCase().includes(term)) return marked(text.slice(0, 160), term);
  const column = node.columns.find((other) => other.name.toLowerCase().includes(term) || words(other.description).toLowerCase().includes(term));
  const at = text.toLowerCase().indexOf(term);
  if (at >= 0) return marked((at > 60 ? "…" : "") + text.slice(Math.max(0, at - 60), at + 110), term);
  if (column) return [h("code", null, marked(column.name, term)), " ", marked(words(column.description).slice(0, 120), term)];
  const entry = searchEntries()[node.place];
  const line = entry.code.split("\n").find((candidate) => candidate.includes(term));
  return line ? h("code", null, marked(line.trim().slice(0, 140), term)) : text.slice(0, 160);
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
  const pick = (node) => {
    dialog.close();
    if (onpick) onpick(node);
    else go(address(node));
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
    replace(list, results.map((node, at) => h("li", { role: "option", id: `result-${at}`, onclick: () => pick(node), onpointermove: () => at !== chosen && choose(at) },
      h("span.result-kind", null, kindWord(node)), h("span.result-name", null, title(node)), h("span.result-snippet", null, snippet(node, input.value)))));
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
