use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Database, Postgres, Sqlite, Transaction};

use crate::keys;

const MAX_READERS: u32 = 4;
const MAX_POSTGRES_CONNECTIONS: u32 = 16;
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a transaction may do nothing, to Postgres.
const LOST_AFTER: &str = "60s";
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

const MAX_KEY_CONNECTIONS: u32 = 4;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");
static KEY_MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/keys");

/// Where the rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A file of this machine, made when it is missing.
    File(PathBuf),
    /// `postgres://…`
    Postgres(String),
}

/// Names the schema that this program brings a database and a key store to.
#[must_use]
pub fn schema_fingerprint() -> String {
    let all = MIGRATIONS.iter().chain(KEY_MIGRATIONS.iter());
    let checksums = all.flat_map(|one| one.checksum.iter());
    let mixed = checksums.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{mixed:016x}")
}

/// As [`Location::Postgres`] takes it.
pub(crate) fn url(options: &PgConnectOptions) -> String {
    options.to_url_lossy().to_string()
}

#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("The database can't be opened: {0}")]
    Open(#[source] sqlx::Error),
    #[error("The database was made by another version of the program: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error(
        "The Postgres database sorts text by {found:?}; create it with LC_COLLATE 'C', so that ids sort the same everywhere."
    )]
    Collation { found: String },
    #[error(
        "The database {name} for keys is missing, and this role can't make it ({source}). Let somebody \
         who may make databases run: CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' \
         LC_COLLATE 'C' LC_CTYPE 'C' OWNER {role}"
    )]
    NoKeys {
        name: String,
        role: String,
        source: sqlx::Error,
    },
    #[error(transparent)]
    Statement(#[from] sqlx::Error),
}

/// An open database.
#[derive(Clone, Debug)]
pub enum Db {
    /// SQLite has one writer at a time, so the program queues its writers itself.
    Sqlite {
        readers: SqlitePool,
        writer: SqlitePool,
    },
    Postgres(PgPool),
}

/// Statements that belong together. Whoever begins to write commits; dropped, it is rolled back.
#[derive(Debug)]
pub enum Tx {
    Sqlite(Open<Sqlite>),
    Postgres(Open<Postgres>),
}

/// A connection on which statements are run.
#[derive(Debug)]
pub enum Open<D: Database> {
    /// Each statement sees what was committed before it, as in a transaction of Postgres by default:
    /// to begin one would change nothing, and cost two statements more.
    Reading(PoolConnection<D>),
    Writing(Transaction<'static, D>),
}

impl<D: Database> Deref for Open<D> {
    type Target = D::Connection;
    fn deref(&self) -> &Self::Target {
        match self {
            Self::Reading(connection) => connection,
            Self::Writing(transaction) => transaction,
        }
    }
}

impl<D: Database> DerefMut for Open<D> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Reading(connection) => connection,
            Self::Writing(transaction) => transaction,
        }
    }
}

impl<D: Database> Open<D> {
    async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Reading(_) => Ok(()),
            Self::Writing(transaction) => transaction.commit().await,
        }
    }
}

impl Db {
    /// Opens the database and brings its schema up to date.
    pub async fn open(location: &Location) -> Result<Self, DbError> {
        match location {
            Location::File(path) => Self::open_sqlite(path, Some(&MIGRATIONS)).await,
            Location::Postgres(url) => {
                Self::open_postgres(url, Some(&MIGRATIONS), MAX_POSTGRES_CONNECTIONS).await
            }
        }
    }

    /// Opens the database as another build left it, and changes nothing of its schema; `None` where there
    /// is none.
    pub async fn open_as_it_is(location: &Location) -> Result<Option<Self>, DbError> {
        match location {
            Location::File(path) if !path.exists() => Ok(None),
            Location::File(path) => Self::open_sqlite(path, None).await.map(Some),
            Location::Postgres(url) => Self::open_postgres(url, None, MAX_KEY_CONNECTIONS)
                .await
                .map(Some),
        }
    }

    /// Opens the key store. On Postgres it is made when it is missing, by way of the database
    /// `beside` it, where one is named.
    pub async fn open_keys(location: &Location, beside: Option<&str>) -> Result<Self, DbError> {
        match location {
            Location::File(path) => Self::open_sqlite(path, Some(&KEY_MIGRATIONS)).await,
            Location::Postgres(url) => {
                if let Some(beside) = beside {
                    keys::make_missing(url, beside).await?;
                }
                Self::open_postgres(url, Some(&KEY_MIGRATIONS), MAX_KEY_CONNECTIONS).await
            }
        }
    }

    /// The same, where another build made it; its schema stays as it is.
    pub async fn open_keys_as_they_are(location: &Location) -> Result<Self, DbError> {
        match location {
            Location::File(path) => Self::open_sqlite(path, None).await,
            Location::Postgres(url) => Self::open_postgres(url, None, MAX_KEY_CONNECTIONS).await,
        }
    }

    async fn open_sqlite(path: &Path, migrations: Option<&Migrator>) -> Result<Self, DbError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("secure_delete", "on");
        let pool = |max| {
            SqlitePoolOptions::new()
                .max_connections(max)
                .acquire_timeout(ACQUIRE_TIMEOUT)
        };
        let writer = pool(1)
            .after_release(|connection, _| {
                // A disk that was full can leave the connection inside a dead transaction: then it
                // is closed, and the next writer gets a fresh one. A dropped transaction is rolled
                // back by the time that a ping is answered.
                Box::pin(async move {
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
            .connect_with(options.clone())
            .await
            .map_err(DbError::Open)?;
        if let Some(migrations) = migrations {
            migrations.run(&writer).await?;
        }
        let readers = pool(MAX_READERS)
            .connect_with(options.read_only(true))
            .await
            .map_err(DbError::Open)?;
        Ok(Self::Sqlite { readers, writer })
    }

    async fn open_postgres(
        url: &str,
        migrations: Option<&Migrator>,
        max_connections: u32,
    ) -> Result<Self, DbError> {
        let options = PgConnectOptions::from_str(url).map_err(DbError::Open)?;
        // Where whoever began a transaction was dropped in that very moment, the server may still be
        // in it, and would keep what was deleted: then it ends the connection, and the pool gets
        // another one.
        let options = options.options([("idle_in_transaction_session_timeout", LOST_AFTER)]);
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(DbError::Open)?;
        let found: String = sqlx::query_scalar(
            "SELECT datcollate FROM pg_database WHERE datname = current_database()",
        )
        .fetch_one(&pool)
        .await?;
        if found != "C" && found != "POSIX" {
            return Err(DbError::Collation { found });
        }
        if let Some(migrations) = migrations {
            migrations.run(&pool).await?;
        }
        Ok(Self::Postgres(pool))
    }

    /// For statements that only read. Each of them sees the latest.
    pub async fn read(&self) -> Result<Tx, DbError> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::Sqlite(Open::Reading(readers.acquire().await?)),
            Self::Postgres(pool) => Tx::Postgres(Open::Reading(pool.acquire().await?)),
        })
    }

    /// For statements that only read, and all see the same moment, as long as this lasts.
    pub async fn snapshot(&self) -> Result<Tx, DbError> {
        const AT_ONE_MOMENT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::Sqlite(Open::Writing(readers.begin().await?)),
            Self::Postgres(pool) => {
                Tx::Postgres(Open::Writing(pool.begin_with(AT_ONE_MOMENT).await?))
            }
        })
    }

    /// Begins a transaction that writes. On SQLite it holds the write lock from the start, so
    /// that what was read in it still holds when it writes.
    pub async fn write(&self) -> Result<Tx, DbError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => {
                Tx::Sqlite(Open::Writing(writer.begin_with("BEGIN IMMEDIATE").await?))
            }
            Self::Postgres(pool) => Tx::Postgres(Open::Writing(pool.begin().await?)),
        })
    }

    /// Waits for running statements and closes every connection.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// So that [`on!`] takes a transaction, and a reference to one, alike.
    #[must_use]
    pub const fn here(&mut self) -> &mut Self {
        self
    }

    pub async fn commit(self) -> Result<(), DbError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}
