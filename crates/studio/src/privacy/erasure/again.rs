//! Somebody who was erased came back with a backup, and is erased again: without their key, so that nobody
//! can read who they were, and without another letter.

use db::on;
use domain::ids::{ErasureId, PersonId};
use domain::secret::Token;

use super::{AskedBy, Done, Scope, State, marks, preview, steps, written};
use crate::accounts::hash;
use crate::jobs::line;
use crate::privacy::recipients;
use crate::{Failure, Studio};

/// Writes down that a person goes again; `false` where that was done before. What had begun when the
/// backup was taken begins anew, and its receipt is found where it was to be.
pub(crate) async fn ask_again(studio: &Studio, person: PersonId) -> Result<bool, Failure> {
    let plan = preview(studio, person, Scope::Account).await?;
    let letters = recipients::letters_offered(studio, person).await?;
    let now = studio.clock.now();
    let id = ErasureId::new(now, &studio.randomness);
    let mut tx = studio.db.write().await?;
    line::lock(&mut tx, person).await?;
    let former: Option<(String, String, String)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT id, asked_by, receipt_hash FROM erasure WHERE person_id = $1 AND ended_ms IS NULL",
        )
        .bind(person.to_string())
        .fetch_optional(conn)
        .await
    })?;
    let again = AskedBy::Restoration.name();
    let mut receipt = hash(&Token::new(&studio.randomness));
    if let Some((former, asked_by, its_receipt)) = former {
        if asked_by == again {
            return Ok(false);
        }
        receipt = its_receipt;
        for statement in [
            "DELETE FROM erasure_mark WHERE erasure_id = $1",
            "DELETE FROM erasure WHERE id = $1",
        ] {
            on!(tx, conn => {
                sqlx::query(statement)
                    .bind(&former)
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected())
            })?;
        }
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
        .bind(id.to_string())
        .bind(person.to_string())
        .bind(Scope::Account.name())
        .bind(State::Verified.name())
        .bind(again)
        .bind(receipt)
        .bind(written(&plan)?)
        .bind(written(&done)?)
        .bind(marks::new_seal(studio, id))
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(true)
}

/// Erases whoever is to go again, until their rows and their files are gone; the rest is done by
/// [`steps::keep_erasing`].
pub(crate) async fn finish_again(studio: &Studio) -> Result<(), Failure> {
    let mut tx = studio.db.read().await?;
    let open: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT id FROM erasure WHERE ended_ms IS NULL AND asked_by = $1 ORDER BY id")
            .bind(AskedBy::Restoration.name())
            .fetch_all(conn)
            .await
    })?;
    drop(tx);
    for id in open {
        let id = id
            .parse()
            .map_err(|_| Failure::Row(format!("erasure {id:?}")))?;
        steps::finish_to(studio, &super::Ground::default(), id, State::BlobsGone).await?;
    }
    Ok(())
}
