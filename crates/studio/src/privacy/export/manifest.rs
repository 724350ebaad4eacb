//! What an archive holds, file by file, signed by the house: whoever has it can tell whether anything
//! is missing or was changed, without asking anybody.

use std::fmt::Write;

use domain::ids::{ExportId, PersonId};
use serde_json::{Value, json};

use super::plan::Item;
use crate::Studio;
use crate::privacy::canonical;

/// Says what a document is, and which edition of its fields it has.
pub const KIND: &str = "pinhole/export/1";
/// The name of the manifest in the archive, where it is the first file.
pub(super) const NAME: &str = "manifest.json";

/// `entries` are all files but the manifest itself, each with its SHA-256.
pub(super) fn signed(
    studio: &Studio,
    (export, person): (ExportId, PersonId),
    entries: &[(Item, String)],
    about: &Value,
) -> String {
    // Written by hand: of a hundred thousand files, a tree of values would fill the memory.
    let mut list = String::from("\"entries\":[");
    for (number, (item, sha256)) in entries.iter().enumerate() {
        let comma = if number > 0 { "," } else { "" };
        let name = Value::from(item.name());
        let size = item.size;
        let _ = write!(
            list,
            "{comma}{{\"name\":{name},\"sha256\":\"{sha256}\",\"size\":{size}}}"
        );
    }
    list.push(']');
    let mut manifest = json!({
        "kind": KIND,
        "export": export,
        "person": person,
        "made_ms": studio.clock.now().as_millis(),
        "program": concat!("pinhole ", env!("CARGO_PKG_VERSION")),
        "verify": "pinhole verify export FILE. The house shows its key at /.well-known/pinhole-house.json.",
        "entries": [],
    });
    if let (Some(all), Some(more)) = (manifest.as_object_mut(), about.as_object()) {
        all.extend(more.clone());
    }
    // No string has it: there, quotes are escaped.
    let text = canonical::text(&manifest).replacen("\"entries\":[]", &list, 1);
    canonical::signed_text(&studio.keys, "manifest", &text)
}
