//! What somebody may do: a person's role in the house, and the scopes of a key.

use std::fmt;
use std::str::FromStr;

/// A person's part in the house. Each but the first does a part of the operator's work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    #[default]
    Person,
    Support,
    Moderator,
    PrivacyOfficer,
    Operator,
}

#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "There is no role of that name. Use one of: person, support, moderator, privacy_officer, operator."
)]
pub struct BadRole;

impl Role {
    pub const ALL: [Self; 5] = [
        Self::Person,
        Self::Support,
        Self::Moderator,
        Self::PrivacyOfficer,
        Self::Operator,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Support => "support",
            Self::Moderator => "moderator",
            Self::PrivacyOfficer => "privacy_officer",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = BadRole;
    fn from_str(text: &str) -> Result<Self, BadRole> {
        let mut all = Self::ALL.into_iter();
        all.find(|role| role.name() == text).ok_or(BadRole)
    }
}

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    Draw,
    PicturesRead,
    PicturesWrite,
    AccountRead,
    AccountWrite,
    /// Deletes everything, for good. No key has it unless it is asked for.
    AccountErase,
    /// Takes everything along. No key has it unless it is asked for.
    AccountExport,
    /// Keys of operators only.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 8] = [
        Self::Draw,
        Self::PicturesRead,
        Self::PicturesWrite,
        Self::AccountRead,
        Self::AccountWrite,
        Self::AccountErase,
        Self::AccountExport,
        Self::Admin,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draw => "draw",
            Self::PicturesRead => "pictures:read",
            Self::PicturesWrite => "pictures:write",
            Self::AccountRead => "account:read",
            Self::AccountWrite => "account:write",
            Self::AccountErase => "account:erase",
            Self::AccountExport => "account:export",
            Self::Admin => "admin",
        }
    }

    /// Whether a key has it only where its person asks for it by name.
    #[must_use]
    pub const fn is_asked_for(self) -> bool {
        matches!(self, Self::AccountErase | Self::AccountExport | Self::Admin)
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of scopes, written as their names with spaces between.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u16);

#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "There is no such scope. Use some of: draw, pictures:read, pictures:write, account:read, account:write, account:erase, account:export, admin."
)]
pub struct BadScope;

impl Scopes {
    /// What a person may do with a session of their own.
    #[must_use]
    pub fn of_role(role: Role) -> Self {
        let every = Scope::ALL.into_iter();
        every
            .filter(|scope| *scope != Scope::Admin || role == Role::Operator)
            .collect()
    }

    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub const fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Scope::name).collect();
        f.write_str(&names.join(" "))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({self})")
    }
}

impl FromStr for Scopes {
    type Err = BadScope;
    fn from_str(text: &str) -> Result<Self, BadScope> {
        let scope = |name: &str| Scope::ALL.into_iter().find(|scope| scope.name() == name);
        text.split_whitespace()
            .map(|name| scope(name).ok_or(BadScope))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_back() {
        let some: Scopes = "draw  account:write".parse().expect("scopes");
        assert!(some.has(Scope::Draw) && some.has(Scope::AccountWrite));
        assert!(!some.has(Scope::PicturesRead));
        assert_eq!(some.to_string().parse(), Ok(some));
        assert_eq!("draw everything".parse::<Scopes>(), Err(BadScope));
        assert!("".parse::<Scopes>().expect("none").is_empty());
    }

    #[test]
    fn only_operators_administer() {
        for role in Role::ALL {
            let may = Scopes::of_role(role).has(Scope::Admin);
            assert_eq!(may, role == Role::Operator, "{role}");
            assert_eq!(role.name().parse(), Ok(role));
        }
    }
}
