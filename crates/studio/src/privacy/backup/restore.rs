//! Puts a backup back. Everything is read and checked before anything is changed; the rows then come in one
//! transaction, so that a power cut leaves what was there before, or what the next start goes on with.

use std::path::Path;

use db::{Db, Tx, on};
use domain::clock::Moment;
use domain::ids::RestorationId;
use serde_json::{Value, json};

use super::file::{Content, Stored};
use super::replay::{self, Replayed};
use super::take::{FILES, TOMBSTONES};
use super::{BackupError, in_words, rows};
use crate::privacy::inventory::{KEY_TABLES, NOBODY, TABLES};
use crate::privacy::keys::{self, KekSource, Parcel};
use crate::privacy::log::checkpoint::Checkpoint;
use crate::privacy::{canonical, log};
use crate::{Failure, Studio, failpoint};

/// Says what a document is, and which edition of its fields it has.
pub(in crate::privacy) const NOTE_KIND: &str = "pinhole/restoration/1";
/// A file of the shelf is not larger.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// A house that was put back.
#[derive(Clone, Debug)]
pub struct Restored {
    pub made: Moment,
    pub rows: u64,
    pub files: u64,
    pub replayed: Replayed,
}

/// What a file is a backup of; checks nothing else.
pub fn content_of(path: &Path) -> Result<Content, BackupError> {
    Ok(Stored::open(path)?.manifest.of)
}

/// Whether nobody ever was here.
pub async fn is_empty(studio: &Studio) -> Result<bool, Failure> {
    let mut tx = studio.db.read().await?;
    let people: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM person WHERE id <> $1")
            .bind(NOBODY)
            .fetch_one(conn)
            .await
    })?;
    Ok(people == 0)
}

/// Whether a key store has keys.
pub async fn keys_are_there(store: &Db) -> Result<bool, BackupError> {
    Ok(keys::is_named(store).await?)
}

/// Puts the database and the files back, and goes through them until nothing is left of what was
/// forgotten since. Nobody else may be in the house.
pub async fn restore(
    studio: &Studio,
    path: &Path,
    replaces: bool,
) -> Result<Restored, BackupError> {
    let stored = open(path, Content::House)?;
    let public_key = studio.keys.public_key();
    stored.check(&public_key)?;
    let manifest = &stored.manifest;
    let parcel = studio.keys.parcel(&manifest.id);
    // Whether all of it can be read, before anything is changed.
    let mut tx = studio.db.read().await?;
    let shapes = rows::shapes(&mut tx, TABLES).await?;
    drop(tx);
    for shape in &shapes {
        shape.each(&stored, &parcel, async |_, _| Ok(())).await?;
    }
    each_file(&stored, &parcel, async |_, _| Ok(())).await?;
    let tombstones = tombstones(studio, &stored, &parcel).await?;
    if !replaces && !is_empty(studio).await? {
        return Err(BackupError::NotEmpty);
    }
    let id = RestorationId::new(studio.clock.now(), &studio.randomness);
    let note = note(studio, id, &stored).await?;
    studio.keys.bury_again(&tombstones).await?;
    studio
        .keys
        .begin_restoration(&id.to_string(), &note)
        .await?;
    failpoint::here("restore-begun");
    let shelf = &studio.shelf;
    let files = each_file(&stored, &parcel, async |key, bytes| {
        shelf.put(key, bytes).await.map_err(Failure::from)?;
        failpoint::here("restore-some-files");
        Ok(())
    });
    let files = files.await?;
    let mut tx = studio.db.write().await?;
    for table in TABLES.iter().rev() {
        let statement = format!("DELETE FROM {}", table.name);
        on!(tx, conn => {
            sqlx::query(sqlx::AssertSqlSafe(statement))
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
    }
    for shape in &shapes {
        let insert = async |shape: &rows::Shape, some| Ok(shape.insert(&mut tx, some).await?);
        shape.each(&stored, &parcel, insert).await?;
    }
    mark(studio, &mut tx, id, &stored).await?;
    failpoint::here("restore-uncommitted");
    tx.commit().await?;
    failpoint::here("restore-committed");
    let replayed = replay::finish(studio).await?.unwrap_or_default();
    let rows = manifest.parts.iter();
    let rows = rows.filter(|part| part.name != FILES && part.name != TOMBSTONES);
    Ok(Restored {
        made: Moment::from_millis(manifest.made * 1_000),
        rows: rows.map(|part| part.items).sum(),
        files,
        replayed,
    })
}

fn open(path: &Path, content: Content) -> Result<Stored, BackupError> {
    let stored = Stored::open(path)?;
    let manifest = &stored.manifest;
    match (content, manifest.of) {
        (Content::House, Content::Keys) => return Err(BackupError::OfKeys(path.to_owned())),
        (Content::Keys, Content::House) => return Err(BackupError::OfHouse(path.to_owned())),
        _ => {}
    }
    if manifest.schema != db::schema_fingerprint() {
        return Err(BackupError::OtherSchema {
            path: path.to_owned(),
            program: manifest.program.clone(),
        });
    }
    Ok(stored)
}

/// Says, signed, how far the log had come and how far it is put back.
async fn note(studio: &Studio, id: RestorationId, stored: &Stored) -> Result<String, BackupError> {
    let manifest = &stored.manifest;
    let to = match &manifest.log_checkpoint {
        Some(note) => {
            let opened = Checkpoint::open(note, &studio.keys.public_key());
            let opened = opened.map_err(|_| stored.changed())?;
            json!({ "size": opened.size, "root": log::hex(&opened.root) })
        }
        None => json!({ "size": 0, "root": "" }),
    };
    let from = studio.keys.anchored().await?;
    let from = from.map(|(size, root)| json!({ "size": size, "root": root }));
    let said = json!({
        "kind": NOTE_KIND,
        "id": id,
        "backup": manifest.id,
        "made": manifest.made,
        "time": studio.clock.now().as_seconds(),
        "from": from,
        "to": to,
    });
    Ok(canonical::signed(&studio.keys, "restoration", &said))
}

/// The house stays closed until this row says that all is done.
async fn mark(
    studio: &Studio,
    tx: &mut Tx,
    id: RestorationId,
    stored: &Stored,
) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO restoration (id, state, backup_id, backup_made_ms, begun_ms) \
             VALUES ($1, 'replaying', $2, $3, $4)",
        )
        .bind(id.to_string())
        .bind(&stored.manifest.id)
        .bind(stored.manifest.made * 1_000)
        .bind(studio.clock.now().as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(())
}

async fn each_file(
    stored: &Stored,
    parcel: &Parcel,
    mut put: impl AsyncFnMut(&str, Vec<u8>) -> Result<(), BackupError>,
) -> Result<u64, BackupError> {
    let changed = || stored.changed();
    let Some(mut part) = stored.part(FILES, parcel)? else {
        return Err(changed());
    };
    let mut files = 0;
    while let Some(line) = part.line()? {
        let (key, bytes): (String, u64) = serde_json::from_slice(&line).map_err(|_| changed())?;
        if bytes > MAX_FILE_BYTES {
            return Err(changed());
        }
        let bytes = part.bytes(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        put(&key, bytes).await?;
        files += 1;
    }
    if files != part.part.items {
        return Err(changed());
    }
    Ok(files)
}

/// What this copy knows to be forgotten.
async fn tombstones(
    studio: &Studio,
    stored: &Stored,
    parcel: &Parcel,
) -> Result<Vec<(String, i64)>, BackupError> {
    let mut tx = studio.keys.store().read().await?;
    let shapes = rows::shapes(&mut tx, KEY_TABLES).await?;
    drop(tx);
    let mut all = Vec::new();
    for shape in shapes.iter().filter(|shape| shape.table == TOMBSTONES) {
        let read = async |shape: &rows::Shape, some: rows::Rows| {
            let made = some.texts(shape, "created_ms");
            let made = made.iter().map(|ms| ms.parse().unwrap_or(0));
            all.extend(some.texts(shape, "name").into_iter().zip(made));
            Ok(())
        };
        shape.each(stored, parcel, read).await?;
    }
    Ok(all)
}

/// Takes over from another backup, of the house or of the keys, what it knows to be forgotten: also from
/// one of the keys that has ended. Tells how much of it was new.
pub async fn bury(studio: &Studio, path: &Path) -> Result<u64, BackupError> {
    let content = content_of(path)?;
    let stored = open(path, content)?;
    stored.check(&studio.keys.public_key())?;
    let parcel = match content {
        Content::House => studio.keys.parcel(&stored.manifest.id),
        Content::Keys => parcel_of_keys(studio.keys.source(), &stored, path)?,
    };
    let tombstones = tombstones(studio, &stored, &parcel).await?;
    Ok(studio.keys.bury_again(&tombstones).await?)
}

fn parcel_of_keys(source: &KekSource, stored: &Stored, path: &Path) -> Result<Parcel, BackupError> {
    let manifest = &stored.manifest;
    let epoch = manifest.key_encryption_key.as_deref();
    let epoch = epoch.ok_or_else(|| stored.changed())?;
    let parcel = source.parcel_of_keys(epoch, &manifest.id)?;
    parcel.ok_or_else(|| BackupError::Locked {
        path: path.to_owned(),
        epoch: epoch.to_owned(),
        place: source.place(),
    })
}

/// Puts the keys back into a key store that has none. Tells how many people have one.
pub async fn restore_keys(
    store: &Db,
    source: &KekSource,
    path: &Path,
    now: Moment,
) -> Result<u64, BackupError> {
    let stored = open(path, Content::Keys)?;
    let ended = stored
        .manifest
        .ends
        .map(|end| Moment::from_millis(end * 1_000));
    // One without an end was never made.
    let ended = ended.ok_or_else(|| stored.changed())?;
    if ended <= now {
        return Err(BackupError::Ended {
            path: path.to_owned(),
            ended: in_words(ended),
        });
    }
    let parcel = parcel_of_keys(source, &stored, path)?;
    let mut tx = store.read().await?;
    let shapes = rows::shapes(&mut tx, KEY_TABLES).await?;
    drop(tx);
    let mut signs = None;
    for shape in &shapes {
        let read = async |shape: &rows::Shape, some: rows::Rows| {
            if shape.table == "house_key" {
                let [purposes, epochs, wrapped] =
                    ["purpose", "epoch", "wrapped"].map(|column| some.texts(shape, column));
                let at = purposes.iter().position(|purpose| purpose == "sign");
                signs = at.map(|at| (epochs[at].clone(), wrapped[at].clone()));
            }
            Ok(())
        };
        shape.each(&stored, &parcel, read).await?;
    }
    let (epoch, wrapped) = signs.ok_or_else(|| stored.changed())?;
    let public_key = source.public_key_of(&epoch, &wrapped)?;
    let public_key = public_key.ok_or_else(|| BackupError::Locked {
        path: path.to_owned(),
        epoch,
        place: source.place(),
    })?;
    stored.check(&public_key)?;
    if keys_are_there(store).await? {
        return Err(BackupError::KeysThere);
    }
    let mut tx = store.write().await?;
    for shape in &shapes {
        let insert = async |shape: &rows::Shape, some| Ok(shape.insert(&mut tx, some).await?);
        shape.each(&stored, &parcel, insert).await?;
    }
    keys::note_put_back(&mut tx, &stored.manifest.id, now).await?;
    failpoint::here("restore-keys-uncommitted");
    tx.commit().await?;
    failpoint::here("restore-keys-committed");
    let people = stored.manifest.parts.iter();
    let people = people.filter(|part| part.name == "person_key");
    Ok(people.map(|part| part.items).sum())
}

/// What a signed note of a restoration says.
pub(in crate::privacy) fn read_note(note: &str, public_key: &[u8; 32]) -> Option<Value> {
    let document: Value = serde_json::from_str(note).ok()?;
    let said = document.get("restoration")?;
    let signature = canonical::signature(&document)?;
    let text = canonical::text(said);
    let is_ours = signature.public_key == *public_key
        && keys::verify(public_key, text.as_bytes(), &signature.value);
    (is_ours && said.get("kind")? == NOTE_KIND).then(|| said.clone())
}
