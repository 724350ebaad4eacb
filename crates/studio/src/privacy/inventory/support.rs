//! What is kept of those who ask for help.

use super::Category::{Behavior, Content, Email, Picture};
use super::{Erased, Kept, Limit, Of, Purpose, Table, given, inner, used};
use crate::support;

pub(super) const TICKET: Table = Table {
    name: "ticket",
    row: "Each time that you wrote to the support",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Support],
    kept: Kept::Until(&[Limit {
        column: "closed_ms",
        ms: support::KEPT_MS,
        after: "it was closed, which is so when you say it, when we do with an answer, or when you say nothing to an answer for 14 days",
    }]),
    erased: Erased::Deleted,
    columns: &[
        inner("id"),
        inner("person_id"),
        given("kind", "what kind of thing it is about", Behavior),
        used("state", "how far it is", Behavior),
        given(
            "address",
            "where answers go, where you have no account",
            Email,
        )
        .sealed(),
        given("subject", "what it is about, in your words", Content).sealed(),
        used("opened_ms", "when you wrote first", Behavior),
        used("changed_ms", "when something was last said", Behavior),
        used("closed_ms", "when it was closed", Behavior),
    ],
};

pub(super) const TICKET_MESSAGE: Table = Table {
    name: "ticket_message",
    row: "Each message between you and the support",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Support],
    kept: Kept::With("what you wrote about, which goes a year after it was closed"),
    erased: Erased::Deleted,
    columns: &[
        inner("id"),
        inner("ticket_id"),
        inner("person_id"),
        used("side", "whether you wrote it or we did", Behavior),
        given("words", "what it says", Content).sealed(),
        used("written_ms", "when it was written", Behavior),
    ],
};

pub(super) const TICKET_FILE: Table = Table {
    name: "ticket_file",
    row: "Each picture that you sent to the support",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Support],
    kept: Kept::With("what you wrote about is not closed"),
    erased: Erased::Deleted,
    columns: &[
        inner("id"),
        inner("message_id"),
        inner("ticket_id"),
        inner("person_id"),
        given(
            "picture",
            "the picture, without what its file said of itself",
            Picture,
        )
        .sealed(),
    ],
};
