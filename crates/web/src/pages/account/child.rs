//! Too young for this house: saying so, what becomes of it, and what can be said against it.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::clock::Moment;
use studio::accounts::Known;
use studio::privacy::restriction::child::{self, ChildError, Locked, MAX_WORDS_CHARS};

use super::super::sent::Sent;
use super::super::{Frame, Shown, onward, render};
use super::confirm;
use crate::Site;
use crate::caller::Asker;
use crate::problem::Problem;
use crate::texts::Texts;

const HERE: &str = "/account/child";

#[derive(Template)]
#[template(path = "account_child.html")]
struct ChildPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    locked: Option<Locked>,
    words: String,
    mistake: Option<String>,
}

impl ChildPage {
    fn at(&self, moment: &Moment) -> String {
        self.t.exact(*moment)
    }

    const fn max_words(&self) -> usize {
        MAX_WORDS_CHARS
    }
}

pub(super) async fn page(
    site: &Site,
    known: &Known,
    words: &str,
    mistake: Option<String>,
) -> Result<Response, Shown> {
    let status = match mistake {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let page = ChildPage {
        t: Texts::get(),
        frame: Frame::member("account"),
        tab: "data",
        locked: child::of(&site.studio, known.person).await?,
        words: words.to_owned(),
        mistake,
    };
    Ok(render(status, &page))
}

pub(super) async fn show(State(site): State<Site>, Asker(known): Asker) -> Result<Response, Shown> {
    page(&site, &known, "", None).await
}

/// `do=state` with `sure`, or `do=contest` with `words`. Whoever finds a browser open can't lock it.
pub(super) async fn act(
    State(site): State<Site>,
    Asker(known): Asker,
    sent: Sent,
) -> Result<Response, Shown> {
    let words = sent.text("words");
    let done = match sent.text("do") {
        "contest" => child::contest(&site.studio, known.person, words).await,
        _ => {
            if let Some(first) = confirm::first_of(&site, &known, HERE) {
                return Ok(first);
            }
            if !sent.is_checked("sure") {
                let says = Texts::get().children.not_sure.clone();
                return page(&site, &known, "", Some(says)).await;
            }
            child::state(&site.studio, known.person).await
        }
    };
    match done {
        Ok(()) => Ok(onward(HERE)),
        Err(error @ ChildError::Words) => match Texts::get().known(&error) {
            Some(says) => page(&site, &known, words, Some(says)).await,
            None => Err(problem(error).into()),
        },
        Err(error) => Err(problem(error).into()),
    }
}

pub(crate) fn problem(error: ChildError) -> Problem {
    let message = error.to_string();
    match error {
        ChildError::Reason => Problem::field("reason", "invalid_value", message),
        ChildError::Words => Problem::field("words", "invalid_value", message),
        ChildError::Staff | ChildError::Open | ChildError::Late => {
            Problem::new(StatusCode::CONFLICT, "not_locked", message)
        }
        ChildError::Unknown => Problem::nothing(),
        ChildError::Failure(failure) => failure.into(),
    }
}
