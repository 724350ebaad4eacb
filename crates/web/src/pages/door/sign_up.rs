//! Signing up: an address, a password, a date of birth where the house asks for an age.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use studio::accounts::sign_up::{self, SignUpError};
use studio::accounts::{age, person};

use super::super::sent::Sent;
use super::super::{Shown, ok, render};
use super::{busy, let_in, link_ended, slow, token, told};
use crate::Site;
use crate::caller::Visiting;
use crate::pages::Frame;
use crate::problem::Problem;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "sign_up.html")]
struct SignUpPage {
    t: &'static Texts,
    frame: Frame,
    address: String,
    born: String,
    asks_age: bool,
    /// The field that is wrong, and what to do.
    mistake: Option<(&'static str, String)>,
}

impl SignUpPage {
    fn is_wrong(&self, field: &str) -> bool {
        self.mistake
            .as_ref()
            .is_some_and(|(wrong, _)| *wrong == field)
    }
}

fn page(site: &Site, sent: Option<&Sent>, mistake: Option<(&'static str, String)>) -> Response {
    let text = |name| sent.map_or_else(String::new, |sent| sent.text(name).to_owned());
    let status = if mistake.is_some() {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    let page = SignUpPage {
        t: Texts::get(),
        frame: Frame::visitor("sign-up"),
        address: text("address"),
        born: text("born"),
        asks_age: site.studio.gate.rules().min_age > 0,
        mistake,
    };
    render(status, &page)
}

pub(super) async fn show(State(site): State<Site>) -> Response {
    page(&site, None, None)
}

pub(super) async fn ask(
    State(site): State<Site>,
    Visiting(visit): Visiting,
    sent: Sent,
) -> Result<Response, Shown> {
    let t = &Texts::get().door;
    let age = match age_of(&site, &sent) {
        Ok(age) => age,
        Err(bad) => return Ok(page(&site, Some(&sent), Some(("born", bad.to_string())))),
    };
    if age.is_some_and(|age| !age.is_over) {
        // Nothing is kept, and the threshold is not told.
        return Ok(told(&t.not_now, &t.not_now_what, None));
    }
    let wanted = (sent.text("address"), sent.text("password"));
    let mistake = match sign_up::ask(&site.studio, &visit, wanted, age).await {
        Ok(()) => return Ok(told(&t.look, &t.look_what, Some(("/sign-in", &t.sign_in)))),
        Err(error @ SignUpError::Address(_)) => ("address", error.to_string()),
        Err(error @ (SignUpError::Password(_) | SignUpError::Guessable(_))) => {
            ("password", error.to_string())
        }
        Err(error) => return Err(problem(error).into()),
    };
    Ok(page(&site, Some(&sent), Some(mistake)))
}

fn age_of(site: &Site, sent: &Sent) -> Result<Option<person::Age>, age::BadDate> {
    let threshold = site.studio.gate.rules().min_age;
    if threshold == 0 {
        return Ok(None);
    }
    age::of(sent.text("born"), site.studio.clock.now(), threshold).map(Some)
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    t: &'static Texts,
    frame: Frame,
    mistake: Option<String>,
}

pub(super) async fn open(
    State(site): State<Site>,
    Path(link): Path<String>,
) -> Result<Response, Shown> {
    let ended = SignUpError::LinkEnded.to_string();
    let token = token(&link, &ended)?;
    if !sign_up::is_open(&site.studio, &token).await? {
        return Err(link_ended(&ended).into());
    }
    Ok(ok(&ConfirmPage {
        t: Texts::get(),
        frame: Frame::visitor("sign-up"),
        mistake: None,
    }))
}

pub(super) async fn confirm(
    State(site): State<Site>,
    Path(link): Path<String>,
    Visiting(visit): Visiting,
    sent: Sent,
) -> Result<Response, Shown> {
    let token = token(&link, &SignUpError::LinkEnded.to_string())?;
    match sign_up::confirm(&site.studio, &visit, &token, sent.text("password")).await {
        Ok(signed_in) => Ok(let_in(&site, &signed_in, "/")),
        Err(error @ SignUpError::WrongPassword) => {
            let page = ConfirmPage {
                t: Texts::get(),
                frame: Frame::visitor("sign-up"),
                mistake: Some(error.to_string()),
            };
            Ok(render(StatusCode::UNAUTHORIZED, &page))
        }
        Err(error) => Err(problem(error).into()),
    }
}

pub(super) fn problem(error: SignUpError) -> Problem {
    match error {
        SignUpError::LinkEnded => link_ended(&error.to_string()),
        SignUpError::Slow { retry_after_s } => slow(retry_after_s, error.to_string()),
        SignUpError::Busy(full) => busy(full),
        SignUpError::Failure(failure) => failure.into(),
        other => Problem::new(StatusCode::BAD_REQUEST, "invalid_value", other.to_string()),
    }
}
