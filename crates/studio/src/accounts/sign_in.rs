//! Signing in with a password; with a passkey it is `passkey::sign_in`. What is answered, and when, does not tell who has an account.

use std::net::IpAddr;

use db::{Tx, on};
use domain::ids::{PasskeyId, PersonId, SessionId};
use domain::personal::{Address, Password};
use domain::secret::Token;

use super::password::{Busy, PasswordHash};
use super::proof::{self, About, Kind};
use super::throttle::Verdict;
use super::{alarm, device, person, second_factor, session, vouch};
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

/// How a right password is answered.
#[derive(Clone, Debug)]
pub enum Entry {
    In(SignedIn),
    /// A one-time code is asked for; with this token.
    Code(Token),
}

#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    #[error(
        "The address or the password is wrong. If you have just signed up, open the link in the \
         mail that we sent first."
    )]
    Wrong,
    #[error(
        "That code is wrong or was used already. Wait for the next one, or use a recovery code."
    )]
    WrongCode,
    #[error("That took too long, or too many tries. Sign in again.")]
    CodeEnded,
    /// The same for a passkey that nobody has here as for one that failed.
    #[error(
        "That passkey was not accepted: it is not known here, or it took too long. Try again, or \
         sign in with your password."
    )]
    WrongPasskey,
    #[error("Too many tries from your network. Try again in {retry_after_s} seconds.")]
    Slow { retry_after_s: u32 },
    /// The answer is the same whether the password was right, and whether there is an account.
    #[error(
        "Somebody is trying many passwords at this moment, so browsers that were never signed in \
         here are stopped. If the address has an account, a letter is on its way to it: open its \
         link in this browser, then sign in."
    )]
    MakeKnown,
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(SignInError);

/// Tries of a one-time code; then the password is asked for again.
const MAX_CODES: i64 = 5;

/// Signs somebody in who knows the password, as far as no code is asked for.
pub async fn sign_in(
    studio: &Studio,
    visit: &Visit,
    address: &str,
    password: &str,
) -> Result<Entry, SignInError> {
    // What can't be an address or a password is not worth a hash.
    let address = Address::new(address).map_err(|_| SignInError::Wrong)?;
    let password = Password::new(password).map_err(|_| SignInError::Wrong)?;
    let mut tx = studio.db.read().await?;
    let found = credentials(studio, &mut tx, &address).await?;
    let known_device = match (&found, &visit.device) {
        (Some((person, _)), Some(token)) => {
            let is_known = device::is_known(studio, &mut tx, *person, token).await?;
            is_known.then_some(token)
        }
        _ => None,
    };
    drop(tx);
    let (now, throttle) = (studio.clock.now(), studio.gate.throttle());
    match throttle.try_sign_in(now, visit, &address, known_device) {
        Verdict::Go => {}
        Verdict::Wait { retry_after_s } => return Err(SignInError::Slow { retry_after_s }),
        Verdict::MakeKnown(target) => {
            alarm::raise(studio, target, &address).await?;
            vouch::offer(studio, &address).await?;
            return Err(SignInError::MakeKnown);
        }
    }
    let place = studio.gate.hasher().queue(known_device.is_some())?;
    let (person, hash) = found.unzip();
    let is_right = place.verify(password, hash.flatten()).await;
    let person = person.filter(|_| is_right).ok_or(SignInError::Wrong)?;
    let mut tx = studio.db.write().await?;
    if second_factor::is_on_in(&mut tx, person).await? {
        let about = About {
            person: Some(person),
            ..About::default()
        };
        let token = proof::give(studio, &mut tx, Kind::SecondFactor, &about).await?;
        tx.commit().await?;
        return Ok(Entry::Code(token));
    }
    let signed_in = admit_and_tell(studio, &mut tx, visit, person, None).await?;
    tx.commit().await?;
    throttle.succeeded(now, visit, &address, known_device);
    Ok(Entry::In(signed_in))
}

/// The second step, for who has one-time codes.
pub async fn enter_code(
    studio: &Studio,
    visit: &Visit,
    token: &Token,
    code: &str,
) -> Result<SignedIn, SignInError> {
    let mut tx = studio.db.write().await?;
    let asked = proof::look(studio, &mut tx, Kind::SecondFactor, token).await?;
    let person = asked
        .filter(|proof| proof.tries < MAX_CODES)
        .and_then(|proof| proof.person)
        .ok_or(SignInError::CodeEnded)?;
    if !second_factor::take(studio, &mut tx, person, code).await? {
        proof::count_try(&mut tx, token).await?;
        tx.commit().await?;
        return Err(SignInError::WrongCode);
    }
    let taken = proof::take(studio, &mut tx, Kind::SecondFactor, token).await?;
    taken.ok_or(SignInError::CodeEnded)?;
    let signed_in = admit_and_tell(studio, &mut tx, visit, person, None).await?;
    tx.commit().await?;
    Ok(signed_in)
}

/// Opens a session; where the browser was not known, a letter says so.
pub(super) async fn admit_and_tell(
    studio: &Studio,
    tx: &mut Tx,
    visit: &Visit,
    person: PersonId,
    passkey: Option<PasskeyId>,
) -> Result<SignedIn, Failure> {
    let is_known = match &visit.device {
        Some(token) => device::is_known(studio, tx, person, token).await?,
        None => false,
    };
    if !is_known {
        let letter = Letter::NewDevice {
            family: visit.family.clone(),
            at_ms: studio.clock.now().as_millis(),
        };
        let address = person::address_of(studio, tx, person).await?;
        letters::enqueue(studio, tx, Some(person), address.as_ref(), &letter).await?;
    }
    admit(studio, tx, visit, person, passkey).await
}

/// Whose address it is, and the hash of the password.
async fn credentials(
    studio: &Studio,
    tx: &mut Tx,
    address: &Address,
) -> Result<Option<(PersonId, Option<PasswordHash>)>, Failure> {
    let row: Option<(String, Option<String>)> = on!(tx, conn => {
        sqlx::query_as("SELECT person_id, password_hash FROM account WHERE address_key = $1")
            .bind(person::address_key(studio, address))
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

/// Opens a session for somebody who has proven who they are; by a passkey, where one is named.
pub(crate) async fn admit(
    studio: &Studio,
    tx: &mut Tx,
    visit: &Visit,
    person: PersonId,
    passkey: Option<PasskeyId>,
) -> Result<SignedIn, Failure> {
    Ok(SignedIn {
        person,
        session: session::begin(studio, tx, person, &visit.family, passkey).await?,
        device: device::remember(studio, tx, person, visit.device.as_ref()).await?,
    })
}

/// Ends the session that somebody signs out of.
pub async fn sign_out(studio: &Studio, person: PersonId, id: SessionId) -> Result<(), Failure> {
    session::end(studio, person, id).await.map(drop)
}
