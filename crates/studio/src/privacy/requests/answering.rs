//! How a request ends: answered, refused with reasons, withdrawn; or takes longer, once.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{PersonId, RequestId};
use serde_json::json;

use super::row::{ANSWER, DELAY, WHOLE, row};
use super::{EXTENDED_MONTHS, Request, RequestError, State, reference, said};
use crate::accounts::person;
use crate::letters::{self, Letter};
use crate::privacy::authorities::{self, Authority};
use crate::privacy::keys::Sealed;
use crate::privacy::log::{self, Event, Kind};
use crate::privacy::objection;
use crate::{Failure, Studio};

/// Does what was asked for, or says why not. A refusal names the authority of `country`.
pub async fn answer(
    studio: &Studio,
    id: RequestId,
    text: &str,
    refused_in: Option<&str>,
) -> Result<(), RequestError> {
    let text = said(text).ok_or(RequestError::Reason)?;
    let authority = match refused_in {
        Some(country) => Some(authorities::of(country).ok_or(RequestError::Authority)?),
        None => None,
    };
    let mut tx = studio.db.write().await?;
    let request = still_open(locked(studio, &mut tx, id).await?)?;
    let cipher = studio.keys.of_whom(request.person).await;
    let cipher = cipher.map_err(Failure::from)?;
    let sealed = cipher.seal(ANSWER, &id.to_string(), text);
    let state = match authority {
        Some(_) => State::Refused,
        None => State::Answered,
    };
    end(studio, &mut tx, id, state, Some(&sealed), authority).await?;
    let reference = reference(studio, id);
    let text = text.to_owned();
    let (kind, letter) = match authority {
        None => (
            Kind::RequestAnswered,
            Letter::RequestAnswered { reference, text },
        ),
        Some(authority) => (
            Kind::RequestRefused,
            Letter::RequestRefused {
                reference,
                text,
                authority: authority.in_a_line(),
                at_ms: request.due.as_millis(),
            },
        ),
    };
    note(studio, &mut tx, &request, kind).await?;
    tell(studio, &mut tx, &request, &letter).await?;
    tx.commit().await?;
    Ok(())
}

/// It takes longer: two months more, told with the reason (Art. 12(3) GDPR). Gives when it is due now.
pub async fn extend(studio: &Studio, id: RequestId, why: &str) -> Result<Moment, RequestError> {
    let why = said(why).ok_or(RequestError::Reason)?;
    let mut tx = studio.db.write().await?;
    let request = still_open(locked(studio, &mut tx, id).await?)?;
    if request.extended.is_some() {
        return Err(RequestError::Extended);
    }
    let due = request.received.end_of_day_in_months(EXTENDED_MONTHS);
    let cipher = studio.keys.of_whom(request.person).await;
    let cipher = cipher.map_err(Failure::from)?;
    let sealed = cipher.seal(DELAY, &id.to_string(), why);
    on!(tx, conn => {
        sqlx::query(
            "UPDATE request SET due_ms = $2, extended_ms = $3, delay = $4, alarmed_ms = NULL \
             WHERE id = $1",
        )
        .bind(id.to_string())
        .bind(due.as_millis())
        .bind(studio.clock.now().as_millis())
        .bind(sealed.as_str())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    note(studio, &mut tx, &request, Kind::RequestExtended).await?;
    let letter = Letter::RequestExtended {
        reference: reference(studio, id),
        text: why.to_owned(),
        at_ms: due.as_millis(),
    };
    tell(studio, &mut tx, &request, &letter).await?;
    tx.commit().await?;
    Ok(due)
}

/// Whoever asked wants it no more.
pub async fn withdraw(
    studio: &Studio,
    person: PersonId,
    id: RequestId,
) -> Result<(), RequestError> {
    let mut tx = studio.db.write().await?;
    let request = locked(studio, &mut tx, id).await?;
    // Before its state: of somebody else's nothing is told.
    if request.person != Some(person) {
        return Err(RequestError::Unknown);
    }
    let request = still_open(request)?;
    end(studio, &mut tx, id, State::Withdrawn, None, None).await?;
    objection::end_with(studio, &mut tx, person, id).await?;
    note(studio, &mut tx, &request, Kind::RequestWithdrawn).await?;
    tx.commit().await?;
    Ok(())
}

/// The request, its row locked.
async fn locked(studio: &Studio, tx: &mut Tx, id: RequestId) -> Result<Request, RequestError> {
    on!(tx, conn => {
        sqlx::query("UPDATE request SET state = state WHERE id = $1")
            .bind(id.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    let found = row(tx, id).await?.ok_or(RequestError::Unknown)?;
    found
        .open(studio, &WHOLE)
        .await?
        .ok_or(RequestError::Unknown)
}

fn still_open(request: Request) -> Result<Request, RequestError> {
    match request.state {
        State::Open => Ok(request),
        State::Answered | State::Refused | State::Withdrawn => Err(RequestError::Ended),
    }
}

async fn end(
    studio: &Studio,
    tx: &mut Tx,
    id: RequestId,
    state: State,
    answer: Option<&Sealed>,
    authority: Option<&Authority>,
) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query(
            "UPDATE request SET state = $2, answer = $3, country = $4, ended_ms = $5 WHERE id = $1",
        )
        .bind(id.to_string())
        .bind(state.name())
        .bind(answer.map(Sealed::as_str))
        .bind(authority.map(|authority| authority.country.as_str()))
        .bind(studio.clock.now().as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(())
}

async fn note(studio: &Studio, tx: &mut Tx, request: &Request, kind: Kind) -> Result<(), Failure> {
    let event = Event {
        kind,
        person: request.person,
        what: json!({ "request": request.id, "asked": request.asked.name() }),
    };
    log::note(studio, tx, &event).await?;
    Ok(())
}

async fn tell(
    studio: &Studio,
    tx: &mut Tx,
    request: &Request,
    letter: &Letter,
) -> Result<(), Failure> {
    let address = match request.person {
        Some(person) => person::address_of(studio, tx, person).await?,
        None => request.address.clone(),
    };
    if address.is_some() {
        letters::enqueue(studio, tx, request.person, address.as_ref(), letter).await?;
    }
    Ok(())
}
