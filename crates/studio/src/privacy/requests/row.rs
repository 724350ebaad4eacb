//! Requests as they are stored, and found.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{PersonId, RequestId};
use domain::personal::Address;

use super::{Asked, Identity, Request, State};
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::{KeyError, Place, Reading};
use crate::privacy::looking::{self, Staff, View};
use crate::{Failure, Studio};

pub(super) const ADDRESS: Place = Place::new("request", "address");
pub(super) const WORDS: Place = Place::new("request", "words");
pub(super) const DELAY: Place = Place::new("request", "delay");
pub(super) const ANSWER: Place = Place::new("request", "answer");
const READ_ADDRESS: Reading = ADDRESS.read_for(Purpose::Rights);
const READ_WORDS: Reading = WORDS.read_for(Purpose::Rights);
const READ_DELAY: Reading = DELAY.read_for(Purpose::Rights);
const READ_ANSWER: Reading = ANSWER.read_for(Purpose::Rights);

/// What of a request is opened.
#[derive(Default)]
pub(super) struct Readings {
    address: Option<Reading>,
    words: Option<Reading>,
    delay: Option<Reading>,
    answer: Option<Reading>,
}

/// For whoever asked, and for bringing them what becomes of it.
pub(super) const WHOLE: Readings = Readings {
    address: Some(READ_ADDRESS),
    words: Some(READ_WORDS),
    delay: Some(READ_DELAY),
    answer: Some(READ_ANSWER),
};

/// What those who answer see of one in a list.
const IN_A_LINE: &[Place] = &[
    Place::new("request", "kind"),
    Place::new("request", "channel"),
    Place::new("request", "identity"),
    Place::new("request", "state"),
    Place::new("request", "received_ms"),
    Place::new("request", "due_ms"),
    Place::new("request", "extended_ms"),
];
const LISTED: View = View::of(&[(Purpose::Rights, IN_A_LINE)]);
/// And of one that they open.
const OPENED: View = View::of(&[
    (Purpose::Rights, IN_A_LINE),
    (
        Purpose::Rights,
        &[
            ADDRESS,
            WORDS,
            DELAY,
            ANSWER,
            Place::new("request", "country"),
        ],
    ),
]);

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: String,
    person_id: Option<String>,
    kind: String,
    channel: String,
    identity: String,
    state: String,
    address: Option<String>,
    words: String,
    delay: Option<String>,
    answer: Option<String>,
    country: Option<String>,
    received_ms: i64,
    due_ms: i64,
    extended_ms: Option<i64>,
    ended_ms: Option<i64>,
}

impl Row {
    fn person(&self) -> Result<Option<PersonId>, Failure> {
        let person = self.person_id.as_deref().map(str::parse).transpose();
        person.map_err(|_| Failure::Row(format!("person of {}", self.id)))
    }

    /// `None` where it is of somebody who is being erased: nobody can read it any more. What there is no
    /// reading for stays empty.
    pub(super) async fn open(
        self,
        studio: &Studio,
        readings: &Readings,
    ) -> Result<Option<Request>, Failure> {
        let bad = |what: &str| Failure::Row(format!("{what} of {}", self.id));
        let person = self.person()?;
        let cipher = match studio.keys.of_whom(person).await {
            Ok(cipher) => cipher,
            Err(KeyError::Gone(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let open = |reading: Option<Reading>, stored: Option<&str>| {
            let Some(reading) = reading else {
                return Ok(None);
            };
            let opened = cipher.open_some(reading, &self.id, stored)?;
            Ok::<_, KeyError>(opened.map(|text| text.into_exposed()))
        };
        let address = open(readings.address, self.address.as_deref())?;
        let address = address.map(|address| Address::new(&address)).transpose();
        let identities = Identity::ALL.into_iter();
        let identity = identities
            .into_iter()
            .find(|identity| identity.name() == self.identity);
        let state = State::ALL
            .into_iter()
            .find(|state| state.name() == self.state);
        Ok(Some(Request {
            id: self.id.parse().map_err(|_| bad("id"))?,
            person,
            asked: Asked::named(&self.kind).ok_or_else(|| bad("kind"))?,
            identity: identity.ok_or_else(|| bad("identity"))?,
            state: state.ok_or_else(|| bad("state"))?,
            address: address.map_err(|_| bad("address"))?,
            words: open(readings.words, Some(&self.words))?.unwrap_or_default(),
            delay: open(readings.delay, self.delay.as_deref())?,
            answer: open(readings.answer, self.answer.as_deref())?,
            channel: self.channel,
            country: self.country,
            received: Moment::from_millis(self.received_ms),
            due: Moment::from_millis(self.due_ms),
            extended: self.extended_ms.map(Moment::from_millis),
            ended: self.ended_ms.map(Moment::from_millis),
        }))
    }
}

impl Row {
    /// Where the answer goes, of a request of nobody's, to find those that are to be forgotten.
    pub(super) fn address_of_nobody(&self, studio: &Studio) -> Result<Option<Address>, Failure> {
        let reading = ADDRESS.to_forget();
        let stored = self.address.as_deref();
        let opened = studio.keys.nobody().open_some(reading, &self.id, stored)?;
        let address = opened.map(|address| Address::new(address.expose()));
        let bad = |_| Failure::Row(format!("address of {}", self.id));
        address.transpose().map_err(bad)
    }
}

pub(super) async fn row(tx: &mut Tx, id: RequestId) -> Result<Option<Row>, Failure> {
    Ok(on!(tx, conn => {
        sqlx::query_as("SELECT * FROM request WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(conn)
            .await
    })?)
}

/// A person's own request.
pub async fn find(
    studio: &Studio,
    person: PersonId,
    id: RequestId,
) -> Result<Option<Request>, Failure> {
    let mut tx = studio.db.read().await?;
    let found = row(&mut tx, id).await?;
    drop(tx);
    match found {
        Some(row) if row.person()? == Some(person) => row.open(studio, &WHOLE).await,
        _ => Ok(None),
    }
}

/// Any request with its words, for those who answer it.
pub async fn show(
    studio: &Studio,
    staff: &Staff,
    id: RequestId,
) -> Result<Option<Request>, Failure> {
    let mut tx = studio.db.write().await?;
    let Some(row) = row(&mut tx, id).await? else {
        return Ok(None);
    };
    let seen = looking::look(studio, &mut tx, staff, OPENED, row.person()?).await?;
    let readings = Readings {
        address: Some(seen.reading(ADDRESS)?),
        words: Some(seen.reading(WORDS)?),
        delay: Some(seen.reading(DELAY)?),
        answer: Some(seen.reading(ANSWER)?),
    };
    let request = row.open(studio, &readings).await?;
    tx.commit().await?;
    Ok(request)
}

/// One in a line, without its words.
pub async fn glance(
    studio: &Studio,
    staff: &Staff,
    id: RequestId,
) -> Result<Option<Request>, Failure> {
    let mut tx = studio.db.write().await?;
    let found = row(&mut tx, id).await?;
    let found = listed(studio, &mut tx, staff, found.into_iter().collect()).await?;
    tx.commit().await?;
    Ok(found.into_iter().next())
}

async fn listed(
    studio: &Studio,
    tx: &mut Tx,
    staff: &Staff,
    rows: Vec<Row>,
) -> Result<Vec<Request>, Failure> {
    let mut whose = Vec::new();
    for row in &rows {
        whose.extend(row.person()?);
    }
    looking::look(studio, tx, staff, LISTED, whose).await?;
    opened(studio, rows, &Readings::default()).await
}

/// Shown of one person's, the newest.
const MAX_SHOWN: i64 = 100;

/// A person's requests, the newest first.
pub async fn of_person(studio: &Studio, person: PersonId) -> Result<Vec<Request>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM request WHERE person_id = $1 ORDER BY id DESC LIMIT $2")
            .bind(person.to_string())
            .bind(MAX_SHOWN)
            .fetch_all(conn)
            .await
    })?;
    drop(tx);
    opened(studio, rows, &WHOLE).await
}

/// Every request that waits for its answer, the most urgent first, without its words: for those who
/// answer them.
pub async fn unanswered(studio: &Studio, staff: &Staff) -> Result<Vec<Request>, Failure> {
    let mut tx = studio.db.write().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM request WHERE ended_ms IS NULL ORDER BY due_ms, id")
            .fetch_all(conn)
            .await
    })?;
    let requests = listed(studio, &mut tx, staff, rows).await?;
    tx.commit().await?;
    Ok(requests)
}

async fn opened(
    studio: &Studio,
    rows: Vec<Row>,
    readings: &Readings,
) -> Result<Vec<Request>, Failure> {
    let mut requests = Vec::new();
    for row in rows {
        requests.extend(row.open(studio, readings).await?);
    }
    Ok(requests)
}

/// By which whoever asked finds the request without an account: only the house's key makes it of the
/// number, so it is kept nowhere but in letters.
#[must_use]
pub fn reference(studio: &Studio, id: RequestId) -> String {
    let seal = studio.keys.blind("request", &id.to_string());
    format!("{id}.{seal}")
}

/// The request that a reference names; `None` where it was made up.
pub async fn by_reference(studio: &Studio, text: &str) -> Result<Option<Request>, Failure> {
    let Some((id, _)) = text.split_once('.') else {
        return Ok(None);
    };
    let Ok(id) = id.parse() else { return Ok(None) };
    // Compared as keyed hashes, so that the time tells nothing of the right one.
    let hash = |text: &str| studio.keys.blind("reference", text);
    if hash(text) != hash(&reference(studio, id)) {
        return Ok(None);
    }
    let mut tx = studio.db.read().await?;
    let found = row(&mut tx, id).await?;
    drop(tx);
    match found {
        Some(row) => row.open(studio, &WHOLE).await,
        None => Ok(None),
    }
}
