//! `pinhole verify`: checks what a house has signed. Needs no data folder, no network and no running
//! program.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Subcommand;
use serde_json::Value;
use studio::privacy::erasure::receipt::{self, Genuine};

#[derive(Subcommand)]
pub(crate) enum VerifyCommand {
    /// The receipt of an erasure
    Receipt {
        file: PathBuf,
        /// Key of the house that should have signed it, as /.well-known/pinhole-house.json shows it
        #[arg(long, value_name = "BASE64", value_parser = key)]
        key: Option<[u8; 32]>,
    },
}

fn key(text: &str) -> Result<[u8; 32], &'static str> {
    let bytes = BASE64.decode(text.trim()).unwrap_or_default();
    bytes
        .try_into()
        .map_err(|_| "a key is 32 bytes in base64, as /.well-known/pinhole-house.json shows it")
}

pub(crate) fn run(command: &VerifyCommand) -> Result<ExitCode> {
    let VerifyCommand::Receipt { file, key } = command;
    let text =
        fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
    let genuine = receipt::verify(&text, key.as_ref())?;
    io::stdout()
        .lock()
        .write_all(says(&genuine, key.is_some()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
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
        text += "Compare this key with the one that the house shows at \
                 /.well-known/pinhole-house.json, or name that one with --key.\n";
    }
    text
}
