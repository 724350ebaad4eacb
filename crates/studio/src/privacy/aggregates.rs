//! What somebody who may take the house over gets to see of it before they do: how much is done here each
//! month, of groups of at least [`CROWD`] people, and nothing of anybody.
//!
//! Architecture invariant: no statement in here gives out a column of a person, only counts of them.

use std::collections::HashMap;

use db::{Tx, on};
use domain::clock::Moment;
use serde_json::{Value, json};

use crate::visits::{CROWD, Cell, Kind, OTHER, fold};
use crate::{Failure, Studio};

/// Says what the document is, and which edition of its fields it has.
const KIND: &str = "pinhole/aggregates/1";
/// Months that are told one by one. Always as many, so that an empty one is like one with few people.
const MONTHS: i64 = 24;
/// Whatever was before them.
const EARLIER: &str = "earlier";
const FEW: &str = "fewer than 10 people, or told with such months";

/// The people who did something in a span of time, how often, and what one person did of it at most. Whoever
/// restricted their account or objects to being counted is not in it.
macro_rules! counted {
    ($table:literal, $times:literal, $when:literal) => {
        concat!(
            "SELECT COUNT(*) AS people, CAST(COALESCE(SUM(times), 0) AS BIGINT) AS times, \
             CAST(COALESCE(MAX(times), 0) AS BIGINT) AS most FROM (SELECT CAST(",
            $times,
            " AS BIGINT) AS times FROM ",
            $table,
            " WHERE person_id IS NOT NULL AND ",
            $when,
            " >= $1 AND ",
            $when,
            " < $2 AND NOT EXISTS (SELECT 1 FROM restriction WHERE restriction.person_id = ",
            $table,
            ".person_id) AND NOT EXISTS (SELECT 1 FROM objection WHERE objection.person_id = ",
            $table,
            ".person_id AND objection.purpose = 'analytics') GROUP BY person_id) AS each_of_them"
        )
    };
}

struct Measure {
    name: &'static str,
    words: &'static str,
    /// Which of the rules of crowds holds: whether each person stands in one month alone.
    rule: Kind,
    statement: &'static str,
}

const MEASURES: [Measure; 5] = [
    Measure {
        name: "accounts",
        words: "Accounts that were made and are still there",
        rule: Kind::SignUp,
        statement: counted!("account", "COUNT(*)", "created_ms"),
    },
    Measure {
        name: "orders",
        words: "Orders of pictures that are still there",
        rule: Kind::Model,
        statement: counted!("job", "COUNT(*)", "created_ms"),
    },
    Measure {
        name: "pictures",
        words: "Pictures that are still there",
        rule: Kind::Model,
        statement: counted!("picture", "COUNT(*)", "created_ms"),
    },
    Measure {
        name: "credits",
        words: "Credits that were given",
        rule: Kind::Model,
        statement: counted!("credit_grant", "SUM(credits)", "created_ms"),
    },
    Measure {
        name: "tickets",
        words: "Tickets to the support by people with an account",
        rule: Kind::Model,
        statement: counted!("ticket", "COUNT(*)", "opened_ms"),
    },
];

/// Months that are over, the first one first: name, first moment, first moment after it.
fn months(now: Moment) -> Result<Vec<(String, Moment, Moment)>, Failure> {
    let civil = now.civil();
    let this = civil.year * 12 + i64::from(civil.month) - 1;
    let begins = |index: i64| {
        let name = format!(
            "{:04}-{:02}",
            index.div_euclid(12),
            index.rem_euclid(12) + 1
        );
        let begins = Moment::start_of_day(&format!("{name}-01"));
        let begins = begins.map_err(|_| Failure::Row(format!("the month {name}")))?;
        Ok::<_, Failure>((name, begins))
    };
    let mut all = Vec::new();
    for index in this - MONTHS..this {
        let (name, from) = begins(index)?;
        let (_, until) = begins(index + 1)?;
        all.push((name, from, until));
    }
    if let Some((_, first, _)) = all.first().cloned() {
        all.insert(
            0,
            (EARLIER.to_owned(), Moment::from_millis(i64::MIN), first),
        );
    }
    Ok(all)
}

/// What the house tells of itself.
pub async fn document(studio: &Studio) -> Result<Value, Failure> {
    let months = months(studio.clock.now())?;
    let mut tx = studio.db.read().await?;
    let mut counts = Vec::new();
    for measure in MEASURES {
        let mut cells = HashMap::new();
        let mut most = HashMap::new();
        for (name, from, until) in &months {
            let (cell, by_one) = count(&mut tx, measure.statement, *from, *until).await?;
            cells.insert(name.clone(), cell);
            most.insert(name.clone(), by_one);
        }
        counts.push(told(&measure, &months, cells, &most));
    }
    Ok(json!({
        "kind": KIND,
        "fewest_people": CROWD,
        "until": months.last().map(|(.., until)| until.as_seconds()),
        "counts": counts,
        "rules": [
            "Only months that are over are told, always the last 24 of them.",
            "A month with fewer than 10 people is told together with others, and so is the smallest of the \
             others where it could be reckoned from the sum.",
            "Numbers of people are rounded down to tens; what they did is rounded down to a power of ten that \
             no one person exceeds.",
            "Whoever restricted their account or objects to statistics is not counted.",
        ],
    }))
}

async fn count(
    tx: &mut Tx,
    statement: &'static str,
    from: Moment,
    until: Moment,
) -> Result<(Cell, u64), Failure> {
    let (people, times, most): (i64, i64, i64) = on!(tx, conn => {
        sqlx::query_as(statement)
            .bind(from.as_millis())
            .bind(until.as_millis())
            .fetch_one(conn)
            .await
    })?;
    let cell = Cell {
        times: times.unsigned_abs(),
        people: people.unsigned_abs(),
    };
    Ok((cell, most.unsigned_abs()))
}

/// One measure, month by month; the months with few people as one at the end.
fn told(
    measure: &Measure,
    months: &[(String, Moment, Moment)],
    cells: HashMap<String, Cell>,
    most: &HashMap<String, u64>,
) -> Value {
    let folded: HashMap<String, Cell> = fold(measure.rule, cells).into_iter().collect();
    // One person can be in several of the months that are told as one.
    let hidden = months
        .iter()
        .filter(|(name, ..)| !folded.contains_key(name));
    let by_one: u64 = hidden.filter_map(|(name, ..)| most.get(name)).sum();
    let together = folded.get(OTHER).map(|cell| rounded(*cell, by_one));
    let months = months.iter().map(|(name, ..)| match folded.get(name) {
        Some(cell) => {
            let by_one = most.get(name).copied().unwrap_or(0);
            json!({ "month": name, "told": rounded(*cell, by_one) })
        }
        None => json!({ "month": name, "told": FEW }),
    });
    json!({
        "what": measure.name,
        "words": measure.words,
        "months": months.collect::<Vec<_>>(),
        "months_with_few_together": together,
    })
}

/// What one person more or less changes by one step at most.
fn rounded(cell: Cell, by_one: u64) -> Value {
    let mut step = CROWD;
    while step < by_one {
        step = step.saturating_mul(10);
    }
    json!({
        "people": cell.people - cell.people % CROWD,
        "times": cell.times - cell.times % step,
        "times_in_steps_of": step,
    })
}
