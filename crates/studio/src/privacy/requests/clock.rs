//! What is overdue is told, once for each request, to those who answer.

use std::time::Duration;

use db::on;

use crate::jobs::worker::Stop;
use crate::letters::Letter;
use crate::privacy::duty::tell_overseers;
use crate::{Failure, Studio};

const LOOK_EVERY: Duration = Duration::from_secs(10 * 60);

/// Requests whose answer is overdue: none.
pub async fn overdue(studio: &Studio) -> Result<u64, Failure> {
    let mut tx = studio.db.read().await?;
    let overdue: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM request WHERE ended_ms IS NULL AND due_ms <= $1")
            .bind(studio.clock.now().as_millis())
            .fetch_one(conn)
            .await
    })?;
    Ok(overdue.unsigned_abs())
}

/// How many requests wait for an answer, and how many of them are overdue.
pub async fn count(studio: &Studio) -> Result<(u64, u64), Failure> {
    let mut tx = studio.db.read().await?;
    let open: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM request WHERE ended_ms IS NULL").fetch_one(conn).await
    })?;
    drop(tx);
    Ok((open.unsigned_abs(), overdue(studio).await?))
}

/// Writes to those who answer about whatever became overdue; gives how many requests that were.
pub async fn raise_overdue(studio: &Studio) -> Result<u32, Failure> {
    let now = studio.clock.now().as_millis();
    let mut tx = studio.db.read().await?;
    let due: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT id FROM request WHERE ended_ms IS NULL AND due_ms <= $1 AND alarmed_ms IS NULL \
             ORDER BY due_ms, id",
        )
        .bind(now)
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    let mut raised = 0;
    for id in due {
        let mut tx = studio.db.write().await?;
        // Another process may have been quicker, or it was answered in between.
        let since: Option<i64> = on!(tx, conn => {
            sqlx::query_scalar(
                "UPDATE request SET alarmed_ms = $2 WHERE id = $1 AND ended_ms IS NULL \
                 AND due_ms <= $2 AND alarmed_ms IS NULL RETURNING due_ms",
            )
            .bind(&id)
            .bind(now)
            .fetch_optional(conn)
            .await
        })?;
        let Some(at_ms) = since else { continue };
        let letter = Letter::RequestOverdue { request: id, at_ms };
        tell_overseers(studio, &mut tx, None, &letter).await?;
        tx.commit().await?;
        raised += 1;
    }
    Ok(raised)
}

/// Looks until told to stop.
pub async fn keep_watching(studio: Studio, stop: Stop) {
    while !stop.is_set() {
        match raise_overdue(&studio).await {
            Ok(0) => {}
            Ok(_) => tracing::error!(
                "requests by people's rights are overdue. List them: pinhole admin request list"
            ),
            Err(error) => {
                tracing::error!(%error, "it could not be seen which requests are overdue; trying again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.set() => {}
        }
    }
}
