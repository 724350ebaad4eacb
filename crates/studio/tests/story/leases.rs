//! Workers that die or fall silent, and what several processes know of each other's jobs.

use std::time::Duration;

use studio::jobs::lease::{self, Abandoned};
use studio::jobs::worker;
use studio::jobs::{self, Job, State};
use studio::order::{OrderForm, place};

use crate::stage::{Stage, form};
use crate::{until_step, work};

/// So long that nothing in a test is renewed by itself; the clock is moved by hand.
const LONG_MS: u32 = 3_600_000;

#[tokio::test]
async fn a_worker_that_lost_its_lease_records_nothing() {
    let mut stage = Stage::new().await;
    stage.studio.limits.lease_ms = LONG_MS;
    let job = place(&stage.studio, stage.person, form("contested"))
        .await
        .expect("accepted");
    let (_, silent) = work(&stage);
    stage.painter.permits.add_permits(1);
    until_step(&stage, job.id, 1).await;

    // While its lease runs, the job is its own.
    let other = stage.neighbour();
    let early = lease::reclaim(&other.studio, Abandoned::Expired).await;
    assert_eq!(early.expect("looks"), 0);
    stage.studio.clock.advance_millis(i64::from(LONG_MS));
    let late = lease::reclaim(&other.studio, Abandoned::Expired).await;
    assert_eq!(late.expect("reclaims"), 1);
    let (_, _working) = (
        other.painter.run_freely(),
        tokio::spawn(worker::run(other.studio.clone(), other.stop.clone())),
    );
    let done = jobs::wait(&other.studio, stage.person, job.id).await;
    let done = done.expect("read").expect("there");
    assert_eq!((done.state, done.attempts), (State::Done, 2));

    // The silent one comes back and finishes its drawing as if nothing had been.
    stage.painter.run_freely();
    let next = place(&stage.studio, stage.person, form("next"))
        .await
        .expect("accepted");
    jobs::wait(&stage.studio, stage.person, next.id)
        .await
        .expect("read");
    other.stop.now();
    let again = jobs::find(&stage.studio, stage.person, job.id).await;
    let again = again.expect("read").expect("there");
    assert_eq!(again.pictures.len(), 1);
    assert_eq!(again.pictures[0].id, done.pictures[0].id);
    silent.abort();
}

#[tokio::test]
async fn a_silent_worker_costs_an_attempt_and_the_third_is_the_last() {
    let mut stage = Stage::new().await;
    stage.studio.limits.lease_ms = LONG_MS;
    let job = place(&stage.studio, stage.person, form("deadly"))
        .await
        .expect("accepted");
    for attempt in 1..=3 {
        let claimed = studio::jobs::queue::claim(&stage.studio, |_| 4).await;
        assert_eq!(claimed.expect("claims")[0].attempts, attempt);
        stage.studio.clock.advance_millis(i64::from(LONG_MS));
        let reclaimed = lease::reclaim(&stage.studio, Abandoned::Expired).await;
        assert_eq!(reclaimed.expect("reclaims"), 1);
    }
    let job = jobs::find(&stage.studio, stage.person, job.id).await;
    let job = job.expect("read").expect("there");
    assert_eq!((job.state, job.pictures.len()), (State::Failed, 0));
    let why = job.error.expect("says why");
    assert_eq!(why.code, "interrupted");
    assert!(
        why.message.contains("Nothing was charged"),
        "{}",
        why.message
    );
}

#[tokio::test]
async fn a_job_is_followed_and_cancelled_where_it_is_not_drawn() {
    let stage = Stage::new().await;
    if !stage.studio.db.is_shared() {
        // A SQLite database has one process.
        return;
    }
    let front = stage.neighbour();
    let attending = {
        let (studio, stop) = (front.studio.clone(), front.stop.clone());
        tokio::spawn(async move { jobs::nodes::attend(&studio, &stop).await })
    };
    let (_stop, _working) = work(&stage);
    let order = OrderForm {
        previews: 2,
        ..form("watched")
    };
    let job = place(&front.studio, stage.person, order)
        .await
        .expect("accepted");
    let mut live = jobs::follow(&front.studio, &job).expect("is unfinished");
    stage.painter.permits.add_permits(2);
    let seen = live.wait_for(|progress| {
        let sketch = &progress.pictures[0];
        sketch.step == 2 && !sketch.previews.is_empty()
    });
    tokio::time::timeout(Duration::from_secs(60), seen)
        .await
        .expect("in time")
        .expect("goes on");

    jobs::cancel(&front.studio, stage.person, job.id)
        .await
        .expect("cancels");
    // The next step is its last: the two after it are never asked for.
    until_unwanted(&stage, &job).await;
    stage.painter.permits.add_permits(1);
    let next = place(&front.studio, stage.person, form("next"))
        .await
        .expect("accepted");
    stage.painter.permits.add_permits(4);
    let next = jobs::wait(&front.studio, stage.person, next.id).await;
    assert_eq!(next.expect("read").expect("there").state, State::Done);
    assert_eq!(stage.painter.permits.available_permits(), 0);
    let job = jobs::find(&stage.studio, stage.person, job.id).await;
    assert_eq!(job.expect("read").expect("there").state, State::Cancelled);
    front.stop.now();
    attending.await.expect("ends");
}

/// Waits until the process that draws has heard that nobody wants its drawing.
async fn until_unwanted(stage: &Stage, job: &Job) {
    let mut live = jobs::follow(&stage.studio, job).expect("was unfinished when it was ordered");
    let heard = live.wait_for(|progress| progress.state == State::Cancelled);
    let heard = tokio::time::timeout(Duration::from_secs(60), heard).await;
    heard.expect("in time").expect("is told");
}
