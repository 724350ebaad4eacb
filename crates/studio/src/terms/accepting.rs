//! Who accepted which version, and who is still to be asked.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::PersonId;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Head, heads, heads_in};
use crate::privacy::log::{self, Event, Kind};
use crate::privacy::policies::{in_force, waiting};
use crate::{Failure, Studio, failpoint};

/// How it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// A tick when the account was asked for.
    SignUp,
    /// A tick of somebody who was signed in.
    Session,
}

impl Means {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::Session => "session",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    #[error("Other terms hold now than those that you read. Here they are.")]
    Other,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(AcceptError);

/// A version that somebody ticked before they had an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticked {
    number: i64,
    text_sha256: String,
    at_ms: i64,
}

impl Ticked {
    /// The version in force, which is the one that was shown.
    #[must_use]
    pub fn now(studio: &Studio, head: &Head) -> Self {
        Self {
            number: head.number,
            text_sha256: head.body_sha256.clone(),
            at_ms: studio.clock.now().as_millis(),
        }
    }

    /// The account is there now.
    pub(crate) async fn keep(
        &self,
        studio: &Studio,
        tx: &mut Tx,
        person: PersonId,
    ) -> Result<(), Failure> {
        write(studio, tx, person, self, Means::SignUp).await?;
        Ok(())
    }
}

/// Which versions count as having accepted what holds: from the newest that asked for it to the one in force.
fn counting(heads: &[Head], now: Moment) -> Option<(i64, i64)> {
    let force = in_force(heads, now)?;
    let mut asked = heads.iter().filter(|head| head.number <= force.number);
    let asked = asked.rfind(|head| head.needs_acceptance)?;
    Some((asked.number, force.number))
}

/// Whether somebody has not accepted the terms that hold.
pub async fn owes(studio: &Studio, person: PersonId) -> Result<bool, Failure> {
    let mut tx = studio.db.read().await?;
    let heads = heads_in(&mut tx).await?;
    let Some((from, to)) = counting(&heads, studio.clock.now()) else {
        return Ok(false);
    };
    let accepted = numbers(&mut tx, person).await?;
    Ok(!accepted.iter().any(|one| (from..=to).contains(one)))
}

async fn numbers(tx: &mut Tx, person: PersonId) -> Result<Vec<i64>, Failure> {
    Ok(on!(tx, conn => {
        sqlx::query_scalar("SELECT terms FROM terms_acceptance WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_all(conn)
            .await
    })?)
}

/// The version that somebody is asked for: the one in force, or one that waits and was told of.
pub async fn offered(studio: &Studio, person: PersonId) -> Result<Option<Head>, Failure> {
    let mut tx = studio.db.read().await?;
    let heads = heads_in(&mut tx).await?;
    let accepted = numbers(&mut tx, person).await?;
    Ok(offer(&heads, studio.clock.now(), &accepted).cloned())
}

fn offer<'a>(heads: &'a [Head], now: Moment, accepted: &[i64]) -> Option<&'a Head> {
    if let Some((from, to)) = counting(heads, now)
        && !accepted.iter().any(|one| (from..=to).contains(one))
    {
        return in_force(heads, now);
    }
    let mut waiting = waiting(heads, now).into_iter();
    waiting.find(|head| head.needs_acceptance && !accepted.contains(&head.number))
}

/// Somebody accepts the version that they were shown, known by its hash; `false` where they did so before.
pub async fn accept(studio: &Studio, person: PersonId, shown: &str) -> Result<bool, AcceptError> {
    let now = studio.clock.now();
    let mut tx = studio.db.write().await?;
    let heads = heads_in(&mut tx).await?;
    let accepted = numbers(&mut tx, person).await?;
    let Some(head) = heads.iter().find(|head| head.sha256 == shown) else {
        return Err(AcceptError::Other);
    };
    if accepted.contains(&head.number) {
        return Ok(false);
    }
    if offer(&heads, now, &accepted) != Some(head) {
        return Err(AcceptError::Other);
    }
    let ticked = Ticked::now(studio, head);
    if !write(studio, &mut tx, person, &ticked, Means::Session).await? {
        return Ok(false);
    }
    failpoint::here("terms-accepted-uncommitted");
    tx.commit().await?;
    failpoint::here("terms-accepted-committed");
    Ok(true)
}

/// The row and its entry in the log, in one transaction; `false` where another was quicker, or the person is
/// being forgotten: then the transaction is not to be committed.
async fn write(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    ticked: &Ticked,
    means: Means,
) -> Result<bool, Failure> {
    let event = Event {
        kind: Kind::TermsAccepted,
        person: Some(person),
        what: json!({
            "terms": ticked.number,
            "text_sha256": ticked.text_sha256,
            "means": means.name(),
            "accepted_ms": ticked.at_ms,
        }),
    };
    let log = log::note(studio, tx, &event).await?;
    let written = on!(tx, conn => {
        sqlx::query(
            "INSERT INTO terms_acceptance (person_id, terms, text_sha256, means, created_ms, log_id) \
             SELECT person.id, CAST($2 AS BIGINT), $3, $4, CAST($5 AS BIGINT), $6 FROM person \
             WHERE person.id = $1 AND person.erasure_id IS NULL \
             ON CONFLICT (person_id, terms) DO NOTHING",
        )
        .bind(person.to_string())
        .bind(ticked.number)
        .bind(&ticked.text_sha256)
        .bind(means.name())
        .bind(ticked.at_ms)
        .bind(log.to_string())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(written == 1)
}

/// One acceptance of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    pub number: i64,
    pub text_sha256: String,
    pub when: Moment,
}

/// All that somebody accepted, the newest first.
pub async fn of_person(studio: &Studio, person: PersonId) -> Result<Vec<Acceptance>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<(i64, String, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT terms, text_sha256, created_ms FROM terms_acceptance WHERE person_id = $1 \
             ORDER BY terms DESC",
        )
        .bind(person.to_string())
        .fetch_all(conn)
        .await
    })?;
    let rows = rows
        .into_iter()
        .map(|(number, text_sha256, ms)| Acceptance {
            number,
            text_sha256,
            when: Moment::from_millis(ms),
        });
    Ok(rows.collect())
}

/// How many with an account accepted what holds, and how many did not; `None` where no terms hold.
pub async fn counted(studio: &Studio) -> Result<Option<(u64, u64)>, Failure> {
    let heads = heads(studio).await?;
    let Some((from, to)) = counting(&heads, studio.clock.now()) else {
        return Ok(None);
    };
    let mut tx = studio.db.read().await?;
    let (all, accepted): (i64, i64) = on!(tx, conn => {
        sqlx::query_as(
            "SELECT COUNT(*), COALESCE(SUM(CASE WHEN EXISTS (SELECT 1 FROM terms_acceptance \
             WHERE terms_acceptance.person_id = account.person_id AND terms_acceptance.terms >= $1 \
             AND terms_acceptance.terms <= $2) THEN 1 ELSE 0 END), 0) \
             FROM account JOIN person ON person.id = account.person_id WHERE person.erasure_id IS NULL",
        )
        .bind(from)
        .bind(to)
        .fetch_one(conn)
        .await
    })?;
    Ok(Some((
        accepted.unsigned_abs(),
        (all - accepted).unsigned_abs(),
    )))
}
