//! Who draws a job holds it for a while, and says again and again that it still does. Whoever
//! falls silent has died, or is cut off from the database: then the job is somebody else's.

use db::on;
use domain::ids::JobId;

use super::Job;
use super::nodes::Notice;
use crate::credits;
use crate::jobs;
use crate::privacy::keeping;
use crate::{Failure, Studio, failpoint};

/// Says that these jobs are still being drawn here. Gives those that no longer are ours: cancelled,
/// or taken by somebody else.
pub(crate) async fn renew(studio: &Studio, jobs: &[(JobId, i64)]) -> Result<Vec<JobId>, Failure> {
    let until = studio.limits.lease_end(studio.clock.now());
    let mut lost = Vec::new();
    let mut tx = studio.db.write().await?;
    for (id, claims) in jobs {
        let held = on!(tx, conn => {
            sqlx::query(
                "UPDATE job SET lease_until_ms = $3 \
                 WHERE id = $1 AND claims = $2 AND state = 'drawing'",
            )
            .bind(id.to_string())
            .bind(claims)
            .bind(until.as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
        if held == 0 {
            lost.push(*id);
        }
    }
    failpoint::here("renew-uncommitted");
    tx.commit().await?;
    Ok(lost)
}

const INTERRUPTED: &str = "The program stopped several times while drawing this, so it was given up. \
     Nothing was charged. Try again, or try fewer pictures.";

/// Which drawings are taken to be abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abandoned {
    /// Whose lease has ended.
    Expired,
    /// All of them: nobody else can be drawing, since this process alone has the data folder.
    All,
}

/// Jobs of the dead wait again, in their old place, or have been tried too often: then they fail
/// and cost nothing. Gives the number of both.
pub async fn reclaim(studio: &Studio, which: Abandoned) -> Result<u64, Failure> {
    let now = studio.clock.now();
    let before_ms = match which {
        Abandoned::Expired => now.as_millis(),
        Abandoned::All => i64::MAX,
    };
    if !any_expired(studio, before_ms).await? {
        return Ok(0);
    }
    let mut tx = studio.db.write().await?;
    let given_up: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "UPDATE job SET state = 'failed', finished_ms = $3, worker = NULL, lease_until_ms = NULL, \
             error_code = 'interrupted' WHERE state = 'drawing' AND COALESCE(lease_until_ms, 0) <= $1 AND attempts >= $2 \
             RETURNING id",
        )
        .bind(before_ms)
        .bind(i64::from(studio.limits.max_attempts))
        .bind(now.as_millis())
        .fetch_all(conn)
        .await
    })?;
    let ids: Vec<&str> = given_up.iter().map(String::as_str).collect();
    for (id, keys) in studio.keys.objects(&ids).await? {
        let message = keys.words()?.seal(jobs::ERROR_MESSAGE, &id, INTERRUPTED);
        on!(tx, conn => {
            sqlx::query("UPDATE job SET error_message = $2 WHERE id = $1")
                .bind(&id)
                .bind(message.as_str())
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
    }
    for id in &given_up {
        let id = id
            .parse()
            .map_err(|_| Failure::Row(format!("job id {id:?}")))?;
        credits::settle(studio, &mut tx, id, 0).await?;
        keeping::forget_words(&mut tx, &id.to_string()).await?;
    }
    let again = on!(tx, conn => {
        sqlx::query(
            "UPDATE job SET state = 'queued', started_ms = NULL, worker = NULL, \
             lease_until_ms = NULL \
             WHERE state = 'drawing' AND COALESCE(lease_until_ms, 0) <= $1",
        )
        .bind(before_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    tx.tell(&Notice::Arrived.text()).await?;
    failpoint::here("reclaim-uncommitted");
    tx.commit().await?;
    if !given_up.is_empty() {
        tracing::warn!(jobs = ?given_up, "given up: each ended its worker too often");
    }
    Ok(again + given_up.len() as u64)
}

/// Looks before it locks: this is asked every few seconds, and mostly there is nothing.
async fn any_expired(studio: &Studio, before_ms: i64) -> Result<bool, Failure> {
    let mut tx = studio.db.read().await?;
    let any: i64 = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM job WHERE state = 'drawing' AND COALESCE(lease_until_ms, 0) <= $1",
        )
        .bind(before_ms)
        .fetch_one(conn)
        .await
    })?;
    Ok(any > 0)
}

/// What a lease is held by.
pub(crate) fn held(job: &Job) -> (JobId, i64) {
    (job.id, job.claims)
}
