//! The terms of who runs the house: what each version says, since when it holds, and who accepted it.
//!
//! Architecture invariant: terms are a contract, and no consent. Nothing here writes or reads a consent, and no
//! consent counts as an acceptance. A house whose operator published no terms has none.

mod accepting;
mod publishing;
mod telling;

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::LogId;
use serde_json::json;

pub use accepting::{
    AcceptError, Acceptance, Means, Ticked, accept, counted, of_person, offered, owes,
};
pub use publishing::{Draft, MAX_BYTES, MAX_SUMMARY, TermsError, complaints, publish};
pub use telling::{Told, keep_telling, tell_due, told};

use crate::privacy::canonical;
use crate::privacy::policies::{Dated, in_force, sha256};
use crate::{Failure, Studio};

/// A version without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// From 1.
    pub number: i64,
    pub published: Moment,
    pub effective: Moment,
    /// Whether people are asked for it; not where only the wording differs.
    pub needs_acceptance: bool,
    /// What is other than before, in the operator's words; may be empty.
    pub summary: String,
    pub body_sha256: String,
    /// Of the version before; empty in the first.
    pub before_sha256: String,
    pub sha256: String,
    pub log: LogId,
}

impl Dated for Head {
    fn number(&self) -> i64 {
        self.number
    }

    fn effective(&self) -> Moment {
        self.effective
    }
}

/// A version with its text, as the operator wrote it.
#[derive(Clone, Debug)]
pub struct Version {
    pub head: Head,
    pub body: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    number: i64,
    published_ms: i64,
    effective_ms: i64,
    needs_acceptance: i64,
    summary: String,
    body_sha256: String,
    before_sha256: String,
    sha256: String,
    log_id: String,
}

impl Row {
    fn read(self) -> Result<Head, Failure> {
        let log = self.log_id.parse();
        let bad = |_| Failure::Row(format!("entry of version {} of the terms", self.number));
        Ok(Head {
            number: self.number,
            published: Moment::from_millis(self.published_ms),
            effective: Moment::from_millis(self.effective_ms),
            needs_acceptance: self.needs_acceptance != 0,
            log: log.map_err(bad)?,
            summary: self.summary,
            body_sha256: self.body_sha256,
            before_sha256: self.before_sha256,
            sha256: self.sha256,
        })
    }

    /// What the chain hashes.
    fn hash(&self) -> String {
        sha256(&canonical::text(&json!({
            "number": self.number,
            "published_ms": self.published_ms,
            "effective_ms": self.effective_ms,
            "needs_acceptance": self.needs_acceptance != 0,
            "summary": self.summary,
            "body_sha256": self.body_sha256,
            "before_sha256": self.before_sha256,
        })))
    }
}

/// Every version, the first first; none where the operator has no terms.
pub async fn heads(studio: &Studio) -> Result<Vec<Head>, Failure> {
    heads_in(&mut studio.db.read().await?).await
}

async fn heads_in(tx: &mut Tx) -> Result<Vec<Head>, Failure> {
    let rows = rows_in(tx).await?;
    rows.into_iter().map(Row::read).collect()
}

async fn rows_in(tx: &mut Tx) -> Result<Vec<Row>, Failure> {
    Ok(on!(tx, conn => {
        sqlx::query_as(
            "SELECT number, published_ms, effective_ms, needs_acceptance, summary, body_sha256, \
             before_sha256, sha256, log_id FROM terms ORDER BY number",
        )
        .fetch_all(conn)
        .await
    })?)
}

/// One version, with its text.
pub async fn find(studio: &Studio, number: i64) -> Result<Option<Version>, Failure> {
    let mut tx = studio.db.read().await?;
    let heads = heads_in(&mut tx).await?;
    let Some(head) = heads.into_iter().find(|head| head.number == number) else {
        return Ok(None);
    };
    let body: String = on!(tx, conn => {
        sqlx::query_scalar("SELECT body FROM terms WHERE number = $1")
            .bind(number)
            .fetch_one(conn)
            .await
    })?;
    Ok(Some(Version { head, body }))
}

/// The version in force; `None` where there is none, or the first waits for its day.
pub async fn now_in_force(studio: &Studio) -> Result<Option<Head>, Failure> {
    let heads = heads(studio).await?;
    Ok(in_force(&heads, studio.clock.now()).cloned())
}
