//! One organisation: who is in it, who comes in, what it has, and its end.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::credits::Credits;
use domain::ids::{GrantId, InvitationId, PersonId};
use studio::credits;
use studio::organisations::inviting::{self, Invitation};
use studio::organisations::members::{self, Member as InIt};
use studio::organisations::{self, Organisation, OrganisationError, Role};
use studio::privacy::export::{self, By};

use super::super::sent::Sent;
use super::super::{Shown, onward, render};
use super::confirm;
use super::organisations::{HERE, NAME_CHARS, mistake, problem, stands};
use crate::Site;
use crate::api::{Origin, fetched};
use crate::caller::Member;
use crate::pages::Frame;
use crate::problem::Problem;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "account_organisation.html")]
struct OrganisationPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    one: Organisation,
    own: PersonId,
    is_acting: bool,
    members: Vec<InIt>,
    invitations: Vec<Invitation>,
    /// The link that was just made, to be seen this once.
    fresh: Option<String>,
    /// Absent where nothing is metered.
    available: Option<Credits>,
    /// A gift that is sent twice is given once.
    gift: GrantId,
    mistake: Option<String>,
}

impl OrganisationPage {
    fn owns(&self) -> bool {
        self.one.role == Role::Owner
    }

    fn is_owner(&self, member: &InIt) -> bool {
        member.role == Role::Owner
    }

    fn stands(&self) -> String {
        stands(self.t, &self.one)
    }

    fn since(&self, member: &InIt) -> String {
        let words = &self.t.organisations;
        let role = match member.role {
            Role::Owner => &words.is_owner,
            Role::Member => &words.is_member,
        };
        format!("{role} · {}", words.since.fill(&self.t.exact(member.since)))
    }

    fn link(&self, one: &Invitation) -> String {
        self.t.organisations.link.fill(&self.t.exact(one.ends))
    }
}

/// What became of what was asked.
enum Outcome {
    Shown,
    Link(String),
    Mistake(StatusCode, String),
}

async fn page(
    site: &Site,
    member: &Member,
    id: PersonId,
    outcome: Outcome,
) -> Result<Response, Shown> {
    let (studio, own) = (&site.studio, member.known.person);
    let one = organisations::find(studio, own, id).await?;
    let one = one.ok_or_else(|| problem(OrganisationError::NotIn))?;
    let (status, fresh, mistake) = match outcome {
        Outcome::Shown => (StatusCode::OK, None, None),
        Outcome::Link(link) => (StatusCode::CREATED, Some(link), None),
        Outcome::Mistake(status, says) => (status, None, Some(says)),
    };
    let page = OrganisationPage {
        t: Texts::get(),
        frame: Frame::member("account"),
        tab: "organisations",
        own,
        is_acting: member
            .known
            .acting
            .is_some_and(|acting| acting.organisation == id),
        members: members::list(studio, own, id).await?,
        invitations: inviting::list(studio, own, id).await?,
        fresh,
        available: credits::balance(studio, id)
            .await?
            .map(|balance| balance.available),
        gift: GrantId::new(studio.clock.now(), &studio.randomness),
        mistake,
        one,
    };
    Ok(render(status, &page))
}

fn read(id: &str) -> Result<PersonId, Problem> {
    id.parse().map_err(|_| problem(OrganisationError::NotIn))
}

pub(super) async fn show(
    State(site): State<Site>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Shown> {
    page(&site, &member, read(&id)?, Outcome::Shown).await
}

/// `what` says what is changed: `invite`, `take_back`, `owner`, `member`, `take_out`, `rename` or `give`.
pub(super) async fn change(
    State(site): State<Site>,
    member: Member,
    origin: Origin,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Shown> {
    let id = read(&id)?;
    match changed(&site, &member, &origin, id, &sent).await {
        Ok(Some(link)) => page(&site, &member, id, Outcome::Link(link)).await,
        Ok(None) => Ok(onward(&format!("{HERE}/{id}"))),
        Err(error) => {
            let (status, says) = mistake(error)?;
            page(&site, &member, id, Outcome::Mistake(status, says)).await
        }
    }
}

async fn changed(
    site: &Site,
    member: &Member,
    origin: &Origin,
    id: PersonId,
    sent: &Sent,
) -> Result<Option<String>, OrganisationError> {
    let (studio, own) = (&site.studio, member.known.person);
    let other = || {
        sent.text("person")
            .parse()
            .map_err(|_| OrganisationError::NoMember)
    };
    match sent.text("what") {
        "invite" => {
            let token = inviting::invite(studio, own, id).await?;
            return Ok(Some(origin.url(&format!("{HERE}/join/{}", token.expose()))));
        }
        "take_back" => {
            if let Ok(link) = sent.text("link").parse::<InvitationId>() {
                inviting::take_back(studio, own, id, link).await?;
            }
        }
        "owner" => members::set_role(studio, own, id, other()?, Role::Owner).await?,
        "member" => members::set_role(studio, own, id, other()?, Role::Member).await?,
        "take_out" => members::remove(studio, own, id, other()?).await?,
        "rename" => organisations::rename(studio, own, id, sent.text("name")).await?,
        "give" => {
            let credits = Credits::new(sent.text("credits").trim().parse().unwrap_or(0));
            let fresh = GrantId::new(studio.clock.now(), &studio.randomness);
            let gift = sent.text("gift").parse().unwrap_or(fresh);
            organisations::give_credits(studio, own, id, gift, credits).await?;
        }
        _ => {}
    }
    Ok(None)
}

pub(super) async fn leave(
    State(site): State<Site>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Shown> {
    let id = read(&id)?;
    match members::leave(&site.studio, member.known.person, id).await {
        Ok(()) => Ok(onward(HERE)),
        Err(error) => {
            let (status, says) = mistake(error)?;
            page(&site, &member, id, Outcome::Mistake(status, says)).await
        }
    }
}

/// Whoever finds a browser open must not delete anything: the owner proves who they are, and types the name.
pub(super) async fn delete(
    State(site): State<Site>,
    member: Member,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Shown> {
    let id = read(&id)?;
    if let Some(first) = confirm::first(&site, &member, &format!("{HERE}/{id}")) {
        return Ok(first);
    }
    let (studio, own) = (&site.studio, member.known.person);
    let one = organisations::find(studio, own, id).await?;
    let one = one.ok_or_else(|| problem(OrganisationError::NotIn))?;
    if sent.text("typed").trim() != one.name {
        let says = Texts::get().organisations.delete_wrong.clone();
        let wrong = Outcome::Mistake(StatusCode::BAD_REQUEST, says);
        return page(&site, &member, id, wrong).await;
    }
    match organisations::dissolve(studio, own, id).await {
        Ok(begun) => Ok(onward(&format!("/receipts/{}", begun.receipt.expose()))),
        Err(error) => {
            let (status, says) = mistake(error)?;
            page(&site, &member, id, Outcome::Mistake(status, says)).await
        }
    }
}

async fn owned(site: &Site, member: &Member, id: &str) -> Result<PersonId, Shown> {
    let id = read(id)?;
    let one = organisations::find(&site.studio, member.known.person, id).await?;
    match one.map(|one| one.role) {
        Some(Role::Owner) => Ok(id),
        Some(Role::Member) => Err(problem(OrganisationError::NotOwner).into()),
        None => Err(problem(OrganisationError::NotIn).into()),
    }
}

pub(super) async fn take(
    State(site): State<Site>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Shown> {
    let id = owned(&site, &member, &id).await?;
    if let Some(first) = confirm::first(&site, &member, &format!("{HERE}/{id}")) {
        return Ok(first);
    }
    let made = export::begin(&site.studio, id, By::Session).await?;
    Ok(onward(&format!("{HERE}/{id}/export/{}", made.id)))
}

pub(super) async fn fetch(
    State(site): State<Site>,
    member: Member,
    Path((id, export)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Shown> {
    let id = owned(&site, &member, &id).await?;
    Ok(fetched(&site.studio, id, &export, &headers).await?)
}
