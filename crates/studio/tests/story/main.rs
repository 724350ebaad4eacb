//! Orders from the prompt to the file, with a painter that moves only when the test says so.

mod aggregates;
mod backup;
mod consent;
mod erasure;
mod holds;
mod invoices;
mod keys;
mod leases;
mod line;
mod log;
mod looking;
mod policies;
mod removal;
mod repeats;
mod restriction;
mod search;
mod stage;
mod witness;

use domain::ids::{JobId, PersonId};
use domain::model::ModelName;
use domain::picture::{Format, Size};
use stage::{SIZE, Stage, colour, form};
use studio::jobs::worker::{self, Stop};
use studio::jobs::{self, State, nodes};
use studio::order::{OrderError, OrderForm, place};
use studio::{gallery, pictures};
use tokio::task::JoinHandle;

fn work(stage: &Stage) -> (Stop, JoinHandle<()>) {
    let stop = Stop::default();
    (
        stop.clone(),
        tokio::spawn(worker::run(stage.studio.clone(), stop)),
    )
}

/// Waits until a job's first picture has done `steps` steps.
async fn until_step(stage: &Stage, id: JobId, steps: u32) {
    let job = jobs::find(&stage.studio, stage.person, id).await;
    let job = job.expect("read").expect("there");
    let mut live = jobs::follow(&stage.studio, &job).expect("is unfinished");
    live.wait_for(|progress| progress.pictures[0].step >= steps)
        .await
        .expect("goes on");
}

#[tokio::test]
async fn an_order_is_drawn_stored_shown_and_deleted() {
    let stage = Stage::new().await;
    let (_stop, _working) = work(&stage);
    let order = OrderForm {
        count: Some(2),
        previews: 2,
        ..form("a red apple")
    };
    let job = place(&stage.studio, stage.person, order)
        .await
        .expect("accepted");
    assert_eq!((job.state, job.count, job.steps), (State::Queued, 2, 4));
    let live = jobs::follow(&stage.studio, &job).expect("is unfinished");

    stage.painter.run_freely();
    let job = jobs::wait(&stage.studio, stage.person, job.id)
        .await
        .expect("read")
        .expect("there");

    assert_eq!(job.state, State::Done);
    assert_eq!(job.unknown_words, ["zorp"]);
    assert_eq!(
        job.pictures.iter().map(|p| p.seed).collect::<Vec<_>>(),
        [10, 11]
    );
    let last = live.borrow().clone();
    assert_eq!(last.state, State::Done);
    assert_eq!((last.pictures[1].step, last.pictures[1].steps), (4, 4));
    assert_eq!(*last.pictures[1].previews[0], colour(11));

    let shown = gallery::page(&stage.studio, stage.person, None, 10)
        .await
        .expect("read");
    assert_eq!(shown.items.len(), 2);
    let picture = &job.pictures[1];
    let person = stage.person;
    let studio = &stage.studio;
    for format in [Format::Png, Format::Webp] {
        let file = pictures::file(studio, picture, pictures::Wanted::plain(format, None)).await;
        let file = file.expect("read");
        assert_eq!(imaging::decode(&file.bytes).expect("decodes"), colour(11));
    }

    assert!(
        pictures::delete(studio, person, picture.id)
            .await
            .expect("deletes")
    );
    assert!(
        !pictures::delete(studio, person, picture.id)
            .await
            .expect("is gone")
    );
    assert_eq!(studio.shelf.keys("pictures").await.expect("lists").len(), 1);
    assert!(
        pictures::find(studio, person, picture.id)
            .await
            .expect("read")
            .is_none()
    );
}

#[tokio::test]
async fn what_belongs_to_somebody_else_is_not_there() {
    let stage = Stage::new().await;
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    let job = place(&stage.studio, stage.person, form("mine"))
        .await
        .expect("accepted");
    let job = jobs::wait(&stage.studio, stage.person, job.id)
        .await
        .expect("read")
        .expect("there");
    let other = PersonId::new(stage.studio.clock.now(), &stage.studio.randomness);
    let studio = &stage.studio;
    let picture = job.pictures[0].id;
    assert!(
        jobs::find(studio, other, job.id)
            .await
            .expect("read")
            .is_none()
    );
    assert!(
        jobs::cancel(studio, other, job.id)
            .await
            .expect("read")
            .is_none()
    );
    assert!(
        pictures::find(studio, other, picture)
            .await
            .expect("read")
            .is_none()
    );
    assert!(
        !pictures::delete(studio, other, picture)
            .await
            .expect("refuses")
    );
    assert!(
        gallery::page(studio, other, None, 10)
            .await
            .expect("read")
            .items
            .is_empty()
    );
    assert!(
        pictures::find(studio, stage.person, picture)
            .await
            .expect("read")
            .is_some()
    );
}

#[tokio::test]
async fn cancelling_stops_ones_own_drawing_within_a_step_and_nobody_elses() {
    let stage = Stage::new().await;
    let doomed = place(&stage.studio, stage.person, form("doomed"))
        .await
        .expect("accepted");
    stage.studio.clock.advance_millis(1);
    let kept = place(&stage.studio, stage.person, form("kept"))
        .await
        .expect("accepted");
    let (_stop, _working) = work(&stage);
    stage.painter.permits.add_permits(1);
    until_step(&stage, doomed.id, 1).await;

    let cancelled = jobs::cancel(&stage.studio, stage.person, doomed.id).await;
    assert_eq!(
        cancelled.expect("read").expect("there").state,
        State::Cancelled
    );
    stage.painter.run_freely();
    let kept = jobs::wait(&stage.studio, stage.person, kept.id)
        .await
        .expect("read")
        .expect("there");

    assert_eq!((kept.state, kept.pictures.len()), (State::Done, 1));
    let doomed = jobs::find(&stage.studio, stage.person, doomed.id)
        .await
        .expect("read");
    let doomed = doomed.expect("there");
    assert_eq!((doomed.state, doomed.pictures.len()), (State::Cancelled, 0));
    // Both went through one pass, so neither waited for the other.
    assert_eq!(
        *stage.painter.passes.lock().expect("unpoisoned"),
        [["doomed", "kept"]]
    );
    // Cancelling what is over changes nothing.
    let again = jobs::cancel(&stage.studio, stage.person, kept.id)
        .await
        .expect("read");
    assert_eq!(again.expect("there").state, State::Done);
}

#[tokio::test]
async fn a_queued_job_is_cancelled_before_it_costs_anything() {
    let stage = Stage::new().await;
    let first = place(&stage.studio, stage.person, form("one"))
        .await
        .expect("accepted");
    let second = place(&stage.studio, stage.person, form("two"))
        .await
        .expect("accepted");
    let behind = jobs::follow(&stage.studio, &second).expect("is unfinished");
    assert_eq!(behind.borrow().ahead, 1);
    jobs::cancel(&stage.studio, stage.person, first.id)
        .await
        .expect("cancels");
    nodes::read_line(&stage.studio).await.expect("reads");
    assert_eq!(behind.borrow().ahead, 0);
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    jobs::wait(&stage.studio, stage.person, second.id)
        .await
        .expect("read");
    assert_eq!(*stage.painter.passes.lock().expect("unpoisoned"), [["two"]]);
}

#[tokio::test]
async fn more_pictures_than_one_pass_holds_are_drawn_in_several() {
    let stage = Stage::new().await;
    let order = OrderForm {
        count: Some(10),
        ..form("many")
    };
    let job = place(&stage.studio, stage.person, order)
        .await
        .expect("accepted");
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    let job = jobs::wait(&stage.studio, stage.person, job.id)
        .await
        .expect("read")
        .expect("there");
    let seeds: Vec<u32> = job.pictures.iter().map(|picture| picture.seed).collect();
    assert_eq!(seeds, (10..20).collect::<Vec<_>>());
    let passes = stage.painter.passes.lock().expect("unpoisoned");
    assert_eq!(passes.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
}

#[tokio::test]
async fn what_arrived_is_kept_when_the_rest_failed() {
    let stage = Stage::new().await;
    stage
        .painter
        .broken
        .lock()
        .expect("unpoisoned")
        .insert("half".to_owned());
    let order = OrderForm {
        count: Some(4),
        ..form("half")
    };
    let half = place(&stage.studio, stage.person, order)
        .await
        .expect("accepted");
    let order = OrderForm {
        seed: Some(11),
        ..form("half")
    };
    let none = place(&stage.studio, stage.person, order)
        .await
        .expect("accepted");
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    let half = jobs::wait(&stage.studio, stage.person, half.id)
        .await
        .expect("read")
        .expect("there");
    let none = jobs::wait(&stage.studio, stage.person, none.id)
        .await
        .expect("read")
        .expect("there");
    assert_eq!((half.state, half.pictures.len()), (State::Done, 2));
    assert_eq!(half.error.expect("says why").code, "drawing_failed");
    assert_eq!((none.state, none.pictures.len()), (State::Failed, 0));
    let why = none.error.expect("says why").message;
    assert!(
        why.contains("Nothing was charged") && !why.contains("scripted"),
        "{why}"
    );
}

#[tokio::test]
async fn stopping_puts_the_job_back_and_the_next_start_draws_it() {
    let stage = Stage::new().await;
    let job = place(&stage.studio, stage.person, form("later"))
        .await
        .expect("accepted");
    let (stop, working) = work(&stage);
    stage.painter.permits.add_permits(1);
    until_step(&stage, job.id, 1).await;
    stop.now();
    stage.painter.permits.add_permits(1);
    working.await.expect("ends");
    let found = jobs::find(&stage.studio, stage.person, job.id)
        .await
        .expect("read")
        .expect("there");
    assert_eq!((found.state, found.attempts), (State::Queued, 0));

    let stage = stage.restart().await;
    worker::take_over(&stage.studio).await.expect("takes over");
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    let job = jobs::wait(&stage.studio, stage.person, job.id)
        .await
        .expect("read")
        .expect("there");
    assert_eq!((job.state, job.attempts), (State::Done, 1));
}

#[tokio::test]
async fn a_job_that_kills_the_process_is_given_up_at_last() {
    let mut stage = Stage::new().await;
    let job = place(&stage.studio, stage.person, form("deadly"))
        .await
        .expect("accepted");
    for attempt in 1..=3 {
        let (_stop, working) = work(&stage);
        stage.painter.permits.add_permits(1);
        until_step(&stage, job.id, 1).await;
        // As if the process had been killed: nothing is put back.
        working.abort();
        assert!(working.await.expect_err("was aborted").is_cancelled());
        let row = jobs::find(&stage.studio, stage.person, job.id)
            .await
            .expect("read");
        assert_eq!(row.expect("there").attempts, attempt);
        stage = stage.restart().await;
        // Where others could be drawing, a dead process is told by its silence.
        stage
            .studio
            .clock
            .advance_millis(i64::from(stage.studio.limits.lease_ms));
        stage
            .studio
            .shelf
            .put("pictures/pic_orphan.png", vec![1])
            .await
            .expect("puts");
        worker::take_over(&stage.studio).await.expect("takes over");
        assert!(
            stage
                .studio
                .shelf
                .keys("pictures")
                .await
                .expect("lists")
                .is_empty()
        );
    }
    let job = jobs::find(&stage.studio, stage.person, job.id)
        .await
        .expect("read")
        .expect("there");
    assert_eq!(job.state, State::Failed);
    assert_eq!(job.error.expect("says why").code, "interrupted");
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back_and_keeps_nothing() {
    let stage = Stage::new().await;
    for _ in 0..5 {
        place(&stage.studio, stage.person, form("waiting"))
            .await
            .expect("accepted");
    }
    let refused = place(&stage.studio, stage.person, form("too many")).await;
    assert!(matches!(
        refused,
        Err(OrderError::QueueFull {
            waiting: 5,
            retry_after_s: 1..
        })
    ));
    let page = jobs::recent(&stage.studio, stage.person, None, 3)
        .await
        .expect("read");
    assert_eq!(page.items.len(), 3);
    let rest = jobs::recent(&stage.studio, stage.person, page.next, 3)
        .await
        .expect("read");
    assert_eq!((rest.items.len(), rest.next), (2, None));
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let stage = Stage::new().await;
    let wrong = [
        ("prompt", form("  ")),
        ("prompt", form(&"x".repeat(40_000))),
        ("prompt", form("a\u{1b}b")),
        (
            "size",
            OrderForm {
                size: Some(Size::square(17)),
                ..form("a")
            },
        ),
        (
            "n",
            OrderForm {
                count: Some(0),
                ..form("a")
            },
        ),
        (
            "n",
            OrderForm {
                count: Some(11),
                ..form("a")
            },
        ),
        (
            "steps",
            OrderForm {
                steps: Some(0),
                ..form("a")
            },
        ),
        (
            "steps",
            OrderForm {
                steps: Some(21),
                ..form("a")
            },
        ),
        (
            "guidance",
            OrderForm {
                guidance: Some(f32::NAN),
                ..form("a")
            },
        ),
        (
            "guidance",
            OrderForm {
                guidance: Some(99.0),
                ..form("a")
            },
        ),
        (
            "negative_prompt",
            OrderForm {
                negative_prompt: Some(form("b").prompt),
                ..form("a")
            },
        ),
    ];
    for (field, order) in wrong {
        match place(&stage.studio, stage.person, order).await {
            Err(OrderError::Invalid { param, .. }) => assert_eq!(param, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    let unknown = OrderForm {
        model: Some(ModelName::new("no-such")),
        ..form("a")
    };
    let refused = place(&stage.studio, stage.person, unknown)
        .await
        .expect_err("refused");
    assert!(
        refused.to_string().contains("Available: scripted"),
        "{refused}"
    );
    let fine = OrderForm {
        size: Some(SIZE),
        ..form("a")
    };
    place(&stage.studio, stage.person, fine)
        .await
        .expect("accepted");
}
