//! Takes a backup while the house is open: the rows as they were in one moment, then the files.

use std::path::Path;

use db::Tx;
use domain::clock::Moment;
use domain::ids::BackupId;
use futures::TryStreamExt;
use outside::shelf::ShelfError;
use serde_json::{Value, json};

use super::file::{Content, Draft, KIND, Manifest};
use super::{BackupError, KEYS_TAKEN_MS, rows};
use crate::privacy::inventory::{ELSEWHERE, KEY_TABLES, Medium, TABLES, Table};
use crate::privacy::log::{self, Event, Kind};
use crate::privacy::{audit, canonical};
use crate::{Failure, Studio, failpoint};

/// Files that are listed at once.
const FILES_AT_ONCE: usize = 500;
/// What of the key store goes with a backup of the house: what was forgotten, by hashes.
pub(super) const TOMBSTONES: &str = "tombstone";
pub(super) const FILES: &str = "files";

/// A backup that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub id: BackupId,
    pub bytes: u64,
    pub rows: u64,
    pub files: u64,
    /// Of a backup of the keys: from then on it is not taken any more.
    pub ends: Option<Moment>,
}

/// Writes everything but the keys into a file, which is there when it is whole.
pub async fn take(studio: &Studio, path: &Path) -> Result<Taken, BackupError> {
    let id = BackupId::new(studio.clock.now(), &studio.randomness);
    let mut draft = Draft::create(path, studio.keys.parcel(&id.to_string()))?;
    log::settle(studio).await?;
    let mut tx = studio.db.snapshot().await?;
    let checkpoint = log::newest_in(&mut tx).await?;
    write_tables(&mut tx, TABLES, &mut draft).await?;
    drop(tx);
    failpoint::here("backup-rows-written");
    let mut tx = studio.keys.store().snapshot().await?;
    for shape in rows::shapes(&mut tx, KEY_TABLES).await? {
        if shape.table == TOMBSTONES {
            rows::write(&mut tx, &shape, &mut draft).await?;
        }
    }
    drop(tx);
    let files = write_files(studio, &mut draft).await?;
    let manifest = Manifest {
        log_checkpoint: checkpoint,
        ..manifest(id, Content::House, &draft)
    };
    let taken = seal(studio, id, draft, &manifest, files)?;
    let event = Event {
        kind: Kind::BackupMade,
        person: None,
        what: json!({ "backup": id, "of": "house" }),
    };
    log::note_alone(studio, &event).await?;
    Ok(taken)
}

/// Writes the keys into a file, wrapped as they are and sealed once more, with its end.
pub async fn take_keys(studio: &Studio, path: &Path, lasts_ms: i64) -> Result<Taken, BackupError> {
    let now = studio.clock.now();
    let id = BackupId::new(now, &studio.randomness);
    let (epoch, parcel) = studio.keys.parcel_of_keys(&id.to_string())?;
    let mut draft = Draft::create(path, parcel)?;
    let ends = now.plus_millis(lasts_ms.clamp(1, KEYS_TAKEN_MS));
    studio.keys.forget_old_copies().await?;
    // Before any key is in it: from here on, receipts tell of it.
    studio.keys.note_backup(&id.to_string(), ends).await?;
    let mut tx = studio.keys.store().snapshot().await?;
    write_tables(&mut tx, KEY_TABLES, &mut draft).await?;
    drop(tx);
    failpoint::here("backup-rows-written");
    let manifest = Manifest {
        ends: Some(ends.as_seconds()),
        log_checkpoint: log::newest(studio).await?,
        key_encryption_key: Some(epoch),
        ..manifest(id, Content::Keys, &draft)
    };
    let taken = seal(studio, id, draft, &manifest, 0)?;
    let event = Event {
        kind: Kind::BackupMade,
        person: None,
        what: json!({ "backup": id, "of": "keys", "ends": ends.as_seconds() }),
    };
    log::note_alone(studio, &event).await?;
    Ok(Taken {
        ends: Some(ends),
        ..taken
    })
}

fn manifest(id: BackupId, of: Content, draft: &Draft) -> Manifest {
    Manifest {
        kind: KIND.to_owned(),
        id: id.to_string(),
        of,
        made: id.made().as_seconds(),
        ends: None,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        schema: db::schema_fingerprint(),
        inventory_sha256: audit::inventory_hash(),
        log_checkpoint: None,
        key_encryption_key: None,
        parts: draft.parts(),
    }
}

fn seal(
    studio: &Studio,
    id: BackupId,
    draft: Draft,
    manifest: &Manifest,
    files: u64,
) -> Result<Taken, BackupError> {
    let said = serde_json::to_value(manifest).map_err(|error| Failure::Row(error.to_string()))?;
    let signed = canonical::signed(&studio.keys, "manifest", &said);
    failpoint::here("backup-unnamed");
    let bytes = draft.finish(&signed)?;
    failpoint::here("backup-named");
    let rows = manifest.parts.iter().filter(|part| part.name != FILES);
    Ok(Taken {
        id,
        bytes,
        rows: rows.map(|part| part.items).sum(),
        files,
        ends: None,
    })
}

async fn write_tables(
    tx: &mut Tx,
    tables: &'static [Table],
    draft: &mut Draft,
) -> Result<(), BackupError> {
    for shape in rows::shapes(tx, tables).await? {
        rows::write(tx, &shape, draft).await?;
    }
    Ok(())
}

/// Every file of the shelf, each after a line that names it. A file that is deleted meanwhile is left
/// out: the key of its row is gone by then. One that is new has no row in this backup, and is swept.
async fn write_files(studio: &Studio, draft: &mut Draft) -> Result<u64, BackupError> {
    draft.begin(FILES);
    let mut files = 0;
    let folders = ELSEWHERE.iter().filter(|spot| spot.medium == Medium::Files);
    for folder in folders {
        let mut listed = studio.shelf.keys_by_many(folder.name, FILES_AT_ONCE);
        while let Some(keys) = listed.try_next().await.map_err(Failure::from)? {
            for key in keys {
                let bytes = match studio.shelf.get(&key).await {
                    Ok(bytes) => bytes,
                    Err(ShelfError::Missing(_)) => continue,
                    Err(error) => return Err(Failure::from(error).into()),
                };
                let line = Value::from(vec![Value::from(key), Value::from(bytes.len())]);
                draft.write(format!("{line}\n").as_bytes())?;
                draft.write(&bytes)?;
                files += 1;
                failpoint::here("backup-some-files");
            }
        }
    }
    draft.end(files)?;
    Ok(files)
}
