#!/usr/bin/env python3
"""Runs one project with dbt (dbt-core + dbt-duckdb) and with medal, and says whether they did the same.

The project is copied twice, each tool runs the same commands in its copy, and then these are held against each other:
exit codes, the outcome of every node, the nodes of the manifest with what they depend on and how they are materialized,
the compiled SQL, and every row of every relation of the DuckDB files that the runs made. Exits with 0 if all is equal.
With --dbt-twice dbt runs twice, and what differs between its own two runs, for instance the time of a run or a random
number, does not count against medal. The last line is a row for a table of many projects.

    scripts/compare.py ../jaffle_shop_duckdb
    scripts/compare.py ../jaffle-shop --profile default --commands "seed --vars '{load_source_data: true}'" build
"""

import argparse
import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ["dbt-core==1.11.16", "dbt-duckdb==1.11.1", "duckdb==1.5.5"]
OWN_SCHEMAS = {"medal_meta"}  # medal's memory, of which dbt has no like
COMPARED_SECTIONS = ["nodes", "sources", "exposures", "unit_tests"]
OWN_TESTS = {"unique", "not_null", "accepted_values", "relationships"}  # each tool words the SQL of these its own way
SHOWN = 5  # differences printed of each kind

PROFILE = """{name}:
  target: dev
  outputs:
    dev: {{type: duckdb, path: warehouse.duckdb, threads: 2}}
"""


@dataclass
class Run:
    """What one tool left behind in its copy of the project."""

    tool: str
    folder: Path
    wall: float = 0.0
    cpu: float = 0.0
    exit_codes: list = field(default_factory=list)
    outcomes: list = field(default_factory=list)  # of each command: node -> (status, failures)
    compiled: dict = field(default_factory=dict)  # node -> SQL

    @property
    def manifest(self):
        return read_json(self.folder / "target" / "manifest.json") or {}


@dataclass
class Comparison:
    """How much is the same, and how much is not."""

    differences: int = 0
    nodes: int = 0
    relations_equal: int = 0
    relations_different: int = 0

    def row(self, project, dbt, medal):
        """project, nodes, relations equal and different, all differences, seconds of dbt and of medal."""
        cells = [project, self.nodes, self.relations_equal, self.relations_different, self.differences]
        return " | ".join(["", *map(str, cells), f"{dbt.wall:.2f}", f"{medal.wall:.2f}", ""]).strip()


def main():
    options = parse_arguments()
    options.dbt = options.dbt or install_dbt()
    use_python_with_duckdb(options.dbt)
    scratch = Path(tempfile.mkdtemp(prefix="compare-"))
    try:
        dbt = run_tool("dbt", options.dbt, scratch, options)
        medal = run_tool("medal", options.medal, scratch, options)
        again = run_tool("dbt-again", options.dbt, scratch, options) if options.dbt_twice else None
        comparison = compare_runs(dbt, medal, again, options)
        report_cost(dbt, medal)
    finally:
        if options.keep:
            print(f"\nthe copies are in {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    differences = comparison.differences
    print("\nequal" if not differences else f"\ndifferent: {differences} differences")
    print(comparison.row(options.name or options.project.resolve().name, dbt, medal))
    return 1 if differences else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path, metavar="PROJECT_DIR")
    parser.add_argument("--dbt", metavar="DBT_BIN", help="default: dbt in a virtual environment of the user's cache")
    parser.add_argument("--medal", metavar="MEDAL_BIN", default=default_medal())
    parser.add_argument("--profiles-dir", type=Path, metavar="D", help="default: the project's folder")
    parser.add_argument("--profile", metavar="NAME", help="write a profile of this name where there is no profiles.yml")
    parser.add_argument("--commands", nargs="+", default=["build"], metavar="COMMAND")
    parser.add_argument("--vars", help="given to every command")
    parser.add_argument(
        "--ignore-column", action="append", default=[], metavar="COLUMN", help="one that holds the time of the run, say"
    )
    parser.add_argument(
        "--without-unit-tests", action="store_true", help="count those that medal does not build, without failing"
    )
    parser.add_argument(
        "--dbt-twice", action="store_true", help="leave out what differs between two runs of dbt, as random numbers do"
    )
    parser.add_argument("--name", help="of the project in the last line; default: that of its folder")
    parser.add_argument("--keep", action="store_true", help="keep the two copies")
    return parser.parse_args()


def default_medal():
    release = Path(__file__).resolve().parent.parent / "target" / "release" / "medal"
    return str(release) if release.exists() else shutil.which("medal") or "medal"


# The tools


def install_dbt():
    """The dbt of a virtual environment in the user's cache, which is made on first use."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    venv = cache / "medal" / "-".join(["compare", *(package.split("==")[1] for package in PACKAGES)])
    dbt = venv / "bin" / "dbt"
    if not dbt.exists():
        print(f"installing {', '.join(PACKAGES)} into {venv}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "--quiet", *PACKAGES], check=True)
    return str(dbt)


def use_python_with_duckdb(dbt):
    """Starts over with the Python that dbt uses where this one cannot read DuckDB files."""
    try:
        import duckdb  # noqa: F401
    except ImportError:
        python = Path(shutil.which(dbt) or dbt).with_name("python")
        if not python.exists() or Path(sys.executable) == python:
            sys.exit("the Python module `duckdb` is needed: run this with the Python of dbt's virtual environment")
        os.execv(python, [str(python), *sys.argv])


def run_tool(tool, binary, scratch, options):
    run = Run(tool, scratch / tool)
    skipped = shutil.ignore_patterns("target", "logs", ".git", ".venv", "*.duckdb", "*.duckdb.wal")
    shutil.copytree(options.project, run.folder, ignore=skipped, symlinks=True)
    profiles = prepare_profiles(run.folder, options)
    for command in options.commands:
        arguments = [os.path.abspath(binary) if os.sep in binary else binary, *shlex.split(command)]
        arguments += ["--profiles-dir", str(profiles)] + (["--vars", options.vars] if options.vars else [])
        run_command(run, arguments)
    return run


def prepare_profiles(folder, options):
    profiles = options.profiles_dir.resolve() if options.profiles_dir else folder
    if not (profiles / "profiles.yml").exists():
        if not options.profile:
            where = options.profiles_dir or options.project
            sys.exit(f"there is no profiles.yml in {where}: name a --profile to write one")
        profiles = folder
        (profiles / "profiles.yml").write_text(PROFILE.format(name=options.profile))
    return profiles


def run_command(run, arguments):
    """Runs one command and takes down its cost and what it wrote to `target/`."""
    if "retry" not in arguments:  # which goes on from them
        (run.folder / "target" / "run_results.json").unlink(missing_ok=True)
    environment = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "NO_COLOR": "1"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(arguments, cwd=run.folder, env=environment, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    run.wall += time.monotonic() - started
    run.cpu += after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    run.exit_codes.append(done.returncode)
    if done.returncode:
        print(f"{run.tool} exits with {done.returncode}:", *(done.stdout + done.stderr).splitlines()[-8:], sep="\n    ")

    results = (read_json(run.folder / "target" / "run_results.json") or {}).get("results", [])
    run.outcomes.append({result["unique_id"]: (result["status"], result.get("failures")) for result in results})
    manifest = run.manifest
    invocation = manifest.get("metadata", {}).get("invocation_id") or "no invocation"
    sources = [(node["unique_id"], node.get("compiled_code")) for node in manifest.get("nodes", {}).values()]
    sources += [(result["unique_id"], result.get("compiled_code")) for result in results]
    for node, sql in sources:
        if sql and not is_own_test(manifest.get("nodes", {}).get(node, {})):
            sql = sql.replace(str(run.folder), ".").replace(invocation, "INVOCATION")
            run.compiled[node] = tidy(sql)


def is_own_test(entry):
    """A test of a macro that comes with the tool: its outcome is compared, its wording is not."""
    test = entry.get("test_metadata") or {}
    return test.get("namespace") is None and test.get("name") in OWN_TESTS


def tidy(sql):
    """The SQL without the comments and the white space that carry no meaning: macros differ in them."""
    sql = re.sub(r"--[^\n]*|/\*.*?\*/", " ", sql, flags=re.DOTALL)
    return re.sub(r"\s*([()\[\],])\s*", r"\1", " ".join(sql.split()))


def read_json(path):
    return json.loads(path.read_text()) if path.exists() else None


# The comparison: each function prints what differs and returns how much


def compare_runs(dbt, medal, again, options):
    for run in (dbt, medal):
        if not run.manifest.get("nodes"):
            sys.exit(f"there is nothing to compare: {run.tool} wrote no target/manifest.json with nodes")
    if options.without_unit_tests:
        leave_unit_tests_out(dbt, medal)
    leave_no_work_out(dbt)
    leave_skipped_unit_tests_out(dbt, medal, again)
    if again:
        leave_changing_out(dbt, medal, again)
    differences = compare_maps("exit codes", *numbered(dbt.exit_codes, medal.exit_codes, options))
    for number, command in enumerate(options.commands):
        differences += compare_maps(f"outcomes of `{command}`", dbt.outcomes[number], medal.outcomes[number])
    differences += compare_maps("materializations", *both(dbt, medal, materialization))
    differences += compare_maps("dependencies", *both(dbt, medal, dependencies))
    differences += compare_maps("compiled SQL", dbt.compiled, medal.compiled)
    comparison = compare_warehouses(dbt, medal, again, set(options.ignore_column))
    comparison.differences += differences
    comparison.nodes = len({node for outcomes in dbt.outcomes for node in outcomes})
    return comparison


def leave_changing_out(dbt, medal, again):
    """Takes out the outcomes and the SQL that were not the same in the two runs of dbt."""
    views = [list(zip(run.outcomes, ["outcome"] * len(run.outcomes))) + [(run.compiled, "SQL")] for run in (dbt, medal, again)]
    for (first, title), (ours, _), (second, _) in zip(*views):
        changing = [node for node in first if node in second and first[node] != second[node]]
        for node in changing:
            del first[node]
            ours.pop(node, None)
            print(f"left out, since two runs of dbt differ: the {title} of {node}")


def leave_unit_tests_out(dbt, medal):
    """Takes out of dbt's run the unit tests that medal did not build."""
    built = {node for outcomes in medal.outcomes for node in outcomes}
    missing = {node for outcomes in dbt.outcomes for node in outcomes if node.startswith("unit_test.")} - built
    for entries in [*dbt.outcomes, dbt.compiled]:
        for node in missing & entries.keys():
            del entries[node]
    print(f"unit tests: {len(missing)} not built by medal")


def leave_skipped_unit_tests_out(dbt, medal, again):
    """Takes out the unit tests that dbt skips once another of the same model has failed: medal runs them all."""
    runs = [run for run in (dbt, again) if run]
    skipped = {
        node
        for outcomes in (outcomes for run in runs for outcomes in run.outcomes)
        for node, (status, _) in outcomes.items()
        if status == "skipped" and node.startswith("unit_test.")
    }
    for run in [*runs, medal]:
        for entries in [*run.outcomes, run.compiled]:
            for node in skipped & entries.keys():
                del entries[node]
    if skipped:
        print(f"left out, since dbt skips them and medal does not: {', '.join(sorted(skipped))}")


def leave_no_work_out(dbt):
    """Takes out the saved queries that dbt lists in its results: there is nothing to do for them."""
    for outcomes in dbt.outcomes:
        idle = [node for node in outcomes if node.startswith("saved_query.")]
        for node in idle:
            del outcomes[node]
        if idle:
            print(f"left out, since dbt has nothing to do for them: {', '.join(idle)}")


def numbered(dbt, medal, options):
    return dict(zip(options.commands, dbt)), dict(zip(options.commands, medal))


def both(dbt, medal, view):
    """The same view of every entry of the two manifests. A test that dbt could not bind stays there, disabled."""
    return [
        {
            name: view(entry)
            for section in COMPARED_SECTIONS
            for name, entry in run.manifest.get(section, {}).items()
            if entry.get("config", {}).get("enabled", True)
        }
        for run in (dbt, medal)
    ]


def materialization(entry):
    return entry.get("config", {}).get("materialized")


def dependencies(entry):
    return sorted(entry.get("depends_on", {}).get("nodes", []))


def compare_maps(title, dbt, medal):
    lines = [f"only in dbt: {key}" for key in dbt if key not in medal]
    lines += [f"only in medal: {key}" for key in medal if key not in dbt]
    lines += [f"{key}{contrast(dbt[key], medal[key])}" for key in dbt if key in medal and dbt[key] != medal[key]]
    print(f"{title}: {len(dbt)} in dbt, {len(medal)} in medal, {f'{len(lines)} different' if lines else 'equal'}")
    for line in lines[:SHOWN]:
        print(f"    {line}")
    return len(lines)


def contrast(dbt, medal):
    """The two values from shortly before the place where they part."""
    dbt, medal = str(dbt), str(medal)
    parting = next((at for at, pair in enumerate(zip(dbt, medal)) if pair[0] != pair[1]), min(len(dbt), len(medal)))
    start = max(0, parting - 40)
    dots = "…" if start else ""
    ends = [("dbt:  ", dbt[start:start + 160]), ("medal:", medal[start:start + 160])]
    return "".join(f"\n        {tool} {dots}{text}" for tool, text in ends)


def compare_warehouses(dbt, medal, again, ignored):
    ours, theirs = (read_relations(run.folder, ignored) for run in (medal, dbt))
    if again:
        leave_changing_columns_out(theirs, ours, read_relations(again.folder, ignored))
    names = sorted({*theirs, *ours})
    width = max([len(name) for name in names], default=8)
    print(f"\n{'relation':<{width}}  {'rows':>9}  verdict")
    comparison = Comparison()
    for name in names:
        if compare_relation(name, width, theirs.get(name), ours.get(name)):
            comparison.relations_equal += 1
        else:
            comparison.relations_different += 1
    comparison.differences = comparison.relations_different
    return comparison


def leave_changing_columns_out(dbt, medal, again):
    """Takes out the columns whose values were not the same in two runs of dbt."""
    for name in dbt.keys() & again.keys():
        first, second = dbt[name], again[name]
        changing = {column for column in first.columns if first.values(column) != second.values(column)}
        if changing:
            print(f"left out, since two runs of dbt differ: {name}: {', '.join(sorted(changing))}")
        for relations in (dbt, medal):
            if name in relations:
                relations[name] = relations[name].without(changing)


def compare_relation(name, width, dbt, medal):
    """Whether they are the same, row by row."""
    if not dbt or not medal:
        print(f"{name:<{width}}  {'':>9}  only in {'dbt' if dbt else 'medal'}")
        return False
    verdict = "equal" if dbt == medal else "different"
    print(f"{name:<{width}}  {len(dbt.rows):>9}  {verdict}")
    if dbt.shape != medal.shape:
        print(f"    columns{contrast(dbt.shape, medal.shape)}")
    for tool, rows in [("dbt", dbt.bag - medal.bag), ("medal", medal.bag - dbt.bag)]:
        for row in list(rows.elements())[:SHOWN]:
            print(f"    only in {tool}: {row}")
    return dbt == medal


@dataclass
class Relation:
    """A table or view: its kind, its columns with their types, and its rows, whose order does not count."""

    kind: str
    columns: dict
    rows: list

    def __eq__(self, other):
        return self.shape == other.shape and self.bag == other.bag

    @property
    def shape(self):
        return [self.kind, *(f"{name} {kind}" for name, kind in self.columns.items())]

    @property
    def bag(self):
        return Counter(repr(row) for row in self.rows)

    def values(self, column):
        place = list(self.columns).index(column) if column in self.columns else None
        return None if place is None else Counter(repr(row[place]) for row in self.rows)

    def without(self, columns):
        kept = [place for place, name in enumerate(self.columns) if name not in columns]
        names = {name: kind for name, kind in self.columns.items() if name not in columns}
        return Relation(self.kind, names, [[row[place] for place in kept] for row in self.rows])


def read_relations(folder, ignored):
    """The relations of every DuckDB file under the folder, by name."""
    import duckdb

    relations = {}
    for path in sorted(filter(is_duckdb, folder.rglob("*"))):
        with duckdb.connect(str(path), read_only=True) as connection:
            listing = connection.execute(
                "select table_schema, table_name, table_type from information_schema.tables"
                " where table_catalog = current_database()"
            ).fetchall()
            for schema, name, kind in listing:
                if schema not in OWN_SCHEMAS:
                    content = read_relation(connection, schema, name, kind, ignored)
                    relations[f"{path.relative_to(folder).with_suffix('')}.{schema}.{name}"] = content
    return relations


def is_duckdb(path):
    """By its content, since a profile may name the file as it likes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(12)[8:] == b"DUCK"


def read_relation(connection, schema, name, kind, ignored):
    import duckdb

    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name))
    try:
        result = connection.execute(f"select * from {quoted}")
    except duckdb.Error as error:  # a view over what is gone, say
        return Relation(f"{kind} that cannot be read: {type(error).__name__}", {}, [])
    columns = {column[0]: str(column[1]) for column in result.description}
    rows = [[canonical(value) for value in row] for row in result.fetchall()]
    return Relation(kind, columns, rows).without(ignored)


def canonical(value):
    """Sums of floats depend on the order of the rows, so their last digits do not count."""
    if isinstance(value, list):
        return [canonical(element) for element in value]
    if isinstance(value, dict):
        return {key: canonical(element) for key, element in value.items()}
    return float(f"{value:.12g}") if isinstance(value, float) else value


def report_cost(dbt, medal):
    print(f"\n{'tool':<6}{'wall s':>9}{'cpu s':>9}")
    for run in (dbt, medal):
        print(f"{run.tool:<6}{run.wall:>9.2f}{run.cpu:>9.2f}")


if __name__ == "__main__":
    sys.exit(main())
