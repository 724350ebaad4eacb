//! Who somebody is here: all of it but the address is optional.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::role::Role;
use studio::accounts::address::{self, AddressError};
use studio::accounts::person::{self, Account};
use studio::accounts::profile::{self, ProfileError};

use super::super::door::told;
use super::super::sent::Sent;
use super::super::{Shown, onward, render};
use super::confirm;
use crate::Site;
use crate::caller::{Member, no_one};
use crate::pages::Frame;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    account: Account,
    since: String,
    username: String,
    display_name: String,
    /// The address that was asked for and is wrong.
    wanted: String,
    mistake: Option<(&'static str, String)>,
}

impl AccountPage {
    fn is_staff(&self) -> bool {
        self.account.role != Role::Person
    }

    fn is_wrong(&self, field: &str) -> bool {
        let mistake = self.mistake.as_ref();
        mistake.is_some_and(|(wrong, _)| *wrong == field)
    }
}

pub(super) async fn page(
    site: &Site,
    member: &Member,
    wrong: Option<(Option<&Sent>, &'static str, String)>,
) -> Result<Response, Shown> {
    let account = person::find(&site.studio, member.known.person).await?;
    let account = account.ok_or_else(no_one)?;
    let t = Texts::get();
    let (sent, mistake) = match wrong {
        Some((sent, field, says)) => (sent, Some((field, says))),
        None => (None, None),
    };
    let given = |name: &str, kept: &str| {
        let again = sent.filter(|sent| sent.has(name));
        again.map_or(kept, |sent| sent.text(name)).to_owned()
    };
    let username = account.username.as_ref().map_or("", |name| name.expose());
    let display_name = account
        .display_name
        .as_ref()
        .map_or("", |name| name.expose());
    let page = AccountPage {
        t,
        frame: Frame::member("account"),
        tab: "profile",
        since: t.exact(account.created),
        username: given("username", username),
        display_name: given("display_name", display_name),
        wanted: given("address", ""),
        account,
        mistake,
    };
    let status = match page.mistake {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    Ok(render(status, &page))
}

pub(super) async fn show(State(site): State<Site>, member: Member) -> Result<Response, Shown> {
    page(&site, &member, None).await
}

pub(super) async fn set(
    State(site): State<Site>,
    member: Member,
    sent: Sent,
) -> Result<Response, Shown> {
    let (username, name) = (sent.text("username"), sent.text("display_name"));
    let set = profile::set(&site.studio, member.known.person, username, name).await;
    let Err(error) = set else {
        return Ok(onward("/account"));
    };
    let says = Texts::get().mistake(&error);
    let field = match error {
        ProfileError::Username(_) | ProfileError::UsernameTaken => "username",
        ProfileError::DisplayName(_) => "display_name",
        ProfileError::Failure(failure) => return Err(failure.into()),
    };
    page(&site, &member, Some((Some(&sent), field, says))).await
}

pub(super) async fn change_address(
    State(site): State<Site>,
    member: Member,
    sent: Sent,
) -> Result<Response, Shown> {
    if let Some(first) = confirm::first(&site, &member, "/account") {
        return Ok(first);
    }
    let t = &Texts::get().door;
    let asked = address::ask(&site.studio, member.known.person, sent.text("address")).await;
    match asked {
        Ok(()) => {
            let onward = Some(("/account", t.to_account.as_str()));
            Ok(told(&t.look, &t.look_both, onward))
        }
        Err(AddressError::Failure(failure)) => Err(failure.into()),
        Err(error) => {
            let says = Texts::get().mistake(&error);
            page(&site, &member, Some((Some(&sent), "address", says))).await
        }
    }
}
