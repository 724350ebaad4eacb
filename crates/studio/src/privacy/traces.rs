//! What a deletion leaves in the database's own log for a while: SQLite's write-ahead log holds former
//! rows until it is cut. Where something was deleted, it is cut soon after, within a minute of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::jobs::worker::Stop;
use crate::{Failure, Studio};

const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Somebody who reads keeps the log from being cut; mostly for milliseconds.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
const TRIES: u32 = 40;

/// Of this process: something was deleted since the log was cut.
static LEFT: AtomicBool = AtomicBool::new(false);

/// Something that a person deleted has just left the tables.
pub(crate) fn are_left() {
    LEFT.store(true, Ordering::SeqCst);
}

/// Cuts the log; `false` where somebody read all the time.
pub async fn cut(studio: &Studio, tables: &[&'static str]) -> Result<bool, Failure> {
    for _ in 0..TRIES {
        if studio.db.scrub(tables).await? {
            return Ok(true);
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
    Ok(false)
}

/// Cuts the log whenever something was deleted, until told to stop. What Postgres logs is its server's.
pub async fn keep_cutting(studio: Studio, stop: Stop) {
    while !studio.db.is_shared() && !stop.is_set() {
        if LEFT.swap(false, Ordering::SeqCst) {
            match cut(&studio, &[]).await {
                Ok(true) => {}
                Ok(false) => are_left(),
                Err(error) => {
                    are_left();
                    tracing::warn!(%error, "what was deleted stays in the database's log; trying again");
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.set() => {}
        }
    }
}
