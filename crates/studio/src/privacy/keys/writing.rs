//! Changes of the key store. One task makes them all: it takes whatever waits and commits once, so
//! that a hundred orders at the same moment cost one flush of the disk.

use std::time::Duration;

use db::{Db, DbError, Tx, on};
use tokio::sync::{mpsc, oneshot};

use super::KeyError;
use super::copies::{self, Tombstone};
use super::store::slots_in;

/// Changes that may wait; more wait in line before they are taken.
const MAX_WAITING: usize = 4_096;
/// Changes of one commit.
const MAX_AT_ONCE: usize = 256;
/// Rows of one statement: each has three values, and SQLite takes some thousands.
const MAX_ROWS: usize = 128;
/// Until what was deleted is asked to leave the files again, where somebody was reading.
const SCRUB_AGAIN: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub(super) enum Change {
    Person {
        person: String,
        epoch: String,
        wrapped: String,
        created_ms: i64,
    },
    Object {
        id: String,
        person: String,
        wrapped: String,
    },
    /// Keys of an order that was refused: they have sealed nothing.
    Unmake {
        id: String,
    },
    ShredPerson {
        person: String,
        tombstone: Tombstone,
    },
    ShredObject {
        id: String,
        tombstone: Tombstone,
    },
    ShredSlot {
        id: String,
        slot: usize,
        tombstone: Tombstone,
    },
}

impl Change {
    const fn is_shred(&self) -> bool {
        self.tombstone().is_some()
    }

    const fn tombstone(&self) -> Option<&Tombstone> {
        match self {
            Self::ShredPerson { tombstone, .. }
            | Self::ShredObject { tombstone, .. }
            | Self::ShredSlot { tombstone, .. } => Some(tombstone),
            _ => None,
        }
    }
}

/// Tells how many rows were written, or how many keys shredded.
type Told = Result<u64, String>;

struct Waiting {
    change: Change,
    tell: Option<oneshot::Sender<Told>>,
}

pub(super) struct Writer(mpsc::Sender<Waiting>);

impl Writer {
    pub(super) fn start(db: Db) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        tokio::spawn(run(db, receiver));
        Self(sender)
    }

    /// Returns when it is durable, and, for what is shredded on SQLite, out of the files.
    pub(super) async fn write(&self, change: Change) -> Result<u64, KeyError> {
        let stopped = || KeyError::Store("it is closed: the program is stopping".to_owned());
        let (tell, told) = oneshot::channel();
        let waiting = Waiting {
            change,
            tell: Some(tell),
        };
        self.0.send(waiting).await.map_err(|_| stopped())?;
        let told = told.await.map_err(|_| stopped())?;
        told.map_err(KeyError::Store)
    }

    /// For whoever does not wait. Where too much waits already, it is left.
    pub(super) fn send(&self, change: Change) {
        drop(self.0.try_send(Waiting { change, tell: None }));
    }
}

async fn run(db: Db, mut waiting: mpsc::Receiver<Waiting>) {
    let mut to_scrub = false;
    loop {
        let first = if to_scrub {
            match tokio::time::timeout(SCRUB_AGAIN, waiting.recv()).await {
                Ok(first) => first,
                Err(_) => {
                    to_scrub = !scrub(&db).await;
                    continue;
                }
            }
        } else {
            waiting.recv().await
        };
        let Some(first) = first else { return };
        let mut batch = vec![first];
        while batch.len() < MAX_AT_ONCE
            && let Ok(next) = waiting.try_recv()
        {
            batch.push(next);
        }
        let changes: Vec<&Change> = batch.iter().map(|one| &one.change).collect();
        let told: Vec<Told> = match make(&db, &changes).await {
            Ok(counts) => counts.into_iter().map(Ok).collect(),
            Err(error) if batch.len() == 1 => vec![Err(error.to_string())],
            // One of them can't be made, which is not the others' fault.
            Err(_) => {
                let mut told = Vec::new();
                for change in changes {
                    let made = make(&db, &[change]).await;
                    told.push(
                        made.map(|counts| counts[0])
                            .map_err(|error| error.to_string()),
                    );
                }
                told
            }
        };
        if batch.iter().any(|one| one.change.is_shred()) {
            // Postgres frees the place of a deleted row when it comes by; nobody waits for that.
            to_scrub = db.is_shared() || !scrub(&db).await;
        }
        for (one, told) in batch.into_iter().zip(told) {
            if let Some(tell) = one.tell {
                // Whoever asked may be gone.
                drop(tell.send(told));
            }
        }
    }
}

async fn scrub(db: &Db) -> bool {
    match db.scrub(&["person_key", "object_key"]).await {
        Ok(is_clean) => is_clean,
        Err(error) => {
            tracing::warn!(%error, "shredded keys could not be cut out of the key store's files yet");
            false
        }
    }
}

/// Makes changes in one transaction, and tells for each how much it did.
async fn make(db: &Db, changes: &[&Change]) -> Result<Vec<u64>, DbError> {
    let mut counts = vec![0; changes.len()];
    let mut tx = db.write().await?;
    let mut objects = Vec::new();
    for (index, change) in changes.iter().enumerate() {
        match change {
            Change::Object {
                id,
                person,
                wrapped,
            } => objects.push((index, id, person, wrapped)),
            Change::Person {
                person,
                epoch,
                wrapped,
                created_ms,
            } => {
                counts[index] = on!(tx, conn => {
                    sqlx::query(
                        "INSERT INTO person_key (person_id, epoch, wrapped, created_ms) \
                         VALUES ($1, $2, $3, $4) ON CONFLICT (person_id) DO NOTHING",
                    )
                    .bind(person)
                    .bind(epoch)
                    .bind(wrapped)
                    .bind(created_ms)
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected())
                })?;
            }
            _ => {}
        }
    }
    for some in objects.chunks(MAX_ROWS) {
        let rows: Vec<String> = (0..some.len())
            .map(|n| format!("(${}, ${}, ${})", 3 * n + 1, 3 * n + 2, 3 * n + 3))
            .collect();
        let statement = format!(
            "INSERT INTO object_key (id, person_id, wrapped) VALUES {} \
             ON CONFLICT (id) DO NOTHING RETURNING id",
            rows.join(", ")
        );
        let written: Vec<String> = on!(tx, conn => {
            let mut query = sqlx::query_scalar(sqlx::AssertSqlSafe(statement));
            for (_, id, person, wrapped) in some {
                query = query
                    .bind((*id).clone())
                    .bind((*person).clone())
                    .bind((*wrapped).clone());
            }
            query.fetch_all(conn).await
        })?;
        for (index, id, ..) in some {
            counts[*index] = u64::from(written.contains(id));
        }
    }
    let mut shredded = 0;
    for (index, change) in changes.iter().enumerate() {
        let count = match change {
            Change::ShredPerson { person, .. } => shred_person(&mut tx, person).await?,
            Change::ShredObject { id, .. } => shred_object(&mut tx, id).await?,
            Change::ShredSlot { id, slot, .. } => shred_slot(&mut tx, id, *slot).await?,
            Change::Unmake { id } => {
                shred_object(&mut tx, id).await?;
                continue;
            }
            Change::Person { .. } | Change::Object { .. } => continue,
        };
        counts[index] = count;
        shredded += count;
        // Also where no key was left: a backup of the keys may have it.
        if let Some(tombstone) = change.tombstone() {
            copies::bury(&mut tx, tombstone).await?;
        }
    }
    if shredded > 0 {
        on!(tx, conn => {
            sqlx::query("UPDATE store SET shreds = shreds + 1 WHERE id = 1")
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
    }
    tx.commit().await?;
    Ok(counts)
}

async fn shred_person(tx: &mut Tx, person: &str) -> Result<u64, DbError> {
    // Locks the row first: whoever is about to write keys of this person's waits, and is refused.
    on!(tx, conn => {
        sqlx::query("UPDATE person_key SET wrapped = wrapped WHERE person_id = $1")
            .bind(person)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    let objects: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar("DELETE FROM object_key WHERE person_id = $1 RETURNING wrapped")
            .bind(person)
            .fetch_all(conn)
            .await
    })?;
    let own = on!(tx, conn => {
        sqlx::query("DELETE FROM person_key WHERE person_id = $1")
            .bind(person)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    let of_objects: u64 = objects.iter().map(|row| slots_in(row)).sum();
    Ok(own + of_objects)
}

async fn shred_object(tx: &mut Tx, id: &str) -> Result<u64, DbError> {
    let gone: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("DELETE FROM object_key WHERE id = $1 RETURNING wrapped")
            .bind(id)
            .fetch_optional(conn)
            .await
    })?;
    Ok(gone.map_or(0, |row| slots_in(&row)))
}

async fn shred_slot(tx: &mut Tx, id: &str, slot: usize) -> Result<u64, DbError> {
    // Locks the row, lest two who shred different slots each put the other's key back.
    let row: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("UPDATE object_key SET wrapped = wrapped WHERE id = $1 RETURNING wrapped")
            .bind(id)
            .fetch_optional(conn)
            .await
    })?;
    let Some(row) = row else { return Ok(0) };
    let mut slots: Vec<&str> = row.split('.').collect();
    match slots.get_mut(slot) {
        Some(key) if !key.is_empty() => *key = "",
        _ => return Ok(0),
    }
    on!(tx, conn => {
        sqlx::query("UPDATE object_key SET wrapped = $2 WHERE id = $1")
            .bind(id)
            .bind(slots.join("."))
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(1)
}
