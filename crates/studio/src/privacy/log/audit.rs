//! Reads the whole log again, and says where it is not what it was.

use std::collections::BTreeMap;

use db::on;
use domain::ids::LogId;
use serde_json::Value;

use super::checkpoint::Checkpoint;
use super::sequence::nodes;
use super::tree::{Edge, Hash, Node};
use super::{Kind, Row, commitment, hex, size, unhex};
use crate::privacy::backup;
use crate::privacy::keys::{KeyError, Stage};
use crate::{Failure, Studio};

const ROWS_AT_ONCE: i64 = 2_000;
/// What is wrong all over is not told of row by row.
const MAX_FINDINGS: usize = 20;

/// What a reading of the log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub leaves: u64,
    pub checkpoints: u64,
    /// Entries of which nothing is left but their leaf.
    pub forgotten: u64,
    /// Each time that the log was put back with a backup: declared, signed and never taken back.
    pub restorations: Vec<Restored>,
    /// Empty where all is well.
    pub wrong: Vec<String>,
}

/// The log was put back with the house, and what it had beyond that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    pub id: String,
    /// When, in seconds since 1970.
    pub seconds: i64,
    /// When the backup was taken.
    pub made: i64,
    /// How many entries it has kept, and how many there were by the key store's memory.
    pub kept: u64,
    pub had: u64,
}

impl Restored {
    /// Whether a checkpoint is of entries that were given up: signed before this, and of more than was
    /// kept. Whoever says so falsely has declared, for everybody to see, that they were.
    fn gave_up(&self, checkpoint: &Checkpoint) -> bool {
        checkpoint.seconds <= self.seconds && checkpoint.size > self.kept
    }
}

impl Found {
    fn add(&mut self, what: String) {
        if self.wrong.len() < MAX_FINDINGS {
            self.wrong.push(what);
        }
    }
}

/// A signed checkpoint, as some database has it.
#[derive(sqlx::FromRow)]
struct Stored {
    size: i64,
    root: String,
    note: String,
}

/// Compares every entry with its leaf, every leaf with the tree, and the tree with each checkpoint that
/// was ever signed: those of the database, the one that the key store remembers, and those that somebody
/// else brings.
pub async fn read(studio: &Studio, brought: &[Checkpoint]) -> Result<Found, Failure> {
    let mut found = Found::default();
    let mut expected = checkpoints(studio, &mut found).await?;
    found.restorations = restorations(studio, &mut found).await?;
    for other in brought {
        if found.restorations.iter().any(|one| one.gave_up(other)) {
            continue;
        }
        let place = "a checkpoint that was brought";
        expected
            .entry(other.size)
            .or_default()
            .push((other.root, place));
    }
    if let Some((size, root)) = studio.keys.anchored().await? {
        let place = "the checkpoint that the key store remembers";
        expected
            .entry(size)
            .or_default()
            .push((unhex(&root)?, place));
    }
    let at_least = size(&mut studio.db.read().await?).await?;
    let mut edge = Edge::default();
    compare(&expected, &edge, &mut found);
    loop {
        let rows = rows(studio, edge.size()).await?;
        let Some(last) = rows.last() else { break };
        let is_whole = last.position == i64::try_from(edge.size() + rows.len() as u64 - 1).ok();
        if !is_whole {
            found.add(format!("entries after the {}th are missing", edge.size()));
            return Ok(found);
        }
        let kept = stored_leaves(studio, edge.size(), rows.len() as u64).await?;
        for row in &rows {
            check(studio, row, &mut found).await?;
            let node = Node {
                level: 0,
                index: edge.size(),
            };
            if kept.get(&node) != Some(&row.hash()) {
                found.add(format!("{} is not what was logged", row.id));
            }
            edge.push(row.hash());
            compare(&expected, &edge, &mut found);
        }
    }
    found.leaves = edge.size();
    // Entries get their places while this reads.
    let at_most = size(&mut studio.db.read().await?).await?;
    if !(at_least..=at_most).contains(&edge.size()) {
        found.add(format!(
            "the log says that it has {at_most} entries, and has {}",
            edge.size()
        ));
    }
    for (beyond, _) in expected.range(edge.size() + 1..) {
        found.add(format!(
            "{beyond} entries were signed for, and there are {}: the log was turned back",
            edge.size()
        ));
    }
    Ok(found)
}

type Expected = BTreeMap<u64, Vec<(Hash, &'static str)>>;

fn compare(expected: &Expected, edge: &Edge, found: &mut Found) {
    for (root, place) in expected.get(&edge.size()).into_iter().flatten() {
        if *root != edge.root() {
            found.add(format!(
                "the first {} entries are not those of {place}",
                edge.size()
            ));
        }
    }
}

/// What an entry says must be what its leaf commits to.
async fn check(studio: &Studio, row: &Row, found: &mut Found) -> Result<(), Failure> {
    if row.id.parse::<LogId>().is_err() {
        found.add(format!("{:?} is no id of an entry", row.id));
    }
    match row.payload(studio).await {
        Ok(None) => found.forgotten += 1,
        Ok(Some(payload)) if commitment(&payload) == row.commitment => {}
        Ok(Some(_)) | Err(Failure::Keys(KeyError::Broken { .. })) => {
            found.add(format!("{} says something else than was logged", row.id));
        }
        // An erasure is under way: its row goes in the next step.
        Err(Failure::Keys(KeyError::Gone(_))) => found.forgotten += 1,
        Err(error) => return Err(error),
    }
    Ok(())
}

/// What the key store remembers of backups that were put back. A log that is shorter than it was is
/// explained by such a row alone: the program writes one before it puts the log back, signs it, and says
/// the same in the log itself.
async fn restorations(studio: &Studio, found: &mut Found) -> Result<Vec<Restored>, Failure> {
    let told = super::all_of_house(studio, Kind::HouseRestored).await?;
    let is_told = |id: &str| told.iter().any(|what| what["restoration"] == id);
    let mut all = Vec::new();
    for one in studio.keys.restorations().await? {
        // What was begun and broken off changed nothing.
        if one.stage == Stage::Begun {
            continue;
        }
        let Some(said) = backup::read_note(&one.note, &studio.keys.public_key()) else {
            found.add(format!(
                "{}, which put the log back, is not what was signed",
                one.id
            ));
            continue;
        };
        let number = |at: &str| said.pointer(at).and_then(Value::as_u64).unwrap_or(0);
        let seconds = |at: &str| said[at].as_i64().unwrap_or(0);
        all.push(Restored {
            seconds: seconds("time"),
            made: seconds("made"),
            kept: number("/to/size"),
            had: number("/from/size"),
            id: one.id,
        });
    }
    for (number, one) in all.iter().enumerate() {
        // A backup that was put back later, and is older, does not know of it.
        let later = &all[number + 1..];
        let is_undone = later.iter().any(|later| later.made <= one.seconds);
        if !is_undone && !is_told(&one.id) {
            found.add(format!(
                "the key store knows that the log was put back ({}), and the log does not say so",
                one.id
            ));
        }
    }
    Ok(all)
}

async fn checkpoints(studio: &Studio, found: &mut Found) -> Result<Expected, Failure> {
    let mut tx = studio.db.read().await?;
    let stored: Vec<Stored> = on!(tx, conn => {
        sqlx::query_as("SELECT size, root, note FROM log_checkpoint ORDER BY size")
            .fetch_all(conn)
            .await
    })?;
    let public_key = studio.keys.public_key();
    let mut expected = Expected::new();
    for stored in stored {
        found.checkpoints += 1;
        let size = stored.size.unsigned_abs();
        match Checkpoint::open(&stored.note, &public_key) {
            Ok(signed) if signed.size == size && hex(&signed.root) == stored.root => {
                let place = "a checkpoint of the database";
                expected.entry(size).or_default().push((signed.root, place));
            }
            Ok(_) => found.add(format!(
                "the checkpoint of {size} entries is not the signed one"
            )),
            Err(bad) => found.add(format!("the checkpoint of {size} entries: {bad}")),
        }
    }
    Ok(expected)
}

async fn rows(studio: &Studio, from: u64) -> Result<Vec<Row>, Failure> {
    let mut tx = studio.db.read().await?;
    Ok(on!(tx, conn => {
        sqlx::query_as("SELECT * FROM log_entry WHERE position >= $1 ORDER BY position LIMIT $2")
            .bind(i64::try_from(from).unwrap_or(i64::MAX))
            .bind(ROWS_AT_ONCE)
            .fetch_all(conn)
            .await
    })?)
}

async fn stored_leaves(
    studio: &Studio,
    from: u64,
    many: u64,
) -> Result<std::collections::HashMap<Node, Hash>, Failure> {
    let mut tx = studio.db.read().await?;
    let leaves = (from..from + many).map(|index| Node { level: 0, index });
    nodes(&mut tx, leaves).await
}
