//! The door: signing up, signing in and out, a forgotten password, and the first operator's
//! welcome.

mod address;
mod gate;
mod passkey;
mod reset;
mod sign_in;
mod sign_up;
pub(super) mod vouch;
mod welcome;

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use domain::secret::Token;
use studio::accounts::password::{Busy, RETRY_AFTER_S};
use studio::accounts::sign_in::SignedIn;

pub(super) use reset::problem as reset_problem;
pub(super) use sign_in::problem as sign_in_problem;

use super::{onward, render};
use crate::Site;
use crate::cookies::{self, Cookie};
use crate::pages::Frame;
use crate::problem::Problem;
use crate::texts::Texts;

pub(super) fn routes() -> Router<Site> {
    Router::new()
        .route("/sign-up", get(sign_up::show).post(sign_up::ask))
        .route(
            "/sign-up/{token}",
            get(sign_up::open).post(sign_up::confirm),
        )
        .route("/sign-in", get(sign_in::show).post(sign_in::enter))
        .route("/sign-in/code", post(sign_in::code))
        .route("/sign-in/done", get(sign_in::arrive))
        .route("/sign-in/passkey", post(passkey::enter))
        .route("/sign-in/passkey/question", post(passkey::ask))
        .route("/vouch/{token}", get(vouch::show).post(vouch::accept))
        .route("/address/{token}", get(address::show).post(address::agree))
        .route("/sign-out", post(sign_in::leave))
        .route("/reset", get(reset::show).post(reset::ask))
        .route("/reset/{token}", get(reset::open).post(reset::set))
        .route("/welcome/{token}", get(welcome::show).post(welcome::enter))
}

/// A page that says one thing, and where to go on.
#[derive(Template)]
#[template(path = "told.html")]
pub(super) struct ToldPage<'a> {
    pub(super) t: &'static Texts,
    pub(super) frame: Frame,
    pub(super) heading: &'a str,
    pub(super) message: &'a str,
    /// Address and words.
    pub(super) onward: Option<(&'a str, &'a str)>,
}

pub(super) fn told(heading: &str, message: &str, onward: Option<(&str, &str)>) -> Response {
    let page = ToldPage {
        t: Texts::get(),
        frame: Frame::anyone(),
        heading,
        message,
        onward,
    };
    render(StatusCode::OK, &page)
}

/// A link that is worth nothing any more.
fn link_ended(message: &str) -> Problem {
    Problem::new(StatusCode::GONE, "link_ended", message)
}

pub(super) fn busy(busy: Busy) -> Problem {
    Problem {
        retry_after_s: Some(RETRY_AFTER_S),
        ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", busy.to_string())
    }
}

pub(super) fn slow(retry_after_s: u32, message: String) -> Problem {
    Problem {
        retry_after_s: Some(retry_after_s),
        ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", message)
    }
}

/// Hands a browser its cookies, and sends it on by way of a page that sees whether it kept them.
fn let_in(site: &Site, signed_in: &SignedIn, to: &str) -> Response {
    let mut response = onward(&sign_in::arrival(to));
    let headers = response.headers_mut();
    cookies::set(headers, site, Cookie::Session, signed_in.session.expose());
    cookies::set(headers, site, Cookie::Device, signed_in.device.expose());
    cookies::forget(headers, site, Cookie::Passkey);
    response
}

/// Where to go after signing in: a page of this site, or the studio.
pub(super) fn safe_next(next: &str) -> &str {
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.contains(char::is_control);
    if is_ours { next } else { "/" }
}

fn token(text: &str, ended: &str) -> Result<Token, Problem> {
    Token::read(text).ok_or_else(|| link_ended(ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for own in ["/", "/pictures?before=pic_1", "/account/keys"] {
            assert_eq!(safe_next(own), own);
        }
        for foreign in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/a\nb",
            "javascript:x",
        ] {
            assert_eq!(safe_next(foreign), "/", "{foreign}");
        }
    }
}
