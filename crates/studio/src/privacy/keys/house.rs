//! Keys of the house: for finding without reading, for what is nobody's yet, for signing.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use db::{Db, on};
use domain::randomness::Randomness;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::KeyError;
use super::cipher::Key;
use super::kek::{Kek, KekError, KekSource};

pub(super) struct House {
    blind: Key,
    pub(super) nobody: Key,
    /// What backups of the house are sealed by.
    pub(super) backup: Key,
    signing: Ed25519KeyPair,
}

/// What a key of the house is bound to.
pub(super) fn house_name(purpose: &str) -> String {
    format!("house_key|{purpose}")
}

impl House {
    /// Reads them, and makes those that are missing.
    pub(super) async fn open(
        db: &Db,
        keks: &[Kek],
        epoch: &str,
        now_ms: i64,
        randomness: &Randomness,
    ) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for purpose in ["blind", "nobody", "sign", "backup"] {
            keys.push(one(db, keks, epoch, purpose, now_ms, randomness).await?);
        }
        let broken = || KeyError::BrokenKey {
            row: house_name("sign"),
        };
        let [blind, nobody, sign, backup] = <[Key; 4]>::try_from(keys).map_err(|_| broken())?;
        Ok(Self {
            blind,
            nobody,
            backup,
            signing: Ed25519KeyPair::from_seed_unchecked(sign.expose()).map_err(|_| broken())?,
        })
    }

    pub(super) fn blind(&self, kind: &str, text: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.blind.expose()).expect("any length");
        // So that no text of one kind is that of another.
        mac.update(&(kind.len() as u64).to_le_bytes());
        mac.update(kind.as_bytes());
        mac.update(text.as_bytes());
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.signing.sign(message);
        let mut bytes = [0; 64];
        bytes.copy_from_slice(signature.as_ref());
        bytes
    }

    pub(super) fn public_key(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.signing.public_key().as_ref());
        bytes
    }
}

impl KekSource {
    /// By which others check what a house has signed, made of its wrapped key; `None` where that was
    /// wrapped by another key-encryption key.
    pub(crate) fn public_key_of(
        &self,
        epoch: &str,
        wrapped: &str,
    ) -> Result<Option<[u8; 32]>, KekError> {
        let keks = self.load()?;
        let kek = keks.iter().find(|kek| kek.id == epoch);
        let key = kek.and_then(|kek| kek.key.unwrap(wrapped, &house_name("sign")));
        let pair = key.and_then(|key| Ed25519KeyPair::from_seed_unchecked(key.expose()).ok());
        Ok(pair.and_then(|pair| pair.public_key().as_ref().try_into().ok()))
    }
}

/// Whether whoever has the key of this public one signed a message.
#[must_use]
pub fn verify(public: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public)
        .verify(message, signature)
        .is_ok()
}

async fn one(
    db: &Db,
    keks: &[Kek],
    epoch: &str,
    purpose: &str,
    now_ms: i64,
    randomness: &Randomness,
) -> Result<Key, KeyError> {
    let name = house_name(purpose);
    let by = |epoch: &str| {
        let found = keks.iter().find(|kek| kek.id == epoch);
        found.ok_or_else(|| KeyError::Store(format!("no key-encryption key {epoch} for {name}")))
    };
    if let Some((epoch, wrapped)) = read(db, purpose).await? {
        let key = by(&epoch)?.key.unwrap(&wrapped, &name);
        return key.ok_or_else(|| KeyError::BrokenKey { row: name.clone() });
    }
    let kek = by(epoch)?;
    let made = kek.key.wrap(&Key::new(randomness), &name, randomness);
    let mut tx = db.write().await?;
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO house_key (purpose, epoch, wrapped, created_ms) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
        )
        .bind(purpose)
        .bind(&kek.id)
        .bind(made)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    // Another process may have been quicker.
    let (epoch, wrapped) = read(db, purpose)
        .await?
        .ok_or_else(|| KeyError::Gone(name.clone()))?;
    let key = by(&epoch)?.key.unwrap(&wrapped, &name);
    key.ok_or_else(|| KeyError::BrokenKey { row: name.clone() })
}

async fn read(db: &Db, purpose: &str) -> Result<Option<(String, String)>, KeyError> {
    let mut tx = db.read().await?;
    Ok(on!(tx, conn => {
        sqlx::query_as("SELECT epoch, wrapped FROM house_key WHERE purpose = $1")
            .bind(purpose)
            .fetch_optional(conn)
            .await
    })?)
}
