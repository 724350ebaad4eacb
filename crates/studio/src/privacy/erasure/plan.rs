//! What goes and what stays, read out of the inventory, with how much there is of each.

use db::{Tx, on};
use domain::ids::PersonId;
use serde::{Deserialize, Serialize};

use super::Scope;
use crate::privacy::access::whose;
use crate::privacy::inventory::{Erased, Of, Purpose, TABLES, Table};
use crate::{Failure, Studio, credits};

/// The plan of one erasure. It is frozen with the request, and part of the receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub scope: Scope,
    pub parts: Vec<Part>,
    pub files: u64,
    pub file_bytes: u64,
    /// What is left to spend, and ends; absent where nothing is metered.
    pub credits: Option<i64>,
}

/// The rows of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub table: String,
    pub rows: u64,
    pub fate: Fate,
}

impl Part {
    /// What one row is, as a heading.
    #[must_use]
    pub fn heading(&self) -> &'static str {
        table(&self.table).map_or("", |table| table.row)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Deleted,
    /// Stays, without anything that leads to the person.
    Severed,
    /// Stays as it is: the books of an account that stays.
    Stays,
    /// Stays as the proof that something was forgotten.
    Proof,
}

impl Plan {
    pub fn that(&self, fate: Fate) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(move |part| part.fate == fate)
    }

    /// Whether the books know orders of this person, and so keep their numbers.
    pub(super) fn has_books(&self) -> bool {
        self.credits.is_some()
    }

    pub(super) fn deletes(&self, table: &str) -> bool {
        self.that(Fate::Deleted).any(|part| part.table == table)
    }
}

/// A table of the inventory, by its name.
pub(super) fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

/// What becomes of a table's rows; `None` where they have nothing to do with it.
fn fate(table: &Table, scope: Scope) -> Option<Fate> {
    let is_history = table
        .purposes
        .iter()
        .any(|purpose| matches!(purpose, Purpose::Drawing | Purpose::Repeats));
    match (table.erased, scope) {
        (Erased::Deleted, Scope::Account) => Some(Fate::Deleted),
        (Erased::Deleted, Scope::History) => is_history.then_some(Fate::Deleted),
        (Erased::Severed(_) | Erased::Owed(_), Scope::Account) => Some(Fate::Severed),
        (Erased::Severed(_) | Erased::Owed(_), Scope::History) => Some(Fate::Stays),
        (Erased::Proof, _) => Some(Fate::Proof),
        (Erased::Untouched | Erased::Afterwards, _) => None,
    }
}

/// What would go and what would stay now. Changes nothing.
pub async fn preview(studio: &Studio, person: PersonId, scope: Scope) -> Result<Plan, Failure> {
    let balance = credits::balance(studio, person).await?;
    let mut tx = studio.db.read().await?;
    let mut parts = Vec::new();
    for table in TABLES {
        // Whether there is one may be a secret.
        if matches!(table.name, "legal_hold" | "disclosure") && scope == Scope::Account {
            parts.push(Part {
                table: table.name.to_owned(),
                rows: 0,
                fate: Fate::Deleted,
            });
        } else if let Some(fate) = fate(table, scope) {
            parts.push(Part {
                table: table.name.to_owned(),
                rows: count(&mut tx, table, person).await?,
                fate,
            });
        }
    }
    let (files, bytes) = files(&mut tx, person).await?;
    let portraits = match scope {
        Scope::Account => portraits(&mut tx, person).await?,
        Scope::History => 0,
    };
    Ok(Plan {
        scope,
        parts,
        files: files + portraits,
        file_bytes: bytes,
        credits: balance.map(|balance| balance.available.get() + balance.held.get()),
    })
}

/// How many rows of a table are a person's.
pub(super) async fn count(tx: &mut Tx, table: &Table, person: PersonId) -> Result<u64, Failure> {
    if table.of == Of::Nobody {
        return Ok(0);
    }
    let statement = format!("SELECT COUNT(*) FROM {} WHERE {}", table.name, whose(table));
    let rows: i64 = on!(tx, conn => {
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .bind(person.to_string())
            .fetch_one(conn)
            .await
    })?;
    Ok(rows.unsigned_abs())
}

/// Pictures on the shelf, and how large they are together.
async fn files(tx: &mut Tx, person: PersonId) -> Result<(u64, u64), Failure> {
    let (files, bytes): (i64, i64) = on!(tx, conn => {
        sqlx::query_as(
            "SELECT COUNT(*), CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) FROM picture \
             WHERE person_id = $1",
        )
        .bind(person.to_string())
        .fetch_one(conn)
        .await
    })?;
    Ok((files.unsigned_abs(), bytes.unsigned_abs()))
}

async fn portraits(tx: &mut Tx, person: PersonId) -> Result<u64, Failure> {
    let portraits: i64 = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM account WHERE person_id = $1 AND portrait IS NOT NULL",
        )
        .bind(person.to_string())
        .fetch_one(conn)
        .await
    })?;
    Ok(portraits.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An erasure goes from the last table to the first, so that each finds its person's rows.
    #[test]
    fn no_table_stands_before_the_one_by_which_its_rows_are_found() {
        for (place, table) in TABLES.iter().enumerate() {
            if let Of::Row { table: parent, .. } = table.of {
                let of_parent = TABLES.iter().position(|other| other.name == parent);
                assert!(of_parent < Some(place), "{} before {parent}", table.name);
            }
        }
    }

    #[test]
    fn promise_rgt_04_whatever_is_somebodys_has_a_fate() {
        for table in TABLES.iter().filter(|table| table.of != Of::Nobody) {
            let is_noted = table.erased == Erased::Afterwards;
            assert!(
                is_noted || fate(table, Scope::Account).is_some(),
                "{}: what becomes of it?",
                table.name
            );
        }
        assert_eq!(
            TABLES
                .iter()
                .filter(|table| fate(table, Scope::History) == Some(Fate::Deleted))
                .map(|table| table.name)
                .collect::<Vec<_>>(),
            ["job", "picture", "repeat"]
        );
    }
}
