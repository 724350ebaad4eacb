//! Requests of authorities as they are stored, and seen by those who decide.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{DisclosureId, PersonId};

use super::{Disclosure, DisclosureError, Path, State};
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::{KeyError, Place, Reading};
use crate::privacy::looking::{self, Staff, View};
use crate::{Failure, Studio};

pub(super) const AUTHORITY: Place = Place::new("disclosure", "authority");
pub(super) const LAW: Place = Place::new("disclosure", "law");
pub(super) const REFERENCE: Place = Place::new("disclosure", "reference");
pub(super) const EMERGENCY: Place = Place::new("disclosure", "emergency");
pub(super) const REFUSAL: Place = Place::new("disclosure", "refusal");
const READ_AUTHORITY: Reading = AUTHORITY.read_for(Purpose::Disclosure);
const READ_LAW: Reading = LAW.read_for(Purpose::Disclosure);
const READ_REFERENCE: Reading = REFERENCE.read_for(Purpose::Disclosure);
const READ_EMERGENCY: Reading = EMERGENCY.read_for(Purpose::Disclosure);
const READ_REFUSAL: Reading = REFUSAL.read_for(Purpose::Disclosure);

/// To decide, and to tell the person.
const SHOWN: View = View::of(&[(
    Purpose::Disclosure,
    &[
        AUTHORITY,
        LAW,
        REFERENCE,
        EMERGENCY,
        REFUSAL,
        Place::new("disclosure", "path"),
        Place::new("disclosure", "state"),
        Place::new("disclosure", "fields"),
        Place::new("disclosure", "from_ms"),
        Place::new("disclosure", "until_ms"),
        Place::new("disclosure", "received_ms"),
        Place::new("disclosure", "gag_until_ms"),
        Place::new("disclosure", "ended_ms"),
    ],
)]);

/// Shown at once, the newest.
const LISTED: i64 = 200;

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) id: String,
    person_id: Option<String>,
    pub(super) path: String,
    pub(super) state: String,
    authority: String,
    law: String,
    reference: String,
    emergency: Option<String>,
    refusal: Option<String>,
    fields: String,
    from_ms: Option<i64>,
    until_ms: Option<i64>,
    received_ms: i64,
    pub(super) gag_until_ms: Option<i64>,
    pub(super) first_by: Option<String>,
    pub(super) second_by: Option<String>,
    ended_ms: Option<i64>,
    pub(super) sealed_leaves: String,
    pub(super) told_ms: Option<i64>,
    pub(super) review_due_ms: Option<i64>,
    pub(super) reviewed_ms: Option<i64>,
    review: Option<String>,
}

impl Row {
    pub(super) fn person(&self) -> Result<Option<PersonId>, Failure> {
        let person = self.person_id.as_deref().map(str::parse).transpose();
        person.map_err(|_| Failure::Row(format!("person of {}", self.id)))
    }

    /// Whether its person may know of it.
    pub(super) fn may_be_told(&self, now: Moment) -> bool {
        self.gag_until_ms
            .is_none_or(|until| until <= now.as_millis())
    }

    /// `None` where it is of somebody who is being erased.
    pub(super) async fn open(&self, studio: &Studio) -> Result<Option<Disclosure>, Failure> {
        let bad = |what: &str| Failure::Row(format!("{what} of {}", self.id));
        let person = self.person()?;
        let cipher = match studio.keys.of_whom(person).await {
            Ok(cipher) => cipher,
            Err(KeyError::Gone(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let open = |reading, sealed: &str| {
            let opened = cipher.open(reading, &self.id, sealed)?;
            Ok::<_, KeyError>(opened.into_exposed())
        };
        let some = |reading, sealed: Option<&String>| match sealed {
            Some(sealed) => open(reading, sealed).map(Some),
            None => Ok(None),
        };
        let moment = |ms: Option<i64>| ms.map(Moment::from_millis);
        let approvals = [&self.first_by, &self.second_by];
        Ok(Some(Disclosure {
            id: self.id.parse().map_err(|_| bad("id"))?,
            person,
            path: Path::named(&self.path).ok_or_else(|| bad("path"))?,
            state: State::named(&self.state).ok_or_else(|| bad("state"))?,
            authority: open(READ_AUTHORITY, &self.authority)?,
            law: open(READ_LAW, &self.law)?,
            reference: open(READ_REFERENCE, &self.reference)?,
            emergency: some(READ_EMERGENCY, self.emergency.as_ref())?,
            refusal: some(READ_REFUSAL, self.refusal.as_ref())?,
            fields: self.fields.split(' ').map(str::to_owned).collect(),
            from: moment(self.from_ms),
            until: moment(self.until_ms),
            received: Moment::from_millis(self.received_ms),
            gag_until: moment(self.gag_until_ms),
            approvals: approvals.into_iter().flatten().count(),
            ended: moment(self.ended_ms),
            told: moment(self.told_ms),
            review_due: moment(self.review_due_ms),
            reviewed: moment(self.reviewed_ms),
            was_right: self.review.as_deref().map(|review| review == "upheld"),
        }))
    }
}

/// The request, its row locked.
pub(super) async fn locked(tx: &mut Tx, id: DisclosureId) -> Result<Row, DisclosureError> {
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as("UPDATE disclosure SET state = state WHERE id = $1 RETURNING *")
            .bind(id.to_string())
            .fetch_optional(conn)
            .await
    })?;
    row.ok_or(DisclosureError::Missing)
}

/// Every request, the newest first, for those who decide.
pub async fn all(studio: &Studio, staff: &Staff) -> Result<Vec<Disclosure>, Failure> {
    let mut tx = studio.db.write().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM disclosure ORDER BY id DESC LIMIT $1")
            .bind(LISTED)
            .fetch_all(conn)
            .await
    })?;
    let found = seen(studio, &mut tx, staff, rows).await?;
    tx.commit().await?;
    Ok(found)
}

/// One of them.
pub async fn show(
    studio: &Studio,
    staff: &Staff,
    id: DisclosureId,
) -> Result<Option<Disclosure>, Failure> {
    let mut tx = studio.db.write().await?;
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM disclosure WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(conn)
            .await
    })?;
    let found = seen(studio, &mut tx, staff, row.into_iter().collect()).await?;
    tx.commit().await?;
    Ok(found.into_iter().next())
}

/// Who may not know of a request yet would learn of it from a leaf.
async fn seen(
    studio: &Studio,
    tx: &mut Tx,
    staff: &Staff,
    rows: Vec<Row>,
) -> Result<Vec<Disclosure>, Failure> {
    let now = studio.clock.now();
    let mut whose = Vec::new();
    for row in rows.iter().filter(|row| row.may_be_told(now)) {
        whose.extend(row.person()?);
    }
    looking::look(studio, tx, staff, SHOWN, whose).await?;
    if rows.iter().any(|row| !row.may_be_told(now)) {
        looking::look_unseen(studio, tx, staff, SHOWN).await?;
    }
    let mut found = Vec::new();
    for row in rows {
        found.extend(row.open(studio).await?);
    }
    Ok(found)
}
