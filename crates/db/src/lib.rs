//! SQLite or Postgres, each statement written once.
//!
//! A statement lives beside its meaning, in `studio`, inside [`on!`]; this crate opens the
//! database, migrates it, and begins transactions. What the two databases can't say alike stands
//! in [`dialect`].
//!
//! Conventions that keep one text good for both: TEXT ids, BIGINT for integers, milliseconds and
//! credits, JSON as TEXT, `$1` placeholders, no `now()`, `CAST(SUM(x) AS BIGINT)`, `NULLS LAST`.

pub mod dialect;
mod keys;
mod notice;
mod open;
mod presence;
pub mod testing;

pub use keys::beside;
pub use notice::{Ear, MAX_NOTICE_BYTES};
pub use open::{Db, DbError, Location, Open, Tx, schema_fingerprint};
pub use presence::Presence;

/// Runs one expression on whichever database a [`Tx`] is open.
///
/// As in `on!(tx, conn => sqlx::query("DELETE …").bind(id).execute(conn).await)?`.
#[macro_export]
macro_rules! on {
    ($tx:expr, $conn:ident => $body:expr) => {
        match $tx.here() {
            $crate::Tx::Sqlite(open) => {
                let $conn = &mut **open;
                $body
            }
            $crate::Tx::Postgres(open) => {
                let $conn = &mut **open;
                $body
            }
        }
    };
}
