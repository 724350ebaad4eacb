//! What a link in a letter, or the next step of a form, may do once: whoever holds the token is
//! let through, and the token is worth nothing afterwards. Only its hash is kept.

use db::{Tx, on};
use domain::ids::PersonId;
use domain::personal::{Address, Personal};
use domain::secret::Token;

use super::hash;
use super::password::PasswordHash;
use super::person::Age;
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::{Place, Reading, Sealed};
use crate::{Failure, Studio};

const ADDRESS: Place = Place::new("proof", "address");
const DETAIL: Place = Place::new("proof", "detail");
const READ_ADDRESS: Reading = ADDRESS.read_for(Purpose::Account);
const READ_DETAIL: Reading = DETAIL.read_for(Purpose::Account);
/// Of a request by somebody's rights.
const REQUEST_ADDRESS: Reading = ADDRESS.read_for(Purpose::Rights);
const REQUEST_DETAIL: Reading = DETAIL.read_for(Purpose::Rights);
/// Of what somebody without an account writes to the support.
const TICKET_ADDRESS: Reading = ADDRESS.read_for(Purpose::Support);
const TICKET_DETAIL: Reading = DETAIL.read_for(Purpose::Support);
/// Of a consent that waits to be confirmed.
const CONSENT_DETAIL: Reading = DETAIL.read_for(Purpose::Consents);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Makes the first operator.
    Welcome,
    /// Opens the account that was asked for.
    SignUp,
    /// Sets a new password.
    Reset,
    /// Changes the address, once the former and the new mailbox agreed.
    Address,
    /// Makes a browser known while somebody tries many passwords.
    Vouch,
    /// Comes after the right password, before the one-time code.
    SecondFactor,
    /// The question that an authenticator answers once.
    Passkey,
    /// Puts a request by somebody's rights into the register.
    Request,
    /// Sends to the support what somebody without an account wrote.
    Ticket,
    /// Confirms that whoever reads a mailbox wants news.
    News,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::SignUp => "sign_up",
            Self::Reset => "reset",
            Self::Address => "address",
            Self::Vouch => "vouch",
            Self::SecondFactor => "second_factor",
            Self::Passkey => "passkey",
            Self::Request => "request",
            Self::Ticket => "ticket",
            Self::News => "news",
        }
    }

    pub(crate) const fn lives_ms(self) -> i64 {
        const MINUTE_MS: i64 = 60 * 1_000;
        match self {
            Self::Welcome
            | Self::SignUp
            | Self::Address
            | Self::Request
            | Self::Ticket
            | Self::News => 24 * 60 * MINUTE_MS,
            Self::Reset | Self::Vouch => 60 * MINUTE_MS,
            Self::SecondFactor | Self::Passkey => 10 * MINUTE_MS,
        }
    }

    /// What its address and its detail are read for.
    const fn readings(self) -> (Reading, Reading) {
        match self {
            Self::Welcome
            | Self::SignUp
            | Self::Reset
            | Self::Address
            | Self::Vouch
            | Self::SecondFactor
            | Self::Passkey => (READ_ADDRESS, READ_DETAIL),
            Self::Request => (REQUEST_ADDRESS, REQUEST_DETAIL),
            Self::Ticket => (TICKET_ADDRESS, TICKET_DETAIL),
            Self::News => (READ_ADDRESS, CONSENT_DETAIL),
        }
    }
}

/// What a proof is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct About<'a> {
    pub(crate) person: Option<PersonId>,
    pub(crate) address: Option<&'a Address>,
    pub(crate) password: Option<&'a PasswordHash>,
    pub(crate) age: Option<Age>,
    /// What else is needed, as JSON.
    pub(crate) detail: Option<&'a str>,
}

/// A proof that was shown.
#[derive(Debug)]
pub(crate) struct Proof {
    pub(crate) person: Option<PersonId>,
    pub(crate) address: Option<Address>,
    pub(crate) password: Option<PasswordHash>,
    pub(crate) age: Option<Age>,
    pub(crate) detail: Option<Personal<String>>,
    pub(crate) tries: i64,
}

/// Reads the address of a proof as it is stored.
pub(crate) async fn open_address(
    studio: &Studio,
    person: PersonId,
    token_hash: &str,
    stored: &str,
) -> Result<Address, Failure> {
    let cipher = studio.keys.of(person).await?;
    let address = cipher.open(READ_ADDRESS, token_hash, stored)?;
    Address::new(address.expose()).map_err(|_| Failure::Row("address of a proof".to_owned()))
}

/// The same, of a request by somebody's rights that waits to be confirmed.
pub(crate) fn open_nobodys_address(
    studio: &Studio,
    token_hash: &str,
    stored: &str,
) -> Result<Address, Failure> {
    let address = studio
        .keys
        .nobody()
        .open(REQUEST_ADDRESS, token_hash, stored)?;
    Address::new(address.expose()).map_err(|_| Failure::Row("address of a proof".to_owned()))
}

#[derive(sqlx::FromRow)]
struct ProofRow {
    token_hash: String,
    person_id: Option<String>,
    address: Option<String>,
    password_hash: Option<String>,
    of_age: Option<i64>,
    age_threshold: Option<i64>,
    detail: Option<String>,
    tries: i64,
}

impl ProofRow {
    async fn into_proof(self, studio: &Studio, kind: Kind) -> Result<Proof, Failure> {
        let (to_address, to_detail) = kind.readings();
        let row = |what: &str| Failure::Row(format!("{what} of a proof"));
        let person = self.person_id.map(|id| id.parse()).transpose();
        let person = person.map_err(|_| row("person"))?;
        let cipher = studio.keys.of_whom(person).await?;
        let id = &self.token_hash;
        let address = cipher.open_some(to_address, id, self.address.as_deref())?;
        let address = address.map(|address| Address::new(address.expose()));
        let detail = cipher.open_some(to_detail, id, self.detail.as_deref())?;
        let threshold = self
            .age_threshold
            .and_then(|years| u32::try_from(years).ok());
        Ok(Proof {
            person,
            address: address.transpose().map_err(|_| row("address"))?,
            password: self.password_hash.map(PasswordHash::stored),
            age: self.of_age.zip(threshold).map(|(over, threshold)| Age {
                is_over: over != 0,
                threshold,
            }),
            detail,
            tries: self.tries,
        })
    }
}

/// Writes a proof down and gives its token, which is not kept. Proofs that have ended go.
pub(crate) async fn give(
    studio: &Studio,
    tx: &mut Tx,
    kind: Kind,
    about: &About<'_>,
) -> Result<Token, Failure> {
    let now = studio.clock.now();
    on!(tx, conn => {
        sqlx::query("DELETE FROM proof WHERE ends_ms <= $1")
            .bind(now.as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    let token = Token::new(&studio.randomness);
    let id = hash(&token);
    let cipher = studio.keys.of_whom(about.person).await?;
    let address = about
        .address
        .map(|address| cipher.seal(ADDRESS, &id, address.expose()));
    let detail = about.detail.map(|detail| cipher.seal(DETAIL, &id, detail));
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO proof (token_hash, kind, person_id, address, password_hash, of_age, \
             age_threshold, detail, tries, created_ms, ends_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10)",
        )
        .bind(&id)
        .bind(kind.name())
        .bind(about.person.map(|id| id.to_string()))
        .bind(address.as_ref().map(Sealed::as_str))
        .bind(about.password.map(PasswordHash::as_str))
        .bind(about.age.map(|age| i64::from(age.is_over)))
        .bind(about.age.map(|age| i64::from(age.threshold)))
        .bind(detail.as_ref().map(Sealed::as_str))
        .bind(now.as_millis())
        .bind(now.plus_millis(kind.lives_ms()).as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(token)
}

/// What a token stands for, without using it up.
pub(crate) async fn look(
    studio: &Studio,
    tx: &mut Tx,
    kind: Kind,
    token: &Token,
) -> Result<Option<Proof>, Failure> {
    let row: Option<ProofRow> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM proof WHERE token_hash = $1 AND kind = $2 AND ends_ms > $3")
            .bind(hash(token))
            .bind(kind.name())
            .bind(studio.clock.now().as_millis())
            .fetch_optional(conn)
            .await
    })?;
    match row {
        Some(row) => row.into_proof(studio, kind).await.map(Some),
        None => Ok(None),
    }
}

/// Uses a token up: of two who show it, one gets it.
pub(crate) async fn take(
    studio: &Studio,
    tx: &mut Tx,
    kind: Kind,
    token: &Token,
) -> Result<Option<Proof>, Failure> {
    let row: Option<ProofRow> = on!(tx, conn => {
        sqlx::query_as(
            "DELETE FROM proof WHERE token_hash = $1 AND kind = $2 AND ends_ms > $3 RETURNING *",
        )
        .bind(hash(token))
        .bind(kind.name())
        .bind(studio.clock.now().as_millis())
        .fetch_optional(conn)
        .await
    })?;
    match row {
        Some(row) => row.into_proof(studio, kind).await.map(Some),
        None => Ok(None),
    }
}

/// Counts a failed try, and gives how many there were.
pub(crate) async fn count_try(tx: &mut Tx, token: &Token) -> Result<i64, Failure> {
    let tries: Option<i64> = on!(tx, conn => {
        sqlx::query_scalar("UPDATE proof SET tries = tries + 1 WHERE token_hash = $1 RETURNING tries")
            .bind(hash(token))
            .fetch_optional(conn)
            .await
    })?;
    Ok(tries.unwrap_or(i64::MAX))
}

/// Ends every proof of a kind that a person holds.
pub(crate) async fn end_of_person(
    tx: &mut Tx,
    kind: Kind,
    person: PersonId,
) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("DELETE FROM proof WHERE kind = $1 AND person_id = $2")
            .bind(kind.name())
            .bind(person.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Ends the proofs that went to an address before anybody had an account with it.
pub(crate) async fn forget_nobodys(
    studio: &Studio,
    tx: &mut Tx,
    address: &Address,
) -> Result<(), Failure> {
    let nobodys: Vec<(String, String)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT token_hash, address FROM proof WHERE person_id IS NULL AND address IS NOT NULL",
        )
        .fetch_all(conn)
        .await
    })?;
    let cipher = studio.keys.nobody();
    for (token_hash, written) in nobodys {
        let written = cipher.open(ADDRESS.to_forget(), &token_hash, &written)?;
        if Address::new(written.expose()).is_ok_and(|to| to.folded() == address.folded()) {
            on!(tx, conn => {
                sqlx::query("DELETE FROM proof WHERE token_hash = $1")
                    .bind(&token_hash)
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected())
            })?;
        }
    }
    Ok(())
}

/// Ends every proof of a kind.
pub(crate) async fn end_of_kind(tx: &mut Tx, kind: Kind) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("DELETE FROM proof WHERE kind = $1")
            .bind(kind.name())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}
