//! Several pictures at once: downloaded, marked, deleted.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::ids::{PersonId, PictureId};
use studio::privacy::restriction::Operation;
use studio::{Studio, archive, pictures};

use super::super::door::safe_next;
use super::super::sent::Sent;
use super::super::{Frame, Shown, ok, onward, wants_part};
use crate::api::{Origin, zip};
use crate::caller::{Asker, Caller};
use crate::problem::Problem;
use crate::texts::Texts;

/// Shown of those that shall be deleted; the rest is counted.
const MAX_SHOWN: usize = 12;

#[derive(Template)]
#[template(path = "pictures_delete.html")]
struct DeletePage<'a> {
    t: &'static Texts,
    frame: Frame,
    ids: &'a [PictureId],
    back: &'a str,
}

impl DeletePage<'_> {
    fn shown(&self) -> impl Iterator<Item = &PictureId> {
        self.ids.iter().take(MAX_SHOWN)
    }

    fn count(&self) -> u32 {
        u32::try_from(self.ids.len()).unwrap_or(u32::MAX)
    }

    fn others(&self) -> Option<String> {
        let others = self.ids.len().checked_sub(MAX_SHOWN).filter(|n| *n > 0)?;
        let others = u32::try_from(others).unwrap_or(u32::MAX);
        Some(self.t.pictures.others.of(others))
    }
}

pub(in crate::pages) async fn act(
    State(studio): State<Studio>,
    Asker(known): Asker,
    origin: Origin,
    sent: Sent,
) -> Result<Response, Shown> {
    let back = match sent.text("back") {
        "" => "/pictures",
        back => safe_next(back),
    };
    let ids = chosen(&sent)?;
    let person = known.person;
    let is_marking = matches!(sent.text("do"), "mark" | "unmark");
    if is_marking && !Operation::Arrange.is_done_in(known.mode) {
        return Err(Problem::restricted(known.mode).into());
    }
    match sent.text("do") {
        "download" => Ok(zip(&studio, person, &origin, ids).await?),
        "mark" => marked(&studio, person, &ids, true, back).await,
        "unmark" => marked(&studio, person, &ids, false, back).await,
        "delete" => Ok(ok(&DeletePage {
            t: Texts::get(),
            frame: Frame::member("pictures"),
            ids: &ids,
            back,
        })),
        "delete-for-good" => {
            pictures::delete_several(&studio, person, &ids).await?;
            Ok(onward(back))
        }
        _ => {
            let message = "Say what shall be done with these pictures: press one of the buttons.";
            Err(Problem::field("do", "invalid_value", message).into())
        }
    }
}

async fn marked(
    studio: &Studio,
    person: PersonId,
    ids: &[PictureId],
    is_favourite: bool,
    back: &str,
) -> Result<Response, Shown> {
    if pictures::mark(studio, person, ids, is_favourite).await? == 0 {
        return Err(Problem::no_picture().into());
    }
    Ok(onward(back))
}

fn chosen(sent: &Sent) -> Result<Vec<PictureId>, Problem> {
    let ids: Result<Vec<PictureId>, _> = sent.all("picture").map(str::parse).collect();
    let ids = ids.map_err(|_| Problem::no_picture())?;
    if ids.is_empty() {
        let message = "No picture is chosen. Tick at least one.";
        return Err(Problem::field(
            "picture",
            "missing_required_parameter",
            message,
        ));
    }
    if ids.len() > archive::MAX_PICTURES {
        let max = archive::MAX_PICTURES;
        let message = format!("These are too many pictures at once: at most {max}. Tick fewer.");
        return Err(Problem::field("picture", "invalid_value", message));
    }
    Ok(ids)
}

/// The star of one picture.
pub(in crate::pages) async fn star(
    State(studio): State<Studio>,
    Caller(person): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Shown> {
    let id: PictureId = id.parse().map_err(|_| Problem::no_picture())?;
    let is_favourite = sent.is_checked("on");
    if pictures::mark(&studio, person, &[id], is_favourite).await? == 0 {
        return Err(Problem::no_picture().into());
    }
    if wants_part(&headers) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(onward(&format!("/pictures/{id}")))
}
