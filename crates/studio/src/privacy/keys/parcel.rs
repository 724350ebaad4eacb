//! How a backup is sealed: piece by piece, each bound to its backup, its part and its place in it, under a
//! key that is used for this backup alone.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::cipher::Key;
use super::kek::{KekError, KekSource};
use super::{KeyError, Keys};

/// Seals the pieces of one backup and opens them again.
pub(crate) struct Parcel {
    key: LessSafeKey,
    id: String,
}

domain::unprintable!(Parcel);

impl Parcel {
    fn of(outer: &Key, id: &str) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(outer.expose()).expect("any length");
        mac.update(b"pinhole backup|");
        mac.update(id.as_bytes());
        let key = UnboundKey::new(&AES_256_GCM, &mac.finalize().into_bytes()).expect("256 bits");
        Self {
            key: LessSafeKey::new(key),
            id: id.to_owned(),
        }
    }

    /// A key seals one backup, and each offset of its file is met once, so no nonce comes twice.
    fn nonce(offset: u64) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[NONCE_LEN - 8..].copy_from_slice(&offset.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }

    fn bound_to(&self, part: &str, is_last: bool) -> String {
        format!("backup|{}|{part}|{is_last}", self.id)
    }

    /// Seals in place what comes to stand at this offset of the file.
    pub(crate) fn seal(&self, part: &str, is_last: bool, offset: u64, bytes: &mut Vec<u8>) {
        let bound = Aad::from(self.bound_to(part, is_last));
        self.key
            .seal_in_place_append_tag(Self::nonce(offset), bound, bytes)
            .expect("less than 64 GiB");
    }

    /// `None` where it was changed, or stood elsewhere.
    pub(crate) fn open<'a>(
        &self,
        part: &str,
        is_last: bool,
        offset: u64,
        bytes: &'a mut [u8],
    ) -> Option<&'a [u8]> {
        let bound = Aad::from(self.bound_to(part, is_last));
        let opened = self.key.open_in_place(Self::nonce(offset), bound, bytes);
        opened.ok().map(|opened| &*opened)
    }
}

impl Keys {
    /// For a backup of the house: whoever has the house's keys opens it.
    pub(crate) fn parcel(&self, id: &str) -> Parcel {
        Parcel::of(&self.0.house.backup, id)
    }

    /// For a backup of the keys, which only the key-encryption key opens; gives the name of that.
    pub(crate) fn parcel_of_keys(&self, id: &str) -> Result<(String, Parcel), KeyError> {
        let kek = self.newest()?;
        Ok((kek.id, Parcel::of(&kek.key, id)))
    }
}

impl KekSource {
    /// The same, before there are any keys; `None` where that key-encryption key is not known.
    pub(crate) fn parcel_of_keys(&self, epoch: &str, id: &str) -> Result<Option<Parcel>, KekError> {
        let known = self.load()?;
        let kek = known.iter().find(|kek| kek.id == epoch);
        Ok(kek.map(|kek| Parcel::of(&kek.key, id)))
    }
}
