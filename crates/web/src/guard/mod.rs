//! What stands before every handler: an id for each request, the headers that keep a browser
//! honest, a net for cookies, a net for bugs, counters, a refusal of other sites' requests, who asks and whether they
//! may, and limits on bodies.

pub(crate) mod access;
mod announcing;
pub(crate) mod body;
mod cookies;
mod entry;
mod headers;
mod origin;
mod panics;
mod request_id;
mod speaking;
pub(crate) mod visits;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

pub(crate) use announcing::{Banner, Seen, acts_for, has_terms};
pub(crate) use entry::sign_in;

use crate::Site;

/// The guards, the outermost last.
pub(crate) fn around(routes: Router<Site>, site: &Site) -> Router<Site> {
    routes
        .layer(axum::extract::DefaultBodyLimit::max(body::MAX_BYTES))
        .layer(from_fn_with_state(site.clone(), announcing::tell))
        .layer(from_fn_with_state(site.clone(), entry::check))
        .layer(from_fn_with_state(site.clone(), origin::check))
        .layer(from_fn_with_state(site.clone(), visits::count))
        .layer(from_fn(panics::catch))
        .layer(from_fn_with_state(site.clone(), speaking::speak))
        .layer(from_fn_with_state(site.clone(), cookies::sift))
        .layer(from_fn(headers::secure))
        .layer(from_fn_with_state(
            site.studio.randomness.clone(),
            request_id::attach,
        ))
}
