//! Nothing about a person is stored that the inventory does not list: the database is compared with
//! it, in both directions, and the shelf, before anybody is let in. Letters and cookies are asked about
//! here before they are written.

use std::collections::BTreeSet;

use db::{Db, on};

use super::inventory::{ELSEWHERE, KEY_TABLES, Medium, TABLES, Table};
use crate::{Failure, Studio};

/// A column of the database that the inventory lacks, or the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    Undeclared {
        table: String,
        column: String,
    },
    Missing {
        table: String,
        column: String,
    },
    /// A folder of the shelf, or a file beside its folders.
    Folder {
        name: String,
    },
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Undeclared { table, column } => write!(
                f,
                "{table}.{column} is in the database and not in the inventory: declare what it holds of whom, why and until when, or drop it"
            ),
            Self::Missing { table, column } => write!(
                f,
                "{table}.{column} is in the inventory and not in the database: the notice would tell of something that is not there"
            ),
            Self::Folder { name } => write!(
                f,
                "{name} is on the shelf and not in the inventory: declare what its files hold of whom, why and until when, or take it out of the folder blobs"
            ),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    #[error("The database holds something else than the privacy notice says:\n{}", list(.0))]
    Gaps(Vec<Gap>),
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(FenceError);

fn list(gaps: &[Gap]) -> String {
    let lines: Vec<String> = gaps.iter().map(|gap| format!("  {gap}")).collect();
    lines.join("\n")
}

/// Compares the database and the key store as they are with the inventory.
pub async fn check(studio: &Studio) -> Result<(), FenceError> {
    let mut gaps = gaps_of(&studio.db, TABLES).await?;
    gaps.extend(gaps_of(studio.keys.store(), KEY_TABLES).await?);
    let top = studio.shelf.top().await.map_err(Failure::from)?;
    gaps.extend(unknown_of(top));
    if gaps.is_empty() {
        Ok(())
    } else {
        Err(FenceError::Gaps(gaps))
    }
}

/// Whether something of this name may stand in this medium.
#[must_use]
pub fn is_declared(medium: Medium, name: &str) -> bool {
    let mut spots = ELSEWHERE.iter();
    spots.any(|spot| spot.medium == medium && spot.name == name)
}

fn unknown_of(top: Vec<String>) -> impl Iterator<Item = Gap> {
    top.into_iter()
        .filter(|name| !is_declared(Medium::Files, name))
        .map(|name| Gap::Folder { name })
}

async fn gaps_of(db: &Db, tables: &[Table]) -> Result<Vec<Gap>, FenceError> {
    let mut tx = db.read().await?;
    let statement = tx.catalogue();
    let rows: Vec<(String, String, String, i64)> = on!(tx, conn => {
        sqlx::query_as(statement).fetch_all(conn).await
    })?;
    let found = rows
        .into_iter()
        .map(|(table, column, ..)| (table, column))
        // The migrations' own list.
        .filter(|(table, _)| table != "_sqlx_migrations");
    Ok(gaps(found, tables))
}

fn gaps(found: impl Iterator<Item = (String, String)>, tables: &[Table]) -> Vec<Gap> {
    let found: BTreeSet<(String, String)> = found.collect();
    let declared: BTreeSet<(String, String)> = tables
        .iter()
        .flat_map(|table| {
            let columns = table.columns.iter();
            columns.map(|column| (table.name.to_owned(), column.name.to_owned()))
        })
        .collect();
    let undeclared = found.difference(&declared).cloned();
    let missing = declared.difference(&found).cloned();
    undeclared
        .map(|(table, column)| Gap::Undeclared { table, column })
        .chain(missing.map(|(table, column)| Gap::Missing { table, column }))
        .collect()
}
