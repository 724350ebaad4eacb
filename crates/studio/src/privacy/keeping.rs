//! How long what is drawn is kept: until its person deletes it, or for as long as they chose; and what
//! they want to be forgotten as soon as it is drawn.

use std::time::Duration;

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{JobId, PersonId, PictureId};

use super::holds::{self, Class};
use super::restriction::Operation;
use crate::jobs::worker::Stop;
use crate::jobs::{self, Removal};
use crate::{Failure, Studio, pictures};

/// For how long the pictures of a private order are kept, where it does not say: long enough to fetch
/// them.
pub const PRIVATE_MS: i64 = 60 * 60 * 1_000;

/// A minute: what goes sooner could be gone before it is fetched.
pub const MIN_S: i64 = 60;
/// Ten years.
pub const MAX_S: i64 = 10 * 365 * 24 * 60 * 60;

/// The longest time for which something stays whose end has come.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const LOOK_AT_ONCE: i64 = 100;

/// How long something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    UntilDeleted,
    /// Milliseconds from when it is drawn.
    For(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Pictures are kept for {MIN_S} to {MAX_S} seconds, or until you delete them. Choose one of \
     those."
)]
pub struct BadTime;

impl Keep {
    pub const fn seconds(seconds: i64) -> Result<Self, BadTime> {
        if seconds < MIN_S || seconds > MAX_S {
            return Err(BadTime);
        }
        Ok(Self::For(seconds * 1_000))
    }

    pub(crate) const fn of_stored(kept_ms: Option<i64>) -> Self {
        match kept_ms {
            Some(ms) => Self::For(ms),
            None => Self::UntilDeleted,
        }
    }

    pub(crate) const fn stored(self) -> Option<i64> {
        match self {
            Self::UntilDeleted => None,
            Self::For(ms) => Some(ms),
        }
    }

    /// When something ends that is drawn at this moment.
    #[must_use]
    pub fn end(self, drawn: Moment) -> Option<Moment> {
        self.stored().map(|ms| drawn.plus_millis(ms))
    }
}

/// What a person chose for what they order from now on.
pub async fn of(studio: &Studio, person: PersonId) -> Result<Keep, Failure> {
    let mut tx = studio.db.read().await?;
    let kept: Option<Option<i64>> = on!(tx, conn => {
        sqlx::query_scalar("SELECT kept_ms FROM person WHERE id = $1")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    Ok(Keep::of_stored(kept.flatten()))
}

/// Chooses for what is ordered from now on.
pub async fn choose(studio: &Studio, person: PersonId, keep: Keep) -> Result<(), Failure> {
    let mut tx = studio.db.write().await?;
    from_now_on(&mut tx, person, keep).await?;
    Ok(tx.commit().await?)
}

async fn from_now_on(tx: &mut Tx, person: PersonId, keep: Keep) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("UPDATE person SET kept_ms = $2 WHERE id = $1")
            .bind(person.to_string())
            .bind(keep.stored())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Chooses for pictures that are there, counted from now; answers how many there are.
pub async fn choose_for(
    studio: &Studio,
    person: PersonId,
    ids: &[PictureId],
    keep: Keep,
) -> Result<u32, Failure> {
    let ends = keep.end(studio.clock.now()).map(Moment::as_millis);
    let mut ids: Vec<&PictureId> = ids.iter().collect();
    // In order, lest two who choose at once wait for each other.
    ids.sort();
    ids.dedup();
    let mut tx = studio.db.write().await?;
    let mut chosen = 0;
    for id in ids {
        chosen += on!(tx, conn => {
            sqlx::query("UPDATE picture SET ends_ms = $3 WHERE id = $1 AND person_id = $2")
                .bind(id.to_string())
                .bind(person.to_string())
                .bind(ends)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
    }
    tx.commit().await?;
    Ok(u32::try_from(chosen).unwrap_or(u32::MAX))
}

/// Chooses for every picture of a person's, counted from now, and for what is ordered from now on;
/// answers how many pictures there are.
pub async fn choose_for_all(studio: &Studio, person: PersonId, keep: Keep) -> Result<u64, Failure> {
    let now = studio.clock.now();
    let mut tx = studio.db.write().await?;
    from_now_on(&mut tx, person, keep).await?;
    let chosen = on!(tx, conn => {
        sqlx::query("UPDATE picture SET ends_ms = $2 WHERE person_id = $1")
            .bind(person.to_string())
            .bind(keep.end(now).map(Moment::as_millis))
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(chosen)
}

/// The words of an order go that is over and private: out of its row with this transaction, their key
/// right after it. Tells whether there were any.
pub(crate) async fn forget_words(tx: &mut Tx, id: &str) -> Result<bool, Failure> {
    let forgotten = on!(tx, conn => {
        sqlx::query(
            "UPDATE job SET prompt = '', negative_prompt = NULL, unknown_words = '', \
             error_message = NULL WHERE id = $1 AND private = 1",
        )
        .bind(id)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if forgotten > 0 {
        super::keys::shredding::note_words(tx, id).await?;
    }
    Ok(forgotten > 0)
}

/// Deletes what has come to the end that its person chose; gives how much. What is of somebody whose
/// account is restricted stays until that is lifted.
pub async fn sweep(studio: &Studio) -> Result<u64, Failure> {
    let mut swept = 0;
    loop {
        let mut gone = 0;
        for (person, ids) in by_person(ended_pictures(studio).await?) {
            gone += u64::from(pictures::delete_several(studio, person, &ids).await?);
        }
        swept += gone;
        if gone == 0 {
            break;
        }
    }
    loop {
        let ended = ended_jobs(studio).await?;
        let mut gone = 0;
        for (person, job) in ended {
            let removed = jobs::remove(studio, person, job).await?;
            gone += u64::from(removed == Removal::Removed);
        }
        swept += gone;
        if gone == 0 {
            return Ok(swept);
        }
    }
}

/// The condition for rows whose time may end: of nobody who is restricted, and under no hold.
fn may_go(studio: &Studio) -> String {
    let is_refused = Operation::SweepContent.is_refused_to("person_id");
    let is_held = holds::is_held("person_id", Class::Orders, studio.clock.now());
    format!("NOT {is_refused} AND NOT {is_held}")
}

/// Pictures and orders that have stayed for longer than their person chose, by more than this.
pub(super) async fn overdue(studio: &Studio, by_ms: i64) -> Result<u64, Failure> {
    let until = studio.clock.now().plus_millis(-by_ms).as_millis();
    let mut tx = studio.db.read().await?;
    let may_go = may_go(studio);
    let overdue = format!(
        "SELECT (SELECT COUNT(*) FROM picture WHERE ends_ms <= $1 AND {may_go}), \
         (SELECT COUNT(*) FROM job WHERE kept_ms IS NOT NULL AND finished_ms + kept_ms <= $1 \
         AND NOT EXISTS (SELECT 1 FROM picture WHERE picture.job_id = job.id) AND {may_go})"
    );
    let (pictures, jobs): (i64, i64) = on!(tx, conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(overdue))
        .bind(until)
        .fetch_one(conn)
        .await
    })?;
    Ok(pictures.unsigned_abs() + jobs.unsigned_abs())
}

async fn ended_pictures(studio: &Studio) -> Result<Vec<(PersonId, PictureId)>, Failure> {
    let now = studio.clock.now().as_millis();
    let mut tx = studio.db.read().await?;
    let may_go = may_go(studio);
    let ended = format!(
        "SELECT person_id, id FROM picture WHERE ends_ms <= $1 AND {may_go} \
         ORDER BY ends_ms LIMIT $2"
    );
    let rows: Vec<(String, String)> = on!(tx, conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(ended))
        .bind(now)
        .bind(LOOK_AT_ONCE)
        .fetch_all(conn)
        .await
    })?;
    rows.into_iter().map(read).collect()
}

/// Orders that brought nothing, or whose pictures are deleted.
async fn ended_jobs(studio: &Studio) -> Result<Vec<(PersonId, JobId)>, Failure> {
    let now = studio.clock.now().as_millis();
    let mut tx = studio.db.read().await?;
    let may_go = may_go(studio);
    let ended = format!(
        "SELECT person_id, id FROM job WHERE kept_ms IS NOT NULL \
         AND finished_ms + kept_ms <= $1 AND state IN ('done', 'failed', 'cancelled') \
         AND NOT EXISTS (SELECT 1 FROM picture WHERE picture.job_id = job.id) \
         AND {may_go} LIMIT $2"
    );
    let rows: Vec<(String, String)> = on!(tx, conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(ended))
        .bind(now)
        .bind(LOOK_AT_ONCE)
        .fetch_all(conn)
        .await
    })?;
    rows.into_iter().map(read).collect()
}

fn read<Id: std::str::FromStr>((person, id): (String, String)) -> Result<(PersonId, Id), Failure> {
    let bad = || Failure::Row(format!("owner of {id}"));
    let person = person.parse().map_err(|_| bad())?;
    Ok((person, id.parse().map_err(|_| bad())?))
}

fn by_person(rows: Vec<(PersonId, PictureId)>) -> Vec<(PersonId, Vec<PictureId>)> {
    let mut people: std::collections::BTreeMap<PersonId, Vec<PictureId>> =
        std::collections::BTreeMap::new();
    for (person, id) in rows {
        people.entry(person).or_default().push(id);
    }
    people.into_iter().collect()
}

/// Sweeps whenever something comes to its end, until told to stop.
pub async fn keep_sweeping(studio: Studio, stop: Stop) {
    while !stop.is_set() {
        if let Err(error) = sweep(&studio).await {
            tracing::error!(%error, "pictures whose time is over could not be deleted; trying again");
        }
        let pause = match next_end(&studio).await {
            Ok(Some(end)) => {
                let left = end.as_millis() - studio.clock.now().as_millis();
                Duration::from_millis(left.max(1_000).unsigned_abs()).min(LOOK_EVERY)
            }
            _ => LOOK_EVERY,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.set() => {}
        }
    }
}

async fn next_end(studio: &Studio) -> Result<Option<Moment>, Failure> {
    let mut tx = studio.db.read().await?;
    let may_go = may_go(studio);
    let next = format!("SELECT MIN(ends_ms) FROM picture WHERE ends_ms IS NOT NULL AND {may_go}");
    let next: Option<i64> = on!(tx, conn => {
        sqlx::query_scalar(sqlx::AssertSqlSafe(next))
            .fetch_one(conn)
            .await
    })?;
    Ok(next.map(Moment::from_millis))
}
