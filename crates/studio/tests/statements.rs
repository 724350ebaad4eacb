//! Every statement of the story is understood by the database: read out of the sources, prepared,
//! and not run.

use std::fs;
use std::path::{Path, PathBuf};

use db::testing::TestDatabase;
use db::{Db, on};
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

#[tokio::test]
async fn every_statement_can_be_prepared() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = TestDatabase::new(folder.path()).await.expect("a database");
    let db = database.open().await.expect("opens");
    let keys = database.open_keys().await.expect("opens");
    let mut prepared = 0;
    for (file, statement) in sources().iter().flat_map(|file| statements(file)) {
        let mut verdict = prepare(&db, &statement).await;
        // The key store is a database of its own.
        if verdict.is_err() && file.components().any(|part| part.as_os_str() == "keys") {
            verdict = prepare(&keys, &statement).await;
        }
        if let Err(error) = verdict {
            panic!("{}: {statement}\n{error}", file.display());
        }
        prepared += 1;
    }
    assert!(prepared > 10, "found only {prepared} statements");
}

async fn prepare(db: &Db, statement: &str) -> Result<(), sqlx::Error> {
    let mut tx = db.read().await.expect("begins");
    let text = statement.to_owned();
    on!(tx, conn => {
        conn.prepare(AssertSqlSafe(text).into_sql_str()).await.map(|_| ())
    })
}

fn sources() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// The literals that are handed to sqlx. A statement that is put together is run by other tests.
fn statements(file: &Path) -> Vec<(PathBuf, String)> {
    let source = fs::read_to_string(file).expect("reads");
    let calls = ["sqlx::query(", "sqlx::query_as(", "sqlx::query_scalar("];
    let mut found = Vec::new();
    for call in calls {
        for (at, _) in source.match_indices(call) {
            let rest = source[at + call.len()..].trim_start();
            if let Some(literal) = rest.strip_prefix('"') {
                found.push((file.to_owned(), unescape(literal)));
            }
        }
    }
    found
}

/// The text of a string literal, up to its closing quote.
fn unescape(literal: &str) -> String {
    let mut text = String::new();
    let mut chars = literal.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                // A line that goes on: its break and its indentation are not part of the text.
                Some('\n') => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                Some(other) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    text
}
