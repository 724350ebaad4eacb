//! Backups that can be put back without bringing back what was forgotten.
//!
//! A backup of the house has its rows and its files, sealed, and no key. A backup of the keys has those and
//! nothing else, and is taken for seven days at most, so that whoever shreds a key has it gone in every
//! copy by then. What is put back is older than what was forgotten since; so it is gone through before
//! anybody is let in, and whatever has no key any more goes again.
//!
//! Architecture invariant: no row of the key store is in a backup of the house, and no house opens in which
//! this is not done.

mod file;
mod replay;
mod restore;
mod rows;
mod take;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use domain::clock::Moment;

pub use file::{Content, Manifest};
pub use replay::{Replayed, finish};
pub(super) use restore::read_note;
pub use restore::{Restored, bury, content_of, is_empty, keys_are_there, restore, restore_keys};
pub use take::{Taken, take, take_keys};

use crate::Failure;
use crate::privacy::keys::{KEYS_KEPT_MS, KekError, KeyError};

/// How long a backup of the keys is taken, at most.
pub const KEYS_TAKEN_MS: i64 = KEYS_KEPT_MS;

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{0:?} exists already. Name another file, or move that one away first.")]
    Exists(PathBuf),
    #[error("{0:?} is being written by another process just now. Wait, or name another file.")]
    UnderWay(PathBuf),
    #[error(
        "the disk on which {0:?} was to be is full. Nothing of it was left there. Make room, or name another place."
    )]
    Full(PathBuf),
    #[error("{path:?} can't be {done}: {source}")]
    File {
        path: PathBuf,
        done: &'static str,
        source: io::Error,
    },
    #[error("{0:?} is no backup as this program writes them.")]
    NoBackup(PathBuf),
    #[error("{0:?} ends too early: it is not whole. Nothing was changed. Take another backup.")]
    Cut(PathBuf),
    #[error(
        "{0:?} is not what was written: bytes of it were changed. Nothing was changed here. Take another backup."
    )]
    Changed(PathBuf),
    #[error(
        "{0:?} was made by another house: its signature is not by the key of this key store. Put the keys \
         back that belong to it, from a backup of the keys: pinhole restore FILE"
    )]
    OtherHouse(PathBuf),
    #[error(
        "{path:?} was made by version {program} of this program, whose tables are others. Put it back with \
         that version; the newer one then brings it up to date when it starts"
    )]
    OtherSchema { path: PathBuf, program: String },
    #[error(
        "{path:?} ended on {ended}. A backup of the keys is taken for seven days, so that what people had \
         deleted can be read by nobody after that, in no copy. Use a younger one. Without any, what is \
         sealed by these keys can't be read again"
    )]
    Ended { path: PathBuf, ended: String },
    #[error(
        "{path:?} is sealed by the key-encryption key {epoch}, which is not in {place}. Put it there again, \
         from where you keep its copy"
    )]
    Locked {
        path: PathBuf,
        epoch: String,
        place: String,
    },
    #[error(
        "the key store has keys already. Keys are put back where there are none: if these are broken, move \
         them away first (the folder `keys` of the data folder, or the database of the keys on Postgres)"
    )]
    KeysThere,
    #[error(
        "there are people in this house already, and what is put back takes the place of everything. Say \
         --replace if that is what you want"
    )]
    NotEmpty,
    #[error(
        "the keys were put back, and nobody is in this house: put the house back as well, from its backup: \
         pinhole restore FILE. To begin anew instead, move the keys away (the folder `keys` of the data \
         folder, or the database of the keys on Postgres)"
    )]
    NobodyHere,
    #[error("{0:?} is a backup of the keys, and this takes one of the house.")]
    OfKeys(PathBuf),
    #[error("{0:?} is a backup of the house, and this takes one of the keys.")]
    OfHouse(PathBuf),
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(BackupError);

impl From<KeyError> for BackupError {
    fn from(error: KeyError) -> Self {
        Self::Failure(error.into())
    }
}

impl From<KekError> for BackupError {
    fn from(error: KekError) -> Self {
        Self::Failure(Failure::Keys(error.into()))
    }
}

impl BackupError {
    fn io(path: &Path, done: &'static str, error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full(path.to_owned()),
            ErrorKind::UnexpectedEof => Self::Cut(path.to_owned()),
            _ => Self::File {
                path: path.to_owned(),
                done,
                source: error,
            },
        }
    }
}

/// `2026-11-22 14:05 UTC`
#[must_use]
pub fn in_words(moment: Moment) -> String {
    let at = moment.civil();
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02} UTC",
        at.year, at.month, at.day, at.hour, at.minute
    )
}
