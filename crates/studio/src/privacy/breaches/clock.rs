//! The 72 hours: what is not reported in time is told, once for each breach, to those who run the house.

use std::time::Duration;

use db::on;

use crate::jobs::worker::Stop;
use crate::letters::Letter;
use crate::privacy::duty::tell_overseers;
use crate::{Failure, Studio};

const LOOK_EVERY: Duration = Duration::from_secs(10 * 60);

/// Breaches that the authority should know of and does not: none.
pub async fn overdue(studio: &Studio) -> Result<u64, Failure> {
    let mut tx = studio.db.read().await?;
    let overdue: i64 = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM breach WHERE reported_ms IS NULL AND risk <> 'none' AND due_ms <= $1",
        )
        .bind(studio.clock.now().as_millis())
        .fetch_one(conn)
        .await
    })?;
    Ok(overdue.unsigned_abs())
}

/// Writes about whatever became overdue; gives how many breaches that were.
pub async fn raise_overdue(studio: &Studio) -> Result<u32, Failure> {
    let now = studio.clock.now().as_millis();
    let mut raised = 0;
    loop {
        let mut tx = studio.db.write().await?;
        let due: Option<(String, i64)> = on!(tx, conn => {
            sqlx::query_as(
                "UPDATE breach SET alarmed_ms = $1 WHERE id = (SELECT id FROM breach \
                 WHERE reported_ms IS NULL AND risk <> 'none' AND due_ms <= $1 AND alarmed_ms IS NULL \
                 ORDER BY id LIMIT 1) AND alarmed_ms IS NULL RETURNING id, due_ms",
            )
            .bind(now)
            .fetch_optional(conn)
            .await
        })?;
        let Some((request, at_ms)) = due else {
            return Ok(raised);
        };
        let letter = Letter::BreachOverdue { request, at_ms };
        tell_overseers(studio, &mut tx, None, &letter).await?;
        tx.commit().await?;
        raised += 1;
    }
}

/// Looks until told to stop.
pub async fn keep_watching(studio: Studio, stop: Stop) {
    while !stop.is_set() {
        match raise_overdue(&studio).await {
            Ok(0) => {}
            Ok(_) => tracing::error!(
                "a breach was not reported within 72 hours. List it: pinhole admin breach list"
            ),
            Err(error) => {
                tracing::error!(%error, "it could not be seen which breaches are overdue; trying again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.set() => {}
        }
    }
}
