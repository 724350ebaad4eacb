//! The few things that SQLite and Postgres do not say alike.

use crate::Tx;

impl Tx {
    /// Lets a worker skip rows that another one is claiming. SQLite needs no such words: its one
    /// writer holds the lock already.
    #[must_use]
    pub const fn skip_locked(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => " FOR UPDATE SKIP LOCKED",
        }
    }
}
