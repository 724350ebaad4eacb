//! Accounts of children, for those who answer for it: what is locked, and why; locking one, and opening it again.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::ids::PersonId;
use domain::personal::Address;
use studio::Studio;
use studio::accounts::{Known, person};
use studio::privacy::looking::Staff;
use studio::privacy::restriction::MAX_REASON_CHARS;
use studio::privacy::restriction::child::{self, ChildError, Locked};

use super::super::account::child_problem;
use super::super::sent::Sent;
use super::super::{Frame, Shown, onward, render};
use super::{Tab, or_asked, tabs};
use crate::Site;
use crate::caller::Asker;
use crate::problem::Problem;
use crate::texts::Texts;

const HERE: &str = "/desk/children";

#[derive(Template)]
#[template(path = "desk_children.html")]
struct ChildrenPage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    locked: Vec<Locked>,
    account: String,
    reason: String,
    /// Of which field, or of which account.
    mistake: Option<(String, String)>,
}

impl ChildrenPage {
    fn facts(&self, one: &Locked) -> String {
        let [since, erased] = [one.since, one.erased].map(|moment| self.t.exact(moment));
        self.t.desk_children.facts.fill_two(&since, &erased)
    }

    fn wrong(&self, field: &str) -> Option<&str> {
        let (of, what) = self.mistake.as_ref()?;
        (of == field).then_some(what.as_str())
    }

    fn wrong_of(&self, one: &Locked) -> Option<&str> {
        self.wrong(&one.person.to_string())
    }

    const fn max_reason(&self) -> usize {
        MAX_REASON_CHARS
    }
}

async fn page(
    site: &Site,
    known: &Known,
    [account, reason]: [&str; 2],
    mistake: Option<(String, String)>,
) -> Result<Response, Shown> {
    let found = child::locked(&site.studio, &Staff::on_page(known)).await;
    let status = match mistake {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let page = ChildrenPage {
        t: Texts::get(),
        frame: Frame::member("desk"),
        tabs: tabs(known.role, HERE),
        locked: or_asked(found, HERE)?,
        account: account.to_owned(),
        reason: reason.to_owned(),
        mistake,
    };
    Ok(render(status, &page))
}

pub(super) async fn list(State(site): State<Site>, Asker(known): Asker) -> Result<Response, Shown> {
    page(&site, &known, ["", ""], None).await
}

/// Whose account it is, by its address or its number.
async fn named(studio: &Studio, text: &str) -> Result<Option<PersonId>, Problem> {
    let text = text.trim();
    if let Ok(id) = text.parse() {
        return Ok(Some(id));
    }
    match Address::new(text) {
        Ok(address) => Ok(person::id_by_address(studio, &address).await?),
        Err(_) => Ok(None),
    }
}

/// `do=lock` with `account`, or `do=unlock` with `person`; both with `reason`.
pub(super) async fn act(
    State(site): State<Site>,
    Asker(known): Asker,
    sent: Sent,
) -> Result<Response, Shown> {
    let (studio, reason) = (&site.studio, sent.text("reason"));
    if sent.text("do") == "unlock" {
        let person: PersonId = sent
            .text("person")
            .parse()
            .map_err(|_| Problem::nothing())?;
        return match child::unlock(studio, person, reason).await {
            Ok(()) => Ok(onward(HERE)),
            Err(error @ ChildError::Reason) => {
                let wrong = Some((person.to_string(), error.to_string()));
                page(&site, &known, ["", ""], wrong).await
            }
            Err(error) => Err(child_problem(error).into()),
        };
    }
    let account = sent.text("account");
    let done = match named(studio, account).await? {
        Some(person) => child::find(studio, person, reason).await,
        None => Err(ChildError::Unknown),
    };
    let (field, says) = match done {
        Ok(()) => return Ok(onward(HERE)),
        Err(error @ ChildError::Reason) => ("reason", error.to_string()),
        Err(ChildError::Unknown) => ("account", Texts::get().desk_children.unknown.clone()),
        Err(error @ ChildError::Staff) => ("account", error.to_string()),
        Err(error) => return Err(child_problem(error).into()),
    };
    let wrong = Some((field.to_owned(), says));
    page(&site, &known, [account, reason], wrong).await
}
