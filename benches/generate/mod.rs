//! Turns a number of models into a dbt project of that size: the load under which medal is measured.
//!
//! The project runs under dbt as it is. Its shape is that of real ones: folders of 25 models with one property file
//! each, two tests a model, three views to two tables, chains of at most twelve nodes, macros that call macros. Every test
//! passes, every relation has a hundred rows, and the same number of models gives the same bytes.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

const MODELS_PER_FOLDER: usize = 25;
const LEVELS: usize = 11;
const MACROS_PER_KIND: usize = 10;
const ROWS: usize = 100;
const AREAS: [&str; 8] = ["sales", "finance", "stock", "web", "support", "people", "shipping", "marketing"];

/// Writes a project of `models` models, four seeds and twice as many tests as models into `dir`.
pub fn write_project(dir: &Path, models: usize) -> io::Result<()> {
    for folder in ["seeds", "macros", "models"] {
        fs::create_dir_all(dir.join(folder))?;
    }
    fs::write(dir.join("dbt_project.yml"), PROJECT)?;
    fs::write(dir.join("profiles.yml"), PROFILES)?;
    for (number, seed) in SEEDS.iter().enumerate() {
        fs::write(dir.join("seeds").join(format!("{}.csv", seed.name)), seed_rows(seed, number))?;
    }
    for kind in MACROS {
        fs::write(dir.join("macros").join(format!("{}.sql", kind.name)), macro_file(kind))?;
    }
    let shape = Shape { models };
    for first in (0..models).step_by(MODELS_PER_FOLDER) {
        write_folder(dir, shape, first)?;
    }
    Ok(())
}

fn write_folder(dir: &Path, shape: Shape, first: usize) -> io::Result<()> {
    let folder = dir.join("models").join(folder_name(first));
    fs::create_dir_all(&folder)?;
    let mut properties = String::from("version: 2\n\nmodels:\n");
    for model in first..shape.models.min(first + MODELS_PER_FOLDER) {
        fs::write(folder.join(format!("{}.sql", model_name(model))), shape.model_sql(model))?;
        properties.push_str(&model_properties(model));
    }
    fs::write(folder.join(format!("{}.yml", folder_name(first))), properties)
}

const PROJECT: &str = "\
name: bench
version: '1.0.0'
config-version: 2
profile: bench

models:
  bench:
    +materialized: view

vars:
  largest_amount: 10000
";

const PROFILES: &str = "\
bench:
  target: dev
  outputs:
    dev: {type: duckdb, path: bench.duckdb, threads: 2}
    lake: {type: datafusion, path: lake, threads: 2}
";

/// Where each model stands in the graph.
#[derive(Clone, Copy)]
struct Shape {
    models: usize,
}

impl Shape {
    /// The first level reads seeds, each further one reads those before it.
    fn level(self, model: usize) -> usize {
        let staging = self.start(1);
        if model < staging { 0 } else { 1 + (model - staging) * (LEVELS - 1) / (self.models - staging) }
    }

    /// The first model of a level.
    fn start(self, level: usize) -> usize {
        let staging = self.models.div_ceil(8);
        match level {
            0 => 0,
            _ => staging + ((level - 1) * (self.models - staging)).div_ceil(LEVELS - 1),
        }
    }

    /// One to three earlier models, the first of them from the level just below.
    fn parents(self, model: usize) -> Vec<usize> {
        let level = self.level(model);
        let (below, here) = (self.start(level - 1), self.start(level));
        let below = if below < here { below } else { 0 };
        let mut parents = vec![below + mix(model, 0) % (here - below)];
        for place in 1..=mix(model, 1) % 3 {
            let parent = mix(model, 1 + place) % here;
            if !parents.contains(&parent) {
                parents.push(parent);
            }
        }
        parents
    }

    /// Tables stop views from piling up: at every third level, at the last, and here and there.
    fn is_table(self, model: usize) -> bool {
        let level = self.level(model);
        level % 3 == 2 || level == LEVELS - 1 || mix(model, 9).is_multiple_of(10)
    }

    fn model_sql(self, model: usize) -> String {
        let materialized = if self.is_table(model) { "table" } else { "view" };
        let config = format!(
            "{{{{ config(materialized='{materialized}', tags=['{}', 'level_{}']) }}}}\n\n",
            folder_name(model),
            self.level(model)
        );
        let query = match self.level(model) {
            0 => staging_query(model),
            _ => derived_query(model, &self.parents(model)),
        };
        config + &query
    }
}

/// A CSV file, and its own names for the columns that every model has.
struct Seed {
    name: &'static str,
    customer_id: &'static str,
    amount: &'static str,
    day: &'static str,
}

const SEEDS: &[Seed] = &[
    Seed { name: "raw_customers", customer_id: "number", amount: "credit", day: "joined_on" },
    Seed { name: "raw_products", customer_id: "maker_id", amount: "price", day: "listed_on" },
    Seed { name: "raw_orders", customer_id: "customer_id", amount: "total", day: "ordered_on" },
    Seed { name: "raw_payments", customer_id: "payer_id", amount: "paid", day: "paid_on" },
];

fn seed_rows(seed: &Seed, number: usize) -> String {
    let mut rows = format!("id,{},status,{},{}\n", seed.customer_id, seed.amount, seed.day);
    for id in 1..=ROWS {
        let random = |salt, below| mix(id * SEEDS.len() + number, salt) % below;
        let customer = 1 + random(0, ROWS);
        let status = ["open", "paid", "sent", "done"][random(1, 4)];
        let (amount, cents) = (random(2, 1000), random(3, 100));
        let (month, day) = (1 + random(4, 12), 1 + random(5, 28));
        let _ = writeln!(rows, "{id},{customer},{status},{amount}.{cents:02},2025-{month:02}-{day:02}");
    }
    rows
}

fn staging_query(model: usize) -> String {
    let seed = &SEEDS[model % SEEDS.len()];
    format!(
        "with source as (
    select * from {{{{ ref('{}') }}}}
),

renamed as (
    select
        id,
        {} as customer_id,
        status,
        {} as amount,
        {} as day
    from source
)

select
    id,
    customer_id,
    {} as status,
    {} as amount,
    {} as day
from renamed
",
        seed.name,
        seed.customer_id,
        seed.amount,
        seed.day,
        call("tidied", model, "status"),
        call("capped", model, "amount"),
        call("shifted", model, "day"),
    )
}

fn derived_query(model: usize, parents: &[usize]) -> String {
    let mut sql = String::new();
    for (place, parent) in parents.iter().enumerate() {
        let opening = if place == 0 { "with" } else { "," };
        let _ = writeln!(
            sql,
            "{opening} input_{place} as (\n    select * from {{{{ ref('{}') }}}}\n)",
            model_name(*parent)
        );
    }
    let amounts: Vec<String> = (0..parents.len()).map(|place| format!("coalesce(input_{place}.amount, 0)")).collect();
    let _ = write!(
        sql,
        ", joined as (
    select
        input_0.id,
        input_0.customer_id,
        input_0.status,
        {} as amount,
        input_0.day
    from input_0
",
        amounts.join(" + ")
    );
    for place in 1..parents.len() {
        let _ = writeln!(sql, "    left join input_{place} on input_{place}.id = input_0.id");
    }
    sql.push_str(")\n\n");
    sql.push_str(&last_select(model));
    sql
}

/// Half of the models pass rows on, a quarter each aggregates or ranks them.
fn last_select(model: usize) -> String {
    let status = call("tidied", model, "status");
    let amount = call("capped", model, "amount");
    let day = call("shifted", model, "day");
    let band = call("banded", model, "amount");
    let known = call("known", model, "status");
    match mix(model, 5) % 4 {
        0 => format!(
            "select
    id,
    min(customer_id) as customer_id,
    max(status) as status,
    sum({amount}) as amount,
    max(day) as day
from joined
group by id
"
        ),
        1 => format!(
            "select
    id,
    customer_id,
    status,
    {amount} as amount,
    day,
    {band} as band,
    row_number() over (partition by customer_id order by day, id) as place
from joined
"
        ),
        _ => format!(
            "select
    id,
    customer_id,
    {status} as status,
    {amount} as amount,
    {day} as day
from joined
where {known}
"
        ),
    }
}

/// The properties of a model, with two tests: of fifty a folder, 20 unique, 20 not_null, 5 accepted_values and 5
/// relationships.
fn model_properties(model: usize) -> String {
    let (id, status, customer) = match model % MODELS_PER_FOLDER {
        0..15 => (tests(&["unique", "not_null"]), String::new(), String::new()),
        15..20 => (tests(&["not_null"]), tests(&[STATUS_TEST]), String::new()),
        _ => (tests(&["unique"]), String::new(), tests(&[CUSTOMER_TEST])),
    };
    format!(
        "  - name: {}
    description: Model {model} of the benchmark, one row an id.
    columns:
      - name: id
        description: The key.
{id}      - name: customer_id
        description: The customer that the row belongs to.
{customer}      - name: status
        description: Where the row stands.
{status}      - name: amount
        description: An amount of money.
      - name: day
        description: The day of the row.
",
        model_name(model)
    )
}

const STATUS_TEST: &str = "accepted_values: {arguments: {values: [open, paid, sent, done]}}";
const CUSTOMER_TEST: &str = "relationships: {arguments: {to: ref('raw_customers'), field: id}}";

fn tests(tests: &[&str]) -> String {
    tests.iter().fold(String::from("        data_tests:\n"), |text, test| text + "          - " + test + "\n")
}

/// A kind of macro, of which the project has ten variants.
struct MacroKind {
    name: &'static str,
    /// `{n}` stands for the number of the variant.
    body: &'static str,
}

const MACROS: &[MacroKind] = &[
    MacroKind { name: "tidied", body: "lower(trim({{ column }}))" },
    MacroKind { name: "rounded", body: "round({{ column }}, {{ {n} % 3 + 2 }})" },
    MacroKind { name: "capped", body: "least({{ rounded_{n}(column) }}, {{ var('largest_amount') }} + {n})" },
    MacroKind { name: "shifted", body: "{{ column }} + {% if {n} % 2 %}{n}{% else %}0{% endif %}" },
    MacroKind {
        name: "banded",
        body: "case
        {%- for limit in range(100, 1000, 50 + {n}) %}
        when {{ column }} < {{ limit }} then '{{ limit }}'
        {%- endfor %}
        else 'more'
    end",
    },
    MacroKind {
        name: "known",
        body: "{%- set values = ['open', 'paid', 'sent', 'done'] -%}
    {{ column }} in (
        {%- for value in values %}'{{ value }}'{% if not loop.last %}, {% endif %}{% endfor -%}
    )",
    },
];

fn macro_file(kind: &MacroKind) -> String {
    (0..MACROS_PER_KIND).fold(String::new(), |text, variant| {
        let body = kind.body.replace("{n}", &variant.to_string());
        text + &format!("{{% macro {}_{variant}(column) -%}}\n    {body}\n{{%- endmacro %}}\n\n", kind.name)
    })
}

fn call(kind: &str, model: usize, column: &str) -> String {
    format!("{{{{ {kind}_{}('{column}') }}}}", mix(model, kind.len()) % MACROS_PER_KIND)
}

fn folder_name(model: usize) -> String {
    let folder = model / MODELS_PER_FOLDER;
    format!("{}_{folder:03}", AREAS[folder % AREAS.len()])
}

fn model_name(model: usize) -> String {
    format!("{}_model_{model:05}", AREAS[model / MODELS_PER_FOLDER % AREAS.len()])
}

/// A number that looks random and depends on nothing but its arguments (splitmix64).
fn mix(number: usize, salt: usize) -> usize {
    let mut bits = (number as u64) << 8 | salt as u64;
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 1) as usize
}
