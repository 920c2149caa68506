// Shows SQL with Jinja: numbered lines, coloured words, and links from `ref` and `source` to their pages.

const TOKEN = new RegExp([
  /(?<comment>\{#[\s\S]*?#\}|--[^\n]*|\/\*[\s\S]*?\*\/)/,
  /(?<jinja>\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\})/,
  /(?<string>'(?:[^']|'')*')/,
  /(?<name>"(?:[^"]|"")*")/,
  /(?<number>\b\d+(?:\.\d+)?\b)/,
  /(?<word>\b(?:all|and|any|as|asc|between|by|case|cast|create|cross|delete|desc|distinct|else|end|except|exclude|exists|false|filter|following|from|full|group|having|ilike|in|inner|insert|intersect|interval|into|is|join|lateral|left|like|limit|not|null|nulls|offset|on|or|order|outer|over|partition|preceding|qualify|range|recursive|replace|right|row|rows|select|set|table|then|true|unbounded|union|unnest|update|using|values|view|when|where|window|with|within)\b)/,
].map((part) => part.source).join("|"), "gi");
const REFERENCE = /\b(?:ref|source)\s*\(([^)]*)\)/g;
/** Longer texts stay plain: colours would cost more than they help. */
const MOST_COLOURED = 200000;

function sqlView(text, node) {
  const code = h("code");
  const lines = text.split("\n").length;
  if (text.length > MOST_COLOURED) code.append(text);
  else colour(code, text, node);
  const numbers = h("span.numbers", { "aria-hidden": "true" }, Array.from({ length: lines }, (_, at) => `${at + 1}\n`).join(""));
  return h("pre.sql", { tabindex: "0", "aria-label": `SQL of ${node.name}` }, numbers, code);
}

function colour(code, text, node) {
  let from = 0;
  for (const match of text.matchAll(TOKEN)) {
    const kind = Object.keys(match.groups).find((name) => match.groups[name] !== undefined);
    code.append(text.slice(from, match.index));
    const token = h(`span.t-${kind}`);
    if (kind === "jinja") linked(token, match[0], node);
    else token.append(match[0]);
    code.append(token);
    from = match.index + match[0].length;
  }
  code.append(text.slice(from));
}

/** The text of a template with links from its references. */
function linked(token, text, node) {
  let from = 0;
  for (const match of text.matchAll(REFERENCE)) {
    const names = [...match[1].matchAll(/['"]([^'"]*)['"]/g)].map((name) => name[1]);
    const called = match[0].startsWith("ref") ? names.slice(-1)[0] : names.join(".");
    const parent = node.parents.find((other) => (other.kind === "source" ? title(other) : other.name) === called);
    if (!parent) continue;
    token.append(text.slice(from, match.index), h("a", { href: address(parent) }, match[0]));
    from = match.index + match[0].length;
  }
  token.append(text.slice(from));
}

/** The code of a node: as written, and as compiled. */
function codeSection(node) {
  const panel = h("div.code-panel");
  const head = h("div.section-head", null, h("h2", null, node.kind === "macro" ? "Template" : "SQL"));
  const section = h("section", { id: "sql" }, head, panel);
  replace(panel, h("p.quiet", null, "Reading…"));
  loadCode().then((all) => {
    const [raw, compiled] = all[node.place] || [];
    const forms = [["As written", raw], ["Compiled", compiled]].filter(([, text]) => text);
    if (!forms.length) return void (section.hidden = true);
    const buttons = forms.map(([name, text]) => h("button", { type: "button", "aria-pressed": "false", onclick: () => show(name, text) }, name));
    const show = (name, text) => {
      buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === name)));
      replace(panel, copyButton(text), sqlView(text.replace(/^\n+|\s+$/g, ""), node));
    };
    if (forms.length > 1) head.append(h("div.switch", { role: "group", "aria-label": "Form of the SQL" }, buttons));
    else if (forms[0][0] === "Compiled") head.append(h("span.quiet", null, "compiled"));
    show(...forms[0]);
  }, (error) => replace(panel, h("p.empty", null, error.message)));
  return section;
}

function copyButton(text) {
  if (!navigator.clipboard) return null;
  const button = h("button.icon-button.copy", { type: "button", "aria-label": "Copy", title: "Copy", onclick: () => {
    navigator.clipboard.writeText(text).then(() => {
      replace(button, icon("ok"));
      setTimeout(() => replace(button, icon("copy")), 1200);
    }, () => {});
  } }, icon("copy"));
  return button;
}
