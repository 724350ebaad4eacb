//! Every place where something about a person can be. The one list: the notice, the record of
//! processing and the fence at the start are made from it.

mod affairs;
mod authorities;
mod basis;
mod billing;
mod choices;
mod elsewhere;
mod forgetting;
mod glossary;
mod holding;
mod key_store;
mod organisations;
mod post;
mod purposes;
mod rights;
mod staff;
mod support;
mod tables;
mod taking;

pub use basis::{Basis, Citation};
pub use billing::INVOICES_KEPT_MS;
pub use elsewhere::{CHOICE_LIVES_MS, ELSEWHERE, LOG_KEPT_MS};
pub use glossary::PARTIES;
pub use key_store::KEY_TABLES;
pub use purposes::Purpose;
pub use tables::TABLES;

/// A table of the database, with all of its columns.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub name: &'static str,
    /// What one row is to its person, as a heading: `Each order`.
    pub row: &'static str,
    pub of: Of,
    /// Of several, each datum says which ones it serves.
    pub purposes: &'static [Purpose],
    pub kept: Kept,
    pub erased: Erased,
    /// Where some of them are sealed, the first one names the row.
    pub columns: &'static [Column],
}

/// Whose a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Of the person whose id stands in this column.
    Person(&'static str),
    /// Of the person of the row of another table that this column names.
    Row {
        column: &'static str,
        table: &'static str,
        /// The column of that table in which the same stands.
        key: &'static str,
    },
    /// Of nobody: the house's own affairs.
    Nobody,
}

#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub holds: Holds,
    pub stored: Stored,
    /// Which of the table's purposes; empty for all of them.
    serves: &'static [Purpose],
}

/// How a column is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    Plain,
    /// Encrypted under the key of its person, or the house's where it has none yet.
    Sealed,
    /// Encrypted under the key of the order that the row is.
    SealedByObject,
    /// Encrypted under a key of the house, since a law wants it readable when its person is gone.
    SealedByHouse,
    /// A keyed hash of this kind: it can be looked up, and not be guessed.
    Blind(&'static str),
}

impl Stored {
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Plain => "as it is",
            Self::Sealed => "encrypted under the person's key",
            Self::SealedByObject => "encrypted under the order's key",
            Self::SealedByHouse => "encrypted under the house's key",
            Self::Blind(_) => "as a keyed hash",
        }
    }
}

impl Column {
    /// Under the house's key it can be read for as long as it is there.
    const fn sealed_by_house(mut self) -> Self {
        self.stored = Stored::SealedByHouse;
        self
    }

    /// Only under its person's key it can be read.
    const fn sealed(mut self) -> Self {
        self.stored = Stored::Sealed;
        self
    }

    const fn sealed_by_object(mut self) -> Self {
        self.stored = Stored::SealedByObject;
        self
    }

    const fn blind(mut self, kind: &'static str) -> Self {
        self.stored = Stored::Blind(kind);
        self
    }

    /// Of a table with several purposes, it serves these.
    const fn serving(mut self, purposes: &'static [Purpose]) -> Self {
        self.serves = purposes;
        self
    }
}

/// Everything that is kept of a person is also read for these, by their rights.
pub const BY_RIGHT: [Purpose; 2] = [Purpose::Access, Purpose::Erasure];

/// Whether a list of purposes has this one.
pub(crate) const fn has(purposes: &[Purpose], purpose: Purpose) -> bool {
    let mut at = 0;
    while at < purposes.len() {
        if purposes[at] as u8 == purpose as u8 {
            return true;
        }
        at += 1;
    }
    false
}

/// The purposes of a column; `None` where there is no such column.
pub(crate) const fn of_column(table: &str, column: &str) -> Option<&'static [Purpose]> {
    let mut at = 0;
    while at < TABLES.len() {
        if is_same(TABLES[at].name, table) {
            return TABLES[at].purposes_of(column);
        }
        at += 1;
    }
    None
}

/// The purposes of the files below a folder of the shelf.
pub(crate) const fn of_files(folder: &str) -> Option<&'static [Purpose]> {
    let mut at = 0;
    while at < ELSEWHERE.len() {
        let spot = &ELSEWHERE[at];
        if matches!(spot.medium, Medium::Files) && is_same(spot.name, folder) {
            return Some(spot.purposes);
        }
        at += 1;
    }
    None
}

/// `==` can't be used where the build computes.
const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[derive(Clone, Copy, Debug)]
pub enum Holds {
    /// Something about the person.
    Datum(Datum),
    /// What the program needs to find its way through its own rows; it says nothing by itself.
    Inner,
}

/// Something about a person.
#[derive(Clone, Copy, Debug)]
pub struct Datum {
    /// In plain words, in the middle of a sentence: `your e-mail address`.
    pub what: &'static str,
    pub category: Category,
    pub source: Source,
}

/// A place outside the database.
#[derive(Clone, Copy, Debug)]
pub struct Spot {
    pub medium: Medium,
    /// The folder, the cookie, the field or the variable.
    pub name: &'static str,
    pub datum: Datum,
    pub purposes: &'static [Purpose],
    pub kept: Kept,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Files below a folder of the shelf.
    Files,
    /// A cookie in the person's browser.
    Cookie,
    /// A field of the log.
    Log,
    /// What a letter tells besides its fixed words.
    Letter,
    /// The memory of the running program, never written down.
    Memory,
}

/// Fideslang's names of categories (Ethyca, fideslang 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    Account,
    AccountSettings,
    AgeRange,
    Behavior,
    Content,
    Credentials,
    Device,
    Email,
    IpAddress,
    Name,
    Password,
    Picture,
    UniqueId,
    Username,
}

impl Category {
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Account => "user.account",
            Self::AccountSettings => "user.account.settings",
            Self::AgeRange => "user.demographic.age_range",
            Self::Behavior => "user.behavior",
            Self::Content => "user.content.private",
            Self::Credentials => "user.authorization.credentials",
            Self::Device => "user.device",
            Self::Email => "user.contact.email",
            Self::IpAddress => "user.device.ip_address",
            Self::Name => "user.name",
            Self::Password => "user.authorization.password",
            Self::Picture => "user.content.self_image",
            Self::UniqueId => "user.unique_id",
            Self::Username => "user.account.username",
        }
    }

    /// The Data Privacy Vocabulary's concept for it (W3C, DPV 2, extension PD).
    #[must_use]
    pub const fn dpv(self) -> &'static str {
        match self {
            Self::Account | Self::AccountSettings => "pd:AccountIdentifier",
            Self::AgeRange => "pd:AgeRange",
            Self::Behavior => "pd:Behavioral",
            Self::Content | Self::Picture => "pd:Communication",
            Self::Credentials => "pd:Authenticating",
            Self::Device => "pd:DeviceBased",
            Self::Email => "pd:EmailAddress",
            Self::IpAddress => "pd:IPAddress",
            Self::Name => "pd:Name",
            Self::Password => "pd:Password",
            Self::UniqueId => "pd:UID",
            Self::Username => "pd:Username",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The person wrote, chose or uploaded it.
    Person,
    /// It arises when the service is used.
    Use,
    /// The program made it.
    Program,
    /// An operator entered it.
    Operator,
}

impl Source {
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Person => "you",
            Self::Use => "your use of the service",
            Self::Program => "the program",
            Self::Operator => "an operator",
        }
    }
}

/// Until when something is kept. Lengths are the very constants by which the program deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Until the person deletes it.
    UntilDeleted,
    /// Until the person deletes it, or the time is over that they chose.
    Chosen,
    /// As long as there is the account.
    Account,
    /// As long as the thing it belongs to.
    With(&'static str),
    /// So long after something.
    For { ms: i64, after: &'static str },
    /// Until the first of these is over; then `retention` deletes the row.
    Until(&'static [Limit]),
    /// The house's books, which outlive what they tell of.
    Books,
    /// As long as the program runs.
    Run,
}

/// How long a row stays after the moment in one of its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Milliseconds since 1970.
    pub column: &'static str,
    pub ms: i64,
    /// What that moment is: `you signed in`.
    pub after: &'static str,
}

/// What is done with a row when its person's account is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erased {
    Deleted,
    /// Stays without anything that leads to the person, since the books must add up: these columns
    /// get what stands beside them, in SQL.
    Severed(&'static [(&'static str, &'static str)]),
    /// Stays because a law wants it kept, the one that the table's first purpose cites; these columns get what
    /// stands beside them, in SQL.
    Owed(&'static [(&'static str, &'static str)]),
    /// Stays as it is: it proves the erasure, and says nothing about the person.
    Proof,
    /// Goes when the erasure is over that it serves.
    Afterwards,
    /// It is nobody's.
    Untouched,
}

/// Whoever is gone: the books name this person where they would name an erased one.
pub const NOBODY: &str = "per_00000000000000000000000000";

impl Table {
    /// What a column of it serves; `None` where it has no such column.
    #[must_use]
    pub const fn purposes_of(&self, column: &str) -> Option<&'static [Purpose]> {
        let mut at = 0;
        while at < self.columns.len() {
            if is_same(self.columns[at].name, column) {
                let own = self.columns[at].serves;
                return Some(if own.is_empty() { self.purposes } else { own });
            }
            at += 1;
        }
        None
    }

    /// The columns that hold something about the person.
    pub fn data(&self) -> impl Iterator<Item = (&'static str, Datum)> {
        self.columns.iter().filter_map(|column| match column.holds {
            Holds::Datum(datum) => Some((column.name, datum)),
            Holds::Inner => None,
        })
    }
}

const fn datum(
    name: &'static str,
    what: &'static str,
    category: Category,
    source: Source,
) -> Column {
    Column {
        name,
        holds: Holds::Datum(Datum {
            what,
            category,
            source,
        }),
        stored: Stored::Plain,
        serves: &[],
    }
}

/// Entered by the person.
const fn given(name: &'static str, what: &'static str, category: Category) -> Column {
    datum(name, what, category, Source::Person)
}

/// Arises from use.
const fn used(name: &'static str, what: &'static str, category: Category) -> Column {
    datum(name, what, category, Source::Use)
}

/// Made by the program.
const fn made(name: &'static str, what: &'static str, category: Category) -> Column {
    datum(name, what, category, Source::Program)
}

const fn inner(name: &'static str) -> Column {
    Column {
        name,
        holds: Holds::Inner,
        stored: Stored::Plain,
        serves: &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_pur_01_each_datum_says_what_it_serves() {
        for table in TABLES {
            let is_whose = table.of != Of::Nobody;
            assert_eq!(!table.purposes.is_empty(), is_whose, "{}", table.name);
            let mut served = Vec::new();
            for (name, _) in table.data() {
                let column = table.columns.iter().find(|column| column.name == name);
                let own = column.expect("its own").serves;
                let says = !own.is_empty() || table.purposes.len() <= 1;
                assert!(says, "{}.{name} serves one of several purposes", table.name);
                let purposes = table.purposes_of(name).expect("a column");
                assert!(!purposes.is_empty(), "{}.{name}", table.name);
                for purpose in purposes {
                    let listed = has(table.purposes, *purpose);
                    assert!(listed, "{}.{name} to {purpose:?}", table.name);
                }
                served.extend(purposes);
            }
            for purpose in table.purposes {
                let used = served.contains(purpose);
                assert!(used, "nothing in {} serves {purpose:?}", table.name);
            }
        }
    }
}
