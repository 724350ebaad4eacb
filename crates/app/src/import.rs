//! `pinhole import`: an archive of another house is brought in, also while the program serves.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use domain::personal::Address;
use studio::Studio;
use studio::accounts::person;
use studio::privacy::export::verify::Archive;
use studio::privacy::import::{self, Fate, Into, Report};

use crate::place::{HouseArgs, Place};
use crate::verify;

#[derive(Args)]
pub(crate) struct ImportArgs {
    /// The archive, as it was downloaded
    file: PathBuf,

    /// The account that gets it, by its address; or `new`, for an account with the address that stands
    /// in the archive, for which you vouch
    #[arg(long, value_name = "ADDRESS|new")]
    into: String,

    /// Key of the house where it comes from, as that shows it at /.well-known/pinhole-house.json. Not
    /// needed for archives of this house
    #[arg(long, value_name = "BASE64", value_parser = verify::key)]
    trust: Option<[u8; 32]>,
}

pub(crate) fn run(args: &ImportArgs, place: &Place) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let file =
        File::open(&args.file).with_context(|| format!("{} can't be read", args.file.display()))?;
    let mut archive = Archive::open(BufReader::new(file), args.trust.as_ref())?;
    let text = runtime.block_on(async {
        let studio = place.office(&HouseArgs::from_env()).await?;
        let brought = bring(&studio, &mut archive, args).await;
        studio.db.close().await;
        studio.keys.close().await;
        brought
    })?;
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

async fn bring(
    studio: &Studio,
    archive: &mut Archive<BufReader<File>>,
    args: &ImportArgs,
) -> Result<String> {
    let key = archive.public_key;
    if args.trust.is_none() && key != studio.keys.public_key() {
        let key = BASE64.encode(key);
        bail!(
            "the archive was signed by another house, with the key {key}. Compare it with the one that \
             the house where it comes from shows at /.well-known/pinhole-house.json. If it is the same, \
             say so: --trust {key}"
        );
    }
    let into = match args.into.as_str() {
        "new" => Into::New,
        address => {
            let address = Address::new(address)?;
            let found = person::id_by_address(studio, &address).await?;
            let found = found.context(
                "nobody has an account with that address; `pinhole admin person list` shows all, and \
                 --into new makes one",
            )?;
            Into::Person(found)
        }
    };
    let report = import::bring(studio, archive, into).await?;
    Ok(says(&report))
}

fn says(report: &Report) -> String {
    let mut text = format!(
        "Brought in for {}: {} orders with {} pictures.\n",
        report.person, report.orders, report.pictures
    );
    if report.known > 0 {
        text += &format!("Here already: {} orders.\n", report.known);
    }
    if report.renumbered > 0 {
        text += &format!(
            "With new numbers, since somebody else has theirs: {} orders.\n",
            report.renumbered
        );
    }
    if report.unfinished > 0 {
        text += &format!(
            "Left out, since they were not over: {} orders.\n",
            report.unfinished
        );
    }
    text += "What stays in the archive:\n";
    for (table, fate) in import::fates() {
        if let Fate::Partly(why) | Fate::Left(why) = fate {
            text += &format!("  {table}: {why}\n");
        }
    }
    text
}
