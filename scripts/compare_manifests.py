#!/usr/bin/env python3
"""Says key by key where two manifests differ: dbt's first, then medal's.

    scripts/compare_manifests.py dbt/target/manifest.json medal/target/manifest.json [--all]

Only the project's own resources and those of its packages are held against each other: built-in macros and docs, times,
ids of invocations and folders of this machine are each tool's own. Exits with 0 if all is equal.
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

OWN = {"created_at", "root_path", "generated_at", "invocation_id", "invocation_started_at", "run_started_at", "user_id"}
OWN |= {"send_anonymous_usage_stats", "env"}
# What each tool generates for itself: the SQL of built-in tests, and lists of built-in macros.
OWN_CODE = {"compiled_code", "raw_code", "extra_ctes"}
BUILT_IN = ("macro.dbt.", "macro.dbt_duckdb.", "macro.medal.", "doc.dbt.", "doc.medal.")
SHOWN = 3  # examples printed of each kind of difference


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dbt", type=Path)
    parser.add_argument("medal", type=Path)
    parser.add_argument("--all", action="store_true", help="print every difference, not examples of each kind")
    options = parser.parse_args()
    ours, theirs = json.loads(options.medal.read_text()), json.loads(options.dbt.read_text())
    kinds = defaultdict(list)
    for place, there, here in differences(theirs, ours, ()):
        kinds[kind(place, theirs)].append((place, there, here))
    for name, found in sorted(kinds.items()):
        print(f"{name}: {len(found)}")
        for place, there, here in found if options.all else found[:SHOWN]:
            print(f"    {' '.join(map(str, place))}\n        dbt   {short(there)}\n        medal {short(here)}")
    total = sum(map(len, kinds.values()))
    print("equal" if not total else f"different: {total} differences")
    return 1 if total else 0


MISSING = "(absent)"


def differences(there, here, place):
    """Yields (place, dbt's value, medal's value) for all that differs."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in [*there, *(key for key in here if key not in there)]:
            if not is_own(key, place):
                yield from differences(there.get(key, MISSING), here.get(key, MISSING), (*place, key))
    elif place[-1:] == ("macros",) and isinstance(there, list) and isinstance(here, list):
        there, here = ([item for item in side if not item.startswith(BUILT_IN)] for side in (there, here))
        if there != here:
            yield place, there, here
    elif place[-1:] == ("compiled_code",) and isinstance(there, str) and isinstance(here, str):
        if there.split() != here.split():
            yield place, there, here
    elif there != here:
        yield place, there, here


def is_own(key, place):
    if key in OWN or (len(place) == 1 and key.startswith(BUILT_IN)):
        return True
    return key in OWN_CODE and len(place) > 1 and place[1].startswith("test.")


def kind(place, manifest):
    """`nodes.model.config.tags`: the section, the kind of resource, and the keys below it."""
    section, *rest = place
    if not rest:
        return section
    resource = (manifest.get(section) or {}).get(rest[0]) or {}
    word = resource.get("resource_type", "") if isinstance(resource, dict) else ""
    return ".".join([section, word, *(str(key) for key in rest[1:3])])


def short(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"


if __name__ == "__main__":
    sys.exit(main())
