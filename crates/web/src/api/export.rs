//! `/v1/me/export`: everything that is kept of who asks, as one archive, fetched in one piece or in
//! several.

use std::ops::Range;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::ids::{ExportId, PersonId};
use futures::TryStreamExt;
use serde_json::{Value, json};
use studio::Studio;
use studio::accounts::session::CONFIRMED_FOR_MS;
use studio::accounts::{Known, Means};
use studio::privacy::export::{self, By, Export, ExportError, State as Made};

use super::Origin;
use super::pictures::is_known;
use crate::caller::Asker;
use crate::problem::Problem;

pub(super) async fn begin(
    State(studio): State<Studio>,
    Asker(known): Asker,
    origin: Origin,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let by = by(&studio, &known)?;
    let made = export::begin(&studio, known.person, by).await?;
    Ok((StatusCode::CREATED, Json(shown(&origin, &made))))
}

pub(super) async fn list(
    State(studio): State<Studio>,
    Asker(known): Asker,
    origin: Origin,
) -> Result<Json<Value>, Problem> {
    by(&studio, &known)?;
    let all = export::list(&studio, known.person).await?;
    let data: Vec<Value> = all.iter().map(|one| shown(&origin, one)).collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}

pub(super) async fn show(
    State(studio): State<Studio>,
    Asker(known): Asker,
    origin: Origin,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    by(&studio, &known)?;
    let found = found(&studio, known.person, &id).await?;
    Ok(Json(shown(&origin, &found)))
}

pub(super) async fn content(
    State(studio): State<Studio>,
    Asker(known): Asker,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    by(&studio, &known)?;
    fetched(&studio, known.person, &id, &headers).await
}

/// A key that may do it is proof enough; a session was perhaps left open.
fn by(studio: &Studio, known: &Known) -> Result<By, Problem> {
    match known.means {
        Means::Local => Ok(By::Local),
        Means::Key { .. } => Ok(By::Key),
        Means::Session { confirmed, .. } => {
            let since = studio.clock.now().as_millis() - confirmed.as_millis();
            if since < CONFIRMED_FOR_MS {
                return Ok(By::Session);
            }
            let message = "Prove once more who you are, on the page /account/confirm.";
            let status = StatusCode::FORBIDDEN;
            Err(Problem::new(status, "confirm_first", message))
        }
    }
}

async fn found(studio: &Studio, person: PersonId, id: &str) -> Result<Export, Problem> {
    let found = match id.parse::<ExportId>() {
        Ok(id) => export::find(studio, person, id).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| {
        let message =
            "There is no such archive: its time is over, or it never was. Ask for a new one.";
        Problem::new(StatusCode::NOT_FOUND, "export_not_found", message)
    })
}

fn shown(origin: &Origin, export: &Export) -> Value {
    let content = origin.url(&format!("/v1/me/export/{}/content", export.id));
    json!({
        "id": export.id,
        "object": "export",
        "status": export.state.name(),
        "bytes": export.size_bytes,
        "files": export.files,
        "manifest_sha256": export.manifest_sha256,
        "created_at": export.created.as_seconds(),
        "expires_at": export.ends.as_seconds(),
        "url": (export.state == Made::Ready).then_some(content),
    })
}

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        let message = error.to_string();
        match error {
            ExportError::TooMany { retry_after_s } => Self {
                retry_after_s: Some(retry_after_s),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_exports", message)
            },
            ExportError::Changed => Self::new(StatusCode::CONFLICT, "export_changed", message),
            ExportError::BeingErased => Self::new(StatusCode::CONFLICT, "under_way", message),
            ExportError::Failure(failure) => failure.into(),
        }
    }
}

/// The archive, or the part of it that is asked for (RFC 9110, 13 and 14). The same archive has the
/// same bytes each time, so whoever has its beginning asks for the rest.
pub(crate) async fn fetched(
    studio: &Studio,
    person: PersonId,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let found = found(studio, person, id).await?;
    if found.state == Made::Composing {
        let message =
            "This archive is still being made. Whoever asked for it is told when it is ready.";
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "export_unfinished",
            message,
        ));
    }
    let expects = headers.get(header::IF_MATCH);
    let Some(download) = export::open(studio, person, &found).await? else {
        let message = "Something that was in this archive was deleted since, or it was too long ago, so \
                       it can't be fetched any more. What you have of it is of no use: ask for a new one.";
        // Who expects certain bytes is told that there are none.
        let status = match expects {
            Some(_) => StatusCode::PRECONDITION_FAILED,
            None => StatusCode::GONE,
        };
        return Err(Problem::new(status, "export_ended", message));
    };
    let etag = format!("\"{}\"", download.name);
    let expects = expects.and_then(|tags| tags.to_str().ok());
    if let Some(tags) = expects
        && !tags
            .split(',')
            .any(|tag| [etag.as_str(), "*"].contains(&tag.trim()))
    {
        let message = "This is another archive than the one that you have a part of. Fetch it from its \
                       beginning.";
        let status = StatusCode::PRECONDITION_FAILED;
        return Err(Problem::new(status, "export_changed", message));
    }
    let caching = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
    ];
    if is_known(headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let size = download.size;
    let (status, range) = match asked(headers, &etag, size) {
        Asked::All => (StatusCode::OK, 0..size),
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Beyond => {
            let message =
                format!("The archive has {size} bytes, and you ask for what would follow.");
            let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "no_such_range", message);
            let says = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            return Ok((says, problem).into_response());
        }
    };
    let length = range.end - range.start;
    let part = (status == StatusCode::PARTIAL_CONTENT)
        .then(|| format!("bytes {}-{}/{size}", range.start, range.end - 1));
    let pieces = download
        .stream(studio.clone(), range)
        .map_err(|error| Problem {
            retry_after_s: Some(10),
            ..Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_downloads",
                error.to_string(),
            )
        })?;
    let pieces = pieces.inspect_err(|error| tracing::error!(%error, "an archive broke off"));
    let headers: [(HeaderName, String); 3] = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"pinhole-{}.zip\"", found.id),
        ),
        (header::CONTENT_LENGTH, length.to_string()),
    ];
    let mut response = (status, headers, caching, Body::from_stream(pieces)).into_response();
    if let Some(value) = part.and_then(|part| part.parse().ok()) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    All,
    Part(Range<u64>),
    Beyond,
}

/// Which bytes are asked for. What is not understood, and several parts at once, get everything.
fn asked(headers: &HeaderMap, etag: &str, size: u64) -> Asked {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &header::HeaderValue| value.to_str().ok())
    };
    // Of another archive, a part is of no use.
    if text(header::IF_RANGE).is_some_and(|tag| tag != etag) {
        return Asked::All;
    }
    let Some((first, last)) = text(header::RANGE)
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return Asked::All;
    };
    let number = |digits: &str| -> Result<Option<u64>, ()> {
        match digits {
            "" => Ok(None),
            digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Some(digits.parse().unwrap_or(u64::MAX)))
            }
            _ => Err(()),
        }
    };
    match (number(first), number(last)) {
        (Ok(Some(first)), Ok(None)) if first < size => Asked::Part(first..size),
        (Ok(Some(first)), Ok(Some(last))) if first <= last && first < size => {
            Asked::Part(first..last.saturating_add(1).min(size))
        }
        (Ok(None), Ok(Some(count))) if count > 0 => Asked::Part(size.saturating_sub(count)..size),
        (Ok(Some(first)), Ok(None)) if first >= size => Asked::Beyond,
        (Ok(Some(first)), Ok(Some(last))) if first <= last => Asked::Beyond,
        (Ok(None), Ok(Some(_))) => Asked::Beyond,
        _ => Asked::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Asked {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, text.parse().expect("a header"));
        asked(&headers, "\"x\"", 100)
    }

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        for (text, part) in [
            ("bytes=0-", 0..100),
            ("bytes=99-", 99..100),
            ("bytes=10-19", 10..20),
            ("bytes=90-1000", 90..100),
            ("bytes=-10", 90..100),
            ("bytes=-1000", 0..100),
            ("bytes=5-99999999999999999999999", 5..100),
        ] {
            assert_eq!(range(text), Asked::Part(part), "{text}");
        }
        for text in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
            assert_eq!(range(text), Asked::Beyond, "{text}");
        }
        for text in [
            "bytes=9-3",
            "bytes=0-1,5-6",
            "lines=0-1",
            "bytes=",
            "bytes=-",
            "bytes=+1-2",
        ] {
            assert_eq!(range(text), Asked::All, "{text}");
        }
    }

    #[test]
    fn a_part_of_another_archive_gets_the_whole() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, "bytes=10-".parse().expect("a header"));
        headers.insert(header::IF_RANGE, "\"x\"".parse().expect("a header"));
        assert_eq!(asked(&headers, "\"x\"", 100), Asked::Part(10..100));
        // A weak one, and a date, never prove the same bytes here.
        for other in ["\"y\"", "W/\"x\"", "Sun, 22 Nov 2026 12:00:00 GMT"] {
            headers.insert(header::IF_RANGE, other.parse().expect("a header"));
            assert_eq!(asked(&headers, "\"x\"", 100), Asked::All, "{other}");
        }
    }
}
