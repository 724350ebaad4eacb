//! As much of CBOR (RFC 8949) as authenticators write: integers, strings, arrays and maps of known
//! length. Whatever else there is, is refused.

/// Deeper than any key or attestation statement.
const MAX_DEPTH: u32 = 8;
/// More entries than any of them has.
const MAX_ENTRIES: u64 = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    Int(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    Array(Vec<Item<'a>>),
    Map(Vec<(Item<'a>, Item<'a>)>),
    Bool(bool),
}

impl<'a> Item<'a> {
    /// Reads one item from the beginning, and gives what follows it.
    pub(super) fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        read(bytes, 0)
    }

    /// What a map holds under a text.
    pub(super) fn named(&self, name: &str) -> Option<&Self> {
        self.entry(&Item::Text(name))
    }

    /// What a map holds under a number.
    pub(super) fn numbered(&self, number: i64) -> Option<&Self> {
        self.entry(&Item::Int(number))
    }

    fn entry(&self, key: &Item<'_>) -> Option<&Self> {
        let Self::Map(entries) = self else {
            return None;
        };
        let found = entries.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value)
    }

    pub(super) const fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) const fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

fn read(bytes: &[u8], depth: u32) -> Option<(Item<'_>, &[u8])> {
    if depth > MAX_DEPTH {
        return None;
    }
    let (kind, number, mut rest) = head(bytes)?;
    let item = match kind {
        0 => Item::Int(i64::try_from(number).ok()?),
        1 => Item::Int(-1 - i64::try_from(number).ok()?),
        2 | 3 => {
            let (content, after) = rest.split_at_checked(usize::try_from(number).ok()?)?;
            rest = after;
            if kind == 2 {
                Item::Bytes(content)
            } else {
                Item::Text(std::str::from_utf8(content).ok()?)
            }
        }
        4 if number <= MAX_ENTRIES => {
            let mut items = Vec::new();
            for _ in 0..number {
                let (item, after) = read(rest, depth + 1)?;
                items.push(item);
                rest = after;
            }
            Item::Array(items)
        }
        5 if number <= MAX_ENTRIES => {
            let mut entries: Vec<(Item<'_>, Item<'_>)> = Vec::new();
            for _ in 0..number {
                let (key, after) = read(rest, depth + 1)?;
                let (value, after) = read(after, depth + 1)?;
                // Two readers could each believe another one.
                if entries.iter().any(|(known, _)| *known == key) {
                    return None;
                }
                entries.push((key, value));
                rest = after;
            }
            Item::Map(entries)
        }
        7 if number == 20 || number == 21 => Item::Bool(number == 21),
        _ => return None,
    };
    Some((item, rest))
}

/// The kind of an item, and its number: its value, or how long it is.
fn head(bytes: &[u8]) -> Option<(u8, u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (kind, short) = (first >> 5, first & 31);
    // A float would look like a number here.
    if kind == 7 && short > 23 {
        return None;
    }
    let width = match short {
        0..=23 => return Some((kind, u64::from(short), rest)),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    let (digits, rest) = rest.split_at_checked(width)?;
    let number = digits
        .iter()
        .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    Some((kind, number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(hex: &str) -> Option<Item<'static>> {
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
            .collect();
        let (item, rest) = Item::read(bytes.leak())?;
        rest.is_empty().then_some(item)
    }

    /// RFC 8949, appendix A.
    #[test]
    fn items_are_read_as_the_standard_writes_them() {
        assert_eq!(whole("00"), Some(Item::Int(0)));
        assert_eq!(whole("1818"), Some(Item::Int(24)));
        assert_eq!(
            whole("1b000000e8d4a51000"),
            Some(Item::Int(1_000_000_000_000))
        );
        assert_eq!(whole("3903e7"), Some(Item::Int(-1000)));
        assert_eq!(whole("4401020304"), Some(Item::Bytes(&[1, 2, 3, 4])));
        assert_eq!(whole("62c3bc"), Some(Item::Text("ü")));
        assert_eq!(whole("f5"), Some(Item::Bool(true)));
        let map = whole("a26161016162820203").expect("a map");
        assert_eq!(map.named("a").and_then(Item::int), Some(1));
        let list = Item::Array(vec![Item::Int(2), Item::Int(3)]);
        assert_eq!(map.named("b"), Some(&list));
        assert_eq!(map.named("c"), None);
    }

    #[test]
    fn what_authenticators_never_write_is_refused() {
        for (what, hex) in [
            ("nothing", ""),
            ("a length without its end", "58"),
            ("less than was said", "4401"),
            ("more than any memory", "5bffffffffffffffff"),
            ("a list longer than what is there", "83"),
            ("a huge list", "9bffffffffffffffff"),
            ("an unknown length", "9f0102ff"),
            ("a tag", "c11a514b67b0"),
            ("a float", "f93c00"),
            ("null", "f6"),
            ("text that is none", "62c328"),
            ("a key that comes twice", "a201010102"),
            ("a number too large", "1bffffffffffffffff"),
        ] {
            assert_eq!(whole(hex), None, "{what}");
        }
        let deep = format!("{}00", "81".repeat(20));
        assert_eq!(whole(&deep), None, "a list in a list in a list");
    }
}
