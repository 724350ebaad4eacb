//! `pinhole audit`: reads the house as it runs and says which promises hold in it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use domain::clock::Moment;
use serde_json::Value;
use studio::Studio;
use studio::privacy::audit::{self, Report};
use studio::privacy::backup;
use studio::privacy::log::checkpoint::Checkpoint;

use crate::place::{HouseArgs, Place};

#[derive(Args)]
pub(crate) struct AuditArgs {
    /// A checkpoint that was kept elsewhere, as /trust/checkpoint gave it, or the receipt of an erasure:
    /// the log must still hold what it held then. May be given several times
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,

    /// Print the signed report, in JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &AuditArgs, place: &Place) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let (text, holds) = runtime.block_on(async {
        let studio = place.office(&HouseArgs::from_env()).await?;
        let read = read(&studio, args).await;
        studio.db.close().await;
        studio.keys.close().await;
        read
    })?;
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn read(studio: &Studio, args: &AuditArgs) -> Result<(String, bool)> {
    let mut brought = Vec::new();
    for file in &args.checkpoints {
        let note = std::fs::read_to_string(file)
            .with_context(|| format!("{} can't be read", file.display()))?;
        let note = of_receipt(&note).unwrap_or(note);
        let checkpoint = Checkpoint::open(&note, &studio.keys.public_key())
            .with_context(|| format!("{} is of no use here", file.display()))?;
        brought.push(checkpoint);
    }
    let report = audit::run(studio, &brought).await?;
    let signed = audit::publish(studio, &report).await?;
    let text = if args.json { signed } else { in_words(&report) };
    Ok((text, report.holds()))
}

/// The checkpoint that stands in the receipt of an erasure.
fn of_receipt(text: &str) -> Option<String> {
    let document: Value = serde_json::from_str(text).ok()?;
    let note = document.get("receipt")?.get("log_checkpoint")?.as_str()?;
    Some(note.to_owned())
}

fn in_words(report: &Report) -> String {
    let mut lines = Vec::new();
    for check in &report.checks {
        let verdict = if check.wrong.is_empty() {
            "holds"
        } else {
            "BROKEN"
        };
        lines.push(format!("{verdict:7} {:10} {}", check.name, check.shows));
        lines.extend(check.wrong.iter().map(|wrong| format!("        {wrong}")));
    }
    lines.extend(report.restorations.iter().map(|one| {
        let [at, made] = [one.seconds, one.made]
            .map(|seconds| backup::in_words(Moment::from_millis(seconds * 1_000)));
        format!(
            "note    restored   On {at} the house was put back from a backup of {made}: the log kept {} \
             entries of {}.",
            one.kept,
            one.had.max(one.kept)
        )
    }));
    lines.push(format!(
        "The log has {} entries. Everybody sees this report, without its details, at /trust.",
        report.leaves
    ));
    lines.join("\n")
}
