//! Chooses the language in which pages are told, by a button in their foot.

use axum::extract::State;
use axum::response::Response;
use domain::language::Language;

use super::door::safe_next;
use super::onward;
use super::sent::Sent;
use crate::Site;
use crate::cookies::{self, Cookie};

/// `language`, and the page to come `back` to. The browser keeps it, and nobody else.
pub(super) async fn choose(State(site): State<Site>, sent: Sent) -> Response {
    let mut response = onward(safe_next(sent.text("back")));
    if let Some(language) = Language::of_code(sent.text("language")) {
        cookies::set(
            response.headers_mut(),
            &site,
            Cookie::Language,
            language.code(),
        );
    }
    response
}
