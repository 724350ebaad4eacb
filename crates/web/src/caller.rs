//! Who asks: what the entry found out about a request, for the handlers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use domain::clock::Moment;
use domain::ids::{PersonId, SessionId};
use domain::secret::Token;
use studio::accounts::sign_in::Visit;
use studio::accounts::standing::{self, Standing};
use studio::accounts::{Known, Means};

use crate::Site;
use crate::cookies::{self, Cookie};
use crate::problem::Problem;

/// The person on whose behalf a request is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller(pub(crate) PersonId);

/// Everything that is known of who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker(pub(crate) Known);

/// How long whoever asks may go on, where the answer does.
#[derive(Clone, Debug)]
pub(crate) struct Lasting(pub(crate) Standing);

impl FromRequestParts<Site> for Lasting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Problem> {
        let Asker(known) = Asker::from_request_parts(parts, site).await?;
        Ok(Self(standing::watch(&site.studio, &known)))
    }
}

/// Who asks, where nobody has to be known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MaybeAsker(pub(crate) Option<Known>);

/// Somebody with an account, in a browser in which they signed in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) known: Known,
    pub(crate) session: SessionId,
    /// When they last proved who they are.
    pub(crate) confirmed: Moment,
}

impl FromRequestParts<Site> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Site) -> Result<Self, Problem> {
        let known = parts.extensions.get::<Known>().copied();
        known.map(Self).ok_or_else(no_one)
    }
}

impl FromRequestParts<Site> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Problem> {
        let Asker(known) = Asker::from_request_parts(parts, site).await?;
        Ok(Self(known.person))
    }
}

impl FromRequestParts<Site> for MaybeAsker {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &Site,
    ) -> Result<Self, std::convert::Infallible> {
        Ok(Self(parts.extensions.get::<Known>().copied()))
    }
}

impl FromRequestParts<Site> for Member {
    type Rejection = crate::pages::Shown;

    async fn from_request_parts(
        parts: &mut Parts,
        site: &Site,
    ) -> Result<Self, crate::pages::Shown> {
        let Asker(known) = Asker::from_request_parts(parts, site).await?;
        match known.means {
            Means::Session { id, confirmed } => Ok(Self {
                known,
                session: id,
                confirmed,
            }),
            Means::Local | Means::Key { .. } => {
                let message = "Nobody has an account here yet, so there is nothing to change. The link to make the first one was printed where the program started.";
                Err(Problem::new(StatusCode::CONFLICT, "no_accounts", message).into())
            }
        }
    }
}

/// Nobody is known, or not well enough.
pub(crate) fn no_one() -> Problem {
    let message = "Say who asks: send an API key in the header authorization: Bearer pin_…, or sign in on the page.";
    Problem::new(StatusCode::UNAUTHORIZED, "missing_api_key", message)
}

/// Where a request comes from.
pub(crate) struct Visiting(pub(crate) Visit);

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl FromRequestParts<Site> for Visiting {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        site: &Site,
    ) -> Result<Self, std::convert::Infallible> {
        let device = cookies::read(&parts.headers, site, Cookie::Device);
        Ok(Self(Visit {
            from: address(parts, site),
            family: family(&parts.headers),
            device: device.and_then(|text| Token::read(&text)),
        }))
    }
}

fn address(parts: &Parts, site: &Site) -> IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
    if !site.is_behind_proxy {
        return peer;
    }
    // The last one is the proxy's own word; those before it are whatever the client wrote.
    let told = parts.headers.get_all(FORWARDED_FOR).iter().next_back();
    let last = told.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    last.unwrap_or(peer)
}

/// What kind of browser it is, in two words, so that its person knows it again in a list. Nothing
/// else of what it says about itself is kept.
fn family(headers: &HeaderMap) -> String {
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let first = |known: &[(&str, &'static str)], other| {
        let found = known.iter().find(|(mark, _)| agent.contains(mark));
        found.map_or(other, |(_, name)| *name)
    };
    let browser = first(
        &[
            ("Firefox/", "Firefox"),
            ("Edg", "Edge"),
            ("OPR/", "Opera"),
            ("Chrom", "Chrome"),
            ("Safari/", "Safari"),
        ],
        "Browser",
    );
    let system = first(
        &[
            ("Android", "Android"),
            ("iPhone", "iPhone"),
            ("iPad", "iPad"),
            ("Windows", "Windows"),
            ("Mac OS", "Mac"),
            ("CrOS", "ChromeOS"),
            ("Linux", "Linux"),
        ],
        "",
    );
    match system {
        "" => browser.to_owned(),
        system => format!("{browser} on {system}"),
    }
}
