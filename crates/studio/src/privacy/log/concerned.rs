//! Whom entries of some time are about: who a breach concerns is found here.

use std::collections::BTreeSet;

use db::{Tx, on};
use domain::clock::Moment;
use serde_json::Value;

use super::{Kind, Row};
use crate::privacy::keys::KeyError;
use crate::{Failure, Studio};

const ROWS_AT_ONCE: i64 = 2_000;

/// Whom an entry of this kind is about, of this time.
pub(crate) async fn whose(
    tx: &mut Tx,
    kind: Kind,
    from: Moment,
    until: Moment,
) -> Result<Vec<String>, Failure> {
    Ok(on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT DISTINCT person_id FROM log_entry WHERE kind = $1 AND person_id IS NOT NULL \
             AND created_ms >= $2 AND created_ms <= $3 ORDER BY person_id",
        )
        .bind(kind.name())
        .bind(from.as_millis())
        .bind(until.as_millis())
        .fetch_all(conn)
        .await
    })?)
}

/// Whom this one of the staff looked at, of this time. Each look is read in the log of whom it was at.
pub(crate) async fn looked_at_by(
    studio: &Studio,
    tx: &mut Tx,
    reader: &str,
    from: Moment,
    until: Moment,
) -> Result<Vec<String>, Failure> {
    let mut people = BTreeSet::new();
    let mut after = String::new();
    loop {
        let rows: Vec<Row> = on!(tx, conn => {
            sqlx::query_as(
                "SELECT * FROM log_entry WHERE kind = $1 AND person_id IS NOT NULL AND created_ms >= $2 \
                 AND created_ms <= $3 AND id > $4 ORDER BY id LIMIT $5",
            )
            .bind(Kind::LookedAt.name())
            .bind(from.as_millis())
            .bind(until.as_millis())
            .bind(&after)
            .bind(ROWS_AT_ONCE)
            .fetch_all(conn)
            .await
        })?;
        let Some(last) = rows.last() else {
            return Ok(people.into_iter().collect());
        };
        after.clone_from(&last.id);
        for row in rows {
            let payload = match row.payload(studio).await {
                Err(Failure::Keys(KeyError::Gone(_))) => continue,
                read => read?.unwrap_or_default(),
            };
            let said: Value = serde_json::from_str(&payload).unwrap_or_default();
            if said["what"]["reader"] == reader {
                people.extend(row.person_id);
            }
        }
    }
}
