//! What is nobody's: the program's own affairs.

use super::{Erased, Kept, Limit, Of, Table, inner};
use crate::visits;

pub(super) const LOG_NODE: Table = Table {
    name: "log_node",
    row: "Hashes by which nobody can rewrite the log unseen",
    of: Of::Nobody,
    purposes: &[],
    kept: Kept::Books,
    erased: Erased::Untouched,
    columns: &[inner("level"), inner("number"), inner("hash")],
};

pub(super) const LOG_HEAD: Table = Table {
    name: "log_head",
    row: "How long the log is",
    of: Of::Nobody,
    purposes: &[],
    kept: Kept::Books,
    erased: Erased::Untouched,
    columns: &[inner("id"), inner("size")],
};

pub(super) const LOG_CHECKPOINT: Table = Table {
    name: "log_checkpoint",
    row: "What the house has signed of its log",
    of: Of::Nobody,
    purposes: &[],
    kept: Kept::Books,
    erased: Erased::Untouched,
    columns: &[
        inner("size"),
        inner("root"),
        inner("note"),
        inner("created_ms"),
    ],
};

pub(super) const LOG_WITNESS: Table = Table {
    name: "log_witness",
    row: "What others have signed who watch the log",
    of: Of::Nobody,
    purposes: &[],
    kept: Kept::Books,
    erased: Erased::Untouched,
    columns: &[
        inner("name"),
        inner("size"),
        inner("note"),
        inner("signed_ms"),
        inner("trouble"),
        inner("knows"),
        inner("since_ms"),
    ],
};

pub(super) const LOG_WATCHED: Table = Table {
    name: "log_watched",
    row: "The logs of other houses that this one watches",
    of: Of::Nobody,
    purposes: &[],
    kept: Kept::Books,
    erased: Erased::Untouched,
    columns: &[
        inner("origin"),
        inner("size"),
        inner("root"),
        inner("seen_ms"),
    ],
};

pub(super) const AUDIT: Table = Table {
    name: "audit",
    row: "What audits of the house found",
    of: Of::Nobody,
    purposes: &[],
    kept: Kept::Books,
    erased: Erased::Untouched,
    columns: &[inner("id"), inner("created_ms"), inner("report")],
};

pub(super) const POLICY: Table = Table {
    name: "policy",
    row: "Versions of this notice",
    of: Of::Nobody,
    purposes: &[],
    kept: Kept::Books,
    erased: Erased::Untouched,
    columns: &[
        inner("number"),
        inner("published_ms"),
        inner("effective_ms"),
        inner("is_material"),
        inner("changes"),
        inner("declaration"),
        inner("body"),
        inner("page"),
        inner("translations"),
        inner("declaration_sha256"),
        inner("body_sha256"),
        inner("page_sha256"),
        inner("translations_sha256"),
        inner("before_sha256"),
        inner("sha256"),
        inner("log_id"),
    ],
};

pub(super) const TERMS: Table = Table {
    name: "terms",
    row: "Versions of the terms of who runs this house",
    of: Of::Nobody,
    purposes: &[],
    kept: Kept::Books,
    erased: Erased::Untouched,
    columns: &[
        inner("number"),
        inner("published_ms"),
        inner("effective_ms"),
        inner("needs_acceptance"),
        inner("summary"),
        inner("body"),
        inner("body_sha256"),
        inner("before_sha256"),
        inner("sha256"),
        inner("log_id"),
    ],
};

pub(super) const QUEUE: Table = Table {
    name: "queue",
    row: "The turn that is being served",
    of: Of::Nobody,
    purposes: &[],
    kept: Kept::Run,
    erased: Erased::Untouched,
    columns: &[inner("id"), inner("turn")],
};

pub(super) const KEY_STORE: Table = Table {
    name: "key_store",
    row: "The key store that belongs to this database",
    of: Of::Nobody,
    purposes: &[],
    kept: Kept::Run,
    erased: Erased::Untouched,
    columns: &[inner("id"), inner("name")],
};

pub(super) const SEALING: Table = Table {
    name: "sealing",
    row: "How far what earlier builds wrote is sealed",
    of: Of::Nobody,
    purposes: &[],
    kept: Kept::Run,
    erased: Erased::Untouched,
    columns: &[inner("place"), inner("after"), inner("is_done")],
};

pub(super) const SHREDDING: Table = Table {
    name: "shredding",
    row: "Keys that go because what they open was deleted",
    of: Of::Nobody,
    purposes: &[],
    kept: Kept::Run,
    erased: Erased::Untouched,
    columns: &[inner("object_id"), inner("slot")],
};

pub(super) const VISIT_COUNT: Table = Table {
    name: "visit_count",
    row: "How much the house is used, in sums of ten people at least",
    of: Of::Nobody,
    purposes: &[],
    kept: Kept::Until(&[Limit {
        column: "day_ms",
        ms: visits::KEPT_MS,
        after: "the day that was counted began",
    }]),
    erased: Erased::Untouched,
    columns: &[
        inner("day_ms"),
        inner("kind"),
        inner("name"),
        inner("times"),
        inner("people"),
    ],
};
