//! What a person asks for, in words. A prompt is personal: it can't be printed by accident.

use std::fmt;

/// Words that say what to draw; trimmed, not empty, within [`Prompt::MAX_CHARS`].
#[derive(Clone, PartialEq, Eq)]
pub struct Prompt(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadPrompt {
    #[error("The prompt is empty. Say in a few words what to draw.")]
    Empty,
    #[error(
        "The prompt has {chars} characters; at most {max} are allowed. Shorten it.",
        max = Prompt::MAX_CHARS
    )]
    TooLong { chars: usize },
    #[error("The prompt contains a control character at position {at}. Remove it.")]
    Control { at: usize },
}

impl Prompt {
    pub const MAX_CHARS: usize = 32_000;

    /// Accepts text with line breaks and tabs, and no other control character.
    pub fn new(text: &str) -> Result<Self, BadPrompt> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadPrompt::Empty);
        }
        let chars = text.chars().count();
        if chars > Self::MAX_CHARS {
            return Err(BadPrompt::TooLong { chars });
        }
        let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        match text.chars().position(control) {
            Some(at) => Err(BadPrompt::Control { at }),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The words themselves, for drawing, storing, and showing to the person who wrote them.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

crate::unprintable!(Prompt);

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prompt({} chars)", self.0.chars().count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_named() {
        assert_eq!(Prompt::new(" \n "), Err(BadPrompt::Empty));
        assert_eq!(Prompt::new("a\0b"), Err(BadPrompt::Control { at: 1 }));
        let long = "x".repeat(40_000);
        assert_eq!(
            Prompt::new(&long),
            Err(BadPrompt::TooLong { chars: 40_000 })
        );
        assert!(Prompt::new(&"é".repeat(32_000)).is_ok());
    }

    #[test]
    fn debug_shows_no_word() {
        let prompt = Prompt::new("my secret").expect("valid");
        assert_eq!(format!("{prompt:?}"), "Prompt(9 chars)");
    }
}
