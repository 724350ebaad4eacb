//! Pictures that somebody else gets than their person: everybody, or whoever trains a model. Each takes a
//! proof that its person agreed to that.

use domain::picture::{Format, Pixels};
use domain::prompt::Prompt;
use outside::shelf::ShelfError;

use super::{FOLDER, File, PictureRow, aside, blob_of, find_row, place_in_hand};
use crate::privacy::consent::Proof;
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::{KeyError, Place, Reading};
use crate::{Failure, Studio};

const FILE: Place = Place::files("picture", FOLDER);
const TO_SHOW: Reading = FILE.read_for(Purpose::Examples);
const TO_TEACH: Reading = FILE.read_for(Purpose::TrainingPictures);

const PROMPT: Place = Place::new("job", "prompt");
const WORDS_TO_TEACH: Reading = PROMPT.read_for(Purpose::TrainingWords);
const WORDS_TO_JUDGE: Reading = PROMPT.read_for(Purpose::TrainingPictures);

/// The picture of which somebody agreed that everybody sees it, its longer edge at most `edge` pixels, as JPEG;
/// `None` where it is deleted in this moment.
pub(crate) async fn shown(
    studio: &Studio,
    proof: &Proof,
    edge: u32,
) -> Result<Option<File>, Failure> {
    let Some(pixels) = pixels(studio, proof, TO_SHOW).await? else {
        return Ok(None);
    };
    let format = Format::Jpeg;
    let place = place_in_hand().await?;
    let work = move || imaging::encode(&imaging::fit_within(&pixels, edge), format, None);
    let bytes = aside(place, work).await??.into();
    Ok(Some(File { bytes, format }))
}

/// The picture of which somebody agreed that models learn from it, as PNG written anew from the pixels; `None`
/// where it is deleted in this moment.
pub(crate) async fn taught(studio: &Studio, proof: &Proof) -> Result<Option<Vec<u8>>, Failure> {
    let Some(pixels) = pixels(studio, proof, TO_TEACH).await? else {
        return Ok(None);
    };
    let place = place_in_hand().await?;
    let png = aside(place, move || imaging::encode(&pixels, Format::Png, None)).await??;
    Ok(Some(png))
}

/// Its words, with the proof that they may go along.
pub(crate) async fn taught_words(
    studio: &Studio,
    proof: &Proof,
) -> Result<Option<Prompt>, Failure> {
    words(studio, proof, WORDS_TO_TEACH).await
}

/// The words of a picture that models may learn from, to see whether it shows somebody. They stay here.
pub(crate) async fn judged(studio: &Studio, proof: &Proof) -> Result<Option<Prompt>, Failure> {
    words(studio, proof, WORDS_TO_JUDGE).await
}

/// `None` also where it was drawn in private.
async fn words(
    studio: &Studio,
    proof: &Proof,
    reading: Reading,
) -> Result<Option<Prompt>, Failure> {
    let Some(row) = row(studio, proof, reading).await? else {
        return Ok(None);
    };
    if row.prompt.is_empty() {
        return Ok(None);
    }
    let opened = async {
        let keys = studio.keys.object(&row.job_id).await?;
        let text = keys.words()?.open(reading, &row.job_id, &row.prompt)?;
        let bad = |_| Failure::Row(format!("prompt of {}", row.job_id));
        Prompt::new(text.expose()).map_err(bad)
    };
    or_gone(opened.await)
}

/// `None` also where the proof is of something else than it is read for.
async fn row(
    studio: &Studio,
    proof: &Proof,
    reading: Reading,
) -> Result<Option<PictureRow>, Failure> {
    let about = proof.subject();
    let is_for_it = about.optional.purpose() == reading.purpose();
    let Some(id) = about.picture.filter(|_| is_for_it) else {
        return Ok(None);
    };
    let mut tx = studio.db.read().await?;
    find_row(&mut tx, proof.person(), id).await
}

async fn pixels(
    studio: &Studio,
    proof: &Proof,
    reading: Reading,
) -> Result<Option<Pixels>, Failure> {
    let Some(row) = row(studio, proof, reading).await? else {
        return Ok(None);
    };
    let opened = async {
        let id = row.id()?;
        let keys = studio.keys.object(&row.job_id).await?;
        let cipher = keys.picture(row.ordinal()?)?;
        let sealed = studio.shelf.get(&blob_of(id)).await?;
        Ok(cipher.open_file(reading, &id.to_string(), sealed.into())?)
    };
    let Some(stored) = or_gone(opened.await)? else {
        return Ok(None);
    };
    let place = place_in_hand().await?;
    let pixels = aside(place, move || imaging::decode(&stored)).await??;
    Ok(Some(pixels))
}

/// `None` where it is deleted in this moment.
fn or_gone<T>(found: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Failure::Shelf(ShelfError::Missing(_)) | Failure::Keys(KeyError::Gone(_))) => Ok(None),
        Err(failure) => Err(failure),
    }
}
