//! `pinhole admin breach`: the register of breaches, as the shell shows it.

use anyhow::{Context, Result};
use clap::Subcommand;
use domain::ids::BreachId;
use studio::Studio;
use studio::privacy::backup::in_words;
use studio::privacy::breaches;

#[derive(Subcommand)]
pub(crate) enum BreachCommand {
    /// List every breach, the newest first
    List,
    /// Write the text for the authority
    Notice {
        /// As the list shows it, bre_…
        id: BreachId,
        /// Where the house is, as in https://pictures.example.org
        #[arg(long, value_name = "ADDRESS", default_value = "this house")]
        public_url: String,
    },
}

pub(crate) async fn run(studio: &Studio, command: &BreachCommand) -> Result<String> {
    match command {
        BreachCommand::List => {
            let now = studio.clock.now();
            let all = breaches::all(studio).await?;
            let lines = all.iter().map(|one| {
                let state = match (one.closed, one.is_overdue(now)) {
                    (Some(_), _) => "closed",
                    (None, true) => "overdue",
                    (None, false) => "open",
                };
                let due = in_words(one.due);
                format!(
                    "{}  {state}  due {due}  {} found, {} told",
                    one.id, one.found, one.told
                )
            });
            Ok(lines.collect::<Vec<_>>().join("\n"))
        }
        BreachCommand::Notice { id, public_url } => {
            let breach = breaches::show(studio, *id).await?;
            let breach = breach.context("There is no such breach.")?;
            Ok(breaches::notice(&breach, public_url))
        }
    }
}
