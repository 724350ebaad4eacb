//! Tells the people whom a breach concerns, each once (Art. 34 GDPR).

use db::on;
use domain::ids::{BreachId, PersonId};
use serde_json::json;

use super::{BreachError, locked, said};
use crate::accounts::person;
use crate::letters::{self, Letter};
use crate::privacy::log::{self, Event, Kind};
use crate::{Failure, Studio};

/// Letters of one transaction.
const AT_ONCE: i64 = 100;

/// Writes to everybody whom it concerns and who was not told yet; gives how many letters that were. What
/// somebody was told stands in their log. Whoever stops it goes on later, and nobody gets it twice.
pub async fn tell(studio: &Studio, id: BreachId, text: &str) -> Result<u64, BreachError> {
    let text = said(text)?;
    let mut told = 0;
    loop {
        let now = studio.clock.now().as_millis();
        let mut tx = studio.db.write().await?;
        let breach = locked(&mut tx, id).await?;
        let some: Vec<String> = on!(tx, conn => {
            sqlx::query_scalar(
                "SELECT person_id FROM breach_person WHERE breach_id = $1 AND told_ms IS NULL \
                 ORDER BY person_id LIMIT $2",
            )
            .bind(id.to_string())
            .bind(AT_ONCE)
            .fetch_all(conn)
            .await
        })?;
        if some.is_empty() {
            return Ok(told);
        }
        for whose in some {
            let bad = |_| Failure::Row(format!("person of {id}"));
            let whose: PersonId = whose.parse().map_err(bad)?;
            // The row is locked with the breach's.
            on!(tx, conn => {
                sqlx::query(
                    "UPDATE breach_person SET told_ms = $3 WHERE breach_id = $1 AND person_id = $2",
                )
                .bind(id.to_string())
                .bind(whose.to_string())
                .bind(now)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
            })?;
            if !person::stays(&mut tx, whose).await? {
                continue;
            }
            let event = Event {
                kind: Kind::BreachTold,
                person: Some(whose),
                what: json!({ "breach": id }),
            };
            log::note(studio, &mut tx, &event).await?;
            let letter = Letter::Breach {
                text: text.to_owned(),
                at_ms: breach.began_ms,
            };
            let address = person::address_of(studio, &mut tx, whose).await?;
            letters::enqueue(studio, &mut tx, Some(whose), address.as_ref(), &letter).await?;
            told += 1;
        }
        tx.commit().await?;
    }
}
