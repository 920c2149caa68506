#!/usr/bin/env bash
# Opens the docs site in a real Chromium, which npm brings: see tests/site/browser.mjs. With --images, the screenshots
# below docs/images are taken anew.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v npm >/dev/null; then
  echo "the browser test needs node and npm" >&2
  exit 1
fi
cache=${MEDAL_CACHE:-$HOME/.cache/medal}/site-test
mkdir -p "$cache"
cp tests/site/*.json tests/site/*.mjs "$cache/"
if ! cmp -s tests/site/package-lock.json "$cache/installed.json"; then
  (cd "$cache" && npm ci --silent --no-audit --no-fund)
  cp tests/site/package-lock.json "$cache/installed.json"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo build --locked --quiet
target=${CARGO_TARGET_DIR:-target}
medal=$(cd "$target" && pwd)/debug/medal
cp -r example_project "$work/flights"
rm -rf "$work/flights/target" "$work"/flights/*.duckdb*
(cd "$work" && "$medal" init shop --template commerce --quiet)
node "$cache/projects.mjs" "$work"
for run in 1 2; do "$medal" build --quiet --project-dir "$work/flights"; done
"$medal" deps --quiet --project-dir "$work/shop"
# Tests of the shop fail.
"$medal" build --quiet --project-dir "$work/shop" >/dev/null 2>&1 || [ $? = 1 ]
for project in flights shop hostile many; do
  "$medal" docs generate --quiet --project-dir "$work/$project"
done

images=
if [ "${1:-}" = --images ]; then images=$PWD/docs/images; fi
MEDAL=$medal SITES=$work UPDATE_IMAGES=$images node --test --test-reporter=spec "$cache/browser.mjs"
