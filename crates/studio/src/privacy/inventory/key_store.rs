//! The key store, table by table.

use super::Category::{Behavior, Credentials};
use super::{Erased, Kept, Of, Purpose, Table, inner, made, used};
use crate::privacy::keys as copies;

/// Every table. None stands before one that its rows name: a backup is put back from the first to the last.
pub const KEY_TABLES: &[Table] = &[
    Table {
        name: "epoch",
        row: "Key-encryption keys, by name",
        of: Of::Nobody,
        purposes: &[],
        kept: Kept::Run,
        erased: Erased::Untouched,
        columns: &[inner("id"), inner("ordinal"), inner("created_ms")],
    },
    Table {
        name: "person_key",
        row: "The key by which what is yours is sealed",
        of: Of::Person("person_id"),
        purposes: &[Purpose::Security],
        kept: Kept::Account,
        erased: Erased::Deleted,
        columns: &[
            inner("person_id"),
            inner("epoch"),
            made("wrapped", "the key, itself encrypted", Credentials),
            used("created_ms", "when it was made", Behavior),
        ],
    },
    Table {
        name: "object_key",
        row: "The keys of each order, and of your portrait",
        of: Of::Person("person_id"),
        purposes: &[Purpose::Security],
        kept: Kept::With("what they open"),
        erased: Erased::Deleted,
        columns: &[
            inner("id"),
            inner("person_id"),
            made("wrapped", "the keys, encrypted by yours", Credentials),
        ],
    },
    Table {
        name: "house_key",
        row: "Keys of the house",
        of: Of::Nobody,
        purposes: &[],
        kept: Kept::Run,
        erased: Erased::Untouched,
        columns: &[
            inner("purpose"),
            inner("epoch"),
            inner("wrapped"),
            inner("created_ms"),
        ],
    },
    Table {
        name: "anchor",
        row: "How far the log has come",
        of: Of::Nobody,
        purposes: &[],
        kept: Kept::Run,
        erased: Erased::Untouched,
        columns: &[inner("id"), inner("size"), inner("root")],
    },
    Table {
        name: "tombstone",
        row: "What was deleted lately, by hashes that tell nobody what it was",
        of: Of::Nobody,
        purposes: &[],
        kept: Kept::For {
            ms: copies::TOMBSTONES_KEPT_MS,
            after: "it was deleted",
        },
        erased: Erased::Untouched,
        columns: &[inner("name"), inner("created_ms")],
    },
    Table {
        name: "key_backup",
        row: "Backups of the keys that were made",
        of: Of::Nobody,
        purposes: &[],
        kept: Kept::For {
            ms: copies::KEYS_KEPT_MS,
            after: "they ended",
        },
        erased: Erased::Untouched,
        columns: &[inner("id"), inner("made_ms"), inner("ends_ms")],
    },
    Table {
        name: "restoration",
        row: "Each time that the house was put back from a backup",
        of: Of::Nobody,
        purposes: &[],
        kept: Kept::Books,
        erased: Erased::Untouched,
        columns: &[
            inner("id"),
            inner("state"),
            inner("note"),
            inner("begun_ms"),
        ],
    },
    Table {
        name: "store",
        row: "The key store itself",
        of: Of::Nobody,
        purposes: &[],
        kept: Kept::Run,
        erased: Erased::Untouched,
        columns: &[inner("id"), inner("name"), inner("shreds")],
    },
];
