//! Children: once it is known that somebody is younger than the house lets in, the account is locked, its
//! person is told and may contest it once, and what is theirs is erased within three days, with a receipt.
//!
//! Architecture invariant: nothing of the age is written down but that it is below the threshold, and that
//! only as the mode of the account, which goes with it.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::PersonId;
use domain::role::Role;

use super::{MAX_REASON_CHARS, Mode, begin_in, end_for, mode_in, note, read, tell};
use crate::accounts::{person, session, standing};
use crate::jobs::line;
use crate::letters::Letter;
use crate::privacy::duty::tell_overseers;
use crate::privacy::erasure::{self, AskedBy, EraseError, Scope};
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::{Place, Reading};
use crate::privacy::log::Kind;
use crate::privacy::looking::{self, Staff, View};
use crate::{Failure, Studio};

const HOUR_MS: i64 = 60 * 60 * 1_000;
/// For how long it can be contested; who says nothing is erased then.
pub const CONTEST_MS: i64 = 48 * HOUR_MS;
/// Who contested it is erased then, unless it was lifted: an hour before the three days are over.
const WEIGHED_MS: i64 = 71 * HOUR_MS;
/// Since it is known; after that an audit finds it.
pub const ERASED_WITHIN_MS: i64 = 72 * HOUR_MS;
pub const MAX_WORDS_CHARS: usize = 2_000;

pub(super) const KNOWN: Place = Place::new("restriction", "known");
const CONTEST: Place = Place::new("restriction", "contest");
const READ_KNOWN: Reading = KNOWN.read_for(Purpose::Rights);
const READ_CONTEST: Reading = CONTEST.read_for(Purpose::Rights);
const SHOWN: View = View::of(&[(
    Purpose::Rights,
    &[
        KNOWN,
        CONTEST,
        Place::new("restriction", "mode"),
        Place::new("restriction", "since_ms"),
        Place::new("restriction", "erase_ms"),
        Place::new("restriction", "contested_ms"),
    ],
)]);

#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    #[error("Say why, in at most {MAX_REASON_CHARS} characters: the person reads it.")]
    Reason,
    #[error("Say why it is wrong, in at most {MAX_WORDS_CHARS} characters.")]
    Words,
    #[error(
        "This is an account of somebody who runs the house. Take the role away first: \
         pinhole admin person role --email ADDRESS person"
    )]
    Staff,
    #[error("This account is not locked.")]
    Open,
    #[error("It was contested already, or the two days for that are over.")]
    Late,
    #[error("There is no account with that address or id.")]
    Unknown,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(ChildError);

/// An account that is locked.
#[derive(Clone, Debug)]
pub struct Locked {
    pub person: PersonId,
    /// Why; `None` where its person said so.
    pub reason: Option<String>,
    pub since: Moment,
    pub erased: Moment,
    /// What its person says against it.
    pub contest: Option<String>,
    /// Until when that can be said.
    pub contestable: Option<Moment>,
}

/// The person says that they are too young.
pub async fn state(studio: &Studio, person: PersonId) -> Result<(), ChildError> {
    lock(studio, person, None).await
}

/// Those who run the house know it, and say from where.
pub async fn find(studio: &Studio, person: PersonId, reason: &str) -> Result<(), ChildError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON_CHARS {
        return Err(ChildError::Reason);
    }
    lock(studio, person, Some(reason)).await
}

/// Again changes nothing.
async fn lock(studio: &Studio, person: PersonId, reason: Option<&str>) -> Result<(), ChildError> {
    let account = person::find(studio, person).await?;
    if account.ok_or(ChildError::Unknown)?.role != Role::Person {
        return Err(ChildError::Staff);
    }
    let erased = studio.clock.now().plus_millis(CONTEST_MS);
    let mut tx = studio.db.write().await?;
    let begun = begin_in(studio, &mut tx, person, Mode::Minor, reason).await?;
    let Some(cancelled) = begun else {
        return Ok(());
    };
    on!(tx, conn => {
        sqlx::query("UPDATE restriction SET erase_ms = $2 WHERE person_id = $1")
            .bind(person.to_string())
            .bind(erased.as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    // Who said it goes on to read what becomes of it; others have to prove again who they are.
    if reason.is_some() {
        session::end_all(&mut tx, person).await?;
        standing::tell(&mut tx).await?;
    }
    let letter = Letter::ChildLocked {
        at_ms: erased.as_millis(),
    };
    tell(studio, &mut tx, person, &letter).await?;
    tx.commit().await?;
    for job in cancelled {
        studio.board.cancel(job);
    }
    studio.board.announce();
    Ok(())
}

/// The person says, once, that it is not so. Those who run the house weigh it within the three days.
pub async fn contest(studio: &Studio, person: PersonId, words: &str) -> Result<(), ChildError> {
    let words = words.trim();
    if words.is_empty() || words.chars().count() > MAX_WORDS_CHARS {
        return Err(ChildError::Words);
    }
    let id = person.to_string();
    let now = studio.clock.now();
    let cipher = studio.keys.of(person).await.map_err(Failure::from)?;
    let sealed = cipher.seal(CONTEST, &id, words);
    let mut tx = studio.db.write().await?;
    line::lock(&mut tx, person).await?;
    if mode_in(&mut tx, person).await? != Mode::Minor {
        return Err(ChildError::Open);
    }
    let since: Option<i64> = on!(tx, conn => {
        sqlx::query_scalar(
            "UPDATE restriction SET contest = $2, contested_ms = $3, erase_ms = since_ms + $4 \
             WHERE person_id = $1 AND contested_ms IS NULL AND since_ms > $5 RETURNING since_ms",
        )
        .bind(&id)
        .bind(sealed.as_str())
        .bind(now.as_millis())
        .bind(WEIGHED_MS)
        .bind(now.plus_millis(-CONTEST_MS).as_millis())
        .fetch_optional(conn)
        .await
    })?;
    let since = since.ok_or(ChildError::Late)?;
    let letter = Letter::ChildContested {
        person: id,
        at_ms: since + WEIGHED_MS,
    };
    tell_overseers(studio, &mut tx, Some(person), &letter).await?;
    tx.commit().await?;
    Ok(())
}

/// Those who run the house find that the person is old enough, and say why: the account is open again.
pub async fn unlock(studio: &Studio, person: PersonId, reason: &str) -> Result<(), ChildError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON_CHARS {
        return Err(ChildError::Reason);
    }
    let mut tx = studio.db.write().await?;
    line::lock(&mut tx, person).await?;
    let is_going = !person::stays(&mut tx, person).await?;
    if is_going || mode_in(&mut tx, person).await? != Mode::Minor {
        return Err(ChildError::Open);
    }
    // Back to what the person or the house wanted before.
    let restored = on!(tx, conn => {
        sqlx::query(
            "UPDATE restriction SET mode = former, former = NULL, known = NULL, erase_ms = NULL, \
             contest = NULL, contested_ms = NULL WHERE person_id = $1 AND former IS NOT NULL",
        )
        .bind(person.to_string())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    match restored {
        0 => end_for(studio, &mut tx, person, Some(reason)).await?,
        _ => {
            let (kind, mode) = (Kind::RestrictionLifted, Mode::Minor);
            note(studio, &mut tx, person, kind, mode, Some(reason)).await?;
        }
    }
    let text = reason.to_owned();
    tell(studio, &mut tx, person, &Letter::ChildUnlocked { text }).await?;
    tx.commit().await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    person_id: String,
    mode: String,
    known: Option<String>,
    since_ms: i64,
    erase_ms: Option<i64>,
    contest: Option<String>,
    contested_ms: Option<i64>,
}

impl Row {
    async fn open(
        self,
        studio: &Studio,
        readings: [Reading; 2],
    ) -> Result<Option<Locked>, Failure> {
        let bad = |_| Failure::Row("id of a locked account".to_owned());
        let person: PersonId = self.person_id.parse().map_err(bad)?;
        if read(Some(&self.mode))? != Mode::Minor {
            return Ok(None);
        }
        let cipher = studio.keys.of(person).await?;
        let open =
            |reading, stored: Option<&str>| cipher.open_some(reading, &self.person_id, stored);
        let [of_known, of_contest] = readings;
        let until = self.since_ms + CONTEST_MS;
        let is_contestable = self.contested_ms.is_none() && studio.clock.now().as_millis() < until;
        Ok(Some(Locked {
            person,
            reason: open(of_known, self.known.as_deref())?.map(|text| text.into_exposed()),
            contest: open(of_contest, self.contest.as_deref())?.map(|text| text.into_exposed()),
            since: Moment::from_millis(self.since_ms),
            erased: Moment::from_millis(self.erase_ms.unwrap_or(until)),
            contestable: is_contestable.then(|| Moment::from_millis(until)),
        }))
    }
}

/// How the account of somebody is locked, for themselves; `None` where it is not.
pub async fn of(studio: &Studio, person: PersonId) -> Result<Option<Locked>, Failure> {
    let mut tx = studio.db.read().await?;
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM restriction WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    drop(tx);
    match row {
        Some(row) => row.open(studio, [READ_KNOWN, READ_CONTEST]).await,
        None => Ok(None),
    }
}

/// Every account that is locked, for those who weigh what is said against it; the most urgent first.
pub async fn locked(studio: &Studio, staff: &Staff) -> Result<Vec<Locked>, Failure> {
    let mut tx = studio.db.write().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM restriction WHERE mode = 'minor' ORDER BY erase_ms, person_id")
            .fetch_all(conn)
            .await
    })?;
    let whose: Result<Vec<PersonId>, _> = rows.iter().map(|row| row.person_id.parse()).collect();
    let whose = whose.map_err(|_| Failure::Row("id of a locked account".to_owned()))?;
    let seen = looking::look(studio, &mut tx, staff, SHOWN, whose).await?;
    let readings = [seen.reading(KNOWN)?, seen.reading(CONTEST)?];
    let mut all = Vec::new();
    for row in rows {
        all.extend(row.open(studio, readings).await?);
    }
    tx.commit().await?;
    Ok(all)
}

/// Has erased what is due; gives how many.
pub async fn erase_due(studio: &Studio) -> Result<u32, Failure> {
    let mut tx = studio.db.read().await?;
    let due: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT person_id FROM restriction WHERE mode = 'minor' AND erase_ms <= $1 \
             ORDER BY person_id",
        )
        .bind(studio.clock.now().as_millis())
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    let mut erased = 0;
    for id in due {
        let bad = |_| Failure::Row("id of a locked account".to_owned());
        let person: PersonId = id.parse().map_err(bad)?;
        match erasure::ask(studio, person, Scope::Account, AskedBy::Age).await {
            Ok(_) => erased += 1,
            Err(EraseError::Failure(failure)) => return Err(failure),
            Err(_) => {}
        }
    }
    Ok(erased)
}

/// Whether an account is to be erased now; asked with the lock that contesting and opening it hold too.
pub(crate) async fn is_due(tx: &mut Tx, person: PersonId, now: Moment) -> Result<bool, Failure> {
    let found: Option<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT person_id FROM restriction WHERE person_id = $1 AND mode = 'minor' \
             AND erase_ms <= $2",
        )
        .bind(person.to_string())
        .bind(now.as_millis())
        .fetch_optional(conn)
        .await
    })?;
    Ok(found.is_some())
}

/// Accounts of children that are there for longer than they may be: none.
pub async fn overdue(studio: &Studio) -> Result<u64, Failure> {
    let before = studio
        .clock
        .now()
        .plus_millis(-ERASED_WITHIN_MS)
        .as_millis();
    let mut tx = studio.db.read().await?;
    count_since(&mut tx, before).await
}

async fn count_since(tx: &mut Tx, before: i64) -> Result<u64, Failure> {
    let overdue: i64 = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM restriction WHERE mode = 'minor' AND since_ms <= $1",
        )
        .bind(before)
        .fetch_one(conn)
        .await
    })?;
    Ok(overdue.unsigned_abs())
}

/// How many are locked.
pub async fn count(studio: &Studio) -> Result<u64, Failure> {
    let mut tx = studio.db.read().await?;
    count_since(&mut tx, i64::MAX).await
}
