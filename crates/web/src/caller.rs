//! Who asks: the one place where a request becomes a person.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use domain::ids::PersonId;

use crate::Site;

/// The person on whose behalf a request is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller(pub(crate) PersonId);

impl FromRequestParts<Site> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, site: &Site) -> Result<Self, Infallible> {
        Ok(Self(site.person))
    }
}
