//! Signing in and out.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::secret::Token;
use studio::accounts::Means;
use studio::accounts::passkey::Party;
use studio::accounts::sign_in::{self, Entry, SignInError};

use super::super::sent::Sent;
use super::super::{Shown, onward, render};
use super::{busy, let_in, link_ended, safe_next, slow, told};
use crate::Site;
use crate::api::pairs;
use crate::caller::{MaybeAsker, Visiting};
use crate::cookies::{self, Cookie};
use crate::guard;
use crate::pages::Frame;
use crate::problem::Problem;
use crate::relying_party::RelyingParty;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    t: &'static Texts,
    frame: Frame,
    address: String,
    next: String,
    mistake: Option<String>,
    /// Why passkeys can't be used here.
    without_passkeys: Option<String>,
}

pub(super) async fn show(
    MaybeAsker(known): MaybeAsker,
    RelyingParty(party): RelyingParty,
    RawQuery(query): RawQuery,
) -> Response {
    let next = next_of(query);
    if known.is_some() {
        return onward(&next);
    }
    let page = SignInPage {
        t: Texts::get(),
        frame: Frame::visitor("sign-in"),
        address: String::new(),
        next,
        mistake: None,
        without_passkeys: party.err(),
    };
    render(StatusCode::OK, &page)
}

/// Where a browser goes first that was let in.
pub(super) fn arrival(next: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("next", next)
        .finish();
    format!("/sign-in/done?{query}")
}

/// Somebody who was let in a moment ago, and is known, goes on. Whose browser did not keep the cookie is
/// told so, since signing in again would end here once more.
pub(super) async fn arrive(
    State(site): State<Site>,
    MaybeAsker(known): MaybeAsker,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let next = next_of(query);
    if known.is_some() {
        return onward(&next);
    }
    let again = guard::sign_in(Some(&next));
    if cookies::read(&headers, &site, Cookie::Session).is_some() {
        // It was kept, and the session has ended since.
        return onward(&again);
    }
    let words = &Texts::get().blocked;
    let onward = Some((again.as_str(), words.again.as_str()));
    told(&words.title, &words.what, onward)
}

fn next_of(query: Option<String>) -> String {
    let given = pairs(query.unwrap_or_default().as_bytes());
    let next = given.into_iter().find(|(name, _)| name == "next");
    next.map_or_else(|| "/".to_owned(), |(_, next)| safe_next(&next).to_owned())
}

/// The page once more, with what was wrong.
pub(super) fn again(
    party: Result<Party, String>,
    address: &str,
    next: &str,
    error: &SignInError,
) -> Response {
    let page = SignInPage {
        t: Texts::get(),
        frame: Frame::visitor("sign-in"),
        address: address.to_owned(),
        next: next.to_owned(),
        mistake: Some(error.to_string()),
        without_passkeys: party.err(),
    };
    render(StatusCode::UNAUTHORIZED, &page)
}

pub(super) async fn enter(
    State(site): State<Site>,
    RelyingParty(party): RelyingParty,
    Visiting(visit): Visiting,
    sent: Sent,
) -> Result<Response, Shown> {
    let (address, next) = (sent.text("address"), safe_next(sent.text("next")));
    match sign_in::sign_in(&site.studio, &visit, address, sent.text("password")).await {
        Ok(Entry::In(signed_in)) => Ok(let_in(&site, &signed_in, next)),
        Ok(Entry::Code(token)) => Ok(code_page(StatusCode::OK, &token, next, None)),
        Err(error @ SignInError::Wrong) => Ok(again(party, address, next, &error)),
        Err(error) => Err(problem(error).into()),
    }
}

#[derive(Template)]
#[template(path = "sign_in_code.html")]
struct CodePage {
    t: &'static Texts,
    frame: Frame,
    token: String,
    next: String,
    mistake: Option<String>,
}

fn code_page(status: StatusCode, token: &Token, next: &str, mistake: Option<String>) -> Response {
    let page = CodePage {
        t: Texts::get(),
        frame: Frame::visitor("sign-in"),
        token: token.expose().to_owned(),
        next: next.to_owned(),
        mistake,
    };
    render(status, &page)
}

pub(super) async fn code(
    State(site): State<Site>,
    Visiting(visit): Visiting,
    sent: Sent,
) -> Result<Response, Shown> {
    let next = safe_next(sent.text("next"));
    let token = Token::read(sent.text("token"));
    let token = token.ok_or_else(|| problem(SignInError::CodeEnded))?;
    match sign_in::enter_code(&site.studio, &visit, &token, sent.text("code")).await {
        Ok(signed_in) => Ok(let_in(&site, &signed_in, next)),
        Err(error @ SignInError::WrongCode) => {
            let says = Some(error.to_string());
            Ok(code_page(StatusCode::UNAUTHORIZED, &token, next, says))
        }
        Err(error) => Err(problem(error).into()),
    }
}

pub(in crate::pages) fn problem(error: SignInError) -> Problem {
    let message = error.to_string();
    match error {
        SignInError::Slow { retry_after_s } => slow(retry_after_s, message),
        SignInError::MakeKnown => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "make_known", message)
        }
        SignInError::CodeEnded => link_ended(&message),
        SignInError::Busy(full) => busy(full),
        SignInError::Failure(failure) => failure.into(),
        SignInError::Wrong | SignInError::WrongCode | SignInError::WrongPasskey => {
            Problem::new(StatusCode::UNAUTHORIZED, "wrong", message)
        }
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
