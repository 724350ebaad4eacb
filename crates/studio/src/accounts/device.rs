//! Browsers in which a person signed in before. A browser is known by a token in a cookie that it
//! keeps after signing out; nothing about the browser itself is kept.

use db::{Tx, on};
use domain::ids::PersonId;
use domain::secret::Token;

use super::hash;
use crate::{Failure, Studio};

/// For how long a browser is known after it was last signed in with.
pub const KNOWN_FOR_MS: i64 = 365 * 24 * 60 * 60 * 1_000;
/// Of one person; the longest unseen go first.
const MAX_DEVICES: i64 = 50;

/// Whether a person has signed in with this browser before.
pub(crate) async fn is_known(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    device: &Token,
) -> Result<bool, Failure> {
    let found: Option<i64> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT seen_ms FROM device WHERE token_hash = $1 AND person_id = $2 AND seen_ms > $3",
        )
        .bind(hash(device))
        .bind(person.to_string())
        .bind(studio.clock.now().as_millis() - KNOWN_FOR_MS)
        .fetch_optional(conn)
        .await
    })?;
    Ok(found.is_some())
}

/// Remembers a browser in which a person signed in, and gives its token.
pub(crate) async fn remember(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    device: Option<&Token>,
) -> Result<Token, Failure> {
    let now = studio.clock.now().as_millis();
    let token = device
        .cloned()
        .unwrap_or_else(|| Token::new(&studio.randomness));
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO device (token_hash, person_id, created_ms, seen_ms) VALUES ($1, $2, $3, $3) \
             ON CONFLICT (token_hash, person_id) DO UPDATE SET seen_ms = excluded.seen_ms",
        )
        .bind(hash(&token))
        .bind(person.to_string())
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    on!(tx, conn => {
        sqlx::query(
            "DELETE FROM device WHERE person_id = $1 AND (seen_ms <= $2 OR token_hash IN \
             (SELECT token_hash FROM device WHERE person_id = $1 \
              ORDER BY seen_ms DESC, token_hash LIMIT 1000 OFFSET $3))",
        )
        .bind(person.to_string())
        .bind(now - KNOWN_FOR_MS)
        .bind(MAX_DEVICES)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(token)
}
