//! What the studio's forms do: order, order again, vary, cancel, remove.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::credits::Credits;
use domain::ids::{JobId, PersonId, PictureId};
use studio::jobs::{self, Job, Removal};
use studio::order::{OrderError, OrderForm};
use studio::{Failure, Studio, order, routing};

use super::credits::Purse;
use super::form::{self, Written};
use super::job_card::JobCard;
use super::sent::Sent;
use super::{Shown, onward, render, studio as studio_page, wants_part};
use crate::api::pairs;
use crate::caller::Caller;
use crate::guard;
use crate::guard::visits::Happened;
use crate::problem::Problem;
use crate::texts::Texts;

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
        Ok(job) => Ok(ordered(&studio, &headers, job).await?),
        Err(problem) if wants_part(&headers) => Ok(problem.into_response()),
        Err(problem) => Ok(studio_page::page(&studio, person, written, None, Some(problem)).await?),
    }
}

async fn place(studio: &Studio, person: PersonId, written: &Written) -> Result<Job, Problem> {
    let mut form = written.order()?;
    if Purse::of(studio, person).await?.is_some() {
        let quoted = order::quote(studio, person, form.clone()).await?.total();
        let shown = match written.as_priced().order() {
            Ok(form) => order::quote(studio, person, form).await.ok(),
            Err(_) => None,
        };
        let is_current = written.prices == studio.prices.edition();
        if !is_current || shown.is_some_and(|shown| shown.total() < quoted) {
            return Err(price_changed(quoted));
        }
        form.max_credits = Some(quoted);
    }
    Ok(order::place(studio, person, form).await?)
}

/// The person agreed to another price, or saw none.
fn price_changed(quoted: Credits) -> Problem {
    let t = Texts::get();
    let message = t.credits.price_changed.fill(&t.credits(quoted));
    Problem::new(StatusCode::CONFLICT, "price_changed", message)
}

/// `job=job_…`: the same words and settings with a new seed.
pub(super) async fn again(
    State(studio): State<Studio>,
    Caller(person): Caller,
    headers: HeaderMap,
    sent: Sent,
) -> Response {
    card_or_problem(&studio, &headers, repeat(&studio, person, &sent).await).await
}

async fn repeat(studio: &Studio, person: PersonId, sent: &Sent) -> Result<Job, Problem> {
    let id = sent.text("job").parse::<JobId>();
    let former = jobs::find(studio, person, id.map_err(|_| Problem::no_job())?)
        .await?
        .ok_or_else(Problem::no_job)?;
    let card = routing::route(studio, Some(&former.model)).map(|(_, card)| card);
    place_agreed(studio, person, form::again(&former, card.as_ref()), sent).await
}

/// Variations that one press of the button draws.
pub(super) const VARIATIONS: u32 = 4;

/// `picture=pic_…`: pictures that resemble it.
pub(super) async fn vary(
    State(studio): State<Studio>,
    Caller(person): Caller,
    headers: HeaderMap,
    sent: Sent,
) -> Response {
    let id = sent.text("picture").parse::<PictureId>();
    let placed = match id {
        Ok(id) => {
            let form = form::variations(id, VARIATIONS);
            place_agreed(&studio, person, form, &sent).await
        }
        Err(_) => Err(Problem::no_picture()),
    };
    card_or_problem(&studio, &headers, placed).await
}

/// Places an order at the price that its button named, where anything is metered.
async fn place_agreed(
    studio: &Studio,
    person: PersonId,
    mut form: OrderForm,
    sent: &Sent,
) -> Result<Job, Problem> {
    if Purse::of(studio, person).await?.is_some() {
        form.max_credits = Some(Credits::new(sent.text("agreed").parse().unwrap_or(0)));
    }
    match order::place(studio, person, form).await {
        Err(OrderError::AboveMaximum { quoted, .. }) => {
            let t = Texts::get();
            let now = t.credits.price_changed.fill(&t.credits(quoted));
            let message = format!("{now} {}", t.credits.agree);
            Err(Problem::new(StatusCode::CONFLICT, "price_changed", message))
        }
        placed => Ok(placed?),
    }
}

pub(super) async fn cancel(
    State(studio): State<Studio>,
    Caller(person): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    card_or_problem(&studio, &headers, cancelled(&studio, person, &id).await).await
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

async fn card_or_problem(
    studio: &Studio,
    headers: &HeaderMap,
    done: Result<Job, Problem>,
) -> Response {
    match done {
        Ok(job) => match ordered(studio, headers, job).await {
            Ok(response) => response,
            Err(failure) => told(failure.into(), headers),
        },
        Err(problem) => told(problem, headers),
    }
}

/// The job's card for an island, the studio at that card for a browser.
async fn ordered(studio: &Studio, headers: &HeaderMap, job: Job) -> Result<Response, Failure> {
    let happened = Happened::ordered(&job);
    let mut response = if wants_part(headers) {
        let purse = Purse::of(studio, job.person).await?;
        let card = JobCard::new(studio, job, purse.as_ref());
        render(StatusCode::CREATED, &card)
    } else {
        onward(&format!("/#{}", job.id))
    };
    happened.on(&mut response);
    Ok(response)
}

fn told(problem: Problem, headers: &HeaderMap) -> Response {
    if wants_part(headers) {
        problem.into_response()
    } else {
        Shown(problem).into_response()
    }
}
