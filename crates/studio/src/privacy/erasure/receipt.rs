//! The receipt of an erasure: what went, what stayed and why, and what the search found. The house
//! signs it, so that whoever holds it can prove it without asking anybody.

use domain::clock::Moment;
use domain::language::Language;
use serde_json::{Value, json};

use super::plan::{Fate, Part};
use super::scan::forms;
use super::steps::{self, Halt, Work};
use super::{State, Told, plan};
use crate::privacy::inventory::{Basis, Erased, Kept, Table};
use crate::privacy::notice::{erased_in_words, kept_in_words};
use crate::privacy::{backup, canonical, log, recipients};
use crate::{Failure, Studio};

/// Says what a document is, and which edition of its fields it has.
pub const KIND: &str = "pinhole/erasure-receipt/1";

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
    let shredded = work.done.at(State::KeysShredded);
    let shredded = shredded.unwrap_or_else(|| studio.clock.now());
    let copied = studio.keys.copied_until(shredded).await;
    let readable_until = copied.map_err(Failure::from)?;
    let signed = canonical::signed(
        &studio.keys,
        "receipt",
        &compose(
            studio,
            work,
            checkpoint.as_deref(),
            readable_until,
            studio.clock.now(),
        ),
    );
    steps::end(studio, work, &signed).await
}

/// Everything that the receipt says. It holds no value that was ever somebody's.
fn compose(
    studio: &Studio,
    work: &Work,
    checkpoint: Option<&str>,
    readable_until: Option<Moment>,
    now: Moment,
) -> Value {
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
        "supplement": done.is_supplement,
        "held": held(work, now),
        "not_listed": "A law can forbid to tell of something that it wants kept. That is not listed here; when \
                       it goes, there is a receipt of its own at the same address.",
        "recipients": others(studio, work),
        "search": done.scan.as_ref().map(search),
        "log_checkpoint": checkpoint,
        "backups": backups(readable_until),
        "backups_readable_until": readable_until.map(Moment::as_seconds),
    })
}

/// Who else got something of it: they keep it by their own rules.
fn others(studio: &Studio, work: &Work) -> Vec<Value> {
    // The letter about this very erasure is one of them.
    let last = u64::from(work.done.letter == Some(Told::Sent));
    let used = recipients::used(
        Language::English,
        &studio.recipients,
        work.done.letters + last,
    );
    used.iter().map(recipients::Used::json).collect()
}

/// Until when a copy may still be readable: as long as a backup of the keys is taken.
fn backups(readable_until: Option<Moment>) -> String {
    match readable_until {
        None => "There is no backup of the keys any more that this program takes, so what the shredded keys \
                 opened can be read in no backup. What is put back from an older backup of the database is \
                 erased again before anybody is let in."
            .to_owned(),
        Some(until) => format!(
            "A backup of the keys that was made before is taken until {}, seven days after it was made at \
             most. Until then, who has it, the key-encryption key and an older backup of the database could \
             read what the shredded keys opened; after that nobody can. What is put back from a backup is \
             erased again before anybody is let in.",
            backup::in_words(until)
        ),
    }
}

/// What is kept for now, as far as it may be told.
fn held(work: &Work, now: Moment) -> Vec<Value> {
    let told = work.done.held.iter();
    let told = told.filter(|held| held.told_from_ms <= now.as_millis());
    told.map(|held| {
        json!({
            "class": held.class.name(),
            "what": held.class.words(),
            "tables": held.class.tables(),
            "until": held.until_ms.div_euclid(1_000),
            "reason": "a law or a court wants it kept; it goes by itself when that ends",
        })
    })
    .collect()
}

fn stays(work: &Work, part: &Part) -> Value {
    let rows = work
        .done
        .kept
        .get(&part.table)
        .copied()
        .unwrap_or(part.rows);
    let table = plan::table(&part.table);
    let owed = table.filter(|_| part.fate == Fate::Severed).and_then(owed);
    json!({
        "table": part.table,
        "columns": owed.as_ref().map(|(columns, _)| columns),
        "basis": owed.as_ref().map(|(_, law)| law),
        "what": part.heading(),
        "rows": rows,
        "reason": match part.fate {
            Fate::Stays => Some("it belongs to the account, which stays"),
            _ => table.map(|table| erased_in_words(table.erased)),
        },
        "until": table.map(|table| match (part.fate, table.kept) {
            // The account is gone, and what is left of such a row names nobody.
            (Fate::Severed, Kept::Account) => "as long as the house; it says nothing of anybody".to_owned(),
            (_, kept) => kept_in_words(Language::English, kept),
        }),
    })
}

/// The columns that a law wants kept of a table, and that law.
fn owed(table: &'static Table) -> Option<(Vec<&'static str>, Value)> {
    let Erased::Owed(blanks) = table.erased else {
        return None;
    };
    let is_blank = |name: &str| blanks.iter().any(|(column, _)| *column == name);
    let columns = table.columns.iter().map(|column| column.name);
    let law = match table.purposes.first()?.basis() {
        Basis::LegalObligation(cited) => {
            json!({ "law": cited.law, "article": cited.article, "asks": cited.asks })
        }
        _ => Value::Null,
    };
    Some((columns.filter(|name| !is_blank(name)).collect(), law))
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
