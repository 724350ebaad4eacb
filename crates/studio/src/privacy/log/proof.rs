//! Proofs that others can check without asking this house: that an entry is in the log, and that the
//! log of today holds that of yesterday.

use std::collections::HashSet;

use db::on;
use domain::ids::{LogId, PersonId};
use serde::Serialize;

use super::sequence::nodes;
use super::tree::{self, Hash, Node, Span};
use super::{Kind, Row, hex, size};
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
    prove(studio, tx, row).await
}

/// The same for an entry that concerns nobody.
pub async fn of_house(studio: &Studio, id: LogId) -> Result<Option<Inclusion>, Failure> {
    let mut tx = studio.db.read().await?;
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM log_entry WHERE id = $1 AND person_id IS NULL")
            .bind(id.to_string())
            .fetch_optional(conn)
            .await
    })?;
    prove(studio, tx, row).await
}

async fn prove(
    studio: &Studio,
    mut tx: db::Tx,
    row: Option<Row>,
) -> Result<Option<Inclusion>, Failure> {
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

/// An entry as its person takes it along.
pub(crate) struct Proven {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) time_ms: i64,
    pub(crate) leaf: String,
    pub(crate) payload: Option<String>,
    /// Where it is in the tree, and its path to the root; absent where it has no place yet.
    pub(crate) place: Option<(u64, Vec<String>)>,
}

/// Size and text of the newest checkpoint.
pub(crate) async fn head(tx: &mut db::Tx) -> Result<Option<(u64, String)>, Failure> {
    let newest: Option<(i64, String)> = on!(tx, conn => {
        sqlx::query_as("SELECT size, note FROM log_checkpoint ORDER BY size DESC LIMIT 1")
            .fetch_optional(conn)
            .await
    })?;
    Ok(newest.map(|(size, note)| (size.unsigned_abs(), note)))
}

/// Some of a person's entries, the oldest first, each proven in the tree of `size` leaves.
pub(crate) async fn some_of(
    studio: &Studio,
    tx: &mut db::Tx,
    person: PersonId,
    after: &str,
    size: u64,
) -> Result<Vec<Proven>, Failure> {
    const AT_ONCE: i64 = 500;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT * FROM log_entry WHERE person_id = $1 AND id > $2 ORDER BY id LIMIT $3",
        )
        .bind(person.to_string())
        .bind(after)
        .bind(AT_ONCE)
        .fetch_all(conn)
        .await
    })?;
    proven(studio, tx, rows, size).await
}

/// Every entry of the house of these kinds, in the same way.
pub(crate) async fn all_of_house(
    studio: &Studio,
    tx: &mut db::Tx,
    kinds: &[Kind],
    size: u64,
) -> Result<Vec<Proven>, Failure> {
    let names: Vec<String> = kinds
        .iter()
        .map(|kind| format!("'{}'", kind.name()))
        .collect();
    let statement = format!(
        "SELECT * FROM log_entry WHERE kind IN ({}) AND person_id IS NULL ORDER BY id",
        names.join(", ")
    );
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(statement)).fetch_all(conn).await
    })?;
    proven(studio, tx, rows, size).await
}

async fn proven(
    studio: &Studio,
    tx: &mut db::Tx,
    rows: Vec<Row>,
    size: u64,
) -> Result<Vec<Proven>, Failure> {
    let placed = |row: &Row| {
        let position = row.position.map(i64::unsigned_abs);
        position.filter(|position| *position < size)
    };
    let spans: Vec<Option<Vec<Span>>> = rows
        .iter()
        .map(|row| placed(row).map(|position| tree::inclusion(position, size)))
        .collect();
    let wanted: HashSet<Node> = spans
        .iter()
        .flatten()
        .flatten()
        .flat_map(|span| span.nodes())
        .collect();
    let known = nodes(tx, wanted.into_iter()).await?;
    let mut all = Vec::new();
    for (row, spans) in rows.into_iter().zip(spans) {
        let path = |spans: Vec<Span>| {
            let hashes = spans
                .into_iter()
                .map(|span| span.hash(|node| known.get(&node).copied()));
            let hashes: Option<Vec<Hash>> = hashes.collect();
            let missing = || Failure::Row("a hash of the log is missing".to_owned());
            let hashes = hashes.ok_or_else(missing)?;
            Ok::<Vec<String>, Failure>(hashes.iter().map(hex).collect())
        };
        let path = spans.map(path).transpose()?;
        all.push(Proven {
            kind: Kind::named(&row.kind)?,
            time_ms: row.created_ms,
            leaf: row.leaf(),
            payload: row.payload(studio).await?,
            place: placed(&row).zip(path),
            id: row.id,
        });
    }
    Ok(all)
}

/// Proves that the log of `later` leaves begins with that of `earlier`; `None` where there were never
/// so many.
pub async fn growth(
    studio: &Studio,
    earlier: u64,
    later: u64,
) -> Result<Option<Vec<String>>, Failure> {
    let path = grown(studio, earlier, later).await?;
    Ok(path.map(|path| path.iter().map(hex).collect()))
}

/// The same, as hashes.
pub(super) async fn grown(
    studio: &Studio,
    earlier: u64,
    later: u64,
) -> Result<Option<Vec<Hash>>, Failure> {
    let mut tx = studio.db.read().await?;
    if earlier > later || later > size(&mut tx).await? {
        return Ok(None);
    }
    Ok(Some(
        hashes(&mut tx, &tree::consistency(earlier, later)).await?,
    ))
}

async fn hashes(tx: &mut db::Tx, spans: &[Span]) -> Result<Vec<Hash>, Failure> {
    let known = nodes(tx, spans.iter().flat_map(|span| span.nodes())).await?;
    let hashes = spans
        .iter()
        .map(|span| span.hash(|node| known.get(&node).copied()));
    let hashes: Option<Vec<Hash>> = hashes.collect();
    hashes.ok_or_else(|| Failure::Row("a hash of the log is missing".to_owned()))
}
