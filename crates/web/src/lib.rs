//! Is asked for and shown over HTTP: the API, the pages, and the small scripts that make the
//! pages live.
//!
//! A handler parses, calls `studio`, and renders.
//!
//! Architecture invariant: nothing here sees SQL, a tensor or a vendor; nothing here opens an
//! outbound connection; and no prompt is ever part of an address or of a log line.

mod api;
mod assets;
mod caller;
mod cookies;
mod guard;
pub mod letters;
mod pages;
mod problem;
mod public_url;
mod relying_party;
mod search;
mod texts;
mod when;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use domain::clock::Moment;
use studio::Studio;
use studio::jobs::worker::Stop;

pub use public_url::{BadPublicUrl, PublicUrl};

/// What is served, and by which name.
#[derive(Clone, Debug)]
pub struct Site {
    studio: Studio,
    stop: Stop,
    opened: Moment,
    larger_models: Arc<[LargerModel]>,
    public: Option<PublicUrl>,
    is_behind_proxy: bool,
}

impl Site {
    /// Once `stop` is set, open streams and waiting answers end, so that the server can.
    #[must_use]
    pub fn new(studio: Studio, stop: Stop) -> Self {
        let opened = studio.clock.now();
        Self {
            studio,
            stop,
            opened,
            larger_models: Arc::default(),
            public: None,
            is_behind_proxy: false,
        }
    }

    /// Names the models that could be fetched besides those that are here.
    #[must_use]
    pub fn with_larger_models(self, models: impl IntoIterator<Item = LargerModel>) -> Self {
        Self {
            larger_models: models.into_iter().collect(),
            ..self
        }
    }

    /// Others reach this site, by this name.
    #[must_use]
    pub fn at(self, public: PublicUrl) -> Self {
        Self {
            public: Some(public),
            ..self
        }
    }

    /// A proxy hands requests on and says in `x-forwarded-for` where they come from.
    #[must_use]
    pub fn behind_proxy(self) -> Self {
        Self {
            is_behind_proxy: true,
            ..self
        }
    }

    fn is_https(&self) -> bool {
        self.public.as_ref().is_some_and(PublicUrl::is_https)
    }
}

/// A model that an operator could fetch, as the page about models shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargerModel {
    /// As `pinhole models pull` takes it.
    pub name: String,
    pub title: String,
    pub about: String,
    pub licence: String,
    pub download_mib: u64,
    pub memory_mib: u64,
    /// `false` where it is known of, and can't be drawn with yet.
    pub draws: bool,
}

impl FromRef<Site> for Studio {
    fn from_ref(site: &Site) -> Self {
        site.studio.clone()
    }
}

/// Everything that the program answers to.
pub fn router(site: Site) -> Router {
    let routes = Router::new()
        .merge(api::routes())
        .merge(pages::routes())
        .merge(assets::routes())
        .fallback(problem::nothing_here)
        .method_not_allowed_fallback(problem::wrong_method);
    guard::around(routes, &site).with_state(site)
}

/// What is kept of people, as a page of HTML.
#[must_use]
pub fn privacy_notice() -> String {
    pages::privacy_notice()
}
