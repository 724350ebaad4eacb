//! Claims jobs and has them drawn, one batch after the other, until the program stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::ids::JobId;
use domain::model::ModelName;
use tokio::sync::Notify;

use super::lease::{self, Abandoned};
use super::{nodes, queue};
use crate::privacy::keys::shredding;
use crate::{Failure, Studio, drawing, orphans, routing};

/// How long to leave the database alone after it failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Tells a worker to stop: what it is drawing goes back into the queue.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<(AtomicBool, Notify)>);

impl Stop {
    pub fn now(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.notify_waiters();
    }

    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.0.load(Ordering::SeqCst)
    }

    /// Returns once the worker shall stop.
    pub async fn set(&self) {
        let mut told = std::pin::pin!(self.0.1.notified());
        told.as_mut().enable();
        if !self.is_set() {
            told.await;
        }
    }
}

/// Takes up what a former process left behind, before anyone is served: its jobs wait again, and
/// files that no row knows are deleted.
pub async fn take_over(studio: &Studio) -> Result<(), Failure> {
    // Others may be drawing where the database is shared: theirs is not touched.
    let which = if studio.db.is_shared() {
        Abandoned::Expired
    } else {
        Abandoned::All
    };
    let jobs = lease::reclaim(studio, which).await?;
    let swept = orphans::sweep(studio).await?;
    shredding::carry_out(studio).await?;
    if jobs > 0 || swept > 0 {
        tracing::info!(
            jobs,
            files_deleted = swept,
            "took over from a former process"
        );
    }
    studio.board.announce();
    Ok(())
}

/// Draws, and stays in step with the other processes, until told to stop.
pub async fn run(studio: Studio, stop: Stop) {
    tokio::join!(nodes::attend(&studio, &stop), work(&studio, &stop));
}

async fn work(studio: &Studio, stop: &Stop) {
    while !stop.is_set() {
        let most = |model: &ModelName| {
            routing::route(studio, Some(model)).map_or(1, |(_, card)| card.max_batch)
        };
        match queue::claim(studio, most).await {
            Ok(jobs) if jobs.is_empty() => {
                tokio::select! {
                    () = studio.board.arrived() => {}
                    () = stop.set() => {}
                }
            }
            Ok(jobs) => {
                let held = jobs.iter().map(lease::held).collect();
                tokio::select! {
                    () = drawing::draw(studio, jobs, stop) => {}
                    () = keep(studio, held) => {}
                }
            }
            Err(error) => {
                tracing::error!(%error, "the queue can't be read; trying again");
                tokio::select! {
                    () = tokio::time::sleep(PAUSE_AFTER_FAILURE) => {}
                    () = stop.set() => {}
                }
            }
        }
    }
}

/// Renews leases until no job of them is left, and stops the drawing of those that were lost.
async fn keep(studio: &Studio, mut held: Vec<(JobId, i64)>) {
    loop {
        tokio::time::sleep(studio.limits.renew_every()).await;
        match lease::renew(studio, &held).await {
            Ok(lost) => {
                for id in lost {
                    held.retain(|(held, _)| *held != id);
                    studio.board.lose(id);
                }
            }
            // Should it last, somebody else takes the jobs, and what is drawn here counts no more.
            Err(error) => tracing::warn!(%error, "leases could not be renewed; trying again"),
        }
    }
}
