//! What tells who somebody is: addresses, names, passwords. Personal, so none can be printed by
//! accident.

use std::fmt;

/// Holds types to it that they can't be printed: where one of them gets a `Display`, and with it a
/// `to_string`, or turns into a `String` by itself, the build fails.
#[macro_export]
macro_rules! unprintable {
    ($($type:ty),+ $(,)?) => {$(
        const _: fn() = || {
            struct Printed;
            struct Turned;
            trait Ambiguous<Which> {
                fn one() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: ?Sized + std::fmt::Display> Ambiguous<Printed> for T {}
            impl<T: Into<String>> Ambiguous<Turned> for T {}
            // With one more that fits, it can't be told which is meant.
            <$type as Ambiguous<_>>::one();
        };
    )+};
}

unprintable!(Personal<String>, Address, Password, Username, DisplayName);

/// Something personal that has no type of its own. It can't be printed: whoever shows it to its
/// person says so by [`Personal::expose`].
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Personal<T>(T);

impl<T> Personal<T> {
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// For showing it to the person whose it is, and for sealing it.
    #[must_use]
    pub const fn expose(&self) -> &T {
        &self.0
    }

    #[must_use]
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(…)")
    }
}

/// An e-mail address: plausible, at most [`Address::MAX_CHARS`], never proven by itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("That is no e-mail address. Write it as in anna@example.org.")]
pub struct BadAddress;

impl Address {
    pub const MAX_CHARS: usize = 254;
    const MAX_LOCAL_CHARS: usize = 64;

    pub fn new(text: &str) -> Result<Self, BadAddress> {
        let text = text.trim();
        if text.len() > 4 * Self::MAX_CHARS || text.chars().count() > Self::MAX_CHARS {
            return Err(BadAddress);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(BadAddress)?;
        let plain =
            |c: char| !c.is_control() && !c.is_whitespace() && !r#"<>()[]\,;:@""#.contains(c);
        let dots = |part: &str| part.split('.').all(|piece| !piece.is_empty());
        let label = |piece: &str| {
            !piece.is_empty()
                && !piece.starts_with('-')
                && !piece.ends_with('-')
                && piece.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        let good = local.chars().count() <= Self::MAX_LOCAL_CHARS
            && local.chars().all(plain)
            && dots(local)
            && domain.split('.').all(label);
        good.then(|| Self(text.to_owned())).ok_or(BadAddress)
    }

    /// For writing to it, and for showing it to the person whose it is.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The same for every spelling of one mailbox that only differs in upper and lower case.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// A password as somebody chose or typed it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadPassword {
    #[error(
        "The password is too short: use at least {} characters. A few words make a good one.",
        Password::MIN_CHARS
    )]
    TooShort,
    #[error(
        "The password is too long: use at most {} characters.",
        Password::MAX_CHARS
    )]
    TooLong,
}

impl Password {
    pub const MIN_CHARS: usize = 8;
    pub const MAX_CHARS: usize = 128;

    /// Any characters do; only the length counts.
    pub fn new(text: &str) -> Result<Self, BadPassword> {
        // A character has at most four bytes: what is longer isn't worth counting.
        if text.len() > 4 * Self::MAX_CHARS {
            return Err(BadPassword::TooLong);
        }
        match text.chars().count() {
            0..Self::MIN_CHARS => Err(BadPassword::TooShort),
            Self::MIN_CHARS..=Self::MAX_CHARS => Ok(Self(text.to_owned())),
            _ => Err(BadPassword::TooLong),
        }
    }

    /// For hashing it, and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The name under which a person is found: unique, without upper and lower case, changeable.
#[derive(Clone, PartialEq, Eq)]
pub struct Username(String);

#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "A username has {} to {} letters of a to z, digits, - and _, and begins with a letter.",
    Username::MIN_CHARS,
    Username::MAX_CHARS
)]
pub struct BadUsername;

impl Username {
    pub const MIN_CHARS: usize = 3;
    pub const MAX_CHARS: usize = 30;

    pub fn new(text: &str) -> Result<Self, BadUsername> {
        let text = text.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let good = (Self::MIN_CHARS..=Self::MAX_CHARS).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(plain);
        good.then(|| Self(text.to_owned())).ok_or(BadUsername)
    }

    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Username(…)")
    }
}

/// A name as a person wants to be called; nothing follows from it.
#[derive(Clone, PartialEq, Eq)]
pub struct DisplayName(String);

#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "A name has at most {} characters, on one line.",
    DisplayName::MAX_CHARS
)]
pub struct BadDisplayName;

impl DisplayName {
    pub const MAX_CHARS: usize = 60;

    /// `None` for an empty one.
    pub fn new(text: &str) -> Result<Option<Self>, BadDisplayName> {
        let text = text.trim();
        if text.len() > 4 * Self::MAX_CHARS
            || text.chars().count() > Self::MAX_CHARS
            || text.chars().any(char::is_control)
        {
            return Err(BadDisplayName);
        }
        Ok((!text.is_empty()).then(|| Self(text.to_owned())))
    }

    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DisplayName(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_mail_can_reach() {
        for good in [
            "anna@example.org",
            " Anna.B+pin@sub.example.org ",
            "bo@localhost",
            "käthe@münchen.example",
        ] {
            assert!(Address::new(good).is_ok(), "{good}");
        }
        let long = format!("{}@example.org", "x".repeat(65));
        let endless = "x".repeat(70_000);
        for bad in [
            "",
            "anna",
            "@example.org",
            "anna@",
            "a b@example.org",
            "anna@exa mple.org",
            "anna@example..org",
            ".anna@example.org",
            "anna@-example.org",
            "a@b@example.org",
            "anna@example.org\r\nbcc: all@example.org",
            &long,
            &endless,
        ] {
            assert_eq!(Address::new(bad), Err(BadAddress), "{bad:?}");
        }
        let folded = |text| Address::new(text).expect("valid").folded();
        assert_eq!(folded("Anna@Example.ORG"), folded("anna@example.org"));
    }

    #[test]
    fn only_the_length_of_a_password_counts() {
        assert_eq!(Password::new("1234567"), Err(BadPassword::TooShort));
        assert!(Password::new("12345678").is_ok());
        assert!(Password::new(&"ä".repeat(128)).is_ok());
        assert_eq!(Password::new(&"x".repeat(129)), Err(BadPassword::TooLong));
        assert_eq!(
            Password::new(&"x".repeat(1 << 16)),
            Err(BadPassword::TooLong)
        );
    }

    #[test]
    fn names() {
        assert!(Username::new("anna_b-2").is_ok());
        for bad in ["", "ab", "2anna", "anna b", "änna", &"a".repeat(31)] {
            assert_eq!(Username::new(bad), Err(BadUsername), "{bad}");
        }
        assert_eq!(DisplayName::new("  "), Ok(None));
        assert!(DisplayName::new("Anna-Lena Ö").expect("valid").is_some());
        assert!(DisplayName::new("a\nb").is_err());
        assert!(DisplayName::new(&"x".repeat(61)).is_err());
    }

    #[test]
    fn none_can_be_printed() {
        let shown = format!(
            "{:?} {:?} {:?} {:?}",
            Address::new("anna@example.org"),
            Password::new("correct horse"),
            Username::new("anna"),
            DisplayName::new("Anna"),
        );
        assert!(!shown.contains("anna") && !shown.contains("Anna") && !shown.contains("horse"));
    }
}
