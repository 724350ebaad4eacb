//! Help: what people write to the support, with or without an account, and what they are answered.
//!
//! Architecture invariant: whoever has no account is asked by a letter before anything of theirs is kept;
//! what was sent along goes with the transaction that closes a ticket.

mod asking;
mod row;
mod talking;

use domain::clock::Moment;
use domain::ids::{AttachmentId, PersonId, TicketId};
use domain::personal::Address;
use imaging::BadPicture;

pub(crate) use asking::forget_nobodys;
pub use asking::{ask_by_mailbox, confirm, is_confirmable, open};
pub use row::{by_reference, file, file_for_staff, of_person, reference, show, unclosed, waiting};
pub use talking::{answer, close, close_silent, reply};

use crate::Failure;
use crate::privacy::keys::KeyError;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
pub const MAX_SUBJECT_CHARS: usize = 150;
pub const MAX_WORDS_CHARS: usize = 10_000;
/// Of one person, at once and in a day.
pub const MAX_OPEN: i64 = 10;
/// Of one ticket.
pub const MAX_MESSAGES: i64 = 200;
/// Pictures with one message.
pub const MAX_FILES: usize = 3;
/// Of one ticket.
const MAX_FILES_OF_TICKET: i64 = 12;
/// All the pictures of one message together, as they are sent.
pub const MAX_BYTES: usize = 6 << 20;
/// An answered ticket is closed when nothing is said for so long.
pub const SILENT_MS: i64 = 14 * DAY_MS;
/// For how long a ticket is kept after it was closed.
pub const KEPT_MS: i64 = 365 * DAY_MS;

/// What somebody writes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Drawing,
    Credits,
    Account,
    Fault,
    Feedback,
    /// That somebody who uses the service is too young for it.
    Child,
    Other,
}

impl About {
    pub const ALL: [Self; 7] = [
        Self::Drawing,
        Self::Credits,
        Self::Account,
        Self::Fault,
        Self::Feedback,
        Self::Child,
        Self::Other,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drawing => "drawing",
            Self::Credits => "credits",
            Self::Account => "account",
            Self::Fault => "fault",
            Self::Feedback => "feedback",
            Self::Child => "child",
            Self::Other => "other",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|about| about.name() == name)
    }
}

/// How far a ticket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// For an answer.
    Waiting,
    Answered,
    Closed,
}

impl State {
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Answered, Self::Closed];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Answered => "answered",
            Self::Closed => "closed",
        }
    }
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Whoever needs help.
    Person,
    House,
}

impl Side {
    const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::House => "house",
        }
    }
}

/// One ticket, opened.
#[derive(Clone)]
pub struct Ticket {
    pub id: TicketId,
    /// `None` where whoever wrote has no account.
    pub person: Option<PersonId>,
    pub about: About,
    pub state: State,
    /// Where answers go, where there is no account.
    pub address: Option<Address>,
    pub subject: String,
    pub opened: Moment,
    /// When something was last said.
    pub changed: Moment,
    pub closed: Option<Moment>,
    /// The oldest first; none in a list.
    pub messages: Vec<Message>,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ticket({}, {:?})", self.id, self.state)
    }
}

/// One message, opened; it can't be printed.
#[derive(Clone)]
pub struct Message {
    pub side: Side,
    pub words: String,
    pub written: Moment,
    /// Pictures that were sent along; none once the ticket is closed.
    pub files: Vec<AttachmentId>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({:?})", self.side)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SupportError {
    #[error("Say what it is about, in at most {MAX_SUBJECT_CHARS} characters on one line.")]
    Subject,
    #[error("Write your message, in at most {MAX_WORDS_CHARS} characters.")]
    Words,
    #[error("{MAX_FILES} pictures can go with a message. Leave some out, or send another message.")]
    Files,
    #[error(
        "With this ticket {MAX_FILES_OF_TICKET} pictures were sent already, which is the most. \
         Describe the rest in words."
    )]
    FilesOfTicket,
    #[error(transparent)]
    File(BadPicture),
    #[error(
        "{MAX_OPEN} tickets of yours are open, or were begun today. Go on in one of them, or come again \
         tomorrow."
    )]
    TooMany,
    #[error("This ticket has {MAX_MESSAGES} messages, which is the most. Begin another one.")]
    TooLong,
    #[error("Too many letters were asked for from here. Try again in {retry_after_s} seconds.")]
    Slow { retry_after_s: u32 },
    #[error("This link was used, or has ended. Write again on the page /support.")]
    LinkEnded,
    #[error("There is no such ticket.")]
    Unknown,
    #[error("This ticket is closed. Begin another one on the page /support.")]
    Closed,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(SupportError);

impl From<KeyError> for SupportError {
    fn from(error: KeyError) -> Self {
        Self::Failure(error.into())
    }
}

/// What somebody writes first.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub about: About,
    pub subject: &'a str,
    pub words: &'a str,
}

impl Question<'_> {
    /// Without blanks around it, where it is neither empty nor too long.
    fn checked(&self) -> Result<Self, SupportError> {
        let subject = self.subject.trim();
        let is_line = !subject.is_empty() && !subject.contains(char::is_control);
        if !is_line || subject.chars().count() > MAX_SUBJECT_CHARS {
            return Err(SupportError::Subject);
        }
        Ok(Self {
            about: self.about,
            subject,
            words: said(self.words)?,
        })
    }
}

fn said(words: &str) -> Result<&str, SupportError> {
    let words = words.trim();
    match words.is_empty() || words.chars().count() > MAX_WORDS_CHARS {
        true => Err(SupportError::Words),
        false => Ok(words),
    }
}
