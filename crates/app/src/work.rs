//! `pinhole work`: draws what others take orders for.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use studio::jobs::worker::{self, Stop};

use crate::log_files::LogFiles;
use crate::place::{HouseArgs, Place};
use crate::serve::{GRACE, start_log, told_to_stop};

#[derive(Args)]
pub(crate) struct WorkArgs {
    /// File that gets a line as soon as jobs are taken, for scripts that wait for it
    #[arg(long, env = "PINHOLE_READY_FILE", value_name = "FILE")]
    ready_file: Option<PathBuf>,

    #[command(flatten)]
    house: HouseArgs,
}

pub(crate) fn run(args: &WorkArgs, place: &Place) -> anyhow::Result<ExitCode> {
    let log = start_log(place.logs(&args.house, true).as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the async runtime does not start")?;
    runtime.block_on(work(args, place, log))?;
    // A drawing that does not end must not keep the program from ending.
    runtime.shutdown_timeout(GRACE);
    Ok(ExitCode::SUCCESS)
}

#[expect(
    clippy::print_stdout,
    reason = "whoever started it waits for this line"
)]
async fn work(args: &WorkArgs, place: &Place, files: Option<LogFiles>) -> anyhow::Result<()> {
    if !place.is_shared() {
        bail!(
            "several processes need a Postgres database: name it in PINHOLE_DATABASE, the same \
             for all of them. With SQLite, pinhole serve draws by itself"
        );
    }
    place.claim()?;
    let studio = place.studio(&args.house).await?;
    let stop = Stop::default();
    if let Some(files) = files {
        tokio::spawn(files.keep_sweeping(stop.clone()));
    }
    let mut working = tokio::spawn(worker::run(studio.clone(), stop.clone()));
    let told = told_to_stop()?;
    println!("Pinhole draws: {}", studio.board.node());
    if let Some(file) = &args.ready_file {
        std::fs::write(file, format!("{}\n", studio.board.node()))
            .with_context(|| format!("{} can't be written", file.display()))?;
    }
    tokio::select! {
        () = told => {}
        ended = &mut working => {
            ended?;
            bail!("the drawing stopped by itself");
        }
    }
    tracing::info!("stopping: what is being drawn goes back into the queue");
    stop.now();
    if tokio::time::timeout(GRACE, working).await.is_err() {
        tracing::warn!("the drawing did not stop in time; another process takes it up");
    }
    studio.db.close().await;
    studio.keys.close().await;
    tracing::info!("stopped");
    Ok(())
}
