//! Another address: both the former and the new mailbox agree, by a link each. Until then the
//! former one holds.

use db::{Tx, on};
use domain::ids::PersonId;
use domain::personal::{Address, BadAddress};
use domain::secret::Token;

use super::proof::{self, About, Kind};
use super::{hash, person};
use crate::letters::{self, Letter};
use crate::{Failure, Studio};

#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error(transparent)]
    Bad(#[from] BadAddress),
    #[error("That is your address already.")]
    Same,
    #[error("This link has been used, or is older than a day. Ask for the change again.")]
    LinkEnded,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(AddressError);

/// What became of a change when one side agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreed {
    /// The other mailbox has not agreed yet.
    Half,
    Changed,
}

/// Writes a letter to each mailbox. A change that was asked for before is void.
pub async fn ask(studio: &Studio, person: PersonId, address: &str) -> Result<(), AddressError> {
    let new = Address::new(address)?;
    let account = person::find(studio, person).await?;
    let old = account.ok_or(AddressError::LinkEnded)?.address;
    if old.folded() == new.folded() {
        return Err(AddressError::Same);
    }
    let taken = person::id_by_address(studio, &new).await?;
    let mut tx = studio.db.write().await?;
    proof::end_of_person(&mut tx, Kind::Address, person).await?;
    let about = About {
        person: Some(person),
        address: Some(&new),
        ..About::default()
    };
    let from = proof::give(studio, &mut tx, Kind::Address, &about).await?;
    let to = proof::give(studio, &mut tx, Kind::Address, &about).await?;
    let text = |token: &Token| token.expose().to_owned();
    let letter = Letter::AddressFrom { token: text(&from) };
    letters::enqueue(studio, &mut tx, Some(person), Some(&old), &letter).await?;
    // Where somebody has that address, nobody gets the second link, so nothing ever changes.
    let letter = match taken {
        Some(_) => Letter::HasAccount,
        None => Letter::AddressTo { token: text(&to) },
    };
    let whose = taken.unwrap_or(person);
    letters::enqueue(studio, &mut tx, Some(whose), Some(&new), &letter).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether a link still stands for a change.
pub async fn is_open(studio: &Studio, token: &Token) -> Result<bool, Failure> {
    let mut tx = studio.db.read().await?;
    let found = proof::look(studio, &mut tx, Kind::Address, token).await?;
    Ok(found.is_some())
}

/// One mailbox agrees; with the second one the address changes.
pub async fn agree(studio: &Studio, token: &Token) -> Result<Agreed, AddressError> {
    let now = studio.clock.now().as_millis();
    let mut tx = studio.db.write().await?;
    let token_hash = hash(token);
    let row: Option<(String, String)> = on!(tx, conn => {
        sqlx::query_as(
            "UPDATE proof SET tries = 1 WHERE token_hash = $1 AND kind = 'address' \
             AND ends_ms > $2 RETURNING person_id, address",
        )
        .bind(&token_hash)
        .bind(now)
        .fetch_optional(conn)
        .await
    })?;
    let (person, new) = row.ok_or(AddressError::LinkEnded)?;
    let agreed: i64 = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM proof WHERE person_id = $1 AND kind = 'address' AND tries = 1 \
             AND ends_ms > $2",
        )
        .bind(&person)
        .bind(now)
        .fetch_one(conn)
        .await
    })?;
    if agreed < 2 {
        tx.commit().await?;
        return Ok(Agreed::Half);
    }
    let person = person
        .parse()
        .map_err(|_| Failure::Row("person id".to_owned()))?;
    let new = proof::open_address(studio, person, &token_hash, &new).await?;
    let old = change(studio, &mut tx, person, &new)
        .await?
        .ok_or(AddressError::LinkEnded)?;
    proof::end_of_person(&mut tx, Kind::Address, person).await?;
    proof::end_of_person(&mut tx, Kind::Reset, person).await?;
    for address in [&old, &new] {
        let letter = Letter::AddressChanged;
        letters::enqueue(studio, &mut tx, Some(person), Some(address), &letter).await?;
    }
    tx.commit().await?;
    Ok(Agreed::Changed)
}

/// Gives the former address; `None` where somebody else has the new one by now.
async fn change(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    new: &Address,
) -> Result<Option<Address>, Failure> {
    let old = person::address_of(studio, tx, person).await?;
    let sealed = person::seal_address(studio, person, new).await?;
    let changed = on!(tx, conn => {
        sqlx::query(
            "UPDATE account SET address = $2, address_key = $3 WHERE person_id = $1 \
             AND NOT EXISTS (SELECT 1 FROM account other WHERE other.address_key = $3)",
        )
        .bind(person.to_string())
        .bind(sealed.as_str())
        .bind(person::address_key(studio, new))
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(old.filter(|_| changed == 1))
}
