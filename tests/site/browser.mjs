// Opens docs sites in a real Chromium and does what readers do: looks, searches, clicks, types, shares links.
//
// MEDAL is the binary, SITES a folder with the projects `flights` and `shop` (built; in the shop there are failures),
// `hostile` and `many` (5,000 models).
// With UPDATE_IMAGES=folder the screenshots of the documentation are taken anew.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";

const { MEDAL, SITES, UPDATE_IMAGES } = process.env;
const site = (project) => join(SITES, project, "target/site");
const axe = readFileSync(new URL("./node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

let browser;
before(async () => {
  const args = chromium.args.filter((flag) => !/web-security|insecure|site-isolation|CSP/i.test(flag));
  const executablePath = await chromium.executablePath();
  // The fonts that come with the browser, and those of the machine.
  const fonts = join(SITES, "fonts.conf");
  const folders = [join(tmpdir(), "fonts"), "/usr/share/fonts"].map((folder) => `<dir>${folder}</dir>`);
  writeFileSync(fonts, `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>${folders.join("")}<cachedir>${SITES}/fonts-cache</cachedir></fontconfig>`);
  browser = await puppeteer.launch({ executablePath, args, headless: "shell", env: { ...process.env, FONTCONFIG_FILE: fonts } });
});
after(() => browser?.close());

/** Opens a page, and fails if it asks another host, says anything to the console or throws. */
async function open(address, { width = 1280, height = 820, dark = false } = {}) {
  const page = await browser.newPage();
  page.troubles = [];
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
  const home = new URL(".", address).href;
  page.on("request", (request) => {
    if (!request.url().startsWith(home) && !request.url().startsWith("data:")) page.troubles.push(`asks ${request.url()}`);
  });
  page.on("requestfailed", (request) => page.troubles.push(`cannot load ${request.url().slice(0, 120)}`));
  page.on("pageerror", (error) => page.troubles.push(error.message));
  page.on("console", (message) => page.troubles.push(message.text()));
  page.on("dialog", (dialog) => (page.troubles.push(`dialog ${dialog.message()}`), dialog.dismiss()));
  await page.goto(address);
  await page.waitForSelector("html[data-ready]", { timeout: 10000 });
  return page;
}

const local = (project, hash, options) => open(`file://${site(project)}/index.html${hash}`, options);

async function close(page) {
  assert.deepEqual(page.troubles, []);
  await page.close();
}

async function go(page, hash) {
  await page.evaluate((to) => void (location.hash = to), hash);
  await page.waitForFunction((to) => location.hash === to && document.querySelector("main h1"), {}, hash);
  await settle(page);
}

const index = (project) => JSON.parse(readFileSync(join(SITES, project, "target/index.json"), "utf8"));
const place = (node, column) => `#!/${node.kind}/${encodeURIComponent(node.id)}${column ? `/column/${encodeURIComponent(column.name)}` : ""}`;
/** The pages of all nodes of a project, and of so many columns of each. */
const places = (project, columns) => index(project).nodes.flatMap((node) => [place(node), ...(node.columns || []).slice(0, columns).map((column) => place(node, column))]);
const codeIsShown = (page) => page.waitForFunction(() => !document.querySelector("section:not([hidden]) > .code-panel > .quiet"));

/** Two frames, after which what was asked for is on the screen. */
const settle = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
const text = (page, selector) => page.$eval(selector, (element) => element.innerText);

async function picture(page, name) {
  if (!UPDATE_IMAGES) return;
  await new Promise((done) => setTimeout(done, 250));
  await page.screenshot({ path: join(UPDATE_IMAGES, `${name}.webp`), type: "webp", quality: 82 });
}

test("a model's page shows what it is, what is in it and what became of it", async () => {
  const page = await local("flights", "#!/model/model.flights.flights", { height: 1180 });
  assert.equal(await text(page, "h1"), "flights");
  assert.match(await page.title(), /^flights · flights$/);
  const shown = await text(page, "main");
  for (const words of ["models/silver/flights.sql", "Flights scheduled to leave New York", "success", "15 passed", "bronze_flights", "weather_impact", "flight_id", "not_null"]) {
    assert.ok(shown.includes(words), words);
  }
  assert.match(shown, /Rows\s+[1-9][\d,]*\s/);
  const runs = await page.$$eval(".runs li", (all) => all.map((run) => run.title));
  assert.equal(runs.length, 2);
  assert.match(runs[0], /^build of .* success in \d+ ms/);
  await page.waitForSelector(".sql .t-jinja");
  const written = await text(page, ".sql code");
  await page.evaluate(() => [...document.querySelectorAll("#sql .switch button")].find((button) => button.textContent === "Compiled").click());
  assert.notEqual(await text(page, ".sql code"), written);
  assert.match(await text(page, ".sql code"), /"bronze"\."bronze_flights"/);
  const types = await page.$$eval("#columns .type", (cells) => cells.map((cell) => cell.textContent));
  assert.ok(types.includes("VARCHAR") || types.includes("DATE"), String(types));
  await picture(page, "model");
  await page.click("#lineage .node-list a[href$='model.flights.bronze_flights']");
  await page.waitForFunction(() => document.querySelector("h1").innerText === "bronze_flights");
  await page.goBack();
  await page.waitForFunction(() => document.querySelector("h1").innerText === "flights");
  await close(page);
});

test("the search finds names, columns, descriptions and SQL, with keys alone", async () => {
  const page = await local("flights", "#!/overview");
  await page.keyboard.press("/");
  await page.waitForSelector("dialog[open] input");
  await page.keyboard.type("delay reas");
  assert.match(await text(page, "[role=option][aria-selected=true]"), /carrier_delay_reasons/);
  await settle(page);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("h1").innerText === "carrier_delay_reasons");
  await page.keyboard.press("/");
  await page.keyboard.type("layer:silver tail_number");
  const names = await page.$$eval(".result-name", (all) => all.map((name) => name.textContent));
  assert.ok(names.includes("aircraft.tail_number") && !names.some((name) => name.includes("bronze_planes")), String(names));
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.querySelector("dialog"));
  await page.keyboard.press("/");
  await page.keyboard.type("carrier");
  await settle(page);
  const kinds = await page.$$eval("[role=option]", (all) => all.map((item) => item.innerText.split("\n")));
  const first = kinds.findIndex(([kind]) => kind === "column");
  assert.ok(first > 0 && kinds.slice(0, first).every(([, name]) => name.includes("carrier")), JSON.stringify(kinds));
  await page.keyboard.press("Escape");
  await go(page, "#!/search/tail_number");
  await page.click(".found a[href$='model.flights.aircraft/column/tail_number']");
  await page.waitForFunction(() => document.querySelector("h1").innerText === "tail_number");
  await go(page, "#!/search/date_trunc");
  await page.waitForFunction(() => document.querySelectorAll(".found li").length >= 0 && document.querySelector("main p.quiet"));
  await close(page);
});

test("the graph is walked with arrow keys, and a click chooses", async () => {
  const page = await local("flights", "#!/graph", { width: 1440, height: 860 });
  await page.focus(".stage");
  for (const key of ["ArrowRight", "ArrowRight", "ArrowLeft"]) await page.keyboard.press(key);
  const chosen = await text(page, ".graph-card h2");
  assert.match(await page.$eval("[aria-live]", (live) => live.textContent), new RegExp(`^${chosen}, model`));
  await settle(page);
  await picture(page, "graph");
  await page.keyboard.press("Enter");
  await page.waitForFunction((name) => document.querySelector("h1").innerText === name, {}, chosen);
  await go(page, "#!/graph/model.flights.route_delays?steps=1");
  assert.match(await text(page, ".graph-bar"), /route_delays/);
  const box = await (await page.$(".stage")).boundingBox();
  await page.mouse.click(box.x + box.width - 20, box.y + 50);
  assert.equal(await page.$eval(".graph-card", (card) => card.hidden), true);
  await close(page);
});

test("column lineage is clicked through", async () => {
  const page = await local("flights", "#!/model/model.flights.carriers");
  await page.click("a.column-name");
  await page.waitForSelector("#column-graph canvas");
  assert.equal(await text(page, "h1"), "carrier_code");
  assert.match(await text(page, ".pair"), /Made of\s+bronze_airlines\.carrier[\s\S]*Used by/);
  await page.click(".pair a[href*='bronze_airlines']");
  await page.waitForFunction(() => document.querySelector("h1").innerText === "carrier");
  await go(page, "#!/model/model.flights.carrier_performance/column/carrier_code");
  assert.match(await text(page, "main"), /Rows decided by\s+carriers\.carrier_code\s+silver\s+flights\.carrier_code/);
  await go(page, "#!/model/model.flights.carrier_performance/column/late_percent");
  await settle(page);
  await picture(page, "column");
  await close(page);
});

test("links lead to the same place for everybody, dbt's too, and wrong ones say so", async () => {
  const page = await local("flights", "#!/model/model.flights.aircraft?g_v=1&g_i=%2Baircraft%2B");
  assert.equal(await text(page, "h1"), "aircraft");
  await go(page, "#!/model/model.flights.gone");
  assert.match(await text(page, "main"), /no page model\.flights\.gone/);
  await go(page, "#!/%E0%A4%A/x");
  await go(page, "#!/tests?is=bad");
  assert.match(await text(page, "main"), /No test has this result/);
  await close(page);
});

test("what a project says is shown, never obeyed", async () => {
  const page = await local("hostile", "#!/overview");
  assert.ok(index("hostile").nodes.length > 5);
  const asked = ["#!/graph", "#!/tests", "#!/search/script", `#!/search/${encodeURIComponent("<img src=x onerror=alert(1)>")}`, `#!/model/${encodeURIComponent("<script>alert(1)</script>")}`];
  for (const place of ["#!/overview", ...places("hostile", Infinity), ...asked]) {
    await go(page, place);
    await codeIsShown(page);
    const found = await page.evaluate(() => ({
      obeyed: typeof globalThis.obeyed,
      elements: document.querySelectorAll("main script, main img, main iframe, main object, main form, main style, main [onerror], main [onclick]").length,
      links: [...document.querySelectorAll("main a")].map((link) => link.protocol).filter((protocol) => !["file:", "https:", "http:", "mailto:"].includes(protocol)),
    }));
    assert.deepEqual(found, { obeyed: "undefined", elements: 0, links: [] }, place);
  }
  await go(page, "#!/model/model.hostile.orders");
  assert.ok(await page.$(".title ~ .chips .pill.pii") && await page.$("#columns .pill.pii"));
  const orders = index("hostile").nodes.find((node) => node.name === "orders" && node.kind === "model");
  await go(page, place(orders, orders.columns.find((column) => column.meta)));
  assert.ok(await page.$(".page-head .pill.pii"));
  await page.keyboard.press("/");
  await page.keyboard.type("alert");
  await settle(page);
  assert.equal(await page.$("dialog img, dialog script"), null);
  await page.keyboard.press("Escape");
  await close(page);
});

test("nothing is hard to reach or to read, in light and dark, wide and narrow", async () => {
  const inFlights = ["#!/overview", "#!/model/model.flights.flights", "#!/graph", "#!/tests", "#!/search/delay", "#!/macro/macro.flights.delay_reason",
    "#!/model/model.flights.flights/column/flight_id", "#!/exposure/exposure.flights.punctuality_dashboard", "#!/seed/seed.flights.raw_flights", "search"];
  const unitTests = index("shop").nodes.filter((node) => node.kind === "unit_test").map((node) => place(node));
  const inShop = ["#!/overview", "#!/model/model.shop.invoices", ...unitTests];
  for (const [width, dark] of [[1280, false], [1280, true], [400, false]]) {
    await isReadable("flights", inFlights, { width, dark });
    await isReadable("shop", inShop, { width, dark });
  }
});

/** Fails if axe finds something serious on a page, or if the page is wider than the window. */
async function isReadable(project, places, { width, dark }) {
  const page = await local(project, "#!/overview", { width, dark });
  await page.evaluate(axe);
  for (const place of places) {
    if (place === "search") await page.keyboard.press("/"), await page.keyboard.type("delay");
    else await go(page, place);
    await codeIsShown(page);
    const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"], preload: false }));
    const bad = violations.filter((violation) => ["serious", "critical"].includes(violation.impact));
    assert.deepEqual(bad.map((violation) => `${violation.id}: ${violation.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`), [], `${place} at ${width}, dark: ${dark}`);
    assert.equal(await tooWide(page), 0, `${place} is too wide at ${width}`);
  }
  await close(page);
}

/** How many pixels a page is wider than the window. */
const tooWide = (page) => page.evaluate(() => Math.max(0, document.body.scrollWidth - document.body.clientWidth));

test("no page is wider than a phone", async () => {
  for (const project of ["flights", "shop", "hostile"]) {
    const page = await local(project, "#!/overview", { width: 400 });
    const wide = [];
    for (const place of ["#!/overview", "#!/tests", "#!/graph", "#!/search/id", ...places(project, 2)]) {
      await go(page, place);
      await codeIsShown(page);
      const pixels = await tooWide(page);
      if (pixels) wide.push(`${place}: ${pixels}`);
    }
    assert.deepEqual(wide, [], project);
    await close(page);
  }
});

test("what is in quarantine is counted by reason, and said how to look at", async () => {
  const page = await local("shop", "#!/overview");
  assert.match(await text(page, "#quarantine"), /invoices\s+2\s+(NEGATIVE 1\s+UNKNOWN_CUSTOMER 1)[\s\S]*medal quarantine list/);
  await page.click("#quarantine a[href$='model.shop.invoices']");
  await page.waitForFunction(() => document.querySelector("h1").innerText === "invoices");
  assert.match(await text(page, ".title"), /2 in quarantine/);
  assert.match(await text(page, "#quarantine"), /2 rows are held back, the newest since .*\d{4}, \d\d:\d\d\.[\s\S]*NEGATIVE\s+amount\s+1[\s\S]*medal quarantine show --select invoices/);
  await page.click("#quarantine tbody a");
  await page.waitForFunction(() => /in_range/.test(document.querySelector("h1").innerText));
  assert.match(await text(page, "main"), /Held back\s+1 row[\s\S]*medal quarantine show --select invoices/);
  await go(page, "#!/model/model.shop.orders");
  assert.equal(await page.$("#quarantine"), null);
  await close(page);
});

test("a unit test shows the rows that it gives and expects, and how they differ", async () => {
  const page = await local("shop", "#!/unit_test/unit_test.shop.visits.steps_stay");
  assert.match(await text(page, "#given"), /ref\('bronze_visits'\)\s+event_id\s+visitor\s+step\s+happened_at\s+1\s+v1\s+visit\s+2026/);
  assert.match(await text(page, "#expect"), /2\s+null\s+null/);
  assert.match(await text(page, "main .card"), /visits\s+Last run\s+pass/);
  await go(page, "#!/unit_test/unit_test.shop.doubled.twice_is_three");
  assert.match(await text(page, "#given .sql code"), /select 1 as event_id/);
  assert.match(await text(page, "pre.message"), /event_id \| twice\n.*1 +\| 3 → 2/);
  await close(page);
});

test("only what was run counts as run", async () => {
  const page = await local("shop", "#!/overview");
  const { nodes } = index("shop");
  const skipped = nodes.filter((node) => node.kind !== "exposure" && node.result && node.result.status === "skipped").length;
  assert.ok(skipped > 1 && nodes.some((node) => node.kind === "exposure" && node.result));
  assert.match(await text(page, "#run"), new RegExp(`${skipped} skipped`));
  await go(page, "#!/graph");
  assert.match(await text(page, ".legend"), /skipped\s+1\s/);
  await go(page, "#!/tests?is=none");
  assert.doesNotMatch(await text(page, "main table"), /\d ms/);
  await go(page, "#!/model/model.shop.later");
  assert.doesNotMatch(await text(page, "main .card"), /\d ms/);
  const groups = await page.$$eval(".side summary", (all) => all.map((group) => group.innerText.replace(/\s+/g, " ")));
  assert.deepEqual(groups.filter((group) => group.startsWith("Macros")).slice(0, 2), ["Macros 2", "Macros of kit 1"]);
  await close(page);
  const layers = await local("hostile", "#!/overview");
  assert.deepEqual(await layers.$$eval(".layers h3", (all) => all.map((layer) => layer.textContent)), ["gold"]);
  await close(layers);
});

test("the pictures of the documentation can be taken", async () => {
  const page = await local("flights", "#!/overview", { height: 900, dark: true });
  await page.waitForSelector(".tiles");
  await picture(page, "overview-dark");
  await page.keyboard.press("/");
  await page.keyboard.type("delay");
  await settle(page);
  await picture(page, "search-dark");
  await page.keyboard.press("Escape");
  await close(page);
  const phone = await local("flights", "#!/model/model.flights.flights", { width: 400, height: 860 });
  await picture(phone, "phone");
  await phone.click(".menu");
  await phone.waitForFunction(() => getComputedStyle(document.querySelector(".side")).visibility === "visible");
  await close(phone);
});

test("5,000 models: small, open at once, fluid", async () => {
  const bytes = readdirSync(site("many")).reduce((sum, name) => sum + statSync(join(site("many"), name)).size, 0);
  const page = await local("many", "#!/overview");
  const opened = await page.evaluate(() => performance.now());
  const began = Date.now();
  await go(page, "#!/graph");
  const drawn = Date.now() - began;
  await page.focus(".stage");
  const box = await (await page.$(".stage")).boundingBox();
  const far = await pan(page, box);
  for (let step = 0; step < 9; step++) await page.keyboard.press("+");
  await page.keyboard.press("ArrowRight");
  await new Promise((done) => setTimeout(done, 200));
  const near = await pan(page, box);
  console.log(`5,000 models: ${(bytes / 1e6).toFixed(2)} MB, open in ${Math.round(opened)} ms, graph in ${drawn} ms, ${far} and ${near} frames a second`);
  assert.ok(bytes < 10e6 && opened < 1000 && far >= 30 && near >= 30);
  await close(page);
});

/** Frames a second while the graph is dragged to and fro: by the middle one, since a busy machine halts now and then. */
async function pan(page, box) {
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.evaluate(() => {
    globalThis.frames = [];
    const note = (now) => (frames.push(now), (globalThis.noting = requestAnimationFrame(note)));
    requestAnimationFrame(note);
  });
  for (let step = 1; step <= 80; step++) await page.mouse.move(x + 300 * Math.sin(step / 8), y + 500 * Math.sin(step / 5));
  const frames = await page.evaluate(() => (cancelAnimationFrame(noting), frames));
  await page.mouse.up();
  const times = frames.slice(1).map((time, at) => time - frames[at]).sort((a, b) => a - b);
  return Math.round(1000 / times[Math.floor(times.length / 2)]);
}

test("the served site is the same site", async () => {
  const served = spawn(MEDAL, ["docs", "serve", "--port", "0", "--no-browser", "--project-dir", join(SITES, "flights")]);
  try {
    const address = await new Promise((found, failed) => {
      let said = "";
      const listen = (part) => (said += part, /http:\/\/[\d.:]+/.test(said) && found(/http:\/\/[\d.:]+/.exec(said)[0]));
      served.stdout.on("data", listen);
      served.stderr.on("data", listen);
      served.on("exit", () => failed(new Error(said)));
    });
    const page = await open(`${address}/#!/model/model.flights.flights`);
    await page.waitForSelector(".sql .t-word");
    await close(page);
  } finally {
    served.kill();
  }
});
