//! Reads every column of every table, as the database gives it.

use std::collections::BTreeSet;

use db::{Tx, on};
use futures::TryStreamExt;
use sqlx::Row;

use super::super::plan::table;
use super::needles::Needles;
use crate::Failure;
use crate::privacy::inventory::{Erased, Of};

/// What was read, and what was found by the number of its mark.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) columns: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) hits: Vec<Hit>,
}

#[derive(Clone, Debug)]
pub(super) struct Hit {
    pub(super) table: String,
    pub(super) mark: usize,
    /// The row is somebody else's.
    pub(super) is_anothers: bool,
}

/// Names the tables and columns of the database.
async fn catalogue(tx: &mut Tx) -> Result<Vec<(String, Vec<String>)>, Failure> {
    let statement = tx.catalogue();
    let rows: Vec<(String, String, String, i64)> = on!(tx, conn => {
        sqlx::query_as(statement).fetch_all(conn).await
    })?;
    let names: BTreeSet<String> = rows.iter().map(|(table, ..)| table.clone()).collect();
    let columns = |name: &str| {
        let of = rows.iter().filter(|(table, ..)| table == name);
        of.map(|(_, column, ..)| column.clone()).collect()
    };
    Ok(names
        .iter()
        .map(|name| (name.clone(), columns(name)))
        .collect())
}

/// Searches every table; those that the books keep for what they do not keep.
pub(super) async fn search(
    mut tx: Tx,
    person: &str,
    everything: &Needles,
    unkept: &Needles,
) -> Result<Columns, Failure> {
    let mut found = Columns::default();
    for (name, columns) in catalogue(&mut tx).await? {
        let declared = table(&name);
        let keeps = declared.is_some_and(|table| {
            matches!(
                table.erased,
                Erased::Severed(_) | Erased::Owed(_) | Erased::Proof | Erased::Afterwards
            )
        });
        let needles = if keeps { unkept } else { everything };
        let owner = declared.and_then(|table| match table.of {
            Of::Person(column) => columns.iter().position(|name| name == column),
            Of::Row { .. } | Of::Nobody => None,
        });
        found.columns += columns.len() as u64;
        read(
            &mut tx,
            (&name, &columns),
            owner,
            person,
            needles,
            &mut found,
        )
        .await?;
    }
    Ok(found)
}

async fn read(
    tx: &mut Tx,
    (table, columns): (&str, &[String]),
    owner: Option<usize>,
    person: &str,
    needles: &Needles,
    found: &mut Columns,
) -> Result<(), Failure> {
    let casts: Vec<String> = columns
        .iter()
        .map(|column| format!("CAST(\"{column}\" AS TEXT)"))
        .collect();
    let statement = format!("SELECT {} FROM \"{table}\"", casts.join(", "));
    // Bytes, since nobody promises that a text is one.
    let mut values: Vec<Option<Vec<u8>>> = Vec::new();
    on!(tx, conn => {
        let mut rows = sqlx::query(sqlx::AssertSqlSafe(statement)).fetch(conn);
        while let Some(row) = rows.try_next().await? {
            values.clear();
            for number in 0..columns.len() {
                values.push(row.try_get_unchecked(number)?);
            }
            found.rows += 1;
            let whose = owner.and_then(|owner| values[owner].as_deref());
            let is_anothers = whose.is_some_and(|whose| whose != person.as_bytes());
            for value in values.iter().flatten() {
                found.bytes += value.len() as u64;
                needles.find(value, 0, |mark| found.hits.push(Hit {
                    table: table.to_owned(),
                    mark,
                    is_anothers,
                }));
            }
        }
        Ok::<_, sqlx::Error>(())
    })?;
    Ok(())
}
