//! What is kept of people, made from the inventory: as a page, as text, and for programs.

use askama::Template;
use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use studio::privacy::inventory::Purpose;
use studio::privacy::notice::{self, Chapter};

use super::{Frame, ok};
use crate::caller::MaybeAsker;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "privacy.html")]
struct PrivacyPage {
    t: &'static Texts,
    frame: Frame,
    chapters: Vec<Chapter>,
}

impl PrivacyPage {
    fn new(frame: Frame) -> Self {
        Self {
            t: Texts::get(),
            frame,
            chapters: notice::chapters(),
        }
    }

    fn why(&self, purpose: &Purpose) -> String {
        self.t
            .privacy
            .why
            .fill_two(purpose.words(), purpose.basis().words())
    }

    fn kept(&self, chapter: &Chapter) -> String {
        notice::kept_in_words(chapter.kept)
    }
}

pub(super) async fn show(MaybeAsker(known): MaybeAsker) -> Response {
    ok(&PrivacyPage::new(Frame::of(known.as_ref(), "privacy")))
}

/// The page as a file of its own.
pub(crate) fn as_file() -> String {
    PrivacyPage::new(Frame::anyone())
        .render()
        .unwrap_or_else(|error| error.to_string())
}

pub(super) async fn text() -> Response {
    let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (plain, notice::text()).into_response()
}

pub(super) async fn json() -> Response {
    Json(notice::inventory_json()).into_response()
}

pub(super) async fn json_ld() -> Response {
    let linked = [(header::CONTENT_TYPE, "application/ld+json")];
    (linked, notice::json_ld().to_string()).into_response()
}
