//! Who comes when: round-robin between people, then by age.
//!
//! Each waiting job has a turn. A person's jobs take one turn after the other, as many as they
//! have pictures; the first takes the turn that is being served, so that whoever comes anew waits
//! for one picture of everybody else and for no more. This is start-time fair queueing (Goyal,
//! Vin and Cheng, 1996) with pictures as the unit. Tiers come before turns: they are an operator's
//! setting, and everybody has the same unless one was changed.

use db::{Db, Tx, on};
use domain::clock::Moment;
use domain::ids::{JobId, PersonId};
use serde_json::json;

use crate::privacy::keeping::Keep;
use crate::privacy::log::{self, Event, Kind};
use crate::privacy::restriction::{self, Operation};
use crate::{Failure, Limits, Studio};

/// Where a job stands in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) tier: i64,
    pub(crate) turn: i64,
    /// How long the person wants to keep what is drawn.
    pub(crate) keep: Keep,
}

/// Why a job may not join the line now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotNow {
    /// The line is as long as it may be.
    Full { waiting: u32, retry_after_s: u32 },
    /// The person has as many jobs in it as one person may.
    OwnFull { waiting: u32, retry_after_s: u32 },
    /// The person ordered faster than allowed.
    TooFast { retry_after_s: u32 },
    /// What the person ordered so far is being forgotten, or the person is.
    Erasing,
    /// The account is restricted.
    Restricted,
}

/// How many more orders a person may place now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Orders a minute, and at most at once.
    pub limit: u32,
    pub remaining: u32,
    /// Until `remaining` is `limit` again.
    pub reset_ms: u64,
}

/// Lets a new job of `pictures` pictures join the line, unless a limit stands against it. The
/// person's row is locked from here to the end of the transaction, so that two orders of one
/// person can't pass a limit together.
pub(crate) async fn join(
    tx: &mut Tx,
    limits: &Limits,
    person: PersonId,
    pictures: u32,
    now: Moment,
) -> Result<Result<Place, NotNow>, Failure> {
    let there: Option<(i64, i64, i64, Option<i64>)> = on!(tx, conn => {
        sqlx::query_as(
            "UPDATE person SET turn = turn WHERE id = $1 AND erasure_id IS NULL \
             RETURNING turn, tier, paced_until_ms, kept_ms",
        )
        .bind(person.to_string())
        .fetch_optional(conn)
        .await
    })?;
    let Some((turn, tier, paced_until_ms, kept_ms)) = there else {
        return Ok(Err(NotNow::Erasing));
    };
    if !Operation::Order.is_done_in(restriction::mode_in(tx, person).await?) {
        return Ok(Err(NotNow::Restricted));
    }
    let pacing = Pacing::of(limits);
    let paced_until_ms = match pacing.next(paced_until_ms, now) {
        Ok(next) => next,
        Err(wait_ms) => {
            let retry_after_s = seconds(wait_ms);
            return Ok(Err(NotNow::TooFast { retry_after_s }));
        }
    };
    let (own, all, served): (i64, i64, i64) = on!(tx, conn => {
        sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM job WHERE state = 'queued' AND person_id = $1), \
             (SELECT COUNT(*) FROM job WHERE state = 'queued'), turn FROM queue WHERE id = 1",
        )
        .bind(person.to_string())
        .fetch_one(conn)
        .await
    })?;
    if let Some(why) = not_now(tx, limits, (person, own), all, now).await? {
        return Ok(Err(why));
    }
    let turn = turn.max(served);
    on!(tx, conn => {
        sqlx::query("UPDATE person SET turn = $2, paced_until_ms = $3 WHERE id = $1")
            .bind(person.to_string())
            .bind(turn + i64::from(pictures))
            .bind(paced_until_ms)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    let keep = Keep::of_stored(kept_ms);
    Ok(Ok(Place { tier, turn, keep }))
}

async fn not_now(
    tx: &mut Tx,
    limits: &Limits,
    (person, own): (PersonId, i64),
    all: i64,
    now: Moment,
) -> Result<Option<NotNow>, Failure> {
    if own >= i64::from(limits.max_waiting_jobs_each) {
        let first: Option<String> = on!(tx, conn => {
            sqlx::query_scalar(
                "SELECT id FROM job WHERE state = 'queued' AND person_id = $1 \
                 ORDER BY tier, turn, created_ms, id LIMIT 1",
            )
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
        })?;
        let ahead = match first {
            Some(first) => ahead(tx, &first).await?,
            None => 0,
        };
        return Ok(Some(NotNow::OwnFull {
            waiting: whole(own),
            retry_after_s: estimate(tx, ahead + 1, now).await?,
        }));
    }
    full(tx, all, all >= i64::from(limits.max_waiting_jobs), now).await
}

/// Held by whoever joins the line.
const JOINING: i64 = 0x7069_6e68_6f6c_6532;
/// More than a database server runs transactions at once. While the line may grow by as many, all may
/// join together; beyond that, one after the other, and none sees less than there is.
const MAX_JOINING: i64 = 1_000;

/// How jobs join the line where several processes take orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joining {
    Together,
    Alone,
}

/// Remembers how far the transaction is before a job joins the line together with others, or goes back there
/// before it joins alone: with what was written since, its part in the others' lock is given up, without which
/// two of them would wait for each other.
pub(crate) async fn mark(db: &Db, tx: &mut Tx, joining: Joining) -> Result<(), Failure> {
    if !db.is_shared() {
        return Ok(());
    }
    let statement = match joining {
        Joining::Together => "SAVEPOINT joining",
        Joining::Alone => "ROLLBACK TO SAVEPOINT joining",
    };
    on!(tx, conn => {
        sqlx::query(statement).execute(conn).await.map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// What the last look at the line says, before a job is in it.
pub(crate) enum LastLook {
    Joined,
    /// Only whoever joins alone can tell whether there is room.
    Crowded,
    Full(NotNow),
}

/// Looks at the line with the new job of this transaction in it. Its lock is the transaction's last.
pub(crate) async fn look(
    tx: &mut Tx,
    limits: &Limits,
    joining: Joining,
    now: Moment,
) -> Result<LastLook, Failure> {
    match joining {
        Joining::Together => tx.share(JOINING).await?,
        Joining::Alone => tx.seclude(JOINING).await?,
    }
    let all: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM job WHERE state = 'queued'").fetch_one(conn).await
    })?;
    let max = i64::from(limits.max_waiting_jobs);
    if joining == Joining::Together && all + MAX_JOINING > max {
        return Ok(LastLook::Crowded);
    }
    let full = full(tx, all - 1, all > max, now).await?;
    Ok(full.map_or(LastLook::Joined, LastLook::Full))
}

async fn full(
    tx: &mut Tx,
    waiting: i64,
    is_full: bool,
    now: Moment,
) -> Result<Option<NotNow>, Failure> {
    if !is_full {
        return Ok(None);
    }
    Ok(Some(NotNow::Full {
        waiting: whole(waiting),
        retry_after_s: estimate(tx, 1, now).await?,
    }))
}

/// Locks the person's row until the transaction ends: nothing else of theirs joins the line or
/// leaves it.
pub(crate) async fn lock(tx: &mut Tx, person: PersonId) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("UPDATE person SET turn = turn WHERE id = $1")
            .bind(person.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Jobs that come before a waiting one.
pub(crate) async fn ahead(tx: &mut Tx, id: &str) -> Result<u32, Failure> {
    let ahead: i64 = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM job AS other WHERE other.state = 'queued' AND \
             (other.tier, other.turn, other.created_ms, other.id) < \
             (SELECT tier, turn, created_ms, id FROM job WHERE id = $1)",
        )
        .bind(id)
        .fetch_one(conn)
        .await
    })?;
    Ok(whole(ahead))
}

/// Seconds until so many jobs will have left the line, by how fast the last ones were drawn.
async fn estimate(tx: &mut Tx, leaving: u32, now: Moment) -> Result<u32, Failure> {
    let ends: Vec<i64> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT finished_ms FROM job WHERE state = 'done' AND finished_ms > $1 \
             ORDER BY finished_ms DESC LIMIT 20",
        )
        .bind(now.as_millis() - REMEMBERED_MS)
        .fetch_all(conn)
        .await
    })?;
    let each_ms = match (ends.first(), ends.last()) {
        (Some(last), Some(first)) if ends.len() > 1 => {
            (last - first) / (i64::try_from(ends.len()).unwrap_or(i64::MAX) - 1)
        }
        _ => UNKNOWN_MS,
    };
    Ok(seconds(each_ms.saturating_mul(i64::from(leaving))))
}

/// Older drawings tell nothing about how fast it goes now.
const REMEMBERED_MS: i64 = 10 * 60_000;
/// What a job takes where none was drawn lately.
const UNKNOWN_MS: i64 = 10_000;
const MAX_RETRY_AFTER_S: i64 = 3_600;

fn seconds(ms: i64) -> u32 {
    u32::try_from(((ms + 999) / 1000).clamp(1, MAX_RETRY_AFTER_S)).unwrap_or(1)
}

fn whole(count: i64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// How many orders a person may still place now.
pub async fn pace(studio: &Studio, person: PersonId) -> Result<Pace, Failure> {
    let mut tx = studio.db.read().await?;
    let paced_until_ms: Option<i64> = on!(tx, conn => {
        sqlx::query_scalar("SELECT paced_until_ms FROM person WHERE id = $1")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    let pacing = Pacing::of(&studio.limits);
    Ok(pacing.pace(paced_until_ms.unwrap_or(0), studio.clock.now()))
}

/// A leaky bucket, kept as the moment at which it will have run empty (the generic cell rate
/// algorithm of ITU-T I.371).
#[derive(Clone, Copy)]
struct Pacing {
    limit: u32,
    each_ms: i64,
}

impl Pacing {
    fn of(limits: &Limits) -> Self {
        let limit = limits.max_orders_per_minute.max(1);
        Self {
            limit,
            each_ms: (60_000 / i64::from(limit)).max(1),
        }
    }

    fn whole_ms(self) -> i64 {
        self.each_ms * i64::from(self.limit)
    }

    /// The moment after one more order, or how long to wait before it.
    fn next(self, until_ms: i64, now: Moment) -> Result<i64, i64> {
        let next = until_ms.max(now.as_millis()) + self.each_ms;
        let too_much = next - now.as_millis() - self.whole_ms();
        if too_much > 0 {
            Err(too_much)
        } else {
            Ok(next)
        }
    }

    fn pace(self, until_ms: i64, now: Moment) -> Pace {
        let used_ms = (until_ms - now.as_millis()).max(0);
        let remaining = (self.whole_ms() - used_ms).max(0) / self.each_ms;
        Pace {
            limit: self.limit,
            remaining: whole(remaining),
            reset_ms: u64::try_from(used_ms).unwrap_or(0),
        }
    }
}

/// A person's queued job was cancelled: its turns are theirs again.
pub(crate) async fn give_back(tx: &mut Tx, person: PersonId, pictures: u32) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("UPDATE person SET turn = turn - $2 WHERE id = $1")
            .bind(person.to_string())
            .bind(i64::from(pictures))
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// The furthest that an operator may put a person before, or after, everybody else.
pub const MAX_PRIORITY: i32 = 100;

/// Serves a person's future jobs before (above 0) or after (below 0) everybody else's.
pub async fn set_priority(
    studio: &Studio,
    person: PersonId,
    priority: i32,
) -> Result<bool, Failure> {
    let mut tx = studio.db.write().await?;
    let changed = on!(tx, conn => {
        sqlx::query("UPDATE person SET tier = $2 WHERE id = $1")
            .bind(person.to_string())
            .bind(-i64::from(priority))
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    if changed > 0 {
        let event = Event {
            kind: Kind::PriorityChanged,
            person: Some(person),
            what: json!({ "to": priority }),
        };
        log::note(studio, &mut tx, &event).await?;
    }
    tx.commit().await?;
    Ok(changed > 0)
}

/// Every waiting job, in the order of the line.
pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<JobId>, Failure> {
    let ids: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT id FROM job WHERE state = 'queued' ORDER BY tier, turn, created_ms, id")
            .fetch_all(conn)
            .await
    })?;
    let ids = ids.iter().map(|id| {
        id.parse()
            .map_err(|_| Failure::Row(format!("job id {id:?}")))
    });
    ids.collect()
}
