//! A person's account: who they are here, how they sign in, where they are signed in, and the keys
//! of their programs.

mod child;
mod choices;
mod codes;
mod confirm;
mod data;
mod delete;
mod keys;
mod log;
mod notices;
mod objections;
mod organisation;
mod organisations;
mod passkeys;
mod portrait;
mod profile;
mod requests;
mod restriction;
mod security;
mod sessions;

pub(crate) use child::problem as child_problem;
pub(super) use choices::read as consent_read;
pub(crate) use choices::{means as consent_means, problem as consent_problem};
pub(crate) use delete::problem as erase_problem;
pub(super) use delete::{files, size};
pub(crate) use objections::problem as object_problem;
pub(crate) use requests::{identity, problem as request_problem};
pub(crate) use restriction::problem as restrict_problem;

use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use domain::secret::Token;

use crate::Site;
use crate::cookies::{self, Cookie};

pub(super) fn routes() -> Router<Site> {
    Router::new()
        .route("/account", get(profile::show).post(profile::set))
        .route("/account/address", post(profile::change_address))
        .route("/account/portrait", post(portrait::set))
        .route("/account/portrait/{id}", get(portrait::show))
        .route("/account/portrait/remove", post(portrait::remove))
        .route(
            "/account/confirm",
            get(confirm::show).post(confirm::confirm),
        )
        .route("/account/confirm/passkey", post(confirm::by_passkey))
        .route("/account/passkeys", get(passkeys::show).post(passkeys::add))
        .route("/account/passkeys/rename", post(passkeys::rename))
        .route("/account/passkeys/remove", post(passkeys::remove))
        .route("/account/codes", get(codes::show).post(codes::turn_on))
        .route("/account/codes/off", post(codes::turn_off))
        .route(
            "/account/password",
            get(security::show).post(security::change),
        )
        .route("/account/sessions", get(sessions::list).post(sessions::end))
        .route("/account/data", get(data::show).post(data::take))
        .route("/account/data/export/{id}", get(data::fetch))
        .route("/account/notices", get(notices::show).post(notices::read))
        .route("/account/child", get(child::show).post(child::act))
        .route("/account/requests", get(requests::show).post(requests::ask))
        .route("/account/requests/withdraw", post(requests::withdraw))
        .route(
            "/account/objections",
            get(objections::show).post(objections::set),
        )
        .route("/account/choices", get(choices::show).post(choices::answer))
        .route("/account/choices/pictures", post(choices::take_back))
        .route("/account/choices/settings", post(choices::settings))
        .route("/account/choices/receipts/{id}", get(choices::fetch))
        .route(
            "/account/restriction",
            get(restriction::show).post(restriction::set),
        )
        .route("/account/log", get(log::show))
        .route("/account/log/{id}", get(log::proof))
        .route("/account/delete", get(delete::show).post(delete::ask))
        .route(
            "/account/organisations",
            get(organisations::list).post(organisations::found),
        )
        .route("/account/organisations/act", post(organisations::act))
        .route(
            "/account/organisations/join/{token}",
            get(organisations::look).post(organisations::join),
        )
        .route(
            "/account/organisations/{id}",
            get(organisation::show).post(organisation::change),
        )
        .route(
            "/account/organisations/{id}/leave",
            post(organisation::leave),
        )
        .route(
            "/account/organisations/{id}/delete",
            post(organisation::delete),
        )
        .route(
            "/account/organisations/{id}/export",
            post(organisation::take),
        )
        .route(
            "/account/organisations/{id}/export/{export}",
            get(organisation::fetch),
        )
        .route("/account/keys", get(keys::list).post(keys::make))
        .route("/account/keys/revoke", post(keys::revoke))
}

/// The session goes on with its new token.
fn keep(site: &Site, mut response: Response, token: &Token) -> Response {
    let headers = response.headers_mut();
    cookies::set(headers, site, Cookie::Session, token.expose());
    response
}
