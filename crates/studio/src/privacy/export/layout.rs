//! A ZIP whose every byte is known before the first is sent: files stored as they are, one after the
//! other, then the list of them (PKWARE APPNOTE 6.3.10). So a download can begin anywhere.

use domain::clock::{Civil, Moment};

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
const LOCAL_BYTES: u64 = 30;
const CENTRAL_BYTES: u64 = 46;
/// The extra field that holds an offset of 64 bits.
const EXTRA_64_BYTES: u16 = 12;
const END_BYTES: u64 = 22;
const END_64_BYTES: u64 = 56 + 20;
/// PKZIP 2.0, which reads files that are stored, and 4.5, which knows 64 bits.
const NEEDS: u16 = 20;
const NEEDS_64: u16 = 45;
/// Made on Unix, so that the permissions count: read by everybody, written by the owner.
const MADE_BY: u16 = (3 << 8) | NEEDS_64;
const PERMISSIONS: u32 = 0o100_644 << 16;
const FULL_16: u64 = u16::MAX as u64;
const FULL_32: u64 = u32::MAX as u64;
/// Files that one piece of the list tells of.
const LISTED_AT_ONCE: usize = 500;

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) size: u32,
    pub(super) crc: u32,
    pub(super) made: Moment,
}

/// Where everything is.
pub(super) struct Layout<T> {
    items: Vec<T>,
    file: fn(&T) -> File,
    /// Where each file begins with its header, and then where the list does.
    starts: Vec<u64>,
    /// Where the line of each file begins in the list, and then where the list ends.
    lines: Vec<u64>,
}

/// What stands at a place of the archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// These bytes, from this place on.
    Bytes { starts: u64, bytes: Vec<u8> },
    /// The bytes of a file, from this place on.
    Content { starts: u64, item: usize },
}

impl<T> Layout<T> {
    pub(super) fn new(items: Vec<T>, file: fn(&T) -> File) -> Self {
        let (mut starts, mut lines) = (Vec::new(), Vec::new());
        let mut at = 0;
        for item in &items {
            let file = file(item);
            starts.push(at);
            at += LOCAL_BYTES + file.name.len() as u64 + u64::from(file.size);
        }
        starts.push(at);
        for (item, start) in items.iter().zip(&starts) {
            lines.push(at);
            at += CENTRAL_BYTES + file(item).name.len() as u64 + u64::from(extra(*start));
        }
        lines.push(at);
        Self {
            items,
            file,
            starts,
            lines,
        }
    }

    pub(super) fn item(&self, number: usize) -> &T {
        &self.items[number]
    }

    fn list_begins(&self) -> u64 {
        self.starts[self.items.len()]
    }

    fn list_ends(&self) -> u64 {
        self.lines[self.items.len()]
    }

    fn needs_64(&self) -> bool {
        self.items.len() as u64 >= FULL_16 || self.list_ends() >= FULL_32
    }

    pub(super) fn size(&self) -> u64 {
        let end_64 = if self.needs_64() { END_64_BYTES } else { 0 };
        self.list_ends() + end_64 + END_BYTES
    }

    /// What stands at this place, which is before the end.
    pub(super) fn at(&self, place: u64) -> Piece {
        if place >= self.list_ends() {
            let starts = self.list_ends();
            return Piece::Bytes {
                starts,
                bytes: self.end(),
            };
        }
        if place >= self.list_begins() {
            let first = self.lines.partition_point(|line| *line <= place) - 1;
            let last = (first + LISTED_AT_ONCE).min(self.items.len());
            let lines = (first..last).flat_map(|item| self.line(item));
            return Piece::Bytes {
                starts: self.lines[first],
                bytes: lines.collect(),
            };
        }
        let item = self.starts.partition_point(|start| *start <= place) - 1;
        let starts = self.starts[item];
        let header = self.header(item);
        let content = starts + header.len() as u64;
        if place < content {
            Piece::Bytes {
                starts,
                bytes: header,
            }
        } else {
            Piece::Content {
                starts: content,
                item,
            }
        }
    }

    fn header(&self, item: usize) -> Vec<u8> {
        let file = (self.file)(&self.items[item]);
        let mut bytes = Vec::new();
        u32(&mut bytes, LOCAL);
        u16(&mut bytes, NEEDS);
        described(&mut bytes, &file);
        u16(&mut bytes, 0);
        bytes.extend_from_slice(file.name.as_bytes());
        bytes
    }

    fn line(&self, item: usize) -> Vec<u8> {
        let file = (self.file)(&self.items[item]);
        let start = self.starts[item];
        let extra = extra(start);
        let mut bytes = Vec::new();
        u32(&mut bytes, CENTRAL);
        u16(&mut bytes, MADE_BY);
        u16(&mut bytes, if extra > 0 { NEEDS_64 } else { NEEDS });
        described(&mut bytes, &file);
        u16(&mut bytes, extra);
        // No comment, on the first disk, of no known kind.
        for _ in 0..3 {
            u16(&mut bytes, 0);
        }
        u32(&mut bytes, PERMISSIONS);
        u32(&mut bytes, at_most_32(start));
        bytes.extend_from_slice(file.name.as_bytes());
        if extra > 0 {
            u16(&mut bytes, 1);
            u16(&mut bytes, 8);
            u64(&mut bytes, start);
        }
        bytes
    }

    fn end(&self) -> Vec<u8> {
        let (begins, files) = (self.list_begins(), self.items.len() as u64);
        let list = self.list_ends() - begins;
        let mut bytes = Vec::new();
        if self.needs_64() {
            u32(&mut bytes, END_64);
            u64(&mut bytes, 56 - 12);
            u16(&mut bytes, MADE_BY);
            u16(&mut bytes, NEEDS_64);
            u32(&mut bytes, 0);
            u32(&mut bytes, 0);
            for number in [files, files, list, begins] {
                u64(&mut bytes, number);
            }
            u32(&mut bytes, LOCATOR_64);
            u32(&mut bytes, 0);
            u64(&mut bytes, self.list_ends());
            u32(&mut bytes, 1);
        }
        let few = u16::try_from(files).unwrap_or(u16::MAX);
        u32(&mut bytes, END);
        u16(&mut bytes, 0);
        u16(&mut bytes, 0);
        u16(&mut bytes, few);
        u16(&mut bytes, few);
        u32(&mut bytes, at_most_32(list));
        u32(&mut bytes, at_most_32(begins));
        u16(&mut bytes, 0);
        bytes
    }
}

/// How long the extra field of a file is that begins there.
const fn extra(start: u64) -> u16 {
    if start >= FULL_32 { EXTRA_64_BYTES } else { 0 }
}

/// All ones where the number stands elsewhere, in 64 bits.
fn at_most_32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What a header and the list have in common, up to the length of the name.
fn described(bytes: &mut Vec<u8>, file: &File) {
    let (date, time) = dos(file.made);
    // No flags, stored.
    u16(bytes, 0);
    u16(bytes, 0);
    u16(bytes, time);
    u16(bytes, date);
    u32(bytes, file.crc);
    u32(bytes, file.size);
    u32(bytes, file.size);
    u16(bytes, u16::try_from(file.name.len()).unwrap_or(u16::MAX));
}

/// Date and time as ZIP has them: to two seconds, no years before 1980, no time zone.
fn dos(moment: Moment) -> (u16, u16) {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = moment.civil();
    let small = |number: u32| u16::try_from(number).unwrap_or(0);
    let year = u16::try_from(year - 1980).unwrap_or(0).min(127);
    let date = (year << 9) | (small(month) << 5) | small(day);
    let time = (small(hour) << 11) | (small(minute) << 5) | (small(second) / 2);
    (date, time)
}

fn u16(bytes: &mut Vec<u8>, number: u16) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn u32(bytes: &mut Vec<u8>, number: u32) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn u64(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;

    fn content(item: usize) -> Vec<u8> {
        vec![item as u8; item * 7]
    }

    fn files(count: usize) -> Vec<File> {
        (0..count)
            .map(|item| File {
                name: format!("folder/file-{item}.bin"),
                size: content(item).len() as u32,
                crc: crc32fast::hash(&content(item)),
                made: Moment::from_millis(1_800_000_000_000),
            })
            .collect()
    }

    /// The archive from a place on, as a download reads it.
    fn from(layout: &Layout<File>, mut place: u64) -> Vec<u8> {
        let mut all = Vec::new();
        while place < layout.size() {
            let (starts, bytes) = match layout.at(place) {
                Piece::Bytes { starts, bytes } => (starts, bytes),
                Piece::Content { starts, item } => (starts, content(item)),
            };
            let rest = &bytes[(place - starts) as usize..];
            assert!(!rest.is_empty(), "nothing at {place}");
            all.extend_from_slice(rest);
            place += rest.len() as u64;
        }
        all
    }

    #[test]
    fn any_part_of_an_archive_is_the_same_part_of_the_whole() {
        let files = files(9);
        let layout = Layout::new(files.clone(), File::clone);
        let whole = from(&layout, 0);
        assert_eq!(whole.len() as u64, layout.size());
        for place in 0..whole.len() {
            assert!(from(&layout, place as u64) == whole[place..], "{place}");
        }
        let mut archive = zip::ZipArchive::new(Cursor::new(&whole)).expect("a ZIP");
        assert_eq!(archive.len(), 9);
        for (item, file) in files.iter().enumerate() {
            let mut found = archive.by_name(&file.name).expect("is there");
            let mut bytes = Vec::new();
            found.read_to_end(&mut bytes).expect("reads");
            assert_eq!(bytes, content(item));
            assert_eq!(found.last_modified().map(|made| made.year()), Some(2027));
        }
    }

    #[test]
    fn more_files_than_16_bits_count_are_listed() {
        let files: Vec<File> = (0..70_000)
            .map(|item| File {
                name: format!("{item}"),
                size: 0,
                crc: 0,
                made: Moment::from_millis(0),
            })
            .collect();
        let layout = Layout::new(files, File::clone);
        let mut whole = Vec::new();
        while (whole.len() as u64) < layout.size() {
            let Piece::Bytes { starts, bytes } = layout.at(whole.len() as u64) else {
                panic!("files are empty");
            };
            assert_eq!(starts, whole.len() as u64);
            whole.extend(bytes);
        }
        let archive = zip::ZipArchive::new(Cursor::new(&whole)).expect("a ZIP");
        assert_eq!(archive.len(), 70_000);
    }

    /// Not written: only where things would be, and what the list says of them.
    #[test]
    fn what_lies_beyond_32_bits_is_listed_in_64() {
        let files: Vec<File> = (0..4)
            .map(|item| File {
                name: format!("{item}"),
                size: 2_000_000_000,
                crc: 0,
                made: Moment::from_millis(0),
            })
            .collect();
        let layout = Layout::new(files, File::clone);
        let third = 3 * (2_000_000_000 + 31);
        let Piece::Bytes { bytes, .. } = layout.at(layout.lines[3]) else {
            panic!("a line");
        };
        assert_eq!(bytes[42..46], u32::MAX.to_le_bytes());
        assert_eq!(bytes[bytes.len() - 8..], u64::to_le_bytes(third));
        assert_eq!(layout.size() - layout.list_ends(), END_64_BYTES + END_BYTES);
        let Piece::Content { starts, item } = layout.at(third + 1_000) else {
            panic!("a file");
        };
        assert_eq!((starts, item), (third + 31, 3));
    }
}
