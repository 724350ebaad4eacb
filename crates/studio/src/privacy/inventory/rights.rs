//! What is kept of how people use their rights.

use super::Category::{Account, AccountSettings, Behavior, Content, Email};
use super::Source::Operator;
use super::{Erased, Kept, Limit, Of, Purpose, Table, datum, given, inner, used};
use crate::privacy::requests;

pub(super) const RESTRICTION: Table = Table {
    name: "restriction",
    row: "That your account is restricted",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Rights],
    kept: Kept::With("the restriction holds; that there was one, the log says"),
    erased: Erased::Deleted,
    columns: &[
        inner("person_id"),
        given("mode", "whether it was you", AccountSettings),
        datum("reason", "why, where it was not you", Behavior, Operator).sealed(),
        used("since_ms", "since when", Behavior),
        used("lift_ms", "until when, where that is known", Behavior),
        datum(
            "known",
            "why it is known that you are too young for this house, where it was not you who said so",
            Behavior,
            Operator,
        )
        .sealed(),
        inner("former"),
        used(
            "erase_ms",
            "when it is erased, where you are too young for this house",
            Behavior,
        ),
        given("contest", "what you say against that", Content).sealed(),
        used("contested_ms", "when you said it", Behavior),
    ],
};

pub(super) const REQUEST: Table = Table {
    name: "request",
    row: "Each request that you made by your rights",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Rights],
    kept: Kept::Until(&[Limit {
        column: "ended_ms",
        ms: requests::KEPT_MS,
        after: "it was answered or withdrawn",
    }]),
    erased: Erased::Deleted,
    columns: &[
        inner("id"),
        inner("person_id"),
        given("kind", "what it is about", Behavior),
        used("channel", "how it came", Behavior),
        used("identity", "how it was known that it was you", Behavior),
        used("state", "how far it is", Behavior),
        given(
            "address",
            "where the answer goes, where you have no account",
            Email,
        )
        .sealed(),
        given("words", "your words", Content).sealed(),
        datum("delay", "why it takes longer", Content, Operator).sealed(),
        datum("answer", "the answer", Content, Operator).sealed(),
        datum(
            "country",
            "of a refusal, whose authority hears complaints about it",
            Account,
            Operator,
        ),
        used("received_ms", "when it was received", Behavior),
        used("due_ms", "until when it is to be answered", Behavior),
        used("extended_ms", "when that was put off", Behavior),
        used("ended_ms", "when it was over", Behavior),
        inner("alarmed_ms"),
    ],
};

pub(super) const OBJECTION: Table = Table {
    name: "objection",
    row: "Each purpose that you object to",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Rights],
    kept: Kept::UntilDeleted,
    erased: Erased::Deleted,
    columns: &[
        inner("person_id"),
        given("purpose", "which one", AccountSettings),
        inner("request_id"),
        used("since_ms", "since when", Behavior),
    ],
};
