//! What is kept of what authorities asked for, and of breaches.

use super::Category::{Account, Behavior, Content};
use super::Source::Operator;
use super::{Erased, Kept, Of, Purpose, Table, datum, inner, used};

pub(super) const DISCLOSURE: Table = Table {
    name: "disclosure",
    row: "Each time that an authority asked for something of yours",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Disclosure],
    kept: Kept::Account,
    erased: Erased::Deleted,
    columns: &[
        inner("id"),
        inner("person_id"),
        datum(
            "path",
            "whether it was an order or an emergency",
            Behavior,
            Operator,
        ),
        used("state", "how far it is", Behavior),
        datum("authority", "which authority", Account, Operator).sealed(),
        datum("law", "by which law or order", Behavior, Operator).sealed(),
        datum(
            "reference",
            "the number that it gave its request",
            Behavior,
            Operator,
        )
        .sealed(),
        datum("emergency", "which danger there was", Content, Operator).sealed(),
        datum("refusal", "why it was refused", Content, Operator).sealed(),
        datum("fields", "what it asked for", Behavior, Operator),
        datum("from_ms", "from which time on", Behavior, Operator),
        datum("until_ms", "up to which time", Behavior, Operator),
        used("received_ms", "when it was entered", Behavior),
        datum(
            "gag_until_ms",
            "until when you may not be told of it",
            Behavior,
            Operator,
        ),
        used("entered_by", "who entered it, as a keyed hash", Behavior).blind("reader"),
        used("first_by", "who agreed, as a keyed hash", Behavior).blind("reader"),
        used("second_by", "who else agreed, as a keyed hash", Behavior).blind("reader"),
        used("refused_by", "who refused it, as a keyed hash", Behavior).blind("reader"),
        used("approved_ms", "when it was agreed to", Behavior),
        used("ended_ms", "when it was handed out or refused", Behavior),
        inner("sealed_leaves"),
        used("told_ms", "when you were told", Behavior),
        inner("review_due_ms"),
        used(
            "reviewed_by",
            "who looked at it again, as a keyed hash",
            Behavior,
        )
        .blind("reader"),
        used(
            "reviewed_ms",
            "when somebody else looked at it again",
            Behavior,
        ),
        datum("review", "whether they found it right", Behavior, Operator),
        inner("alarmed_ms"),
    ],
};

pub(super) const BREACH: Table = Table {
    name: "breach",
    row: "Breaches of what protects people's data",
    of: Of::Nobody,
    purposes: &[],
    kept: Kept::Books,
    erased: Erased::Untouched,
    columns: &[
        inner("id"),
        inner("what"),
        inner("nature"),
        inner("classes"),
        inner("consequences"),
        inner("measures"),
        inner("risk"),
        inner("began_ms"),
        inner("until_ms"),
        inner("noticed_ms"),
        inner("due_ms"),
        inner("entered_ms"),
        inner("entered_by"),
        inner("reported_ms"),
        inner("late"),
        inner("alarmed_ms"),
        inner("closed_ms"),
    ],
};

pub(super) const BREACH_PERSON: Table = Table {
    name: "breach_person",
    row: "Each breach that concerns you",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Breaches],
    kept: Kept::Account,
    erased: Erased::Deleted,
    columns: &[
        inner("breach_id"),
        inner("person_id"),
        used(
            "found_by",
            "how it was found that it concerns you",
            Behavior,
        ),
        used("found_ms", "when that was found", Behavior),
        used("told_ms", "when you were told", Behavior),
    ],
};
