// Writes the projects that the browser test looks at, besides the example: one that means harm, one of 5,000 models, and
// what the shop of `medal init --template commerce` lacks: failures, unit tests, an exposure and a package.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const [folder] = process.argv.slice(2);

function write(project, path, text) {
  const file = join(folder, project, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function start(project) {
  write(project, "medal.yml", `name: ${project}\ntarget: dev\ntargets: {dev: {type: duckdb, path: db.duckdb}}\n`);
}

// Everything that a project can say, said as a script.
const harm = ["<script>obeyed = 1</script>", "<img src=x onerror='obeyed = 2'>", "\"><svg onload=alert(3)>", "');obeyed=4;//", "</script><script>alert(5)</script>"].join(" ");
const text = JSON.stringify(`${harm} [x](javascript:alert(6)) ![x](https://example.org/pixel.png) <a href="javascript:alert(7)">x</a>`);
start("hostile");
write("hostile", "models/orders.sql", `-- ${harm}\nselect 1 as id, '${harm.replaceAll("'", "''")}' as said from {{ ref('items') }}\n`);
write("hostile", "models/gold/summary.sql", "select count(*) as orders from {{ ref('orders') }} {# </code><script>alert(8)</script> #}\n");
write("hostile", "seeds/items.csv", "id\n1\n");
write("hostile", "macros/harm.sql", `{% macro harm(x) %}{{ x }} -- ${harm}{% endmacro %}\n`);
write("hostile", "models/docs.md", `{% docs __overview__ %}\n# ${harm}\n[x](javascript:alert(9)) ${harm}\n{% enddocs %}\n`);
write("hostile", "models/all.yml", `
models:
  - name: orders
    description: ${text}
    config: {tags: [${JSON.stringify(harm)}], meta: {note: ${text}, list: [${text}], link: "javascript:alert(10)"}}
    columns:
      - {name: id, description: ${text}, data_tests: [unique, {accepted_values: {arguments: {values: [${text}]}}}]}
      - {name: ${JSON.stringify(harm)}, description: x, meta: {pii: ${text}}}
macros:
  - {name: harm, description: ${text}, arguments: [{name: x, type: string, description: ${text}}]}
sources:
  - {name: raw, description: ${text}, loader: ${text}, tables: [{name: gone, description: ${text}}]}
exposures:
  - {name: board, label: ${text}, type: dashboard, url: "javascript:alert(11)", maturity: high, description: ${text}, owner: {name: ${text}, email: ${text}}, depends_on: [ref('orders')]}
`);

// Into the shop: a test that fails and has a long name, what is skipped for it, unit tests that pass and fail.
write("shop", "models/silver/late.sql", "select 1 as id\n");
write("shop", "models/silver/later.sql", "select id from {{ ref('late') }}\n");
write("shop", "models/silver/doubled.sql", "select event_id, 2 as twice from {{ ref('bronze_visits') }}\n");
write("shop", "models/silver/more.yml", `
models:
  - name: late
    columns:
      - name: id
        data_tests:
          - unique
          - accepted_values: {name: ${"a_test_whose_name_is_longer_than_any_phone_is_wide_".repeat(2)}, arguments: {values: [2]}}
  - {name: later, columns: [{name: id, data_tests: [unique]}]}
  - {name: doubled, columns: [{name: event_id, data_tests: [unique]}]}
unit_tests:
  - name: steps_stay
    model: visits
    given: [{input: ref('bronze_visits'), rows: [{event_id: 1, visitor: v1, step: visit, happened_at: 2026-01-01 10:00:00}, {event_id: 2, step: null}]}]
    expect: {rows: [{event_id: 1, visitor: v1, step: visit}, {event_id: 2, visitor: null, step: null}]}
  - name: twice_is_three
    model: doubled
    given: [{input: ref('bronze_visits'), format: sql, rows: "select 1 as event_id"}]
    expect: {rows: [{event_id: 1, twice: 3}]}
exposures:
  - {name: board, label: Board, type: dashboard, owner: {name: Sales}, depends_on: [ref('funnel')]}
`);
write("shop", "macros/money.sql", "{% macro money(x) %}{{ x }} / 100{% endmacro %}\n");
write("shop", "packages.yml", "packages: [{local: kit}]\n");
write("shop", "kit/dbt_project.yml", "name: kit\nversion: '1.0'\nconfig-version: 2\n");
write("shop", "kit/macros/cut.sql", "{% macro cut(x) %}left({{ x }}, 3){% endmacro %}\n");

// 5,000 models in chains and fans, two tests each.
start("many");
const name = (at) => `model_${String(at).padStart(4, "0")}`;
for (let at = 0; at < 5000; at++) {
  const level = Math.floor(at / 420);
  const parents = level ? [0, 1, 2].map((other) => name((level - 1) * 420 + ((at * 7 + other * other * 13) % 420))) : [];
  const sql = parents.length ? parents.map((parent) => `select id, amount from {{ ref('${parent}') }}`).join("\nunion all\n") : "select 1 as id, 2.5 as amount";
  write("many", `models/area_${at % 100}/${name(at)}.sql`, `${sql}\n`);
}
for (let area = 0; area < 100; area++) {
  const models = Array.from({ length: 50 }, (_, at) => name(at * 100 + area));
  const entry = (model) => `  - {name: ${model}, description: "Amounts of ${model}, one row an id.", columns: [{name: id, description: The key., data_tests: [unique, not_null]}, {name: amount, description: An amount of money.}]}`;
  write("many", `models/area_${area}/area.yml`, `models:\n${models.map(entry).join("\n")}\n`);
}
