//! All pictures, and one of them large.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::credits::Credits;
use domain::ids::PictureId;
use domain::picture::Format;
use studio::pictures::{self, Picture};
use studio::{Studio, gallery, jobs};

use super::credits::Purse;
use super::{Shown, ok, onward, wants_part};
use crate::api::{answer, caching, content_path, is_known, pairs};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::texts::Texts;
use crate::when;

const PICTURES_PER_PAGE: u32 = 48;
/// Twice the width at which it is shown, for dense screens.
const THUMBNAIL_EDGE: u32 = 512;

#[derive(Template)]
#[template(path = "pictures.html")]
struct PicturesPage {
    t: &'static Texts,
    here: &'static str,
    pictures: Vec<Picture>,
    older: Option<PictureId>,
    is_newest: bool,
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
    let page = gallery::page(&studio, person, before, PICTURES_PER_PAGE).await?;
    let is_newest = before.is_none();
    let (pictures, older) = (page.items, page.next);
    Ok(ok(&PicturesPage {
        t: Texts::get(),
        here: "pictures",
        pictures,
        older,
        is_newest,
    }))
}

#[derive(Template)]
#[template(path = "picture.html")]
struct PicturePage {
    t: &'static Texts,
    here: &'static str,
    view: PictureView,
}

/// The picture with everything about it: a page, or what the light box shows.
#[derive(Template)]
#[template(path = "picture_view.html")]
struct PictureView {
    t: &'static Texts,
    picture: Picture,
    /// What its order would cost again.
    again: Option<Credits>,
}

impl PictureView {
    fn content(&self) -> String {
        content_path(self.picture.id)
    }

    fn formats(&self) -> [Format; 3] {
        Format::ALL
    }

    fn label(&self, format: &Format) -> &'static str {
        match format {
            Format::Png => "PNG",
            Format::Jpeg => "JPEG",
            Format::Webp => "WebP",
        }
    }

    fn kilobytes(&self) -> String {
        self.t
            .picture
            .kilobytes
            .fill(&self.picture.size_bytes.div_ceil(1000))
    }

    /// `Draw again · 4 credits`
    fn again_label(&self) -> String {
        let label = &self.t.picture.again;
        match self.again {
            Some(cost) => self
                .t
                .credits
                .button
                .fill_all(&[label, &self.t.credits(cost)]),
            None => label.clone(),
        }
    }

    fn exact(&self) -> String {
        self.t.exact(self.picture.created)
    }

    fn iso(&self) -> String {
        when::iso(self.picture.created)
    }
}

pub(super) async fn show(
    State(studio): State<Studio>,
    Caller(person): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Shown> {
    let id: PictureId = id.parse().map_err(|_| Problem::no_picture())?;
    let picture = pictures::find(&studio, person, id)
        .await?
        .ok_or_else(Problem::no_picture)?;
    let t = Texts::get();
    let again = match Purse::of(&studio, person).await? {
        Some(purse) => jobs::find(&studio, person, picture.job)
            .await?
            .and_then(|job| purse.again(&studio, &job)),
        None => None,
    };
    let view = PictureView { t, picture, again };
    if wants_part(&headers) {
        return Ok(ok(&view));
    }
    Ok(ok(&PicturePage {
        t,
        here: "pictures",
        view,
    }))
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
    let file = pictures::thumbnail(&studio, person, id, THUMBNAIL_EDGE).await?;
    Ok(answer(file.ok_or_else(Problem::no_picture)?, &etag))
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
