//! The project's own chores: `cargo xtask test`, `mutants`, `tidy`, `bench` and `postgres`.
//!
//! Architecture invariant: nothing here is part of the program that people run, and no crate
//! depends on it.
#![expect(
    clippy::print_stdout,
    reason = "a command line tool speaks on standard output"
)]

mod bench;
mod command;
mod mutants;
mod postgres;
mod provision;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Parser)]
#[command(about = "Checks, tests and measurements of this project")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything that must hold before a change lands; installs what it needs.
    Test {
        /// Run this step alone; may be given several times.
        #[arg(long, value_enum)]
        only: Vec<test::Step>,
    },
    /// Runs a command, or waits for Ctrl-C, beside a fresh Postgres server that tests may use.
    Postgres {
        /// As in `cargo xtask postgres cargo nextest run --workspace`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// The rules that no compiler checks: arrows between crates, file sizes, names, promises.
    Tidy {
        /// Writes down the checksums of new migrations. From then on they can't be edited.
        #[arg(long)]
        record_migrations: bool,
    },
    /// Breaks each promise on purpose, and looks whether a test sees it.
    Mutants {
        /// Those alone with this in their names.
        #[arg(default_value = "")]
        only: String,
    },
    /// Measurements; none of them is part of `test`.
    Bench {
        #[command(subcommand)]
        subject: bench::Subject,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    let good = match Arguments::parse().chore {
        Chore::Test { only } => test::run(&workspace, &only)?,
        Chore::Postgres { command } => postgres::beside(&workspace, &command)?,
        Chore::Tidy { record_migrations } => {
            if record_migrations {
                tidy::migrations::record(&workspace)?;
            }
            tidy::report(&workspace)?
        }
        Chore::Mutants { only } => mutants::run(&workspace, &only)?.1.is_empty(),
        Chore::Bench { subject } => bench::run(&workspace, &subject)?,
    };
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
