//! A model's folder as its authors publish it: one sub-folder for each network.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::LoadError;
use crate::catalogue::Installed;
use crate::weights::Weights;

/// The folder, and the SHA-256 that each of its files must have (by its path inside).
#[derive(Clone, Copy, Debug)]
pub(super) struct Folder<'a> {
    pub(super) root: &'a Path,
    pub(super) sha256: &'a BTreeMap<String, String>,
}

impl Folder<'_> {
    pub(super) fn path(&self, inner: &str) -> PathBuf {
        self.root.join(inner)
    }

    pub(super) fn has(&self, part: &str) -> bool {
        self.path(part).is_dir()
    }

    /// `part/config.json`, turned into what it means by `check`.
    pub(super) fn config<T: DeserializeOwned, U>(
        &self,
        inner: &str,
        check: impl FnOnce(T) -> Result<U, String>,
    ) -> Result<U, LoadError> {
        let path = self.path(inner);
        check(read_json(&path)?).map_err(|why| bad_config(&path, why))
    }

    /// The one weights file of a part, whatever its precision is called.
    pub(super) fn weights(&self, part: &str) -> Result<RefCell<Weights>, LoadError> {
        let folder = self.path(part);
        let unreadable = |source| LoadError::Unreadable {
            file: folder.clone(),
            source,
        };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            if Path::new(&name)
                .extension()
                .is_some_and(|ending| ending == "safetensors")
            {
                found.push(name.to_string_lossy().into_owned());
            }
        }
        let [name] = found.as_slice() else {
            return Err(LoadError::WeightsFiles {
                folder,
                found: found.len(),
            });
        };
        let inner = format!("{part}/{name}");
        let sha256 = self.sha256.get(&inner).map(String::as_str);
        Ok(RefCell::new(Weights::open(&folder.join(name), sha256)?))
    }
}

pub(super) fn bad_config(file: &Path, why: String) -> LoadError {
    LoadError::Config {
        file: file.to_owned(),
        why,
    }
}

pub(super) fn read_text(file: &Path) -> Result<String, LoadError> {
    std::fs::read_to_string(file).map_err(|source| LoadError::Unreadable {
        file: file.to_owned(),
        source,
    })
}

pub(super) fn read_json<T: DeserializeOwned>(file: &Path) -> Result<T, LoadError> {
    serde_json::from_str(&read_text(file)?).map_err(|error| bad_config(file, error.to_string()))
}

/// Checks every file of a pulled model against the hash that it had then.
pub fn check_files(installed: &Installed) -> Result<(), LoadError> {
    let mut files = installed.lock.files.iter();
    files.try_for_each(|file| check_file(&installed.folder.join(&file.path), &file.sha256))
}

pub(super) fn check_file(file: &Path, expected: &str) -> Result<(), LoadError> {
    let unreadable = |source| LoadError::Unreadable {
        file: file.to_owned(),
        source,
    };
    let mut opened = std::fs::File::open(file).map_err(unreadable)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        match opened.read(&mut chunk).map_err(unreadable)? {
            0 => break,
            count => hash.update(&chunk[..count]),
        }
    }
    if hex(&hash.finalize()) == expected {
        return Ok(());
    }
    Err(LoadError::Changed {
        file: file.to_owned(),
    })
}

/// What loading a pulled model takes in memory, from above: its weights, which may be halves, as
/// f32, and one file's numbers on their way.
#[must_use]
pub fn loading_bytes(installed: &Installed) -> u64 {
    let weights = installed
        .lock
        .files
        .iter()
        .filter(|file| is_weights(&file.path));
    2 * weights.map(|file| file.bytes).sum::<u64>()
}

pub(super) fn is_weights(inner: &str) -> bool {
    Path::new(inner)
        .extension()
        .is_some_and(|kind| kind == "safetensors")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
