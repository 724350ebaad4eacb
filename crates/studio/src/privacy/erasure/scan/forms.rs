//! The forms in which a text may stand in a file.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter, it is found by chance.
const MIN_BYTES: usize = 8;
/// The beginning of what is longer is looked for.
pub(super) const MAX_BYTES: usize = 192;

/// As the receipt names them.
pub const NAMES: [&str; 8] = [
    "utf-8",
    "utf-16le",
    "utf-16be",
    "base64 in three phases",
    "base64url in three phases",
    "hexadecimal in both cases",
    "percent-encoded",
    "escaped as in JSON",
];

/// Every form of a text that is long enough, each once.
pub(super) fn of(text: &str) -> Vec<Vec<u8>> {
    let bytes = text.as_bytes();
    let mut forms = BTreeSet::new();
    forms.insert(bytes.to_vec());
    forms.insert(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    forms.insert(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    for phase in 0..3 {
        forms.insert(base64(&STANDARD_NO_PAD, bytes, phase));
        forms.insert(base64(&URL_SAFE_NO_PAD, bytes, phase));
    }
    forms.insert(hex(bytes, |byte| format!("{byte:02x}")));
    forms.insert(hex(bytes, |byte| format!("{byte:02X}")));
    forms.insert(percent(bytes, "%20"));
    forms.insert(percent(bytes, "+"));
    forms.insert(json(text));
    forms
        .into_iter()
        .filter(|form| form.len() >= MIN_BYTES)
        .map(|mut form| {
            form.truncate(MAX_BYTES);
            form
        })
        .collect()
}

/// The letters that are the same wherever the text begins in a longer one: those that also tell of
/// what stands before it, or after it, are left out.
fn base64(alphabet: &impl Engine, bytes: &[u8], phase: usize) -> Vec<u8> {
    let mut padded = vec![0; phase];
    padded.extend_from_slice(bytes);
    let letters = alphabet.encode(&padded).into_bytes();
    let first = (phase * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    letters[first.min(last)..last].to_vec()
}

fn hex(bytes: &[u8], write: impl Fn(&u8) -> String) -> Vec<u8> {
    bytes.iter().map(write).collect::<String>().into_bytes()
}

/// As in an address (RFC 3986) or in a form, which writes spaces otherwise.
fn percent(bytes: &[u8], space: &str) -> Vec<u8> {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b' ' => text += space,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(*byte));
            }
            byte => text += &format!("%{byte:02X}"),
        }
    }
    text.into_bytes()
}

/// With everything escaped that a writer of JSON may escape.
fn json(text: &str) -> Vec<u8> {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '"' => escaped += "\\\"",
            '\\' => escaped += "\\\\",
            '\n' => escaped += "\\n",
            '\r' => escaped += "\\r",
            '\t' => escaped += "\\t",
            ' '..='~' => escaped.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    escaped += &format!("\\u{unit:04x}");
                }
            }
        }
    }
    escaped.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_base64_wherever_it_begins() {
        let text = "ann@example.org";
        for before in ["", "x", "xy", "xyz", "xyzw"] {
            let whole = STANDARD_NO_PAD.encode(format!("{before}{text} and more"));
            let found = (0..3).any(|phase| {
                let letters = base64(&STANDARD_NO_PAD, text.as_bytes(), phase);
                let letters = String::from_utf8(letters).expect("letters");
                assert!(letters.len() >= 18, "{letters}");
                whole.contains(&letters)
            });
            assert!(found, "after {before:?}");
        }
    }

    #[test]
    fn each_form_is_as_others_write_it() {
        let text = "ä \"red\" apple";
        let forms = of(text);
        let has = |form: &[u8]| forms.iter().any(|known| known == form);
        assert!(has(text.as_bytes()));
        assert!(has(b"%C3%A4%20%22red%22%20apple"));
        assert!(has(b"%C3%A4+%22red%22+apple"));
        assert!(has(b"\\u00e4 \\\"red\\\" apple"));
        assert!(has(b"c3a4202272656422206170706c65"));
        assert!(has(b"\xe4\0 \0\"\0r\0e\0d\0\"\0 \0a\0p\0p\0l\0e\0"));
    }

    #[test]
    fn what_is_short_is_looked_for_in_its_longer_forms_alone() {
        assert!(of("ann").iter().all(|form| form.len() >= 8));
        assert!(
            of(&"a".repeat(1000))
                .iter()
                .all(|form| form.len() <= MAX_BYTES)
        );
    }
}
