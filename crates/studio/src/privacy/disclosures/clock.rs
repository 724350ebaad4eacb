//! What happens when its time comes: a gag ends and the person is told; an emergency that nobody looked at
//! again is told to those who run the house.

use std::time::Duration;

use db::{Tx, on};
use domain::ids::{LogId, PersonId};

use super::row::{Row, locked};
use super::{Disclosure, DisclosureError, scope};
use crate::accounts::person;
use crate::jobs::worker::Stop;
use crate::letters::{self, Letter};
use crate::privacy::duty::tell_overseers;
use crate::privacy::log;
use crate::{Failure, Studio};

const LOOK_EVERY: Duration = Duration::from_secs(10 * 60);
/// What an ended gag may wait for, before an audit complains.
const TELLING_MS: i64 = 60 * 60 * 1_000;

/// A letter to the person, once for each request.
pub(super) async fn tell(
    studio: &Studio,
    tx: &mut Tx,
    about: &Disclosure,
    person: PersonId,
) -> Result<(), Failure> {
    let first = on!(tx, conn => {
        sqlx::query("UPDATE disclosure SET told_ms = $2 WHERE id = $1 AND told_ms IS NULL")
            .bind(about.id.to_string())
            .bind(studio.clock.now().as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    if first == 0 {
        return Ok(());
    }
    let letter = Letter::Disclosed {
        authority: about.authority.clone(),
        text: format!(
            "{} ({})\n\n{}",
            about.law,
            about.reference,
            scope::in_words(&about.fields).join("\n")
        ),
        at_ms: about.ended.unwrap_or(studio.clock.now()).as_millis(),
    };
    let address = person::address_of(studio, tx, person).await?;
    letters::enqueue(studio, tx, Some(person), address.as_ref(), &letter).await?;
    Ok(())
}

/// Opens to each person what was sealed from them until their gag ended, and writes to them; gives how
/// many requests that were.
pub async fn tell_ended(studio: &Studio) -> Result<u32, Failure> {
    let mut tx = studio.db.read().await?;
    let ended: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT id FROM disclosure WHERE state = 'disclosed' AND told_ms IS NULL \
             AND (gag_until_ms IS NULL OR gag_until_ms <= $1) ORDER BY id",
        )
        .bind(studio.clock.now().as_millis())
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    let mut told = 0;
    for id in ended {
        let bad = |_| Failure::Row(format!("id of {id}"));
        let mut tx = studio.db.write().await?;
        let row: Row = match locked(&mut tx, id.parse().map_err(bad)?).await {
            // Another process was quicker, or the person is gone meanwhile.
            Ok(row) if row.told_ms.is_some() => continue,
            Err(DisclosureError::Missing) => continue,
            Err(DisclosureError::Failure(failure)) => return Err(failure),
            Err(other) => return Err(Failure::Row(other.to_string())),
            Ok(row) => row,
        };
        let Some(about) = row.open(studio).await? else {
            continue;
        };
        let Some(person) = about.person else { continue };
        for leaf in row.sealed_leaves.split_whitespace() {
            let bad = |_| Failure::Row(format!("leaf of {id}"));
            let leaf: LogId = leaf.parse().map_err(bad)?;
            log::open_to(studio, &mut tx, leaf, person).await?;
        }
        on!(tx, conn => {
            sqlx::query("UPDATE disclosure SET sealed_leaves = '' WHERE id = $1")
                .bind(&row.id)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        tell(studio, &mut tx, &about, person).await?;
        tx.commit().await?;
        told += 1;
    }
    Ok(told)
}

/// Requests of which somebody should have been told for an hour: none.
pub async fn untold(studio: &Studio) -> Result<u64, Failure> {
    let mut tx = studio.db.read().await?;
    let untold: i64 = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM disclosure WHERE state = 'disclosed' AND told_ms IS NULL \
             AND COALESCE(gag_until_ms, ended_ms) <= $1",
        )
        .bind(studio.clock.now().as_millis() - TELLING_MS)
        .fetch_one(conn)
        .await
    })?;
    Ok(untold.unsigned_abs())
}

/// Emergencies that nobody looked at again in time: none.
pub async fn overdue(studio: &Studio) -> Result<u64, Failure> {
    let mut tx = studio.db.read().await?;
    let overdue: i64 = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM disclosure WHERE review_due_ms <= $1 AND reviewed_ms IS NULL",
        )
        .bind(studio.clock.now().as_millis())
        .fetch_one(conn)
        .await
    })?;
    Ok(overdue.unsigned_abs())
}

/// Writes to those who run the house about each of them, once; gives how many.
pub async fn raise_overdue(studio: &Studio) -> Result<u32, Failure> {
    let now = studio.clock.now().as_millis();
    let mut raised = 0;
    loop {
        let mut tx = studio.db.write().await?;
        let due: Option<(String, i64)> = on!(tx, conn => {
            sqlx::query_as(
                "UPDATE disclosure SET alarmed_ms = $1 WHERE id = (SELECT id FROM disclosure \
                 WHERE review_due_ms <= $1 AND reviewed_ms IS NULL AND alarmed_ms IS NULL \
                 ORDER BY id LIMIT 1) AND alarmed_ms IS NULL RETURNING id, review_due_ms",
            )
            .bind(now)
            .fetch_optional(conn)
            .await
        })?;
        let Some((request, at_ms)) = due else {
            return Ok(raised);
        };
        let letter = Letter::DisclosureUnreviewed { request, at_ms };
        tell_overseers(studio, &mut tx, None, &letter).await?;
        tx.commit().await?;
        raised += 1;
    }
}

/// Looks until told to stop.
pub async fn keep_watching(studio: Studio, stop: Stop) {
    while !stop.is_set() {
        if let Err(error) = tell_ended(&studio).await {
            tracing::error!(%error, "people could not be told what was handed out of theirs; trying again");
        }
        match raise_overdue(&studio).await {
            Ok(0) => {}
            Ok(_) => tracing::error!(
                "nobody looked again at what was handed out in an emergency. List it: pinhole admin \
                 disclosure list"
            ),
            Err(error) => {
                tracing::error!(%error, "it could not be seen which emergencies nobody looked at again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.set() => {}
        }
    }
}
