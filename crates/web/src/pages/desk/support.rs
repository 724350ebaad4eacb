//! What people write to the support, for those who answer: the list, one of them, and the answer.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::ids::{AttachmentId, TicketId};
use studio::accounts::Known;
use studio::privacy::looking::Staff;
use studio::support::{self, MAX_WORDS_CHARS, State as Standing, SupportError};

use super::super::sent::Sent;
use super::super::support::{Line, Said, about, conversation, picture, problem};
use super::super::{Frame, Shown, ok, onward, render};
use super::{Tab, or_asked, tabs};
use crate::Site;
use crate::caller::Asker;
use crate::problem::Problem;
use crate::texts::Texts;

const HERE: &str = "/desk/support";

#[derive(Template)]
#[template(path = "desk_support.html")]
struct ListPage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    tickets: Vec<Line>,
}

pub(super) async fn list(State(site): State<Site>, Asker(known): Asker) -> Result<Response, Shown> {
    let found = support::unclosed(&site.studio, &Staff::on_page(&known)).await;
    let now = site.studio.clock.now();
    let tickets = or_asked(found, HERE)?.into_iter();
    Ok(ok(&ListPage {
        t: Texts::get(),
        frame: Frame::member("desk"),
        tabs: tabs(known.role, HERE),
        tickets: tickets
            .map(|ticket| Line::new(format!("{HERE}/{}", ticket.id), ticket, now))
            .collect(),
    }))
}

#[derive(Template)]
#[template(path = "desk_ticket.html")]
struct TicketPage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    at: String,
    subject: String,
    facts: String,
    said: Vec<Said>,
    is_closed: bool,
    words: String,
    mistake: Option<String>,
}

impl TicketPage {
    const fn max_words(&self) -> usize {
        MAX_WORDS_CHARS
    }
}

async fn page(
    site: &Site,
    known: &Known,
    id: TicketId,
    words: &str,
    mistake: Option<String>,
) -> Result<Response, Shown> {
    let at = format!("{HERE}/{id}");
    let found = support::show(&site.studio, &Staff::on_page(known), id).await;
    let ticket = or_asked(found, &at)?.ok_or_else(Problem::nothing)?;
    let status = match mistake {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let t = Texts::get();
    let who = match (&ticket.address, ticket.person) {
        (Some(address), _) => t.desk_support.from_mailbox.fill(address.expose()),
        (None, Some(person)) => t.desk_support.from_account.fill(&person),
        (None, None) => String::new(),
    };
    let opened = t.support.opened.fill(&t.exact(ticket.opened));
    let page = TicketPage {
        t,
        frame: Frame::member("desk"),
        tabs: tabs(known.role, HERE),
        said: conversation(&ticket, &at, [&t.desk_support.they, &t.support.we]),
        at,
        facts: format!("{} · {opened} · {who}", about(ticket.about)),
        is_closed: ticket.state == Standing::Closed,
        subject: ticket.subject,
        words: words.to_owned(),
        mistake,
    };
    Ok(render(status, &page))
}

fn read(id: &str) -> Result<TicketId, Problem> {
    id.parse().map_err(|_| Problem::nothing())
}

pub(super) async fn show(
    State(site): State<Site>,
    Asker(known): Asker,
    Path(id): Path<String>,
) -> Result<Response, Shown> {
    page(&site, &known, read(&id)?, "", None).await
}

/// `do` says whether that is the end of it: answer or close.
pub(super) async fn answer(
    State(site): State<Site>,
    Asker(known): Asker,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Shown> {
    let id = read(&id)?;
    let words = sent.text("words");
    let closes = sent.text("do") == "close";
    match support::answer(&site.studio, id, words, closes).await {
        Ok(()) => Ok(onward(&format!("{HERE}/{id}"))),
        Err(error @ SupportError::Words) => {
            page(&site, &known, id, words, Some(error.to_string())).await
        }
        Err(error) => Err(problem(error).into()),
    }
}

pub(super) async fn file(
    State(site): State<Site>,
    Asker(known): Asker,
    Path((id, file)): Path<(String, String)>,
) -> Result<Response, Shown> {
    let file: AttachmentId = file.parse().map_err(|_| Problem::nothing())?;
    let (id, staff) = (read(&id)?, Staff::on_page(&known));
    let found = support::file_for_staff(&site.studio, &staff, id, file).await;
    let found = or_asked(found, &format!("{HERE}/{id}"))?;
    Ok(picture(found.ok_or_else(Problem::nothing)?))
}
