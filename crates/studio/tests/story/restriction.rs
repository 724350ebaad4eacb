//! Somebody restricts the account while orders come in and are drawn, here and elsewhere.

use std::sync::Arc;

use domain::credits::Credits;
use domain::ids::GrantId;
use domain::personal::Address;
use domain::role::Role;
use studio::accounts::person;
use studio::credits::grants::NewGrant;
use studio::credits::{self, ledger};
use studio::jobs::{self, State};
use studio::order::{OrderError, place};
use studio::privacy::erasure::{self, AskedBy, EraseError, Scope};
use studio::privacy::restriction;
use studio::privacy::restriction::child::{self, CONTEST_MS};

use crate::stage::{Stage, form};
use crate::work;

const ORDERS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_rgt_03_no_order_slips_past_a_restriction_and_what_was_drawn_is_paid_back() {
    let mut stage = Stage::new().await;
    stage.studio.limits.max_waiting_jobs = 100;
    let (stop, working) = work(&stage);
    let studio = stage.studio.clone();
    let gift = NewGrant {
        id: GrantId::new(studio.clock.now(), &studio.randomness),
        credits: Credits::new(1_000),
        reason: "a gift".to_owned(),
        ends: None,
    };
    let anna = Address::new("anna@example.org").expect("an address");
    let anna = person::add(&studio, &anna, Role::Person, Some(&gift)).await;
    let anna = anna.expect("added");
    let before = credits::balance(&studio, anna).await.expect("reads");
    let before = before.expect("is metered");
    let first = place(&studio, anna, form("an apple"))
        .await
        .expect("placed");
    stage.painter.permits.add_permits(1);
    let mut live = jobs::follow(&studio, &first).expect("is unfinished");
    live.wait_for(|progress| progress.pictures[0].step >= 1)
        .await
        .expect("goes on");

    // Others order at the same moment, from this process and from another.
    let neighbour = Arc::new(stage.neighbour());
    let orders: Vec<_> = (0..ORDERS)
        .map(|number| {
            let (studio, neighbour) = (studio.clone(), Arc::clone(&neighbour));
            tokio::spawn(async move {
                let from = match number % 2 {
                    0 => &studio,
                    _ => &neighbour.studio,
                };
                place(from, anna, form("another apple")).await
            })
        })
        .collect();
    restriction::restrict(&neighbour.studio, anna)
        .await
        .expect("is restricted");
    let mut jobs = vec![first.id];
    for order in orders {
        match order.await.expect("ends") {
            Ok(job) => jobs.push(job.id),
            Err(OrderError::Restricted) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    for job in jobs {
        let job = jobs::find(&studio, anna, job).await.expect("reads");
        assert_eq!(job.expect("there").state, State::Cancelled);
    }
    let refused = place(&studio, anna, form("a third")).await;
    assert!(
        matches!(refused, Err(OrderError::Restricted)),
        "{refused:?}"
    );
    let after = credits::balance(&studio, anna).await.expect("reads");
    let after = after.expect("is metered");
    assert_eq!(
        (after.available, after.held),
        (before.available, before.held)
    );
    // Everybody else goes on.
    stage.painter.run_freely();
    let other = place(&studio, stage.person, form("mine"))
        .await
        .expect("placed");
    let other = jobs::wait(&studio, stage.person, other.id).await;
    assert_eq!(other.expect("reads").expect("there").state, State::Done);
    assert_eq!(ledger::audit(&studio).await.expect("reads"), [""; 0]);
    restriction::lift(&studio, anna).await.expect("is lifted");
    let job = place(&studio, anna, form("a fourth"))
        .await
        .expect("placed");
    let job = jobs::wait(&studio, anna, job.id).await.expect("reads");
    assert_eq!(job.expect("there").state, State::Done);
    stop.now();
    working.await.expect("ends");
}

#[tokio::test]
async fn promise_chd_02_who_was_found_old_enough_just_then_is_not_erased() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    let by_age = |person| erasure::ask(studio, person, Scope::Account, AskedBy::Age);
    let mut all = Vec::new();
    for address in ["anna@example.org", "ben@example.org", "cleo@example.org"] {
        let address = Address::new(address).expect("an address");
        let person = person::add(studio, &address, Role::Person, None).await;
        let person = person.expect("added");
        let early = by_age(person).await;
        assert!(matches!(early, Err(EraseError::NotDue)), "{early:?}");
        child::find(studio, person, "a teacher")
            .await
            .expect("locks");
        all.push(person);
    }
    let [anna, ben, cleo] = all[..] else {
        panic!("three people")
    };
    studio.clock.advance_millis(CONTEST_MS - 1);
    child::contest(studio, ben, "I am 30.")
        .await
        .expect("contests");
    studio.clock.advance_millis(1);
    // The list of who is due was read before this, and their turn comes after it.
    child::unlock(studio, anna, "She is 40.")
        .await
        .expect("opens");
    for kept in [anna, ben] {
        let refused = by_age(kept).await;
        assert!(matches!(refused, Err(EraseError::NotDue)), "{refused:?}");
    }
    assert!(by_age(cleo).await.is_ok());
}
