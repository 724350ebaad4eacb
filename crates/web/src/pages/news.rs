//! The pages behind the links of letters with news: one confirms that they are wanted, the other ends them.
//! Nobody signs in for either.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::secret::Token;
use serde_json::{Value, json};
use studio::privacy::consent::{self, ConsentError};

use super::door::told;
use super::door::vouch::PressPage;
use super::{Frame, Shown, consent_problem, ok};
use crate::Site;
use crate::problem::Problem;
use crate::texts::Texts;

const CHOICES: &str = "/account/choices";

fn ended() -> Problem {
    consent_problem(ConsentError::LinkEnded)
}

pub(super) async fn ask(
    State(site): State<Site>,
    Path(link): Path<String>,
) -> Result<Response, Shown> {
    let token = Token::read(&link).ok_or_else(ended)?;
    if !consent::is_confirmable(&site.studio, &token).await? {
        return Err(ended().into());
    }
    let t = Texts::get();
    Ok(ok(&PressPage {
        t,
        frame: Frame::anyone(),
        heading: &t.news.confirm,
        message: &t.news.confirm_what,
        button: &t.news.confirm_do,
    }))
}

pub(super) async fn confirm(
    State(site): State<Site>,
    Path(link): Path<String>,
) -> Result<Response, Shown> {
    let token = Token::read(&link).ok_or_else(ended)?;
    consent::confirm(&site.studio, &token)
        .await
        .map_err(consent_problem)?;
    let words = &Texts::get().news;
    let onward = Some((CHOICES, words.to_choices.as_str()));
    Ok(told(&words.confirmed, &words.confirmed_what, onward))
}

/// Shows a button: mail programs open links by themselves.
pub(super) async fn show(
    State(site): State<Site>,
    Path(reference): Path<String>,
) -> Result<Response, Shown> {
    consent::whose(&site.studio, &reference).ok_or_else(Problem::nothing)?;
    let t = Texts::get();
    Ok(ok(&PressPage {
        t,
        frame: Frame::anyone(),
        heading: &t.news.leave,
        message: &t.news.leave_what,
        button: &t.news.leave_do,
    }))
}

/// The button, or a mail program that presses it for its person (RFC 8058). Whatever the body says, who has
/// the link wants no more.
pub(super) async fn leave(
    State(site): State<Site>,
    Path(reference): Path<String>,
) -> Result<Response, Shown> {
    if !consent::leave(&site.studio, &reference).await? {
        return Err(Problem::nothing().into());
    }
    let words = &Texts::get().news;
    let onward = Some((CHOICES, words.to_choices.as_str()));
    Ok(told(&words.left, &words.left_what, onward))
}

/// Says that this house heeds the signal (Global Privacy Control, "GPC support resource").
pub(super) async fn control() -> Json<Value> {
    Json(json!({ "gpc": true, "lastUpdate": "2026-11-22" }))
}
