//! Telling people of a change that matters: a letter and a notice in the app to each, once, however often the
//! writing is broken off, and a word on the site for everybody else.

use std::collections::BTreeMap;
use std::time::Duration;

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::PersonId;
use serde_json::json;

use super::publishing::NOTICE_MS;
use super::{Head, Sort, heads, heads_in, in_force, waiting};
use crate::accounts::person;
use crate::jobs::worker::Stop;
use crate::letters::{self, Letter};
use crate::privacy::log::{self, Event, Kind};
use crate::{Failure, Studio, failpoint};

/// People written to in one transaction.
const AT_ONCE: i64 = 10;
/// Changes that a letter lists.
const MAX_LISTED: usize = 20;
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Writes to everybody who is to be told of a version that waits for its day, and was not; gives how many
/// that were.
pub async fn tell_due(studio: &Studio) -> Result<u64, Failure> {
    let heads = heads(studio).await?;
    let mut told = 0;
    for head in waiting(&heads, studio.clock.now()) {
        if head.is_material {
            told += tell_of(studio, head).await?;
        }
    }
    Ok(told)
}

async fn tell_of(studio: &Studio, head: &Head) -> Result<u64, Failure> {
    let changes = head.changes.iter().take(MAX_LISTED);
    let lines: Vec<String> = changes
        .map(|change| format!("{}: {}", change.sort.words(), change.says))
        .collect();
    let letter = Letter::PolicyChanges {
        policy: head.number,
        at_ms: head.effective.as_millis(),
        text: lines.join("\n\n"),
    };
    tell(studio, Subject::Notice, head.number, &letter).await
}

/// What people are told of in rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Notice,
    Terms,
}

impl Subject {
    const fn untold(self) -> &'static str {
        match self {
            Self::Notice => {
                "SELECT account.person_id FROM account JOIN person ON person.id = account.person_id \
                 WHERE account.person_id > $1 AND person.erasure_id IS NULL AND NOT EXISTS \
                 (SELECT 1 FROM policy_notice WHERE policy_notice.policy = $2 \
                 AND policy_notice.person_id = account.person_id) ORDER BY account.person_id LIMIT $3"
            }
            Self::Terms => {
                "SELECT account.person_id FROM account JOIN person ON person.id = account.person_id \
                 WHERE account.person_id > $1 AND person.erasure_id IS NULL AND NOT EXISTS \
                 (SELECT 1 FROM terms_notice WHERE terms_notice.terms = $2 \
                 AND terms_notice.person_id = account.person_id) AND NOT EXISTS \
                 (SELECT 1 FROM terms_acceptance WHERE terms_acceptance.terms = $2 \
                 AND terms_acceptance.person_id = account.person_id) ORDER BY account.person_id LIMIT $3"
            }
        }
    }

    const fn write(self) -> &'static str {
        match self {
            Self::Notice => {
                "INSERT INTO policy_notice (policy, person_id, created_ms) \
                 SELECT CAST($1 AS BIGINT), person.id, CAST($3 AS BIGINT) FROM person \
                 WHERE person.id = $2 AND person.erasure_id IS NULL \
                 ON CONFLICT (policy, person_id) DO NOTHING"
            }
            Self::Terms => {
                "INSERT INTO terms_notice (terms, person_id, created_ms) \
                 SELECT CAST($1 AS BIGINT), person.id, CAST($3 AS BIGINT) FROM person \
                 WHERE person.id = $2 AND person.erasure_id IS NULL \
                 ON CONFLICT (terms, person_id) DO NOTHING"
            }
        }
    }
}

/// Writes to everybody with an account who was not told of a version yet; gives how many that were.
pub(crate) async fn tell(
    studio: &Studio,
    subject: Subject,
    number: i64,
    letter: &Letter,
) -> Result<u64, Failure> {
    let mut told = 0;
    let mut after = String::new();
    loop {
        let people = untold(studio, subject, number, &after).await?;
        let Some(last) = people.last() else { break };
        after = last.to_string();
        let mut tx = studio.db.write().await?;
        for person in people {
            told += u64::from(write(studio, &mut tx, (subject, number), person, letter).await?);
        }
        failpoint::here("policy-told-uncommitted");
        tx.commit().await?;
        failpoint::here("policy-told-committed");
    }
    Ok(told)
}

/// Some with an account who were not told yet.
async fn untold(
    studio: &Studio,
    subject: Subject,
    number: i64,
    after: &str,
) -> Result<Vec<PersonId>, Failure> {
    let mut tx = studio.db.read().await?;
    let ids: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar(subject.untold())
        .bind(after)
        .bind(number)
        .bind(AT_ONCE)
        .fetch_all(conn)
        .await
    })?;
    let bad = |_| Failure::Row("id of who is told of a version".to_owned());
    ids.iter().map(|id| id.parse().map_err(bad)).collect()
}

/// The notice and the letter to one person, unless another process was quicker or they are being forgotten.
async fn write(
    studio: &Studio,
    tx: &mut Tx,
    (subject, number): (Subject, i64),
    person: PersonId,
    letter: &Letter,
) -> Result<bool, Failure> {
    let written = on!(tx, conn => {
        sqlx::query(subject.write())
        .bind(number)
        .bind(person.to_string())
        .bind(studio.clock.now().as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if written == 0 {
        return Ok(false);
    }
    let address = person::address_of(studio, tx, person).await?;
    letters::enqueue(studio, tx, Some(person), address.as_ref(), letter).await?;
    Ok(true)
}

/// Tells until told to stop.
pub async fn keep_telling(studio: Studio, stop: Stop) {
    while !stop.is_set() {
        match tell_due(&studio).await {
            Ok(0) => {}
            Ok(_) => tracing::info!("everybody was told of the next version of the privacy notice"),
            Err(error) => {
                tracing::error!(%error, "people could not be told of a version of the notice; trying again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.set() => {}
        }
    }
}

/// What the site says to everybody: the newest change that matters, from its publication until a month after
/// its day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    pub number: i64,
    pub effective: Moment,
    pub holds: bool,
    /// It puts the house under somebody else.
    pub gives: bool,
}

#[must_use]
pub fn announced(heads: &[Head], now: Moment) -> Option<Announcement> {
    let force = in_force(heads, now)?.number;
    let is_told = |head: &&Head| {
        let comes = head.effective > now && head.number > force;
        let came = head.number == force && head.effective.plus_millis(NOTICE_MS) > now;
        head.is_material && (comes || came)
    };
    let head = heads.iter().rfind(is_told)?;
    Some(Announcement {
        number: head.number,
        effective: head.effective,
        holds: head.effective <= now,
        gives: head
            .changes
            .iter()
            .any(|change| change.sort == Sort::NewController),
    })
}

/// What one person was told.
#[derive(Clone, Debug)]
pub struct Told {
    pub head: Head,
    pub told: Moment,
    /// When they said that they read it.
    pub acknowledged: Option<Moment>,
}

/// Everything that a person was told, the newest first.
pub async fn of_person(studio: &Studio, person: PersonId) -> Result<Vec<Told>, Failure> {
    let mut tx = studio.db.read().await?;
    let heads = heads_in(&mut tx).await?;
    let rows: Vec<(i64, i64, Option<i64>)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT policy, created_ms, acknowledged_ms FROM policy_notice WHERE person_id = $1 \
             ORDER BY policy DESC",
        )
        .bind(person.to_string())
        .fetch_all(conn)
        .await
    })?;
    let told = rows.into_iter().filter_map(|(number, told, acknowledged)| {
        let head = heads.iter().find(|head| head.number == number)?;
        Some(Told {
            head: head.clone(),
            told: Moment::from_millis(told),
            acknowledged: acknowledged.map(Moment::from_millis),
        })
    });
    Ok(told.collect())
}

/// How many notices somebody has not read.
pub async fn unread(studio: &Studio, person: PersonId) -> Result<u64, Failure> {
    let mut tx = studio.db.read().await?;
    let unread: i64 = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM policy_notice WHERE person_id = $1 AND acknowledged_ms IS NULL",
        )
        .bind(person.to_string())
        .fetch_one(conn)
        .await
    })?;
    Ok(unread.unsigned_abs())
}

/// Somebody says that they read it: that they know, not that they agree. `false` where they said so before,
/// or were told nothing of that number.
pub async fn acknowledge(studio: &Studio, person: PersonId, number: i64) -> Result<bool, Failure> {
    let mut tx = studio.db.write().await?;
    let done = on!(tx, conn => {
        sqlx::query(
            "UPDATE policy_notice SET acknowledged_ms = $3 WHERE policy = $1 AND person_id = $2 \
             AND acknowledged_ms IS NULL",
        )
        .bind(number)
        .bind(person.to_string())
        .bind(studio.clock.now().as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if done == 0 {
        return Ok(false);
    }
    let event = Event {
        kind: Kind::PolicyRead,
        person: Some(person),
        what: json!({ "policy": number }),
    };
    log::note(studio, &mut tx, &event).await?;
    tx.commit().await?;
    Ok(true)
}

/// How many were told of each version, and how many of them read it.
pub async fn counted(studio: &Studio) -> Result<BTreeMap<i64, (u64, u64)>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<(i64, i64, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT policy, COUNT(*), COUNT(acknowledged_ms) FROM policy_notice GROUP BY policy",
        )
        .fetch_all(conn)
        .await
    })?;
    let rows = rows.into_iter();
    let counted =
        rows.map(|(number, told, read)| (number, (told.unsigned_abs(), read.unsigned_abs())));
    Ok(counted.collect())
}

/// Letters about versions that no mail server took.
pub async fn returned(studio: &Studio) -> Result<u64, Failure> {
    let mut tx = studio.db.read().await?;
    let failed: i64 = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM letter WHERE kind = 'policy_changes' AND state = 'failed'",
        )
        .fetch_one(conn)
        .await
    })?;
    Ok(failed.unsigned_abs())
}
