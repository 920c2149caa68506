//! Turns the place of libduckdb at build time into a search path in the binaries, so that they find it when they run.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The templates are embedded by a macro, which the compiler does not watch.
    println!("cargo::rerun-if-changed=templates");
    println!("cargo::rerun-if-env-changed=DUCKDB_LIB_DIR");
    let is_bundled = env::var_os("CARGO_FEATURE_BUNDLED").is_some();
    let is_unix = env::var_os("CARGO_CFG_UNIX").is_some();
    let Some(folder) = env::var_os("DUCKDB_LIB_DIR").filter(|_| is_unix && !is_bundled) else {
        return;
    };
    let folder = Path::new(&folder);
    println!("cargo::rerun-if-changed={}", folder.display());
    if !folder.is_dir() {
        println!(
            "cargo::error=there is no libduckdb in {}: run scripts/libduckdb.sh once, or build with --features bundled",
            folder.display()
        );
        return;
    }
    // A release has the library beside the binary; a checkout has it where the build found it.
    let beside = if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("macos") { "@loader_path" } else { "$ORIGIN" };
    println!("cargo::rustc-link-arg=-Wl,-rpath,{beside}");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.display());
}
