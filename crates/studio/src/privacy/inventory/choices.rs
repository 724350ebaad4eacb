//! What people chose, and agreed to.

use super::Category::{AccountSettings, Behavior};
use super::{Erased, Kept, Limit, Of, Purpose, Table, given, inner, made, used};
use crate::letters;

pub(super) const CONSENT: Table = Table {
    name: "consent",
    row: "Each time that you agreed to something, or took that back",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Consents],
    kept: Kept::Account,
    erased: Erased::Deleted,
    columns: &[
        inner("id"),
        inner("person_id"),
        given("purpose", "what it is about", AccountSettings),
        inner("number"),
        given("decision", "what you said", AccountSettings),
        made("version", "the edition of the text that you read", Behavior),
        made("text_sha256", "a checksum of it", Behavior),
        used("means", "how it came", Behavior),
        used(
            "signal",
            "whether your browser objected to such things in general",
            Behavior,
        ),
        inner("log_id"),
        used("created_ms", "when it was", Behavior),
        inner("picture_id"),
    ],
};

pub(super) const PREFERENCE: Table = Table {
    name: "preference",
    row: "The settings with which the studio begins, if you chose some",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Preferences],
    kept: Kept::UntilDeleted,
    erased: Erased::Deleted,
    columns: &[
        inner("person_id"),
        given("model", "the model", AccountSettings),
        given("width", "the width", AccountSettings),
        given("height", "the height", AccountSettings),
        given("count", "how many pictures", AccountSettings),
        given("quality", "the quality", AccountSettings),
    ],
};

pub(super) const NEWS: Table = Table {
    name: "news",
    row: "News that went out, by a checksum of their words",
    of: Of::Nobody,
    purposes: &[],
    kept: Kept::Books,
    erased: Erased::Untouched,
    columns: &[
        inner("id"),
        inner("digest"),
        inner("created_ms"),
        inner("ended_ms"),
    ],
};

pub(super) const NEWS_LETTER: Table = Table {
    name: "news_letter",
    row: "Each time that news went to you",
    of: Of::Person("person_id"),
    purposes: &[Purpose::News],
    kept: Kept::Until(&[Limit {
        column: "created_ms",
        ms: letters::SENT_KEPT_MS,
        after: "the letter was written",
    }]),
    erased: Erased::Deleted,
    columns: &[
        inner("news_id"),
        inner("person_id"),
        used("created_ms", "when it was written", Behavior),
    ],
};
