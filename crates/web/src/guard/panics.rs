//! A bug in a handler ends its request, and tells nobody outside what it was.

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt;

use crate::problem::Problem;

pub(super) async fn catch(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        // The panic hook has told where it was; what it carries may hold something personal.
        Err(_) => {
            tracing::error!("a handler panicked");
            let message = "Something went wrong in the program. Nothing was charged. Try again; if it happens again, tell the operator the id of this request.";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message).on(&path)
        }
    }
}
