//! What is kept of letters, and of the links in them.

use super::Category::{Account, AgeRange, Behavior, Credentials, Email, Password};
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
        used(
            "handed_ms",
            "when the house went to whom it told you of",
            Behavior,
        ),
    ],
};

pub(super) const TERMS_NOTICE: Table = Table {
    name: "terms_notice",
    row: "Each time that you were told of a change of the terms",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Mail],
    kept: Kept::Account,
    erased: Erased::Deleted,
    columns: &[
        used("terms", "of which version", Behavior),
        inner("person_id"),
        used("created_ms", "when you were told", Behavior),
    ],
};

pub(super) const TERMS_ACCEPTANCE: Table = Table {
    name: "terms_acceptance",
    row: "Each version of the terms that you accepted",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Account],
    kept: Kept::Account,
    erased: Erased::Deleted,
    columns: &[
        inner("person_id"),
        used("terms", "which version", Behavior),
        made("text_sha256", "a checksum of its text", Behavior),
        used("means", "where you accepted it", Behavior),
        used("created_ms", "when you accepted it", Behavior),
        inner("log_id"),
    ],
};

pub(super) const PROOF: Table = Table {
    name: "proof",
    row: "Each link that was sent to you, and each code that is awaited",
    of: Of::Person("person_id"),
    purposes: &[
        Purpose::Account,
        Purpose::Security,
        Purpose::AgeGate,
        Purpose::Rights,
        Purpose::Consents,
        Purpose::Support,
    ],
    kept: Kept::Until(&[Limit {
        column: "ends_ms",
        ms: 0,
        after: "the link or the code has ended, which it does within a day",
    }]),
    erased: Erased::Deleted,
    columns: &[
        made("token_hash", "a hash of the link", Credentials).serving(&[Purpose::Account]),
        inner("kind"),
        inner("person_id"),
        given("address", "the address that it was sent to", Email)
            .sealed()
            .serving(&[Purpose::Account, Purpose::Rights, Purpose::Support]),
        made(
            "password_hash",
            "a hash of the password that you chose",
            Password,
        )
        .serving(&[Purpose::Account]),
        given("of_age", "whether you are old enough", AgeRange).serving(&[Purpose::AgeGate]),
        made("age_threshold", "the age that was asked for", AgeRange).serving(&[Purpose::AgeGate]),
        made("detail", "what else the link needs", Account)
            .sealed()
            .serving(&[
                Purpose::Account,
                Purpose::Rights,
                Purpose::Consents,
                Purpose::Support,
            ]),
        used("tries", "how often it was tried", Behavior).serving(&[Purpose::Security]),
        used("created_ms", "when you asked for it", Behavior).serving(&[Purpose::Account]),
        inner("ends_ms"),
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
