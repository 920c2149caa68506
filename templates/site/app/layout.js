// Places the nodes of a directed graph: columns from left to right, few crossings, short edges.
//
// Sugiyama's method in four steps: a column for each node; stand-ins where an edge passes columns; an order in each
// column by the middle of the neighbours; heights that come as near to the neighbours as the order allows, which is
// solved exactly by pooling (isotonic regression). 5,000 nodes take a fraction of a second.

const ROW = 46;
/** The height of a stand-in: edges may run closer to each other than nodes, and closer yet where there are many. */
const THREAD = 12;
const THIN_THREAD = 3;
/** With more stand-ins than this, long edges go straight. */
const MOST_STANDINS = 40000;

/**
 * `edges` are pairs of places; `laneOf` gives each node its lane (lanes follow each other from left to right), or null;
 * `stride` is from column to column.
 * Gives `x` and `y` of each node, the points that each edge passes, and where the lanes are.
 */
function layout(size, edges, laneOf, stride) {
  const { column, lanes } = columns(size, edges, laneOf);
  const { graph, routes } = withStandIns(size, edges, column);
  order(graph);
  const y = heights(graph);
  const x = graph.column.map((number) => number * stride);
  const points = routes.map((route) => route.map((place) => [x[place], y[place]]));
  return { x: x.slice(0, size), y: y.slice(0, size), points, lanes };
}

/** Each node one column to the right of its parents, and in its lane. */
function columns(size, edges, laneOf) {
  const parents = Array.from({ length: size }, () => []);
  const children = Array.from({ length: size }, () => []);
  for (const [from, to] of edges) parents[to].push(from), children[from].push(to);
  const waiting = parents.map((list) => list.length);
  const ready = waiting.flatMap((number, place) => (number ? [] : [place]));
  const lane = new Array(size).fill(0);
  const rank = new Array(size).fill(0);
  for (let at = 0; at < ready.length; at++) {
    const place = ready[at];
    const own = laneOf ? laneOf(place) : 0;
    lane[place] = parents[place].reduce((most, parent) => Math.max(most, lane[parent]), own ?? 0);
    const before = parents[place].filter((parent) => lane[parent] === lane[place]);
    rank[place] = before.reduce((most, parent) => Math.max(most, rank[parent] + 1), 0);
    for (const child of children[place]) if (--waiting[child] === 0) ready.push(child);
  }
  const widths = [];
  for (let place = 0; place < size; place++) widths[lane[place]] = Math.max(widths[lane[place]] || 0, rank[place] + 1);
  let start = 0;
  const lanes = Array.from(widths, (width) => ({ start, width: width || 0, end: (start += width || 0) }));
  return { column: rank.map((number, place) => lanes[lane[place]].start + number), lanes };
}

function withStandIns(size, edges, column) {
  const graph = { column: [...column], parents: [], children: [], size };
  const link = (from, to) => {
    (graph.children[from] ||= []).push(to);
    (graph.parents[to] ||= []).push(from);
  };
  const spans = edges.reduce((sum, [from, to]) => sum + Math.max(0, column[to] - column[from] - 1), 0);
  const routes = edges.map(([from, to]) => {
    const route = [from];
    for (let at = column[from] + 1; spans <= MOST_STANDINS && at < column[to]; at++) {
      const standIn = graph.column.push(at) - 1;
      link(route[route.length - 1], standIn);
      route.push(standIn);
    }
    link(route[route.length - 1], to);
    route.push(to);
    return route;
  });
  const all = graph.column.length;
  for (let place = 0; place < all; place++) graph.parents[place] ||= [], graph.children[place] ||= [];
  graph.rows = [];
  for (let place = 0; place < all; place++) (graph.rows[graph.column[place]] ||= []).push(place);
  graph.rows = Array.from(graph.rows, (row) => row || []);
  return { graph, routes };
}

/** Sorts each column by the mean place of the neighbours, from left to right and back, and keeps the best order. */
function order(graph) {
  const at = new Float64Array(graph.column.length);
  const number = (row) => row.forEach((place, index) => (at[place] = index));
  // Families begin beside each other.
  const seen = new Uint8Array(graph.column.length);
  const begun = graph.rows.map(() => []);
  for (const row of graph.rows) {
    for (const start of row) {
      const stack = [start];
      while (stack.length) {
        const place = stack.pop();
        if (seen[place]) continue;
        seen[place] = 1;
        begun[graph.column[place]].push(place);
        for (const child of graph.children[place]) if (!seen[child]) stack.push(child);
      }
    }
  }
  graph.rows = begun;
  graph.rows.forEach(number);
  let best = graph.rows.map((row) => [...row]);
  let fewest = crossings(graph, at);
  const rounds = graph.column.length > 8000 ? 4 : 12;
  for (let round = 0; round < rounds && fewest > 0; round++) {
    const isDown = round % 2 === 0;
    const rows = isDown ? graph.rows : [...graph.rows].reverse();
    for (const row of rows) {
      const mean = new Map(row.map((place) => {
        const near = isDown ? graph.parents[place] : graph.children[place];
        return [place, near.length ? near.reduce((sum, other) => sum + at[other], 0) / near.length : at[place]];
      }));
      row.sort((a, b) => mean.get(a) - mean.get(b));
      number(row);
    }
    const now = crossings(graph, at);
    if (now < fewest) {
      fewest = now;
      best = graph.rows.map((row) => [...row]);
    }
  }
  graph.rows = best;
}

/** How many pairs of edges cross between neighbouring columns, counted with a Fenwick tree. */
function crossings(graph, at) {
  let total = 0;
  for (let column = 0; column + 1 < graph.rows.length; column++) {
    const size = graph.rows[column + 1].length;
    const tree = new Int32Array(size + 1);
    let seen = 0;
    for (const place of graph.rows[column]) {
      const ends = graph.children[place].filter((child) => graph.column[child] === column + 1).map((child) => at[child]);
      for (const end of ends) {
        let before = 0;
        for (let index = end + 1; index > 0; index -= index & -index) before += tree[index];
        total += seen - before;
      }
      for (const end of ends) {
        seen++;
        for (let index = end + 1; index <= size; index += index & -index) tree[index]++;
      }
    }
  }
  return total;
}

/** Heights: each column in turn moves as near to its neighbours as its order allows. */
function heights(graph) {
  const y = new Array(graph.column.length).fill(0);
  const thread = graph.column.length > graph.size + 600 ? THIN_THREAD : THREAD;
  const room = (place) => (place < graph.size ? ROW : thread);
  const gap = (a, b) => (room(a) + room(b)) / 2;
  for (const row of graph.rows) {
    let height = 0;
    row.forEach((place, index) => (y[place] = height += index ? gap(row[index - 1], place) : 0));
    row.forEach((place) => (y[place] -= height / 2));
  }
  const rounds = graph.column.length > 8000 ? 6 : 16;
  for (let round = 0; round < rounds; round++) {
    const rows = round % 2 === 0 ? graph.rows : [...graph.rows].reverse();
    for (const row of rows) {
      const wanted = row.map((place) => {
        const near = round < rounds - 2 ? (round % 2 === 0 ? graph.parents : graph.children)[place] : [...graph.parents[place], ...graph.children[place]];
        return near.length ? near.reduce((sum, other) => sum + y[other], 0) / near.length : y[place];
      });
      // Threads pull harder than nodes, so that long edges become straight.
      place(row, wanted, row.map((other) => (other < graph.size ? 1 : 4)), gap, y);
    }
  }
  return y;
}

/** The nearest heights to those wanted that keep the order and the gaps: blocks that collide move as one. */
function place(row, wanted, weight, gap, y) {
  const blocks = [];
  let offset = 0;
  row.forEach((node, index) => {
    if (index) offset += gap(row[index - 1], node);
    let block = { sum: (wanted[index] - offset) * weight[index], weight: weight[index], nodes: [[node, offset]] };
    while (blocks.length && blocks[blocks.length - 1].sum / blocks[blocks.length - 1].weight > block.sum / block.weight) {
      const upper = blocks.pop();
      for (const member of block.nodes) upper.nodes.push(member);
      block = { sum: upper.sum + block.sum, weight: upper.weight + block.weight, nodes: upper.nodes };
    }
    blocks.push(block);
  });
  for (const block of blocks) {
    for (const [node, from] of block.nodes) y[node] = block.sum / block.weight + from;
  }
}
