//! Letters to people: rows, written in the transaction that causes them. A loop sends them where
//! mail is set up; elsewhere the operator reads them on a page and hands them on.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{LetterId, PersonId};
use domain::personal::Address;
use domain::secret::Token;
use serde::{Deserialize, Serialize};

use crate::{Failure, Studio};

/// What a letter says; the words are in the catalogue of texts.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Letter {
    /// Opens the account that was asked for.
    SignUp {
        token: String,
    },
    /// Somebody signed up with an address that has an account.
    HasAccount,
    Reset {
        token: String,
    },
    PasswordChanged,
    NewDevice {
        family: String,
        at_ms: i64,
    },
}

impl Letter {
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::SignUp { .. } => "sign_up",
            Self::HasAccount => "has_account",
            Self::Reset { .. } => "reset",
            Self::PasswordChanged => "password_changed",
            Self::NewDevice { .. } => "new_device",
        }
    }

    pub(crate) fn sign_up(token: &Token) -> Self {
        let token = token.expose().to_owned();
        Self::SignUp { token }
    }
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Letter({})", self.kind())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterState {
    Waiting,
    Sent,
    /// Given up.
    Failed,
}

/// A letter as the operator sees it.
#[derive(Clone, Debug)]
pub struct Posted {
    pub id: LetterId,
    pub address: Address,
    /// `None` once it was sent: then what it said is gone.
    pub letter: Option<Letter>,
    pub state: LetterState,
    pub attempts: u32,
    /// Why the last attempt failed.
    pub trouble: Option<String>,
    pub created: Moment,
}

/// Writes a letter down. Without an address it takes as long and reaches nobody.
pub(crate) async fn enqueue(
    studio: &Studio,
    tx: &mut Tx,
    person: Option<PersonId>,
    address: Option<&Address>,
    letter: &Letter,
) -> Result<(), Failure> {
    let now = studio.clock.now();
    let fields = serde_json::to_string(letter).map_err(|e| Failure::Row(e.to_string()))?;
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO letter (id, person_id, address, kind, fields, state, attempts, created_ms, \
             due_ms) VALUES ($1, $2, $3, $4, $5, 'waiting', 0, $6, $6)",
        )
        .bind(LetterId::new(now, &studio.randomness).to_string())
        .bind(person.map(|id| id.to_string()))
        .bind(address.map(Address::expose))
        .bind(letter.kind())
        .bind(fields)
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct LetterRow {
    id: String,
    address: String,
    fields: String,
    state: String,
    attempts: i64,
    trouble: Option<String>,
    created_ms: i64,
}

impl LetterRow {
    fn into_posted(self) -> Result<Posted, Failure> {
        let row = |what: &str| Failure::Row(format!("{what} of {}", self.id));
        Ok(Posted {
            id: self.id.parse().map_err(|_| row("id"))?,
            address: Address::new(&self.address).map_err(|_| row("address"))?,
            letter: match self.fields.as_str() {
                "" => None,
                fields => Some(serde_json::from_str(fields).map_err(|_| row("fields"))?),
            },
            state: match self.state.as_str() {
                "waiting" => LetterState::Waiting,
                "sent" => LetterState::Sent,
                _ => LetterState::Failed,
            },
            attempts: u32::try_from(self.attempts).map_err(|_| row("attempts"))?,
            trouble: self.trouble,
            created: Moment::from_millis(self.created_ms),
        })
    }
}

/// The newest letters, for the operator.
pub async fn recent(studio: &Studio, limit: u32) -> Result<Vec<Posted>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<LetterRow> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM letter WHERE address IS NOT NULL ORDER BY id DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await
    })?;
    rows.into_iter().map(LetterRow::into_posted).collect()
}
