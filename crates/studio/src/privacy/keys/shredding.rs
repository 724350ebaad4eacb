//! Keys of what was deleted. That they go is written in the transaction that deletes, and done right
//! after it; what a crash left is done at the next start, or by whoever deletes next.

use std::collections::BTreeSet;

use db::{Tx, on};

use super::{WORDS, slot_of, store};
use crate::privacy::export;
use crate::{Failure, Studio, failpoint};

/// Keys that are shredded in one go.
const AT_ONCE: i64 = 1_000;
/// Every key of an object.
const WHOLE: i64 = -1;

/// All keys of an object go with this transaction.
pub(crate) async fn note_object(tx: &mut Tx, id: &str) -> Result<(), Failure> {
    note(tx, id, WHOLE).await
}

/// The key of an order's words goes with this transaction; its pictures stay readable.
pub(crate) async fn note_words(tx: &mut Tx, job: &str) -> Result<(), Failure> {
    note(tx, job, i64::try_from(WORDS).unwrap_or(i64::MAX)).await
}

/// The key of an order's `ordinal`-th picture goes with this transaction.
pub(crate) async fn note_picture(tx: &mut Tx, job: &str, ordinal: u32) -> Result<(), Failure> {
    let slot = i64::try_from(slot_of(ordinal)).unwrap_or(i64::MAX);
    note(tx, job, slot).await
}

async fn note(tx: &mut Tx, id: &str, slot: i64) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("INSERT INTO shredding (object_id, slot) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(id)
            .bind(slot)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// An archive that waits to be fetched may hold what these keys open: it goes as well, in the next round.
async fn end_archives(studio: &Studio, noted: &[(String, i64)]) -> Result<(), Failure> {
    let ids: Vec<&str> = noted
        .iter()
        .map(|(id, _)| id.as_str())
        .filter(|id| !export::is_own(id))
        .collect();
    let found = store::objects(&studio.keys.0.db, &ids).await;
    let people: BTreeSet<String> = found?.into_iter().map(|row| row.person_id).collect();
    for person in people {
        let bad = |_| Failure::Row(format!("person {person}"));
        let person = person.parse().map_err(bad)?;
        let mut tx = studio.db.write().await?;
        if export::end_of(&mut tx, person).await? > 0 {
            tx.commit().await?;
        }
    }
    Ok(())
}

/// Shreds what was noted, by this process or another; tells how many keys.
pub async fn carry_out(studio: &Studio) -> Result<u64, Failure> {
    let mut shredded = 0;
    loop {
        let mut tx = studio.db.read().await?;
        let noted: Vec<(String, i64)> = on!(tx, conn => {
            sqlx::query_as("SELECT object_id, slot FROM shredding ORDER BY object_id, slot LIMIT $1")
                .bind(AT_ONCE)
                .fetch_all(conn)
                .await
        })?;
        drop(tx);
        if noted.is_empty() {
            return Ok(shredded);
        }
        failpoint::here("shredding-noted");
        end_archives(studio, &noted).await?;
        let going = noted.iter().map(|(id, slot)| async move {
            match usize::try_from(*slot) {
                Ok(slot) => studio.keys.shred_slot(id, slot).await,
                Err(_) => studio.keys.shred_object(id).await,
            }
        });
        let gone: Vec<u64> = futures::future::try_join_all(going).await?;
        shredded += gone.iter().sum::<u64>();
        failpoint::here("shredding-done");
        let mut tx = studio.db.write().await?;
        for (id, slot) in &noted {
            on!(tx, conn => {
                sqlx::query("DELETE FROM shredding WHERE object_id = $1 AND slot = $2")
                    .bind(id)
                    .bind(slot)
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected())
            })?;
        }
        tx.commit().await?;
    }
}
