#!/usr/bin/env bash
# Builds a lakehouse twice and reads its tables with the readers of others, which PyPI brings (tests/lake/readers.py), and
# builds one in an object store (tests/lake/store.py).
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v python3 >/dev/null; then
  echo "the test of the lakehouse needs python3" >&2
  exit 1
fi
cache=${MEDAL_CACHE:-$HOME/.cache/medal}/lake-test
if ! cmp -s tests/lake/requirements.txt "$cache/installed.txt"; then
  python3 -m venv "$cache"
  "$cache/bin/pip" install --quiet --requirement tests/lake/requirements.txt
  cp tests/lake/requirements.txt "$cache/installed.txt"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo build --locked --quiet
medal=$(cd "${CARGO_TARGET_DIR:-target}/debug" && pwd)/medal
cp -r tests/lake/project "$work/project"
for _ in 1 2; do (cd "$work/project" && "$medal" build --quiet); done
"$cache/bin/python" tests/lake/readers.py "$work/project/lake"
"$cache/bin/python" tests/lake/store.py "$medal" tests/lake/project
