//! What a person takes away is gone: rows, words and files.

use domain::ids::{JobId, PersonId, PictureId};
use studio::jobs::{self, Job, Removal, worker};
use studio::order::{OrderForm, place};
use studio::{gallery, pictures};

use crate::stage::{Stage, form};
use crate::{until_step, work};

#[tokio::test]
async fn a_job_goes_with_its_last_picture() {
    let stage = Stage::new().await;
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    let job = drawn(&stage, "two of them", 2).await;
    let (studio, person) = (&stage.studio, stage.person);
    let [first, last] = [job.pictures[0].id, job.pictures[1].id];
    assert!(
        pictures::delete(studio, person, first)
            .await
            .expect("deletes")
    );
    let half = jobs::find(studio, person, job.id).await.expect("read");
    assert_eq!(half.expect("there").pictures.len(), 1);
    assert!(
        pictures::delete(studio, person, last)
            .await
            .expect("deletes")
    );
    assert_gone(&stage, job.id).await;
}

#[tokio::test]
async fn a_job_that_is_over_is_removed_with_its_pictures_and_no_other_is() {
    let stage = Stage::new().await;
    let (studio, person) = (&stage.studio, stage.person);
    let running = place(studio, person, form("running"))
        .await
        .expect("accepted");
    let (_stop, _working) = work(&stage);
    stage.painter.permits.add_permits(1);
    until_step(&stage, running.id, 1).await;
    stage.studio.clock.advance_millis(1);
    let queued = place(studio, person, form("queued"))
        .await
        .expect("accepted");
    for unfinished in [running.id, queued.id] {
        let refused = jobs::remove(studio, person, unfinished).await;
        assert_eq!(refused.expect("answers"), Removal::Unfinished);
        let found = jobs::find(studio, person, unfinished).await.expect("read");
        assert!(!found.expect("there").state.is_final());
    }
    // Removed right after it was cancelled, while the painter is still at it.
    jobs::cancel(studio, person, running.id)
        .await
        .expect("cancels");
    let removed = jobs::remove(studio, person, running.id).await;
    assert_eq!(removed.expect("removes"), Removal::Removed);
    stage.painter.run_freely();
    jobs::wait(studio, person, queued.id).await.expect("read");
    let done = drawn(&stage, "done", 3).await;
    let other = PersonId::new(studio.clock.now(), &studio.randomness);
    for (whose, id) in [(other, done.id), (person, running.id)] {
        let refused = jobs::remove(studio, whose, id).await;
        assert_eq!(refused.expect("answers"), Removal::Missing);
    }
    for id in [done.id, queued.id] {
        let removed = jobs::remove(studio, person, id).await;
        assert_eq!(removed.expect("removes"), Removal::Removed);
        assert!(
            jobs::find(studio, person, id)
                .await
                .expect("read")
                .is_none()
        );
    }
    assert_gone(&stage, running.id).await;
}

#[tokio::test]
async fn a_file_that_stays_is_told_of_and_swept_at_the_next_start() {
    let stage = Stage::new().await;
    let (stop, working) = work(&stage);
    stage.painter.run_freely();
    let job = drawn(&stage, "stubborn", 3).await;
    // A folder in its place, which can't be deleted as a file can.
    let blobs = stage.folder.path().join("blobs/pictures");
    let stubborn = blobs.join(format!("{}.png", job.pictures[0].id));
    std::fs::remove_file(&stubborn).expect("removes");
    std::fs::create_dir(&stubborn).expect("makes a folder");
    std::fs::write(stubborn.join("inside"), "still here").expect("writes");
    let studio = &stage.studio;
    jobs::remove(studio, stage.person, job.id)
        .await
        .expect_err("says that a file stays");
    let left = studio.shelf.keys("pictures").await.expect("lists");
    assert_eq!(left.len(), 1, "the other two are gone: {left:?}");
    stop.now();
    working.await.expect("ends");
    let stage = stage.restart().await;
    worker::take_over(&stage.studio).await.expect("takes over");
    assert_gone(&stage, job.id).await;
}

/// More files than are looked up together.
#[tokio::test]
async fn a_start_deletes_every_file_without_a_row_and_no_other() {
    let stage = Stage::new().await;
    let (stop, working) = work(&stage);
    stage.painter.run_freely();
    let job = drawn(&stage, "kept", 3).await;
    stop.now();
    working.await.expect("ends");
    let studio = &stage.studio;
    let long_ago = studio.clock.now().plus_millis(-24 * 60 * 60_000);
    for _ in 0..1_100 {
        let left_behind = PictureId::new(long_ago, &studio.randomness);
        let file = format!("pictures/{left_behind}.png");
        studio.shelf.put(&file, vec![1]).await.expect("puts");
    }
    let swept = worker::take_over(studio).await;
    swept.expect("takes over");
    let mut kept = studio.shelf.keys("pictures").await.expect("lists");
    kept.sort_unstable();
    let drawn = job.pictures.iter();
    let mut drawn: Vec<String> = drawn
        .map(|one| format!("pictures/{}.png", one.id))
        .collect();
    drawn.sort_unstable();
    assert_eq!(kept, drawn);
}

async fn drawn(stage: &Stage, prompt: &str, count: u32) -> Job {
    let order = OrderForm {
        count: Some(count),
        ..form(prompt)
    };
    let job = place(&stage.studio, stage.person, order)
        .await
        .expect("accepted");
    let job = jobs::wait(&stage.studio, stage.person, job.id).await;
    let job = job.expect("read").expect("there");
    assert_eq!(job.pictures.len(), count as usize);
    job
}

/// The job is gone, with every picture and every file.
async fn assert_gone(stage: &Stage, id: JobId) {
    let (studio, person) = (&stage.studio, stage.person);
    let found = jobs::find(studio, person, id).await.expect("read");
    assert!(found.is_none());
    let jobs = jobs::recent(studio, person, None, 10).await.expect("read");
    assert!(jobs.items.is_empty(), "{:?}", jobs.items);
    let shown = gallery::page(studio, person, None, 10).await.expect("read");
    assert!(shown.items.is_empty());
    let files = studio.shelf.keys("pictures").await.expect("lists");
    assert!(files.is_empty(), "{files:?}");
}
