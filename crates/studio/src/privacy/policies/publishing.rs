//! Putting a version up, and looking whether any was changed since.

use db::{Tx, on};
use domain::clock::Moment;
use domain::controller::Controller;
use domain::language::Language;
use serde_json::{Value, json};

use super::declaration::{Declaration, sha256};
use super::difference::{Change, between};
use super::ruling::{self, RulingError};
use super::{Head, HeadRow, declaration_in, heads_in, in_force, rows_in, waiting};
use crate::privacy::backup::in_words;
use crate::privacy::canonical;
use crate::privacy::log::{self, Event, Kind};
use crate::privacy::wording::{fill, say};
use crate::{Failure, Studio};

/// How long before its day a material change is told.
pub const NOTICE_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// Two processes that start at once must not both write the first version.
const LOCK: i64 = 0x706f_6c69_6379;

/// What is to be published.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    pub declaration: &'a Declaration,
    /// The notice as text, without what a version adds at its top.
    pub text: &'a str,
    /// The notice as a part of a page.
    pub page: &'a str,
    /// The same in other languages than English.
    pub translations: &'a [Translation],
}

/// What a version says in another language.
#[derive(Clone, Debug)]
pub struct Translation {
    pub language: Language,
    /// As [`Draft::text`].
    pub text: String,
    pub page: String,
}

/// By which an operator can be stricter than the program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    pub is_material: bool,
    /// From when on it holds; not before the program says.
    pub effective: Option<Moment>,
}

/// What publishing does, or would do.
#[derive(Clone, Debug)]
pub struct Plan {
    pub number: i64,
    /// The one in force; `None` before the first.
    pub in_force: Option<i64>,
    /// What is other than in the version in force.
    pub changes: Vec<Change>,
    pub is_material: bool,
    /// Now.
    pub published: Moment,
    pub effective: Moment,
    /// Versions that wait for their day, and never come into force if this one is published.
    pub overtakes: Vec<i64>,
}

impl Plan {
    /// The text as it is served.
    #[must_use]
    pub fn body(&self, draft: Draft<'_>) -> String {
        head_of(Language::English, self, draft.declaration.controller()) + draft.text
    }

    /// What is served in other languages, as canonical JSON; empty where there is nothing.
    fn translations(&self, draft: Draft<'_>) -> String {
        let mut all = serde_json::Map::new();
        for one in draft.translations {
            let head = head_of(one.language, self, draft.declaration.controller());
            let told = json!({ "body": head + &one.text, "page": one.page });
            all.insert(one.language.code().to_owned(), told);
        }
        match all.is_empty() {
            true => String::new(),
            false => canonical::text(&Value::Object(all)),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("Version {0} says just this already, so there is nothing to publish.")]
    Same(i64),
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

failures!(PolicyError);

/// Whether nothing was ever published here.
pub async fn is_first(studio: &Studio) -> Result<bool, Failure> {
    let mut tx = studio.db.read().await?;
    Ok(rows_in(&mut tx).await?.is_empty())
}

/// What [`publish`] would do now.
pub async fn plan(studio: &Studio, draft: Draft<'_>, wishes: Wishes) -> Result<Plan, PolicyError> {
    let mut tx = studio.db.read().await?;
    let (plan, _) = plan_in(studio, &mut tx, draft, wishes).await?;
    Ok(plan)
}

async fn plan_in(
    studio: &Studio,
    tx: &mut Tx,
    draft: Draft<'_>,
    wishes: Wishes,
) -> Result<(Plan, Option<Head>), PolicyError> {
    let now = studio.clock.now();
    let heads = heads_in(tx).await?;
    let last = heads.last().cloned();
    if let Some(last) = &last {
        let is_same = last.declaration_sha256 == draft.declaration.sha256()
            && last.page_sha256 == sha256(draft.page)
            && says_the_same_elsewhere(tx, last.number, draft).await?;
        if is_same {
            return Err(PolicyError::Same(last.number));
        }
    }
    let force = in_force(&heads, now);
    let changes = match force {
        Some(force) => between(&declaration_in(tx, force.number).await?, draft.declaration),
        None => Vec::new(),
    };
    let judged = changes.iter().any(|change| change.sort.is_material());
    // The first tells everybody what holds when they come.
    let is_material = force.is_some() && (judged || wishes.is_material);
    let (earliest, reason) = match is_material {
        true => (
            now.plus_millis(NOTICE_MS),
            "people are told of a material change 30 days before",
        ),
        false => (now, "it can't hold before it is published"),
    };
    let effective = wishes.effective.unwrap_or(earliest);
    if effective < earliest {
        return Err(PolicyError::TooEarly { earliest, reason });
    }
    let overtaken = waiting(&heads, now).into_iter();
    let overtaken = overtaken.filter(|head| head.effective >= effective);
    let plan = Plan {
        number: last.as_ref().map_or(1, |last| last.number + 1),
        in_force: force.map(|force| force.number),
        changes,
        is_material,
        published: now,
        effective,
        overtakes: overtaken.map(|head| head.number).collect(),
    };
    Ok((plan, last))
}

/// Whether a version has these very pages in other languages. Their texts bear its number, so those differ.
async fn says_the_same_elsewhere(
    tx: &mut Tx,
    number: i64,
    draft: Draft<'_>,
) -> Result<bool, PolicyError> {
    let known = super::find_in(tx, number).await?;
    let same = |one: &Translation| {
        let told = known.as_ref().and_then(|known| known.told_in(one.language));
        told.is_some_and(|(_, page)| page == one.page)
    };
    Ok(draft.translations.iter().all(same))
}

/// Writes a version, with its entry in the log.
pub async fn publish(
    studio: &Studio,
    draft: Draft<'_>,
    wishes: Wishes,
) -> Result<Plan, PolicyError> {
    let mut tx = studio.db.write().await?;
    tx.seclude(LOCK).await?;
    let (plan, last) = plan_in(studio, &mut tx, draft, wishes).await?;
    let body = plan.body(draft);
    let translations = plan.translations(draft);
    let declaration = draft.declaration.text();
    let changes = serde_json::to_value(&plan.changes).unwrap_or_default();
    let mut row = HeadRow {
        number: plan.number,
        published_ms: plan.published.as_millis(),
        effective_ms: plan.effective.as_millis(),
        is_material: i64::from(plan.is_material),
        changes: canonical::text(&changes),
        declaration_sha256: sha256(&declaration),
        body_sha256: sha256(&body),
        page_sha256: sha256(draft.page),
        translations_sha256: hash_of(&translations),
        before_sha256: last.map(|last| last.sha256).unwrap_or_default(),
        sha256: String::new(),
        log_id: String::new(),
    };
    row.sha256 = row.hash();
    let event = Event {
        kind: Kind::PolicyPublished,
        person: None,
        what: told(&row),
    };
    row.log_id = log::note(studio, &mut tx, &event).await?.to_string();
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO policy (number, published_ms, effective_ms, is_material, changes, declaration, \
             body, page, declaration_sha256, body_sha256, page_sha256, before_sha256, sha256, log_id, \
             translations, translations_sha256) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        )
        .bind(row.number)
        .bind(row.published_ms)
        .bind(row.effective_ms)
        .bind(row.is_material)
        .bind(&row.changes)
        .bind(&declaration)
        .bind(&body)
        .bind(draft.page)
        .bind(&row.declaration_sha256)
        .bind(&row.body_sha256)
        .bind(&row.page_sha256)
        .bind(&row.before_sha256)
        .bind(&row.sha256)
        .bind(&row.log_id)
        .bind(&translations)
        .bind(&row.translations_sha256)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(plan)
}

/// Of what a version says in other languages; nothing of nothing.
fn hash_of(translations: &str) -> String {
    match translations.is_empty() {
        true => String::new(),
        false => sha256(translations),
    }
}

/// What the log says of a version.
fn told(row: &HeadRow) -> Value {
    let mut said = json!({
        "number": row.number,
        "published_ms": row.published_ms,
        "effective_ms": row.effective_ms,
        "declaration_sha256": row.declaration_sha256,
        "body_sha256": row.body_sha256,
        "page_sha256": row.page_sha256,
        "before_sha256": row.before_sha256,
        "sha256": row.sha256,
    });
    row.with_translations(&mut said);
    said
}

/// What stands above the text of a version.
fn head_of(language: Language, plan: &Plan, controller: Option<Controller>) -> String {
    let mut text = fill(
        language,
        "PRIVACY NOTICE, VERSION {}\n\nPublished {}\nIn force from {}\n",
        &[
            &plan.number.to_string(),
            &in_words(plan.published),
            &in_words(plan.effective),
        ],
    );
    if let Some(controller) = controller {
        for (heading, says) in controller.lines() {
            text += &format!("{}: {says}\n", say(language, heading));
        }
    }
    text += "\n";
    text
}

#[derive(sqlx::FromRow)]
struct Said {
    number: i64,
    declaration: String,
    body: String,
    page: String,
    translations: String,
}

/// Whatever is not as it was published.
pub async fn complaints(studio: &Studio) -> Result<Vec<String>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows = rows_in(&mut tx).await?;
    let said: Vec<Said> = on!(tx, conn => {
        sqlx::query_as("SELECT number, declaration, body, page, translations FROM policy ORDER BY number")
            .fetch_all(conn)
            .await
    })?;
    drop(tx);
    let logged = log::all_of_house(studio, Kind::PolicyPublished).await?;
    let mut wrong = Vec::new();
    let mut before = String::new();
    for (place, (row, said)) in rows.iter().zip(&said).enumerate() {
        let number = row.number;
        let hashes = [
            (&said.declaration, &row.declaration_sha256),
            (&said.body, &row.body_sha256),
            (&said.page, &row.page_sha256),
        ];
        let is_whole = hashes.iter().all(|(text, hash)| sha256(text) == **hash)
            && hash_of(&said.translations) == row.translations_sha256
            && said.number == number
            && row.hash() == row.sha256;
        if !is_whole {
            wrong.push(format!(
                "version {number} of the notice was changed after it was published"
            ));
        }
        if row.before_sha256 != before || number != i64::try_from(place).unwrap_or(-1) + 1 {
            wrong.push(format!(
                "version {number} of the notice does not follow the one before"
            ));
        }
        if !logged.contains(&told(row)) {
            wrong.push(format!(
                "the log does not know version {number} of the notice as it is"
            ));
        }
        before.clone_from(&row.sha256);
    }
    let mine = Declaration::of_this_build(&studio.recipients, None);
    match ruling::rule_for_a_shell(&studio.db, studio.clock.now(), &mine).await {
        Ok(()) => {}
        Err(RulingError::Refused(refusal)) => wrong.push(refusal.to_string()),
        Err(RulingError::Failure(failure)) => return Err(failure),
    }
    for entry in &logged {
        let number = entry["number"].as_i64().unwrap_or(0);
        if !rows.iter().any(|row| row.number == number) {
            wrong.push(format!(
                "version {number} of the notice is in the log and not here any more"
            ));
        }
    }
    Ok(wrong)
}
