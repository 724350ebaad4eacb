//! Files that people send: whatever they hold, only what they show is read.

use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageResult, Limits};

use crate::ImagingError;

/// What is decoded at most; said by the file's first bytes, and looked at before the rest.
pub const MAX_SENT_PIXELS: u64 = 24_000_000;
/// The pixels, and what a decoder needs besides.
const MAX_DECODED_BYTES: u64 = 160 << 20;

/// Why a file can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum BadPicture {
    #[error("That is not a PNG, JPEG or WebP picture, or it is damaged. Choose another file.")]
    Unreadable,
    #[error("That picture moves. Choose one that stands still.")]
    Moves,
    #[error(
        "That picture is {width} by {height} pixels, which is too large: it may have {} million \
         pixels. Make it smaller first.",
        MAX_SENT_PIXELS / 1_000_000
    )]
    TooLarge { width: u32, height: u32 },
    #[error(transparent)]
    Imaging(#[from] ImagingError),
}

/// A PNG, JPEG or WebP file, told by its content, and how the camera was held.
pub(crate) fn decode(bytes: &[u8]) -> Result<(DynamicImage, Orientation), BadPicture> {
    let unreadable = |_| BadPicture::Unreadable;
    let file = Cursor::new(bytes);
    match image::guess_format(bytes).map_err(unreadable)? {
        ImageFormat::Png => {
            let limits = limits();
            let decoder = PngDecoder::with_limits(file, limits).map_err(unreadable)?;
            let moves = decoder.is_apng().map_err(unreadable)?;
            read(decoder, moves)
        }
        ImageFormat::Jpeg if is_cut_off(bytes) => Err(BadPicture::Unreadable),
        ImageFormat::Jpeg => read(JpegDecoder::new(file).map_err(unreadable)?, false),
        ImageFormat::WebP => {
            let decoder = WebPDecoder::new(file).map_err(unreadable)?;
            let moves = decoder.has_animation();
            read(decoder, moves)
        }
        _ => Err(BadPicture::Unreadable),
    }
}

/// The decoder fills up in grey what a JPEG lacks, so its end is looked for first: behind the header
/// of its scan, since a small picture inside the metadata has an end as well.
fn is_cut_off(jpeg: &[u8]) -> bool {
    const SCAN: u8 = 0xda;
    let mut rest = jpeg.get(2..).unwrap_or_default();
    while let [0xff, marker, high, low, ..] = *rest {
        if marker == 0xff {
            // Padding.
            rest = &rest[1..];
            continue;
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        rest = rest.get(2 + length..).unwrap_or_default();
        if marker == SCAN {
            return !rest.windows(2).any(|two| two == [0xff, 0xd9]);
        }
    }
    true
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    limits
}

fn read(
    mut decoder: impl ImageDecoder,
    moves: bool,
) -> Result<(DynamicImage, Orientation), BadPicture> {
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_SENT_PIXELS {
        return Err(BadPicture::TooLarge { width, height });
    }
    if moves {
        return Err(BadPicture::Moves);
    }
    let decoded: ImageResult<_> = (|| {
        decoder.set_limits(limits())?;
        let orientation = decoder.orientation()?;
        Ok((DynamicImage::from_decoder(decoder)?, orientation))
    })();
    decoded.map_err(|_| BadPicture::Unreadable)
}
