//! Signed notes (C2SP, signed-note): a text, a blank line, and a line for each signature of it. What
//! others' tools read and write of logs has this form.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

const KEY_ID_BYTES: usize = 4;
const KEY_BYTES: usize = 32;
/// Longer names are nobody's, and would only fill pages.
const MAX_NAME_CHARS: usize = 200;

/// What a key signs; in a note each is a key of its own, even where the bytes are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Of a log, by Ed25519: its own checkpoints.
    Log,
    /// Of a witness, by Ed25519 with a time: checkpoints of others (C2SP, tlog-cosignature).
    Witness,
}

impl KeyKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Log => 1,
            Self::Witness => 4,
        }
    }
}

/// Who signs, by name and public key, as others are told of it: `name+id+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    pub name: String,
    pub kind: KeyKind,
    pub public: [u8; KEY_BYTES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "that is no key of a log or of a witness. It is written as NAME+8 HEX DIGITS+BASE64, and each house \
     shows its own at /.well-known/pinhole-house.json"
)]
pub struct BadKey;

impl VerifierKey {
    fn id(&self) -> [u8; KEY_ID_BYTES] {
        let hash = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', self.kind.byte()])
            .chain_update(self.public)
            .finalize();
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&hash[..KEY_ID_BYTES]);
        id
    }

    /// The line of a signature.
    #[must_use]
    pub fn line(&self, signature: &[u8]) -> String {
        let bytes = [&self.id()[..], signature].concat();
        format!("\u{2014} {} {}\n", self.name, BASE64.encode(bytes))
    }

    /// The signatures of this key among lines, unchecked.
    pub fn among<'a>(&'a self, lines: &'a str) -> impl Iterator<Item = Vec<u8>> + 'a {
        let of_this = move |line: &str| {
            let rest = line.strip_prefix("\u{2014} ")?;
            let encoded = rest.strip_prefix(self.name.as_str())?.strip_prefix(' ')?;
            let bytes = BASE64.decode(encoded).ok()?;
            bytes.strip_prefix(&self.id()).map(<[u8]>::to_vec)
        };
        lines.lines().filter_map(of_this)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id().map(|byte| format!("{byte:02x}")).concat();
        let key = [&[self.kind.byte()][..], &self.public].concat();
        write!(f, "{}+{id}+{}", self.name, BASE64.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        // The last part is base64, in which a + may stand.
        let mut parts = text.trim().splitn(3, '+');
        let mut part = || parts.next().ok_or(BadKey);
        let (name, id, key) = (part()?, part()?, part()?);
        let is_plain = |c: char| !c.is_whitespace() && !c.is_control();
        let is_name = !name.is_empty()
            && name.chars().count() <= MAX_NAME_CHARS
            && name.chars().all(is_plain);
        let key = BASE64.decode(key).map_err(|_| BadKey)?;
        let (byte, public) = key.split_first().ok_or(BadKey)?;
        let mut kinds = [KeyKind::Log, KeyKind::Witness].into_iter();
        let read = Self {
            name: name.to_owned(),
            kind: kinds.find(|kind| kind.byte() == *byte).ok_or(BadKey)?,
            public: public.try_into().map_err(|_| BadKey)?,
        };
        let fits = read.id().map(|byte| format!("{byte:02x}")).concat() == id;
        if is_name && fits {
            Ok(read)
        } else {
            Err(BadKey)
        }
    }
}

/// A note's text, with its last line's end, and the lines of its signatures. The last empty line parts
/// them.
#[must_use]
pub fn parts(note: &str) -> Option<(&str, &str)> {
    let end = note.rfind("\n\n")?;
    Some((&note[..=end], &note[end + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That of Go's checksum database, as everybody's tools know it.
    const PUBLISHED: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

    fn key(name: &str, kind: KeyKind) -> VerifierKey {
        VerifierKey {
            name: name.to_owned(),
            kind,
            public: [7; KEY_BYTES],
        }
    }

    #[test]
    fn a_key_comes_back_from_its_own_words_alone() {
        for kind in [KeyKind::Log, KeyKind::Witness] {
            let key = key("house.example/log", kind);
            assert_eq!(key.to_string().parse(), Ok(key.clone()));
            let other = key.to_string().replacen("house", "horse", 1);
            assert_eq!(other.parse::<VerifierKey>(), Err(BadKey));
        }
        let published: VerifierKey = PUBLISHED.parse().expect("a key");
        assert_eq!(published.to_string(), PUBLISHED);
        for wrong in [
            "",
            "a",
            "a+b",
            "a+00000000+",
            "a+00000000+AQ==",
            "+00000000+AQ==",
        ] {
            assert_eq!(wrong.parse::<VerifierKey>(), Err(BadKey), "{wrong}");
        }
    }

    #[test]
    fn a_signature_is_found_by_name_and_kind() {
        let (log, witness) = (key("a", KeyKind::Log), key("a", KeyKind::Witness));
        let lines = format!("{}{}", log.line(b"one"), witness.line(b"two"));
        assert_eq!(log.among(&lines).collect::<Vec<_>>(), [b"one".to_vec()]);
        assert_eq!(witness.among(&lines).collect::<Vec<_>>(), [b"two".to_vec()]);
        assert_eq!(key("b", KeyKind::Log).among(&lines).count(), 0);
    }
}
