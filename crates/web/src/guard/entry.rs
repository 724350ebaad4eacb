//! Finds out who asks, and refuses who may not: before any handler, by the table of access.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use domain::secret::{ApiKey, Token};
use studio::accounts::{self, Known, Means, key, session};
use studio::privacy::restriction::{Mode, Operation};
use studio::terms;

use super::access::{self, Access};
use crate::Site;
use crate::caller::no_one;
use crate::cookies::{self, Cookie};
use crate::pages::wants_part;
use crate::problem::{Problem, is_api};

pub(super) async fn check(State(site): State<Site>, mut request: Request, next: Next) -> Response {
    let Some(route) = request.extensions().get::<MatchedPath>() else {
        // There is nothing, for nobody.
        return next.run(request).await;
    };
    let route = route.as_str();
    let (access, operation) = match access::of(route, request.method()) {
        Some((Access::Open, _)) => return next.run(request).await,
        Some(known) => known,
        // The router says which methods there are.
        None if access::knows(route) => return next.run(request).await,
        None => return no_rule(route).on(request.uri().path()),
    };
    let known = match who(&site, request.headers()).await {
        Ok(known) => known,
        // A page that needs nobody is shown even to a program with a bad key.
        Err(problem) if access == Access::Public && problem.status == StatusCode::UNAUTHORIZED => {
            None
        }
        Err(problem) => return problem.on(request.uri().path()),
    };
    match refusal(access, known.as_ref()) {
        None => {}
        Some(problem) if problem.status == StatusCode::UNAUTHORIZED => {
            return unknown(problem, &request);
        }
        Some(problem) => return problem.on(request.uri().path()),
    }
    if let Some(known) = known {
        if !operation.is_done_in(known.mode) {
            return restricted(known.mode, &request);
        }
        let is_studio = request.uri().path() == "/";
        match owes_terms(&site, &known, operation, is_studio).await {
            Ok(false) => {}
            Ok(true) => return unaccepted(&request),
            Err(problem) => return problem.on(request.uri().path()),
        }
        // What else is asked for is asked for oneself.
        let known = match access::is_of_organisations(route) {
            true => known.on_behalf(),
            false => known,
        };
        request.extensions_mut().insert(known);
    }
    let mut response = next.run(request).await;
    // For whoever looks at the answer on its way out.
    if let Some(known) = known {
        response.extensions_mut().insert(known);
    }
    response
}

/// Who asks; `None` where nobody says.
async fn who(site: &Site, headers: &HeaderMap) -> Result<Option<Known>, Problem> {
    let studio = &site.studio;
    let is_solo = accounts::is_solo(studio).await?;
    match bearer(headers) {
        // SDKs insist on sending some key.
        Some(text) if !is_solo || text.starts_with(ApiKey::PREFIX) => {
            let known = match ApiKey::read(text) {
                Some(key) => key::find(studio, &key).await?,
                None => None,
            };
            return known.map(Some).ok_or_else(wrong_key);
        }
        _ => {}
    }
    if is_solo {
        return Ok(Some(accounts::local(studio).await?));
    }
    let cookie = cookies::read(headers, site, Cookie::Session);
    match cookie.and_then(|text| Token::read(&text)) {
        Some(token) => Ok(session::find(studio, &token).await?),
        None => Ok(None),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().unwrap_or("");
    let (scheme, key) = text.split_once(' ').unwrap_or((text, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn refusal(access: Access, known: Option<&Known>) -> Option<Problem> {
    let known = match (access, known) {
        (Access::Open | Access::Public, _) => return None,
        (_, None) => return Some(no_one()),
        (_, Some(known)) => known,
    };
    let has_session = !matches!(known.means, Means::Key { .. });
    match access {
        Access::Key(scope) if !known.scopes.has(scope) => {
            let message = format!(
                "This key may not do that: it lacks the scope {}. Make a key that has it.",
                scope.name()
            );
            Some(Problem::new(
                StatusCode::FORBIDDEN,
                "missing_scope",
                message,
            ))
        }
        Access::Session | Access::Staff(_) | Access::Desk(_) if !has_session => {
            let message =
                "Pages are for people who signed in; with a key, use the addresses below /v1.";
            Some(Problem::new(StatusCode::FORBIDDEN, "no_session", message))
        }
        Access::Staff(role) if known.role != role => Some(wrong_role()),
        Access::Desk(roles) if !roles.contains(&known.role) => Some(wrong_role()),
        _ => None,
    }
}

fn wrong_role() -> Problem {
    let message = "This page is for those who run this house.";
    Problem::new(StatusCode::FORBIDDEN, "wrong_role", message)
}

/// A person is sent to sign in and comes back afterwards; a program is told.
fn unknown(problem: Problem, request: &Request) -> Response {
    let path = request.uri().path();
    if is_api(path) || wants_part(request.headers()) {
        return problem.into_response();
    }
    let next = match *request.method() {
        Method::GET | Method::HEAD => request.uri().path_and_query().map(|uri| uri.as_str()),
        _ => None,
    };
    Redirect::to(&sign_in(next)).into_response()
}

/// What is of who asks is kept, and nothing else is done with it.
fn restricted(mode: Mode, request: &Request) -> Response {
    let problem = Problem::restricted(mode);
    match wants_part(request.headers()) {
        true => problem.into_response(),
        false => problem.on(request.uri().path()),
    }
}

/// Whether the terms stand before what is asked for. Whoever has not accepted them can do what can be done in a
/// restricted account: read, take along, delete, use their rights; and is asked where they would draw.
async fn owes_terms(
    site: &Site,
    known: &Known,
    operation: Operation,
    is_studio: bool,
) -> Result<bool, Problem> {
    if matches!(known.means, Means::Local) || (operation.is_done_in(Mode::Restricted) && !is_studio)
    {
        return Ok(false);
    }
    Ok(terms::owes(&site.studio, known.person).await?)
}

/// A person reads the terms and goes on afterwards; a program is told.
fn unaccepted(request: &Request) -> Response {
    let path = request.uri().path();
    if !is_api(path) && !wants_part(request.headers()) {
        return Redirect::to("/terms/accept").into_response();
    }
    let message = "The terms of this house hold, and you have not accepted them: sign in, and read them at /terms/accept. Until then you can read, export and delete what is yours, and draw nothing. Nothing was charged.";
    Problem::new(StatusCode::FORBIDDEN, "terms_not_accepted", message).into_response()
}

/// Where a person signs in and goes on to `next`.
pub(crate) fn sign_in(next: Option<&str>) -> String {
    match next {
        Some(next) if next != "/" => {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("next", next)
                .finish();
            format!("/sign-in?{query}")
        }
        _ => "/sign-in".to_owned(),
    }
}

fn wrong_key() -> Problem {
    let message =
        "This key is wrong, or was revoked. Make another one on the page about your keys.";
    Problem::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message)
}

fn no_rule(route: &str) -> Problem {
    tracing::error!(route, "a route stands in no rule, so it is refused");
    let message = "Nobody may ask for this. Tell the operator.";
    Problem::new(StatusCode::FORBIDDEN, "no_rule", message)
}
