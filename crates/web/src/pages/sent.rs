//! What a form sent.

use axum::extract::{FromRequest, Request};

use super::Shown;
use crate::Site;
use crate::api::pairs;
use crate::guard;

/// The fields of a form; a missing one is as good as an empty one. Some are secret, so it can't be
/// printed.
pub(super) struct Sent(Vec<(String, String)>);

impl FromRequest<Site> for Sent {
    type Rejection = Shown;

    async fn from_request(request: Request, _: &Site) -> Result<Self, Shown> {
        let (parts, body) = request.into_parts();
        Ok(Self(pairs(&guard::body::read(&parts.headers, body).await?)))
    }
}

impl Sent {
    pub(super) fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map_or("", |(_, value)| value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| given == name)
    }

    pub(super) fn is_checked(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    /// Every value of a field that may stand several times.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.0.iter().filter(move |(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }
}
