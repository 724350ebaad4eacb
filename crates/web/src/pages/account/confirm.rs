//! Proves again who somebody is, before a change that matters.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use studio::accounts::passkey::{self, Party};
use studio::accounts::recovery::{self, RecoveryError};
use studio::accounts::session::CONFIRMED_FOR_MS;
use studio::accounts::sign_in::SignInError;
use studio::accounts::{Known, Means};

use super::super::door::{reset_problem, safe_next, sign_in_problem};
use super::super::passkeys::{asserted, request};
use super::super::sent::Sent;
use super::super::{Shown, onward, render};
use super::keep;
use crate::Site;
use crate::api::pairs;
use crate::caller::Member;
use crate::pages::Frame;
use crate::problem::Problem;
use crate::relying_party::RelyingParty;
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

/// As [`first`]; in a house without accounts nobody can prove anything.
pub(super) fn first_of(site: &Site, known: &Known, then: &str) -> Option<Response> {
    let Means::Session { id, confirmed } = known.means else {
        return None;
    };
    let member = Member {
        known: *known,
        session: id,
        confirmed,
    };
    first(site, &member, then)
}

#[derive(Template)]
#[template(path = "account_confirm.html")]
struct ConfirmPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    next: String,
    mistake: Option<String>,
    /// What the browser is told to use one of the person's passkeys, as JSON.
    passkey: Option<String>,
}

async fn page(
    site: &Site,
    member: &Member,
    party: Result<Party, String>,
    next: &str,
    mistake: Option<String>,
) -> Result<Response, Shown> {
    let status = match mistake {
        Some(_) => StatusCode::UNAUTHORIZED,
        None => StatusCode::OK,
    };
    let whose = (member.known.person, member.session);
    let asked = match &party {
        Ok(_) => passkey::ask_to_confirm(&site.studio, whose).await?,
        Err(_) => None,
    };
    let asked = party.ok().zip(asked);
    let page = ConfirmPage {
        t: Texts::get(),
        frame: Frame::member("account"),
        tab: "",
        next: safe_next(next).to_owned(),
        mistake,
        passkey: asked
            .map(|(party, (challenge, known))| request(&party, &challenge, &known).to_string()),
    };
    Ok(render(status, &page))
}

pub(super) async fn show(
    State(site): State<Site>,
    RelyingParty(party): RelyingParty,
    member: Member,
    RawQuery(query): RawQuery,
) -> Result<Response, Shown> {
    let given = pairs(query.unwrap_or_default().as_bytes());
    let next = given.into_iter().find(|(name, _)| name == "next");
    let next = next.map_or_else(String::new, |(_, next)| next);
    page(&site, &member, party, &next, None).await
}

pub(super) async fn confirm(
    State(site): State<Site>,
    RelyingParty(party): RelyingParty,
    member: Member,
    sent: Sent,
) -> Result<Response, Shown> {
    let whose = (member.known.person, member.session);
    let next = sent.text("next");
    match recovery::confirm(&site.studio, whose, sent.text("password")).await {
        Ok(token) => Ok(keep(&site, onward(safe_next(next)), &token)),
        Err(error @ RecoveryError::Wrong) => {
            let says = Some(Texts::get().mistake(&error));
            page(&site, &member, party, next, says).await
        }
        Err(error) => Err(reset_problem(error).into()),
    }
}

pub(super) async fn by_passkey(
    State(site): State<Site>,
    RelyingParty(party): RelyingParty,
    member: Member,
    sent: Sent,
) -> Result<Response, Shown> {
    let whose = (member.known.person, member.session);
    let next = sent.text("next");
    let confirmed = match &party {
        Ok(party) => passkey::confirm(&site.studio, party, whose, &asserted(&sent)).await,
        Err(why) => {
            let why = why.clone();
            return Err(Problem::new(StatusCode::CONFLICT, "no_passkeys_here", why).into());
        }
    };
    match confirmed {
        Ok(token) => Ok(keep(&site, onward(safe_next(next)), &token)),
        Err(error @ SignInError::WrongPasskey) => {
            let says = Some(Texts::get().mistake(&error));
            page(&site, &member, party, next, says).await
        }
        Err(error) => Err(sign_in_problem(error).into()),
    }
}
