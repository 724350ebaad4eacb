//! Prompts as ids of words, by a fixed table of words with a vector each.
//!
//! A word is found as it stands, or after one of the suffix rules; a word that the table does not
//! hold is left out and reported, never guessed.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

use crate::weights::{Weights, WeightsError};

/// The id before every prompt's words, whose place also stands for the whole prompt.
pub const START: u32 = 0;

/// Words left out that a reading names at most; a long text in another script has thousands.
pub const MAX_REPORTED: usize = 50;

const SUFFIXES: [(&str, &str); 8] = [
    ("ies", "y"),
    ("es", ""),
    ("s", ""),
    ("ing", ""),
    ("ing", "e"),
    ("ed", ""),
    ("ed", "e"),
    ("ly", ""),
];

/// Fewest letters of what a suffix rule leaves.
const SHORTEST_STEM: usize = 3;

/// The table: every known word with its vector.
#[derive(Debug)]
pub struct Words {
    ids: HashMap<String, u32>,
    dimensions: usize,
    vectors: Vec<i8>,
    /// Factor of each dimension.
    scale: Vec<f32>,
}

/// A prompt as the model reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// [`START`], then the known words.
    pub ids: Vec<u32>,
    /// The words that were left out, as they were read, in their order, each once: unknown ones,
    /// and those beyond the model's limit. At most [`MAX_REPORTED`].
    pub left_out: Vec<String>,
}

impl Words {
    /// From the words, one a line in the order of their ids, and the tensors `table` (int8,
    /// `[words, dimensions]`) and `scale` (f32, `[dimensions]`).
    pub fn load(list: &str, mut table: Weights) -> Result<Self, WeightsError> {
        let ids: HashMap<String, u32> = list
            .lines()
            .zip(0..)
            .map(|(word, id)| (word.to_owned(), id))
            .collect();
        let count = list.lines().count();
        if ids.len() != count {
            return Err(WeightsError::BadText {
                file: table.file().to_owned(),
                why: "the list of words beside it names a word twice".to_owned(),
            });
        }
        let dimensions = table
            .shape("scale")
            .and_then(|shape| shape.first().copied())
            .unwrap_or(0);
        let scale = table.floats("scale", &[dimensions])?;
        let vectors = table.signed_bytes("table", &[count, dimensions])?;
        table.finish(|_| false)?;
        Ok(Self {
            ids,
            dimensions,
            vectors,
            scale,
        })
    }

    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The vector of a word.
    pub fn vector(&self, id: u32) -> impl Iterator<Item = f32> {
        let row = &self.vectors[id as usize * self.dimensions..][..self.dimensions];
        row.iter()
            .zip(&self.scale)
            .map(|(number, scale)| f32::from(*number) * scale)
    }

    /// Reads a prompt into at most `max_ids` ids.
    #[must_use]
    pub fn read(&self, prompt: &str, max_ids: usize) -> Reading {
        let mut reading = Reading {
            ids: vec![START],
            left_out: Vec::new(),
        };
        for word in normalise(prompt) {
            match self.id(&word) {
                Some(id) if reading.ids.len() < max_ids => reading.ids.push(id),
                _ if reading.left_out.len() < MAX_REPORTED && !reading.left_out.contains(&word) => {
                    reading.left_out.push(word);
                }
                _ => {}
            }
        }
        reading
    }

    /// The id of a normalised word.
    #[must_use]
    pub fn id(&self, word: &str) -> Option<u32> {
        if let Some(id) = self.ids.get(word) {
            return Some(*id);
        }
        SUFFIXES.iter().find_map(|(suffix, ending)| {
            let stem = format!("{}{ending}", word.strip_suffix(suffix)?);
            self.ids
                .get(&stem)
                .copied()
                .filter(|_| stem.len() >= SHORTEST_STEM)
        })
    }
}

/// The words of a prompt: NFKC, lower case, cut at everything but a to z, 0 to 9 and
/// apostrophes; a final `'s` and the other apostrophes are dropped.
pub fn normalise(prompt: &str) -> impl Iterator<Item = String> {
    let text: String = prompt
        .nfkc()
        .collect::<String>()
        .to_lowercase()
        .replace('’', "'");
    let of_a_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '\'';
    let words: Vec<String> = text
        .split(|c| !of_a_word(c))
        .map(|piece| piece.strip_suffix("'s").unwrap_or(piece).replace('\'', ""))
        .filter(|word| !word.is_empty())
        .collect();
    words.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::{Dtype, TensorView};

    fn words(list: &str) -> Words {
        let count = list.lines().count();
        let table: Vec<u8> = (0..count * 2).map(|n| n as u8).collect();
        let scale: Vec<u8> = [0.5f32, -2.0]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        let tensors = [
            (
                "table",
                TensorView::new(Dtype::I8, vec![count, 2], &table).expect("table"),
            ),
            (
                "scale",
                TensorView::new(Dtype::F32, vec![2], &scale).expect("scale"),
            ),
        ];
        let bytes = safetensors::serialize(tensors, None)
            .expect("serialises")
            .leak();
        let table = Weights::embedded("words.safetensors", bytes).expect("valid");
        Words::load(list, table).expect("a table")
    }

    const LIST: &str = "<start>\n<pad>\na\nred\napple\ncats\ncat\ncherry\ndance\npaint\nox\n2";

    fn named(ids: &[u32]) -> Vec<&'static str> {
        ids.iter()
            .map(|id| LIST.lines().nth(*id as usize).expect("an id"))
            .collect()
    }

    #[test]
    fn words_are_found_as_they_stand_before_any_rule() {
        let words = words(LIST);
        for (prompt, expected) in [
            ("A red apple.", &["<start>", "a", "red", "apple"][..]),
            ("cats, cat's; CAT’S", &["<start>", "cats", "cat", "cat"]),
            ("apples cherries", &["<start>", "apple", "cherry"]),
            (
                "dancing danced painted paintly",
                &["<start>", "dance", "dance", "paint", "paint"],
            ),
            ("２ ｒｅｄ-red/red", &["<start>", "2", "red", "red", "red"]),
            ("", &["<start>"]),
        ] {
            let reading = words.read(prompt, 32);
            assert_eq!(named(&reading.ids), expected, "{prompt}");
            assert!(
                reading.left_out.is_empty(),
                "{prompt}: {:?}",
                reading.left_out
            );
        }
    }

    #[test]
    fn what_is_left_out_is_told_once_and_in_order() {
        let words = words(LIST);
        let reading = words.read("a blorp, zog, blorp — oxes don't 赤い <start> pad", 32);
        assert_eq!(named(&reading.ids), ["<start>", "a"]);
        assert_eq!(
            reading.left_out,
            ["blorp", "zog", "oxes", "dont", "start", "pad"]
        );
        let long = words.read(&"red ".repeat(50), 32);
        assert_eq!(long.ids.len(), 32);
        assert_eq!(long.left_out, ["red"]);
    }

    #[test]
    fn forty_thousand_characters_take_no_harm() {
        let words = words(LIST);
        let reading = words.read(&"q0w9 e".repeat(6_700), 32);
        assert!(reading.left_out.len() <= MAX_REPORTED);
        let bytes: String = (0..40_000u32)
            .filter_map(|n| char::from_u32(n * 7 % 0x11_0000))
            .collect();
        assert!(words.read(&bytes, 32).ids.len() <= 32);
        assert_eq!(words.read(&"s".repeat(40_000), 32).ids, [START]);
    }

    #[test]
    fn vectors_are_scaled_by_dimension() {
        let words = words(LIST);
        assert_eq!(words.vector(3).collect::<Vec<_>>(), [3.0, -14.0]);
    }

    #[test]
    fn a_table_for_other_words_is_refused() {
        let table: Vec<u8> = vec![0; 4];
        let scale: Vec<u8> = vec![0; 8];
        let tensors = [
            (
                "table",
                TensorView::new(Dtype::I8, vec![2, 2], &table).expect("table"),
            ),
            (
                "scale",
                TensorView::new(Dtype::F32, vec![2], &scale).expect("scale"),
            ),
        ];
        let bytes: &[u8] = safetensors::serialize(tensors, None)
            .expect("serialises")
            .leak();
        let load = |list| Words::load(list, Weights::embedded("w", bytes).expect("valid"));
        assert!(matches!(
            load("a\nb\nc"),
            Err(WeightsError::WrongShape { .. })
        ));
        assert!(matches!(load("a\na"), Err(WeightsError::BadText { .. })));
    }
}
