//! The versions of the privacy notice: what each says, since when it holds, and whether this build may run
//! under the one in force.
//!
//! Architecture invariant: a version is written once, by `publishing`, with its entry in the log, and no
//! statement changes it. Each bears the hash of the one before, so a version that was changed all the same
//! is found by every audit.

mod declaration;
mod difference;
mod lines;
mod publishing;
mod ruling;
mod telling;
pub mod transfer;

use db::{Db, Tx, on};
use domain::clock::Moment;
use domain::ids::LogId;
use domain::language::Language;
use serde_json::{Value, json};

pub use declaration::Declaration;
pub use declaration::sha256;
pub use difference::{Change, Sort, between};
pub use lines::{Line, compare};
pub use publishing::{
    Draft, NOTICE_MS, Plan, PolicyError, Translation, Wishes, complaints, is_first, plan, publish,
};
pub use ruling::{Refusal, RulingError, rule, rule_for_a_shell};
pub use telling::{
    Announcement, Told, acknowledge, announced, counted, keep_telling, of_person, returned,
    tell_due, unread,
};
pub(crate) use telling::{Subject, tell};

use super::canonical;
use crate::{Failure, Studio};

/// A version without what it says: where it stands in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// From 1.
    pub number: i64,
    pub published: Moment,
    pub effective: Moment,
    pub is_material: bool,
    pub declaration_sha256: String,
    pub body_sha256: String,
    pub page_sha256: String,
    /// Of what it says in other languages; empty where it was published before there were any.
    pub translations_sha256: String,
    /// Of the version before; empty in the first.
    pub before_sha256: String,
    pub sha256: String,
    pub log: LogId,
    /// What is other than in the version before.
    pub changes: Vec<Change>,
}

/// What is published in versions, each of which holds from its day: the notice, and the operator's terms.
pub trait Dated {
    /// From 1, without a gap.
    fn number(&self) -> i64;
    /// From when on it holds.
    fn effective(&self) -> Moment;
}

impl Dated for Head {
    fn number(&self) -> i64 {
        self.number
    }

    fn effective(&self) -> Moment {
        self.effective
    }
}

/// A version with what it says, as it is served.
#[derive(Clone, Debug)]
pub struct Version {
    pub head: Head,
    /// Canonical JSON.
    pub declaration: String,
    /// The notice as text.
    pub body: String,
    /// The notice as a part of a page.
    pub page: String,
    /// The same in other languages, as canonical JSON by their codes.
    translations: String,
}

impl Version {
    /// Its text and its part of a page in a language; `None` where it was not published in it.
    #[must_use]
    pub fn told_in(&self, language: Language) -> Option<(String, String)> {
        if language == Language::English {
            return Some((self.body.clone(), self.page.clone()));
        }
        let all: Value = serde_json::from_str(&self.translations).ok()?;
        let told = all.get(language.code())?;
        let text = |name| Some(told.get(name)?.as_str()?.to_owned());
        Some((text("body")?, text("page")?))
    }
}

#[derive(sqlx::FromRow)]
struct HeadRow {
    number: i64,
    published_ms: i64,
    effective_ms: i64,
    is_material: i64,
    changes: String,
    declaration_sha256: String,
    body_sha256: String,
    page_sha256: String,
    translations_sha256: String,
    before_sha256: String,
    sha256: String,
    log_id: String,
}

impl HeadRow {
    fn read(self) -> Result<Head, Failure> {
        let bad = |what: &str| Failure::Row(format!("{what} of version {}", self.number));
        Ok(Head {
            number: self.number,
            published: Moment::from_millis(self.published_ms),
            effective: Moment::from_millis(self.effective_ms),
            is_material: self.is_material != 0,
            changes: serde_json::from_str(&self.changes).map_err(|_| bad("changes"))?,
            log: self.log_id.parse().map_err(|_| bad("entry"))?,
            declaration_sha256: self.declaration_sha256,
            body_sha256: self.body_sha256,
            page_sha256: self.page_sha256,
            translations_sha256: self.translations_sha256,
            before_sha256: self.before_sha256,
            sha256: self.sha256,
        })
    }

    /// What the chain hashes.
    fn hash(&self) -> String {
        let mut said = json!({
            "number": self.number,
            "published_ms": self.published_ms,
            "effective_ms": self.effective_ms,
            "is_material": self.is_material != 0,
            "changes": self.changes,
            "declaration_sha256": self.declaration_sha256,
            "body_sha256": self.body_sha256,
            "page_sha256": self.page_sha256,
            "before_sha256": self.before_sha256,
        });
        self.with_translations(&mut said);
        sha256(&canonical::text(&said))
    }

    /// Versions from before there were any keep the hash that they had.
    fn with_translations(&self, said: &mut Value) {
        if !self.translations_sha256.is_empty() {
            said["translations_sha256"] = Value::from(self.translations_sha256.as_str());
        }
    }
}

/// Every version, the first first; none where nothing was ever published.
pub async fn heads(studio: &Studio) -> Result<Vec<Head>, Failure> {
    heads_in(&mut studio.db.read().await?).await
}

async fn heads_in(tx: &mut Tx) -> Result<Vec<Head>, Failure> {
    let rows = rows_in(tx).await?;
    rows.into_iter().map(HeadRow::read).collect()
}

async fn rows_in(tx: &mut Tx) -> Result<Vec<HeadRow>, Failure> {
    Ok(on!(tx, conn => {
        sqlx::query_as(
            "SELECT number, published_ms, effective_ms, is_material, changes, declaration_sha256, \
             body_sha256, page_sha256, translations_sha256, before_sha256, sha256, log_id \
             FROM policy ORDER BY number",
        )
        .fetch_all(conn)
        .await
    })?)
}

/// Which of these is in force: the newest whose day has come. One that a newer one overtook before its day
/// never is.
#[must_use]
pub fn in_force<V: Dated>(heads: &[V], now: Moment) -> Option<&V> {
    heads.iter().rfind(|head| head.effective() <= now)
}

/// Those that are published and wait for their day, the next one first.
#[must_use]
pub fn waiting<V: Dated>(heads: &[V], now: Moment) -> Vec<&V> {
    let since = in_force(heads, now).map_or(0, Dated::number);
    let later = heads.iter();
    let later = later.filter(|head| head.number() > since && head.effective() > now);
    let mut later: Vec<&V> = later.collect();
    later.sort_by_key(|head| (head.effective(), head.number()));
    later
}

/// One version, with what it says.
pub async fn find(studio: &Studio, number: i64) -> Result<Option<Version>, Failure> {
    find_in(&mut studio.db.read().await?, number).await
}

async fn find_in(tx: &mut Tx, number: i64) -> Result<Option<Version>, Failure> {
    let heads = heads_in(tx).await?;
    let Some(head) = heads.into_iter().find(|head| head.number == number) else {
        return Ok(None);
    };
    let said: Option<(String, String, String, String)> = on!(tx, conn => {
        sqlx::query_as("SELECT declaration, body, page, translations FROM policy WHERE number = $1")
            .bind(number)
            .fetch_optional(conn)
            .await
    })?;
    Ok(said.map(|(declaration, body, page, translations)| Version {
        head,
        declaration,
        body,
        page,
        translations,
    }))
}

/// The version in force, and what it says; `None` in a house that never published one.
pub async fn now_in_force(studio: &Studio) -> Result<Option<Version>, Failure> {
    let mut tx = studio.db.read().await?;
    let heads = heads_in(&mut tx).await?;
    match in_force(&heads, studio.clock.now()) {
        Some(head) => find_in(&mut tx, head.number).await,
        None => Ok(None),
    }
}

async fn declaration_in(tx: &mut Tx, number: i64) -> Result<Declaration, Failure> {
    let text: String = on!(tx, conn => {
        sqlx::query_scalar("SELECT declaration FROM policy WHERE number = $1")
            .bind(number)
            .fetch_one(conn)
            .await
    })?;
    let bad = || Failure::Row(format!("declaration of version {number}"));
    Declaration::read(&text).ok_or_else(bad)
}

/// Whether a database, perhaps of another build, has versions at all.
pub async fn has_versions(db: &Db) -> Result<bool, Failure> {
    let mut tx = db.read().await?;
    let statement = tx.catalogue();
    let columns: Vec<(String, String, String, i64)> = on!(tx, conn => {
        sqlx::query_as(statement).fetch_all(conn).await
    })?;
    if !columns.iter().any(|(table, ..)| table == "policy") {
        return Ok(false);
    }
    Ok(!rows_in(&mut tx).await?.is_empty())
}
