//! The house goes to somebody else: announced by a version of the notice with another controller, and
//! written down, signed, once everybody had 30 days to take everything along or to leave.

use db::{Tx, on};
use domain::clock::Moment;
use domain::controller::Controller;
use domain::ids::PersonId;
use serde_json::{Value, json};

use super::declaration::Declaration;
use super::publishing::NOTICE_MS;
use super::{Head, Sort, declaration_in, heads_in};
use crate::privacy::backup::in_words;
use crate::privacy::canonical;
use crate::privacy::consent::{Optional, Verdict};
use crate::privacy::inventory::TABLES;
use crate::privacy::log::{self, Event, Kind};
use crate::{Failure, Studio, failpoint};

/// Says what a manifest is, and which edition of its fields it has.
pub(crate) const KIND: &str = "pinhole/transfer/1";
/// People whose entry is written in one transaction.
const AT_ONCE: i64 = 10;
const FOR_THESE_WORDS: &str = "Each yes holds for the words it was said to, and for nothing else.";

/// Why a house goes to somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Merger,
    Acquisition,
    AssetSale,
    Financing,
}

impl Reason {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Merger => "merger",
            Self::Acquisition => "acquisition",
            Self::AssetSale => "asset-sale",
            Self::Financing => "financing",
        }
    }
}

/// How far a transfer is.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The version of the notice that announces it.
    pub head: Head,
    pub from: Controller,
    pub to: Controller,
    /// Who had an account when it was announced, has it still and was not told.
    pub untold: u64,
    /// From when on it can be completed: its day, and 30 days after the last of those was told.
    pub ready: Moment,
}

#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error("No version of the privacy notice gives this house to somebody else.")]
    None,
    #[error(
        "The time in which people can leave is not over: it can be completed from {}.",
        in_words(*.0)
    )]
    TooEarly(Moment),
    #[error(
        "{people} with an account were not told of version {number} of the privacy notice. It can be \
         completed 30 days after each of them was told; if its day is over, publish the version again."
    )]
    Untold { people: u64, number: i64 },
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(TransferError);

/// The newest transfer that was announced and not withdrawn.
pub async fn announced(studio: &Studio) -> Result<Option<Transfer>, Failure> {
    announced_in(&mut studio.db.read().await?).await
}

async fn announced_in(tx: &mut Tx) -> Result<Option<Transfer>, Failure> {
    let heads = heads_in(tx).await?;
    let is_overtaken = |head: &Head| {
        let mut later = heads.iter().filter(|later| later.number > head.number);
        later.any(|later| later.effective <= head.effective)
    };
    let gives = |head: &&Head| {
        let mut changes = head.changes.iter();
        changes.any(|change| change.sort == Sort::NewController) && !is_overtaken(head)
    };
    let Some(head) = heads.iter().rfind(gives) else {
        return Ok(None);
    };
    // What it was compared with: the one in force when it was published.
    let Some(before) =
        super::in_force(&heads, head.published).filter(|one| one.number < head.number)
    else {
        return Ok(None);
    };
    let controller = |said: Declaration| {
        let bad = || Failure::Row("the controller of a version of the notice".to_owned());
        said.controller().ok_or_else(bad)
    };
    let from = controller(declaration_in(tx, before.number).await?)?;
    let to = controller(declaration_in(tx, head.number).await?)?;
    let (untold, last): (i64, i64) = on!(tx, conn => {
        sqlx::query_as(
            "SELECT COUNT(account.person_id) - COUNT(policy_notice.person_id), \
             COALESCE(MAX(policy_notice.created_ms), 0) FROM account \
             JOIN person ON person.id = account.person_id \
             LEFT JOIN policy_notice ON policy_notice.person_id = account.person_id \
             AND policy_notice.policy = $1 \
             WHERE person.erasure_id IS NULL AND account.created_ms <= $2",
        )
        .bind(head.number)
        .bind(head.published.as_millis())
        .fetch_one(conn)
        .await
    })?;
    let all_had_time = Moment::from_millis(last).plus_millis(NOTICE_MS);
    Ok(Some(Transfer {
        head: head.clone(),
        from,
        to,
        untold: untold.unsigned_abs(),
        ready: head.effective.max(all_had_time),
    }))
}

/// What goes to whom, as a signed document; not before everybody had 30 days. Each person has it in their log
/// first, once, however often this is broken off and called again.
pub async fn complete(studio: &Studio, reason: Reason) -> Result<String, TransferError> {
    let mut tx = studio.db.read().await?;
    let transfer = due(&mut tx, studio.clock.now()).await?;
    drop(tx);
    hand_over(studio, &transfer, reason).await?;
    let now = studio.clock.now();
    // What is in it is of one moment.
    let mut tx = studio.db.write().await?;
    let transfer = due(&mut tx, now).await?;
    let document = json!({
        "kind": KIND,
        "reason": reason.name(),
        "from": transfer.from,
        "to": transfer.to,
        "made": now.as_seconds(),
        "notice": {
            "version": transfer.head.number,
            "published": transfer.head.published.as_seconds(),
            "effective": transfer.head.effective.as_seconds(),
            "body_sha256": transfer.head.body_sha256,
            "sha256": transfer.head.sha256,
            "log_entry": transfer.head.log,
        },
        "checkpoint": log::newest_in(&mut tx).await?,
        "rows": rows(&mut tx).await?,
        "consents": consents(&mut tx).await?,
        "consents_hold": FOR_THESE_WORDS,
        "erased_since_announced": erased(&mut tx, transfer.head.published).await?,
        "taken_along_since_announced": taken_along(&mut tx, transfer.head.published).await?,
    });
    let manifest = canonical::signed(&studio.keys, "receipt", &document);
    let event = Event {
        kind: Kind::HandedOver,
        person: None,
        what: json!({
            "policy": transfer.head.number,
            "reason": reason.name(),
            "manifest_sha256": super::declaration::sha256(&manifest),
        }),
    };
    log::note(studio, &mut tx, &event).await?;
    tx.commit().await?;
    Ok(manifest)
}

/// The transfer that can be completed now.
async fn due(tx: &mut Tx, now: Moment) -> Result<Transfer, TransferError> {
    let transfer = announced_in(tx).await?.ok_or(TransferError::None)?;
    if transfer.untold > 0 {
        return Err(TransferError::Untold {
            people: transfer.untold,
            number: transfer.head.number,
        });
    }
    if now < transfer.ready {
        return Err(TransferError::TooEarly(transfer.ready));
    }
    Ok(transfer)
}

/// An entry in the log of each person with an account that has none yet.
async fn hand_over(studio: &Studio, transfer: &Transfer, reason: Reason) -> Result<(), Failure> {
    loop {
        let mut tx = studio.db.write().await?;
        let people: Vec<String> = on!(tx, conn => {
            sqlx::query_scalar(
                "SELECT account.person_id FROM account JOIN person ON person.id = account.person_id \
                 WHERE person.erasure_id IS NULL AND NOT EXISTS (SELECT 1 FROM policy_notice \
                 WHERE policy_notice.policy = $1 AND policy_notice.person_id = account.person_id \
                 AND policy_notice.handed_ms IS NOT NULL) ORDER BY account.person_id LIMIT $2",
            )
            .bind(transfer.head.number)
            .bind(AT_ONCE)
            .fetch_all(conn)
            .await
        })?;
        if people.is_empty() {
            return Ok(());
        }
        for id in people {
            let bad = |_| Failure::Row("id of whose data go to somebody else".to_owned());
            let person: PersonId = id.parse().map_err(bad)?;
            if !mark(studio, &mut tx, transfer.head.number, person).await? {
                continue;
            }
            let event = Event {
                kind: Kind::HandedOver,
                person: Some(person),
                what: json!({
                    "policy": transfer.head.number,
                    "to": transfer.to.name,
                    "reason": reason.name(),
                }),
            };
            log::note(studio, &mut tx, &event).await?;
        }
        failpoint::here("handed-over-uncommitted");
        tx.commit().await?;
        failpoint::here("handed-over-committed");
    }
}

/// `false` where another process was quicker.
async fn mark(
    studio: &Studio,
    tx: &mut Tx,
    number: i64,
    person: PersonId,
) -> Result<bool, Failure> {
    // Who came after it was announced has no notice of it yet.
    let marked = on!(tx, conn => {
        sqlx::query(
            "INSERT INTO policy_notice (policy, person_id, created_ms, handed_ms) \
             VALUES ($1, $2, $3, $3) ON CONFLICT (policy, person_id) \
             DO UPDATE SET handed_ms = excluded.handed_ms WHERE policy_notice.handed_ms IS NULL",
        )
        .bind(number)
        .bind(person.to_string())
        .bind(studio.clock.now().as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(marked > 0)
}

/// How many rows go along, by table.
async fn rows(tx: &mut Tx) -> Result<Vec<Value>, Failure> {
    let mut all = Vec::new();
    for table in TABLES {
        let statement = format!("SELECT COUNT(*) FROM {}", table.name);
        let rows: i64 = on!(tx, conn => {
            sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(conn).await
        })?;
        all.push(json!({ "table": table.name, "rows": rows }));
    }
    Ok(all)
}

/// How many say yes now, to which words.
async fn consents(tx: &mut Tx) -> Result<Vec<Value>, Failure> {
    let counted: Vec<(String, i64, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT purpose, version, COUNT(*) FROM consent WHERE decision = $1 AND NOT EXISTS \
             (SELECT 1 FROM consent later WHERE later.person_id = consent.person_id \
             AND later.purpose = consent.purpose \
             AND COALESCE(later.picture_id, '') = COALESCE(consent.picture_id, '') \
             AND later.number > consent.number) \
             GROUP BY purpose, version ORDER BY purpose, version",
        )
        .bind(Verdict::Given.name())
        .fetch_all(conn)
        .await
    })?;
    let told = counted.into_iter().map(|(purpose, version, yes)| {
        let edition = Optional::named(&purpose).and_then(|one| one.edition_of(version));
        json!({
            "purpose": purpose,
            "version": version,
            "text_sha256": edition.map(|edition| edition.sha256()),
            "yes": yes,
        })
    });
    Ok(told.collect())
}

/// How many asked for the end of their account since it was announced.
async fn erased(tx: &mut Tx, since: Moment) -> Result<i64, Failure> {
    Ok(on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM erasure WHERE scope = 'account' AND requested_ms >= $1")
            .bind(since.as_millis())
            .fetch_one(conn)
            .await
    })?)
}

/// How many archives were made for people since it was announced.
async fn taken_along(tx: &mut Tx, since: Moment) -> Result<i64, Failure> {
    Ok(on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM log_entry WHERE kind = $1 AND created_ms >= $2")
            .bind(Kind::TakenAlong.name())
            .bind(since.as_millis())
            .fetch_one(conn)
            .await
    })?)
}
