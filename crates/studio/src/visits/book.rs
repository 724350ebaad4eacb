//! What was counted, written once a day is over and when the process ends, and read for those who run the
//! house. Sums of several processes add up: each counted people of its own.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use db::on;
use domain::clock::Moment;

use super::{Cell, DAY_MS, Kind, OTHER, Over, Visits, day_of};
use crate::jobs::worker::Stop;
use crate::{Failure, Studio};

/// For how long the counts of a day are kept.
pub const KEPT_MS: i64 = 2 * 365 * DAY_MS;
/// How often it is looked whether a day is over, if nobody comes.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// The longest time that is read at once.
pub const MAX_DAYS_READ: i64 = 366;
/// Names of each kind that are told; the rest is many small ones.
const MAX_TOLD: usize = 50;

/// Writes what is over; gives how many sums.
pub async fn publish(studio: &Studio, visits: &Visits) -> Result<u32, Failure> {
    write(studio, visits, false).await
}

/// Writes today's as well: the process ends.
pub async fn close(studio: &Studio, visits: &Visits) -> Result<u32, Failure> {
    write(studio, visits, true).await
}

async fn write(studio: &Studio, visits: &Visits, all: bool) -> Result<u32, Failure> {
    let over = visits.take_over(studio.clock.now(), all);
    if over.is_empty() {
        return Ok(0);
    }
    let written = add(studio, &over).await;
    if written.is_err() {
        visits.put_back(studio.clock.now(), over);
    }
    written
}

async fn add(studio: &Studio, over: &VecDeque<Over>) -> Result<u32, Failure> {
    let mut written = 0;
    let mut tx = studio.db.write().await?;
    for one in over {
        for (kind, name, cell) in &one.cells {
            on!(tx, conn => {
                sqlx::query(
                    "INSERT INTO visit_count (day_ms, kind, name, times, people) \
                     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (day_ms, kind, name) DO UPDATE SET \
                     times = visit_count.times + excluded.times, \
                     people = visit_count.people + excluded.people",
                )
                .bind(one.day.as_millis())
                .bind(kind.name())
                .bind(name)
                .bind(i64::try_from(cell.times).unwrap_or(i64::MAX))
                .bind(i64::try_from(cell.people).unwrap_or(i64::MAX))
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
            })?;
            written += 1;
        }
    }
    tx.commit().await?;
    Ok(written)
}

/// Writes each day once it is over, until told to stop.
pub async fn keep_publishing(studio: Studio, visits: Visits, stop: Stop) {
    while !stop.is_set() {
        if let Err(error) = publish(&studio, &visits).await {
            tracing::error!(%error, "what was counted could not be written; trying again");
        }
        let now = studio.clock.now();
        let midnight = day_of(now).plus_millis(DAY_MS);
        let left_ms = midnight.as_millis() - now.as_millis();
        let left = Duration::from_millis(left_ms.unsigned_abs());
        tokio::select! {
            () = tokio::time::sleep(left.min(LOOK_EVERY)) => {}
            () = stop.set() => {}
        }
    }
}

/// The counts of some days.
#[derive(Clone, Debug)]
pub struct Report {
    /// Every day from the first to the last.
    pub days: Vec<Day>,
    /// Each kind with its names, the most first.
    pub kinds: BTreeMap<Kind, Vec<(String, Cell)>>,
}

/// What is told of one day; nothing where fewer than [`super::CROWD`] people did it.
#[derive(Clone, Copy, Debug)]
pub struct Day {
    pub begins: Moment,
    pub visits: Option<Cell>,
    pub pictures: Option<u64>,
    pub sign_ups: Option<u64>,
}

impl Report {
    #[must_use]
    pub fn of(&self, kind: Kind) -> &[(String, Cell)] {
        self.kinds.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// All names of a kind together.
    #[must_use]
    pub fn sum(&self, kind: Kind) -> Cell {
        let cells = self.of(kind).iter();
        cells.fold(Cell::default(), |sum, (_, cell)| Cell {
            times: sum.times + cell.times,
            people: sum.people + cell.people,
        })
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    kind: String,
    name: String,
    times: i64,
    people: i64,
}

#[derive(sqlx::FromRow)]
struct DayRow {
    day_ms: i64,
    kind: String,
    times: i64,
    people: i64,
}

/// The days from the one of `first` to the one of `last`, at most [`MAX_DAYS_READ`], the newest of them. Only days
/// that are over are told: who looks twice on one day could reckon who came in between.
pub async fn report(studio: &Studio, first: Moment, last: Moment) -> Result<Report, Failure> {
    let today = day_of(studio.clock.now());
    let end = day_of(last).plus_millis(DAY_MS).min(today);
    let first = day_of(first).max(end.plus_millis(-MAX_DAYS_READ * DAY_MS));
    let mut tx = studio.db.read().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT kind, name, CAST(SUM(times) AS BIGINT) AS times, \
             CAST(SUM(people) AS BIGINT) AS people FROM visit_count \
             WHERE day_ms >= $1 AND day_ms < $2 GROUP BY kind, name ORDER BY kind, 3 DESC, name",
        )
        .bind(first.as_millis())
        .bind(end.as_millis())
        .fetch_all(conn)
        .await
    })?;
    let by_day: Vec<DayRow> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT day_ms, kind, CAST(SUM(times) AS BIGINT) AS times, \
             CAST(SUM(people) AS BIGINT) AS people FROM visit_count \
             WHERE day_ms >= $1 AND day_ms < $2 AND kind IN ('visits', 'model', 'sign_up') \
             GROUP BY day_ms, kind",
        )
        .bind(first.as_millis())
        .bind(end.as_millis())
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    let mut kinds: BTreeMap<Kind, Vec<(String, Cell)>> = BTreeMap::new();
    for row in rows {
        // What is not counted any more is not told.
        if let Some(kind) = Kind::named(&row.kind) {
            let names = kinds.entry(kind).or_default();
            names.push((row.name, cell(row.times, row.people)));
        }
    }
    kinds.values_mut().for_each(shorten);
    let told = |begins: Moment, kind: Kind| {
        let mut rows = by_day.iter();
        let row = rows.find(|row| row.day_ms == begins.as_millis() && row.kind == kind.name());
        row.map(|row| cell(row.times, row.people))
    };
    let mut days = Vec::new();
    let mut begins = first;
    while begins < end {
        days.push(Day {
            begins,
            visits: told(begins, Kind::Visits),
            pictures: told(begins, Kind::Model).map(|cell| cell.times),
            sign_ups: told(begins, Kind::SignUp).map(|cell| cell.times),
        });
        begins = begins.plus_millis(DAY_MS);
    }
    Ok(Report { days, kinds })
}

/// Leaves the first names, and all others as one at the end.
fn shorten(names: &mut Vec<(String, Cell)>) {
    let (mut told, rest): (Vec<_>, Vec<_>) = names.drain(..).partition(|(name, _)| name != OTHER);
    let more = told.split_off(told.len().min(MAX_TOLD));
    let rest = rest.into_iter().chain(more);
    let other = rest.fold(Cell::default(), |sum, (_, cell)| Cell {
        times: sum.times + cell.times,
        people: sum.people + cell.people,
    });
    if other != Cell::default() {
        told.push((OTHER.to_owned(), other));
    }
    *names = told;
}

const fn cell(times: i64, people: i64) -> Cell {
    Cell {
        times: times.unsigned_abs(),
        people: people.unsigned_abs(),
    }
}
