//! `pinhole privacy`: what the program keeps of people, from its own declaration. Needs no data
//! folder and no running program.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde_json::Value;
use studio::privacy::notice;

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
    /// Every place where something about a person can be, as JSON
    Inventory,
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
}

pub(crate) fn run(command: &PrivacyCommand) -> anyhow::Result<ExitCode> {
    let text = match command {
        PrivacyCommand::Notice { format } => match format {
            Format::Txt => notice::text(),
            Format::Html => web::privacy_notice(),
            Format::Json => pretty(&notice::inventory_json()),
            Format::Jsonld => pretty(&notice::json_ld()),
        },
        PrivacyCommand::Record { format } => match format {
            PlainFormat::Txt => notice::record_text(),
            PlainFormat::Json => pretty(&notice::record_json()),
        },
        PrivacyCommand::Inventory => pretty(&notice::inventory_json()),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
