//! Whether somebody may still see what was opened for them. Who asks is found out before a request
//! is answered; an answer that goes on for minutes outlives that, so it is watched.
//!
//! One look of each process, twice in a second while anything is open, finds whatever ended a
//! session or a key: here, in another process, or in the shell. A notice brings the look forward.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use db::{Tx, on};
use domain::ids::{KeyId, PersonId, SessionId};
use domain::role::{Role, Scopes};
use tokio::sync::{Notify, watch};

use super::{Known, Means};
use crate::jobs::nodes::Notice;
use crate::{Failure, Studio};

const LOOK_EVERY: Duration = Duration::from_millis(500);

/// By what something was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Right {
    /// With for whom it acts, where that is what was opened.
    Session(SessionId, Option<PersonId>),
    /// With what it could do then.
    Key(KeyId, Scopes),
}

/// The rights by which something is open in this process.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    open: Mutex<HashMap<Right, watch::Sender<bool>>>,
    look: Notify,
}

/// How long somebody may go on.
#[derive(Clone, Debug)]
pub struct Standing(Option<watch::Receiver<bool>>);

impl Standing {
    /// Returns once the session or the key is worth nothing any more.
    pub async fn ended(mut self) {
        let has_ended = match &mut self.0 {
            Some(ended) => ended.wait_for(|ended| *ended).await.is_ok(),
            None => false,
        };
        if !has_ended {
            std::future::pending::<()>().await;
        }
    }

    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.as_ref().is_some_and(|ended| *ended.borrow())
    }
}

/// Watches by what somebody is known.
#[must_use]
pub fn watch(studio: &Studio, known: &Known) -> Standing {
    let right = match known.means {
        Means::Local => return Standing(None),
        Means::Session { id, .. } => Right::Session(id, known.organisation()),
        Means::Key { id, .. } => Right::Key(id, known.scopes),
    };
    let mut open = studio.gate.watched().open();
    let is_first = open.is_empty();
    let ended = open
        .entry(right)
        .or_insert_with(|| watch::Sender::new(false))
        .subscribe();
    drop(open);
    if is_first {
        tokio::spawn(attend(studio.clone()));
    }
    Standing(Some(ended))
}

/// Tells every process that somebody may do less, once this is committed.
pub(crate) async fn tell(tx: &mut Tx) -> Result<(), Failure> {
    tx.tell(&Notice::Rights.text()).await?;
    Ok(())
}

impl Watched {
    /// Has it looked at once.
    pub(crate) fn look(&self) {
        self.look.notify_one();
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Right, watch::Sender<bool>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By what something is still open; none where nothing is, and then nobody looks any more.
    fn rights(&self) -> Vec<Right> {
        let mut open = self.open();
        open.retain(|_, ended| ended.receiver_count() > 0);
        open.keys().copied().collect()
    }

    fn end(&self, right: Right) {
        if let Some(ended) = self.open().remove(&right) {
            ended.send_replace(true);
        }
    }
}

/// Looks until nothing is open.
async fn attend(studio: Studio) {
    let watched = studio.gate.watched();
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = watched.look.notified() => {}
        }
        let rights = watched.rights();
        if rights.is_empty() {
            return;
        }
        match ended(&studio, rights).await {
            Ok(ended) => ended.into_iter().for_each(|right| watched.end(right)),
            Err(error) => tracing::warn!(%error, "it could not be seen who may go on"),
        }
    }
}

async fn ended(studio: &Studio, rights: Vec<Right>) -> Result<Vec<Right>, Failure> {
    let now = studio.clock.now().as_millis();
    let mut tx = studio.db.read().await?;
    let mut ended = Vec::new();
    for right in rights {
        let stands = match right {
            Right::Session(id, organisation) => {
                session_stands(&mut tx, (id, organisation), now).await?
            }
            Right::Key(id, scopes) => key_stands(&mut tx, id, scopes).await?,
        };
        if !stands {
            ended.push(right);
        }
    }
    Ok(ended)
}

/// A changed role ends sessions, so that they are not compared here.
async fn session_stands(
    tx: &mut Tx,
    (id, organisation): (SessionId, Option<PersonId>),
    now_ms: i64,
) -> Result<bool, Failure> {
    let found: Option<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT id FROM session WHERE id = $1 AND ends_ms > $2 AND (CAST($3 AS TEXT) IS NULL \
             OR (acts_for = $3 AND EXISTS (SELECT 1 FROM organisation_member \
             WHERE organisation_member.organisation_id = session.acts_for \
             AND organisation_member.person_id = session.person_id)))",
        )
            .bind(id.to_string())
            .bind(now_ms)
            .bind(organisation.map(|id| id.to_string()))
            .fetch_optional(conn)
            .await
    })?;
    Ok(found.is_some())
}

async fn key_stands(tx: &mut Tx, id: KeyId, former: Scopes) -> Result<bool, Failure> {
    let found: Option<(String, String)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT api_key.scopes, person.role FROM api_key \
             JOIN person ON person.id = api_key.person_id \
             WHERE api_key.id = $1 AND api_key.revoked_ms IS NULL",
        )
        .bind(id.to_string())
        .fetch_optional(conn)
        .await
    })?;
    let Some((scopes, role)) = found else {
        return Ok(false);
    };
    let bad = |what: &str| Failure::Row(format!("{what} of {id}"));
    let scopes: Scopes = scopes.parse().map_err(|_| bad("scopes"))?;
    let role: Role = role.parse().map_err(|_| bad("role"))?;
    Ok(scopes.within(Scopes::of_role(role)).within(former) == former)
}
