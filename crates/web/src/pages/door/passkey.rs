//! Signing in with a passkey.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::secret::Token;
use studio::accounts::passkey;
use studio::accounts::sign_in::SignInError;

use super::super::Shown;
use super::super::passkeys::{asserted, request};
use super::super::sent::Sent;
use super::sign_in::{self, problem};
use super::{let_in, safe_next};
use crate::Site;
use crate::caller::Visiting;
use crate::cookies::{self, Cookie};
use crate::problem::Problem;
use crate::relying_party::RelyingParty;

/// A question for an authenticator, asked by the island.
pub(super) async fn ask(
    State(site): State<Site>,
    RelyingParty(party): RelyingParty,
    Visiting(visit): Visiting,
) -> Result<Response, Problem> {
    let party = party.map_err(|why| Problem::new(StatusCode::CONFLICT, "no_passkeys_here", why))?;
    let asked = passkey::ask_to_sign_in(&site.studio, &visit).await;
    let (challenge, browser) = asked.map_err(problem)?;
    let mut response = Json(request(&party, &challenge, &[])).into_response();
    let headers = response.headers_mut();
    cookies::set(headers, &site, Cookie::Passkey, browser.expose());
    Ok(response)
}

pub(super) async fn enter(
    State(site): State<Site>,
    RelyingParty(party): RelyingParty,
    Visiting(visit): Visiting,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Shown> {
    let next = safe_next(sent.text("next"));
    let browser = cookies::read(&headers, &site, Cookie::Passkey);
    let browser = browser.and_then(|text| Token::read(&text));
    let entered = match &party {
        Ok(party) => {
            let sent = asserted(&sent);
            passkey::sign_in(&site.studio, party, &visit, browser.as_ref(), &sent).await
        }
        Err(_) => Err(SignInError::WrongPasskey),
    };
    match entered {
        Ok(signed_in) => Ok(let_in(&site, &signed_in, next)),
        Err(error @ SignInError::WrongPasskey) => Ok(sign_in::again(party, "", next, &error)),
        Err(error) => Err(problem(error).into()),
    }
}
