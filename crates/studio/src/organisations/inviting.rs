//! Lets people in: by a link that an owner hands on as they like. So nothing is kept of who is invited.

use db::on;
use domain::clock::Moment;
use domain::ids::{InvitationId, PersonId};
use domain::secret::Token;

use super::{OrganisationError, Role, keep_still, lock_as_owner, members, name, note};
use crate::accounts::{hash, person};
use crate::privacy::log::Kind;
use crate::{Failure, Studio};

/// How long a link is good.
pub const LASTS_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
pub const MAX_OPEN: i64 = 20;

/// A link that nobody used yet.
#[derive(Clone, Debug)]
pub struct Invitation {
    pub id: InvitationId,
    pub made: Moment,
    pub ends: Moment,
}

/// Makes a link, whose secret is not kept.
pub async fn invite(
    studio: &Studio,
    owner: PersonId,
    organisation: PersonId,
) -> Result<Token, OrganisationError> {
    let now = studio.clock.now();
    let token = Token::new(&studio.randomness);
    let mut tx = studio.db.write().await?;
    lock_as_owner(&mut tx, organisation, owner).await?;
    let open: i64 = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM organisation_invitation WHERE organisation_id = $1 AND ends_ms > $2",
        )
        .bind(organisation.to_string())
        .bind(now.as_millis())
        .fetch_one(conn)
        .await
    })?;
    if open >= MAX_OPEN {
        return Err(OrganisationError::TooManyInvitations);
    }
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO organisation_invitation (id, organisation_id, token_hash, created_ms, ends_ms) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(InvitationId::new(now, &studio.randomness).to_string())
        .bind(organisation.to_string())
        .bind(hash(&token))
        .bind(now.as_millis())
        .bind(now.plus_millis(LASTS_MS).as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(token)
}

/// Links that are open, to an owner; the newest first.
pub async fn list(
    studio: &Studio,
    owner: PersonId,
    organisation: PersonId,
) -> Result<Vec<Invitation>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<(String, i64, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT id, created_ms, ends_ms FROM organisation_invitation WHERE organisation_id = $1 \
             AND ends_ms > $3 AND EXISTS (SELECT 1 FROM organisation_member AS own \
             WHERE own.organisation_id = $1 AND own.person_id = $2 AND own.role = 'owner') ORDER BY id DESC",
        )
        .bind(organisation.to_string())
        .bind(owner.to_string())
        .bind(studio.clock.now().as_millis())
        .fetch_all(conn)
        .await
    })?;
    let bad = |_| Failure::Row(format!("invitation to {organisation}"));
    rows.into_iter()
        .map(|(id, made, ends)| {
            Ok(Invitation {
                id: id.parse().map_err(bad)?,
                made: Moment::from_millis(made),
                ends: Moment::from_millis(ends),
            })
        })
        .collect()
}

/// Takes a link back.
pub async fn take_back(
    studio: &Studio,
    owner: PersonId,
    organisation: PersonId,
    id: InvitationId,
) -> Result<(), OrganisationError> {
    let mut tx = studio.db.write().await?;
    lock_as_owner(&mut tx, organisation, owner).await?;
    on!(tx, conn => {
        sqlx::query("DELETE FROM organisation_invitation WHERE id = $1 AND organisation_id = $2")
            .bind(id.to_string())
            .bind(organisation.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(())
}

/// What the organisation is called that a link leads to; `None` where it is over.
pub async fn look(studio: &Studio, token: &Token) -> Result<Option<String>, Failure> {
    let mut tx = studio.db.read().await?;
    let found: Option<(String, String)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT organisation.person_id, organisation.name FROM organisation_invitation AS link \
             JOIN organisation ON organisation.person_id = link.organisation_id \
             WHERE link.token_hash = $1 AND link.ends_ms > $2",
        )
        .bind(hash(token))
        .bind(studio.clock.now().as_millis())
        .fetch_optional(conn)
        .await
    })?;
    drop(tx);
    let Some((id, sealed)) = found else {
        return Ok(None);
    };
    let bad = |_| Failure::Row("organisation of a link".to_owned());
    name(studio, id.parse().map_err(bad)?, &sealed).await
}

/// Somebody comes in; the link is used up with it.
pub async fn join(
    studio: &Studio,
    person: PersonId,
    token: &Token,
) -> Result<PersonId, OrganisationError> {
    let now = studio.clock.now();
    let mut tx = studio.db.write().await?;
    if !person::stays(&mut tx, person).await? {
        return Err(Failure::Gone.into());
    }
    let organisation: Option<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "DELETE FROM organisation_invitation WHERE token_hash = $1 AND ends_ms > $2 \
             RETURNING organisation_id",
        )
        .bind(hash(token))
        .bind(now.as_millis())
        .fetch_optional(conn)
        .await
    })?;
    let organisation = organisation.ok_or(OrganisationError::NoInvitation)?;
    let bad = |_| Failure::Row("organisation of a link".to_owned());
    let organisation: PersonId = organisation.parse().map_err(bad)?;
    keep_still(&mut tx, organisation).await?;
    members::may_be_in_more(&mut tx, person).await?;
    let (there, _) = members::counted(&mut tx, organisation).await?;
    if there >= members::MAX {
        return Err(OrganisationError::Full);
    }
    if !members::insert(&mut tx, organisation, person, Role::Member, now).await? {
        return Err(OrganisationError::AlreadyIn);
    }
    let kind = Kind::OrganisationJoined;
    note(studio, &mut tx, person, kind, organisation, "self").await?;
    tx.commit().await?;
    Ok(organisation)
}
