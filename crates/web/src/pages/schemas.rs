//! What the files of an archive look like, for who reads one: signed out, too.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use studio::privacy::export;

use super::Shown;
use crate::Site;
use crate::problem::Problem;

/// The schema as it is now, under this name and under the one in which its hash stands.
const NEWEST: &str = "export.json";

pub(super) async fn show(
    State(site): State<Site>,
    Path(name): Path<String>,
) -> Result<Response, Shown> {
    let schema = export::schema(&site.studio).await?;
    if name != NEWEST && name != schema.name {
        return Err(Problem::nothing().into());
    }
    let headers = [(header::CONTENT_TYPE, "application/schema+json")];
    Ok((headers, schema.text).into_response())
}
