//! What people ask for by their rights (Art. 12 to 22 GDPR), and complaints: a register in which every
//! request has a clock, however it came. An answer is due one calendar month after it was received, and
//! once, with a reason that the person is told, two months later.
//!
//! Architecture invariant: a request is in the register once it is known who asks, or once an operator
//! answers for it. Whoever writes another's address into a form gets nothing in there.

mod answering;
mod asking;
mod by_mail;
mod clock;
mod row;
mod status;

use domain::clock::Moment;
use domain::ids::{PersonId, RequestId};
use domain::personal::Address;

pub use answering::{answer, extend, withdraw};
pub use asking::{ask_by_mailbox, confirm, is_confirmable, open, record};
pub(crate) use asking::{forget_nobodys, open_in};
pub use by_mail::{Came, by_mail};
pub use clock::{count, keep_watching, overdue, raise_overdue};
pub use row::{by_reference, find, glance, of_person, reference, show, unanswered};
pub use status::signed;

use crate::Failure;

pub const MAX_WORDS_CHARS: usize = 10_000;
/// Of one person, at once.
pub const MAX_OPEN: i64 = 20;
/// For how long a request is kept after it was answered: as long as somebody may go to court about it.
pub const KEPT_MS: i64 = 3 * 365 * 24 * 60 * 60 * 1_000;
/// Calendar months until an answer is due (Art. 12(3) GDPR).
const DUE_MONTHS: u32 = 1;
/// The same where it takes longer, counted from the receipt as well.
const EXTENDED_MONTHS: u32 = 3;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Access,
    Correct,
    Erase,
    Restrict,
    Object,
    Portability,
    Complaint,
    Other,
}

impl Asked {
    pub const ALL: [Self; 8] = [
        Self::Access,
        Self::Correct,
        Self::Erase,
        Self::Restrict,
        Self::Object,
        Self::Portability,
        Self::Complaint,
        Self::Other,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Correct => "correct",
            Self::Erase => "erase",
            Self::Restrict => "restrict",
            Self::Object => "object",
            Self::Portability => "portability",
            Self::Complaint => "complaint",
            Self::Other => "other",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|asked| asked.name() == name)
    }
}

/// How it is known who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    Session,
    Key,
    /// Whoever sits at the machine of a house without accounts.
    Local,
    /// They read the mailbox to which the answer goes.
    Mailbox,
    /// An operator has made sure.
    Operator,
    /// Nobody has yet.
    Unproven,
}

impl Identity {
    pub const ALL: [Self; 6] = [
        Self::Session,
        Self::Key,
        Self::Local,
        Self::Mailbox,
        Self::Operator,
        Self::Unproven,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Key => "key",
            Self::Local => "local",
            Self::Mailbox => "mailbox",
            Self::Operator => "operator",
            Self::Unproven => "unproven",
        }
    }

    /// The way that it came.
    const fn channel(self) -> &'static str {
        match self {
            Self::Session | Self::Local | Self::Mailbox => "page",
            Self::Key => "api",
            Self::Operator | Self::Unproven => "post",
        }
    }
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    /// Done as it was asked.
    Answered,
    Refused,
    /// Whoever asked wants it no more.
    Withdrawn,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Open, Self::Answered, Self::Refused, Self::Withdrawn];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// One request, opened.
#[derive(Clone)]
pub struct Request {
    pub id: RequestId,
    /// `None` where whoever asks has no account.
    pub person: Option<PersonId>,
    pub asked: Asked,
    pub channel: String,
    pub identity: Identity,
    pub state: State,
    /// Where the answer goes, where there is no account.
    pub address: Option<Address>,
    pub words: String,
    /// Why it takes longer.
    pub delay: Option<String>,
    /// Also the reasons of a refusal.
    pub answer: Option<String>,
    /// Of a refusal: whose authority hears complaints about it.
    pub country: Option<String>,
    pub received: Moment,
    pub due: Moment,
    pub extended: Option<Moment>,
    pub ended: Option<Moment>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Request({}, {:?}, {:?})",
            self.id, self.asked, self.state
        )
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("Say what you ask for, in at most {MAX_WORDS_CHARS} characters.")]
    Words,
    #[error("Say why, in at most {MAX_WORDS_CHARS} characters: whoever asked reads it.")]
    Reason,
    #[error(
        "{MAX_OPEN} requests of yours are open. Wait for an answer, or withdraw one of them first."
    )]
    TooMany,
    #[error("Too many letters were asked for from here. Try again in {retry_after_s} seconds.")]
    Slow { retry_after_s: u32 },
    #[error("This link was used, or has ended. Ask again on the page /privacy/request.")]
    LinkEnded,
    #[error("There is no such request.")]
    Unknown,
    #[error("This request is answered or withdrawn already.")]
    Ended,
    #[error("This request was extended already, which can be done once.")]
    Extended,
    #[error(
        "A refusal names the authority that hears complaints about it: give the two letters of \
         the country that is competent, as in de."
    )]
    Authority,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(RequestError);

fn said(text: &str) -> Option<&str> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= MAX_WORDS_CHARS;
    fits.then_some(text)
}
