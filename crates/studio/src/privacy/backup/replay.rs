//! What was forgotten since a backup was taken is forgotten again, before anybody is let in: whatever has no
//! key any more, and what the key store remembers as forgotten though a backup of the keys brought its key
//! back. What was under way at the time of the backup is voided.
//!
//! Each step can be repeated, so that whoever is broken off goes on with the next start.

use db::on;
use domain::ids::{JobId, PersonId, PictureId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::BackupError;
use super::restore::{is_empty, read_note};
use crate::accounts::{portrait, standing};
use crate::jobs::{self, line, queue};
use crate::privacy::inventory::NOBODY;
use crate::privacy::keys::{Kept, Stage, TOMBSTONES_KEPT_MS, WORDS, slot_of};
use crate::privacy::log::{self, Event, Kind};
use crate::privacy::{erasure, export, traces};
use crate::{Failure, Studio, failpoint, pictures};

const ROWS_AT_ONCE: i64 = 500;

/// What was forgotten again, and what was voided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Replayed {
    pub people: u64,
    pub orders: u64,
    pub pictures: u64,
    pub portraits: u64,
    /// API keys that were revoked since, or may have been.
    pub api_keys: u64,
    pub passkeys: u64,
    pub orders_voided: u64,
    pub sessions_ended: u64,
    pub letters_dropped: u64,
}

#[derive(sqlx::FromRow)]
struct Marker {
    id: String,
    backup_id: String,
    backup_made_ms: i64,
    found: Option<String>,
}

/// A replay that is under way.
struct Replay<'a> {
    studio: &'a Studio,
    marker: Marker,
    done: Replayed,
}

/// Ends what was begun by putting a backup back, by this process or one before it. `None` where nothing
/// was. Nobody may be let in before this.
pub async fn finish(studio: &Studio) -> Result<Option<Replayed>, BackupError> {
    let mut tx = studio.db.read().await?;
    let marker: Option<Marker> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT id, backup_id, backup_made_ms, found FROM restoration WHERE state = 'replaying' \
             ORDER BY id DESC LIMIT 1",
        )
        .fetch_optional(conn)
        .await
    })?;
    drop(tx);
    let Some(marker) = marker else {
        after_keys(studio).await?;
        return Ok(None);
    };
    let done = marker.found.as_deref().map(serde_json::from_str);
    let done = done.transpose().unwrap_or_default().unwrap_or_default();
    let mut replay = Replay {
        studio,
        marker,
        done,
    };
    replay.anchor().await?;
    failpoint::here("restore-anchored");
    replay.void().await?;
    failpoint::here("restore-voided");
    replay.people().await?;
    failpoint::here("restore-people-gone");
    replay.orders().await?;
    replay.pictures().await?;
    replay.portraits().await?;
    replay.ways_in().await?;
    failpoint::here("restore-objects-gone");
    replay.end().await?;
    failpoint::here("restore-ended");
    Ok(Some(replay.done))
}

impl Replay<'_> {
    /// The key store learns how far the log was put back: once, and only where it knows of a restoration.
    async fn anchor(&self) -> Result<(), BackupError> {
        let studio = self.studio;
        let known = studio.keys.restorations().await?;
        let Some(known) = known.into_iter().find(|one| one.id == self.marker.id) else {
            let what = format!(
                "restoration {}, which the key store does not know",
                self.marker.id
            );
            return Err(Failure::Row(what).into());
        };
        if known.stage == Stage::Begun {
            let bad = || Failure::Row(format!("note of {}", self.marker.id));
            let said = read_note(&known.note, &studio.keys.public_key()).ok_or_else(bad)?;
            let size = said["to"]["size"].as_u64().ok_or_else(bad)?;
            let root = said["to"]["root"].as_str().ok_or_else(bad)?;
            studio.keys.anchor_again(&known.id, size, root).await?;
        }
        Ok(())
    }

    /// Remembers what was done, for who goes on.
    async fn note(&self) -> Result<(), BackupError> {
        let found = self.found()?;
        let mut tx = self.studio.db.write().await?;
        on!(tx, conn => {
            sqlx::query("UPDATE restoration SET found = $2 WHERE id = $1")
                .bind(&self.marker.id)
                .bind(found)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        tx.commit().await?;
        Ok(())
    }

    fn found(&self) -> Result<String, Failure> {
        serde_json::to_string(&self.done).map_err(|error| Failure::Row(error.to_string()))
    }

    /// Whatever was under way then is over now: orders end and what was held for them goes back, sessions
    /// and links end, letters that waited are not sent a second time.
    async fn void(&mut self) -> Result<(), BackupError> {
        let studio = self.studio;
        loop {
            let mut tx = studio.db.read().await?;
            let open: Vec<(String, String)> = on!(tx, conn => {
                sqlx::query_as(
                    "SELECT id, person_id FROM job WHERE state IN ('queued', 'drawing') ORDER BY id LIMIT $1",
                )
                .bind(ROWS_AT_ONCE)
                .fetch_all(conn)
                .await
            })?;
            drop(tx);
            if open.is_empty() {
                break;
            }
            for (job, person) in open {
                let (job, person) = (id::<JobId>(&job)?, id::<PersonId>(&person)?);
                let mut tx = studio.db.write().await?;
                line::lock(&mut tx, person).await?;
                let ended = queue::end_unfinished(studio, &mut tx, person, job).await?;
                tx.commit().await?;
                self.done.orders_voided += u64::from(ended);
            }
            self.note().await?;
        }
        let mut tx = studio.db.write().await?;
        self.done.sessions_ended += on!(tx, conn => {
            sqlx::query("DELETE FROM session").execute(conn).await.map(|done| done.rows_affected())
        })?;
        on!(tx, conn => {
            sqlx::query("DELETE FROM proof").execute(conn).await.map(|done| done.rows_affected())
        })?;
        // Those of nobody may be to somebody who is gone, which nobody can see any more.
        self.done.letters_dropped += on!(tx, conn => {
            sqlx::query("DELETE FROM letter WHERE state = 'waiting' OR person_id IS NULL")
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        let exports: Vec<String> = on!(tx, conn => {
            sqlx::query_scalar("SELECT id FROM export").fetch_all(conn).await
        })?;
        for export in &exports {
            export::end(&mut tx, export).await?;
        }
        on!(tx, conn => {
            sqlx::query("UPDATE erasure SET worker = NULL, lease_until_ms = NULL WHERE ended_ms IS NULL")
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        standing::tell(&mut tx).await?;
        tx.commit().await?;
        self.note().await
    }

    /// People whose key is gone are erased, as they once were: until their rows and their files are gone.
    /// The search and the receipt follow when the house is open.
    async fn people(&mut self) -> Result<(), BackupError> {
        let studio = self.studio;
        let mut after = String::new();
        loop {
            let mut tx = studio.db.read().await?;
            let people: Vec<String> = on!(tx, conn => {
                sqlx::query_scalar(
                    "SELECT id FROM person WHERE id > $1 AND id <> $2 ORDER BY id LIMIT $3",
                )
                .bind(&after)
                .bind(NOBODY)
                .bind(ROWS_AT_ONCE)
                .fetch_all(conn)
                .await
            })?;
            drop(tx);
            let Some(last) = people.last() else { break };
            after.clone_from(last);
            for person in studio.keys.gone_people(&people).await? {
                if erasure::ask_again(studio, id(&person)?).await? {
                    self.done.people += 1;
                    self.note().await?;
                }
                failpoint::here("restore-some-people");
            }
        }
        erasure::finish_again(studio).await?;
        Ok(())
    }

    /// Orders that have no key any more, or words that nobody can read. A private one has none.
    async fn orders(&mut self) -> Result<(), BackupError> {
        let studio = self.studio;
        let mut after = String::new();
        loop {
            let mut tx = studio.db.read().await?;
            let rows: Vec<(String, String, String)> = on!(tx, conn => {
                sqlx::query_as("SELECT id, person_id, prompt FROM job WHERE id > $1 ORDER BY id LIMIT $2")
                    .bind(&after)
                    .bind(ROWS_AT_ONCE)
                    .fetch_all(conn)
                    .await
            })?;
            drop(tx);
            let Some((last, ..)) = rows.last() else {
                return Ok(());
            };
            after.clone_from(last);
            let ids: Vec<String> = rows.iter().map(|(id, ..)| id.clone()).collect();
            let kept = studio.keys.kept_objects(&ids).await?;
            for (job, person, words) in &rows {
                let is_gone = |keys: &Kept| !words.is_empty() && !keys.has(WORDS);
                if kept.get(job).is_none_or(is_gone) {
                    jobs::forget(studio, id(person)?, id(job)?).await?;
                    self.done.orders += 1;
                }
            }
            self.note().await?;
        }
    }

    /// Pictures that nobody can open any more.
    async fn pictures(&mut self) -> Result<(), BackupError> {
        let studio = self.studio;
        let mut after = String::new();
        loop {
            let mut tx = studio.db.read().await?;
            let rows: Vec<(String, String, String, i64)> = on!(tx, conn => {
                sqlx::query_as(
                    "SELECT id, person_id, job_id, ordinal FROM picture WHERE id > $1 ORDER BY id LIMIT $2",
                )
                .bind(&after)
                .bind(ROWS_AT_ONCE)
                .fetch_all(conn)
                .await
            })?;
            drop(tx);
            let Some((last, ..)) = rows.last() else {
                return Ok(());
            };
            after.clone_from(last);
            let mut orders: Vec<String> = rows.iter().map(|(_, _, job, _)| job.clone()).collect();
            orders.dedup();
            let kept = studio.keys.kept_objects(&orders).await?;
            for (picture, person, job, ordinal) in &rows {
                let slot = u32::try_from(*ordinal).map(slot_of).unwrap_or(usize::MAX);
                if kept.get(job).is_none_or(|keys| !keys.has(slot)) {
                    let gone = [id::<PictureId>(picture)?];
                    pictures::forget_several(studio, id(person)?, &gone).await?;
                    self.done.pictures += 1;
                }
            }
            self.note().await?;
        }
    }

    async fn portraits(&mut self) -> Result<(), BackupError> {
        let studio = self.studio;
        let mut after = String::new();
        loop {
            let mut tx = studio.db.read().await?;
            let rows: Vec<(String, String)> = on!(tx, conn => {
                sqlx::query_as(
                    "SELECT person_id, portrait FROM account WHERE portrait IS NOT NULL \
                     AND person_id > $1 ORDER BY person_id LIMIT $2",
                )
                .bind(&after)
                .bind(ROWS_AT_ONCE)
                .fetch_all(conn)
                .await
            })?;
            drop(tx);
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            after.clone_from(last);
            for (person, blob) in &rows {
                let key = portrait::id_of(blob).map(|key| key.to_string());
                let keys: Vec<String> = key.into_iter().collect();
                let kept = studio.keys.kept_objects(&keys).await?;
                if kept.values().all(|keys| !keys.has(WORDS)) {
                    portrait::forget(studio, id(person)?).await?;
                    self.done.portraits += 1;
                }
            }
            self.note().await?;
        }
    }

    /// API keys and passkeys that were taken away since. Of an older backup nobody remembers which API
    /// keys these were, so all of them are revoked; a passkey opens nothing by itself to who found a key.
    async fn ways_in(&mut self) -> Result<(), BackupError> {
        let studio = self.studio;
        let now = studio.clock.now();
        let oldest = now.plus_millis(-TOMBSTONES_KEPT_MS).as_millis();
        let mut tx = studio.db.write().await?;
        if self.marker.backup_made_ms <= oldest {
            self.done.api_keys += on!(tx, conn => {
                sqlx::query("UPDATE api_key SET revoked_ms = $1 WHERE revoked_ms IS NULL")
                    .bind(now.as_millis())
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected())
            })?;
        }
        let open: Vec<String> = on!(tx, conn => {
            sqlx::query_scalar("SELECT id FROM api_key WHERE revoked_ms IS NULL")
                .fetch_all(conn)
                .await
        })?;
        for key in studio.keys.forgotten(&open).await? {
            self.done.api_keys += on!(tx, conn => {
                sqlx::query("UPDATE api_key SET revoked_ms = $2 WHERE id = $1")
                    .bind(key)
                    .bind(now.as_millis())
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected())
            })?;
        }
        let passkeys: Vec<String> = on!(tx, conn => {
            sqlx::query_scalar("SELECT id FROM passkey").fetch_all(conn).await
        })?;
        for passkey in studio.keys.forgotten(&passkeys).await? {
            self.done.passkeys += on!(tx, conn => {
                sqlx::query("DELETE FROM passkey WHERE id = $1")
                    .bind(passkey)
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected())
            })?;
        }
        tx.commit().await?;
        self.note().await
    }

    async fn end(&self) -> Result<(), BackupError> {
        let studio = self.studio;
        let found = self.found()?;
        let mut tx = studio.db.write().await?;
        let ended = on!(tx, conn => {
            sqlx::query(
                "UPDATE restoration SET state = 'done', found = $2, ended_ms = $3 \
                 WHERE id = $1 AND state = 'replaying'",
            )
            .bind(&self.marker.id)
            .bind(found)
            .bind(studio.clock.now().as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
        if ended == 1 {
            let event = Event {
                kind: Kind::HouseRestored,
                person: None,
                what: json!({
                    "restoration": self.marker.id,
                    "backup": self.marker.backup_id,
                    "made": self.marker.backup_made_ms.div_euclid(1_000),
                    "replayed": self.done,
                }),
            };
            log::note(studio, &mut tx, &event).await?;
        }
        tx.commit().await?;
        traces::are_left();
        studio.keys.forget_put_back().await?;
        Ok(())
    }
}

/// Keys that were put back beside a database that was not: those of what that database does not have any
/// more are shredded again.
async fn after_keys(studio: &Studio) -> Result<(), BackupError> {
    if !studio.keys.were_put_back().await? {
        return Ok(());
    }
    // Without the rows, all keys would seem to be of nothing.
    if is_empty(studio).await? {
        return Err(BackupError::NobodyHere);
    }
    let mut after = String::new();
    loop {
        let people = studio.keys.people_after(&after, ROWS_AT_ONCE).await?;
        let Some(last) = people.last() else { break };
        after.clone_from(last);
        for person in &people {
            let mut tx = studio.db.read().await?;
            let is_there: Option<String> = on!(tx, conn => {
                sqlx::query_scalar("SELECT id FROM person WHERE id = $1")
                    .bind(person)
                    .fetch_optional(conn)
                    .await
            })?;
            drop(tx);
            if is_there.is_none() {
                studio.keys.shred_person(id(person)?).await?;
            }
        }
    }
    let mut after = String::new();
    loop {
        let objects = studio.keys.objects_after(&after, ROWS_AT_ONCE).await?;
        let Some(last) = objects.last() else { break };
        after.clone_from(last);
        for object in &objects {
            shred_what_is_gone(studio, object).await?;
        }
    }
    studio.keys.forget_put_back().await?;
    Ok(())
}

/// The keys of an order that is not there, and of those of its pictures that are not.
async fn shred_what_is_gone(studio: &Studio, object: &str) -> Result<(), BackupError> {
    let mut tx = studio.db.read().await?;
    let is_there: i64 = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT (SELECT COUNT(*) FROM job WHERE id = $1) \
             + (SELECT COUNT(*) FROM account WHERE portrait = $2) \
             + (SELECT COUNT(*) FROM export WHERE id = $1)",
        )
        .bind(object)
        .bind(portrait::file_of(object))
        .fetch_one(conn)
        .await
    })?;
    let ordinals: Vec<i64> = on!(tx, conn => {
        sqlx::query_scalar("SELECT ordinal FROM picture WHERE job_id = $1")
            .bind(object)
            .fetch_all(conn)
            .await
    })?;
    let is_over: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT id FROM job WHERE id = $1 AND state NOT IN ('queued', 'drawing')")
            .bind(object)
            .fetch_optional(conn)
            .await
    })?;
    drop(tx);
    if is_there == 0 {
        studio.keys.shred_object(object).await?;
    } else if is_over.is_some() {
        let kept = studio.keys.kept_objects(&[object.to_owned()]).await?;
        let slots = kept.get(object).map_or(0, |keys| keys.slots());
        for slot in slot_of(0)..slots {
            let is_kept = ordinals.iter().any(|ordinal| {
                u32::try_from(*ordinal).is_ok_and(|ordinal| slot_of(ordinal) == slot)
            });
            if !is_kept {
                studio.keys.shred_slot(object, slot).await?;
            }
        }
    }
    Ok(())
}

fn id<T: std::str::FromStr>(text: &str) -> Result<T, Failure> {
    text.parse()
        .map_err(|_| Failure::Row(format!("id {text:?}")))
}
