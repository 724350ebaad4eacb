//! The queue: rows of `job`, and nothing besides. Each function here is one transaction.
//!
//! Rows are locked in this order, lest two wait for each other: the person, the request that may
//! come again, the job, the balance, the line's end. Whoever claims locks the line's head and then
//! jobs that wait; those are held by whoever cancels them alone, who waits for neither.

use std::collections::HashMap;

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{JobId, KeyId, PersonId};
use domain::model::ModelName;
use domain::picture::{Background, Size};
use domain::prompt::Prompt;

use super::line::{self, Joining, LastLook, NotNow, Place};
use super::nodes::Notice;
use super::repeat::{self, Name};
use super::words::Words;
use super::{Job, JobRow, State};
use crate::credits::{self, Charge, Held, NewHold, Quote, Refusal};
use crate::pictures;
use crate::privacy::keeping::{self, Keep};
use crate::privacy::keys::{ObjectKeys, Sealed, shredding};
use crate::privacy::restriction::Operation;
use crate::privacy::traces;
use crate::{Failure, Studio, failpoint};

/// An order that was checked and may be written down.
#[derive(Clone, Debug)]
pub struct NewJob {
    pub id: JobId,
    pub person: PersonId,
    pub model: ModelName,
    pub prompt: Prompt,
    pub negative_prompt: Option<Prompt>,
    pub size: Size,
    pub background: Background,
    pub count: u32,
    pub steps: u32,
    pub guidance: f32,
    pub seed: u32,
    /// Seeds of the pictures that are varied, eldest first.
    pub ancestors: Vec<u32>,
    pub previews: u32,
    /// How long its pictures are kept; `None` as its person chose for all.
    pub keep: Option<Keep>,
    /// Its words are forgotten when it is over.
    pub is_private: bool,
    /// The API key with which it was ordered.
    pub key: Option<KeyId>,
    pub quote: Quote,
    pub created: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    Accepted {
        /// What it costs, where it is not free.
        charge: Option<Charge>,
        keep: Keep,
    },
    /// Another request of the same name came first.
    Known,
    /// Not now: too much waits already.
    NotNow(NotNow),
    /// It can't be paid for.
    Refused(Refusal),
}

pub async fn enqueue(
    studio: &Studio,
    job: &NewJob,
    keys: &ObjectKeys,
    name: Option<&Name>,
) -> Result<Enqueued, Failure> {
    let words = Words::of(job, keys)?;
    let mut tx = studio.db.write().await?;
    let joined = line::join(&mut tx, &studio.limits, job.person, job.count, job.created).await?;
    let place = match joined {
        Ok(place) => place,
        Err(why) => return Ok(Enqueued::NotNow(why)),
    };
    if let Some(name) = name
        && repeat::is_known(studio, &mut tx, job.person, name).await?
    {
        return Ok(Enqueued::Known);
    }
    for joining in [Joining::Together, Joining::Alone] {
        // Whoever has to join alone begins anew, but keeps the person's row: a request that repeats this
        // one must not pass it.
        line::mark(&studio.db, &mut tx, joining).await?;
        let Some(enqueued) = write(studio, &mut tx, job, &words, name, &place, joining).await?
        else {
            continue;
        };
        if matches!(enqueued, Enqueued::Accepted { .. }) {
            tx.tell(&Notice::Arrived.text()).await?;
            failpoint::here("enqueue-uncommitted");
            tx.commit().await?;
            failpoint::here("enqueue-committed");
        }
        return Ok(enqueued);
    }
    Err(Failure::Row(
        "the line, crowded for who was alone".to_owned(),
    ))
}

/// Writes a job down that has its place; `None` where it has to join the line alone.
async fn write(
    studio: &Studio,
    tx: &mut Tx,
    job: &NewJob,
    words: &Words,
    name: Option<&Name>,
    place: &Place,
    joining: Joining,
) -> Result<Option<Enqueued>, Failure> {
    let of_all = if job.is_private {
        Keep::For(keeping::PRIVATE_MS)
    } else {
        place.keep
    };
    let keep = job.keep.unwrap_or(of_all);
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO job (id, person_id, state, model, prompt, negative_prompt, width, height, \
             count, steps, guidance, seed, ancestors, previews, attempts, unknown_words, created_ms, \
             tier, turn, kept_ms, private, transparent) \
             VALUES ($1, $2, 'queued', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, $14, $15, $16, \
             $17, $18, $19, $20)",
        )
        .bind(job.id.to_string())
        .bind(job.person.to_string())
        .bind(job.model.as_str())
        .bind(words.prompt.as_str())
        .bind(words.negative_prompt.as_ref().map(Sealed::as_str))
        .bind(i64::from(job.size.width))
        .bind(i64::from(job.size.height))
        .bind(i64::from(job.count))
        .bind(i64::from(job.steps))
        .bind(f64::from(job.guidance))
        .bind(i64::from(job.seed))
        .bind(serde_json::json!(job.ancestors).to_string())
        .bind(i64::from(job.previews))
        .bind(words.unknown_words.as_str())
        .bind(job.created.as_millis())
        .bind(place.tier)
        .bind(place.turn)
        .bind(keep.stored())
        .bind(i64::from(job.is_private))
        .bind(i64::from(job.background == Background::Transparent))
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if let Some(name) = name
        && !repeat::remember(studio, tx, job.person, job.id, name).await?
    {
        return Ok(Some(Enqueued::Known));
    }
    let hold = NewHold {
        job: job.id,
        person: job.person,
        key: job.key,
        model: &job.model,
        quote: job.quote,
    };
    let charge = match credits::hold(studio, tx, &hold).await? {
        Held::Free => None,
        Held::Held => Some(Charge {
            price: job.quote.price,
            quoted: job.quote.total(),
            charged: None,
        }),
        Held::Refused(refusal) => return Ok(Some(Enqueued::Refused(refusal))),
    };
    // Where others write at the same time, they were not counted before.
    if studio.db.is_shared() {
        match line::look(tx, &studio.limits, joining, job.created).await? {
            LastLook::Joined => {}
            LastLook::Crowded => return Ok(None),
            LastLook::Full(why) => return Ok(Some(Enqueued::NotNow(why))),
        }
    }
    Ok(Some(Enqueued::Accepted { charge, keep }))
}

/// Jobs that are looked at for one batch.
const MAX_LOOKED_AT: i64 = 32;

/// Takes the first job in line, and with it neighbours that fit into the same forward pass: same
/// model, size and step count, at most `max_pictures` in all. A neighbour is one that comes next
/// anyway, or has the same turn, so that nobody waits a round longer for it. Empty where nothing
/// waits, or only jobs of people who have as many running as they may.
///
/// Whoever claims alone may record what came of a job, until its lease ends.
pub async fn claim(
    studio: &Studio,
    max_pictures: impl Fn(&ModelName) -> usize,
) -> Result<Vec<Job>, Failure> {
    let mut tx = studio.db.write().await?;
    // One claims at a time: then nobody passes anybody, and no limit is passed by two at once.
    let served: i64 = on!(tx, conn => {
        sqlx::query_scalar("UPDATE queue SET turn = turn WHERE id = 1 RETURNING turn")
            .fetch_one(conn)
            .await
    })?;
    let rows = batch(&mut tx, studio.limits.max_running_jobs_each, max_pictures).await?;
    let Some(turn) = rows.iter().map(|row| row.turn).min() else {
        return Ok(Vec::new());
    };
    let now = studio.clock.now();
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    // Remembered where this process took the order.
    let keys = studio.keys.objects(&ids).await?;
    let mut claimed = Vec::new();
    for row in rows {
        let Some(keys) = keys.get(&row.id) else {
            end_unreadable(studio, &mut tx, &row).await?;
            continue;
        };
        let mut job = row.into_job(keys)?;
        job.state = State::Drawing;
        job.attempts += 1;
        job.claims += 1;
        job.started = Some(now);
        let taken = on!(tx, conn => {
            sqlx::query(
                "UPDATE job SET state = 'drawing', attempts = attempts + 1, started_ms = $2, \
                 claims = $3, worker = $4, lease_until_ms = $5 WHERE id = $1 AND state = 'queued'",
            )
            .bind(job.id.to_string())
            .bind(now.as_millis())
            .bind(job.claims)
            .bind(studio.board.node().to_string())
            .bind(studio.limits.lease_end(now).as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
        // None where it was cancelled in this very moment.
        if taken > 0 {
            claimed.push(job);
        }
    }
    on!(tx, conn => {
        sqlx::query("UPDATE queue SET turn = $1 WHERE id = 1")
            .bind(served.max(turn))
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    for job in &claimed {
        tx.tell(&Notice::Begun(job.id).text()).await?;
        // Before the commit: whoever cancels after it finds the drawing on the board.
        studio.board.begin(job);
    }
    failpoint::here("claim-uncommitted");
    if let Err(error) = tx.commit().await {
        for job in &claimed {
            studio.board.lose(job.id);
        }
        return Err(error.into());
    }
    failpoint::here("claim-committed");
    Ok(claimed)
}

/// Ends a job whose keys are gone, so that nobody can read what it asks for.
async fn end_unreadable(studio: &Studio, tx: &mut Tx, row: &JobRow) -> Result<(), Failure> {
    let id: JobId = row
        .id
        .parse()
        .map_err(|_| Failure::Row("job id".to_owned()))?;
    let ended = on!(tx, conn => {
        sqlx::query(
            "UPDATE job SET state = 'cancelled', finished_ms = $2 WHERE id = $1 AND state = 'queued'",
        )
        .bind(&row.id)
        .bind(studio.clock.now().as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if ended > 0 {
        keeping::forget_words(tx, &row.id).await?;
        credits::settle(studio, tx, id, 0).await?;
        tx.tell(&Notice::Cancelled(id).text()).await?;
    }
    Ok(())
}

async fn batch(
    tx: &mut Tx,
    max_running_each: u32,
    max_pictures: impl Fn(&ModelName) -> usize,
) -> Result<Vec<JobRow>, Failure> {
    let is_refused = Operation::Draw.is_refused_to("person_id");
    let next = format!(
        "SELECT * FROM job WHERE state = 'queued' AND person_id NOT IN \
         (SELECT person_id FROM job WHERE state = 'drawing' GROUP BY person_id HAVING COUNT(*) >= $1) \
         AND NOT {is_refused} ORDER BY tier, turn, created_ms, id LIMIT $2"
    );
    let first: Vec<JobRow> = on!(tx, conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(next))
        .bind(i64::from(max_running_each))
        .bind(MAX_LOOKED_AT)
        .fetch_all(conn)
        .await
    })?;
    let Some(head) = first.first() else {
        return Ok(Vec::new());
    };
    let neighbours = format!(
        "SELECT * FROM job WHERE state = 'queued' AND tier = $1 AND turn = $2 AND model = $3 \
         AND width = $4 AND height = $5 AND steps = $6 AND NOT {is_refused} \
         ORDER BY created_ms, id LIMIT $7"
    );
    let same_turn: Vec<JobRow> = on!(tx, conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(neighbours))
        .bind(head.tier)
        .bind(head.turn)
        .bind(&head.model)
        .bind(head.width)
        .bind(head.height)
        .bind(head.steps)
        .bind(MAX_LOOKED_AT)
        .fetch_all(conn)
        .await
    })?;
    let running: Vec<(String, i64)> = on!(tx, conn => {
        sqlx::query_as("SELECT person_id, COUNT(*) FROM job WHERE state = 'drawing' GROUP BY person_id")
            .fetch_all(conn)
            .await
    })?;
    let mut running: HashMap<String, i64> = running.into_iter().collect();
    let most = max_pictures(&ModelName::new(head.model.clone()));
    let shape = |row: &JobRow| (row.model.clone(), row.width, row.height, row.steps);
    let wanted = shape(head);
    let next = first.into_iter().take_while(|row| shape(row) == wanted);
    let mut taken: Vec<JobRow> = Vec::new();
    let mut pictures = 0;
    for row in next.chain(same_turn) {
        let count = usize::try_from(row.count).unwrap_or(usize::MAX);
        let fits = taken.is_empty() || pictures + count <= most;
        let of_person = running.entry(row.person_id.clone()).or_default();
        let is_known = taken.iter().any(|known| known.id == row.id);
        if fits && !is_known && *of_person < i64::from(max_running_each) {
            *of_person += 1;
            pictures += count;
            taken.push(row);
        }
    }
    Ok(taken)
}

/// Shreds the keys of what was private, once that is committed.
pub(super) async fn words_are_gone(studio: &Studio) -> Result<(), Failure> {
    if shredding::carry_out(studio).await? > 0 {
        traces::are_left();
    }
    Ok(())
}

/// Marks a person's job as cancelled; `false` where it was over already or is not theirs.
pub async fn cancel(studio: &Studio, person: PersonId, id: JobId) -> Result<bool, Failure> {
    let mut tx = studio.db.write().await?;
    line::lock(&mut tx, person).await?;
    if !end_unfinished(studio, &mut tx, person, id).await? {
        return Ok(false);
    }
    failpoint::here("cancel-uncommitted");
    tx.commit().await?;
    failpoint::here("cancel-committed");
    words_are_gone(studio).await?;
    Ok(true)
}

/// Cancels a job that nobody waits for, unless its answer was asked for again after the `asked`-th
/// request.
pub async fn abandon(
    studio: &Studio,
    person: PersonId,
    id: JobId,
    asked: i64,
) -> Result<bool, Failure> {
    let mut tx = studio.db.write().await?;
    line::lock(&mut tx, person).await?;
    if !repeat::forget(&mut tx, id, asked).await? {
        return Ok(false);
    }
    let cancelled = end_unfinished(studio, &mut tx, person, id).await?;
    // What was over already keeps its name: whoever comes again gets the answer.
    if cancelled {
        tx.commit().await?;
        words_are_gone(studio).await?;
    }
    Ok(cancelled)
}

/// The person's row is locked.
pub(crate) async fn end_unfinished(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    id: JobId,
) -> Result<bool, Failure> {
    let cancelled: Option<(i64, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "UPDATE job SET state = 'cancelled', finished_ms = $3, worker = NULL, \
             lease_until_ms = NULL WHERE id = $1 AND person_id = $2 \
             AND state IN ('queued', 'drawing') RETURNING attempts, count",
        )
        .bind(id.to_string())
        .bind(person.to_string())
        .bind(studio.clock.now().as_millis())
        .fetch_optional(conn)
        .await
    })?;
    let Some((attempts, count)) = cancelled else {
        return Ok(false);
    };
    keeping::forget_words(tx, &id.to_string()).await?;
    if attempts == 0 {
        let count = u32::try_from(count).unwrap_or(0);
        line::give_back(tx, person, count).await?;
    }
    credits::settle(studio, tx, id, 0).await?;
    tx.tell(&Notice::Cancelled(id).text()).await?;
    Ok(true)
}

/// Cancels whatever of a person waits or is being drawn; gives those jobs, which the board does not know
/// of yet. The person's row is locked.
pub(crate) async fn end_all(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
) -> Result<Vec<JobId>, Failure> {
    let mut ids: Vec<String> = Vec::new();
    // One after the other, since each has an index of its own.
    for state in [State::Queued, State::Drawing] {
        ids.extend::<Vec<String>>(on!(tx, conn => {
            sqlx::query_scalar("SELECT id FROM job WHERE person_id = $1 AND state = $2")
                .bind(person.to_string())
                .bind(state.name())
                .fetch_all(conn)
                .await
        })?);
    }
    ids.sort();
    let mut ended = Vec::new();
    for id in &ids {
        let id = id
            .parse()
            .map_err(|_| Failure::Row(format!("job id {id:?}")))?;
        if end_unfinished(studio, tx, person, id).await? {
            ended.push(id);
        }
    }
    Ok(ended)
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
    traces::are_left();
    shredding::carry_out(studio).await?;
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
    let removed = on!(tx, conn => {
        sqlx::query(
            "DELETE FROM job WHERE id = $1 \
             AND NOT EXISTS (SELECT 1 FROM picture WHERE picture.job_id = job.id)",
        )
        .bind(id)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if removed > 0 {
        shredding::note_object(tx, id).await?;
    }
    Ok(())
}

/// Puts a job that was begun back, as if it had not been: the program is stopping.
pub async fn put_back(studio: &Studio, job: &Job) -> Result<(), Failure> {
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query(
            "UPDATE job SET state = 'queued', attempts = attempts - 1, started_ms = NULL, \
             worker = NULL, lease_until_ms = NULL \
             WHERE id = $1 AND state = 'drawing' AND claims = $2",
        )
        .bind(job.id.to_string())
        .bind(job.claims)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    tx.tell(&Notice::Arrived.text()).await?;
    failpoint::here("put-back-uncommitted");
    tx.commit().await?;
    Ok(())
}
