//! Is stored: the file on the shelf first, then its row; deleted in the other order, so that a row
//! never names a file that is missing.

mod agreed;
pub mod rights;

pub(crate) use self::agreed::{judged, shown, taught, taught_words};

use self::rights::Rights;
use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use db::{Tx, on};
use domain::clock::Moment;
use domain::credits::Credits;
use domain::ids::{JobId, PersonId, PictureId};
use domain::model::ModelName;
use domain::picture::{Format, Pixels, Size};
use domain::prompt::Prompt;
use imaging::ImagingError;
use outside::shelf::ShelfError;
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::jobs::{self, Job, queue};
use crate::privacy::holds::{self, Class};
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::{KeyError, ObjectKeys, Place, Reading, shredding};
use crate::privacy::log::hex;
use crate::privacy::traces;
use crate::{Failure, Studio, failpoint};

/// Folder of the shelf that holds pictures.
pub(crate) const FOLDER: &str = "pictures";

const FILE: Place = Place::files("picture", FOLDER);
/// Storage serves this, and what a person takes along; nothing else opens a file.
const TO_DELIVER: Reading = FILE.read_for(Purpose::Drawing);
const TO_TAKE_ALONG: Reading = FILE.to_hand_out();

/// Pictures that are decoded or encoded at once; the others wait, and take no memory meanwhile.
const MAX_IN_HAND: usize = 2;
static IN_HAND: Semaphore = Semaphore::const_new(MAX_IN_HAND);

/// A stored picture as its owner sees it.
#[derive(Clone, Debug)]
pub struct Picture {
    pub id: PictureId,
    pub job: JobId,
    /// Place within its job, from 0.
    pub ordinal: u32,
    pub seed: u32,
    pub size: Size,
    pub model: ModelName,
    /// `None` where it was drawn in private.
    pub prompt: Option<Prompt>,
    pub size_bytes: u64,
    pub sha256: String,
    /// What it cost; absent where it was free.
    pub price: Option<Credits>,
    pub kind: Kind,
    /// Its person marked it.
    pub is_favourite: bool,
    pub created: Moment,
    /// When it is deleted, where its person chose a time.
    pub ends: Option<Moment>,
    /// Whose it is.
    pub rights: Rights,
}

/// How a picture came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From words alone.
    Drawing,
    /// From words and another picture's noise.
    Variation,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::Drawing, Self::Variation];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drawing => "drawing",
            Self::Variation => "variation",
        }
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.name() == name).ok_or(())
    }
}

/// A file on the shelf that has no row yet.
#[derive(Clone, Debug)]
pub struct NewPicture {
    id: PictureId,
    job: JobId,
    person: PersonId,
    ordinal: u32,
    seed: u32,
    size: Size,
    blob: String,
    size_bytes: usize,
    sha256: String,
    crc32: u32,
    created: Moment,
    ends: Option<Moment>,
}

/// A picture's file in some format.
#[derive(Clone, Debug)]
pub struct File {
    pub bytes: Bytes,
    pub format: Format,
}

pub(crate) async fn store(
    studio: &Studio,
    job: &Job,
    ordinal: u32,
    pixels: Pixels,
) -> Result<NewPicture, Failure> {
    let created = studio.clock.now();
    let id = PictureId::new(created, &studio.randomness);
    let size = pixels.size();
    let cipher = studio.keys.job(job.id).await?.picture(ordinal)?;
    let place = place_in_hand().await?;
    let work = move || {
        let bytes = imaging::encode(&pixels, Format::Png, None)?;
        let sha256 = hex(&Sha256::digest(&bytes).into());
        let sealed = cipher.seal_file(FILE, &id.to_string(), &bytes);
        Ok::<_, ImagingError>((sealed, bytes.len(), sha256, crc32fast::hash(&bytes)))
    };
    let (sealed, size_bytes, sha256, crc32) = aside(place, work).await??;
    let blob = blob_of(id);
    let new = NewPicture {
        id,
        job: job.id,
        person: job.person,
        ordinal,
        seed: job.seed.wrapping_add(ordinal),
        size,
        blob,
        size_bytes,
        sha256,
        crc32,
        created,
        ends: job.keep.end(created),
    };
    studio.shelf.put(&new.blob, sealed).await?;
    Ok(new)
}

/// Puts the file of a picture that was drawn elsewhere on the shelf, and gives its place there.
pub(crate) async fn put_file(
    studio: &Studio,
    keys: &ObjectKeys,
    id: PictureId,
    ordinal: u32,
    bytes: &[u8],
) -> Result<String, Failure> {
    let blob = blob_of(id);
    let sealed = keys
        .picture(ordinal)?
        .seal_file(FILE, &id.to_string(), bytes);
    studio.shelf.put(&blob, sealed).await?;
    Ok(blob)
}

/// The file of an earlier build, sealed; `None` where it has no row.
pub(crate) async fn seal_earlier(
    studio: &Studio,
    blob: &str,
    bytes: &[u8],
) -> Result<Option<Vec<u8>>, Failure> {
    // By id, since that has an index.
    let name = blob.rsplit('/').next().unwrap_or(blob);
    let id = name.trim_end_matches(".png");
    let mut tx = studio.db.read().await?;
    let row: Option<(String, String, i64)> = on!(tx, conn => {
        sqlx::query_as("SELECT id, job_id, ordinal FROM picture WHERE id = $1")
            .bind(id)
            .fetch_optional(conn)
            .await
    })?;
    drop(tx);
    let Some((id, job, ordinal)) = row else {
        return Ok(None);
    };
    let bad = |_| Failure::Row(format!("ordinal of {id}"));
    let ordinal = u32::try_from(ordinal).map_err(bad)?;
    let cipher = studio.keys.object(&job).await?.picture(ordinal)?;
    Ok(Some(cipher.seal_file(FILE, &id, bytes)))
}

pub(crate) async fn insert(tx: &mut Tx, new: &NewPicture) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO picture (id, job_id, person_id, ordinal, seed, width, height, blob, \
             size_bytes, sha256, created_ms, ends_ms, crc32, rights) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(new.id.to_string())
        .bind(new.job.to_string())
        .bind(new.person.to_string())
        .bind(i64::from(new.ordinal))
        .bind(i64::from(new.seed))
        .bind(i64::from(new.size.width))
        .bind(i64::from(new.size.height))
        .bind(&new.blob)
        .bind(i64::try_from(new.size_bytes).unwrap_or(i64::MAX))
        .bind(&new.sha256)
        .bind(new.created.as_millis())
        .bind(new.ends.map(Moment::as_millis))
        .bind(i64::from(new.crc32))
        .bind(rights::CURRENT.edition)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Deletes files that got no row. What can't be deleted now is swept at the next start.
pub(crate) async fn discard(studio: &Studio, pictures: &[NewPicture]) {
    for picture in pictures {
        if let Err(error) = studio.shelf.delete(&picture.blob).await {
            tracing::warn!(%error, "a file without a row stays until the next start");
        }
    }
}

/// A person's picture; `None` where there is none, or where it is somebody else's.
pub async fn find(
    studio: &Studio,
    person: PersonId,
    id: PictureId,
) -> Result<Option<Picture>, Failure> {
    let mut tx = studio.db.read().await?;
    let row = find_row(&mut tx, person, id).await?;
    drop(tx);
    let Some(row) = row else { return Ok(None) };
    let keys = studio.keys.object(&row.job_id).await?;
    row.into_picture(&keys).map(Some)
}

/// How a picture's file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub format: Format,
    /// For JPEG, 1 to 100.
    pub quality: Option<u8>,
    /// With a note in it, whose it is.
    pub noted: bool,
}

impl Wanted {
    /// As it is, with nothing in it but the picture.
    #[must_use]
    pub const fn plain(format: Format, quality: Option<u8>) -> Self {
        Self {
            format,
            quality,
            noted: false,
        }
    }
}

/// The picture's file: as it was stored, or written anew in another format.
pub async fn file(studio: &Studio, picture: &Picture, wanted: Wanted) -> Result<File, Failure> {
    let Wanted {
        format,
        quality,
        noted,
    } = wanted;
    if format == Format::Png && !noted {
        let bytes = stored(studio, picture, TO_DELIVER).await?;
        return Ok(File { bytes, format });
    }
    let place = place_in_hand().await?;
    let stored = stored(studio, picture, TO_DELIVER).await?;
    let (size, rights) = (picture.size, picture.rights);
    let work = move || {
        let plain = match format {
            Format::Png => stored,
            _ => imaging::encode(&imaging::decode(&stored)?, format, quality)?.into(),
        };
        Ok::<Bytes, ImagingError>(match noted {
            true => imaging::with_note(&plain, format, size, &rights.packet())?.into(),
            false => plain,
        })
    };
    let bytes = aside(place, work).await??;
    Ok(File { bytes, format })
}

/// The picture's file as it was stored, for its person to take along; `None` also where it is deleted in
/// this moment.
pub(crate) async fn original(
    studio: &Studio,
    person: PersonId,
    id: PictureId,
) -> Result<Option<Bytes>, Failure> {
    let found = match find(studio, person, id).await {
        Ok(Some(picture)) => stored(studio, &picture, TO_TAKE_ALONG).await,
        Ok(None) => return Ok(None),
        Err(failure) => Err(failure),
    };
    match found {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Failure::Shelf(ShelfError::Missing(_)) | Failure::Keys(KeyError::Gone(_))) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// A preview as a file. `quality`, 1 to 100, is for JPEG.
pub async fn encode(
    pixels: Arc<Pixels>,
    format: Format,
    quality: Option<u8>,
) -> Result<File, Failure> {
    let place = place_in_hand().await?;
    let work = move || imaging::encode(&pixels, format, quality);
    let bytes = aside(place, work).await??.into();
    Ok(File { bytes, format })
}

/// The picture made small, its longer edge at most `edge` pixels, as JPEG.
pub async fn thumbnail(studio: &Studio, picture: &Picture, edge: u32) -> Result<File, Failure> {
    let place = place_in_hand().await?;
    let stored = stored(studio, picture, TO_DELIVER).await?;
    let format = Format::Jpeg;
    let work = move || {
        let small = imaging::fit_within(&imaging::decode(&stored)?, edge);
        imaging::encode(&small, format, None)
    };
    let bytes = aside(place, work).await??.into();
    Ok(File { bytes, format })
}

pub(crate) async fn place_in_hand() -> Result<SemaphorePermit<'static>, Failure> {
    IN_HAND.acquire().await.map_err(|_| Failure::Stopping)
}

/// Does what keeps a processor busy on a thread where nobody waits for it but the caller.
pub(crate) async fn aside<T: Send + 'static, E: Send + 'static>(
    place: SemaphorePermit<'static>,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<Result<T, E>, Failure> {
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        // Held by the work itself, which goes on when its caller is gone.
        drop(place);
        done
    });
    match done.await {
        Ok(done) => Ok(done),
        Err(broken) if broken.is_panic() => std::panic::resume_unwind(broken.into_panic()),
        Err(_) => Err(Failure::Stopping),
    }
}

/// The file of a picture whose row was just read.
async fn stored(studio: &Studio, picture: &Picture, reading: Reading) -> Result<Bytes, Failure> {
    let keys = studio.keys.job(picture.job).await?;
    let cipher = keys.picture(picture.ordinal)?;
    let sealed = studio.shelf.get(&blob_of(picture.id)).await?;
    Ok(cipher.open_file(reading, &picture.id.to_string(), sealed.into())?)
}

/// Where the file of a picture is on the shelf.
fn blob_of(id: PictureId) -> String {
    format!("{FOLDER}/{id}.png")
}

/// Deletes a person's picture, its row at once and its file right after. With a job's last picture
/// its job goes too, so that no words stay whose pictures are gone. `false` where there is none.
pub async fn delete(studio: &Studio, person: PersonId, id: PictureId) -> Result<bool, Failure> {
    Ok(delete_several(studio, person, &[id]).await? > 0)
}

/// Deletes those of these pictures that are the person's, all rows at once; answers how many.
pub async fn delete_several(
    studio: &Studio,
    person: PersonId,
    ids: &[PictureId],
) -> Result<u32, Failure> {
    let mut tx = studio.db.read().await?;
    holds::check(studio, &mut tx, person, Class::Orders).await?;
    drop(tx);
    forget_several(studio, person, ids).await
}

/// The same, also where something is held: nobody can open it any more.
pub(crate) async fn forget_several(
    studio: &Studio,
    person: PersonId,
    ids: &[PictureId],
) -> Result<u32, Failure> {
    // Both in order, lest two who delete at once wait for each other.
    let ids: BTreeSet<&PictureId> = ids.iter().collect();
    let mut jobs = BTreeSet::new();
    let mut blobs = Vec::new();
    let mut tx = studio.db.write().await?;
    for id in ids {
        let gone: Option<(String, String, i64)> = on!(tx, conn => {
            sqlx::query_as(
                "DELETE FROM picture WHERE id = $1 AND person_id = $2 \
                 RETURNING blob, job_id, ordinal",
            )
            .bind(id.to_string())
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
        })?;
        if let Some((blob, job, ordinal)) = gone {
            let bad = |_| Failure::Row(format!("ordinal of {id}"));
            shredding::note_picture(&mut tx, &job, u32::try_from(ordinal).map_err(bad)?).await?;
            jobs.insert(job);
            blobs.push(blob);
        }
    }
    for job in jobs {
        queue::remove_if_empty(&mut tx, &job).await?;
    }
    tx.commit().await?;
    failpoint::here("pictures-deleted");
    if !blobs.is_empty() {
        traces::are_left();
        shredding::carry_out(studio).await?;
    }
    delete_files(studio, &blobs).await?;
    Ok(u32::try_from(blobs.len()).unwrap_or(u32::MAX))
}

/// Marks those of these pictures that are the person's, or takes the mark away; answers how many
/// there are.
pub async fn mark(
    studio: &Studio,
    person: PersonId,
    ids: &[PictureId],
    is_favourite: bool,
) -> Result<u32, Failure> {
    let ids: BTreeSet<&PictureId> = ids.iter().collect();
    let mut tx = studio.db.write().await?;
    let mut marked = 0;
    for id in ids {
        marked += on!(tx, conn => {
            sqlx::query("UPDATE picture SET favourite = $3 WHERE id = $1 AND person_id = $2")
                .bind(id.to_string())
                .bind(person.to_string())
                .bind(i64::from(is_favourite))
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
    }
    tx.commit().await?;
    Ok(u32::try_from(marked).unwrap_or(u32::MAX))
}

/// Deletes the rows of a job's pictures, and gives the keys of their files, which
/// [`delete_files`] deletes once the transaction is committed.
pub(crate) async fn delete_rows(tx: &mut Tx, job: JobId) -> Result<Vec<String>, Failure> {
    Ok(on!(tx, conn => {
        sqlx::query_scalar("DELETE FROM picture WHERE job_id = $1 RETURNING blob")
            .bind(job.to_string())
            .fetch_all(conn)
            .await
    })?)
}

/// Deletes files whose rows are gone, each of them, and then tells of the first that stayed: the
/// sweep at the next start deletes it.
pub(crate) async fn delete_files(studio: &Studio, blobs: &[String]) -> Result<(), Failure> {
    let mut outcome = Ok(());
    for blob in blobs {
        let deleted = studio.shelf.delete(blob).await;
        outcome = outcome.and(deleted.map_err(Failure::from));
    }
    outcome
}

pub(crate) async fn of_job(
    tx: &mut Tx,
    job: JobId,
    keys: &ObjectKeys,
) -> Result<Vec<Picture>, Failure> {
    let rows: Vec<PictureRow> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT picture.*, job.model, job.prompt, job.ancestors, hold.price FROM picture \
             JOIN job ON job.id = picture.job_id LEFT JOIN hold ON hold.job_id = job.id \
             WHERE picture.job_id = $1 ORDER BY picture.ordinal",
        )
        .bind(job.to_string())
        .fetch_all(conn)
        .await
    })?;
    rows.into_iter().map(|row| row.into_picture(keys)).collect()
}

async fn find_row(
    tx: &mut Tx,
    person: PersonId,
    id: PictureId,
) -> Result<Option<PictureRow>, Failure> {
    Ok(on!(tx, conn => {
        sqlx::query_as(
            "SELECT picture.*, job.model, job.prompt, job.ancestors, hold.price FROM picture \
             JOIN job ON job.id = picture.job_id LEFT JOIN hold ON hold.job_id = job.id \
             WHERE picture.id = $1 AND picture.person_id = $2",
        )
        .bind(id.to_string())
        .bind(person.to_string())
        .fetch_optional(conn)
        .await
    })?)
}

#[derive(sqlx::FromRow)]
pub(crate) struct PictureRow {
    id: String,
    pub(crate) job_id: String,
    ordinal: i64,
    seed: i64,
    width: i64,
    height: i64,
    size_bytes: i64,
    sha256: String,
    created_ms: i64,
    favourite: i64,
    ends_ms: Option<i64>,
    rights: String,
    model: String,
    prompt: String,
    ancestors: String,
    price: Option<i64>,
}

impl PictureRow {
    pub(crate) fn id(&self) -> Result<PictureId, Failure> {
        let bad = |_| Failure::Row(format!("id of {}", self.id));
        self.id.parse().map_err(bad)
    }

    fn ordinal(&self) -> Result<u32, Failure> {
        let bad = |_| Failure::Row(format!("ordinal of {}", self.id));
        u32::try_from(self.ordinal).map_err(bad)
    }

    pub(crate) fn into_picture(self, keys: &ObjectKeys) -> Result<Picture, Failure> {
        let row = |what: &str| Failure::Row(format!("{what} of {}", self.id));
        let number = |n: i64, what: &str| u32::try_from(n).map_err(|_| row(what));
        let ordinal = self.ordinal()?;
        let prompt = match self.prompt.as_str() {
            "" => None,
            sealed => {
                let text = keys
                    .words()?
                    .open(jobs::READ_PROMPT, &self.job_id, sealed)?;
                Some(Prompt::new(text.expose()).map_err(|_| row("prompt"))?)
            }
        };
        Ok(Picture {
            id: self.id.parse().map_err(|_| row("id"))?,
            job: self.job_id.parse().map_err(|_| row("job"))?,
            ordinal,
            seed: number(self.seed, "seed")?,
            size: Size {
                width: number(self.width, "width")?,
                height: number(self.height, "height")?,
            },
            prompt,
            size_bytes: u64::try_from(self.size_bytes).map_err(|_| row("size"))?,
            sha256: self.sha256.clone(),
            price: self.price.map(Credits::new),
            kind: if self.ancestors == "[]" {
                Kind::Drawing
            } else {
                Kind::Variation
            },
            is_favourite: self.favourite != 0,
            created: Moment::from_millis(self.created_ms),
            ends: self.ends_ms.map(Moment::from_millis),
            rights: Rights::of(&self.rights).ok_or_else(|| row("edition of the rights"))?,
            model: ModelName::new(self.model),
        })
    }
}
