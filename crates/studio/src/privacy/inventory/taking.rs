//! What is kept while somebody takes everything along.

use super::Category::{Behavior, Credentials};
use super::{Erased, Kept, Limit, Of, Purpose, Table, inner, made, used};

pub(super) const EXPORT: Table = Table {
    name: "export",
    row: "Each time that you took everything along",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Access],
    kept: Kept::Until(&[Limit {
        column: "ends_ms",
        ms: 0,
        after: "it can't be fetched any more, which is a day after you asked for it",
    }]),
    erased: Erased::Deleted,
    columns: &[
        inner("id"),
        inner("person_id"),
        inner("state"),
        made("size_bytes", "how large it is", Behavior),
        made("files", "how many files it has", Behavior),
        made("manifest_sha256", "a checksum of its manifest", Behavior),
        used("created_ms", "when you asked for it", Behavior),
        inner("ends_ms"),
    ],
};

pub(super) const PART: Table = Table {
    name: "export_part",
    row: "What an archive of yours says, until it is fetched",
    of: Of::Row {
        column: "export_id",
        table: "export",
        key: "id",
    },
    purposes: &[Purpose::Access],
    kept: Kept::With("the archive can be fetched, or until you delete something that is in it"),
    erased: Erased::Deleted,
    columns: &[
        inner("export_id"),
        inner("entry"),
        inner("starts"),
        made(
            "sealed",
            "everything of yours but the files, sealed",
            Credentials,
        ),
    ],
};
