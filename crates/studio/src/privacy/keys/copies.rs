//! What the key store knows of copies: of backups of itself, of what was forgotten while such a backup
//! may still have its key, and of each time that the main database was put back.

use std::collections::{HashMap, HashSet};

use db::{Db, DbError, Tx, on};
use domain::clock::Moment;
use domain::ids::PersonId;

use super::{KeyError, Keys, slot_text, store};

const HOUR_MS: i64 = 60 * 60 * 1_000;
/// How long a backup of the keys is taken, at most.
pub(crate) const KEYS_KEPT_MS: i64 = 7 * 24 * HOUR_MS;
/// How long it is remembered what was forgotten: as long as a backup of the keys could undo it, and a day
/// more for clocks that differ.
pub(crate) const TOMBSTONES_KEPT_MS: i64 = KEYS_KEPT_MS + 24 * HOUR_MS;

/// Something was forgotten: a keyed hash of its number, and when.
#[derive(Clone, Debug)]
pub(super) struct Tombstone {
    name: String,
    created_ms: i64,
}

pub(super) async fn bury(tx: &mut Tx, tombstone: &Tombstone) -> Result<(), DbError> {
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO tombstone (name, created_ms) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET created_ms = $2",
        )
        .bind(&tombstone.name)
        .bind(tombstone.created_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Which keys of an order, or of a portrait, there are: that of its words, then those of its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept(Vec<bool>);

impl Kept {
    pub(crate) fn has(&self, slot: usize) -> bool {
        self.0.get(slot).copied().unwrap_or(false)
    }

    pub(crate) fn slots(&self) -> usize {
        self.0.len()
    }
}

/// How far a restoration is, as the key store knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is being done, or was broken off before it changed anything.
    Begun,
    /// The log was put back, and the key store knows.
    Anchored,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Anchored => "anchored",
        }
    }
}

/// The main database was put back.
#[derive(Clone, Debug)]
pub(crate) struct Restoration {
    pub(crate) id: String,
    pub(crate) stage: Stage,
    /// Signed.
    pub(crate) note: String,
}

impl Keys {
    pub(super) fn tombstone(&self, of: &str) -> Tombstone {
        Tombstone {
            name: self.blind("tombstone", of),
            created_ms: self.0.clock.now().as_millis(),
        }
    }

    /// Those of these people whose key is gone, or has to go again.
    pub(crate) async fn gone_people(&self, people: &[String]) -> Result<Vec<String>, KeyError> {
        let mut tx = self.0.db.read().await?;
        let there = listed(
            &mut tx,
            "SELECT person_id FROM person_key WHERE person_id",
            people,
        );
        let there = there.await?;
        let buried = self.buried(&mut tx, people).await?;
        let is_gone = |person: &&String| !there.contains(*person) || buried.contains(*person);
        Ok(people.iter().filter(is_gone).cloned().collect())
    }

    /// Which keys there are of these objects that needn't go again; what has none is left out.
    pub(crate) async fn kept_objects(
        &self,
        ids: &[String],
    ) -> Result<HashMap<String, Kept>, KeyError> {
        let named: Vec<&str> = ids.iter().map(String::as_str).collect();
        let rows = store::objects(&self.0.db, &named).await?;
        let mut names = ids.to_vec();
        for row in &rows {
            let slots = row.wrapped.split('.').count();
            names.extend((0..slots).map(|slot| slot_text(&row.id, slot)));
        }
        let mut tx = self.0.db.read().await?;
        let buried = self.buried(&mut tx, &names).await?;
        let rows = rows.into_iter().filter(|row| !buried.contains(&row.id));
        let kept = rows.map(|row| {
            let slots = row.wrapped.split('.').enumerate();
            let slots = slots.map(|(slot, wrapped)| {
                !wrapped.is_empty() && !buried.contains(&slot_text(&row.id, slot))
            });
            (row.id.clone(), Kept(slots.collect()))
        });
        Ok(kept.collect())
    }

    /// Those of these that were forgotten.
    async fn buried(&self, tx: &mut Tx, of: &[String]) -> Result<HashSet<String>, DbError> {
        let names: Vec<String> = of.iter().map(|one| self.blind("tombstone", one)).collect();
        let found = listed(tx, "SELECT name FROM tombstone WHERE name", &names).await?;
        let by_name = of.iter().zip(names);
        let buried = by_name.filter(|(_, name)| found.contains(name));
        Ok(buried.map(|(one, _)| one.clone()).collect())
    }

    /// Takes over what another copy of this key store knows to be forgotten; tells how much was new.
    pub(crate) async fn bury_again(&self, names: &[(String, i64)]) -> Result<u64, KeyError> {
        let mut tx = self.0.db.write().await?;
        let mut new = 0;
        for (name, created_ms) in names {
            new += on!(tx, conn => {
                sqlx::query(
                    "INSERT INTO tombstone (name, created_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                )
                .bind(name)
                .bind(created_ms)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
            })?;
        }
        tx.commit().await?;
        Ok(new)
    }

    /// Forgets what no backup of the keys can undo any more, and the backups themselves that have ended.
    pub(crate) async fn forget_old_copies(&self) -> Result<u64, KeyError> {
        let now = self.0.clock.now();
        let mut tx = self.0.db.write().await?;
        let mut forgotten = on!(tx, conn => {
            sqlx::query("DELETE FROM tombstone WHERE created_ms <= $1")
                .bind(now.plus_millis(-TOMBSTONES_KEPT_MS).as_millis())
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        forgotten += on!(tx, conn => {
            sqlx::query("DELETE FROM key_backup WHERE ends_ms <= $1")
                .bind(now.plus_millis(-KEYS_KEPT_MS).as_millis())
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        tx.commit().await?;
        Ok(forgotten)
    }

    /// A backup of the keys is being made. Known before it is there, so that no receipt says too little.
    pub(crate) async fn note_backup(&self, id: &str, ends: Moment) -> Result<(), KeyError> {
        let mut tx = self.0.db.write().await?;
        on!(tx, conn => {
            sqlx::query("INSERT INTO key_backup (id, made_ms, ends_ms) VALUES ($1, $2, $3)")
                .bind(id)
                .bind(self.0.clock.now().as_millis())
                .bind(ends.as_millis())
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(tx.commit().await?)
    }

    /// Until when some backup of the keys is taken that was made before this moment.
    pub(crate) async fn copied_until(&self, before: Moment) -> Result<Option<Moment>, KeyError> {
        let mut tx = self.0.db.read().await?;
        let until: Option<i64> = on!(tx, conn => {
            sqlx::query_scalar(
                "SELECT MAX(ends_ms) FROM key_backup WHERE made_ms <= $1 AND ends_ms > $1",
            )
            .bind(before.as_millis())
            .fetch_one(conn)
            .await
        })?;
        Ok(until.map(Moment::from_millis))
    }

    /// The main database is about to be put back. What was begun before and came to nothing is forgotten.
    pub(crate) async fn begin_restoration(&self, id: &str, note: &str) -> Result<(), KeyError> {
        let mut tx = self.0.db.write().await?;
        on!(tx, conn => {
            sqlx::query("DELETE FROM restoration WHERE state = 'begun'")
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        on!(tx, conn => {
            sqlx::query(
                "INSERT INTO restoration (id, state, note, begun_ms) VALUES ($1, 'begun', $2, $3)",
            )
            .bind(id)
            .bind(note)
            .bind(self.0.clock.now().as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
        Ok(tx.commit().await?)
    }

    /// The log was put back so far: once for each restoration that was begun, and never otherwise.
    pub(crate) async fn anchor_again(
        &self,
        id: &str,
        size: u64,
        root: &str,
    ) -> Result<(), KeyError> {
        let mut tx = self.0.db.write().await?;
        let is_first = on!(tx, conn => {
            sqlx::query("UPDATE restoration SET state = 'anchored' WHERE id = $1 AND state = 'begun'")
                .bind(id)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        if is_first == 0 {
            return Ok(());
        }
        on!(tx, conn => {
            sqlx::query("UPDATE anchor SET size = $1, root = $2 WHERE id = 1")
                .bind(i64::try_from(size).unwrap_or(i64::MAX))
                .bind(root)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(tx.commit().await?)
    }

    /// Whether keys were put back from a backup and not gone through yet.
    pub(crate) async fn were_put_back(&self) -> Result<bool, KeyError> {
        let mut tx = self.0.db.read().await?;
        let rows: i64 = on!(tx, conn => {
            sqlx::query_scalar("SELECT COUNT(*) FROM restoration WHERE state = 'keys'")
                .fetch_one(conn)
                .await
        })?;
        Ok(rows > 0)
    }

    pub(crate) async fn forget_put_back(&self) -> Result<(), KeyError> {
        let mut tx = self.0.db.write().await?;
        on!(tx, conn => {
            sqlx::query("DELETE FROM restoration WHERE state = 'keys'")
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(tx.commit().await?)
    }

    /// People who have a key, so many, in order.
    pub(crate) async fn people_after(
        &self,
        after: &str,
        limit: i64,
    ) -> Result<Vec<String>, KeyError> {
        let mut tx = self.0.db.read().await?;
        Ok(on!(tx, conn => {
            sqlx::query_scalar(
                "SELECT person_id FROM person_key WHERE person_id > $1 ORDER BY person_id LIMIT $2",
            )
            .bind(after)
            .bind(limit)
            .fetch_all(conn)
            .await
        })?)
    }

    /// Every object of a person that has keys.
    pub(crate) async fn objects_of(&self, person: PersonId) -> Result<Vec<String>, KeyError> {
        let mut tx = self.0.db.read().await?;
        Ok(on!(tx, conn => {
            sqlx::query_scalar("SELECT id FROM object_key WHERE person_id = $1 ORDER BY id")
                .bind(person.to_string())
                .fetch_all(conn)
                .await
        })?)
    }

    /// Objects that have keys, so many, in order.
    pub(crate) async fn objects_after(
        &self,
        after: &str,
        limit: i64,
    ) -> Result<Vec<String>, KeyError> {
        let mut tx = self.0.db.read().await?;
        Ok(on!(tx, conn => {
            sqlx::query_scalar("SELECT id FROM object_key WHERE id > $1 ORDER BY id LIMIT $2")
                .bind(after)
                .bind(limit)
                .fetch_all(conn)
                .await
        })?)
    }

    /// Those of these that are remembered as forgotten.
    pub(crate) async fn forgotten(&self, of: &[String]) -> Result<Vec<String>, KeyError> {
        let mut tx = self.0.db.read().await?;
        let buried = self.buried(&mut tx, of).await?;
        Ok(of
            .iter()
            .filter(|one| buried.contains(*one))
            .cloned()
            .collect())
    }

    /// Each time that the main database was put back, the first one first.
    pub(crate) async fn restorations(&self) -> Result<Vec<Restoration>, KeyError> {
        let mut tx = self.0.db.read().await?;
        let rows: Vec<(String, String, String)> = on!(tx, conn => {
            sqlx::query_as("SELECT id, state, note FROM restoration WHERE state <> 'keys' ORDER BY id")
                .fetch_all(conn)
                .await
        })?;
        let mut restorations = Vec::new();
        for (id, state, note) in rows {
            let mut stages = [Stage::Begun, Stage::Anchored].into_iter();
            let stage = stages.find(|stage| stage.name() == state);
            restorations.push(Restoration {
                stage: stage
                    .ok_or_else(|| KeyError::Store(format!("restoration state {state:?}")))?,
                id,
                note,
            });
        }
        Ok(restorations)
    }
}

/// The keys were put back from a backup: whoever opens the house goes through them.
pub(crate) async fn note_put_back(tx: &mut Tx, backup: &str, now: Moment) -> Result<(), DbError> {
    on!(tx, conn => {
        sqlx::query("INSERT INTO restoration (id, state, note, begun_ms) VALUES ($1, 'keys', '', $2)")
            .bind(backup)
            .bind(now.as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Whether there are keys in a key store.
pub(crate) async fn is_named(db: &Db) -> Result<bool, DbError> {
    Ok(store::named(db).await?.is_some())
}

/// So many are asked for in one statement.
const AT_ONCE: usize = 500;

/// Which of these values a column has.
async fn listed(tx: &mut Tx, select: &str, values: &[String]) -> Result<HashSet<String>, DbError> {
    let mut found = HashSet::new();
    for some in values.chunks(AT_ONCE) {
        let places: Vec<String> = (1..=some.len()).map(|n| format!("${n}")).collect();
        let statement = format!("{select} IN ({})", places.join(", "));
        let some: Vec<String> = on!(tx, conn => {
            let mut query = sqlx::query_scalar(sqlx::AssertSqlSafe(statement));
            for value in some {
                query = query.bind(value.clone());
            }
            query.fetch_all(conn).await
        })?;
        found.extend(some);
    }
    Ok(found)
}
