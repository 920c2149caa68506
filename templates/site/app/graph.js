// Shows a placed graph on a canvas: pan, zoom, choose, and walk along edges with the arrow keys.
//
// What does not change while one pans is painted once, with a margin around the window, and then only moved. Readers of
// screens hear of each node that is chosen, and every page also lists the neighbours of its node as links.

const NODE_HEIGHT = 32;
/** Between columns. */
const GAP = 60;
/** In a node, besides its name. */
const TRIM = 42;
/** A graph with room above and below is stretched this much at most. */
const MOST_STRETCH = 1.7;
/** Between columns of a graph that is tall and dense, at most. */
const MOST_GAP = 640;
/** Below this scale nodes are marks without text. */
const TEXT_SCALE = 0.36;
/** The painted part reaches this much further than the window, as a part of it. */
const MARGIN = 0.6;

/**
 * `model.nodes`: `{label, note, state, tint, dashed}`; `model.edges`: `[from, to, isSoft]`; `model.lanes`: `{name, tint}` by
 * the numbers that `model.laneOf` gives. `options`: `label`, `chosen`, `onopen(place)`, `onchoose(place)`, `isWhole` (the
 * wheel zooms), `said(place)` (words for readers of screens).
 */
function graphView(model, options) {
  const size = model.nodes.length;
  const wide = nodeWidth(model.nodes);
  let stride = wide + GAP;
  const placed = layout(size, model.edges, model.laneOf, stride);
  const neighbours = neighboursOf(size, model.edges);
  const canvas = h("canvas", { "aria-hidden": "true" });
  const live = h("div.unseen", { "aria-live": "polite" });
  const help = h("div.unseen", { id: `help-${++graphView.number}` },
    "Arrow keys go from node to node along the edges, Enter opens the node, plus and minus zoom, 0 shows everything.");
  const stage = h("div.stage", { tabindex: "0", role: "application", "aria-label": options.label, "aria-describedby": help.id }, canvas);
  const element = h("div.graph", { class: options.isWhole ? "whole" : "" }, stage, help, live, h("div.zoom", null,
    button("plus", "Zoom in", () => zoomBy(1.4)), button("minus", "Zoom out", () => zoomBy(1 / 1.4)), button("fit", "Show everything", () => fit())));

  const context = canvas.getContext("2d");
  const scene = document.createElement("canvas");
  const paintOn = scene.getContext("2d");
  let painted = null;
  let view = { x: 0, y: 0, scale: 1 };
  let chosen = options.chosen ?? null;
  let hovered = null;
  let related = null;
  let width = 0;
  let height = 0;
  let asked = 0;
  let settle = 0;
  let isMoving = false;
  const labels = new Map();

  function button(name, label, onclick) {
    return h("button.icon-button", { type: "button", "aria-label": label, title: label, onclick }, icon(name));
  }

  // --- the window ---

  const top = model.lanes ? 34 : 0;
  let bounds = boundsOf(placed, size, wide);

  function fit(most = 1) {
    const scale = Math.min(most, (width - 48) / (bounds.right - bounds.left), (height - top - 40) / (bounds.bottom - bounds.top));
    view.scale = Math.max(scale, 0.01);
    view.x = (width - (bounds.left + bounds.right) * view.scale) / 2;
    view.y = top + (height - top - (bounds.top + bounds.bottom) * view.scale) / 2;
    ask();
  }

  function centre(place, scale = Math.max(view.scale, 0.75)) {
    view.scale = scale;
    view.x = width / 2 - (placed.x[place] + wide / 2) * scale;
    view.y = height / 2 - placed.y[place] * scale;
    ask();
  }

  /** Moves the window as little as it takes to see a node. */
  function show(place) {
    const x = placed.x[place] * view.scale + view.x;
    const y = placed.y[place] * view.scale + view.y;
    const right = x + wide * view.scale;
    if (x < 20) view.x += 20 - x;
    if (right > width - 20) view.x -= right - width + 20;
    if (y < top + 30) view.y += top + 30 - y;
    if (y > height - 30) view.y -= y - height + 30;
    ask();
  }

  function zoomBy(factor, x = width / 2, y = height / 2) {
    const scale = Math.min(2.5, Math.max(0.01, view.scale * factor));
    view.x = x - ((x - view.x) * scale) / view.scale;
    view.y = y - ((y - view.y) * scale) / view.scale;
    view.scale = scale;
    move();
  }

  function move() {
    isMoving = true;
    clearTimeout(settle);
    settle = setTimeout(() => ((isMoving = false), ask()), 90);
    ask();
  }

  function ask() {
    asked ||= requestAnimationFrame(() => ((asked = 0), draw()));
  }

  function resize() {
    const isFirst = width === 0;
    width = stage.clientWidth;
    height = stage.clientHeight;
    if (!width || !height) return;
    const density = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
    painted = null;
    if (isFirst) first();
    // Drawn at once, since a canvas is empty after its size changes.
    draw();
  }

  function first() {
    stretch();
    fit(options.isWhole ? 1 : 0.94);
    if (chosen !== null && view.scale < (options.isWhole ? TEXT_SCALE : 0.7)) centre(chosen, 0.8);
    choose(chosen, true);
  }

  /** Uses the room that the window has to spare: above and below, or between the columns. */
  function stretch() {
    const most = Math.min(MOST_GAP, GAP * (1 + size / 150)) + wide;
    const columns = Math.max(1, Math.round((bounds.right - bounds.left - wide) / stride));
    const wanted = Math.min(most, (((bounds.bottom - bounds.top) * width) / (height - top) - wide) / columns);
    if (wanted > stride) {
      const broader = (x) => (x / stride) * wanted;
      placed.x = placed.x.map(broader);
      placed.points = placed.points.map((route) => route.map(([x, y]) => [broader(x), y]));
      stride = wanted;
      bounds = boundsOf(placed, size, wide);
    }
    const scale = Math.min(1, (width - 48) / (bounds.right - bounds.left));
    const factor = Math.min(MOST_STRETCH, (height - top - 40) / (bounds.bottom - bounds.top) / scale);
    if (!(factor > 1)) return;
    placed.y = placed.y.map((y) => y * factor);
    placed.points = placed.points.map((route) => route.map(([x, y]) => [x, y * factor]));
    bounds = boundsOf(placed, size, wide);
  }

  // --- what is chosen ---

  function choose(place, isQuiet) {
    chosen = place;
    // Where the whole graph is the lineage of one node, nothing stands out.
    related = place === null || !options.isWhole ? null : relatives(place);
    painted = null;
    if (place !== null && !isQuiet) live.textContent = options.said ? options.said(place) : model.nodes[place].label;
    if (!isQuiet && options.onchoose) options.onchoose(place);
    ask();
  }

  function relatives(place) {
    const found = new Set([place]);
    for (const side of [neighbours.parents, neighbours.children]) {
      const open = [place];
      const seen = new Set(open);
      while (open.length) {
        for (const next of side[open.pop()]) if (!seen.has(next)) seen.add(next), found.add(next), open.push(next);
      }
    }
    return found;
  }

  // --- drawing ---

  function draw() {
    if (!width || !element.isConnected) return;
    const density = window.devicePixelRatio || 1;
    if (!painted || (!covers() && !canWait())) paint(density);
    const ratio = view.scale / painted.scale;
    const x = view.x - painted.left * ratio;
    const y = view.y - painted.top * ratio;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    drawLanes(context, density);
    context.drawImage(scene, x * density, y * density, scene.width * ratio, scene.height * ratio);
    context.setTransform(density, 0, 0, density, 0, 0);
    if (hovered !== null || chosen !== null) drawMarks();
    drawLaneNames();
  }

  /** Whether what is painted fills the window at this scale. */
  function covers() {
    if (painted.scale !== view.scale) return false;
    const [left, upper] = [view.x - painted.left, view.y - painted.top];
    return painted.isAll || (left <= 0 && upper <= 0 && left + painted.across >= width && upper + painted.high >= height);
  }

  /** Whether the old painting serves while one moves, because a new one would halt the hand. */
  function canWait() {
    return isMoving && painted.took > 12 && performance.now() - painted.at < 300;
  }

  /** Paints the whole graph if that is not much more than the window, else the window with its margin. */
  function paint(density) {
    const began = performance.now();
    const colors = theme();
    const [most, pad] = [1 + 2 * MARGIN, 8];
    const [graphWide, graphHigh] = [(bounds.right - bounds.left) * view.scale + 2 * pad, (bounds.bottom - bounds.top) * view.scale + 2 * pad];
    const isAll = graphWide <= width * most && graphHigh <= height * most;
    const [left, upper] = isAll ? [pad - bounds.left * view.scale, pad - bounds.top * view.scale] : [view.x + width * MARGIN, view.y + height * MARGIN];
    const [across, high] = isAll ? [graphWide, graphHigh] : [width * most, height * most];
    scene.width = Math.ceil(across * density);
    scene.height = Math.ceil(high * density);
    const pen = paintOn;
    const scale = view.scale * density;
    pen.setTransform(scale, 0, 0, scale, left * density, upper * density);
    const seen = { left: -left / view.scale, right: (across - left) / view.scale, top: -upper / view.scale, bottom: (high - upper) / view.scale };
    paintEdges(pen, colors, seen);
    paintNodes(pen, colors, seen);
    painted = { scale: view.scale, left, top: upper, across, high, isAll, at: performance.now(), took: performance.now() - began };
  }

  function paintEdges(pen, colors, seen) {
    const isFar = view.scale < 0.25;
    const detail = view.scale < 0.12 ? "lines" : isFar ? "corners" : "curves";
    const kinds = [
      { color: colors.edge, alpha: (related ? 0.35 : 1) * (isFar ? Math.min(0.6, Math.max(0.18, 500 / model.edges.length)) : 1), of: (edge) => !isRelated(edge) },
      { color: colors.accent, alpha: 0.95, of: isRelated },
    ];
    for (const soft of [false, true]) {
      for (const kind of kinds) {
        pen.beginPath();
        model.edges.forEach((edge, index) => {
          if (!!edge[2] === soft && kind.of(edge)) trace(pen, placed.points[index], wide, seen, detail);
        });
        pen.setLineDash(soft ? [5, 4] : []);
        pen.strokeStyle = kind.color;
        pen.globalAlpha = kind.alpha;
        pen.lineWidth = Math.max(kind.color === colors.accent ? 1.6 : 1.1, 0.6 / view.scale);
        pen.stroke();
      }
    }
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  }

  function isRelated(edge) {
    if (!related || !related.has(edge[0]) || !related.has(edge[1])) return false;
    return placed.x[edge[1]] <= placed.x[chosen] || placed.x[edge[0]] >= placed.x[chosen];
  }

  function paintNodes(pen, colors, seen) {
    for (let place = 0; place < size; place++) {
      const [x, y] = [placed.x[place], placed.y[place] - NODE_HEIGHT / 2];
      if (x > seen.right || x + wide < seen.left || y > seen.bottom || y + NODE_HEIGHT < seen.top) continue;
      const node = model.nodes[place];
      pen.globalAlpha = related && !related.has(place) ? 0.35 : 1;
      if (view.scale < TEXT_SCALE) paintMark(pen, colors, node, x, y);
      else paintNode(pen, colors, node, x, y);
    }
    pen.globalAlpha = 1;
  }

  function paintMark(pen, colors, node, x, y) {
    pen.fillStyle = node.state === "none" ? colors.faint : colors[node.state];
    pen.fillRect(x, y, wide, NODE_HEIGHT);
  }

  function paintNode(pen, colors, node, x, y) {
    box(pen, x, y, wide, NODE_HEIGHT, 7);
    pen.fillStyle = colors.card;
    pen.fill();
    if (node.state !== "none" && node.state !== "skip") {
      pen.fillStyle = colors[node.state];
      const alpha = pen.globalAlpha;
      pen.globalAlpha = alpha * (node.state === "ok" ? 0.09 : 0.16);
      pen.fill();
      pen.globalAlpha = alpha;
    }
    pen.setLineDash(node.dashed ? [4, 3] : []);
    pen.strokeStyle = node.state === "bad" || node.state === "warn" ? colors[node.state] : colors.rim;
    pen.lineWidth = 1;
    pen.stroke();
    pen.setLineDash([]);
    pen.fillStyle = colors[node.tint] || colors.faint;
    box(pen, x + 5, y + 7, 3.5, NODE_HEIGHT - 14, 1.75);
    pen.fill();
    pen.fillStyle = colors.ink;
    pen.textBaseline = "middle";
    if (node.note) {
      pen.font = `10.5px ${colors.font}`;
      pen.fillStyle = colors.soft;
      pen.fillText(cut(pen, node.note, wide - TRIM), x + 15, y + 9.5);
      pen.font = `550 12px ${colors.font}`;
      pen.fillStyle = colors.ink;
      pen.fillText(cut(pen, node.label, wide - TRIM), x + 15, y + 22);
    } else {
      pen.font = `550 12.5px ${colors.font}`;
      pen.fillText(cut(pen, node.label, wide - TRIM), x + 15, y + NODE_HEIGHT / 2 + 0.5);
    }
    sign(pen, colors, node.state, x + wide - 16, y + NODE_HEIGHT / 2);
  }

  /** The state as a sign too, for those who do not tell the colours apart. */
  function sign(pen, colors, state, x, y) {
    if (state === "none") return;
    pen.strokeStyle = colors[state];
    pen.lineWidth = 1.9;
    pen.lineCap = "round";
    pen.lineJoin = "round";
    pen.beginPath();
    if (state === "ok") pen.moveTo(x - 4, y + 0.5), pen.lineTo(x - 1, y + 3.5), pen.lineTo(x + 4.5, y - 3);
    if (state === "bad") pen.moveTo(x - 3.5, y - 3.5), pen.lineTo(x + 3.5, y + 3.5), pen.moveTo(x + 3.5, y - 3.5), pen.lineTo(x - 3.5, y + 3.5);
    if (state === "warn") pen.moveTo(x, y - 5), pen.lineTo(x, y + 1), pen.moveTo(x, y + 4.6), pen.lineTo(x, y + 4.7);
    if (state === "skip") pen.moveTo(x - 4, y), pen.lineTo(x + 4, y);
    pen.stroke();
  }

  /** A text with as many letters as there is room for. */
  function cut(pen, text, room) {
    const key = `${pen.font}\n${text}`;
    let fitting = labels.get(key);
    if (fitting === undefined) {
      fitting = text.length > 60 ? text.slice(0, 60) : text;
      if (pen.measureText(fitting).width > room) {
        while (fitting.length > 1 && pen.measureText(`${fitting}…`).width > room) fitting = fitting.slice(0, -1);
        fitting += "…";
      }
      labels.set(key, fitting);
    }
    return fitting;
  }

  function drawMarks() {
    const colors = theme();
    context.save();
    context.translate(view.x, view.y);
    context.scale(view.scale, view.scale);
    for (const place of [hovered, chosen]) {
      if (place === null) continue;
      const grow = Math.max(2, 3 / view.scale);
      box(context, placed.x[place] - grow, placed.y[place] - NODE_HEIGHT / 2 - grow, wide + 2 * grow, NODE_HEIGHT + 2 * grow, 7 + grow);
      context.strokeStyle = colors.accent;
      context.lineWidth = (place === chosen ? 2 : 1.2) / Math.max(view.scale, 0.5);
      context.stroke();
    }
    context.restore();
  }

  function laneSpan(lane) {
    const left = (lane.start * stride - (stride - wide) / 2) * view.scale + view.x;
    return [left, lane.width * stride * view.scale];
  }

  function drawLanes(pen, density) {
    if (!model.lanes) return;
    const colors = theme();
    pen.setTransform(density, 0, 0, density, 0, 0);
    placed.lanes.forEach((lane, index) => {
      if (!lane.width) return;
      const [left, span] = laneSpan(lane);
      pen.fillStyle = colors[model.lanes[index].tint] || colors.faint;
      pen.globalAlpha = model.lanes[index].tint ? 0.07 : 0.04;
      pen.fillRect(left + 1, 0, span - 2, height);
    });
    pen.globalAlpha = 1;
  }

  function drawLaneNames() {
    if (!model.lanes) return;
    const colors = theme();
    context.font = `600 11.5px ${colors.font}`;
    context.textBaseline = "middle";
    context.textAlign = "center";
    placed.lanes.forEach((lane, index) => {
      if (!lane.width) return;
      const { name, tint } = model.lanes[index];
      const [left, span] = laneSpan(lane);
      const [from, to] = [Math.max(left, 0), Math.min(left + span, width)];
      const room = to - from - 12;
      const shown = name.toUpperCase();
      context.fillStyle = colors.paper;
      context.globalAlpha = 0.86;
      context.fillRect(left + 1, 0, span - 2, 26);
      context.globalAlpha = 1;
      context.fillStyle = colors[tint] || colors.soft;
      context.fillRect(left + 1, 0, span - 2, 3);
      if (room < 14) return;
      context.fillStyle = colors.soft;
      context.fillText(cut(context, shown, room), (from + to) / 2, 15);
    });
    context.textAlign = "start";
  }

  // --- pointer and keys ---

  const pointers = new Map();
  let travelled = 0;
  let pinch = 0;

  function at(event) {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  function hit([x, y]) {
    const [worldX, worldY] = [(x - view.x) / view.scale, (y - view.y) / view.scale];
    const slack = Math.max(0, 5 / view.scale - 4);
    for (let place = 0; place < size; place++) {
      const dx = worldX - placed.x[place];
      const dy = worldY - placed.y[place];
      if (dx >= -slack && dx <= wide + slack && Math.abs(dy) <= NODE_HEIGHT / 2 + slack) return place;
    }
    return null;
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    pointers.set(event.pointerId, at(event));
    if (options.isWhole || event.pointerType === "mouse") stage.setPointerCapture(event.pointerId);
    travelled = pointers.size > 1 ? 99 : 0;
    pinch = 0;
  });
  stage.addEventListener("pointermove", (event) => {
    const here = at(event);
    const before = pointers.get(event.pointerId);
    if (!before) return hover(hit(here));
    pointers.set(event.pointerId, here);
    if (pointers.size === 2) {
      const [a, b] = [...pointers.values()];
      const apart = Math.hypot(a[0] - b[0], a[1] - b[1]);
      if (pinch) zoomBy(apart / pinch, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
      pinch = apart;
      return;
    }
    travelled += Math.abs(here[0] - before[0]) + Math.abs(here[1] - before[1]);
    view.x += here[0] - before[0];
    view.y += here[1] - before[1];
    if (travelled > 4) move();
  });
  const lift = (event) => {
    const wasDown = pointers.delete(event.pointerId);
    if (!wasDown || travelled > 4 || event.type !== "pointerup") return;
    const place = hit(at(event));
    if (!options.isWhole && place !== null) options.onopen(place);
    else if (place !== null && place === chosen) options.onopen(place);
    else choose(place);
  };
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, lift);
  stage.addEventListener("pointerleave", () => hover(null));
  stage.addEventListener("wheel", (event) => {
    if (!options.isWhole && !event.ctrlKey) return;
    event.preventDefault();
    const step = event.deltaMode ? event.deltaY * 16 : event.deltaY;
    if (!event.ctrlKey && Math.abs(event.deltaX) > Math.abs(event.deltaY)) (view.x -= event.deltaX), move();
    else zoomBy(Math.exp(-Math.max(-120, Math.min(120, step)) * (event.ctrlKey ? 0.01 : 0.0022)), ...at(event));
  }, { passive: false });

  function hover(place) {
    if (place === hovered) return;
    hovered = place;
    stage.classList.toggle("over", place !== null);
    stage.title = place === null ? "" : model.nodes[place].hint || model.nodes[place].label;
    ask();
  }

  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const walk = { ArrowLeft: () => along(neighbours.parents), ArrowRight: () => along(neighbours.children), ArrowUp: () => beside(-1), ArrowDown: () => beside(1) }[event.key];
    if (walk) {
      const next = chosen === null ? nearest() : walk();
      if (next !== null && next !== undefined) choose(next), show(next);
    } else if (event.key === "Enter" && chosen !== null) options.onopen(chosen);
    else if (event.key === "+" || event.key === "=") zoomBy(1.3);
    else if (event.key === "-") zoomBy(1 / 1.3);
    else if (event.key === "0") fit();
    else if (event.key === "Escape" && options.isWhole && chosen !== null) choose(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  function along(side) {
    const near = [...side[chosen]];
    return near.sort((a, b) => Math.abs(placed.y[a] - placed.y[chosen]) - Math.abs(placed.y[b] - placed.y[chosen]))[0];
  }

  function beside(direction) {
    let best = null;
    for (let place = 0; place < size; place++) {
      const ahead = (placed.y[place] - placed.y[chosen]) * direction;
      if (placed.x[place] === placed.x[chosen] && ahead > 0.01 && (best === null || ahead < (placed.y[best] - placed.y[chosen]) * direction)) best = place;
    }
    return best;
  }

  /** The node nearest to the middle of the window. */
  function nearest() {
    let best = null;
    let least = Infinity;
    for (let place = 0; place < size; place++) {
      const far = Math.hypot(placed.x[place] * view.scale + view.x - width / 2, placed.y[place] * view.scale + view.y - height / 2);
      if (far < least) [best, least] = [place, far];
    }
    return best;
  }

  const observer = new ResizeObserver(resize);
  observer.observe(stage);
  const repaint = () => ((painted = null), ask());
  addEventListener("themechange", repaint);
  return {
    element, fit, zoomBy,
    find: (place) => (choose(place), centre(place)),
    choose,
    close() {
      observer.disconnect();
      removeEventListener("themechange", repaint);
      clearTimeout(settle);
    },
  };
}
graphView.number = 0;

/** As wide as the longest name asks for, within bounds. */
function nodeWidth(nodes) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `600 12.5px ${theme().font}`;
  const longest = nodes.reduce((most, node) => Math.max(most, node.label.length), 0);
  const widest = nodes.filter((node) => node.label.length > longest * 0.7).slice(0, 200).reduce((most, node) => Math.max(most, pen.measureText(node.label).width), 0);
  return Math.round(Math.min(230, Math.max(120, widest + TRIM + 6)));
}

function neighboursOf(size, edges) {
  const parents = Array.from({ length: size }, () => []);
  const children = Array.from({ length: size }, () => []);
  for (const [from, to] of edges) parents[to].push(from), children[from].push(to);
  return { parents, children };
}

function boundsOf(placed, size, wide) {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let place = 0; place < size; place++) {
    left = Math.min(left, placed.x[place]);
    right = Math.max(right, placed.x[place] + wide);
    top = Math.min(top, placed.y[place] - NODE_HEIGHT / 2);
    bottom = Math.max(bottom, placed.y[place] + NODE_HEIGHT / 2);
  }
  return size ? { left, right, top, bottom } : { left: 0, right: 1, top: 0, bottom: 1 };
}

/** An edge: from the right side of a node through the stand-ins to the left side of another. */
function trace(pen, points, wide, seen, detail) {
  const last = points[points.length - 1];
  let [x, y] = [points[0][0] + wide, points[0][1]];
  if (x > seen.right && last[0] > seen.right) return;
  if (x < seen.left && last[0] < seen.left) return;
  if (points.length === 2 && Math.max(y, last[1]) < seen.top) return;
  if (points.length === 2 && Math.min(y, last[1]) > seen.bottom) return;
  pen.moveTo(x, y);
  if (detail === "lines") return void pen.lineTo(last[0], last[1]);
  for (let at = 1; at < points.length; at++) {
    const [nextX, nextY] = points[at];
    if (detail === "corners") pen.lineTo(nextX, nextY);
    else {
      const bend = Math.max(28, (nextX - x) / 2);
      pen.bezierCurveTo(x + bend, y, nextX - bend, nextY, nextX, nextY);
    }
    [x, y] = [nextX, nextY];
    if (at < points.length - 1) pen.lineTo((x += wide), y);
  }
}

function box(pen, x, y, width, height, radius) {
  pen.beginPath();
  pen.roundRect(x, y, width, height, radius);
}

let colors = null;

/** The colours of the style sheet, for the canvas. */
function theme() {
  if (colors) return colors;
  const style = getComputedStyle(document.documentElement);
  const names = ["paper", "card", "ink", "soft", "faint", "rim", "edge", "accent", "ok", "warn", "bad", "skip", "bronze", "silver", "gold", "lane-1", "lane-2", "lane-3", "lane-4"];
  colors = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  colors.font = style.getPropertyValue("--sans").trim();
  return colors;
}
addEventListener("themechange", () => (colors = null));
