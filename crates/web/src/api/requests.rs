//! `/v1/me/requests`, `/v1/me/objections` and `/v1/authorities`: what somebody asks for by their rights,
//! what they object to, and who hears complaints.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use studio::Studio;
use studio::privacy::authorities::{self, Authority};
use studio::privacy::inventory::Purpose;
use studio::privacy::objection;
use studio::privacy::requests::{self, Asked, Request, RequestError};

use super::Origin;
use super::fields::{Fields, pairs};
use crate::caller::Asker;
use crate::pages::{identity, object_problem, request_problem};
use crate::problem::Problem;

pub(super) async fn list(
    State(studio): State<Studio>,
    Asker(known): Asker,
    origin: Origin,
) -> Result<Json<Value>, Problem> {
    let all = requests::of_person(&studio, known.person).await?;
    let data: Vec<Value> = all
        .iter()
        .map(|request| shown(&studio, &origin, request))
        .collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}

pub(super) async fn show(
    State(studio): State<Studio>,
    Asker(known): Asker,
    origin: Origin,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let unknown = || request_problem(RequestError::Unknown);
    let id = id.parse().map_err(|_| unknown())?;
    let own = requests::find(&studio, known.person, id).await?;
    Ok(Json(shown(&studio, &origin, &own.ok_or_else(unknown)?)))
}

pub(super) async fn ask(
    State(studio): State<Studio>,
    Asker(known): Asker,
    origin: Origin,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let about = Asked::ALL.map(|one| (one.name(), one));
    let asked = fields.choice("about", &about, Asked::Other)?;
    let words = fields.text("words")?.unwrap_or("");
    let made = requests::open(&studio, known.person, asked, words, identity(&known)).await;
    let id = made.map_err(request_problem)?.to_string();
    let shown = show(State(studio), Asker(known), origin, Path(id)).await?;
    Ok((StatusCode::CREATED, shown))
}

pub(super) async fn withdraw(
    State(studio): State<Studio>,
    Asker(known): Asker,
    origin: Origin,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let number = id
        .parse()
        .map_err(|_| request_problem(RequestError::Unknown))?;
    requests::withdraw(&studio, known.person, number)
        .await
        .map_err(request_problem)?;
    show(State(studio), Asker(known), origin, Path(id)).await
}

fn shown(studio: &Studio, origin: &Origin, request: &Request) -> Value {
    // Signed text is JSON.
    let signed: Value =
        serde_json::from_str(&requests::signed(studio, request)).unwrap_or_default();
    let authority = request.country.as_deref().and_then(authorities::of);
    json!({
        "id": request.id,
        "object": "request",
        "about": request.asked.name(),
        "state": request.state.name(),
        "identity": request.identity.name(),
        "words": request.words,
        "received": request.received.as_seconds(),
        "due": request.due.as_seconds(),
        "extended": request.extended.map(|at| at.as_seconds()),
        "extended_because": request.delay,
        "ended": request.ended.map(|at| at.as_seconds()),
        "answer": request.answer,
        "authority": authority.map(named),
        "authorities_url": origin.url("/v1/authorities"),
        "open_dsr": signed,
    })
}

fn named(authority: &Authority) -> Value {
    json!({
        "country": authority.country,
        "country_name": authority.land,
        "name": authority.name,
        "web": authority.web,
    })
}

/// `?country=no` for one.
pub(super) async fn authorities(RawQuery(query): RawQuery) -> Result<Json<Value>, Problem> {
    let given = pairs(query.unwrap_or_default().as_bytes());
    let country = given.into_iter().find(|(name, _)| name == "country");
    let data: Vec<Value> = match country {
        None => authorities::all().iter().map(named).collect(),
        Some((_, country)) => {
            let one = authorities::of(&country).ok_or_else(|| {
                let message = "country must be the two letters of a country of this list, as in no. Leave it out to get them all.";
                Problem::field("country", "invalid_value", message)
            })?;
            vec![named(one)]
        }
    };
    Ok(Json(json!({ "object": "list", "data": data })))
}

pub(super) async fn objections(
    State(studio): State<Studio>,
    Asker(known): Asker,
) -> Result<Json<Value>, Problem> {
    let own = objection::of_person(&studio, known.person).await?;
    let purposes = Purpose::ALL.into_iter().map(|purpose| {
        let objected = own.iter().find(|one| one.purpose == purpose);
        let balance = purpose.balance();
        json!({
            "purpose": purpose.name(),
            "what": purpose.words(),
            "legal_basis": purpose.basis().words(),
            "may_object": balance.is_some(),
            "interest": balance.map(|balance| balance.interest),
            "outweighs": balance.map(|balance| balance.outweighs),
            "instead": purpose.instead(),
            "objected": objected.map(|one| one.since.as_seconds()),
            "request": objected.map(|one| one.request),
            "state": objected.map(|one| one.state.name()),
        })
    });
    Ok(Json(
        json!({ "object": "list", "data": purposes.collect::<Vec<_>>() }),
    ))
}

pub(super) async fn object(
    State(studio): State<Studio>,
    Asker(known): Asker,
    Path(purpose): Path<String>,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let purpose = Purpose::named(&purpose).ok_or_else(Problem::nothing)?;
    let why = fields.text("why")?.unwrap_or("");
    objection::object(&studio, known.person, purpose, why, identity(&known))
        .await
        .map_err(object_problem)?;
    objections(State(studio), Asker(known)).await
}

pub(super) async fn withdraw_objection(
    State(studio): State<Studio>,
    Asker(known): Asker,
    Path(purpose): Path<String>,
) -> Result<Json<Value>, Problem> {
    let purpose = Purpose::named(&purpose).ok_or_else(Problem::nothing)?;
    objection::withdraw(&studio, known.person, purpose)
        .await
        .map_err(object_problem)?;
    objections(State(studio), Asker(known)).await
}
