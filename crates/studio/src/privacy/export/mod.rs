//! Is taken along: everything that is kept of a person, as one archive that others can read, check and
//! go on with.
//!
//! An archive is composed once: what it says is written down, sealed under a key of its own, and its
//! plan is fixed. Pictures are not copied; they never change, and are read when their turn comes. So
//! every download of it has the same bytes, and one that broke off goes on where it was.
//!
//! Architecture invariant: an archive outlives nothing that it holds. Whoever deletes a picture, an
//! order or the account ends their archives with it, keys and all.

mod compose;
pub(super) mod csv;
mod download;
mod layout;
mod manifest;
mod parts;
mod plan;
mod schema;
mod tables;
pub mod verify;

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{ExportId, PersonId};
use serde_json::json;
use tokio::sync::Semaphore;

use super::keys::{KeyError, shredding};
use super::log::{self, Event, Kind};
use super::looking::{self, Staff};
use crate::jobs::line;
use crate::{Failure, Studio};

pub use download::{Download, TooManyDownloads, open};
pub use manifest::KIND;
pub use schema::{Schema, schema};

/// How long an archive can be fetched.
pub const KEPT_MS: i64 = 24 * 60 * 60_000;
/// Archives that one person may have composed in that time.
pub const MAX_A_DAY: usize = 10;
/// Those of them that can still be fetched.
const MAX_WHOLE: usize = 2;
/// Archives that are composed at once: each reads the database as it was at one moment.
const MAX_COMPOSING: usize = 2;
static COMPOSING: Semaphore = Semaphore::const_new(MAX_COMPOSING);

/// Who asks for an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Session,
    Key,
    /// The one person of a house without accounts.
    Local,
    /// Somebody wrote a letter, and those who run the house answer it.
    Staff(Staff),
}

impl By {
    const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Key => "key",
            Self::Local => "local",
            Self::Staff(_) => "operator",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Composing,
    Ready,
    /// Its time is over, or something that it held was deleted.
    Ended,
}

impl State {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Composing => "composing",
            Self::Ready => "ready",
            Self::Ended => "ended",
        }
    }

    fn named(name: &str) -> Result<Self, Failure> {
        let all = [Self::Composing, Self::Ready, Self::Ended];
        let known = all.into_iter().find(|state| state.name() == name);
        known.ok_or_else(|| Failure::Row(format!("export that is {name:?}")))
    }
}

/// One archive.
#[derive(Clone, Debug)]
pub struct Export {
    pub id: ExportId,
    pub state: State,
    /// Of the whole archive; absent until it is composed.
    pub size_bytes: Option<u64>,
    pub files: Option<u64>,
    /// Names these very bytes.
    pub manifest_sha256: Option<String>,
    pub created: Moment,
    /// Until when it can be fetched.
    pub ends: Moment,
}

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(
        "You took everything along {MAX_A_DAY} times within a day, which is the most. Fetch the last \
         archive once more, or come back later."
    )]
    TooMany { retry_after_s: u32 },
    #[error(
        "Something of it was deleted while the archive was made, or another was asked for. Nothing was \
         handed out; ask again."
    )]
    Changed,
    #[error("Something of yours is being deleted. When that is over, ask again.")]
    BeingErased,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(ExportError);

impl From<KeyError> for ExportError {
    fn from(error: KeyError) -> Self {
        Self::Failure(error.into())
    }
}

/// Whether a key is that of an archive.
pub(crate) fn is_own(object: &str) -> bool {
    object.starts_with(ExportId::PREFIX)
}

/// Composes an archive of everything that is kept of a person now.
pub async fn begin(studio: &Studio, person: PersonId, by: By) -> Result<Export, ExportError> {
    let _place = COMPOSING.acquire().await.map_err(|_| Failure::Stopping)?;
    let now = studio.clock.now();
    let id = ExportId::new(now, &studio.randomness);
    admit(studio, person, id, by).await?;
    shredding::carry_out(studio).await?;
    match compose::compose(studio, person, id).await {
        Ok(()) => {
            let found = find(studio, person, id).await?;
            found.ok_or(ExportError::Changed)
        }
        Err(error) => {
            let mut tx = studio.db.write().await?;
            end(&mut tx, &id.to_string()).await?;
            tx.commit().await?;
            shredding::carry_out(studio).await?;
            Err(match error {
                // Something was deleted that was about to be read.
                ExportError::Failure(Failure::Keys(KeyError::Gone(_))) => ExportError::Changed,
                error => error,
            })
        }
    }
}

/// Writes down that one begins, and into the log.
async fn admit(studio: &Studio, person: PersonId, id: ExportId, by: By) -> Result<(), ExportError> {
    let now = studio.clock.now();
    let mut tx = studio.db.write().await?;
    line::lock(&mut tx, person).await?;
    let erasure: Option<Option<String>> = on!(tx, conn => {
        sqlx::query_scalar("SELECT erasure_id FROM person WHERE id = $1")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    match erasure {
        None => return Err(Failure::Gone.into()),
        Some(Some(_)) => return Err(ExportError::BeingErased),
        Some(None) => {}
    }
    let former: Vec<(String, String, i64)> = on!(tx, conn => {
        sqlx::query_as("SELECT id, state, ends_ms FROM export WHERE person_id = $1 ORDER BY id DESC")
            .bind(person.to_string())
            .fetch_all(conn)
            .await
    })?;
    let of_today: Vec<i64> = former
        .iter()
        .map(|row| row.2)
        .filter(|ends| *ends > now.as_millis())
        .collect();
    if of_today.len() >= MAX_A_DAY
        && !matches!(by, By::Staff(_))
        && let Some(first) = of_today.last()
    {
        let wait_s = (first - now.as_millis()).div_euclid(1_000) + 1;
        let retry_after_s = u32::try_from(wait_s).unwrap_or(u32::MAX);
        return Err(ExportError::TooMany { retry_after_s });
    }
    let whole = former.iter().filter(|row| row.1 != State::Ended.name());
    for (former, ..) in whole.skip(MAX_WHOLE - 1) {
        end(&mut tx, former).await?;
    }
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO export (id, person_id, state, created_ms, ends_ms) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id.to_string())
        .bind(person.to_string())
        .bind(State::Composing.name())
        .bind(now.as_millis())
        .bind(now.plus_millis(KEPT_MS).as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if let By::Staff(staff) = by {
        looking::look_at_everything(studio, &mut tx, &staff, person).await?;
    } else {
        let event = Event {
            kind: Kind::TakenAlong,
            person: Some(person),
            what: json!({ "as": "archive", "by": by.name() }),
        };
        log::note(studio, &mut tx, &event).await?;
    }
    tx.commit().await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    state: String,
    size_bytes: Option<i64>,
    files: Option<i64>,
    manifest_sha256: Option<String>,
    created_ms: i64,
    ends_ms: i64,
}

impl Row {
    fn into_export(self, now: Moment) -> Result<Export, Failure> {
        let is_over = self.ends_ms <= now.as_millis();
        let bad = |_| Failure::Row(format!("export {:?}", self.id));
        Ok(Export {
            id: self.id.parse().map_err(bad)?,
            state: match State::named(&self.state)? {
                _ if is_over => State::Ended,
                state => state,
            },
            size_bytes: self.size_bytes.map(i64::unsigned_abs),
            files: self.files.map(i64::unsigned_abs),
            manifest_sha256: self.manifest_sha256,
            created: Moment::from_millis(self.created_ms),
            ends: Moment::from_millis(self.ends_ms),
        })
    }
}

/// A person's archive; `None` where there is none, or where it is somebody else's.
pub async fn find(
    studio: &Studio,
    person: PersonId,
    id: ExportId,
) -> Result<Option<Export>, Failure> {
    let mut tx = studio.db.read().await?;
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT id, state, size_bytes, files, manifest_sha256, created_ms, ends_ms \
             FROM export WHERE id = $1 AND person_id = $2",
        )
        .bind(id.to_string())
        .bind(person.to_string())
        .fetch_optional(conn)
        .await
    })?;
    let now = studio.clock.now();
    row.map(|row| row.into_export(now)).transpose()
}

/// A person's archives of the last day, the newest first.
pub async fn list(studio: &Studio, person: PersonId) -> Result<Vec<Export>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT id, state, size_bytes, files, manifest_sha256, created_ms, ends_ms \
             FROM export WHERE person_id = $1 ORDER BY id DESC",
        )
        .bind(person.to_string())
        .fetch_all(conn)
        .await
    })?;
    let now = studio.clock.now();
    rows.into_iter().map(|row| row.into_export(now)).collect()
}

/// Ends every archive of a person with this transaction, since something that they hold goes; tells
/// how many. Their keys are noted to be shredded.
pub(crate) async fn end_of(tx: &mut Tx, person: PersonId) -> Result<u64, Failure> {
    let whole: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT id FROM export WHERE person_id = $1 AND state <> 'ended'")
            .bind(person.to_string())
            .fetch_all(conn)
            .await
    })?;
    for id in &whole {
        end(tx, id).await?;
    }
    Ok(whole.len() as u64)
}

/// Deletes what is left of archives whose time is over; tells how many.
pub(crate) async fn end_due(studio: &Studio) -> Result<u64, Failure> {
    let now = studio.clock.now().as_millis();
    let mut tx = studio.db.write().await?;
    let due: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT id FROM export WHERE ends_ms <= $1")
            .bind(now)
            .fetch_all(conn)
            .await
    })?;
    if due.is_empty() {
        return Ok(0);
    }
    for id in &due {
        end(&mut tx, id).await?;
        on!(tx, conn => {
            sqlx::query("DELETE FROM export WHERE id = $1")
                .bind(id)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
    }
    tx.commit().await?;
    shredding::carry_out(studio).await?;
    Ok(due.len() as u64)
}

pub(crate) async fn end(tx: &mut Tx, id: &str) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("UPDATE export SET state = 'ended' WHERE id = $1")
            .bind(id)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    on!(tx, conn => {
        sqlx::query("DELETE FROM export_part WHERE export_id = $1")
            .bind(id)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    shredding::note_object(tx, id).await
}
