//! Who asks: the local person of a house without accounts, or somebody with an account, known by
//! a session or by a key.

pub mod welcome;

pub mod sign_up;

pub mod sign_in;

pub mod recovery;

pub mod address;
pub mod age;
pub(crate) mod alarm;
pub mod device;
pub mod idle;
pub mod key;
pub mod passkey;
pub mod password;
pub mod person;
pub mod portrait;
pub mod profile;
pub(crate) mod proof;
pub mod second_factor;
pub mod session;
pub mod standing;
mod throttle;
pub mod vouch;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use db::on;
use domain::clock::Moment;
use domain::ids::{KeyId, PersonId, SessionId};
use domain::role::{Role, Scopes};
use domain::secret::Token;
use sha2::{Digest, Sha256};

use crate::organisations::Acting;
use crate::privacy::objection;
use crate::privacy::restriction::{self, Mode};
use crate::{Failure, Studio};

/// How often it is looked whether another process has made the first account.
const LOOK_AGAIN_MS: i64 = 1_000;

/// What the steps of signing in share within one process.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Inner>);

/// What the operator decided about who may come in.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Others reach this house, so everybody signs in from the start.
    pub is_public: bool,
    /// In years; 0 asks nobody.
    pub min_age: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            is_public: false,
            min_age: 16,
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    rules: Rules,
    local: OnceLock<PersonId>,
    has_accounts: AtomicBool,
    looked_ms: AtomicI64,
    hasher: password::Hasher,
    throttle: throttle::Throttle,
    watched: standing::Watched,
}

impl Gate {
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self(Arc::new(Inner {
            rules,
            ..Inner::default()
        }))
    }

    #[must_use]
    pub fn rules(&self) -> Rules {
        self.0.rules
    }

    pub(crate) fn hasher(&self) -> &password::Hasher {
        &self.0.hasher
    }

    pub(crate) fn throttle(&self) -> &throttle::Throttle {
        &self.0.throttle
    }

    pub(crate) fn watched(&self) -> &standing::Watched {
        &self.0.watched
    }

    /// Told by whatever makes an account.
    pub(crate) fn has_accounts_now(&self) {
        self.0.has_accounts.store(true, Ordering::SeqCst);
    }
}

/// Who asks, and what they may do.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub person: PersonId,
    pub role: Role,
    pub scopes: Scopes,
    pub means: Means,
    /// What may be done with what is theirs.
    pub mode: Mode,
    /// Whether what they use may be counted: they don't object to it.
    pub may_be_counted: bool,
    /// For whom they act, where it is not for themselves.
    pub acting: Option<Acting>,
}

impl Known {
    /// The same where they act for an organisation: whatever is asked for is the organisation's then, and not theirs.
    #[must_use]
    pub fn on_behalf(self) -> Self {
        Self {
            person: self
                .acting
                .map_or(self.person, |acting| acting.organisation),
            ..self
        }
    }

    /// The organisation whose things these are, where they are one's.
    #[must_use]
    pub fn organisation(&self) -> Option<PersonId> {
        let organisation = self.acting.map(|acting| acting.organisation);
        organisation.filter(|id| *id == self.person)
    }

    /// The key that asks, where one does.
    #[must_use]
    pub const fn key(&self) -> Option<KeyId> {
        match self.means {
            Means::Key { id, .. } => Some(id),
            _ => None,
        }
    }
}

/// By what somebody is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// Nobody has an account: whoever reaches this machine is its one local person.
    Local,
    Session {
        id: SessionId,
        /// When the person last proved who they are.
        confirmed: Moment,
    },
    Key {
        id: KeyId,
        limit_credits: Option<i64>,
    },
}

/// Whether nobody has an account yet, and nobody needs one. Once there is an account, this stays
/// `false`.
pub async fn is_solo(studio: &Studio) -> Result<bool, Failure> {
    let gate = &studio.gate.0;
    if gate.rules.is_public || gate.has_accounts.load(Ordering::SeqCst) {
        return Ok(false);
    }
    let now = studio.clock.now().as_millis();
    if (now - gate.looked_ms.load(Ordering::SeqCst)).abs() < LOOK_AGAIN_MS {
        return Ok(true);
    }
    let mut tx = studio.db.read().await?;
    let found: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT person_id FROM account LIMIT 1").fetch_optional(conn).await
    })?;
    gate.looked_ms.store(now, Ordering::SeqCst);
    if found.is_some() {
        studio.gate.has_accounts_now();
    }
    Ok(found.is_none())
}

/// Whoever asks, in a house without accounts: the local person, who may do everything.
pub async fn local(studio: &Studio) -> Result<Known, Failure> {
    let person = match studio.gate.0.local.get() {
        Some(person) => *person,
        None => {
            let person = local_person(studio).await?;
            *studio.gate.0.local.get_or_init(|| person)
        }
    };
    let mut tx = studio.db.read().await?;
    let mode = restriction::mode_in(&mut tx, person).await?;
    let objects = objection::objects_to_counting(&mut tx, person).await?;
    Ok(Known {
        person,
        role: Role::Operator,
        scopes: Scopes::of_role(Role::Operator),
        means: Means::Local,
        mode,
        may_be_counted: !objects,
        acting: None,
    })
}

/// The person of this machine, made at the first start; never one with an account.
pub async fn local_person(studio: &Studio) -> Result<PersonId, Failure> {
    let mut tx = studio.db.read().await?;
    if let Some(id) = person::without_account(&mut tx).await? {
        return Ok(id);
    }
    drop(tx);
    let id = person::prepare(studio).await?;
    let mut tx = studio.db.write().await?;
    if let Some(id) = person::without_account(&mut tx).await? {
        return Ok(id);
    }
    person::insert(&mut tx, id, Role::Person).await?;
    tx.commit().await?;
    Ok(id)
}

/// How a token is kept: whoever reads the hash can't make the token of it.
pub(crate) fn hash(token: &Token) -> String {
    hex(&Sha256::digest(token.expose()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The minute that a moment is in: finer than that, use is not recorded.
pub(crate) const fn minute_of(moment: Moment) -> Moment {
    let millis = moment.as_millis();
    Moment::from_millis(millis - millis.rem_euclid(60_000))
}
