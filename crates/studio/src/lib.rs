//! The story: a prompt comes in, is paid for, is routed, is drawn, is stored, is shown.
//!
//! The modules stand in the order in which a prompt meets them.
//!
//! Architecture invariant: nothing here speaks HTTP, and pictures are drawn through
//! [`domain::painter::Painter`] alone.

mod failpoint;

/// Lets `?` turn what a statement says into an error that holds a [`Failure`].
macro_rules! failures {
    ($($error:ty),+) => {$(
        impl From<db::DbError> for $error {
            fn from(error: db::DbError) -> Self {
                Self::Failure(error.into())
            }
        }

        impl From<sqlx::Error> for $error {
            fn from(error: sqlx::Error) -> Self {
                Self::Failure(error.into())
            }
        }
    )+};
}

pub mod accounts;
pub mod order;
pub mod organisations;

pub mod credits;

pub mod routing;

pub mod jobs;

pub mod drawing;

pub mod pictures;

mod orphans;

pub mod gallery;

pub mod examples;

pub mod training;

pub mod archive;

pub mod privacy;

pub mod letters;

pub mod visits;

pub mod support;

pub mod terms;

use std::sync::Arc;
use std::time::Duration;

use db::{Db, DbError};
use domain::clock::{Clock, Moment};
use domain::painter::Painter;
use domain::randomness::Randomness;
use domain::recipient::Register;
use outside::shelf::{Shelf, ShelfError};

/// What every step of the story works with. Clones share everything.
#[derive(Clone, Debug)]
pub struct Studio {
    pub db: Db,
    pub keys: privacy::keys::Keys,
    pub shelf: Shelf,
    pub painters: Arc<[Arc<dyn Painter>]>,
    pub clock: Clock,
    pub randomness: Randomness,
    pub board: jobs::progress::Board,
    pub gate: accounts::Gate,
    pub limits: Limits,
    pub prices: Arc<credits::PriceList>,
    /// Everybody to whom something can leave this house.
    pub recipients: Arc<Register>,
}

/// Every limit has a name.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Jobs that may wait; one more is told to come back later.
    pub max_waiting_jobs: u32,
    /// Jobs of one person that may wait.
    pub max_waiting_jobs_each: u32,
    /// Jobs of one person that may be drawn at once, in all processes together.
    pub max_running_jobs_each: u32,
    /// Orders that one person may place in a minute.
    pub max_orders_per_minute: u32,
    /// Pictures that one order may ask for.
    pub max_pictures_per_order: u32,
    /// How often a job is begun before it counts as failed.
    pub max_attempts: u32,
    /// How long a worker may be silent before its jobs are somebody else's. Clocks of different
    /// machines may differ by less than half of this.
    pub lease_ms: u32,
    /// How long a job is drawn on whose client is gone, where that client said that it tries again.
    /// The SDKs do so after half a second, and after a whole one the second time.
    pub repeat_grace_ms: u32,
}

impl Limits {
    pub(crate) fn lease_end(&self, now: Moment) -> Moment {
        now.plus_millis(i64::from(self.lease_ms))
    }

    pub(crate) const fn renew_every(&self) -> Duration {
        Duration::from_millis(self.lease_ms as u64 / 4)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_waiting_jobs: 2_000,
            max_waiting_jobs_each: 200,
            max_running_jobs_each: 8,
            max_orders_per_minute: 600,
            max_pictures_per_order: 10,
            max_attempts: 3,
            lease_ms: 20_000,
            repeat_grace_ms: 2_000,
        }
    }
}

/// Something outside the program failed: the operator reads the cause, a person reads the rest.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Keys(#[from] privacy::keys::KeyError),
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    #[error(transparent)]
    Imaging(#[from] imaging::ImagingError),
    #[error("a stored row can't be read: {0}")]
    Row(String),
    #[error("an archive can't be written: {0}")]
    Archive(String),
    #[error("the program is stopping")]
    Stopping,
    #[error("This account was deleted.")]
    Gone,
    #[error(
        "This can't be deleted for now. Where a law wants something kept, and you may be told, the page \
         Your data says so."
    )]
    Held,
    #[error("somebody reads the database all the time, so that its log can't be cut")]
    Busy,
    #[error(
        "With the role {role} you don't read this: what is kept of others to {} is read by {}. Ask an \
         operator for another role, if you need it.",
        purpose.words_to_staff(), privacy::looking::roles_in_words(domain::language::Language::English, purpose.readers())
    )]
    NotForRole {
        role: domain::role::Role,
        purpose: privacy::inventory::Purpose,
    },
    #[error(
        "Say first what you need it for: what is kept of others opens to you for a time that you choose, \
         and whoever is looked at can see it. Begin on the page /desk/duties."
    )]
    NotOnDuty {
        purposes: Vec<privacy::inventory::Purpose>,
    },
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}
