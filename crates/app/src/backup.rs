//! `pinhole backup` and `pinhole restore`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use domain::clock::{Clock, Moment};
use serde_json::json;
use studio::Studio;
use studio::privacy::backup::{self, Content, KEYS_TAKEN_MS, Restored, Taken, in_words};

use crate::place::{HouseArgs, Place};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

#[derive(Args)]
pub(crate) struct BackupArgs {
    /// File to write, or a folder that gets one named after the moment
    path: PathBuf,

    /// The keys, and nothing else; without it, everything but the keys
    #[arg(long)]
    keys: bool,

    /// For how many days a backup of the keys is taken; after that, what was deleted is gone in every copy
    #[arg(long, requires = "keys", default_value_t = KEYS_TAKEN_MS / DAY_MS, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(1..=KEYS_TAKEN_MS / DAY_MS))]
    days: i64,

    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct RestoreArgs {
    /// A backup of the house or of its keys, as pinhole backup wrote it
    file: PathBuf,

    /// Put it in the place of what is in this house, all of it
    #[arg(long)]
    replace: bool,

    /// Another backup, of the house or of the keys, younger and perhaps past its end: what it knows to be
    /// deleted is deleted as well. May be given several times
    #[arg(long = "deleted-since", value_name = "FILE")]
    younger: Vec<PathBuf>,

    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn take(args: &BackupArgs, place: &Place) -> Result<ExitCode> {
    let text = runtime()?.block_on(async {
        let studio = place.office(&HouseArgs::from_env()).await?;
        let path = named(args, studio.clock.now());
        let taken = match args.keys {
            true => backup::take_keys(&studio, &path, args.days * DAY_MS).await,
            false => backup::take(&studio, &path).await,
        };
        close(&studio).await;
        anyhow::Ok(said(args, &path, &taken?))
    })?;
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

async fn close(studio: &Studio) {
    studio.db.close().await;
    studio.keys.close().await;
}

/// `pinhole-20261122-140500.backup` in a folder.
fn named(args: &BackupArgs, now: Moment) -> PathBuf {
    if !args.path.is_dir() {
        return args.path.clone();
    }
    let at = now.civil();
    let what = if args.keys { "pinhole-keys" } else { "pinhole" };
    args.path.join(format!(
        "{what}-{:04}{:02}{:02}-{:02}{:02}{:02}.backup",
        at.year, at.month, at.day, at.hour, at.minute, at.second
    ))
}

fn said(args: &BackupArgs, path: &std::path::Path, taken: &Taken) -> String {
    if args.json {
        let fields = json!({
            "id": taken.id,
            "file": path,
            "of": if args.keys { "keys" } else { "house" },
            "bytes": taken.bytes,
            "rows": taken.rows,
            "files": taken.files,
            "ends": taken.ends.map(Moment::as_seconds),
        });
        return fields.to_string();
    }
    let path = path.display();
    match taken.ends {
        Some(ends) => format!(
            "{path}: the keys, {} bytes. It is taken until {}; make another one before that, every day \
             where you can, since whoever came after it has no key in it. Only the key-encryption key opens \
             it: keep the two apart.",
            taken.bytes,
            in_words(ends)
        ),
        None => format!(
            "{path}: {} rows and {} files, {} bytes, sealed. There is no key in it: without the keys, or a \
             backup of them (pinhole backup --keys FILE), nobody can read it.",
            taken.rows, taken.files, taken.bytes
        ),
    }
}

pub(crate) fn restore(args: &RestoreArgs, place: &Place) -> Result<ExitCode> {
    let text = runtime()?.block_on(async {
        match backup::content_of(&args.file)? {
            Content::Keys => keys(args, place).await,
            Content::House => house(args, place).await,
        }
    })?;
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

async fn keys(args: &RestoreArgs, place: &Place) -> Result<String> {
    let (store, source, _alone) = place.alone_with_keys().await?;
    let now = Clock::system().now();
    let people = backup::restore_keys(&store, &source, &args.file, now).await;
    store.close().await;
    let people = people?;
    Ok(match args.json {
        true => json!({ "people": people }).to_string(),
        false => format!(
            "The keys of {people} people are back. Now put the house back, from its backup: pinhole restore \
             FILE. Where the database is as it was, start it; keys of what was deleted since go again."
        ),
    })
}

async fn house(args: &RestoreArgs, place: &Place) -> Result<String> {
    let (studio, _alone) = place.alone(&HouseArgs::from_env()).await?;
    let restored = async {
        for younger in &args.younger {
            backup::bury(&studio, younger).await?;
        }
        backup::restore(&studio, &args.file, args.replace).await
    };
    let restored = restored.await;
    close(&studio).await;
    Ok(told(args, &restored?))
}

fn told(args: &RestoreArgs, restored: &Restored) -> String {
    let replayed = &restored.replayed;
    if args.json {
        let fields = json!({
            "made": restored.made.as_seconds(),
            "rows": restored.rows,
            "files": restored.files,
            "replayed": replayed,
        });
        return fields.to_string();
    }
    format!(
        "The house is as it was on {}: {} rows and {} files.\n\
         Deleted again, since they were deleted after that or their keys are gone: {} people, {} orders, {} \
         pictures, {} portraits.\n\
         Ended, since they were under way then: {} orders (what was held for them went back), {} sessions; \
         {} letters are not sent again. Revoked: {} API keys, {} passkeys.\n\
         The log says so, and everybody sees it at /trust. You can start it now.",
        in_words(restored.made),
        restored.rows,
        restored.files,
        replayed.people,
        replayed.orders,
        replayed.pictures,
        replayed.portraits,
        replayed.orders_voided,
        replayed.sessions_ended,
        replayed.letters_dropped,
        replayed.api_keys,
        replayed.passkeys,
    )
}
