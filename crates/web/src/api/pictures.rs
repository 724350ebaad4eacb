//! Pictures: found, shown, fetched in a format or as one archive, marked, deleted.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::clock::Moment;
use domain::credits::Credits;
use domain::ids::{PersonId, PictureId};
use domain::picture::Format;
use domain::prompt::Prompt;
use futures::TryStreamExt;
use serde_json::{Value, json};
use studio::archive::{self, Leaflet};
use studio::pictures::{self, File, Picture};
use studio::privacy::keeping::choose_for;
use studio::{Studio, gallery};

use super::fields::{Fields, pairs};
use super::{Origin, Paging, keeping};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::search::Asked;

pub(super) async fn list(
    State(studio): State<Studio>,
    Caller(person): Caller,
    origin: Origin,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let paging = Paging::<PictureId>::read(query.as_deref())?;
    let asked = Asked::read(&pairs(query.as_deref().unwrap_or("").as_bytes())).search()?;
    let page = gallery::search(&studio, person, &asked, paging.after, paging.limit).await?;
    let data: Vec<Value> = page
        .items
        .iter()
        .map(|found| picture(&origin, found))
        .collect();
    Ok(Json(
        json!({ "object": "list", "data": data, "has_more": page.next.is_some(), "next": page.next }),
    ))
}

/// `{"favourite": true, "retention": 86400}`
pub(super) async fn mark(
    State(studio): State<Studio>,
    Caller(person): Caller,
    origin: Origin,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let id: PictureId = id.parse().map_err(|_| Problem::no_picture())?;
    let is_favourite = fields.flag("favourite")?;
    let keep = keeping::read(&fields)?;
    if let Some(is_favourite) = is_favourite {
        pictures::mark(&studio, person, &[id], is_favourite).await?;
    }
    if let Some(keep) = keep {
        choose_for(&studio, person, &[id], keep).await?;
    }
    let found = pictures::find(&studio, person, id)
        .await?
        .ok_or_else(Problem::no_picture)?;
    Ok(Json(picture(&origin, &found)))
}

/// `{"ids": ["pic_…"]}`
pub(super) async fn archived(
    State(studio): State<Studio>,
    Caller(person): Caller,
    origin: Origin,
    fields: Fields,
) -> Result<Response, Problem> {
    let max = archive::MAX_PICTURES;
    let wrong = || {
        let message = format!("ids must be a list of 1 to {max} ids of pictures.");
        Problem::field("ids", "invalid_value", message)
    };
    let ids = fields.given("ids").and_then(Value::as_array);
    let ids = ids
        .filter(|ids| (1..=max).contains(&ids.len()))
        .ok_or_else(wrong)?;
    let ids = ids
        .iter()
        .map(|id| id.as_str().and_then(|id| id.parse().ok()));
    let ids = ids.collect::<Option<Vec<PictureId>>>().ok_or_else(wrong)?;
    zip(&studio, person, &origin, ids).await
}

/// Those of these pictures that are the person's as one file, with a list of them as the API shows
/// them.
pub(crate) async fn zip(
    studio: &Studio,
    person: PersonId,
    origin: &Origin,
    ids: Vec<PictureId>,
) -> Result<Response, Problem> {
    let mut listed = Vec::new();
    for id in &ids {
        if let Some(found) = pictures::find(studio, person, *id).await? {
            listed.push(picture(origin, &found));
        }
    }
    if listed.is_empty() {
        return Err(Problem::no_picture());
    }
    let leaflet = Leaflet {
        name: "pictures.json",
        bytes: format!("{:#}\n", Value::from(listed)).into_bytes(),
    };
    let parts = archive::of(studio.clone(), person, ids, leaflet);
    let parts = parts.inspect_err(|error| tracing::error!(%error, "an archive broke off"));
    let headers = [
        (header::CONTENT_TYPE, "application/zip"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"pinhole-pictures.zip\"",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}

pub(super) async fn show(
    State(studio): State<Studio>,
    Caller(person): Caller,
    origin: Origin,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id: PictureId = id.parse().map_err(|_| Problem::no_picture())?;
    let found = pictures::find(&studio, person, id)
        .await?
        .ok_or_else(Problem::no_picture)?;
    Ok(Json(picture(&origin, &found)))
}

pub(super) async fn delete(
    State(studio): State<Studio>,
    Caller(person): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id: PictureId = id.parse().map_err(|_| Problem::no_picture())?;
    if !pictures::delete(&studio, person, id).await? {
        return Err(Problem::no_picture());
    }
    Ok(Json(
        json!({ "id": id, "object": "picture.deleted", "deleted": true }),
    ))
}

pub(super) async fn content(
    State(studio): State<Studio>,
    Caller(person): Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id: PictureId = id.parse().map_err(|_| Problem::no_picture())?;
    let wanted = Wanted::read(query.as_deref())?;
    let found = pictures::find(&studio, person, id)
        .await?
        .ok_or_else(Problem::no_picture)?;
    let quality = wanted
        .quality
        .map_or_else(String::new, |quality| format!("-{quality}"));
    let noted = match wanted.noted {
        true => format!("-rights{}", found.rights.edition),
        false => String::new(),
    };
    let etag = format!(
        "\"{}-{}{quality}{noted}\"",
        found.sha256,
        wanted.format.name()
    );
    if is_known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching(&etag)).into_response());
    }
    let file = pictures::file(&studio, &found, wanted.file()).await?;
    let mut response = answer(file, &etag);
    if wanted.download {
        let name = format!("attachment; filename=\"{id}.{}\"", wanted.format.name());
        response.headers_mut().extend(
            name.parse()
                .ok()
                .map(|name| (header::CONTENT_DISPOSITION, name)),
        );
    }
    Ok(response)
}

/// `?format=…&output_compression=…&rights=1&download=1`
struct Wanted {
    format: Format,
    quality: Option<u8>,
    noted: bool,
    download: bool,
}

impl Wanted {
    const fn file(&self) -> pictures::Wanted {
        pictures::Wanted {
            format: self.format,
            quality: self.quality,
            noted: self.noted,
        }
    }

    fn read(query: Option<&str>) -> Result<Self, Problem> {
        let mut wanted = Self {
            format: Format::Png,
            quality: None,
            noted: false,
            download: false,
        };
        for (name, value) in pairs(query.unwrap_or("").as_bytes()) {
            match name.as_str() {
                "format" => {
                    let bad = |e: domain::picture::BadFormat| {
                        Problem::field("format", "invalid_value", e.to_string())
                    };
                    wanted.format = value.parse().map_err(bad)?;
                }
                "output_compression" => {
                    let quality = value.parse::<u8>().ok().filter(|n| *n <= 100);
                    let message = "output_compression must be a whole number from 0 to 100.";
                    let bad = || Problem::field("output_compression", "invalid_value", message);
                    wanted.quality = Some(quality.ok_or_else(bad)?.max(1));
                }
                "rights" => wanted.noted = value != "0",
                "download" => wanted.download = value != "0",
                _ => {}
            }
        }
        if wanted.format != Format::Jpeg {
            wanted.quality = None;
        }
        Ok(wanted)
    }
}

/// A picture never changes, but it can be deleted: so a browser keeps it, and asks each time.
pub(crate) fn answer(file: File, etag: &str) -> Response {
    let content_type = [(header::CONTENT_TYPE, file.format.media_type())];
    (content_type, caching(etag), file.bytes).into_response()
}

pub(crate) fn caching(etag: &str) -> [(header::HeaderName, String); 2] {
    [
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
        (header::ETAG, etag.to_owned()),
    ]
}

pub(crate) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    known.is_some_and(|tags| {
        tags.split(',')
            .any(|tag| tag.trim().trim_start_matches("W/") == etag)
    })
}

/// A picture as the API shows it.
pub(super) fn picture(origin: &Origin, picture: &Picture) -> Value {
    json!({
        "id": picture.id,
        "object": "picture",
        "job_id": picture.job,
        "model": picture.model,
        "prompt": picture.prompt.as_ref().map(Prompt::expose),
        "seed": picture.seed,
        "size": picture.size,
        "bytes": picture.size_bytes,
        "sha256": picture.sha256,
        "kind": picture.kind.name(),
        "favourite": picture.is_favourite,
        "credits": picture.price.unwrap_or(Credits::ZERO),
        "created_at": picture.created.as_seconds(),
        "ends_at": picture.ends.map(Moment::as_seconds),
        "url": origin.url(&content_path(picture.id)),
    })
}

pub(crate) fn content_path(id: PictureId) -> String {
    format!("/v1/pictures/{id}/content")
}
