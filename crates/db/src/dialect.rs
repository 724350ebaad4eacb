//! The few things that SQLite and Postgres do not say alike.

use crate::{DbError, Tx};

impl Tx {
    /// Holds a lock with others that share it, until the transaction ends. SQLite has one writer at a
    /// time, who needs none.
    pub async fn share(&mut self, lock: i64) -> Result<(), DbError> {
        self.lock("SELECT pg_advisory_xact_lock_shared($1)", lock)
            .await
    }

    /// Holds a lock alone, until the transaction ends.
    pub async fn seclude(&mut self, lock: i64) -> Result<(), DbError> {
        self.lock("SELECT pg_advisory_xact_lock($1)", lock).await
    }

    async fn lock(&mut self, statement: &'static str, lock: i64) -> Result<(), DbError> {
        if let Self::Postgres(open) = self {
            sqlx::query(statement)
                .bind(lock)
                .execute(&mut **open)
                .await?;
        }
        Ok(())
    }

    /// A condition that finds at most so many of the rows of a table that fulfil another one.
    #[must_use]
    pub fn some_of(&self, table: &str, condition: &str, limit: u32) -> String {
        match self {
            Self::Sqlite(_) => {
                format!("rowid IN (SELECT rowid FROM {table} WHERE {condition} LIMIT {limit})")
            }
            // An array, since a join would read the whole table.
            Self::Postgres(_) => format!(
                "ctid = ANY (ARRAY (SELECT ctid FROM {table} WHERE {condition} LIMIT {limit}))"
            ),
        }
    }

    /// Lists every column: table, column, type in upper case, and 1 where it may be null.
    #[must_use]
    pub const fn catalogue(&self) -> &'static str {
        match self {
            // A primary key is never null, though SQLite's list says that it may be.
            Self::Sqlite(_) => {
                "SELECT m.name, c.name, UPPER(c.type), \
                 CASE WHEN c.\"notnull\" = 0 AND c.pk = 0 THEN 1 ELSE 0 END \
                 FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
            }
            Self::Postgres(_) => {
                "SELECT table_name::TEXT, column_name::TEXT, UPPER(data_type::TEXT), \
                 CASE WHEN is_nullable = 'YES' THEN 1::BIGINT ELSE 0::BIGINT END \
                 FROM information_schema.columns WHERE table_schema = current_schema()"
            }
        }
    }
}
