//! The passkeys of an account: adding, naming and removing them.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::ids::PasskeyId;
use studio::accounts::passkey::{self, Party, PasskeyError, Wanted};

use super::super::passkeys::{attested, creation};
use super::super::sent::Sent;
use super::super::{Shown, onward, render};
use super::security::PasswordPage;
use super::{confirm, keep};
use crate::Site;
use crate::caller::{Member, Visiting};
use crate::pages::Frame;
use crate::problem::Problem;
use crate::relying_party::RelyingParty;
use crate::texts::Texts;

const SECURITY: &str = "/account/password";
const ADDING: &str = "/account/passkeys";

#[derive(Template)]
#[template(path = "account_passkey.html")]
struct AddPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    /// What the browser is told, as JSON.
    creation: String,
    name: String,
    mistake: Option<String>,
}

/// Asks the browser for a passkey.
pub(super) async fn show(
    State(site): State<Site>,
    RelyingParty(party): RelyingParty,
    Visiting(visit): Visiting,
    member: Member,
) -> Result<Response, Shown> {
    if let Some(first) = confirm::first(&site, &member, ADDING) {
        return Ok(first);
    }
    let Ok(party) = party else {
        // That page says why not.
        return Ok(onward(SECURITY));
    };
    page(&site, &party, &member, &visit.family, None).await
}

async fn page(
    site: &Site,
    party: &Party,
    member: &Member,
    name: &str,
    mistake: Option<&PasskeyError>,
) -> Result<Response, Shown> {
    let whose = (member.known.person, member.session);
    let wanted: Wanted = match passkey::ask_to_add(&site.studio, whose).await {
        Ok(wanted) => wanted,
        Err(error) => return refused(site, Ok(party.clone()), member, error).await,
    };
    let t = Texts::get();
    let page = AddPage {
        t,
        frame: Frame::member("account"),
        tab: "security",
        creation: creation(&t.frame.name, party, &wanted).to_string(),
        name: name.to_owned(),
        mistake: mistake.map(ToString::to_string),
    };
    let status = match mistake {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    Ok(render(status, &page))
}

/// The page of security with what went wrong.
async fn refused(
    site: &Site,
    party: Result<Party, String>,
    member: &Member,
    error: PasskeyError,
) -> Result<Response, Shown> {
    let status = match error {
        PasskeyError::Failure(failure) => return Err(failure.into()),
        PasskeyError::Unknown => StatusCode::NOT_FOUND,
        PasskeyError::LastWay | PasskeyError::TooMany => StatusCode::CONFLICT,
        _ => StatusCode::BAD_REQUEST,
    };
    let mistake = Some(("passkey", error.to_string()));
    let page = PasswordPage::new(site, member, party, mistake).await?;
    Ok(render(status, &page))
}

pub(super) async fn add(
    State(site): State<Site>,
    RelyingParty(party): RelyingParty,
    member: Member,
    sent: Sent,
) -> Result<Response, Shown> {
    if let Some(first) = confirm::first(&site, &member, ADDING) {
        return Ok(first);
    }
    let party = party.map_err(|why| Problem::new(StatusCode::CONFLICT, "no_passkeys_here", why))?;
    let whose = (member.known.person, member.session);
    let name = sent.text("name");
    match passkey::add(&site.studio, &party, whose, name, &attested(&sent)).await {
        Ok(token) => Ok(keep(&site, onward(SECURITY), &token)),
        Err(PasskeyError::Failure(failure)) => Err(failure.into()),
        Err(error) => page(&site, &party, &member, name, Some(&error)).await,
    }
}

fn which(sent: &Sent) -> Result<PasskeyId, PasskeyError> {
    let id = sent.text("passkey").parse();
    id.map_err(|_| PasskeyError::Unknown)
}

pub(super) async fn rename(
    State(site): State<Site>,
    RelyingParty(party): RelyingParty,
    member: Member,
    sent: Sent,
) -> Result<Response, Shown> {
    let renamed = match which(&sent) {
        Ok(id) => passkey::rename(&site.studio, member.known.person, id, sent.text("name")).await,
        Err(error) => Err(error),
    };
    match renamed {
        Ok(()) => Ok(onward(SECURITY)),
        Err(error) => refused(&site, party, &member, error).await,
    }
}

pub(super) async fn remove(
    State(site): State<Site>,
    RelyingParty(party): RelyingParty,
    member: Member,
    sent: Sent,
) -> Result<Response, Shown> {
    if let Some(first) = confirm::first(&site, &member, SECURITY) {
        return Ok(first);
    }
    let whose = (member.known.person, member.session);
    let removed = match which(&sent) {
        Ok(id) => passkey::remove(&site.studio, whose, id).await,
        Err(error) => Err(error),
    };
    match removed {
        Ok(token) => Ok(keep(&site, onward(SECURITY), &token)),
        Err(error) => refused(&site, party, &member, error).await,
    }
}
