//! What authorities ask for, for those who decide: the list, one of them, and what becomes of it.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::clock::Moment;
use domain::ids::DisclosureId;
use domain::personal::Address;
use studio::accounts::{Known, person};
use studio::privacy::disclosures::{
    self, Disclosure, DisclosureError, MAX_CHARS, NewDisclosure, Path as Ground, State as Standing,
};
use studio::privacy::inventory::Table;
use studio::privacy::looking::Staff;

use super::super::sent::Sent;
use super::super::{Frame, Shown, ok, onward, render};
use super::{Tab, or_asked, tabs};
use crate::Site;
use crate::caller::Asker;
use crate::problem::Problem;
use crate::texts::Texts;

const HERE: &str = "/desk/disclosures";

/// How a request reads.
struct Card {
    id: DisclosureId,
    heading: String,
    badge: String,
    is_wrong: bool,
    facts: Vec<(String, Vec<String>)>,
}

impl Card {
    fn new(one: &Disclosure, now: Moment) -> Self {
        let texts = Texts::get();
        let words = &texts.disclosures;
        let path = match one.path {
            Ground::Order => &words.path_order,
            Ground::Emergency => &words.path_emergency,
        };
        let is_wrong = one.waits_for_review() && one.review_due.is_some_and(|due| due <= now);
        let state = match one.state {
            _ if is_wrong => &words.overdue,
            Standing::Received => &words.state_received,
            Standing::Approved => &words.state_approved,
            Standing::Refused => &words.state_refused,
            Standing::Disclosed => &words.state_disclosed,
        };
        let day = |moment: Moment| texts.last_day(moment);
        let mut facts = Vec::new();
        let mut fact = |name: &String, value: String| facts.push((name.clone(), vec![value]));
        let person = one.person.map(|person| person.to_string());
        fact(&words.of, person.unwrap_or_else(|| words.of_nobody.clone()));
        fact(&words.by_law, one.law.clone());
        fact(&words.number, one.reference.clone());
        let span = match (one.from, one.until) {
            (None, None) => words.span_all.clone(),
            (from, until) => {
                let from = from.map(|from| day(from.plus_millis(1)));
                words.from_until.fill_two(
                    &from.unwrap_or_default(),
                    &until.map(day).unwrap_or_default(),
                )
            }
        };
        fact(&words.span, span);
        fact(&words.received, texts.exact(one.received));
        let told = match (one.told, one.gag_until) {
            (Some(told), _) => words.told_at.fill(&texts.exact(told)),
            (None, Some(gag)) => words.told_after.fill(&day(gag)),
            (None, None) => words.told_free.clone(),
        };
        fact(&words.gagged, told);
        let needed = match one.path {
            Ground::Order => 2,
            Ground::Emergency => 1,
        };
        fact(
            &words.agreed,
            words.agreed_of.fill_two(&one.approvals, &needed),
        );
        if let Some(danger) = &one.emergency {
            fact(&words.danger, danger.clone());
        }
        if let Some(why) = &one.refusal {
            fact(&words.why_refused, why.clone());
        }
        let review = match (one.was_right, one.review_due) {
            (Some(true), _) => Some(words.review_right.clone()),
            (Some(false), _) => Some(words.review_wrong.clone()),
            (None, Some(due)) => Some(words.review_due.fill(&texts.exact(due))),
            (None, None) => None,
        };
        if let Some(review) = review {
            fact(&words.review, review);
        }
        facts.insert(
            3,
            (words.fields.clone(), disclosures::in_words(&one.fields)),
        );
        Self {
            id: one.id,
            heading: format!("{path}: {}", one.authority),
            badge: state.clone(),
            is_wrong,
            facts,
        }
    }
}

#[derive(Template)]
#[template(path = "desk_disclosures.html")]
struct ListPage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    cards: Vec<Card>,
    sent: Vec<(String, String)>,
    mistake: Option<String>,
}

impl ListPage {
    fn choices(&self) -> Vec<(&'static Table, Vec<(&'static str, &'static str)>)> {
        disclosures::choices()
    }

    fn said(&self, name: &str) -> &str {
        let found = self.sent.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    fn is_chosen(&self, table: &str, column: &str) -> bool {
        let field = format!("{table}.{column}");
        self.sent
            .iter()
            .any(|(name, value)| name == "field" && *value == field)
    }

    const fn max_chars(&self) -> usize {
        MAX_CHARS
    }
}

const FIELDS: [&str; 8] = [
    "address",
    "authority",
    "law",
    "reference",
    "from",
    "until",
    "gag",
    "emergency",
];

async fn page(
    site: &Site,
    known: &Known,
    sent: Option<&Sent>,
    mistake: Option<String>,
) -> Result<Response, Shown> {
    let found = disclosures::all(&site.studio, &Staff::on_page(known)).await;
    let now = site.studio.clock.now();
    let mut said = Vec::new();
    if let Some(sent) = sent {
        let fields = FIELDS.into_iter();
        said.extend(fields.map(|name| (name.to_owned(), sent.text(name).to_owned())));
        said.extend(
            sent.all("field")
                .map(|one| ("field".to_owned(), one.to_owned())),
        );
    }
    let status = match mistake {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let page = ListPage {
        t: Texts::get(),
        frame: Frame::member("desk"),
        tabs: tabs(known.role, HERE),
        cards: or_asked(found, HERE)?
            .iter()
            .map(|one| Card::new(one, now))
            .collect(),
        sent: said,
        mistake,
    };
    Ok(render(status, &page))
}

pub(super) async fn list(State(site): State<Site>, Asker(known): Asker) -> Result<Response, Shown> {
    page(&site, &known, None, None).await
}

pub(super) async fn enter(
    State(site): State<Site>,
    Asker(known): Asker,
    sent: Sent,
) -> Result<Response, Shown> {
    let done = match read_new(&site, &sent).await {
        Ok(new) => disclosures::enter(&site.studio, Some(known.person), &new).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(id) => Ok(onward(&format!("{HERE}/{id}"))),
        Err(DisclosureError::Failure(failure)) => Err(failure.into()),
        Err(error) => page(&site, &known, Some(&sent), Some(error.to_string())).await,
    }
}

/// What a form says, where it says anything.
fn some(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

async fn read_new(site: &Site, sent: &Sent) -> Result<NewDisclosure, DisclosureError> {
    let person = match some(sent.text("address")) {
        None => None,
        Some(address) => {
            let address = Address::new(address).map_err(|_| DisclosureError::Nobody)?;
            let known = person::id_by_address(&site.studio, &address).await?;
            Some(known.ok_or(DisclosureError::Nobody)?)
        }
    };
    let start = |name| some(sent.text(name)).map(Moment::start_of_day).transpose();
    let end = |name| some(sent.text(name)).map(Moment::end_of_day).transpose();
    Ok(NewDisclosure {
        person,
        authority: sent.text("authority").to_owned(),
        law: sent.text("law").to_owned(),
        reference: sent.text("reference").to_owned(),
        fields: sent.all("field").map(str::to_owned).collect(),
        from: start("from").map_err(|_| DisclosureError::Span)?,
        until: end("until").map_err(|_| DisclosureError::Span)?,
        emergency: some(sent.text("emergency")).map(str::to_owned),
        gag_until: end("gag").map_err(|_| DisclosureError::Gag)?,
    })
}

#[derive(Template)]
#[template(path = "desk_disclosure.html")]
struct OnePage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    card: Card,
    is_received: bool,
    is_open: bool,
    is_approved: bool,
    waits_for_review: bool,
}

impl OnePage {
    const fn max_chars(&self) -> usize {
        MAX_CHARS
    }
}

fn read(id: &str) -> Result<DisclosureId, Problem> {
    id.parse().map_err(|_| Problem::nothing())
}

pub(super) async fn show(
    State(site): State<Site>,
    Asker(known): Asker,
    Path(id): Path<String>,
) -> Result<Response, Shown> {
    let id = read(&id)?;
    let one = looked(&site, &known, id).await?;
    Ok(ok(&OnePage {
        t: Texts::get(),
        frame: Frame::member("desk"),
        tabs: tabs(known.role, HERE),
        card: Card::new(&one, site.studio.clock.now()),
        is_received: one.state == Standing::Received && one.person.is_some(),
        is_open: one.is_open(),
        is_approved: matches!(one.state, Standing::Approved | Standing::Disclosed),
        waits_for_review: one.waits_for_review(),
    }))
}

/// Nobody decides about what they have not read.
async fn looked(site: &Site, known: &Known, id: DisclosureId) -> Result<Disclosure, Shown> {
    let found = disclosures::show(&site.studio, &Staff::on_page(known), id).await;
    Ok(or_asked(found, &format!("{HERE}/{id}"))?.ok_or_else(Problem::nothing)?)
}

/// `do` says what becomes of it: approve, refuse, right or wrong.
pub(super) async fn decide(
    State(site): State<Site>,
    Asker(known): Asker,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Shown> {
    let (studio, id) = (&site.studio, read(&id)?);
    looked(&site, &known, id).await?;
    match sent.text("do") {
        "approve" => disclosures::approve(studio, &known, id).await.map(drop),
        "right" => disclosures::review(studio, &known, id, true).await,
        "wrong" => disclosures::review(studio, &known, id, false).await,
        _ => disclosures::refuse(studio, &known, id, sent.text("why")).await,
    }
    .map_err(problem)?;
    Ok(onward(&format!("{HERE}/{id}")))
}

/// What goes to the authority, as a file.
pub(super) async fn package(
    State(site): State<Site>,
    Asker(known): Asker,
    Path(id): Path<String>,
) -> Result<Response, Shown> {
    let id = read(&id)?;
    looked(&site, &known, id).await?;
    let package = disclosures::hand_out(&site.studio, id)
        .await
        .map_err(problem)?;
    let name = format!("attachment; filename=\"{}\"", package.name);
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, package.text).into_response())
}

fn problem(error: DisclosureError) -> Problem {
    match error {
        DisclosureError::Failure(failure) => failure.into(),
        DisclosureError::Missing => Problem::nothing(),
        DisclosureError::Own => {
            Problem::new(StatusCode::FORBIDDEN, "disclosure", error.to_string())
        }
        error => Problem::new(StatusCode::CONFLICT, "disclosure", error.to_string()),
    }
}
