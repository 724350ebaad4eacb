//! Passkeys: keys that an authenticator keeps and that sign in without address or password. One that
//! checks who holds it counts as both factors, so no code is asked for besides.
//!
//! Every answer belongs to a question of this house, which is asked of one browser, for one aim,
//! holds for ten minutes and is worth nothing once it was answered, rightly or wrongly.

mod cbor;
mod ceremony;
mod entry;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{PasskeyId, PersonId, SessionId};
use domain::secret::Token;
use serde::{Deserialize, Serialize};

use super::proof::{self, About, Kind};
use super::{person, session};
use crate::letters::{self, Letter};
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::{Place, Reading, shredding};
use crate::{Failure, Studio};

pub use ceremony::{ALGORITHMS, Asserted, Attested, Party, Refusal};
pub use entry::{ask_to_confirm, ask_to_sign_in, confirm, sign_in};

pub const MAX_PASSKEYS: u32 = 20;
pub const MAX_NAME_CHARS: usize = 60;
const NAME: Place = Place::new("passkey", "name");
pub(super) const READ_NAME: Reading = NAME.read_for(Purpose::Account);
/// For how long a question holds.
pub const ANSWER_WITHIN_MS: i64 = Kind::Passkey.lives_ms();
/// Kinds of ways to reach an authenticator; browsers know six.
const MAX_TRANSPORTS: usize = 8;

/// A passkey as its person sees it.
#[derive(Clone, Debug)]
pub struct Passkey {
    pub id: PasskeyId,
    pub name: String,
    /// It was on several devices when it was last used.
    pub is_synced: bool,
    pub created: Moment,
    pub used: Option<Moment>,
}

/// What an authenticator is told to make a passkey.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub challenge: Token,
    /// By which an authenticator knows that two passkeys are of one person.
    pub user_handle: Vec<u8>,
    /// Shown by the authenticator, so that its person can tell accounts apart.
    pub account: String,
    pub display_name: String,
    /// Passkeys that are here already: each id, and how to reach it.
    pub known: Vec<(Vec<u8>, Vec<String>)>,
}

#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    #[error("Give the passkey a name of 1 to {MAX_NAME_CHARS} characters, to know it again by.")]
    Name,
    #[error("You have {MAX_PASSKEYS} passkeys already. Remove one that you no longer use.")]
    TooMany,
    #[error("That passkey is in use already. Choose another authenticator.")]
    Known,
    #[error("That took too long, or was sent twice. Try again.")]
    Late,
    #[error("The passkey was not accepted: {0}. Try again, or use another authenticator.")]
    Refused(#[from] Refusal),
    #[error("This is the only way in which you can sign in. Set a password first, then remove it.")]
    LastWay,
    #[error("You have no such passkey: it was removed already.")]
    Unknown,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(PasskeyError);

/// What a question is for, and who may answer it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Aim {
    /// In this session.
    Add(SessionId),
    Confirm(SessionId),
    /// In the browser that holds the token of this hash.
    SignIn {
        browser: String,
    },
}

async fn ask(
    studio: &Studio,
    tx: &mut Tx,
    person: Option<PersonId>,
    aim: &Aim,
) -> Result<Token, Failure> {
    let detail = serde_json::to_string(aim).map_err(|e| Failure::Row(e.to_string()))?;
    let about = About {
        person,
        detail: Some(&detail),
        ..About::default()
    };
    proof::give(studio, tx, Kind::Passkey, &about).await
}

/// Uses up the question that was answered; `None` where it was never asked, or not of this browser
/// for this aim, or long ago.
async fn question(
    studio: &Studio,
    client_data: &[u8],
    aim: &Aim,
) -> Result<Option<Token>, Failure> {
    let Some(challenge) = ceremony::challenge_of(client_data) else {
        return Ok(None);
    };
    let mut tx = studio.db.write().await?;
    let asked = proof::take(studio, &mut tx, Kind::Passkey, &challenge).await?;
    // Also where the answer is wrong, it was the only one.
    tx.commit().await?;
    let meant = asked.and_then(|proof| serde_json::from_str(proof.detail?.expose()).ok());
    Ok(meant.filter(|meant: &Aim| meant == aim).map(|_| challenge))
}

fn letters_of(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes_of(letters: &str) -> Result<Vec<u8>, Failure> {
    let read = URL_SAFE_NO_PAD.decode(letters);
    read.map_err(|_| Failure::Row("bytes of a passkey".to_owned()))
}

/// Begins to add a passkey to an account.
pub async fn ask_to_add(
    studio: &Studio,
    (person, id): (PersonId, SessionId),
) -> Result<Wanted, PasskeyError> {
    let account = person::find(studio, person).await?;
    let account = account.ok_or(PasskeyError::Unknown)?;
    let mut tx = studio.db.write().await?;
    let rows: Vec<(String, String)> = on!(tx, conn => {
        sqlx::query_as("SELECT credential_id, transports FROM passkey WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_all(conn)
            .await
    })?;
    if rows.len() >= MAX_PASSKEYS as usize {
        return Err(PasskeyError::TooMany);
    }
    let challenge = ask(studio, &mut tx, Some(person), &Aim::Add(id)).await?;
    tx.commit().await?;
    let known = rows.into_iter().map(|(credential, transports)| {
        let transports = transports.split_whitespace().map(str::to_owned).collect();
        Ok((bytes_of(&credential)?, transports))
    });
    let address = account.address.expose();
    let named = account.display_name.as_ref().map(|name| name.expose());
    Ok(Wanted {
        challenge,
        user_handle: person.to_string().into_bytes(),
        account: address.to_owned(),
        display_name: named.unwrap_or(address).to_owned(),
        known: known.collect::<Result<_, Failure>>()?,
    })
}

/// Adds the passkey that an authenticator made. The session gets a new token, and a letter tells of
/// the passkey.
pub async fn add(
    studio: &Studio,
    party: &Party,
    (person, id): (PersonId, SessionId),
    name: &str,
    sent: &Attested,
) -> Result<Token, PasskeyError> {
    let name = read_name(name)?;
    let challenge = question(studio, &sent.client_data, &Aim::Add(id)).await?;
    let made = ceremony::made(party, &challenge.ok_or(PasskeyError::Late)?, sent)?;
    made.state.must_be_verified()?;
    let cipher = studio.keys.of(person).await.map_err(Failure::from)?;
    let mut tx = studio.db.write().await?;
    // Locks the account, so that of two additions one sees the other.
    let is_open = person::stays(&mut tx, person).await?;
    let count: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM passkey WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_one(conn)
            .await
    })?;
    if !is_open || count >= i64::from(MAX_PASSKEYS) {
        return Err(PasskeyError::TooMany);
    }
    let now = studio.clock.now();
    let passkey = PasskeyId::new(now, &studio.randomness).to_string();
    let sealed = cipher.seal(NAME, &passkey, name);
    let added = on!(tx, conn => {
        sqlx::query(
            "INSERT INTO passkey (id, person_id, name, credential_id, public_key, sign_count, \
             may_be_backed_up, is_backed_up, transports, created_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
             ON CONFLICT (credential_id) DO NOTHING",
        )
        .bind(&passkey)
        .bind(person.to_string())
        .bind(sealed.as_str())
        .bind(letters_of(&made.credential))
        .bind(letters_of(&made.key))
        .bind(i64::from(made.state.sign_count))
        .bind(i64::from(made.state.may_be_backed_up))
        .bind(i64::from(made.state.is_backed_up))
        .bind(read_transports(&sent.transports))
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if added == 0 {
        return Err(PasskeyError::Known);
    }
    let letter = Letter::PasskeyAdded {
        name: name.to_owned(),
    };
    tell(studio, &mut tx, person, &letter).await?;
    let token = session::rotate(studio, &mut tx, id).await?;
    tx.commit().await?;
    Ok(token)
}

/// Reads a name as it is stored.
async fn open_name(
    studio: &Studio,
    person: PersonId,
    id: PasskeyId,
    stored: &str,
) -> Result<String, Failure> {
    let cipher = studio.keys.of(person).await?;
    let name = cipher.open(READ_NAME, &id.to_string(), stored)?;
    Ok(name.into_exposed())
}

fn read_name(name: &str) -> Result<&str, PasskeyError> {
    let name = name.trim();
    let length = name.chars().count();
    let good = (1..=MAX_NAME_CHARS).contains(&length) && !name.chars().any(char::is_control);
    good.then_some(name).ok_or(PasskeyError::Name)
}

/// As browsers name them; what looks otherwise is left out.
fn read_transports(given: &[String]) -> String {
    let plain = |text: &&String| {
        let letter = |b: u8| b.is_ascii_lowercase() || b == b'-';
        (1..=20).contains(&text.len()) && text.bytes().all(letter)
    };
    let known: Vec<&str> = given
        .iter()
        .filter(plain)
        .take(MAX_TRANSPORTS)
        .map(String::as_str)
        .collect();
    known.join(" ")
}

async fn tell(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    letter: &Letter,
) -> Result<(), Failure> {
    let address = person::address_of(studio, tx, person).await?;
    letters::enqueue(studio, tx, Some(person), address.as_ref(), letter).await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct PasskeyRow {
    id: String,
    person_id: String,
    name: String,
    public_key: String,
    may_be_backed_up: i64,
    is_backed_up: i64,
    created_ms: i64,
    used_ms: Option<i64>,
}

/// A person's passkeys, the newest first.
pub async fn list(studio: &Studio, person: PersonId) -> Result<Vec<Passkey>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<PasskeyRow> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM passkey WHERE person_id = $1 ORDER BY id DESC")
            .bind(person.to_string())
            .fetch_all(conn)
            .await
    })?;
    drop(tx);
    let cipher = studio.keys.of(person).await?;
    rows.into_iter()
        .map(|row| {
            let id = row.id.parse();
            let name = cipher.open(READ_NAME, &row.id, &row.name)?;
            Ok(Passkey {
                id: id.map_err(|_| Failure::Row("passkey id".to_owned()))?,
                name: name.into_exposed(),
                is_synced: row.is_backed_up != 0,
                created: Moment::from_millis(row.created_ms),
                used: row.used_ms.map(Moment::from_millis),
            })
        })
        .collect()
}

/// Gives a passkey of a person another name.
pub async fn rename(
    studio: &Studio,
    person: PersonId,
    id: PasskeyId,
    name: &str,
) -> Result<(), PasskeyError> {
    let cipher = studio.keys.of(person).await.map_err(Failure::from)?;
    let name = cipher.seal(NAME, &id.to_string(), read_name(name)?);
    let mut tx = studio.db.write().await?;
    let renamed = on!(tx, conn => {
        sqlx::query("UPDATE passkey SET name = $3 WHERE id = $1 AND person_id = $2")
            .bind(id.to_string())
            .bind(person.to_string())
            .bind(name.as_str())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    if renamed == 0 {
        return Err(PasskeyError::Unknown);
    }
    tx.commit().await?;
    Ok(())
}

/// Removes a passkey. Other sessions that were begun with it end, this one gets a new token, and a
/// letter tells of it.
pub async fn remove(
    studio: &Studio,
    (person, session): (PersonId, SessionId),
    id: PasskeyId,
) -> Result<Token, PasskeyError> {
    let mut tx = studio.db.write().await?;
    // Locks the account, so that of two removals the second sees the first.
    let password: Option<Option<String>> = on!(tx, conn => {
        sqlx::query_scalar(
            "UPDATE account SET created_ms = created_ms WHERE person_id = $1 \
             RETURNING password_hash",
        )
        .bind(person.to_string())
        .fetch_optional(conn)
        .await
    })?;
    let removed: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("DELETE FROM passkey WHERE id = $1 AND person_id = $2 RETURNING name")
            .bind(id.to_string())
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    let name = removed.ok_or(PasskeyError::Unknown)?;
    let name = open_name(studio, person, id, &name).await?;
    let left: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM passkey WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_one(conn)
            .await
    })?;
    if left == 0 && password.flatten().is_none() {
        return Err(PasskeyError::LastWay);
    }
    session::end_of_passkey(&mut tx, id, session).await?;
    // So that no backup brings it back.
    shredding::note_object(&mut tx, &id.to_string()).await?;
    tell(studio, &mut tx, person, &Letter::PasskeyRemoved { name }).await?;
    let token = session::rotate(studio, &mut tx, session).await?;
    tx.commit().await?;
    shredding::carry_out(studio).await?;
    Ok(token)
}
