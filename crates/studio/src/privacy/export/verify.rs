//! Checks an archive without the house that made it: the signature, every file, and that each entry of
//! the log is in the tree that the house signed.

use std::collections::HashSet;
use std::io::{Read, Seek};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use zip::ZipArchive;
use zip::result::ZipError;

use super::manifest::{KIND, NAME};
use crate::privacy::log::checkpoint::{BadCheckpoint, Checkpoint};
use crate::privacy::log::tree::{self, HASH_BYTES, Hash};
use crate::privacy::log::{hex, unhex};
use crate::privacy::{canonical, keys};

/// A text of an archive that is read as a whole.
pub const MAX_TEXT_BYTES: u64 = 256 << 20;
pub const MAX_FILES: usize = 5_000_000;
const CHUNK_BYTES: usize = 64 << 10;

/// The first thing that is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum BadExport {
    #[error("This is no archive that can be read: {0}")]
    Unreadable(String),
    #[error("There is no manifest in it, so it is no export of a Pinhole house.")]
    NoManifest,
    #[error("Its manifest is not one as this program writes them.")]
    OtherKind,
    #[error("It was signed by another house than the one whose key was named.")]
    OtherKey,
    #[error(
        "The signature of its manifest does not fit: the manifest was changed after it was signed."
    )]
    Forged,
    #[error("{0} is missing.")]
    Missing(String),
    #[error("{0} is in it, but not in the manifest: somebody has added it.")]
    Added(String),
    #[error("{0} is packed, as no export is: use the file as it was downloaded.")]
    Packed(String),
    #[error("{0} was changed: it is not what the manifest says.")]
    Changed(String),
    #[error("{name} has more than {MAX_TEXT_BYTES} bytes, which this program does not read.")]
    TooLong { name: String },
    #[error("log.json can't be read: {0}")]
    Log(String),
    #[error("The checkpoint of the log is wrong: {0}")]
    Checkpoint(#[from] BadCheckpoint),
    #[error("The entry {0} of the log is not proven: it is not what the house has signed.")]
    Unproven(String),
    #[error("It could not be read to its end: {0}")]
    Broken(#[from] std::io::Error),
}

impl From<ZipError> for BadExport {
    fn from(error: ZipError) -> Self {
        match error {
            ZipError::Io(error) => Self::Broken(error),
            error => Self::Unreadable(error.to_string()),
        }
    }
}

/// A file as the manifest names it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub sha256: String,
    pub size: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    pub kind: String,
    pub export: String,
    pub person: String,
    pub made_ms: i64,
    pub log_checkpoint: Option<String>,
    pub entries: Vec<Entry>,
}

/// An archive whose manifest was signed by the house of this key. Its files are not checked yet.
pub struct Archive<R> {
    zip: ZipArchive<R>,
    pub manifest: Manifest,
    pub public_key: [u8; 32],
}

impl<R> std::fmt::Debug for Archive<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Archive({})", self.manifest.export)
    }
}

/// What was found in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    pub files: usize,
    pub bytes: u64,
    /// Entries of the log, each proven.
    pub entries: usize,
    /// Those that had no place in the tree yet when the archive was made.
    pub unplaced: usize,
}

impl<R: Read + Seek> Archive<R> {
    /// Reads the manifest and checks who signed it.
    pub fn open(mut reader: R, public_key: Option<&[u8; 32]>) -> Result<Self, BadExport> {
        let length = reader.seek(std::io::SeekFrom::End(0))?;
        let mut zip = ZipArchive::new(reader)?;
        if zip.len() > MAX_FILES {
            let says = format!("it has more than {MAX_FILES} files");
            return Err(BadExport::Unreadable(says));
        }
        if zip.index_for_name(NAME).is_none() {
            return Err(BadExport::NoManifest);
        }
        let mut text = Vec::new();
        read(&mut zip, NAME, MAX_TEXT_BYTES, |some| {
            text.extend_from_slice(some);
        })?;
        let (manifest, signed_by) = signed(&text)?;
        if public_key.is_some_and(|known| *known != signed_by) {
            return Err(BadExport::OtherKey);
        }
        let there = manifest.entries.iter();
        let there = there.filter(|entry| zip.index_for_name(&entry.name).is_some());
        let said: u64 = there.fold(0, |sum, entry| sum.saturating_add(entry.size));
        if said > length {
            // Nothing is packed, so files that lie over each other would be a bomb.
            let says = "its files would be larger than it is itself".to_owned();
            return Err(BadExport::Unreadable(says));
        }
        Ok(Self {
            zip,
            manifest,
            public_key: signed_by,
        })
    }

    /// Checks every file, in the order of the manifest, and then the log.
    pub fn check(&mut self) -> Result<Sound, BadExport> {
        let entries = self.manifest.entries.clone();
        let mut known: HashSet<&str> = HashSet::from([NAME]);
        let mut bytes = 0;
        for entry in &entries {
            if !known.insert(&entry.name) {
                return Err(BadExport::OtherKind);
            }
            self.compare(entry, |_| {})?;
            bytes += entry.size;
        }
        for name in self.zip.file_names() {
            let name = name?;
            if !known.contains(name.as_ref()) {
                return Err(BadExport::Added(name.into_owned()));
            }
        }
        let (entries_of_log, unplaced) = self.check_log()?;
        Ok(Sound {
            files: entries.len(),
            bytes,
            entries: entries_of_log,
            unplaced,
        })
    }

    /// A file whose bytes are what the manifest says; `None` where the manifest names none.
    pub fn file(&mut self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, BadExport> {
        let mut entries = self.manifest.entries.iter();
        let Some(entry) = entries.find(|entry| entry.name == name).cloned() else {
            return Ok(None);
        };
        self.read(&entry, limit).map(Some)
    }

    /// The bytes of an entry of the manifest.
    pub fn read(&mut self, entry: &Entry, limit: u64) -> Result<Vec<u8>, BadExport> {
        if entry.size > limit {
            return Err(BadExport::TooLong {
                name: entry.name.clone(),
            });
        }
        let mut bytes = Vec::new();
        self.compare(entry, |some| bytes.extend_from_slice(some))?;
        Ok(bytes)
    }

    fn compare(&mut self, entry: &Entry, mut sink: impl FnMut(&[u8])) -> Result<(), BadExport> {
        let mut sha256 = Sha256::new();
        let size = read(&mut self.zip, &entry.name, entry.size, |some| {
            sha256.update(some);
            sink(some);
        })?;
        if size != entry.size || hex(&sha256.finalize().into()) != entry.sha256 {
            return Err(BadExport::Changed(entry.name.clone()));
        }
        Ok(())
    }

    /// Tells how many entries there are, and how many of them had no place yet.
    fn check_log(&mut self) -> Result<(usize, usize), BadExport> {
        let Some(text) = self.file("log.json", MAX_TEXT_BYTES)? else {
            return Err(BadExport::Missing("log.json".to_owned()));
        };
        let log: Log =
            serde_json::from_slice(&text).map_err(|error| BadExport::Log(error.to_string()))?;
        if log.checkpoint != self.manifest.log_checkpoint {
            return Err(BadExport::Log(
                "its checkpoint is not the manifest's".to_owned(),
            ));
        }
        let head = match &log.checkpoint {
            Some(note) => Some(Checkpoint::open(note, &self.public_key)?),
            None => None,
        };
        let mut unplaced = 0;
        for entry in &log.entries {
            match (entry.position, &head) {
                (Some(position), Some(head)) if entry.is_proven(position, head) => {}
                (None, _) if entry.is_whole() => unplaced += 1,
                _ => return Err(BadExport::Unproven(entry.id.clone())),
            }
        }
        Ok((log.entries.len(), unplaced))
    }
}

/// Hands over the bytes of a file of the archive, at most one more than so many, and counts them.
fn read<R: Read + Seek>(
    zip: &mut ZipArchive<R>,
    name: &str,
    limit: u64,
    mut sink: impl FnMut(&[u8]),
) -> Result<u64, BadExport> {
    let packed = |_| BadExport::Packed(name.to_owned());
    let file = match zip.by_name(name) {
        Err(ZipError::FileNotFound) => return Err(BadExport::Missing(name.to_owned())),
        Err(ZipError::UnsupportedArchive(_)) => return Err(packed(())),
        file => file?,
    };
    if file.compression() != zip::CompressionMethod::Stored {
        return Err(packed(()));
    }
    let mut file = file.take(limit.saturating_add(1));
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut size = 0;
    loop {
        let count = match file.read(&mut chunk) {
            // The ZIP's own checksum.
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(BadExport::Changed(name.to_owned()));
            }
            count => count?,
        };
        if count == 0 {
            return Ok(size);
        }
        size += count as u64;
        sink(&chunk[..count]);
    }
}

/// The manifest, and whose signature fits it.
fn signed(text: &[u8]) -> Result<(Manifest, [u8; 32]), BadExport> {
    let document: Value = serde_json::from_slice(text).map_err(|_| BadExport::OtherKind)?;
    let manifest = document.get("manifest").ok_or(BadExport::OtherKind)?;
    let bytes = |name: &str| {
        let text = document.get("signature")?.get(name)?.as_str()?;
        BASE64.decode(text).ok()
    };
    let signed_by: [u8; 32] = bytes("public_key")
        .and_then(|key| key.try_into().ok())
        .ok_or(BadExport::OtherKind)?;
    let signature = bytes("value").ok_or(BadExport::OtherKind)?;
    if manifest.get("kind").and_then(Value::as_str) != Some(KIND) {
        return Err(BadExport::OtherKind);
    }
    let canonical = canonical::text(manifest);
    if !keys::verify(&signed_by, canonical.as_bytes(), &signature) {
        return Err(BadExport::Forged);
    }
    let manifest = Manifest::deserialize(manifest).map_err(|_| BadExport::OtherKind)?;
    Ok((manifest, signed_by))
}

#[derive(Deserialize)]
struct Log {
    checkpoint: Option<String>,
    entries: Vec<Logged>,
}

#[derive(Deserialize)]
struct Logged {
    id: String,
    leaf: String,
    payload: Option<String>,
    position: Option<u64>,
    path: Vec<String>,
}

impl Logged {
    /// What it says is what its leaf commits to.
    fn is_whole(&self) -> bool {
        let Ok(leaf) = serde_json::from_str::<Value>(&self.leaf) else {
            return false;
        };
        let commitment = leaf["commitment"].as_str();
        let says = self.payload.as_ref().is_none_or(|payload| {
            let hash: [u8; HASH_BYTES] = Sha256::digest(payload).into();
            commitment == Some(hex(&hash).as_str())
        });
        says && leaf["id"].as_str() == Some(self.id.as_str())
    }

    fn is_proven(&self, position: u64, head: &Checkpoint) -> bool {
        let path: Result<Vec<Hash>, _> = self.path.iter().map(|hash| unhex(hash)).collect();
        let Ok(path) = path else { return false };
        let leaf = tree::leaf_hash(self.leaf.as_bytes());
        self.is_whole() && tree::includes(&head.root, head.size, position, leaf, &path)
    }
}
