//! `pinhole verify`: checks what a house has signed. Needs no data folder, no network and no running
//! program.

use std::fs;
use std::io::{self, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Subcommand;
use domain::clock::Moment;
use serde_json::Value;
use studio::privacy::export::verify::{Archive, Sound};
use studio::privacy::receipt::{self, Genuine, Kind};

#[derive(Subcommand)]
pub(crate) enum VerifyCommand {
    /// The receipt of an erasure or of a decision about consent, or the manifest of a collection for training or of a transfer
    Receipt {
        file: PathBuf,
        /// Key of the house that should have signed it, as /.well-known/pinhole-house.json shows it
        #[arg(long, value_name = "BASE64", value_parser = key)]
        key: Option<[u8; 32]>,
    },
    /// An archive of everything that a house kept of somebody
    Export {
        file: PathBuf,
        /// Key of the house that should have signed it, as /.well-known/pinhole-house.json shows it
        #[arg(long, value_name = "BASE64", value_parser = key)]
        key: Option<[u8; 32]>,
    },
}

pub(crate) fn key(text: &str) -> Result<[u8; 32], &'static str> {
    let bytes = BASE64.decode(text.trim()).unwrap_or_default();
    bytes
        .try_into()
        .map_err(|_| "a key is 32 bytes in base64, as /.well-known/pinhole-house.json shows it")
}

pub(crate) fn run(command: &VerifyCommand) -> Result<ExitCode> {
    let unread = |file: &PathBuf| format!("{} can't be read", file.display());
    let text = match command {
        VerifyCommand::Receipt { file, key } => {
            let text = fs::read_to_string(file).with_context(|| unread(file))?;
            let genuine = receipt::verify(&text, key.as_ref())?;
            match genuine.kind {
                Kind::Erasure => says(&genuine, key.is_some()),
                Kind::Consent => says_of_consent(&genuine, key.is_some()),
                Kind::TrainingSet => says_of_training(&genuine, key.is_some()),
                Kind::Transfer => says_of_transfer(&genuine, key.is_some()),
            }
        }
        VerifyCommand::Export { file, key } => {
            let opened = fs::File::open(file).with_context(|| unread(file))?;
            let mut archive = Archive::open(BufReader::new(opened), key.as_ref())?;
            let sound = archive.check()?;
            says_of_export(&archive, sound, key.is_some())
        }
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

const COMPARE: &str = "Compare this key with the one that the house shows at \
                       /.well-known/pinhole-house.json, or name that one with --key.\n";

fn says_of_export<R>(archive: &Archive<R>, sound: Sound, is_pinned: bool) -> String {
    let manifest = &archive.manifest;
    let made = Moment::from_millis(manifest.made_ms).civil();
    let mut text = format!(
        "The signature fits, and every file is what it was: nothing is missing, added or changed.\n\
         Export: {} of {}, made on {:04}-{:02}-{:02}\n\
         Files: {} ({} bytes)\n\
         Entries of the log: {}, each proven",
        manifest.export,
        manifest.person,
        made.year,
        made.month,
        made.day,
        sound.files,
        sound.bytes,
        sound.entries - sound.unplaced,
    );
    if sound.unplaced > 0 {
        text += &format!("; {} had no place in it yet", sound.unplaced);
    }
    text += &format!("\nSigned with {}\n", BASE64.encode(archive.public_key));
    if !is_pinned {
        text += COMPARE;
    }
    text
}

fn says_of_consent(genuine: &Genuine, is_pinned: bool) -> String {
    let receipt = &genuine.receipt;
    let text = |name: &str| receipt[name].as_str().unwrap_or("?").to_owned();
    let decided = receipt["decided"].as_i64().unwrap_or_default();
    let at = Moment::from_millis(decided.saturating_mul(1_000)).civil();
    let mut says = format!(
        "The signature fits: nothing in this receipt was changed.\n\
         Consent: {} to {}, on {:04}-{:02}-{:02} {:02}:{:02} UTC ({})\n\
         Of: {}\n\
         The words that were read (edition {}):\n\n{}\n\n\
         Signed with {}\n",
        text("decision"),
        text("purpose"),
        at.year,
        at.month,
        at.day,
        at.hour,
        at.minute,
        text("id"),
        text("person"),
        receipt["version"],
        text("text"),
        BASE64.encode(genuine.public_key),
    );
    if !is_pinned {
        says += COMPARE;
    }
    says
}

fn says_of_training(genuine: &Genuine, is_pinned: bool) -> String {
    let receipt = &genuine.receipt;
    let mut says = format!(
        "The signature fits: nothing in this manifest was changed.\n\
         Collection: {} pictures of at least {} people, each agreed to by whoever drew it ({})\n\
         Its files are checked with the checksums in it.\n\
         Signed with {}\n",
        receipt["pictures"],
        receipt["people_at_least"],
        receipt["set"].as_str().unwrap_or("?"),
        BASE64.encode(genuine.public_key),
    );
    if !is_pinned {
        says += COMPARE;
    }
    says
}

fn says_of_transfer(genuine: &Genuine, is_pinned: bool) -> String {
    let receipt = &genuine.receipt;
    let rows = receipt["rows"].as_array().into_iter().flatten();
    let rows: u64 = rows.filter_map(|table| table["rows"].as_u64()).sum();
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut says = format!(
        "The signature fits: nothing in this manifest was changed.\n\
         Transfer: from {} to {} ({}), as version {} of the privacy notice said\n\
         Rows that go along: {rows}\n\
         Signed with {}\n",
        text(&receipt["from"]["name"]),
        text(&receipt["to"]["name"]),
        text(&receipt["reason"]),
        receipt["notice"]["version"],
        BASE64.encode(genuine.public_key),
    );
    if !is_pinned {
        says += COMPARE;
    }
    says
}

fn says(genuine: &Genuine, is_pinned: bool) -> String {
    let receipt = &genuine.receipt;
    let sum = |list: &Value| -> u64 {
        let rows = list.as_array().into_iter().flatten();
        rows.filter_map(|part| part["rows"].as_u64()).sum()
    };
    let deleted = &receipt["deleted"];
    let left: u64 = {
        let found = receipt["search"]["found"].as_array();
        found
            .into_iter()
            .flatten()
            .filter_map(|left| left["times"].as_u64())
            .sum()
    };
    let mut text = format!(
        "The signature fits: nothing in this receipt was changed.\n\
         Erased: {} ({})\n\
         Deleted: {} rows, {} files, {} keys\n\
         Kept in the books: {} rows\n\
         Found by the search of the whole house: {}\n\
         Signed with {}\n",
        receipt["scope"].as_str().unwrap_or("?"),
        receipt["id"].as_str().unwrap_or("?"),
        sum(&deleted["rows"]),
        deleted["files"],
        deleted["keys"],
        sum(&receipt["kept"]),
        if left == 0 {
            "nothing".to_owned()
        } else {
            format!("{left} remains")
        },
        BASE64.encode(genuine.public_key),
    );
    if !is_pinned {
        text += COMPARE;
    }
    text
}
