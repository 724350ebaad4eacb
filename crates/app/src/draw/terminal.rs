//! Pictures inside terminals that can show them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::picture::{Format, Pixels};
use imaging::ImagingError;

/// How a terminal wants its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Terminal {
    /// <https://sw.kovidgoyal.net/kitty/graphics-protocol/>
    Kitty,
    /// <https://iterm2.com/documentation-images.html>
    Iterm,
    /// DEC STD 070, chapter 9.
    Sixel,
}

impl Terminal {
    /// By what terminals put into the environment; asking them would mix with what is typed.
    pub(super) fn of(environment: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let value = |name: &str| environment(name).unwrap_or_default();
        let (term, program) = (value("TERM"), value("TERM_PROGRAM"));
        if term == "xterm-kitty" || term == "xterm-ghostty" || !value("KITTY_WINDOW_ID").is_empty()
        {
            return Some(Self::Kitty);
        }
        if ["iTerm.app", "WezTerm", "mintty"].contains(&program.as_str()) {
            return Some(Self::Iterm);
        }
        let sixel = term.contains("sixel")
            || ["foot", "foot-extra", "mlterm", "yaft-256color"].contains(&term.as_str());
        sixel.then_some(Self::Sixel)
    }

    /// The bytes that make it show a picture, and a line break.
    pub(super) fn picture(self, pixels: &Pixels) -> Result<Vec<u8>, ImagingError> {
        Ok(match self {
            Self::Kitty => kitty(&imaging::encode(pixels, Format::Png, None)?),
            Self::Iterm => iterm(&imaging::encode(pixels, Format::Png, None)?),
            Self::Sixel => sixel(pixels).into_bytes(),
        })
    }
}

/// A PNG in base64, in pieces of at most 4,096 bytes.
fn kitty(png: &[u8]) -> Vec<u8> {
    const PIECE: usize = 4096;
    let text = STANDARD.encode(png);
    let last = text.len().div_ceil(PIECE) - 1;
    let mut out = Vec::with_capacity(text.len() + 64);
    for (n, piece) in text.as_bytes().chunks(PIECE).enumerate() {
        let more = u8::from(n < last);
        let head = match n {
            0 => format!("\x1b_Ga=T,f=100,q=2,m={more};"),
            _ => format!("\x1b_Gm={more};"),
        };
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\x1b\\");
    }
    out.push(b'\n');
    out
}

fn iterm(png: &[u8]) -> Vec<u8> {
    let (size, text) = (png.len(), STANDARD.encode(png));
    format!("\x1b]1337;File=inline=1;size={size}:{text}\x07\n").into_bytes()
}

/// Six rows of pixels at a time, in a cube of 6 x 6 x 6 colours.
fn sixel(pixels: &Pixels) -> String {
    const LEVELS: u32 = 6;
    let (width, height) = (pixels.size().width as usize, pixels.size().height as usize);
    let level = |byte: u8| (u32::from(byte) * (LEVELS - 1) + 127) / 255;
    let rgb = pixels.rgb();
    let colours: Vec<u32> = rgb
        .chunks_exact(3)
        .map(|p| (level(p[0]) * LEVELS + level(p[1])) * LEVELS + level(p[2]))
        .collect();
    let mut out = format!("\x1bP0;1q\"1;1;{width};{height}");
    for colour in 0..LEVELS.pow(3) {
        let percent = |level: u32| level * 100 / (LEVELS - 1);
        let (red, green, blue) = (
            colour / LEVELS / LEVELS,
            colour / LEVELS % LEVELS,
            colour % LEVELS,
        );
        put(
            &mut out,
            format_args!(
                "#{colour};2;{};{};{}",
                percent(red),
                percent(green),
                percent(blue)
            ),
        );
    }
    for band in colours.chunks(width * 6) {
        let mut used: Vec<u32> = band.to_vec();
        used.sort_unstable();
        used.dedup();
        for colour in used {
            put(&mut out, format_args!("#{colour}"));
            let column = |x: usize| {
                let rows = (0..band.len() / width).filter(|y| band[y * width + x] == colour);
                rows.fold(0u8, |bits, y| bits | 1 << y)
            };
            let mut x = 0;
            while x < width {
                let bits = column(x);
                let run = (x..width).take_while(|x| column(*x) == bits).count();
                put(&mut out, format_args!("!{run}{}", char::from(b'?' + bits)));
                x += run;
            }
            out.push('$');
        }
        out.push('-');
    }
    out.push_str("\x1b\\\n");
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.push_str(&text.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::picture::Size;

    fn terminal(variables: &[(&str, &str)]) -> Option<Terminal> {
        Terminal::of(|name| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn terminals_are_known_by_their_environment() {
        assert_eq!(terminal(&[("TERM", "xterm-kitty")]), Some(Terminal::Kitty));
        let wezterm = [("TERM", "xterm-256color"), ("TERM_PROGRAM", "WezTerm")];
        assert_eq!(terminal(&wezterm), Some(Terminal::Iterm));
        assert_eq!(terminal(&[("TERM", "foot")]), Some(Terminal::Sixel));
        assert_eq!(terminal(&[("TERM", "xterm-256color")]), None);
        assert_eq!(terminal(&[]), None);
    }

    #[test]
    fn a_png_survives_the_way_through_kittys_pieces() {
        let png: Vec<u8> = (0..10_000u32).map(|n| (n * 7 % 251) as u8).collect();
        let sent = String::from_utf8(kitty(&png)).expect("text");
        let pieces: Vec<&str> = sent
            .trim_end()
            .split("\x1b\\")
            .filter(|p| !p.is_empty())
            .collect();
        assert!(pieces[0].contains("f=100") && pieces[0].contains("m=1;"));
        assert!(pieces.last().is_some_and(|piece| piece.contains("m=0;")));
        let text: String = pieces
            .iter()
            .filter_map(|p| p.split_once(';'))
            .map(|p| p.1)
            .collect();
        assert_eq!(STANDARD.decode(text).expect("base64"), png);
    }

    #[test]
    fn sixels_hold_each_row_in_its_colour() {
        let red_over_blue = [[255, 0, 0], [255, 0, 0], [0, 0, 255], [0, 0, 255]].concat();
        let pixels = Pixels::new(
            Size {
                width: 2,
                height: 2,
            },
            red_over_blue,
        );
        let sent = sixel(&pixels);
        assert!(sent.starts_with("\x1bP0;1q\"1;1;2;2#0;2;0;0;0"));
        assert!(
            sent.ends_with("#5!2A$#180!2@$-\x1b\\\n"),
            "{}",
            &sent[sent.len() - 40..]
        );
        let ending = sixel(&Pixels::new(
            Size {
                width: 1,
                height: 7,
            },
            vec![255; 21],
        ));
        assert!(ending.ends_with("#215!1~$-#215!1@$-\x1b\\\n"));
    }
}
