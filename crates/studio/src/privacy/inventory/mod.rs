//! Every place where something about a person can be. The one list: the notice, the record of
//! processing and the fence at the start are made from it.

mod elsewhere;
mod forgetting;
mod key_store;
mod tables;

pub use elsewhere::ELSEWHERE;
pub use key_store::KEY_TABLES;
pub use tables::TABLES;

/// A table of the database, with all of its columns.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub name: &'static str,
    /// What one row is to its person, as a heading: `Each order`.
    pub row: &'static str,
    pub of: Of,
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
}

/// How a column is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    Plain,
    /// Encrypted under the key of its person, or the house's where it has none yet.
    Sealed,
    /// Encrypted under the key of the order that the row is.
    SealedByObject,
    /// A keyed hash of this kind: it can be looked up, and not be guessed.
    Blind(&'static str),
}

impl Column {
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

/// What something is kept for. Each has one legal basis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    Drawing,
    Account,
    Credits,
    Mail,
    Fairness,
    Repeats,
    Security,
    Operation,
    AgeGate,
    Erasure,
}

impl Purpose {
    pub const ALL: [Self; 10] = [
        Self::Drawing,
        Self::Account,
        Self::Credits,
        Self::Mail,
        Self::Fairness,
        Self::Repeats,
        Self::Security,
        Self::Operation,
        Self::AgeGate,
        Self::Erasure,
    ];

    /// After "to".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Drawing => "draw what you order, show it to you and keep it for you",
            Self::Account => "know you again and let you in",
            Self::Credits => "reckon what you have and what you spend",
            Self::Mail => "write to you about your account",
            Self::Fairness => "give everybody their turn",
            Self::Repeats => "answer a repeated request once and charge it once",
            Self::Security => "keep strangers out of your account, and attacks off the service",
            Self::Operation => "find out why something failed",
            Self::AgeGate => "keep children below the age of consent out",
            Self::Erasure => "forget what you want forgotten, and prove that it was",
        }
    }

    #[must_use]
    pub const fn basis(self) -> Basis {
        match self {
            Self::Drawing
            | Self::Account
            | Self::Credits
            | Self::Mail
            | Self::Fairness
            | Self::Repeats => Basis::Contract,
            Self::Security | Self::Operation => Basis::LegitimateInterest,
            Self::AgeGate | Self::Erasure => Basis::LegalObligation,
        }
    }

    /// The Data Privacy Vocabulary's purpose.
    #[must_use]
    pub const fn dpv(self) -> &'static str {
        match self {
            Self::Drawing | Self::Fairness | Self::Repeats => "dpv:ServiceProvision",
            Self::Account => "dpv:IdentityAuthentication",
            Self::Credits => "dpv:PaymentManagement",
            Self::Mail => "dpv:CommunicationManagement",
            Self::Security => "dpv:EnforceSecurity",
            Self::Operation => "dpv:TechnicalServiceProvision",
            Self::AgeGate => "dpv:AgeVerification",
            Self::Erasure => "dpv:RightsFulfilment",
        }
    }
}

/// Art. 6(1) GDPR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    Contract,
    LegitimateInterest,
    LegalObligation,
}

impl Basis {
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Contract => "the service that you asked for, Art. 6(1)(b) GDPR",
            Self::LegitimateInterest => "our legitimate interest in it, Art. 6(1)(f) GDPR",
            Self::LegalObligation => "a legal obligation, Art. 6(1)(c) GDPR",
        }
    }

    #[must_use]
    pub const fn dpv(self) -> &'static str {
        match self {
            Self::Contract => "eu-gdpr:A6-1-b",
            Self::LegitimateInterest => "eu-gdpr:A6-1-f",
            Self::LegalObligation => "eu-gdpr:A6-1-c",
        }
    }
}

/// Until when something is kept. Lengths are the very constants by which the program deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Until the person deletes it.
    UntilDeleted,
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
    /// Until the operator's log expires.
    Log,
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
    }
}
