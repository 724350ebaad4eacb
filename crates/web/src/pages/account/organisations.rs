//! Organisations of somebody's: which they are in, founding one, coming into one, and for whom they draw.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::ids::PersonId;
use domain::personal::DisplayName;
use domain::secret::Token;
use studio::organisations::{self, Organisation, OrganisationError, Role, inviting};

use super::super::sent::Sent;
use super::super::{Shown, onward, render};
use crate::Site;
use crate::caller::Member;
use crate::pages::Frame;
use crate::problem::Problem;
use crate::texts::Texts;

pub(super) const HERE: &str = "/account/organisations";

#[derive(Template)]
#[template(path = "account_organisations.html")]
struct OrganisationsPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    organisations: Vec<Organisation>,
    name: String,
    mistake: Option<String>,
}

impl OrganisationsPage {
    fn stands(&self, one: &Organisation) -> String {
        stands(self.t, one)
    }
}

/// `You own it · since 3 May 2026, 10:00 UTC`
pub(super) fn stands(t: &Texts, one: &Organisation) -> String {
    let words = &t.organisations;
    let role = match one.role {
        Role::Owner => &words.owner,
        Role::Member => &words.member,
    };
    format!("{role} · {}", words.since.fill(&t.exact(one.since)))
}

async fn page(
    site: &Site,
    person: PersonId,
    name: &str,
    mistake: Option<(StatusCode, String)>,
) -> Result<Response, Shown> {
    let (status, mistake) = match mistake {
        Some((status, says)) => (status, Some(says)),
        None => (StatusCode::OK, None),
    };
    let page = OrganisationsPage {
        t: Texts::get(),
        frame: Frame::member("account"),
        tab: "organisations",
        organisations: organisations::of_person(&site.studio, person).await?,
        name: name.to_owned(),
        mistake,
    };
    Ok(render(status, &page))
}

pub(super) async fn list(State(site): State<Site>, member: Member) -> Result<Response, Shown> {
    page(&site, member.known.person, "", None).await
}

pub(super) async fn found(
    State(site): State<Site>,
    member: Member,
    sent: Sent,
) -> Result<Response, Shown> {
    let (person, name) = (member.known.person, sent.text("name"));
    match organisations::found(&site.studio, person, name).await {
        Ok(id) => Ok(onward(&format!("{HERE}/{id}"))),
        Err(error) => {
            let mistake = mistake(error)?;
            page(&site, person, name, Some(mistake)).await
        }
    }
}

/// `organisation=per_…` draws for it from now on; without, one draws for oneself again.
pub(super) async fn act(
    State(site): State<Site>,
    member: Member,
    sent: Sent,
) -> Result<Response, Shown> {
    let organisation = match sent.text("organisation") {
        "" => None,
        text => Some(text.parse().map_err(|_| nothing())?),
    };
    let person = member.known.person;
    organisations::act_for(&site.studio, person, member.session, organisation)
        .await
        .map_err(problem)?;
    Ok(onward("/"))
}

#[derive(Template)]
#[template(path = "organisation_join.html")]
struct JoinPage {
    t: &'static Texts,
    frame: Frame,
    name: String,
    mistake: Option<String>,
}

async fn door(
    site: &Site,
    token: &str,
    mistake: Option<(StatusCode, String)>,
) -> Result<Response, Shown> {
    let name = match Token::read(token) {
        Some(token) => inviting::look(&site.studio, &token).await?,
        None => None,
    };
    let name = name.ok_or_else(|| problem(OrganisationError::NoInvitation))?;
    let (status, mistake) = match mistake {
        Some((status, says)) => (status, Some(says)),
        None => (StatusCode::OK, None),
    };
    let page = JoinPage {
        t: Texts::get(),
        frame: Frame::member("account"),
        name,
        mistake,
    };
    Ok(render(status, &page))
}

pub(super) async fn look(
    State(site): State<Site>,
    _: Member,
    Path(token): Path<String>,
) -> Result<Response, Shown> {
    door(&site, &token, None).await
}

pub(super) async fn join(
    State(site): State<Site>,
    member: Member,
    Path(text): Path<String>,
) -> Result<Response, Shown> {
    let token = Token::read(&text).ok_or_else(|| problem(OrganisationError::NoInvitation))?;
    match inviting::join(&site.studio, member.known.person, &token).await {
        Ok(id) => Ok(onward(&format!("{HERE}/{id}"))),
        Err(error) => {
            let mistake = mistake(error)?;
            door(&site, &text, Some(mistake)).await
        }
    }
}

fn nothing() -> Problem {
    problem(OrganisationError::NotIn)
}

/// A page of its own for what is not there or not allowed.
pub(super) fn problem(error: OrganisationError) -> Problem {
    let message = error.to_string();
    match error {
        OrganisationError::NotIn
        | OrganisationError::NoMember
        | OrganisationError::NoInvitation => {
            Problem::new(StatusCode::NOT_FOUND, "not_found", message)
        }
        OrganisationError::NotOwner => Problem::new(StatusCode::FORBIDDEN, "not_owner", message),
        OrganisationError::Failure(failure) => failure.into(),
        _ => Problem::new(StatusCode::CONFLICT, "conflict", message),
    }
}

/// What is said on the page where somebody can put it right.
pub(super) fn mistake(error: OrganisationError) -> Result<(StatusCode, String), Problem> {
    let says = error.to_string();
    match error {
        OrganisationError::Name | OrganisationError::Credits(_) => {
            Ok((StatusCode::BAD_REQUEST, says))
        }
        OrganisationError::TooMany
        | OrganisationError::Full
        | OrganisationError::TooManyInvitations
        | OrganisationError::LastOwner
        | OrganisationError::LastMember
        | OrganisationError::IsOwner
        | OrganisationError::AlreadyIn
        | OrganisationError::NotEnough
        | OrganisationError::Erase(_) => Ok((StatusCode::CONFLICT, says)),
        other => Err(problem(other)),
    }
}

pub(super) const NAME_CHARS: usize = DisplayName::MAX_CHARS;
