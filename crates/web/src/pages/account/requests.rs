//! What somebody asked for by their rights, with its clocks, and asking for more.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use studio::accounts::{Known, Means};
use studio::privacy::requests::{self, Asked, Identity, MAX_WORDS_CHARS, RequestError};

use super::super::request_card::{self, RequestCard};
use super::super::sent::Sent;
use super::super::{Frame, Shown, onward, render};
use crate::Site;
use crate::api::pairs;
use crate::caller::Asker;
use crate::problem::Problem;
use crate::texts::Texts;

const HERE: &str = "/account/requests";

#[derive(Template)]
#[template(path = "account_requests.html")]
struct RequestsPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    requests: Vec<RequestCard>,
    chosen: String,
    words: String,
    mistake: Option<String>,
}

impl RequestsPage {
    fn kinds(&self) -> Vec<(&'static str, &'static str)> {
        request_card::kinds()
    }

    const fn max_words(&self) -> usize {
        MAX_WORDS_CHARS
    }
}

async fn page(
    site: &Site,
    known: &Known,
    (chosen, words): (&str, &str),
    mistake: Option<String>,
) -> Result<Response, Shown> {
    let status = match mistake {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let all = requests::of_person(&site.studio, known.person).await?;
    let cards = all.into_iter();
    let page = RequestsPage {
        t: Texts::get(),
        frame: Frame::member("account"),
        tab: "data",
        requests: cards
            .map(|request| RequestCard::new(&site.studio, request, true))
            .collect(),
        chosen: chosen.to_owned(),
        words: words.to_owned(),
        mistake,
    };
    Ok(render(status, &page))
}

/// `?about=complaint` chooses what the form is about.
pub(super) async fn show(
    State(site): State<Site>,
    Asker(known): Asker,
    RawQuery(query): RawQuery,
) -> Result<Response, Shown> {
    let given = pairs(query.unwrap_or_default().as_bytes());
    let about = given.into_iter().find(|(name, _)| name == "about");
    let about = about.map_or_else(String::new, |(_, about)| about);
    page(&site, &known, (&about, ""), None).await
}

pub(super) async fn ask(
    State(site): State<Site>,
    Asker(known): Asker,
    sent: Sent,
) -> Result<Response, Shown> {
    let (about, words) = (sent.text("about"), sent.text("words"));
    let asked = Asked::named(about).unwrap_or(Asked::Other);
    let by = identity(&known);
    match requests::open(&site.studio, known.person, asked, words, by).await {
        Ok(_) => Ok(onward(HERE)),
        Err(error @ (RequestError::Words | RequestError::TooMany)) => {
            match Texts::get().known(&error) {
                Some(says) => page(&site, &known, (about, words), Some(says)).await,
                None => Err(problem(error).into()),
            }
        }
        Err(error) => Err(problem(error).into()),
    }
}

pub(super) async fn withdraw(
    State(site): State<Site>,
    Asker(known): Asker,
    sent: Sent,
) -> Result<Response, Shown> {
    let id = sent.text("request").parse();
    let id = id.map_err(|_| Problem::nothing())?;
    match requests::withdraw(&site.studio, known.person, id).await {
        Ok(()) | Err(RequestError::Ended) => Ok(onward(HERE)),
        Err(error) => Err(problem(error).into()),
    }
}

/// How it is known who asks.
pub(crate) const fn identity(known: &Known) -> Identity {
    match known.means {
        Means::Local => Identity::Local,
        Means::Session { .. } => Identity::Session,
        Means::Key { .. } => Identity::Key,
    }
}

pub(crate) fn problem(error: RequestError) -> Problem {
    let message = error.to_string();
    match error {
        RequestError::Words | RequestError::Reason => {
            Problem::field("words", "invalid_value", message)
        }
        RequestError::Authority => Problem::field("country", "invalid_value", message),
        RequestError::TooMany => Problem::new(StatusCode::CONFLICT, "too_many_open", message),
        RequestError::Slow { retry_after_s } => Problem {
            retry_after_s: Some(retry_after_s),
            ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", message)
        },
        RequestError::LinkEnded => Problem::new(StatusCode::GONE, "link_ended", message),
        RequestError::Unknown => Problem::new(StatusCode::NOT_FOUND, "request_not_found", message),
        RequestError::Ended => Problem::new(StatusCode::CONFLICT, "request_ended", message),
        RequestError::Extended => Problem::new(StatusCode::CONFLICT, "request_extended", message),
        RequestError::Failure(failure) => failure.into(),
    }
}
