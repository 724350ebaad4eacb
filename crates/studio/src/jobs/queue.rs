//! The queue: rows of `job`, and nothing besides. Each function here is one transaction.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{JobId, KeyId, PersonId};
use domain::model::ModelName;
use domain::picture::Size;
use domain::prompt::Prompt;

use super::{Job, JobError, JobRow, State};
use crate::credits::{self, Held, NewHold, Quote, Refusal};
use crate::pictures::{self, NewPicture};
use crate::{Failure, Studio};

/// An order that was checked and may be written down.
#[derive(Clone, Debug)]
pub struct NewJob {
    pub id: JobId,
    pub person: PersonId,
    pub model: ModelName,
    pub prompt: Prompt,
    pub negative_prompt: Option<Prompt>,
    pub size: Size,
    pub count: u32,
    pub steps: u32,
    pub guidance: f32,
    pub seed: u32,
    pub previews: u32,
    /// The API key with which it was ordered.
    pub key: Option<KeyId>,
    pub quote: Quote,
    pub created: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    Accepted,
    Full {
        waiting: u32,
    },
    /// It can't be paid for.
    Refused(Refusal),
}

pub async fn enqueue(studio: &Studio, job: &NewJob) -> Result<Enqueued, Failure> {
    let mut tx = studio.db.write().await?;
    let waiting: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM job WHERE state = 'queued'").fetch_one(conn).await
    })?;
    if waiting >= i64::from(studio.limits.max_waiting_jobs) {
        return Ok(Enqueued::Full {
            waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
        });
    }
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO job (id, person_id, state, model, prompt, negative_prompt, width, height, \
             count, steps, guidance, seed, previews, attempts, unknown_words, created_ms) \
             VALUES ($1, $2, 'queued', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, '[]', $13)",
        )
        .bind(job.id.to_string())
        .bind(job.person.to_string())
        .bind(job.model.as_str())
        .bind(job.prompt.expose())
        .bind(job.negative_prompt.as_ref().map(Prompt::expose))
        .bind(i64::from(job.size.width))
        .bind(i64::from(job.size.height))
        .bind(i64::from(job.count))
        .bind(i64::from(job.steps))
        .bind(f64::from(job.guidance))
        .bind(i64::from(job.seed))
        .bind(i64::from(job.previews))
        .bind(job.created.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    let hold = NewHold {
        job: job.id,
        person: job.person,
        key: job.key,
        model: &job.model,
        quote: job.quote,
    };
    if let Held::Refused(refusal) = credits::hold(studio, &mut tx, &hold).await? {
        return Ok(Enqueued::Refused(refusal));
    }
    tx.commit().await?;
    Ok(Enqueued::Accepted)
}

/// Claims the oldest job, and the neighbours that can be drawn in the same forward passes: same
/// model, size and step count, at most `max_pictures` in all. Empty where nothing waits.
pub async fn claim(
    studio: &Studio,
    max_pictures: impl Fn(&ModelName) -> usize,
) -> Result<Vec<Job>, Failure> {
    let mut tx = studio.db.write().await?;
    let waiting: Vec<JobRow> = waiting_alike(&mut tx).await?;
    let mut claimed = Vec::new();
    let mut pictures = 0;
    for row in waiting {
        let job = row.into_job()?;
        pictures += job.count as usize;
        if !claimed.is_empty() && pictures > max_pictures(&job.model) {
            break;
        }
        claimed.push(job);
    }
    let now = studio.clock.now();
    for job in &mut claimed {
        job.state = State::Drawing;
        job.attempts += 1;
        job.started = Some(now);
        on!(tx, conn => {
            sqlx::query(
                "UPDATE job SET state = 'drawing', attempts = attempts + 1, started_ms = $2 \
                 WHERE id = $1",
            )
            .bind(job.id.to_string())
            .bind(now.as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
    }
    tx.commit().await?;
    Ok(claimed)
}

async fn waiting_alike(tx: &mut Tx) -> Result<Vec<JobRow>, Failure> {
    let first = format!(
        "SELECT * FROM job WHERE state = 'queued' ORDER BY created_ms, id LIMIT 1{}",
        tx.skip_locked()
    );
    let alike = format!(
        "SELECT * FROM job WHERE state = 'queued' AND model = $1 AND width = $2 AND height = $3 \
         AND steps = $4 ORDER BY created_ms, id LIMIT 32{}",
        tx.skip_locked()
    );
    let oldest: Option<JobRow> = on!(tx, conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(first)).fetch_optional(conn).await
    })?;
    let Some(oldest) = oldest else {
        return Ok(Vec::new());
    };
    Ok(on!(tx, conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(alike))
            .bind(&oldest.model)
            .bind(oldest.width)
            .bind(oldest.height)
            .bind(oldest.steps)
            .fetch_all(conn)
            .await
    })?)
}

/// What became of a job that was drawn.
#[derive(Debug)]
pub struct Outcome {
    pub pictures: Vec<NewPicture>,
    pub unknown_words: Vec<String>,
    /// Why pictures are missing, where some are.
    pub error: Option<JobError>,
}

/// Records what a job brought. `false` where it is no longer being drawn, because it was cancelled
/// meanwhile: then nothing is recorded.
pub async fn finish(studio: &Studio, id: JobId, outcome: &Outcome) -> Result<bool, Failure> {
    let state = if outcome.pictures.is_empty() {
        State::Failed
    } else {
        State::Done
    };
    let words = serde_json::to_string(&outcome.unknown_words).unwrap_or_else(|_| "[]".to_owned());
    let mut tx = studio.db.write().await?;
    let changed = on!(tx, conn => {
        sqlx::query(
            "UPDATE job SET state = $2, unknown_words = $3, error_code = $4, error_message = $5, \
             finished_ms = $6 WHERE id = $1 AND state = 'drawing'",
        )
        .bind(id.to_string())
        .bind(state.name())
        .bind(&words)
        .bind(outcome.error.as_ref().map(|error| error.code.as_str()))
        .bind(outcome.error.as_ref().map(|error| error.message.as_str()))
        .bind(studio.clock.now().as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if changed == 0 {
        return Ok(false);
    }
    for picture in &outcome.pictures {
        pictures::insert(&mut tx, picture).await?;
    }
    let delivered = u32::try_from(outcome.pictures.len()).unwrap_or(u32::MAX);
    credits::settle(studio, &mut tx, id, delivered).await?;
    tx.commit().await?;
    Ok(true)
}

/// Marks a person's job as cancelled; `false` where it was over already or is not theirs.
pub async fn cancel(studio: &Studio, person: PersonId, id: JobId) -> Result<bool, Failure> {
    let mut tx = studio.db.write().await?;
    let changed = on!(tx, conn => {
        sqlx::query(
            "UPDATE job SET state = 'cancelled', finished_ms = $3 \
             WHERE id = $1 AND person_id = $2 AND state IN ('queued', 'drawing')",
        )
        .bind(id.to_string())
        .bind(person.to_string())
        .bind(studio.clock.now().as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if changed > 0 {
        credits::settle(studio, &mut tx, id, 0).await?;
    }
    tx.commit().await?;
    Ok(changed > 0)
}

/// Removes a person's job that is over, with the rows of its pictures, whose files are then the
/// caller's to delete.
pub async fn remove(studio: &Studio, person: PersonId, id: JobId) -> Result<Removed, Failure> {
    let mut tx = studio.db.write().await?;
    let state: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT state FROM job WHERE id = $1 AND person_id = $2")
            .bind(id.to_string())
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    let Some(state) = state else {
        return Ok(Removed::Missing);
    };
    if !state.parse::<State>()?.is_final() {
        return Ok(Removed::Unfinished);
    }
    let blobs = pictures::delete_rows(&mut tx, id).await?;
    remove_if_empty(&mut tx, &id.to_string()).await?;
    tx.commit().await?;
    Ok(Removed::Gone { blobs })
}

/// What became of a job that shall be removed.
#[derive(Debug)]
pub enum Removed {
    /// Its row is gone; these files are still there.
    Gone {
        blobs: Vec<String>,
    },
    Unfinished,
    Missing,
}

/// Removes the row of a job that has no picture any more.
pub(crate) async fn remove_if_empty(tx: &mut Tx, id: &str) -> Result<(), Failure> {
    // Locks the row, lest two who delete the last two pictures each still see the other's.
    on!(tx, conn => {
        sqlx::query("UPDATE job SET count = count WHERE id = $1")
            .bind(id)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    on!(tx, conn => {
        sqlx::query(
            "DELETE FROM job WHERE id = $1 \
             AND NOT EXISTS (SELECT 1 FROM picture WHERE picture.job_id = job.id)",
        )
        .bind(id)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Puts a job that was begun back, as if it had not been: the program is stopping.
pub async fn put_back(studio: &Studio, id: JobId) -> Result<(), Failure> {
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query(
            "UPDATE job SET state = 'queued', attempts = attempts - 1, started_ms = NULL \
             WHERE id = $1 AND state = 'drawing'",
        )
        .bind(id.to_string())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(())
}

/// After a start: jobs that a dead process was drawing wait again, or have failed too often. Gives
/// every job that waits, oldest first, with its number of pictures.
pub async fn recover(studio: &Studio) -> Result<Vec<(JobId, u32)>, Failure> {
    let mut tx = studio.db.write().await?;
    let given_up: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "UPDATE job SET state = 'failed', finished_ms = $2, error_code = 'interrupted', \
             error_message = 'The program stopped several times while drawing this, so it was given up. Nothing was charged. Try again, or try fewer pictures.' \
             WHERE state = 'drawing' AND attempts >= $1 RETURNING id",
        )
        .bind(i64::from(studio.limits.max_attempts))
        .bind(studio.clock.now().as_millis())
        .fetch_all(conn)
        .await
    })?;
    for id in given_up {
        let id = id
            .parse()
            .map_err(|_| Failure::Row(format!("id of {id}")))?;
        credits::settle(studio, &mut tx, id, 0).await?;
    }
    on!(tx, conn => {
        sqlx::query("UPDATE job SET state = 'queued', started_ms = NULL WHERE state = 'drawing'")
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    let rows: Vec<JobRow> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM job WHERE state = 'queued' ORDER BY created_ms, id")
            .fetch_all(conn)
            .await
    })?;
    tx.commit().await?;
    let waiting = rows
        .into_iter()
        .map(|row| row.into_job().map(|job| (job.id, job.count)));
    waiting.collect()
}
