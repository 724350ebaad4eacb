//! Signing in with a password. What is answered, and when, does not tell who has an account.

use std::net::IpAddr;

use db::{Tx, on};
use domain::ids::{PersonId, SessionId};
use domain::personal::{Address, Password};
use domain::secret::Token;

use super::password::{Busy, PasswordHash};
use super::{device, session};
use crate::letters::{self, Letter};
use crate::{Failure, Studio};

/// Where somebody asks from. The network address is never stored.
#[derive(Clone, Debug)]
pub struct Visit {
    pub from: IpAddr,
    /// As in "Firefox on Linux".
    pub family: String,
    /// What the browser's cookie of a former visit holds.
    pub device: Option<Token>,
}

/// The tokens that a browser gets; neither is kept.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub person: PersonId,
    pub session: Token,
    pub device: Token,
}

#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    #[error(
        "The address or the password is wrong. If you have just signed up, open the link in the \
         mail that we sent first."
    )]
    Wrong,
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(SignInError);

/// Signs somebody in who knows the password.
pub async fn sign_in(
    studio: &Studio,
    visit: &Visit,
    address: &str,
    password: &str,
) -> Result<SignedIn, SignInError> {
    // What can't be an address or a password is not worth a hash.
    let address = Address::new(address).map_err(|_| SignInError::Wrong)?;
    let password = Password::new(password).map_err(|_| SignInError::Wrong)?;
    let mut tx = studio.db.read().await?;
    let found = credentials(&mut tx, &address).await?;
    let knows_device = match (&found, &visit.device) {
        (Some((person, _)), Some(token)) => {
            device::is_known(studio, &mut tx, *person, token).await?
        }
        _ => false,
    };
    drop(tx);
    let place = studio.gate.hasher().queue(knows_device)?;
    let (person, hash) = found.unzip();
    let is_right = place.verify(password, hash.flatten()).await;
    let person = person.filter(|_| is_right).ok_or(SignInError::Wrong)?;
    let mut tx = studio.db.write().await?;
    let signed_in = admit(studio, &mut tx, visit, person).await?;
    if !knows_device {
        let at_ms = studio.clock.now().as_millis();
        let family = visit.family.clone();
        let letter = Letter::NewDevice { family, at_ms };
        letters::enqueue(studio, &mut tx, Some(person), Some(&address), &letter).await?;
    }
    tx.commit().await?;
    Ok(signed_in)
}

/// Whose address it is, and the hash of the password.
async fn credentials(
    tx: &mut Tx,
    address: &Address,
) -> Result<Option<(PersonId, Option<PasswordHash>)>, Failure> {
    let row: Option<(String, Option<String>)> = on!(tx, conn => {
        sqlx::query_as("SELECT person_id, password_hash FROM account WHERE address_key = $1")
            .bind(address.folded())
            .fetch_optional(conn)
            .await
    })?;
    row.map(|(person, hash)| {
        let person = person
            .parse()
            .map_err(|_| Failure::Row("person id".to_owned()))?;
        Ok((person, hash.map(PasswordHash::stored)))
    })
    .transpose()
}

/// Opens a session for somebody who has proven who they are.
pub(crate) async fn admit(
    studio: &Studio,
    tx: &mut Tx,
    visit: &Visit,
    person: PersonId,
) -> Result<SignedIn, Failure> {
    Ok(SignedIn {
        person,
        session: session::begin(studio, tx, person, &visit.family).await?,
        device: device::remember(studio, tx, person, visit.device.as_ref()).await?,
    })
}

/// Ends the session that somebody signs out of.
pub async fn sign_out(studio: &Studio, person: PersonId, id: SessionId) -> Result<(), Failure> {
    session::end(studio, person, id).await.map(drop)
}
