//! Is shown: a person's pictures, newest first.

use db::on;
use domain::ids::{PersonId, PictureId};

use crate::jobs::Page;
use crate::pictures::{Picture, PictureRow};
use crate::{Failure, Studio};

/// A person's pictures, newest first, from the one after `before`.
pub async fn page(
    studio: &Studio,
    person: PersonId,
    before: Option<PictureId>,
    limit: u32,
) -> Result<Page<Picture, PictureId>, Failure> {
    // '~' sorts after every id.
    let before = before.map_or_else(|| "~".to_owned(), |id| id.to_string());
    let mut tx = studio.db.read().await?;
    let rows: Vec<PictureRow> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT picture.*, job.model, job.prompt, hold.price FROM picture \
             JOIN job ON job.id = picture.job_id LEFT JOIN hold ON hold.job_id = job.id \
             WHERE picture.person_id = $1 AND picture.id < $2 ORDER BY picture.id DESC LIMIT $3",
        )
        .bind(person.to_string())
        .bind(before)
        .bind(i64::from(limit) + 1)
        .fetch_all(conn)
        .await
    })?;
    let more = rows.len() > limit as usize;
    let pictures = rows
        .into_iter()
        .take(limit as usize)
        .map(PictureRow::into_picture);
    let items = pictures.collect::<Result<Vec<_>, _>>()?;
    let next = items.last().map(|picture| picture.id).filter(|_| more);
    Ok(Page { items, next })
}
