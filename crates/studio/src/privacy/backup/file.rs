//! The file of a backup: a line that says what it is, then parts of sealed pieces, then the manifest, which
//! is signed and names every part with its hash. No byte of it can change unseen.
//!
//! A piece is its length in four bytes, then so many bytes: AES-256-GCM, bound to the backup, the part and
//! its place in the file. The manifest is one line of canonical JSON.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::BackupError;
use crate::privacy::canonical::Signature;
use crate::privacy::keys::{self, Parcel};
use crate::privacy::{canonical, log};

const FIRST_LINE: &[u8] = b"pinhole backup 1\n";
/// Sealed at once.
const PIECE_BYTES: usize = 1 << 18;
const TAG_BYTES: usize = 16;
/// A manifest has some two hundred bytes for each table.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// What a backup says of itself, for everybody to read: nothing about people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub kind: String,
    pub id: String,
    pub of: Content,
    /// Seconds since 1970.
    pub made: i64,
    /// From then on it is not taken any more; backups of the keys alone have an end.
    pub ends: Option<i64>,
    /// The program's version, and the schema of its databases.
    pub program: String,
    pub schema: String,
    pub inventory_sha256: String,
    /// The log's newest checkpoint in it, signed.
    pub log_checkpoint: Option<String>,
    /// The key-encryption key that opens it, by name; absent where the house's own key does.
    pub key_encryption_key: Option<String>,
    pub parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// The database and the files, without any key.
    House,
    /// The keys, wrapped as they are, and nothing else.
    Keys,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub name: String,
    /// Rows of a table, or files.
    pub items: u64,
    /// In the file, sealed.
    pub bytes: u64,
    pub sha256: String,
}

/// Says what a document is, and which edition of its fields it has.
pub(super) const KIND: &str = "pinhole/backup/1";

/// A backup that is being written, under another name until it is whole.
pub(super) struct Draft {
    path: PathBuf,
    draft: PathBuf,
    file: BufWriter<File>,
    parcel: Parcel,
    /// In the file, so far.
    offset: u64,
    parts: Vec<Part>,
    open: Option<Open>,
    is_done: bool,
}

/// The part that is being written.
struct Open {
    name: String,
    begun_at: u64,
    piece: Vec<u8>,
    hash: Sha256,
}

impl Draft {
    /// Begins a file that only its owner can read.
    pub(super) fn create(path: &Path, parcel: Parcel) -> Result<Self, BackupError> {
        if path.exists() {
            return Err(BackupError::Exists(path.to_owned()));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let draft = path.with_file_name(name);
        let wrong = |error| BackupError::io(&draft, "written", error);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = options.open(&draft).map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::UnderWay(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(wrong(error)),
        }
        // What one that was broken off left behind.
        file.set_len(0).map_err(wrong)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::Permissions::from_mode(0o600);
            file.set_permissions(mode).map_err(wrong)?;
        }
        let mut begun = Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
            draft,
            parcel,
            offset: 0,
            parts: Vec::new(),
            open: None,
            is_done: false,
        };
        begun.put(FIRST_LINE)?;
        Ok(begun)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| BackupError::io(&self.draft, "written", error))?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn begin(&mut self, name: &str) {
        self.open = Some(Open {
            name: name.to_owned(),
            begun_at: self.offset,
            piece: Vec::with_capacity(PIECE_BYTES + TAG_BYTES),
            hash: Sha256::new(),
        });
    }

    /// Adds to the part that was begun.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), BackupError> {
        while !bytes.is_empty() {
            let room = self
                .open
                .as_ref()
                .map_or(0, |open| PIECE_BYTES - open.piece.len());
            if room == 0 {
                self.seal(false)?;
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if let Some(open) = &mut self.open {
                open.piece.extend_from_slice(now);
            }
            bytes = later;
        }
        Ok(())
    }

    fn seal(&mut self, is_last: bool) -> Result<(), BackupError> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        self.parcel
            .seal(&open.name, is_last, self.offset, &mut open.piece);
        let length = u32::try_from(open.piece.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes();
        open.hash.update(length);
        open.hash.update(&open.piece);
        self.put(&length)?;
        self.put(&open.piece)?;
        open.piece.clear();
        self.open = Some(open);
        Ok(())
    }

    /// Ends the part that was begun.
    pub(super) fn end(&mut self, items: u64) -> Result<(), BackupError> {
        self.seal(true)?;
        if let Some(open) = self.open.take() {
            self.parts.push(Part {
                name: open.name,
                items,
                bytes: self.offset - open.begun_at,
                sha256: log::hex(&open.hash.finalize().into()),
            });
        }
        Ok(())
    }

    pub(super) fn parts(&self) -> Vec<Part> {
        self.parts.clone()
    }

    /// Writes the signed manifest, and gives the file its name once all of it is on the disk.
    pub(super) fn finish(mut self, manifest: &str) -> Result<u64, BackupError> {
        self.put(manifest.as_bytes())?;
        self.put(b"\n")?;
        let wrong = |error| BackupError::io(&self.draft, "written", error);
        self.file.flush().map_err(wrong)?;
        self.file.get_ref().sync_all().map_err(wrong)?;
        if self.path.exists() {
            return Err(BackupError::Exists(self.path.clone()));
        }
        fs::rename(&self.draft, &self.path).map_err(wrong)?;
        self.is_done = true;
        let folder = self
            .path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new(".")));
        folder.and_then(|folder| folder.sync_all()).map_err(wrong)?;
        Ok(self.offset)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_done {
            // Where even that fails, the next one begins by emptying it.
            drop(fs::remove_file(&self.draft));
        }
    }
}

/// A backup as it lies there.
pub(super) struct Stored {
    path: PathBuf,
    pub(super) manifest: Manifest,
    /// As it was signed.
    text: String,
    signature: Signature,
}

impl Stored {
    /// Reads the manifest. Whether it can be believed, [`Stored::check`] says.
    pub(super) fn open(path: &Path) -> Result<Self, BackupError> {
        let wrong = |error| BackupError::io(path, "read", error);
        let no_backup = || BackupError::NoBackup(path.to_owned());
        let changed = || BackupError::Changed(path.to_owned());
        let mut file = File::open(path).map_err(wrong)?;
        let mut first = [0; FIRST_LINE.len()];
        match file.read_exact(&mut first) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(no_backup()),
            outcome => outcome.map_err(wrong)?,
        }
        if first != FIRST_LINE {
            return Err(no_backup());
        }
        let length = file.metadata().map_err(wrong)?.len();
        let begin = length.saturating_sub(MAX_MANIFEST_BYTES);
        file.seek(SeekFrom::Start(begin)).map_err(wrong)?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail).map_err(wrong)?;
        let Some((b'\n', tail)) = tail.split_last() else {
            return Err(BackupError::Cut(path.to_owned()));
        };
        // Neither sealed bytes nor JSON end like this by chance.
        let at = tail.windows(LEAD.len()).rposition(|bytes| bytes == LEAD);
        let at = at.ok_or_else(|| BackupError::Cut(path.to_owned()))?;
        let line = std::str::from_utf8(&tail[at..]).map_err(|_| changed())?;
        let document: Value = serde_json::from_str(line).map_err(|_| changed())?;
        if canonical::text(&document) != line {
            return Err(changed());
        }
        let said = document.get("manifest").ok_or_else(changed)?;
        let signature = canonical::signature(&document).ok_or_else(changed)?;
        let opened = Self {
            path: path.to_owned(),
            manifest: serde_json::from_value(said.clone()).map_err(|_| changed())?,
            text: canonical::text(said),
            signature,
        };
        if opened.manifest.kind != KIND {
            return Err(no_backup());
        }
        let parts: u64 = opened.manifest.parts.iter().map(|part| part.bytes).sum();
        if FIRST_LINE.len() as u64 + parts != begin + at as u64 {
            return Err(changed());
        }
        Ok(opened)
    }

    /// Whether the house with this key made it, and every byte is as it was.
    pub(super) fn check(&self, public_key: &[u8; 32]) -> Result<(), BackupError> {
        if self.signature.public_key != *public_key {
            return Err(BackupError::OtherHouse(self.path.clone()));
        }
        if !keys::verify(public_key, self.text.as_bytes(), &self.signature.value) {
            return Err(BackupError::Changed(self.path.clone()));
        }
        let wrong = |error| BackupError::io(&self.path, "read", error);
        let mut file = File::open(&self.path).map_err(wrong)?;
        file.seek(SeekFrom::Start(FIRST_LINE.len() as u64))
            .map_err(wrong)?;
        let mut buffer = vec![0; PIECE_BYTES];
        for part in &self.manifest.parts {
            let mut hash = Sha256::new();
            let mut left = part.bytes;
            while left > 0 {
                let many = usize::try_from(left)
                    .unwrap_or(usize::MAX)
                    .min(buffer.len());
                file.read_exact(&mut buffer[..many]).map_err(wrong)?;
                hash.update(&buffer[..many]);
                left -= many as u64;
            }
            if log::hex(&hash.finalize().into()) != part.sha256 {
                return Err(BackupError::Changed(self.path.clone()));
            }
        }
        Ok(())
    }

    /// Reads one part; `None` where there is none of that name.
    pub(super) fn part<'a>(
        &'a self,
        name: &str,
        parcel: &'a Parcel,
    ) -> Result<Option<PartReader<'a>>, BackupError> {
        let mut offset = FIRST_LINE.len() as u64;
        for part in &self.manifest.parts {
            if part.name == name {
                let wrong = |error| BackupError::io(&self.path, "read", error);
                let mut file = File::open(&self.path).map_err(wrong)?;
                file.seek(SeekFrom::Start(offset)).map_err(wrong)?;
                return Ok(Some(PartReader {
                    stored: self,
                    part,
                    parcel,
                    file,
                    offset,
                    end: offset + part.bytes,
                    piece: Vec::new(),
                    at: 0,
                }));
            }
            offset += part.bytes;
        }
        Ok(None)
    }

    pub(super) fn changed(&self) -> BackupError {
        BackupError::Changed(self.path.clone())
    }
}

/// With what the last line begins.
const LEAD: &[u8] = b"{\"manifest\":{";

/// One part, piece by piece.
pub(super) struct PartReader<'a> {
    stored: &'a Stored,
    pub(super) part: &'a Part,
    parcel: &'a Parcel,
    file: File,
    offset: u64,
    end: u64,
    piece: Vec<u8>,
    at: usize,
}

impl PartReader<'_> {
    /// Opens the next piece; `false` where there is none.
    fn next(&mut self) -> Result<bool, BackupError> {
        if self.offset >= self.end {
            return Ok(false);
        }
        let path = &self.stored.path;
        let wrong = |error| BackupError::io(path, "read", error);
        let mut length = [0; 4];
        self.file.read_exact(&mut length).map_err(wrong)?;
        let length = u32::from_le_bytes(length) as usize;
        if !(TAG_BYTES..=PIECE_BYTES + TAG_BYTES).contains(&length) {
            return Err(self.stored.changed());
        }
        let mut sealed = vec![0; length];
        self.file.read_exact(&mut sealed).map_err(wrong)?;
        let next = self.offset + 4 + length as u64;
        let is_last = next == self.end;
        let opened = self
            .parcel
            .open(&self.part.name, is_last, self.offset, &mut sealed);
        let opened = opened.ok_or_else(|| self.stored.changed())?.len();
        sealed.truncate(opened);
        self.piece = sealed;
        self.at = 0;
        self.offset = next;
        Ok(true)
    }

    /// The next bytes up to a line's end, without it; `None` at the end of the part.
    pub(super) fn line(&mut self) -> Result<Option<Vec<u8>>, BackupError> {
        let mut line = Vec::new();
        loop {
            let left = &self.piece[self.at..];
            if let Some(end) = left.iter().position(|byte| *byte == b'\n') {
                line.extend_from_slice(&left[..end]);
                self.at += end + 1;
                return Ok(Some(line));
            }
            line.extend_from_slice(left);
            if !self.next()? {
                return match line.is_empty() {
                    true => Ok(None),
                    false => Err(self.stored.changed()),
                };
            }
        }
    }

    /// So many bytes.
    pub(super) fn bytes(&mut self, many: usize) -> Result<Vec<u8>, BackupError> {
        let mut bytes = Vec::with_capacity(many.min(PIECE_BYTES));
        while bytes.len() < many {
            let left = &self.piece[self.at..];
            if left.is_empty() {
                if !self.next()? {
                    return Err(self.stored.changed());
                }
                continue;
            }
            let now = left.len().min(many - bytes.len());
            bytes.extend_from_slice(&left[..now]);
            self.at += now;
        }
        Ok(bytes)
    }
}
