//! The medal binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    medal::cli::main()
}
