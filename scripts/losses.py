#!/usr/bin/env python3
"""Builds small projects with dbt and with medal that lose data in silence with one of them, and says what each keeps.

    scripts/losses.py --dbt dbt --medal target/debug/medal

Each project is a plain dbt project with a `medal.yml` beside it, which puts its models into a layer. It needs the Python
package duckdb. It ends with 1 if medal loses something.
"""
import argparse, pathlib, subprocess, sys, tempfile
import duckdb

PROJECT = {
    "dbt_project.yml": "name: shop\nprofile: shop\nmodels: {shop: {+materialized: table}}\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb}}}\n",
    "medal.yml": "layers:\n  silver: {paths: [models], reads: [source, silver], max_shrink: 0.5}\n",
}
INCREMENTAL = "{{ config(materialized='incremental'%s) }}"

LANDING = "{{ config(materialized='table', post_hook=%s) }} select * from {{ source('landing', 'orders') }}"
HOOK = "\"{%% if var('rows', %s) %%}copy (select 2 as id from range({{ var('rows', 1) }})) to 'landing/%s.csv'{%% endif %%}\""

# name, files, the commands, the query, and what must come out of it
LOSSES = [
    (
        "what a model reads is empty",
        {"models/orders.sql": "select i as id from range({{ var('n', 99) }}) as t(i)"},
        [["build"], ["build", "--vars", "n: 0"]],
        "select count(*) from orders", 99,
    ),
    (
        "a full refresh after the history has expired",
        {"models/events.sql": INCREMENTAL % ", event_time='at'"
            + " select i as id, date '2024-01-01' + i::int as at from range({{ var('from', 0) }}, 1000) as t(i)"
            + "{% if is_incremental() %} where false{% endif %}"},
        [["build"], ["build", "--full-refresh", "--vars", "from: 990"]],
        "select count(*) from events", 1000,
    ),
    (
        "12.75 in a column of whole numbers",
        {"models/orders.sql": INCREMENTAL % "" + " select {{ var('amount', '12') }} as amount"},
        [["build"], ["build", "--vars", "amount: 12.75"]],
        "select count(*) from orders where amount = 13", 0,
    ),
    (
        "a seed whose columns stand in another order",
        {"seeds/rates.csv": "id,val\n1,100\n"},
        [["seed"], {"seeds/rates.csv": "val,id\n100,1\n"}, ["seed"]],
        "select id from rates", 1,
    ),
    (
        "rows that break a test",
        {"models/orders.sql": "select 1 as id, {{ var('customer', '7') }} as customer",
         "models/orders.yml": "models: [{name: orders, columns: [{name: customer, data_tests: [not_null]}]}]\n"},
        [["build"], ["build", "--vars", "customer: 'null'"]],
        "select count(*) from orders where customer is null", 0,
    ),
    (
        "a row that comes years late",
        {"models/raw_events.sql": "{{ config(event_time='at_time') }} select 1 as id, timestamp '2024-05-01' as at_time, 'a' as _batch_id"
            + "{% if var('late', false) %} union all select 2, timestamp '2024-06-01', 'b'{% endif %}",
         "models/yearly.sql": "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='at_time',"
            + " begin='2024-01-01', batch_size='year') }} select * from {{ ref('raw_events') }}"},
        [["build"], ["build", "--vars", "late: true"]],
        "select count(*) from yearly", 2,
    ),
    (
        "a file that lands between two models",
        {"models/orders.sql": LANDING % (HOOK % (1, "b")), "models/other.sql": LANDING % "[]", "landing/a.csv": "id\n1\n",
         "models/sources.yml": "sources: [{name: landing, tables: [{name: orders, meta: {external_location: landing/*.csv}}]}]\n"},
        [["build"]],
        "select (select count(*) from other) - (select count(*) from orders)", 0,
    ),
    (
        "a file that grows between two models",
        {"models/orders.sql": LANDING % (HOOK % (0, "a")), "models/other.sql": LANDING % "[]", "landing/a.csv": "id\n2\n",
         "models/sources.yml": "sources: [{name: landing, tables: [{name: orders, meta: {external_location: landing/a.csv}}]}]\n"},
        [["build"], ["build", "--vars", "rows: 5"]],
        "select (select count(*) from other) - (select count(*) from orders)", 0,
    ),
]


def result(tool, files, steps, query):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)

        def write(files):
            for path, text in files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text)

        write(PROJECT | files)
        codes = []
        for step in steps:
            if isinstance(step, dict):
                write(step)
            else:
                ran = subprocess.run([tool, *step], cwd=folder, capture_output=True, text=True)
                codes.append(ran.returncode)
        with duckdb.connect(str(folder / "shop.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchone()[0], codes[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dbt", default="dbt")
    parser.add_argument("--medal", default="medal")
    tools = vars(parser.parse_args())
    lost = False
    print(f"{'':46} {'expected':>8} {'dbt':>14} {'medal':>14}")
    for name, files, steps, query, expected in LOSSES:
        found = {}
        for tool, path in tools.items():
            path = str(pathlib.Path(path).resolve()) if "/" in path else path
            found[tool] = result(path, files, steps, query)
        lost |= found["medal"][0] != expected
        cells = [f"{value} (exit {code})" for value, code in found.values()]
        print(f"{name:46} {expected:>8} {cells[0]:>14} {cells[1]:>14}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
