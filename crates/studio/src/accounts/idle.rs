//! Accounts that nobody uses: their people are told twice, and then they are deleted, as if their
//! people had asked for it. Whoever signs in, or whose program asks for anything, keeps theirs.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::PersonId;
use domain::role::Role;

use super::person;
use crate::letters::{self, Letter};
use crate::privacy::erasure::{self, AskedBy, EraseError, Scope};
use crate::privacy::restriction::Operation;
use crate::{Failure, Studio};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Two years.
pub const ENDS_AFTER_MS: i64 = 730 * DAY_MS;
/// How long before the end the first letter goes out, and the second.
const FIRST_MS: i64 = 30 * DAY_MS;
const SECOND_MS: i64 = 7 * DAY_MS;
const AT_ONCE: i64 = 100;

/// Somebody used their account. Written once a day.
pub(crate) async fn used(studio: &Studio, tx: &mut Tx, person: &str) -> Result<(), Failure> {
    let now = studio.clock.now().as_millis();
    on!(tx, conn => {
        sqlx::query(
            "UPDATE account SET active_ms = $2, warned = 0, warned_ms = NULL \
             WHERE person_id = $1 AND active_ms < $2",
        )
        .bind(person)
        .bind(now - now.rem_euclid(DAY_MS))
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Writes the letters that are due, and has accounts deleted whose time is over. Gives how many.
pub async fn look(studio: &Studio) -> Result<u64, Failure> {
    warn(studio, 0, FIRST_MS, 0).await?;
    // Where the program itself was asleep, there is as much time between the letters as always.
    warn(studio, 1, SECOND_MS, FIRST_MS - SECOND_MS).await?;
    let mut deleted = 0;
    for (id, _) in due(studio, 2, 0, SECOND_MS).await? {
        match erasure::ask(studio, id, Scope::Account, AskedBy::Idle).await {
            Ok(_) => deleted += 1,
            Err(EraseError::Failure(failure)) => return Err(failure),
            // It goes already, or was gone.
            Err(_) => {}
        }
    }
    Ok(deleted)
}

/// Writes the letter after `warned` others, `before_ms` before the end and at least `since_ms` after
/// the last.
async fn warn(studio: &Studio, warned: i64, before_ms: i64, since_ms: i64) -> Result<(), Failure> {
    for (id, active) in due(studio, warned, before_ms, since_ms).await? {
        let now = studio.clock.now();
        let end = active.plus_millis(ENDS_AFTER_MS);
        let ends_ms = end.max(now.plus_millis(before_ms)).as_millis();
        let mut tx = studio.db.write().await?;
        if !person::stays(&mut tx, id).await? {
            continue;
        }
        let written = on!(tx, conn => {
            sqlx::query(
                "UPDATE account SET warned = warned + 1, warned_ms = $2 \
                 WHERE person_id = $1 AND warned = $3 AND active_ms = $4",
            )
            .bind(id.to_string())
            .bind(now.as_millis())
            .bind(warned)
            .bind(active.as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
        // Used, or told by another process, in this very moment.
        if written == 0 {
            continue;
        }
        let address = person::address_of(studio, &mut tx, id).await?;
        let letter = Letter::Idle { ends_ms };
        letters::enqueue(studio, &mut tx, Some(id), address.as_ref(), &letter).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Accounts with so many letters, the last of them so long ago, that end within `before_ms`. Those who
/// run the house keep theirs, and so do those whose account is restricted.
async fn due(
    studio: &Studio,
    warned: i64,
    before_ms: i64,
    since_ms: i64,
) -> Result<Vec<(PersonId, Moment)>, Failure> {
    let now = studio.clock.now();
    let mut tx = studio.db.read().await?;
    let is_refused = Operation::SweepContent.is_refused_to("account.person_id");
    let idle = format!(
        "SELECT account.person_id, account.active_ms FROM account \
         JOIN person ON person.id = account.person_id \
         WHERE account.active_ms <= $1 AND account.warned = $2 \
         AND COALESCE(account.warned_ms, 0) <= $3 AND person.role <> $4 \
         AND person.erasure_id IS NULL AND NOT {is_refused} ORDER BY account.active_ms LIMIT $5"
    );
    let rows: Vec<(String, i64)> = on!(tx, conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(idle))
        .bind(now.plus_millis(before_ms - ENDS_AFTER_MS).as_millis())
        .bind(warned)
        .bind(now.plus_millis(-since_ms).as_millis())
        .bind(Role::Operator.name())
        .bind(AT_ONCE)
        .fetch_all(conn)
        .await
    })?;
    rows.into_iter()
        .map(|(id, active)| {
            let bad = |_| Failure::Row(format!("person {id:?}"));
            Ok((id.parse().map_err(bad)?, Moment::from_millis(active)))
        })
        .collect()
}
