#!/usr/bin/env bash
# From a fresh clone to a tested warehouse: fetches the DuckDB library, builds medal, and builds the example project.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/libduckdb.sh
cargo build --locked
cargo run --locked --quiet -- build --project-dir example_project "$@"
