//! Who is in the house. With SQLite a lock in the data folder says so; on Postgres, whose processes may be
//! on many machines, the database does.

use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::{Db, DbError};

/// Of everybody who is in a house, and of whoever wants it for themselves.
const HOUSE: i64 = 0x7069_6e68_6f6c_6532;

/// Lasts as long as it is kept.
#[derive(Debug)]
pub struct Presence {
    #[expect(dead_code, reason = "its lock goes with it")]
    connection: Option<PgConnection>,
}

impl Db {
    /// Comes in, with others or alone; `None` where somebody is there who wants to be alone, or where
    /// one wants to be alone and somebody is there.
    pub async fn enter(&self, alone: bool) -> Result<Option<Presence>, DbError> {
        let Self::Postgres(pool) = self else {
            return Ok(Some(Presence { connection: None }));
        };
        let statement = match alone {
            true => "SELECT pg_try_advisory_lock($1)",
            false => "SELECT pg_try_advisory_lock_shared($1)",
        };
        // Not one of the pool's: the lock goes with the connection.
        let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
        let is_in: bool = sqlx::query_scalar(statement)
            .bind(HOUSE)
            .fetch_one(&mut connection)
            .await?;
        let connection = Some(connection);
        Ok(is_in.then_some(Presence { connection }))
    }
}
