//! What authorities ask for (Art. 6(1)(c) and (d) GDPR): a register of each request with its law, its
//! scope and its end. Nothing is handed out before two different people agreed; where a life is in danger
//! one is enough, and somebody else looks at it again within seven days.
//!
//! Architecture invariant: one request is about one person, and what is handed out holds the columns that
//! it names and no other.

mod clock;
mod counters;
mod deciding;
mod package;
mod row;
mod scope;

use domain::clock::Moment;
use domain::ids::{DisclosureId, PersonId};

use crate::Failure;

pub use clock::{keep_watching, overdue, raise_overdue, tell_ended, untold};
pub use counters::{Counters, public};
pub use deciding::{approve, enter, refuse, review};
pub use package::{Package, hand_out};
pub use row::{all, show};
pub use scope::{choices, in_words};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Within which somebody else looks again at what was handed out in an emergency.
pub const REVIEW_MS: i64 = 7 * DAY_MS;
/// No gag lasts longer.
pub const MAX_GAG_MS: i64 = 2 * 366 * DAY_MS;
pub const MAX_CHARS: usize = 500;

/// On which ground something is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// A law or an order obliges to it.
    Order,
    /// Somebody's life or body is in danger.
    Emergency,
}

impl Path {
    pub const ALL: [Self; 2] = [Self::Order, Self::Emergency];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Emergency => "emergency",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|path| path.name() == name)
    }
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Received,
    /// Enough people agreed.
    Approved,
    Refused,
    /// Something was handed out.
    Disclosed,
}

impl State {
    pub const ALL: [Self; 4] = [
        Self::Received,
        Self::Approved,
        Self::Refused,
        Self::Disclosed,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Disclosed => "disclosed",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct NewDisclosure {
    /// `None` where whom they ask about is nobody here.
    pub person: Option<PersonId>,
    pub authority: String,
    /// The law with its article, or the court with the number of its order.
    pub law: String,
    /// The number that the authority gave it.
    pub reference: String,
    /// As in `account.address`.
    pub fields: Vec<String>,
    pub from: Option<Moment>,
    pub until: Option<Moment>,
    /// Which danger there is; makes it an emergency.
    pub emergency: Option<String>,
    pub gag_until: Option<Moment>,
}

/// A request as it is, opened.
#[derive(Clone, Debug)]
pub struct Disclosure {
    pub id: DisclosureId,
    pub person: Option<PersonId>,
    pub path: Path,
    pub state: State,
    pub authority: String,
    pub law: String,
    pub reference: String,
    pub emergency: Option<String>,
    pub refusal: Option<String>,
    pub fields: Vec<String>,
    pub from: Option<Moment>,
    pub until: Option<Moment>,
    pub received: Moment,
    pub gag_until: Option<Moment>,
    /// How many people agreed so far.
    pub approvals: usize,
    pub ended: Option<Moment>,
    pub told: Option<Moment>,
    pub review_due: Option<Moment>,
    pub reviewed: Option<Moment>,
    /// Whether it was right, by who looked again.
    pub was_right: Option<bool>,
}

impl Disclosure {
    /// Whether somebody may still refuse it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Received | State::Approved)
    }

    /// Whether somebody has to look at it again.
    #[must_use]
    pub fn waits_for_review(&self) -> bool {
        self.review_due.is_some() && self.reviewed.is_none()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum DisclosureError {
    #[error(
        "Name the authority and the number that it gave its request, each in 1 to {MAX_CHARS} characters."
    )]
    Words,
    #[error(
        "Name what obliges to it: the law with its article, such as § 100j StPO, or the court with the \
         number of its order."
    )]
    Law,
    #[error("Choose what is to be handed out. Nothing else is.")]
    Nothing,
    #[error("{0} is not kept of people, or is never handed out.")]
    Field(String),
    #[error("The first day comes before the last one.")]
    Span,
    #[error("A gag ends after now and within two years.")]
    Gag,
    #[error("Say which danger there is, in at most {MAX_CHARS} characters.")]
    Emergency,
    #[error("Say why, in at most {MAX_CHARS} characters.")]
    Reason,
    #[error("Nobody has this address.")]
    Nobody,
    #[error(
        "You agreed already. Somebody else has to: an operator or a privacy officer who is not you."
    )]
    Own,
    #[error(
        "Whom it is about is nobody here, so there is nothing to hand out. Refuse it, and say so."
    )]
    Empty,
    #[error("It is not approved: two different people have to agree first.")]
    Unapproved,
    #[error("That is over: it is approved, refused or handed out already.")]
    Over,
    #[error("More than {0} rows are in its scope. Narrow its time, or enter it in parts.")]
    TooMuch(usize),
    #[error("There is no such request, or its person is gone.")]
    Missing,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(DisclosureError);

/// As it is stored: no more than people can read, and not nothing.
fn said(text: &str) -> Option<&str> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= MAX_CHARS;
    fits.then_some(text)
}
