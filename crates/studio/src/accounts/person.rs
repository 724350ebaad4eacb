//! People with accounts: made, found, listed, and given a role.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{PersonId, PortraitId};
use domain::personal::{Address, DisplayName, Username};
use domain::role::Role;
use serde_json::json;

use super::password::PasswordHash;
use super::{portrait, session};
use crate::credits::grants::{self, GrantError, NewGrant};
use crate::privacy::duty;
use crate::privacy::inventory::{NOBODY, Purpose};
use crate::privacy::keys::{Cipher, KeyError, Place, Reading, Sealed};
use crate::privacy::log::{self, Event, Kind};
use crate::privacy::looking::{self, Staff, View};
use crate::{Failure, Studio};

pub(crate) const ADDRESS: Place = Place::new("account", "address");
const READ_ADDRESS: Reading = ADDRESS.read_for(Purpose::Account);
pub(crate) const TO_WRITE_TO: Reading = ADDRESS.read_for(Purpose::Mail);
const TO_SEND_NEWS: Reading = ADDRESS.read_for(Purpose::News);
pub(super) const USERNAME: Place = Place::new("account", "username");
pub(super) const DISPLAY_NAME: Place = Place::new("account", "display_name");
const READ_USERNAME: Reading = USERNAME.read_for(Purpose::Account);
const READ_DISPLAY_NAME: Reading = DISPLAY_NAME.read_for(Purpose::Account);

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

/// A person who has a key and no row yet; [`insert`] writes it. Kept apart, since no transaction waits
/// for the key store.
pub(crate) async fn prepare(studio: &Studio) -> Result<PersonId, Failure> {
    let id = PersonId::new(studio.clock.now(), &studio.randomness);
    studio.keys.make_person(id).await?;
    Ok(id)
}

pub(crate) async fn insert(tx: &mut Tx, id: PersonId, role: Role) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("INSERT INTO person (id, created_ms, role) VALUES ($1, $2, $3)")
            .bind(id.to_string())
            .bind(id.made().as_millis())
            .bind(role.name())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// The person of the time before accounts, where there is one.
pub(crate) async fn without_account(tx: &mut Tx) -> Result<Option<PersonId>, Failure> {
    let id: Option<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT id FROM person WHERE id <> $1 AND erasure_id IS NULL AND NOT EXISTS \
             (SELECT 1 FROM account WHERE account.person_id = person.id) AND NOT EXISTS \
             (SELECT 1 FROM organisation WHERE organisation.person_id = person.id) \
             ORDER BY created_ms, id LIMIT 1",
        )
        .bind(NOBODY)
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
    let id = new.person.to_string();
    let cipher = studio.keys.of(new.person).await?;
    let address = cipher.seal(ADDRESS, &id, new.address.expose());
    let made = on!(tx, conn => {
        sqlx::query(
            "INSERT INTO account (person_id, address, address_key, password_hash, of_age, \
             age_threshold, created_ms, active_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $7) \
             ON CONFLICT (address_key) DO NOTHING",
        )
        .bind(&id)
        .bind(address.as_str())
        .bind(address_key(studio, new.address))
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
    let person = prepare(studio).await?;
    let mut tx = studio.db.write().await?;
    insert(&mut tx, person, role).await?;
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
    one(studio, statement, address_key(studio, address)).await
}

/// Whose address it is. Nothing is opened for it, so that it takes as long where nobody has it.
pub async fn id_by_address(
    studio: &Studio,
    address: &Address,
) -> Result<Option<PersonId>, Failure> {
    let mut tx = studio.db.read().await?;
    let id: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT person_id FROM account WHERE address_key = $1")
            .bind(address_key(studio, address))
            .fetch_optional(conn)
            .await
    })?;
    let bad = |_| Failure::Row("person id".to_owned());
    id.map(|id| id.parse()).transpose().map_err(bad)
}

/// By which an account is found: the same for every spelling of its address.
pub(crate) fn address_key(studio: &Studio, address: &Address) -> String {
    studio.keys.blind("address", &address.folded())
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
    drop(tx);
    let Some(row) = row else { return Ok(None) };
    let cipher = studio.keys.of(row.person()?).await?;
    row.into_account(&cipher).map(Some)
}

/// Where a person gets letters.
pub(crate) async fn address_of(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
) -> Result<Option<Address>, Failure> {
    address_to(studio, tx, person, TO_WRITE_TO).await
}

/// The same to send news, which only who wants them gets.
pub(crate) async fn address_for_news(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
) -> Result<Option<Address>, Failure> {
    address_to(studio, tx, person, TO_SEND_NEWS).await
}

pub(crate) async fn address_to(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    reading: Reading,
) -> Result<Option<Address>, Failure> {
    let address: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT address FROM account WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    match address {
        Some(address) => {
            let cipher = studio.keys.of(person).await?;
            read_address(&cipher, person, &address, reading).map(Some)
        }
        None => Ok(None),
    }
}

/// Reads the address of an account as it is stored, to write to it.
pub(crate) async fn open_address(
    studio: &Studio,
    person: PersonId,
    stored: &str,
) -> Result<Address, Failure> {
    let cipher = studio.keys.of(person).await?;
    read_address(&cipher, person, stored, TO_WRITE_TO)
}

/// The same with a key that is there, and for whatever it is read.
pub(crate) fn read_address(
    cipher: &Cipher,
    person: PersonId,
    stored: &str,
    reading: Reading,
) -> Result<Address, Failure> {
    let address = cipher.open(reading, &person.to_string(), stored)?;
    Address::new(address.expose()).map_err(|_| Failure::Row(format!("address of {person}")))
}

/// An address as it is stored in an account.
pub(crate) async fn seal_address(
    studio: &Studio,
    person: PersonId,
    address: &Address,
) -> Result<Sealed, KeyError> {
    let cipher = studio.keys.of(person).await?;
    Ok(cipher.seal(ADDRESS, &person.to_string(), address.expose()))
}

/// Locks a person's account until the transaction ends; `false` where it is gone, or about to be.
/// Whatever lets somebody in is written behind this, so that an account which is being erased gets
/// no new way in.
pub(crate) async fn stays(tx: &mut Tx, person: PersonId) -> Result<bool, Failure> {
    let there = on!(tx, conn => {
        sqlx::query("UPDATE account SET created_ms = created_ms WHERE person_id = $1")
            .bind(person.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(there > 0)
}

/// What a person may do; `None` where there is no such person.
pub async fn role_of(studio: &Studio, person: PersonId) -> Result<Option<Role>, Failure> {
    let mut tx = studio.db.read().await?;
    let role: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT role FROM person WHERE id = $1")
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    let bad = |_| Failure::Row(format!("role of {person}"));
    role.map(|role| role.parse()).transpose().map_err(bad)
}

/// Somebody with an account, as those who run the house see them.
#[derive(Clone, Debug)]
pub struct Listed {
    pub person: PersonId,
    pub address: Address,
    pub role: Role,
    /// As in [`Account`].
    pub priority: i64,
    pub created: Moment,
}

const LISTED: View = View::of(&[
    (
        Purpose::Account,
        &[
            ADDRESS,
            Place::new("account", "created_ms"),
            Place::new("person", "id"),
            Place::new("person", "role"),
        ],
    ),
    (Purpose::Fairness, &[Place::new("person", "tier")]),
]);

/// Everybody with an account, the oldest first, from the one after `after`.
pub async fn list(
    studio: &Studio,
    staff: &Staff,
    after: Option<PersonId>,
    limit: u32,
) -> Result<Vec<Listed>, Failure> {
    let statement =
        format!("{COLUMNS} WHERE account.person_id > $1 ORDER BY account.person_id LIMIT $2");
    let mut tx = studio.db.write().await?;
    let rows: Vec<AccountRow> = on!(tx, conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(after.map_or_else(String::new, |id| id.to_string()))
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await
    })?;
    let people = rows.iter().map(AccountRow::person);
    let people: Vec<PersonId> = people.collect::<Result<_, _>>()?;
    let seen = looking::look(studio, &mut tx, staff, LISTED, people.iter().copied()).await?;
    let to_address = seen.reading(ADDRESS)?;
    let ciphers = studio.keys.of_all(people).await?;
    let mut listed = Vec::new();
    for row in rows {
        let person = row.person()?;
        // Who is being erased has no key any more.
        let Some(cipher) = ciphers.get(&person) else {
            continue;
        };
        let bad = |_| Failure::Row(format!("role of {person}"));
        listed.push(Listed {
            person,
            address: read_address(cipher, person, &row.address, to_address)?,
            role: row.role.parse().map_err(bad)?,
            priority: -row.tier,
            created: Moment::from_millis(row.created_ms),
        });
    }
    tx.commit().await?;
    Ok(listed)
}

/// Gives somebody a role. Sessions that had the former one end, so that none keeps its rights.
pub async fn set_role(studio: &Studio, person: PersonId, role: Role) -> Result<(), PersonError> {
    let mut tx = studio.db.write().await?;
    // All of them are locked, lest the last two lower each other at once.
    let operators: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar("UPDATE person SET role = role WHERE role = 'operator' RETURNING id")
            .fetch_all(conn)
            .await
    })?;
    let is_last = operators == [person.to_string()];
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
    if former == Role::Operator.name() && is_last {
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
    duty::end_all(studio, &mut tx, person).await?;
    let event = Event {
        kind: Kind::RoleChanged,
        person: Some(person),
        what: json!({ "from": former, "to": role.name() }),
    };
    log::note(studio, &mut tx, &event).await?;
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
    fn person(&self) -> Result<PersonId, Failure> {
        let person = self.person_id.parse();
        person.map_err(|_| Failure::Row("id of an account".to_owned()))
    }

    fn into_account(self, cipher: &Cipher) -> Result<Account, Failure> {
        let row = |what: &str| Failure::Row(format!("{what} of {}", self.person_id));
        let id = &self.person_id;
        let address = cipher.open(READ_ADDRESS, id, &self.address)?;
        let username = cipher.open_some(READ_USERNAME, id, self.username.as_deref())?;
        let name = cipher.open_some(READ_DISPLAY_NAME, id, self.display_name.as_deref())?;
        Ok(Account {
            person: self.person()?,
            address: Address::new(address.expose()).map_err(|_| row("address"))?,
            role: self.role.parse().map_err(|_| row("role"))?,
            username: username
                .map(|username| Username::new(username.expose()))
                .transpose()
                .map_err(|_| row("username"))?,
            display_name: DisplayName::new(name.as_ref().map_or("", |name| name.expose()))
                .map_err(|_| row("name"))?,
            portrait: self.portrait.as_deref().and_then(portrait::id_of),
            has_password: self.password_hash.is_some(),
            priority: -self.tier,
            created: Moment::from_millis(self.created_ms),
        })
    }
}
