//! Signing in and out.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use studio::accounts::Means;
use studio::accounts::sign_in::{self, SignInError};

use super::super::sent::Sent;
use super::super::{Shown, onward, render};
use super::{busy, let_in, safe_next};
use crate::Site;
use crate::api::pairs;
use crate::caller::{MaybeAsker, Visiting};
use crate::cookies::{self, Cookie};
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    t: &'static Texts,
    here: &'static str,
    address: String,
    next: String,
    mistake: Option<String>,
}

pub(super) async fn show(MaybeAsker(known): MaybeAsker, RawQuery(query): RawQuery) -> Response {
    let given = pairs(query.unwrap_or_default().as_bytes());
    let next = given.into_iter().find(|(name, _)| name == "next");
    let next = next.map_or_else(|| "/".to_owned(), |(_, next)| safe_next(&next).to_owned());
    if known.is_some() {
        return onward(&next);
    }
    let page = SignInPage {
        t: Texts::get(),
        here: "",
        address: String::new(),
        next,
        mistake: None,
    };
    render(StatusCode::OK, &page)
}

pub(super) async fn enter(
    State(site): State<Site>,
    Visiting(visit): Visiting,
    sent: Sent,
) -> Result<Response, Shown> {
    let (address, next) = (sent.text("address"), safe_next(sent.text("next")));
    match sign_in::sign_in(&site.studio, &visit, address, sent.text("password")).await {
        Ok(signed_in) => Ok(let_in(&site, &signed_in, next)),
        Err(error @ SignInError::Wrong) => {
            let page = SignInPage {
                t: Texts::get(),
                here: "",
                address: address.to_owned(),
                next: next.to_owned(),
                mistake: Some(error.to_string()),
            };
            Ok(render(StatusCode::UNAUTHORIZED, &page))
        }
        Err(SignInError::Busy(full)) => Err(busy(full).into()),
        Err(SignInError::Failure(failure)) => Err(failure.into()),
    }
}

/// The browser stays known, so that the next sign-in on it is no news.
pub(super) async fn leave(
    State(site): State<Site>,
    MaybeAsker(known): MaybeAsker,
) -> Result<Response, Shown> {
    if let Some(known) = known
        && let Means::Session { id, .. } = known.means
    {
        sign_in::sign_out(&site.studio, known.person, id).await?;
    }
    let mut response = onward("/sign-in");
    cookies::forget(response.headers_mut(), &site, Cookie::Session);
    Ok(response)
}
