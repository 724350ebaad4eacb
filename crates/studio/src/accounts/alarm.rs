//! Tells those who run the house when somebody begins to try passwords in bulk: one letter each for
//! an attack, however many tries it has and however many processes see it. The owner of an account
//! that is tried gets one from [`super::vouch`].

use db::{Tx, on};
use domain::ids::PersonId;
use domain::personal::Address;

use super::person;
use super::throttle::Target;
use crate::letters::{self, Letter};
use crate::{Failure, Studio};

/// An attack is over once nothing was refused for this long; what comes then is another one.
const OVER_AFTER_MS: i64 = 60 * 60 * 1_000;
/// For how long it is kept that there was one.
pub(crate) const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// Operators who get a letter.
const MAX_OPERATORS: i64 = 50;

/// A try was refused. `address` is whose account was tried, where it was one account.
pub(crate) async fn raise(
    studio: &Studio,
    target: Target,
    address: &Address,
) -> Result<(), Failure> {
    let now = studio.clock.now();
    if !studio.gate.throttle().may_raise(now, target, address) {
        return Ok(());
    }
    let tried = match target {
        Target::House => None,
        Target::Account => Some(person::id_by_address(studio, address).await?),
    };
    let (subject, letter, is_told) = match tried {
        None => {
            let at_ms = now.as_millis();
            ("house".to_owned(), Letter::AttackOnHouse { at_ms }, true)
        }
        Some(person) => {
            // An address that nobody has is nobody's account; it takes as long, and nobody is told.
            let subject = person.map_or_else(|| "nobody".to_owned(), |id| id.to_string());
            let letter = Letter::AttackOnAccount {
                person: subject.clone(),
                at_ms: now.as_millis(),
            };
            (subject, letter, person.is_some())
        }
    };
    let mut tx = studio.db.write().await?;
    if let Some(Some(person)) = tried
        && !person::stays(&mut tx, person).await?
    {
        // Deleted in this very moment: nothing is written of it.
        return Ok(());
    }
    if !begins(&mut tx, &subject, now.as_millis()).await? {
        tx.commit().await?;
        return Ok(());
    }
    for (operator, mailbox) in operators(studio, &mut tx).await? {
        let to = Some(&mailbox).filter(|_| is_told);
        letters::enqueue(studio, &mut tx, Some(operator), to, &letter).await?;
    }
    tx.commit().await?;
    if is_told {
        let attacked = target.name();
        tracing::warn!(attacked, "somebody began to try passwords in bulk");
    }
    Ok(())
}

/// Whether this is the first that was refused of an attack.
async fn begins(tx: &mut Tx, subject: &str, now_ms: i64) -> Result<bool, Failure> {
    let goes_on = on!(tx, conn => {
        sqlx::query("UPDATE attack SET seen_ms = $2 WHERE subject = $1 AND seen_ms > $3")
            .bind(subject)
            .bind(now_ms)
            .bind(now_ms - OVER_AFTER_MS)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    if goes_on > 0 {
        return Ok(false);
    }
    let begun = on!(tx, conn => {
        sqlx::query(
            "INSERT INTO attack (subject, began_ms, seen_ms) VALUES ($1, $2, $2) \
             ON CONFLICT (subject) DO UPDATE SET began_ms = excluded.began_ms, \
             seen_ms = excluded.seen_ms WHERE attack.seen_ms <= $3",
        )
        .bind(subject)
        .bind(now_ms)
        .bind(now_ms - OVER_AFTER_MS)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(begun > 0)
}

async fn operators(studio: &Studio, tx: &mut Tx) -> Result<Vec<(PersonId, Address)>, Failure> {
    let rows: Vec<(String, String)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT account.person_id, account.address FROM account \
             JOIN person ON person.id = account.person_id WHERE person.role = 'operator' \
             ORDER BY person.id LIMIT $1",
        )
        .bind(MAX_OPERATORS)
        .fetch_all(conn)
        .await
    })?;
    let mut operators = Vec::new();
    for (person, stored) in rows {
        let bad = |_| Failure::Row("id of an operator".to_owned());
        let person = person.parse().map_err(bad)?;
        let address = person::open_address(studio, person, &stored).await?;
        operators.push((person, address));
    }
    Ok(operators)
}
