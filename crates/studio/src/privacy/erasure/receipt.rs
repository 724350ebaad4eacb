//! The receipt of an erasure: what went, what stayed and why, and what the search found. The house
//! signs it, so that whoever holds it can prove it without asking anybody.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::plan::{Fate, Part};
use super::scan::forms;
use super::steps::{self, Halt, Work};
use super::{Told, plan};
use crate::Studio;
use crate::privacy::notice::{erased_in_words, kept_in_words};
use crate::privacy::{canonical, log};

/// Says what a document is, and which edition of its fields it has.
pub const KIND: &str = "pinhole/erasure-receipt/1";

/// Why something in a receipt can't be believed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadReceipt {
    #[error("This is no receipt: it is not JSON with a receipt and its signature.")]
    Unreadable,
    #[error("This is not a receipt of an erasure as this program writes them.")]
    OtherKind,
    #[error("The receipt was signed by another house than the one whose key was named.")]
    OtherKey,
    #[error("The signature does not fit: the receipt was changed after it was signed.")]
    Forged,
}

/// A receipt whose signature fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Genuine {
    pub receipt: Value,
    /// Of the house that signed it: compare it with the one that the house shows.
    pub public_key: [u8; 32],
}

/// Writes and signs the receipt, and ends the erasure.
pub(super) async fn write(studio: &Studio, work: &mut Work) -> Result<(), Halt> {
    if let Some(found) = &work.done.scan
        && !found.residue.is_empty()
    {
        let mut places: Vec<&str> = found.residue.iter().map(|r| r.place.as_str()).collect();
        places.dedup();
        let error = format!("found in {}", places.join(", "));
        tracing::error!(
            error,
            "an erasure left something behind; its receipt says so"
        );
    }
    // Whoever rewrites the log from now on contradicts this receipt.
    let checkpoint = log::settle(studio).await?;
    let signed = canonical::signed(
        &studio.keys,
        "receipt",
        &compose(work, checkpoint.as_deref()),
    );
    steps::end(studio, work, &signed).await
}

/// Checks a receipt, by the key of the house where that is known.
pub fn verify(document: &str, public_key: Option<&[u8; 32]>) -> Result<Genuine, BadReceipt> {
    let document: Value = serde_json::from_str(document).map_err(|_| BadReceipt::Unreadable)?;
    let receipt = document.get("receipt").ok_or(BadReceipt::Unreadable)?;
    let bytes = |name: &str| {
        let text = document.get("signature")?.get(name)?.as_str()?;
        BASE64.decode(text).ok()
    };
    let signed_by: [u8; 32] = bytes("public_key")
        .and_then(|key| key.try_into().ok())
        .ok_or(BadReceipt::Unreadable)?;
    let signature = bytes("value").ok_or(BadReceipt::Unreadable)?;
    if receipt.get("kind").and_then(Value::as_str) != Some(KIND) {
        return Err(BadReceipt::OtherKind);
    }
    if public_key.is_some_and(|known| *known != signed_by) {
        return Err(BadReceipt::OtherKey);
    }
    let text = canonical::text(receipt);
    if !crate::privacy::keys::verify(&signed_by, text.as_bytes(), &signature) {
        return Err(BadReceipt::Forged);
    }
    Ok(Genuine {
        receipt: receipt.clone(),
        public_key: signed_by,
    })
}

/// Everything that the receipt says. It holds no value that was ever somebody's.
fn compose(work: &Work, checkpoint: Option<&str>) -> Value {
    let done = &work.done;
    let times: serde_json::Map<String, Value> = done
        .reached
        .iter()
        .map(|(state, ms)| (state.name().to_owned(), json!(ms.div_euclid(1000))))
        .collect();
    let deleted: Vec<Value> = work
        .plan
        .that(Fate::Deleted)
        .map(|part| {
            let rows = done.rows.get(&part.table).copied().unwrap_or(0);
            json!({ "table": part.table, "what": part.heading(), "rows": rows })
        })
        .collect();
    let kept = work
        .plan
        .parts
        .iter()
        .filter(|part| part.fate != Fate::Deleted && part.rows > 0);
    let kept: Vec<Value> = kept.map(|part| stays(work, part)).collect();
    let told = match done.letter {
        None => json!([]),
        Some(told) => json!([{
            "who": "the person, by a letter to the address that is gone since",
            "outcome": match told {
                Told::Sent => "sent",
                Told::NotSent => "not sent in time; nothing of it is kept",
            },
        }]),
    };
    json!({
        "kind": KIND,
        "id": work.id,
        "scope": work.plan.scope.name(),
        "asked_by": work.asked_by,
        "times": times,
        "deleted": {
            "rows": deleted,
            "files": done.files,
            "file_bytes": work.plan.file_bytes,
            "keys": done.keys,
        },
        "orders_cancelled": done.jobs_cancelled,
        "credits_ended": done.credits_ended,
        "kept": kept,
        "told": told,
        "recipients": "Nothing of it was ever given to anybody else.",
        "search": done.scan.as_ref().map(search),
        "log_checkpoint": checkpoint,
        "backups": "The program makes no backups by itself. A copy of the database or of the files \
                    that was made before holds what the shredded keys would have opened.",
    })
}

fn stays(work: &Work, part: &Part) -> Value {
    let rows = work
        .done
        .kept
        .get(&part.table)
        .copied()
        .unwrap_or(part.rows);
    let table = plan::table(&part.table);
    json!({
        "table": part.table,
        "what": part.heading(),
        "rows": rows,
        "reason": match part.fate {
            Fate::Stays => Some("it belongs to the account, which stays"),
            _ => table.map(|table| erased_in_words(table.erased)),
        },
        "until": table.map(|table| kept_in_words(table.kept)),
    })
}

fn search(found: &super::scan::Found) -> Value {
    let files = found.files.iter();
    let files = files
        .map(|(name, files)| json!({ "what": name, "files": files.files, "bytes": files.bytes }));
    json!({
        "looked_for": found.marks,
        "looked_for_outside_the_books_alone": found.marks_in_books,
        "had_by_others_as_well": found.marks_of_others,
        "forms": forms::NAMES,
        "columns": found.columns,
        "rows": found.rows,
        "files": files.collect::<Vec<_>>(),
        "bytes": found.bytes,
        "files_that_could_not_be_read": found.files_closed,
        "milliseconds": found.ms,
        "found": found.residue,
    })
}
