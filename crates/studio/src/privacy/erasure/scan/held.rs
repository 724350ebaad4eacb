//! Reads a file that SQLite has open. By the rules of POSIX, a process that closes any handle of a file
//! loses all of its locks on it, those of SQLite included; another process would then think itself
//! alone, and take the log away. So a handle that was opened once stays open, and is used again.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
#[cfg(unix)]
use std::sync::{Mutex, PoisonError};

/// A file from its beginning.
pub(super) struct Held {
    file: Arc<File>,
    #[cfg(unix)]
    at: u64,
}

#[cfg(unix)]
mod kept {
    use std::os::unix::fs::MetadataExt;

    use super::{Arc, File, Mutex, Path, PoisonError, io};

    /// By device and inode: a file that was made anew is another one.
    type Kept = ((u64, u64), Arc<File>);
    static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

    pub(super) fn open(path: &Path) -> io::Result<Arc<File>> {
        // Held while it is opened, so that none is opened twice and closed again.
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let found = std::fs::metadata(path)?;
        let name = (found.dev(), found.ino());
        if let Some((_, file)) = kept.iter().find(|(known, _)| *known == name) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(File::open(path)?);
        let opened = file.metadata()?;
        kept.push(((opened.dev(), opened.ino()), Arc::clone(&file)));
        Ok(file)
    }
}

impl Held {
    #[cfg(unix)]
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: kept::open(path)?,
            at: 0,
        })
    }

    /// Elsewhere a lock belongs to the handle that took it.
    #[cfg(not(unix))]
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: Arc::new(File::open(path)?),
        })
    }
}

impl Read for Held {
    #[cfg(unix)]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = std::os::unix::fs::FileExt::read_at(&*self.file, buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }

    #[cfg(not(unix))]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.file).read(buffer)
    }
}
