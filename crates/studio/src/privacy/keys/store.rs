//! The key store: opened, checked against the database that it belongs to, and read.

use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

use db::{Db, DbError, on};
use domain::clock::Clock;
use domain::randomness::Randomness;

use super::house::House;
use super::kek::{Kek, KekError, KekSource};
use super::memory::Memory;
use super::writing::Writer;
use super::{Inner, KeyError, Keys, Look};

/// Why the door stays closed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "the keys of this house are wrapped by the key-encryption key {epoch}, which is not in {place}. \
         Put it back from where you keep its copy. Without it nothing of these people can be read, and a \
         new one would not help"
    )]
    Locked { epoch: String, place: String },
    #[error(transparent)]
    Store(#[from] BadStore),
    #[error(transparent)]
    Kek(#[from] KekError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum BadStore {
    #[error(
        "what is in this database was sealed by keys that are not here: the key store is empty. Restore \
         the key store from its backup, or say where it is: PINHOLE_KEYS_DATABASE for Postgres, the \
         folder `keys` of the data folder otherwise"
    )]
    Missing,
    #[error(
        "the key store is that of another database. Name the one that belongs to this database: \
         PINHOLE_KEYS_DATABASE for Postgres, the folder `keys` of the data folder otherwise"
    )]
    Foreign,
}

/// What a person's key is bound to.
pub(super) fn person_name(person: &str) -> String {
    format!("person_key|{person}")
}

/// What the key of an object is bound to.
pub(super) fn slot_name(id: &str, slot: usize, person: &str) -> String {
    format!("object_key|{id}|{slot}|{person}")
}

impl Keys {
    /// Opens the key store `db` of the database `main`. The first time, a key-encryption key and the
    /// keys of the house are made; never where there were some before.
    pub async fn open(
        main: &Db,
        db: Db,
        source: KekSource,
        clock: &Clock,
        randomness: &Randomness,
    ) -> Result<Self, OpenError> {
        let belongs = linked(main).await?;
        let is = named(&db).await?;
        match (&belongs, &is) {
            (Some(_), None) => return Err(BadStore::Missing.into()),
            (Some(belongs), Some(is)) if belongs != is => return Err(BadStore::Foreign.into()),
            _ => {}
        }
        let now_ms = clock.now().as_millis();
        let mut keks = source.load()?;
        if is.is_none() {
            let first = match keks.last() {
                Some(kek) => kek.clone(),
                None => {
                    let made = source.make(randomness)?;
                    keks.push(made.clone());
                    made
                }
            };
            begin(&db, &first, now_ms, randomness).await?;
        }
        let (shreds, epoch) = look(&db).await?;
        for needed in epochs_in_use(&db, &epoch).await? {
            if !keks.iter().any(|kek| kek.id == needed) {
                return Err(OpenError::Locked {
                    epoch: needed,
                    place: source.place(),
                });
            }
        }
        let house = House::open(&db, &keks, &epoch, now_ms, randomness).await?;
        let is = named(&db).await?.ok_or(BadStore::Missing)?;
        if link(main, &is).await? != is {
            return Err(BadStore::Foreign.into());
        }
        let writer = Writer::start(db.clone());
        Ok(Self(Arc::new(Inner {
            db,
            source,
            keks: RwLock::new(keks),
            clock: clock.clone(),
            randomness: randomness.clone(),
            house,
            memory: Mutex::new(Memory::default()),
            looked: Mutex::new(Look {
                at: Instant::now(),
                shreds,
                epoch,
            }),
            looking: tokio::sync::Mutex::new(()),
            writer,
        })))
    }
}

/// The key store that a database knows as its own.
async fn linked(main: &Db) -> Result<Option<String>, DbError> {
    let mut tx = main.read().await?;
    Ok(on!(tx, conn => {
        sqlx::query_scalar("SELECT name FROM key_store WHERE id = 1")
            .fetch_optional(conn)
            .await
    })?)
}

async fn link(main: &Db, name: &str) -> Result<String, DbError> {
    let mut tx = main.write().await?;
    on!(tx, conn => {
        sqlx::query("INSERT INTO key_store (id, name) VALUES (1, $1) ON CONFLICT (id) DO NOTHING")
            .bind(name)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    let linked = on!(tx, conn => {
        sqlx::query_scalar("SELECT name FROM key_store WHERE id = 1").fetch_one(conn).await
    })?;
    tx.commit().await?;
    Ok(linked)
}

/// The name of this key store; `None` while there is nothing in it.
pub(super) async fn named(db: &Db) -> Result<Option<String>, DbError> {
    let mut tx = db.read().await?;
    Ok(on!(tx, conn => {
        sqlx::query_scalar("SELECT name FROM store WHERE id = 1").fetch_optional(conn).await
    })?)
}

/// The first epoch, and a name. Where another process was quicker, its own stay.
async fn begin(db: &Db, kek: &Kek, now_ms: i64, randomness: &Randomness) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO epoch (id, ordinal, created_ms) VALUES ($1, 1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(&kek.id)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    on!(tx, conn => {
        sqlx::query("INSERT INTO store (id, name, shreds) VALUES (1, $1, 0) ON CONFLICT DO NOTHING")
            .bind(format!("{:032x}", randomness.next_u128()))
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    tx.commit().await
}

/// How often keys were shredded so far, and the newest epoch.
pub(super) async fn look(db: &Db) -> Result<(i64, String), DbError> {
    let mut tx = db.read().await?;
    Ok(on!(tx, conn => {
        sqlx::query_as(
            "SELECT store.shreds, epoch.id FROM store JOIN epoch \
             ON epoch.ordinal = (SELECT MAX(ordinal) FROM epoch) WHERE store.id = 1",
        )
        .fetch_one(conn)
        .await
    })?)
}

/// The newest epoch, and those by which something is still wrapped.
async fn epochs_in_use(db: &Db, newest: &str) -> Result<Vec<String>, DbError> {
    let mut tx = db.read().await?;
    Ok(on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT id FROM epoch WHERE id = $1 \
             OR EXISTS (SELECT 1 FROM person_key WHERE person_key.epoch = epoch.id) \
             OR EXISTS (SELECT 1 FROM house_key WHERE house_key.epoch = epoch.id) ORDER BY ordinal",
        )
        .bind(newest)
        .fetch_all(conn)
        .await
    })?)
}

/// Epoch and wrapped key.
pub(super) async fn person(db: &Db, person: &str) -> Result<Option<(String, String)>, DbError> {
    let mut tx = db.read().await?;
    Ok(on!(tx, conn => {
        sqlx::query_as("SELECT epoch, wrapped FROM person_key WHERE person_id = $1")
            .bind(person)
            .fetch_optional(conn)
            .await
    })?)
}

#[derive(sqlx::FromRow)]
pub(super) struct ObjectRow {
    pub(super) id: String,
    pub(super) person_id: String,
    pub(super) wrapped: String,
}

/// So many are asked for in one statement.
const AT_ONCE: usize = 500;

pub(super) async fn objects(db: &Db, ids: &[&str]) -> Result<Vec<ObjectRow>, DbError> {
    let mut rows = Vec::new();
    for some in ids.chunks(AT_ONCE) {
        let places: Vec<String> = (1..=some.len()).map(|n| format!("${n}")).collect();
        let statement = format!(
            "SELECT id, person_id, wrapped FROM object_key WHERE id IN ({})",
            places.join(", ")
        );
        let mut tx = db.read().await?;
        let found: Vec<ObjectRow> = on!(tx, conn => {
            let mut query = sqlx::query_as(sqlx::AssertSqlSafe(statement));
            for id in some {
                query = query.bind((*id).to_owned());
            }
            query.fetch_all(conn).await
        })?;
        rows.extend(found);
    }
    Ok(rows)
}

pub(super) async fn count_of(db: &Db, person: &str) -> Result<u64, DbError> {
    let mut tx = db.read().await?;
    let own: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM person_key WHERE person_id = $1")
            .bind(person)
            .fetch_one(conn)
            .await
    })?;
    let wrapped: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT wrapped FROM object_key WHERE person_id = $1")
            .bind(person)
            .fetch_all(conn)
            .await
    })?;
    let of_objects: u64 = wrapped.iter().map(|row| slots_in(row)).sum();
    Ok(own.unsigned_abs() + of_objects)
}

/// How many keys a row of an object holds.
pub(super) fn slots_in(wrapped: &str) -> u64 {
    wrapped.split('.').filter(|slot| !slot.is_empty()).count() as u64
}

/// The log grows: an older checkpoint never takes the place of a newer one.
pub(super) async fn anchor(db: &Db, size: u64, root: &str) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO anchor (id, size, root) VALUES (1, $1, $2) \
             ON CONFLICT (id) DO UPDATE SET size = $1, root = $2 WHERE anchor.size < $1",
        )
        .bind(i64::try_from(size).unwrap_or(i64::MAX))
        .bind(root)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    tx.commit().await
}

pub(super) async fn anchored(db: &Db) -> Result<Option<(u64, String)>, DbError> {
    let mut tx = db.read().await?;
    let anchored: Option<(i64, String)> = on!(tx, conn => {
        sqlx::query_as("SELECT size, root FROM anchor WHERE id = 1").fetch_optional(conn).await
    })?;
    Ok(anchored.map(|(size, root)| (size.unsigned_abs(), root)))
}
