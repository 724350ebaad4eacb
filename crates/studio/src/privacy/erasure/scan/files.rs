//! Reads every file of the house, as it is on the disk.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::held::Held;
use super::needles::Needles;

/// Read at once of a file.
const CHUNK_BYTES: usize = 1 << 20;
const MAX_THREADS: usize = 4;

/// A kind of place, as the receipt names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// The database's file, and its log.
    Database,
    Keys,
    Shelf,
    Log,
    Other,
}

impl Class {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Database => "database and its log",
            Self::Keys => "key store and its log",
            Self::Shelf => "pictures and portraits",
            Self::Log => "log",
            Self::Other => "other files of the data folder",
        }
    }
}

/// Who has a file open besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opened {
    BySqlite,
    ByNobody,
}

/// What was read of a file.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) bytes: u64,
    /// What was found, by the number of its mark.
    pub(super) marks: Vec<usize>,
    /// It is there, and can't be read.
    pub(super) is_closed: bool,
}

/// The files below a folder, but for those below some others. A link is not followed: what it leads to
/// is not the house's.
pub(super) fn below(folder: &Path, skipped: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let (path, kind) = (entry.path(), entry.file_type());
            match kind {
                Ok(kind) if kind.is_dir() && !skipped.contains(&path) => folders.push(path),
                Ok(kind) if kind.is_file() => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// Reads files, several at once, each with the texts that are looked for in it.
pub(super) fn read_all(files: &[(PathBuf, &Needles, Opened)]) -> Vec<Looked> {
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut buffer = Vec::new();
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some((path, needles, opened)) = files.get(number) else {
                return done;
            };
            done.push((number, read(path, needles, *opened, &mut buffer)));
        }
    };
    let mut all = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(MAX_THREADS))
            .map(|_| scope.spawn(work))
            .collect();
        let done = workers.into_iter().flat_map(|worker| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        done.collect::<Vec<_>>()
    });
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, read)| read).collect()
}

fn read(path: &Path, needles: &Needles, opened: Opened, buffer: &mut Vec<u8>) -> Looked {
    let mut done = Looked::default();
    // Its name tells as much as what is in it.
    let name = path.file_name().unwrap_or_default();
    needles.find(name.as_encoded_bytes(), 0, |mark| done.marks.push(mark));
    let outcome = match opened {
        Opened::BySqlite => {
            Held::open(path).and_then(|mut file| stream(&mut file, needles, buffer, &mut done))
        }
        Opened::ByNobody => {
            File::open(path).and_then(|mut file| stream(&mut file, needles, buffer, &mut done))
        }
    };
    if let Err(error) = outcome {
        // Deleted while the house was searched.
        done.is_closed = error.kind() != ErrorKind::NotFound;
    }
    done
}

fn stream(
    file: &mut impl Read,
    needles: &Needles,
    buffer: &mut Vec<u8>,
    done: &mut Looked,
) -> std::io::Result<()> {
    let keep = needles.overlap();
    buffer.resize(keep + CHUNK_BYTES, 0);
    let mut known = 0;
    loop {
        let fresh = fill(file, &mut buffer[known..])?;
        if fresh == 0 {
            return Ok(());
        }
        done.bytes += fresh as u64;
        let end = known + fresh;
        needles.find(&buffer[..end], known, |mark| done.marks.push(mark));
        let from = end.saturating_sub(keep);
        buffer.copy_within(from..end, 0);
        known = end - from;
    }
}

/// As much as there is, up to the end of the buffer.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_across_two_reads_is_found_once() {
        let needles = Needles::new([(7, b"ann@example.org".to_vec())]);
        for begin in (CHUNK_BYTES - 20)..(CHUNK_BYTES + 20) {
            let mut bytes = vec![0; 2 * CHUNK_BYTES + 5];
            bytes[begin..begin + 15].copy_from_slice(b"ann@example.org");
            let (mut done, mut buffer) = (Looked::default(), Vec::new());
            stream(&mut bytes.as_slice(), &needles, &mut buffer, &mut done).expect("reads");
            assert_eq!(
                (done.marks, done.bytes),
                (vec![7], bytes.len() as u64),
                "{begin}"
            );
        }
    }

    #[test]
    fn names_of_files_are_searched_and_skipped_folders_are_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["blobs", "models"] {
            fs::create_dir(path(name)).expect("a folder");
        }
        fs::write(path("blobs/ann@example.org.png"), "nothing").expect("writes");
        fs::write(path("models/weights"), "ann@example.org").expect("writes");
        let needles = Needles::new([(7, b"ann@example.org".to_vec())]);
        let files = below(folder.path(), &[path("models")]);
        let files: Vec<_> = files
            .into_iter()
            .map(|file| (file, &needles, Opened::ByNobody))
            .collect();
        let read = read_all(&files);
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].marks.as_slice(), read[0].bytes), (&[7][..], 7));
    }
}
