//! What is kept of an erasure: while it goes on, and as its proof.

use super::Category::{AccountSettings, Behavior, Credentials};
use super::{Erased, Kept, Limit, Of, Purpose, Table, given, inner, made, used};
use crate::privacy::erasure;

pub(super) const ERASURE: Table = Table {
    name: "erasure",
    row: "Each time that you had something forgotten",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Erasure],
    kept: Kept::Until(&[Limit {
        column: "ended_ms",
        ms: erasure::RECEIPT_KEPT_MS,
        after: "it was over; by then it names nobody any more",
    }]),
    erased: Erased::Proof,
    columns: &[
        inner("id"),
        inner("person_id"),
        given("scope", "what was to be forgotten", AccountSettings),
        inner("state"),
        used("asked_by", "how it was known that it was you", Behavior),
        made(
            "receipt_hash",
            "a hash of the address of your receipt",
            Credentials,
        ),
        made("plan", "how much of each kind was to go", Behavior),
        made("done", "how much of each kind has gone", Behavior),
        made(
            "seal",
            "what opens the list of what to look for, until it is over",
            Credentials,
        ),
        inner("letter_id"),
        made("receipt", "the receipt", Behavior),
        made(
            "supplement",
            "the receipt of what a law had kept back",
            Behavior,
        ),
        inner("worker"),
        inner("lease_until_ms"),
        used("requested_ms", "when you asked for it", Behavior),
        used("ended_ms", "when it was over", Behavior),
    ],
};

pub(super) const MARK: Table = Table {
    name: "erasure_mark",
    row: "What is looked for in the end, while something of yours is being forgotten",
    of: Of::Row {
        column: "erasure_id",
        table: "erasure",
        key: "id",
    },
    purposes: &[Purpose::Erasure],
    kept: Kept::With("something is being forgotten, which takes seconds"),
    erased: Erased::Afterwards,
    columns: &[
        inner("erasure_id"),
        inner("part"),
        made(
            "sealed",
            "your address, names, words and numbers, sealed",
            Credentials,
        ),
    ],
};
