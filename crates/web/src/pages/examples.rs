//! Pictures that their people show to everybody.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::ids::ConsentId;
use studio::Studio;
use studio::examples::{self, Example};

use super::{Frame, Shown, ok};
use crate::Site;
use crate::api::{is_known, pairs};
use crate::caller::MaybeAsker;
use crate::problem::Problem;
use crate::texts::Texts;

const AT_ONCE: u32 = 48;

#[derive(Template)]
#[template(path = "examples.html")]
struct ExamplesPage {
    t: &'static Texts,
    frame: Frame,
    examples: Vec<Example>,
    older: Option<ConsentId>,
    is_newest: bool,
    is_member: bool,
}

pub(super) async fn show(
    State(site): State<Site>,
    MaybeAsker(known): MaybeAsker,
    RawQuery(query): RawQuery,
) -> Result<Response, Shown> {
    let given = pairs(query.unwrap_or_default().as_bytes());
    let before = given.iter().find(|(name, _)| name == "before");
    let before = before.map(|(_, id)| id.parse::<ConsentId>()).transpose();
    let before = before.map_err(|_| Problem::nothing())?;
    let page = examples::page(&site.studio, before, AT_ONCE).await?;
    let mut response = ok(&ExamplesPage {
        t: Texts::get(),
        frame: Frame::of(known.as_ref(), "examples"),
        examples: page.items,
        older: page.next,
        is_newest: before.is_none(),
        is_member: known.is_some(),
    });
    response.headers_mut().extend(unkept());
    Ok(response)
}

/// Nobody between here and the browser keeps a picture that may be taken back, and no search engine lists it.
fn unkept() -> [(HeaderName, axum::http::HeaderValue); 2] {
    let text = axum::http::HeaderValue::from_static;
    [
        (header::CACHE_CONTROL, text("private, no-cache")),
        (
            HeaderName::from_static("x-robots-tag"),
            text("noindex, noarchive, noimageindex, noai, noimageai"),
        ),
    ]
}

pub(super) async fn file(
    State(studio): State<Studio>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id: ConsentId = id.parse().map_err(|_| Problem::no_picture())?;
    // Also where the browser has it already: what was taken back is not confirmed.
    let file = examples::file(&studio, id).await?;
    let file = file.ok_or_else(Problem::no_picture)?;
    let etag = format!("\"{id}\"");
    let tag = [(header::ETAG, etag.clone())];
    if is_known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, unkept(), tag).into_response());
    }
    let kind = [(header::CONTENT_TYPE, file.format.media_type())];
    Ok((kind, unkept(), tag, file.bytes).into_response())
}
