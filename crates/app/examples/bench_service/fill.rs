//! Rows of pictures, or of the log, straight into the database.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use db::{Db, Location, on};

/// Rows of one statement, which is one transaction.
const CHUNK: i64 = 20_000;
/// Pictures of one job.
const EACH: i64 = 4;

/// What is put there.
#[derive(Clone, Copy)]
pub(super) enum Rows {
    Pictures,
    Log,
}

#[expect(clippy::print_stderr, reason = "whoever measures reads it there")]
pub(super) fn run(of: Rows, rows: Option<&str>) -> ExitCode {
    match filled(of, rows) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench_service fill: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn filled(of: Rows, rows: Option<&str>) -> Result<()> {
    let rows: i64 = rows.context("say how many rows")?.parse()?;
    let location = match std::env::var("PINHOLE_DATABASE") {
        Ok(url) => Location::Postgres(url),
        Err(_) => {
            let data = std::env::var_os("PINHOLE_DATA").context("PINHOLE_DATA is not set")?;
            Location::File(PathBuf::from(data).join("pinhole.db"))
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let db = Db::open(&location).await?;
        match of {
            Rows::Pictures => fill(&db, rows).await?,
            Rows::Log => log(&db, rows).await?,
        }
        db.close().await;
        Ok(())
    })
}

/// As many pictures as `rows`, older than every other, all of the one person that there is.
async fn fill(db: &Db, rows: i64) -> Result<()> {
    let mut tx = db.read().await?;
    let there: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM picture").fetch_one(conn).await
    })?;
    drop(tx);
    // They are written in the clear, as by an earlier build: the next start seals them.
    let mut tx = db.write().await?;
    on!(tx, conn => {
        sqlx::query("DELETE FROM sealing").execute(conn).await.map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    let mut from = there;
    while from < rows {
        let to = rows.min(from + CHUNK);
        let mut tx = db.write().await?;
        for statement in [JOBS, PICTURES] {
            on!(tx, conn => {
                sqlx::query(statement)
                    .bind(from)
                    .bind(to)
                    .bind(EACH)
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected())
            })?;
        }
        tx.commit().await?;
        from = to;
    }
    // A Postgres server does so by itself, some time after such a change, and then not while it is
    // measured.
    if let Db::Postgres(pool) = db {
        for statement in [
            "VACUUM (ANALYZE) job",
            "VACUUM (ANALYZE) picture",
            "CHECKPOINT",
        ] {
            sqlx::query(statement).execute(pool).await?;
        }
    }
    Ok(())
}

/// So many entries of which nothing is left but their leaf, and which have no place yet.
async fn log(db: &Db, entries: i64) -> Result<()> {
    let mut tx = db.write().await?;
    on!(tx, conn => {
        sqlx::query(ENTRIES)
            .bind(0_i64)
            .bind(entries)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(())
}

const ENTRIES: &str = "WITH RECURSIVE n (i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2) \
     INSERT INTO log_entry (id, kind, commitment, created_ms) \
     SELECT 'log_' || substr('00000000000000000000000000' || i, length('00000000000000000000000000' || i) - 25), \
     'signed_in', '0000000000000000000000000000000000000000000000000000000000000000', i FROM n";

/// Ids sort by time; these are of 1970. The first picture of each job makes the job.
const JOBS: &str = "WITH RECURSIVE n (i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2) \
     INSERT INTO job (id, person_id, state, model, prompt, width, height, count, steps, guidance, \
     seed, previews, attempts, unknown_words, created_ms, started_ms, finished_ms) \
     SELECT 'job_' || substr('00000000000000000000000000' || (i / $3), length('00000000000000000000000000' || (i / $3)) - 25), \
     (SELECT MIN(id) FROM person WHERE created_ms > 0), 'done', 'null', 'a red apple on a blue plate, picture ' || i, 64, 64, $3, 1, 1.0, \
     i, 0, 1, '[]', i, i, i FROM n WHERE i % $3 = 0";

const PICTURES: &str = "WITH RECURSIVE n (i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2) \
     INSERT INTO picture (id, job_id, person_id, ordinal, seed, width, height, blob, size_bytes, sha256, created_ms) \
     SELECT 'pic_' || substr('00000000000000000000000000' || i, length('00000000000000000000000000' || i) - 25), \
     'job_' || substr('00000000000000000000000000' || (i / $3), length('00000000000000000000000000' || (i / $3)) - 25), \
     (SELECT MIN(id) FROM person WHERE created_ms > 0), i % $3, i, 64, 64, 'pictures/' || i, 150, \
     '0000000000000000000000000000000000000000000000000000000000000000', i FROM n";
