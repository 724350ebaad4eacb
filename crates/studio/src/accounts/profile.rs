//! What a person says of themselves: all of it optional, all of it changeable.

use db::on;
use domain::ids::PersonId;
use domain::personal::{BadDisplayName, BadUsername, DisplayName, Username};

use super::person::{DISPLAY_NAME, USERNAME};
use crate::privacy::keys::Sealed;
use crate::{Failure, Studio};

#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error(transparent)]
    Username(#[from] BadUsername),
    #[error("Somebody else has that username. Choose another.")]
    UsernameTaken,
    #[error(transparent)]
    DisplayName(#[from] BadDisplayName),
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(ProfileError);

/// Sets the username and the name; an empty one is taken away.
pub async fn set(
    studio: &Studio,
    person: PersonId,
    username: &str,
    display_name: &str,
) -> Result<(), ProfileError> {
    let username = match username.trim() {
        "" => None,
        text => Some(Username::new(text)?),
    };
    let display_name = DisplayName::new(display_name)?;
    let id = person.to_string();
    let cipher = studio.keys.of(person).await.map_err(Failure::from)?;
    let sealed_username = username
        .as_ref()
        .map(|username| cipher.seal(USERNAME, &id, username.expose()));
    let sealed_name = display_name
        .as_ref()
        .map(|name| cipher.seal(DISPLAY_NAME, &id, name.expose()));
    let mut tx = studio.db.write().await?;
    let folded = username
        .as_ref()
        .map(|username| studio.keys.blind("username", &username.folded()));
    let other: Option<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT person_id FROM account WHERE username_key = $1 AND person_id <> $2")
            .bind(&folded)
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    if other.is_some() {
        return Err(ProfileError::UsernameTaken);
    }
    let set = on!(tx, conn => {
        sqlx::query(
            "UPDATE account SET username = $2, username_key = $3, display_name = $4 \
             WHERE person_id = $1",
        )
        .bind(person.to_string())
        .bind(sealed_username.as_ref().map(Sealed::as_str))
        .bind(&folded)
        .bind(sealed_name.as_ref().map(Sealed::as_str))
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    });
    match set {
        Ok(_) => {}
        // Somebody else was quicker.
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            return Err(ProfileError::UsernameTaken);
        }
        Err(error) => return Err(error.into()),
    }
    tx.commit().await?;
    Ok(())
}
