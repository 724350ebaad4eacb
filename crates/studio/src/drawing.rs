//! Is drawn: jobs become briefs, briefs become pixels, and each job learns what came of it.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use domain::ids::JobId;
use domain::painter::{Brief, PaintError, Painted, Painter, Watch};
use domain::picture::Pixels;
use domain::prompt::Prompt;

use crate::jobs::outcome::{self, Finished, Outcome};
use crate::jobs::progress::Board;
use crate::jobs::queue;
use crate::jobs::worker::Stop;
use crate::jobs::{Job, JobError, State};
use crate::pictures::{self, NewPicture};
use crate::{Failure, Studio, failpoint, routing};

/// Draws jobs of one model, size and step count, in as few passes as the model allows, and
/// records each job as soon as its last picture is there.
pub async fn draw(studio: &Studio, jobs: Vec<Job>, stop: &Stop) {
    let mut pieces = VecDeque::new();
    let mut open: Vec<OpenJob> = Vec::new();
    for job in jobs {
        // Only who has just claimed a job draws it, and until it is over its words are there.
        let Some(words) = job.prompt.clone() else {
            continue;
        };
        let index = open.len();
        let cancelled = studio.board.unwanted(job.id);
        pieces.extend((0..job.count).map(|ordinal| Piece {
            job: index,
            ordinal,
        }));
        open.push(OpenJob {
            job,
            words,
            cancelled,
            results: Vec::new(),
        });
    }
    let Some(first) = open.first() else { return };
    let model = first.job.model.clone();
    let Some((painter, card)) = routing::route(studio, Some(&model)) else {
        let message = format!("The model {model} is no longer here. Choose another one.");
        let missing = open.iter().map(|open| {
            let error = JobError {
                code: "model_missing".to_owned(),
                message: message.clone(),
            };
            (&open.job, failed(error))
        });
        record(studio, missing.collect()).await;
        return;
    };
    while !pieces.is_empty() {
        let most = pieces.len().min(card.max_batch.max(1));
        let pass: Vec<Piece> = pieces.drain(..most).collect();
        draw_pass(studio, &painter, &mut open, pass, stop).await;
        let mut drawn = Vec::new();
        for whole in open.iter_mut().filter(|open| open.is_whole()) {
            let results = std::mem::take(&mut whole.results);
            let outcome = settle(studio, whole, results, stop).await;
            drawn.extend(outcome.map(|outcome| (&whole.job, outcome)));
        }
        record(studio, drawn).await;
    }
}

/// The `ordinal`-th picture of the `job`-th job.
#[derive(Clone, Copy)]
struct Piece {
    job: usize,
    ordinal: u32,
}

struct OpenJob {
    job: Job,
    words: Prompt,
    cancelled: Arc<AtomicBool>,
    /// In the order of its pictures.
    results: Vec<Result<Painted, PaintError>>,
}

impl OpenJob {
    fn is_whole(&self) -> bool {
        self.results.len() == self.job.count as usize
    }
}

async fn draw_pass(
    studio: &Studio,
    painter: &Arc<dyn Painter>,
    open: &mut [OpenJob],
    pass: Vec<Piece>,
    stop: &Stop,
) {
    let briefs = pass
        .iter()
        .map(|piece| brief(&open[piece.job], piece.ordinal))
        .collect();
    let seats = pass.iter().map(|piece| {
        let OpenJob { job, cancelled, .. } = &open[piece.job];
        let left = job.count - piece.ordinal;
        Seat {
            job: job.id,
            ordinal: piece.ordinal,
            left,
            cancelled: Arc::clone(cancelled),
        }
    });
    let watch = PassWatch {
        board: studio.board.clone(),
        seats: seats.collect(),
        stop: stop.clone(),
        began: Instant::now(),
    };
    let Some(model) = pass.first().map(|piece| open[piece.job].job.model.clone()) else {
        return;
    };
    let mut results = painter
        .paint(&model, briefs, Arc::new(watch))
        .await
        .into_iter();
    for piece in pass {
        let missing = || {
            Err(PaintError::Failed(
                "the painter answered too few pictures".to_owned(),
            ))
        };
        open[piece.job]
            .results
            .push(results.next().unwrap_or_else(missing));
    }
}

fn brief(OpenJob { job, words, .. }: &OpenJob, ordinal: u32) -> Brief {
    Brief {
        prompt: words.clone(),
        negative_prompt: job.negative_prompt.clone(),
        size: job.size,
        background: job.background,
        steps: job.steps,
        guidance: job.guidance,
        seed: job.seed.wrapping_add(ordinal),
        ancestors: job.ancestors.clone(),
        previews: job.previews,
    }
}

struct Seat {
    job: JobId,
    ordinal: u32,
    /// Pictures of its job from this one on.
    left: u32,
    cancelled: Arc<AtomicBool>,
}

/// Carries the painter's steps to the board, and the person's cancellation to the painter.
struct PassWatch {
    board: Board,
    seats: Vec<Seat>,
    stop: Stop,
    began: Instant,
}

impl Watch for PassWatch {
    fn step(
        &self,
        index: usize,
        step: u32,
        steps: u32,
        preview: Option<&Pixels>,
    ) -> ControlFlow<()> {
        let Some(seat) = self.seats.get(index) else {
            return ControlFlow::Break(());
        };
        if self.stop.is_set() || seat.cancelled.load(Ordering::SeqCst) {
            return ControlFlow::Break(());
        }
        let preview = preview.map(|pixels| Arc::new(pixels.clone()));
        let passes = (seat.left as usize).div_ceil(self.seats.len().max(1));
        let elapsed_ms = self.began.elapsed().as_millis();
        let steps_left =
            u128::from(steps - step.min(steps)) + u128::from(steps) * (passes as u128 - 1);
        let left_ms = elapsed_ms * steps_left / u128::from(step.max(1));
        self.board.update(seat.job, |progress| {
            progress.left_ms = u64::try_from(left_ms).ok();
            if let Some(sketch) = progress.pictures.get_mut(seat.ordinal as usize) {
                sketch.step = step;
                sketch.steps = steps;
                sketch.previews.extend(preview);
            }
        });
        ControlFlow::Continue(())
    }
}

/// Stores what a job brought, or puts the job back where the program is stopping. `None` where there
/// is nothing to record.
async fn settle(
    studio: &Studio,
    open: &OpenJob,
    results: Vec<Result<Painted, PaintError>>,
    stop: &Stop,
) -> Option<Outcome> {
    let job = &open.job;
    if open.cancelled.load(Ordering::SeqCst) {
        return None;
    }
    let cut_off = results
        .iter()
        .any(|result| matches!(result, Err(PaintError::Cancelled)));
    if cut_off && stop.is_set() {
        if let Err(error) = queue::put_back(studio, job).await {
            // Then its lease ends, and it waits again.
            tracing::warn!(%error, job = %job.id, "a job could not be put back into the queue");
        }
        studio.board.lose(job.id);
        return None;
    }
    let mut pictures = Vec::new();
    let mut unknown_words = Vec::new();
    let mut error = None;
    for (ordinal, result) in (0..).zip(results) {
        let stored = match result {
            Ok(painted) => {
                if unknown_words.is_empty() {
                    unknown_words = painted.unknown_words;
                }
                store(studio, job, ordinal, painted.pixels).await
            }
            Err(refusal) => Err(explain(job, refusal)),
        };
        match stored {
            Ok(picture) => pictures.push(picture),
            Err(why) => error = error.or(Some(why)),
        }
    }
    Some(Outcome {
        pictures,
        unknown_words,
        error,
    })
}

async fn store(
    studio: &Studio,
    job: &Job,
    ordinal: u32,
    pixels: Pixels,
) -> Result<NewPicture, JobError> {
    let stored = pictures::store(studio, job, ordinal, pixels).await;
    failpoint::here("picture-stored");
    stored.map_err(|failure| {
        tracing::error!(error = %failure, job = %job.id, "a picture could not be stored");
        match failure {
            Failure::Shelf(outside::shelf::ShelfError::Full) => JobError {
                code: "storage_full".to_owned(),
                message: "The server's disk is full, so the picture could not be kept. Nothing was charged. Tell the operator, then try again.".to_owned(),
            },
            _ => JobError {
                code: "storage_failed".to_owned(),
                message: "The picture could not be kept. Nothing was charged. Try again; if it happens again, tell the operator.".to_owned(),
            },
        }
    })
}

fn explain(job: &Job, refusal: PaintError) -> JobError {
    let (code, message) = match refusal {
        PaintError::Cancelled => ("cancelled", "The drawing was stopped.".to_owned()),
        PaintError::Refused(message) => ("refused", message),
        PaintError::OutOfMemory => (
            "out_of_memory",
            "There is not enough memory to draw this now. Choose a smaller size, fewer pictures, or a smaller model.".to_owned(),
        ),
        PaintError::Failed(cause) => {
            tracing::error!(cause, job = %job.id, "a drawing failed");
            (
                "drawing_failed",
                "The drawing failed. Nothing was charged. Try again; if it happens again, tell the operator.".to_owned(),
            )
        }
    };
    JobError {
        code: code.to_owned(),
        message,
    }
}

/// Records jobs that were drawn together, and tells everybody.
async fn record(studio: &Studio, drawn: Vec<(&Job, Outcome)>) {
    if drawn.is_empty() {
        return;
    }
    match outcome::finish(studio, &drawn).await {
        Ok(ends) => {
            for ((job, outcome), end) in drawn.iter().zip(ends) {
                recorded(studio, job, outcome, end).await;
            }
        }
        Err(failure) if drawn.len() > 1 => {
            tracing::warn!(error = %failure, "jobs could not be recorded together; trying one by one");
            for one in drawn {
                Box::pin(record(studio, vec![one])).await;
            }
        }
        Err(failure) => {
            for (job, outcome) in drawn {
                tracing::error!(error = %failure, job = %job.id, "a job could not be recorded");
                pictures::discard(studio, &outcome.pictures).await;
                fail_unrecorded(studio, job).await;
            }
        }
    }
}

async fn recorded(studio: &Studio, job: &Job, outcome: &Outcome, end: Finished) {
    match end {
        Finished::Recorded => studio.board.end(job.id, outcome.state()),
        Finished::GivenUp => {
            pictures::discard(studio, &outcome.pictures).await;
            studio.board.end(job.id, State::Cancelled);
        }
        // Cancelled while it was being stored, or drawn by somebody else meanwhile: nobody wants
        // these files.
        Finished::Lost => {
            pictures::discard(studio, &outcome.pictures).await;
            studio.board.lose(job.id);
        }
    }
}

fn failed(error: JobError) -> Outcome {
    Outcome {
        error: Some(error),
        ..Outcome::default()
    }
}

/// Records at least that the job failed. Where even that can't be written, its lease ends, and it
/// is drawn again.
async fn fail_unrecorded(studio: &Studio, job: &Job) {
    let error = JobError {
        code: "storage_failed".to_owned(),
        message: "The picture was drawn, but could not be recorded. Nothing was charged. Try again; if it happens again, tell the operator.".to_owned(),
    };
    if let Err(failure) = outcome::finish(studio, &[(job, failed(error))]).await {
        tracing::error!(error = %failure, job = %job.id, "nor could its failure");
    }
    studio.board.end(job.id, State::Failed);
}
