//! Legal holds: something of somebody that a law or a court wants kept, although they want it erased or its
//! time is over. A hold names one class of data, says why and who answers for it, and always ends. It keeps
//! its class and nothing else; when it ends, what was to be erased goes by itself.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{HoldId, PersonId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::inventory::Purpose;
use super::keys::{Place, Reading};
use super::log::{self, Event, Kind};
use super::looking::{self, Staff, View};
use crate::{Failure, Studio};

const REASON: Place = Place::new("legal_hold", "reason");
const APPROVER: Place = Place::new("legal_hold", "approver");
const LAW: Place = Place::new("legal_hold", "law");
const READ_REASON: Reading = REASON.read_for(Purpose::Law);
const READ_APPROVER: Reading = APPROVER.read_for(Purpose::Law);
const READ_LAW: Reading = LAW.read_for(Purpose::Law);
/// No hold lasts longer; another one can follow it.
pub const MAX_MS: i64 = 2 * 366 * 24 * 60 * 60 * 1_000;
const MAX_CHARS: usize = 500;

/// What a hold keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Who the person is: address, names, portrait. Nobody signs in by it any more.
    Account,
    /// Orders and pictures.
    Orders,
    /// What the log says of the person.
    Log,
}

impl Class {
    pub const ALL: [Self; 3] = [Self::Account, Self::Orders, Self::Log];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Orders => "orders",
            Self::Log => "log",
        }
    }

    /// In the middle of a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Account => "the address, the names and the portrait",
            Self::Orders => "the orders and the pictures",
            Self::Log => "what the log says",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// The tables of the inventory that it is about.
    #[must_use]
    pub const fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Account => &["account"],
            Self::Orders => &["job", "picture"],
            Self::Log => &["log_entry"],
        }
    }
}

/// A hold to be laid on somebody.
#[derive(Clone, Debug)]
pub struct NewHold {
    pub class: Class,
    /// The law with its article, or the court with the number of its order.
    pub law: String,
    pub reason: String,
    pub approver: String,
    pub ends: Moment,
    /// From when on the person is told; at once where nothing forbids it.
    pub told_from: Option<Moment>,
}

/// A hold as it is.
#[derive(Clone, Debug)]
pub struct Hold {
    pub id: HoldId,
    pub person: PersonId,
    pub class: Class,
    /// Absent where it was laid before holds named theirs.
    pub law: Option<String>,
    pub reason: String,
    pub approver: String,
    pub begins: Moment,
    pub ends: Moment,
    pub told_from: Moment,
    pub released: Option<Moment>,
}

impl Hold {
    #[must_use]
    pub fn is_active(&self, now: Moment) -> bool {
        self.released.is_none() && self.begins <= now && now < self.ends
    }

    /// Whether the person may know of it.
    #[must_use]
    pub fn is_told(&self, now: Moment) -> bool {
        self.told_from <= now
    }
}

#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    #[error(
        "A hold needs a reason and somebody who answers for it, each of 1 to {MAX_CHARS} characters."
    )]
    Words,
    #[error(
        "A hold names what obliges to it: the law with its article, such as § 147 AO, or the court with the \
         number of its order, such as LG Köln, 12 O 345/26."
    )]
    Law,
    #[error(
        "A hold ends after now and within two years. Lay another one on when it ends, if it has to go on."
    )]
    End,
    #[error("It is told to the person before it ends, or at its end at the latest.")]
    Told,
    #[error("Nobody has this number, or they are being erased just now.")]
    Nobody,
    #[error("There is no such hold, or it is over.")]
    Missing,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(HoldError);

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    person_id: String,
    class: String,
    law: Option<String>,
    reason: String,
    approver: String,
    begins_ms: i64,
    ends_ms: i64,
    told_from_ms: i64,
    released_ms: Option<i64>,
}

impl Row {
    fn person(&self) -> Result<PersonId, Failure> {
        let bad = |_| Failure::Row(format!("person of {}", self.id));
        self.person_id.parse().map_err(bad)
    }

    async fn read(
        self,
        studio: &Studio,
        [to_law, to_reason, to_approver]: [Reading; 3],
    ) -> Result<Hold, Failure> {
        let bad = || Failure::Row(format!("hold {}", self.id));
        let person = self.person()?;
        let cipher = studio.keys.of(person).await?;
        let open = |reading, sealed: &str| cipher.open(reading, &self.id, sealed);
        Ok(Hold {
            id: self.id.parse().map_err(|_| bad())?,
            person,
            class: Class::named(&self.class).ok_or_else(bad)?,
            law: match &self.law {
                Some(law) => Some(open(to_law, law)?.into_exposed()),
                None => None,
            },
            reason: open(to_reason, &self.reason)?.into_exposed(),
            approver: open(to_approver, &self.approver)?.into_exposed(),
            begins: Moment::from_millis(self.begins_ms),
            ends: Moment::from_millis(self.ends_ms),
            told_from: Moment::from_millis(self.told_from_ms),
            released: self.released_ms.map(Moment::from_millis),
        })
    }
}

/// Lays a hold on somebody, from now on.
pub async fn add(studio: &Studio, person: PersonId, new: &NewHold) -> Result<HoldId, HoldError> {
    let now = studio.clock.now();
    let is_fine = |text: &str| (1..=MAX_CHARS).contains(&text.trim().chars().count());
    if !is_fine(&new.reason) || !is_fine(&new.approver) {
        return Err(HoldError::Words);
    }
    // What can be looked up has a number.
    if !is_fine(&new.law) || !new.law.contains(|c: char| c.is_ascii_digit()) {
        return Err(HoldError::Law);
    }
    if new.ends <= now || new.ends > now.plus_millis(MAX_MS) {
        return Err(HoldError::End);
    }
    let told_from = new.told_from.unwrap_or(now);
    if told_from > new.ends {
        return Err(HoldError::Told);
    }
    let id = HoldId::new(now, &studio.randomness);
    let cipher = studio.keys.of(person).await.map_err(Failure::from)?;
    let sealed = |place, text: &str| cipher.seal(place, &id.to_string(), text.trim());
    let mut tx = studio.db.write().await?;
    // Locks the person: an erasure that begins now sees it, or is there already.
    let erasure: Option<Option<String>> = on!(tx, conn => {
        sqlx::query_scalar("UPDATE person SET turn = turn WHERE id = $1 RETURNING erasure_id")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    if erasure != Some(None) {
        return Err(HoldError::Nobody);
    }
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO legal_hold (id, person_id, class, reason, approver, begins_ms, ends_ms, \
             told_from_ms, law) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(id.to_string())
        .bind(person.to_string())
        .bind(new.class.name())
        .bind(sealed(REASON, &new.reason).as_str())
        .bind(sealed(APPROVER, &new.approver).as_str())
        .bind(now.as_millis())
        .bind(new.ends.as_millis())
        .bind(told_from.as_millis())
        .bind(sealed(LAW, &new.law).as_str())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    // Of nobody: the person may have to learn of it later than the log would tell.
    let event = Event {
        kind: Kind::HoldLaid,
        person: None,
        what: json!({ "hold": id, "class": new.class.name(), "ends": new.ends.as_seconds() }),
    };
    log::note(studio, &mut tx, &event).await?;
    tx.commit().await?;
    Ok(id)
}

/// Ends a hold before its time.
pub async fn release(studio: &Studio, id: HoldId) -> Result<(), HoldError> {
    let now = studio.clock.now();
    let mut tx = studio.db.write().await?;
    let released = on!(tx, conn => {
        sqlx::query(
            "UPDATE legal_hold SET released_ms = $2 \
             WHERE id = $1 AND released_ms IS NULL AND ends_ms > $2",
        )
        .bind(id.to_string())
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if released == 0 {
        return Err(HoldError::Missing);
    }
    let event = Event {
        kind: Kind::HoldReleased,
        person: None,
        what: json!({ "hold": id }),
    };
    log::note(studio, &mut tx, &event).await?;
    tx.commit().await?;
    Ok(())
}

/// What is seen of holds.
const LISTED: View = View::of(&[(
    Purpose::Law,
    &[
        Place::new("legal_hold", "class"),
        LAW,
        REASON,
        APPROVER,
        Place::new("legal_hold", "begins_ms"),
        Place::new("legal_hold", "ends_ms"),
        Place::new("legal_hold", "told_from_ms"),
        Place::new("legal_hold", "released_ms"),
    ],
)]);

/// Every hold that there is or was, of whoever is still here.
pub async fn all(studio: &Studio, staff: &Staff) -> Result<Vec<Hold>, Failure> {
    let now_ms = studio.clock.now().as_millis();
    let mut tx = studio.db.write().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM legal_hold ORDER BY id").fetch_all(conn).await
    })?;
    // Who may not know of a hold yet would learn of it from a leaf.
    let (told, untold): (Vec<&Row>, Vec<&Row>) =
        rows.iter().partition(|row| row.told_from_ms <= now_ms);
    let whose = told.iter().map(|row| row.person());
    let whose: Vec<PersonId> = whose.collect::<Result<_, _>>()?;
    let seen = looking::look(studio, &mut tx, staff, LISTED, whose).await?;
    if !untold.is_empty() {
        looking::look_unseen(studio, &mut tx, staff, LISTED).await?;
    }
    let readings = [LAW, REASON, APPROVER].map(|place| seen.reading(place));
    let [to_law, to_reason, to_approver] = readings;
    let readings = [to_law?, to_reason?, to_approver?];
    let holds = read(studio, rows, readings).await?;
    tx.commit().await?;
    Ok(holds)
}

async fn read(
    studio: &Studio,
    rows: Vec<Row>,
    readings: [Reading; 3],
) -> Result<Vec<Hold>, Failure> {
    let mut holds = Vec::new();
    for row in rows {
        holds.push(row.read(studio, readings).await?);
    }
    Ok(holds)
}

/// Those that hold just now and that the person may know of.
pub async fn told(studio: &Studio, person: PersonId) -> Result<Vec<Hold>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM legal_hold WHERE person_id = $1 ORDER BY id")
            .bind(person.to_string())
            .fetch_all(conn)
            .await
    })?;
    drop(tx);
    let now = studio.clock.now();
    let mut holds = read(studio, rows, [READ_LAW, READ_REASON, READ_APPROVER]).await?;
    holds.retain(|hold| hold.is_active(now) && hold.is_told(now));
    Ok(holds)
}

/// What is held of somebody, as an erasure writes it down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub class: Class,
    pub until_ms: i64,
    pub told_from_ms: i64,
}

/// What is held of a person just now, each class once, until its last hold ends.
pub(crate) async fn of(tx: &mut Tx, person: PersonId, now: Moment) -> Result<Vec<Held>, Failure> {
    let rows: Vec<(String, i64, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT class, MAX(ends_ms), MIN(told_from_ms) FROM legal_hold WHERE person_id = $1 \
             AND released_ms IS NULL AND begins_ms <= $2 AND ends_ms > $2 GROUP BY class ORDER BY class",
        )
        .bind(person.to_string())
        .bind(now.as_millis())
        .fetch_all(conn)
        .await
    })?;
    let held = rows.into_iter().map(|(class, until_ms, told_from_ms)| {
        let known = Class::named(&class);
        Ok(Held {
            class: known.ok_or_else(|| Failure::Row(format!("hold of {class:?}")))?,
            until_ms,
            told_from_ms,
        })
    });
    held.collect()
}

/// The condition that is true of whose class is held, by the column that names them.
pub(crate) fn is_held(column: &str, class: Class, now: Moment) -> String {
    let (class, now) = (class.name(), now.as_millis());
    format!(
        "{column} IN (SELECT person_id FROM legal_hold WHERE class = '{class}' \
         AND released_ms IS NULL AND begins_ms <= {now} AND ends_ms > {now})"
    )
}

/// Refuses to delete what is held.
pub(crate) async fn check(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    class: Class,
) -> Result<(), Failure> {
    let held = of(tx, person, studio.clock.now()).await?;
    if held.iter().any(|held| held.class == class) {
        return Err(Failure::Held);
    }
    Ok(())
}
