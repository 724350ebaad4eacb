//! A forgotten password.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use studio::accounts::recovery::{self, RecoveryError};

use super::super::sent::Sent;
use super::super::{Shown, ok, render};
use super::{busy, link_ended, slow, token, told};
use crate::Site;
use crate::caller::Visiting;
use crate::pages::Frame;
use crate::problem::Problem;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "reset_ask.html")]
struct AskPage {
    t: &'static Texts,
    frame: Frame,
}

pub(super) async fn show() -> Response {
    ok(&AskPage {
        t: Texts::get(),
        frame: Frame::visitor(""),
    })
}

pub(super) async fn ask(
    State(site): State<Site>,
    Visiting(visit): Visiting,
    sent: Sent,
) -> Result<Response, Shown> {
    let asked = recovery::ask(&site.studio, &visit, sent.text("address")).await;
    asked.map_err(problem)?;
    let t = &Texts::get().door;
    Ok(told(&t.look, &t.look_reset, Some(("/sign-in", &t.sign_in))))
}

#[derive(Template)]
#[template(path = "reset.html")]
struct ResetPage {
    t: &'static Texts,
    frame: Frame,
    mistake: Option<String>,
}

pub(super) async fn open(
    State(site): State<Site>,
    Path(link): Path<String>,
) -> Result<Response, Shown> {
    let ended = RecoveryError::LinkEnded.to_string();
    let token = token(&link, &ended)?;
    if !recovery::is_open(&site.studio, &token).await? {
        return Err(link_ended(&ended).into());
    }
    Ok(ok(&ResetPage {
        t: Texts::get(),
        frame: Frame::visitor(""),
        mistake: None,
    }))
}

pub(super) async fn set(
    State(site): State<Site>,
    Path(link): Path<String>,
    sent: Sent,
) -> Result<Response, Shown> {
    let token = token(&link, &RecoveryError::LinkEnded.to_string())?;
    let t = &Texts::get().door;
    match recovery::reset(&site.studio, &token, sent.text("password")).await {
        Ok(()) => Ok(told(
            &t.reset_done,
            &t.reset_done_what,
            Some(("/sign-in", &t.sign_in)),
        )),
        Err(error @ (RecoveryError::Password(_) | RecoveryError::Guessable(_))) => {
            let page = ResetPage {
                t: Texts::get(),
                frame: Frame::visitor(""),
                mistake: Some(error.to_string()),
            };
            Ok(render(StatusCode::BAD_REQUEST, &page))
        }
        Err(error) => Err(problem(error).into()),
    }
}

pub(in crate::pages) fn problem(error: RecoveryError) -> Problem {
    match error {
        RecoveryError::LinkEnded => link_ended(&error.to_string()),
        RecoveryError::Slow { retry_after_s } => slow(retry_after_s, error.to_string()),
        RecoveryError::Busy(full) => busy(full),
        RecoveryError::Failure(failure) => failure.into(),
        other => Problem::new(StatusCode::BAD_REQUEST, "invalid_value", other.to_string()),
    }
}
