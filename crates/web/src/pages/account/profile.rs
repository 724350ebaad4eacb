//! Who somebody is here.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::role::Role;
use studio::accounts::person::{self, Account};

use super::super::{Shown, ok};
use crate::Site;
use crate::caller::{Member, no_one};
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    t: &'static Texts,
    here: &'static str,
    tab: &'static str,
    account: Account,
    since: String,
}

impl AccountPage {
    fn is_operator(&self) -> bool {
        self.account.role == Role::Operator
    }
}

pub(super) async fn show(State(site): State<Site>, member: Member) -> Result<Response, Shown> {
    let account = person::find(&site.studio, member.known.person).await?;
    let account = account.ok_or_else(no_one)?;
    let t = Texts::get();
    Ok(ok(&AccountPage {
        t,
        here: "account",
        tab: "profile",
        since: t.exact(account.created),
        account,
    }))
}
