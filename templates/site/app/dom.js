// Makes elements. Texts become text nodes, so that nothing of a project is ever read as HTML; `prose` is the one way
// around, for descriptions that medal has rendered and cleaned.

/** An element: `h("a.quiet", {href, onclick}, "text", otherElement)`. What is null or false is left out. */
function h(kind, properties, ...children) {
  const [tag, ...classes] = kind.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.classList.add(...value.split(" ").filter(Boolean));
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

function replace(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

/** A description: HTML that medal made from Markdown. */
function prose(html, ...classes) {
  const element = h("div.prose");
  element.classList.add(...classes);
  element.innerHTML = html;
  return element;
}

/** The words of such a description. */
function words(html) {
  if (!html) return "";
  const entities = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#x27;": "'", "&amp;": "&" };
  return html.replace(/<[^>]*>/g, " ").replace(/&(?:lt|gt|quot|amp|#x27);/g, (entity) => entities[entity]).replace(/\s+/g, " ").trim();
}

const ICONS = {
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zm5.2 12.2L21 21",
  graph: "M4 6h5v4H4zM15 4h5v4h-5zM15 16h5v4h-5zM9 8h3v-2h3M12 8v10h3",
  tests: "M4 12l5 5L20 6",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4M17.6 6.4L19 5",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  link: "M9 15l6-6M8 11l-2 2a3.5 3.5 0 0 0 5 5l2-2M16 13l2-2a3.5 3.5 0 0 0-5-5l-2 2",
  ok: "M5 12.5l4.5 4.5L19 7.5",
  warn: "M12 5v9M12 18v.5",
  bad: "M7 7l10 10M17 7L7 17",
  skip: "M6 12h12",
  none: "M12 12h.01",
};

/** A drawing that readers of screens pass over; what it says is said in words beside it. */
function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** The mark of medal: a ribbon and three metals. */
function mark() {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("mark");
  const shapes = [["path", { d: "M5 1.5h5.2l2.6 7H8.6z", class: "bronze" }], ["path", { d: "M19 1.5h-5.2l-2.6 7h4.2z", class: "silver" }],
    ["circle", { cx: 12, cy: 15.2, r: 7.2, class: "gold" }], ["circle", { cx: 12, cy: 15.2, r: 4.4, class: "rim" }]];
  for (const [tag, attributes] of shapes) {
    const shape = document.createElementNS(space, tag);
    for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
    svg.append(shape);
  }
  return svg;
}
