//! The picture of a person, where they want one.

use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::ids::PortraitId;
use studio::accounts::portrait::{self, MAX_BYTES, PortraitError};

use super::super::sent::{boundary, damaged, form, too_large};
use super::super::{Shown, onward};
use super::profile;
use crate::Site;
use crate::api::{answer, caching, is_known};
use crate::caller::{Caller, Member};
use crate::guard;
use crate::problem::Problem;
use crate::texts::Texts;

/// The form around the file.
const FORM_BYTES: usize = 4 << 10;

/// The file of a form.
pub(super) struct SentFile(Vec<u8>);

impl FromRequest<Site> for SentFile {
    type Rejection = Shown;

    async fn from_request(request: Request, _: &Site) -> Result<Self, Shown> {
        let (parts, body) = request.into_parts();
        let boundary = boundary(&parts.headers).ok_or_else(|| {
            let message = "Send the picture with the form of the page about your account.";
            Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "wrong_content_type",
                message,
            )
        })?;
        let too_large = || too_large("a portrait", MAX_BYTES);
        let body = guard::body::read_up_to(MAX_BYTES + FORM_BYTES, &parts.headers, body).await;
        let body = body.map_err(|problem| match problem.status {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            _ => problem,
        })?;
        let mut form = form(body, boundary);
        while let Some(field) = form.next_field().await.map_err(damaged)? {
            if field.name() == Some("file") {
                let bytes = field.bytes().await.map_err(damaged)?;
                if bytes.len() > MAX_BYTES {
                    return Err(too_large().into());
                }
                return Ok(Self(bytes.into()));
            }
        }
        Ok(Self(Vec::new()))
    }
}

pub(super) async fn set(
    State(site): State<Site>,
    member: Member,
    SentFile(bytes): SentFile,
) -> Result<Response, Shown> {
    match portrait::set(&site.studio, member.known.person, bytes).await {
        Ok(()) => Ok(onward("/account")),
        Err(PortraitError::Failure(failure)) => Err(failure.into()),
        Err(error) => {
            let says = Texts::get().mistake(&error);
            profile::page(&site, &member, Some((None, "portrait", says))).await
        }
    }
}

pub(super) async fn remove(State(site): State<Site>, member: Member) -> Result<Response, Shown> {
    portrait::remove(&site.studio, member.known.person).await?;
    Ok(onward("/account"))
}

/// To its person alone.
pub(super) async fn show(
    State(site): State<Site>,
    Caller(person): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id: PortraitId = id.parse().map_err(|_| Problem::no_picture())?;
    let file = portrait::file(&site.studio, person, id).await?;
    let file = file.ok_or_else(Problem::no_picture)?;
    let etag = format!("\"{id}\"");
    if is_known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching(&etag)).into_response());
    }
    Ok(answer(file, &etag))
}
