//! Is paid for: the price, the hold before a job, and the charge for what arrived.
//!
//! A person has two accounts, `available` and `held`; the house has three, `issued`, `revenue` and
//! `expired`. An order moves its quote from available to held; when the job is over, what arrived
//! goes from held to revenue and the rest back to available, once. Who has no accounts is not
//! metered: the one local person of a house without sign-in.
//!
//! Architecture invariant: each movement is one row of `entry` whose five changes sum to zero, and
//! it is written in the transaction that causes it. Rows of `entry` are never changed.

pub(crate) mod giving;
pub mod grants;
pub mod hold;
pub mod invoices;
pub mod ledger;
pub mod price;
pub mod statement;

use db::on;
use domain::credits::Credits;
use domain::ids::PersonId;

pub(crate) use hold::of_job;
pub use hold::{Charge, Held, NewHold, Refusal, hold, settle};
pub use price::{Operation, Price, PriceList, Quote};

use crate::privacy::inventory::Purpose;
use crate::privacy::keys::Place;
use crate::privacy::looking::{self, Staff, View};
use crate::{Failure, Studio};

/// What a person has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// May be spent.
    pub available: Credits,
    /// Put aside for jobs that are not over yet.
    pub held: Credits,
}

/// What those who give credits see of what somebody has.
const BALANCE: View = View::of(&[(Purpose::Credits, &[Place::new("balance", "available")])]);

/// What somebody else has now, for those who run the house.
pub async fn balance_of_other(
    studio: &Studio,
    staff: &Staff,
    person: PersonId,
) -> Result<Option<Balance>, Failure> {
    let mut tx = studio.db.write().await?;
    looking::look(studio, &mut tx, staff, BALANCE, [person]).await?;
    tx.commit().await?;
    balance(studio, person).await
}

/// What a person has now; `None` where nothing is metered. Grants that ended are no longer in it.
pub async fn balance(studio: &Studio, person: PersonId) -> Result<Option<Balance>, Failure> {
    if grants::any_ended(studio, person).await? {
        grants::expire(studio, person).await?;
    }
    let mut tx = studio.db.read().await?;
    let found: Option<(i64, i64)> = on!(tx, conn => {
        sqlx::query_as("SELECT available, held FROM balance WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    Ok(found.map(|(available, held)| Balance {
        available: Credits::new(available),
        held: Credits::new(held),
    }))
}
