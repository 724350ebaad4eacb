//! A person's pictures: found again, several at once, one of them large.

mod chosen;
mod keeping;
mod view;

pub(super) use chosen::{act, star};
pub(super) use keeping::{choose, choose_one};
pub(super) use view::{consent, show};

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::ids::PictureId;
use domain::model::ModelName;
use studio::jobs::Page;
use studio::pictures::{self, Kind, Picture};
use studio::privacy::keeping::{Keep, of};
use studio::{Studio, gallery};

use super::{Frame, Shown, onward, render, wants_part};
use crate::api::{answer, caching, is_known, pairs};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::search::Asked;
use crate::texts::Texts;

const PICTURES_PER_PAGE: u32 = 48;
/// Twice the width at which it is shown, for dense screens.
const THUMBNAIL_EDGE: u32 = 512;

#[derive(Template)]
#[template(path = "pictures.html")]
struct PicturesPage {
    t: &'static Texts,
    frame: Frame,
    pictures: Vec<Picture>,
    older: Option<PictureId>,
    is_newest: bool,
    asked: Asked,
    /// Models to choose from, where there are several.
    models: Vec<ModelName>,
    keep: Keep,
    mistake: Option<Problem>,
}

impl PicturesPage {
    fn kinds(&self) -> [(&'static str, &'static str); 2] {
        let words = &self.t.pictures;
        Kind::ALL.map(|kind| {
            let label = match kind {
                Kind::Drawing => &words.drawings,
                Kind::Variation => &words.variations,
            };
            (kind.name(), label.as_str())
        })
    }

    fn ways(&self) -> Vec<keeping::Choice> {
        keeping::choices(self.t, self.keep)
    }

    /// When a picture goes, where its person chose a time.
    fn goes(&self, picture: &Picture) -> Option<String> {
        let end = picture.ends?;
        Some(self.t.pictures.goes.fill(&self.t.exact(end)))
    }

    /// This very page, to come back to.
    fn back(&self) -> String {
        format!("/pictures?{}", self.asked.query())
            .trim_end_matches(['&', '?'])
            .to_owned()
    }

    fn is_wrong(&self, param: &str) -> bool {
        let wrong = self.mistake.as_ref();
        wrong.is_some_and(|problem| problem.param.as_deref() == Some(param))
    }
}

pub(super) async fn list(
    State(studio): State<Studio>,
    Caller(person): Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, Shown> {
    let given = pairs(query.unwrap_or_default().as_bytes());
    let before = given
        .iter()
        .find(|(name, _)| name == "before")
        .map(|(_, id)| id.parse::<PictureId>());
    let before = before.transpose().map_err(|_| Problem::no_picture())?;
    let asked = Asked::read(&given);
    let (page, mistake) = match asked.search() {
        Ok(search) => {
            let found = gallery::search(&studio, person, &search, before, PICTURES_PER_PAGE);
            (found.await?, None)
        }
        Err(mistake) => (
            Page {
                items: Vec::new(),
                next: None,
            },
            Some(mistake),
        ),
    };
    let models = gallery::models(&studio, person).await?;
    let status = mistake
        .as_ref()
        .map_or(StatusCode::OK, |problem| problem.status);
    let page = PicturesPage {
        t: Texts::get(),
        frame: Frame::member("pictures"),
        pictures: page.items,
        older: page.next,
        is_newest: before.is_none(),
        keep: of(&studio, person).await?,
        models: Some(models).filter(|all| all.len() > 1).unwrap_or_default(),
        asked,
        mistake,
    };
    Ok(render(status, &page))
}

pub(super) async fn thumbnail(
    State(studio): State<Studio>,
    Caller(person): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id: PictureId = id.parse().map_err(|_| Problem::no_picture())?;
    let picture = pictures::find(&studio, person, id)
        .await?
        .ok_or_else(Problem::no_picture)?;
    let etag = format!("\"{}-{THUMBNAIL_EDGE}\"", picture.sha256);
    if is_known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching(&etag)).into_response());
    }
    let file = pictures::thumbnail(&studio, &picture, THUMBNAIL_EDGE).await?;
    Ok(answer(file, &etag))
}

pub(super) async fn delete(
    State(studio): State<Studio>,
    Caller(person): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Shown> {
    let id: PictureId = id.parse().map_err(|_| Problem::no_picture())?;
    if !pictures::delete(&studio, person, id).await? {
        return Err(Problem::no_picture().into());
    }
    if wants_part(&headers) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(onward("/pictures"))
}
