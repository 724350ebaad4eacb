//! Letters to people: rows, written in the transaction that causes them. A loop sends them where
//! mail is set up; elsewhere the operator reads them on a page and hands them on.

use std::time::Duration;

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{LetterId, PersonId};
use domain::personal::Address;
use domain::secret::Token;
use outside::mail::{MailError, Post, Sheet};
use serde::{Deserialize, Serialize};

use crate::jobs::worker::Stop;
use crate::privacy::keys::{Cipher, KeyError, Place, Sealed};
use crate::{Failure, Studio};

const ADDRESS: Place = Place::new("letter", "address");
const FIELDS: Place = Place::new("letter", "fields");

/// What a letter says; the words are in the catalogue of texts.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Letter {
    /// Opens the account that was asked for.
    SignUp {
        token: String,
    },
    /// Somebody signed up with an address that has an account.
    HasAccount,
    Reset {
        token: String,
    },
    PasswordChanged,
    NewDevice {
        family: String,
        at_ms: i64,
    },
    /// To the former address: agrees to the change.
    AddressFrom {
        token: String,
    },
    /// To the new address: shows that its owner reads it.
    AddressTo {
        token: String,
    },
    AddressChanged,
    /// Makes a browser known while somebody tries many passwords.
    Vouch {
        token: String,
    },
    /// One-time codes were turned on or off.
    SecurityChanged,
    /// To those who run the house: passwords are tried against many accounts.
    AttackOnHouse {
        at_ms: i64,
    },
    /// The same against one account, named by the id of its person.
    AttackOnAccount {
        person: String,
        at_ms: i64,
    },
    PasskeyAdded {
        name: String,
    },
    PasskeyRemoved {
        name: String,
    },
    /// A passkey was shown whose counter had gone back: somebody may have a copy.
    PasskeyCopied {
        name: String,
    },
    /// The account is being deleted; brings the receipt.
    AccountErased {
        token: String,
    },
    /// Everything that was ordered is being deleted; brings the receipt.
    HistoryErased {
        token: String,
    },
}

impl Letter {
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::SignUp { .. } => "sign_up",
            Self::HasAccount => "has_account",
            Self::Reset { .. } => "reset",
            Self::PasswordChanged => "password_changed",
            Self::NewDevice { .. } => "new_device",
            Self::AddressFrom { .. } => "address_from",
            Self::AddressTo { .. } => "address_to",
            Self::AddressChanged => "address_changed",
            Self::Vouch { .. } => "vouch",
            Self::SecurityChanged => "security_changed",
            Self::AttackOnHouse { .. } => "attack_on_house",
            Self::AttackOnAccount { .. } => "attack_on_account",
            Self::PasskeyAdded { .. } => "passkey_added",
            Self::PasskeyRemoved { .. } => "passkey_removed",
            Self::PasskeyCopied { .. } => "passkey_copied",
            Self::AccountErased { .. } => "account_erased",
            Self::HistoryErased { .. } => "history_erased",
        }
    }

    pub(crate) fn sign_up(token: &Token) -> Self {
        let token = token.expose().to_owned();
        Self::SignUp { token }
    }
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Letter({})", self.kind())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterState {
    Waiting,
    Sent,
    /// Given up.
    Failed,
}

impl LetterState {
    fn named(name: &str) -> Self {
        match name {
            "waiting" => Self::Waiting,
            "sent" => Self::Sent,
            _ => Self::Failed,
        }
    }
}

/// A letter as the operator sees it.
#[derive(Clone, Debug)]
pub struct Posted {
    pub id: LetterId,
    pub address: Address,
    /// `None` once it was sent: then what it said is gone.
    pub letter: Option<Letter>,
    pub state: LetterState,
    pub attempts: u32,
    /// Why the last attempt failed.
    pub trouble: Option<String>,
    pub created: Moment,
}

/// Writes a letter down. Without an address it takes as long and reaches nobody.
pub(crate) async fn enqueue(
    studio: &Studio,
    tx: &mut Tx,
    person: Option<PersonId>,
    address: Option<&Address>,
    letter: &Letter,
) -> Result<LetterId, Failure> {
    let now = studio.clock.now();
    let number = LetterId::new(now, &studio.randomness);
    let id = number.to_string();
    let fields = serde_json::to_string(letter).map_err(|e| Failure::Row(e.to_string()))?;
    let cipher = studio.keys.of_whom(person).await?;
    let sealed = address.map(|address| cipher.seal(ADDRESS, &id, address.expose()));
    let fields = cipher.seal(FIELDS, &id, &fields);
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO letter (id, person_id, address, kind, fields, state, attempts, created_ms, \
             due_ms) VALUES ($1, $2, $3, $4, $5, 'waiting', 0, $6, $6)",
        )
        .bind(&id)
        .bind(person.map(|id| id.to_string()))
        .bind(sealed.as_ref().map(Sealed::as_str))
        .bind(letter.kind())
        .bind(fields.as_str())
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(number)
}

/// What became of a letter; `None` where it is gone.
pub(crate) async fn state(studio: &Studio, id: LetterId) -> Result<Option<LetterState>, Failure> {
    let mut tx = studio.db.read().await?;
    let state: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT state FROM letter WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(conn)
            .await
    })?;
    Ok(state.as_deref().map(LetterState::named))
}

pub(crate) async fn delete(tx: &mut Tx, id: LetterId) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("DELETE FROM letter WHERE id = $1")
            .bind(id.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Deletes the letters that went to an address before anybody had an account with it, and those to
/// operators that name a person.
pub(crate) async fn forget_nobodys(
    studio: &Studio,
    tx: &mut Tx,
    address: &Address,
    person: PersonId,
) -> Result<(), Failure> {
    let mut rows: Vec<LetterRow> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM letter WHERE person_id IS NULL AND address IS NOT NULL")
            .fetch_all(conn)
            .await
    })?;
    rows.extend::<Vec<LetterRow>>(on!(tx, conn => {
        sqlx::query_as(
            "SELECT * FROM letter WHERE kind = 'attack_on_account' AND address IS NOT NULL",
        )
        .fetch_all(conn)
        .await
    })?);
    let person = person.to_string();
    for row in rows {
        let Some(cipher) = row.cipher(studio).await? else {
            continue;
        };
        let posted = row.into_posted(&cipher)?;
        let names = matches!(
            &posted.letter,
            Some(Letter::AttackOnAccount { person: named, .. }) if *named == person
        );
        if names || posted.address.folded() == address.folded() {
            delete(tx, posted.id).await?;
        }
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct LetterRow {
    id: String,
    person_id: Option<String>,
    address: String,
    fields: String,
    state: String,
    attempts: i64,
    trouble: Option<String>,
    created_ms: i64,
}

impl LetterRow {
    /// `None` where it was to somebody who is being erased: nobody can read it any more.
    async fn cipher(&self, studio: &Studio) -> Result<Option<Cipher>, Failure> {
        let bad = |_| Failure::Row(format!("person of {}", self.id));
        let person = self.person_id.as_deref().map(str::parse).transpose();
        match studio.keys.of_whom(person.map_err(bad)?).await {
            Ok(cipher) => Ok(Some(cipher)),
            Err(KeyError::Gone(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn into_posted(self, cipher: &Cipher) -> Result<Posted, Failure> {
        let row = |what: &str| Failure::Row(format!("{what} of {}", self.id));
        let address = cipher.open(ADDRESS, &self.id, &self.address)?;
        let letter = match self.fields.as_str() {
            "" => None,
            fields => {
                let fields = cipher.open(FIELDS, &self.id, fields)?;
                Some(serde_json::from_str(fields.expose()).map_err(|_| row("fields"))?)
            }
        };
        Ok(Posted {
            id: self.id.parse().map_err(|_| row("id"))?,
            address: Address::new(address.expose()).map_err(|_| row("address"))?,
            letter,
            state: LetterState::named(&self.state),
            attempts: u32::try_from(self.attempts).map_err(|_| row("attempts"))?,
            trouble: self.trouble,
            created: Moment::from_millis(self.created_ms),
        })
    }
}

/// The newest letters, for the operator.
pub async fn recent(studio: &Studio, limit: u32) -> Result<Vec<Posted>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<LetterRow> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM letter WHERE address IS NOT NULL ORDER BY id DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await
    })?;
    drop(tx);
    let mut letters = Vec::new();
    for row in rows {
        if let Some(cipher) = row.cipher(studio).await? {
            letters.push(row.into_posted(&cipher)?);
        }
    }
    Ok(letters)
}

/// The words of a letter: subject, plain text, HTML.
pub type Words = (String, String, String);

/// How often it is looked whether letters wait.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Letters sent in one go.
const AT_ONCE: i64 = 20;
/// Longer than sending one takes; then another process may try.
const LEASE_MS: i64 = 5 * MINUTE_MS;
const MINUTE_MS: i64 = 60 * 1_000;
/// Pauses between attempts; after the last, a letter is given up.
const PAUSES_MS: [i64; 6] = [
    MINUTE_MS,
    5 * MINUTE_MS,
    15 * MINUTE_MS,
    60 * MINUTE_MS,
    4 * 60 * MINUTE_MS,
    12 * 60 * MINUTE_MS,
];
/// For how long a letter that nobody sends can be read by the operator; its link has ended by then.
const UNSENT_KEPT_MS: i64 = 3 * 24 * 60 * MINUTE_MS;
/// For how long it is kept that a letter was sent, without what it said.
pub const SENT_KEPT_MS: i64 = 30 * 24 * 60 * MINUTE_MS;

/// Sends what waits until the program stops, and forgets what is old. Without a `post` it only
/// forgets.
pub async fn run(studio: Studio, write: impl Fn(&Letter) -> Words, post: Option<Post>, stop: Stop) {
    while !stop.is_set() {
        let passed = async {
            forget_old(&studio).await?;
            match &post {
                Some(post) => send_due(&studio, &write, post).await,
                None => Ok(()),
            }
        };
        if let Err(error) = passed.await {
            tracing::error!(%error, "letters could not be sent; trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.set() => {}
        }
    }
}

/// Sends every letter that is due, each once.
pub async fn send_due(
    studio: &Studio,
    write: &impl Fn(&Letter) -> Words,
    post: &Post,
) -> Result<(), Failure> {
    for due in claim_due(studio).await? {
        let Some(letter) = &due.letter else { continue };
        let (subject, text, html) = write(letter);
        let sheet = Sheet {
            subject: &subject,
            text: &text,
            html: &html,
        };
        let sent = post.send(&due.address, sheet).await;
        if let Err(trouble) = sent {
            tracing::warn!(letter = %due.id, %trouble, "a letter did not go");
        }
        record(studio, &due, sent).await?;
    }
    Ok(())
}

/// Takes the letters that are due, so that no other process sends them meanwhile.
async fn claim_due(studio: &Studio) -> Result<Vec<Posted>, Failure> {
    let now = studio.clock.now();
    let mut tx = studio.db.read().await?;
    let rows: Vec<LetterRow> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT * FROM letter WHERE state = 'waiting' AND due_ms <= $1 AND address IS NOT NULL \
             ORDER BY due_ms, id LIMIT $2",
        )
        .bind(now.as_millis())
        .bind(AT_ONCE)
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut readable = Vec::new();
    for row in rows {
        if let Some(cipher) = row.cipher(studio).await? {
            readable.push((row, cipher));
        }
    }
    let mut tx = studio.db.write().await?;
    let mut claimed = Vec::new();
    for (row, cipher) in readable {
        let taken = on!(tx, conn => {
            sqlx::query(
                "UPDATE letter SET due_ms = $2, attempts = attempts + 1 \
                 WHERE id = $1 AND state = 'waiting' AND due_ms <= $3",
            )
            .bind(&row.id)
            .bind(now.plus_millis(LEASE_MS).as_millis())
            .bind(now.as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
        if taken == 1 {
            claimed.push(row.into_posted(&cipher)?);
        }
    }
    tx.commit().await?;
    Ok(claimed)
}

async fn record(studio: &Studio, due: &Posted, sent: Result<(), MailError>) -> Result<(), Failure> {
    let now = studio.clock.now();
    let pause = PAUSES_MS.get(due.attempts as usize).copied();
    let (state, trouble, due_ms) = match (sent, pause) {
        (Ok(()), _) => ("sent", None, now.as_millis()),
        (Err(trouble), Some(pause)) if !trouble.is_final() => {
            ("waiting", Some(trouble), now.as_millis() + pause)
        }
        (Err(trouble), _) => ("failed", Some(trouble), now.as_millis()),
    };
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query(
            "UPDATE letter SET state = $2, trouble = $3, due_ms = $4, \
             fields = CASE WHEN $2 = 'sent' THEN '' ELSE fields END, \
             ended_ms = CASE WHEN $2 = 'waiting' THEN NULL ELSE CAST($5 AS BIGINT) END \
             WHERE id = $1",
        )
        .bind(due.id.to_string())
        .bind(state)
        .bind(trouble.map(|trouble| trouble.to_string()))
        .bind(due_ms)
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(())
}

/// Letters to nobody go at once, others after a while.
async fn forget_old(studio: &Studio) -> Result<(), Failure> {
    let now = studio.clock.now().as_millis();
    let mut tx = studio.db.read().await?;
    let old: Option<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT id FROM letter WHERE address IS NULL OR created_ms < $1 \
             OR (state <> 'sent' AND created_ms < $2) LIMIT 1",
        )
        .bind(now - SENT_KEPT_MS)
        .bind(now - UNSENT_KEPT_MS)
        .fetch_optional(conn)
        .await
    })?;
    drop(tx);
    if old.is_none() {
        return Ok(());
    }
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query(
            "DELETE FROM letter WHERE address IS NULL OR created_ms < $1 \
             OR (state <> 'sent' AND created_ms < $2)",
        )
        .bind(now - SENT_KEPT_MS)
        .bind(now - UNSENT_KEPT_MS)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(())
}
