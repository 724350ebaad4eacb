//! What the house says of its log: so many leaves, with this root. In the form of C2SP
//! (tlog-checkpoint and signed-note), so that others' tools can check it.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

use super::note::{self, KeyKind, VerifierKey};
use super::tree::{HASH_BYTES, Hash};
use crate::privacy::keys::{self, Keys};

/// A tree of the log, and when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub size: u64,
    pub root: Hash,
    /// Seconds since 1970.
    pub seconds: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    #[error("This is no checkpoint of a log.")]
    Unreadable,
    #[error("The checkpoint is of another log: its name is not that of the key.")]
    OtherLog,
    #[error("The signature does not fit: the checkpoint was changed after it was signed.")]
    Forged,
}

/// The name of the log whose checkpoints this key signs. It says nothing of where the house is.
#[must_use]
pub fn origin(public_key: &[u8; 32]) -> String {
    named("pinhole-log", public_key)
}

fn named(what: &str, public_key: &[u8; 32]) -> String {
    let hash = Sha256::digest(public_key);
    let mut name = format!("{what}-");
    for byte in &hash[..8] {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// The key of the log, as others' tools take it.
#[must_use]
pub fn log_key(public: [u8; 32]) -> VerifierKey {
    VerifierKey {
        name: origin(&public),
        kind: KeyKind::Log,
        public,
    }
}

/// The key by which a house signs that it saw another one's log.
#[must_use]
pub fn witness_key(public: [u8; 32]) -> VerifierKey {
    VerifierKey {
        name: named("pinhole-witness", &public),
        kind: KeyKind::Witness,
        public,
    }
}

impl Checkpoint {
    fn body(&self, origin: &str) -> String {
        let root = BASE64.encode(self.root);
        format!("{origin}\n{}\n{root}\ntime {}\n", self.size, self.seconds)
    }

    /// Signed by the house.
    #[must_use]
    pub fn note(&self, keys: &Keys) -> String {
        let key = log_key(keys.public_key());
        let body = self.body(&key.name);
        let line = key.line(&keys.sign(body.as_bytes()));
        format!("{body}\n{line}")
    }

    /// Reads a signed one, and checks that this key has signed it.
    pub fn open(signed: &str, public_key: &[u8; 32]) -> Result<Self, BadCheckpoint> {
        use BadCheckpoint::{OtherLog, Unreadable};
        let key = log_key(*public_key);
        let head = Head::read(signed)?;
        if head.origin != key.name {
            return Err(OtherLog);
        }
        let seconds = head.more.strip_prefix("time ").ok_or(Unreadable)?;
        let read = Self {
            size: head.size,
            root: head.root,
            seconds: seconds.trim_end().parse().map_err(|_| Unreadable)?,
        };
        head.check(&key)?;
        Ok(read)
    }
}

/// What anybody's checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    pub origin: &'a str,
    pub size: u64,
    pub root: Hash,
    /// Lines that are the log's own.
    more: &'a str,
    /// Everything that is signed.
    pub text: &'a str,
    signatures: &'a str,
}

impl<'a> Head<'a> {
    /// Reads it without looking at who signed it.
    pub fn read(signed: &'a str) -> Result<Self, BadCheckpoint> {
        use BadCheckpoint::Unreadable;
        let (text, signatures) = note::parts(signed).ok_or(Unreadable)?;
        let mut lines = text.splitn(4, '\n');
        let mut line = || lines.next().ok_or(Unreadable);
        let (origin, size, root, more) = (line()?, line()?, line()?, line()?);
        let parsed: u64 = size.parse().map_err(|_| Unreadable)?;
        let root = BASE64.decode(root).map_err(|_| Unreadable)?;
        // One tree is written in one way.
        if origin.is_empty() || parsed.to_string() != size {
            return Err(Unreadable);
        }
        Ok(Self {
            origin,
            size: parsed,
            root: <[u8; HASH_BYTES]>::try_from(root).map_err(|_| Unreadable)?,
            more,
            text,
            signatures,
        })
    }

    /// Whether the log of this key has signed it.
    pub fn check(&self, key: &VerifierKey) -> Result<(), BadCheckpoint> {
        let mut of_key = key.among(self.signatures).peekable();
        of_key.peek().ok_or(BadCheckpoint::Unreadable)?;
        let good =
            of_key.all(|signature| keys::verify(&key.public, self.text.as_bytes(), &signature));
        if good {
            Ok(())
        } else {
            Err(BadCheckpoint::Forged)
        }
    }
}
