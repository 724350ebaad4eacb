//! What is about people and stands outside the database.

use super::Category::{
    AccountSettings, AgeRange, Behavior, Content, Credentials, Device, Email, IpAddress, Picture,
    UniqueId,
};
use super::{Category, Datum, Kept, Medium, Purpose, Source, Spot};
use crate::accounts::{device, passkey, portrait, session};
use crate::pictures;

const fn datum(what: &'static str, category: Category, source: Source) -> Datum {
    Datum {
        what,
        category,
        source,
    }
}

/// For how long a browser remembers what somebody chose for it.
pub const CHOICE_LIVES_MS: i64 = 365 * 24 * 60 * 60 * 1_000;

const fn cookie(name: &'static str, what: &'static str, kept: Kept) -> Spot {
    Spot {
        medium: Medium::Cookie,
        name,
        datum: datum(what, Credentials, Source::Program),
        purposes: &[Purpose::Account],
        kept,
    }
}

const fn logged(name: &'static str, what: &'static str, category: Category) -> Spot {
    Spot {
        medium: Medium::Log,
        name,
        datum: datum(what, category, Source::Use),
        purposes: &[Purpose::Operation],
        kept: Kept::For {
            ms: LOG_KEPT_MS,
            after: "the day began on which it was written; it holds no words, names, addresses or pictures",
        },
    }
}

/// For how long a line of the log is kept: the program deletes its files, and an operator who has the log taken
/// elsewhere states no longer time.
pub const LOG_KEPT_MS: i64 = 14 * 24 * 60 * 60 * 1_000;

const fn told(name: &'static str, what: &'static str, category: Category) -> Spot {
    Spot {
        medium: Medium::Letter,
        name,
        datum: datum(what, category, Source::Program),
        purposes: &[Purpose::Mail],
        kept: Kept::With("the letter, until it is sent"),
    }
}

pub const ELSEWHERE: &[Spot] = &[
    Spot {
        medium: Medium::Files,
        name: pictures::FOLDER,
        datum: datum(
            "the file of each of your pictures",
            Content,
            Source::Program,
        ),
        purposes: &[
            Purpose::Drawing,
            Purpose::Examples,
            Purpose::TrainingPictures,
        ],
        kept: Kept::UntilDeleted,
    },
    Spot {
        medium: Medium::Files,
        name: portrait::FOLDER,
        datum: datum("the file of your portrait", Picture, Source::Person),
        purposes: &[Purpose::Account],
        kept: Kept::UntilDeleted,
    },
    cookie(
        "pinhole",
        "the cookie of your session",
        Kept::For {
            ms: session::ABSOLUTE_END_MS,
            after: "you signed in",
        },
    ),
    cookie(
        "pinhole-device",
        "the cookie by which your browser is known again",
        Kept::For {
            ms: device::KNOWN_FOR_MS,
            after: "you last signed in",
        },
    ),
    cookie(
        "pinhole-passkey",
        "the cookie of who is signing in with a passkey",
        Kept::For {
            ms: passkey::ANSWER_WITHIN_MS,
            after: "it was asked for",
        },
    ),
    Spot {
        medium: Medium::Cookie,
        name: "pinhole-door",
        datum: datum(
            "the cookie of who sent the form for an account; it tells nobody but this house whether that went on",
            AgeRange,
            Source::Program,
        ),
        purposes: &[Purpose::AgeGate],
        kept: Kept::With(
            "the browser is open, or until the account is made; after two days it means nothing",
        ),
    },
    Spot {
        medium: Medium::Cookie,
        name: "pinhole-language",
        datum: datum(
            "in which language pages are told, if you pressed its button",
            AccountSettings,
            Source::Person,
        ),
        purposes: &[Purpose::Preferences],
        kept: Kept::For {
            ms: CHOICE_LIVES_MS,
            after: "you pressed it",
        },
    },
    Spot {
        medium: Medium::Memory,
        name: "throttle",
        datum: datum(
            "which network addresses tried to sign in, and how often",
            IpAddress,
            Source::Use,
        ),
        purposes: &[Purpose::Security],
        kept: Kept::Run,
    },
    Spot {
        medium: Medium::Memory,
        name: "visits",
        datum: datum(
            "a hash of your network address and of what your browser says of itself, by which you are counted once",
            UniqueId,
            Source::Use,
        ),
        purposes: &[Purpose::Analytics],
        kept: Kept::With("the day on which you came, which ends at midnight (UTC)"),
    },
    Spot {
        medium: Medium::Memory,
        name: "board",
        datum: datum("previews of what is being drawn", Content, Source::Program),
        purposes: &[Purpose::Drawing],
        kept: Kept::With("the order, until it is over"),
    },
    logged(
        "id",
        "the number of a request, or a hash of the one that you chose",
        UniqueId,
    ),
    logged("method", "the method of a request", Behavior),
    logged(
        "route",
        "the kind of page or address that was asked for",
        Behavior,
    ),
    logged("status", "the status of the answer", Behavior),
    logged("job", "the number of an order that failed", UniqueId),
    logged("letter", "the number of a letter that did not go", UniqueId),
    logged("error", "what went wrong, in the program's words", Behavior),
    logged(
        "cause",
        "why a drawing failed, in the program's words",
        Behavior,
    ),
    logged(
        "trouble",
        "why a letter did not go, without its address",
        Behavior,
    ),
    logged(
        "attacked",
        "whether the house or one account was tried, not whose",
        Behavior,
    ),
    logged(
        "cookie",
        "the name of a cookie that nobody declared, and that was not set",
        Behavior,
    ),
    logged("refusal", "why a passkey was not accepted", Behavior),
    logged("jobs", "the numbers of orders that were given up", UniqueId),
    logged(
        "files_deleted",
        "how many files without a row were deleted",
        Behavior,
    ),
    told("address", "your e-mail address", Email),
    told("letter", "the number of the letter", UniqueId),
    told(
        "policy",
        "which version of this notice it tells of",
        Behavior,
    ),
    told("terms", "which version of the terms it tells of", Behavior),
    told("token", "the link", Credentials),
    told("family", "the family of the browser that signed in", Device),
    told(
        "at_ms",
        "when something was that a letter tells of, or until when it is to be done",
        Behavior,
    ),
    told(
        "person",
        "to those who run the house: the number of a person whose account is tried, or who says that they are old enough",
        UniqueId,
    ),
    told(
        "purpose",
        "to those who watch over them, or run the house: what somebody looks for",
        Behavior,
    ),
    told(
        "role",
        "to those who watch over them: the role of who wants to look",
        Behavior,
    ),
    told("ends_ms", "when an account ends that nobody uses", Behavior),
    told("name", "the name of a passkey", Behavior),
    told("subject", "what news are about", Content),
    told("leave", "the address that ends news", Credentials),
    told(
        "reference",
        "the address at which a request of yours is found, or what you wrote to the support",
        Credentials,
    ),
    told(
        "text",
        "the answer to a request of yours or of the support, or why it takes longer; what was handed out of yours; how a breach concerns you; or news",
        Content,
    ),
    told(
        "authority",
        "which authority hears complaints about a refusal, or got something of yours",
        Behavior,
    ),
    told(
        "ticket",
        "to those who answer: the number of what somebody wrote to the support",
        UniqueId,
    ),
    told(
        "request",
        "to those who answer: the number of a request or of a breach",
        UniqueId,
    ),
];
