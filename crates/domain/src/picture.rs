//! Pictures as values: their size, their pixels, and the formats they leave in.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("The size must look like 256x256: width, the letter x, height, in pixels.")]
pub struct BadSize;

impl Size {
    #[must_use]
    pub const fn square(edge: u32) -> Self {
        Self {
            width: edge,
            height: edge,
        }
    }

    #[must_use]
    pub const fn pixels(self) -> u64 {
        self.width as u64 * self.height as u64
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl FromStr for Size {
    type Err = BadSize;
    fn from_str(text: &str) -> Result<Self, BadSize> {
        let edge = |digits: &str| {
            let plain = digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit());
            digits
                .parse()
                .ok()
                .filter(|n| plain && *n > 0)
                .ok_or(BadSize)
        };
        let (width, height) = text.split_once('x').ok_or(BadSize)?;
        Ok(Self {
            width: edge(width)?,
            height: edge(height)?,
        })
    }
}

impl TryFrom<String> for Size {
    type Error = BadSize;
    fn try_from(text: String) -> Result<Self, BadSize> {
        text.parse()
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

/// What is behind the things in a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Background {
    #[default]
    Opaque,
    /// Nothing: the file has an alpha channel.
    Transparent,
}

impl Background {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opaque => "opaque",
            Self::Transparent => "transparent",
        }
    }
}

/// Eight-bit sRGB, row by row from the top left, with or without alpha.
#[derive(Clone, PartialEq, Eq)]
pub struct Pixels {
    size: Size,
    bytes: Vec<u8>,
    background: Background,
}

impl Pixels {
    /// # Panics
    /// If `rgb` does not hold exactly three bytes for each pixel of `size`.
    #[must_use]
    pub fn new(size: Size, rgb: Vec<u8>) -> Self {
        assert_eq!(rgb.len() as u64, size.pixels() * 3, "three bytes a pixel");
        Self {
            size,
            bytes: rgb,
            background: Background::Opaque,
        }
    }

    /// `rgba` is straight, not premultiplied.
    ///
    /// # Panics
    /// If `rgba` does not hold exactly four bytes for each pixel of `size`.
    #[must_use]
    pub fn with_alpha(size: Size, rgba: Vec<u8>) -> Self {
        assert_eq!(rgba.len() as u64, size.pixels() * 4, "four bytes a pixel");
        Self {
            size,
            bytes: rgba,
            background: Background::Transparent,
        }
    }

    #[must_use]
    pub const fn size(&self) -> Size {
        self.size
    }

    #[must_use]
    pub const fn background(&self) -> Background {
        self.background
    }

    /// Three bytes a pixel, or four with alpha: as its background says.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Three bytes a pixel; what is transparent lets white through.
    #[must_use]
    pub fn rgb(&self) -> Cow<'_, [u8]> {
        match self.background {
            Background::Opaque => Cow::Borrowed(&self.bytes),
            Background::Transparent => {
                let pixels = self.bytes.chunks_exact(4);
                Cow::Owned(pixels.flat_map(on_white).collect())
            }
        }
    }
}

/// A straight pixel of four bytes over white.
fn on_white(rgba: &[u8]) -> [u8; 3] {
    let alpha = u32::from(rgba[3]);
    [0, 1, 2].map(|channel| {
        let mixed = (u32::from(rgba[channel]) * alpha + 255 * (255 - alpha) + 127) / 255;
        u8::try_from(mixed).unwrap_or(u8::MAX)
    })
}

impl fmt::Debug for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pixels({})", self.size)
    }
}

/// A file format for one still picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Png,
    Jpeg,
    Webp,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Png, Self::Jpeg, Self::Webp];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Webp => "webp",
        }
    }

    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("The format must be png, jpeg or webp.")]
pub struct BadFormat;

impl FromStr for Format {
    type Err = BadFormat;
    fn from_str(text: &str) -> Result<Self, BadFormat> {
        match text.to_ascii_lowercase().as_str() {
            "png" => Ok(Self::Png),
            "jpeg" | "jpg" => Ok(Self::Jpeg),
            "webp" => Ok(Self::Webp),
            _ => Err(BadFormat),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_transparent_lets_white_through() {
        let rgba = vec![10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 255, 128];
        let size = Size {
            width: 3,
            height: 1,
        };
        let pixels = Pixels::with_alpha(size, rgba);
        assert_eq!(*pixels.rgb(), [10, 20, 30, 255, 255, 255, 127, 177, 255]);
    }

    #[test]
    fn sizes_read_back_or_say_how_to_write_them() {
        assert_eq!(
            "512x256".parse(),
            Ok(Size {
                width: 512,
                height: 256
            })
        );
        for bad in [
            "", "512", "0x10", "-1x5", "+1x5", "1x", "1x2x3", "999999x1", "1 x2",
        ] {
            assert_eq!(bad.parse::<Size>(), Err(BadSize), "{bad:?}");
        }
    }
}
