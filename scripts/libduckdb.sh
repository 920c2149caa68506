#!/usr/bin/env bash
# Turns a checkout into one that plain `cargo build`, `cargo run` and `cargo test` work in: finds or fetches the official
# DuckDB library, links it as `.libduckdb`, and prints its folder. Not needed with `--features bundled`, which compiles
# DuckDB instead (about 40 minutes of CPU time).
set -euo pipefail

version=1.5.5
package_version=$version-r.5
root=$(cd "$(dirname "$0")/.." && pwd)

fail() {
  echo "libduckdb: $1" >&2
  echo "libduckdb: set DUCKDB_LIB_DIR to a folder with libduckdb $version, or build with --features bundled" >&2
  exit 1
}

# The checksums are those of the library in the npm package @duckdb/node-bindings-<platform>.
case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) platform=linux-x64 library=libduckdb.so
    checksum=fc23f12e376c47be520f75221288281906e7942e8fd6f6ce4849198ba60d0405 ;;
  Linux-aarch64 | Linux-arm64) platform=linux-arm64 library=libduckdb.so
    checksum=d00d007f3f7ca1f2896a5e4b89c2ce141bf0508506a9d6d56f9598b8e59d074e ;;
  Darwin-arm64) platform=darwin-arm64 library=libduckdb.dylib
    checksum=b9027d18ef3e8d960568f77e946a83ca68009cb22d71cf7f94de842afdd094d8 ;;
  Darwin-x86_64) platform=darwin-x64 library=libduckdb.dylib
    checksum=b9027d18ef3e8d960568f77e946a83ca68009cb22d71cf7f94de842afdd094d8 ;;
  *) fail "there is no official library for $(uname -s) on $(uname -m)" ;;
esac

is_official() {
  [ -f "$1" ] || return 1
  local sum
  if command -v sha256sum >/dev/null; then sum=$(sha256sum "$1"); else sum=$(shasum -a 256 "$1"); fi
  [ "${sum%% *}" = "$checksum" ]
}

fetch() {
  local name=@duckdb/node-bindings-$platform work
  work=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  echo "libduckdb: fetching $name@$package_version" >&2
  if command -v npm >/dev/null; then
    (cd "$work" && npm pack --silent "$name@$package_version" >/dev/null) || fail "npm could not fetch $name"
    mv "$work"/*.tgz "$work/package.tgz"
  else
    local registry=${npm_config_registry:-https://registry.npmjs.org}
    curl --fail --silent --show-error --location --output "$work/package.tgz" \
      "${registry%/}/$name/-/node-bindings-$platform-$package_version.tgz" || fail "curl could not fetch $name"
  fi
  tar -xzf "$work/package.tgz" -C "$work" "package/$library"
  is_official "$work/package/$library" || fail "the checksum of $library in $name is not the one expected"
  mkdir -p "$1"
  # A rename on the same disk, so that no one ever sees half of the file.
  mv "$work/package/$library" "$1/.$library.$$"
  mv "$1/.$library.$$" "$1/$library"
}

cache=${XDG_CACHE_HOME:-$HOME/.cache}/medal/libduckdb-$version
if [ -n "${DUCKDB_LIB_DIR:-}" ] && [ -f "$DUCKDB_LIB_DIR/$library" ] && [ ! "$DUCKDB_LIB_DIR" -ef "$root/.libduckdb" ]; then
  folder=$(cd "$DUCKDB_LIB_DIR" && pwd)
else
  folder=$cache
  is_official "$folder/$library" || fetch "$folder"
fi

ln -sfn "$folder" "$root/.libduckdb"
echo "$folder"
