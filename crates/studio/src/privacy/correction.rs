//! Correction (Art. 16 GDPR): for everything that a person entered, where they change it themselves, or
//! why it is not changed and what is done instead.

use super::inventory::{Column, Holds, Source, Table};

/// How something that a person entered is corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// On this page.
    Page(&'static str),
    /// Not by itself, for this reason.
    Instead(&'static str),
}

const ORDERED: Way = Way::Instead(
    "It says what was ordered and drawn, so it stays as it was. Order anew, or delete it.",
);
const SENT: Way =
    Way::Instead("It goes by itself, within days. Change your address, and ask again.");
const ASKED: Way = Way::Instead(
    "It says what you asked for on that day. Withdraw it, and ask anew in other words.",
);
const WRITTEN: Way = Way::Instead(
    "It says what you wrote to the support at that time. Write what is right in another message.",
);

/// The way for one column of a table; `None` where the person did not enter it, or nobody has decided.
#[must_use]
pub fn way(table: &Table, column: &Column) -> Option<Way> {
    let Holds::Datum(datum) = column.holds else {
        return None;
    };
    if datum.source != Source::Person {
        return None;
    }
    Some(match (table.name, column.name) {
        (
            "account",
            "address" | "address_key" | "username" | "username_key" | "display_name" | "portrait",
        ) => Way::Page("/account"),
        ("account", "of_age") => Way::Instead(
            "It is no more than a yes. Where it is wrong, ask for correction, or delete the account.",
        ),
        ("passkey", "name") => Way::Page("/account/password"),
        ("api_key", "name" | "scopes" | "limit_credits") => {
            Way::Instead("Programs rely on what a key may do. Revoke it, and make another one.")
        }
        ("proof", "address" | "of_age") | ("letter", "address") => SENT,
        (
            "job",
            "model" | "prompt" | "negative_prompt" | "width" | "height" | "count" | "steps"
            | "guidance" | "seed" | "ancestors" | "kept_ms" | "private" | "transparent",
        ) => ORDERED,
        ("person", "kept_ms") | ("picture", "favourite" | "ends_ms") => Way::Page("/pictures"),
        ("organisation", "name") | ("organisation_member", "role") => {
            Way::Page("/account/organisations")
        }
        ("restriction", "mode" | "contest") => Way::Page("/account/restriction"),
        ("request", "kind" | "address" | "words") => ASKED,
        ("ticket", _) | ("ticket_message", "words") | ("ticket_file", "picture") => WRITTEN,
        ("consent", "purpose" | "decision") | ("preference", _) => Way::Page("/account/choices"),
        ("duty", _) => {
            Way::Instead("It shows what was looked for and why, so it stays as it was said.")
        }
        ("objection", "purpose") => Way::Page("/account/objections"),
        ("erasure", "scope") => {
            Way::Instead("It says what was forgotten, and that can't be brought back.")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::inventory::TABLES;

    #[test]
    fn promise_acc_06_whatever_a_person_entered_can_be_corrected_or_says_why_not() {
        for table in TABLES {
            for column in table.columns {
                let Holds::Datum(datum) = column.holds else {
                    continue;
                };
                let is_given = datum.source == Source::Person;
                let found = way(table, column);
                assert_eq!(
                    found.is_some(),
                    is_given,
                    "{}.{}: say in privacy/correction.rs how it is corrected",
                    table.name,
                    column.name
                );
            }
        }
    }
}
