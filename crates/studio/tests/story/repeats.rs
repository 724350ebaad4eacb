//! Requests that come again while the one before is still on its way.

use db::on;
use studio::jobs::repeat::Name;
use studio::jobs::{self, State};
use studio::order::place_once;

use crate::stage::{Stage, form};
use crate::work;

fn attempt(count: u32) -> Name {
    Name::new(None, &[b"the same"], count > 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_retry_that_overlaps_its_first_attempt_gets_the_same_job() {
    let stage = Stage::new().await;
    // Somebody holds the person's row, so that both are on their way at the same time. Postgres lets
    // them pass in the order in which they came only where the row stays as it was.
    let mut tx = stage.studio.db.write().await.expect("begins");
    let lock = match stage.studio.db.is_shared() {
        true => "SELECT id FROM person FOR UPDATE",
        false => "SELECT id FROM person",
    };
    let locked: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar(lock).fetch_all(conn).await
    })
    .expect("locks");
    assert!(!locked.is_empty());
    let order = |count| {
        let (studio, person) = (stage.studio.clone(), stage.person);
        async move { place_once(&studio, person, form("once"), Some(&attempt(count))).await }
    };
    let mut first = Box::pin(order(0));
    // It is polled until it waits for the row.
    until_waiting(&stage, &mut first, 1).await;
    let mut second = Box::pin(order(1));
    until_waiting(&stage, &mut second, 2).await;
    tx.commit().await.expect("commits");
    let (first, second) = tokio::join!(first, second);
    let (first, second) = (first.expect("accepted"), second.expect("is known"));
    assert_eq!(first.job.id, second.job.id);
    assert!(second.is_repeated());
}

/// Polls an order until as many statements wait for a lock. SQLite queues its writers in order, so
/// there it is enough that the order is under way.
async fn until_waiting<T>(
    stage: &Stage,
    order: &mut (impl Future<Output = T> + Unpin),
    waiting: i64,
) {
    loop {
        assert!(futures::poll!(&mut *order).is_pending());
        if !stage.studio.db.is_shared() {
            return;
        }
        let mut tx = stage.studio.db.read().await.expect("begins");
        let seen: i64 = on!(tx, conn => {
            sqlx::query_scalar(
                "SELECT COUNT(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(conn)
            .await
        })
        .expect("reads");
        if seen == waiting {
            return;
        }
    }
}

#[tokio::test]
async fn what_is_drawn_while_nobody_waits_for_it_ends_as_cancelled() {
    let stage = Stage::new().await;
    let placed = place_once(&stage.studio, stage.person, form("left"), Some(&attempt(0))).await;
    let job = placed.expect("accepted").job;
    assert_eq!(
        jobs::leave(&stage.studio, job.id).await.expect("leaves"),
        Some(1)
    );
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    let over = jobs::wait(&stage.studio, stage.person, job.id).await;
    let over = over.expect("read").expect("there");
    assert_eq!((over.state, over.pictures.len()), (State::Cancelled, 0));
    assert_eq!(
        stage.studio.shelf.keys("pictures").await.expect("lists"),
        [""; 0]
    );
    // Whoever comes after that gets a drawing of its own.
    let again = place_once(&stage.studio, stage.person, form("left"), Some(&attempt(1))).await;
    let again = again.expect("accepted");
    assert!(!again.is_repeated());
    let over = jobs::wait(&stage.studio, stage.person, again.job.id).await;
    assert_eq!(over.expect("read").expect("there").state, State::Done);
}

#[tokio::test]
async fn a_job_goes_on_while_one_of_two_waits_for_it() {
    let stage = Stage::new().await;
    let key = Name::new(Some(b"order 7"), &[b"the same"], false);
    let order = || place_once(&stage.studio, stage.person, form("shared"), Some(&key));
    let (first, second) = (
        order().await.expect("accepted"),
        order().await.expect("known"),
    );
    assert_eq!(first.job.id, second.job.id);
    let id = first.job.id;
    assert_eq!(jobs::leave(&stage.studio, id).await.expect("leaves"), None);
    // Even where somebody thinks that all have left.
    jobs::abandon(&stage.studio, stage.person, id, 2)
        .await
        .expect("looks");
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    let over = jobs::wait(&stage.studio, stage.person, id).await;
    assert_eq!(over.expect("read").expect("there").state, State::Done);
}
