//! Keys, and with them the power to forget: a key-encryption key that lies outside of every database
//! wraps one key per person, and that wraps one key per object. What tells of a person is stored as
//! what these seal. Who deletes a key deletes what it opened, in every copy that was ever made.
//!
//! The keys have a database of their own, the key store, with its own backups, which live for days.
//!
//! A shred takes hold at once in the process that makes it, and within a second in the others: each
//! looks, before it uses a key that it remembers, whether keys were shredded since, at most
//! [`LOOK_EVERY`] ago. What another process seals within that second under a person's key that is gone
//! can be read by nobody, that process included as soon as it has looked; new keys for objects need the
//! person's row, so none is made for who has been shredded.

mod cipher;
mod copies;
pub mod earlier;
mod house;
mod kek;
mod memory;
mod parcel;
mod place;
mod rotation;
pub mod shredding;
mod store;
mod writing;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use db::{Db, DbError};
use domain::clock::Clock;
use domain::ids::{JobId, PersonId};
use domain::randomness::Randomness;

use self::cipher::Key;
use self::house::House;
use self::kek::Kek;
use self::memory::Memory;
use self::writing::{Change, Writer};
use super::inventory::Purpose;

pub(crate) use cipher::MARK;
pub use cipher::{Cipher, Sealed};
pub(crate) use copies::{KEYS_KEPT_MS, Kept, Stage, TOMBSTONES_KEPT_MS, is_named, note_put_back};
pub use house::verify;
pub use kek::{KekError, KekSource};
pub(crate) use parcel::Parcel;
pub use place::{Place, Reading};
pub use rotation::{Epoch, Rotated};
pub use store::{BadStore, OpenError};

/// How often it is looked whether another process has shredded keys, while keys are used.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// No key that is remembered is used without such a look within this time.
const LOOKED_WITHIN: Duration = Duration::from_millis(900);

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the key of {0} is gone: it was shredded, and nobody can read any more what it opened")]
    Gone(String),
    #[error(
        "what stands in {place} of {row} does not open: it was changed, or it was moved there from \
         another row or from somebody else. Restore that row from a backup"
    )]
    Broken { place: Place, row: String },
    #[error(
        "what stands in {place} is not read to {}: the inventory does not list it. Nothing was opened",
        purpose.words()
    )]
    Purpose { place: Place, purpose: Purpose },
    #[error(
        "what stands in {place} is not in this view, so its person was not told. Nothing was opened"
    )]
    Unseen { place: Place },
    #[error(
        "the key of {row} does not open: its row in the key store was changed, or moved there from \
         somebody else. Restore that row from a backup of the key store"
    )]
    BrokenKey { row: String },
    #[error(
        "the key of {row} is wrapped by the key-encryption key {epoch}, which is not in {place}. Put it \
         there again; without it nothing of these people can be read"
    )]
    Locked {
        row: String,
        epoch: String,
        place: String,
    },
    #[error(transparent)]
    Kek(#[from] KekError),
    #[error("the key store failed: {0}")]
    Store(String),
}

impl KeyError {
    fn broken(place: Place, row: &str) -> Self {
        Self::Broken {
            place,
            row: row.to_owned(),
        }
    }
}

impl From<DbError> for KeyError {
    fn from(error: DbError) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<sqlx::Error> for KeyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.to_string())
    }
}

/// The keys of everybody in this house. Clones share everything.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    db: Db,
    source: KekSource,
    /// Those that were read from the source, the newest last.
    keks: RwLock<Vec<Kek>>,
    clock: Clock,
    randomness: Randomness,
    house: House,
    memory: Mutex<Memory>,
    looked: Mutex<Look>,
    looking: tokio::sync::Mutex<()>,
    writer: Writer,
}

/// What the key store said when it was looked at last.
struct Look {
    at: Instant,
    shreds: i64,
    /// The epoch that wraps.
    epoch: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

/// The keys of one order, or of one portrait: that of its words, then those of its files.
#[derive(Clone, Debug)]
pub struct ObjectKeys(Arc<Slots>);

#[derive(Debug)]
struct Slots {
    id: String,
    person: String,
    keys: Vec<Option<Key>>,
    randomness: Randomness,
}

/// Where the key of an order's words stands.
pub(crate) const WORDS: usize = 0;

/// Where the key of the picture stands that is `ordinal`-th of its order.
#[must_use]
pub(crate) const fn slot_of(ordinal: u32) -> usize {
    ordinal as usize + 1
}

/// A key of an object, by name.
pub(crate) fn slot_text(id: &str, slot: usize) -> String {
    format!("{id}|{slot}")
}

impl ObjectKeys {
    fn slot(&self, slot: usize) -> Result<Cipher, KeyError> {
        let key = self.0.keys.get(slot).and_then(Option::as_ref);
        let key = key.ok_or_else(|| KeyError::Gone(self.0.id.clone()))?;
        let owner = self.0.person.clone();
        Ok(Cipher::new(key.clone(), owner, &self.0.randomness))
    }

    /// For the words of an order.
    pub fn words(&self) -> Result<Cipher, KeyError> {
        self.slot(WORDS)
    }

    /// For one of its pictures.
    pub fn picture(&self, ordinal: u32) -> Result<Cipher, KeyError> {
        self.slot(slot_of(ordinal))
    }

    /// For something that has one key alone.
    pub fn only(&self) -> Result<Cipher, KeyError> {
        self.slot(WORDS)
    }
}

impl Keys {
    /// Gives a person a key, before the row of the person is written. Again changes nothing.
    pub async fn make_person(&self, person: PersonId) -> Result<(), KeyError> {
        self.look().await?;
        let person = person.to_string();
        let key = Key::new(&self.0.randomness);
        let kek = self.newest()?;
        let wrapped = kek
            .key
            .wrap(&key, &store::person_name(&person), &self.0.randomness);
        let era = self.memory().era;
        let change = Change::Person {
            person: person.clone(),
            epoch: kek.id,
            wrapped,
            created_ms: self.0.clock.now().as_millis(),
        };
        let is_new = self.0.writer.write(change).await? == 1;
        let mut memory = self.memory();
        if is_new && memory.era == era {
            memory.people.put(person, key);
        }
        Ok(())
    }

    /// A person's own key.
    pub async fn of(&self, person: PersonId) -> Result<Cipher, KeyError> {
        let id = person.to_string();
        let key = self.person_key(&id).await?;
        Ok(Cipher::new(key, id, &self.0.randomness))
    }

    /// The key of the person where there is one; the house's where what is sealed has no person yet.
    pub async fn of_whom(&self, person: Option<PersonId>) -> Result<Cipher, KeyError> {
        match person {
            Some(person) => self.of(person).await,
            None => Ok(self.nobody()),
        }
    }

    /// Keys of many people at once; who has none any more is left out.
    pub async fn of_all(
        &self,
        people: impl IntoIterator<Item = PersonId>,
    ) -> Result<HashMap<PersonId, Cipher>, KeyError> {
        let mut found = HashMap::new();
        for person in people {
            match self.of(person).await {
                Ok(cipher) => {
                    found.insert(person, cipher);
                }
                Err(KeyError::Gone(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// What is sealed for nobody in particular: a sign-up that was not confirmed, a letter to who has
    /// no account.
    #[must_use]
    pub fn nobody(&self) -> Cipher {
        let key = self.0.house.nobody.clone();
        Cipher::new(key, "nobody".to_owned(), &self.0.randomness)
    }

    /// Makes the keys of an order: of its words and of its pictures. They are durable when this
    /// returns, in one commit with whoever else waits for one.
    pub async fn make_job(
        &self,
        person: PersonId,
        job: JobId,
        pictures: u32,
    ) -> Result<ObjectKeys, KeyError> {
        self.make_object(person, job.to_string(), 1 + pictures as usize)
            .await
    }

    /// As [`Keys::make_job`] for anything else that is deleted by itself.
    pub async fn make_object(
        &self,
        person: PersonId,
        id: String,
        slots: usize,
    ) -> Result<ObjectKeys, KeyError> {
        let person = person.to_string();
        let outer = self.person_key(&person).await?;
        let randomness = &self.0.randomness;
        let keys: Vec<Key> = (0..slots).map(|_| Key::new(randomness)).collect();
        let wrapped: Vec<String> = (0..)
            .zip(&keys)
            .map(|(slot, key)| outer.wrap(key, &store::slot_name(&id, slot, &person), randomness))
            .collect();
        let era = self.memory().era;
        let change = Change::Object {
            id: id.clone(),
            person: person.clone(),
            wrapped: wrapped.join("."),
        };
        let written = match self.0.writer.write(change).await {
            Ok(written) => written,
            // The person's key went in this moment: without its row none can be written.
            Err(_) if store::person(&self.0.db, &person).await?.is_none() => {
                return Err(KeyError::Gone(person));
            }
            Err(error) => return Err(error),
        };
        if written == 0 {
            // Somebody else made them.
            return self.object(&id).await;
        }
        let made = ObjectKeys(Arc::new(Slots {
            id: id.clone(),
            person,
            keys: keys.into_iter().map(Some).collect(),
            randomness: randomness.clone(),
        }));
        let mut memory = self.memory();
        if memory.era == era {
            memory.objects.put(id, made.clone());
        }
        Ok(made)
    }

    /// The keys of an order.
    pub async fn job(&self, job: JobId) -> Result<ObjectKeys, KeyError> {
        self.object(&job.to_string()).await
    }

    pub async fn object(&self, id: &str) -> Result<ObjectKeys, KeyError> {
        let mut found = self.objects(&[id]).await?;
        found
            .remove(id)
            .ok_or_else(|| KeyError::Gone(id.to_owned()))
    }

    /// The keys of several objects, read at once; those that are gone are left out.
    pub async fn objects(&self, ids: &[&str]) -> Result<HashMap<String, ObjectKeys>, KeyError> {
        self.look().await?;
        let mut found = HashMap::new();
        let mut missing = Vec::new();
        let era = {
            let mut memory = self.memory();
            for id in ids {
                if found.contains_key(*id) {
                    continue;
                }
                match memory.objects.get(*id) {
                    Some(keys) => {
                        found.insert((*id).to_owned(), keys);
                    }
                    None => missing.push(*id),
                }
            }
            memory.era
        };
        if missing.is_empty() {
            return Ok(found);
        }
        missing.sort_unstable();
        missing.dedup();
        for row in store::objects(&self.0.db, &missing).await? {
            let outer = self.person_key(&row.person_id).await?;
            let keys = self.unwrap_object(&outer, row)?;
            let mut memory = self.memory();
            if memory.era == era {
                memory.objects.put(keys.0.id.clone(), keys.clone());
            }
            found.insert(keys.0.id.clone(), keys);
        }
        Ok(found)
    }

    fn unwrap_object(&self, outer: &Key, row: store::ObjectRow) -> Result<ObjectKeys, KeyError> {
        let mut keys = Vec::new();
        for (slot, wrapped) in row.wrapped.split('.').enumerate() {
            keys.push(match wrapped {
                "" => None,
                wrapped => {
                    let name = store::slot_name(&row.id, slot, &row.person_id);
                    let key = outer.unwrap(wrapped, &name);
                    let row = || row.id.clone();
                    Some(key.ok_or_else(|| KeyError::BrokenKey { row: row() })?)
                }
            });
        }
        Ok(ObjectKeys(Arc::new(Slots {
            id: row.id,
            person: row.person_id,
            keys,
            randomness: self.0.randomness.clone(),
        })))
    }

    async fn person_key(&self, person: &str) -> Result<Key, KeyError> {
        self.look().await?;
        let era = {
            let mut memory = self.memory();
            if let Some(key) = memory.people.get(person) {
                return Ok(key);
            }
            memory.era
        };
        let row = store::person(&self.0.db, person).await?;
        let (epoch, wrapped) = row.ok_or_else(|| KeyError::Gone(person.to_owned()))?;
        let key = self.unwrap_by(&epoch, &wrapped, &store::person_name(person))?;
        let mut memory = self.memory();
        if memory.era == era {
            memory.people.put(person.to_owned(), key.clone());
        }
        Ok(key)
    }

    /// Shreds the key of a person and with it those of everything that is theirs; tells how many.
    pub async fn shred_person(&self, person: PersonId) -> Result<u64, KeyError> {
        let person = person.to_string();
        let change = Change::ShredPerson {
            tombstone: self.tombstone(&person),
            person: person.clone(),
        };
        let shredded = self.0.writer.write(change).await;
        self.memory().forget_person(&person);
        shredded
    }

    /// Shreds all keys of an object; tells how many.
    pub async fn shred_object(&self, id: &str) -> Result<u64, KeyError> {
        let change = Change::ShredObject {
            id: id.to_owned(),
            tombstone: self.tombstone(id),
        };
        let shredded = self.0.writer.write(change).await;
        self.memory().forget_object(id);
        shredded
    }

    /// Shreds one key of an object: that of a picture, see [`slot_of`]. Its words stay.
    pub async fn shred_slot(&self, id: &str, slot: usize) -> Result<u64, KeyError> {
        let change = Change::ShredSlot {
            id: id.to_owned(),
            slot,
            tombstone: self.tombstone(&slot_text(id, slot)),
        };
        let shredded = self.0.writer.write(change).await;
        self.memory().forget_object(id);
        shredded
    }

    /// Takes back the keys of an order that was refused. They have sealed nothing, so nobody waits
    /// until they are gone.
    pub(crate) fn unmake_job(&self, job: JobId) {
        let id = job.to_string();
        self.memory().forget_object(&id);
        self.0.writer.send(Change::Unmake { id });
    }

    /// Whose the keys of an object are; `None` where there are none.
    pub(crate) async fn owner(&self, id: &str) -> Result<Option<String>, KeyError> {
        let rows = store::objects(&self.0.db, &[id]).await?;
        Ok(rows.into_iter().next().map(|row| row.person_id))
    }

    /// How many keys there are for a person: their own, and those of their objects.
    pub async fn count_of(&self, person: PersonId) -> Result<u64, KeyError> {
        Ok(store::count_of(&self.0.db, &person.to_string()).await?)
    }

    /// By which something is found that can't be read: the same for the same text of the same kind.
    /// Without the house's key nobody can try which text it was.
    #[must_use]
    pub fn blind(&self, kind: &str, text: &str) -> String {
        self.0.house.blind(kind, text)
    }

    /// Signs in the name of this house (Ed25519, RFC 8032).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.house.sign(message)
    }

    /// The key by which others check what this house has signed.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.0.house.public_key()
    }

    /// The key store itself, for the fence at the start.
    pub(crate) fn store(&self) -> &Db {
        &self.0.db
    }

    /// Remembers how far the log has come, apart from the log itself.
    pub(crate) async fn anchor(&self, size: u64, root: &str) -> Result<(), KeyError> {
        Ok(store::anchor(&self.0.db, size, root).await?)
    }

    /// How far the log has come, as it was last remembered.
    pub(crate) async fn anchored(&self) -> Result<Option<(u64, String)>, KeyError> {
        Ok(store::anchored(&self.0.db).await?)
    }

    /// Where the key-encryption keys are.
    #[must_use]
    pub fn source(&self) -> &KekSource {
        &self.0.source
    }

    pub async fn close(&self) {
        self.0.db.close().await;
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn looked(&self) -> MutexGuard<'_, Look> {
        self.0.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what is remembered where another process has shredded keys.
    async fn look(&self) -> Result<(), KeyError> {
        let age = self.looked().at.elapsed();
        if age < LOOK_EVERY {
            return Ok(());
        }
        let _looking = match self.0.looking.try_lock() {
            Ok(mine) => mine,
            // Somebody looks just now; so long the last look holds.
            Err(_) if age < LOOKED_WITHIN => return Ok(()),
            Err(_) => self.0.looking.lock().await,
        };
        if self.looked().at.elapsed() < LOOK_EVERY {
            return Ok(());
        }
        let at = Instant::now();
        let (shreds, epoch) = store::look(&self.0.db).await?;
        let mut looked = self.looked();
        if looked.shreds != shreds {
            self.memory().forget_all();
        }
        *looked = Look { at, shreds, epoch };
        Ok(())
    }

    /// The key-encryption key that wraps: of the newest epoch, where this process knows it.
    fn newest(&self) -> Result<Kek, KeyError> {
        let epoch = self.looked().epoch.clone();
        self.kek(&epoch, "new people")
    }

    fn kek(&self, epoch: &str, row: &str) -> Result<Kek, KeyError> {
        let find = |keks: &[Kek]| keks.iter().find(|kek| kek.id == epoch).cloned();
        let known = self.0.keks.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(kek) = find(&known) {
            return Ok(kek);
        }
        drop(known);
        // Another process may have begun a new epoch: then it stands in the file by now.
        let fresh = self.0.source.load()?;
        let found = find(&fresh);
        *self.0.keks.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        found.ok_or_else(|| KeyError::Locked {
            row: row.to_owned(),
            epoch: epoch.to_owned(),
            place: self.0.source.place(),
        })
    }

    fn unwrap_by(&self, epoch: &str, wrapped: &str, name: &str) -> Result<Key, KeyError> {
        let kek = self.kek(epoch, name)?;
        let key = kek.key.unwrap(wrapped, name);
        key.ok_or_else(|| KeyError::BrokenKey {
            row: name.to_owned(),
        })
    }
}
