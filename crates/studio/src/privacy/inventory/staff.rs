//! What is kept of those who run the house.

use super::Category::{Account, Behavior, Content};
use super::{Erased, Kept, Limit, Of, Purpose, Table, given, inner, used};
use crate::privacy::duty;

pub(super) const DUTY: Table = Table {
    name: "duty",
    row: "Each time that you looked at what is kept of others, or wanted to",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Oversight],
    kept: Kept::Until(&[Limit {
        column: "until_ms",
        ms: duty::KEPT_MS,
        after: "it was over",
    }]),
    erased: Erased::Deleted,
    columns: &[
        inner("id"),
        inner("person_id"),
        given("purpose", "what for", Behavior),
        used("role", "your role then", Account),
        given("reason", "what for, in your words", Content).sealed(),
        used("asked_ms", "when you said so", Behavior),
        given("lasts_ms", "for how long", Behavior),
        used("begun_ms", "when it began", Behavior),
        used("until_ms", "until when", Behavior),
        used("agreed_by", "who agreed, as a keyed hash", Behavior).blind("reader"),
        used("looked", "how many people you looked at", Behavior),
        inner("alarmed_ms"),
    ],
};
