//! People who draw together. What is an organisation's own stands where a person's own stands, under its number.

use super::Category::{AccountSettings, Behavior, Credentials, Name, UniqueId};
use super::{Column, Erased, Kept, Limit, Of, Purpose, Table, given, inner, made, used};

pub(super) const ORGANISATION: Table = Table {
    name: "organisation",
    row: "The organisation, where you are one",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Account],
    kept: Kept::Account,
    erased: Erased::Deleted,
    columns: &[
        inner("person_id"),
        given("name", "what it is called", Name).sealed(),
        used("created_ms", "when it was founded", Behavior),
    ],
};

pub(super) const MEMBER: Table = Table {
    name: "organisation_member",
    row: "Each organisation that you are in; its members see what you are called",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Account],
    kept: Kept::Account,
    erased: Erased::Deleted,
    columns: &[
        made("organisation_id", "which organisation", UniqueId),
        inner("person_id"),
        given("role", "whether you own it", AccountSettings),
        used("created_ms", "since when you are in it", Behavior),
    ],
};

pub(super) const INVITATION: Table = Table {
    name: "organisation_invitation",
    row: "Each link that lets somebody into the organisation",
    of: Of::Person("organisation_id"),
    purposes: &[Purpose::Account],
    kept: Kept::Until(&[Limit {
        column: "ends_ms",
        ms: 0,
        after: "the link is over",
    }]),
    erased: Erased::Deleted,
    columns: &[
        inner("id"),
        inner("organisation_id"),
        made("token_hash", "a hash of the link", Credentials),
        used("created_ms", "when it was made", Behavior),
        inner("ends_ms"),
    ],
};

/// Of a session.
pub(super) const ACTS_FOR: Column = used(
    "acts_for",
    "for which organisation you draw in it",
    Behavior,
)
.serving(&[Purpose::Account]);
