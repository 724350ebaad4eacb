//! Is learned from: pictures of which their people say so, one by one, gathered for whoever trains a model.
//!
//! Architecture invariant: an [`Item`] is made of a [`Proof`] that its person agreed to this very picture, and
//! of nothing else, so there is no collection with a picture that nobody agreed to. Proofs are asked for right
//! before a picture is taken, and there is none whose people did not get their entry in the log.
//!
//! Nothing of an item tells whose it is: pictures are written anew from their pixels, in random order, under
//! running numbers, and only where enough people gave some. That whoever drew a picture knows it again can't
//! be helped, which is why this is done with consent and not called anonymous.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use db::{Tx, on};
use domain::ids::{PersonId, PictureId};
use domain::prompt::Prompt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::accounts::person;
use crate::pictures;
use crate::privacy::canonical;
use crate::privacy::consent::{self, Optional, Proof};
use crate::privacy::log::{self, Event, Kind};
use crate::{Failure, Studio};

/// People who give at least one picture, or there is no collection. Nobody gives more than the one who gives
/// the tenth most, so nobody more than a tenth.
pub const MIN_PEOPLE: usize = 10;

/// Says what a manifest is, and which edition of its fields it has.
pub const KIND: &str = "pinhole/training-set/1";

/// Words that ask for somebody's likeness: such pictures stay here, whatever was agreed to.
const LIKENESS: [&str; 8] = [
    "selfie",
    "portrait",
    "photo",
    "photograph",
    "passport",
    "headshot",
    "face",
    "mugshot",
];

#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    #[error(
        "{people} people let models learn from a picture of theirs, and it takes {MIN_PEOPLE}, so that nobody \
         is known by what they gave. Nothing was written."
    )]
    TooFew { people: usize },
    #[error(
        "The person of picture {0} does not let models learn from it, so nothing was written. That it was \
         asked for is in their log."
    )]
    NoConsent(PictureId),
    #[error("There is no picture {0} here. Nothing was written.")]
    NoPicture(PictureId),
    #[error("It can't be written down: {0}")]
    Kept(io::Error),
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(TrainingError);

/// One picture of a collection, as others get it.
#[derive(Debug)]
pub struct Item {
    /// PNG with nothing in it but the picture.
    png: Vec<u8>,
    /// Where they may go along, and tell of nobody.
    words: Option<Prompt>,
}

impl Item {
    /// The only way to one. A proof is used up: what was agreed to is asked again for the next collection.
    async fn new(
        studio: &Studio,
        picture: Proof,
        words: Option<Proof>,
    ) -> Result<Option<Self>, Failure> {
        let Some(png) = pictures::taught(studio, &picture).await? else {
            return Ok(None);
        };
        let words = match &words {
            Some(proof) => pictures::taught_words(studio, proof).await?,
            None => None,
        };
        let known = match words {
            Some(_) => names_of(studio, picture.person()).await?,
            None => Vec::new(),
        };
        Ok(Some(Self {
            png,
            words: words.filter(|words| !tells_of_somebody(words.expose(), &known)),
        }))
    }

    #[must_use]
    pub fn png(&self) -> &[u8] {
        &self.png
    }

    #[must_use]
    pub fn words(&self) -> Option<&str> {
        self.words.as_ref().map(Prompt::expose)
    }
}

/// By which somebody is called here; words that hold one of them are left out.
async fn names_of(studio: &Studio, person: PersonId) -> Result<Vec<String>, Failure> {
    let Some(account) = person::find(studio, person).await? else {
        return Ok(Vec::new());
    };
    let address = account.address.expose().to_owned();
    let mailbox = address.split('@').next().unwrap_or_default().to_owned();
    let mut names = vec![mailbox, address];
    names.extend(account.username.map(|name| name.expose().to_owned()));
    names.extend(account.display_name.map(|name| name.expose().to_owned()));
    Ok(names)
}

fn asks_for_a_likeness(prompt: &Prompt) -> bool {
    let lower = prompt.expose().to_lowercase();
    let mut words = lower.split(|letter: char| !letter.is_alphanumeric());
    words.any(|word| {
        LIKENESS.contains(&word.strip_suffix('s').unwrap_or(word)) || LIKENESS.contains(&word)
    })
}

/// Whether words hold an address, a long number, or one of these names.
fn tells_of_somebody(text: &str, names: &[String]) -> bool {
    let lower = text.to_lowercase();
    let digits = lower.chars().filter(char::is_ascii_digit).count();
    let has_address = ["@", "://", "www."].iter().any(|sign| lower.contains(sign));
    let is_named = |name: &String| {
        let name = name.to_lowercase();
        name.chars().count() > 2 && lower.contains(&name)
    };
    digits > 4 || has_address || names.iter().any(is_named)
}

/// What is said of a collection that was gathered.
#[derive(Debug)]
pub struct Collection {
    pub pictures: usize,
    /// Signed by the house: how many, under which words, and the checksum of each. It names nobody.
    pub manifest: String,
}

/// Gathers everything that may be learned from, in random order, hands each to `keep` under its name, and writes
/// into the log of each person how many pictures of theirs were taken. With `only`, these pictures and no others:
/// each of them must be agreed to, or nothing is gathered and its person reads in their log that it was asked for.
/// Where this fails, what was kept is no collection, and has to be deleted.
pub async fn gather(
    studio: &Studio,
    only: &[PictureId],
    mut keep: impl FnMut(&str, &Item) -> io::Result<()>,
) -> Result<Collection, TrainingError> {
    let owned = match only {
        [] => agreed(studio).await?,
        named => named_ones(studio, named).await?,
    };
    let mut files = Vec::new();
    let mut checksums = String::new();
    let mut taken: BTreeMap<PersonId, i64> = BTreeMap::new();
    for (person, picture) in chosen(studio, owned).await? {
        // Asked once more for each, since gathering takes a while and a no holds at once.
        let mut tx = studio.db.read().await?;
        let proof = consent::prove(&mut tx, person, Optional::TrainingPictures, picture).await?;
        let words = consent::prove(&mut tx, person, Optional::TrainingWords, picture).await?;
        drop(tx);
        let Some(proof) = proof else { continue };
        if let Some(item) = Item::new(studio, proof, words).await? {
            let name = format!("{:06}.png", files.len() + 1);
            keep(&name, &item).map_err(TrainingError::Kept)?;
            let sha256 = sha256(&item.png);
            checksums += &sha256;
            files
                .push(json!({ "file": name, "sha256": sha256, "has_words": item.words.is_some() }));
            *taken.entry(person).or_default() += 1;
        }
    }
    if taken.len() < MIN_PEOPLE {
        return Err(TrainingError::TooFew {
            people: taken.len(),
        });
    }
    let set = sha256(checksums.as_bytes());
    tell(studio, &set, &taken).await?;
    Ok(Collection {
        pictures: files.len(),
        manifest: manifest(studio, &set, &files),
    })
}

/// Those that are taken, in random order: enough people, and of nobody more than of the tenth.
async fn chosen(
    studio: &Studio,
    owned: Vec<(PersonId, PictureId)>,
) -> Result<Vec<(PersonId, PictureId)>, TrainingError> {
    let mut by_person: BTreeMap<PersonId, Vec<PictureId>> = BTreeMap::new();
    for (person, picture) in owned {
        let mut tx = studio.db.read().await?;
        let proof = consent::prove(&mut tx, person, Optional::TrainingPictures, picture).await?;
        drop(tx);
        let Some(proof) = proof else { continue };
        let prompt = pictures::judged(studio, &proof).await?;
        // What can't be read can't be judged: whoever drew in private wanted nobody to know.
        if prompt.is_some_and(|prompt| !asks_for_a_likeness(&prompt)) {
            by_person.entry(person).or_default().push(picture);
        }
    }
    let mut shares: Vec<usize> = by_person.values().map(Vec::len).collect();
    shares.sort_unstable_by(|one, other| other.cmp(one));
    let people = shares.len();
    let most = shares.get(MIN_PEOPLE - 1).copied();
    let most = most.ok_or(TrainingError::TooFew { people })?;
    let mut chosen = Vec::new();
    for (person, mut pictures) in by_person {
        shuffle(studio, &mut pictures);
        pictures.truncate(most);
        chosen.extend(pictures.into_iter().map(|picture| (person, picture)));
    }
    shuffle(studio, &mut chosen);
    Ok(chosen)
}

/// The document that goes with a collection. How many people there are is not said: with the next one it would
/// tell when somebody came or went.
fn manifest(studio: &Studio, set: &str, files: &[Value]) -> String {
    let edition = |optional: Optional| {
        let edition = optional.edition();
        json!({
            "purpose": optional.name(),
            "version": edition.version,
            "text": edition.text(),
            "text_sha256": edition.sha256(),
        })
    };
    let document = json!({
        "kind": KIND,
        "set": set,
        "people_at_least": MIN_PEOPLE,
        "pictures": files.len(),
        "agreed_to": [edition(Optional::TrainingPictures), edition(Optional::TrainingWords)],
        "files": files,
    });
    canonical::signed(&studio.keys, "receipt", &document)
}

/// One entry for each person, all at once or none.
async fn tell(studio: &Studio, set: &str, taken: &BTreeMap<PersonId, i64>) -> Result<(), Failure> {
    let mut tx = studio.db.write().await?;
    for (person, pictures) in taken {
        let event = Event {
            kind: Kind::LearnedFrom,
            person: Some(*person),
            what: json!({ "set": set, "pictures": pictures }),
        };
        log::note(studio, &mut tx, &event).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Every picture that may be learned from, with its person.
async fn agreed(studio: &Studio) -> Result<Vec<(PersonId, PictureId)>, Failure> {
    let condition = consent::allows_picture(
        Optional::TrainingPictures,
        "picture.person_id",
        "picture.id",
    );
    let statement = format!("SELECT person_id, id FROM picture WHERE {condition}");
    let mut tx = studio.db.read().await?;
    let rows: Vec<(String, String)> = on!(tx, conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(statement)).fetch_all(conn).await
    })?;
    let bad = |_| Failure::Row("person or picture of a decision".to_owned());
    let mut all = Vec::new();
    for (person, picture) in rows {
        all.push((
            person.parse().map_err(bad)?,
            picture
                .parse()
                .map_err(|_| Failure::Row("picture of a decision".to_owned()))?,
        ));
    }
    Ok(all)
}

/// Those that were named, each agreed to; a refusal is an entry in the log of whoever did not agree.
async fn named_ones(
    studio: &Studio,
    named: &[PictureId],
) -> Result<Vec<(PersonId, PictureId)>, TrainingError> {
    let named: BTreeSet<PictureId> = named.iter().copied().collect();
    let mut all = Vec::new();
    for picture in named {
        let mut tx = studio.db.write().await?;
        let person = owner(&mut tx, picture).await?;
        let person = person.ok_or(TrainingError::NoPicture(picture))?;
        let proof = consent::prove(&mut tx, person, Optional::TrainingPictures, picture).await?;
        if proof.is_none() {
            let event = Event {
                kind: Kind::LearningRefused,
                person: Some(person),
                what: json!({ "picture": picture }),
            };
            log::note(studio, &mut tx, &event).await?;
            tx.commit().await?;
            return Err(TrainingError::NoConsent(picture));
        }
        all.push((person, picture));
    }
    Ok(all)
}

async fn owner(tx: &mut Tx, picture: PictureId) -> Result<Option<PersonId>, Failure> {
    let person: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT person_id FROM picture WHERE id = $1")
            .bind(picture.to_string())
            .fetch_optional(conn)
            .await
    })?;
    let bad = |_| Failure::Row(format!("person of {picture}"));
    person.map(|id| id.parse().map_err(bad)).transpose()
}

/// In hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    log::hex(&Sha256::digest(bytes).into())
}

/// In random order (Fisher and Yates), by the studio's randomness.
fn shuffle<T>(studio: &Studio, all: &mut [T]) {
    for last in (1..all.len()).rev() {
        let mut bytes = [0; 8];
        studio.randomness.fill(&mut bytes);
        let bound = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
        let other = usize::try_from(u64::from_le_bytes(bytes) % bound).unwrap_or(0);
        all.swap(last, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_own_03_words_that_tell_of_somebody_stay_here() {
        let names = ["Ada Lovelace".to_owned(), "ada.l".to_owned()];
        for text in [
            "a birthday card for Ada Lovelace",
            "ADA LOVELACE as a cat",
            "a note from ada.l",
            "write to somebody@example.org",
            "the page https://example.org",
            "www.example.org on a sign",
            "call 0170 12345",
        ] {
            assert!(tells_of_somebody(text, &names), "{text}");
        }
        for text in ["a cat on a blue ground", "two of 1984", "a lovely lace"] {
            assert!(!tells_of_somebody(text, &names), "{text}");
        }
    }

    #[test]
    fn promise_own_03_likenesses_are_not_learned_from() {
        let asks = |text: &str| asks_for_a_likeness(&Prompt::new(text).expect("words"));
        for text in ["a Selfie at the sea", "passport photos", "my face, smiling"] {
            assert!(asks(text), "{text}");
        }
        for text in ["a cat", "a surface of water", "two photons"] {
            assert!(!asks(text), "{text}");
        }
    }
}
