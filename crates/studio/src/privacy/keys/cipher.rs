//! How something is sealed: AES-256-GCM under a key of its own person or object, with a random nonce,
//! bound to where it stands. What is moved to another row, column or person doesn't open.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use domain::personal::Personal;
use domain::randomness::Randomness;
use zeroize::Zeroizing;

use super::KeyError;
use super::place::{Place, Reading};

pub(super) const KEY_BYTES: usize = 32;

/// Sealed text begins with it. No text of a person, no address and no name has such a character, and
/// JSON has none outside its strings, so nothing that is not sealed looks as if it were.
pub(crate) const MARK: char = '\u{1}';
/// Sealed files begin with it; pictures begin otherwise.
const FILE_MARK: &[u8; 4] = b"PHS1";

/// 256 random bits, overwritten when nobody uses them any more.
#[derive(Clone)]
pub(super) struct Key(Arc<Zeroizing<[u8; KEY_BYTES]>>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    pub(super) fn new(randomness: &Randomness) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        randomness.fill(&mut *bytes);
        Self(Arc::new(bytes))
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; KEY_BYTES] = bytes.try_into().ok()?;
        Some(Self(Arc::new(Zeroizing::new(bytes))))
    }

    pub(super) fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Another key, encrypted under this one, for the row of this name.
    pub(super) fn wrap(&self, other: &Self, name: &str, randomness: &Randomness) -> String {
        let mut bytes = Zeroizing::new(other.0.to_vec());
        // Room for the tag, so that no copy of the key stays behind where the bytes grow.
        bytes.reserve_exact(MAX_TAG_LEN);
        let nonce = self.seal(name, &mut bytes, randomness);
        let mut wrapped = nonce.to_vec();
        wrapped.extend_from_slice(&bytes);
        STANDARD_NO_PAD.encode(wrapped)
    }

    /// `None` where it was wrapped by another key, or for another row.
    pub(super) fn unwrap(&self, wrapped: &str, name: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new(STANDARD_NO_PAD.decode(wrapped).ok()?);
        let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.aead().open_in_place(nonce, Aad::from(name), sealed);
        Self::read(opened.ok()?)
    }

    /// Encrypts in place and appends the tag; gives the nonce. At random, 96 bits don't repeat within
    /// the four thousand million times that one key may be used (NIST SP 800-38D, 8.3).
    fn seal(&self, place: &str, bytes: &mut Vec<u8>, randomness: &Randomness) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        randomness.fill(&mut nonce);
        self.aead()
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), bytes)
            .expect("less than 64 GiB");
        nonce
    }

    fn aead(&self) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, &self.0[..]).expect("256 bits");
        LessSafeKey::new(key)
    }
}

/// Text that only the key of its person opens.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(String);

domain::unprintable!(Sealed, Cipher, Key);

impl Sealed {
    /// For storing it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether something that is stored is sealed.
    #[must_use]
    pub fn is(stored: &str) -> bool {
        stored.starts_with(MARK)
    }

    #[must_use]
    pub fn is_file(stored: &[u8]) -> bool {
        stored.starts_with(FILE_MARK)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

/// A key ready for use, and whose it is.
#[derive(Clone, Debug)]
pub struct Cipher {
    key: Key,
    owner: String,
    randomness: Randomness,
}

impl Cipher {
    pub(super) fn new(key: Key, owner: String, randomness: &Randomness) -> Self {
        Self {
            key,
            owner,
            randomness: randomness.clone(),
        }
    }

    fn bound_to(&self, place: Place, row: &str) -> String {
        format!("{}|{}|{row}|{}", place.table, place.column, self.owner)
    }

    #[must_use]
    pub fn seal(&self, place: Place, row: &str, text: &str) -> Sealed {
        let mut bytes = Vec::with_capacity(text.len() + MAX_TAG_LEN);
        bytes.extend_from_slice(text.as_bytes());
        let bound = self.bound_to(place, row);
        let nonce = self.key.seal(&bound, &mut bytes, &self.randomness);
        let mut sealed = nonce.to_vec();
        sealed.append(&mut bytes);
        let mut text = String::from(MARK);
        STANDARD_NO_PAD.encode_string(sealed, &mut text);
        Sealed(text)
    }

    /// What was sealed; an error where it was for another row, column or person, or was changed.
    pub fn open(
        &self,
        reading: Reading,
        row: &str,
        stored: &str,
    ) -> Result<Personal<String>, KeyError> {
        let place = reading.place();
        let broken = || KeyError::broken(place, row);
        let letters = stored.strip_prefix(MARK).ok_or_else(broken)?;
        let mut bytes = STANDARD_NO_PAD.decode(letters).map_err(|_| broken())?;
        let (nonce, sealed) = bytes
            .split_first_chunk_mut::<NONCE_LEN>()
            .ok_or_else(broken)?;
        let bound = self.bound_to(place, row);
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self
            .key
            .aead()
            .open_in_place(nonce, Aad::from(bound), sealed)
            .map_err(|_| broken())?;
        let text = std::str::from_utf8(opened).map_err(|_| broken())?;
        Ok(Personal::new(text.to_owned()))
    }

    /// As [`Cipher::open`], where there is something.
    pub fn open_some(
        &self,
        reading: Reading,
        row: &str,
        stored: Option<&str>,
    ) -> Result<Option<Personal<String>>, KeyError> {
        stored
            .map(|stored| self.open(reading, row, stored))
            .transpose()
    }

    /// The bytes of a file, ready for the shelf.
    #[must_use]
    pub fn seal_file(&self, place: Place, name: &str, bytes: &[u8]) -> Vec<u8> {
        let lead = FILE_MARK.len() + NONCE_LEN;
        let mut nonce = [0; NONCE_LEN];
        self.randomness.fill(&mut nonce);
        let mut sealed = Vec::with_capacity(lead + bytes.len() + MAX_TAG_LEN);
        sealed.extend_from_slice(FILE_MARK);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(bytes);
        let tag = self
            .key
            .aead()
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(self.bound_to(place, name)),
                &mut sealed[lead..],
            )
            .expect("less than 64 GiB");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Opened where they lie, so that reading costs no copy.
    pub fn open_file(
        &self,
        reading: Reading,
        name: &str,
        mut stored: Vec<u8>,
    ) -> Result<Bytes, KeyError> {
        let place = reading.place();
        let broken = || KeyError::broken(place, name);
        let lead = FILE_MARK.len() + NONCE_LEN;
        if !Sealed::is_file(&stored) || stored.len() < lead + MAX_TAG_LEN {
            return Err(broken());
        }
        let nonce = Nonce::try_assume_unique_for_key(&stored[FILE_MARK.len()..lead])
            .map_err(|_| broken())?;
        let opened = self
            .key
            .aead()
            .open_in_place(
                nonce,
                Aad::from(self.bound_to(place, name)),
                &mut stored[lead..],
            )
            .map_err(|_| broken())?;
        let end = lead + opened.len();
        Ok(Bytes::from(stored).slice(lead..end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::inventory::Purpose;

    const PLACE: Place = Place::new("job", "prompt");
    const READING: Reading = PLACE.read_for(Purpose::Drawing);
    const FILE: Place = Place::files("picture", "pictures");
    const DELIVERY: Reading = FILE.read_for(Purpose::Drawing);

    fn cipher(seed: u64, owner: &str) -> Cipher {
        let randomness = Randomness::seeded(seed);
        Cipher::new(Key::new(&randomness), owner.to_owned(), &randomness)
    }

    #[test]
    fn promise_sec_02_what_is_sealed_opens_where_it_was_sealed_and_nowhere_else() {
        let anna = cipher(1, "anna");
        let sealed = anna.seal(PLACE, "one", "a red apple");
        assert!(Sealed::is(sealed.as_str()) && !Sealed::is("a red apple"));
        let opened = anna.open(READING, "one", sealed.as_str()).expect("opens");
        assert_eq!(opened.expose(), "a red apple");
        let same_key = Cipher {
            owner: "bert".to_owned(),
            ..anna.clone()
        };
        let column = Place::new("job", "negative_prompt").read_for(Purpose::Drawing);
        let table = Place::new("letter", "fields").read_for(Purpose::Mail);
        for refused in [
            anna.open(READING, "two", sealed.as_str()),
            anna.open(column, "one", sealed.as_str()),
            anna.open(table, "one", sealed.as_str()),
            same_key.open(READING, "one", sealed.as_str()),
            cipher(2, "anna").open(READING, "one", sealed.as_str()),
            anna.open(READING, "one", "a red apple"),
            anna.open(READING, "one", "\u{1}"),
            anna.open(READING, "one", "\u{1}A"),
            anna.open(READING, "one", &sealed.as_str()[..20]),
        ] {
            assert!(matches!(refused, Err(KeyError::Broken { .. })));
        }
        // Equal words are not seen to be equal.
        assert_ne!(sealed, anna.seal(PLACE, "one", "a red apple"));
        assert!(!format!("{sealed:?} {anna:?}").contains("apple"));
    }

    #[test]
    fn promise_sec_02_a_file_opens_under_its_own_name_alone() {
        let anna = cipher(1, "anna");
        let sealed = anna.seal_file(FILE, "one", b"\x89PNG and so on");
        assert!(Sealed::is_file(&sealed) && !Sealed::is_file(b"\x89PNG and so on"));
        let opened = anna.open_file(DELIVERY, "one", sealed.clone());
        assert_eq!(&opened.expect("opens")[..], b"\x89PNG and so on");
        let mut bent = sealed.clone();
        bent[20] ^= 1;
        for (name, bytes) in [
            ("two", sealed.clone()),
            ("one", bent),
            ("one", sealed[..10].to_vec()),
            ("one", b"\x89PNG and so on, and on, and on".to_vec()),
        ] {
            let refused = anna.open_file(DELIVERY, name, bytes);
            assert!(matches!(refused, Err(KeyError::Broken { .. })));
        }
    }

    #[test]
    fn a_wrapped_key_opens_in_its_own_row_alone() {
        let randomness = Randomness::seeded(3);
        let (outer, inner) = (Key::new(&randomness), Key::new(&randomness));
        let wrapped = outer.wrap(&inner, "person_key|anna", &randomness);
        let unwrapped = outer.unwrap(&wrapped, "person_key|anna").expect("unwraps");
        assert_eq!(unwrapped.expose(), inner.expose());
        assert!(outer.unwrap(&wrapped, "person_key|bert").is_none());
        assert!(inner.unwrap(&wrapped, "person_key|anna").is_none());
        assert!(outer.unwrap("", "person_key|anna").is_none());
    }
}
