//! A new key-encryption key while the house is open: it begins an epoch, and everything that older ones
//! wrap is wrapped again, a few hundred rows at a time. What is broken off goes on where it was.

use db::{Db, DbError, on};
use domain::clock::Moment;

use super::kek::Kek;
use super::{KeyError, Keys, LOOKED_WITHIN, house, store};
use crate::failpoint;

/// Rows of one transaction.
const AT_ONCE: i64 = 500;

/// A key-encryption key, and what it wraps.
#[derive(Clone, Debug)]
pub struct Epoch {
    pub id: String,
    pub ordinal: i64,
    pub begun: Moment,
    /// This process has the key.
    pub is_known: bool,
    /// How many people's keys it wraps, and how many of the house's.
    pub people: u64,
    pub house: u64,
}

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The epoch that wraps everything now.
    pub epoch: String,
    /// One that was broken off went on; no epoch was begun.
    pub is_resumed: bool,
    pub rewrapped: u64,
}

impl Keys {
    /// Every epoch, the oldest first.
    pub async fn epochs(&self) -> Result<Vec<Epoch>, KeyError> {
        let known = self.0.source.load()?;
        let mut tx = self.0.db.read().await?;
        let rows: Vec<(String, i64, i64, i64, i64)> = on!(tx, conn => {
            sqlx::query_as(
                "SELECT id, ordinal, created_ms, \
                 (SELECT COUNT(*) FROM person_key WHERE person_key.epoch = epoch.id), \
                 (SELECT COUNT(*) FROM house_key WHERE house_key.epoch = epoch.id) \
                 FROM epoch ORDER BY ordinal",
            )
            .fetch_all(conn)
            .await
        })?;
        let epochs = rows
            .into_iter()
            .map(|(id, ordinal, begun_ms, people, house)| Epoch {
                is_known: known.iter().any(|kek| kek.id == id),
                id,
                ordinal,
                begun: Moment::from_millis(begun_ms),
                people: people.unsigned_abs(),
                house: house.unsigned_abs(),
            });
        Ok(epochs.collect())
    }

    /// Begins an epoch and wraps everything anew; or ends what was broken off.
    pub async fn rotate(&self) -> Result<Rotated, KeyError> {
        let epochs = self.epochs().await?;
        let (_, former) = epochs
            .split_last()
            .ok_or_else(|| KeyError::Gone("epoch".to_owned()))?;
        let is_resumed = former.iter().any(|epoch| epoch.people + epoch.house > 0);
        if !is_resumed {
            let keks = self.0.source.load()?;
            let is_new = |kek: &&Kek| epochs.iter().all(|epoch| epoch.id != kek.id);
            let next = match keks.last().filter(is_new) {
                Some(kek) => kek.clone(),
                None => self.0.source.make(&self.0.randomness)?,
            };
            failpoint::here("rotation-begun");
            self.begin(&next).await?;
        }
        let rewrapped = self.rewrap().await?;
        let (_, epoch) = store::look(&self.0.db).await?;
        Ok(Rotated {
            epoch,
            is_resumed,
            rewrapped,
        })
    }

    /// Ends a rotation that was broken off; tells how many keys were wrapped anew.
    pub async fn resume_rotation(&self) -> Result<u64, KeyError> {
        let (_, newest) = store::look(&self.0.db).await?;
        match older(&self.0.db, &newest).await? {
            0 => Ok(0),
            _ => self.rewrap().await,
        }
    }

    async fn begin(&self, kek: &Kek) -> Result<(), KeyError> {
        let mut tx = self.0.db.write().await?;
        on!(tx, conn => {
            sqlx::query(
                "INSERT INTO epoch (id, ordinal, created_ms) \
                 SELECT $1, MAX(ordinal) + 1, $2 FROM epoch",
            )
            .bind(&kek.id)
            .bind(self.0.clock.now().as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
        tx.commit().await?;
        Ok(())
    }

    /// Wraps by the newest what older ones wrap, until nothing is left. Other processes know of a new
    /// epoch within a second and wrap by the former one until then, so it is looked twice.
    async fn rewrap(&self) -> Result<u64, KeyError> {
        let (_, newest) = store::look(&self.0.db).await?;
        let kek = self.kek(&newest, "everything")?;
        let mut rewrapped = 0;
        for last in [false, true] {
            for table in [&PEOPLE, &HOUSE] {
                loop {
                    let done = self.rewrap_some(table, &kek).await?;
                    if done == 0 {
                        break;
                    }
                    rewrapped += done;
                    failpoint::here("rotation-some");
                }
            }
            if !last {
                tokio::time::sleep(2 * LOOKED_WITHIN).await;
            }
        }
        self.looked().epoch = newest;
        Ok(rewrapped)
    }

    async fn rewrap_some(&self, table: &Wrapping, kek: &Kek) -> Result<u64, KeyError> {
        let mut tx = self.0.db.write().await?;
        let rows: Vec<(String, String, String)> = on!(tx, conn => {
            sqlx::query_as(table.select)
                .bind(&kek.id)
                .bind(AT_ONCE)
                .fetch_all(conn)
                .await
        })?;
        let mut rewrapped = 0;
        for (row, epoch, wrapped) in rows {
            let name = (table.name)(&row);
            let key = self.unwrap_by(&epoch, &wrapped, &name)?;
            let anew = kek.key.wrap(&key, &name, &self.0.randomness);
            // Shredded or wrapped anew by another process meanwhile, it is left alone.
            rewrapped += on!(tx, conn => {
                sqlx::query(table.update)
                    .bind(&row)
                    .bind(&kek.id)
                    .bind(&anew)
                    .bind(&wrapped)
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected())
            })?;
        }
        tx.commit().await?;
        Ok(rewrapped)
    }
}

/// A table of keys that are wrapped by a key-encryption key.
struct Wrapping {
    select: &'static str,
    update: &'static str,
    name: fn(&str) -> String,
}

const PEOPLE: Wrapping = Wrapping {
    select: "SELECT person_id, epoch, wrapped FROM person_key WHERE epoch IN \
             (SELECT id FROM epoch WHERE ordinal < \
             (SELECT ordinal FROM epoch WHERE id = $1)) ORDER BY person_id LIMIT $2",
    update: "UPDATE person_key SET epoch = $2, wrapped = $3 WHERE person_id = $1 AND wrapped = $4",
    name: store::person_name,
};

const HOUSE: Wrapping = Wrapping {
    select: "SELECT purpose, epoch, wrapped FROM house_key WHERE epoch IN \
             (SELECT id FROM epoch WHERE ordinal < \
             (SELECT ordinal FROM epoch WHERE id = $1)) ORDER BY purpose LIMIT $2",
    update: "UPDATE house_key SET epoch = $2, wrapped = $3 WHERE purpose = $1 AND wrapped = $4",
    name: house::house_name,
};

/// Keys that are wrapped by an older epoch.
async fn older(db: &Db, newest: &str) -> Result<i64, DbError> {
    let mut tx = db.read().await?;
    let mut all = 0;
    for statement in [
        "SELECT COUNT(*) FROM person_key WHERE epoch <> $1",
        "SELECT COUNT(*) FROM house_key WHERE epoch <> $1",
    ] {
        let count: i64 = on!(tx, conn => {
            sqlx::query_scalar(statement).bind(newest).fetch_one(conn).await
        })?;
        all += count;
    }
    Ok(all)
}
