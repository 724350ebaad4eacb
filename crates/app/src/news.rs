//! `pinhole admin news`: what those who run the house write to whoever said yes to it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Subcommand;
use studio::Studio;
use studio::letters::news;
use studio::privacy::backup::in_words;
use web::PublicUrl;

#[derive(Subcommand)]
pub(crate) enum NewsCommand {
    /// Write to everybody who wants news, once each. Cut off, it goes on when it is called again; the running program sends the letters
    Send {
        /// One line
        #[arg(long, value_name = "TEXT")]
        subject: String,
        /// Plain text, with links to this house alone; - reads it from the standard input
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// The address by which people reach this house
        #[arg(long, env = "PINHOLE_PUBLIC_URL", value_name = "URL")]
        public_url: PublicUrl,
    },
}

pub(crate) async fn run(studio: &Studio, command: &NewsCommand) -> Result<String> {
    let NewsCommand::Send {
        subject,
        file,
        public_url,
    } = command;
    let text = text_of(file)?;
    let sent = news::send(studio, subject, &text, &public_url.to_string()).await?;
    Ok(match sent.before {
        None => format!(
            "{}: {} letters are written. The running program sends them; who says no until then gets none.",
            sent.id, sent.letters
        ),
        Some(ended) => format!(
            "{}: these very news were sent to {} people at {}, so nothing was written.",
            sent.id,
            sent.letters,
            in_words(ended)
        ),
    })
}

pub(crate) fn text_of(file: &Path) -> Result<String> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("the standard input can't be read as text")?;
        return Ok(text);
    }
    fs::read_to_string(file).with_context(|| format!("{} can't be read as text", file.display()))
}
