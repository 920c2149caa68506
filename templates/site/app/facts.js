// The facts of the project as the pages ask for them: nodes with their neighbours, tests, states and addresses.

const STATES = {
  ok: "passed", warn: "warned", bad: "failed", skip: "skipped", none: "not run",
};
const STATE_OF = {
  success: "ok", pass: "ok", warn: "warn", error: "bad", fail: "bad", "runtime error": "bad", "partial success": "bad",
  skipped: "skip", "no-op": "skip",
};
const WEIGHT = { none: 0, skip: 1, ok: 2, warn: 3, bad: 4 };
const KIND_WORDS = {
  model: ["model", "Models"], source: ["source", "Sources"], seed: ["seed", "Seeds"], snapshot: ["snapshot", "Snapshots"],
  exposure: ["exposure", "Exposures"], test: ["data test", "Data tests"], unit_test: ["unit test", "Unit tests"],
  analysis: ["analysis", "Analyses"], macro: ["macro", "Macros"],
};
/** The kinds that the graph draws. */
const IN_GRAPH = new Set(["source", "seed", "model", "snapshot", "exposure"]);

let facts;

/** Unpacks a text of `data.js` or `code.js`: base64 around gzip around JSON. */
async function unpack(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) bytes[at] = raw.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

async function loadFacts() {
  facts = await unpack(medalFacts);
  facts.layers ||= [];
  facts.column_lineage ||= {};
  facts.byId = new Map();
  facts.nodes.forEach((node, place) => {
    node.place = place;
    node.parents ||= [];
    node.macros ||= [];
    node.columns ||= [];
    node.children = [];
    node.tests = [];
    node.users = [];
    // Nothing is run of an exposure: that it was passed over is no result.
    if (node.kind === "exposure") delete node.result, delete node.runs;
    node.state = stateOf(node);
    facts.byId.set(node.id, node);
  });
  for (const node of facts.nodes) {
    node.parents = node.parents.map((place) => facts.nodes[place]);
    node.macros = node.macros.map((place) => facts.nodes[place]);
    for (const macro of node.macros) macro.users.push(node);
    if (isTest(node)) for (const parent of testedNodes(node)) parent.tests.push(node);
    else for (const parent of node.parents) parent.children.push(node);
  }
  for (const node of facts.nodes) {
    node.testState = worst(node.tests.map((test) => test.state));
    node.shown = worst([node.state, node.testState]);
  }
}

/** What a test is written on; a test of its own SQL belongs to everything that it reads. */
function testedNodes(test) {
  const on = test.test && facts.nodes[test.test.on];
  return on ? [on] : test.parents;
}

function isTest(node) {
  return node.kind === "test" || node.kind === "unit_test";
}

function stateOf(node) {
  if (node.freshness && !node.result) return STATE_OF[node.freshness.status] || "bad";
  return node.result ? STATE_OF[node.result.status] || "none" : "none";
}

function worst(states) {
  return states.reduce((a, b) => (WEIGHT[b] > WEIGHT[a] ? b : a), "none");
}

let code = null;

/** The code of all nodes, which is read when the first page asks for it. */
function loadCode() {
  code ||= new Promise((resolve, reject) => {
    const script = h("script", { src: "code.js" });
    script.onload = () => resolve(unpack(medalCode));
    script.onerror = () => reject(new Error("code.js is not beside this page"));
    document.head.append(script);
  });
  return code;
}

/** A node's name as people say it. */
function title(node) {
  if (node.kind === "source") return `${node.source.name}.${node.name}`;
  if (node.kind === "exposure") return node.exposure.label || node.name;
  return node.version ? `${node.name} v${node.version}` : node.name;
}

/** What a test says, in few words: `not_null(id)`. */
function testTitle(node) {
  if (!node.test || !node.test.name) return node.name;
  const column = node.test.column ? `(${node.test.column})` : "";
  return `${node.test.name}${column}`;
}

function kindWord(node) {
  return (KIND_WORDS[node.kind] || [node.kind])[0];
}

/** The address of a node's page: dbt's own form, so that old links lead here too. */
function address(node, column) {
  const page = `#!/${node.kind}/${encodeURIComponent(node.id)}`;
  return column ? `${page}/column/${encodeURIComponent(column)}` : page;
}

/** Everything that can be reached from a node, itself left out; `steps` limits how far. */
function reach(node, next, steps = Infinity) {
  const seen = new Set([node]);
  let edge = [node];
  for (let step = 0; step < steps && edge.length; step++) {
    const further = [];
    for (const from of edge) {
      for (const to of next(from)) if (!seen.has(to)) seen.add(to), further.push(to);
    }
    edge = further;
  }
  seen.delete(node);
  return seen;
}

const above = (node) => node.parents;
const below = (node) => node.children;

const NUMBER = new Intl.NumberFormat("en");

function count(number, one, many = `${one}s`) {
  return `${NUMBER.format(number)} ${number === 1 ? one : many}`;
}

function duration(seconds) {
  if (seconds < 0.0005) return "< 1 ms";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** How long something took; what was skipped took no time. */
function took({ status, seconds }) {
  return STATE_OF[status] === "skip" ? null : duration(seconds);
}

/** A time as the reader's clock shows it. */
function time(text) {
  const date = new Date(text);
  if (!text || Number.isNaN(date.getTime())) return null;
  const shown = date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
  return h("time", { datetime: text, title: text }, shown);
}
