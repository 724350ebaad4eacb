//! `pinhole admin picture`: pictures of which their people agreed that others see them, or that models learn
//! from them.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use domain::ids::{ConsentId, PictureId};
use serde_json::json;
use studio::training::{self, Collection, Item};
use studio::{Studio, examples};

#[derive(Subcommand)]
pub(crate) enum PictureCommand {
    /// Take a picture from among the examples; its person keeps it, and reads that it was not them
    TakeDown {
        /// The last part of its address, /examples/EXAMPLE
        #[arg(value_name = "EXAMPLE")]
        example: ConsentId,
    },
    /// Gather the pictures that models may learn from, with a signed manifest; each person reads what was taken
    Collect {
        /// A folder that is not there yet
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// These pictures and no others; one that was not agreed to ends it
        #[arg(long = "picture", value_name = "ID")]
        pictures: Vec<PictureId>,
    },
}

pub(crate) async fn run(studio: &Studio, command: &PictureCommand) -> Result<String> {
    match command {
        PictureCommand::TakeDown { example } => {
            match examples::take_down(studio, *example).await? {
                Some(taken) => Ok(format!(
                    "{} is not shown any more. Its person keeps it, and reads in their log that those who run the house did so.",
                    taken.picture
                )),
                None => bail!("{example} is not among the examples."),
            }
        }
        PictureCommand::Collect { out, pictures } => {
            // Before anything is written into anybody's log.
            if out.exists() {
                bail!(
                    "{} is there already. Name a folder that is not.",
                    out.display()
                );
            }
            let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty());
            if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
                bail!("{} is no folder.", parent.display());
            }
            let collection = match collect(studio, pictures, out).await {
                Ok(collection) => collection,
                Err(error) => {
                    // What is half there looks like a collection, and is none.
                    let _ = fs::remove_dir_all(out);
                    return Err(error);
                }
            };
            Ok(format!(
                "{} pictures are in {}, with what was said of them in words.jsonl and the signed manifest in \
                 manifest.json. Each person reads in their log how many of theirs were taken.",
                collection.pictures,
                out.display()
            ))
        }
    }
}

async fn collect(studio: &Studio, only: &[PictureId], out: &Path) -> Result<Collection> {
    let unwritten = || format!("{} can't be written", out.display());
    fs::create_dir(out).with_context(unwritten)?;
    let mut words = BufWriter::new(File::create(out.join("words.jsonl")).with_context(unwritten)?);
    let keep = |name: &str, item: &Item| {
        fs::write(out.join(name), item.png())?;
        match item.words() {
            Some(text) => writeln!(words, "{}", json!({ "file": name, "words": text })),
            None => Ok(()),
        }
    };
    let collection = training::gather(studio, only, keep).await?;
    words.flush().with_context(unwritten)?;
    fs::write(out.join("manifest.json"), &collection.manifest).with_context(unwritten)?;
    Ok(collection)
}
