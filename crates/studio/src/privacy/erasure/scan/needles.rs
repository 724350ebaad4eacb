//! Looks for very many texts in one pass.
//!
//! Each text is known by eight of its bytes. Where those have a bit that no text has there, as nearly all
//! of a picture has, they are passed over at once. Of the others a table of bits says whether any text
//! could have them; nearly always none has. An automaton (Aho and Corasick, 1975)
//! would grow with the length of all texts, out of every cache: with 10,000 pictures it is slower by
//! far.

use std::collections::HashMap;

/// Bytes by which a text is known.
const WINDOW: usize = 8;
/// Places of a text that are tried for a window that few others have.
const PLACES: usize = 6;
/// Bits of the table for each text, so that few others are taken for one.
const BITS_EACH: usize = 64;
const MIN_BITS: u32 = 16;
const MAX_BITS: u32 = 25;

/// The texts that are looked for.
#[derive(Debug)]
pub(super) struct Needles {
    all: Vec<Needle>,
    /// By window: which of them have it.
    by_window: HashMap<u64, Vec<u32>>,
    bits: Vec<u64>,
    /// Bits that are set in no window.
    absent: u64,
    shift: u32,
    longest: usize,
}

#[derive(Debug)]
struct Needle {
    bytes: Vec<u8>,
    /// Where its window begins.
    at: usize,
    /// Whose form it is.
    mark: usize,
}

impl Needles {
    /// Of texts with the number of what they stand for. Each has at least eight bytes.
    pub(super) fn new(texts: impl IntoIterator<Item = (usize, Vec<u8>)>) -> Self {
        let mut all: Vec<Needle> = texts
            .into_iter()
            .filter(|(_, bytes)| bytes.len() >= WINDOW)
            .map(|(mark, bytes)| Needle { bytes, at: 0, mark })
            .collect();
        let mut by_window: HashMap<u64, Vec<u32>> = HashMap::new();
        for (number, needle) in (0..).zip(&mut all) {
            let last = needle.bytes.len() - WINDOW;
            // What numbers have in common stands at their beginning.
            let places = (0..PLACES).map(|place| last - last * place / PLACES);
            let crowd = |at: &usize| {
                by_window
                    .get(&window(&needle.bytes, *at))
                    .map_or(0, Vec::len)
            };
            needle.at = places.min_by_key(crowd).unwrap_or(last);
            let known = window(&needle.bytes, needle.at);
            by_window.entry(known).or_default().push(number);
        }
        let wanted = (by_window.len() * BITS_EACH).next_power_of_two().ilog2();
        let size = wanted.clamp(MIN_BITS, MAX_BITS);
        let mut needles = Self {
            longest: all
                .iter()
                .map(|needle| needle.bytes.len())
                .max()
                .unwrap_or(1),
            all,
            bits: vec![0; 1 << (size - 6)],
            absent: !by_window.keys().fold(0, |all, known| all | known),
            shift: 64 - size,
            by_window: HashMap::new(),
        };
        for known in by_window.keys() {
            let (word, bit) = needles.place(*known);
            needles.bits[word] |= bit;
        }
        needles.by_window = by_window;
        needles
    }

    pub(super) const fn len(&self) -> usize {
        self.all.len()
    }

    /// Bytes that have to be looked at again with what comes after them.
    pub(super) const fn overlap(&self) -> usize {
        self.longest - 1
    }

    /// Tells of each text that ends behind the first `known` bytes.
    pub(super) fn find(&self, haystack: &[u8], known: usize, mut found: impl FnMut(usize)) {
        if self.all.is_empty() {
            return;
        }
        for (at, eight) in haystack.windows(WINDOW).enumerate() {
            let Ok(eight) = eight.try_into() else { return };
            let eight = u64::from_le_bytes(eight);
            if eight & self.absent != 0 {
                continue;
            }
            let (word, bit) = self.place(eight);
            if self.bits[word] & bit != 0 {
                self.compare(haystack, known, at, eight, &mut found);
            }
        }
    }

    #[cold]
    fn compare(
        &self,
        haystack: &[u8],
        known: usize,
        at: usize,
        eight: u64,
        found: &mut impl FnMut(usize),
    ) {
        for number in self.by_window.get(&eight).into_iter().flatten() {
            let needle = &self.all[*number as usize];
            let Some(begin) = at.checked_sub(needle.at) else {
                continue;
            };
            let end = begin + needle.bytes.len();
            if end > known && haystack.get(begin..end) == Some(needle.bytes.as_slice()) {
                found(needle.mark);
            }
        }
    }

    const fn place(&self, eight: u64) -> (usize, u64) {
        // Fibonacci hashing: the upper bits depend on all eight bytes.
        let hash = eight.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift;
        ((hash >> 6) as usize, 1 << (hash & 63))
    }
}

fn window(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; WINDOW];
    eight.copy_from_slice(&bytes[at..at + WINDOW]);
    u64::from_le_bytes(eight)
}

#[cfg(test)]
mod tests {
    use domain::randomness::Randomness;

    use super::*;

    fn found(needles: &Needles, haystack: &[u8], known: usize) -> Vec<usize> {
        let mut all = Vec::new();
        needles.find(haystack, known, |mark| all.push(mark));
        all.sort_unstable();
        all
    }

    /// Against the plainest search there is, with texts and haystacks of few letters, so that much
    /// is found.
    #[test]
    fn it_finds_what_a_plain_search_finds() {
        let randomness = Randomness::seeded(3);
        let letters = |n: usize| -> Vec<u8> {
            (0..n)
                .map(|_| b'a' + u8::try_from(randomness.next_u32() % 2).expect("small"))
                .collect()
        };
        for _ in 0..200 {
            let texts: Vec<Vec<u8>> = (0..40)
                .map(|_| letters(8 + randomness.next_u32() as usize % 5))
                .collect();
            let haystack = letters(300);
            let known = randomness.next_u32() as usize % 100;
            let mut plain = Vec::new();
            for (mark, text) in texts.iter().enumerate() {
                let ends = haystack.windows(text.len()).enumerate();
                let ends = ends.filter(|(at, part)| part == text && at + text.len() > known);
                plain.extend(ends.map(|_| mark));
            }
            plain.sort_unstable();
            let needles = Needles::new(texts.into_iter().enumerate());
            assert_eq!(found(&needles, &haystack, known), plain);
        }
    }

    #[test]
    fn texts_that_begin_alike_are_told_apart_without_comparing_all() {
        let texts = (0..10_000).map(|n| (n, format!("pic_01KBQZ{n:020}").into_bytes()));
        let needles = Needles::new(texts);
        let most = needles.by_window.values().map(Vec::len).max();
        assert!(most <= Some(100), "{most:?}");
        assert_eq!(
            found(&needles, b"see pic_01KBQZ00000000000000004711!", 0),
            [4711]
        );
    }

    #[test]
    fn none_is_found_where_none_is_looked_for() {
        let needles = Needles::new([(0, b"short".to_vec())]);
        assert_eq!(needles.len(), 0);
        assert!(found(&needles, b"a short text, longer than eight", 0).is_empty());
    }
}
