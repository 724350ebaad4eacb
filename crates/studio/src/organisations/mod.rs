//! Organisations: people who draw together, with pictures, orders and credits that are the organisation's.
//!
//! An organisation is a row of `person` without an account. So it has a key, a place in the line and credits as a person
//! has, is taken along and erased like one, and what is its own is nobody else's. Nobody signs in as one: members act
//! for it in a session of theirs.
//!
//! Architecture invariant: whether somebody acts for an organisation is found out together with their session, in one
//! statement that reads the row of the membership. Whoever is out of it has lost it with the next request.

pub mod inviting;
pub mod members;
pub mod tending;

use std::fmt;
use std::str::FromStr;

use db::{Tx, on};
use domain::clock::Moment;
use domain::credits::Credits;
use domain::ids::{GrantId, PersonId, SessionId};
use domain::personal::{BadDisplayName, DisplayName};
use serde_json::json;

use crate::accounts::{person, standing};
use crate::credits::giving;
use crate::credits::grants::{self, GrantError};
use crate::privacy::erasure::{self, AskedBy, Begun, EraseError, Scope};
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::{KeyError, Place, Reading};
use crate::privacy::log::{self, Event, Kind};
use crate::{Failure, Studio};

const NAME: Place = Place::new("organisation", "name");
const READ_NAME: Reading = NAME.read_for(Purpose::Account);
/// Organisations that one person may be in.
pub const MAX_OF_PERSON: i64 = 20;

/// What somebody is in an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Lets others in and out, names, takes along and deletes it.
    Owner,
    /// Draws for it, and does with its pictures whatever one does with one's own.
    Member,
}

impl Role {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Member => "member",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Debug)]
pub struct BadRole;

impl FromStr for Role {
    type Err = BadRole;

    fn from_str(text: &str) -> Result<Self, BadRole> {
        let mut all = [Self::Owner, Self::Member].into_iter();
        all.find(|role| role.name() == text).ok_or(BadRole)
    }
}

/// For whom somebody acts in their session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acting {
    pub organisation: PersonId,
    pub role: Role,
}

/// An organisation as one of its members sees it.
#[derive(Clone, Debug)]
pub struct Organisation {
    pub id: PersonId,
    pub name: String,
    /// Of who asks.
    pub role: Role,
    pub members: u64,
    /// Since when who asks is in it.
    pub since: Moment,
}

#[derive(Debug, thiserror::Error)]
pub enum OrganisationError {
    #[error(
        "Give it a name of 1 to {} characters, on one line.",
        DisplayName::MAX_CHARS
    )]
    Name,
    #[error(
        "You are in {MAX_OF_PERSON} organisations, which is the most. Leave one of them first."
    )]
    TooMany,
    #[error("This organisation has {} members, which is the most.", members::MAX)]
    Full,
    #[error(
        "{} links are open, which is the most. Take one of them back first.",
        inviting::MAX_OPEN
    )]
    TooManyInvitations,
    #[error("There is no such organisation, or you are not in it.")]
    NotIn,
    #[error("Only an owner of the organisation can do that. Ask one of them.")]
    NotOwner,
    #[error("There is nobody like that in the organisation.")]
    NoMember,
    #[error("An organisation needs an owner. Make somebody else an owner first.")]
    LastOwner,
    #[error("Nobody else is in it. Delete the organisation instead, and its pictures with it.")]
    LastMember,
    #[error("An owner is not taken out. Make them a member first.")]
    IsOwner,
    #[error("This link is over, or was used. Ask whoever sent it for another.")]
    NoInvitation,
    #[error("You are in this organisation already. The link is still good for somebody else.")]
    AlreadyIn,
    #[error("You do not have so many credits.")]
    NotEnough,
    #[error(transparent)]
    Credits(GrantError),
    #[error(transparent)]
    Erase(EraseError),
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(OrganisationError);

impl From<KeyError> for OrganisationError {
    fn from(error: KeyError) -> Self {
        Self::Failure(error.into())
    }
}

impl From<BadDisplayName> for OrganisationError {
    fn from(_: BadDisplayName) -> Self {
        Self::Name
    }
}

fn name_of(text: &str) -> Result<DisplayName, OrganisationError> {
    DisplayName::new(text)?.ok_or(OrganisationError::Name)
}

/// Founds an organisation, whose owner somebody is from then on. It has no credits.
pub async fn found(
    studio: &Studio,
    person: PersonId,
    name: &str,
) -> Result<PersonId, OrganisationError> {
    let name = name_of(name)?;
    let id = person::prepare(studio).await?;
    let sealed = studio
        .keys
        .of(id)
        .await?
        .seal(NAME, &id.to_string(), name.expose());
    let mut tx = studio.db.write().await?;
    if !person::stays(&mut tx, person).await? {
        return Err(Failure::Gone.into());
    }
    members::may_be_in_more(&mut tx, person).await?;
    person::insert(&mut tx, id, domain::role::Role::Person).await?;
    grants::open_empty_account(&mut tx, id).await?;
    let now = studio.clock.now();
    on!(tx, conn => {
        sqlx::query("INSERT INTO organisation (person_id, name, created_ms) VALUES ($1, $2, $3)")
            .bind(id.to_string())
            .bind(sealed.as_str())
            .bind(now.as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    members::insert(&mut tx, id, person, Role::Owner, now).await?;
    note(
        studio,
        &mut tx,
        person,
        Kind::OrganisationFounded,
        id,
        "self",
    )
    .await?;
    tx.commit().await?;
    Ok(id)
}

/// Writes into a person's log what became of them in an organisation, and who did it.
async fn note(
    studio: &Studio,
    tx: &mut Tx,
    person: PersonId,
    kind: Kind,
    organisation: PersonId,
    by: &str,
) -> Result<(), Failure> {
    let event = Event {
        kind,
        person: Some(person),
        what: json!({ "organisation": organisation, "by": by }),
    };
    log::note(studio, tx, &event).await?;
    Ok(())
}

/// Locks an organisation until the transaction ends, so that two changes of its members see each other. What somebody
/// is in it; `NotIn` where they are not.
async fn lock(
    tx: &mut Tx,
    organisation: PersonId,
    person: PersonId,
) -> Result<Role, OrganisationError> {
    keep_still(tx, organisation).await?;
    let role = members::role_in(tx, organisation, person).await?;
    role.ok_or(OrganisationError::NotIn)
}

async fn keep_still(tx: &mut Tx, organisation: PersonId) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("UPDATE organisation SET created_ms = created_ms WHERE person_id = $1")
            .bind(organisation.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

async fn lock_as_owner(
    tx: &mut Tx,
    organisation: PersonId,
    owner: PersonId,
) -> Result<(), OrganisationError> {
    match lock(tx, organisation, owner).await? {
        Role::Owner => Ok(()),
        Role::Member => Err(OrganisationError::NotOwner),
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    name: String,
    role: String,
    since_ms: i64,
    members: i64,
}

/// The organisations that somebody is in, the one they came to first first.
pub async fn of_person(studio: &Studio, person: PersonId) -> Result<Vec<Organisation>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT organisation.person_id AS id, organisation.name, own.role, own.created_ms AS since_ms, \
             (SELECT COUNT(*) FROM organisation_member AS one \
             WHERE one.organisation_id = organisation.person_id) AS members \
             FROM organisation_member AS own \
             JOIN organisation ON organisation.person_id = own.organisation_id \
             WHERE own.person_id = $1 ORDER BY own.created_ms, organisation.person_id",
        )
        .bind(person.to_string())
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    let mut found = Vec::new();
    for row in rows {
        let bad = |what: &str| Failure::Row(format!("{what} of {}", row.id));
        let id: PersonId = row.id.parse().map_err(|_| bad("organisation"))?;
        let Some(name) = name(studio, id, &row.name).await? else {
            continue;
        };
        found.push(Organisation {
            id,
            name,
            role: row.role.parse().map_err(|_| bad("role"))?,
            members: row.members.unsigned_abs(),
            since: Moment::from_millis(row.since_ms),
        });
    }
    Ok(found)
}

/// One of them; `None` where somebody is not in it.
pub async fn find(
    studio: &Studio,
    person: PersonId,
    organisation: PersonId,
) -> Result<Option<Organisation>, Failure> {
    let mut all = of_person(studio, person).await?.into_iter();
    Ok(all.find(|one| one.id == organisation))
}

/// The name of an organisation; `None` where its key is gone, and it with it.
async fn name(studio: &Studio, id: PersonId, sealed: &str) -> Result<Option<String>, Failure> {
    match studio.keys.of(id).await {
        Ok(cipher) => {
            let name = cipher.open(READ_NAME, &id.to_string(), sealed)?;
            Ok(Some(name.into_exposed()))
        }
        Err(KeyError::Gone(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What the organisation is called for which somebody acts.
pub async fn name_for(studio: &Studio, acting: Acting) -> Result<Option<String>, Failure> {
    let mut tx = studio.db.read().await?;
    let sealed: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT name FROM organisation WHERE person_id = $1")
            .bind(acting.organisation.to_string())
            .fetch_optional(conn)
            .await
    })?;
    drop(tx);
    match sealed {
        Some(sealed) => name(studio, acting.organisation, &sealed).await,
        None => Ok(None),
    }
}

/// Gives it another name.
pub async fn rename(
    studio: &Studio,
    owner: PersonId,
    organisation: PersonId,
    name: &str,
) -> Result<(), OrganisationError> {
    let name = name_of(name)?;
    let id = organisation.to_string();
    let mut tx = studio.db.write().await?;
    lock_as_owner(&mut tx, organisation, owner).await?;
    let sealed = studio
        .keys
        .of(organisation)
        .await?
        .seal(NAME, &id, name.expose());
    on!(tx, conn => {
        sqlx::query("UPDATE organisation SET name = $2 WHERE person_id = $1")
            .bind(&id)
            .bind(sealed.as_str())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(())
}

/// From now on somebody acts for an organisation in this session, or for themselves again.
pub async fn act_for(
    studio: &Studio,
    person: PersonId,
    session: SessionId,
    organisation: Option<PersonId>,
) -> Result<(), OrganisationError> {
    let mut tx = studio.db.write().await?;
    if let Some(organisation) = organisation {
        lock(&mut tx, organisation, person).await?;
    }
    on!(tx, conn => {
        sqlx::query("UPDATE session SET acts_for = $3 WHERE id = $1 AND person_id = $2")
            .bind(session.to_string())
            .bind(person.to_string())
            .bind(organisation.map(|id| id.to_string()))
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    // What was opened for the other one ends.
    standing::tell(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

/// A member gives credits of theirs, which stay what they were: those that end soonest go first, and end on the same
/// day. The same gift again changes nothing.
pub async fn give_credits(
    studio: &Studio,
    person: PersonId,
    organisation: PersonId,
    gift: GrantId,
    credits: Credits,
) -> Result<(), OrganisationError> {
    let mut tx = studio.db.write().await?;
    lock(&mut tx, organisation, person).await?;
    let between = (person, organisation);
    let given = giving::hand_on(studio, &mut tx, between, gift, credits).await;
    if !given.map_err(|error| match error {
        GrantError::Failure(failure) => failure.into(),
        error => OrganisationError::Credits(error),
    })? {
        return Err(OrganisationError::NotEnough);
    }
    tx.commit().await?;
    Ok(())
}

/// Deletes the organisation with everything that is its own.
pub async fn dissolve(
    studio: &Studio,
    owner: PersonId,
    organisation: PersonId,
) -> Result<Begun, OrganisationError> {
    let mut tx = studio.db.read().await?;
    match members::role_in(&mut tx, organisation, owner).await? {
        Some(Role::Owner) => {}
        Some(Role::Member) => return Err(OrganisationError::NotOwner),
        None => return Err(OrganisationError::NotIn),
    }
    drop(tx);
    erasure::ask(studio, organisation, Scope::Account, AskedBy::Session)
        .await
        .map_err(|error| match error {
            EraseError::Failure(failure) => failure.into(),
            error => OrganisationError::Erase(error),
        })
}

/// Whether a row of `person` is an organisation.
pub(crate) async fn is_one(tx: &mut Tx, id: PersonId) -> Result<bool, Failure> {
    let found: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT person_id FROM organisation WHERE person_id = $1")
            .bind(id.to_string())
            .fetch_optional(conn)
            .await
    })?;
    Ok(found.is_some())
}
