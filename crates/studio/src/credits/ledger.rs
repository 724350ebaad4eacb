//! The ledger: entries that are added and never changed, and the balances that they sum to.

use db::{Tx, on};
use domain::clock::Moment;
use domain::credits::Credits;
use domain::ids::{EntryId, GrantId, JobId, PersonId};

use crate::{Failure, Studio};

/// What an entry does, in the words of accounting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The house gave credits.
    Grant,
    /// A job's quote was put aside.
    Hold,
    /// A job is over and brought something: that was charged, and the rest came back.
    Capture,
    /// A job is over and brought nothing: all came back.
    Void,
    /// A grant ended with something left of it.
    Expiry,
    /// Somebody handed credits on to an organisation of theirs.
    Gift,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::Grant,
        Self::Hold,
        Self::Capture,
        Self::Void,
        Self::Expiry,
        Self::Gift,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Hold => "hold",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Expiry => "expiry",
            Self::Gift => "gift",
        }
    }
}

/// One entry to be: how it changes each of the five accounts.
#[derive(Debug)]
pub(super) struct Movement {
    pub(super) kind: Kind,
    /// Unique for all time.
    pub(super) cause: String,
    pub(super) job: Option<JobId>,
    pub(super) grant: Option<GrantId>,
    pub(super) available: Credits,
    pub(super) held: Credits,
    pub(super) issued: Credits,
    pub(super) revenue: Credits,
    pub(super) expired: Credits,
}

impl Movement {
    pub(super) const fn new(kind: Kind, cause: String) -> Self {
        Self {
            kind,
            cause,
            job: None,
            grant: None,
            available: Credits::ZERO,
            held: Credits::ZERO,
            issued: Credits::ZERO,
            revenue: Credits::ZERO,
            expired: Credits::ZERO,
        }
    }
}

/// Takes hold of a person's accounts until the transaction ends, so that everything read after
/// this still holds when something is written. `false` where the person has none.
///
/// Everything that touches a person's grants and holds begins with this: one order for all locks.
pub(super) async fn lock(tx: &mut Tx, person: PersonId) -> Result<bool, Failure> {
    let locked = on!(tx, conn => {
        sqlx::query("UPDATE balance SET entries = entries WHERE person_id = $1")
            .bind(person.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(locked > 0)
}

/// Writes an entry and moves the balance with it. `false` where that would take more than there
/// is: then nothing was written.
pub(super) async fn post(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    now: Moment,
    movement: &Movement,
) -> Result<bool, Failure> {
    let moved: Option<(i64, i64, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "UPDATE balance SET available = available + $2, held = held + $3, entries = entries + 1 \
             WHERE person_id = $1 AND available + $2 >= 0 AND held + $3 >= 0 \
             RETURNING available, held, entries",
        )
        .bind(person.to_string())
        .bind(movement.available.get())
        .bind(movement.held.get())
        .fetch_optional(conn)
        .await
    })?;
    let Some((available, held, ordinal)) = moved else {
        return Ok(false);
    };
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO entry (id, person_id, ordinal, kind, cause, job_id, grant_id, available, \
             held, issued, revenue, expired, available_after, held_after, created_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        )
        .bind(EntryId::new(now, &studio.randomness).to_string())
        .bind(person.to_string())
        .bind(ordinal)
        .bind(movement.kind.name())
        .bind(&movement.cause)
        .bind(movement.job.map(|id| id.to_string()))
        .bind(movement.grant.map(|id| id.to_string()))
        .bind(movement.available.get())
        .bind(movement.held.get())
        .bind(movement.issued.get())
        .bind(movement.revenue.get())
        .bind(movement.expired.get())
        .bind(available)
        .bind(held)
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(true)
}

/// The sums of the whole ledger. They sum to zero: what the house issued is somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct House {
    pub available: Credits,
    pub held: Credits,
    /// Below zero by what was given out.
    pub issued: Credits,
    pub revenue: Credits,
    pub expired: Credits,
}

pub async fn house(studio: &Studio) -> Result<House, Failure> {
    let mut tx = studio.db.read().await?;
    let (available, held, issued, revenue, expired): (i64, i64, i64, i64, i64) = on!(tx, conn => {
        sqlx::query_as(
            "SELECT CAST(COALESCE(SUM(available), 0) AS BIGINT), CAST(COALESCE(SUM(held), 0) AS BIGINT), \
             CAST(COALESCE(SUM(issued), 0) AS BIGINT), CAST(COALESCE(SUM(revenue), 0) AS BIGINT), \
             CAST(COALESCE(SUM(expired), 0) AS BIGINT) FROM entry",
        )
        .fetch_one(conn)
        .await
    })?;
    Ok(House {
        available: Credits::new(available),
        held: Credits::new(held),
        issued: Credits::new(issued),
        revenue: Credits::new(revenue),
        expired: Credits::new(expired),
    })
}

/// Rules that the books keep, each with a query that finds whatever breaks it.
const RULES: &[(&str, &str)] = &[
    (
        "who has an account is metered",
        "SELECT account.person_id FROM account \
         LEFT JOIN balance ON balance.person_id = account.person_id WHERE balance.person_id IS NULL",
    ),
    (
        "an entry sums to zero",
        "SELECT id FROM entry WHERE available + held + issued + revenue + expired <> 0",
    ),
    (
        "a balance is the sum of its entries",
        "SELECT balance.person_id FROM balance LEFT JOIN entry ON entry.person_id = balance.person_id \
         GROUP BY balance.person_id, balance.available, balance.held, balance.entries \
         HAVING balance.available <> COALESCE(SUM(entry.available), 0) \
         OR balance.held <> COALESCE(SUM(entry.held), 0) OR balance.entries <> COUNT(entry.id)",
    ),
    (
        "each line of a statement is the one before and its change",
        "SELECT id FROM (SELECT id, available_after, held_after, \
         SUM(available) OVER (PARTITION BY person_id ORDER BY ordinal) AS available_sum, \
         SUM(held) OVER (PARTITION BY person_id ORDER BY ordinal) AS held_sum FROM entry) AS lines \
         WHERE available_after <> available_sum OR held_after <> held_sum",
    ),
    (
        "what is available is left of some grant",
        "SELECT balance.person_id FROM balance \
         LEFT JOIN credit_grant ON credit_grant.person_id = balance.person_id \
         GROUP BY balance.person_id, balance.available \
         HAVING balance.available <> COALESCE(SUM(credit_grant.remaining), 0)",
    ),
    (
        "what is held belongs to an open hold",
        "SELECT balance.person_id FROM balance \
         LEFT JOIN hold ON hold.person_id = balance.person_id AND hold.settled_ms IS NULL \
         GROUP BY balance.person_id, balance.held HAVING balance.held <> COALESCE(SUM(hold.quoted), 0)",
    ),
    (
        "an open hold came from grants, a settled one is let go",
        "SELECT hold.job_id FROM hold LEFT JOIN hold_part ON hold_part.job_id = hold.job_id \
         GROUP BY hold.job_id, hold.quoted, hold.settled_ms \
         HAVING COALESCE(SUM(hold_part.credits), 0) <> CASE WHEN hold.settled_ms IS NULL THEN hold.quoted ELSE 0 END",
    ),
    (
        "a hold has one entry that made it, and one that ended it where it is settled",
        "SELECT hold.job_id FROM hold LEFT JOIN entry ON entry.job_id = hold.job_id \
         GROUP BY hold.job_id, hold.settled_ms, hold.charged \
         HAVING COUNT(entry.id) <> CASE WHEN hold.settled_ms IS NULL THEN 1 ELSE 2 END \
         OR SUM(entry.revenue) <> COALESCE(hold.charged, 0)",
    ),
    (
        "a hold is open while its job is, and no longer",
        "SELECT hold.job_id FROM hold LEFT JOIN job ON job.id = hold.job_id \
         WHERE hold.settled_ms IS NULL AND COALESCE(job.state, 'missing') NOT IN ('queued', 'drawing')",
    ),
    (
        "a key's spending is what its jobs were charged or hold",
        "SELECT key_spending.key_id FROM key_spending LEFT JOIN hold ON hold.key_id = key_spending.key_id \
         GROUP BY key_spending.key_id, key_spending.spent \
         HAVING key_spending.spent <> COALESCE(SUM(COALESCE(hold.charged, hold.quoted)), 0)",
    ),
];

/// Reads the books: every rule that is broken, with where. Empty where all is well.
pub async fn audit(studio: &Studio) -> Result<Vec<String>, Failure> {
    let mut tx = studio.db.read().await?;
    let mut found = Vec::new();
    for (rule, query) in RULES {
        let broken: Vec<String> = on!(tx, conn => {
            sqlx::query_scalar(*query).fetch_all(conn).await
        })?;
        found.extend(
            broken
                .into_iter()
                .map(|id| format!("{id}: not so that {rule}")),
        );
    }
    Ok(found)
}
