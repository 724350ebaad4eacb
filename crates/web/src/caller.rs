//! Who asks: what the entry found out about a request, for the handlers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, StatusCode};
use domain::clock::Moment;
use domain::ids::{PersonId, SessionId};
use domain::secret::Token;
use studio::accounts::sign_in::Visit;
use studio::accounts::standing::{self, Standing};
use studio::accounts::{Known, Means};
use studio::privacy::consent::Signal;

use crate::Site;
use crate::agent::{Family, agent};
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

/// Whether the browser objects to what is optional (Global Privacy Control).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signalled(pub(crate) Signal);

const GPC: HeaderName = HeaderName::from_static("sec-gpc");

impl Signalled {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        // The signal has this one value; anything else is none.
        Self(match headers.get(GPC) {
            Some(value) if value == "1" => Signal::Objects,
            _ => Signal::Absent,
        })
    }
}

impl FromRequestParts<Site> for Signalled {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &Site,
    ) -> Result<Self, std::convert::Infallible> {
        Ok(Self::read(&parts.headers))
    }
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
            from: from(&parts.extensions, &parts.headers, site),
            family: Family::of(agent(&parts.headers)).in_words(),
            device: device.and_then(|text| Token::read(&text)),
        }))
    }
}

pub(crate) fn from(extensions: &Extensions, headers: &HeaderMap, site: &Site) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
    if !site.is_behind_proxy {
        return peer;
    }
    // The last one is the proxy's own word; those before it are whatever the client wrote.
    let told = headers.get_all(FORWARDED_FOR).iter().next_back();
    let last = told.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    last.unwrap_or(peer)
}
