//! How somebody signs in.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::clock::Moment;
use studio::accounts::passkey::{self, Party, Passkey};
use studio::accounts::recovery::{self, RecoveryError};
use studio::accounts::second_factor;

use super::super::door::reset_problem;
use super::super::sent::Sent;
use super::super::{Shown, ok, onward, render};
use super::keep;
use crate::Site;
use crate::caller::Member;
use crate::pages::Frame;
use crate::relying_party::RelyingParty;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "account_password.html")]
pub(super) struct PasswordPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    passkeys: Vec<Passkey>,
    /// Why none can be added here.
    without_passkeys: Option<String>,
    has_codes: bool,
    recovery_codes: u32,
    mistake: Option<(&'static str, String)>,
    now: Moment,
}

impl PasswordPage {
    pub(super) async fn new(
        site: &Site,
        member: &Member,
        party: Result<Party, String>,
        mistake: Option<(&'static str, String)>,
    ) -> Result<Self, Shown> {
        let person = member.known.person;
        Ok(Self {
            t: Texts::get(),
            frame: Frame::member("account"),
            tab: "security",
            passkeys: passkey::list(&site.studio, person).await?,
            without_passkeys: party.err(),
            has_codes: second_factor::is_on(&site.studio, person).await?,
            recovery_codes: second_factor::recovery_codes_left(&site.studio, person).await?,
            mistake,
            now: site.studio.clock.now(),
        })
    }

    fn when(&self, passkey: &Passkey) -> String {
        let words = &self.t.account;
        let added = self.t.exact(passkey.created);
        match passkey.used {
            Some(used) => words
                .passkey_used
                .fill_two(&added, &self.t.ago(used, self.now)),
            None => words.passkey_unused.fill(&added),
        }
    }

    fn is_wrong(&self, field: &str) -> bool {
        self.mistake
            .as_ref()
            .is_some_and(|(wrong, _)| *wrong == field)
    }
}

pub(super) async fn show(
    State(site): State<Site>,
    RelyingParty(party): RelyingParty,
    member: Member,
) -> Result<Response, Shown> {
    Ok(ok(&PasswordPage::new(&site, &member, party, None).await?))
}

pub(super) async fn change(
    State(site): State<Site>,
    RelyingParty(party): RelyingParty,
    member: Member,
    sent: Sent,
) -> Result<Response, Shown> {
    let whose = (member.known.person, member.session);
    let (current, new) = (sent.text("current"), sent.text("password"));
    let mistake = match recovery::change(&site.studio, whose, current, new).await {
        Ok(token) => {
            return Ok(keep(&site, onward("/account/sessions"), &token));
        }
        Err(error @ RecoveryError::Wrong) => ("current", error.to_string()),
        Err(error @ (RecoveryError::Password(_) | RecoveryError::Guessable(_))) => {
            ("password", error.to_string())
        }
        Err(error) => return Err(reset_problem(error).into()),
    };
    let page = PasswordPage::new(&site, &member, party, Some(mistake)).await?;
    Ok(render(StatusCode::BAD_REQUEST, &page))
}
