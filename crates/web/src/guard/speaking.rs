//! Answers each page in the language of who reads it, and says which one that is.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use domain::language::Language;

use crate::Site;
use crate::cookies::{self, Cookie};
use crate::language::{self, Here};
use crate::pages::wants_part;

pub(super) async fn speak(State(site): State<Site>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    // A part goes into a page of the studio, which is in English.
    let is_told_in_all = !wants_part(request.headers())
        && route.is_some_and(|route| language::is_told_in_all(route.as_str()));
    let here = match is_told_in_all {
        true => Here {
            language: wanted(&site, &request),
            at: (request.method() != Method::POST).then(|| language::bare(request.uri())),
        },
        false => Here {
            language: Language::default(),
            at: None,
        },
    };
    let said = here.language;
    let mut response = here.scope(next.run(request)).await;
    let headers = response.headers_mut();
    let html = |kind: &HeaderValue| kind.as_bytes().starts_with(b"text/html");
    if headers.get(header::CONTENT_TYPE).is_some_and(html) {
        // A handler that had to answer in another one has said so.
        headers
            .entry(header::CONTENT_LANGUAGE)
            .or_insert(HeaderValue::from_static(said.code()));
    }
    if is_told_in_all {
        let vary = HeaderValue::from_static("accept-language, cookie");
        headers.append(header::VARY, vary);
    }
    response
}

fn wanted(site: &Site, request: &Request) -> Language {
    let headers = request.headers();
    let chosen = || Language::of_code(&cookies::read(headers, site, Cookie::Language)?);
    let accepted = || {
        let header = headers.get(header::ACCEPT_LANGUAGE);
        header
            .and_then(|header| header.to_str().ok())
            .map(Language::accepted)
    };
    language::named(request.uri())
        .or_else(chosen)
        .or_else(accepted)
        .unwrap_or_default()
}
