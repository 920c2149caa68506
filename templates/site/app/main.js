// The frame of every page: the bar above, the tree at the side, addresses, keys.

const main = h("main", { id: "main", tabindex: "-1" });
const side = h("nav.side", { id: "side", "aria-label": "Project" });
let leaving = [];
let isForward = true;

/** Remembers what is to be put away when the page is left. */
function onleave(work) {
  leaving.push(work);
}

function go(hash) {
  isForward = true;
  if (location.hash === hash) route();
  else location.hash = hash;
}

/** `#!/model/model.shop.orders/column/id?x=1` as its parts and its question. */
function readAddress() {
  const [path, question = ""] = location.hash.replace(/^#!?\/?/, "").split("?");
  const decode = (part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  };
  return { parts: path.split("/").filter(Boolean).map(decode), query: new URLSearchParams(question) };
}

function route() {
  leaving.splice(0).forEach((work) => work());
  const { parts: [page = "overview", ...rest], query } = readAddress();
  const pages = { overview: overviewPage, graph: graphPage, tests: testsPage, search: searchPage };
  const node = facts.byId.get(rest[0]);
  let content;
  if (Object.hasOwn(pages, page)) content = pages[page](rest, query);
  else if (node) content = rest[1] === "column" && rest[2] ? columnPage(node, rest[2]) : nodePage(node);
  else content = missingPage(rest[0] || page);
  replace(main, content);
  main.className = page === "graph" ? "wide" : "";
  const heading = main.querySelector("h1");
  document.title = `${heading ? `${heading.textContent} · ` : ""}${facts.project.name}`;
  mark_current(node, page);
  document.body.classList.remove("side-open");
  if (isForward) {
    scrollTo(0, 0);
    if (heading) heading.focus({ preventScroll: true });
  }
  isForward = false;
}

// --- the tree at the side ---

function tree() {
  const of = (kind) => facts.nodes.filter((node) => node.kind === kind);
  const models = of("model");
  const byName = (nodes) => [...nodes].sort((a, b) => (title(a) < title(b) ? -1 : 1));
  const groups = [];
  const layered = facts.layers.length ? facts.layers.map((layer) => [layer, models.filter((node) => node.layer === layer), tint(layer)]) : [];
  for (const [layer, nodes, color] of layered) if (nodes.length) groups.push(branch(layer, leaves(byName(nodes)), nodes, true, color));
  const rest = facts.layers.length ? models.filter((node) => !node.layer) : models;
  if (rest.length) groups.push(...folders(rest));
  const sources = grouped(of("source"), (node) => node.source.name);
  for (const [name, nodes] of sources) groups.push(branch(`Source ${name}`, leaves(byName(nodes), (node) => node.name), nodes));
  for (const kind of ["seed", "snapshot", "exposure", "analysis"]) {
    const nodes = of(kind);
    if (nodes.length) groups.push(branch(KIND_WORDS[kind][1], leaves(byName(nodes)), nodes));
  }
  // The project's own macros, then those of its packages.
  const isOwn = ([name]) => name === facts.project.name;
  const macros = [...grouped(of("macro"), (node) => node.package)].sort((a, b) => isOwn(b) - isOwn(a) || (a[0] < b[0] ? -1 : 1));
  for (const [name, nodes] of macros) groups.push(branch(isOwn([name]) ? "Macros" : `Macros of ${name}`, leaves(byName(nodes)), nodes));
  return groups;
}

function grouped(nodes, key) {
  const groups = new Map();
  for (const node of nodes) groups.get(key(node))?.push(node) ?? groups.set(key(node), [node]);
  return groups;
}

/** Models without layers by the folders they lie in. */
function folders(models) {
  const roots = grouped(models, (node) => node.path.split("/").slice(1, -1).join("/") || "models");
  const one = roots.size === 1;
  return [...roots].sort(([a], [b]) => (a < b ? -1 : 1)).map(([folder, nodes]) => branch(one ? "Models" : folder, leaves(nodes), nodes, one || roots.size <= 4));
}

/** A part of the tree, which is filled when it is opened first. */
function branch(name, fill, nodes, isOpen, color) {
  const list = h("ul");
  const details = h("details", { open: isOpen, class: color ? `tint-${color}` : "" }, h("summary", null, h("span", null, name), h("span.quiet", null, NUMBER.format(nodes.length))), list);
  const open = () => list.childElementCount || list.append(...fill());
  details.addEventListener("toggle", () => details.open && open());
  details.members = new Set(nodes);
  details.fill = open;
  if (isOpen) open();
  return details;
}

function leaves(nodes, name = title) {
  return () => nodes.map((node) => h("li", null, h("a", { href: address(node), title: name(node), "data-place": String(node.place) }, h("span", null, name(node)), node.shown === "none" || node.shown === "ok" ? null : stateSign(node.shown))));
}

function mark_current(node, page) {
  for (const old of side.querySelectorAll("[aria-current]")) old.removeAttribute("aria-current");
  for (const link of document.querySelectorAll(".topbar nav a")) {
    if (link.dataset.page === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const holder = node && [...side.querySelectorAll("details")].find((details) => details.members.has(node));
  if (!holder) return;
  holder.open = true;
  holder.fill();
  const link = holder.querySelector(`[data-place="${node.place}"]`);
  link.setAttribute("aria-current", "page");
  const [box, frame] = [link.getBoundingClientRect(), side.getBoundingClientRect()];
  if (box.top < frame.top || box.bottom > frame.bottom) side.scrollTop += box.top - frame.top - frame.height / 2;
}

// --- the bar above ---

function bar() {
  const toggle = h("button.icon-button.menu", { type: "button", "aria-label": "Project tree", "aria-controls": "side", onclick: () => document.body.classList.toggle("side-open") }, icon("menu"));
  const brand = h("a.brand", { href: "#!/overview" }, mark(), h("span", null, facts.project.name));
  const find = h("button.find", { type: "button", "aria-label": "Search", onclick: () => openSearch() }, icon("search"), h("span", null, "Search"), h("kbd", null, "/"));
  const links = [["graph", "Graph", "graph"], ["tests", "Tests", "tests"]].map(([page, name, drawing]) => h("a", { href: `#!/${page}`, "data-page": page, "aria-label": name }, icon(drawing), h("span", null, name)));
  return h("header.topbar", null, toggle, brand, find, h("nav", { "aria-label": "Pages" }, links), themeButton());
}

function stored(value) {
  try {
    if (value) localStorage.setItem("medal-theme", value);
    return localStorage.getItem("medal-theme");
  } catch {
    return null;
  }
}

const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  dispatchEvent(new Event("themechange"));
}

function themeButton() {
  const button = h("button.icon-button", { type: "button", onclick: () => {
    const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    stored(name);
    setTheme(name);
  } });
  const show = () => {
    const isDark = document.documentElement.dataset.theme === "dark";
    replace(button, icon(isDark ? "sun" : "moon"));
    button.setAttribute("aria-label", isDark ? "Light colours" : "Dark colours");
    button.title = button.getAttribute("aria-label");
  };
  addEventListener("themechange", show);
  show();
  return button;
}

// --- keys and start ---

function keys(event) {
  const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || document.querySelector("dialog[open]");
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") event.preventDefault(), document.querySelector("dialog[open]") || openSearch();
  else if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  else if (event.key === "/") event.preventDefault(), openSearch();
  else if (event.key === "g") go("#!/graph");
  else if (event.key === "t") go("#!/tests");
  else if (event.key === "o") go("#!/overview");
  else if (event.key === "Escape") document.body.classList.remove("side-open");
}

async function start() {
  setTheme(stored() || (prefersDark.matches ? "dark" : "light"));
  prefersDark.addEventListener("change", () => stored() || setTheme(prefersDark.matches ? "dark" : "light"));
  await loadFacts();
  append(side, [h("a", { href: "#!/overview" }, "Overview"), tree()]);
  const skip = h("button.skip-link", { type: "button", onclick: () => main.focus() }, "Skip to the page");
  const made = h("footer", null, "Made by medal ", time(facts.generated_at));
  const veil = h("div.veil", { onclick: () => document.body.classList.remove("side-open") });
  replace(document.body, skip, bar(), side, veil, h("div.page", null, main, made));
  addEventListener("hashchange", route);
  document.addEventListener("click", (event) => (isForward = isForward || !!event.target.closest("a[href^='#']")));
  document.addEventListener("keydown", keys);
  route();
  document.documentElement.dataset.ready = "true";
}

start().catch((error) => replace(document.body, h("main", null, h("h1", null, "This page cannot be shown"), h("p", null, String(error.message || error)))));
