//! Jobs: every order with its way through the queue.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use domain::ids::JobId;
use domain::prompt::Prompt;
use serde_json::{Value, json};
use studio::Studio;
use studio::jobs::progress::Progress;
use studio::jobs::{self, Job, Removal, State as JobState};

use super::{Origin, Paging, credits, keeping, pictures};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::texts::Texts;

pub(super) async fn list(
    State(studio): State<Studio>,
    Caller(person): Caller,
    origin: Origin,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let paging = Paging::<JobId>::read(query.as_deref())?;
    let page = jobs::recent(&studio, person, paging.after, paging.limit).await?;
    let data: Vec<Value> = page
        .items
        .iter()
        .map(|found| job(&studio, &origin, found))
        .collect();
    Ok(Json(
        json!({ "object": "list", "data": data, "has_more": page.next.is_some() }),
    ))
}

pub(super) async fn show(
    State(studio): State<Studio>,
    Caller(person): Caller,
    origin: Origin,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id: JobId = id.parse().map_err(|_| Problem::no_job())?;
    let found = jobs::find(&studio, person, id)
        .await?
        .ok_or_else(Problem::no_job)?;
    Ok(Json(job(&studio, &origin, &found)))
}

/// A job that is over stays as it is.
pub(super) async fn cancel(
    State(studio): State<Studio>,
    Caller(person): Caller,
    origin: Origin,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id: JobId = id.parse().map_err(|_| Problem::no_job())?;
    let found = jobs::cancel(&studio, person, id)
        .await?
        .ok_or_else(Problem::no_job)?;
    Ok(Json(job(&studio, &origin, &found)))
}

/// Removes a job that is over, with its pictures.
pub(super) async fn remove(
    State(studio): State<Studio>,
    Caller(person): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id: JobId = id.parse().map_err(|_| Problem::no_job())?;
    match jobs::remove(&studio, person, id).await? {
        Removal::Removed => Ok(Json(
            json!({ "id": id, "object": "job.deleted", "deleted": true }),
        )),
        Removal::Unfinished => Err(Problem::job_unfinished()),
        Removal::Missing => Err(Problem::no_job()),
    }
}

/// A job as the API shows it.
pub(super) fn job(studio: &Studio, origin: &Origin, job: &Job) -> Value {
    let live = jobs::glance(studio, job);
    let pictures: Vec<Value> = job
        .pictures
        .iter()
        .map(|found| pictures::picture(origin, found))
        .collect();
    let mut shown = progress(job, live.as_ref());
    let more = json!({
        "object": "job",
        "model": job.model,
        "prompt": job.prompt.as_ref().map(Prompt::expose),
        "private": job.is_private,
        "retention": keeping::shown(job.keep),
        "negative_prompt": job.negative_prompt.as_ref().map(|words| words.expose()),
        "size": job.size,
        "background": job.background,
        "n": job.count,
        "steps": job.steps,
        "guidance": job.guidance,
        "seed": job.seed,
        "created_at": job.created.as_seconds(),
        "started_at": job.started.map(|at| at.as_seconds()),
        "finished_at": job.finished.map(|at| at.as_seconds()),
        "unknown_words": job.unknown_words,
        "credits": credits::of_job(job),
        "error": job.error.as_ref().map(|error| json!({ "code": error.code, "message": error.message })),
        "pictures": pictures,
    });
    if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
        shown.extend(more);
    }
    shown
}

/// How far a job is: the part that changes while it is drawn.
pub(super) fn progress(job: &Job, live: Option<&Progress>) -> Value {
    let state = live.map_or(job.state, |live| live.state);
    json!({
        "id": job.id,
        "status": status(state),
        "message": live_text(Texts::get(), job, live),
        "jobs_ahead": live.filter(|_| state == JobState::Queued).map(|live| live.ahead),
        "left_ms": live.filter(|_| state == JobState::Drawing).and_then(|live| live.left_ms),
        "progress": percent(state, live),
        "drawn": live.map(|live| {
            let steps = live.pictures.iter().map(|sketch| json!({ "step": sketch.step, "steps": sketch.steps }));
            steps.collect::<Vec<_>>()
        }),
    })
}

const fn status(state: JobState) -> &'static str {
    match state {
        JobState::Drawing => "running",
        other => other.name(),
    }
}

/// Steps done of all steps, 0 to 100.
fn percent(state: JobState, live: Option<&Progress>) -> u32 {
    if state == JobState::Done {
        return 100;
    }
    let Some(live) = live else { return 0 };
    let of_one = |step: u32, steps: u32| (step * 100).checked_div(steps).unwrap_or(0);
    let all: u32 = live
        .pictures
        .iter()
        .map(|sketch| of_one(sketch.step, sketch.steps))
        .sum();
    all / u32::try_from(live.pictures.len().max(1)).unwrap_or(1)
}

/// How far a job is, in words.
pub(crate) fn live_text(texts: &Texts, job: &Job, live: Option<&Progress>) -> String {
    let words = &texts.job;
    let state = live.map_or(job.state, |live| live.state);
    match (state, live) {
        (JobState::Queued, Some(live)) if live.ahead > 0 => words.ahead.of(live.ahead),
        (JobState::Queued, _) => words.next.clone(),
        (JobState::Drawing, Some(live)) => match live.left_ms {
            Some(left_ms) => words.drawing_left.fill(&texts.span(left_ms)),
            None => words.drawing.clone(),
        },
        (JobState::Drawing, None) => words.drawing.clone(),
        (JobState::Done, _) => words
            .done
            .of(u32::try_from(job.pictures.len()).unwrap_or(u32::MAX)),
        (JobState::Failed, _) => words.failed.clone(),
        (JobState::Cancelled, _) => words.cancelled.clone(),
    }
}
