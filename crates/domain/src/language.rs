//! The languages in which people are told something.

/// A language. Programs are spoken to in English alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    #[default]
    English,
    German,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// As BCP 47 has it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|language| language.code() == code)
    }

    /// What its own speakers call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
        }
    }

    /// The one that somebody's browser asks for first, by a header `Accept-Language` (RFC 9110, 12.5.4).
    #[must_use]
    pub fn accepted(header: &str) -> Self {
        let mut best = (0.0_f32, Self::default());
        for wish in header.split(',') {
            let mut parts = wish.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let tag = tag.split('-').next().unwrap_or_default();
            let Some(language) = Self::of_code(&tag.to_ascii_lowercase()) else {
                continue;
            };
            let weight = parts.find_map(|part| part.trim().strip_prefix("q="));
            let weight = weight.map_or(Ok(1.0), str::parse).unwrap_or(0.0);
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::Language::{self, English, German};

    #[test]
    fn promise_x_09_a_browser_is_answered_in_the_language_that_it_asks_for_first() {
        for (header, language) in [
            ("", English),
            ("de", German),
            ("DE-at", German),
            ("de-CH,de;q=0.9,en;q=0.8", German),
            ("en-GB,en;q=0.9,de;q=0.8", English),
            ("fr;q=1, de;q=0.5, en;q=0.4", German),
            ("fr, *;q=0.5", English),
            ("de;q=0, en;q=0.1", English),
            ("de;q=0", English),
            ("de;q=much", English),
        ] {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
        for language in Language::ALL {
            assert_eq!(Language::of_code(language.code()), Some(language));
        }
        assert_eq!(Language::of_code("deutsch"), None);
    }
}
