//! What is said in a ticket, by either side, until it is closed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use db::{Tx, on};
use domain::ids::{AttachmentId, MessageId, PersonId, TicketId};
use imaging::BadPicture;

use super::row::{PICTURE, READ_ADDRESS, Row, WORDS, row, waiting_in};
use super::{
    MAX_FILES, MAX_FILES_OF_TICKET, MAX_MESSAGES, SILENT_MS, Side, State, SupportError, reference,
    said,
};
use crate::accounts::person;
use crate::letters::{self, Letter};
use crate::pictures::{aside, place_in_hand};
use crate::privacy::duty::tell_readers;
use crate::privacy::inventory::Purpose;
use crate::privacy::traces;
use crate::{Failure, Studio};

/// Pictures as they are kept: JPEG, in base64.
#[derive(Default)]
pub(super) struct Files(Vec<String>);

/// Makes what is kept of the pictures that somebody sent.
pub(super) async fn prepared(files: Vec<Vec<u8>>) -> Result<Files, SupportError> {
    if files.len() > MAX_FILES {
        return Err(SupportError::Files);
    }
    let mut made = Vec::new();
    for file in files {
        let place = place_in_hand().await?;
        let picture = aside(place, move || {
            imaging::attachment(&file).map(|jpeg| BASE64.encode(jpeg))
        });
        made.push(picture.await?.map_err(|bad| match bad {
            BadPicture::Imaging(error) => SupportError::Failure(error.into()),
            bad => SupportError::File(bad),
        })?);
    }
    Ok(Files(made))
}

/// Writes one message down. The ticket's row is locked, or new.
pub(super) async fn say(
    studio: &Studio,
    tx: &mut Tx,
    (ticket, person): (TicketId, Option<PersonId>),
    side: Side,
    words: &str,
    files: &Files,
) -> Result<(), SupportError> {
    let now = studio.clock.now();
    let id = MessageId::new(now, &studio.randomness).to_string();
    let ticket = ticket.to_string();
    let whose = person.map(|person| person.to_string());
    let cipher = studio.keys.of_whom(person).await?;
    let words = cipher.seal(WORDS, &id, words);
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO ticket_message (id, ticket_id, person_id, side, words, written_ms) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&id)
        .bind(&ticket)
        .bind(&whose)
        .bind(side.name())
        .bind(words.as_str())
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    for picture in &files.0 {
        let file = AttachmentId::new(now, &studio.randomness).to_string();
        let sealed = cipher.seal(PICTURE, &file, picture);
        on!(tx, conn => {
            sqlx::query(
                "INSERT INTO ticket_file (id, message_id, ticket_id, person_id, picture) \
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(&file)
            .bind(&id)
            .bind(&ticket)
            .bind(&whose)
            .bind(sealed.as_str())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
    }
    Ok(())
}

/// An open ticket, its row locked.
async fn locked(tx: &mut Tx, id: TicketId) -> Result<Row, SupportError> {
    on!(tx, conn => {
        sqlx::query("UPDATE ticket SET state = state WHERE id = $1")
            .bind(id.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    let row = row(tx, id).await?.ok_or(SupportError::Unknown)?;
    match row.state == State::Closed.name() {
        true => Err(SupportError::Closed),
        false => Ok(row),
    }
}

async fn count(tx: &mut Tx, statement: &'static str, id: TicketId) -> Result<i64, Failure> {
    Ok(on!(tx, conn => {
        sqlx::query_scalar(statement).bind(id.to_string()).fetch_one(conn).await
    })?)
}

async fn set(studio: &Studio, tx: &mut Tx, id: TicketId, state: State) -> Result<(), Failure> {
    let now = studio.clock.now().as_millis();
    let closed = (state == State::Closed).then_some(now);
    on!(tx, conn => {
        sqlx::query("UPDATE ticket SET state = $2, changed_ms = $3, closed_ms = $4 WHERE id = $1")
            .bind(id.to_string())
            .bind(state.name())
            .bind(now)
            .bind(closed)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    if closed.is_some() {
        on!(tx, conn => {
            sqlx::query("DELETE FROM ticket_file WHERE ticket_id = $1")
                .bind(id.to_string())
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        traces::are_left();
    }
    Ok(())
}

/// Whoever needs help says more, found by the ticket's reference.
pub async fn reply(
    studio: &Studio,
    id: TicketId,
    words: &str,
    files: Vec<Vec<u8>>,
) -> Result<(), SupportError> {
    let words = said(words)?;
    let files = prepared(files).await?;
    let mut tx = studio.db.write().await?;
    let row = locked(&mut tx, id).await?;
    let messages = "SELECT COUNT(*) FROM ticket_message WHERE ticket_id = $1";
    if count(&mut tx, messages, id).await? >= MAX_MESSAGES {
        return Err(SupportError::TooLong);
    }
    let sent = "SELECT COUNT(*) FROM ticket_file WHERE ticket_id = $1";
    let more = i64::try_from(files.0.len()).unwrap_or(i64::MAX);
    if more > 0 && count(&mut tx, sent, id).await? + more > MAX_FILES_OF_TICKET {
        return Err(SupportError::FilesOfTicket);
    }
    let is_first = waiting_in(&mut tx).await? == 0;
    let person = row.person()?;
    say(studio, &mut tx, (id, person), Side::Person, words, &files).await?;
    set(studio, &mut tx, id, State::Waiting).await?;
    if is_first {
        let ticket = id.to_string();
        let letter = Letter::TicketArrived { ticket };
        tell_readers(studio, &mut tx, Purpose::Support, person, &letter).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The house answers; with `closes`, that is the end of it. Whoever wrote gets it as a letter.
pub async fn answer(
    studio: &Studio,
    id: TicketId,
    words: &str,
    closes: bool,
) -> Result<(), SupportError> {
    let words = said(words)?;
    let mut tx = studio.db.write().await?;
    let row = locked(&mut tx, id).await?;
    let person = row.person()?;
    say(
        studio,
        &mut tx,
        (id, person),
        Side::House,
        words,
        &Files::default(),
    )
    .await?;
    let (reference, text) = (reference(studio, id), words.to_owned());
    let (state, letter) = match closes {
        true => (State::Closed, Letter::TicketClosed { reference, text }),
        false => {
            let at_ms = studio.clock.now().plus_millis(SILENT_MS).as_millis();
            let letter = Letter::TicketAnswered {
                reference,
                text,
                at_ms,
            };
            (State::Answered, letter)
        }
    };
    set(studio, &mut tx, id, state).await?;
    let address = match person {
        Some(person) => person::address_of(studio, &mut tx, person).await?,
        None => row.address_of_nobody(studio, READ_ADDRESS)?,
    };
    if address.is_some() {
        letters::enqueue(studio, &mut tx, person, address.as_ref(), &letter).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Whoever wrote needs no more help. Again changes nothing.
pub async fn close(studio: &Studio, id: TicketId) -> Result<(), SupportError> {
    let mut tx = studio.db.write().await?;
    match locked(&mut tx, id).await {
        Ok(_) => {}
        Err(SupportError::Closed) => return Ok(()),
        Err(error) => return Err(error),
    }
    set(studio, &mut tx, id, State::Closed).await?;
    tx.commit().await?;
    Ok(())
}

/// Closes whatever was answered and got no reply for [`SILENT_MS`]; gives how many.
pub async fn close_silent(studio: &Studio) -> Result<u32, Failure> {
    const SILENT: &str = "state = 'answered' AND closed_ms IS NULL AND changed_ms <= $1";
    let before = studio.clock.now().plus_millis(-SILENT_MS).as_millis();
    let mut tx = studio.db.read().await?;
    let statement = format!("SELECT id FROM ticket WHERE {SILENT} ORDER BY id");
    let silent: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).bind(before).fetch_all(conn).await
    })?;
    drop(tx);
    let mut closed = 0;
    for id in silent {
        let id: TicketId = id
            .parse()
            .map_err(|_| Failure::Row("id of a ticket".to_owned()))?;
        let mut tx = studio.db.write().await?;
        // Something may have been said in between.
        let statement = format!("UPDATE ticket SET state = state WHERE {SILENT} AND id = $2");
        let still = on!(tx, conn => {
            sqlx::query(sqlx::AssertSqlSafe(statement))
                .bind(before)
                .bind(id.to_string())
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        if still > 0 {
            set(studio, &mut tx, id, State::Closed).await?;
            tx.commit().await?;
            closed += 1;
        }
    }
    Ok(closed)
}
