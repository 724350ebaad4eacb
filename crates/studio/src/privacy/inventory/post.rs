//! What is kept of letters.

use super::Category::{Behavior, Credentials, Email};
use super::{Erased, Kept, Limit, Of, Purpose, Table, given, inner, made, used};
use crate::letters;

pub(super) const POLICY_NOTICE: Table = Table {
    name: "policy_notice",
    row: "Each time that you were told of a change of this notice",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Mail],
    kept: Kept::Account,
    erased: Erased::Deleted,
    columns: &[
        used("policy", "of which version", Behavior),
        inner("person_id"),
        used("created_ms", "when you were told", Behavior),
        used(
            "acknowledged_ms",
            "when you said that you read it",
            Behavior,
        ),
    ],
};

pub(super) const LETTER: Table = Table {
    name: "letter",
    row: "Each letter to you",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Mail, Purpose::News],
    kept: Kept::Until(&[Limit {
        column: "created_ms",
        ms: letters::SENT_KEPT_MS,
        after: "it was written; what it said is gone once it is sent",
    }]),
    erased: Erased::Deleted,
    columns: &[
        inner("id"),
        inner("person_id"),
        given("address", "the address that it goes to", Email)
            .sealed()
            .serving(&[Purpose::Mail, Purpose::News]),
        made("kind", "what it is about", Behavior).serving(&[Purpose::Mail, Purpose::News]),
        made("fields", "what it says, until it is sent", Credentials)
            .sealed()
            .serving(&[Purpose::Mail, Purpose::News]),
        inner("state"),
        inner("attempts"),
        inner("trouble"),
        used("created_ms", "when it was written", Behavior)
            .serving(&[Purpose::Mail, Purpose::News]),
        inner("due_ms"),
        used("ended_ms", "when it was sent", Behavior).serving(&[Purpose::Mail, Purpose::News]),
    ],
};
