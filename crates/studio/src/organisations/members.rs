//! Who is in an organisation, and what they are in it.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::PersonId;

use super::{MAX_OF_PERSON, OrganisationError, Role, lock, lock_as_owner, note};
use crate::accounts::{person, standing};
use crate::privacy::log::Kind;
use crate::{Failure, Studio};

pub const MAX: i64 = 200;

/// Somebody in an organisation, as the others see them.
#[derive(Clone, Debug)]
pub struct Member {
    pub person: PersonId,
    /// Their name, else their username, else their address.
    pub name: String,
    pub role: Role,
    pub since: Moment,
}

pub(super) async fn insert(
    tx: &mut Tx,
    organisation: PersonId,
    person: PersonId,
    role: Role,
    now: Moment,
) -> Result<bool, Failure> {
    let made = on!(tx, conn => {
        sqlx::query(
            "INSERT INTO organisation_member (organisation_id, person_id, role, created_ms) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (organisation_id, person_id) DO NOTHING",
        )
        .bind(organisation.to_string())
        .bind(person.to_string())
        .bind(role.name())
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(made > 0)
}

/// What somebody is in an organisation; `None` where they are not in it.
pub(super) async fn role_in(
    tx: &mut Tx,
    organisation: PersonId,
    person: PersonId,
) -> Result<Option<Role>, Failure> {
    let role: Option<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT role FROM organisation_member WHERE organisation_id = $1 AND person_id = $2",
        )
        .bind(organisation.to_string())
        .bind(person.to_string())
        .fetch_optional(conn)
        .await
    })?;
    let bad = |_| Failure::Row(format!("role in {organisation}"));
    role.map(|role| role.parse()).transpose().map_err(bad)
}

pub(super) async fn may_be_in_more(tx: &mut Tx, person: PersonId) -> Result<(), OrganisationError> {
    let there: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM organisation_member WHERE person_id = $1")
            .bind(person.to_string())
            .fetch_one(conn)
            .await
    })?;
    match there < MAX_OF_PERSON {
        true => Ok(()),
        false => Err(OrganisationError::TooMany),
    }
}

/// How many are in it, and how many of them own it.
pub(super) async fn counted(tx: &mut Tx, organisation: PersonId) -> Result<(i64, i64), Failure> {
    Ok(on!(tx, conn => {
        sqlx::query_as(
            "SELECT COUNT(*), COUNT(CASE WHEN role = 'owner' THEN 1 END) FROM organisation_member \
             WHERE organisation_id = $1",
        )
        .bind(organisation.to_string())
        .fetch_one(conn)
        .await
    })?)
}

/// Everybody in an organisation, to somebody who is in it; who came first first.
pub async fn list(
    studio: &Studio,
    person: PersonId,
    organisation: PersonId,
) -> Result<Vec<Member>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<(String, String, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT person_id, role, created_ms FROM organisation_member WHERE organisation_id = $1 \
             AND EXISTS (SELECT 1 FROM organisation_member AS own \
             WHERE own.organisation_id = $1 AND own.person_id = $2) ORDER BY created_ms, person_id",
        )
        .bind(organisation.to_string())
        .bind(person.to_string())
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    let mut found = Vec::new();
    for (id, role, since) in rows {
        let bad = |what: &str| Failure::Row(format!("{what} in {organisation}"));
        let id: PersonId = id.parse().map_err(|_| bad("person"))?;
        // Gone in this moment.
        let Some(account) = person::find(studio, id).await? else {
            continue;
        };
        let given = account.display_name.map(|name| name.expose().to_owned());
        let given = given.or_else(|| account.username.map(|name| name.expose().to_owned()));
        found.push(Member {
            person: id,
            name: given.unwrap_or_else(|| account.address.expose().to_owned()),
            role: role.parse().map_err(|_| bad("role"))?,
            since: Moment::from_millis(since),
        });
    }
    Ok(found)
}

/// Makes somebody an owner, or a member again.
pub async fn set_role(
    studio: &Studio,
    owner: PersonId,
    organisation: PersonId,
    member: PersonId,
    role: Role,
) -> Result<(), OrganisationError> {
    let mut tx = studio.db.write().await?;
    lock_as_owner(&mut tx, organisation, owner).await?;
    let former = role_in(&mut tx, organisation, member).await?;
    if former.ok_or(OrganisationError::NoMember)? == role {
        return Ok(());
    }
    let (_, owners) = counted(&mut tx, organisation).await?;
    if role == Role::Member && owners == 1 {
        return Err(OrganisationError::LastOwner);
    }
    write_role(&mut tx, organisation, member, role).await?;
    let by = if owner == member { "self" } else { "owner" };
    let kind = kind_of(role);
    note(studio, &mut tx, member, kind, organisation, by).await?;
    standing::tell(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

const fn kind_of(role: Role) -> Kind {
    match role {
        Role::Owner => Kind::OrganisationOwned,
        Role::Member => Kind::OrganisationDisowned,
    }
}

pub(super) async fn write_role(
    tx: &mut Tx,
    organisation: PersonId,
    member: PersonId,
    role: Role,
) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query(
            "UPDATE organisation_member SET role = $3 WHERE organisation_id = $1 AND person_id = $2",
        )
        .bind(organisation.to_string())
        .bind(member.to_string())
        .bind(role.name())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Somebody goes. What they drew for the organisation stays there; what is their own they keep.
pub async fn leave(
    studio: &Studio,
    person: PersonId,
    organisation: PersonId,
) -> Result<(), OrganisationError> {
    let mut tx = studio.db.write().await?;
    let role = lock(&mut tx, organisation, person).await?;
    let (members, owners) = counted(&mut tx, organisation).await?;
    if members == 1 {
        return Err(OrganisationError::LastMember);
    }
    if role == Role::Owner && owners == 1 {
        return Err(OrganisationError::LastOwner);
    }
    delete(studio, &mut tx, organisation, person, "self").await?;
    tx.commit().await?;
    Ok(())
}

/// An owner takes a member out.
pub async fn remove(
    studio: &Studio,
    owner: PersonId,
    organisation: PersonId,
    member: PersonId,
) -> Result<(), OrganisationError> {
    let mut tx = studio.db.write().await?;
    lock_as_owner(&mut tx, organisation, owner).await?;
    match role_in(&mut tx, organisation, member).await? {
        Some(Role::Member) => {}
        Some(Role::Owner) => return Err(OrganisationError::IsOwner),
        None => return Err(OrganisationError::NoMember),
    }
    delete(studio, &mut tx, organisation, member, "owner").await?;
    tx.commit().await?;
    Ok(())
}

async fn delete(
    studio: &Studio,
    tx: &mut Tx,
    organisation: PersonId,
    person: PersonId,
    by: &str,
) -> Result<(), Failure> {
    for statement in [
        "DELETE FROM organisation_member WHERE organisation_id = $1 AND person_id = $2",
        "UPDATE session SET acts_for = NULL WHERE acts_for = $1 AND person_id = $2",
    ] {
        on!(tx, conn => {
            sqlx::query(statement)
                .bind(organisation.to_string())
                .bind(person.to_string())
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
    }
    note(studio, tx, person, Kind::OrganisationLeft, organisation, by).await?;
    // What they have open of it ends.
    standing::tell(tx).await
}
