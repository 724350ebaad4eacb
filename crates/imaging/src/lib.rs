//! Bytes in, bytes out: pictures into files and back, and smaller.
//!
//! Architecture invariant: what is encoded here carries pixels and nothing else: no prompt, no
//! key, no id, no time. A note goes in only where somebody asks for one.

mod attachment;
mod portrait;
mod sent;
mod xmp;

use std::borrow::Cow;
use std::io::Cursor;

use domain::picture::{Background, Format, Pixels, Size};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::codecs::webp::WebPEncoder;
use image::imageops::{self, FilterType as Resampling};
use image::{
    DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, ImageReader, Limits, RgbImage,
};

pub use attachment::{ATTACHMENT_EDGE, attachment};
pub use portrait::{PORTRAIT_EDGE, portrait};
pub use sent::{BadPicture, MAX_SENT_PIXELS};
pub use xmp::{BadNote, with_note};

/// JPEG quality when nothing is asked for, 1 to 100.
pub const DEFAULT_JPEG_QUALITY: u8 = 92;
const MAX_DECODE_EDGE: u32 = 8192;
const MAX_DECODE_BYTES: u64 = 256 << 20;

#[derive(Debug, thiserror::Error)]
pub enum ImagingError {
    #[error("The picture can't be written as {name}: {source}", name = .format.name())]
    Encode {
        format: Format,
        source: image::ImageError,
    },
    #[error("The file is not a readable PNG, JPEG or WebP picture: {0}")]
    Decode(#[source] image::ImageError),
    #[error("The picture's file can't get a note: {0}")]
    Note(#[from] BadNote),
}

/// Encodes a picture. `quality` (1 to 100) is for JPEG; PNG and WebP are written without loss.
pub fn encode(
    pixels: &Pixels,
    format: Format,
    quality: Option<u8>,
) -> Result<Vec<u8>, ImagingError> {
    let Size { width, height } = pixels.size();
    let mut bytes = Vec::new();
    let write = |encoder: &mut dyn FnMut() -> image::ImageResult<()>| {
        encoder().map_err(|source| ImagingError::Encode { format, source })
    };
    // JPEG has no alpha.
    let (samples, colours) = match pixels.background() {
        Background::Transparent if format != Format::Jpeg => {
            (Cow::Borrowed(pixels.bytes()), ExtendedColorType::Rgba8)
        }
        _ => (pixels.rgb(), ExtendedColorType::Rgb8),
    };
    match format {
        Format::Png => write(&mut || {
            PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
                .write_image(&samples, width, height, colours)
        })?,
        Format::Jpeg => {
            let quality = quality.unwrap_or(DEFAULT_JPEG_QUALITY).clamp(1, 100);
            write(&mut || {
                JpegEncoder::new_with_quality(&mut bytes, quality)
                    .write_image(&samples, width, height, colours)
            })?;
        }
        Format::Webp => write(&mut || {
            WebPEncoder::new_lossless(&mut bytes).write_image(&samples, width, height, colours)
        })?,
    }
    Ok(bytes)
}

/// Decodes a PNG, JPEG or WebP file, told by its content, with its alpha if it has one.
pub fn decode(bytes: &[u8]) -> Result<Pixels, ImagingError> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|e| ImagingError::Decode(e.into()))?;
    let known = matches!(
        reader.format(),
        Some(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP)
    );
    if !known {
        let hint = image::error::ImageFormatHint::Unknown;
        return Err(ImagingError::Decode(image::ImageError::Unsupported(
            hint.into(),
        )));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_DECODE_EDGE);
    limits.max_image_height = Some(MAX_DECODE_EDGE);
    limits.max_alloc = Some(MAX_DECODE_BYTES);
    reader.limits(limits);
    Ok(pixels(reader.decode().map_err(ImagingError::Decode)?))
}

fn pixels(picture: DynamicImage) -> Pixels {
    let (width, height) = (picture.width(), picture.height());
    let size = Size { width, height };
    if picture.color().has_alpha() {
        Pixels::with_alpha(size, picture.into_rgba8().into_raw())
    } else {
        Pixels::new(size, picture.into_rgb8().into_raw())
    }
}

/// Shrinks a picture so that neither edge is longer than `edge`; smaller ones stay as they are. What is
/// transparent gets white where it is shrunk.
#[must_use]
pub fn fit_within(pixels: &Pixels, edge: u32) -> Pixels {
    let Size { width, height } = pixels.size();
    let longest = width.max(height);
    if longest <= edge {
        return pixels.clone();
    }
    let scaled = |n: u32| {
        let exact = u64::from(n) * u64::from(edge) / u64::from(longest);
        u32::try_from(exact).unwrap_or(edge).max(1)
    };
    let size = Size {
        width: scaled(width),
        height: scaled(height),
    };
    let Some(full) = RgbImage::from_raw(width, height, pixels.rgb().into_owned()) else {
        return pixels.clone();
    };
    let small = imageops::resize(&full, size.width, size.height, Resampling::CatmullRom);
    Pixels::new(size, small.into_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(size: Size) -> Pixels {
        let rgb = (0..size.height)
            .flat_map(|y| (0..size.width).flat_map(move |x| [x as u8, y as u8, (x ^ y) as u8]))
            .collect();
        Pixels::new(size, rgb)
    }

    #[test]
    fn png_and_webp_come_back_bit_for_bit() {
        let picture = gradient(Size {
            width: 37,
            height: 21,
        });
        for format in [Format::Png, Format::Webp] {
            let bytes = encode(&picture, format, None).expect("encodes");
            assert_eq!(decode(&bytes).expect("decodes"), picture, "{format:?}");
        }
    }

    #[test]
    fn alpha_comes_back_where_the_format_has_one() {
        let rgba = (0..64u8).flat_map(|n| [n * 3, 255 - n, n, n * 4]).collect();
        let picture = Pixels::with_alpha(Size::square(8), rgba);
        for format in [Format::Png, Format::Webp] {
            let bytes = encode(&picture, format, None).expect("encodes");
            assert_eq!(decode(&bytes).expect("decodes"), picture, "{format:?}");
        }
        let jpeg = encode(&picture, Format::Jpeg, Some(100)).expect("encodes");
        let back = decode(&jpeg).expect("decodes");
        assert_eq!(back.background(), Background::Opaque);
        // The first pixel is all white through; JPEG comes near.
        assert!(back.rgb()[..3].iter().all(|channel| *channel > 230));
    }

    #[test]
    fn jpeg_quality_changes_the_size_of_the_file() {
        let picture = gradient(Size::square(64));
        let small = encode(&picture, Format::Jpeg, Some(10)).expect("encodes");
        let large = encode(&picture, Format::Jpeg, Some(95)).expect("encodes");
        assert!(small.len() < large.len());
        assert_eq!(decode(&large).expect("decodes").size(), picture.size());
    }

    #[test]
    fn what_is_no_picture_is_an_error() {
        for bytes in [
            &b""[..],
            b"not a picture",
            b"GIF89a\x01\x00\x01\x00",
            b"\x89PNG\r\n\x1a\n",
        ] {
            assert!(decode(bytes).is_err());
        }
    }

    #[test]
    fn fitting_keeps_the_shape_and_never_enlarges() {
        let wide = gradient(Size {
            width: 200,
            height: 100,
        });
        assert_eq!(
            fit_within(&wide, 50).size(),
            Size {
                width: 50,
                height: 25
            }
        );
        assert_eq!(fit_within(&wide, 500), wide);
    }
}
