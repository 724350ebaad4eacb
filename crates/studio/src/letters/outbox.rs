//! Letters as those who run the house see them, to hand them on where no mail is set up.

use db::on;

use super::{ADDRESS, FIELDS, LetterRow, Posted};
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::Place;
use crate::privacy::looking::{self, Staff, View};
use crate::{Failure, Studio};

/// What the operator sees of letters.
const OUTBOX: View = View::of(&[(
    Purpose::Mail,
    &[
        ADDRESS,
        FIELDS,
        Place::new("letter", "kind"),
        Place::new("letter", "created_ms"),
    ],
)]);

/// The newest letters, for the operator.
pub async fn recent(studio: &Studio, staff: &Staff, limit: u32) -> Result<Vec<Posted>, Failure> {
    let mut tx = studio.db.write().await?;
    let rows: Vec<LetterRow> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM letter WHERE address IS NOT NULL ORDER BY id DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await
    })?;
    let mut whose = Vec::new();
    for row in &rows {
        whose.extend(row.person()?);
    }
    let seen = looking::look(studio, &mut tx, staff, OUTBOX, whose).await?;
    let readings = [seen.reading(ADDRESS)?, seen.reading(FIELDS)?];
    let mut letters = Vec::new();
    for row in rows {
        if let Some(cipher) = row.cipher(studio).await? {
            letters.push(row.into_posted(&cipher, readings)?);
        }
    }
    tx.commit().await?;
    Ok(letters)
}
