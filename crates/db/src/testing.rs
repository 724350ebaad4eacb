//! Databases for tests: each test gets one of its own, empty, with the schema in it.
//!
//! Where `PINHOLE_TEST_POSTGRES` names a server, it is a Postgres database, copied from a template
//! that is migrated once; elsewhere it is a SQLite file. `cargo xtask test` runs every test that
//! opens a database once on each.

use std::path::Path;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::{Db, DbError, Location, open};

/// The server that test databases are made on: `postgres://user@host:port/database`, by somebody
/// who may create databases.
pub const POSTGRES: &str = "PINHOLE_TEST_POSTGRES";

/// An empty database, dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    location: Location,
    /// To drop the database with, where it is on a server.
    server: Option<(PgConnectOptions, String)>,
}

/// Of this process, so far.
static MADE: AtomicU32 = AtomicU32::new(0);

impl TestDatabase {
    /// Makes one on the server, or in `folder`.
    pub async fn new(folder: &Path) -> Result<Self, DbError> {
        match std::env::var(POSTGRES) {
            Ok(server) if !server.is_empty() => Self::on_postgres(&server).await,
            _ => Ok(Self::on_sqlite(folder)),
        }
    }

    #[must_use]
    pub fn on_sqlite(folder: &Path) -> Self {
        Self {
            location: Location::File(folder.join("pinhole.db")),
            server: None,
        }
    }

    pub async fn on_postgres(server: &str) -> Result<Self, DbError> {
        let options = PgConnectOptions::from_str(server).map_err(DbError::Open)?;
        let mut connection = PgConnection::connect_with(&options)
            .await
            .map_err(DbError::Open)?;
        let template = template(&mut connection, &options).await?;
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("pinhole_test_{}_{number}", std::process::id());
        drop_database(&mut connection, &name).await?;
        let make = format!("CREATE DATABASE {name} TEMPLATE {template}");
        connection.execute(AssertSqlSafe(make)).await?;
        connection.close().await?;
        let address = options.clone().database(&name);
        Ok(Self {
            location: Location::Postgres(open::url(&address)),
            server: Some((options, name)),
        })
    }

    #[must_use]
    pub const fn location(&self) -> &Location {
        &self.location
    }

    pub async fn open(&self) -> Result<Db, DbError> {
        Db::open(&self.location).await
    }

    /// The key store that belongs to it. On Postgres it is a schema of the same database, which comes
    /// with the template and so costs nothing.
    pub async fn open_keys(&self) -> Result<Db, DbError> {
        Db::open_keys(&self.keys_location(), None).await
    }

    #[must_use]
    pub fn keys_location(&self) -> Location {
        match &self.location {
            Location::File(path) => Location::File(path.with_file_name("keys.db")),
            Location::Postgres(url) => Location::Postgres(keys_schema(url)),
        }
    }
}

const KEYS_SCHEMA: &str = "keys";

fn keys_schema(url: &str) -> String {
    let next = if url.contains('?') { '&' } else { '?' };
    format!("{url}{next}options%5Bsearch_path%5D={KEYS_SCHEMA}")
}

/// The database that others are copied from: named after the migrations in it, so that new ones
/// make a new template.
async fn template(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<String, DbError> {
    // One test process makes it; the others wait here until it is whole.
    const LOCK: i64 = 0x7069_6e68_6f6c_6531;
    let name = format!("pinhole_template_{}", open::schema_fingerprint());
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(LOCK)
        .execute(&mut *connection)
        .await?;
    let is_there: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
            .bind(&name)
            .fetch_one(&mut *connection)
            .await?;
    if !is_there {
        let draft = format!("{name}_draft");
        drop_database(connection, &draft).await?;
        let make = format!(
            "CREATE DATABASE {draft} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
        );
        connection.execute(AssertSqlSafe(make)).await?;
        let address = options.clone().database(&draft);
        let db = Db::open(&Location::Postgres(open::url(&address))).await?;
        if let Db::Postgres(pool) = &db {
            let make = format!("CREATE SCHEMA {KEYS_SCHEMA}");
            pool.execute(AssertSqlSafe(make)).await?;
        }
        db.close().await;
        let keys = Location::Postgres(keys_schema(&open::url(&address)));
        Db::open_keys(&keys, None).await?.close().await;
        let done = format!("ALTER DATABASE {draft} RENAME TO {name}");
        connection.execute(AssertSqlSafe(done)).await?;
    }
    sqlx::query("SELECT pg_advisory_unlock($1)")
        .bind(LOCK)
        .execute(connection)
        .await?;
    Ok(name)
}

async fn drop_database(connection: &mut PgConnection, name: &str) -> Result<(), DbError> {
    let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    connection.execute(AssertSqlSafe(statement)).await?;
    Ok(())
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some((server, name)) = self.server.take() else {
            return;
        };
        // A test's own runtime may be ending already, so this one has its own.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            if let Ok(runtime) = runtime {
                runtime.block_on(async {
                    let mut connection = PgConnection::connect_with(&server).await?;
                    drop_database(&mut connection, &name).await
                })
            } else {
                Ok(())
            }
        });
        // What stays behind goes with the test server.
        drop(dropping.join());
    }
}
