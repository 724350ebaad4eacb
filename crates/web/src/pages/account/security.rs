//! How somebody signs in.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use studio::accounts::recovery::{self, RecoveryError};
use studio::accounts::second_factor;

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
    has_codes: bool,
    recovery_codes: u32,
    mistake: Option<(&'static str, String)>,
}

impl PasswordPage {
    async fn new(
        site: &Site,
        member: &Member,
        mistake: Option<(&'static str, String)>,
    ) -> Result<Self, Shown> {
        let person = member.known.person;
        Ok(Self {
            t: Texts::get(),
            here: "account",
            tab: "security",
            has_codes: second_factor::is_on(&site.studio, person).await?,
            recovery_codes: second_factor::recovery_codes_left(&site.studio, person).await?,
            mistake,
        })
    }

    fn is_wrong(&self, field: &str) -> bool {
        self.mistake
            .as_ref()
            .is_some_and(|(wrong, _)| *wrong == field)
    }
}

pub(super) async fn show(State(site): State<Site>, member: Member) -> Result<Response, Shown> {
    Ok(ok(&PasswordPage::new(&site, &member, None).await?))
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
    let page = PasswordPage::new(&site, &member, Some(mistake)).await?;
    Ok(render(StatusCode::BAD_REQUEST, &page))
}
