//! `pinhole privacy`: what the program keeps of people, from its own declaration. It needs no data
//! folder and no running program, but to publish a version of the notice and to sum up what is done here.

use domain::language::Language;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use serde_json::Value;
use studio::privacy::{aggregates, assessment, notice, recipients};

use crate::place::{HouseArgs, Place, Said};
use crate::policies::{self, PublishArgs};
use crate::transfer::{self, TransferCommand};

#[derive(Subcommand)]
pub(crate) enum PrivacyCommand {
    /// The privacy notice's account of what is kept
    Notice {
        #[arg(long, value_enum, default_value = "txt")]
        format: Format,
    },
    /// The record of processing activities (Art. 30 GDPR)
    Record {
        #[arg(long, value_enum, default_value = "txt")]
        format: PlainFormat,
    },
    /// A data protection impact assessment to begin with (Art. 35 GDPR): processing, risks, measures
    Dpia {
        #[arg(long, value_enum, default_value = "txt")]
        format: Format,
    },
    /// Every place where something about a person can be, as JSON
    Inventory,
    /// Everybody to whom the program can connect, what they get and why
    Recipients {
        #[arg(long, value_enum, default_value = "txt")]
        format: ShortFormat,
    },
    /// Publish what this build does, with these settings, as a version of the privacy notice. Give it the settings of pinhole serve, in the environment
    Publish(PublishArgs),
    /// The transfer of this house to somebody else, as a version of the notice with another controller announces it
    Transfer {
        #[command(subcommand)]
        command: TransferCommand,
    },
    /// Write what somebody who may take the house over can see before: how much is done here each month, of at least ten people together
    Aggregates {
        /// The file to write; it must not be there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    Txt,
    Html,
    Json,
    /// The W3C's Data Privacy Vocabulary
    Jsonld,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum PlainFormat {
    Txt,
    Json,
    /// For spreadsheets
    Csv,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ShortFormat {
    Txt,
    Json,
}

pub(crate) fn run(command: &PrivacyCommand, place: &Place) -> anyhow::Result<ExitCode> {
    let register = &place.recipients(&Said::default())?;
    let text = match command {
        PrivacyCommand::Notice { format } => match format {
            Format::Txt => notice::text(Language::English, register),
            Format::Html => web::privacy_notice(register),
            Format::Json => pretty(&web::privacy_inventory(register)),
            Format::Jsonld => pretty(&notice::json_ld(register)),
        },
        PrivacyCommand::Record { format } => match format {
            PlainFormat::Txt => notice::record_text(register),
            PlainFormat::Json => pretty(&notice::record_json(register)),
            PlainFormat::Csv => notice::record_csv(register),
        },
        PrivacyCommand::Dpia { format } => match format {
            Format::Txt => assessment::text(register),
            Format::Html => web::impact_assessment(register),
            Format::Json => pretty(&assessment::json(register)),
            Format::Jsonld => pretty(&assessment::json_ld()),
        },
        PrivacyCommand::Inventory => pretty(&web::privacy_inventory(register)),
        PrivacyCommand::Recipients { format } => match format {
            ShortFormat::Txt => recipients::text(Language::English, register),
            ShortFormat::Json => pretty(&recipients::json(register)),
        },
        PrivacyCommand::Publish(args) => {
            let runtime =
                tokio::runtime::Runtime::new().context("the async runtime does not start")?;
            runtime.block_on(policies::publish(args, place))?
        }
        PrivacyCommand::Transfer { command } => {
            let runtime =
                tokio::runtime::Runtime::new().context("the async runtime does not start")?;
            runtime.block_on(transfer::run(command, place))?
        }
        PrivacyCommand::Aggregates { out } => {
            let runtime =
                tokio::runtime::Runtime::new().context("the async runtime does not start")?;
            runtime.block_on(aggregates(out, place))?
        }
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

async fn aggregates(file: &Path, place: &Place) -> anyhow::Result<String> {
    let studio = place.study(&HouseArgs::from_env()).await?;
    let told = aggregates::document(&studio).await;
    studio.db.close().await;
    studio.keys.close().await;
    write_new(file, &pretty(&told?))?;
    Ok(format!(
        "{} holds sums of at least ten people each, and nothing of anybody.\n",
        file.display()
    ))
}

/// Writes a file that is not there yet.
pub(crate) fn write_new(file: &Path, text: &str) -> anyhow::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).open(file);
    let mut made = made.with_context(|| format!("{} can't be written", file.display()))?;
    made.write_all(text.as_bytes())?;
    made.sync_all()?;
    Ok(())
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
