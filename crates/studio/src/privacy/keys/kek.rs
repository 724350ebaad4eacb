//! The key-encryption keys: 256 bits each, from a file or from the environment, never from the
//! database. Several may be known at once; the newest stands last.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::randomness::Randomness;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::cipher::Key;

/// A key-encryption key. Its id is made of it by a function that can't be turned round.
#[derive(Clone, Debug)]
pub(super) struct Kek {
    pub(super) id: String,
    pub(super) key: Key,
}

#[derive(Debug, thiserror::Error)]
pub enum KekError {
    #[error("{path:?} with the key-encryption keys can't be {done}: {source}")]
    File {
        path: PathBuf,
        done: &'static str,
        source: std::io::Error,
    },
    #[error(
        "line {line} of {place} is no key-encryption key: each is 32 random bytes in base64, as \
         `openssl rand -base64 32` writes them, one to a line, the newest last"
    )]
    Malformed { place: String, line: usize },
    #[error(
        "PINHOLE_KEK is set, so the program can't make a key-encryption key: put a new one behind the \
         one that is there, with a blank between (`openssl rand -base64 32` makes one), start every \
         process with both, and run `pinhole keys rotate` again"
    )]
    Given,
}

/// Where they come from.
#[derive(Clone, Debug)]
pub struct KekSource(From);

#[derive(Clone, Debug)]
enum From {
    File(PathBuf),
    Given(Vec<Kek>),
}

impl KekSource {
    /// A file with one to a line, made when a house is opened for the first time.
    #[must_use]
    pub const fn file(path: PathBuf) -> Self {
        Self(From::File(path))
    }

    /// One or several, with blanks between, the newest last.
    pub fn given(text: &str) -> Result<Self, KekError> {
        let keks = parse(text.split_whitespace(), "PINHOLE_KEK")?;
        if keks.is_empty() {
            return Err(KekError::Malformed {
                place: "PINHOLE_KEK".to_owned(),
                line: 1,
            });
        }
        Ok(Self(From::Given(keks)))
    }

    /// Those that are there; none where the file is missing.
    pub(super) fn load(&self) -> Result<Vec<Kek>, KekError> {
        match &self.0 {
            From::Given(keks) => Ok(keks.clone()),
            From::File(path) => {
                let lines = read(path)?;
                parse(lines.lines(), &path.display().to_string())
            }
        }
    }

    /// Makes one more and keeps it, before anything is wrapped by it.
    pub(super) fn make(&self, randomness: &Randomness) -> Result<Kek, KekError> {
        let From::File(path) = &self.0 else {
            return Err(KekError::Given);
        };
        let key = Key::new(randomness);
        let mut text = read(path)?;
        if text.is_empty() {
            text.push_str(
                "# The key-encryption keys of this house. Without them nothing of its people can be \
                 read.\n# Keep a copy where the backups of the data folder are not.\n",
            );
        } else if !text.ends_with('\n') {
            text.push('\n');
        }
        STANDARD.encode_string(key.expose(), &mut text);
        text.push('\n');
        replace(path, text.as_bytes()).map_err(|source| KekError::File {
            path: path.clone(),
            done: "written",
            source,
        })?;
        Ok(Kek {
            id: id_of(&key),
            key,
        })
    }

    /// Whether there is no file yet.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(&self.0, From::File(path) if !path.exists())
    }

    /// For telling people where to look.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.0 {
            From::File(path) => path.display().to_string(),
            From::Given(_) => "PINHOLE_KEK".to_owned(),
        }
    }

    /// Whether others than its owner can read the file.
    #[cfg(unix)]
    #[must_use]
    pub fn is_open_to_others(&self) -> bool {
        use std::os::unix::fs::PermissionsExt;
        match &self.0 {
            From::File(path) => {
                fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
            }
            From::Given(_) => false,
        }
    }

    #[cfg(not(unix))]
    #[must_use]
    pub const fn is_open_to_others(&self) -> bool {
        false
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, KekError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Zeroizing::default()),
        Err(source) => Err(KekError::File {
            path: path.to_owned(),
            done: "read",
            source,
        }),
    }
}

/// Whole or not at all, and for nobody else to read.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let part = path.with_extension("part");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

fn parse<'a>(lines: impl Iterator<Item = &'a str>, place: &str) -> Result<Vec<Kek>, KekError> {
    let mut keks = Vec::new();
    for (number, line) in (1..).zip(lines) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let malformed = || KekError::Malformed {
            place: place.to_owned(),
            line: number,
        };
        let bytes = Zeroizing::new(STANDARD.decode(line).map_err(|_| malformed())?);
        let key = Key::read(&bytes).ok_or_else(malformed)?;
        keks.push(Kek {
            id: id_of(&key),
            key,
        });
    }
    Ok(keks)
}

fn id_of(key: &Key) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).expect("any length is a key");
    mac.update(b"pinhole key-encryption key");
    let digest = mac.finalize().into_bytes();
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_one_to_a_line_and_found_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = KekSource::file(folder.path().join("kek"));
        assert!(source.load().expect("nothing yet").is_empty());
        let randomness = Randomness::seeded(5);
        let first = source.make(&randomness).expect("makes");
        let second = source.make(&randomness).expect("makes");
        let ids: Vec<String> = source
            .load()
            .expect("reads")
            .into_iter()
            .map(|kek| kek.id)
            .collect();
        assert_eq!(ids, [first.id, second.id]);
        assert!(!source.is_open_to_others());
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_line() {
        for wrong in ["hunter2", "AAAA", "%%%"] {
            let refused = KekSource::given(wrong).expect_err("no key");
            let says = refused.to_string();
            assert!(says.contains("line 1 of PINHOLE_KEK"), "{says}");
            assert!(!says.contains(wrong), "{says}");
        }
        assert!(KekSource::given(" ").is_err());
        let good = STANDARD.encode([7; 32]);
        let source = KekSource::given(&format!("{good} {good}")).expect("reads");
        assert_eq!(source.load().expect("reads").len(), 2);
        assert!(matches!(
            source.make(&Randomness::seeded(1)),
            Err(KekError::Given)
        ));
    }
}
