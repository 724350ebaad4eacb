//! A request that comes again gets the first's answer, and is charged once.
//!
//! A client names a request, and for a day that name means that request. Or it says that it tries
//! one again: then the one that it means is the latest of the same words, still unfinished or over
//! for less than a minute. Two equal requests of which neither says so are two orders: whoever asks
//! twice for a red apple wants two.
//!
//! A request whose client has left waits no more. Where nobody waits for a job, it is given up once
//! the clients had time to come again, or as soon as it is drawn.

use db::{Tx, on};
use domain::ids::{JobId, PersonId};
use sha2::{Digest, Sha256};

use super::{Job, State};
use crate::{Failure, Studio};

/// For how long the name of a request means that request.
const NAMED_MS: i64 = 24 * 60 * 60_000;
/// For how long an attempt without a name may be repeated, once its job is over.
const UNNAMED_MS: i64 = 60_000;

/// What makes a request known when it comes again. Holds hashes alone; what is stored of them is a
/// keyed hash each, since who guesses a prompt could compare a plain one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    key_sha256: Option<String>,
    body_sha256: String,
    /// The client says that it sent this before.
    is_again: bool,
}

impl Name {
    /// `key` as the client named it, where it did; `body` with whatever else tells two requests
    /// apart.
    #[must_use]
    pub fn new(key: Option<&[u8]>, body: &[&[u8]], is_again: bool) -> Self {
        let mut hasher = Sha256::new();
        for part in body {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self {
            key_sha256: key.map(|key| hex(&Sha256::digest(key))),
            body_sha256: hex(&hasher.finalize()),
            is_again,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What of a name is stored.
struct Stored {
    key: Option<String>,
    body: String,
}

impl Name {
    fn stored(&self, studio: &Studio) -> Stored {
        let blind = |hash: &str| studio.keys.blind("repeat", hash);
        Stored {
            key: self.key_sha256.as_deref().map(blind),
            body: blind(&self.body_sha256),
        }
    }
}

/// Whose answer a request gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nobody's: it is the first.
    New,
    /// An earlier one's. This is the `asked`-th request that gets it.
    Again { job: JobId, asked: i64 },
    /// The name stands for another request.
    OtherBody,
}

/// Finds the request that this one repeats, and counts this one with it.
pub(crate) async fn find(studio: &Studio, person: PersonId, name: &Name) -> Result<Known, Failure> {
    if name.key_sha256.is_none() && !name.is_again {
        return Ok(Known::New);
    }
    let mut tx = studio.db.write().await?;
    let Some((job, body)) = earlier(studio, &mut tx, person, name).await? else {
        return Ok(Known::New);
    };
    if body != name.stored(studio).body {
        return Ok(Known::OtherBody);
    }
    let asked: Option<i64> = on!(tx, conn => {
        sqlx::query_scalar(
            "UPDATE repeat SET asked = asked + 1, present = present + 1 WHERE job_id = $1 \
             RETURNING asked",
        )
        .bind(&job)
        .fetch_optional(conn)
        .await
    })?;
    // Given up in this very moment, it is nobody's answer.
    let Some(asked) = asked else {
        return Ok(Known::New);
    };
    tx.commit().await?;
    let job = job
        .parse()
        .map_err(|_| Failure::Row(format!("job id {job:?}")))?;
    Ok(Known::Again { job, asked })
}

/// Whether the attempt before this one was written down while this one was on its way. The
/// person's row is locked.
pub(crate) async fn is_known(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    name: &Name,
) -> Result<bool, Failure> {
    // Two of the same key can't both be written down.
    let looks = name.key_sha256.is_none() && name.is_again;
    Ok(looks && earlier(studio, tx, person, name).await?.is_some())
}

/// The job of the request that this one repeats, and that request's body.
async fn earlier(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    name: &Name,
) -> Result<Option<(String, String)>, Failure> {
    let now_ms = studio.clock.now().as_millis();
    let stored = name.stored(studio);
    Ok(match &stored.key {
        Some(key) => on!(tx, conn => {
            sqlx::query_as(
                "SELECT job_id, body_sha256 FROM repeat \
                 WHERE person_id = $1 AND key_sha256 = $2 AND expires_ms > $3",
            )
            .bind(person.to_string())
            .bind(key)
            .bind(now_ms)
            .fetch_optional(conn)
            .await
        })?,
        None => on!(tx, conn => {
            // Where several run at once, each attempt gets another's answer. What failed was not
            // charged, and is drawn anew.
            sqlx::query_as(
                "SELECT repeat.job_id, repeat.body_sha256 FROM repeat \
                 JOIN job ON job.id = repeat.job_id \
                 WHERE repeat.person_id = $1 AND repeat.body_sha256 = $2 \
                 AND repeat.key_sha256 IS NULL AND job.state <> $3 \
                 AND (job.finished_ms IS NULL OR job.finished_ms > $4) \
                 ORDER BY repeat.asked, job.created_ms DESC, job.id LIMIT 1",
            )
            .bind(person.to_string())
            .bind(&stored.body)
            .bind(State::Failed.name())
            .bind(now_ms - UNNAMED_MS)
            .fetch_optional(conn)
            .await
        })?,
    })
}

/// Writes down what a new job's request was; `false` where another of the same name came first.
pub(crate) async fn remember(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    job: JobId,
    name: &Name,
) -> Result<bool, Failure> {
    let now_ms = studio.clock.now().as_millis();
    let stored = name.stored(studio);
    if let Some(key) = &stored.key {
        on!(tx, conn => {
            sqlx::query("DELETE FROM repeat WHERE person_id = $1 AND key_sha256 = $2 AND expires_ms <= $3")
                .bind(person.to_string())
                .bind(key)
                .bind(now_ms)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
    }
    let written = on!(tx, conn => {
        sqlx::query(
            "INSERT INTO repeat (job_id, person_id, key_sha256, body_sha256, asked, present, expires_ms) \
             VALUES ($1, $2, $3, $4, 1, 1, $5) ON CONFLICT (person_id, key_sha256) DO NOTHING",
        )
        .bind(job.to_string())
        .bind(person.to_string())
        .bind(&stored.key)
        .bind(&stored.body)
        .bind(now_ms + NAMED_MS)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(written > 0)
}

/// A client has left. Gives how many requests had asked for the job's answer, where nobody waits
/// for it any more.
pub(crate) async fn leave(studio: &Studio, job: JobId) -> Result<Option<i64>, Failure> {
    let mut tx = studio.db.write().await?;
    let left: Option<(i64, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "UPDATE repeat SET present = present - 1 WHERE job_id = $1 RETURNING present, asked",
        )
        .bind(job.to_string())
        .fetch_optional(conn)
        .await
    })?;
    tx.commit().await?;
    Ok(left
        .filter(|(present, _)| *present <= 0)
        .map(|(_, asked)| asked))
}

/// Lets the request of a job that nobody waits for be forgotten, so that it is drawn anew when it
/// comes again; `false` where somebody waits, or has asked for its answer after the `asked`-th
/// request.
pub(crate) async fn forget(tx: &mut Tx, job: JobId, asked: i64) -> Result<bool, Failure> {
    let forgotten = on!(tx, conn => {
        sqlx::query("DELETE FROM repeat WHERE job_id = $1 AND present <= 0 AND asked = $2")
            .bind(job.to_string())
            .bind(asked)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(forgotten > 0)
}

/// As [`forget`], whoever asked before, while the job is this claim's.
pub(crate) async fn forget_if_left(tx: &mut Tx, job: &Job) -> Result<bool, Failure> {
    let forgotten = on!(tx, conn => {
        sqlx::query(
            "DELETE FROM repeat WHERE job_id = $1 AND present <= 0 AND EXISTS \
             (SELECT 1 FROM job WHERE id = $1 AND state = 'drawing' AND claims = $2)",
        )
        .bind(job.id.to_string())
        .bind(job.claims)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(forgotten > 0)
}

/// Deletes what no repetition can mean any more.
pub async fn sweep(studio: &Studio) -> Result<u64, Failure> {
    let now_ms = studio.clock.now().as_millis();
    let mut tx = studio.db.write().await?;
    let swept = on!(tx, conn => {
        sqlx::query(
            "DELETE FROM repeat WHERE expires_ms <= $1 OR (key_sha256 IS NULL AND EXISTS \
             (SELECT 1 FROM job WHERE job.id = repeat.job_id AND job.finished_ms <= $2))",
        )
        .bind(now_ms)
        .bind(now_ms - UNNAMED_MS)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(swept)
}
