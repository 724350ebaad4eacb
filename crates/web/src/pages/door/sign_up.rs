//! Signing up: an address, a password, a date of birth where the house asks for an age.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use studio::accounts::sign_in::Visit;
use studio::accounts::sign_up::{self, SignUpError};
use studio::accounts::{age, person};
use studio::terms::{self, Ticked};

use super::super::sent::Sent;
use super::super::{Shown, ok, render};
use super::{busy, gate, let_in, link_ended, slow, token, told};
use crate::Site;
use crate::caller::Visiting;
use crate::cookies::{self, Cookie};
use crate::guard::visits::{Happened, country};
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
    /// The terms in force, if there are any: their number and the hash by which they are known.
    terms: Option<(i64, String)>,
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

async fn page(
    site: &Site,
    sent: Option<&Sent>,
    mistake: Option<(&'static str, String)>,
) -> Result<Response, Shown> {
    let terms = terms::now_in_force(&site.studio).await?;
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
        terms: terms.map(|head| (head.number, head.sha256)),
        mistake,
    };
    Ok(render(status, &page))
}

pub(super) async fn show(State(site): State<Site>, headers: HeaderMap) -> Result<Response, Shown> {
    match gate::is_shut(&site, &headers) {
        true => Ok(not_now()),
        false => page(&site, None, None).await,
    }
}

/// Nothing is kept, and the threshold is not told.
fn not_now() -> Response {
    let t = &Texts::get().door;
    told(&t.not_now, &t.not_now_what, None)
}

pub(super) async fn ask(
    State(site): State<Site>,
    Visiting(visit): Visiting,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Shown> {
    if gate::is_shut(&site, &headers) {
        return Ok(not_now());
    }
    let age = match age_of(&site, &headers, &sent) {
        Ok(age) => age,
        Err(bad) => return page(&site, Some(&sent), Some(("born", bad.to_string()))).await,
    };
    let is_open = age.is_none_or(|age| age.is_over);
    let mut response = match is_open {
        true => begin(&site, &visit, &sent, age).await?,
        false => not_now(),
    };
    if age.is_some() {
        gate::note(&site, response.headers_mut(), is_open);
    }
    Ok(response)
}

async fn begin(
    site: &Site,
    visit: &Visit,
    sent: &Sent,
    age: Option<person::Age>,
) -> Result<Response, Shown> {
    let t = &Texts::get().door;
    // The version that was shown is the one that is accepted: no other, and none unseen.
    let in_force = terms::now_in_force(&site.studio).await?;
    let words = &Texts::get().terms;
    let mistake = match &in_force {
        Some(head) if sent.text("terms") != head.sha256 && !sent.text("terms").is_empty() => {
            Some(&words.sign_up_other)
        }
        Some(head) if sent.text("terms") != head.sha256 || sent.text("accept_terms") != "yes" => {
            Some(&words.sign_up_unticked)
        }
        _ => None,
    };
    if let Some(words) = mistake {
        return page(site, Some(sent), Some(("terms", words.clone()))).await;
    }
    let ticked = in_force.map(|head| Ticked::now(&site.studio, &head));
    let wanted = (sent.text("address"), sent.text("password"));
    let mistake = match sign_up::ask(&site.studio, visit, wanted, age, ticked.as_ref()).await {
        Ok(()) => return Ok(told(&t.look, &t.look_what, Some(("/sign-in", &t.sign_in)))),
        Err(error @ SignUpError::Address(_)) => ("address", error.to_string()),
        Err(error @ (SignUpError::Password(_) | SignUpError::Guessable(_))) => {
            ("password", error.to_string())
        }
        Err(error) => return Err(problem(error).into()),
    };
    page(site, Some(sent), Some(mistake)).await
}

fn age_of(
    site: &Site,
    headers: &HeaderMap,
    sent: &Sent,
) -> Result<Option<person::Age>, age::BadDate> {
    // Where no country is told, or none that the operator named, the one for everybody holds.
    let of_country =
        country(site, headers).and_then(|country| site.min_ages.get(&country).copied());
    let threshold = of_country.unwrap_or(site.studio.gate.rules().min_age);
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
        Ok(signed_in) => {
            let mut response = let_in(&site, &signed_in, "/");
            cookies::forget(response.headers_mut(), &site, Cookie::Door);
            Happened::SignedUp.on(&mut response);
            Ok(response)
        }
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
