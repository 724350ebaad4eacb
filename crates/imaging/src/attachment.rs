//! A picture that somebody sends to show what they mean.

use domain::picture::Format;

use crate::sent::{BadPicture, decode};
use crate::{encode, fit_within, pixels};

/// The longer edge of what is kept, in pixels.
pub const ATTACHMENT_EDGE: u32 = 2048;
const QUALITY: u8 = 85;

/// Makes a JPEG of a PNG, JPEG or WebP file, no longer than [`ATTACHMENT_EDGE`] at either edge, turned as
/// the camera was held. Nothing that the file says of itself is kept.
pub fn attachment(bytes: &[u8]) -> Result<Vec<u8>, BadPicture> {
    let (mut picture, orientation) = decode(bytes)?;
    picture.apply_orientation(orientation);
    let small = fit_within(&pixels(picture), ATTACHMENT_EDGE);
    Ok(encode(&small, Format::Jpeg, Some(QUALITY))?)
}

#[cfg(test)]
mod tests {
    use domain::picture::{Pixels, Size};

    use super::*;

    #[test]
    fn a_picture_is_made_small_and_says_nothing_of_itself() {
        let size = Size {
            width: 3000,
            height: 300,
        };
        let rgb = vec![90; 3000 * 300 * 3];
        let file = encode(&Pixels::new(size, rgb), Format::Png, None).expect("encodes");
        let noted = crate::with_note(&file, Format::Png, size, "<x>taken at home</x>");
        let made = attachment(&noted.expect("a note")).expect("a picture");
        let shown = crate::decode(&made).expect("decodes").size();
        assert_eq!((shown.width, shown.height), (2048, 204));
        assert!(!made.windows(5).any(|bytes| bytes == b"taken"));
        assert!(matches!(attachment(b"GIF89a"), Err(BadPicture::Unreadable)));
    }
}
