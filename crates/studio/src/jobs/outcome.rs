//! What came of a job that was drawn, written down: its pictures, its end, its price.

use db::{Tx, on};

use super::nodes::Notice;
use super::queue::words_are_gone;
use super::{Job, JobError, State, repeat};
use crate::pictures::{self, NewPicture};
use crate::privacy::keeping;
use crate::privacy::keys::{ObjectKeys, Sealed};
use crate::{Failure, Studio, credits, failpoint, jobs};

/// What a job brought.
#[derive(Debug, Default)]
pub struct Outcome {
    pub pictures: Vec<NewPicture>,
    pub unknown_words: Vec<String>,
    /// Why pictures are missing, where some are.
    pub error: Option<JobError>,
}

/// What became of a job that was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    Recorded,
    /// Nobody waits for it any more, and whoever asked for it may come again: it ends as cancelled,
    /// and is drawn anew for whoever comes.
    GivenUp,
    /// Its claim no longer counts, because it was cancelled meanwhile or its lease ended: nothing is
    /// recorded.
    Lost,
}

impl Outcome {
    #[must_use]
    pub const fn state(&self) -> State {
        if self.pictures.is_empty() {
            State::Failed
        } else {
            State::Done
        }
    }
}

/// Records what jobs brought that were drawn together: all of them, or none where it fails. The jobs
/// stand in the order in which they were claimed.
pub async fn finish(studio: &Studio, drawn: &[(&Job, Outcome)]) -> Result<Vec<Finished>, Failure> {
    let ids: Vec<String> = drawn.iter().map(|(job, _)| job.id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let keys = studio.keys.objects(&ids).await?;
    let mut tx = studio.db.write().await?;
    let mut ends = Vec::new();
    for (job, _) in drawn {
        ends.push(match repeat::forget_if_left(&mut tx, job).await? {
            true => Finished::GivenUp,
            false => Finished::Recorded,
        });
    }
    for ((job, outcome), end) in drawn.iter().zip(&mut ends) {
        let cancelled = Outcome::default();
        let (state, outcome) = match end {
            Finished::GivenUp => (State::Cancelled, &cancelled),
            _ => (outcome.state(), outcome),
        };
        let is_ended = match keys.get(&job.id.to_string()) {
            Some(keys) => end_drawn(studio, &mut tx, (job, keys), state, outcome).await?,
            None => false,
        };
        if !is_ended {
            *end = Finished::Lost;
        }
    }
    let mut to_settle: Vec<_> = drawn.iter().zip(&ends).collect();
    // In the same order for everybody, lest two wait for each other's balances.
    to_settle.sort_by_key(|((job, _), _)| (job.person, job.id));
    for ((job, outcome), end) in to_settle {
        let (delivered, notice) = match end {
            Finished::Recorded => (outcome.pictures.len(), Notice::Over(job.id)),
            Finished::GivenUp => (0, Notice::Cancelled(job.id)),
            Finished::Lost => continue,
        };
        let delivered = u32::try_from(delivered).unwrap_or(u32::MAX);
        credits::settle(studio, &mut tx, job.id, delivered).await?;
        tx.tell(&notice.text()).await?;
    }
    let is_given_up = ends.contains(&Finished::GivenUp);
    failpoint::here("finish-uncommitted");
    if is_given_up {
        failpoint::here("give-up-uncommitted");
    }
    tx.commit().await?;
    failpoint::here("finish-committed");
    if drawn.iter().any(|(job, _)| job.is_private) {
        words_are_gone(studio).await?;
    }
    if is_given_up {
        failpoint::here("give-up-committed");
    }
    Ok(ends)
}

/// Ends a job that this claim has drawn, and writes its pictures down; `false` where the claim no
/// longer counts.
async fn end_drawn(
    studio: &Studio,
    tx: &mut Tx,
    (job, keys): (&Job, &ObjectKeys),
    state: State,
    outcome: &Outcome,
) -> Result<bool, Failure> {
    let (cipher, id) = (keys.words()?, job.id.to_string());
    let words = serde_json::to_string(&outcome.unknown_words).unwrap_or_else(|_| "[]".to_owned());
    let words = cipher.seal(jobs::UNKNOWN_WORDS, &id, &words);
    let error = outcome.error.as_ref();
    let message = error.map(|error| cipher.seal(jobs::ERROR_MESSAGE, &id, &error.message));
    let changed = on!(tx, conn => {
        sqlx::query(
            "UPDATE job SET state = $2, unknown_words = $3, error_code = $4, error_message = $5, \
             finished_ms = $6, worker = NULL, lease_until_ms = NULL \
             WHERE id = $1 AND state = 'drawing' AND claims = $7",
        )
        .bind(&id)
        .bind(state.name())
        .bind(words.as_str())
        .bind(error.map(|error| error.code.as_str()))
        .bind(message.as_ref().map(Sealed::as_str))
        .bind(studio.clock.now().as_millis())
        .bind(job.claims)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if changed == 0 {
        return Ok(false);
    }
    if job.is_private {
        keeping::forget_words(tx, &id).await?;
    }
    for picture in &outcome.pictures {
        pictures::insert(tx, picture).await?;
    }
    Ok(true)
}
