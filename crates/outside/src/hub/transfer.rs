//! One file's way from the hub to the disk.

use std::path::Path;

use reqwest::StatusCode;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, RANGE};
use tokio::fs::{self, OpenOptions};
use tokio::io::{AsyncWriteExt, BufWriter};

use super::disk::{Partial, failed, hashes_of, head_of, wrong_content};
use super::{FetchedFile, Hub, HubError, Order, OrderedFile, Progress, Record, Stage, TRIES, Tag};
use super::{Told, cause_of};

const BUFFER_BYTES: usize = 1 << 20;
/// Enough to see what kind of file it is.
const TELLING_BYTES: u64 = 64;

/// A pull on its way.
pub(super) struct Pull<'a> {
    pub(super) hub: &'a Hub,
    pub(super) order: &'a Order,
    pub(super) partial: &'a Partial,
    pub(super) told: Told<'a>,
    pub(super) total_bytes: u64,
    /// Of the files before this one.
    pub(super) done_bytes: u64,
}

impl Pull<'_> {
    /// Fetches what is missing of a file, checks it, and gives it its name.
    pub(super) async fn file(
        &mut self,
        file: &OrderedFile,
        record: &Record,
    ) -> Result<FetchedFile, HubError> {
        let (growing, whole) = (
            self.partial.growing(&file.path),
            self.partial.whole(&file.path),
        );
        if let Some(parent) = whole.parent() {
            fs::create_dir_all(parent)
                .await
                .map_err(|source| failed(parent, source))?;
        }
        let already = fs::metadata(&whole)
            .await
            .is_ok_and(|found| found.len() == record.bytes);
        let fetched = if already { &whole } else { &growing };
        if !already {
            self.grow(file, record, &growing).await?;
        }
        self.tell(file, Stage::Checking, record.bytes);
        let sha256 = match check(file, record, fetched).await {
            Ok(sha256) => sha256,
            Err(error) => {
                drop(fs::remove_file(fetched).await);
                return Err(error);
            }
        };
        if !already {
            fs::rename(&growing, &whole)
                .await
                .map_err(|source| failed(&whole, source))?;
        }
        self.done_bytes += record.bytes;
        Ok(FetchedFile {
            path: file.path.clone(),
            bytes: record.bytes,
            sha256,
        })
    }

    /// Asks for the rest of a file until it is here, or until nothing more comes.
    async fn grow(
        &self,
        file: &OrderedFile,
        record: &Record,
        growing: &Path,
    ) -> Result<(), HubError> {
        let mut fruitless = 0;
        let mut pause = self.hub.pause;
        loop {
            let have = fs::metadata(growing).await.map_or(0, |found| found.len());
            if have > record.bytes {
                // Of another version: none of it can be used.
                fs::remove_file(growing)
                    .await
                    .map_err(|source| failed(growing, source))?;
                continue;
            }
            if have == record.bytes && have > 0 {
                return Ok(());
            }
            let outcome = self.fetch(file, record, growing, have).await;
            let now = fs::metadata(growing).await.map_or(0, |found| found.len());
            let why = match outcome {
                Ok(()) if now == record.bytes => return Ok(()),
                Ok(()) => "it ended early".to_owned(),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Passing(why)) => why,
            };
            fruitless = if now > have { 0 } else { fruitless + 1 };
            if fruitless >= TRIES {
                let (done_bytes, total_bytes) = (now, record.bytes);
                let file = file.path.clone();
                return Err(HubError::Broken {
                    file,
                    done_bytes,
                    total_bytes,
                    why,
                });
            }
            tokio::time::sleep(pause).await;
            pause = if fruitless == 0 {
                self.hub.pause
            } else {
                pause * 2
            };
        }
    }

    /// One request for everything from byte `have` on.
    async fn fetch(
        &self,
        file: &OrderedFile,
        record: &Record,
        growing: &Path,
        have: u64,
    ) -> Result<(), Trouble> {
        let url = self.hub.address(self.order, &file.path)?;
        let request = || {
            let request = self
                .hub
                .fetching
                .get(url.clone())
                .header(ACCEPT_ENCODING, "identity");
            if have > 0 {
                request.header(RANGE, format!("bytes={have}-"))
            } else {
                request
            }
        };
        let mut answer = match self.hub.again_and_again(request).await {
            // In the middle of a file, how far it came is the more telling.
            Err(HubError::Unreachable { why, .. }) => return Err(Trouble::Passing(why)),
            answer => answer?,
        };
        let goes_on = || {
            let range = answer
                .headers()
                .get(CONTENT_RANGE)
                .and_then(|range| range.to_str().ok());
            range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")))
        };
        let mut at = match answer.status() {
            StatusCode::PARTIAL_CONTENT if goes_on() => have,
            // A server that can't give a part gives the whole from its beginning.
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                fs::remove_file(growing)
                    .await
                    .map_err(|source| failed(growing, source))?;
                return Err(Trouble::Passing("the server gave another part".into()));
            }
            _ => return Err(self.hub.refusal(&answer, self.order, &file.path).into()),
        };
        let disk = |source| Trouble::Final(failed(growing, source));
        let mut how = OpenOptions::new();
        how.create(true).write(true).truncate(false);
        let opened = how.open(growing).await.map_err(disk)?;
        opened.set_len(at).await.map_err(disk)?;
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, opened);
        tokio::io::AsyncSeekExt::seek(&mut out, std::io::SeekFrom::Start(at))
            .await
            .map_err(disk)?;
        let mut head: Vec<u8> = Vec::new();
        let ended = loop {
            let chunk = match answer.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break Ok(()),
                Err(error) => break Err(Trouble::Passing(cause_of(&error))),
            };
            if at < TELLING_BYTES {
                head.extend(chunk.iter().take(TELLING_BYTES as usize));
                let enough = head.len() as u64 >= TELLING_BYTES.min(record.bytes);
                if let Some(found) =
                    wrong_content(&file.path, &head).filter(|_| enough && have == 0)
                {
                    drop(out);
                    drop(fs::remove_file(growing).await);
                    return Err(HubError::BadContent {
                        file: file.path.clone(),
                        found,
                    }
                    .into());
                }
            }
            at += chunk.len() as u64;
            if at > record.bytes {
                break Err(Trouble::Passing("more came than the file has".into()));
            }
            out.write_all(&chunk).await.map_err(disk)?;
            self.tell(file, Stage::Fetching, at);
        };
        out.flush().await.map_err(disk)?;
        out.get_ref().sync_all().await.map_err(disk)?;
        ended
    }

    fn tell(&self, file: &OrderedFile, stage: Stage, at: u64) {
        let done_bytes = self.done_bytes + at;
        let total_bytes = self.total_bytes;
        (self.told)(Progress {
            file: &file.path,
            stage,
            done_bytes,
            total_bytes,
        });
    }
}

/// Content first, since it is the more telling; then the hash. Answers the SHA-256.
async fn check(file: &OrderedFile, record: &Record, fetched: &Path) -> Result<String, HubError> {
    let path = fetched.to_owned();
    let worked_out = tokio::task::spawn_blocking(move || {
        let head = head_of(&path)?;
        Ok::<_, std::io::Error>((head, hashes_of(&path)?))
    });
    let worked_out = worked_out.await.map_err(std::io::Error::other).flatten();
    let (head, (sha256, git)) = worked_out.map_err(|source| failed(fetched, source))?;
    if let Some(found) = wrong_content(&file.path, &head) {
        return Err(HubError::BadContent {
            file: file.path.clone(),
            found,
        });
    }
    let (expected, found) = match &record.tag {
        Tag::Sha256(expected) => (expected, &sha256),
        Tag::Git(expected) => (expected, &git),
        Tag::Unknown => return Ok(sha256),
    };
    if expected != found {
        let (expected, found) = (expected.clone(), found.clone());
        return Err(HubError::WrongHash {
            file: file.path.clone(),
            expected,
            found,
        });
    }
    Ok(sha256)
}

enum Trouble {
    /// Worth another try.
    Passing(String),
    Final(HubError),
}

impl From<HubError> for Trouble {
    fn from(error: HubError) -> Self {
        Self::Final(error)
    }
}
