#!/usr/bin/env python3
"""Holds the artifacts in a target folder against dbt's JSON schemas. Needs the package `jsonschema`.

    scripts/validate_artifacts.py target --schemas ../schemas

A schema file is found by the name of the artifact and its version, for instance `manifest_12*.json`; dbt-core makes
them with `WritableManifest.json_schema()` and its siblings. Exits with 0 if every artifact that is there is valid.
"""

import argparse
import json
import sys
from pathlib import Path

import jsonschema

SCHEMAS = {
    "manifest.json": "manifest_12*.json",
    "run_results.json": "run_results_6*.json",
    "catalog.json": "catalog_1*.json",
    "sources.json": "sources_3*.json",
}
SHOWN = 20  # mistakes printed of each file


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path, help="the folder that holds manifest.json")
    parser.add_argument("--schemas", type=Path, required=True, help="the folder that holds the schemas")
    options = parser.parse_args()
    if not (options.target / "manifest.json").is_file():
        sys.exit(f"there is no manifest.json in {options.target}")
    mistakes = 0
    for name, pattern in SCHEMAS.items():
        path = options.target / name
        if not path.is_file():
            continue
        schemas = sorted(options.schemas.glob(pattern))
        if not schemas:
            sys.exit(f"no schema {pattern} in {options.schemas}")
        for schema in schemas:
            mistakes += check(path, schema)
    sys.exit(1 if mistakes else 0)


def check(path, schema):
    """Prints what is wrong with one artifact, and gives the number of mistakes."""
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text()))
    errors = list(validator.iter_errors(json.loads(path.read_text())))
    print(f"{path.name} against {schema.name}: {len(errors) or 'no'} mistakes")
    for error in errors[:SHOWN]:
        place = "/".join(str(step) for step in error.absolute_path)
        print(f"  {place}: {reason(error)}")
    return len(errors)


def reason(error):
    """Of alternatives, the complaints of the one that fits best."""
    if not error.context:
        return error.message[:200]
    branches = {}
    for part in error.context:
        branches.setdefault(part.schema_path[0], []).append(part)
    best = min(branches.values(), key=len)
    return "; ".join(f"{'/'.join(map(str, part.path))}: {reason(part)}" for part in best[:3])


if __name__ == "__main__":
    main()
