//! What stands before every handler: an id for each request, the headers that keep a browser
//! honest, a refusal of other sites' requests, who asks and whether they may, limits on bodies, and
//! a net for bugs.

pub(crate) mod access;
pub(crate) mod body;
mod entry;
mod headers;
mod origin;
mod panics;
mod request_id;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

pub(crate) use entry::sign_in;

use crate::Site;

/// The guards, the outermost last.
pub(crate) fn around(routes: Router<Site>, site: &Site) -> Router<Site> {
    routes
        .layer(axum::extract::DefaultBodyLimit::max(body::MAX_BYTES))
        .layer(from_fn_with_state(site.clone(), entry::check))
        .layer(from_fn_with_state(site.clone(), origin::check))
        .layer(from_fn(panics::catch))
        .layer(from_fn(headers::secure))
        .layer(from_fn_with_state(
            site.studio.randomness.clone(),
            request_id::attach,
        ))
}
