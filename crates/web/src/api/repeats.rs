//! Requests that come again: what tells that they do, and what becomes of a job whose client is gone.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use domain::ids::{JobId, PersonId};
use studio::Failure;
use studio::jobs;
use studio::jobs::repeat::Name;
use studio::order::Placed;

use crate::Site;
use crate::problem::Problem;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The SDKs count their attempts in it, from 0.
const RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const MAX_KEY_BYTES: usize = 255;

/// What makes this request known when it comes again; `None` where the client says nothing of the
/// kind.
pub(super) fn name(path: &str, headers: &HeaderMap, body: &[u8]) -> Result<Option<Name>, Problem> {
    let key = headers.get(IDEMPOTENCY_KEY).map(|key| key.as_bytes());
    if key.is_some_and(|key| key.is_empty() || key.len() > MAX_KEY_BYTES) {
        let message =
            format!("The idempotency-key header must have 1 to {MAX_KEY_BYTES} characters.");
        return Err(Problem::field("idempotency-key", "invalid_value", message));
    }
    let attempt = headers
        .get(RETRY_COUNT)
        .and_then(|count| count.to_str().ok()?.parse::<u32>().ok());
    if key.is_none() && attempt.is_none() {
        return Ok(None);
    }
    let is_again = attempt.is_some_and(|attempt| attempt > 0);
    Ok(Some(Name::new(key, &[path.as_bytes(), body], is_again)))
}

/// Cancels a job when it is dropped before its answer: the client hung up.
pub(super) struct HangUp {
    site: Site,
    person: PersonId,
    job: Option<JobId>,
    may_come_again: bool,
}

impl HangUp {
    pub(super) fn cancels(site: &Site, person: PersonId, placed: &Placed) -> Self {
        Self {
            site: site.clone(),
            person,
            job: Some(placed.job.id),
            may_come_again: placed.asked.is_some(),
        }
    }

    /// The answer is sent.
    pub(super) fn answered(self) {
        self.unless(true);
    }

    /// Nobody comes again.
    pub(super) fn for_good(mut self) {
        self.may_come_again = false;
    }

    /// Cancels nothing where the client asked for that.
    pub(super) fn unless(mut self, keeps_going: bool) -> Self {
        self.job = self.job.filter(|_| !keeps_going);
        self
    }
}

impl Drop for HangUp {
    fn drop(&mut self) {
        // When the program stops, everybody is hung up on; their jobs wait for the next start.
        let Some(job) = self.job.filter(|_| !self.site.stop.is_set()) else {
            return;
        };
        let (site, person, may_come_again) = (self.site.clone(), self.person, self.may_come_again);
        tokio::spawn(async move {
            let left = if may_come_again {
                leave(&site, person, job).await
            } else {
                jobs::cancel(&site.studio, person, job).await.map(|_| ())
            };
            if let Err(error) = left {
                tracing::error!(%error, %job, "a job whose client hung up could not be cancelled");
            }
        });
    }
}

/// Gives the client time to come again, unless others wait for the same answer anyway.
async fn leave(site: &Site, person: PersonId, job: JobId) -> Result<(), Failure> {
    let studio = &site.studio;
    let Some(asked) = jobs::leave(studio, job).await? else {
        return Ok(());
    };
    let grace = Duration::from_millis(studio.limits.repeat_grace_ms.into());
    tokio::select! {
        () = tokio::time::sleep(grace) => jobs::abandon(studio, person, job, asked).await,
        () = site.stop.set() => Ok(()),
    }
}
