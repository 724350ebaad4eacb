//! Restricts the account, and lifts that again.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use studio::accounts::Known;
use studio::privacy::restriction::{self, Mode, RestrictError, Restriction};

use super::super::sent::Sent;
use super::super::{Frame, Shown, onward, render};
use super::{child, confirm};
use crate::Site;
use crate::caller::Asker;
use crate::problem::Problem;
use crate::texts::Texts;

const HERE: &str = "/account/restriction";

#[derive(Template)]
#[template(path = "account_restriction.html")]
struct RestrictionPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    restriction: Option<Restriction>,
    mistake: Option<String>,
}

impl RestrictionPage {
    fn since(&self, one: &Restriction) -> String {
        self.t.restriction.is_set.fill(&self.t.exact(one.since))
    }

    fn lifts(&self, one: &Restriction) -> Option<String> {
        let lifts = one.lifts?;
        Some(self.t.restriction.lifts.fill(&self.t.exact(lifts)))
    }

    fn is_held(&self, one: &Restriction) -> bool {
        one.mode == Mode::Held
    }
}

async fn page(site: &Site, known: &Known, mistake: Option<String>) -> Result<Response, Shown> {
    let status = match mistake {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let page = RestrictionPage {
        t: Texts::get(),
        frame: Frame::member("account"),
        tab: "data",
        restriction: restriction::of(&site.studio, known.person).await?,
        mistake,
    };
    Ok(render(status, &page))
}

pub(super) async fn show(State(site): State<Site>, Asker(known): Asker) -> Result<Response, Shown> {
    if known.mode == Mode::Minor {
        return child::page(&site, &known, "", None).await;
    }
    page(&site, &known, None).await
}

/// `do=set`, or `do=lift` with `sure`. Whoever finds a browser open can't lift it.
pub(super) async fn set(
    State(site): State<Site>,
    Asker(known): Asker,
    sent: Sent,
) -> Result<Response, Shown> {
    if sent.text("do") != "lift" {
        restriction::restrict(&site.studio, known.person).await?;
        return Ok(onward(HERE));
    }
    if let Some(first) = confirm::first_of(&site, &known, HERE) {
        return Ok(first);
    }
    if !sent.is_checked("sure") {
        let says = Texts::get().restriction.not_sure.clone();
        return page(&site, &known, Some(says)).await;
    }
    match restriction::lift(&site.studio, known.person).await {
        Ok(()) | Err(RestrictError::Open) => Ok(onward(HERE)),
        Err(error) => Err(problem(error).into()),
    }
}

pub(crate) fn problem(error: RestrictError) -> Problem {
    let message = error.to_string();
    match error {
        RestrictError::Held | RestrictError::Minor => {
            Problem::new(StatusCode::CONFLICT, "held", message)
        }
        RestrictError::Reason => Problem::field("reason", "invalid_value", message),
        RestrictError::Open => Problem::new(StatusCode::CONFLICT, "not_restricted", message),
        RestrictError::Failure(failure) => failure.into(),
    }
}
