//! Is shown to everybody: pictures of which their people say so, one by one, and for as long as they do.
//!
//! Architecture invariant: whether a picture is shown is asked of the database each time that it is, so
//! nothing that was taken back is shown a second later. Nothing here tells whose it is: a picture goes
//! by the number of the decision, which a new decision replaces.

use db::on;
use domain::clock::Moment;
use domain::ids::{ConsentId, PictureId};
use domain::picture::Size;

use crate::jobs::Page;
use crate::pictures::{self, File};
use crate::privacy::consent::{self, Optional};
use crate::{Failure, Studio};

/// A picture that everybody sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Example {
    pub id: ConsentId,
    pub size: Size,
}

/// Its longer edge, in pixels, at most.
pub const EDGE: u32 = 1024;

/// What is shown, the newest first, from the one after `before`.
pub async fn page(
    studio: &Studio,
    before: Option<ConsentId>,
    limit: u32,
) -> Result<Page<Example, ConsentId>, Failure> {
    let allowed = consent::allows_picture(Optional::Examples, "picture.person_id", "picture.id");
    // Only the newest decision about a picture has no later one, so each picture comes once.
    let statement = format!(
        "SELECT said.id, picture.width, picture.height FROM consent said \
         JOIN picture ON picture.id = said.picture_id AND picture.person_id = said.person_id \
         WHERE said.purpose = '{}' AND said.picture_id IS NOT NULL AND said.id < $1 \
         AND NOT EXISTS (SELECT 1 FROM consent later WHERE later.picture_id = said.picture_id AND \
         later.person_id = said.person_id AND later.purpose = said.purpose AND later.number > said.number) \
         AND {allowed} ORDER BY said.id DESC LIMIT $2",
        Optional::Examples.name()
    );
    // Nothing sorts after this.
    let until = before.map_or_else(|| "~".to_owned(), |id| id.to_string());
    let mut tx = studio.db.read().await?;
    let rows: Vec<(String, i64, i64)> = on!(tx, conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(until)
            .bind(i64::from(limit) + 1)
            .fetch_all(conn)
            .await
    })?;
    let mut items = Vec::new();
    for (id, width, height) in rows {
        let bad = |what: &str| Failure::Row(format!("{what} of the picture of {id}"));
        items.push(Example {
            id: id.parse().map_err(|_| bad("decision"))?,
            size: Size {
                width: u32::try_from(width).map_err(|_| bad("width"))?,
                height: u32::try_from(height).map_err(|_| bad("height"))?,
            },
        });
    }
    let is_more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let last = items.last().map(|last| last.id);
    Ok(Page {
        next: last.filter(|_| is_more),
        items,
    })
}

/// A picture that is shown, as JPEG with nothing in it but the picture; `None` where it is not shown, or
/// not any more.
pub async fn file(studio: &Studio, id: ConsentId) -> Result<Option<File>, Failure> {
    let mut tx = studio.db.read().await?;
    let held = consent::holder(&mut tx, Optional::Examples, id).await?;
    drop(tx);
    match held {
        Some((proof, _)) => pictures::shown(studio, &proof, EDGE).await,
        None => Ok(None),
    }
}

/// What became of an example that those who run the house took down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenDown {
    pub picture: PictureId,
    /// Since when it had been shown.
    pub since: Moment,
}

/// Those who run the house take a picture from among the examples; its person keeps it, and reads in their
/// log that it was not them. `None` where it is not shown.
pub async fn take_down(studio: &Studio, id: ConsentId) -> Result<Option<TakenDown>, Failure> {
    let mut tx = studio.db.write().await?;
    let Some((proof, since)) = consent::holder(&mut tx, Optional::Examples, id).await? else {
        return Ok(None);
    };
    consent::end_by_house(studio, &mut tx, &proof).await?;
    tx.commit().await?;
    let picture = proof.subject().picture;
    Ok(picture.map(|picture| TakenDown { picture, since }))
}
