//! Keys of somebody's programs.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::ids::KeyId;
use domain::role::{Scope, Scopes};
use studio::accounts::key::{self, Key, KeyError, NewKey};

use super::super::sent::Sent;
use super::super::{Shown, onward, render};
use super::confirm;
use crate::Site;
use crate::caller::Member;
use crate::pages::Frame;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "account_keys.html")]
struct KeysPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    keys: Vec<Key>,
    /// What a new key may be allowed.
    scopes: Vec<(Scope, bool)>,
    name: String,
    limit: String,
    /// The key that was just made, to be seen this once.
    fresh: Option<String>,
    mistake: Option<(&'static str, String)>,
    now: domain::clock::Moment,
}

impl KeysPage {
    fn is_wrong(&self, field: &str) -> bool {
        self.mistake
            .as_ref()
            .is_some_and(|(wrong, _)| *wrong == field)
    }

    fn scope_words(&self, scope: &Scope) -> &str {
        let words = &self.t.account;
        match scope {
            Scope::Draw => &words.may_draw,
            Scope::PicturesRead => &words.may_read_pictures,
            Scope::PicturesWrite => &words.may_write_pictures,
            Scope::AccountRead => &words.may_read_account,
            Scope::AccountWrite => &words.may_write_account,
            Scope::AccountErase => &words.may_erase,
            Scope::AccountExport => &words.may_export,
            Scope::Admin => &words.may_administer,
        }
    }

    fn used(&self, key: &Key) -> String {
        match key.used {
            None => self.t.account.key_unused.clone(),
            Some(used) => self.t.account.key_used.fill(&self.t.ago(used, self.now)),
        }
    }
}

/// What a new key may do, where nothing else is chosen.
const USUAL: [Scope; 3] = [Scope::Draw, Scope::PicturesRead, Scope::AccountRead];

async fn page(
    site: &Site,
    member: Member,
    sent: Option<&Sent>,
    outcome: Result<Option<String>, (&'static str, String)>,
) -> Result<Response, Shown> {
    let chosen: Scopes = match sent {
        Some(sent) => chosen(sent),
        None => USUAL.into_iter().collect(),
    };
    let offered = Scopes::of_role(member.known.role);
    let text = |name| sent.map_or_else(String::new, |sent| sent.text(name).to_owned());
    let (fresh, mistake) = match outcome {
        Ok(fresh) => (fresh, None),
        Err(mistake) => (None, Some(mistake)),
    };
    let status = match (&mistake, &fresh) {
        (Some(_), _) => StatusCode::BAD_REQUEST,
        (_, Some(_)) => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    let page = KeysPage {
        t: Texts::get(),
        frame: Frame::member("account"),
        tab: "keys",
        keys: key::list(&site.studio, member.known.person).await?,
        scopes: offered
            .iter()
            .map(|scope| (scope, chosen.has(scope)))
            .collect(),
        name: text("name"),
        limit: text("limit"),
        fresh,
        mistake,
        now: site.studio.clock.now(),
    };
    Ok(render(status, &page))
}

fn chosen(sent: &Sent) -> Scopes {
    let named = |text: &str| Scope::ALL.into_iter().find(|scope| scope.name() == text);
    sent.all("scope").filter_map(named).collect()
}

pub(super) async fn list(State(site): State<Site>, member: Member) -> Result<Response, Shown> {
    page(&site, member, None, Ok(None)).await
}

pub(super) async fn make(
    State(site): State<Site>,
    member: Member,
    sent: Sent,
) -> Result<Response, Shown> {
    if let Some(first) = confirm::first(&site, &member, "/account/keys") {
        return Ok(first);
    }
    let limit_credits = match sent.text("limit").trim() {
        "" => None,
        text => Some(text.parse().unwrap_or(-1)),
    };
    let new = NewKey {
        name: sent.text("name").to_owned(),
        scopes: chosen(&sent),
        limit_credits,
    };
    let known = member.known;
    let mistake = match key::make(&site.studio, known.person, known.role, &new).await {
        Ok(fresh) => return page(&site, member, None, Ok(Some(fresh.expose()))).await,
        Err(error @ KeyError::Scopes) => ("scope", error.to_string()),
        Err(error @ KeyError::Limit) => ("limit", error.to_string()),
        Err(error @ (KeyError::Name | KeyError::TooMany)) => ("name", error.to_string()),
        Err(KeyError::Failure(failure)) => return Err(failure.into()),
    };
    page(&site, member, Some(&sent), Err(mistake)).await
}

pub(super) async fn revoke(
    State(site): State<Site>,
    member: Member,
    sent: Sent,
) -> Result<Response, Shown> {
    if let Ok(id) = sent.text("key").parse::<KeyId>() {
        key::revoke(&site.studio, member.known.person, id).await?;
    }
    Ok(onward("/account/keys"))
}
