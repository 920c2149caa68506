#!/usr/bin/env bash
# Everything that a change must pass: format, lints, tests, docs, and the commands that the README shows.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

step "DuckDB library"
scripts/libduckdb.sh

step "format"
cargo fmt --check

step "lints"
cargo clippy --locked --all-targets --quiet -- -D warnings

step "tests"
cargo test --locked

step "docs"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet

step "the docs site, in a browser"
scripts/test_site.sh

step "the lakehouse, with the readers of others"
scripts/test_lake.sh

step "the README's commands, in a copy of the checkout's example"
scripts/start.sh
