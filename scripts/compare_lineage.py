#!/usr/bin/env python3
"""Holds medal's column lineage against sqlglot's, on projects that are built.

Of every model whose SQL is known, each output column is followed to the columns of the relations that the model reads: by
medal (`medal docs generate` writes it to index.json, as `direct`), and by sqlglot, which parses the same compiled SQL with
the columns of the same warehouse (catalog.json). Every column gets one verdict:

    equal       both say the same columns
    window      sqlglot also counts what a window is partitioned or ordered by, which medal says decides rows (`indirect`)
    indirect    the same, for other columns that medal says decide rows (a filter in an aggregate or a subquery)
    different   anything else: look at the SQL
    sqlglot     sqlglot cannot parse or follow the query
    medal       medal says unknown

Constructs that sqlglot reads otherwise, of which each is worth a look: JSON arrows, recursive common table expressions
(it does not follow a column through the recursion), `join … using`, the columns that a snapshot adds, and a source that is
a file, whose columns no catalog lists. A project must be built, since sqlglot gets its schemas from the warehouse.

It prints each difference with both answers, and a table. The exit code is 1 if any column is `different` or `medal`, but
for those that --explained names: lines of `model.column reason`, `#` starts a comment.

    scripts/compare_lineage.py --medal target/release/medal ../jaffle_shop_duckdb ../jaffle-shop
    scripts/compare_lineage.py --sample 500 --seed 1 PROJECT...
"""

import argparse
import collections
import json
import logging
import random
import shutil
import subprocess
import sys
from pathlib import Path

try:
    import sqlglot
    from sqlglot import exp
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope
except ImportError:
    sys.exit("this script needs sqlglot: pip install sqlglot")

VERDICTS = ["equal", "window", "indirect", "different", "sqlglot", "medal"]


class Project:
    """What medal wrote of a project, and what sqlglot needs to know of it."""

    def __init__(self, folder, medal, options):
        self.folder = Path(folder)
        command = [medal, "docs", "generate", "--quiet", *options]
        # In the folder of the project, since a path of a warehouse in profiles.yml is relative to the current folder.
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{folder}: {' '.join(command)} failed\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        target = self.folder / "target"
        self.index = json.loads((target / "index.json").read_text())
        self.catalog = json.loads((target / "catalog.json").read_text())
        self.nodes = {node["id"]: node for node in self.index["nodes"]}
        manifest = json.loads((target / "manifest.json").read_text())
        self.ephemeral = {
            unique_id
            for unique_id, node in manifest["nodes"].items()
            if node["config"].get("materialized") == "ephemeral"
        }
        self.compiled = {key: node.get("compiled_code") for key, node in manifest["nodes"].items()}
        self.relation = {}  # unique id -> (schema, name), lower case
        self.schema = {}  # as sqlglot wants it: database -> schema -> table -> column -> type
        for unique_id, entry in (self.catalog["nodes"] | self.catalog["sources"]).items():
            place = entry["metadata"]
            self.relation[unique_id] = (place["schema"].lower(), place["name"].lower())
            columns = {name: column["type"] for name, column in entry["columns"].items()}
            self.schema.setdefault(place["database"], {}).setdefault(place["schema"], {})[place["name"]] = columns
        # What no catalog lists, for instance a source that is a file, still has a relation in the manifest.
        for section in ("nodes", "sources"):
            for unique_id, node in manifest[section].items():
                name = node.get("identifier") or node.get("alias") or node.get("name")
                self.relation.setdefault(unique_id, (str(node.get("schema")).lower(), name.lower()))

    def models(self):
        """Unique id, SQL and columns of each model that is in the warehouse."""
        for unique_id in sorted(self.catalog["nodes"]):
            node = self.nodes.get(unique_id, {})
            sql = node.get("compiled_code") or self.compiled.get(unique_id) or self.written(node)
            if node.get("kind") in ("model", "snapshot") and sql:
                yield unique_id, sql, list(self.catalog["nodes"][unique_id]["columns"])

    def written(self, node):
        """The SQL that an earlier compile of the project wrote, if this one was asked not to (`--option=--no-compile`)."""
        file = self.folder / "target" / "compiled" / str(node.get("package")) / str(node.get("path"))
        return file.read_text() if file.suffix == ".sql" and file.is_file() else None

    def medal(self, unique_id, column):
        """What medal says: the sets `direct` and `indirect` of (schema, table, column), or None if it is unknown."""
        answer = self.index["column_lineage"].get(unique_id)
        found = answer and next((answer[name] for name in answer if name.lower() == column.lower()), None)
        if found is None:
            return None
        return self.named(found.get("direct", [])), self.named(found.get("indirect", []))

    def named(self, pairs):
        names = set()
        for unique_id, column in pairs:
            if unique_id in self.ephemeral:  # its SQL is inside the SQL that sqlglot gets
                names |= (self.medal(unique_id, column) or (set(), set()))[0]
            else:
                names.add((*self.relation.get(unique_id, ("?", unique_id)), column.lower()))
        return names


def sqlglot_columns(sql, schema):
    """For each output column of the query, in lower case, the columns of tables below it; and those of its windows."""
    query = sqlglot.parse_one(sql, dialect="duckdb")
    query = qualify(query, schema=schema, dialect="duckdb", validate_qualify_columns=False, identify=False)
    scope = build_scope(query)
    if scope is None:
        raise ValueError("not a query")
    answer = {}
    for name in query.named_selects:
        root = lineage(name, query, schema=schema, dialect="duckdb", scope=scope, trim_selects=False)
        found = set()
        for node in root.walk():
            if node.downstream or not isinstance(node.source, exp.Table):
                continue
            table = node.source
            if isinstance(table.this, exp.Func):
                continue
            column = node.name.rsplit(".", 1)[-1].strip('"').lower()
            if column != "*":
                found.add((table.db.lower(), table.name.lower(), column))
        answer[name.lower()] = found
    has_window = query.find(exp.Window) is not None
    return answer, has_window


def verdict(own, other, has_window):
    direct, indirect = own
    if direct == other:
        return "equal"
    if direct < other and other - direct <= indirect:
        return "window" if has_window else "indirect"
    return "different"


def show(columns):
    return ", ".join(sorted(".".join(column[1:]) for column in columns)) or "nothing"


def explained(path):
    lines = Path(path).read_text().splitlines() if path else []
    pairs = [line.split(None, 1) for line in lines if line.strip() and not line.startswith("#")]
    return {pair[0]: pair[1] if len(pair) > 1 else "" for pair in pairs}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="+", help="folders of built projects")
    parser.add_argument("--medal", default="medal", help="the binary")
    parser.add_argument("--sample", type=int, help="compare this many columns, drawn at random, instead of all")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--explained", help="a file that names differences which are understood")
    parser.add_argument("--option", action="append", default=[], help="one more argument for medal")
    parser.add_argument("--verbose", action="store_true", help="also print columns with the verdict window or indirect")
    arguments = parser.parse_args()
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    known = explained(arguments.explained)

    medal = shutil.which(arguments.medal)
    if medal is None:
        parser.error(f"there is no program {arguments.medal}")
    tasks, failed = [], {}
    for folder in arguments.projects:
        project = Project(folder, str(Path(medal).resolve()), arguments.option)
        name = Path(folder).resolve().name
        for unique_id, sql, columns in project.models():
            model = unique_id.split(".", 2)[2]
            try:
                answer = sqlglot_columns(sql, project.schema)
            except Exception as error:  # sqlglot has many kinds of errors, of which each is its own finding
                failed[name, model] = str(error).splitlines()[0][:200]
                answer = None
            tasks += [(name, project, unique_id, model, column, answer) for column in columns]
    if arguments.sample and arguments.sample < len(tasks):
        tasks = random.Random(arguments.seed).sample(tasks, arguments.sample)

    counts = collections.defaultdict(collections.Counter)
    unexplained = 0
    for name, project, unique_id, model, column, answer in tasks:
        own = project.medal(unique_id, column)
        other = answer and answer[0].get(column.lower())
        if own is None:
            word = "medal"
        elif other is None:
            word = "sqlglot"
        else:
            word = verdict(own, other, answer[1])
        counts[name][word] += 1
        reason = known.get(f"{model}.{column}")
        if word in ("different", "medal") and reason is None:
            unexplained += 1
        if word in ("different", "medal") or (arguments.verbose and word in ("window", "indirect")):
            print(f"{name}: {model}.{column}: {word}{f' ({reason})' if reason else ''}")
            if own is not None:
                print(f"    both:    {show(own[0] & other)}")
                print(f"    medal:   {show(own[0] - other)}")
                print(f"    sqlglot: {show(other - own[0])}")
        elif word == "sqlglot" and (name, model) not in failed:
            failed[name, model] = f"has no column {column}, but {', '.join(answer[0]) or 'none'}"[:200]
    for (name, model), error in sorted(failed.items()):
        print(f"{name}: {model}: sqlglot: {error}")

    print(f"\n| project | columns | {' | '.join(VERDICTS)} |\n|---|---|{'---|' * len(VERDICTS)}")
    total = collections.Counter()
    for name, counter in counts.items():
        total += counter
        print(f"| {name} | {sum(counter.values())} | {' | '.join(str(counter[word]) for word in VERDICTS)} |")
    print(f"| all | {sum(total.values())} | {' | '.join(str(total[word]) for word in VERDICTS)} |")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
