//! The link that makes the first operator. It is printed where the program starts, so whoever runs
//! the machine holds it; once there is an operator it is worth nothing.

use db::on;
use domain::personal::{Address, Password};
use domain::role::Role;
use domain::secret::Token;

use super::password;
use super::person::{self, NewAccount};
use super::proof::{self, About, Kind};
use super::sign_in::{SignedIn, Visit, admit};
use super::sign_up::SignUpError;
use crate::{Failure, Studio};

/// A new link, where the house has no operator yet.
pub async fn open(studio: &Studio) -> Result<Option<Token>, Failure> {
    let mut tx = studio.db.write().await?;
    if person::has_operator_in(&mut tx).await? {
        return Ok(None);
    }
    let token = proof::give(studio, &mut tx, Kind::Welcome, &About::default()).await?;
    tx.commit().await?;
    Ok(Some(token))
}

/// What the page of the link shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// What the local person drew before there were accounts.
    pub pictures: u32,
}

/// `None` where the link is worth nothing.
pub async fn look(studio: &Studio, token: &Token) -> Result<Option<Welcome>, Failure> {
    let mut tx = studio.db.read().await?;
    if proof::look(studio, &mut tx, Kind::Welcome, token)
        .await?
        .is_none()
    {
        return Ok(None);
    }
    let pictures = match person::without_account(&mut tx).await? {
        Some(person) => on!(tx, conn => {
            sqlx::query_scalar("SELECT COUNT(*) FROM picture WHERE person_id = $1")
                .bind(person.to_string())
                .fetch_one(conn)
                .await
        })?,
        None => 0_i64,
    };
    let pictures = u32::try_from(pictures).unwrap_or(u32::MAX);
    Ok(Some(Welcome { pictures }))
}

/// Makes the first operator. With `adopts`, the local person becomes that operator, and so keeps
/// what was drawn.
pub async fn enter(
    studio: &Studio,
    visit: &Visit,
    token: &Token,
    (address, password): (&str, &str),
    adopts: bool,
) -> Result<SignedIn, SignUpError> {
    let address = Address::new(address)?;
    let password = Password::new(password)?;
    password::check(&password, &address)?;
    if look(studio, token).await?.is_none() {
        return Err(SignUpError::LinkEnded);
    }
    let place = studio.gate.hasher().queue(true)?;
    let hash = place.hash(password, &studio.randomness).await;
    let fresh = person::prepare(studio).await?;
    let mut tx = studio.db.write().await?;
    let taken = proof::take(studio, &mut tx, Kind::Welcome, token).await?;
    if taken.is_none() || person::has_operator_in(&mut tx).await? {
        return Err(SignUpError::LinkEnded);
    }
    proof::end_of_kind(&mut tx, Kind::Welcome).await?;
    let local = if adopts {
        person::without_account(&mut tx).await?
    } else {
        None
    };
    let person = match local {
        Some(person) => {
            on!(tx, conn => {
                sqlx::query("UPDATE person SET role = $2 WHERE id = $1")
                    .bind(person.to_string())
                    .bind(Role::Operator.name())
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected())
            })?;
            person
        }
        None => {
            person::insert(&mut tx, fresh, Role::Operator).await?;
            fresh
        }
    };
    let new = NewAccount {
        person,
        address: &address,
        password: Some(&hash),
        age: None,
    };
    if !person::open_account(studio, &mut tx, &new).await? {
        return Err(SignUpError::LinkEnded);
    }
    let signed_in = admit(studio, &mut tx, visit, person, None).await?;
    tx.commit().await?;
    studio.gate.has_accounts_now();
    Ok(signed_in)
}
