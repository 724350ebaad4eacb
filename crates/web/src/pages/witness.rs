//! Watches the logs of other houses, over HTTP (C2SP, tlog-witness).

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use studio::privacy::log::witness::watching::{self, Refusal};

use crate::Site;
use crate::problem::Problem;

/// Takes a checkpoint of a log that is watched, and signs it where it holds what was signed before.
pub(super) async fn add(State(site): State<Site>, body: String) -> Result<Response, Problem> {
    let refusal = match watching::add(&site.studio, &site.watched, &body).await {
        Ok(line) => return Ok(line.into_response()),
        Err(refusal) => refusal,
    };
    let message = refusal.to_string();
    let status = match refusal {
        Refusal::Unreadable => StatusCode::BAD_REQUEST,
        Refusal::Unknown => StatusCode::NOT_FOUND,
        Refusal::Forged => StatusCode::FORBIDDEN,
        Refusal::Forked => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Knows(_) => {
            let headers = [(header::CONTENT_TYPE, "text/x.tlog.size")];
            return Ok((StatusCode::CONFLICT, headers, message).into_response());
        }
        Refusal::Failure(failure) => return Err(failure.into()),
    };
    Ok((status, format!("{message}\n")).into_response())
}
