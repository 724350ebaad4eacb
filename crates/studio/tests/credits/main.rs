//! The ledger: what it takes, what it gives back, and that nothing is ever lost or made.

mod books;
mod desk;
mod random;
mod together;

use desk::Desk;
use domain::credits::Credits;
use studio::credits::grants::{self, GrantError, NewGrant};
use studio::credits::{Held, Refusal, ledger};

#[tokio::test]
async fn what_arrives_is_charged_and_the_rest_comes_back() {
    let desk = Desk::new().await;
    let person = desk.person_with(20).await;
    for (asked, delivered, charged) in [(4, 2, 2), (4, 4, 4), (3, 0, 0), (1, 7, 1)] {
        let before = desk.balance(person).await.0;
        let job = desk.job();
        assert_eq!(desk.hold(person, job, (1, asked)).await, Held::Held);
        assert_eq!(
            desk.balance(person).await,
            (before - i64::from(asked), i64::from(asked))
        );
        desk.settle(job, delivered).await;
        assert_eq!(desk.balance(person).await, (before - charged, 0));
        // However often a job ends, it is paid for once.
        desk.settle(job, asked).await;
        desk.settle(job, 0).await;
        assert_eq!(desk.balance(person).await, (before - charged, 0));
    }
    desk.assert_sound().await;
    let house = ledger::house(&desk.studio).await.expect("reads");
    assert_eq!(house.revenue, Credits::new(7));
}

#[tokio::test]
async fn nobody_spends_more_than_there_is() {
    let desk = Desk::new().await;
    let person = desk.person_with(5).await;
    let refused = desk.hold(person, desk.job(), (2, 3)).await;
    let refusal = Refusal::Insufficient {
        available: Credits::new(5),
        quoted: Credits::new(6),
    };
    assert_eq!(refused, Held::Refused(refusal));
    assert_eq!(desk.hold(person, desk.job(), (5, 1)).await, Held::Held);
    assert!(matches!(
        desk.hold(person, desk.job(), (1, 1)).await,
        Held::Refused(_)
    ));
    assert_eq!(desk.balance(person).await, (0, 5));
    desk.assert_sound().await;
}

#[tokio::test]
async fn who_has_no_accounts_is_not_metered() {
    let desk = Desk::new().await;
    let stranger = domain::ids::PersonId::new(desk.studio.clock.now(), &desk.studio.randomness);
    let job = desk.job();
    assert_eq!(desk.hold(stranger, job, (9, 9)).await, Held::Free);
    desk.settle(job, 9).await;
    let house = ledger::house(&desk.studio).await.expect("reads");
    assert_eq!(house.revenue, Credits::ZERO);
    let nobody = studio::credits::balance(&desk.studio, stranger).await;
    assert_eq!(nobody.expect("reads"), None);
}

#[tokio::test]
async fn the_same_job_is_held_once() {
    let desk = Desk::new().await;
    let person = desk.person_with(10).await;
    let job = desk.job();
    assert_eq!(desk.hold(person, job, (1, 4)).await, Held::Held);
    let mut tx = desk.write().await;
    let again = studio::credits::NewHold {
        job,
        person,
        key: None,
        model: &desk.model,
        quote: studio::credits::Quote {
            price: Credits::new(1),
            pictures: 4,
        },
    };
    assert!(
        studio::credits::hold(&desk.studio, &mut tx, &again)
            .await
            .is_err()
    );
    drop(tx);
    assert_eq!(desk.balance(person).await, (6, 4));
    desk.assert_sound().await;
}

#[tokio::test]
async fn an_end_takes_what_is_left_and_never_what_is_held() {
    let desk = Desk::new().await;
    let person = desk.person().await;
    let clock = &desk.studio.clock;
    desk.give(person, 10, Some(clock.now().plus_millis(1_000)))
        .await;
    desk.give(person, 10, None).await;
    // The credits that end first are taken first.
    let job = desk.job();
    assert_eq!(desk.hold(person, job, (1, 6)).await, Held::Held);
    clock.advance_millis(1_000);
    assert_eq!(desk.balance(person).await, (10, 6));
    // Two of six arrive; the four that come back have ended meanwhile.
    desk.settle(job, 2).await;
    assert_eq!(desk.balance(person).await, (10, 0));
    desk.assert_sound().await;
    let house = ledger::house(&desk.studio).await.expect("reads");
    assert_eq!(house.expired, Credits::new(8));
    // Nothing is left to take back.
    assert_eq!(grants::expire_all(&desk.studio).await.expect("works"), 0);
}

#[tokio::test]
async fn the_sweep_takes_back_from_everybody() {
    let desk = Desk::new().await;
    let ends = desk.studio.clock.now().plus_millis(5);
    let mut people = Vec::new();
    for _ in 0..3 {
        let person = desk.person().await;
        desk.give(person, 3, Some(ends)).await;
        people.push(person);
    }
    assert_eq!(grants::expire_all(&desk.studio).await.expect("works"), 0);
    desk.studio.clock.advance_millis(5);
    assert_eq!(grants::expire_all(&desk.studio).await.expect("works"), 3);
    for person in people {
        assert_eq!(desk.balance(person).await, (0, 0));
    }
    desk.assert_sound().await;
}

#[tokio::test]
async fn everyone_is_welcomed_once() {
    let desk = Desk::new().await;
    let person = desk.person().await;
    let mut tx = desk.write().await;
    grants::open_account(&desk.studio, &mut tx, person)
        .await
        .expect("is open already");
    tx.commit().await.expect("commits");
    assert_eq!(desk.balance(person).await, (0, 0));
    desk.assert_sound().await;
}

#[tokio::test]
async fn a_grant_is_checked_and_given_once() {
    let desk = Desk::new().await;
    let person = desk.person().await;
    let grant = desk.grant(7, None);
    for _ in 0..2 {
        grants::give(&desk.studio, person, &grant, None)
            .await
            .expect("gives");
    }
    assert_eq!(desk.balance(person).await, (7, 0));
    let long = "x".repeat(201);
    for reason in ["", "  ", "two\nlines", &long] {
        let wrong = NewGrant {
            reason: reason.to_owned(),
            ..desk.grant(1, None)
        };
        let refused = grants::give(&desk.studio, person, &wrong, None).await;
        assert!(matches!(refused, Err(GrantError::Reason)), "{refused:?}");
    }
    for credits in [0, -1, 1_000_000_000_001] {
        let refused = grants::give(&desk.studio, person, &desk.grant(credits, None), None).await;
        assert!(matches!(refused, Err(GrantError::Credits)), "{refused:?}");
    }
    let ended = desk.grant(1, Some(desk.studio.clock.now()));
    let refused = grants::give(&desk.studio, person, &ended, None).await;
    assert!(matches!(refused, Err(GrantError::Ended)), "{refused:?}");
    let stranger = domain::ids::PersonId::new(desk.studio.clock.now(), &desk.studio.randomness);
    let refused = grants::give(&desk.studio, stranger, &desk.grant(1, None), None).await;
    assert!(matches!(refused, Err(GrantError::NoAccount)), "{refused:?}");
    assert_eq!(desk.balance(person).await, (7, 0));
    desk.assert_sound().await;
}
