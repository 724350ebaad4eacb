//! Whom a breach concerns: found in the log, which nobody can rewrite, and in the tables, for the time of
//! the breach.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{BreachId, PersonId};

use super::{BreachError, locked};
use crate::privacy::access;
use crate::privacy::inventory::{Of, Table};
use crate::privacy::log::{self, Kind};
use crate::privacy::looking::reader_hash;
use crate::{Failure, Studio};

/// By what somebody is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Affected {
    /// Everybody who was here.
    Everyone,
    /// Whoever has a row in this table that was there before the breach ended.
    Kept(String),
    /// Whoever signed in meanwhile, by the log: whose session or password may be known.
    SignedIn,
    /// Whose data were taken along meanwhile, by the log.
    TakenAlong,
    /// Whom this one of the staff looked at meanwhile, by the log.
    LookedAt(PersonId),
}

impl Affected {
    const fn name(&self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Kept(_) => "kept",
            Self::SignedIn => "signed_in",
            Self::TakenAlong => "taken_along",
            Self::LookedAt(_) => "looked_at",
        }
    }
}

/// The tables of people, of which each row names its person.
pub fn tables() -> impl Iterator<Item = (&'static Table, &'static str)> {
    access::tables().filter_map(|table| match table.of {
        Of::Person(column) => Some((table, column)),
        Of::Row { .. } | Of::Nobody => None,
    })
}

/// Finds whom it concerns and writes them down, each once; gives how many are new.
pub async fn find(studio: &Studio, id: BreachId, by: &Affected) -> Result<u64, BreachError> {
    let mut tx = studio.db.write().await?;
    let breach = locked(&mut tx, id).await?;
    if breach.closed_ms.is_some() {
        return Err(BreachError::Over);
    }
    let from = Moment::from_millis(breach.began_ms);
    let until = Moment::from_millis(breach.until_ms);
    let people = match by {
        Affected::Everyone => kept(&mut tx, "person", until).await?,
        Affected::Kept(table) => kept(&mut tx, table, until).await?,
        Affected::SignedIn => log::whose(&mut tx, Kind::SignedIn, from, until).await?,
        Affected::TakenAlong => log::whose(&mut tx, Kind::TakenAlong, from, until).await?,
        Affected::LookedAt(reader) => {
            let reader = reader_hash(studio, *reader);
            log::looked_at_by(studio, &mut tx, &reader, from, until).await?
        }
    };
    let now = studio.clock.now().as_millis();
    let mut found = 0;
    for person in people {
        // Who is gone, or is going, has no row.
        found += on!(tx, conn => {
            sqlx::query(
                "INSERT INTO breach_person (breach_id, person_id, found_by, found_ms) \
                 SELECT $1, person.id, $3, $4 FROM person WHERE person.id = $2 \
                 AND person.erasure_id IS NULL ON CONFLICT DO NOTHING",
            )
            .bind(id.to_string())
            .bind(&person)
            .bind(by.name())
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
    }
    tx.commit().await?;
    Ok(found)
}

/// Whoever has something there that is from before the end of the breach; what has no time of its own counts
/// in any case.
async fn kept(tx: &mut Tx, name: &str, until: Moment) -> Result<Vec<String>, BreachError> {
    let mut known = tables();
    let known = known.find(|(table, _)| table.name == name);
    let (table, column) = known.ok_or_else(|| BreachError::Table(name.to_owned()))?;
    let has = |name: &str| table.columns.iter().any(|column| column.name == name);
    let before = match has("created_ms") {
        true => format!(" AND created_ms <= {}", until.as_millis()),
        false => String::new(),
    };
    let statement = format!(
        "SELECT DISTINCT {column} FROM {} WHERE {column} IS NOT NULL{before}",
        table.name
    );
    let people: Result<Vec<String>, sqlx::Error> = on!(tx, conn => {
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_all(conn).await
    });
    Ok(people.map_err(Failure::from)?)
}
