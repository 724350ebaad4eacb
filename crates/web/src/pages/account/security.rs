//! How somebody signs in.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use studio::accounts::recovery::{self, RecoveryError};

use super::super::door::reset_problem;
use super::super::sent::Sent;
use super::super::{Shown, ok, onward, render};
use crate::Site;
use crate::caller::Member;
use crate::cookies::{self, Cookie};
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "account_password.html")]
struct PasswordPage {
    t: &'static Texts,
    here: &'static str,
    tab: &'static str,
    mistake: Option<(&'static str, String)>,
}

impl PasswordPage {
    fn new(mistake: Option<(&'static str, String)>) -> Self {
        Self {
            t: Texts::get(),
            here: "account",
            tab: "security",
            mistake,
        }
    }

    fn is_wrong(&self, field: &str) -> bool {
        self.mistake
            .as_ref()
            .is_some_and(|(wrong, _)| *wrong == field)
    }
}

pub(super) async fn show(_: Member) -> Response {
    ok(&PasswordPage::new(None))
}

pub(super) async fn change(
    State(site): State<Site>,
    member: Member,
    sent: Sent,
) -> Result<Response, Shown> {
    let whose = (member.known.person, member.session);
    let (current, new) = (sent.text("current"), sent.text("password"));
    let mistake = match recovery::change(&site.studio, whose, current, new).await {
        Ok(token) => {
            let mut response = onward("/account/sessions");
            cookies::set(
                response.headers_mut(),
                &site,
                Cookie::Session,
                token.expose(),
            );
            return Ok(response);
        }
        Err(error @ RecoveryError::Wrong) => ("current", error.to_string()),
        Err(error @ (RecoveryError::Password(_) | RecoveryError::Guessable(_))) => {
            ("password", error.to_string())
        }
        Err(error) => return Err(reset_problem(error).into()),
    };
    Ok(render(
        StatusCode::BAD_REQUEST,
        &PasswordPage::new(Some(mistake)),
    ))
}
