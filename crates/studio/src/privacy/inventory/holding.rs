//! What is kept for the law, and each time that a backup was put back.

use super::Category::{AccountSettings, Behavior, Name};
use super::Source::Operator;
use super::{Erased, Kept, Of, Purpose, Table, datum, inner};

pub(super) const LEGAL_HOLD: Table = Table {
    name: "legal_hold",
    row: "Each time that a law or a court wants something of yours kept",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Law],
    kept: Kept::Account,
    erased: Erased::Deleted,
    columns: &[
        inner("id"),
        inner("person_id"),
        datum("class", "what is to be kept", AccountSettings, Operator),
        datum("law", "which law or order wants it", Behavior, Operator).sealed(),
        datum("reason", "why", Behavior, Operator).sealed(),
        datum("approver", "who answers for it", Name, Operator).sealed(),
        datum("begins_ms", "since when", Behavior, Operator),
        datum("ends_ms", "until when", Behavior, Operator),
        datum(
            "told_from_ms",
            "from when on you are told",
            Behavior,
            Operator,
        ),
        datum("released_ms", "when it was ended early", Behavior, Operator),
    ],
};

pub(super) const RESTORATION: Table = Table {
    name: "restoration",
    row: "Each time that the house was put back from a backup",
    of: Of::Nobody,
    purposes: &[],
    kept: Kept::Books,
    erased: Erased::Untouched,
    columns: &[
        inner("id"),
        inner("state"),
        inner("backup_id"),
        inner("backup_made_ms"),
        inner("begun_ms"),
        inner("found"),
        inner("ended_ms"),
    ],
};
