//! The key store's own database: where it is by default, made where it is missing, and emptied of
//! what was deleted from it.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::{Db, DbError, open};

/// The address of the key store that stands beside a Postgres database unless another is named.
pub fn beside(url: &str) -> Result<String, DbError> {
    let options = PgConnectOptions::from_str(url).map_err(DbError::Open)?;
    let name = format!("{}_keys", options.get_database().unwrap_or("pinhole"));
    Ok(open::url(&options.database(&name)))
}

const NO_SUCH_DATABASE: &str = "3D000";
/// Another process was quicker.
const MADE_MEANWHILE: [&str; 2] = ["42P04", "23505"];

/// Makes the database that `url` names where it is missing.
pub(crate) async fn make_missing(url: &str, beside: &str) -> Result<(), DbError> {
    let options = PgConnectOptions::from_str(url).map_err(DbError::Open)?;
    match PgConnection::connect_with(&options).await {
        Ok(connection) => {
            connection.close().await?;
            return Ok(());
        }
        Err(error) if code(&error).as_deref() == Some(NO_SUCH_DATABASE) => {}
        Err(error) => return Err(DbError::Open(error)),
    }
    let neighbour = PgConnectOptions::from_str(beside).map_err(DbError::Open)?;
    let mut connection = PgConnection::connect_with(&neighbour)
        .await
        .map_err(DbError::Open)?;
    let name = options.get_database().unwrap_or_default();
    let statement = format!(
        "CREATE DATABASE \"{}\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'",
        name.replace('"', "\"\"")
    );
    let made = connection.execute(AssertSqlSafe(statement)).await;
    connection.close().await?;
    match made {
        Err(error) if !code(&error).is_some_and(|code| MADE_MEANWHILE.contains(&&*code)) => {
            Err(DbError::NoKeys {
                name: name.to_owned(),
                role: options.get_username().to_owned(),
                source: error,
            })
        }
        _ => Ok(()),
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    let code = error.as_database_error()?.code()?;
    Some(code.into_owned())
}

impl Db {
    /// Writes the whole database anew, so that nothing of former rows is left in its free pages, and
    /// cuts the log. On Postgres this waits for everybody and keeps them waiting.
    pub async fn compact(&self) -> Result<(), DbError> {
        match self {
            Self::Sqlite { writer, .. } => {
                writer.execute("VACUUM").await?;
                self.scrub(&[]).await?;
            }
            Self::Postgres(pool) => {
                pool.execute("VACUUM FULL").await?;
            }
        }
        Ok(())
    }

    /// Lets what was deleted from these tables go out of the files as well, as far as the database
    /// can: SQLite overwrites a deleted row and its log is cut here; Postgres gives its place free.
    /// `false` where somebody is reading, so that it has to be asked again.
    pub async fn scrub(&self, tables: &[&'static str]) -> Result<bool, DbError> {
        match self {
            Self::Sqlite { writer, .. } => {
                let (busy, _, _): (i64, i64, i64) =
                    sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
                        .fetch_one(writer)
                        .await?;
                Ok(busy == 0)
            }
            Self::Postgres(pool) => {
                // Not one of the pool's: where somebody who began a transaction was dropped in that
                // very moment, the server may still be in it, and refuses.
                let mut alone = PgConnection::connect_with(&pool.connect_options()).await?;
                for table in tables {
                    let statement = format!("VACUUM {table}");
                    alone.execute(AssertSqlSafe(statement)).await?;
                }
                alone.close().await?;
                Ok(true)
            }
        }
    }
}
