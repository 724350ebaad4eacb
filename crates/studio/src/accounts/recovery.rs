//! A new password: for who forgot the old one, by a link in a letter; for who knows it, at once.

use db::{Tx, on};
use domain::ids::{PersonId, SessionId};
use domain::personal::{Address, BadPassword, Password};
use domain::secret::Token;

use super::password::{self, Busy, Guessable, PasswordHash};
use super::proof::{self, About, Kind};
use super::sign_in::Visit;
use super::{person, session};
use crate::letters::{self, Letter};
use crate::{Failure, Studio};

#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error("This link has been used, or is older than an hour. Ask for another.")]
    LinkEnded,
    #[error("That is not your password.")]
    Wrong,
    #[error(
        "Too many letters were asked for from your network. Try again in {retry_after_s} seconds."
    )]
    Slow { retry_after_s: u32 },
    #[error(transparent)]
    Password(#[from] BadPassword),
    #[error(transparent)]
    Guessable(#[from] Guessable),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(RecoveryError);

/// Writes the letter with the link. Nothing that can be seen or timed tells whether anybody has
/// that address.
pub async fn ask(studio: &Studio, visit: &Visit, address: &str) -> Result<(), RecoveryError> {
    let Ok(address) = Address::new(address) else {
        return Ok(());
    };
    let (now, throttle) = (studio.clock.now(), studio.gate.throttle());
    throttle
        .may_ask_for_letter(now, visit.from)
        .map_err(|retry_after_s| RecoveryError::Slow { retry_after_s })?;
    let may_write = throttle.may_write_to(now, &address);
    let person = person::id_by_address(studio, &address).await?;
    let mut tx = studio.db.write().await?;
    let about = About {
        person,
        ..About::default()
    };
    let token = proof::give(studio, &mut tx, Kind::Reset, &about).await?;
    let letter = Letter::Reset {
        token: token.expose().to_owned(),
    };
    let to = person.filter(|_| may_write).map(|_| &address);
    letters::enqueue(studio, &mut tx, person, to, &letter).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether a link still sets a password.
pub async fn is_open(studio: &Studio, token: &Token) -> Result<bool, Failure> {
    let mut tx = studio.db.read().await?;
    let found = proof::look(studio, &mut tx, Kind::Reset, token).await?;
    Ok(found.is_some_and(|proof| proof.person.is_some()))
}

/// Sets a new password, and ends every session: whoever else was signed in is out.
pub async fn reset(studio: &Studio, token: &Token, password: &str) -> Result<(), RecoveryError> {
    let mut tx = studio.db.read().await?;
    let asked = proof::look(studio, &mut tx, Kind::Reset, token).await?;
    drop(tx);
    let person = asked
        .and_then(|proof| proof.person)
        .ok_or(RecoveryError::LinkEnded)?;
    let hash = new_hash(studio, person, password).await?;
    let mut tx = studio.db.write().await?;
    if proof::take(studio, &mut tx, Kind::Reset, token)
        .await?
        .is_none()
    {
        return Err(RecoveryError::LinkEnded);
    }
    proof::end_of_person(&mut tx, Kind::Reset, person).await?;
    set(studio, &mut tx, person, &hash).await?;
    session::end_all(&mut tx, person).await?;
    tx.commit().await?;
    Ok(())
}

/// Changes the password of somebody who is signed in: the other sessions end, and this one gets a
/// new token.
pub async fn change(
    studio: &Studio,
    (person, id): (PersonId, SessionId),
    current: &str,
    password: &str,
) -> Result<Token, RecoveryError> {
    if !knows_password(studio, person, current).await? {
        return Err(RecoveryError::Wrong);
    }
    let hash = new_hash(studio, person, password).await?;
    let mut tx = studio.db.write().await?;
    set(studio, &mut tx, person, &hash).await?;
    session::end_others_in(&mut tx, person, id).await?;
    let token = session::rotate(studio, &mut tx, id).await?;
    tx.commit().await?;
    Ok(token)
}

/// Whether somebody who is signed in knows the password of the account.
pub(crate) async fn knows_password(
    studio: &Studio,
    person: PersonId,
    password: &str,
) -> Result<bool, RecoveryError> {
    let Ok(password) = Password::new(password) else {
        return Ok(false);
    };
    let mut tx = studio.db.read().await?;
    let hash: Option<Option<String>> = on!(tx, conn => {
        sqlx::query_scalar("SELECT password_hash FROM account WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    drop(tx);
    let place = studio.gate.hasher().queue(true)?;
    let hash = hash.flatten().map(PasswordHash::stored);
    Ok(place.verify(password, hash).await)
}

/// Proves again who somebody is who is signed in, before a change that matters. The session gets a
/// new token.
pub async fn confirm(
    studio: &Studio,
    (person, id): (PersonId, SessionId),
    password: &str,
) -> Result<Token, RecoveryError> {
    if !knows_password(studio, person, password).await? {
        return Err(RecoveryError::Wrong);
    }
    let mut tx = studio.db.write().await?;
    let token = session::rotate(studio, &mut tx, id).await?;
    tx.commit().await?;
    Ok(token)
}

async fn new_hash(
    studio: &Studio,
    person: PersonId,
    password: &str,
) -> Result<PasswordHash, RecoveryError> {
    let password = Password::new(password)?;
    let account = person::find(studio, person).await?;
    let account = account.ok_or(RecoveryError::LinkEnded)?;
    password::check(&password, &account.address)?;
    let place = studio.gate.hasher().queue(true)?;
    Ok(place.hash(password, &studio.randomness).await)
}

async fn set(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    hash: &PasswordHash,
) -> Result<(), Failure> {
    let address: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("UPDATE account SET password_hash = $2 WHERE person_id = $1 RETURNING address")
            .bind(person.to_string())
            .bind(hash.as_str())
            .fetch_optional(conn)
            .await
    })?;
    let address = match address {
        Some(stored) => Some(person::open_address(studio, person, &stored).await?),
        None => None,
    };
    letters::enqueue(
        studio,
        tx,
        Some(person),
        address.as_ref(),
        &Letter::PasswordChanged,
    )
    .await?;
    Ok(())
}
