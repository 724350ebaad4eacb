//! Who asks. While the program listens to this machine alone, that is one local person.

use db::on;
use domain::ids::PersonId;

use crate::{Failure, Studio};

/// The person of this machine, made at the first start.
pub async fn local_person(studio: &Studio) -> Result<PersonId, Failure> {
    let mut tx = studio.db.write().await?;
    let known: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT id FROM person ORDER BY created_ms, id LIMIT 1").fetch_optional(conn).await
    })?;
    if let Some(id) = known {
        return id.parse().map_err(|e| Failure::Row(format!("{e}")));
    }
    let now = studio.clock.now();
    let id = PersonId::new(now, &studio.randomness);
    on!(tx, conn => {
        sqlx::query("INSERT INTO person (id, created_ms) VALUES ($1, $2)")
            .bind(id.to_string())
            .bind(now.as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(id)
}
