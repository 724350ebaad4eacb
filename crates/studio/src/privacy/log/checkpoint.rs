//! What the house says of its log: so many leaves, with this root. In the form of C2SP
//! (tlog-checkpoint and signed-note), so that others' tools can check it.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

use super::tree::{HASH_BYTES, Hash};
use crate::privacy::keys::{self, Keys};

/// In a signed note, a key of Ed25519.
const ED25519: u8 = 1;
const KEY_ID_BYTES: usize = 4;

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
    let hash = Sha256::digest(public_key);
    let mut name = String::from("pinhole-log-");
    for byte in &hash[..8] {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

fn key_id(name: &str, public_key: &[u8; 32]) -> [u8; KEY_ID_BYTES] {
    let hash = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', ED25519]);
    let hash: Hash = hash.chain_update(public_key).finalize().into();
    let mut id = [0; KEY_ID_BYTES];
    id.copy_from_slice(&hash[..KEY_ID_BYTES]);
    id
}

impl Checkpoint {
    fn body(&self, origin: &str) -> String {
        let root = BASE64.encode(self.root);
        format!("{origin}\n{}\n{root}\ntime {}\n", self.size, self.seconds)
    }

    /// Signed by the house.
    #[must_use]
    pub fn note(&self, keys: &Keys) -> String {
        let public_key = keys.public_key();
        let origin = origin(&public_key);
        let body = self.body(&origin);
        let mut signature = key_id(&origin, &public_key).to_vec();
        signature.extend_from_slice(&keys.sign(body.as_bytes()));
        format!("{body}\n\u{2014} {origin} {}\n", BASE64.encode(signature))
    }

    /// Reads a signed one, and checks that this key has signed it.
    pub fn open(note: &str, public_key: &[u8; 32]) -> Result<Self, BadCheckpoint> {
        use BadCheckpoint::{Forged, OtherLog, Unreadable};
        let (body, signatures) = note.split_once("\n\n").ok_or(Unreadable)?;
        let mut lines = body.lines();
        let mut line = || lines.next().ok_or(Unreadable);
        let name = line()?;
        let size = line()?.parse().map_err(|_| Unreadable)?;
        let root = BASE64.decode(line()?).map_err(|_| Unreadable)?;
        let root: [u8; HASH_BYTES] = root.try_into().map_err(|_| Unreadable)?;
        let seconds = line()?.strip_prefix("time ").ok_or(Unreadable)?;
        let read = Self {
            size,
            root,
            seconds: seconds.parse().map_err(|_| Unreadable)?,
        };
        if name != origin(public_key) {
            return Err(OtherLog);
        }
        let lead = format!("\u{2014} {name} ");
        let ours = signatures.lines().find_map(|line| line.strip_prefix(&lead));
        let signature = BASE64
            .decode(ours.ok_or(Unreadable)?)
            .map_err(|_| Unreadable)?;
        let (id, signature) = signature.split_at_checked(KEY_ID_BYTES).ok_or(Unreadable)?;
        let fits = id == key_id(name, public_key)
            && keys::verify(public_key, read.body(name).as_bytes(), signature);
        if fits { Ok(read) } else { Err(Forged) }
    }
}
