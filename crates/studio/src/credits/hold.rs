//! The hold before a job, and its one end: captured for what arrived, void for the rest.

use db::{Tx, on};
use domain::clock::Moment;
use domain::credits::Credits;
use domain::ids::{JobId, KeyId, PersonId};
use domain::model::ModelName;

use super::grants;
use super::ledger::{self, Kind, Movement};
use super::price::Quote;
use crate::{Failure, Studio};

/// What is to be put aside for a job.
#[derive(Clone, Copy, Debug)]
pub struct NewHold<'a> {
    pub job: JobId,
    pub person: PersonId,
    /// The API key that orders, where one does.
    pub key: Option<KeyId>,
    pub model: &'a ModelName,
    pub quote: Quote,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The person is not metered, or the job costs nothing: nothing is written.
    Free,
    Held,
    Refused(Refusal),
}

/// Why a job can't be paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "This costs {quoted} credits, and you have {available}. Order fewer or smaller pictures, or ask whoever runs this server for more credits."
    )]
    Insufficient { available: Credits, quoted: Credits },
    #[error(
        "This costs {quoted} credits, and this API key may spend {left} more of its {limit}. Use another key, or make one with a higher limit."
    )]
    KeyLimit {
        limit: Credits,
        left: Credits,
        quoted: Credits,
    },
}

/// What a job costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// For each picture.
    pub price: Credits,
    /// At most.
    pub quoted: Credits,
    /// For what arrived, once the job is over.
    pub charged: Option<Credits>,
}

/// Puts a job's quote aside, in the transaction that makes the job. Where it is refused, the
/// transaction is to be dropped.
pub async fn hold(studio: &Studio, tx: &mut Tx, new: &NewHold<'_>) -> Result<Held, Failure> {
    let quoted = new.quote.total();
    if !ledger::lock(tx, new.person).await? || quoted.is_zero() {
        return Ok(Held::Free);
    }
    if let Some(key) = new.key
        && let Some(refusal) = beyond_limit(tx, key, quoted).await?
    {
        return Ok(Held::Refused(refusal));
    }
    let now = studio.clock.now();
    grants::expire_ended(studio, tx, new.person, now).await?;
    let movement = Movement {
        job: Some(new.job),
        available: -quoted,
        held: quoted,
        ..Movement::new(Kind::Hold, format!("hold:{}", new.job))
    };
    if !ledger::post(studio, tx, new.person, now, &movement).await? {
        let available = available(tx, new.person).await?;
        return Ok(Held::Refused(Refusal::Insufficient { available, quoted }));
    }
    insert(tx, new, quoted, now).await?;
    take_from_grants(tx, new, quoted).await?;
    if let Some(key) = new.key {
        spend(tx, key, quoted).await?;
    }
    Ok(Held::Held)
}

async fn available(tx: &mut Tx, person: PersonId) -> Result<Credits, Failure> {
    let available: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT available FROM balance WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_one(conn)
            .await
    })?;
    Ok(Credits::new(available))
}

async fn insert(
    tx: &mut Tx,
    new: &NewHold<'_>,
    quoted: Credits,
    now: Moment,
) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO hold (job_id, person_id, key_id, model, pictures, price, quoted, created_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(new.job.to_string())
        .bind(new.person.to_string())
        .bind(new.key.map(|id| id.to_string()))
        .bind(new.model.as_str())
        .bind(i64::from(new.quote.pictures))
        .bind(new.quote.price.get())
        .bind(quoted.get())
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Takes what ends soonest first.
async fn take_from_grants(tx: &mut Tx, new: &NewHold<'_>, quoted: Credits) -> Result<(), Failure> {
    let lots: Vec<(String, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT id, remaining FROM credit_grant WHERE person_id = $1 AND remaining > 0 \
             ORDER BY ends_ms NULLS LAST, id",
        )
        .bind(new.person.to_string())
        .fetch_all(conn)
        .await
    })?;
    let mut missing = quoted.get();
    for (grant, remaining) in lots {
        let taken = remaining.min(missing);
        move_lot(tx, &grant, -taken).await?;
        on!(tx, conn => {
            sqlx::query("INSERT INTO hold_part (job_id, grant_id, credits) VALUES ($1, $2, $3)")
                .bind(new.job.to_string())
                .bind(&grant)
                .bind(taken)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        missing -= taken;
        if missing == 0 {
            return Ok(());
        }
    }
    Err(Failure::Row(format!(
        "{} has {missing} credits that came from nowhere",
        new.person
    )))
}

async fn move_lot(tx: &mut Tx, grant: &str, change: i64) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("UPDATE credit_grant SET remaining = remaining + $2 WHERE id = $1")
            .bind(grant)
            .bind(change)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// A key belongs to one person, whose accounts are locked: nobody else spends with it meanwhile.
async fn beyond_limit(
    tx: &mut Tx,
    key: KeyId,
    quoted: Credits,
) -> Result<Option<Refusal>, Failure> {
    let found: Option<(Option<i64>, Option<i64>)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT api_key.limit_credits, key_spending.spent FROM api_key \
             LEFT JOIN key_spending ON key_spending.key_id = api_key.id WHERE api_key.id = $1",
        )
        .bind(key.to_string())
        .fetch_optional(conn)
        .await
    })?;
    let Some((Some(limit), spent)) = found else {
        return Ok(None);
    };
    let left = limit.saturating_sub(spent.unwrap_or(0)).max(0);
    Ok((quoted.get() > left).then_some(Refusal::KeyLimit {
        limit: Credits::new(limit),
        left: Credits::new(left),
        quoted,
    }))
}

async fn spend(tx: &mut Tx, key: KeyId, quoted: Credits) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO key_spending (key_id, spent) VALUES ($1, $2) \
             ON CONFLICT (key_id) DO UPDATE SET spent = key_spending.spent + $2",
        )
        .bind(key.to_string())
        .bind(quoted.get())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(())
}

async fn unspend(tx: &mut Tx, key: &str, returned: Credits) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("UPDATE key_spending SET spent = spent - $2 WHERE key_id = $1")
            .bind(key)
            .bind(returned.get())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct HoldRow {
    person_id: String,
    key_id: Option<String>,
    pictures: i64,
    price: i64,
    quoted: i64,
}

/// Ends a job's hold, in the transaction that ends the job: what was delivered is charged, the rest
/// comes back. A job without a hold costs nothing; a hold that has ended stays as it ended.
pub async fn settle(
    studio: &Studio,
    tx: &mut Tx,
    job: JobId,
    delivered: u32,
) -> Result<(), Failure> {
    let found: Option<HoldRow> = on!(tx, conn => {
        sqlx::query_as("SELECT person_id, key_id, pictures, price, quoted FROM hold WHERE job_id = $1")
            .bind(job.to_string())
            .fetch_optional(conn)
            .await
    })?;
    let Some(row) = found else { return Ok(()) };
    let broken = |what: &str| Failure::Row(format!("{what} of the hold of {job}"));
    let person: PersonId = row.person_id.parse().map_err(|_| broken("person"))?;
    if !ledger::lock(tx, person).await? {
        return Err(broken("balance"));
    }
    let now = studio.clock.now();
    let delivered = i64::from(delivered).min(row.pictures);
    let charged = delivered * row.price;
    let ended = on!(tx, conn => {
        sqlx::query(
            "UPDATE hold SET delivered = $2, charged = $3, settled_ms = $4 \
             WHERE job_id = $1 AND settled_ms IS NULL",
        )
        .bind(job.to_string())
        .bind(delivered)
        .bind(charged)
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if ended == 0 {
        return Ok(());
    }
    let (charged, returned) = (Credits::new(charged), Credits::new(row.quoted - charged));
    let kind = if charged.is_zero() {
        Kind::Void
    } else {
        Kind::Capture
    };
    let movement = Movement {
        job: Some(job),
        available: returned,
        held: -Credits::new(row.quoted),
        revenue: charged,
        // One cause for both ends, so that a hold can't have two.
        ..Movement::new(kind, format!("settle:{job}"))
    };
    if !ledger::post(studio, tx, person, now, &movement).await? {
        return Err(broken("held credits"));
    }
    give_back(tx, job, charged).await?;
    if let Some(key) = &row.key_id {
        unspend(tx, key, returned).await?;
    }
    Ok(())
}

/// What was charged comes from the grants that end soonest; the others get theirs back.
async fn give_back(tx: &mut Tx, job: JobId, charged: Credits) -> Result<(), Failure> {
    let parts: Vec<(String, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT hold_part.grant_id, hold_part.credits FROM hold_part \
             JOIN credit_grant ON credit_grant.id = hold_part.grant_id \
             WHERE hold_part.job_id = $1 ORDER BY credit_grant.ends_ms NULLS LAST, credit_grant.id",
        )
        .bind(job.to_string())
        .fetch_all(conn)
        .await
    })?;
    let mut spent = charged.get();
    for (grant, credits) in parts {
        let kept = credits.min(spent);
        spent -= kept;
        if credits > kept {
            move_lot(tx, &grant, credits - kept).await?;
        }
    }
    on!(tx, conn => {
        sqlx::query("DELETE FROM hold_part WHERE job_id = $1")
            .bind(job.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// What a job costs; `None` where it was free.
pub(crate) async fn of_job(tx: &mut Tx, job: JobId) -> Result<Option<Charge>, Failure> {
    let found: Option<(i64, i64, Option<i64>)> = on!(tx, conn => {
        sqlx::query_as("SELECT price, quoted, charged FROM hold WHERE job_id = $1")
            .bind(job.to_string())
            .fetch_optional(conn)
            .await
    })?;
    Ok(found.map(|(price, quoted, charged)| Charge {
        price: Credits::new(price),
        quoted: Credits::new(quoted),
        charged: charged.map(Credits::new),
    }))
}
