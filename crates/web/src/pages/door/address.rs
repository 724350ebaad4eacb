//! The page behind the two links that change an address.

use axum::extract::{Path, State};
use axum::response::Response;
use studio::accounts::address::{self, AddressError, Agreed};

use super::super::{Shown, ok};
use super::vouch::PressPage;
use super::{link_ended, token, told};
use crate::Site;
use crate::pages::Frame;
use crate::problem::Problem;
use crate::texts::Texts;

pub(super) async fn show(
    State(site): State<Site>,
    Path(link): Path<String>,
) -> Result<Response, Shown> {
    let ended = AddressError::LinkEnded.to_string();
    let token = token(&link, &ended)?;
    if !address::is_open(&site.studio, &token).await? {
        return Err(link_ended(&ended).into());
    }
    let t = Texts::get();
    Ok(ok(&PressPage {
        t,
        frame: Frame::anyone(),
        heading: &t.door.address_change,
        message: &t.door.address_change_what,
        button: &t.door.address_change_do,
    }))
}

pub(super) async fn agree(
    State(site): State<Site>,
    Path(link): Path<String>,
) -> Result<Response, Shown> {
    let token = token(&link, &AddressError::LinkEnded.to_string())?;
    let t = &Texts::get().door;
    let agreed = address::agree(&site.studio, &token).await;
    let message = match agreed.map_err(problem)? {
        Agreed::Half => &t.address_half,
        Agreed::Changed => &t.address_done,
    };
    let onward = Some(("/account", t.to_account.as_str()));
    Ok(told(&t.address_change, message, onward))
}

fn problem(error: AddressError) -> Problem {
    match error {
        AddressError::Failure(failure) => failure.into(),
        other => link_ended(&other.to_string()),
    }
}
