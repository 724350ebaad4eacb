//! Pages for people. Each works without script; the islands make it live.

mod about;
mod account;
mod credits;
mod desk;
mod door;
mod draw;
mod examples;
mod form;
mod frame;
mod glossary;
mod job_card;
mod landing;
mod language;
mod letters;
mod news;
mod passkeys;
mod pictures;
mod policies;
mod privacy;
mod receipt;
mod request_card;
mod requests;
mod schemas;
mod sent;
mod studio;
mod support;
mod terms;
mod trust;
mod visits;
mod witness;

use ::studio::Failure;
use ::studio::privacy::inventory::Purpose;
use ::studio::privacy::wording;
use askama::Template;
use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use domain::language::Language;

use crate::Site;
use crate::problem::{Asks, Problem};
use crate::texts::Texts;

pub(crate) use account::{
    consent_means, consent_problem, erase_problem, identity, object_problem, request_problem,
    restrict_problem,
};
pub(crate) use frame::Frame;
pub(crate) use privacy::{
    as_file as privacy_notice, assessment_as_file, inventory as privacy_inventory,
    part as notice_part,
};

pub(crate) fn routes() -> Router<Site> {
    Router::new()
        .route("/", get(studio::show))
        .route("/draw", post(draw::draw))
        .route("/draw/again", post(draw::again))
        .route("/draw/variations", post(draw::vary))
        .route("/jobs/{id}/card", get(job_card::show))
        .route("/jobs/{id}/cancel", post(draw::cancel))
        .route("/jobs/{id}/remove", post(draw::remove))
        .route("/pictures", get(pictures::list))
        .route("/pictures/chosen", post(pictures::act))
        .route("/pictures/keeping", post(pictures::choose))
        .route("/pictures/{id}/keeping", post(pictures::choose_one))
        .route("/pictures/{id}", get(pictures::show))
        .route("/pictures/{id}/thumbnail", get(pictures::thumbnail))
        .route("/pictures/{id}/favourite", post(pictures::star))
        .route("/pictures/{id}/delete", post(pictures::delete))
        .route("/pictures/{id}/consent", post(pictures::consent))
        .route("/examples", get(examples::show))
        .route("/examples/{id}", get(examples::file))
        .route("/about", get(about::show))
        .route("/privacy", get(privacy::show))
        .route("/privacy.txt", get(privacy::text))
        .route("/privacy.json", get(privacy::json))
        .route("/privacy.jsonld", get(privacy::json_ld))
        .route("/privacy/words", get(glossary::show))
        .route("/privacy/versions", get(policies::list))
        .route("/privacy/versions.atom", get(policies::atom))
        .route("/privacy/versions.json", get(policies::json_feed))
        .route("/privacy/versions/{number}", get(policies::show))
        .route("/privacy/versions/{number}/changes", get(policies::changes))
        .route("/privacy/versions/{number}/notice.txt", get(policies::text))
        .route(
            "/privacy/versions/{number}/notice.html",
            get(policies::part),
        )
        .route(
            "/privacy/versions/{number}/policy.json",
            get(policies::facts),
        )
        .route(
            "/privacy/versions/{number}/proof.json",
            get(policies::proven),
        )
        .route("/.well-known/privacy-policy.json", get(policies::machine))
        .route("/schemas/{name}", get(schemas::show))
        .route("/privacy/authorities", get(requests::authorities))
        .route("/privacy/request", get(requests::show).post(requests::ask))
        .route("/privacy/request/{reference}", get(requests::standing))
        .route(
            "/privacy/request/confirm/{token}",
            get(requests::open).post(requests::confirm),
        )
        .route("/support", get(support::show).post(support::ask))
        .route(
            "/support/{reference}",
            get(support::standing).post(support::reply),
        )
        .route("/support/{reference}/files/{file}", get(support::file))
        .route(
            "/support/confirm/{token}",
            get(support::open).post(support::confirm),
        )
        .route("/trust", get(trust::show))
        .route("/trust/checkpoint", get(trust::checkpoint))
        .route("/trust/growth", get(trust::growth))
        .route("/trust/witnessed/{name}", get(trust::witnessed))
        .route("/witness/add-checkpoint", post(witness::add))
        .route("/trust/report.json", get(trust::report))
        .route("/trust/disclosures.json", get(trust::disclosures))
        .route("/receipts/{token}", get(receipt::show))
        .route("/.well-known/pinhole-house.json", get(receipt::house))
        .route("/.well-known/gpc.json", get(news::control))
        .route("/news/confirm/{token}", get(news::ask).post(news::confirm))
        .route("/news/leave/{reference}", get(news::show).post(news::leave))
        .route("/language", post(language::choose))
        .route("/letters", get(letters::list))
        .route("/desk/visits", get(visits::show))
        .route("/terms", get(terms::show))
        .route("/terms/versions.atom", get(terms::atom))
        .route("/terms/versions.json", get(terms::json_feed))
        .route("/terms/accept", get(terms::ask).post(terms::accept))
        .route("/terms/{number}", get(terms::version))
        .route("/terms/{number}/changes", get(terms::changes))
        .route("/terms/{number}/terms.txt", get(terms::text))
        .route("/terms/{number}/proof.json", get(terms::proven))
        .merge(door::routes())
        .merge(account::routes())
        .merge(credits::routes())
        .merge(desk::routes())
}

/// An island asks for a part of a page by this header, and gets that part or a JSON error.
const PART: HeaderName = HeaderName::from_static("x-part");

pub(crate) fn wants_part(headers: &HeaderMap) -> bool {
    headers.contains_key(PART)
}

fn render(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

pub(crate) fn ok(page: &impl Template) -> Response {
    render(StatusCode::OK, page)
}

/// Sends a browser on after a form, so that a reload doesn't send the form again.
fn onward(to: &str) -> Response {
    Redirect::to(to).into_response()
}

/// A problem of a page, shown as a page.
#[derive(Debug)]
pub(crate) struct Shown(Problem);

impl<T: Into<Problem>> From<T> for Shown {
    fn from(problem: T) -> Self {
        Self(problem.into())
    }
}

impl Shown {
    /// Somebody looks who has not said what for: they are asked, and go on to `back` afterwards.
    fn asks(purposes: Vec<Purpose>, back: String) -> Self {
        let mut problem = Problem::from(Failure::NotOnDuty {
            purposes: Vec::new(),
        });
        problem.asks = Some(Box::new(Asks { purposes, back }));
        Self(problem)
    }
}

impl IntoResponse for Shown {
    fn into_response(self) -> Response {
        problem(self.0)
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    t: &'static Texts,
    frame: Frame,
    heading: &'static str,
    message: String,
}

pub(crate) fn problem(problem: Problem) -> Response {
    if let Some(asks) = problem.asks {
        return desk::ask_for_duty(asks.purposes, &asks.back);
    }
    let retry_after = problem.retry_after();
    let here = Texts::get();
    // What has no words in the language of the page is told in English as a whole.
    let known = wording::known(here.tongue(), &problem.message).map(str::to_owned);
    let t = match (&known, problem.status) {
        (Some(_), _) | (_, StatusCode::NOT_FOUND) => here,
        _ => Texts::of(Language::English),
    };
    let problem = Problem {
        message: known.unwrap_or(problem.message),
        ..problem
    };
    let words = &t.problem;
    let (heading, message) = match problem.status {
        // The message of a missing address is for programs.
        StatusCode::NOT_FOUND => (&words.not_found, words.not_found_what.clone()),
        StatusCode::GONE => (&t.door.link_ended, problem.message),
        StatusCode::SERVICE_UNAVAILABLE if problem.code == "busy" => {
            (&t.door.busy, problem.message)
        }
        StatusCode::METHOD_NOT_ALLOWED => (&words.method, problem.message),
        status if status.is_server_error() => (&words.server, problem.message),
        StatusCode::FORBIDDEN | StatusCode::MISDIRECTED_REQUEST => {
            (&words.refused, problem.message)
        }
        _ => (&words.title, problem.message),
    };
    let mut response = render(
        problem.status,
        &ProblemPage {
            t,
            frame: Frame::member(""),
            heading,
            message,
        },
    );
    response.headers_mut().extend(retry_after);
    let language = HeaderValue::from_static(t.tongue().code());
    response
        .headers_mut()
        .insert(header::CONTENT_LANGUAGE, language);
    response
}
