//! `pinhole admin terms`: the terms of who runs the house.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;
use domain::clock::Moment;
use studio::Studio;
use studio::privacy::backup::in_words;
use studio::privacy::policies;
use studio::terms::{self, Draft, Head};

use crate::news::text_of;

#[derive(Subcommand)]
pub(crate) enum TermsCommand {
    /// Publish a version. Who has an account is told 30 days before of what they are asked to accept
    Publish {
        /// Plain text: headings begin with #, points with -; - reads it from the standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The day from which it holds, in UTC; by default as early as it may
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = Moment::start_of_day)]
        effective: Option<Moment>,
        /// What is other than before, in a line
        #[arg(long, value_name = "TEXT", default_value = "")]
        summary: String,
        /// Everybody is asked to accept it; this is so unless --editorial is given
        #[arg(long, conflicts_with = "editorial")]
        needs_acceptance: bool,
        /// Only the wording is other: nobody is asked
        #[arg(long)]
        editorial: bool,
    },
    /// List every version
    List,
    /// Print a version; the one in force where none is named
    Show {
        #[arg(value_name = "NUMBER")]
        number: Option<i64>,
    },
}

pub(crate) async fn run(studio: &Studio, command: &TermsCommand) -> Result<String> {
    match command {
        TermsCommand::Publish {
            file,
            effective,
            summary,
            editorial,
            ..
        } => {
            let text = text_of(file)?;
            let draft = Draft {
                text: &text,
                summary,
                needs_acceptance: !editorial,
                effective: *effective,
            };
            let head = terms::publish(studio, draft).await?;
            Ok(format!("Published: {}", line(&head)))
        }
        TermsCommand::List => {
            let heads = terms::heads(studio).await?;
            let force = policies::in_force(&heads, studio.clock.now()).map(|head| head.number);
            let mut told = String::new();
            for head in heads.iter().rev() {
                let mark = if force == Some(head.number) { "*" } else { " " };
                writeln!(told, "{mark} {}", line(head))?;
            }
            Ok(told)
        }
        TermsCommand::Show { number } => {
            let number = match number {
                Some(number) => Some(*number),
                None => terms::now_in_force(studio).await?.map(|head| head.number),
            };
            let number = number.context("no terms are in force")?;
            let found = terms::find(studio, number).await?;
            Ok(found.context("there is no version of this number")?.body)
        }
    }
}

fn line(head: &Head) -> String {
    let asks = match head.needs_acceptance {
        true => "people are asked to accept it",
        false => "only the wording is other",
    };
    format!(
        "version {}, in force from {}, {asks}, SHA-256 {}",
        head.number,
        in_words(head.effective),
        head.body_sha256
    )
}
