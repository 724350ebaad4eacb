//! Putting a version of the terms up, and looking whether any was changed since.

use db::{Tx, on};
use domain::clock::Moment;
use domain::role::Role;
use serde_json::{Value, json};

use super::{Head, Row, heads_in, rows_in};
use crate::privacy::backup::in_words;
use crate::privacy::log::{self, Event, Kind};
use crate::privacy::policies::{NOTICE_MS, sha256, waiting};
use crate::{Failure, Studio, failpoint};

/// Of a text.
pub const MAX_BYTES: usize = 200 * 1_024;
/// Characters in which a version says what is other.
pub const MAX_SUMMARY: usize = 1_000;
/// Two shells that publish at once write one after the other.
const LOCK: i64 = 0x0074_6572_6d73;

/// What is to be published.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    pub text: &'a str,
    /// What is other than before; may be empty.
    pub summary: &'a str,
    /// Not where only the wording differs.
    pub needs_acceptance: bool,
    /// From when on it holds; by default as early as it may.
    pub effective: Option<Moment>,
}

#[derive(Debug, thiserror::Error)]
pub enum TermsError {
    #[error("The text is empty.")]
    Empty,
    #[error("The text has more than {MAX_BYTES} bytes.")]
    TooLong,
    #[error("The text has a character in it that can't be shown, on line {0}.")]
    Unprintable(usize),
    #[error("What is other is said in {MAX_SUMMARY} characters at most, on one line.")]
    Summary,
    #[error("Version {0} says just this already, so there is nothing to publish.")]
    Same(i64),
    #[error("There are no terms yet, so this can't be a change of their wording alone.")]
    NothingToEdit,
    #[error(
        "Version {0}, which people are asked to accept, waits for its day, and this one would hold before it. \
         Let it hold later, or publish it as one that needs acceptance."
    )]
    Overtakes(i64),
    #[error(
        "The day is too early: {reason}, so the version can be in force from {} at the earliest.",
        in_words(*.earliest)
    )]
    TooEarly {
        earliest: Moment,
        reason: &'static str,
    },
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(TermsError);

/// One form of a text, wherever it was written: lines end in one way, and nothing stands behind the last.
fn tidy(draft: Draft<'_>) -> Result<String, TermsError> {
    if draft.text.len() > MAX_BYTES {
        return Err(TermsError::TooLong);
    }
    let text = draft.text.trim_start_matches('\u{feff}');
    let lines = text.lines().map(str::trim_end);
    let text = lines.collect::<Vec<_>>().join("\n");
    let text = text.trim_matches('\n');
    if text.trim().is_empty() {
        return Err(TermsError::Empty);
    }
    let is_bad = |c: char| c.is_control() && c != '\t';
    if let Some(line) = text.lines().position(|line| line.contains(is_bad)) {
        return Err(TermsError::Unprintable(line + 1));
    }
    if draft.summary.chars().count() > MAX_SUMMARY || draft.summary.contains(char::is_control) {
        return Err(TermsError::Summary);
    }
    Ok(format!("{text}\n"))
}

/// Whether anybody but who runs the house has an account.
async fn has_people(tx: &mut Tx) -> Result<bool, Failure> {
    let many: i64 = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM account JOIN person ON person.id = account.person_id \
             WHERE person.role <> $1",
        )
        .bind(Role::Operator.name())
        .fetch_one(conn)
        .await
    })?;
    Ok(many > 0)
}

/// Writes a version, with its entry in the log.
pub async fn publish(studio: &Studio, draft: Draft<'_>) -> Result<Head, TermsError> {
    let body = tidy(draft)?;
    let mut tx = studio.db.write().await?;
    tx.seclude(LOCK).await?;
    let now = studio.clock.now();
    let heads = heads_in(&mut tx).await?;
    let last = heads.last();
    let body_sha256 = sha256(&body);
    match last {
        Some(last) if last.body_sha256 == body_sha256 => {
            return Err(TermsError::Same(last.number));
        }
        None if !draft.needs_acceptance => return Err(TermsError::NothingToEdit),
        _ => {}
    }
    let is_told = draft.needs_acceptance && has_people(&mut tx).await?;
    let (earliest, reason) = match is_told {
        true => (
            now.plus_millis(NOTICE_MS),
            "people are told 30 days before of what they are asked to accept",
        ),
        false => (now, "it can't hold before it is published"),
    };
    let effective = draft.effective.unwrap_or(earliest);
    if effective < earliest {
        return Err(TermsError::TooEarly { earliest, reason });
    }
    // What people have to accept never comes into force under the name of another wording.
    let overtaken = waiting(&heads, now).into_iter();
    let mut overtaken = overtaken.filter(|head| head.effective >= effective);
    if !draft.needs_acceptance
        && let Some(head) = overtaken.find(|head| head.needs_acceptance)
    {
        return Err(TermsError::Overtakes(head.number));
    }
    let mut row = Row {
        number: last.map_or(1, |last| last.number + 1),
        published_ms: now.as_millis(),
        effective_ms: effective.as_millis(),
        needs_acceptance: i64::from(draft.needs_acceptance),
        summary: draft.summary.trim().to_owned(),
        body_sha256,
        before_sha256: last.map(|last| last.sha256.clone()).unwrap_or_default(),
        sha256: String::new(),
        log_id: String::new(),
    };
    row.sha256 = row.hash();
    let event = Event {
        kind: Kind::TermsPublished,
        person: None,
        what: logged(&row),
    };
    row.log_id = log::note(studio, &mut tx, &event).await?.to_string();
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO terms (number, published_ms, effective_ms, needs_acceptance, summary, body, \
             body_sha256, before_sha256, sha256, log_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(row.number)
        .bind(row.published_ms)
        .bind(row.effective_ms)
        .bind(row.needs_acceptance)
        .bind(&row.summary)
        .bind(&body)
        .bind(&row.body_sha256)
        .bind(&row.before_sha256)
        .bind(&row.sha256)
        .bind(&row.log_id)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    failpoint::here("terms-published-uncommitted");
    tx.commit().await?;
    Ok(row.read()?)
}

/// What the log says of a version.
fn logged(row: &Row) -> Value {
    json!({
        "number": row.number,
        "published_ms": row.published_ms,
        "effective_ms": row.effective_ms,
        "needs_acceptance": row.needs_acceptance != 0,
        "body_sha256": row.body_sha256,
        "before_sha256": row.before_sha256,
        "sha256": row.sha256,
    })
}

/// Whatever is not as it was published.
pub async fn complaints(studio: &Studio) -> Result<Vec<String>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows = rows_in(&mut tx).await?;
    let bodies: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT body FROM terms ORDER BY number")
            .fetch_all(conn)
            .await
    })?;
    drop(tx);
    let known = log::all_of_house(studio, Kind::TermsPublished).await?;
    let mut wrong = Vec::new();
    let mut before = String::new();
    for (place, (row, body)) in rows.iter().zip(&bodies).enumerate() {
        let number = row.number;
        if sha256(body) != row.body_sha256 || row.hash() != row.sha256 {
            wrong.push(format!(
                "version {number} of the terms was changed after it was published"
            ));
        }
        if row.before_sha256 != before || number != i64::try_from(place).unwrap_or(-1) + 1 {
            wrong.push(format!(
                "version {number} of the terms does not follow the one before"
            ));
        }
        if !known.contains(&logged(row)) {
            wrong.push(format!(
                "the log does not know version {number} of the terms as it is"
            ));
        }
        before.clone_from(&row.sha256);
    }
    for entry in &known {
        let number = entry["number"].as_i64().unwrap_or(0);
        if !rows.iter().any(|row| row.number == number) {
            wrong.push(format!(
                "version {number} of the terms is in the log and not here any more"
            ));
        }
    }
    Ok(wrong)
}
