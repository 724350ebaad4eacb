//! What a form sent.

use std::convert::Infallible;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use multer::Multipart;
use studio::support::{MAX_BYTES, MAX_FILES};

use super::Shown;
use crate::Site;
use crate::api::pairs;
use crate::guard;
use crate::problem::Problem;

/// What a form may have around its files.
const FORM_BYTES: usize = 64 << 10;

/// The fields of a form; a missing one is as good as an empty one. Some are secret, so it can't be
/// printed.
pub(super) struct Sent(Vec<(String, String)>);

impl FromRequest<Site> for Sent {
    type Rejection = Shown;

    async fn from_request(request: Request, _: &Site) -> Result<Self, Shown> {
        let (parts, body) = request.into_parts();
        Ok(Self(pairs(&guard::body::read(&parts.headers, body).await?)))
    }
}

impl Sent {
    pub(super) fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map_or("", |(_, value)| value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| given == name)
    }

    pub(super) fn is_checked(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    /// Every value of a field that may stand several times.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.0.iter().filter(move |(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What a form sent whose files are read as they are.
pub(super) struct SentWithFiles {
    fields: Sent,
    files: Vec<Vec<u8>>,
}

impl SentWithFiles {
    pub(super) fn text(&self, name: &str) -> &str {
        self.fields.text(name)
    }

    /// Those that were chosen: a browser sends an empty one where none was.
    pub(super) fn take_files(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.files)
    }
}

impl FromRequest<Site> for SentWithFiles {
    type Rejection = Shown;

    async fn from_request(request: Request, site: &Site) -> Result<Self, Shown> {
        let Some(boundary) = boundary(request.headers()) else {
            return Ok(Self {
                fields: Sent::from_request(request, site).await?,
                files: Vec::new(),
            });
        };
        let (parts, body) = request.into_parts();
        let body = guard::body::read_up_to(MAX_BYTES + FORM_BYTES, &parts.headers, body).await;
        let body = body.map_err(|problem| match problem.status {
            StatusCode::PAYLOAD_TOO_LARGE => too_large("the files of one form", MAX_BYTES),
            _ => problem,
        })?;
        let mut form = form(body, boundary);
        let (mut fields, mut files) = (Vec::new(), Vec::new());
        while let Some(field) = form.next_field().await.map_err(damaged)? {
            let name = field.name().unwrap_or("").to_owned();
            if name == "file" {
                let bytes = field.bytes().await.map_err(damaged)?;
                if !bytes.is_empty() && files.len() <= MAX_FILES {
                    files.push(bytes.into());
                }
            } else {
                let text = field.bytes().await.map_err(damaged)?;
                let text = String::from_utf8_lossy(&text).replace("\r\n", "\n");
                fields.push((name, text));
            }
        }
        Ok(Self {
            fields: Sent(fields),
            files,
        })
    }
}

/// Of a form with files; `None` where it is another one.
pub(super) fn boundary(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    multer::parse_boundary(kind).ok()
}

pub(super) fn form(body: Bytes, boundary: String) -> Multipart<'static> {
    Multipart::new(futures::stream::iter([Ok::<_, Infallible>(body)]), boundary)
}

pub(super) fn damaged(_: multer::Error) -> Problem {
    let message = "The form can't be read. Send it again.";
    Problem::new(StatusCode::BAD_REQUEST, "invalid_form", message)
}

/// `what` may have so many bytes.
pub(super) fn too_large(what: &str, bytes: usize) -> Problem {
    let message = format!(
        "That is too large: {what} may have {} MiB. Make it smaller first.",
        bytes >> 20
    );
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
}
