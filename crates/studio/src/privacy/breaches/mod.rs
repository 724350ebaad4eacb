//! Breaches of what protects people's data (Art. 33 and 34 GDPR): a register of what happened and what was
//! done, a clock of 72 hours, and whom each concerns, found in the log and in the tables and told once.
//!
//! Architecture invariant: a breach names nobody. Whom it concerns stands in rows of those people, which go
//! with them.

mod affected;
mod clock;
mod telling;

use db::{Tx, on};
use domain::clock::{Civil, Moment};
use domain::ids::{BreachId, PersonId};
use serde_json::json;

use crate::letters::Letter;
use crate::privacy::duty::tell_overseers;
use crate::privacy::log::{self, Event, Kind};
use crate::privacy::looking::reader_hash;
use crate::{Failure, Studio};

pub use affected::{Affected, find, tables};
pub use clock::{keep_watching, overdue, raise_overdue};
pub use telling::tell;

const HOUR_MS: i64 = 60 * 60 * 1_000;
/// Within which the authority is told (Art. 33(1) GDPR).
pub const REPORT_MS: i64 = 72 * HOUR_MS;
pub const MAX_CHARS: usize = 4_000;
/// Shown at once, the newest.
const LISTED: i64 = 200;

/// How likely a breach is to harm people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Risk {
    /// Unlikely: written down, and told to nobody.
    None,
    /// The authority is told.
    Some,
    /// The authority is told, and so are the people.
    High,
}

impl Risk {
    pub const ALL: [Self; 3] = [Self::None, Self::Some, Self::High];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Some => "risk",
            Self::High => "high",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|risk| risk.name() == name)
    }
}

/// What was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    Confidentiality,
    Integrity,
    Availability,
}

impl Nature {
    pub const ALL: [Self; 3] = [Self::Confidentiality, Self::Integrity, Self::Availability];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confidentiality => "confidentiality",
            Self::Integrity => "integrity",
            Self::Availability => "availability",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|nature| nature.name() == name)
    }
}

/// What is known of a breach; more may be known later (Art. 33(4) GDPR).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// In words that name nobody.
    pub what: String,
    pub nature: Vec<Nature>,
    /// Which kinds of data.
    pub classes: String,
    pub consequences: String,
    pub measures: String,
    pub risk: Risk,
    pub began: Moment,
    pub until: Moment,
}

#[derive(Clone, Debug)]
pub struct Breach {
    pub id: BreachId,
    pub facts: Facts,
    pub noticed: Moment,
    pub due: Moment,
    pub reported: Option<Moment>,
    pub late: Option<String>,
    pub closed: Option<Moment>,
    /// Whom it concerns, as far as they were found, and how many of them were told.
    pub found: u64,
    pub told: u64,
}

impl Breach {
    /// Whether the authority still has to be told.
    #[must_use]
    pub fn is_to_report(&self) -> bool {
        self.reported.is_none() && self.facts.risk != Risk::None
    }

    #[must_use]
    pub fn is_overdue(&self, now: Moment) -> bool {
        self.is_to_report() && self.due <= now
    }
}

#[derive(Debug, thiserror::Error)]
pub enum BreachError {
    #[error(
        "Say what happened, which data it is about, what is likely to follow and what is done about it, \
         each in 1 to {MAX_CHARS} characters."
    )]
    Words,
    #[error("Choose what was lost: confidentiality, integrity or availability.")]
    Nature,
    #[error("It began before it ended, and it was noticed by now.")]
    Span,
    #[error("The 72 hours are over: say why it is reported late.")]
    Late,
    #[error("It is reported or closed already.")]
    Over,
    #[error(
        "Report it first, or say that there is no risk; and tell the people where the risk is high."
    )]
    Unfinished,
    #[error("Nobody has this address.")]
    Nobody,
    #[error("There is nothing of people in {0}.")]
    Table(String),
    #[error("There is no such breach.")]
    Missing,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(BreachError);

fn said(text: &str) -> Result<&str, BreachError> {
    let text = text.trim();
    match !text.is_empty() && text.chars().count() <= MAX_CHARS {
        true => Ok(text),
        false => Err(BreachError::Words),
    }
}

fn check(studio: &Studio, facts: &Facts) -> Result<(), BreachError> {
    for text in [
        &facts.what,
        &facts.classes,
        &facts.consequences,
        &facts.measures,
    ] {
        said(text)?;
    }
    if facts.nature.is_empty() {
        return Err(BreachError::Nature);
    }
    if facts.began > facts.until || facts.began > studio.clock.now() {
        return Err(BreachError::Span);
    }
    Ok(())
}

/// Enters a breach; the clock runs from when it was noticed. `by` is `None` in the shell.
pub async fn enter(
    studio: &Studio,
    by: Option<PersonId>,
    facts: &Facts,
    noticed: Moment,
) -> Result<BreachId, BreachError> {
    check(studio, facts)?;
    let now = studio.clock.now();
    if noticed > now {
        return Err(BreachError::Span);
    }
    let id = BreachId::new(now, &studio.randomness);
    let due = noticed.plus_millis(REPORT_MS);
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO breach (id, what, nature, classes, consequences, measures, risk, began_ms, \
             until_ms, noticed_ms, due_ms, entered_ms, entered_by) \
             VALUES ($1, '', '', '', '', '', '', 0, 0, $2, $3, $4, $5)",
        )
        .bind(id.to_string())
        .bind(noticed.as_millis())
        .bind(due.as_millis())
        .bind(now.as_millis())
        .bind(by.map(|by| reader_hash(studio, by)))
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    write(&mut tx, id, facts).await?;
    note(studio, &mut tx, Kind::BreachNoted, id).await?;
    let letter = Letter::BreachNoted {
        request: id.to_string(),
        at_ms: due.as_millis(),
    };
    tell_overseers(studio, &mut tx, by, &letter).await?;
    tx.commit().await?;
    Ok(id)
}

/// More is known of it.
pub async fn amend(studio: &Studio, id: BreachId, facts: &Facts) -> Result<(), BreachError> {
    check(studio, facts)?;
    let mut tx = studio.db.write().await?;
    let breach = locked(&mut tx, id).await?;
    if breach.closed_ms.is_some() {
        return Err(BreachError::Over);
    }
    write(&mut tx, id, facts).await?;
    tx.commit().await?;
    Ok(())
}

async fn write(tx: &mut Tx, id: BreachId, facts: &Facts) -> Result<(), Failure> {
    let nature: Vec<&str> = facts.nature.iter().map(|one| one.name()).collect();
    on!(tx, conn => {
        sqlx::query(
            "UPDATE breach SET what = $2, nature = $3, classes = $4, consequences = $5, measures = $6, \
             risk = $7, began_ms = $8, until_ms = $9 WHERE id = $1",
        )
        .bind(id.to_string())
        .bind(facts.what.trim())
        .bind(nature.join(" "))
        .bind(facts.classes.trim())
        .bind(facts.consequences.trim())
        .bind(facts.measures.trim())
        .bind(facts.risk.name())
        .bind(facts.began.as_millis())
        .bind(facts.until.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// The authority was told; after the 72 hours with the reasons (Art. 33(1) GDPR).
pub async fn report(studio: &Studio, id: BreachId, late: &str) -> Result<(), BreachError> {
    let now = studio.clock.now();
    let mut tx = studio.db.write().await?;
    let breach = locked(&mut tx, id).await?;
    if breach.reported_ms.is_some() || breach.closed_ms.is_some() {
        return Err(BreachError::Over);
    }
    let late = match breach.due_ms < now.as_millis() {
        true => Some(said(late).map_err(|_| BreachError::Late)?),
        false => None,
    };
    on!(tx, conn => {
        sqlx::query("UPDATE breach SET reported_ms = $2, late = $3 WHERE id = $1")
            .bind(id.to_string())
            .bind(now.as_millis())
            .bind(late)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    note(studio, &mut tx, Kind::BreachReported, id).await?;
    tx.commit().await?;
    Ok(())
}

/// Everything is done that the law asks for.
pub async fn close(studio: &Studio, id: BreachId) -> Result<(), BreachError> {
    let mut tx = studio.db.write().await?;
    let row = locked(&mut tx, id).await?;
    let breach = row.open(&mut tx).await?;
    if breach.closed.is_some() {
        return Err(BreachError::Over);
    }
    let are_told = breach.found > 0 && breach.found == breach.told;
    if breach.is_to_report() || (breach.facts.risk == Risk::High && !are_told) {
        return Err(BreachError::Unfinished);
    }
    on!(tx, conn => {
        sqlx::query("UPDATE breach SET closed_ms = $2 WHERE id = $1")
            .bind(id.to_string())
            .bind(studio.clock.now().as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    note(studio, &mut tx, Kind::BreachClosed, id).await?;
    tx.commit().await?;
    Ok(())
}

async fn note(studio: &Studio, tx: &mut Tx, kind: Kind, id: BreachId) -> Result<(), Failure> {
    let event = Event {
        kind,
        person: None,
        what: json!({ "breach": id }),
    };
    log::note(studio, tx, &event).await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    what: String,
    nature: String,
    classes: String,
    consequences: String,
    measures: String,
    risk: String,
    began_ms: i64,
    until_ms: i64,
    noticed_ms: i64,
    due_ms: i64,
    reported_ms: Option<i64>,
    late: Option<String>,
    closed_ms: Option<i64>,
}

impl Row {
    async fn open(self, tx: &mut Tx) -> Result<Breach, Failure> {
        let (found, told): (i64, i64) = on!(tx, conn => {
            sqlx::query_as("SELECT COUNT(*), COUNT(told_ms) FROM breach_person WHERE breach_id = $1")
                .bind(&self.id)
                .fetch_one(conn)
                .await
        })?;
        let bad = |what: &str| Failure::Row(format!("{what} of {}", self.id));
        Ok(Breach {
            id: self.id.parse().map_err(|_| bad("id"))?,
            noticed: Moment::from_millis(self.noticed_ms),
            due: Moment::from_millis(self.due_ms),
            reported: self.reported_ms.map(Moment::from_millis),
            closed: self.closed_ms.map(Moment::from_millis),
            found: found.unsigned_abs(),
            told: told.unsigned_abs(),
            facts: Facts {
                nature: self.nature.split(' ').filter_map(Nature::named).collect(),
                risk: Risk::named(&self.risk).ok_or_else(|| bad("risk"))?,
                began: Moment::from_millis(self.began_ms),
                until: Moment::from_millis(self.until_ms),
                what: self.what,
                classes: self.classes,
                consequences: self.consequences,
                measures: self.measures,
            },
            late: self.late,
        })
    }
}

async fn locked(tx: &mut Tx, id: BreachId) -> Result<Row, BreachError> {
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as("UPDATE breach SET what = what WHERE id = $1 RETURNING *")
            .bind(id.to_string())
            .fetch_optional(conn)
            .await
    })?;
    row.ok_or(BreachError::Missing)
}

/// Every breach, the newest first. It says nothing of anybody.
pub async fn all(studio: &Studio) -> Result<Vec<Breach>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM breach ORDER BY id DESC LIMIT $1")
            .bind(LISTED)
            .fetch_all(conn)
            .await
    })?;
    let mut breaches = Vec::new();
    for row in rows {
        breaches.push(row.open(&mut tx).await?);
    }
    Ok(breaches)
}

pub async fn show(studio: &Studio, id: BreachId) -> Result<Option<Breach>, Failure> {
    let mut tx = studio.db.read().await?;
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM breach WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(conn)
            .await
    })?;
    match row {
        Some(row) => Ok(Some(row.open(&mut tx).await?)),
        None => Ok(None),
    }
}

/// What the authority is told, in the order of Art. 33(3) GDPR.
#[must_use]
pub fn notice(breach: &Breach, home: &str) -> String {
    let facts = &breach.facts;
    let nature: Vec<&str> = facts.nature.iter().map(|one| one.name()).collect();
    let late = breach.late.as_deref().unwrap_or("-");
    format!(
        "NOTIFICATION OF A PERSONAL DATA BREACH (Art. 33 GDPR)\n\n\
         Number: {}\nService: {home}\nContact, and the controller with its data protection officer: {home}/privacy\n\
         Noticed: {}\nDue: {}\n\n\
         1. NATURE OF THE BREACH\nFrom {} to {}\nLoss of: {}\n{}\n\n\
         Data: {}\nPeople concerned, as far as they are known: {}\n\n\
         2. LIKELY CONSEQUENCES\n{}\n\n\
         3. MEASURES TAKEN OR PROPOSED\n{}\nPeople who were told: {}\nRisk to people: {}\n\n\
         4. REASONS FOR A DELAY\n{late}\n",
        breach.id,
        time(breach.noticed),
        time(breach.due),
        time(facts.began),
        time(facts.until),
        nature.join(", "),
        facts.what,
        facts.classes,
        breach.found,
        facts.consequences,
        facts.measures,
        breach.told,
        facts.risk.name(),
    )
}

/// `2026-11-22 00:34 UTC`
fn time(moment: Moment) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        ..
    } = moment.civil();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}
