//! Many at once, things cut short, and what the database refuses by itself.

use std::sync::Arc;

use db::on;
use domain::ids::{JobId, PersonId};
use studio::credits::{self, Held, ledger};

use crate::desk::Desk;

/// Holds a quote in a task of its own, as each request does.
fn ordering(
    desk: &Arc<Desk>,
    person: PersonId,
    job: JobId,
    quote: (i64, u32),
) -> tokio::task::JoinHandle<bool> {
    let desk = Arc::clone(desk);
    tokio::spawn(async move { desk.hold(person, job, quote).await == Held::Held })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_pay_02_a_balance_for_ten_orders_takes_ten_of_sixty_four() {
    let desk = Arc::new(Desk::new().await);
    let person = desk.person_with(43).await;
    let bystander = desk.person_with(5).await;
    let mut orders = Vec::new();
    for _ in 0..64 {
        orders.push(ordering(&desk, person, desk.job(), (2, 2)));
    }
    orders.push(ordering(&desk, bystander, desk.job(), (5, 1)));
    let mut taken = 0;
    for order in orders {
        taken += u32::from(order.await.expect("ends"));
    }
    // Ten orders of 4 are 40, and the bystander pays alone.
    assert_eq!(taken, 10 + 1);
    assert_eq!(desk.balance(person).await, (3, 40));
    assert_eq!(desk.balance(bystander).await, (0, 5));
    desk.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_job_that_ends_many_times_at_once_is_charged_once() {
    let desk = Arc::new(Desk::new().await);
    let person = desk.person_with(80).await;
    for _ in 0..10 {
        let job = desk.job();
        assert_eq!(desk.hold(person, job, (2, 4)).await, Held::Held);
        let ends = (0..8).map(|delivered| {
            let desk = Arc::clone(&desk);
            tokio::spawn(async move { desk.settle(job, delivered).await })
        });
        for end in ends.collect::<Vec<_>>() {
            end.await.expect("ends");
        }
        let (available, held) = desk.balance(person).await;
        assert_eq!((available % 2, held), (0, 0));
    }
    desk.assert_sound().await;
}

#[tokio::test]
async fn whatever_is_cut_short_never_happened() {
    let desk = Desk::new().await;
    let person = desk.person_with(10).await;
    let house = ledger::house(&desk.studio).await.expect("reads");
    // The process dies, or the disk is full, between the hold and its commit.
    let mut tx = desk.write().await;
    assert_eq!(
        desk.hold_in(&mut tx, person, desk.job(), (1, 4)).await,
        Held::Held
    );
    drop(tx);
    assert_eq!(desk.balance(person).await, (10, 0));
    // And between the end of a job and its commit.
    let job = desk.job();
    assert_eq!(desk.hold(person, job, (1, 4)).await, Held::Held);
    let mut tx = desk.write().await;
    credits::settle(&desk.studio, &mut tx, job, 3)
        .await
        .expect("settles");
    drop(tx);
    assert_eq!(desk.balance(person).await, (6, 4));
    desk.settle(job, 0).await;
    assert_eq!(desk.balance(person).await, (10, 0));
    assert_eq!(ledger::house(&desk.studio).await.expect("reads"), house);
    desk.assert_sound().await;
}

#[tokio::test]
async fn the_database_itself_refuses_what_would_break_the_books() {
    let desk = Desk::new().await;
    let person = desk.person_with(10).await;
    let job = desk.job();
    assert_eq!(desk.hold(person, job, (1, 4)).await, Held::Held);
    for statement in [
        "UPDATE balance SET available = -1",
        "UPDATE balance SET held = -1",
        "UPDATE credit_grant SET remaining = -1",
        "UPDATE credit_grant SET remaining = credits + 1",
        "UPDATE hold SET charged = quoted + 1",
        "UPDATE hold SET quoted = quoted + 1",
        // A movement that makes a credit, and a cause that comes again.
        "INSERT INTO entry SELECT 'ent_1', person_id, 9, kind, 'new', job_id, grant_id, 1, held, issued, \
         revenue, expired, 1, 1, created_ms FROM entry WHERE kind = 'hold'",
        "INSERT INTO entry SELECT 'ent_2', person_id, 9, kind, cause, job_id, grant_id, available, held, \
         issued, revenue, expired, 1, 1, created_ms FROM entry WHERE kind = 'hold'",
    ] {
        let mut tx = desk.write().await;
        let refused = on!(tx, conn => {
            sqlx::query(statement).execute(conn).await.map(|done| done.rows_affected())
        });
        assert!(refused.is_err(), "{statement}");
    }
    desk.assert_sound().await;
}
