#!/usr/bin/env python3
"""Lists a project with many selections, by dbt and by medal, and says where the two differ.

Run it with dbt's own Python, with medal built. The selections are made of the project's own names, tags, folders and
configurations, and of those of `selectors.yml`; more can be given, one a line of a file.

    venv/bin/python scripts/compare_selection.py ../jaffle_shop --medal target/debug/medal --state ../before/target
"""

import argparse
import contextlib
import io
import itertools
import json
import os
import random
import shlex
import subprocess
import sys
from pathlib import Path

from dbt.cli.main import dbtRunner

STATES = ["new", "old", "modified", "unmodified"] + [
    f"modified.{part}"
    for part in ["body", "configs", "persisted_descriptions", "relation", "macros", "contract"]
]


def main():
    options = parse_arguments()
    os.chdir(options.project)
    runner = dbtRunner(manifest=parse())
    manifest = json.loads(Path("target/manifest.json").read_text())
    cases = list(selections(manifest, options))
    random.Random(7).shuffle(cases)
    cases = cases[: options.limit]
    if options.cases:
        cases += [shlex.split(line) for line in options.cases.read_text().splitlines() if line.strip()]
    different = 0
    for case in cases:
        dbt, medal = listed_by_dbt(runner, case), listed_by_medal(options.medal, case)
        if dbt != medal:
            different += 1
            print(f"ls {shlex.join(case)}")
            print(f"  dbt alone:   {shown(dbt, medal)}\n  medal alone: {shown(medal, dbt)}")
    print(f"{len(cases)} selections, {different} different")
    return 1 if different else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--medal", type=lambda path: Path(path).resolve(), required=True)
    parser.add_argument("--state", type=lambda path: Path(path).resolve(), help="folder of older artifacts")
    parser.add_argument("--cases", type=lambda path: Path(path).resolve(), help="file of further arguments of `ls`")
    parser.add_argument("--limit", type=int, default=300, help="how many selections to try")
    return parser.parse_args()


def parse():
    result = dbtRunner().invoke(["-q", "parse", "--profiles-dir", "."])
    if not result.success:
        sys.exit(f"dbt cannot parse the project: {result.exception}")
    return result.result


def selections(manifest, options):
    """Arguments of `ls`: every criterion alone, with operators, and some put together."""
    criteria = sorted(set(itertools.chain(*(of_node(node) for node in everything(manifest)))))
    criteria += ["package:this", "resource_type:model", "resource_type:test", "test_type:generic", "test_type:singular"]
    criteria += ["test_type:data", "version:none", "metric:x", "semantic_model:x", "saved_query:x", "tag:*", "nothing"]
    if options.state:
        criteria += [f"state:{state}" for state in STATES]
        criteria += [f"result:{status}" for status in ["success", "error", "fail", "skipped", "pass", "warn"]]
    state = ["--state", str(options.state)] if options.state else []
    for criterion in criteria:
        for form in ["{}", "+{}", "{}+", "@{}", "1+{}+2"]:
            yield ["--select", form.format(criterion), *state]
    pairs = random.Random(1).choices(criteria, k=400)
    for one, other in itertools.pairwise(pairs):
        yield ["--select", f"{one},{other}+", *state]
        yield ["--select", f"{one} +{other}", "--exclude", f"{other}", *state]
        for how in ["cautious", "buildable", "empty", "eager"]:
            yield ["--select", f"{one} {other}+", "--indirect-selection", how, *state]
    for name in manifest["selectors"]:
        for how in ["eager", "cautious"]:
            yield ["--selector", name, "--indirect-selection", how, *state]
    for kind in ["model", "seed", "snapshot", "test", "source", "exposure", "analysis"]:
        yield ["--resource-type", kind]
        yield ["--exclude-resource-type", kind]


def everything(manifest):
    return itertools.chain(*(manifest[section].values() for section in ["nodes", "sources", "exposures"]))


def of_node(node):
    """Criteria that name a node."""
    name, path, fqn = node["name"], Path(node["original_file_path"]), node["fqn"]
    yield from [name, ".".join(fqn), ".".join(fqn[:2]), f"{fqn[0]}.*", f"{name[:5]}*", f"package:{node['package_name']}"]
    yield from [str(path), str(path.parent), f"path:{path.parent}/*", f"file:{path.name}", path.name]
    yield from [f"tag:{tag}" for tag in node.get("tags", [])]
    yield from [f"test_name:{node['test_metadata']['name']}"] if "test_metadata" in node else []
    yield from [f"source:{node['source_name']}", f"source:*.{name}"] if "source_name" in node else []
    yield from [f"exposure:{name}"] if node["resource_type"] == "exposure" else []
    yield from [f"access:{node['access']}"] if "access" in node else []
    yield from [f"group:{node['group']}"] if node.get("group") else []
    for key, value in node.get("config", {}).items():
        yield from of_config(f"config.{key}", value)


def of_config(key, value):
    if isinstance(value, dict):
        for inner, below in value.items():
            yield from of_config(f"{key}.{inner}", below)
    elif isinstance(value, list):
        for item in value:
            yield from of_config(key, item)
    elif isinstance(value, (bool, str)) and str(value) and not set(str(value)) & set(" ,+"):
        yield f"{key}:{str(value).lower() if isinstance(value, bool) else value}"


def listed_by_dbt(runner, case):
    with contextlib.redirect_stdout(io.StringIO()):
        result = runner.invoke(["-q", "ls", "--profiles-dir", ".", *case])
    return list(result.result) if result.success else ["cannot be carried out"]


def listed_by_medal(medal, case):
    ran = subprocess.run([medal, "ls", "--profiles-dir", ".", *case], capture_output=True, text=True, check=False)
    return ran.stdout.split() if ran.returncode == 0 else ["cannot be carried out"]


def shown(some, others):
    alone = [name for name in some if name not in others]
    return " ".join(alone[:6]) + (f" … ({len(alone)})" if len(alone) > 6 else "") or "-"


if __name__ == "__main__":
    sys.exit(main())
