//! Signing up: an address and a password, and nothing else. The account is made when the link in
//! the letter is opened and the password is given once more: so nobody gets an account for an
//! address that they can't read, nor for a password that somebody else chose.

use domain::personal::{Address, Password};
use domain::secret::Token;

use super::password::{self, Busy, Guessable};
use super::person::{self, Age, NewAccount};
use super::proof::{self, About, Kind};
use super::sign_in::{SignedIn, Visit, admit};
use crate::letters::{self, Letter};
use crate::terms::Ticked;
use crate::{Failure, Studio};
use domain::personal::{BadAddress, BadPassword};
use domain::role::Role;

#[derive(Debug, thiserror::Error)]
pub enum SignUpError {
    #[error(transparent)]
    Address(#[from] BadAddress),
    #[error(transparent)]
    Password(#[from] BadPassword),
    #[error(transparent)]
    Guessable(#[from] Guessable),
    #[error("This link has been used, or is older than a day. Sign up again to get another.")]
    LinkEnded,
    #[error("That is not the password that you chose when you signed up.")]
    WrongPassword,
    #[error(
        "Too many letters were asked for from your network. Try again in {retry_after_s} seconds."
    )]
    Slow { retry_after_s: u32 },
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(SignUpError);

/// Tries of the password at the link; then the link is void.
const MAX_TRIES: i64 = 5;

/// Writes the letter that opens the account. The same is done, and takes as long, where the
/// address has an account already: then its owner is told so.
pub async fn ask(
    studio: &Studio,
    visit: &Visit,
    (address, password): (&str, &str),
    age: Option<Age>,
    terms: Option<&Ticked>,
) -> Result<(), SignUpError> {
    let address = Address::new(address)?;
    let password = Password::new(password)?;
    password::check(&password, &address)?;
    let (now, throttle) = (studio.clock.now(), studio.gate.throttle());
    throttle
        .may_ask_for_letter(now, visit.from)
        .map_err(|retry_after_s| SignUpError::Slow { retry_after_s })?;
    let may_write = throttle.may_write_to(now, &address);
    let place = studio.gate.hasher().queue(false)?;
    let hash = place.hash(password, &studio.randomness).await;
    let known = person::id_by_address(studio, &address).await?;
    let mut tx = studio.db.write().await?;
    // Kept until the account is there, or the link has ended.
    let detail = terms.map(|ticked| serde_json::json!(ticked).to_string());
    let about = About {
        address: Some(&address),
        password: Some(&hash),
        age,
        detail: detail.as_deref(),
        ..About::default()
    };
    let token = proof::give(studio, &mut tx, Kind::SignUp, &about).await?;
    let (person, letter) = match known {
        Some(person) => {
            // Nobody is told this token, so it opens nothing.
            drop(proof::take(studio, &mut tx, Kind::SignUp, &token).await?);
            (Some(person), Letter::HasAccount)
        }
        None => (None, Letter::sign_up(&token)),
    };
    let to = may_write.then_some(&address);
    letters::enqueue(studio, &mut tx, person, to, &letter).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether a link still opens an account.
pub async fn is_open(studio: &Studio, token: &Token) -> Result<bool, Failure> {
    let mut tx = studio.db.read().await?;
    let found = proof::look(studio, &mut tx, Kind::SignUp, token).await?;
    Ok(found.is_some())
}

/// Makes the account, and signs its person in.
pub async fn confirm(
    studio: &Studio,
    visit: &Visit,
    token: &Token,
    password: &str,
) -> Result<SignedIn, SignUpError> {
    let mut tx = studio.db.read().await?;
    let asked = proof::look(studio, &mut tx, Kind::SignUp, token).await?;
    drop(tx);
    let asked = asked.ok_or(SignUpError::LinkEnded)?;
    if asked.tries >= MAX_TRIES {
        return Err(SignUpError::LinkEnded);
    }
    let is_right = match Password::new(password) {
        Ok(password) => {
            let place = studio.gate.hasher().queue(false)?;
            place.verify(password, asked.password).await
        }
        Err(_) => false,
    };
    let person = match is_right {
        true => Some(person::prepare(studio).await?),
        false => None,
    };
    let mut tx = studio.db.write().await?;
    let Some(person) = person else {
        proof::count_try(&mut tx, token).await?;
        tx.commit().await?;
        return Err(SignUpError::WrongPassword);
    };
    let taken = proof::take(studio, &mut tx, Kind::SignUp, token).await?;
    let asked = taken.ok_or(SignUpError::LinkEnded)?;
    let address = asked.address.ok_or(SignUpError::LinkEnded)?;
    person::insert(&mut tx, person, Role::Person).await?;
    let new = NewAccount {
        person,
        address: &address,
        password: asked.password.as_ref(),
        age: asked.age,
    };
    if !person::open_account(studio, &mut tx, &new).await? {
        return Err(SignUpError::LinkEnded);
    }
    if let Some(detail) = &asked.detail {
        let ticked = serde_json::from_str::<Ticked>(detail.expose());
        let bad = |_| Failure::Row("terms of a proof".to_owned());
        ticked.map_err(bad)?.keep(studio, &mut tx, person).await?;
    }
    let signed_in = admit(studio, &mut tx, visit, person, None).await?;
    crate::failpoint::here("terms-accepted-uncommitted");
    tx.commit().await?;
    studio.gate.has_accounts_now();
    Ok(signed_in)
}
