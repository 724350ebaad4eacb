//! Proofs that others can check without asking this house: that an entry is in the log, and that the
//! log of today holds that of yesterday.

use db::on;
use domain::ids::{LogId, PersonId};
use serde::Serialize;

use super::sequence::nodes;
use super::tree::{self, Hash, Span};
use super::{Row, hex, size};
use crate::{Failure, Studio};

/// An entry, and how it is found in the tree of `size` leaves.
#[derive(Clone, Debug, Serialize)]
pub struct Inclusion {
    /// As it is hashed, byte for byte.
    pub leaf: String,
    /// What happened, with its salt: its SHA-256 is the leaf's commitment.
    pub payload: Option<String>,
    pub position: u64,
    pub size: u64,
    /// From the leaf upwards, in hexadecimal.
    pub path: Vec<String>,
    /// Signed by the house.
    pub checkpoint: String,
}

/// Proves a person's entry against the newest checkpoint; `None` where it has no place yet, or is not
/// theirs.
pub async fn inclusion(
    studio: &Studio,
    person: PersonId,
    id: LogId,
) -> Result<Option<Inclusion>, Failure> {
    let mut tx = studio.db.read().await?;
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM log_entry WHERE id = $1 AND person_id = $2")
            .bind(id.to_string())
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    let Some(row) = row else { return Ok(None) };
    let newest: Option<(i64, String)> = on!(tx, conn => {
        sqlx::query_as("SELECT size, note FROM log_checkpoint ORDER BY size DESC LIMIT 1")
            .fetch_optional(conn)
            .await
    })?;
    let (Some(position), Some((size, checkpoint))) = (row.position, newest) else {
        return Ok(None);
    };
    let (position, size) = (position.unsigned_abs(), size.unsigned_abs());
    let path = hashes(&mut tx, &tree::inclusion(position, size)).await?;
    drop(tx);
    Ok(Some(Inclusion {
        leaf: row.leaf(),
        payload: row.payload(studio).await?,
        position,
        size,
        path: path.iter().map(hex).collect(),
        checkpoint,
    }))
}

/// Proves that the log of `later` leaves begins with that of `earlier`; `None` where there were never
/// so many.
pub async fn growth(
    studio: &Studio,
    earlier: u64,
    later: u64,
) -> Result<Option<Vec<String>>, Failure> {
    let mut tx = studio.db.read().await?;
    if earlier > later || later > size(&mut tx).await? {
        return Ok(None);
    }
    let path = hashes(&mut tx, &tree::consistency(earlier, later)).await?;
    Ok(Some(path.iter().map(hex).collect()))
}

async fn hashes(tx: &mut db::Tx, spans: &[Span]) -> Result<Vec<Hash>, Failure> {
    let known = nodes(tx, spans.iter().flat_map(|span| span.nodes())).await?;
    let hashes = spans
        .iter()
        .map(|span| span.hash(|node| known.get(&node).copied()));
    let hashes: Option<Vec<Hash>> = hashes.collect();
    hashes.ok_or_else(|| Failure::Row("a hash of the log is missing".to_owned()))
}
