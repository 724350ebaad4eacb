//! `/v1/me/consents` and `/v1/me/settings`: what is done only with a yes, with a receipt for each decision,
//! and the settings with which the studio begins.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::ids::PictureId;
use domain::model::ModelName;
use domain::picture::Size;
use serde_json::{Value, json};
use studio::Studio;
use studio::order::Quality;
use studio::order::beginning::{self, Settings};
use studio::privacy::consent::{self, Decision, Optional, Signal, Standing, Subject, receipt};

use super::Origin;
use super::fields::Fields;
use crate::caller::{Asker, Signalled};
use crate::pages::{consent_means, consent_problem};
use crate::problem::Problem;

pub(super) async fn list(
    State(studio): State<Studio>,
    Asker(known): Asker,
    Signalled(signal): Signalled,
    origin: Origin,
) -> Result<Json<Value>, Problem> {
    let decisions = consent::history(&studio, known.person).await?;
    let mut data = Vec::new();
    for standing in consent::of_person(&studio, known.person).await? {
        let optional = standing.optional;
        let edition = optional.edition();
        let of_it = decisions.iter().filter(|one| one.optional == optional);
        data.push(json!({
            "purpose": optional.name(),
            "title": edition.title,
            "text": edition.says,
            "version": edition.version,
            "text_sha256": edition.sha256(),
            "state": state(&standing),
            "is_allowed": consent::is_allowed(&studio, known.person, optional, signal).await?,
            "since": standing.newest.map(|newest| newest.when.as_seconds()),
            "decisions": of_it.map(|one| shown(&origin, one)).collect::<Vec<_>>(),
        }));
    }
    Ok(Json(json!({
        "object": "list",
        "gpc": signal == Signal::Objects,
        "data": data,
    })))
}

fn state(standing: &Standing) -> &'static str {
    match standing.verdict() {
        Some(verdict) => verdict.name(),
        None if standing.is_outdated() => "outdated",
        None => "never",
    }
}

fn shown(origin: &Origin, one: &Decision) -> Value {
    json!({
        "id": one.id,
        "decision": one.verdict.name(),
        "version": one.version,
        "text_sha256": one.text_sha256,
        "means": one.means.name(),
        "gpc": one.signal == Signal::Objects,
        "decided": one.when.as_seconds(),
        "receipt_url": origin.url(&format!("/v1/me/consents/receipts/{}", one.id)),
    })
}

/// What was said of one picture: `is_allowed` is asked of the database now.
pub(super) async fn of_picture(
    State(studio): State<Studio>,
    Asker(known): Asker,
    origin: Origin,
    Path(picture): Path<String>,
) -> Result<Json<Value>, Problem> {
    let picture: PictureId = picture.parse().map_err(|_| Problem::no_picture())?;
    let found = studio::pictures::find(&studio, known.person, picture).await?;
    found.ok_or_else(Problem::no_picture)?;
    let mut data = Vec::new();
    for standing in consent::of_picture(&studio, known.person, picture).await? {
        let edition = standing.optional.edition();
        data.push(json!({
            "purpose": standing.optional.name(),
            "title": edition.title,
            "text": edition.says,
            "version": edition.version,
            "text_sha256": edition.sha256(),
            "state": state(&standing),
            "decision": standing.newest.as_ref().map(|newest| shown(&origin, newest)),
        }));
    }
    Ok(Json(
        json!({ "object": "list", "picture": picture, "data": data }),
    ))
}

/// `{"version": 1}` about one picture.
pub(super) async fn give_picture(
    State(studio): State<Studio>,
    Asker(known): Asker,
    signalled: Signalled,
    origin: Origin,
    Path((picture, purpose)): Path<(String, String)>,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let about = subject(&picture, &purpose)?;
    let version = version_of(&fields)?;
    let (means, signal) = (consent_means(&known), signalled.0);
    consent::give(&studio, known.person, about, version, means, signal)
        .await
        .map_err(consent_problem)?;
    of_picture(State(studio), Asker(known), origin, Path(picture)).await
}

pub(super) async fn withdraw_picture(
    State(studio): State<Studio>,
    Asker(known): Asker,
    signalled: Signalled,
    origin: Origin,
    Path((picture, purpose)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let about = subject(&picture, &purpose)?;
    let (means, signal) = (consent_means(&known), signalled.0);
    consent::withdraw(&studio, known.person, about, means, signal).await?;
    of_picture(State(studio), Asker(known), origin, Path(picture)).await
}

fn subject(picture: &str, purpose: &str) -> Result<Subject, Problem> {
    let picture: PictureId = picture.parse().map_err(|_| Problem::no_picture())?;
    let optional = Optional::named(purpose).filter(|one| one.is_by_picture());
    let optional = optional.ok_or_else(Problem::nothing)?;
    Ok(Subject::picture(optional, picture))
}

fn version_of(fields: &Fields) -> Result<i64, Problem> {
    let version = fields.given("version").and_then(Value::as_i64);
    version.ok_or_else(|| {
        let message = "version must be the number of the edition whose text the person read, as GET shows it.";
        Problem::field("version", "invalid_type", message)
    })
}

/// `{"version": 1}`: that of the words that the person read.
pub(super) async fn give(
    State(studio): State<Studio>,
    Asker(known): Asker,
    signalled: Signalled,
    origin: Origin,
    Path(purpose): Path<String>,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let optional = Optional::named(&purpose).ok_or_else(Problem::nothing)?;
    let version = version_of(&fields)?;
    let (means, signal) = (consent_means(&known), signalled.0);
    consent::give(&studio, known.person, optional, version, means, signal)
        .await
        .map_err(consent_problem)?;
    list(State(studio), Asker(known), signalled, origin).await
}

pub(super) async fn withdraw(
    State(studio): State<Studio>,
    Asker(known): Asker,
    signalled: Signalled,
    origin: Origin,
    Path(purpose): Path<String>,
) -> Result<Json<Value>, Problem> {
    let optional = Optional::named(&purpose).ok_or_else(Problem::nothing)?;
    let (means, signal) = (consent_means(&known), signalled.0);
    match optional.is_by_picture() {
        // Of all pictures at once.
        true => {
            consent::withdraw_all(&studio, known.person, optional, means, signal).await?;
        }
        false => consent::withdraw(&studio, known.person, optional, means, signal).await?,
    }
    list(State(studio), Asker(known), signalled, origin).await
}

pub(super) async fn fetch(
    State(studio): State<Studio>,
    Asker(known): Asker,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = id.parse().map_err(|_| Problem::nothing())?;
    let signed = receipt::signed(&studio, known.person, id).await?;
    let signed = signed.ok_or_else(Problem::nothing)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], signed).into_response())
}

pub(super) async fn settings(
    State(studio): State<Studio>,
    Asker(known): Asker,
) -> Result<Json<Value>, Problem> {
    let saved = beginning::saved(&studio, known.person).await?;
    let saved = saved.unwrap_or_default();
    Ok(Json(json!({
        "object": "settings",
        "model": saved.model.map(|model| model.to_string()),
        "size": saved.size.map(|size| size.to_string()),
        "n": saved.count,
        "quality": saved.quality.map(Quality::name),
    })))
}

/// All of them at once; `{}` forgets them.
pub(super) async fn save(
    State(studio): State<Studio>,
    Asker(known): Asker,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let size = fields.text("size")?.map(str::parse::<Size>).transpose();
    let size = size.map_err(|bad| Problem::field("size", "invalid_value", bad.to_string()))?;
    let quality = fields.text("quality")?.map(|name| {
        let message = "quality must be low, medium or high.";
        Quality::named(name).ok_or_else(|| Problem::field("quality", "invalid_value", message))
    });
    let settings = Settings {
        model: fields.text("model")?.map(ModelName::new),
        size,
        count: fields.whole("n", 100)?,
        quality: quality.transpose()?,
    };
    beginning::save(&studio, known.person, &settings).await?;
    self::settings(State(studio), Asker(known)).await
}
