//! The page behind the link that makes a browser known while somebody tries many passwords.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use studio::accounts::vouch;

use super::super::{Shown, ok, onward};
use super::{link_ended, token};
use crate::Site;
use crate::caller::Visiting;
use crate::cookies::{self, Cookie};
use crate::pages::Frame;
use crate::texts::Texts;

const ENDED: &str =
    "This link has been used, or is older than an hour. Sign in to see whether one is needed.";

/// A page with one button. Something happens only when it is pressed, since mail programs open
/// links by themselves.
#[derive(Template)]
#[template(path = "press.html")]
pub(in crate::pages) struct PressPage {
    pub(in crate::pages) t: &'static Texts,
    pub(in crate::pages) frame: Frame,
    pub(in crate::pages) heading: &'static str,
    pub(in crate::pages) message: &'static str,
    /// What the button does.
    pub(in crate::pages) button: &'static str,
}

pub(super) async fn show(
    State(site): State<Site>,
    Path(link): Path<String>,
) -> Result<Response, Shown> {
    let token = token(&link, ENDED)?;
    if !vouch::is_open(&site.studio, &token).await? {
        return Err(link_ended(ENDED).into());
    }
    let t = Texts::get();
    Ok(ok(&PressPage {
        t,
        frame: Frame::anyone(),
        heading: &t.door.vouch,
        message: &t.door.vouch_what,
        button: &t.door.vouch_do,
    }))
}

pub(super) async fn accept(
    State(site): State<Site>,
    Path(link): Path<String>,
    Visiting(visit): Visiting,
) -> Result<Response, Shown> {
    let token = token(&link, ENDED)?;
    let accepted = vouch::accept(&site.studio, &visit, &token).await?;
    let device = accepted.ok_or_else(|| link_ended(ENDED))?;
    let mut response = onward("/sign-in");
    let headers = response.headers_mut();
    cookies::set(headers, &site, Cookie::Device, device.expose());
    Ok(response)
}
