//! The picture of a person, where they want one. Its file follows the rule of all files: written
//! before the row that names it, deleted after, and swept where no row does.

use bytes::Bytes;
use db::on;
use domain::ids::{PersonId, PortraitId};
use domain::picture::Format;
use imaging::BadPicture;
use outside::shelf::ShelfError;

use crate::pictures::{File, aside, place_in_hand};
use crate::privacy::holds::{self, Class};
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::{KeyError, Place, Reading, shredding};
use crate::privacy::traces;
use crate::{Failure, Studio};

/// Folder of the shelf that holds portraits.
pub(crate) const FOLDER: &str = "portraits";
/// What a file may have that somebody sends.
pub const MAX_BYTES: usize = 2 << 20;
const FILE: Place = Place::files("portrait", FOLDER);
const TO_SHOW: Reading = FILE.read_for(Purpose::Account);
const TO_TAKE_ALONG: Reading = FILE.to_hand_out();

#[derive(Debug, thiserror::Error)]
pub enum PortraitError {
    #[error("Choose a picture first.")]
    Empty,
    #[error(transparent)]
    Bad(BadPicture),
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(PortraitError);

fn key(id: PortraitId) -> String {
    file_of(&id.to_string())
}

/// Makes a person's portrait of a file, in place of the former one.
pub async fn set(studio: &Studio, person: PersonId, bytes: Vec<u8>) -> Result<(), PortraitError> {
    if bytes.is_empty() {
        return Err(PortraitError::Empty);
    }
    let place = place_in_hand().await?;
    let made = aside(place, move || imaging::portrait(&bytes)).await?;
    let made = made.map_err(|bad| match bad {
        BadPicture::Imaging(error) => PortraitError::Failure(error.into()),
        bad => PortraitError::Bad(bad),
    })?;
    let id = PortraitId::new(studio.clock.now(), &studio.randomness);
    let keys = studio.keys.make_object(person, id.to_string(), 1).await;
    let cipher = keys.and_then(|keys| keys.only()).map_err(Failure::from)?;
    let new = key(id);
    let sealed = cipher.seal_file(FILE, &id.to_string(), &made);
    studio
        .shelf
        .put(&new, sealed)
        .await
        .map_err(Failure::from)?;
    if !exchange(studio, person, Some(&new)).await? {
        studio.shelf.delete(&new).await.map_err(Failure::from)?;
        return Err(Failure::Gone.into());
    }
    Ok(())
}

/// Takes a person's portrait away.
pub async fn remove(studio: &Studio, person: PersonId) -> Result<(), Failure> {
    let mut tx = studio.db.read().await?;
    holds::check(studio, &mut tx, person, Class::Account).await?;
    drop(tx);
    forget(studio, person).await
}

/// The same, also where something is held: nobody can open it any more.
pub(crate) async fn forget(studio: &Studio, person: PersonId) -> Result<(), Failure> {
    exchange(studio, person, None).await?;
    Ok(())
}

/// `false` where the account is gone.
async fn exchange(studio: &Studio, person: PersonId, new: Option<&str>) -> Result<bool, Failure> {
    let mut tx = studio.db.write().await?;
    // Locks the account, so that of two changes each sees what it replaces.
    let former: Option<Option<String>> = on!(tx, conn => {
        sqlx::query_scalar(
            "UPDATE account SET created_ms = created_ms WHERE person_id = $1 RETURNING portrait",
        )
        .bind(person.to_string())
        .fetch_optional(conn)
        .await
    })?;
    on!(tx, conn => {
        sqlx::query("UPDATE account SET portrait = $2 WHERE person_id = $1")
            .bind(person.to_string())
            .bind(new)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    let is_there = former.is_some();
    let former = former.flatten();
    if let Some(former) = former.as_deref().and_then(id_of) {
        shredding::note_object(&mut tx, &former.to_string()).await?;
    }
    tx.commit().await?;
    if let Some(former) = former {
        traces::are_left();
        shredding::carry_out(studio).await?;
        studio.shelf.delete(&former).await?;
    }
    Ok(is_there)
}

/// A person's portrait; `None` where there is none, or where that one was replaced.
pub async fn file(
    studio: &Studio,
    person: PersonId,
    id: PortraitId,
) -> Result<Option<File>, Failure> {
    read(studio, person, id, TO_SHOW).await
}

/// The same, for its person to take along.
pub(crate) async fn original(
    studio: &Studio,
    person: PersonId,
    id: PortraitId,
) -> Result<Option<File>, Failure> {
    read(studio, person, id, TO_TAKE_ALONG).await
}

async fn read(
    studio: &Studio,
    person: PersonId,
    id: PortraitId,
    reading: Reading,
) -> Result<Option<File>, Failure> {
    let blob = key(id);
    let mut tx = studio.db.read().await?;
    let found: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT portrait FROM account WHERE person_id = $1 AND portrait = $2")
            .bind(person.to_string())
            .bind(&blob)
            .fetch_optional(conn)
            .await
    })?;
    drop(tx);
    let Some(blob) = found else { return Ok(None) };
    Ok(Some(File {
        bytes: open(studio, &blob, reading).await?,
        format: Format::Webp,
    }))
}

async fn open(studio: &Studio, blob: &str, reading: Reading) -> Result<Bytes, Failure> {
    let id = id_of(blob).ok_or_else(|| Failure::Row("name of a portrait".to_owned()))?;
    let id = id.to_string();
    let cipher = studio.keys.object(&id).await?.only()?;
    let sealed = studio.shelf.get(blob).await?;
    Ok(cipher.open_file(reading, &id, sealed.into())?)
}

/// The file of a person's portrait, whichever it is now, for them to take along.
pub(crate) async fn of(
    studio: &Studio,
    person: PersonId,
) -> Result<Option<(PortraitId, Bytes)>, Failure> {
    let mut tx = studio.db.read().await?;
    let found: Option<Option<String>> = on!(tx, conn => {
        sqlx::query_scalar("SELECT portrait FROM account WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    drop(tx);
    match found.flatten() {
        Some(blob) => match open(studio, &blob, TO_TAKE_ALONG).await {
            Ok(bytes) => Ok(id_of(&blob).map(|id| (id, bytes))),
            // Exchanged in this moment.
            Err(Failure::Shelf(ShelfError::Missing(_)) | Failure::Keys(KeyError::Gone(_))) => {
                Ok(None)
            }
            Err(error) => Err(error),
        },
        None => Ok(None),
    }
}

/// The file of an earlier build, sealed; `None` where no account names it.
pub(crate) async fn seal_earlier(
    studio: &Studio,
    blob: &str,
    bytes: &[u8],
) -> Result<Option<Vec<u8>>, Failure> {
    let mut tx = studio.db.read().await?;
    let person: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT person_id FROM account WHERE portrait = $1")
            .bind(blob)
            .fetch_optional(conn)
            .await
    })?;
    drop(tx);
    let (Some(person), Some(id)) = (person, id_of(blob)) else {
        return Ok(None);
    };
    let bad = |_| Failure::Row("person of a portrait".to_owned());
    let (person, id) = (person.parse().map_err(bad)?, id.to_string());
    let keys = studio.keys.make_object(person, id.clone(), 1).await?;
    Ok(Some(keys.only()?.seal_file(FILE, &id, bytes)))
}

/// The file of a portrait with this number.
pub(crate) fn file_of(id: &str) -> String {
    format!("{FOLDER}/{id}.webp")
}

/// Which portrait a key of the shelf names.
pub(crate) fn id_of(key: &str) -> Option<PortraitId> {
    key.strip_prefix(FOLDER)?
        .strip_prefix('/')?
        .strip_suffix(".webp")?
        .parse()
        .ok()
}
