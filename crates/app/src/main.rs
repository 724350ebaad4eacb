//! The program that people run.

use std::process::ExitCode;

fn main() -> ExitCode {
    app::run(None)
}
