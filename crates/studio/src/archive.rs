//! Is taken along: pictures as one ZIP, written while it is read, so that its length costs no memory.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::clock::{Civil, Moment};
use domain::ids::{PersonId, PictureId};
use futures::{Stream, stream};
use outside::shelf::ShelfError;
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
    let pages = Pages::default();
    let writer = ZipWriter::new_stream(pages.clone());
    let begin = Some((writer, leaflet, ids.into_iter()));
    stream::try_unfold(begin, move |state| {
        let (studio, pages) = (studio.clone(), pages.clone());
        async move {
            let Some((mut writer, leaflet, mut ids)) = state else {
                return Ok(None);
            };
            if let Some(id) = ids.next() {
                add(&studio, person, id, &mut writer).await?;
                return Ok(Some((pages.take(), Some((writer, leaflet, ids)))));
            }
            let now = studio.clock.now();
            put(&mut writer, leaflet.name, now, &leaflet.bytes)?;
            writer.finish().map_err(|error| broken(&error))?;
            Ok(Some((pages.take(), None)))
        }
    })
}

type Writer = ZipWriter<StreamWriter<Pages>>;

async fn add(
    studio: &Studio,
    person: PersonId,
    id: PictureId,
    writer: &mut Writer,
) -> Result<(), Failure> {
    let Some(picture) = pictures::find(studio, person, id).await? else {
        return Ok(());
    };
    let format = domain::picture::Format::Png;
    match pictures::file(studio, person, id, format, None).await {
        Ok(Some(file)) => put(writer, &format!("{id}.png"), picture.created, &file.bytes),
        // Deleted since.
        Ok(None) | Err(Failure::Shelf(ShelfError::Missing(_))) => Ok(()),
        Err(failure) => Err(failure),
    }
}

fn put(writer: &mut Writer, name: &str, made: Moment, bytes: &[u8]) -> Result<(), Failure> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(date(made));
    let written = writer.start_file(name, options);
    let written = written.and_then(|()| Ok(writer.write_all(bytes)?));
    written.map_err(|error| broken(&error))
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
