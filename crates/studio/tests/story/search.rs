//! Looking for something among very many pictures.

use db::on;
use domain::ids::PictureId;
use studio::gallery::{self, MAX_LOOKED_THROUGH, Search};
use studio::jobs;
use studio::order::{Prose, place};

use crate::stage::{Stage, form};
use crate::work;

#[tokio::test]
async fn a_search_stops_in_time_and_goes_on_where_it_stopped() {
    let stage = Stage::new().await;
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    let (studio, person) = (&stage.studio, stage.person);
    let boat = place(studio, person, form("a boat"))
        .await
        .expect("accepted");
    jobs::wait(studio, person, boat.id).await.expect("reads");
    studio.clock.advance_millis(1000);
    let apple = place(studio, person, form("an apple"))
        .await
        .expect("accepted");
    let apple = jobs::wait(studio, person, apple.id).await.expect("reads");
    let apple = apple.expect("a job").pictures[0].id.to_string();
    // Newer than the boat: as many apples as one call looks through, and some more.
    let mut tx = studio.db.write().await.expect("begins");
    on!(tx, conn => {
        sqlx::query(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < $2) \
             INSERT INTO picture (id, job_id, person_id, ordinal, seed, width, height, blob, \
             size_bytes, sha256, created_ms) \
             SELECT SUBSTR(id, 1, 23) || CAST(1000000 + n AS TEXT), job_id, person_id, n, seed, \
             width, height, blob || CAST(n AS TEXT), size_bytes, sha256, created_ms \
             FROM picture CROSS JOIN n WHERE id = $1",
        )
        .bind(&apple)
        .bind(i64::from(MAX_LOOKED_THROUGH) + 10)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })
    .expect("writes");
    tx.commit().await.expect("commits");

    let boats = Search {
        words: Prose("boat".to_owned()),
        ..Search::default()
    };
    let look = async |before: Option<PictureId>| {
        gallery::search(studio, person, &boats, before, 5)
            .await
            .expect("looks")
    };
    let first = look(None).await;
    assert_eq!(first.items.len(), 0);
    let next = first.next.expect("it did not see all");
    let second = look(Some(next)).await;
    assert_eq!(second.items.len(), 1);
    assert_eq!(second.next, None);
    let apples = gallery::page(studio, person, None, 5).await.expect("looks");
    assert_eq!(apples.items.len(), 5);
    assert_eq!(apples.next, Some(apples.items[4].id));
}
