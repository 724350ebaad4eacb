//! Those who run the house look at what is kept of others only while they are on duty for it: for a
//! purpose, with a reason, and for hours. What their role does not read opens to them for one hour where
//! somebody else agrees; what no role reads opens to nobody.
//!
//! Architecture invariant: two different people stand behind each duty that a role alone does not give.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{DutyId, PersonId};
use domain::personal::Address;
use domain::role::Role;
use serde_json::json;

use super::inventory::Purpose;
use super::keys::{KeyError, Place, Reading};
use super::log::{self, Event, Kind};
use super::looking::{self, Staff, View, reader_hash};
use crate::accounts::{Known, person};
use crate::letters::{self, Letter};
use crate::{Failure, Studio};

/// For how long somebody may say that they need to look, in minutes; the longest is a working day.
pub const LENGTHS_MIN: [u16; 4] = [30, 60, 240, 480];
/// The same where somebody else has to agree.
pub const BREAK_GLASS_MIN: u16 = 60;
const MINUTE_MS: i64 = 60_000;
/// Until when somebody may agree.
const WAITS_MS: i64 = 24 * 60 * MINUTE_MS;
/// For how long it is kept that somebody was on duty, so that it can be shown.
pub const KEPT_MS: i64 = 365 * 24 * 60 * MINUTE_MS;
pub const MIN_REASON_CHARS: usize = 10;
pub const MAX_REASON_CHARS: usize = 500;
/// Who looks at so many people on one duty is looked at.
pub const UNUSUAL: i64 = 200;
/// Shown to those who watch over duties.
const LISTED: i64 = 100;
/// Overseers who get a letter.
const MAX_TOLD: i64 = 50;

const REASON: Place = Place::new("duty", "reason");
const READ_REASON: Reading = REASON.read_for(Purpose::Oversight);
const ADDRESS: Place = Place::new("account", "address");
/// To tell those who watch over it.
const READ_ADDRESS: Reading = ADDRESS.read_for(Purpose::Oversight);
const SHOWN: View = View::of(&[(
    Purpose::Oversight,
    &[
        ADDRESS,
        REASON,
        Place::new("duty", "purpose"),
        Place::new("duty", "role"),
        Place::new("duty", "asked_ms"),
        Place::new("duty", "lasts_ms"),
        Place::new("duty", "begun_ms"),
        Place::new("duty", "until_ms"),
        Place::new("duty", "looked"),
    ],
)]);

/// One duty, opened.
#[derive(Clone, Debug)]
pub struct Duty {
    pub id: DutyId,
    /// Whose it is.
    pub person: PersonId,
    /// `None` on one's own page.
    pub address: Option<Address>,
    pub purpose: Purpose,
    pub role: Role,
    pub reason: String,
    pub asked: Moment,
    pub minutes: u16,
    /// `None` where nobody has agreed yet.
    pub begun: Option<Moment>,
    pub until: Moment,
    /// Whether somebody else had to agree.
    pub is_agreed: bool,
    /// How many people were looked at.
    pub looked: u64,
}

/// How far a duty is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Somebody else may agree.
    Waiting,
    Open,
    Over,
    /// Nobody agreed.
    Refused,
}

impl Duty {
    #[must_use]
    pub fn stage(&self, now: Moment) -> Stage {
        match (self.begun.is_some(), self.until > now) {
            (true, true) => Stage::Open,
            (true, false) => Stage::Over,
            (false, true) => Stage::Waiting,
            (false, false) => Stage::Refused,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum DutyError {
    #[error(
        "Say what you need it for, in {MIN_REASON_CHARS} to {MAX_REASON_CHARS} characters: those who watch \
         over this read it."
    )]
    Reason,
    #[error("Choose what you need to look for.")]
    Purpose,
    #[error("Choose one of the times that the page offers.")]
    Length,
    #[error(
        "What is kept of others to {} is read by nobody but its person, and nobody can agree to it.",
        .0.words_to_staff()
    )]
    NobodyReads(Purpose),
    #[error("Somebody else has to agree: an operator or a privacy officer who is not you.")]
    Own,
    #[error("This is answered, over or withdrawn already.")]
    Over,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(DutyError);

/// Looking at this needs a duty. Who watches over duties needs none for that: it is about staff alone, and
/// each look is logged as any other.
pub(super) const fn is_needed(purpose: Purpose) -> bool {
    !matches!(purpose, Purpose::Oversight)
}

/// Whether staff can be on duty for it at all.
#[must_use]
pub const fn can_be_for(purpose: Purpose) -> bool {
    !purpose.readers().is_empty() && is_needed(purpose)
}

/// Whether somebody of this role may agree to the duty of somebody else, and end any.
#[must_use]
pub fn oversees(role: Role) -> bool {
    Purpose::Oversight.readers().contains(&role)
}

/// Says what one looks for. Where the role does not read it, somebody else has to agree first; gives
/// whether that is so for one of them.
pub async fn begin(
    studio: &Studio,
    known: &Known,
    purposes: &[Purpose],
    reason: &str,
    minutes: u16,
) -> Result<Stage, DutyError> {
    let role = known.role;
    if purposes.is_empty() {
        return Err(DutyError::Purpose);
    }
    for &purpose in purposes {
        if role == Role::Person {
            return Err(Failure::NotForRole { role, purpose }.into());
        }
        if !can_be_for(purpose) {
            return Err(DutyError::NobodyReads(purpose));
        }
    }
    let reason = reason.trim();
    let length = reason.chars().count();
    if !(MIN_REASON_CHARS..=MAX_REASON_CHARS).contains(&length) {
        return Err(DutyError::Reason);
    }
    if !LENGTHS_MIN.contains(&minutes) {
        return Err(DutyError::Length);
    }
    let mut stage = Stage::Open;
    let mut tx = studio.db.write().await?;
    for &purpose in purposes {
        if !purpose.readers().contains(&role) {
            stage = Stage::Waiting;
        }
        write(studio, &mut tx, known, purpose, reason, minutes).await?;
    }
    tx.commit().await?;
    Ok(stage)
}

async fn write(
    studio: &Studio,
    tx: &mut Tx,
    known: &Known,
    purpose: Purpose,
    reason: &str,
    minutes: u16,
) -> Result<(), Failure> {
    let role = known.role;
    let now = studio.clock.now();
    let id = DutyId::new(now, &studio.randomness).to_string();
    let may_alone = purpose.readers().contains(&role);
    let (kind, minutes) = match may_alone {
        true => (Kind::DutyBegun, minutes),
        false => (Kind::DutyAsked, minutes.min(BREAK_GLASS_MIN)),
    };
    let lasts_ms = i64::from(minutes) * MINUTE_MS;
    let (begun, until) = match may_alone {
        true => (Some(now), now.plus_millis(lasts_ms)),
        false => (None, now.plus_millis(WAITS_MS)),
    };
    let cipher = studio.keys.of_whom(Some(known.person)).await?;
    let sealed = cipher.seal(REASON, &id, reason);
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO duty (id, person_id, purpose, role, reason, asked_ms, lasts_ms, begun_ms, \
             until_ms, looked) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)",
        )
        .bind(&id)
        .bind(known.person.to_string())
        .bind(purpose.name())
        .bind(role.name())
        .bind(sealed.as_str())
        .bind(now.as_millis())
        .bind(lasts_ms)
        .bind(begun.map(Moment::as_millis))
        .bind(until.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    let what =
        json!({ "duty": id, "purpose": purpose.name(), "role": role.name(), "minutes": minutes });
    note(studio, tx, kind, known.person, what).await?;
    if !may_alone {
        let letter = Letter::DutyAsked {
            role: role.name().to_owned(),
            purpose: purpose.name().to_owned(),
        };
        tell_overseers(studio, tx, Some(known.person), &letter).await?;
    }
    Ok(())
}

/// Somebody else agrees: it begins now.
pub async fn agree(studio: &Studio, by: &Known, id: DutyId) -> Result<(), DutyError> {
    oversee(by)?;
    let now = studio.clock.now();
    let mut tx = studio.db.write().await?;
    let row = locked(&mut tx, id).await?;
    if row.person()? == by.person {
        return Err(DutyError::Own);
    }
    if row.begun_ms.is_some() || row.until_ms <= now.as_millis() {
        return Err(DutyError::Over);
    }
    on!(tx, conn => {
        sqlx::query("UPDATE duty SET begun_ms = $2, until_ms = $3, agreed_by = $4 WHERE id = $1")
            .bind(&row.id)
            .bind(now.as_millis())
            .bind(now.as_millis() + row.lasts_ms)
            .bind(reader_hash(studio, by.person))
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    let person = row.person()?;
    let agreed = reader_hash(studio, by.person);
    let what =
        json!({ "duty": row.id, "purpose": row.purpose, "role": row.role, "agreed": agreed });
    note(studio, &mut tx, Kind::DutyBegun, person, what).await?;
    let letter = Letter::DutyAgreed {
        purpose: row.purpose,
        at_ms: now.as_millis() + row.lasts_ms,
    };
    let address = person::address_of(studio, &mut tx, person).await?;
    letters::enqueue(studio, &mut tx, Some(person), address.as_ref(), &letter).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends one's own, or, for those who watch over duties, anybody's; a waiting one is refused with it.
pub async fn end(studio: &Studio, by: &Known, id: DutyId) -> Result<(), DutyError> {
    let now = studio.clock.now().as_millis();
    let mut tx = studio.db.write().await?;
    let row = locked(&mut tx, id).await?;
    let person = row.person()?;
    if person != by.person {
        oversee(by)?;
    }
    if row.until_ms <= now {
        return Err(DutyError::Over);
    }
    on!(tx, conn => {
        sqlx::query("UPDATE duty SET until_ms = $2 WHERE id = $1")
            .bind(&row.id)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    let what = json!({ "duty": row.id, "purpose": row.purpose, "looked": row.looked });
    note(studio, &mut tx, Kind::DutyEnded, person, what).await?;
    tx.commit().await?;
    Ok(())
}

fn oversee(by: &Known) -> Result<(), DutyError> {
    let (role, purpose) = (by.role, Purpose::Oversight);
    match oversees(role) {
        true => Ok(()),
        false => Err(Failure::NotForRole { role, purpose }.into()),
    }
}

/// Ends whatever somebody is on duty for: they have another role now.
pub(crate) async fn end_all(studio: &Studio, tx: &mut Tx, person: PersonId) -> Result<(), Failure> {
    let now = studio.clock.now().as_millis();
    on!(tx, conn => {
        sqlx::query("UPDATE duty SET until_ms = $2 WHERE person_id = $1 AND until_ms > $2")
            .bind(person.to_string())
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Whether somebody is on duty for this; counts whom they look at, and tells others where that is
/// unusually many.
pub(super) async fn look(
    studio: &Studio,
    tx: &mut Tx,
    (person, role): (PersonId, Role),
    purpose: Purpose,
    people: usize,
) -> Result<(), Failure> {
    let now = studio.clock.now().as_millis();
    let may_alone = purpose.readers().contains(&role);
    let open: Option<(String, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "UPDATE duty SET looked = looked + $5 WHERE id = (SELECT id FROM duty WHERE person_id = $1 \
             AND purpose = $2 AND begun_ms <= $3 AND until_ms > $3 AND (agreed_by IS NOT NULL OR $4) \
             ORDER BY until_ms DESC LIMIT 1) RETURNING id, looked",
        )
        .bind(person.to_string())
        .bind(purpose.name())
        .bind(now)
        .bind(may_alone)
        .bind(i64::try_from(people).unwrap_or(i64::MAX))
        .fetch_optional(conn)
        .await
    })?;
    let Some((id, looked)) = open else {
        return Err(match may_alone {
            true => Failure::NotOnDuty {
                purposes: vec![purpose],
            },
            false => Failure::NotForRole { role, purpose },
        });
    };
    if looked >= UNUSUAL {
        alarm(studio, tx, person, &id, purpose).await?;
    }
    Ok(())
}

/// Once for each duty.
async fn alarm(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    id: &str,
    purpose: Purpose,
) -> Result<(), Failure> {
    let now = studio.clock.now().as_millis();
    let first = on!(tx, conn => {
        sqlx::query("UPDATE duty SET alarmed_ms = $2 WHERE id = $1 AND alarmed_ms IS NULL")
            .bind(id)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    if first == 0 {
        return Ok(());
    }
    let letter = Letter::DutyUnusual {
        purpose: purpose.name().to_owned(),
        at_ms: now,
    };
    tell_overseers(studio, tx, Some(person), &letter).await
}

/// A letter to each operator and privacy officer, but one.
pub(super) async fn tell_overseers(
    studio: &Studio,
    tx: &mut Tx,
    but: Option<PersonId>,
    letter: &Letter,
) -> Result<(), Failure> {
    tell(studio, tx, (Purpose::Oversight, READ_ADDRESS), but, letter).await
}

/// A letter to each of those who work for a purpose, but one.
pub(crate) async fn tell_readers(
    studio: &Studio,
    tx: &mut Tx,
    purpose: Purpose,
    but: Option<PersonId>,
    letter: &Letter,
) -> Result<(), Failure> {
    tell(studio, tx, (purpose, person::TO_WRITE_TO), but, letter).await
}

async fn tell(
    studio: &Studio,
    tx: &mut Tx,
    (purpose, reading): (Purpose, Reading),
    but: Option<PersonId>,
    letter: &Letter,
) -> Result<(), Failure> {
    let roles: Vec<String> = purpose
        .readers()
        .iter()
        .map(|role| format!("'{}'", role.name()))
        .collect();
    let statement = format!(
        "SELECT account.person_id FROM account JOIN person ON person.id = account.person_id \
         WHERE person.role IN ({}) AND person.id <> $2 ORDER BY person.id LIMIT $1",
        roles.join(", ")
    );
    let ids: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .bind(MAX_TOLD)
            .bind(but.map_or_else(String::new, |but| but.to_string()))
            .fetch_all(conn)
            .await
    })?;
    for id in ids {
        let bad = |_| Failure::Row("id of who runs the house".to_owned());
        let who: PersonId = id.parse().map_err(bad)?;
        let address = person::address_to(studio, tx, who, reading).await?;
        letters::enqueue(studio, tx, Some(who), address.as_ref(), letter).await?;
    }
    Ok(())
}

async fn note(
    studio: &Studio,
    tx: &mut Tx,
    kind: Kind,
    person: PersonId,
    what: serde_json::Value,
) -> Result<(), Failure> {
    let person = Some(person);
    log::note(studio, tx, &Event { kind, person, what }).await?;
    Ok(())
}

/// What one is on duty for, and was of late.
pub async fn own(studio: &Studio, person: PersonId) -> Result<Vec<Duty>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM duty WHERE person_id = $1 ORDER BY id DESC LIMIT $2")
            .bind(person.to_string())
            .bind(LISTED)
            .fetch_all(conn)
            .await
    })?;
    drop(tx);
    let mut duties = Vec::new();
    for row in rows {
        duties.extend(row.open(studio, READ_REASON, None).await?);
    }
    Ok(duties)
}

/// What everybody else is on duty for, wants to be, and was of late: for those who watch over it.
pub async fn of_others(
    studio: &Studio,
    staff: &Staff,
    own: PersonId,
) -> Result<Vec<Duty>, Failure> {
    let mut tx = studio.db.write().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM duty WHERE person_id <> $1 ORDER BY id DESC LIMIT $2")
            .bind(own.to_string())
            .bind(LISTED)
            .fetch_all(conn)
            .await
    })?;
    let whose: Result<Vec<PersonId>, Failure> = rows.iter().map(Row::person).collect();
    let seen = looking::look(studio, &mut tx, staff, SHOWN, whose?).await?;
    let to_address = seen.reading(ADDRESS)?;
    let to_reason = seen.reading(REASON)?;
    let mut duties = Vec::new();
    for row in rows {
        let address = person::address_to(studio, &mut tx, row.person()?, to_address).await?;
        duties.extend(row.open(studio, to_reason, address).await?);
    }
    tx.commit().await?;
    Ok(duties)
}

/// How many duties wait for somebody else to agree.
pub async fn waiting(studio: &Studio) -> Result<u64, Failure> {
    let mut tx = studio.db.read().await?;
    let waiting: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM duty WHERE begun_ms IS NULL AND until_ms > $1")
            .bind(studio.clock.now().as_millis())
            .fetch_one(conn)
            .await
    })?;
    Ok(waiting.unsigned_abs())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    person_id: String,
    purpose: String,
    role: String,
    reason: String,
    asked_ms: i64,
    lasts_ms: i64,
    begun_ms: Option<i64>,
    until_ms: i64,
    agreed_by: Option<String>,
    looked: i64,
}

impl Row {
    fn person(&self) -> Result<PersonId, Failure> {
        let bad = |_| Failure::Row(format!("person of {}", self.id));
        self.person_id.parse().map_err(bad)
    }

    /// `None` where it is of somebody who is being erased.
    async fn open(
        self,
        studio: &Studio,
        reading: Reading,
        address: Option<Address>,
    ) -> Result<Option<Duty>, Failure> {
        let bad = |what: &str| Failure::Row(format!("{what} of {}", self.id));
        let person = self.person()?;
        let cipher = match studio.keys.of_whom(Some(person)).await {
            Ok(cipher) => cipher,
            Err(KeyError::Gone(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let reason = cipher.open(reading, &self.id, &self.reason)?;
        Ok(Some(Duty {
            id: self.id.parse().map_err(|_| bad("id"))?,
            person,
            address,
            purpose: Purpose::named(&self.purpose).ok_or_else(|| bad("purpose"))?,
            role: self.role.parse().map_err(|_| bad("role"))?,
            reason: reason.into_exposed(),
            asked: Moment::from_millis(self.asked_ms),
            minutes: u16::try_from(self.lasts_ms / MINUTE_MS).map_err(|_| bad("length"))?,
            begun: self.begun_ms.map(Moment::from_millis),
            until: Moment::from_millis(self.until_ms),
            is_agreed: self.agreed_by.is_some(),
            looked: self.looked.unsigned_abs(),
        }))
    }
}

/// The duty, its row locked.
async fn locked(tx: &mut Tx, id: DutyId) -> Result<Row, DutyError> {
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as("UPDATE duty SET looked = looked WHERE id = $1 RETURNING *")
            .bind(id.to_string())
            .fetch_optional(conn)
            .await
    })?;
    row.ok_or(DutyError::Over)
}
