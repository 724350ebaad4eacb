//! What an order says, sealed before any transaction is begun for it.

use super::queue::NewJob;
use crate::Failure;
use crate::privacy::keys::{ObjectKeys, Sealed};

/// What a person says in an order, as it is stored.
pub(super) struct Words {
    pub(super) prompt: Sealed,
    pub(super) negative_prompt: Option<Sealed>,
    /// None so far.
    pub(super) unknown_words: Sealed,
}

impl Words {
    pub(super) fn of(job: &NewJob, keys: &ObjectKeys) -> Result<Self, Failure> {
        let (cipher, id) = (keys.words()?, job.id.to_string());
        let negative = job.negative_prompt.as_ref();
        Ok(Self {
            prompt: cipher.seal(super::PROMPT, &id, job.prompt.expose()),
            negative_prompt: negative
                .map(|words| cipher.seal(super::NEGATIVE_PROMPT, &id, words.expose())),
            unknown_words: cipher.seal(super::UNKNOWN_WORDS, &id, "[]"),
        })
    }
}
