//! An archive on its way to its person, from any of its bytes to any other.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::ids::{ExportId, PersonId};
use futures::{Stream, stream};

use super::layout::{Layout, Piece};
use super::parts;
use super::plan::{self, Item, What};
use super::{Export, State};
use crate::accounts::portrait;
use crate::privacy::keys::{Cipher, KeyError};
use crate::{Failure, Studio, pictures};

/// Downloads that one person may have at a time, of each process.
const MAX_AT_ONCE: u32 = 4;

/// Somebody fetches so much already.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "You are fetching {MAX_AT_ONCE} archives at once, which is the most. Wait until one is there."
)]
pub struct TooManyDownloads;

/// An archive that is ready.
#[derive(Clone)]
pub struct Download {
    id: ExportId,
    person: PersonId,
    layout: Arc<Layout<Item>>,
    cipher: Cipher,
    pub size: u64,
    /// Names these very bytes.
    pub name: String,
}

/// Opens an archive for reading; `None` where it can't be fetched, or not any more.
pub async fn open(
    studio: &Studio,
    person: PersonId,
    export: &Export,
) -> Result<Option<Download>, Failure> {
    let (State::Ready, Some(name)) = (export.state, export.manifest_sha256.clone()) else {
        return Ok(None);
    };
    let keys = match studio.keys.object(&export.id.to_string()).await {
        Err(KeyError::Gone(_)) => return Ok(None),
        keys => keys?,
    };
    let cipher = keys.only()?;
    let text = parts::whole(studio, &cipher, (export.id, parts::PLAN)).await?;
    let items = plan::read(&text)?;
    if items.is_empty() {
        // It ended in this moment.
        return Ok(None);
    }
    let layout = Layout::new(items, Item::file);
    Ok(Some(Download {
        id: export.id,
        person,
        size: layout.size(),
        layout: Arc::new(layout),
        cipher,
        name,
    }))
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Download({}, {} bytes)", self.id, self.size)
    }
}

impl Download {
    /// These bytes of it. What was deleted since ends the stream with an error.
    pub fn stream(
        self,
        studio: Studio,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = Result<Bytes, Failure>> + Send + 'static, TooManyDownloads> {
        let seat = Seat::take(self.person)?;
        let begin = (Arc::new(self), range.start);
        let pieces = stream::try_unfold(begin, move |(download, at)| {
            let (studio, end) = (studio.clone(), range.end);
            // Given back when the stream is dropped.
            let _ = &seat;
            async move {
                if at >= end {
                    return Ok(None);
                }
                let mut bytes = download.at(&studio, at).await?;
                bytes.truncate(usize::try_from(end - at).unwrap_or(usize::MAX));
                let next = at + bytes.len() as u64;
                Ok(Some((bytes, (download, next))))
            }
        });
        Ok(pieces)
    }

    /// Some bytes from this place on.
    async fn at(&self, studio: &Studio, at: u64) -> Result<Bytes, Failure> {
        let (starts, mut bytes) = match self.layout.at(at) {
            Piece::Bytes { starts, bytes } => (starts, Bytes::from(bytes)),
            Piece::Content { starts, item } => {
                let (within, bytes) = self.content(studio, item, at - starts).await?;
                (starts + within, bytes)
            }
        };
        let skipped = usize::try_from(at - starts).unwrap_or(usize::MAX);
        if skipped >= bytes.len() {
            return Err(self.changed());
        }
        Ok(bytes.split_off(skipped))
    }

    /// A part of a file in which this byte is, and where that part begins.
    async fn content(
        &self,
        studio: &Studio,
        item: usize,
        at: u64,
    ) -> Result<(u64, Bytes), Failure> {
        let item = self.layout.item(item);
        let whole = match &item.what {
            What::Text { entry, .. } => {
                let found = parts::piece(studio, &self.cipher, (self.id, *entry), at).await?;
                let (starts, piece) = found.ok_or_else(|| self.changed())?;
                return Ok((starts, piece.into()));
            }
            What::Picture(id) => pictures::original(studio, self.person, *id).await?,
            What::Portrait(id) => portrait::original(studio, self.person, *id)
                .await?
                .map(|file| file.bytes),
        };
        let whole = whole.filter(|bytes| bytes.len() as u64 == u64::from(item.size));
        Ok((0, whole.ok_or_else(|| self.changed())?))
    }

    fn changed(&self) -> Failure {
        let id = self.id;
        Failure::Archive(format!(
            "{id} ended while it was fetched: something in it was deleted"
        ))
    }
}

/// One download of a person's.
struct Seat(PersonId);

static SEATS: Mutex<Option<HashMap<PersonId, u32>>> = Mutex::new(None);

impl Seat {
    fn take(person: PersonId) -> Result<Self, TooManyDownloads> {
        let mut seats = SEATS.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = seats.get_or_insert_default().entry(person).or_default();
        if *taken >= MAX_AT_ONCE {
            return Err(TooManyDownloads);
        }
        *taken += 1;
        Ok(Self(person))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = SEATS.lock().unwrap_or_else(PoisonError::into_inner);
        let seats = seats.get_or_insert_default();
        if let Some(taken) = seats.get_mut(&self.0) {
            *taken -= 1;
            if *taken == 0 {
                seats.remove(&self.0);
            }
        }
    }
}
