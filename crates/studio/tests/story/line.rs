//! Who comes when, and what is told to those who may not join.

use domain::ids::PersonId;
use studio::Limits;
use studio::jobs::lease::{self, Abandoned};
use studio::jobs::{self, State, line, nodes};
use studio::order::{OrderError, OrderForm, place};

use crate::stage::{Stage, form};
use crate::work;

/// A stage where nobody is stopped by a limit.
async fn roomy() -> Stage {
    let mut stage = Stage::new().await;
    stage.studio.limits = Limits {
        max_waiting_jobs: 100_000,
        max_waiting_jobs_each: 100_000,
        max_orders_per_minute: 60_000,
        ..Limits::default()
    };
    stage
}

async fn order(stage: &Stage, person: PersonId, prompt: &str) -> jobs::Job {
    let placed = place(&stage.studio, person, form(prompt)).await;
    placed.expect("accepted")
}

/// The prompts that were drawn, in their order.
fn drawn(stage: &Stage) -> Vec<String> {
    stage.painter.passes.lock().expect("unpoisoned").concat()
}

async fn until_drawn(stage: &Stage, count: usize) {
    stage.painter.run_freely();
    while drawn(stage).len() < count {
        tokio::task::yield_now().await;
    }
}

/// How many people, their jobs each, and the jobs of the one who has many. The full size takes a
/// minute or two: PINHOLE_TEST_FULL_SIZE=1.
fn size() -> (usize, usize, usize) {
    if std::env::var_os("PINHOLE_TEST_FULL_SIZE").is_some() {
        (100, 100, 10_000)
    } else {
        (100, 3, 300)
    }
}

#[tokio::test]
async fn everybodys_first_picture_comes_within_one_round() {
    let stage = roomy().await;
    let (people, each, many) = size();
    // No clock ticks: everything is ordered in the same millisecond.
    for n in 0..many {
        order(&stage, stage.person, &format!("hoarder {n}")).await;
    }
    let (stop, working) = work(&stage);
    stage.painter.permits.add_permits(1);
    while drawn(&stage).is_empty() {
        tokio::task::yield_now().await;
    }
    let running = drawn(&stage).len();
    let mut waiting = Vec::new();
    for n in 0..people {
        let person = stage.somebody().await;
        for m in 0..each {
            let job = order(&stage, person, &format!("person-{n} {m}")).await;
            waiting.push((person, job.id, format!("person-{n} {m}")));
        }
    }
    let mut told = Vec::new();
    for (person, id, prompt) in waiting.iter().step_by(each) {
        let job = jobs::find(&stage.studio, *person, *id).await;
        told.push((job.expect("read").expect("there").ahead, prompt.clone()));
    }
    let rounds = 2;
    until_drawn(&stage, running + rounds * (people + 1)).await;
    stop.now();
    working.await.expect("ends");

    let drawn = drawn(&stage);
    let after = &drawn[running..];
    for n in 0..people {
        for round in 0..rounds {
            let prompt = format!("person-{n} {round}");
            let came = after.iter().position(|drawn| *drawn == prompt);
            let came = came.unwrap_or_else(|| panic!("{prompt} was not drawn"));
            assert!(came < (round + 1) * (people + 1), "{prompt} came {came}.");
        }
    }
    for (ahead, prompt) in told {
        let came = after.iter().position(|drawn| *drawn == prompt);
        assert_eq!(came, Some(ahead as usize), "{prompt}");
    }
}

#[tokio::test]
async fn a_person_who_asks_for_many_pictures_at_once_waits_as_many_turns() {
    let stage = roomy().await;
    let other = stage.somebody().await;
    let four = OrderForm {
        count: Some(4),
        ..form("four")
    };
    place(&stage.studio, stage.person, four)
        .await
        .expect("accepted");
    order(&stage, stage.person, "fifth").await;
    for n in 0..4 {
        order(&stage, other, &format!("other {n}")).await;
    }
    let (_stop, _working) = work(&stage);
    until_drawn(&stage, 9).await;
    let fifth = drawn(&stage).iter().position(|drawn| drawn == "fifth");
    assert_eq!(fifth, Some(8));
}

#[tokio::test]
async fn neighbours_share_a_pass_only_where_nobody_waits_a_round_longer() {
    let stage = roomy().await;
    let [second, third] = [stage.somebody().await, stage.somebody().await];
    let order_steps = async |person, prompt: &str, steps| {
        let order = OrderForm {
            steps: Some(steps),
            ..form(prompt)
        };
        place(&stage.studio, person, order).await.expect("accepted");
        stage.studio.clock.advance_millis(1);
    };
    order_steps(stage.person, "first 1", 4).await;
    order_steps(second, "second 1", 5).await;
    order_steps(third, "third 1", 4).await;
    order_steps(stage.person, "first 2", 4).await;
    order_steps(stage.person, "first 3", 4).await;
    let (_stop, _working) = work(&stage);
    until_drawn(&stage, 5).await;
    let passes = stage.painter.passes.lock().expect("unpoisoned").clone();
    let expected: [&[&str]; 3] = [
        &["first 1", "third 1"],
        &["second 1"],
        &["first 2", "first 3"],
    ];
    assert_eq!(passes, expected);
}

#[tokio::test]
async fn nobody_has_more_jobs_running_than_allowed() {
    let mut stage = roomy().await;
    stage.studio.limits.max_running_jobs_each = 2;
    let other = stage.somebody().await;
    for n in 0..3 {
        order(&stage, stage.person, &format!("mine {n}")).await;
    }
    stage.studio.clock.advance_millis(1);
    let claim = async || {
        let jobs = studio::jobs::queue::claim(&stage.studio, |_| 4).await;
        let jobs = jobs.expect("claims").into_iter();
        jobs.map(|job| job.prompt.expect("words").expose().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(claim().await, ["mine 0", "mine 1"]);
    assert_eq!(claim().await, [""; 0]);
    order(&stage, other, "other").await;
    assert_eq!(claim().await, ["other"]);
}

#[tokio::test]
async fn what_was_cancelled_takes_no_turn() {
    let stage = roomy().await;
    let other = stage.somebody().await;
    for n in 0..3 {
        let job = order(&stage, stage.person, &format!("regretted {n}")).await;
        jobs::cancel(&stage.studio, stage.person, job.id)
            .await
            .expect("cancels");
    }
    for n in 0..2 {
        order(&stage, stage.person, &format!("mine {n}")).await;
        order(&stage, other, &format!("other {n}")).await;
        stage.studio.clock.advance_millis(1);
    }
    let (_stop, _working) = work(&stage);
    until_drawn(&stage, 4).await;
    assert!(drawn(&stage)[..2].contains(&"mine 0".to_owned()));
}

#[tokio::test]
async fn an_operator_may_serve_somebody_first() {
    let stage = roomy().await;
    let guest = stage.somebody().await;
    assert!(
        line::set_priority(&stage.studio, guest, 1)
            .await
            .expect("sets")
    );
    for n in 0..3 {
        order(&stage, stage.person, &format!("mine {n}")).await;
    }
    order(&stage, guest, "guest 0").await;
    let last = order(&stage, guest, "guest 1").await;
    assert_eq!(last.ahead, 1);
    let (_stop, _working) = work(&stage);
    until_drawn(&stage, 5).await;
    assert_eq!(drawn(&stage)[..2], ["guest 0", "guest 1"]);
}

#[tokio::test]
async fn each_limit_says_which_it_is_and_when_to_come_back() {
    let mut stage = roomy().await;
    stage.studio.limits = Limits {
        max_waiting_jobs: 3,
        max_waiting_jobs_each: 2,
        max_orders_per_minute: 6,
        ..Limits::default()
    };
    let [second, third] = [stage.somebody().await, stage.somebody().await];
    let studio = &stage.studio;
    for n in 0..2 {
        order(&stage, stage.person, &format!("mine {n}")).await;
    }
    let refused = place(studio, stage.person, form("mine 2")).await;
    assert!(matches!(
        refused,
        Err(OrderError::TooManyWaiting {
            waiting: 2,
            retry_after_s: 1..
        })
    ));
    order(&stage, second, "second").await;
    let refused = place(studio, third, form("third")).await;
    assert!(matches!(
        refused,
        Err(OrderError::QueueFull {
            waiting: 3,
            retry_after_s: 1..
        })
    ));
    let (_stop, _working) = work(&stage);
    until_drawn(&stage, 3).await;
    // Refused orders don't count.
    for n in 2..6 {
        let job = order(&stage, stage.person, &format!("mine {n}")).await;
        let over = jobs::wait(studio, stage.person, job.id).await;
        over.expect("read").expect("there");
    }
    let refused = place(studio, stage.person, form("mine 6")).await;
    assert!(matches!(
        refused,
        Err(OrderError::TooFast { retry_after_s: 10 })
    ));
    let pace = line::pace(studio, stage.person).await.expect("reads");
    assert_eq!((pace.limit, pace.remaining, pace.reset_ms), (6, 0, 60_000));
    studio.clock.advance_millis(10_000);
    order(&stage, stage.person, "mine 6").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_line_is_never_longer_than_allowed_however_many_join_at_once() {
    let mut stage = roomy().await;
    stage.studio.limits.max_waiting_jobs = 5;
    let mut orders = Vec::new();
    for n in 0..40 {
        let (studio, person) = (stage.studio.clone(), stage.somebody().await);
        orders.push(tokio::spawn(async move {
            place(&studio, person, form(&format!("newcomer {n}"))).await
        }));
    }
    let (mut accepted, mut told) = (0, Vec::new());
    for order in orders {
        match order.await.expect("ends") {
            Ok(_) => accepted += 1,
            Err(OrderError::QueueFull { waiting, .. }) => told.push(waiting),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((accepted, told), (5, vec![5; 35]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn orders_claims_and_cancellations_never_wait_for_each_other_in_a_circle() {
    const EACH: usize = 30;
    let mut stage = roomy().await;
    stage.studio.limits.max_running_jobs_each = 1_000;
    let studio = stage.studio.clone();
    let mut busy = Vec::new();
    for _ in 0..6 {
        let (studio, person) = (studio.clone(), stage.somebody().await);
        busy.push(tokio::spawn(async move {
            for n in 0..EACH {
                let job = place(&studio, person, form(&format!("mine {n}"))).await;
                let cancelled = jobs::cancel(&studio, person, job.expect("accepted").id).await;
                assert_eq!(
                    cancelled.expect("works").map(|job| job.state),
                    Some(State::Cancelled)
                );
            }
        }));
    }
    for _ in 0..2 {
        let studio = studio.clone();
        busy.push(tokio::spawn(async move {
            for _ in 0..EACH {
                studio::jobs::queue::claim(&studio, |_| 4)
                    .await
                    .expect("claims");
            }
        }));
    }
    for one in busy {
        one.await.expect("ends");
    }
}

#[tokio::test]
async fn when_to_come_back_is_told_by_how_fast_it_goes() {
    let mut stage = roomy().await;
    stage.studio.limits.max_waiting_jobs_each = 3;
    let studio = &stage.studio;
    let (stop, working) = work(&stage);
    stage.painter.run_freely();
    for n in 0..5 {
        let job = order(&stage, stage.person, &format!("quick {n}")).await;
        let over = jobs::wait(studio, stage.person, job.id).await;
        over.expect("read").expect("there");
        studio.clock.advance_millis(7_000);
    }
    stop.now();
    working.await.expect("ends");
    let other = stage.somebody().await;
    order(&stage, other, "before").await;
    studio.clock.advance_millis(1);
    for n in 0..3 {
        order(&stage, stage.person, &format!("waiting {n}")).await;
    }
    // One job each 7 s, and at most one before the next of one's own.
    let refused = place(studio, stage.person, form("too many")).await;
    let Err(OrderError::TooManyWaiting { retry_after_s, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!([7, 14].contains(&retry_after_s), "{retry_after_s}");
}

#[tokio::test]
async fn a_place_in_the_line_is_told_anew_when_it_changes() {
    let stage = roomy().await;
    let other = stage.somebody().await;
    let mine = order(&stage, stage.person, "mine 0").await;
    stage.studio.clock.advance_millis(1);
    order(&stage, stage.person, "mine 1").await;
    let last = order(&stage, stage.person, "mine 2").await;
    assert_eq!(last.ahead, 2);
    let live = jobs::follow(&stage.studio, &last).expect("is unfinished");
    // Newcomers come before somebody's third.
    order(&stage, other, "other").await;
    nodes::read_line(&stage.studio).await.expect("reads");
    assert_eq!(live.borrow().ahead, 3);
    jobs::cancel(&stage.studio, stage.person, mine.id)
        .await
        .expect("cancels");
    nodes::read_line(&stage.studio).await.expect("reads");
    assert_eq!(live.borrow().ahead, 2);
    assert_eq!(
        lease::reclaim(&stage.studio, Abandoned::Expired)
            .await
            .expect("looks"),
        0
    );
}
