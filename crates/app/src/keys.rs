//! `pinhole keys`: the key-encryption keys, also while the program serves.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;
use studio::Studio;
use studio::privacy::keys::Epoch;
use studio::privacy::log::{self, Event, Kind};

use crate::place::{HouseArgs, Place};

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// List the key-encryption keys by name, and how many keys each wraps
    Show {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Begin a new key-encryption key and wrap every other key by it, while the program serves
    ///
    /// Broken off, it goes on where it was when it is called again, or at the next start. Where
    /// processes on several machines each have a file of their own, add the new key to all of them
    /// first: the last line that no epoch has yet is taken.
    Rotate,
}

pub(crate) fn run(command: &KeysCommand, place: &Place) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let text = runtime.block_on(async {
        let studio = place.office(&HouseArgs::from_env()).await?;
        let text = match command {
            KeysCommand::Show { json } => show(&studio, *json).await,
            KeysCommand::Rotate => rotate(&studio).await,
        };
        studio.db.close().await;
        studio.keys.close().await;
        text
    })?;
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

async fn show(studio: &Studio, as_json: bool) -> Result<String> {
    let place = studio.keys.source().place();
    let epochs = studio.keys.epochs().await?;
    let lines = epochs.iter().map(|epoch| line(epoch, &place, as_json));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

fn line(epoch: &Epoch, place: &str, as_json: bool) -> String {
    if as_json {
        let fields = json!({
            "id": epoch.id,
            "ordinal": epoch.ordinal,
            "begun": epoch.begun.as_seconds(),
            "is_known": epoch.is_known,
            "people": epoch.people,
            "house": epoch.house,
        });
        return fields.to_string();
    }
    let whereabouts = match epoch.is_known {
        true => format!("in {place}"),
        false if epoch.people + epoch.house == 0 => "gone, and not needed".to_owned(),
        false => format!("NOT in {place}: what it wraps can't be read"),
    };
    let day = epoch.begun.civil();
    format!(
        "{}  since {:04}-{:02}-{:02}  wraps the keys of {} people and {} of the house  {whereabouts}",
        epoch.id, day.year, day.month, day.day, epoch.people, epoch.house
    )
}

async fn rotate(studio: &Studio) -> Result<String> {
    let rotated = studio.keys.rotate().await?;
    let event = Event {
        kind: Kind::KeysRotated,
        person: None,
        what: json!({ "epoch": rotated.epoch, "rewrapped": rotated.rewrapped }),
    };
    log::note_alone(studio, &event).await?;
    let place = studio.keys.source().place();
    let began = match rotated.is_resumed {
        true => "went on with the rotation that was broken off: ",
        false => "",
    };
    Ok(format!(
        "{began}{} keys are wrapped by {} now. Copy {place} to where its backup is. Former keys wrap \
         nothing any more; backups of the key store that are older than this need them, so take their \
         lines out of {place} when those are gone.",
        rotated.rewrapped, rotated.epoch
    ))
}
