//! Breaches, for those who run the house: the list, one of them, whom it concerns, and what is done.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::clock::{Civil, Moment};
use domain::ids::BreachId;
use domain::personal::Address;
use domain::role::Role;
use studio::accounts::person;
use studio::privacy::breaches::{
    self, Affected, Breach, BreachError, Facts, MAX_CHARS, Nature, Risk,
};

use super::super::sent::Sent;
use super::super::{Frame, Shown, onward, render};
use super::{Tab, tabs};
use crate::Site;
use crate::api::Origin;
use crate::caller::Asker;

use crate::problem::Problem;
use crate::texts::Texts;

const HERE: &str = "/desk/breaches";
const MINUTE_MS: i64 = 60_000;

/// What is written in the form of a breach.
#[derive(Default)]
struct Form {
    what: String,
    nature: Vec<String>,
    classes: String,
    consequences: String,
    measures: String,
    risk: String,
    began: String,
    until: String,
    noticed: String,
}

impl Form {
    fn sent(sent: &Sent) -> Self {
        let text = |name| sent.text(name).to_owned();
        Self {
            what: text("what"),
            nature: sent.all("nature").map(str::to_owned).collect(),
            classes: text("classes"),
            consequences: text("consequences"),
            measures: text("measures"),
            risk: text("risk"),
            began: text("began"),
            until: text("until"),
            noticed: text("noticed"),
        }
    }

    fn of(facts: &Facts) -> Self {
        let nature = facts.nature.iter().map(|one| one.name().to_owned());
        Self {
            what: facts.what.clone(),
            nature: nature.collect(),
            classes: facts.classes.clone(),
            consequences: facts.consequences.clone(),
            measures: facts.measures.clone(),
            risk: facts.risk.name().to_owned(),
            began: written(facts.began),
            until: written(facts.until),
            noticed: String::new(),
        }
    }

    fn facts(&self) -> Result<Facts, BreachError> {
        Ok(Facts {
            what: self.what.clone(),
            nature: self
                .nature
                .iter()
                .filter_map(|one| Nature::named(one))
                .collect(),
            classes: self.classes.clone(),
            consequences: self.consequences.clone(),
            measures: self.measures.clone(),
            risk: Risk::named(&self.risk).ok_or(BreachError::Words)?,
            began: moment(&self.began)?,
            until: moment(&self.until)?,
        })
    }

    fn has(&self, nature: &Nature) -> bool {
        self.nature.iter().any(|one| one == nature.name())
    }

    fn is_risk(&self, risk: &Risk) -> bool {
        self.risk == risk.name()
    }
}

/// `2026-11-22T00:34`, as forms write it, in UTC.
fn moment(text: &str) -> Result<Moment, BreachError> {
    let read = || {
        let (day, time) = text.trim().split_once('T')?;
        let (hours, minutes) = time.get(..5)?.split_once(':')?;
        let (hours, minutes): (u8, u8) = (hours.parse().ok()?, minutes.parse().ok()?);
        let start = Moment::start_of_day(day).ok()?;
        let minutes = i64::from(hours) * 60 + i64::from(minutes);
        Some(start.plus_millis(minutes * MINUTE_MS))
    };
    read().ok_or(BreachError::Span)
}

fn written(moment: Moment) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        ..
    } = moment.civil();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}")
}

/// A breach as it reads.
struct Card {
    id: BreachId,
    heading: String,
    badge: String,
    is_wrong: bool,
    facts: Vec<(String, String)>,
}

impl Card {
    fn new(one: &Breach, now: Moment) -> Self {
        let texts = Texts::get();
        let words = &texts.breaches;
        let is_wrong = one.is_overdue(now);
        let badge = match (is_wrong, one.closed) {
            (true, _) => &words.overdue,
            (false, Some(_)) => &words.closed,
            (false, None) => &words.is_open,
        };
        let mut facts = vec![
            (words.noticed.clone(), texts.exact(one.noticed)),
            (words.risk.clone(), risk_words(one.facts.risk).to_owned()),
            (
                words.people.clone(),
                words.found.fill_two(&one.found, &one.told),
            ),
        ];
        match one.reported {
            Some(reported) => facts.insert(1, (words.reported.clone(), texts.exact(reported))),
            None if one.is_to_report() => {
                facts.insert(1, (words.due.clone(), texts.exact(one.due)));
            }
            None => {}
        }
        Self {
            id: one.id,
            heading: one
                .facts
                .what
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(120)
                .collect(),
            badge: badge.clone(),
            is_wrong,
            facts,
        }
    }
}

fn risk_words(risk: Risk) -> &'static str {
    let words = &Texts::get().breaches;
    match risk {
        Risk::None => &words.risk_none,
        Risk::Some => &words.risk_some,
        Risk::High => &words.risk_high,
    }
}

#[derive(Template)]
#[template(path = "desk_breaches.html")]
struct BreachesPage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    cards: Vec<Card>,
    /// The one that is shown, where it is one.
    one: Option<Breach>,
    form: Form,
    mistake: Option<String>,
}

impl BreachesPage {
    const fn natures(&self) -> [(Nature, &'static str); 3] {
        let words = &self.t.breaches;
        [
            (
                Nature::Confidentiality,
                words.nature_confidentiality.as_str(),
            ),
            (Nature::Integrity, words.nature_integrity.as_str()),
            (Nature::Availability, words.nature_availability.as_str()),
        ]
    }

    fn risks(&self) -> [(Risk, &'static str); 3] {
        Risk::ALL.map(|risk| (risk, risk_words(risk)))
    }

    fn tables(&self) -> Vec<(&'static str, &'static str)> {
        breaches::tables()
            .map(|(table, _)| (table.name, table.row))
            .collect()
    }

    const fn max_chars(&self) -> usize {
        MAX_CHARS
    }
}

async fn page(
    site: &Site,
    role: Role,
    id: Option<BreachId>,
    form: Option<Form>,
    mistake: Option<String>,
) -> Result<Response, Shown> {
    let now = site.studio.clock.now();
    let one = match id {
        Some(id) => Some(
            breaches::show(&site.studio, id)
                .await?
                .ok_or_else(Problem::nothing)?,
        ),
        None => None,
    };
    let all = match &one {
        Some(one) => vec![one.clone()],
        None => breaches::all(&site.studio).await?,
    };
    let form = form.or_else(|| one.as_ref().map(|one| Form::of(&one.facts)));
    let status = match mistake {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let page = BreachesPage {
        t: Texts::get(),
        frame: Frame::member("desk"),
        tabs: tabs(role, HERE),
        cards: all.iter().map(|one| Card::new(one, now)).collect(),
        one,
        form: form.unwrap_or_default(),
        mistake,
    };
    Ok(render(status, &page))
}

pub(super) async fn list(State(site): State<Site>, Asker(known): Asker) -> Result<Response, Shown> {
    page(&site, known.role, None, None, None).await
}

pub(super) async fn enter(
    State(site): State<Site>,
    Asker(known): Asker,
    sent: Sent,
) -> Result<Response, Shown> {
    let form = Form::sent(&sent);
    let read = form
        .facts()
        .and_then(|facts| Ok((facts, moment(&form.noticed)?)));
    let done = match read {
        Ok((facts, noticed)) => {
            breaches::enter(&site.studio, Some(known.person), &facts, noticed).await
        }
        Err(error) => Err(error),
    };
    match done {
        Ok(id) => Ok(onward(&format!("{HERE}/{id}"))),
        Err(BreachError::Failure(failure)) => Err(failure.into()),
        Err(error) => page(&site, known.role, None, Some(form), Some(error.to_string())).await,
    }
}

fn read(id: &str) -> Result<BreachId, Problem> {
    id.parse().map_err(|_| Problem::nothing())
}

pub(super) async fn show(
    State(site): State<Site>,
    Asker(known): Asker,
    Path(id): Path<String>,
) -> Result<Response, Shown> {
    page(&site, known.role, Some(read(&id)?), None, None).await
}

/// `do` says what is done: save, find, tell, report or close.
pub(super) async fn act(
    State(site): State<Site>,
    Asker(known): Asker,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Shown> {
    let (studio, id) = (&site.studio, read(&id)?);
    let mut form = None;
    let done = match sent.text("do") {
        "find" => match affected(&site, &sent).await {
            Ok(by) => breaches::find(studio, id, &by).await.map(drop),
            Err(error) => Err(error),
        },
        "tell" => breaches::tell(studio, id, sent.text("text"))
            .await
            .map(drop),
        "report" => breaches::report(studio, id, sent.text("late")).await,
        "close" => breaches::close(studio, id).await,
        _ => {
            let said = Form::sent(&sent);
            let facts = said.facts();
            form = Some(said);
            match facts {
                Ok(facts) => breaches::amend(studio, id, &facts).await,
                Err(error) => Err(error),
            }
        }
    };
    match done {
        Ok(()) => Ok(onward(&format!("{HERE}/{id}"))),
        Err(BreachError::Failure(failure)) => Err(failure.into()),
        Err(BreachError::Missing) => Err(Problem::nothing().into()),
        Err(error) => page(&site, known.role, Some(id), form, Some(error.to_string())).await,
    }
}

async fn affected(site: &Site, sent: &Sent) -> Result<Affected, BreachError> {
    Ok(match sent.text("by") {
        "kept" => Affected::Kept(sent.text("table").to_owned()),
        "signed_in" => Affected::SignedIn,
        "taken_along" => Affected::TakenAlong,
        "looked_at" => {
            let address = Address::new(sent.text("address")).map_err(|_| BreachError::Nobody)?;
            let known = person::id_by_address(&site.studio, &address).await?;
            Affected::LookedAt(known.ok_or(BreachError::Nobody)?)
        }
        _ => Affected::Everyone,
    })
}

/// What the authority is told, for its form or as it is.
pub(super) async fn notice(
    State(site): State<Site>,
    origin: Origin,
    Path(id): Path<String>,
) -> Result<Response, Shown> {
    let id = read(&id)?;
    let breach = breaches::show(&site.studio, id)
        .await?
        .ok_or_else(Problem::nothing)?;
    let name = format!("attachment; filename=\"{id}.txt\"");
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, breaches::notice(&breach, &origin.url(""))).into_response())
}
