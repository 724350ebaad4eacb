//! How a request comes in: from somebody who is signed in, from a mailbox, or from an operator who read
//! a letter.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{PersonId, RequestId};
use domain::personal::Address;
use domain::secret::Token;
use serde_json::{Value, json};

use super::row::{ADDRESS, WORDS, row};
use super::{Asked, DUE_MONTHS, Identity, MAX_OPEN, RequestError, State, reference, said};
use crate::accounts::person;
use crate::accounts::proof::{self, About, Kind as Proof};
use crate::accounts::sign_in::Visit;
use crate::jobs::line;
use crate::letters::{self, Letter};
use crate::privacy::duty::tell_overseers;
use crate::privacy::keys::Sealed;
use crate::privacy::log::{self, Event, Kind};
use crate::{Failure, Studio};

/// Somebody who is known asks.
pub async fn open(
    studio: &Studio,
    person: PersonId,
    asked: Asked,
    words: &str,
    identity: Identity,
) -> Result<RequestId, RequestError> {
    let mut tx = studio.db.write().await?;
    let id = open_in(studio, &mut tx, person, asked, words, identity).await?;
    tx.commit().await?;
    Ok(id)
}

/// As [`open`], in a transaction that does more.
pub(crate) async fn open_in(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    asked: Asked,
    words: &str,
    identity: Identity,
) -> Result<RequestId, RequestError> {
    let words = said(words).ok_or(RequestError::Words)?;
    line::lock(tx, person).await?;
    let open: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM request WHERE person_id = $1 AND ended_ms IS NULL")
            .bind(person.to_string())
            .fetch_one(conn)
            .await
    })?;
    if open >= MAX_OPEN {
        return Err(RequestError::TooMany);
    }
    let new = New {
        person: Some(person),
        asked,
        words,
        identity,
        address: None,
        received: studio.clock.now(),
    };
    Ok(write(studio, tx, &new).await?)
}

/// What stands in a proof until the mailbox has confirmed it; `came` where the clock runs from before
/// that.
pub(super) fn detail(asked: Asked, words: &str, came: Option<Moment>) -> String {
    let came = came.map(Moment::as_millis);
    json!({ "asked": asked.name(), "words": words, "came_ms": came }).to_string()
}

/// Somebody asks from an address, known or not: a letter with a link goes there, and nothing is in the
/// register before that was opened. Nothing that can be seen or timed tells who has an account.
pub async fn ask_by_mailbox(
    studio: &Studio,
    visit: &Visit,
    address: &Address,
    asked: Asked,
    words: &str,
) -> Result<(), RequestError> {
    let words = said(words).ok_or(RequestError::Words)?;
    let (now, throttle) = (studio.clock.now(), studio.gate.throttle());
    throttle
        .may_ask_for_letter(now, visit.from)
        .map_err(|retry_after_s| RequestError::Slow { retry_after_s })?;
    let may_write = throttle.may_write_to(now, address);
    let detail = detail(asked, words, None);
    let mut tx = studio.db.write().await?;
    let about = About {
        address: Some(address),
        detail: Some(&detail),
        ..About::default()
    };
    let token = proof::give(studio, &mut tx, Proof::Request, &about).await?;
    let letter = Letter::RequestConfirm {
        token: token.expose().to_owned(),
    };
    let to = Some(address).filter(|_| may_write);
    letters::enqueue(studio, &mut tx, None, to, &letter).await?;
    tx.commit().await?;
    Ok(())
}

/// What a link would put into the register; `None` where it has ended.
pub async fn is_confirmable(
    studio: &Studio,
    token: &Token,
) -> Result<Option<(Asked, String)>, Failure> {
    let mut tx = studio.db.read().await?;
    let proof = proof::look(studio, &mut tx, Proof::Request, token).await?;
    let read = proof.as_ref().and_then(read);
    Ok(read.map(|(asked, words, _)| (asked, words)))
}

fn read(proof: &proof::Proof) -> Option<(Asked, String, Option<Moment>)> {
    let detail: Value = serde_json::from_str(proof.detail.as_ref()?.expose()).ok()?;
    let asked = Asked::named(detail["asked"].as_str()?)?;
    let came = detail["came_ms"].as_i64().map(Moment::from_millis);
    Some((asked, detail["words"].as_str()?.to_owned(), came))
}

/// The mailbox confirms: from here on the clock runs. Where somebody has an account with that address,
/// the request is theirs.
pub async fn confirm(studio: &Studio, token: &Token) -> Result<RequestId, RequestError> {
    let mut tx = studio.db.read().await?;
    let proof = proof::look(studio, &mut tx, Proof::Request, token).await?;
    drop(tx);
    let address = proof.and_then(|proof| proof.address);
    let address = address.ok_or(RequestError::LinkEnded)?;
    let person = person::id_by_address(studio, &address).await?;
    let mut tx = studio.db.write().await?;
    let proof = proof::take(studio, &mut tx, Proof::Request, token).await?;
    let proof = proof.ok_or(RequestError::LinkEnded)?;
    let (asked, words, came) = read(&proof).ok_or(RequestError::LinkEnded)?;
    let person = match person {
        Some(person) if person::stays(&mut tx, person).await? => Some(person),
        _ => None,
    };
    let new = New {
        person,
        asked,
        words: &words,
        identity: Identity::Mailbox,
        address: Some(&address).filter(|_| person.is_none()),
        received: came.unwrap_or_else(|| studio.clock.now()),
    };
    let id = write(studio, &mut tx, &new).await?;
    tx.commit().await?;
    Ok(id)
}

/// An operator enters what came by post, with the day on which it came.
pub async fn record(
    studio: &Studio,
    address: &Address,
    asked: Asked,
    words: &str,
    identity: Identity,
    received: Moment,
) -> Result<RequestId, RequestError> {
    let words = said(words).ok_or(RequestError::Words)?;
    let person = person::id_by_address(studio, address).await?;
    let mut tx = studio.db.write().await?;
    let person = match person {
        Some(person) if person::stays(&mut tx, person).await? => Some(person),
        _ => None,
    };
    let new = New {
        person,
        asked,
        words,
        identity,
        address: Some(address).filter(|_| person.is_none()),
        received,
    };
    let id = write(studio, &mut tx, &new).await?;
    tx.commit().await?;
    Ok(id)
}

struct New<'a> {
    person: Option<PersonId>,
    asked: Asked,
    words: &'a str,
    identity: Identity,
    address: Option<&'a Address>,
    received: Moment,
}

async fn write(studio: &Studio, tx: &mut Tx, new: &New<'_>) -> Result<RequestId, Failure> {
    let number = RequestId::new(studio.clock.now(), &studio.randomness);
    let id = number.to_string();
    let due = new.received.end_of_day_in_months(DUE_MONTHS);
    let cipher = studio.keys.of_whom(new.person).await?;
    let words = cipher.seal(WORDS, &id, new.words);
    let address = new
        .address
        .map(|address| cipher.seal(ADDRESS, &id, address.expose()));
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO request (id, person_id, kind, channel, identity, state, address, words, \
             received_ms, due_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(&id)
        .bind(new.person.map(|person| person.to_string()))
        .bind(new.asked.name())
        .bind(new.identity.channel())
        .bind(new.identity.name())
        .bind(State::Open.name())
        .bind(address.as_ref().map(Sealed::as_str))
        .bind(words.as_str())
        .bind(new.received.as_millis())
        .bind(due.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    let event = Event {
        kind: Kind::RequestReceived,
        person: new.person,
        what: json!({ "request": id, "asked": new.asked.name(), "identity": new.identity.name() }),
    };
    log::note(studio, tx, &event).await?;
    let letter = Letter::RequestReceived {
        reference: reference(studio, number),
        at_ms: due.as_millis(),
    };
    let own = match new.person {
        Some(person) => person::address_of(studio, tx, person).await?,
        None => new.address.cloned(),
    };
    if own.is_some() {
        letters::enqueue(studio, tx, new.person, own.as_ref(), &letter).await?;
    }
    let letter = Letter::RequestArrived {
        request: id,
        at_ms: due.as_millis(),
    };
    tell_overseers(studio, tx, None, &letter).await?;
    Ok(number)
}

/// Deletes the requests that came from an address before anybody had an account with it.
pub(crate) async fn forget_nobodys(
    studio: &Studio,
    tx: &mut Tx,
    address: &Address,
) -> Result<(), Failure> {
    let ids: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT id FROM request WHERE person_id IS NULL ORDER BY id")
            .fetch_all(conn)
            .await
    })?;
    for id in ids {
        let number = id
            .parse()
            .map_err(|_| Failure::Row("id of a request".to_owned()))?;
        let Some(found) = row(tx, number).await? else {
            continue;
        };
        let to = found.address_of_nobody(studio)?;
        if to.is_some_and(|to| to.folded() == address.folded()) {
            on!(tx, conn => {
                sqlx::query("DELETE FROM request WHERE id = $1")
                    .bind(&id)
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected())
            })?;
        }
    }
    Ok(())
}
