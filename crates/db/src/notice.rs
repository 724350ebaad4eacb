//! What processes that share a Postgres database tell each other (LISTEN and NOTIFY). A notice
//! reaches whoever listens just then and is kept nowhere: nothing may depend on it for long.
//! SQLite has one process, which has nobody to tell.

use sqlx::postgres::PgListener;

use crate::{Db, DbError, Tx};

const CHANNEL: &str = "pinhole";
/// Postgres takes less than 8,000.
pub const MAX_NOTICE_BYTES: usize = 7_900;

/// Hears every notice of every process, its own included.
#[derive(Debug)]
pub struct Ear(PgListener);

impl Db {
    /// Begins to listen; `None` on SQLite.
    pub async fn listen(&self) -> Result<Option<Ear>, DbError> {
        let Self::Postgres(pool) = self else {
            return Ok(None);
        };
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(Ear(listener)))
    }

    #[must_use]
    pub const fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

impl Tx {
    /// Tells everybody, once this transaction is committed.
    pub async fn tell(&mut self, notice: &str) -> Result<(), DbError> {
        if let Self::Postgres(open) = self {
            sqlx::query("SELECT pg_notify($1, $2)")
                .bind(CHANNEL)
                .bind(notice)
                .execute(&mut **open)
                .await?;
        }
        Ok(())
    }
}

impl Ear {
    /// The next notice; `None` where the connection was lost for a while, and with it, perhaps,
    /// some notices.
    pub async fn next(&mut self) -> Result<Option<String>, DbError> {
        let heard = self.0.try_recv().await?;
        Ok(heard.map(|notice| notice.payload().to_owned()))
    }
}
