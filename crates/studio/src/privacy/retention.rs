//! Deletes what has been kept for as long as the inventory says.

use std::time::Duration;

use db::on;

use super::inventory::{Kept, Limit, TABLES};
use super::restriction::child;
use super::{export, keeping, traces};
use crate::accounts::idle;
use crate::jobs::worker::Stop;
use crate::{Failure, Studio, organisations, support};

const BETWEEN_SWEEPS: Duration = Duration::from_secs(15 * 60);

/// Every limit of every table.
pub(super) fn limits() -> impl Iterator<Item = (&'static str, &'static Limit)> {
    TABLES.iter().flat_map(|table| {
        let limits = match table.kept {
            Kept::Until(limits) => limits,
            _ => &[],
        };
        limits.iter().map(|limit| (table.name, limit))
    })
}

/// Deletes every row whose time is over; gives how many.
pub async fn sweep(studio: &Studio) -> Result<u64, Failure> {
    // Their keys go with them.
    let mut swept = export::end_due(studio).await?;
    for (table, limit) in limits() {
        let statement = format!("DELETE FROM {table} WHERE {} <= $1", limit.column);
        let mut tx = studio.db.write().await?;
        swept += on!(tx, conn => {
            sqlx::query(sqlx::AssertSqlSafe(statement))
                .bind(studio.clock.now().plus_millis(-limit.ms).as_millis())
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        tx.commit().await?;
    }
    if swept > 0 {
        traces::are_left();
    }
    Ok(swept + keeping::sweep(studio).await? + studio.keys.forget_old_copies().await?)
}

/// Rows that are kept for longer than they may be: none, between two sweeps a few.
pub async fn overdue(studio: &Studio) -> Result<u64, Failure> {
    overdue_for(studio, Duration::ZERO).await
}

/// Rows that two sweeps have left where they are: none.
pub async fn left_by_sweeps(studio: &Studio) -> Result<u64, Failure> {
    overdue_for(studio, 2 * BETWEEN_SWEEPS).await
}

async fn overdue_for(studio: &Studio, longer: Duration) -> Result<u64, Failure> {
    let longer_ms = i64::try_from(longer.as_millis()).unwrap_or(i64::MAX);
    let mut overdue = 0;
    let mut tx = studio.db.read().await?;
    for (table, limit) in limits() {
        let statement = format!("SELECT COUNT(*) FROM {table} WHERE {} <= $1", limit.column);
        let rows: i64 = on!(tx, conn => {
            sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
                .bind(studio.clock.now().plus_millis(-limit.ms - longer_ms).as_millis())
                .fetch_one(conn)
                .await
        })?;
        overdue += rows.unsigned_abs();
    }
    drop(tx);
    Ok(overdue + keeping::overdue(studio, longer_ms).await?)
}

/// Sweeps now and every now and then, until told to stop.
pub async fn keep_sweeping(studio: Studio, stop: Stop) {
    while !stop.is_set() {
        if let Err(error) = sweep(&studio).await {
            tracing::error!(%error, "what was kept long enough could not be deleted; trying again later");
        }
        if let Err(error) = idle::look(&studio).await {
            tracing::error!(%error, "accounts that nobody uses could not be looked at; trying again later");
        }
        if let Err(error) = child::erase_due(&studio).await {
            tracing::error!(%error, "accounts of children could not be erased; trying again later");
        }
        if let Err(error) = organisations::tending::tend(&studio).await {
            tracing::error!(%error, "organisations without an owner could not be looked after; trying again later");
        }
        if let Err(error) = support::close_silent(&studio).await {
            tracing::error!(%error, "tickets that were answered could not be closed; trying again later");
        }
        tokio::select! {
            () = tokio::time::sleep(BETWEEN_SWEEPS) => {}
            () = stop.set() => {}
        }
    }
}
