//! Is shown: a person's pictures, newest first, and those among them that are looked for.

use db::on;
use domain::clock::Moment;
use domain::ids::{PersonId, PictureId};
use domain::model::ModelName;

use crate::jobs::Page;
use crate::order::Prose;
use crate::pictures::{Kind, Picture, PictureRow};
use crate::{Failure, Studio};

/// Pictures that one call looks through for those that fit; the next call goes on from there.
pub const MAX_LOOKED_THROUGH: u32 = 20_000;
const ROWS_AT_ONCE: u32 = 500;

/// What is looked for. Words are compared here and not in SQL: both databases then agree on what a
/// letter is.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Each must occur in the prompt, in capitals or not.
    pub words: Prose,
    pub model: Option<ModelName>,
    pub kind: Option<Kind>,
    /// Drawn at this moment or later.
    pub from: Option<Moment>,
    /// Drawn before this moment.
    pub until: Option<Moment>,
    pub only_favourites: bool,
}

/// A person's pictures, newest first, from the one after `before`.
pub async fn page(
    studio: &Studio,
    person: PersonId,
    before: Option<PictureId>,
    limit: u32,
) -> Result<Page<Picture, PictureId>, Failure> {
    search(studio, person, &Search::default(), before, limit).await
}

/// Those of a person's pictures that fit, newest first, from the one after `before`. A page may be
/// short, or empty, and still have a next one: see [`MAX_LOOKED_THROUGH`].
pub async fn search(
    studio: &Studio,
    person: PersonId,
    wanted: &Search,
    before: Option<PictureId>,
    limit: u32,
) -> Result<Page<Picture, PictureId>, Failure> {
    let sieve = Sieve::new(wanted);
    let until = wanted.until.map(PictureId::earliest);
    let mut before = match (before, until) {
        (Some(before), Some(until)) => Some(before.min(until)),
        (before, until) => before.or(until),
    };
    let from = wanted.from.map(PictureId::earliest);
    let at_once = match sieve.takes_all() {
        true => limit.saturating_add(1),
        false => ROWS_AT_ONCE,
    };
    let mut items = Vec::new();
    let mut looked_through = 0;
    while looked_through < MAX_LOOKED_THROUGH {
        let rows = rows(studio, person, wanted, (from, before), at_once).await?;
        let is_end = rows.len() < at_once as usize;
        let jobs: Vec<&str> = rows.iter().map(|row| row.job_id.as_str()).collect();
        let keys = studio.keys.objects(&jobs).await?;
        for row in rows {
            // Without its keys it was deleted just now, or is about to be.
            let Some(keys) = keys.get(&row.job_id) else {
                looked_through += 1;
                before = Some(row.id()?);
                continue;
            };
            let picture = row.into_picture(keys)?;
            let is_full = items.len() >= limit as usize;
            if is_full && sieve.lets_through(&picture) {
                let next = items.last().map(|last: &Picture| last.id);
                return Ok(Page { items, next });
            }
            looked_through += 1;
            before = Some(picture.id);
            if !is_full && sieve.lets_through(&picture) {
                items.push(picture);
            }
        }
        if is_end {
            return Ok(Page { items, next: None });
        }
    }
    Ok(Page {
        items,
        next: before,
    })
}

async fn rows(
    studio: &Studio,
    person: PersonId,
    wanted: &Search,
    (from, before): (Option<PictureId>, Option<PictureId>),
    limit: u32,
) -> Result<Vec<PictureRow>, Failure> {
    // '~' sorts after every id, and nothing before the empty text. The pictures are chosen before they
    // are joined, lest Postgres read all of a person's jobs for one page.
    let before = before.map_or_else(|| "~".to_owned(), |id| id.to_string());
    let from = from.map_or_else(String::new, |id| id.to_string());
    let mut tx = studio.db.read().await?;
    Ok(if wanted.only_favourites {
        on!(tx, conn => {
            sqlx::query_as(
                "SELECT picture.*, job.model, job.prompt, job.ancestors, hold.price FROM \
                 (SELECT * FROM picture WHERE person_id = $1 AND id < $2 AND id >= $3 \
                 AND favourite = 1 ORDER BY id DESC LIMIT $4) AS picture \
                 JOIN job ON job.id = picture.job_id LEFT JOIN hold ON hold.job_id = job.id \
                 ORDER BY picture.id DESC",
            )
            .bind(person.to_string())
            .bind(before)
            .bind(from)
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await
        })?
    } else {
        on!(tx, conn => {
            sqlx::query_as(
                "SELECT picture.*, job.model, job.prompt, job.ancestors, hold.price FROM \
                 (SELECT * FROM picture WHERE person_id = $1 AND id < $2 AND id >= $3 \
                 ORDER BY id DESC LIMIT $4) AS picture \
                 JOIN job ON job.id = picture.job_id LEFT JOIN hold ON hold.job_id = job.id \
                 ORDER BY picture.id DESC",
            )
            .bind(person.to_string())
            .bind(before)
            .bind(from)
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await
        })?
    })
}

/// What SQL is not asked.
struct Sieve<'a> {
    words: Vec<String>,
    model: Option<&'a ModelName>,
    kind: Option<Kind>,
}

impl<'a> Sieve<'a> {
    fn new(wanted: &'a Search) -> Self {
        let words = wanted.words.0.split_whitespace();
        Self {
            words: words.map(str::to_lowercase).collect(),
            model: wanted.model.as_ref(),
            kind: wanted.kind,
        }
    }

    fn takes_all(&self) -> bool {
        self.words.is_empty() && self.model.is_none() && self.kind.is_none()
    }

    fn lets_through(&self, picture: &Picture) -> bool {
        if self.model.is_some_and(|model| *model != picture.model)
            || self.kind.is_some_and(|kind| kind != picture.kind)
        {
            return false;
        }
        if self.words.is_empty() {
            return true;
        }
        let prompt = picture.prompt.as_ref();
        prompt.is_some_and(|prompt| {
            let prompt = prompt.expose().to_lowercase();
            self.words.iter().all(|word| prompt.contains(word))
        })
    }
}

/// The models that drew for a person, by name.
pub async fn models(studio: &Studio, person: PersonId) -> Result<Vec<ModelName>, Failure> {
    let mut tx = studio.db.read().await?;
    let mut models: Vec<ModelName> = Vec::new();
    // From name to name along the index: a person has few models and many jobs.
    loop {
        let after = models.last().map_or("", |name| name.as_str()).to_owned();
        let next: Option<String> = on!(tx, conn => {
            sqlx::query_scalar("SELECT MIN(model) FROM job WHERE person_id = $1 AND model > $2")
                .bind(person.to_string())
                .bind(after)
                .fetch_one(conn)
                .await
        })?;
        match next {
            Some(name) => models.push(ModelName::new(name)),
            None => return Ok(models),
        }
    }
}
