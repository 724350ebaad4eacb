//! What becomes of a connection whose transaction was dropped.

use db::on;
use db::testing::TestDatabase;

/// Each new writer of SQLite would open the file, read the schema and prepare every statement anew.
#[tokio::test]
async fn a_dropped_transaction_leaves_its_connection_for_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = TestDatabase::on_sqlite(folder.path());
    let db = database.open().await.expect("opens");
    let mut tx = db.write().await.expect("begins");
    // Belongs to this connection alone.
    for statement in [
        "CREATE TEMP TABLE mark (here BIGINT)",
        "INSERT INTO mark VALUES (1)",
    ] {
        on!(tx, conn => sqlx::query(statement).execute(conn).await.map(|done| done.rows_affected()))
            .expect("writes");
    }
    tx.commit().await.expect("commits");
    for _ in 0..3 {
        let mut tx = db.write().await.expect("begins");
        on!(tx, conn => {
            sqlx::query("UPDATE mark SET here = here + 1").execute(conn).await.map(|done| done.rows_affected())
        })
        .expect("is the same connection");
        drop(tx);
    }
    let mut tx = db.write().await.expect("begins");
    let here: i64 =
        on!(tx, conn => sqlx::query_scalar("SELECT here FROM mark").fetch_one(conn).await)
            .expect("is the same connection");
    // What was dropped never happened.
    assert_eq!(here, 1);
}
