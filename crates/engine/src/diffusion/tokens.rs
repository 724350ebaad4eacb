//! Prompts as CLIP reads them: lower case, byte pairs (Sennrich et al. 2016), a fixed length.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Lowercase, NFC, Replace, Sequence as Normalizers};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{
    AddedToken, NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer,
};

use super::LoadError;
use super::folder::{bad_config, read_json, read_text};

const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";
/// CLIP's own way to cut a text into words before byte pairs are merged.
const WORDS: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// One prompt, cut and numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tokens {
    /// Start, the prompt, end, and padding up to the encoder's length.
    pub(super) ids: Vec<u32>,
    /// The end of the prompt that no longer fitted.
    pub(super) left_out: String,
}

pub(super) struct Words {
    tokenizer: Tokenizer,
    length: usize,
    start: u32,
    end: u32,
    pad: u32,
}

impl Words {
    /// Reads `vocab.json` and `merges.txt`, and what pads from the files beside them.
    pub(super) fn open(folder: &Path, length: usize, vocab_size: usize) -> Result<Self, LoadError> {
        let vocab_path = folder.join("vocab.json");
        let wrong = |why: String| bad_config(&vocab_path, why);
        let vocab: std::collections::HashMap<String, u32> = read_json(&vocab_path)?;
        let id = |word: &str| {
            vocab
                .get(word)
                .copied()
                .ok_or_else(|| wrong(format!("it lacks the word {word}")))
        };
        let (start, end) = (id(START)?, id(END)?);
        let pad = match padding(folder)? {
            Some(word) => id(&word)?,
            None => end,
        };
        if let Some(largest) = vocab
            .values()
            .max()
            .filter(|id| **id as usize >= vocab_size)
        {
            return Err(wrong(format!(
                "it numbers a word {largest}, the encoder knows {vocab_size}"
            )));
        }
        let merges_path = folder.join("merges.txt");
        let merges: Vec<(String, String)> = read_text(&merges_path)?
            .lines()
            .filter(|line| !line.starts_with("#version") && !line.is_empty())
            .map(|line| match line.split_once(' ') {
                Some((left, right)) => Ok((left.to_owned(), right.to_owned())),
                None => Err(bad_config(&merges_path, "a line holds no pair".into())),
            })
            .collect::<Result<_, _>>()?;
        let tokenizer =
            build(vocab, merges).map_err(|error| bad_config(&merges_path, error.to_string()))?;
        Ok(Self {
            tokenizer,
            length,
            start,
            end,
            pad,
        })
    }

    pub(super) fn tokens(&self, prompt: &str) -> Result<Tokens, LoadError> {
        let failed = |error: tokenizers::Error| LoadError::Tokenizer(error.to_string());
        let encoding = self.tokenizer.encode(prompt, false).map_err(failed)?;
        let room = self.length - 2;
        let kept = encoding.get_ids().len().min(room);
        let mut ids = vec![self.start];
        ids.extend(&encoding.get_ids()[..kept]);
        ids.push(self.end);
        ids.resize(self.length, self.pad);
        let cut = encoding
            .get_offsets()
            .get(kept)
            .map_or(prompt.len(), |(from, _)| *from);
        Ok(Tokens {
            ids,
            left_out: prompt.get(cut..).unwrap_or_default().trim().to_owned(),
        })
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Words({})", self.tokenizer.get_vocab_size(false))
    }
}

fn build(
    vocab: std::collections::HashMap<String, u32>,
    merges: Vec<(String, String)>,
) -> tokenizers::Result<Tokenizer> {
    let model = BPE::builder()
        .vocab_and_merges(vocab.into_iter().collect::<Vocab>(), merges)
        .end_of_word_suffix("</w>".into())
        .continuing_subword_prefix(String::new())
        .unk_token(END.into())
        .build()?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(Normalizers::new(vec![
        NormalizerWrapper::NFC(NFC),
        Replace::new(ReplacePattern::Regex(r"\s+".into()), " ")?.into(),
        NormalizerWrapper::Lowercase(Lowercase),
    ])))?;
    let words = Split::new(
        SplitPattern::Regex(WORDS.into()),
        SplitDelimiterBehavior::Removed,
        true,
    )?;
    tokenizer.with_pre_tokenizer(Some(PreTokenizers::new(vec![
        PreTokenizerWrapper::Split(words),
        PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, false, true)),
    ])));
    let special = |word: &str| AddedToken::from(word, true).normalized(false);
    tokenizer.add_special_tokens([special(START), special(END)])?;
    Ok(tokenizer)
}

/// A token is a word, or an object around one.
fn padding(folder: &Path) -> Result<Option<String>, LoadError> {
    #[derive(Deserialize)]
    struct Special {
        pad_token: Option<Value>,
    }
    for file in ["special_tokens_map.json", "tokenizer_config.json"] {
        let path = folder.join(file);
        if !path.exists() {
            continue;
        }
        let word = match read_json::<Special>(&path)?.pad_token {
            Some(Value::String(word)) => Some(word),
            Some(Value::Object(token)) => token
                .get("content")
                .and_then(Value::as_str)
                .map(str::to_owned),
            _ => None,
        };
        if word.is_some() {
            return Ok(word);
        }
    }
    Ok(None)
}
