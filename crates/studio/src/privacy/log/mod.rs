//! A log that can forget: what was done to people's data, in an append-only Merkle tree. Nobody can
//! change it, take something out or turn it back without contradicting a checkpoint that somebody
//! holds.
//!
//! A leaf is a commitment: the hash of a random salt and what happened. What happened, with its salt, is
//! sealed under its person's key, so that forgetting it leaves the tree as it was, and the leaf tells
//! nothing any more.
//!
//! Architecture invariant: an entry is written in the transaction that does what it tells of, where
//! there is one. Its place in the tree it gets later, many at once.

pub mod audit;
pub mod checkpoint;
mod concerned;
pub mod note;
pub mod proof;
mod sequence;
pub mod tree;
pub mod witness;

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{LogId, PersonId};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::tree::{HASH_BYTES, Hash, leaf_hash};
use super::canonical;
use super::inventory::Purpose;
use super::keys::{KeyError, Place, Reading};
use crate::{Failure, Studio};

pub(crate) use concerned::{looked_at_by, whose};
pub use sequence::{keep_settling, settle};

const PAYLOAD: Place = Place::new("log_entry", "payload");
const READ_PAYLOAD: Reading = PAYLOAD.read_for(Purpose::Security);

/// What is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    SignedIn,
    RoleChanged,
    CreditsGiven,
    PriorityChanged,
    TakenAlong,
    BroughtIn,
    ErasureBegun,
    ErasureEnded,
    Restricted,
    RestrictionLifted,
    RequestReceived,
    RequestExtended,
    RequestAnswered,
    RequestRefused,
    RequestWithdrawn,
    Objected,
    ObjectionWithdrawn,
    ConsentAsked,
    ConsentGiven,
    ConsentWithdrawn,
    NewsSent,
    LearnedFrom,
    LearningRefused,
    HandedOver,
    InvoiceRecorded,
    InventoryChanged,
    KeysRotated,
    BackupMade,
    HouseRestored,
    HoldLaid,
    HoldReleased,
    WitnessesChanged,
    PolicyPublished,
    PolicyRead,
    /// Staff read something of somebody.
    LookedAt,
    /// Staff made an API key for somebody.
    KeyMade,
    /// Staff asked to look at what their role does not read.
    DutyAsked,
    /// Staff said what they need to look at something for.
    DutyBegun,
    DutyEnded,
    DisclosureReceived,
    DisclosureApproved,
    DisclosureRefused,
    DisclosureMade,
    DisclosureReviewed,
    Disclosed,
    BreachNoted,
    BreachReported,
    BreachClosed,
    BreachTold,
    TermsPublished,
    TermsAccepted,
    OrganisationFounded,
    OrganisationJoined,
    OrganisationLeft,
    OrganisationOwned,
    OrganisationDisowned,
}

impl Kind {
    pub const ALL: [Self; 56] = [
        Self::SignedIn,
        Self::RoleChanged,
        Self::CreditsGiven,
        Self::PriorityChanged,
        Self::TakenAlong,
        Self::BroughtIn,
        Self::ErasureBegun,
        Self::ErasureEnded,
        Self::Restricted,
        Self::RestrictionLifted,
        Self::RequestReceived,
        Self::RequestExtended,
        Self::RequestAnswered,
        Self::RequestRefused,
        Self::RequestWithdrawn,
        Self::Objected,
        Self::ObjectionWithdrawn,
        Self::ConsentAsked,
        Self::ConsentGiven,
        Self::ConsentWithdrawn,
        Self::NewsSent,
        Self::LearnedFrom,
        Self::LearningRefused,
        Self::HandedOver,
        Self::InvoiceRecorded,
        Self::InventoryChanged,
        Self::KeysRotated,
        Self::BackupMade,
        Self::HouseRestored,
        Self::HoldLaid,
        Self::HoldReleased,
        Self::WitnessesChanged,
        Self::PolicyPublished,
        Self::PolicyRead,
        Self::LookedAt,
        Self::KeyMade,
        Self::DutyAsked,
        Self::DutyBegun,
        Self::DutyEnded,
        Self::DisclosureReceived,
        Self::DisclosureApproved,
        Self::DisclosureRefused,
        Self::DisclosureMade,
        Self::DisclosureReviewed,
        Self::Disclosed,
        Self::BreachNoted,
        Self::BreachReported,
        Self::BreachClosed,
        Self::BreachTold,
        Self::TermsPublished,
        Self::TermsAccepted,
        Self::OrganisationFounded,
        Self::OrganisationJoined,
        Self::OrganisationLeft,
        Self::OrganisationOwned,
        Self::OrganisationDisowned,
    ];

    /// By which staff came to see something of somebody.
    pub const LOOKS: [Self; 2] = [Self::LookedAt, Self::KeyMade];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::RoleChanged => "role_changed",
            Self::CreditsGiven => "credits_given",
            Self::PriorityChanged => "priority_changed",
            Self::TakenAlong => "taken_along",
            Self::BroughtIn => "brought_in",
            Self::ErasureBegun => "erasure_begun",
            Self::ErasureEnded => "erasure_ended",
            Self::Restricted => "restricted",
            Self::RestrictionLifted => "restriction_lifted",
            Self::RequestReceived => "request_received",
            Self::RequestExtended => "request_extended",
            Self::RequestAnswered => "request_answered",
            Self::RequestRefused => "request_refused",
            Self::RequestWithdrawn => "request_withdrawn",
            Self::Objected => "objected",
            Self::ObjectionWithdrawn => "objection_withdrawn",
            Self::ConsentAsked => "consent_asked",
            Self::ConsentGiven => "consent_given",
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::NewsSent => "news_sent",
            Self::LearnedFrom => "learned_from",
            Self::LearningRefused => "learning_refused",
            Self::HandedOver => "handed_over",
            Self::InvoiceRecorded => "invoice_recorded",
            Self::InventoryChanged => "inventory_changed",
            Self::KeysRotated => "keys_rotated",
            Self::BackupMade => "backup_made",
            Self::HouseRestored => "house_restored",
            Self::HoldLaid => "hold_laid",
            Self::HoldReleased => "hold_released",
            Self::WitnessesChanged => "witnesses_changed",
            Self::PolicyPublished => "policy_published",
            Self::PolicyRead => "policy_read",
            Self::LookedAt => "looked_at",
            Self::KeyMade => "key_made",
            Self::DutyAsked => "duty_asked",
            Self::DutyBegun => "duty_begun",
            Self::DutyEnded => "duty_ended",
            Self::DisclosureReceived => "disclosure_received",
            Self::DisclosureApproved => "disclosure_approved",
            Self::DisclosureRefused => "disclosure_refused",
            Self::DisclosureMade => "disclosure_made",
            Self::DisclosureReviewed => "disclosure_reviewed",
            Self::Disclosed => "disclosed",
            Self::BreachNoted => "breach_noted",
            Self::BreachReported => "breach_reported",
            Self::BreachClosed => "breach_closed",
            Self::BreachTold => "breach_told",
            Self::TermsPublished => "terms_published",
            Self::TermsAccepted => "terms_accepted",
            Self::OrganisationFounded => "organisation_founded",
            Self::OrganisationJoined => "organisation_joined",
            Self::OrganisationLeft => "organisation_left",
            Self::OrganisationOwned => "organisation_owned",
            Self::OrganisationDisowned => "organisation_disowned",
        }
    }

    /// As a heading.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::SignedIn => "Somebody signed in",
            Self::RoleChanged => "A role was changed",
            Self::CreditsGiven => "Credits were given",
            Self::PriorityChanged => "A place in the line was changed",
            Self::TakenAlong => "Everything was taken along",
            Self::BroughtIn => "An archive was brought in",
            Self::ErasureBegun => "An erasure began",
            Self::ErasureEnded => "An erasure ended",
            Self::Restricted => "The account was restricted",
            Self::RestrictionLifted => "A restriction was lifted",
            Self::RequestReceived => "A request by your rights was received",
            Self::RequestExtended => "The answer to a request takes longer",
            Self::RequestAnswered => "A request was answered",
            Self::RequestRefused => "A request was refused",
            Self::RequestWithdrawn => "A request was withdrawn",
            Self::Objected => "You objected to a purpose",
            Self::ObjectionWithdrawn => "An objection was withdrawn",
            Self::ConsentAsked => "A letter asked whether you agree to something",
            Self::ConsentGiven => "You agreed to something",
            Self::ConsentWithdrawn => "You took back what you agreed to",
            Self::NewsSent => "News went to whoever wanted them",
            Self::LearnedFrom => {
                "Pictures went into a collection from which models learn, as was agreed to"
            }
            Self::LearningRefused => {
                "A picture was asked for to let models learn from it, and was not given"
            }
            Self::HandedOver => "The house went to somebody else, as it was announced",
            Self::InvoiceRecorded => "An invoice was entered",
            Self::InventoryChanged => "What is collected changed",
            Self::KeysRotated => "The key-encryption key was changed",
            Self::BackupMade => "A backup was made",
            Self::HouseRestored => "The house was put back from a backup",
            Self::HoldLaid => "A legal hold was laid on something",
            Self::HoldReleased => "A legal hold was released",
            Self::WitnessesChanged => "Who else watches the log changed",
            Self::PolicyRead => "You said that you read of a change of the privacy notice",
            Self::PolicyPublished => "A version of the privacy notice was published",
            Self::LookedAt => "Those who run the house looked at something of yours",
            Self::KeyMade => "Those who run the house made an API key for you",
            Self::DutyAsked => "You asked to look at what your role does not read",
            Self::DutyBegun => "You began to look at what is kept of others",
            Self::DutyEnded => "You ended looking at what is kept of others",
            Self::DisclosureReceived => "An authority asked for something of somebody",
            Self::DisclosureApproved => "What an authority asked for was approved",
            Self::DisclosureRefused => "What an authority asked for was refused",
            Self::DisclosureMade => "Something was handed out to an authority",
            Self::DisclosureReviewed => "What was handed out in an emergency was looked at again",
            Self::Disclosed => "Something of yours was handed out to an authority",
            Self::BreachNoted => "A breach was entered",
            Self::BreachReported => "A breach was reported to the authority",
            Self::BreachClosed => "A breach was closed",
            Self::BreachTold => "You were told of a breach that concerns you",
            Self::TermsPublished => "A version of the terms was published",
            Self::TermsAccepted => "You accepted the terms",
            Self::OrganisationFounded => "You founded an organisation",
            Self::OrganisationJoined => "You came into an organisation",
            Self::OrganisationLeft => "You went out of an organisation",
            Self::OrganisationOwned => "You became an owner of an organisation",
            Self::OrganisationDisowned => "You are no owner of an organisation any more",
        }
    }

    fn named(name: &str) -> Result<Self, Failure> {
        let mut all = Self::ALL.into_iter();
        let known = all.find(|kind| kind.name() == name);
        known.ok_or_else(|| Failure::Row(format!("log entry of kind {name:?}")))
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Event {
    pub kind: Kind,
    /// To whom; their key seals what is said of it. What concerns nobody is never forgotten.
    pub person: Option<PersonId>,
    pub what: Value,
}

/// Writes down what happened, in the transaction that does it.
pub(crate) async fn note(studio: &Studio, tx: &mut Tx, event: &Event) -> Result<LogId, Failure> {
    let now = studio.clock.now();
    let id = LogId::new(now, &studio.randomness);
    let mut salt = [0; HASH_BYTES];
    studio.randomness.fill(&mut salt);
    let payload = canonical::text(&json!({ "salt": hex(&salt), "what": event.what }));
    let cipher = studio.keys.of_whom(event.person).await?;
    let sealed = cipher.seal(PAYLOAD, &id.to_string(), &payload);
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO log_entry (id, kind, commitment, created_ms, person_id, payload) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id.to_string())
        .bind(event.kind.name())
        .bind(commitment(&payload))
        .bind(now.as_millis())
        .bind(event.person.map(|person| person.to_string()))
        .bind(sealed.as_str())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(id)
}

/// Gives an entry that was sealed for the house to the person whom it is about: what it says, its salt and
/// its leaf stay what they were.
pub(crate) async fn open_to(
    studio: &Studio,
    tx: &mut Tx,
    id: LogId,
    person: PersonId,
) -> Result<(), Failure> {
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM log_entry WHERE id = $1 AND person_id IS NULL")
            .bind(id.to_string())
            .fetch_optional(conn)
            .await
    })?;
    let Some(row) = row else { return Ok(()) };
    let Some(payload) = row.payload(studio).await? else {
        return Ok(());
    };
    let cipher = studio.keys.of(person).await?;
    let sealed = cipher.seal(PAYLOAD, &row.id, &payload);
    on!(tx, conn => {
        sqlx::query("UPDATE log_entry SET person_id = $2, payload = $3 WHERE id = $1")
            .bind(&row.id)
            .bind(person.to_string())
            .bind(sealed.as_str())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// As [`note`], where nothing else is written.
pub async fn note_alone(studio: &Studio, event: &Event) -> Result<LogId, Failure> {
    let mut tx = studio.db.write().await?;
    let id = note(studio, &mut tx, event).await?;
    tx.commit().await?;
    Ok(id)
}

fn commitment(payload: &str) -> String {
    hex(&Sha256::digest(payload).into())
}

pub(crate) fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Result<Hash, Failure> {
    let bad = || Failure::Row("a hash of the log".to_owned());
    let mut hash = [0; HASH_BYTES];
    if text.len() != 2 * HASH_BYTES || !text.is_ascii() {
        return Err(bad());
    }
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).map_err(|_| bad())?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| bad())?;
    }
    Ok(hash)
}

/// A row of the log.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Row {
    id: String,
    position: Option<i64>,
    kind: String,
    commitment: String,
    created_ms: i64,
    person_id: Option<String>,
    payload: Option<String>,
}

impl Row {
    /// The leaf as it is hashed: everything that is never forgotten.
    fn leaf(&self) -> String {
        canonical::text(&json!({
            "commitment": self.commitment,
            "id": self.id,
            "kind": self.kind,
            "time": self.created_ms,
        }))
    }

    fn hash(&self) -> Hash {
        leaf_hash(self.leaf().as_bytes())
    }

    /// What happened, with its salt; `None` where it was forgotten.
    async fn payload(&self, studio: &Studio) -> Result<Option<String>, Failure> {
        let Some(stored) = &self.payload else {
            return Ok(None);
        };
        let bad = |_| Failure::Row(format!("person of {}", self.id));
        let person = self
            .person_id
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(bad)?;
        let cipher = studio.keys.of_whom(person).await?;
        let opened = cipher.open(READ_PAYLOAD, &self.id, stored)?;
        Ok(Some(opened.expose().clone()))
    }
}

/// An entry, as its person reads it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: LogId,
    /// In the tree; absent for a second or so.
    pub position: Option<u64>,
    pub kind: Kind,
    pub what: Value,
    pub when: Moment,
}

/// The newest checkpoint, as it was signed; `None` while nothing was ever logged.
pub async fn newest(studio: &Studio) -> Result<Option<String>, Failure> {
    newest_in(&mut studio.db.read().await?).await
}

/// The same, as it is in this transaction.
pub(crate) async fn newest_in(tx: &mut Tx) -> Result<Option<String>, Failure> {
    Ok(on!(tx, conn => {
        sqlx::query_scalar("SELECT note FROM log_checkpoint ORDER BY size DESC LIMIT 1")
            .fetch_optional(conn)
            .await
    })?)
}

/// What the log says of a person, the newest first.
pub async fn of_person(
    studio: &Studio,
    person: PersonId,
    before: Option<LogId>,
    limit: u32,
) -> Result<Vec<Entry>, Failure> {
    some_of_person(studio, person, &Kind::ALL, before, limit).await
}

/// Who of the house looked at something of a person, the newest first.
pub async fn looks_at(
    studio: &Studio,
    person: PersonId,
    before: Option<LogId>,
    limit: u32,
) -> Result<Vec<Entry>, Failure> {
    some_of_person(studio, person, &Kind::LOOKS, before, limit).await
}

async fn some_of_person(
    studio: &Studio,
    person: PersonId,
    kinds: &[Kind],
    before: Option<LogId>,
    limit: u32,
) -> Result<Vec<Entry>, Failure> {
    // '~' sorts after every id.
    let before = before.map_or_else(|| "~".to_owned(), |id| id.to_string());
    let names: Vec<String> = kinds
        .iter()
        .map(|kind| format!("'{}'", kind.name()))
        .collect();
    let statement = format!(
        "SELECT * FROM log_entry WHERE person_id = $1 AND id < $2 AND kind IN ({}) \
         ORDER BY id DESC LIMIT $3",
        names.join(", ")
    );
    let mut tx = studio.db.read().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .bind(person.to_string())
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    let mut entries = Vec::new();
    for row in rows {
        let payload = row.payload(studio).await?;
        let payload: Value = payload
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let bad = |_| Failure::Row(format!("log entry {:?}", row.id));
        entries.push(Entry {
            id: row.id.parse().map_err(bad)?,
            position: row.position.map(i64::unsigned_abs),
            kind: Kind::named(&row.kind)?,
            what: payload.get("what").cloned().unwrap_or_default(),
            when: Moment::from_millis(row.created_ms),
        });
    }
    Ok(entries)
}

/// The newest that is said of the house, of one kind; `None` where nothing was.
pub(crate) async fn last_of_house(studio: &Studio, kind: Kind) -> Result<Option<Value>, Failure> {
    let mut tx = studio.db.read().await?;
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT * FROM log_entry WHERE kind = $1 AND person_id IS NULL AND payload IS NOT NULL \
             ORDER BY id DESC LIMIT 1",
        )
        .bind(kind.name())
        .fetch_optional(conn)
        .await
    })?;
    drop(tx);
    let Some(row) = row else { return Ok(None) };
    let payload = row.payload(studio).await?.unwrap_or_default();
    let payload: Value = serde_json::from_str(&payload).unwrap_or_default();
    Ok(payload.get("what").cloned())
}

/// Everything that is said of the house, of one kind, the first first.
pub(crate) async fn all_of_house(studio: &Studio, kind: Kind) -> Result<Vec<Value>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT * FROM log_entry WHERE kind = $1 AND person_id IS NULL AND payload IS NOT NULL \
             ORDER BY id",
        )
        .bind(kind.name())
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    let mut all = Vec::new();
    for row in rows {
        // One that was changed is found where every entry is compared with its leaf.
        let payload = match row.payload(studio).await {
            Err(Failure::Keys(KeyError::Broken { .. })) => continue,
            read => read?.unwrap_or_default(),
        };
        let payload: Value = serde_json::from_str(&payload).unwrap_or_default();
        all.extend(payload.get("what").cloned());
    }
    Ok(all)
}

/// How many leaves the tree has.
async fn size(tx: &mut Tx) -> Result<u64, Failure> {
    let size: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT size FROM log_head WHERE id = 1").fetch_one(conn).await
    })?;
    Ok(size.unsigned_abs())
}
