//! The page behind the link that makes the first operator.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use studio::accounts::sign_up::SignUpError;
use studio::accounts::welcome::{self, Welcome};

use super::super::sent::Sent;
use super::super::{Shown, render};
use super::sign_up::problem;
use super::{let_in, link_ended, token};
use crate::Site;
use crate::caller::Visiting;
use crate::pages::Frame;
use crate::texts::Texts;

const ENDED: &str = "This link is worth nothing any more: somebody runs this house already, or the program printed a newer one when it started.";

#[derive(Template)]
#[template(path = "welcome.html")]
struct WelcomePage {
    t: &'static Texts,
    frame: Frame,
    address: String,
    welcome: Welcome,
    mistake: Option<(&'static str, String)>,
}

impl WelcomePage {
    fn is_wrong(&self, field: &str) -> bool {
        self.mistake
            .as_ref()
            .is_some_and(|(wrong, _)| *wrong == field)
    }
}

pub(super) async fn show(
    State(site): State<Site>,
    Path(link): Path<String>,
) -> Result<Response, Shown> {
    page(&site, &link, "", None).await
}

async fn page(
    site: &Site,
    link: &str,
    address: &str,
    mistake: Option<(&'static str, String)>,
) -> Result<Response, Shown> {
    let token = token(link, ENDED)?;
    let welcome = welcome::look(&site.studio, &token).await?;
    let status = if mistake.is_some() {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    let page = WelcomePage {
        t: Texts::get(),
        frame: Frame::visitor(""),
        address: address.to_owned(),
        welcome: welcome.ok_or_else(|| link_ended(ENDED))?,
        mistake,
    };
    Ok(render(status, &page))
}

pub(super) async fn enter(
    State(site): State<Site>,
    Path(link): Path<String>,
    Visiting(visit): Visiting,
    sent: Sent,
) -> Result<Response, Shown> {
    let (token, address) = (token(&link, ENDED)?, sent.text("address"));
    let asked = (address, sent.text("password"));
    let adopts = sent.is_checked("adopt");
    let mistake = match welcome::enter(&site.studio, &visit, &token, asked, adopts).await {
        Ok(signed_in) => return Ok(let_in(&site, &signed_in, "/")),
        Err(error @ SignUpError::Address(_)) => ("address", error.to_string()),
        Err(error @ (SignUpError::Password(_) | SignUpError::Guessable(_))) => {
            ("password", error.to_string())
        }
        Err(SignUpError::LinkEnded) => return Err(link_ended(ENDED).into()),
        Err(error) => return Err(problem(error).into()),
    };
    page(&site, &link, address, Some(mistake)).await
}
