//! What becomes of a request: entered, agreed to by two people, refused with reasons, looked at again.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{DisclosureId, PersonId};
use serde_json::json;

use super::row::{AUTHORITY, EMERGENCY, LAW, REFERENCE, REFUSAL, Row, locked};
use super::{DisclosureError, MAX_GAG_MS, NewDisclosure, Path, REVIEW_MS, State, said, scope};
use crate::accounts::{Known, person};
use crate::letters::Letter;
use crate::privacy::duty::{oversees, tell_overseers};
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::Sealed;
use crate::privacy::log::{self, Event, Kind};
use crate::privacy::looking::reader_hash;
use crate::{Failure, Studio};

/// Enters a request. `by` is `None` in the shell.
pub async fn enter(
    studio: &Studio,
    by: Option<PersonId>,
    new: &NewDisclosure,
) -> Result<DisclosureId, DisclosureError> {
    let now = studio.clock.now();
    let authority = said(&new.authority).ok_or(DisclosureError::Words)?;
    let reference = said(&new.reference).ok_or(DisclosureError::Words)?;
    // What can be looked up has a number.
    let law = said(&new.law).filter(|law| law.contains(|c: char| c.is_ascii_digit()));
    let law = law.ok_or(DisclosureError::Law)?;
    if new.fields.is_empty() {
        return Err(DisclosureError::Nothing);
    }
    if let Some(bad) = new.fields.iter().find(|one| scope::named(one).is_none()) {
        return Err(DisclosureError::Field(bad.clone()));
    }
    if let (Some(from), Some(until)) = (new.from, new.until)
        && from >= until
    {
        return Err(DisclosureError::Span);
    }
    let is_fine = |end: Moment| end > now && end <= now.plus_millis(MAX_GAG_MS);
    if new.gag_until.is_some_and(|end| !is_fine(end)) {
        return Err(DisclosureError::Gag);
    }
    let emergency = new.emergency.as_deref().map(said);
    let (path, emergency) = match emergency {
        Some(None) => return Err(DisclosureError::Emergency),
        Some(Some(danger)) => (Path::Emergency, Some(danger)),
        None => (Path::Order, None),
    };
    let id = DisclosureId::new(now, &studio.randomness);
    let number = id.to_string();
    let cipher = studio.keys.of_whom(new.person).await;
    let cipher = cipher.map_err(Failure::from)?;
    let sealed = |place, text: &str| cipher.seal(place, &number, text);
    let mut fields = new.fields.clone();
    fields.sort();
    fields.dedup();
    let mut tx = studio.db.write().await?;
    if let Some(about) = new.person
        && !person::stays(&mut tx, about).await?
    {
        return Err(DisclosureError::Nobody);
    }
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO disclosure (id, person_id, path, state, authority, law, reference, emergency, \
             fields, from_ms, until_ms, received_ms, gag_until_ms, entered_by, sealed_leaves) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, '')",
        )
        .bind(&number)
        .bind(new.person.map(|person| person.to_string()))
        .bind(path.name())
        .bind(State::Received.name())
        .bind(sealed(AUTHORITY, authority).as_str())
        .bind(sealed(LAW, law).as_str())
        .bind(sealed(REFERENCE, reference).as_str())
        .bind(emergency.map(|danger| sealed(EMERGENCY, danger)).as_ref().map(Sealed::as_str))
        .bind(fields.join(" "))
        .bind(new.from.map(Moment::as_millis))
        .bind(new.until.map(Moment::as_millis))
        .bind(now.as_millis())
        .bind(new.gag_until.map(Moment::as_millis))
        .bind(by.map(|by| reader_hash(studio, by)))
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    note(
        studio,
        &mut tx,
        Kind::DisclosureReceived,
        &number,
        path.name(),
    )
    .await?;
    let letter = Letter::DisclosureAsked { request: number };
    tell_overseers(studio, &mut tx, by, &letter).await?;
    tx.commit().await?;
    Ok(id)
}

/// One of those who decide agrees. Enough did when this gives [`State::Approved`].
pub async fn approve(
    studio: &Studio,
    by: &Known,
    id: DisclosureId,
) -> Result<State, DisclosureError> {
    oversee(by)?;
    let now = studio.clock.now().as_millis();
    let own = reader_hash(studio, by.person);
    let mut tx = studio.db.write().await?;
    let row = locked(&mut tx, id).await?;
    if row.state != State::Received.name() {
        return Err(DisclosureError::Over);
    }
    if row.person()?.is_none() {
        return Err(DisclosureError::Empty);
    }
    if row.first_by.as_ref() == Some(&own) {
        return Err(DisclosureError::Own);
    }
    let is_emergency = row.path == Path::Emergency.name();
    let (column, state) = match (&row.first_by, is_emergency) {
        (None, false) => ("first_by", State::Received),
        (None, true) => ("first_by", State::Approved),
        (Some(_), _) => ("second_by", State::Approved),
    };
    let approved = (state == State::Approved).then_some(now);
    // From here on anything may be handed out, so the clock of who looks again begins.
    let due = approved.filter(|_| is_emergency).map(|now| now + REVIEW_MS);
    let statement = format!(
        "UPDATE disclosure SET {column} = $2, state = $3, approved_ms = $4, review_due_ms = $5 WHERE id = $1"
    );
    on!(tx, conn => {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(&row.id)
            .bind(&own)
            .bind(state.name())
            .bind(approved)
            .bind(due)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    if state == State::Approved {
        note(
            studio,
            &mut tx,
            Kind::DisclosureApproved,
            &row.id,
            &row.path,
        )
        .await?;
    }
    tx.commit().await?;
    Ok(state)
}

/// It is refused, with the reasons.
pub async fn refuse(
    studio: &Studio,
    by: &Known,
    id: DisclosureId,
    why: &str,
) -> Result<(), DisclosureError> {
    oversee(by)?;
    let why = said(why).ok_or(DisclosureError::Reason)?;
    let mut tx = studio.db.write().await?;
    let row = locked(&mut tx, id).await?;
    let open = [State::Received.name(), State::Approved.name()];
    if !open.contains(&row.state.as_str()) {
        return Err(DisclosureError::Over);
    }
    let cipher = studio.keys.of_whom(row.person()?).await;
    let sealed = cipher.map_err(Failure::from)?.seal(REFUSAL, &row.id, why);
    // Nothing was handed out, so there is nothing to look at again.
    on!(tx, conn => {
        sqlx::query(
            "UPDATE disclosure SET state = $2, refusal = $3, refused_by = $4, ended_ms = $5, \
             review_due_ms = NULL WHERE id = $1",
        )
        .bind(&row.id)
        .bind(State::Refused.name())
        .bind(sealed.as_str())
        .bind(reader_hash(studio, by.person))
        .bind(studio.clock.now().as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    note(studio, &mut tx, Kind::DisclosureRefused, &row.id, &row.path).await?;
    tx.commit().await?;
    Ok(())
}

/// Somebody else looks again at an emergency, and says whether it was right.
pub async fn review(
    studio: &Studio,
    by: &Known,
    id: DisclosureId,
    was_right: bool,
) -> Result<(), DisclosureError> {
    oversee(by)?;
    let own = reader_hash(studio, by.person);
    let mut tx = studio.db.write().await?;
    let row = locked(&mut tx, id).await?;
    if row.review_due_ms.is_none() || row.reviewed_ms.is_some() {
        return Err(DisclosureError::Over);
    }
    if [&row.first_by, &row.second_by]
        .into_iter()
        .flatten()
        .any(|who| *who == own)
    {
        return Err(DisclosureError::Own);
    }
    on!(tx, conn => {
        sqlx::query(
            "UPDATE disclosure SET reviewed_by = $2, reviewed_ms = $3, review = $4 WHERE id = $1",
        )
        .bind(&row.id)
        .bind(&own)
        .bind(studio.clock.now().as_millis())
        .bind(if was_right { "upheld" } else { "faulted" })
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    note(
        studio,
        &mut tx,
        Kind::DisclosureReviewed,
        &row.id,
        &row.path,
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

fn oversee(by: &Known) -> Result<(), DisclosureError> {
    let (role, purpose) = (by.role, Purpose::Disclosure);
    match oversees(role) {
        true => Ok(()),
        false => Err(Failure::NotForRole { role, purpose }.into()),
    }
}

/// Into the house's own log, for everybody to count: it names no person.
pub(super) async fn note(
    studio: &Studio,
    tx: &mut Tx,
    kind: Kind,
    id: &str,
    path: &str,
) -> Result<(), Failure> {
    let event = Event {
        kind,
        person: None,
        what: json!({ "disclosure": id, "path": path }),
    };
    log::note(studio, tx, &event).await?;
    Ok(())
}

impl Row {
    /// Whether what was agreed to may be handed out.
    pub(super) fn is_approved(&self) -> bool {
        let enough = match self.path == Path::Emergency.name() {
            true => self.first_by.is_some(),
            false => self.first_by.is_some() && self.second_by.is_some(),
        };
        enough && [State::Approved.name(), State::Disclosed.name()].contains(&self.state.as_str())
    }
}
