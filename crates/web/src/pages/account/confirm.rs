//! Proves again who somebody is, before a change that matters.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use studio::accounts::recovery::{self, RecoveryError};
use studio::accounts::session::CONFIRMED_FOR_MS;

use super::super::door::{reset_problem, safe_next};
use super::super::sent::Sent;
use super::super::{Shown, onward, render};
use crate::Site;
use crate::api::pairs;
use crate::caller::Member;
use crate::cookies::{self, Cookie};
use crate::texts::Texts;

/// Sends somebody to prove who they are, where that was long ago.
pub(super) fn first(site: &Site, member: &Member, then: &str) -> Option<Response> {
    let since = site.studio.clock.now().as_millis() - member.confirmed.as_millis();
    if since < CONFIRMED_FOR_MS {
        return None;
    }
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("next", then)
        .finish();
    Some(onward(&format!("/account/confirm?{query}")))
}

#[derive(Template)]
#[template(path = "account_confirm.html")]
struct ConfirmPage {
    t: &'static Texts,
    here: &'static str,
    tab: &'static str,
    next: String,
    mistake: Option<String>,
}

fn page(status: StatusCode, next: &str, mistake: Option<String>) -> Response {
    let page = ConfirmPage {
        t: Texts::get(),
        here: "account",
        tab: "",
        next: safe_next(next).to_owned(),
        mistake,
    };
    render(status, &page)
}

pub(super) async fn show(_: Member, RawQuery(query): RawQuery) -> Response {
    let given = pairs(query.unwrap_or_default().as_bytes());
    let next = given.into_iter().find(|(name, _)| name == "next");
    let next = next.map_or_else(String::new, |(_, next)| next);
    page(StatusCode::OK, &next, None)
}

pub(super) async fn confirm(
    State(site): State<Site>,
    member: Member,
    sent: Sent,
) -> Result<Response, Shown> {
    let whose = (member.known.person, member.session);
    let next = sent.text("next");
    match recovery::confirm(&site.studio, whose, sent.text("password")).await {
        Ok(token) => {
            let mut response = onward(safe_next(next));
            let headers = response.headers_mut();
            cookies::set(headers, &site, Cookie::Session, token.expose());
            Ok(response)
        }
        Err(error @ RecoveryError::Wrong) => {
            let says = Some(error.to_string());
            Ok(page(StatusCode::UNAUTHORIZED, next, says))
        }
        Err(error) => Err(reset_problem(error).into()),
    }
}
