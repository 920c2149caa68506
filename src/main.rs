//! The medal binary: everything is in the library.

use std::process::ExitCode;

// Parsing makes and frees millions of small texts on all cores: this allocator takes a third off that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    medal::cli::main()
}
