//! A person's account: who they are here, how they sign in, where they are signed in, and the keys
//! of their programs.

mod keys;
mod profile;
mod security;
mod sessions;

use axum::Router;
use axum::routing::{get, post};

use crate::Site;

pub(super) fn routes() -> Router<Site> {
    Router::new()
        .route("/account", get(profile::show))
        .route(
            "/account/password",
            get(security::show).post(security::change),
        )
        .route("/account/sessions", get(sessions::list).post(sessions::end))
        .route("/account/keys", get(keys::list).post(keys::make))
        .route("/account/keys/revoke", post(keys::revoke))
}
