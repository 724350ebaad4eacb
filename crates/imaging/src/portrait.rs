//! A picture of a person: whatever file somebody has, made into a small square that tells nothing
//! but what it shows.

use domain::picture::{Format, Pixels, Size};
use image::imageops::FilterType;

use crate::sent::{BadPicture, decode};
use crate::{encode, pixels};

/// What a portrait measures.
pub const PORTRAIT_EDGE: u32 = 192;
/// Cuts the middle out of a PNG, JPEG or WebP file, as a WebP of [`PORTRAIT_EDGE`]. A photo that
/// says how the camera was held is turned; nothing else that a file says of itself is kept.
pub fn portrait(bytes: &[u8]) -> Result<Vec<u8>, BadPicture> {
    let (picture, orientation) = decode(bytes)?;
    let edge = picture.width().min(picture.height());
    let (left, top) = ((picture.width() - edge) / 2, (picture.height() - edge) / 2);
    let mut square = picture.crop_imm(left, top, edge, edge).resize_exact(
        PORTRAIT_EDGE,
        PORTRAIT_EDGE,
        FilterType::CatmullRom,
    );
    square.apply_orientation(orientation);
    let rgb = pixels(square).rgb().into_owned();
    let pixels = Pixels::new(Size::square(PORTRAIT_EDGE), rgb);
    Ok(encode(&pixels, Format::Webp, None)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode as decode_file;

    /// Red above blue, twice as wide as high, and green at the sides.
    fn photo() -> Pixels {
        let (width, height) = (80, 40);
        let colour = |x: u32, y: u32| match (x, y) {
            (..20 | 60.., _) => [0, 255, 0],
            (_, ..20) => [255, 0, 0],
            _ => [0, 0, 255],
        };
        let rows = (0..height).flat_map(|y| (0..width).flat_map(move |x| colour(x, y)));
        Pixels::new(Size { width, height }, rows.collect())
    }

    fn at(pixels: &Pixels, x: u32, y: u32) -> &[u8] {
        let from = ((y * pixels.size().width + x) * 3) as usize;
        &pixels.bytes()[from..from + 3]
    }

    fn file(format: Format) -> Vec<u8> {
        encode(&photo(), format, None).expect("encodes")
    }

    #[test]
    fn the_middle_is_cut_out_of_each_format() {
        for format in Format::ALL {
            let made = portrait(&file(format)).expect("a portrait");
            assert!(made.starts_with(b"RIFF"), "a WebP");
            let made = decode_file(&made).expect("decodes");
            assert_eq!(made.size(), Size::square(PORTRAIT_EDGE));
            let (above, below) = (at(&made, 96, 20), at(&made, 96, 170));
            assert!(above[0] > 200 && above[2] < 60, "{format:?} {above:?}");
            assert!(below[2] > 200 && below[0] < 60, "{format:?} {below:?}");
        }
    }

    /// A JPEG with an EXIF block: how the camera was held, and a word that nobody shall read.
    fn held_upside_down() -> Vec<u8> {
        let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0".to_vec();
        // Orientation (0x0112), a short: 3. Make (0x010f), four letters.
        exif.extend(b"\x0f\x01\x02\0\x04\0\0\0CAM\0");
        exif.extend(b"\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0");
        let length = u16::try_from(exif.len() + 2).expect("short").to_be_bytes();
        let jpeg = file(Format::Jpeg);
        [&jpeg[..2], b"\xff\xe1", &length, &exif, &jpeg[2..]].concat()
    }

    #[test]
    fn a_photo_is_turned_and_tells_nothing_else() {
        let photo = held_upside_down();
        let made = portrait(&photo).expect("a portrait");
        let turned = decode_file(&made).expect("decodes");
        assert!(at(&turned, 96, 20)[2] > 200, "blue is above now");
        for word in [&b"Exif"[..], b"EXIF", b"CAM", b"XMP", b"ICCP"] {
            assert!(!made.windows(word.len()).any(|part| part == word));
        }
    }

    #[test]
    fn what_is_no_still_picture_of_a_sane_size_is_refused() {
        let png = file(Format::Png);
        for (what, bytes) in [
            ("nothing", Vec::new()),
            ("text", b"not a picture".to_vec()),
            ("a GIF", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;".to_vec()),
            (
                "a web page",
                b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(),
            ),
        ] {
            let refused = portrait(&bytes);
            assert!(matches!(refused, Err(BadPicture::Unreadable)), "{what}");
        }
        for format in Format::ALL {
            let whole = file(format);
            for cut in [8, 30, whole.len() / 2] {
                let refused = portrait(&whole[..cut]);
                assert!(
                    matches!(refused, Err(BadPicture::Unreadable)),
                    "{format:?} cut at {cut}"
                );
            }
        }
        // A header that promises 60,000 by 60,000 pixels.
        let mut bomb = png.clone();
        bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        let sum = crc(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&sum.to_be_bytes());
        let refused = portrait(&bomb);
        let is_named = matches!(
            refused,
            Err(BadPicture::TooLarge {
                width: 60_000,
                height: 60_000
            })
        );
        assert!(is_named, "{refused:?}");
        // An animation of two frames, said right after the header.
        let control = [&b"acTL"[..], &[0, 0, 0, 2, 0, 0, 0, 0]].concat();
        let sum = crc(&control).to_be_bytes();
        let moving = [&png[..33], &[0, 0, 0, 8], &control, &sum, &png[33..]].concat();
        assert!(matches!(portrait(&moving), Err(BadPicture::Moves)));
    }

    /// As in the PNG standard.
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
                (sum >> 1) ^ (0xedb8_8320 * (sum & 1))
            })
        })
    }
}
