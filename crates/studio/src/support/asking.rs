//! How a ticket begins: by somebody who is signed in, or from a mailbox.

use db::{Tx, on};
use domain::ids::{PersonId, TicketId};
use domain::personal::Address;
use domain::secret::Token;
use serde_json::{Value, json};

use super::row::{ADDRESS, Row, SUBJECT, waiting_in};
use super::talking::{Files, prepared, say};
use super::{About, DAY_MS, MAX_OPEN, Question, Side, State, SupportError, reference};
use crate::accounts::person;
use crate::accounts::proof::{self, About as Concerning, Kind as Proof};
use crate::accounts::sign_in::Visit;
use crate::jobs::line;
use crate::letters::{self, Letter};
use crate::privacy::duty::tell_readers;
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::Sealed;
use crate::{Failure, Studio};

/// Somebody who is known writes, with pictures or without.
pub async fn open(
    studio: &Studio,
    person: PersonId,
    question: &Question<'_>,
    files: Vec<Vec<u8>>,
) -> Result<TicketId, SupportError> {
    let question = question.checked()?;
    let files = prepared(files).await?;
    let mut tx = studio.db.write().await?;
    line::lock(&mut tx, person).await?;
    // Also those that were closed at once: each tells whoever answers.
    let today = studio.clock.now().plus_millis(-DAY_MS).as_millis();
    let open: i64 = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM ticket WHERE person_id = $1 AND (closed_ms IS NULL OR opened_ms > $2)",
        )
        .bind(person.to_string())
        .bind(today)
        .fetch_one(conn)
        .await
    })?;
    if open >= MAX_OPEN {
        return Err(SupportError::TooMany);
    }
    let id = write(studio, &mut tx, Some(person), None, &question, &files).await?;
    tx.commit().await?;
    Ok(id)
}

/// Somebody writes from an address, known or not: a letter with a link goes there, and there is no ticket
/// before that was opened. Nothing that can be seen or timed tells who has an account.
pub async fn ask_by_mailbox(
    studio: &Studio,
    visit: &Visit,
    address: &Address,
    question: &Question<'_>,
) -> Result<(), SupportError> {
    let question = question.checked()?;
    let (now, throttle) = (studio.clock.now(), studio.gate.throttle());
    throttle
        .may_ask_for_letter(now, visit.from)
        .map_err(|retry_after_s| SupportError::Slow { retry_after_s })?;
    let may_write = throttle.may_write_to(now, address);
    let detail = json!({
        "about": question.about.name(), "subject": question.subject, "words": question.words,
    });
    let detail = detail.to_string();
    let mut tx = studio.db.write().await?;
    let about = Concerning {
        address: Some(address),
        detail: Some(&detail),
        ..Concerning::default()
    };
    let token = proof::give(studio, &mut tx, Proof::Ticket, &about).await?;
    let letter = Letter::TicketConfirm {
        token: token.expose().to_owned(),
    };
    let to = Some(address).filter(|_| may_write);
    letters::enqueue(studio, &mut tx, None, to, &letter).await?;
    tx.commit().await?;
    Ok(())
}

struct Asked {
    about: About,
    subject: String,
    words: String,
}

fn read(proof: &proof::Proof) -> Option<Asked> {
    let detail: Value = serde_json::from_str(proof.detail.as_ref()?.expose()).ok()?;
    Some(Asked {
        about: About::named(detail["about"].as_str()?)?,
        subject: detail["subject"].as_str()?.to_owned(),
        words: detail["words"].as_str()?.to_owned(),
    })
}

/// The subject and the words that a link would send; `None` where it has ended.
pub async fn is_confirmable(
    studio: &Studio,
    token: &Token,
) -> Result<Option<(String, String)>, Failure> {
    let mut tx = studio.db.read().await?;
    let proof = proof::look(studio, &mut tx, Proof::Ticket, token).await?;
    let asked = proof.as_ref().and_then(read);
    Ok(asked.map(|asked| (asked.subject, asked.words)))
}

/// The mailbox confirms. Where somebody has an account with that address, the ticket is theirs.
pub async fn confirm(studio: &Studio, token: &Token) -> Result<TicketId, SupportError> {
    let mut tx = studio.db.read().await?;
    let proof = proof::look(studio, &mut tx, Proof::Ticket, token).await?;
    drop(tx);
    let address = proof.and_then(|proof| proof.address);
    let address = address.ok_or(SupportError::LinkEnded)?;
    let person = person::id_by_address(studio, &address).await?;
    let mut tx = studio.db.write().await?;
    let proof = proof::take(studio, &mut tx, Proof::Ticket, token).await?;
    let proof = proof.ok_or(SupportError::LinkEnded)?;
    let asked = read(&proof).ok_or(SupportError::LinkEnded)?;
    let person = match person {
        Some(person) if person::stays(&mut tx, person).await? => Some(person),
        _ => None,
    };
    let question = Question {
        about: asked.about,
        subject: &asked.subject,
        words: &asked.words,
    };
    let to = Some(&address).filter(|_| person.is_none());
    let id = write(studio, &mut tx, person, to, &question, &Files::default()).await?;
    let letter = Letter::TicketOpened {
        reference: reference(studio, id),
    };
    letters::enqueue(studio, &mut tx, person, Some(&address), &letter).await?;
    tx.commit().await?;
    Ok(id)
}

async fn write(
    studio: &Studio,
    tx: &mut Tx,
    person: Option<PersonId>,
    address: Option<&Address>,
    question: &Question<'_>,
    files: &Files,
) -> Result<TicketId, SupportError> {
    let now = studio.clock.now();
    let number = TicketId::new(now, &studio.randomness);
    let id = number.to_string();
    // Of several that wait, only the first is told: whoever answers finds the others beside it. A child
    // can't wait.
    let is_told = waiting_in(tx).await? == 0 || question.about == About::Child;
    let cipher = studio.keys.of_whom(person).await?;
    let subject = cipher.seal(SUBJECT, &id, question.subject);
    let address = address.map(|address| cipher.seal(ADDRESS, &id, address.expose()));
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO ticket (id, person_id, kind, state, address, subject, opened_ms, changed_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
        )
        .bind(&id)
        .bind(person.map(|person| person.to_string()))
        .bind(question.about.name())
        .bind(State::Waiting.name())
        .bind(address.as_ref().map(Sealed::as_str))
        .bind(subject.as_str())
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    say(
        studio,
        tx,
        (number, person),
        Side::Person,
        question.words,
        files,
    )
    .await?;
    if is_told {
        let letter = Letter::TicketArrived { ticket: id };
        tell_readers(studio, tx, Purpose::Support, person, &letter).await?;
    }
    Ok(number)
}

/// Deletes the tickets that came from an address before anybody had an account with it.
pub(crate) async fn forget_nobodys(
    studio: &Studio,
    tx: &mut Tx,
    address: &Address,
) -> Result<(), Failure> {
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM ticket WHERE person_id IS NULL ORDER BY id")
            .fetch_all(conn)
            .await
    })?;
    for row in rows {
        let to = row.address_of_nobody(studio, ADDRESS.to_forget())?;
        if to.is_some_and(|to| to.folded() == address.folded()) {
            on!(tx, conn => {
                sqlx::query("DELETE FROM ticket WHERE id = $1")
                    .bind(&row.id)
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected())
            })?;
        }
    }
    Ok(())
}
