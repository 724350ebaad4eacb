//! Credits that somebody hands on to an organisation of theirs. They stay what they were: what ends soonest goes first, and
//! ends on the day on which it would have ended.

use db::{Tx, on};
use domain::clock::Moment;
use domain::credits::Credits;
use domain::ids::{GrantId, PersonId};

use super::grants::{self, Giver, GrantError, NewGrant};
use super::ledger::{self, Kind, Movement};
use crate::{Failure, Studio};

/// Moves credits within one transaction; `false` where the giver has less. The same gift again changes nothing.
pub(crate) async fn hand_on(
    studio: &Studio,
    tx: &mut Tx,
    (from, to): (PersonId, PersonId),
    gift: GrantId,
    credits: Credits,
) -> Result<bool, GrantError> {
    if Credits::granted(credits.get()).is_err() {
        return Err(GrantError::Credits);
    }
    // Whoever gives is locked first, and nobody locks an organisation and then a person.
    if !ledger::lock(tx, from).await? || !ledger::lock(tx, to).await? {
        return Err(GrantError::NoAccount);
    }
    if grants::is_given(tx, gift).await? {
        return Ok(true);
    }
    if grants::after(tx, to, credits).await? > Credits::MAX {
        return Err(GrantError::TooMuch);
    }
    let now = studio.clock.now();
    grants::expire_ended(studio, tx, from, now).await?;
    let lots: Vec<(String, i64, Option<i64>)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT id, remaining, ends_ms FROM credit_grant WHERE person_id = $1 AND remaining > 0 \
             ORDER BY ends_ms NULLS LAST, id",
        )
        .bind(from.to_string())
        .fetch_all(conn)
        .await
    })
    .map_err(Failure::from)?;
    let mut missing = credits.get();
    let mut id = gift;
    for (lot, remaining, ends_ms) in lots {
        if missing == 0 {
            break;
        }
        let part = Credits::new(remaining.min(missing));
        take(studio, tx, from, (&lot, part), id).await?;
        let new = NewGrant {
            id,
            credits: part,
            reason: "From a member".to_owned(),
            ends: ends_ms.map(Moment::from_millis),
        };
        let cause = format!("gift:{id}");
        grants::write(studio, tx, to, &new, Giver::Member, cause).await?;
        missing -= part.get();
        id = GrantId::new(now, &studio.randomness);
    }
    Ok(missing == 0)
}

async fn take(
    studio: &Studio,
    tx: &mut Tx,
    from: PersonId,
    (lot, part): (&str, Credits),
    gift: GrantId,
) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("UPDATE credit_grant SET remaining = remaining - $2 WHERE id = $1")
            .bind(lot)
            .bind(part.get())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    let movement = Movement {
        grant: lot.parse().ok(),
        available: -part,
        issued: part,
        ..Movement::new(Kind::Gift, format!("given:{gift}"))
    };
    match ledger::post(studio, tx, from, studio.clock.now(), &movement).await? {
        true => Ok(()),
        false => Err(Failure::Row(format!("balance of {from}"))),
    }
}
