//! The queue, who comes when, who draws, and how far each job is, over several processes.
//!
//! A job is `queued`, then `drawing`, then one of `done`, `failed`, `cancelled` for good.

pub mod lease;
pub mod line;
pub mod nodes;
pub mod outcome;
pub mod progress;
pub mod queue;
pub mod repeat;
mod words;
pub mod worker;

use std::str::FromStr;

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{JobId, PersonId};
use domain::model::ModelName;
use domain::picture::{Background, Size};
use domain::prompt::Prompt;
use tokio::sync::watch;

use self::progress::{Progress, Sketch};
use self::queue::NewJob;
use crate::credits::{self, Charge};
use crate::pictures::{self, Picture};
use crate::privacy::holds::{self, Class};
use crate::privacy::inventory::Purpose;
use crate::privacy::keeping::Keep;
use crate::privacy::keys::{ObjectKeys, Place, Reading};
use crate::{Failure, Studio};

pub(crate) const PROMPT: Place = Place::new("job", "prompt");
pub(crate) const NEGATIVE_PROMPT: Place = Place::new("job", "negative_prompt");
pub(crate) const UNKNOWN_WORDS: Place = Place::new("job", "unknown_words");
pub(crate) const ERROR_MESSAGE: Place = Place::new("job", "error_message");
/// Drawn, and shown to whoever ordered it.
pub(crate) const READ_PROMPT: Reading = PROMPT.read_for(Purpose::Drawing);
const READ_NEGATIVE_PROMPT: Reading = NEGATIVE_PROMPT.read_for(Purpose::Drawing);
const READ_UNKNOWN_WORDS: Reading = UNKNOWN_WORDS.read_for(Purpose::Drawing);
const READ_ERROR_MESSAGE: Reading = ERROR_MESSAGE.read_for(Purpose::Drawing);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Queued,
    Drawing,
    Done,
    Failed,
    Cancelled,
}

impl State {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Drawing => "drawing",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Nothing will change any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

impl FromStr for State {
    type Err = Failure;
    fn from_str(text: &str) -> Result<Self, Failure> {
        let all = [
            Self::Queued,
            Self::Drawing,
            Self::Done,
            Self::Failed,
            Self::Cancelled,
        ];
        let known = all.into_iter().find(|state| state.name() == text);
        known.ok_or_else(|| Failure::Row(format!("job state {text:?}")))
    }
}

/// A job as its owner sees it.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: JobId,
    pub person: PersonId,
    pub state: State,
    pub model: ModelName,
    /// `None` where it is forgotten: the order was private, and is over.
    pub prompt: Option<Prompt>,
    pub negative_prompt: Option<Prompt>,
    pub size: Size,
    pub background: Background,
    pub count: u32,
    pub steps: u32,
    pub guidance: f32,
    /// Of the first picture; the others count up from it.
    pub seed: u32,
    /// Seeds of the pictures that it varies, eldest first.
    pub ancestors: Vec<u32>,
    pub previews: u32,
    /// How often it was begun.
    pub attempts: u32,
    /// How often it was claimed: the number of the claim that may record what came of it.
    pub(crate) claims: i64,
    /// Jobs that come before this one, where it waits.
    pub ahead: u32,
    /// Its words are forgotten when it is over.
    pub is_private: bool,
    /// How long its pictures are kept.
    pub keep: Keep,
    /// Words that the model left out.
    pub unknown_words: Vec<String>,
    /// Why it failed, or why some of its pictures are missing.
    pub error: Option<JobError>,
    pub created: Moment,
    pub started: Option<Moment>,
    pub finished: Option<Moment>,
    /// What it costs; absent where it is free.
    pub charge: Option<Charge>,
    /// What arrived, in order.
    pub pictures: Vec<Picture>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobError {
    pub code: String,
    /// What happened and what to do, for the person.
    pub message: String,
}

/// One page of a list, newest first.
#[derive(Clone, Debug)]
pub struct Page<T, Id> {
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Id>,
}

/// A person's job; `None` where there is none, or where it is somebody else's.
pub async fn find(studio: &Studio, person: PersonId, id: JobId) -> Result<Option<Job>, Failure> {
    let mut tx = studio.db.read().await?;
    let row: Option<JobRow> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM job WHERE id = $1 AND person_id = $2")
            .bind(id.to_string())
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    let Some(row) = row else { return Ok(None) };
    let keys = studio.keys.object(&row.id).await?;
    Ok(Some(whole(&mut tx, row, &keys).await?))
}

/// A job that was just written down, with its place in the line.
pub(crate) async fn new(
    studio: &Studio,
    new: NewJob,
    charge: Option<Charge>,
    keep: Keep,
) -> Result<Job, Failure> {
    let mut tx = studio.db.read().await?;
    let ahead = line::ahead(&mut tx, &new.id.to_string()).await?;
    Ok(Job {
        id: new.id,
        person: new.person,
        state: State::Queued,
        model: new.model,
        prompt: Some(new.prompt),
        negative_prompt: new.negative_prompt,
        size: new.size,
        background: new.background,
        count: new.count,
        steps: new.steps,
        guidance: new.guidance,
        seed: new.seed,
        ancestors: new.ancestors,
        previews: new.previews,
        attempts: 0,
        claims: 0,
        ahead,
        is_private: new.is_private,
        keep,
        unknown_words: Vec::new(),
        error: None,
        created: new.created,
        started: None,
        finished: None,
        charge,
        pictures: Vec::new(),
    })
}

/// A job with its pictures, or its place in the line.
async fn whole(tx: &mut Tx, row: JobRow, keys: &ObjectKeys) -> Result<Job, Failure> {
    let mut job = row.into_job(keys)?;
    if job.state == State::Queued {
        job.ahead = line::ahead(tx, &job.id.to_string()).await?;
    } else {
        job.pictures = pictures::of_job(tx, job.id, keys).await?;
    }
    job.charge = credits::of_job(tx, job.id).await?;
    Ok(job)
}

/// Follows a job until it is over, wherever it is drawn; `None` where it is over.
#[must_use]
pub fn follow(studio: &Studio, job: &Job) -> Option<watch::Receiver<Progress>> {
    (!job.state.is_final()).then(|| studio.board.follow(job))
}

/// How far a job is, as far as this process knows; `None` where it is over.
#[must_use]
pub fn glance(studio: &Studio, job: &Job) -> Option<Progress> {
    if job.state.is_final() {
        return None;
    }
    let as_stored = || Progress {
        state: job.state,
        ahead: job.ahead,
        pictures: vec![Sketch::default(); job.count as usize],
        left_ms: None,
    };
    Some(studio.board.glance(job.id).unwrap_or_else(as_stored))
}

/// A person's jobs, newest first, from the one after `before`.
pub async fn recent(
    studio: &Studio,
    person: PersonId,
    before: Option<JobId>,
    limit: u32,
) -> Result<Page<Job, JobId>, Failure> {
    let mut tx = studio.db.read().await?;
    // '~' sorts after every id.
    let before = before.map_or_else(|| "~".to_owned(), |id| id.to_string());
    let rows: Vec<JobRow> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM job WHERE person_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3")
            .bind(person.to_string())
            .bind(before)
            .bind(i64::from(limit) + 1)
            .fetch_all(conn)
            .await
    })?;
    let more = rows.len() > limit as usize;
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let keys = studio.keys.objects(&ids).await?;
    let mut items = Vec::new();
    for row in rows.into_iter().take(limit as usize) {
        // Without a key it was removed just now, or is about to be.
        if let Some(keys) = keys.get(&row.id) {
            items.push(whole(&mut tx, row, keys).await?);
        }
    }
    let next = items.last().map(|job| job.id).filter(|_| more);
    Ok(Page { items, next })
}

/// Cancels a person's job. A job that is over stays as it is. `None` where there is none.
pub async fn cancel(studio: &Studio, person: PersonId, id: JobId) -> Result<Option<Job>, Failure> {
    if queue::cancel(studio, person, id).await? {
        studio.board.cancel(id);
        studio.board.announce();
    }
    find(studio, person, id).await
}

/// The client of a job whose request may come again has left. Gives how many requests had asked for
/// its answer, where nobody waits for it any more.
pub async fn leave(studio: &Studio, id: JobId) -> Result<Option<i64>, Failure> {
    repeat::leave(studio, id).await
}

/// Cancels a job that nobody waits for, unless its answer was asked for again after the `asked`-th
/// request.
pub async fn abandon(
    studio: &Studio,
    person: PersonId,
    id: JobId,
    asked: i64,
) -> Result<(), Failure> {
    if queue::abandon(studio, person, id, asked).await? {
        studio.board.cancel(id);
        studio.board.announce();
    }
    Ok(())
}

/// What became of a job that shall be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    Removed,
    /// It is not over yet, so it stays.
    Unfinished,
    /// The person has no such job.
    Missing,
}

/// Removes a job that is over, its words and its pictures: the rows at once, the files right after.
pub async fn remove(studio: &Studio, person: PersonId, id: JobId) -> Result<Removal, Failure> {
    let mut tx = studio.db.read().await?;
    holds::check(studio, &mut tx, person, Class::Orders).await?;
    drop(tx);
    forget(studio, person, id).await
}

/// The same, also where something is held: nobody can open it any more.
pub(crate) async fn forget(
    studio: &Studio,
    person: PersonId,
    id: JobId,
) -> Result<Removal, Failure> {
    match queue::remove(studio, person, id).await? {
        queue::Removed::Gone { blobs } => {
            pictures::delete_files(studio, &blobs).await?;
            Ok(Removal::Removed)
        }
        queue::Removed::Unfinished => Ok(Removal::Unfinished),
        queue::Removed::Missing => Ok(Removal::Missing),
    }
}

/// Waits until a job is over. `None` where the person has no such job.
pub async fn wait(studio: &Studio, person: PersonId, id: JobId) -> Result<Option<Job>, Failure> {
    wait_with(studio, person, id, None).await
}

/// As [`wait`], for somebody who follows the job already, perhaps.
pub async fn wait_with(
    studio: &Studio,
    person: PersonId,
    id: JobId,
    live: Option<watch::Receiver<Progress>>,
) -> Result<Option<Job>, Failure> {
    if let Some(mut live) = live {
        let _ = live.wait_for(|progress| progress.state.is_final()).await;
    }
    loop {
        let found = find(studio, person, id).await?;
        let Some(mut live) = found.as_ref().and_then(|job| follow(studio, job)) else {
            return Ok(found);
        };
        // An error means that the board let the job go, which it does when the job is over.
        let _ = live.wait_for(|progress| progress.state.is_final()).await;
    }
}

#[derive(sqlx::FromRow)]
pub(crate) struct JobRow {
    pub(crate) id: String,
    pub(crate) person_id: String,
    state: String,
    pub(crate) model: String,
    prompt: String,
    negative_prompt: Option<String>,
    pub(crate) width: i64,
    pub(crate) height: i64,
    pub(crate) count: i64,
    pub(crate) steps: i64,
    guidance: f64,
    seed: i64,
    ancestors: String,
    previews: i64,
    attempts: i64,
    unknown_words: String,
    error_code: Option<String>,
    error_message: Option<String>,
    created_ms: i64,
    started_ms: Option<i64>,
    finished_ms: Option<i64>,
    pub(crate) tier: i64,
    pub(crate) turn: i64,
    claims: i64,
    kept_ms: Option<i64>,
    private: i64,
    transparent: i64,
}

/// What of a job can be read with the key of its words alone.
#[derive(Default)]
struct Said {
    prompt: Option<Prompt>,
    negative_prompt: Option<Prompt>,
    unknown_words: Vec<String>,
    error: Option<JobError>,
}

/// Where the words are forgotten, what the model said of them is as well.
const FORGOTTEN: &str = "It could not be drawn. It was private, so its words and what went wrong with \
    them are forgotten. Nothing was charged for what is missing. Order it anew.";

impl JobRow {
    fn words(&self, keys: &ObjectKeys) -> Result<Said, Failure> {
        let row = |what: &str| Failure::Row(format!("{what} of {}", self.id));
        let code = self.error_code.clone();
        if self.prompt.is_empty() {
            let forgotten = |code| JobError {
                code,
                message: FORGOTTEN.to_owned(),
            };
            return Ok(Said {
                error: code.map(forgotten),
                ..Said::default()
            });
        }
        let cipher = keys.words()?;
        let words = |reading: Reading, stored: &str| {
            let text = cipher.open(reading, &self.id, stored)?;
            Prompt::new(text.expose()).map_err(|_| row("prompt"))
        };
        let unknown_words = cipher.open(READ_UNKNOWN_WORDS, &self.id, &self.unknown_words)?;
        let negative = self.negative_prompt.as_deref();
        let message =
            cipher.open_some(READ_ERROR_MESSAGE, &self.id, self.error_message.as_deref())?;
        Ok(Said {
            prompt: Some(words(READ_PROMPT, &self.prompt)?),
            negative_prompt: negative
                .map(|text| words(READ_NEGATIVE_PROMPT, text))
                .transpose()?,
            unknown_words: serde_json::from_str(unknown_words.expose())
                .map_err(|_| row("words"))?,
            error: code.zip(message).map(|(code, message)| JobError {
                code,
                message: message.into_exposed(),
            }),
        })
    }

    pub(crate) fn into_job(self, keys: &ObjectKeys) -> Result<Job, Failure> {
        let row = |what: &str| Failure::Row(format!("{what} of {}", self.id));
        let number = |n: i64, what: &str| u32::try_from(n).map_err(|_| row(what));
        let said = self.words(keys)?;
        Ok(Job {
            id: self.id.parse().map_err(|_| row("id"))?,
            person: self.person_id.parse().map_err(|_| row("person"))?,
            state: self.state.parse()?,
            prompt: said.prompt,
            negative_prompt: said.negative_prompt,
            size: Size {
                width: number(self.width, "width")?,
                height: number(self.height, "height")?,
            },
            background: match self.transparent {
                0 => Background::Opaque,
                _ => Background::Transparent,
            },
            count: number(self.count, "count")?,
            steps: number(self.steps, "steps")?,
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it was an f32 when it was stored"
            )]
            guidance: self.guidance as f32,
            seed: number(self.seed, "seed")?,
            ancestors: serde_json::from_str(&self.ancestors).map_err(|_| row("ancestors"))?,
            previews: number(self.previews, "previews")?,
            attempts: number(self.attempts, "attempts")?,
            claims: self.claims,
            ahead: 0,
            is_private: self.private != 0,
            keep: Keep::of_stored(self.kept_ms),
            unknown_words: said.unknown_words,
            error: said.error,
            created: Moment::from_millis(self.created_ms),
            started: self.started_ms.map(Moment::from_millis),
            finished: self.finished_ms.map(Moment::from_millis),
            charge: None,
            pictures: Vec::new(),
            model: ModelName::new(self.model),
        })
    }
}
