//! Restriction of processing (Art. 18 GDPR), as a mode of the account: what is of a person is kept, and
//! nothing is done with it but what they do themselves by their rights.
//!
//! Architecture invariant: the mode is read with whoever asks, for every request, and by whatever works
//! in the background, in the statement that finds its work. Nothing remembers it.

pub mod child;
mod operation;

use std::time::Duration;

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{JobId, PersonId};
use serde_json::json;

pub use operation::{Mode, Operation};

use super::inventory::Purpose;
use super::keys::{Place, Reading, Sealed};
use super::log::{self, Event, Kind};
use crate::accounts::person;
use crate::jobs::worker::Stop;
use crate::jobs::{line, queue};
use crate::letters::{self, Letter};
use crate::{Failure, Studio};

const REASON: Place = Place::new("restriction", "reason");
const READ_REASON: Reading = REASON.read_for(Purpose::Rights);
pub const MAX_REASON_CHARS: usize = 1_000;
/// How long before it is lifted a person is told (Art. 18(3) GDPR).
pub const NOTICE_MS: i64 = 3 * 24 * 60 * 60 * 1_000;

/// How an account is restricted.
#[derive(Clone, Debug)]
pub struct Restriction {
    pub mode: Mode,
    /// Why, where it was not the person.
    pub reason: Option<String>,
    pub since: Moment,
    /// When it will be lifted, where that was announced.
    pub lifts: Option<Moment>,
}

#[derive(Debug, thiserror::Error)]
pub enum RestrictError {
    #[error(
        "This account was restricted by those who run this house, and only they can lift that. You can object to it, or complain, by a request on the page /account/requests."
    )]
    Held,
    #[error("Say why, in at most {MAX_REASON_CHARS} characters: the person reads it.")]
    Reason,
    #[error(
        "This account is locked because its person is too young for this house. What can be done about that stands at /account/restriction; those who run the house weigh it at /desk/children."
    )]
    Minor,
    #[error("This account is not restricted.")]
    Open,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(RestrictError);

/// How somebody is restricted; `None` where they are not.
pub async fn of(studio: &Studio, person: PersonId) -> Result<Option<Restriction>, Failure> {
    type Row = (String, Option<String>, i64, Option<i64>);
    let id = person.to_string();
    let mut tx = studio.db.read().await?;
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT mode, reason, since_ms, lift_ms FROM restriction WHERE person_id = $1")
            .bind(&id)
            .fetch_optional(conn)
            .await
    })?;
    drop(tx);
    let Some((mode, reason, since_ms, lift_ms)) = row else {
        return Ok(None);
    };
    let cipher = studio.keys.of(person).await?;
    let reason = cipher.open_some(READ_REASON, &id, reason.as_deref())?;
    Ok(Some(Restriction {
        mode: read(Some(&mode))?,
        reason: reason.map(|reason| reason.into_exposed()),
        since: Moment::from_millis(since_ms),
        lifts: lift_ms.map(Moment::from_millis),
    }))
}

/// A mode as it stands in its column; no row is an open account.
pub(crate) fn read(stored: Option<&str>) -> Result<Mode, Failure> {
    match stored {
        None => Ok(Mode::Open),
        Some(name) => {
            Mode::named(name).ok_or_else(|| Failure::Row(format!("mode of an account {name:?}")))
        }
    }
}

/// The mode of an account.
pub(crate) async fn mode_in(tx: &mut Tx, person: PersonId) -> Result<Mode, Failure> {
    let mode: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT mode FROM restriction WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    read(mode.as_deref())
}

/// The person wants it so. What waits or is being drawn is cancelled, and costs nothing. Again changes
/// nothing.
pub async fn restrict(studio: &Studio, person: PersonId) -> Result<(), Failure> {
    begin(studio, person, Mode::Restricted, None).await
}

/// Those who run the house decide so: the person is told by a letter and reads why.
pub async fn hold(studio: &Studio, person: PersonId, reason: &str) -> Result<(), RestrictError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON_CHARS {
        return Err(RestrictError::Reason);
    }
    Ok(begin(studio, person, Mode::Held, Some(reason)).await?)
}

async fn begin(
    studio: &Studio,
    person: PersonId,
    mode: Mode,
    reason: Option<&str>,
) -> Result<(), Failure> {
    let mut tx = studio.db.write().await?;
    let Some(cancelled) = begin_in(studio, &mut tx, person, mode, reason).await? else {
        return Ok(());
    };
    tell(studio, &mut tx, person, &Letter::Restricted).await?;
    tx.commit().await?;
    for job in cancelled {
        studio.board.cancel(job);
    }
    studio.board.announce();
    Ok(())
}

/// Gives the orders that are cancelled by it; `None` where nothing changes.
async fn begin_in(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    mode: Mode,
    reason: Option<&str>,
) -> Result<Option<Vec<JobId>>, Failure> {
    let id = person.to_string();
    let now = studio.clock.now();
    let cipher = studio.keys.of(person).await?;
    let place = match mode {
        Mode::Minor => child::KNOWN,
        Mode::Open | Mode::Restricted | Mode::Held => REASON,
    };
    let sealed = reason.map(|reason| cipher.seal(place, &id, reason));
    // Whoever orders holds the same lock: no order slips in between.
    line::lock(tx, person).await?;
    // What the house decided stays as it is, whatever the person sets; and a child's account is a child's.
    let statement = match mode {
        Mode::Minor => {
            "INSERT INTO restriction (person_id, mode, known, since_ms) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (person_id) DO UPDATE SET mode = excluded.mode, known = excluded.known, \
             former = restriction.mode, since_ms = excluded.since_ms, lift_ms = NULL \
             WHERE restriction.mode <> excluded.mode"
        }
        Mode::Held => {
            "INSERT INTO restriction (person_id, mode, reason, since_ms) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (person_id) DO UPDATE SET mode = excluded.mode, reason = excluded.reason, \
             lift_ms = NULL WHERE restriction.mode <> 'minor'"
        }
        Mode::Restricted | Mode::Open => {
            "INSERT INTO restriction (person_id, mode, reason, since_ms) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (person_id) DO UPDATE SET lift_ms = NULL \
             WHERE restriction.mode = excluded.mode AND restriction.lift_ms IS NOT NULL"
        }
    };
    let changed = on!(tx, conn => {
        sqlx::query(statement)
            .bind(&id)
            .bind(mode.name())
            .bind(sealed.as_ref().map(Sealed::as_str))
            .bind(now.as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    if changed == 0 {
        return Ok(None);
    }
    let cancelled = queue::end_all(studio, tx, person).await?;
    note(studio, tx, person, Kind::Restricted, mode, reason).await?;
    Ok(Some(cancelled))
}

/// The person lifts what the person set; it holds at once.
pub async fn lift(studio: &Studio, person: PersonId) -> Result<(), RestrictError> {
    let mut tx = studio.db.write().await?;
    line::lock(&mut tx, person).await?;
    match mode_in(&mut tx, person).await? {
        Mode::Open => return Err(RestrictError::Open),
        Mode::Held => return Err(RestrictError::Held),
        Mode::Minor => return Err(RestrictError::Minor),
        Mode::Restricted => {}
    }
    end(studio, &mut tx, person).await?;
    tx.commit().await?;
    Ok(())
}

/// Those who run the house want it lifted: the person is told, and has [`NOTICE_MS`] to speak up. Gives
/// when it ends. Again changes nothing.
pub async fn announce_lift(studio: &Studio, person: PersonId) -> Result<Moment, RestrictError> {
    let lifts = studio.clock.now().plus_millis(NOTICE_MS);
    let mut tx = studio.db.write().await?;
    line::lock(&mut tx, person).await?;
    let announced: Option<i64> = on!(tx, conn => {
        sqlx::query_scalar(
            "UPDATE restriction SET lift_ms = $2 WHERE person_id = $1 AND lift_ms IS NULL \
             AND mode <> 'minor' RETURNING lift_ms",
        )
        .bind(person.to_string())
        .bind(lifts.as_millis())
        .fetch_optional(conn)
        .await
    })?;
    if announced.is_none() {
        if mode_in(&mut tx, person).await? == Mode::Minor {
            return Err(RestrictError::Minor);
        }
        drop(tx);
        let known = of(studio, person).await?.and_then(|found| found.lifts);
        return known.ok_or(RestrictError::Open);
    }
    let letter = Letter::RestrictionEnds {
        at_ms: lifts.as_millis(),
    };
    tell(studio, &mut tx, person, &letter).await?;
    tx.commit().await?;
    Ok(lifts)
}

/// Lifts whatever was announced and is due; gives how many.
pub async fn lift_due(studio: &Studio) -> Result<u32, Failure> {
    let now = studio.clock.now().as_millis();
    let mut tx = studio.db.read().await?;
    let due: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT person_id FROM restriction WHERE lift_ms <= $1 ORDER BY person_id")
            .bind(now)
            .fetch_all(conn)
            .await
    })?;
    drop(tx);
    let mut lifted = 0;
    for id in due {
        let person = id
            .parse()
            .map_err(|_| Failure::Row("id of a restricted person".to_owned()))?;
        let mut tx = studio.db.write().await?;
        line::lock(&mut tx, person).await?;
        let still: Option<String> = on!(tx, conn => {
            sqlx::query_scalar("SELECT mode FROM restriction WHERE person_id = $1 AND lift_ms <= $2")
                .bind(&id)
                .bind(now)
                .fetch_optional(conn)
                .await
        })?;
        if still.is_some() {
            end(studio, &mut tx, person).await?;
            tx.commit().await?;
            lifted += 1;
        }
    }
    Ok(lifted)
}

const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Lifts what is due, until told to stop.
pub async fn keep_lifting(studio: Studio, stop: Stop) {
    while !stop.is_set() {
        if let Err(error) = lift_due(&studio).await {
            tracing::error!(%error, "restrictions that are over could not be lifted; trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.set() => {}
        }
    }
}

async fn end(studio: &Studio, tx: &mut Tx, person: PersonId) -> Result<(), Failure> {
    end_for(studio, tx, person, None).await
}

async fn end_for(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    reason: Option<&str>,
) -> Result<(), Failure> {
    let former = mode_in(tx, person).await?;
    on!(tx, conn => {
        sqlx::query("DELETE FROM restriction WHERE person_id = $1")
            .bind(person.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    note(studio, tx, person, Kind::RestrictionLifted, former, reason).await
}

async fn note(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    kind: Kind,
    mode: Mode,
    reason: Option<&str>,
) -> Result<(), Failure> {
    let event = Event {
        kind,
        person: Some(person),
        what: json!({ "mode": mode.name(), "reason": reason }),
    };
    log::note(studio, tx, &event).await?;
    Ok(())
}

async fn tell(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    letter: &Letter,
) -> Result<(), Failure> {
    let address = person::address_of(studio, tx, person).await?;
    if address.is_some() {
        letters::enqueue(studio, tx, Some(person), address.as_ref(), letter).await?;
    }
    Ok(())
}
