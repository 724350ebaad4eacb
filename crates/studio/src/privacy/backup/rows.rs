//! Rows as a backup holds them: a line of JSON each, alike for both databases, so that what was SQLite's
//! can be put back into Postgres.

use std::collections::HashMap;

use db::{DbError, Tx, on};
use futures::TryStreamExt;
use serde_json::Value;
use sqlx::{QueryBuilder, Row};

use super::BackupError;
use super::file::{Draft, Stored};
use crate::privacy::inventory::Table;
use crate::privacy::keys::Parcel;

/// Values of one statement: SQLite takes 32,766.
const VALUES_AT_ONCE: usize = 16_000;
const ROWS_AT_ONCE: usize = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Whole,
    /// Its bits, so that it is the same to the last one.
    Real,
}

/// A table's columns, in the order in which a backup has them.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) table: &'static str,
    columns: Vec<(&'static str, Kind)>,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Text(Option<String>),
    Whole(Option<i64>),
    Real(Option<f64>),
}

pub(super) type Line = Vec<Value>;

/// What the tables of the inventory are made of, in a database.
pub(super) async fn shapes(
    tx: &mut Tx,
    tables: &'static [Table],
) -> Result<Vec<Shape>, BackupError> {
    let statement = tx.catalogue();
    let rows: Vec<(String, String, String, i64)> = on!(tx, conn => {
        sqlx::query_as(statement).fetch_all(conn).await
    })?;
    let kinds: HashMap<(String, String), Kind> = rows
        .into_iter()
        .map(|(table, column, kind, _)| {
            let kind = match kind.as_str() {
                kind if kind.contains("INT") => Kind::Whole,
                kind if kind.contains("DOUBLE") || kind.contains("REAL") => Kind::Real,
                _ => Kind::Text,
            };
            ((table, column), kind)
        })
        .collect();
    let shape = |table: &'static Table| {
        let columns = table.columns.iter().map(|column| {
            let name = (table.name.to_owned(), column.name.to_owned());
            let kind = kinds.get(&name).copied().unwrap_or(Kind::Text);
            (column.name, kind)
        });
        Shape {
            table: table.name,
            columns: columns.collect(),
        }
    };
    Ok(tables.iter().map(shape).collect())
}

/// Writes a whole table as a part.
pub(super) async fn write(
    tx: &mut Tx,
    shape: &Shape,
    draft: &mut Draft,
) -> Result<(), BackupError> {
    draft.begin(shape.table);
    let names: Vec<&str> = shape.columns.iter().map(|(name, _)| *name).collect();
    draft.write(format!("{}\n", Value::from(names.clone())).as_bytes())?;
    let statement = format!("SELECT {} FROM {}", names.join(", "), shape.table);
    let mut rows = 0;
    on!(tx, conn => {
        let mut found = sqlx::query(sqlx::AssertSqlSafe(statement)).fetch(conn);
        while let Some(row) = found.try_next().await? {
            let mut line = Vec::with_capacity(shape.columns.len());
            for (number, (_, kind)) in shape.columns.iter().enumerate() {
                line.push(match kind {
                    Kind::Text => row.try_get::<Option<String>, _>(number)?.map(Value::from),
                    Kind::Whole => row.try_get::<Option<i64>, _>(number)?.map(Value::from),
                    Kind::Real => {
                        let real = row.try_get::<Option<f64>, _>(number)?;
                        real.map(|real| Value::from(real.to_bits()))
                    }
                }.unwrap_or(Value::Null));
            }
            let mut text = Value::from(line).to_string();
            text.push('\n');
            draft.write(text.as_bytes())?;
            rows += 1;
        }
        Ok::<_, BackupError>(())
    })?;
    draft.end(rows)
}

impl Shape {
    fn read(&self, line: Line) -> Option<Vec<Cell>> {
        if line.len() != self.columns.len() {
            return None;
        }
        let cells = line.into_iter().zip(&self.columns);
        let cells = cells.map(|(value, (_, kind))| {
            Some(match (kind, value) {
                (Kind::Text, Value::Null) => Cell::Text(None),
                (Kind::Whole, Value::Null) => Cell::Whole(None),
                (Kind::Real, Value::Null) => Cell::Real(None),
                (Kind::Text, Value::String(text)) => Cell::Text(Some(text)),
                (Kind::Whole, value) => Cell::Whole(Some(value.as_i64()?)),
                (Kind::Real, value) => Cell::Real(Some(f64::from_bits(value.as_u64()?))),
                _ => return None,
            })
        });
        cells.collect()
    }

    /// Reads every row of the part, some at a time; checks that there are as many as were written.
    pub(super) async fn each(
        &self,
        stored: &Stored,
        parcel: &Parcel,
        mut some: impl AsyncFnMut(&Self, Rows) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let Some(mut part) = stored.part(self.table, parcel)? else {
            return Err(stored.changed());
        };
        let changed = || stored.changed();
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let said = part.line()?.ok_or_else(changed)?;
        let said: Value = serde_json::from_slice(&said).map_err(|_| changed())?;
        if said != Value::from(names) {
            return Err(changed());
        }
        let mut rows = Vec::new();
        let mut count = 0;
        while let Some(line) = part.line()? {
            let line: Line = serde_json::from_slice(&line).map_err(|_| changed())?;
            rows.push(self.read(line).ok_or_else(changed)?);
            count += 1;
            if rows.len() == ROWS_AT_ONCE {
                some(self, Rows(std::mem::take(&mut rows))).await?;
            }
        }
        some(self, Rows(rows)).await?;
        if count != part.part.items {
            return Err(changed());
        }
        Ok(())
    }

    /// Writes rows into the table.
    pub(super) async fn insert(&self, tx: &mut Tx, rows: Rows) -> Result<(), DbError> {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let lead = format!("INSERT INTO {} ({}) ", self.table, names.join(", "));
        for some in rows.0.chunks(VALUES_AT_ONCE / names.len()) {
            on!(tx, conn => {
                let mut query = QueryBuilder::new(&lead);
                query.push_values(some, |mut row, cells| {
                    for cell in cells {
                        match cell {
                            Cell::Text(value) => row.push_bind(value.clone()),
                            Cell::Whole(value) => row.push_bind(*value),
                            Cell::Real(value) => row.push_bind(*value),
                        };
                    }
                });
                query.build().execute(conn).await.map(|done| done.rows_affected())
            })?;
        }
        Ok(())
    }
}

/// Some rows of a table.
pub(super) struct Rows(Vec<Vec<Cell>>);

impl Rows {
    /// The first of them, by the names of its columns, as far as they are texts or whole numbers.
    pub(super) fn texts(&self, shape: &Shape, column: &str) -> Vec<String> {
        let at = shape.columns.iter().position(|(name, _)| *name == column);
        let cells = self.0.iter().filter_map(|row| row.get(at?));
        let texts = cells.map(|cell| match cell {
            Cell::Text(text) => text.clone().unwrap_or_default(),
            Cell::Whole(number) => number.map(|number| number.to_string()).unwrap_or_default(),
            Cell::Real(_) => String::new(),
        });
        texts.collect()
    }
}
