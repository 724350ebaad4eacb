//! What becomes of each table of an archive in the house that takes it in.

use super::super::access;

/// Whether the rows of a table are taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Every row, as it was.
    Taken,
    /// Some of it, and why not the rest.
    Partly(&'static str),
    /// Nothing: it stays in the archive. Why.
    Left(&'static str),
}

const SECURITY: Fate = Fate::Left("whoever comes in here proves to this house who they are");
const MONEY: Fate = Fate::Left(
    "credits were paid for in the other house, which owes them; here they would be made from nothing",
);
const AFFAIRS: Fate = Fate::Left("it was the other house's affair");

/// Each of a person's tables.
const FATES: &[(&str, Fate)] = &[
    (
        "person",
        Fate::Partly(
            "the number is kept where it is free; roles and places in the line are not taken",
        ),
    ),
    (
        "account",
        Fate::Partly(
            "the names, the portrait and the age are taken where there is none yet; a password is not",
        ),
    ),
    ("organisation", AFFAIRS),
    (
        "organisation_member",
        Fate::Left("the organisation is one of the other house"),
    ),
    ("organisation_invitation", SECURITY),
    ("session", SECURITY),
    ("device", SECURITY),
    ("attack", AFFAIRS),
    ("passkey", SECURITY),
    ("totp", SECURITY),
    ("recovery_code", SECURITY),
    ("api_key", SECURITY),
    ("proof", SECURITY),
    ("letter", AFFAIRS),
    (
        "job",
        Fate::Partly("every order that is over; what was still to be drawn is not drawn here"),
    ),
    ("picture", Fate::Taken),
    ("repeat", AFFAIRS),
    ("balance", MONEY),
    ("entry", MONEY),
    ("credit_grant", MONEY),
    ("invoice", MONEY),
    ("hold", MONEY),
    ("hold_part", MONEY),
    ("key_spending", MONEY),
    (
        "log_entry",
        Fate::Left("it is proven in the other house's log, and only there"),
    ),
    (
        "restriction",
        Fate::Left("it bound the other house; here the account is restricted on the page of it"),
    ),
    ("request", AFFAIRS),
    ("objection", AFFAIRS),
    ("duty", Fate::Left("it tells of work in the other house")),
    ("ticket", AFFAIRS),
    ("ticket_message", AFFAIRS),
    ("ticket_file", AFFAIRS),
    (
        "consent",
        Fate::Left("it was said to the other house, and is no consent to this one"),
    ),
    ("news_letter", AFFAIRS),
    ("policy_notice", AFFAIRS),
    ("terms_notice", AFFAIRS),
    (
        "terms_acceptance",
        Fate::Left("it is a contract with who ran the other house, and not with this one"),
    ),
    (
        "preference",
        Fate::Left(
            "it names models of the other house; here they are chosen on the page of choices",
        ),
    ),
    ("erasure", AFFAIRS),
    ("erasure_mark", AFFAIRS),
    ("export", AFFAIRS),
    ("export_part", AFFAIRS),
    ("legal_hold", AFFAIRS),
    ("disclosure", AFFAIRS),
    ("breach_person", AFFAIRS),
];

/// Every table that an archive has, with what becomes of it here.
pub fn fates() -> impl Iterator<Item = (&'static str, Fate)> {
    access::tables().map(|table| {
        let known = FATES.iter().find(|(name, _)| *name == table.name);
        (table.name, known.map_or(AFFAIRS, |(_, fate)| *fate))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn promise_rgt_05_of_every_table_it_was_decided_whether_it_is_taken_in() {
        let decided: BTreeSet<&str> = FATES.iter().map(|(name, _)| *name).collect();
        let there: BTreeSet<&str> = access::tables().map(|table| table.name).collect();
        assert_eq!(decided, there);
        assert_eq!(decided.len(), FATES.len(), "a table stands twice");
    }
}
