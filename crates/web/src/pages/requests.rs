//! Asking without an account: a form, a link in a letter, and the page of the request. And who hears
//! complaints, by country.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::personal::Address;
use domain::secret::Token;
use studio::privacy::authorities::{self, Authority};
use studio::privacy::requests::{self, Asked, MAX_WORDS_CHARS, RequestError};

use super::account::request_problem;
use super::door::told;
use super::request_card::{self, RequestCard};
use super::sent::Sent;
use super::{Frame, Shown, ok, onward, render};
use crate::Site;
use crate::api::pairs;
use crate::caller::Visiting;
use crate::problem::Problem;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "request_ask.html")]
struct AskPage {
    t: &'static Texts,
    frame: Frame,
    chosen: String,
    words: String,
    address: String,
    mistake: Option<(&'static str, String)>,
}

impl AskPage {
    fn kinds(&self) -> Vec<(&'static str, &'static str)> {
        request_card::kinds()
    }

    const fn max_words(&self) -> usize {
        MAX_WORDS_CHARS
    }

    fn is_wrong(&self, field: &str) -> bool {
        self.mistake
            .as_ref()
            .is_some_and(|(wrong, _)| *wrong == field)
    }
}

fn form(sent: Option<&Sent>, mistake: Option<(&'static str, String)>) -> Response {
    let given = |name| sent.map_or("", |sent| sent.text(name)).to_owned();
    let status = match mistake {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let page = AskPage {
        t: Texts::get(),
        frame: Frame::anyone(),
        chosen: given("about"),
        words: given("words"),
        address: given("address"),
        mistake,
    };
    render(status, &page)
}

/// A mistake, in the language of the page.
fn said(mistake: &str) -> String {
    Texts::get().say(mistake).to_owned()
}

pub(super) async fn show() -> Response {
    form(None, None)
}

pub(super) async fn ask(
    State(site): State<Site>,
    Visiting(visit): Visiting,
    sent: Sent,
) -> Result<Response, Shown> {
    let asked = Asked::named(sent.text("about")).unwrap_or(Asked::Other);
    let address = match Address::new(sent.text("address")) {
        Ok(address) => address,
        Err(bad) => return Ok(form(Some(&sent), Some(("address", said(&bad.to_string()))))),
    };
    let words = sent.text("words");
    match requests::ask_by_mailbox(&site.studio, &visit, &address, asked, words).await {
        Ok(()) => {
            let t = &Texts::get().requests;
            Ok(told(&t.sent, &t.sent_what, None))
        }
        Err(error @ RequestError::Words) => {
            Ok(form(Some(&sent), Some(("words", said(&error.to_string())))))
        }
        Err(error) => Err(request_problem(error).into()),
    }
}

#[derive(Template)]
#[template(path = "request_confirm.html")]
struct ConfirmPage {
    t: &'static Texts,
    frame: Frame,
    asked: &'static str,
    words: String,
    link: String,
}

fn token(link: &str) -> Result<Token, Problem> {
    Token::read(link).ok_or_else(|| request_problem(RequestError::LinkEnded))
}

pub(super) async fn open(
    State(site): State<Site>,
    Path(link): Path<String>,
) -> Result<Response, Shown> {
    let found = requests::is_confirmable(&site.studio, &token(&link)?).await?;
    let (asked, words) = found.ok_or_else(|| request_problem(RequestError::LinkEnded))?;
    Ok(ok(&ConfirmPage {
        t: Texts::get(),
        frame: Frame::anyone(),
        asked: request_card::asked(asked),
        words,
        link,
    }))
}

pub(super) async fn confirm(
    State(site): State<Site>,
    Path(link): Path<String>,
) -> Result<Response, Shown> {
    let made = requests::confirm(&site.studio, &token(&link)?).await;
    let id = made.map_err(request_problem)?;
    let reference = requests::reference(&site.studio, id);
    Ok(onward(&format!("/privacy/request/{reference}")))
}

#[derive(Template)]
#[template(path = "request.html")]
struct RequestPage {
    t: &'static Texts,
    frame: Frame,
    card: RequestCard,
}

/// As a page, or with `.json` the signed status, for who has the address.
pub(super) async fn standing(
    State(site): State<Site>,
    Path(reference): Path<String>,
) -> Result<Response, Shown> {
    let bare = reference.strip_suffix(".json");
    let found = requests::by_reference(&site.studio, bare.unwrap_or(&reference)).await?;
    let request = found.ok_or_else(Problem::nothing)?;
    if bare.is_some() {
        let signed = requests::signed(&site.studio, &request);
        let headers = [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-store"),
        ];
        return Ok((headers, signed).into_response());
    }
    Ok(ok(&RequestPage {
        t: Texts::get(),
        frame: Frame::anyone(),
        card: RequestCard::new(&site.studio, request, false),
    }))
}

#[derive(Template)]
#[template(path = "authorities.html")]
struct AuthoritiesPage {
    t: &'static Texts,
    frame: Frame,
    all: &'static [Authority],
    chosen: Option<&'static Authority>,
}

impl AuthoritiesPage {
    fn is_chosen(&self, one: &Authority) -> bool {
        self.chosen.is_some_and(|chosen| chosen == one)
    }
}

/// `?country=no`, chosen for this view and kept nowhere.
pub(super) async fn authorities(RawQuery(query): RawQuery) -> Response {
    let given = pairs(query.unwrap_or_default().as_bytes());
    let country = given.into_iter().find(|(name, _)| name == "country");
    ok(&AuthoritiesPage {
        t: Texts::get(),
        frame: Frame::anyone(),
        all: authorities::all(),
        chosen: country.and_then(|(_, country)| authorities::of(&country)),
    })
}
