//! A person's statement: their entries, each with what it was for and what was there after it.

use db::on;
use domain::clock::Moment;
use domain::credits::Credits;
use domain::ids::{EntryId, GrantId, JobId, PersonId};
use domain::model::ModelName;
use domain::prompt::Prompt;

use super::grants::READ_REASON;
use super::ledger::Kind;
use crate::jobs::{self, Page};
use crate::{Failure, Studio};

/// One entry as its person sees it.
#[derive(Clone, Debug)]
pub struct Line {
    pub id: EntryId,
    /// Counts the person's entries, from 1.
    pub ordinal: u64,
    pub kind: Kind,
    pub at: Moment,
    pub available: Credits,
    pub held: Credits,
    pub available_after: Credits,
    pub held_after: Credits,
    pub what: What,
}

impl Line {
    /// By how much the whole, held or not, grew or shrank: a hold changes nothing.
    #[must_use]
    pub fn change(&self) -> Credits {
        sum(self.available, self.held)
    }

    /// The whole after it: the one before, and the change.
    #[must_use]
    pub fn balance_after(&self) -> Credits {
        sum(self.available_after, self.held_after)
    }
}

/// Both are bounded by the database, far below an overflow.
fn sum(available: Credits, held: Credits) -> Credits {
    available.checked_add(held).unwrap_or(Credits::MAX)
}

/// What an entry was for.
#[derive(Clone, Debug)]
pub enum What {
    Job {
        id: JobId,
        model: ModelName,
        asked: u32,
        /// Once the job is over.
        delivered: Option<u32>,
        price: Credits,
        /// Until the job is removed.
        prompt: Option<Prompt>,
    },
    Grant {
        id: GrantId,
        is_welcome: bool,
        reason: String,
        ends: Option<Moment>,
    },
}

/// A person's entries, newest first, from the one after `before`. Without `holds`, those are left
/// out that change nothing but what is held.
pub async fn page(
    studio: &Studio,
    person: PersonId,
    before: Option<EntryId>,
    limit: u32,
    holds: bool,
) -> Result<Page<Line, EntryId>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT entry.*, hold.model, hold.pictures, hold.delivered, hold.price, job.prompt, \
             credit_grant.kind AS grant_kind, credit_grant.reason, credit_grant.ends_ms \
             FROM entry LEFT JOIN hold ON hold.job_id = entry.job_id \
             LEFT JOIN job ON job.id = entry.job_id \
             LEFT JOIN credit_grant ON credit_grant.id = entry.grant_id \
             WHERE entry.person_id = $1 AND entry.ordinal < COALESCE( \
             (SELECT ordinal FROM entry WHERE id = $2 AND person_id = $1), $3) \
             AND (entry.kind <> 'hold' OR $4 = 1) ORDER BY entry.ordinal DESC LIMIT $5",
        )
        .bind(person.to_string())
        .bind(before.map(|id| id.to_string()))
        // Without a page before, from the newest; after an entry of somebody else, nothing.
        .bind(if before.is_none() { i64::MAX } else { 0 })
        .bind(i64::from(holds))
        .bind(i64::from(limit) + 1)
        .fetch_all(conn)
        .await
    })?;
    let more = rows.len() > limit as usize;
    drop(tx);
    let rows = rows.into_iter().take(limit as usize).collect();
    let items = read(studio, person, rows).await?;
    let next = items.last().map(|line| line.id).filter(|_| more);
    Ok(Page { items, next })
}

/// A person's entries, oldest first, after the `after`-th: a part of a download.
pub async fn part(
    studio: &Studio,
    person: PersonId,
    after: u64,
    limit: u32,
) -> Result<Vec<Line>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT entry.*, hold.model, hold.pictures, hold.delivered, hold.price, job.prompt, \
             credit_grant.kind AS grant_kind, credit_grant.reason, credit_grant.ends_ms \
             FROM entry LEFT JOIN hold ON hold.job_id = entry.job_id \
             LEFT JOIN job ON job.id = entry.job_id \
             LEFT JOIN credit_grant ON credit_grant.id = entry.grant_id \
             WHERE entry.person_id = $1 AND entry.ordinal > $2 ORDER BY entry.ordinal LIMIT $3",
        )
        .bind(person.to_string())
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    read(studio, person, rows).await
}

/// Opens what is sealed in rows of a person.
async fn read(studio: &Studio, person: PersonId, rows: Vec<Row>) -> Result<Vec<Line>, Failure> {
    let cipher = studio.keys.of(person).await?;
    let jobs: Vec<&str> = rows
        .iter()
        .filter_map(|row| row.job_id.as_deref())
        .collect();
    let keys = studio.keys.objects(&jobs).await?;
    let mut lines = Vec::new();
    for mut row in rows {
        if let (Some(id), Some(reason)) = (&row.grant_id, &row.reason) {
            row.reason = Some(cipher.open(READ_REASON, id, reason)?.into_exposed());
        }
        let keys = row.job_id.as_ref().and_then(|id| keys.get(id));
        row.prompt = match (&row.job_id, &row.prompt, keys) {
            (Some(id), Some(words), Some(keys)) if !words.is_empty() => Some(
                keys.words()?
                    .open(jobs::READ_PROMPT, id, words)?
                    .into_exposed(),
            ),
            // Its words were deleted, or it was private.
            _ => None,
        };
        lines.push(row.into_line()?);
    }
    Ok(lines)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    ordinal: i64,
    kind: String,
    job_id: Option<String>,
    grant_id: Option<String>,
    available: i64,
    held: i64,
    available_after: i64,
    held_after: i64,
    created_ms: i64,
    model: Option<String>,
    pictures: Option<i64>,
    delivered: Option<i64>,
    price: Option<i64>,
    prompt: Option<String>,
    grant_kind: Option<String>,
    reason: Option<String>,
    ends_ms: Option<i64>,
}

impl Row {
    fn into_line(self) -> Result<Line, Failure> {
        let row = |what: &str| Failure::Row(format!("{what} of {}", self.id));
        let number = |n: Option<i64>, what: &str| {
            n.and_then(|n| u32::try_from(n).ok())
                .ok_or_else(|| row(what))
        };
        let known = Kind::ALL.into_iter().find(|kind| kind.name() == self.kind);
        let what = match (&self.job_id, &self.grant_id) {
            (Some(id), _) => What::Job {
                id: id.parse().map_err(|_| row("job"))?,
                model: ModelName::new(self.model.as_deref().ok_or_else(|| row("model"))?),
                asked: number(self.pictures, "pictures")?,
                delivered: match self.delivered {
                    None => None,
                    some => Some(number(some, "delivered")?),
                },
                price: Credits::new(self.price.ok_or_else(|| row("price"))?),
                prompt: self
                    .prompt
                    .as_deref()
                    .and_then(|words| Prompt::new(words).ok()),
            },
            (None, Some(id)) => What::Grant {
                id: id.parse().map_err(|_| row("grant"))?,
                is_welcome: self.grant_kind.as_deref() == Some("welcome"),
                reason: self.reason.clone().ok_or_else(|| row("reason"))?,
                ends: self.ends_ms.map(Moment::from_millis),
            },
            (None, None) => return Err(row("cause")),
        };
        Ok(Line {
            id: self.id.parse().map_err(|_| row("id"))?,
            ordinal: u64::try_from(self.ordinal).map_err(|_| row("ordinal"))?,
            kind: known.ok_or_else(|| row("kind"))?,
            at: Moment::from_millis(self.created_ms),
            available: Credits::new(self.available),
            held: Credits::new(self.held),
            available_after: Credits::new(self.available_after),
            held_after: Credits::new(self.held_after),
            what,
        })
    }
}
