//! Is taken along: pictures as one ZIP, written while it is read, so that its length costs no memory.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::clock::{Civil, Moment};
use domain::ids::{PersonId, PictureId};
use futures::{Stream, stream};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::{Failure, Studio, pictures};

/// Pictures of one archive.
pub const MAX_PICTURES: usize = 500;

/// A file that stands in the archive beside the pictures.
#[derive(Clone, Debug)]
pub struct Leaflet {
    pub name: &'static str,
    pub bytes: Vec<u8>,
}

/// A ZIP of those of these pictures that are the person's when their turn comes, in this order, and
/// of one more file. Pictures are stored as they are: they are compressed already.
pub fn of(
    studio: Studio,
    person: PersonId,
    ids: Vec<PictureId>,
    leaflet: Leaflet,
) -> impl Stream<Item = Result<Bytes, Failure>> + Send + 'static {
    let begin = Some((Zip::default(), leaflet, ids.into_iter()));
    stream::try_unfold(begin, move |state| {
        let studio = studio.clone();
        async move {
            let Some((mut zip, leaflet, mut ids)) = state else {
                return Ok(None);
            };
            if let Some(id) = ids.next() {
                if let Some(picture) = pictures::find(&studio, person, id).await?
                    && let Some(bytes) = pictures::original(&studio, person, id).await?
                {
                    zip.put(&format!("{id}.png"), picture.created, &bytes)?;
                }
                return Ok(Some((zip.take(), Some((zip, leaflet, ids)))));
            }
            zip.put(leaflet.name, studio.clock.now(), &leaflet.bytes)?;
            Ok(Some((zip.finish()?, None)))
        }
    })
}

/// A ZIP that is written from the front to the back, and taken away piece by piece.
pub(crate) struct Zip {
    writer: ZipWriter<StreamWriter<Pages>>,
    pages: Pages,
}

impl Default for Zip {
    fn default() -> Self {
        let pages = Pages::default();
        Self {
            writer: ZipWriter::new_stream(pages.clone()),
            pages,
        }
    }
}

impl Zip {
    pub(crate) fn put(&mut self, name: &str, made: Moment, bytes: &[u8]) -> Result<(), Failure> {
        self.begin(name, made)?;
        self.write(bytes)
    }

    /// From here on, what is written is in this file.
    pub(crate) fn begin(&mut self, name: &str, made: Moment) -> Result<(), Failure> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(date(made));
        let begun = self.writer.start_file(name, options);
        begun.map_err(|error| broken(&error))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.writer.write_all(bytes);
        written.map_err(|error| broken(&error.into()))
    }

    /// What was written since it was taken last.
    pub(crate) fn take(&self) -> Bytes {
        self.pages.take()
    }

    pub(crate) fn finish(self) -> Result<Bytes, Failure> {
        let finished = self.writer.finish();
        finished.map_err(|error| broken(&error))?;
        Ok(self.pages.take())
    }
}

/// As ZIP has it: no years before 1980, and no time zone.
fn date(moment: Moment) -> DateTime {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = moment.civil();
    let small = |n: u32| u8::try_from(n).unwrap_or(0);
    let year = u16::try_from(year).unwrap_or(0);
    let (month, day) = (small(month), small(day));
    let date =
        DateTime::from_date_and_time(year, month, day, small(hour), small(minute), small(second));
    date.unwrap_or_default()
}

fn broken(error: &zip::result::ZipError) -> Failure {
    Failure::Archive(error.to_string())
}

/// What the writer wrote and nobody took yet.
#[derive(Clone, Default)]
struct Pages(Arc<Mutex<Vec<u8>>>);

impl Pages {
    fn take(&self) -> Bytes {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *written).into()
    }
}

impl Write for Pages {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
