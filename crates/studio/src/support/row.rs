//! Tickets as they are stored, and found.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{AttachmentId, PersonId, TicketId};
use domain::personal::Address;
use domain::picture::Format;

use super::{About, Message, Side, State, Ticket};
use crate::pictures::File;
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::{Cipher, KeyError, Place, Reading};
use crate::privacy::looking::{self, Staff, View};
use crate::{Failure, Studio};

pub(super) const ADDRESS: Place = Place::new("ticket", "address");
pub(super) const SUBJECT: Place = Place::new("ticket", "subject");
pub(super) const WORDS: Place = Place::new("ticket_message", "words");
pub(super) const PICTURE: Place = Place::new("ticket_file", "picture");
pub(super) const READ_ADDRESS: Reading = ADDRESS.read_for(Purpose::Support);
const READ_SUBJECT: Reading = SUBJECT.read_for(Purpose::Support);
const READ_WORDS: Reading = WORDS.read_for(Purpose::Support);
const READ_PICTURE: Reading = PICTURE.read_for(Purpose::Support);

/// What those who answer see of one in a list.
const IN_A_LINE: &[Place] = &[
    SUBJECT,
    Place::new("ticket", "kind"),
    Place::new("ticket", "state"),
    Place::new("ticket", "opened_ms"),
    Place::new("ticket", "changed_ms"),
];
const LISTED: View = View::of(&[(Purpose::Support, IN_A_LINE)]);
/// And of one that they open.
const OPENED: View = View::of(&[
    (Purpose::Support, IN_A_LINE),
    (
        Purpose::Support,
        &[
            ADDRESS,
            WORDS,
            Place::new("ticket", "closed_ms"),
            Place::new("ticket_message", "side"),
            Place::new("ticket_message", "written_ms"),
        ],
    ),
]);
const FILE_SHOWN: View = View::of(&[(Purpose::Support, &[PICTURE])]);

/// With which a ticket is opened.
struct Readings {
    address: Reading,
    subject: Reading,
    words: Reading,
}

/// For whoever wrote it, and for bringing them an answer.
const OWN: Readings = Readings {
    address: READ_ADDRESS,
    subject: READ_SUBJECT,
    words: READ_WORDS,
};

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) id: String,
    person_id: Option<String>,
    kind: String,
    pub(super) state: String,
    address: Option<String>,
    subject: String,
    opened_ms: i64,
    changed_ms: i64,
    closed_ms: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct MessageRow {
    id: String,
    side: String,
    words: String,
    written_ms: i64,
}

impl Row {
    pub(super) fn person(&self) -> Result<Option<PersonId>, Failure> {
        let person = self.person_id.as_deref().map(str::parse).transpose();
        person.map_err(|_| Failure::Row(format!("person of {}", self.id)))
    }

    /// `None` where it is of somebody who is being erased: nobody can read it any more.
    async fn cipher(&self, studio: &Studio) -> Result<Option<Cipher>, Failure> {
        match studio.keys.of_whom(self.person()?).await {
            Ok(cipher) => Ok(Some(cipher)),
            Err(KeyError::Gone(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Where answers go, of a ticket of nobody's.
    pub(super) fn address_of_nobody(
        &self,
        studio: &Studio,
        reading: Reading,
    ) -> Result<Option<Address>, Failure> {
        let stored = self.address.as_deref();
        let opened = studio.keys.nobody().open_some(reading, &self.id, stored)?;
        let address = opened.map(|address| Address::new(address.expose()));
        let bad = |_| Failure::Row(format!("address of {}", self.id));
        address.transpose().map_err(bad)
    }

    /// In a line: without what was said.
    fn open(self, cipher: &Cipher, readings: &Readings) -> Result<Ticket, Failure> {
        let bad = |what: &str| Failure::Row(format!("{what} of {}", self.id));
        let address = cipher.open_some(readings.address, &self.id, self.address.as_deref())?;
        let address = address.map(|address| Address::new(address.expose()));
        let mut states = State::ALL.into_iter();
        let state = states.find(|state| state.name() == self.state);
        Ok(Ticket {
            id: self.id.parse().map_err(|_| bad("id"))?,
            person: self.person()?,
            about: About::named(&self.kind).ok_or_else(|| bad("kind"))?,
            state: state.ok_or_else(|| bad("state"))?,
            address: address.transpose().map_err(|_| bad("address"))?,
            subject: cipher
                .open(readings.subject, &self.id, &self.subject)?
                .into_exposed(),
            opened: Moment::from_millis(self.opened_ms),
            changed: Moment::from_millis(self.changed_ms),
            closed: self.closed_ms.map(Moment::from_millis),
            messages: Vec::new(),
        })
    }
}

pub(super) async fn row(tx: &mut Tx, id: TicketId) -> Result<Option<Row>, Failure> {
    Ok(on!(tx, conn => {
        sqlx::query_as("SELECT * FROM ticket WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(conn)
            .await
    })?)
}

/// With all that was said.
async fn whole(
    studio: &Studio,
    tx: &mut Tx,
    row: Row,
    readings: &Readings,
) -> Result<Option<Ticket>, Failure> {
    let Some(cipher) = row.cipher(studio).await? else {
        return Ok(None);
    };
    let messages: Vec<MessageRow> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT id, side, words, written_ms FROM ticket_message WHERE ticket_id = $1 ORDER BY id",
        )
        .bind(&row.id)
        .fetch_all(conn)
        .await
    })?;
    let files: Vec<(String, String)> = on!(tx, conn => {
        sqlx::query_as("SELECT id, message_id FROM ticket_file WHERE ticket_id = $1 ORDER BY id")
            .bind(&row.id)
            .fetch_all(conn)
            .await
    })?;
    let mut ticket = row.open(&cipher, readings)?;
    for message in messages {
        let own = files.iter().filter(|(_, of)| *of == message.id);
        let own: Result<Vec<AttachmentId>, _> = own.map(|(id, _)| id.parse()).collect();
        let side = match message.side == Side::House.name() {
            true => Side::House,
            false => Side::Person,
        };
        ticket.messages.push(Message {
            side,
            words: cipher
                .open(readings.words, &message.id, &message.words)?
                .into_exposed(),
            written: Moment::from_millis(message.written_ms),
            files: own.map_err(|_| Failure::Row(format!("file of {}", message.id)))?,
        });
    }
    Ok(Some(ticket))
}

async fn in_lines(
    studio: &Studio,
    rows: Vec<Row>,
    readings: &Readings,
) -> Result<Vec<Ticket>, Failure> {
    let mut tickets = Vec::new();
    for row in rows {
        if let Some(cipher) = row.cipher(studio).await? {
            tickets.push(row.open(&cipher, readings)?);
        }
    }
    Ok(tickets)
}

/// Shown of one person's, the newest.
const MAX_SHOWN: i64 = 100;

/// A person's tickets in lines, the newest first.
pub async fn of_person(studio: &Studio, person: PersonId) -> Result<Vec<Ticket>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM ticket WHERE person_id = $1 ORDER BY id DESC LIMIT $2")
            .bind(person.to_string())
            .bind(MAX_SHOWN)
            .fetch_all(conn)
            .await
    })?;
    drop(tx);
    in_lines(studio, rows, &OWN).await
}

/// By which whoever wrote finds the ticket, with an account or without: only the house's key makes it of
/// the number, so it is kept nowhere but in letters.
#[must_use]
pub fn reference(studio: &Studio, id: TicketId) -> String {
    let seal = studio.keys.blind("ticket", &id.to_string());
    format!("{id}.{seal}")
}

/// The number in a reference; `None` where it was made up.
fn referred(studio: &Studio, text: &str) -> Option<TicketId> {
    let id = text.split_once('.')?.0.parse().ok()?;
    // Compared as keyed hashes, so that the time tells nothing of the right one.
    let hash = |text: &str| studio.keys.blind("reference", text);
    (hash(text) == hash(&reference(studio, id))).then_some(id)
}

/// The ticket that a reference names, with all that was said.
pub async fn by_reference(studio: &Studio, text: &str) -> Result<Option<Ticket>, Failure> {
    let Some(id) = referred(studio, text) else {
        return Ok(None);
    };
    let mut tx = studio.db.read().await?;
    match row(&mut tx, id).await? {
        Some(row) => whole(studio, &mut tx, row, &OWN).await,
        None => Ok(None),
    }
}

/// Whatever is not closed in lines, for those who answer: what waits first, the oldest of it before all.
pub async fn unclosed(studio: &Studio, staff: &Staff) -> Result<Vec<Ticket>, Failure> {
    let mut tx = studio.db.write().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT * FROM ticket WHERE closed_ms IS NULL \
             ORDER BY CASE state WHEN 'waiting' THEN 0 ELSE 1 END, changed_ms, id LIMIT $1",
        )
        .bind(MAX_SHOWN)
        .fetch_all(conn)
        .await
    })?;
    let mut whose = Vec::new();
    for row in &rows {
        whose.extend(row.person()?);
    }
    let seen = looking::look(studio, &mut tx, staff, LISTED, whose).await?;
    let subject = seen.reading(SUBJECT)?;
    let mut tickets = Vec::new();
    for mut row in rows {
        // A list doesn't tell whose they are.
        row.address = None;
        let readings = Readings { subject, ..OWN };
        tickets.extend(in_lines(studio, vec![row], &readings).await?);
    }
    tx.commit().await?;
    Ok(tickets)
}

/// How many wait for an answer.
pub async fn waiting(studio: &Studio) -> Result<u64, Failure> {
    let mut tx = studio.db.read().await?;
    waiting_in(&mut tx).await
}

pub(super) async fn waiting_in(tx: &mut Tx) -> Result<u64, Failure> {
    let waiting: i64 = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM ticket WHERE closed_ms IS NULL AND state = 'waiting'",
        )
        .fetch_one(conn)
        .await
    })?;
    Ok(waiting.unsigned_abs())
}

/// Any ticket with all that was said, for those who answer.
pub async fn show(studio: &Studio, staff: &Staff, id: TicketId) -> Result<Option<Ticket>, Failure> {
    let mut tx = studio.db.write().await?;
    let Some(row) = row(&mut tx, id).await? else {
        return Ok(None);
    };
    let seen = looking::look(studio, &mut tx, staff, OPENED, row.person()?).await?;
    let readings = Readings {
        address: seen.reading(ADDRESS)?,
        subject: seen.reading(SUBJECT)?,
        words: seen.reading(WORDS)?,
    };
    let ticket = whole(studio, &mut tx, row, &readings).await?;
    tx.commit().await?;
    Ok(ticket)
}

/// A picture that went along, for who has the reference of its ticket.
pub async fn file(studio: &Studio, text: &str, id: AttachmentId) -> Result<Option<File>, Failure> {
    let Some(ticket) = referred(studio, text) else {
        return Ok(None);
    };
    let mut tx = studio.db.read().await?;
    match row(&mut tx, ticket).await? {
        Some(row) => open_file(studio, &mut tx, &row, id, READ_PICTURE).await,
        None => Ok(None),
    }
}

/// The same for those who answer.
pub async fn file_for_staff(
    studio: &Studio,
    staff: &Staff,
    ticket: TicketId,
    id: AttachmentId,
) -> Result<Option<File>, Failure> {
    let mut tx = studio.db.write().await?;
    let Some(row) = row(&mut tx, ticket).await? else {
        return Ok(None);
    };
    let seen = looking::look(studio, &mut tx, staff, FILE_SHOWN, row.person()?).await?;
    let file = open_file(studio, &mut tx, &row, id, seen.reading(PICTURE)?).await?;
    tx.commit().await?;
    Ok(file)
}

async fn open_file(
    studio: &Studio,
    tx: &mut Tx,
    ticket: &Row,
    id: AttachmentId,
    reading: Reading,
) -> Result<Option<File>, Failure> {
    let id = id.to_string();
    let stored: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT picture FROM ticket_file WHERE id = $1 AND ticket_id = $2")
            .bind(&id)
            .bind(&ticket.id)
            .fetch_optional(conn)
            .await
    })?;
    let cipher = ticket.cipher(studio).await?;
    let (Some(stored), Some(cipher)) = (stored, cipher) else {
        return Ok(None);
    };
    let picture = cipher.open(reading, &id, &stored)?;
    let bytes = BASE64
        .decode(picture.expose())
        .map_err(|_| Failure::Row(format!("picture of {id}")))?;
    Ok(Some(File {
        bytes: Bytes::from(bytes),
        format: Format::Jpeg,
    }))
}
