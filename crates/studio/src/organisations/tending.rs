//! Looks after organisations whose owners are gone: whoever was in one longest owns it, and one without anybody goes.
//! People are erased without asking whether they own something, so this is found out afterwards, by whichever process
//! looks first.

use db::on;
use domain::ids::PersonId;

use super::members::write_role;
use super::{OrganisationError, Role, lock, note};
use crate::privacy::erasure::{self, AskedBy, EraseError, Scope};
use crate::privacy::log::Kind;
use crate::{Failure, Studio};

const AT_ONCE: i64 = 100;

/// Gives how many got another owner, or went.
pub async fn tend(studio: &Studio) -> Result<u64, Failure> {
    Ok(hand_on(studio).await? + delete_empty(studio).await?)
}

async fn hand_on(studio: &Studio) -> Result<u64, Failure> {
    let mut tx = studio.db.read().await?;
    let heirs: Vec<(String, String)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT organisation_id, person_id FROM organisation_member AS heir WHERE NOT EXISTS \
             (SELECT 1 FROM organisation_member AS owner WHERE owner.organisation_id = heir.organisation_id \
             AND owner.role = 'owner') AND NOT EXISTS (SELECT 1 FROM organisation_member AS elder \
             WHERE elder.organisation_id = heir.organisation_id AND (elder.created_ms < heir.created_ms \
             OR (elder.created_ms = heir.created_ms AND elder.person_id < heir.person_id))) LIMIT $1",
        )
        .bind(AT_ONCE)
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    let mut handed = 0;
    for (organisation, heir) in heirs {
        let bad = |_| Failure::Row(format!("heir of {organisation}"));
        let (id, heir): (PersonId, PersonId) = (
            organisation.parse().map_err(bad)?,
            heir.parse().map_err(bad)?,
        );
        let mut tx = studio.db.write().await?;
        match lock(&mut tx, id, heir).await {
            Ok(Role::Member) => {}
            Err(OrganisationError::Failure(failure)) => return Err(failure),
            // Gone, or an owner, in this moment.
            Ok(Role::Owner) | Err(_) => continue,
        }
        write_role(&mut tx, id, heir, Role::Owner).await?;
        note(studio, &mut tx, heir, Kind::OrganisationOwned, id, "house").await?;
        tx.commit().await?;
        handed += 1;
    }
    Ok(handed)
}

async fn delete_empty(studio: &Studio) -> Result<u64, Failure> {
    let mut tx = studio.db.read().await?;
    let empty: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT organisation.person_id FROM organisation JOIN person ON person.id = organisation.person_id \
             WHERE person.erasure_id IS NULL AND NOT EXISTS (SELECT 1 FROM organisation_member \
             WHERE organisation_member.organisation_id = organisation.person_id) LIMIT $1",
        )
        .bind(AT_ONCE)
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    let mut gone = 0;
    for id in empty {
        let bad = |_| Failure::Row(format!("organisation {id:?}"));
        let id: PersonId = id.parse().map_err(bad)?;
        match erasure::ask(studio, id, Scope::Account, AskedBy::Empty).await {
            Ok(_) => gone += 1,
            Err(EraseError::Failure(failure)) => return Err(failure),
            // It goes already.
            Err(_) => {}
        }
    }
    Ok(gone)
}
