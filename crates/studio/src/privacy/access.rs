//! Everything that is kept of one person: counted for a page, and read for an archive. Made from the
//! inventory, so that what is declared is also what is handed out.

use std::collections::HashMap;

use db::on;
use domain::clock::Moment;
use domain::ids::PersonId;

use super::inventory::{Category, Column, Holds, Of, Stored, TABLES, Table};
use super::keys::{Place, Reading};
use crate::{Failure, Studio};

/// How many rows of a table are about a person.
#[derive(Clone, Copy, Debug)]
pub struct Holding {
    pub table: &'static Table,
    pub rows: u64,
}

/// Tables that can hold something of somebody.
pub fn tables() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().filter(|table| table.of != Of::Nobody)
}

/// What is kept of a person, table by table, also where that is nothing.
pub async fn holdings(studio: &Studio, person: PersonId) -> Result<Vec<Holding>, Failure> {
    let mut tx = studio.db.read().await?;
    let mut all = Vec::new();
    for table in tables() {
        let whose = whose_to_tell(studio.clock.now(), table);
        let statement = format!("SELECT COUNT(*) FROM {} WHERE {whose}", table.name);
        let rows: i64 = on!(tx, conn => {
            sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
                .bind(person.to_string())
                .fetch_one(conn)
                .await
        })?;
        let rows = rows.unsigned_abs();
        all.push(Holding { table, rows });
    }
    Ok(all)
}

/// The condition that finds a person's rows.
pub(super) fn whose(table: &Table) -> String {
    match table.of {
        Of::Person(column) => format!("{column} = $1"),
        Of::Row {
            column,
            table: parent,
            key,
        } => format!("{column} IN (SELECT {key} FROM {parent} WHERE person_id = $1)"),
        Of::Nobody => "$1 = ''".to_owned(),
    }
}

/// The same, without what a law forbids to tell its person.
pub(super) fn whose_to_tell(now: Moment, table: &Table) -> String {
    let whose = whose(table);
    match table.name {
        "legal_hold" => {
            format!("{whose} AND told_from_ms <= {}", now.as_millis())
        }
        "disclosure" => format!(
            "{whose} AND (gag_until_ms IS NULL OR gag_until_ms <= {})",
            now.as_millis()
        ),
        _ => whose,
    }
}

/// Whether a column is handed out: all are but those by which one signs in, which would only help a
/// thief of the archive.
#[must_use]
pub const fn is_handed_out(column: &Column) -> bool {
    match column.holds {
        Holds::Datum(datum) => {
            !matches!(datum.category, Category::Credentials | Category::Password)
        }
        Holds::Inner => true,
    }
}

/// Rows with what is sealed in them readable again, by a right of their person. A row whose key went while it was read is left
/// out.
pub(super) async fn opened(
    studio: &Studio,
    person: PersonId,
    table: &'static Table,
    columns: &[&'static Column],
    rows: &[(String, Vec<Option<String>>)],
    by_right: fn(Place) -> Reading,
) -> Result<Vec<Vec<Option<String>>>, Failure> {
    let own = studio.keys.of(person).await?;
    let mut objects = HashMap::new();
    if columns
        .iter()
        .any(|column| column.stored == Stored::SealedByObject)
    {
        let ids: Vec<&str> = rows.iter().map(|(id, _)| id.as_str()).collect();
        objects = studio.keys.objects(&ids).await?;
    }
    let mut readable = Vec::new();
    'rows: for (id, row) in rows {
        let mut row = row.clone();
        for (at, column) in columns.iter().enumerate() {
            let reading = by_right(Place::new(table.name, column.name));
            // Emptied once it was sent, a letter says nothing any more; nor does a private order.
            if row[at].as_ref().is_none_or(String::is_empty) {
                continue;
            }
            let cipher = match column.stored {
                Stored::Sealed => own.clone(),
                Stored::SealedByObject => match objects.get(id) {
                    Some(keys) => keys.words()?,
                    None => continue 'rows,
                },
                Stored::SealedByHouse => studio.keys.nobody(),
                Stored::Plain | Stored::Blind(_) => continue,
            };
            if let Some(text) = row[at].as_mut() {
                *text = cipher.open(reading, id, text)?.into_exposed();
            }
        }
        readable.push(row);
    }
    Ok(readable)
}
