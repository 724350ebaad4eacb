//! What people ask for by their rights, for those who answer: the list, one of them, and the answer.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::clock::Moment;
use domain::ids::RequestId;
use studio::accounts::Known;
use studio::privacy::authorities::{self, Authority};
use studio::privacy::looking::Staff;
use studio::privacy::requests::{self, MAX_WORDS_CHARS, Request, RequestError, State as Standing};

use super::super::account::request_problem;
use super::super::request_card::{self, RequestCard};
use super::super::sent::Sent;
use super::super::{Frame, Shown, ok, onward, render};
use super::{Tab, or_asked, tabs};
use crate::Site;
use crate::caller::Asker;
use crate::problem::Problem;
use crate::texts::Texts;

const HERE: &str = "/desk/requests";

#[derive(Template)]
#[template(path = "desk_requests.html")]
struct ListPage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    requests: Vec<Request>,
    now: Moment,
}

impl ListPage {
    fn asked(&self, request: &Request) -> &'static str {
        request_card::asked(request.asked)
    }

    fn is_overdue(&self, request: &Request) -> bool {
        request.due <= self.now
    }

    fn facts(&self, request: &Request) -> String {
        let words = &self.t.requests;
        let received = words.received.fill(&self.t.exact(request.received));
        let due = words.due.fill(&self.t.last_day(request.due));
        format!("{received} · {due}")
    }
}

pub(super) async fn list(State(site): State<Site>, Asker(known): Asker) -> Result<Response, Shown> {
    let staff = Staff::on_page(&known);
    let waiting = requests::unanswered(&site.studio, &staff).await;
    Ok(ok(&ListPage {
        t: Texts::get(),
        frame: Frame::member("desk"),
        tabs: tabs(known.role, HERE),
        requests: or_asked(waiting, HERE)?,
        now: site.studio.clock.now(),
    }))
}

#[derive(Template)]
#[template(path = "desk_request.html")]
struct RequestPage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    id: RequestId,
    card: RequestCard,
    is_open: bool,
    is_extended: bool,
    text: String,
    country: String,
    mistake: Option<String>,
}

impl RequestPage {
    fn authorities(&self) -> &'static [Authority] {
        authorities::all()
    }

    fn is_country(&self, one: &Authority) -> bool {
        one.country == self.country
    }

    const fn max_words(&self) -> usize {
        MAX_WORDS_CHARS
    }
}

async fn page(
    site: &Site,
    known: &Known,
    id: RequestId,
    sent: Option<&Sent>,
    mistake: Option<String>,
) -> Result<Response, Shown> {
    let text = |name| sent.map_or_else(String::new, |sent| sent.text(name).to_owned());
    let found = requests::show(&site.studio, &Staff::on_page(known), id).await;
    let request = or_asked(found, &format!("{HERE}/{id}"))?.ok_or_else(Problem::nothing)?;
    let status = match mistake {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let page = RequestPage {
        t: Texts::get(),
        frame: Frame::member("desk"),
        tabs: tabs(known.role, HERE),
        id,
        is_open: request.state == Standing::Open,
        is_extended: request.extended.is_some(),
        card: RequestCard::new(&site.studio, request, false),
        text: text("text"),
        country: text("country"),
        mistake,
    };
    Ok(render(status, &page))
}

fn read(id: &str) -> Result<RequestId, Problem> {
    id.parse().map_err(|_| Problem::nothing())
}

pub(super) async fn show(
    State(site): State<Site>,
    Asker(known): Asker,
    Path(id): Path<String>,
) -> Result<Response, Shown> {
    page(&site, &known, read(&id)?, None, None).await
}

/// `do` says what becomes of it: answer, refuse or extend.
pub(super) async fn answer(
    State(site): State<Site>,
    Asker(known): Asker,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Shown> {
    let (studio, id) = (&site.studio, read(&id)?);
    let text = sent.text("text");
    let done = match sent.text("do") {
        "refuse" => requests::answer(studio, id, text, Some(sent.text("country"))).await,
        "extend" => requests::extend(studio, id, text).await.map(drop),
        _ => requests::answer(studio, id, text, None).await,
    };
    match done {
        Ok(()) => Ok(onward(&format!("{HERE}/{id}"))),
        Err(error @ (RequestError::Reason | RequestError::Authority)) => {
            page(&site, &known, id, Some(&sent), Some(error.to_string())).await
        }
        Err(error) => Err(request_problem(error).into()),
    }
}
