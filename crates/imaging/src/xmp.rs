//! A note in a picture's file that others' programs read: XMP (ISO 16684-1), placed as its third part
//! says for each format. The pixels stay as they are, byte for byte.

use domain::picture::{Format, Size};

const PNG_LEAD: usize = 8;
const PNG_KEYWORD: &[u8] = b"XML:com.adobe.xmp";
const JPEG_NAME: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// A segment of a JPEG holds its own length, of two bytes, within this.
const JPEG_SEGMENT_BYTES: usize = 65_535;
const WEBP_HAS_XMP: u8 = 0x04;

#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadNote {
    #[error("the file is not of its format, or carries more than this program writes")]
    Unknown,
    #[error("the note is too long for the format")]
    TooLong,
}

/// Adds a packet to a file as [`crate::encode`] wrote it, of a picture of this size.
pub fn with_note(
    file: &[u8],
    format: Format,
    size: Size,
    packet: &str,
) -> Result<Vec<u8>, BadNote> {
    match format {
        Format::Png => png(file, packet.as_bytes()),
        Format::Jpeg => jpeg(file, packet.as_bytes()),
        Format::Webp => webp(file, size, packet.as_bytes()),
    }
}

/// An iTXt chunk behind the head.
fn png(file: &[u8], packet: &[u8]) -> Result<Vec<u8>, BadNote> {
    let length = file.get(PNG_LEAD..PNG_LEAD + 4).ok_or(BadNote::Unknown)?;
    let is_head = file.get(PNG_LEAD + 4..PNG_LEAD + 8) == Some(b"IHDR");
    let length = u32::from_be_bytes(length.try_into().map_err(|_| BadNote::Unknown)?);
    // Length, name and checksum of a chunk take four bytes each.
    let behind = PNG_LEAD + 12 + length as usize;
    if !is_head || behind > file.len() {
        return Err(BadNote::Unknown);
    }
    // Not packed, of no language, and with no keyword in another one.
    let text = [PNG_KEYWORD, &[0, 0, 0, 0, 0], packet].concat();
    let chunk = [b"iTXt", text.as_slice()].concat();
    let length = u32::try_from(text.len()).map_err(|_| BadNote::TooLong)?;
    let (head, rest) = file.split_at(behind);
    let checksum = crc32fast::hash(&chunk).to_be_bytes();
    Ok([head, &length.to_be_bytes(), &chunk, &checksum, rest].concat())
}

/// A segment behind the one that says that it is a JPEG.
fn jpeg(file: &[u8], packet: &[u8]) -> Result<Vec<u8>, BadNote> {
    const START: &[u8] = &[0xff, 0xd8];
    const NAMED: u8 = 0xe0;
    const NOTED: u8 = 0xe1;
    let mut at = START.len();
    if !file.starts_with(START) {
        return Err(BadNote::Unknown);
    }
    if let Some([0xff, NAMED, high, low]) = file.get(at..at + 4) {
        at += 2 + usize::from(u16::from_be_bytes([*high, *low]));
    }
    let segment = [JPEG_NAME, packet].concat();
    let length = segment.len() + 2;
    if length > JPEG_SEGMENT_BYTES {
        return Err(BadNote::TooLong);
    }
    let length = u16::try_from(length).map_err(|_| BadNote::TooLong)?;
    let (head, rest) = file.split_at_checked(at).ok_or(BadNote::Unknown)?;
    Ok([head, &[0xff, NOTED], &length.to_be_bytes(), &segment, rest].concat())
}

/// The extended form: what is in it, the picture, the note.
fn webp(file: &[u8], size: Size, packet: &[u8]) -> Result<Vec<u8>, BadNote> {
    let is_simple =
        file.starts_with(b"RIFF") && matches!(file.get(8..16), Some(b"WEBPVP8L" | b"WEBPVP8 "));
    let picture = file
        .get(12..)
        .filter(|_| is_simple)
        .ok_or(BadNote::Unknown)?;
    let edge = |pixels: u32| {
        let [low, middle, high, _] = pixels.saturating_sub(1).to_le_bytes();
        [low, middle, high]
    };
    let (width, height) = (edge(size.width), edge(size.height));
    let extent = [&[WEBP_HAS_XMP, 0, 0, 0][..], &width, &height].concat();
    let body = [
        b"WEBP".as_slice(),
        &riff(*b"VP8X", &extent)?,
        picture,
        &riff(*b"XMP ", packet)?,
    ]
    .concat();
    riff(*b"RIFF", &body)
}

/// A chunk, padded to an even length.
fn riff(name: [u8; 4], content: &[u8]) -> Result<Vec<u8>, BadNote> {
    let length = u32::try_from(content.len()).map_err(|_| BadNote::TooLong)?;
    let mut chunk = [&name[..], &length.to_le_bytes(), content].concat();
    if !content.len().is_multiple_of(2) {
        chunk.push(0);
    }
    Ok(chunk)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use domain::picture::Pixels;
    use image::ImageReader;

    use super::*;
    use crate::{decode, encode};

    const SIZE: Size = Size {
        width: 37,
        height: 21,
    };

    #[test]
    fn a_note_is_read_by_others_and_changes_no_pixel() {
        let rgb: Vec<u8> = (0..SIZE.pixels() * 3).map(|n| (n % 251) as u8).collect();
        let picture = Pixels::new(SIZE, rgb);
        for format in [Format::Png, Format::Jpeg, Format::Webp] {
            let plain = encode(&picture, format, None).expect("encodes");
            // Of even and of odd length.
            for packet in ["<x>whose it is</x>", "<x>whose it is: ä</x>"] {
                let noted = with_note(&plain, format, SIZE, packet).expect("is added");
                let reader = ImageReader::new(Cursor::new(&noted)).with_guessed_format();
                let decoder = reader.expect("a format").into_decoder();
                let read = image::ImageDecoder::xmp_metadata(&mut decoder.expect("decodes"));
                let read = read.expect("reads").expect("has a note");
                assert_eq!(read, packet.as_bytes(), "{format:?}");
                let (before, after) = (decode(&plain), decode(&noted));
                assert_eq!(after.expect("decodes"), before.expect("decodes"));
            }
        }
    }

    #[test]
    fn what_is_no_such_file_gets_no_note() {
        for format in [Format::Png, Format::Jpeg, Format::Webp] {
            for file in [
                &b""[..],
                b"RIFF",
                b"\x89PNG\r\n\x1a\n",
                b"GIF89a and so on, and so on",
            ] {
                assert_eq!(with_note(file, format, SIZE, "x"), Err(BadNote::Unknown));
            }
        }
        let long = "x".repeat(70_000);
        let jpeg = [0xff, 0xd8, 0xff, 0xdb];
        assert_eq!(
            with_note(&jpeg, Format::Jpeg, SIZE, &long),
            Err(BadNote::TooLong)
        );
    }
}
