//! The migrations leave the same tables and columns on both databases.

use db::testing::{POSTGRES, TestDatabase};
use db::{Db, on};

/// Table, column, type, whether it may be null; of every table but the list of migrations.
async fn columns(db: &Db) -> Vec<(String, String, String, bool)> {
    let mut tx = db.read().await.expect("reads");
    let statement = tx.catalogue();
    let rows: Vec<(String, String, String, i64)> = on!(tx, conn => {
        sqlx::query_as(statement).fetch_all(conn).await
    })
    .expect("reads");
    let mut columns: Vec<_> = rows
        .into_iter()
        .filter(|(table, ..)| !table.starts_with("_sqlx"))
        .map(|(table, column, kind, nullable)| (table, column, kind, nullable != 0))
        .collect();
    columns.sort();
    columns
}

#[tokio::test]
async fn both_databases_have_the_same_tables_and_columns() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = TestDatabase::on_sqlite(folder.path());
    let on_sqlite = columns(&file.open().await.expect("opens")).await;
    let keys_on_sqlite = columns(&file.open_keys().await.expect("opens")).await;
    let tables: Vec<&str> = on_sqlite.iter().map(|(table, ..)| table.as_str()).collect();
    assert!(tables.contains(&"job") && tables.contains(&"picture"));
    // Compared where there is a server to compare with.
    if let Ok(server) = std::env::var(POSTGRES) {
        let database = TestDatabase::on_postgres(&server)
            .await
            .expect("a database");
        let on_postgres = columns(&database.open().await.expect("opens")).await;
        assert_eq!(on_sqlite, on_postgres);
        let keys_on_postgres = columns(&database.open_keys().await.expect("opens")).await;
        assert_eq!(keys_on_sqlite, keys_on_postgres);
    }
}
