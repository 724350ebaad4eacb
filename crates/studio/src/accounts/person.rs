//! People with accounts: made, found, listed, and given a role.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{PersonId, PortraitId};
use domain::personal::{Address, DisplayName, Username};
use domain::role::Role;

use super::password::PasswordHash;
use super::{portrait, session};
use crate::credits::grants::{self, GrantError, NewGrant};
use crate::{Failure, Studio};

/// Somebody with an account.
#[derive(Clone, Debug)]
pub struct Account {
    pub person: PersonId,
    pub address: Address,
    pub role: Role,
    pub username: Option<Username>,
    pub display_name: Option<DisplayName>,
    pub portrait: Option<PortraitId>,
    pub has_password: bool,
    /// Above 0, their jobs come before everybody else's; below 0, after them.
    pub priority: i64,
    pub created: Moment,
}

/// An account to be made. The address is proven, or an operator vouches for it.
#[derive(Debug)]
pub(crate) struct NewAccount<'a> {
    pub(crate) person: PersonId,
    pub(crate) address: &'a Address,
    pub(crate) password: Option<&'a PasswordHash>,
    pub(crate) age: Option<Age>,
}

/// What is kept of somebody's age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    pub is_over: bool,
    pub threshold: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    #[error("Somebody has an account with that address already.")]
    AddressTaken,
    #[error("There is no account with that address or id.")]
    Unknown,
    #[error("This is the last operator. Make somebody else an operator first.")]
    LastOperator,
    #[error(transparent)]
    Grant(#[from] GrantError),
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(PersonError);

pub(crate) async fn insert(studio: &Studio, tx: &mut Tx, role: Role) -> Result<PersonId, Failure> {
    let now = studio.clock.now();
    let id = PersonId::new(now, &studio.randomness);
    on!(tx, conn => {
        sqlx::query("INSERT INTO person (id, created_ms, role) VALUES ($1, $2, $3)")
            .bind(id.to_string())
            .bind(now.as_millis())
            .bind(role.name())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(id)
}

/// The person of the time before accounts, where there is one.
pub(crate) async fn without_account(tx: &mut Tx) -> Result<Option<PersonId>, Failure> {
    let id: Option<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT id FROM person WHERE NOT EXISTS \
             (SELECT 1 FROM account WHERE account.person_id = person.id) \
             ORDER BY created_ms, id LIMIT 1",
        )
        .fetch_optional(conn)
        .await
    })?;
    let bad = |_| Failure::Row("person id".to_owned());
    id.map(|id| id.parse()).transpose().map_err(bad)
}

/// Writes the account of a person who has none; `false` where the address is taken.
pub(crate) async fn open_account(
    studio: &Studio,
    tx: &mut Tx,
    new: &NewAccount<'_>,
) -> Result<bool, Failure> {
    let made = on!(tx, conn => {
        sqlx::query(
            "INSERT INTO account (person_id, address, address_key, password_hash, of_age, \
             age_threshold, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (address_key) DO NOTHING",
        )
        .bind(new.person.to_string())
        .bind(new.address.expose())
        .bind(new.address.folded())
        .bind(new.password.map(PasswordHash::as_str))
        .bind(new.age.map(|age| i64::from(age.is_over)))
        .bind(new.age.map(|age| i64::from(age.threshold)))
        .bind(studio.clock.now().as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if made == 0 {
        return Ok(false);
    }
    grants::open_account(studio, tx, new.person).await?;
    Ok(true)
}

/// Makes an account for an address that an operator vouches for. It has no password until the
/// person sets one by way of a reset. `gift` comes besides what everybody gets.
pub async fn add(
    studio: &Studio,
    address: &Address,
    role: Role,
    gift: Option<&NewGrant>,
) -> Result<PersonId, PersonError> {
    let mut tx = studio.db.write().await?;
    let person = insert(studio, &mut tx, role).await?;
    let new = NewAccount {
        person,
        address,
        password: None,
        age: None,
    };
    if !open_account(studio, &mut tx, &new).await? {
        return Err(PersonError::AddressTaken);
    }
    if let Some(gift) = gift {
        grants::give_in(studio, &mut tx, person, gift, None).await?;
    }
    tx.commit().await?;
    studio.gate.has_accounts_now();
    Ok(person)
}

const COLUMNS: &str = "SELECT account.*, person.role, person.tier FROM account \
     JOIN person ON person.id = account.person_id";

pub async fn find(studio: &Studio, person: PersonId) -> Result<Option<Account>, Failure> {
    let statement = format!("{COLUMNS} WHERE account.person_id = $1");
    one(studio, statement, person.to_string()).await
}

pub async fn by_address(studio: &Studio, address: &Address) -> Result<Option<Account>, Failure> {
    let statement = format!("{COLUMNS} WHERE account.address_key = $1");
    one(studio, statement, address.folded()).await
}

async fn one(
    studio: &Studio,
    statement: String,
    value: String,
) -> Result<Option<Account>, Failure> {
    let mut tx = studio.db.read().await?;
    let row: Option<AccountRow> = on!(tx, conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(value).fetch_optional(conn).await
    })?;
    row.map(AccountRow::into_account).transpose()
}

/// Where a person gets letters.
pub(crate) async fn address_of(tx: &mut Tx, person: PersonId) -> Result<Option<Address>, Failure> {
    let address: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT address FROM account WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    Ok(address.and_then(|address| Address::new(&address).ok()))
}

/// Everybody with an account, the oldest first, from the one after `after`.
pub async fn list(
    studio: &Studio,
    after: Option<PersonId>,
    limit: u32,
) -> Result<Vec<Account>, Failure> {
    let statement =
        format!("{COLUMNS} WHERE account.person_id > $1 ORDER BY account.person_id LIMIT $2");
    let mut tx = studio.db.read().await?;
    let rows: Vec<AccountRow> = on!(tx, conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(after.map_or_else(String::new, |id| id.to_string()))
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await
    })?;
    rows.into_iter().map(AccountRow::into_account).collect()
}

/// Gives somebody a role. Sessions that had the former one end, so that none keeps its rights.
pub async fn set_role(studio: &Studio, person: PersonId, role: Role) -> Result<(), PersonError> {
    let mut tx = studio.db.write().await?;
    let operators: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM person WHERE role = 'operator' AND id <> $1")
            .bind(person.to_string())
            .fetch_one(conn)
            .await
    })?;
    let former: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT role FROM person JOIN account ON account.person_id = person.id WHERE id = $1")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    let former = former.ok_or(PersonError::Unknown)?;
    if former == role.name() {
        return Ok(());
    }
    if former == Role::Operator.name() && operators == 0 {
        return Err(PersonError::LastOperator);
    }
    on!(tx, conn => {
        sqlx::query("UPDATE person SET role = $2 WHERE id = $1")
            .bind(person.to_string())
            .bind(role.name())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    session::end_all(&mut tx, person).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether somebody runs this house already.
pub async fn has_operator(studio: &Studio) -> Result<bool, Failure> {
    let mut tx = studio.db.read().await?;
    has_operator_in(&mut tx).await
}

pub(crate) async fn has_operator_in(tx: &mut Tx) -> Result<bool, Failure> {
    let found: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT id FROM person WHERE role = 'operator' LIMIT 1")
            .fetch_optional(conn)
            .await
    })?;
    Ok(found.is_some())
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    person_id: String,
    address: String,
    role: String,
    username: Option<String>,
    display_name: Option<String>,
    portrait: Option<String>,
    password_hash: Option<String>,
    tier: i64,
    created_ms: i64,
}

impl AccountRow {
    fn into_account(self) -> Result<Account, Failure> {
        let row = |what: &str| Failure::Row(format!("{what} of {}", self.person_id));
        Ok(Account {
            person: self.person_id.parse().map_err(|_| row("id"))?,
            address: Address::new(&self.address).map_err(|_| row("address"))?,
            role: self.role.parse().map_err(|_| row("role"))?,
            username: self
                .username
                .as_deref()
                .map(Username::new)
                .transpose()
                .map_err(|_| row("username"))?,
            display_name: DisplayName::new(self.display_name.as_deref().unwrap_or(""))
                .map_err(|_| row("name"))?,
            portrait: self.portrait.as_deref().and_then(portrait::id_of),
            has_password: self.password_hash.is_some(),
            priority: -self.tier,
            created: Moment::from_millis(self.created_ms),
        })
    }
}
