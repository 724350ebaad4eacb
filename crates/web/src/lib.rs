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
mod guard;
mod pages;
mod problem;
mod texts;
mod when;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use domain::clock::Moment;
use domain::ids::PersonId;
use studio::Studio;
use studio::jobs::worker::Stop;

/// What is served, and to whom: while the program listens to this machine alone, everybody who
/// reaches it is the one local person.
#[derive(Clone, Debug)]
pub struct Site {
    studio: Studio,
    person: PersonId,
    stop: Stop,
    opened: Moment,
    larger_models: Arc<[LargerModel]>,
}

impl Site {
    /// Once `stop` is set, open streams and waiting answers end, so that the server can.
    #[must_use]
    pub fn new(studio: Studio, person: PersonId, stop: Stop) -> Self {
        let opened = studio.clock.now();
        Self {
            studio,
            person,
            stop,
            opened,
            larger_models: Arc::default(),
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
