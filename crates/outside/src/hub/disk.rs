//! The folder that a pull fills, and the room that there is for it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::HubError;

const KINDS: [&str; 3] = ["safetensors", "json", "txt"];
/// So much of a disk is left free.
const SPARE_BYTES: u64 = 64 << 20;
/// A safetensors file begins with its header's length, which no writer makes larger.
const LARGEST_HEADER_BYTES: u64 = 100_000_000;
/// Held open and locked while a pull goes on.
const GUARD: &str = ".pulling";

/// `<name>.partial`, which no other process fills at the same time.
#[derive(Debug)]
pub(super) struct Partial {
    folder: PathBuf,
    guard: File,
}

impl Partial {
    pub(super) fn open(models_dir: &Path, name: &str) -> Result<Self, HubError> {
        let folder = models_dir.join(format!("{name}.partial"));
        fs::create_dir_all(&folder).map_err(|source| failed(&folder, source))?;
        let path = folder.join(GUARD);
        let guard = File::create(&path).map_err(|source| failed(&path, source))?;
        match guard.try_lock() {
            Ok(()) => Ok(Self { folder, guard }),
            Err(fs::TryLockError::WouldBlock) => Err(HubError::AlreadyPulling { folder }),
            Err(fs::TryLockError::Error(source)) => Err(failed(&path, source)),
        }
    }

    /// Where a file lies when it is whole and checked.
    pub(super) fn whole(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// Where it grows.
    pub(super) fn growing(&self, path: &str) -> PathBuf {
        self.folder.join(format!("{path}.part"))
    }

    /// How much of a file is here.
    pub(super) fn bytes_of(&self, path: &str) -> u64 {
        let length = |path: PathBuf| fs::metadata(path).map(|file| file.len());
        length(self.whole(path))
            .or_else(|_| length(self.growing(path)))
            .unwrap_or(0)
    }

    pub(super) fn settle(
        self,
        describing: &str,
        text: &str,
        target: &Path,
    ) -> Result<(), HubError> {
        let path = self.folder.join(describing);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|source| failed(&path, source))?;
        drop(self.guard);
        let guard = self.folder.join(GUARD);
        fs::remove_file(&guard).map_err(|source| failed(&guard, source))?;
        fs::rename(&self.folder, target).map_err(|source| failed(target, source))?;
        // Where a folder can be synced, the new name survives a loss of power.
        if let Some(parent) = target.parent().and_then(|parent| File::open(parent).ok()) {
            drop(parent.sync_all());
        }
        Ok(())
    }
}

/// Free space, as the system tells it.
pub(super) struct Room {
    free_bytes: u64,
}

impl Room {
    pub(super) fn of(folder: &Path) -> Result<Self, HubError> {
        let free_bytes = fs4::available_space(folder).map_err(|source| failed(folder, source))?;
        Ok(Self { free_bytes })
    }

    pub(super) fn check(&self, folder: &Path, more_bytes: u64) -> Result<(), HubError> {
        let needed_bytes = more_bytes.saturating_add(SPARE_BYTES);
        if more_bytes > 0 && needed_bytes > self.free_bytes {
            let folder = folder.to_owned();
            return Err(HubError::NoRoom {
                folder,
                needed_bytes,
                free_bytes: self.free_bytes,
            });
        }
        Ok(())
    }
}

/// Puts a failed write into words.
pub(super) fn failed(path: &Path, source: io::Error) -> HubError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            HubError::DiskFull { path }
        }
        _ => HubError::Disk { path, source },
    }
}

/// Only plain names inside the folder, and only kinds of file that hold data.
pub(super) fn check_path(path: &str) -> Result<(), HubError> {
    let inside = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let plain = !path.is_empty() && !path.contains(['\\', '\0', ':']) && !path.starts_with('.');
    if inside && plain && KINDS.contains(&kind(path)) {
        return Ok(());
    }
    Err(HubError::BadKind {
        file: path.to_owned(),
    })
}

fn kind(path: &str) -> &str {
    Path::new(path)
        .extension()
        .and_then(|kind| kind.to_str())
        .unwrap_or_default()
}

/// What a file's first bytes betray, if it is not what its name says.
pub(super) fn wrong_content(path: &str, head: &[u8]) -> Option<&'static str> {
    if head.starts_with(b"PK\x03\x04") {
        return Some("a zip archive, as Python's torch.save writes it");
    }
    if head.first() == Some(&0x80) && head.get(8) != Some(&b'{') {
        return Some("a Python pickle");
    }
    if head.starts_with(b"version https://git-lfs") {
        return Some("a Git LFS pointer");
    }
    let text = || head.iter().find(|byte| !byte.is_ascii_whitespace());
    match kind(path) {
        "safetensors" => {
            let length = head.first_chunk().map(|length| u64::from_le_bytes(*length));
            let sane = length.is_some_and(|n| n <= LARGEST_HEADER_BYTES);
            (!sane || head.get(8) != Some(&b'{')).then_some("no safetensors")
        }
        "json" => (!matches!(text(), Some(b'{' | b'['))).then_some("no JSON"),
        _ => None,
    }
}

/// A file's first bytes, enough for [`wrong_content`].
pub(super) fn head_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(64).read_to_end(&mut head)?;
    Ok(head)
}

/// A file's SHA-256, and the name that Git gives it.
pub(super) fn hashes_of(path: &Path) -> io::Result<(String, String)> {
    const CHUNK_BYTES: usize = 1 << 20;
    let mut file = File::open(path)?;
    let (mut sha256, mut git) = (Sha256::new(), Sha1::new());
    git.update(format!("blob {}\0", file.metadata()?.len()));
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok((hex(&sha256.finalize()), hex(&git.finalize()))),
            count => {
                sha256.update(&chunk[..count]);
                git.update(&chunk[..count]);
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_or_hold_code_are_refused() {
        for good in [
            "model_index.json",
            "unet/model.fp16.safetensors",
            "tokenizer/merges.txt",
        ] {
            assert!(check_path(good).is_ok(), "{good}");
        }
        let bad = [
            "",
            "../a.json",
            "/etc/a.json",
            "a/../b.json",
            "a\\b.json",
            "C:a.json",
            "model.bin",
            "model.ckpt",
            "model.pt",
            "model.safetensors.index",
            "run.py",
            ".json",
        ];
        for bad in bad {
            assert!(check_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn content_is_told_apart_by_its_first_bytes() {
        let safetensors = [&640u64.to_le_bytes()[..], b"{\"a\":1}"].concat();
        assert_eq!(wrong_content("a.safetensors", &safetensors), None);
        assert_eq!(wrong_content("a.json", b" {}"), None);
        assert_eq!(wrong_content("a.txt", b"#version: 0.2"), None);
        let pickle = b"\x80\x02}q\x00X\x05\x00\x00\x00";
        for name in ["a.safetensors", "a.json", "a.txt"] {
            assert!(
                wrong_content(name, pickle).is_some_and(|w| w.contains("pickle")),
                "{name}"
            );
            assert!(wrong_content(name, b"PK\x03\x04..").is_some(), "{name}");
        }
        assert!(wrong_content("a.safetensors", b"<html>").is_some());
        assert!(wrong_content("a.json", b"<html>").is_some());
    }

    #[test]
    fn git_and_sha256_are_the_known_ones() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a");
        fs::write(&path, "hello\n").expect("written");
        let (sha256, git) = hashes_of(&path).expect("hashes");
        assert!(sha256.starts_with("5891b5b522d5df086d0ff0b110fbd9d2"));
        assert_eq!(git, "ce013625030ba8dba906f756967f9e9ca394464a");
    }

    #[test]
    fn a_disk_without_room_is_told_by_how_much() {
        let room = Room {
            free_bytes: 100 << 20,
        };
        assert!(room.check(Path::new("x"), 0).is_ok());
        assert!(room.check(Path::new("x"), 36 << 20).is_ok());
        let error = room
            .check(Path::new("x"), (36 << 20) + 5)
            .expect_err("no room");
        assert!(error.to_string().contains("free 5 more"), "{error}");
        let full = failed(Path::new("x"), io::ErrorKind::StorageFull.into());
        assert!(full.to_string().contains("disk is full"), "{full}");
    }
}
