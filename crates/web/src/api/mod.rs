//! The public API below `/v1`: what existing clients already speak, and a little of our own.
//! Described in `docs/api.md`.

mod consents;
mod credits;
mod erasure;
mod events;
mod export;
mod fields;
mod health;
mod images;
mod jobs;
mod keeping;
mod me;
mod models;
mod openapi;
mod pictures;
mod repeats;
mod requests;
mod responses;
mod restriction;
mod streaming;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::routing::{get, post, put};

use crate::Site;
use crate::problem::Problem;

pub(crate) use credits::entry;
pub(crate) use export::fetched;
pub(crate) use fields::pairs;
pub(crate) use jobs::live_text;
pub(crate) use pictures::{answer, caching, content_path, is_known, zip};

pub(crate) fn routes() -> Router<Site> {
    Router::new()
        .route("/v1/images/generations", post(images::generate))
        .route("/v1/responses", post(responses::create))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*id}", get(models::show))
        .route("/v1/me", get(me::show).patch(me::change))
        .route("/v1/me/erasure", get(erasure::preview).post(erasure::ask))
        .route("/v1/me/export", get(export::list).post(export::begin))
        .route("/v1/me/export/{id}", get(export::show))
        .route("/v1/me/export/{id}/content", get(export::content))
        .route("/v1/me/requests", get(requests::list).post(requests::ask))
        .route(
            "/v1/me/requests/{id}",
            get(requests::show).delete(requests::withdraw),
        )
        .route("/v1/me/objections", get(requests::objections))
        .route(
            "/v1/me/objections/{purpose}",
            put(requests::object).delete(requests::withdraw_objection),
        )
        .route("/v1/me/consents", get(consents::list))
        .route(
            "/v1/me/consents/{purpose}",
            put(consents::give).delete(consents::withdraw),
        )
        .route("/v1/me/consents/receipts/{id}", get(consents::fetch))
        .route(
            "/v1/me/settings",
            get(consents::settings).put(consents::save),
        )
        .route("/v1/authorities", get(requests::authorities))
        .route(
            "/v1/me/restriction",
            get(restriction::show)
                .put(restriction::set)
                .delete(restriction::lift),
        )
        .route("/v1/jobs", get(jobs::list))
        .route("/v1/jobs/events", get(events::of_several))
        .route("/v1/jobs/{id}", get(jobs::show).delete(jobs::remove))
        .route("/v1/jobs/{id}/events", get(events::of_one))
        .route("/v1/jobs/{id}/cancel", post(jobs::cancel))
        .route("/v1/pictures", get(pictures::list))
        .route(
            "/v1/pictures/{id}",
            get(pictures::show)
                .patch(pictures::mark)
                .delete(pictures::delete),
        )
        .route("/v1/pictures/{id}/consents", get(consents::of_picture))
        .route(
            "/v1/pictures/{id}/consents/{purpose}",
            put(consents::give_picture).delete(consents::withdraw_picture),
        )
        .route("/v1/pictures/archive", post(pictures::archived))
        .route("/v1/pictures/{id}/content", get(pictures::content))
        .route("/openapi.json", get(openapi::document))
        .route("/docs", get(openapi::page))
        .route("/v1/credits", get(credits::show))
        .route("/v1/credits/entries", get(credits::entries))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
}

/// Where this server is, as the client reached it: `http://127.0.0.1:8080`.
#[derive(Clone)]
pub(crate) struct Origin(String);

impl Origin {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl FromRequestParts<Site> for Origin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Problem> {
        let named = parts
            .headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let host = named.or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
        let Some(host) = host else {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "no_host",
                "Send a host header.",
            ));
        };
        Ok(Self(match &site.public {
            Some(public) if public.host() == host => public.to_string(),
            _ => format!("http://{host}"),
        }))
    }
}

/// Lists are read in pages of this many items, where the request does not say.
const PAGE_DEFAULT: u32 = 20;
const PAGE_MAX: u32 = 100;

/// `?limit=…&after=…` of a list.
struct Paging<Id> {
    limit: u32,
    after: Option<Id>,
}

impl<Id: std::str::FromStr> Paging<Id> {
    fn read(query: Option<&str>) -> Result<Self, Problem> {
        let mut paging = Self {
            limit: PAGE_DEFAULT,
            after: None,
        };
        for (name, value) in fields::pairs(query.unwrap_or("").as_bytes()) {
            match name.as_str() {
                "limit" => {
                    let limit = value.parse().ok().filter(|n| (1..=PAGE_MAX).contains(n));
                    let message = format!("limit must be a whole number from 1 to {PAGE_MAX}.");
                    paging.limit =
                        limit.ok_or_else(|| Problem::field("limit", "invalid_value", message))?;
                }
                "after" => {
                    let message = "after must be the id of the last item of the page before.";
                    let after = value
                        .parse()
                        .map_err(|_| Problem::field("after", "invalid_value", message))?;
                    paging.after = Some(after);
                }
                _ => {}
            }
        }
        Ok(paging)
    }
}
