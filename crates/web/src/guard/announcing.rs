//! What stands on every page while a change of the privacy notice is told: for who is signed in, whether they
//! read it; for everybody else, that there is one. No cookie remembers that it was shown.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use domain::clock::Moment;
use studio::Failure;
use studio::accounts::{Known, Means};
use studio::organisations;
use studio::privacy::policies::{self, Announcement};
use studio::terms;

use crate::Site;
use crate::problem::is_api;
use crate::texts::Texts;

tokio::task_local! {
    static BANNER: Option<Banner>;
    static HAS_TERMS: bool;
    static ACTS_FOR: Option<String>;
}

/// A line above a page, with where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Banner {
    pub(crate) says: String,
    pub(crate) link: String,
    pub(crate) link_words: &'static str,
}

impl Banner {
    /// That of the request which is answered.
    pub(crate) fn here() -> Option<Self> {
        BANNER.try_with(Clone::clone).ok().flatten()
    }
}

/// Whether the page that is answered leads to the operator's terms.
pub(crate) fn has_terms() -> bool {
    HAS_TERMS.try_with(|has| *has).unwrap_or(false)
}

/// What the organisation is called for which whoever asks acts, where they act for one.
pub(crate) fn acts_for() -> Option<String> {
    ACTS_FOR.try_with(Clone::clone).ok().flatten()
}

/// How long an answer to what is announced holds.
const LOOK_AGAIN_MS: i64 = 1_000;

/// What was last seen, so that not each page asks the database.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Mutex<Option<(i64, Latest)>>>);

#[derive(Clone, Debug, Default)]
struct Latest {
    announced: Option<Announcement>,
    /// To whom the house goes by it, where it goes to somebody else.
    to: Option<String>,
    /// Whether anybody was ever told anything.
    has_told: bool,
    /// Whether there are terms of the operator's.
    has_terms: bool,
}

impl Seen {
    async fn look(&self, site: &Site, now: Moment) -> Result<Latest, Failure> {
        let known = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((then, latest)) = known
            && (now.as_millis() - then).abs() < LOOK_AGAIN_MS
        {
            return Ok(latest);
        }
        let heads = policies::heads(&site.studio).await?;
        let announced = policies::announced(&heads, now);
        let to = match announced.as_ref().filter(|announced| announced.gives) {
            Some(_) => policies::transfer::announced(&site.studio).await?,
            None => None,
        };
        let latest = Latest {
            announced,
            to: to.map(|known| known.to.name),
            has_terms: !terms::heads(&site.studio).await?.is_empty(),
            has_told: heads.iter().any(|head| head.is_material),
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some((now.as_millis(), latest.clone()));
        Ok(latest)
    }
}

pub(super) async fn tell(State(site): State<Site>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_page = request.method() != Method::HEAD
        && !is_api(path)
        && !["/assets/", "/healthz", "/readyz"]
            .iter()
            .any(|begin| path.starts_with(begin));
    if !is_page {
        return next.run(request).await;
    }
    let known = request.extensions().get::<Known>().copied();
    let (banner, has_terms) = match banner(&site, known).await {
        Ok(told) => told,
        Err(error) => {
            tracing::error!(%error, "it could not be seen what is announced");
            (None, false)
        }
    };
    let acting = known.and_then(|known| known.acting);
    let organisation = match acting {
        Some(acting) => organisations::name_for(&site.studio, acting).await,
        None => Ok(None),
    };
    let organisation = organisation.unwrap_or_else(|error| {
        tracing::error!(%error, "it could not be seen for whom somebody acts");
        None
    });
    let answer = HAS_TERMS.scope(has_terms, next.run(request));
    let answer = BANNER.scope(banner, answer);
    ACTS_FOR.scope(organisation, answer).await
}

async fn banner(site: &Site, known: Option<Known>) -> Result<(Option<Banner>, bool), Failure> {
    let now = site.studio.clock.now();
    let latest = site.seen.look(site, now).await?;
    let t = Texts::get();
    let words = &t.policies;
    if let Some(known) = known.filter(|known| !matches!(known.means, Means::Key { .. })) {
        let is_unread = latest.has_told && policies::unread(&site.studio, known.person).await? > 0;
        if is_unread {
            let banner = Banner {
                says: words.banner_unread.clone(),
                link: "/account/notices".to_owned(),
                link_words: &words.banner_read,
            };
            return Ok((Some(banner), latest.has_terms));
        }
        let asked = latest.has_terms && !matches!(known.means, Means::Local);
        let asked = match asked {
            true => terms::offered(&site.studio, known.person).await?,
            false => None,
        };
        let banner = asked.map(|head| Banner {
            says: match head.effective > now {
                true => t.terms.banner_later.clone(),
                false => t.terms.banner.clone(),
            },
            link: "/terms/accept".to_owned(),
            link_words: &t.terms.banner_link,
        });
        return Ok((banner, latest.has_terms));
    }
    let banner = latest.announced.map(|announced| {
        let day = t.exact(announced.effective);
        Banner {
            says: match (announced.holds, &latest.to) {
                (true, None) => words.banner_since.fill(&day),
                (false, None) => words.banner.fill(&day),
                (true, Some(to)) => words.banner_gone.fill_two(&day, to),
                (false, Some(to)) => words.banner_goes.fill_two(&day, to),
            },
            link: format!("/privacy/versions/{}/changes", announced.number),
            link_words: &words.banner_link,
        }
    });
    Ok((banner, latest.has_terms))
}
