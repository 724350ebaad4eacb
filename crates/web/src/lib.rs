//! Is asked for and shown over HTTP: the API, the pages, and the small scripts that make the
//! pages live.
//!
//! A handler parses, calls `studio`, and renders.
//!
//! Architecture invariant: nothing here sees SQL, a tensor or a vendor; nothing here opens an
//! outbound connection; and no prompt is ever part of an address or of a log line.

mod agent;
mod api;
mod assets;
mod caller;
mod cookies;
mod guard;
mod language;
pub mod letters;
mod pages;
mod problem;
mod public_url;
mod relying_party;
mod search;
mod texts;
mod when;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::http::HeaderName;
use domain::clock::Moment;
use domain::controller::Controller;
use domain::language::Language;
use domain::recipient::Register;
use serde_json::Value;
use studio::Studio;
use studio::jobs::worker::Stop;
use studio::privacy::log::witness::watching::Watched;
use studio::privacy::policies::Declaration;
use studio::visits::Visits;

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
    watched: Arc<Watched>,
    visits: Visits,
    country_header: Option<HeaderName>,
    min_ages: Arc<BTreeMap<String, u32>>,
    controller: Option<Arc<Controller>>,
    seen: guard::Seen,
}

impl Site {
    /// Once `stop` is set, open streams and waiting answers end, so that the server can.
    #[must_use]
    pub fn new(studio: Studio, stop: Stop) -> Self {
        let opened = studio.clock.now();
        let visits = Visits::new(&studio.randomness, opened);
        Self {
            studio,
            stop,
            opened,
            larger_models: Arc::default(),
            public: None,
            is_behind_proxy: false,
            watched: Arc::default(),
            visits,
            country_header: None,
            min_ages: Arc::default(),
            controller: None,
            seen: guard::Seen::default(),
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

    /// These answer for it.
    #[must_use]
    pub fn under(self, controller: Controller) -> Self {
        Self {
            controller: Some(Arc::new(controller)),
            ..self
        }
    }

    /// What this build does, with the settings of this house.
    fn declaration(&self) -> Declaration {
        Declaration::of_this_build(&self.studio.recipients, self.controller.as_deref())
    }

    /// A proxy hands requests on and says in `x-forwarded-for` where they come from.
    #[must_use]
    pub fn behind_proxy(self) -> Self {
        Self {
            is_behind_proxy: true,
            ..self
        }
    }

    /// Signs what it sees of these logs, for whoever asks.
    #[must_use]
    pub fn watching(self, watched: Watched) -> Self {
        Self {
            watched: Arc::new(watched),
            ..self
        }
    }

    /// The proxy says in this header which country a request comes from, in two letters.
    #[must_use]
    pub fn told_countries(self, header: HeaderName) -> Self {
        Self {
            country_header: Some(header),
            ..self
        }
    }

    /// In these countries, people must be so old to sign up; elsewhere as old as the house's rules say.
    #[must_use]
    pub fn with_min_ages(self, ages: impl IntoIterator<Item = (String, u32)>) -> Self {
        Self {
            min_ages: Arc::new(ages.into_iter().collect()),
            ..self
        }
    }

    /// What is counted of this site's use; whoever serves it has it written.
    #[must_use]
    pub const fn visits(&self) -> &Visits {
        &self.visits
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
    guarded(routes, site)
}

/// Routes behind the guards of this site, as all of its own are.
pub fn guarded(routes: Router<Site>, site: Site) -> Router {
    guard::around(routes, &site).with_state(site)
}

/// What is kept of people, as a page of HTML.
#[must_use]
pub fn privacy_notice(register: &Register) -> String {
    pages::privacy_notice(register)
}

/// The notice as a part of a page, which a version is published with.
#[must_use]
pub fn notice_part(
    language: Language,
    register: &Register,
    controller: Option<&Controller>,
) -> String {
    pages::notice_part(language, register, controller)
}

/// Everything that is kept of people and everybody who gets something of it, for programs.
#[must_use]
pub fn privacy_inventory(register: &Register) -> Value {
    pages::privacy_inventory(register)
}

/// The impact assessment as a page.
#[must_use]
pub fn impact_assessment(register: &Register) -> String {
    pages::assessment_as_file(register)
}
