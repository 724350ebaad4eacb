//! Gives entries their places in the tree, all that wait in one commit, and signs what came of it.

use std::collections::HashMap;
use std::time::Duration;

use db::{Tx, on};
use sqlx::QueryBuilder;

use super::checkpoint::Checkpoint;
use super::tree::{Edge, Hash, Node, Span};
use super::{Row, hex, newest, unhex};
use crate::jobs::worker::Stop;
use crate::{Failure, Studio, failpoint};

/// How long an entry waits for its place, at most, while nothing fails.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Entries of one commit.
const AT_ONCE: usize = 2_000;
/// Rows of one statement: SQLite takes 32,766 values, Postgres twice as many.
const ROWS_OF_ONE: usize = 1_000;

/// Gives places to whatever waits for one, and returns the newest checkpoint, signed. `None` where
/// nothing was ever logged.
pub async fn settle(studio: &Studio) -> Result<Option<String>, Failure> {
    while settle_some(studio).await? == AT_ONCE {}
    newest(studio).await
}

/// Does so every now and then, until told to stop.
pub async fn keep_settling(studio: Studio, stop: Stop) {
    loop {
        if let Err(error) = settle(&studio).await {
            tracing::error!(%error, "entries of the log got no place; trying again");
        }
        if stop.is_set() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.set() => {}
        }
    }
}

async fn settle_some(studio: &Studio) -> Result<usize, Failure> {
    // Mostly nothing waits, and nothing is to be locked.
    if waiting(&mut studio.db.read().await?, 1).await?.is_empty() {
        return Ok(0);
    }
    let mut tx = studio.db.write().await?;
    // One process at a time.
    let size: i64 = on!(tx, conn => {
        sqlx::query_scalar("UPDATE log_head SET size = size WHERE id = 1 RETURNING size")
            .fetch_one(conn)
            .await
    })?;
    let rows = waiting(&mut tx, AT_ONCE).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let size = size.unsigned_abs();
    let known = nodes(&mut tx, Span { from: 0, to: size }.nodes()).await?;
    let edge = Edge::of(size, |node| known.get(&node).copied());
    let mut edge = edge.ok_or_else(|| Failure::Row("a hash of the log is missing".to_owned()))?;
    let (mut placed, mut grown) = (Vec::new(), Vec::new());
    for row in &rows {
        placed.push((row.id.as_str(), edge.size()));
        grown.extend(edge.push(row.hash()));
    }
    place(&mut tx, &placed).await?;
    write_nodes(&mut tx, &grown).await?;
    let checkpoint = Checkpoint {
        size: edge.size(),
        root: edge.root(),
        seconds: studio.clock.now().as_seconds(),
    };
    write(studio, &mut tx, &checkpoint).await?;
    failpoint::here("log-uncommitted");
    tx.commit().await?;
    failpoint::here("log-committed");
    anchor(studio, &checkpoint).await?;
    Ok(rows.len())
}

/// Remembers the checkpoint in the key store, unless it contradicts the one that is remembered there:
/// that one stays, as the evidence.
async fn anchor(studio: &Studio, checkpoint: &Checkpoint) -> Result<(), Failure> {
    if let Some((size, root)) = studio.keys.anchored().await? {
        let span = Span { from: 0, to: size };
        let known = nodes(&mut studio.db.read().await?, span.nodes()).await?;
        let now = span.hash(|node| known.get(&node).copied());
        // Another process may have come further meanwhile: that is no contradiction.
        if now.map(|hash| hex(&hash)) != Some(root) {
            tracing::error!(
                "the first {size} entries of the log are not what they were: it was changed or turned \
                 back. Run pinhole audit"
            );
            return Ok(());
        }
    }
    let root = hex(&checkpoint.root);
    studio.keys.anchor(checkpoint.size, &root).await?;
    Ok(())
}

async fn waiting(tx: &mut Tx, limit: usize) -> Result<Vec<Row>, Failure> {
    Ok(on!(tx, conn => {
        sqlx::query_as("SELECT * FROM log_entry WHERE position IS NULL ORDER BY id LIMIT $1")
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(conn)
            .await
    })?)
}

async fn place(tx: &mut Tx, placed: &[(&str, u64)]) -> Result<(), Failure> {
    for some in placed.chunks(ROWS_OF_ONE) {
        on!(tx, conn => {
            let mut query = QueryBuilder::new("WITH placed (id, position) AS (");
            query.push_values(some, |mut row, (id, position)| {
                row.push_bind(*id).push_bind(i64::try_from(*position).unwrap_or(i64::MAX));
            });
            query.push(
                ") UPDATE log_entry SET position = placed.position FROM placed \
                 WHERE log_entry.id = placed.id",
            );
            query.build().execute(conn).await.map(|done| done.rows_affected())
        })?;
    }
    Ok(())
}

async fn write_nodes(tx: &mut Tx, grown: &[(Node, Hash)]) -> Result<(), Failure> {
    for some in grown.chunks(ROWS_OF_ONE) {
        on!(tx, conn => {
            let mut query = QueryBuilder::new("INSERT INTO log_node (level, number, hash) ");
            query.push_values(some, |mut row, (node, hash)| {
                row.push_bind(i64::from(node.level))
                    .push_bind(i64::try_from(node.index).unwrap_or(i64::MAX))
                    .push_bind(hex(hash));
            });
            query.build().execute(conn).await.map(|done| done.rows_affected())
        })?;
    }
    Ok(())
}

async fn write(studio: &Studio, tx: &mut Tx, checkpoint: &Checkpoint) -> Result<(), Failure> {
    let size = i64::try_from(checkpoint.size).unwrap_or(i64::MAX);
    on!(tx, conn => {
        sqlx::query("UPDATE log_head SET size = $1 WHERE id = 1")
            .bind(size)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    on!(tx, conn => {
        sqlx::query("INSERT INTO log_checkpoint (size, root, note, created_ms) VALUES ($1, $2, $3, $4)")
            .bind(size)
            .bind(hex(&checkpoint.root))
            .bind(checkpoint.note(&studio.keys))
            .bind(checkpoint.seconds * 1_000)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// The hashes of whole subtrees; those that are missing are left out.
pub(super) async fn nodes(
    tx: &mut Tx,
    wanted: impl Iterator<Item = Node>,
) -> Result<HashMap<Node, Hash>, Failure> {
    let wanted: Vec<Node> = wanted.collect();
    let mut known = HashMap::new();
    for some in wanted.chunks(ROWS_OF_ONE) {
        let rows: Vec<(i64, i64, String)> = on!(tx, conn => {
            let mut query = QueryBuilder::new("WITH wanted (level, number) AS (");
            query.push_values(some, |mut row, node| {
                row.push_bind(i64::from(node.level))
                    .push_bind(i64::try_from(node.index).unwrap_or(i64::MAX));
            });
            query.push(
                ") SELECT log_node.level, log_node.number, log_node.hash FROM wanted \
                 JOIN log_node ON log_node.level = wanted.level AND log_node.number = wanted.number",
            );
            query.build_query_as().fetch_all(conn).await
        })?;
        for (level, index, hash) in rows {
            let node = Node {
                level: u32::try_from(level).unwrap_or(u32::MAX),
                index: index.unsigned_abs(),
            };
            known.insert(node, unhex(&hash)?);
        }
    }
    Ok(known)
}
