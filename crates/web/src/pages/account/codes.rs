//! One-time codes of an authenticator.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use qrcodegen::{QrCode, QrCodeEcc};
use studio::accounts::person;
use studio::accounts::second_factor::{self, CodeError, Secret};

use super::super::sent::Sent;
use super::super::{Shown, onward, render};
use super::{confirm, keep};
use crate::Site;
use crate::caller::{Member, no_one};
use crate::pages::Frame;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "account_codes.html")]
struct CodesPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    /// The path of the QR code, and how many modules it is wide.
    picture: (String, i32),
    secret: String,
    mistake: Option<String>,
}

#[derive(Template)]
#[template(path = "account_recovery.html")]
struct RecoveryPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    codes: Vec<String>,
}

pub(super) async fn show(State(site): State<Site>, member: Member) -> Result<Response, Shown> {
    page(&site, &member, None).await
}

async fn page(site: &Site, member: &Member, mistake: Option<String>) -> Result<Response, Shown> {
    if let Some(first) = confirm::first(site, member, "/account/codes") {
        return Ok(first);
    }
    let secret = second_factor::begin(&site.studio, member.known.person).await?;
    let Some(secret) = secret else {
        return Ok(onward("/account/password"));
    };
    let account = person::find(&site.studio, member.known.person).await?;
    let account = account.ok_or_else(no_one)?;
    let t = Texts::get();
    let page = CodesPage {
        t,
        frame: Frame::member("account"),
        tab: "security",
        picture: qr_path(&secret.uri(&t.frame.name, account.address.expose())),
        secret: in_fours(&secret),
        mistake,
    };
    let status = match page.mistake {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    Ok(render(status, &page))
}

/// In groups of four, as people type it.
fn in_fours(secret: &Secret) -> String {
    let letters = secret.expose();
    let groups: Vec<&str> = (0..letters.len())
        .step_by(4)
        .map(|at| &letters[at..(at + 4).min(letters.len())])
        .collect();
    groups.join(" ")
}

/// Each dark module as a square of the path, with the quiet edge of four that readers need.
fn qr_path(text: &str) -> (String, i32) {
    const EDGE: i32 = 4;
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else {
        // An address too long for any code; the secret is there to be typed.
        return (String::new(), 0);
    };
    let size = code.size();
    let dark = (0..size)
        .flat_map(|y| (0..size).map(move |x| (x, y)))
        .filter(|(x, y)| code.get_module(*x, *y));
    let squares: Vec<String> = dark
        .map(|(x, y)| format!("M{} {}h1v1h-1z", x + EDGE, y + EDGE))
        .collect();
    (squares.concat(), size + 2 * EDGE)
}

pub(super) async fn turn_on(
    State(site): State<Site>,
    member: Member,
    sent: Sent,
) -> Result<Response, Shown> {
    if let Some(first) = confirm::first(&site, &member, "/account/codes") {
        return Ok(first);
    }
    let whose = (member.known.person, member.session);
    match second_factor::confirm(&site.studio, whose, sent.text("code")).await {
        Ok((codes, token)) => {
            let page = RecoveryPage {
                t: Texts::get(),
                frame: Frame::member("account"),
                tab: "security",
                codes,
            };
            Ok(keep(&site, render(StatusCode::OK, &page), &token))
        }
        Err(error @ CodeError::Wrong) => page(&site, &member, Some(error.to_string())).await,
        Err(CodeError::Failure(failure)) => Err(failure.into()),
    }
}

pub(super) async fn turn_off(State(site): State<Site>, member: Member) -> Result<Response, Shown> {
    if let Some(first) = confirm::first(&site, &member, "/account/password") {
        return Ok(first);
    }
    let whose = (member.known.person, member.session);
    let token = second_factor::turn_off(&site.studio, whose).await?;
    Ok(keep(&site, onward("/account/password"), &token))
}
