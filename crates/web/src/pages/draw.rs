//! What the studio's forms do: order, order again, cancel, remove.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::ids::{JobId, PersonId};
use studio::jobs::{self, Job, Removal};
use studio::{Studio, order, routing};

use super::form::{self, Written};
use super::job_card::JobCard;
use super::{Shown, onward, render, studio as studio_page, wants_part};
use crate::api::pairs;
use crate::caller::Caller;
use crate::guard;
use crate::problem::Problem;

pub(super) async fn draw(
    State(studio): State<Studio>,
    Caller(person): Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Shown> {
    let written = Written::read(pairs(&guard::body::read(&headers, body).await?));
    if written.choose {
        return Ok(studio_page::page(&studio, person, written, None, None).await?);
    }
    match place(&studio, person, &written).await {
        Ok(job) => Ok(ordered(&studio, &headers, job)),
        Err(problem) if wants_part(&headers) => Ok(problem.into_response()),
        Err(problem) => Ok(studio_page::page(&studio, person, written, None, Some(problem)).await?),
    }
}

async fn place(studio: &Studio, person: PersonId, written: &Written) -> Result<Job, Problem> {
    Ok(order::place(studio, person, written.order()?).await?)
}

/// `job=job_…`: the same words and settings with a new seed.
pub(super) async fn again(
    State(studio): State<Studio>,
    Caller(person): Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match repeat(&studio, person, &headers, body).await {
        Ok(job) => ordered(&studio, &headers, job),
        Err(problem) => told(problem, &headers),
    }
}

async fn repeat(
    studio: &Studio,
    person: PersonId,
    headers: &HeaderMap,
    body: Body,
) -> Result<Job, Problem> {
    let fields = pairs(&guard::body::read(headers, body).await?);
    let id = fields
        .into_iter()
        .find(|(name, _)| name == "job")
        .and_then(|(_, id)| id.parse::<JobId>().ok());
    let former = jobs::find(studio, person, id.ok_or_else(Problem::no_job)?)
        .await?
        .ok_or_else(Problem::no_job)?;
    let card = routing::route(studio, Some(&former.model)).map(|(_, card)| card);
    Ok(order::place(studio, person, form::again(&former, card.as_ref())).await?)
}

pub(super) async fn cancel(
    State(studio): State<Studio>,
    Caller(person): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match cancelled(&studio, person, &id).await {
        Ok(job) => ordered(&studio, &headers, job),
        Err(problem) => told(problem, &headers),
    }
}

async fn cancelled(studio: &Studio, person: PersonId, id: &str) -> Result<Job, Problem> {
    let id: JobId = id.parse().map_err(|_| Problem::no_job())?;
    jobs::cancel(studio, person, id)
        .await?
        .ok_or_else(Problem::no_job)
}

/// Takes a job that is over off the page, with its words and pictures.
pub(super) async fn remove(
    State(studio): State<Studio>,
    Caller(person): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match removed(&studio, person, &id).await {
        Ok(()) if wants_part(&headers) => StatusCode::NO_CONTENT.into_response(),
        Ok(()) => onward("/#work-heading"),
        Err(problem) => told(problem, &headers),
    }
}

async fn removed(studio: &Studio, person: PersonId, id: &str) -> Result<(), Problem> {
    let id: JobId = id.parse().map_err(|_| Problem::no_job())?;
    match jobs::remove(studio, person, id).await? {
        Removal::Removed => Ok(()),
        Removal::Unfinished => Err(Problem::job_unfinished()),
        Removal::Missing => Err(Problem::no_job()),
    }
}

/// The job's card for an island, the studio at that card for a browser.
fn ordered(studio: &Studio, headers: &HeaderMap, job: Job) -> Response {
    if wants_part(headers) {
        return render(StatusCode::CREATED, &JobCard::new(studio, job));
    }
    onward(&format!("/#{}", job.id))
}

fn told(problem: Problem, headers: &HeaderMap) -> Response {
    if wants_part(headers) {
        problem.into_response()
    } else {
        Shown(problem).into_response()
    }
}
