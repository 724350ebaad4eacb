//! Is forgotten: an account with everything in it, or everything that was ever ordered.
//!
//! An erasure is a row that goes from one state to the next. Each step can be repeated and taken up by
//! any process, so that a power cut costs time and nothing else. What goes and what stays is read out
//! of the inventory, frozen with the request, and shown before it.
//!
//! Architecture invariant: once an erasure is past `frozen`, nothing is written for its person. Their
//! ways in are gone, their orders are cancelled, and `jobs::line` takes none; once their row is gone,
//! the database itself refuses whatever would name it.

mod again;
mod freeze;
mod holding;
mod marks;
pub mod plan;
pub mod receipt;
mod rows;
pub mod scan;
mod shred;
mod steps;

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{ErasureId, PersonId};
use domain::secret::Token;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub(crate) use again::{ask_again, finish_again};
pub use plan::{Fate, Part, Plan, preview};
pub use scan::Ground;
pub use steps::{finish, keep_erasing};

use crate::accounts::hash;
use crate::jobs::line;
use crate::privacy::holds::{self, Class, Held};
use crate::privacy::log::{self, Event, Kind};
use crate::privacy::recipients;
use crate::privacy::restriction::child;
use crate::{Failure, Studio, failpoint, organisations};

/// For how long a receipt can be fetched.
pub const RECEIPT_KEPT_MS: i64 = 3 * 365 * 24 * 60 * 60 * 1_000;

/// What is to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The person, and everything that is theirs.
    Account,
    /// Every order and every picture.
    History,
}

impl Scope {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::History => "history",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut all = [Self::Account, Self::History].into_iter();
        all.find(|scope| scope.name() == name)
    }
}

/// How far an erasure is: the last step that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Somebody asked.
    Requested,
    /// It is known to be the person, or an operator, and what goes is written down.
    Verified,
    /// Every way in is closed, and nothing is drawn any more.
    Frozen,
    /// Whatever a copy still holds can't be read.
    KeysShredded,
    RowsGone,
    BlobsGone,
    RecipientsTold,
    /// The database's own log is cut, so that it holds no former row.
    Checkpointed,
    /// The whole house was searched for what should be gone.
    Scanned,
    Receipted,
    /// The rest is kept for a law or a court, and goes by itself when that ends.
    Held,
}

impl State {
    pub const ALL: [Self; 11] = [
        Self::Requested,
        Self::Verified,
        Self::Frozen,
        Self::KeysShredded,
        Self::RowsGone,
        Self::BlobsGone,
        Self::RecipientsTold,
        Self::Checkpointed,
        Self::Scanned,
        Self::Receipted,
        Self::Held,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Verified => "verified",
            Self::Frozen => "frozen",
            Self::KeysShredded => "keys_shredded",
            Self::RowsGone => "rows_gone",
            Self::BlobsGone => "blobs_gone",
            Self::RecipientsTold => "recipients_told",
            Self::Checkpointed => "checkpointed",
            Self::Scanned => "scanned",
            Self::Receipted => "receipted",
            Self::Held => "held",
        }
    }

    fn named(name: &str) -> Result<Self, Failure> {
        let mut all = Self::ALL.into_iter();
        let known = all.find(|state| state.name() == name);
        known.ok_or_else(|| Failure::Row(format!("erasure state {name:?}")))
    }
}

/// How it is known that somebody may have this forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedBy {
    /// The person, who has just proven again who they are.
    Session,
    /// A key of the person that may do it.
    Key,
    /// Whoever sits at the machine of a house without accounts.
    Local,
    /// Somebody who runs the house, in its shell.
    Operator,
    /// Nobody: the account was not used for long, and its person was told twice.
    Idle,
    /// Nobody: it became known that the person is too young.
    Age,
    /// A backup was put back that is older than the erasure.
    Restoration,
    /// Nobody: nobody was left in the organisation.
    Empty,
}

impl AskedBy {
    const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Key => "key",
            Self::Local => "local",
            Self::Operator => "operator",
            Self::Idle => "idle",
            Self::Age => "age",
            Self::Restoration => "restoration",
            Self::Empty => "empty",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    #[error(
        "You are the last who runs this house, and without an operator nobody can let others in or \
         out. Make somebody else an operator first: pinhole admin person role --email ADDRESS \
         operator. To end the whole house, stop the program and delete its data folder."
    )]
    LastOperator,
    #[error("Something of yours is being deleted already. Wait until that is over: {0}")]
    UnderWay(&'static str),
    #[error("There is no account to delete.")]
    NoAccount,
    #[error("This account is not locked, or what is said against that is weighed still.")]
    NotDue,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(EraseError);

/// An erasure that has begun.
#[derive(Clone, Debug)]
pub struct Begun {
    pub id: ErasureId,
    /// Finds the receipt, and is kept as a hash alone.
    pub receipt: Token,
}

/// Writes down what is to go, and closes every way in at once. The rest is done by
/// [`keep_erasing`], here or elsewhere.
pub async fn ask(
    studio: &Studio,
    person: PersonId,
    scope: Scope,
    by: AskedBy,
) -> Result<Begun, EraseError> {
    let plan = preview(studio, person, scope).await?;
    let letters = recipients::letters_offered(studio, person).await?;
    let now = studio.clock.now();
    let begun = Begun {
        id: ErasureId::new(now, &studio.randomness),
        receipt: Token::new(&studio.randomness),
    };
    let mut tx = studio.db.write().await?;
    line::lock(&mut tx, person).await?;
    if scope == Scope::Account {
        may_go(&mut tx, person).await?;
    }
    // It may have been opened again, or contested, since it was found to be due.
    if by == AskedBy::Age && !child::is_due(&mut tx, person, now).await? {
        return Err(EraseError::NotDue);
    }
    if scope == Scope::History {
        holds::check(studio, &mut tx, person, Class::Orders).await?;
    }
    if is_under_way(&mut tx, person).await? {
        return Err(EraseError::UnderWay(
            "it takes seconds, and its page says when.",
        ));
    }
    let mut done = Done {
        letters,
        ..Done::default()
    };
    done.reach(State::Requested, now);
    done.reach(State::Verified, now);
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO erasure (id, person_id, scope, state, asked_by, receipt_hash, plan, done, \
             seal, requested_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(begun.id.to_string())
        .bind(person.to_string())
        .bind(scope.name())
        .bind(State::Verified.name())
        .bind(by.name())
        .bind(hash(&begun.receipt))
        .bind(written(&plan)?)
        .bind(written(&done)?)
        .bind(marks::new_seal(studio, begun.id))
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    let event = Event {
        kind: Kind::ErasureBegun,
        person: Some(person),
        what: json!({ "erasure": begun.id, "scope": scope.name(), "asked_by": by.name() }),
    };
    log::note(studio, &mut tx, &event).await?;
    failpoint::here("erasure-verified-uncommitted");
    tx.commit().await?;
    failpoint::here("erasure-verified-committed");
    steps::begin(studio, begun.id, &begun.receipt).await?;
    Ok(begun)
}

/// The house needs somebody who runs it. All of those are locked, lest the last two go at once.
async fn may_go(tx: &mut Tx, person: PersonId) -> Result<(), EraseError> {
    if organisations::is_one(tx, person).await? {
        return Ok(());
    }
    let account: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT person_id FROM account WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    if account.is_none() {
        return Err(EraseError::NoAccount);
    }
    let operators: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar("UPDATE person SET role = role WHERE role = 'operator' RETURNING id")
            .fetch_all(conn)
            .await
    })?;
    if operators == [person.to_string()] {
        return Err(EraseError::LastOperator);
    }
    Ok(())
}

async fn is_under_way(tx: &mut Tx, person: PersonId) -> Result<bool, Failure> {
    let open: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT id FROM erasure WHERE person_id = $1 AND ended_ms IS NULL")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    Ok(open.is_some())
}

fn written(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Row(error.to_string()))
}

/// What was done so far. Holds numbers and moments, and nothing of the person.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Done {
    /// When each state was reached.
    pub reached: Vec<(State, i64)>,
    pub jobs_cancelled: u64,
    /// Credits that ended with the account.
    pub credits_ended: i64,
    /// Rows that were deleted, by table.
    pub rows: std::collections::BTreeMap<String, u64>,
    /// Rows that stay, by table.
    pub kept: std::collections::BTreeMap<String, u64>,
    pub keys: u64,
    pub files: u64,
    pub letter: Option<Told>,
    /// Letters that the mail server was offered before, as far as it was remembered.
    #[serde(default)]
    pub letters: u64,
    pub scan: Option<scan::Found>,
    /// What a law or a court wants kept for now.
    #[serde(default)]
    pub held: Vec<Held>,
    /// Something was held back before, and goes now.
    #[serde(default)]
    pub is_supplement: bool,
    marking: marks::Cursor,
    /// Parts of the list whose files are deleted.
    parts_unlinked: i64,
}

impl Done {
    fn reach(&mut self, state: State, now: Moment) {
        self.reached.push((state, now.as_millis()));
    }

    fn count(&mut self, table: &str, rows: u64) {
        if rows > 0 {
            *self.rows.entry(table.to_owned()).or_default() += rows;
        }
    }

    /// When a state was reached.
    #[must_use]
    pub fn at(&self, state: State) -> Option<Moment> {
        let mut reached = self.reached.iter();
        let found = reached.find(|(reached, _)| *reached == state);
        found.map(|(_, ms)| Moment::from_millis(*ms))
    }
}

/// What became of the letter that tells the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    Sent,
    /// It could not be sent in time; with the address, it is gone.
    NotSent,
}

/// An erasure as whoever holds its token sees it.
#[derive(Clone, Debug)]
pub struct Standing {
    pub scope: Scope,
    pub state: State,
    pub plan: Plan,
    pub done: Done,
    /// Signed, once it is over, but for what is held.
    pub receipt: Option<String>,
    /// The receipt of what was held, once that is gone too.
    pub supplement: Option<String>,
    pub requested: Moment,
}

/// The erasure whose receipt a token finds.
pub async fn find(studio: &Studio, token: &Token) -> Result<Option<Standing>, Failure> {
    let mut tx = studio.db.read().await?;
    let row: Option<steps::Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM erasure WHERE receipt_hash = $1")
            .bind(hash(token))
            .fetch_optional(conn)
            .await
    })?;
    let Some(row) = row else { return Ok(None) };
    let (receipt, supplement) = (row.receipt.clone(), row.supplement.clone());
    let work = row.into_work(studio)?;
    Ok(Some(Standing {
        scope: work.plan.scope,
        state: work.state,
        plan: work.plan,
        done: work.done,
        receipt,
        supplement,
        requested: work.requested,
    }))
}
