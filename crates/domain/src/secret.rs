//! Secrets that the program makes: whoever holds one may do what it stands for, so it is never
//! printed, and kept as a hash alone.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::randomness::Randomness;

crate::unprintable!(Token, ApiKey);

/// 256 random bits, in 43 letters of base64url.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    pub const CHARS: usize = 43;

    #[must_use]
    pub fn new(randomness: &Randomness) -> Self {
        let mut bytes = [0; 32];
        randomness.fill(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// A token as somebody shows it; `None` where it can't be one.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let good = text.len() == Self::CHARS && text.bytes().all(letter);
        good.then(|| Self(text.to_owned()))
    }

    /// For handing it to whom it is meant for, and for hashing it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A key with which a program asks: `pin_` and a token.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(Token);

impl ApiKey {
    pub const PREFIX: &'static str = "pin_";
    /// How much of a key is shown in lists, so that one can be told from another.
    pub const SHOWN_CHARS: usize = 8;

    #[must_use]
    pub fn new(randomness: &Randomness) -> Self {
        Self(Token::new(randomness))
    }

    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Token::read(text.strip_prefix(Self::PREFIX)?).map(Self)
    }

    /// The whole key, for showing it once.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{}{}", Self::PREFIX, self.0.expose())
    }

    /// How it begins: far too little to use it.
    #[must_use]
    pub fn beginning(&self) -> String {
        self.expose().chars().take(Self::SHOWN_CHARS).collect()
    }

    #[must_use]
    pub const fn token(&self) -> &Token {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_shows_little() {
        let key = ApiKey::new(&Randomness::seeded(1));
        assert_eq!(key.expose().len(), 47);
        assert_eq!(ApiKey::read(&key.expose()), Some(key.clone()));
        assert_eq!(key.beginning().len(), 8);
        assert!(!format!("{key:?}").contains(&key.expose()[4..10]));
        for bad in ["", "pin_", "sk-1", &key.expose()[..46], "pin_ä"] {
            assert_eq!(ApiKey::read(bad), None, "{bad}");
        }
    }
}
