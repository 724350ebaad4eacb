//! What staff look for: said before they look, agreed to by somebody else where their role is not enough,
//! and read by those who watch over it.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::clock::Moment;
use domain::ids::DutyId;
use domain::role::Role;
use studio::accounts::Known;
use studio::privacy::duty::{
    self, Duty, DutyError, LENGTHS_MIN, MAX_REASON_CHARS, MIN_REASON_CHARS, Stage,
};
use studio::privacy::inventory::Purpose;
use studio::privacy::looking::{Staff, role_in_words};

use super::super::door::safe_next;
use super::super::sent::Sent;
use super::super::{Frame, Shown, onward, render};
use super::{Tab, tabs};
use crate::Site;
use crate::api::pairs;
use crate::caller::Asker;
use crate::problem::Problem;
use crate::texts::Texts;

const HERE: &str = "/desk/duties";

/// The form by which a duty begins.
struct Form {
    t: &'static Texts,
    role: Role,
    /// What can be chosen: what the role reads first.
    purposes: Vec<Purpose>,
    chosen: Vec<Purpose>,
    reason: String,
    minutes: u16,
    /// Where to go on afterwards.
    back: String,
    mistake: Option<String>,
}

impl Form {
    /// Offers everything that staff look for at all.
    fn new(role: Role, chosen: Vec<Purpose>, back: &str) -> Self {
        let all = Purpose::ALL.into_iter();
        let mut purposes: Vec<Purpose> = all.filter(|one| duty::can_be_for(*one)).collect();
        purposes.sort_by_key(|one| !one.readers().contains(&role));
        Self {
            t: Texts::get(),
            role,
            purposes,
            chosen,
            reason: String::new(),
            minutes: LENGTHS_MIN[1],
            back: back.to_owned(),
            mistake: None,
        }
    }

    fn reads(&self, purpose: &Purpose) -> bool {
        purpose.readers().contains(&self.role)
    }

    fn is_chosen(&self, purpose: &Purpose) -> bool {
        self.chosen.contains(purpose)
    }

    fn lengths(&self) -> Vec<(u16, String)> {
        let span = |minutes: u16| self.t.span(u64::from(minutes) * 60_000);
        LENGTHS_MIN.map(|minutes| (minutes, span(minutes))).into()
    }

    fn is_length(&self, minutes: &u16) -> bool {
        *minutes == self.minutes
    }

    const fn min_reason(&self) -> usize {
        MIN_REASON_CHARS
    }

    const fn max_reason(&self) -> usize {
        MAX_REASON_CHARS
    }
}

#[derive(Template)]
#[template(path = "desk_ask.html")]
struct AskPage {
    t: &'static Texts,
    frame: Frame,
    form: Form,
}

/// Asks whoever looks without a duty what they need it for.
pub(in crate::pages) fn ask(purposes: Vec<Purpose>, back: &str) -> Response {
    // Who is asked reads this by their role, whichever it is, so nothing else is offered.
    let mut form = Form::new(Role::Operator, purposes, back);
    form.purposes.clone_from(&form.chosen);
    let page = AskPage {
        t: Texts::get(),
        frame: Frame::member("desk"),
        form,
    };
    render(StatusCode::FORBIDDEN, &page)
}

#[derive(Template)]
#[template(path = "desk_duties.html")]
struct DutiesPage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    form: Form,
    own: Vec<Duty>,
    others: Option<Vec<Duty>>,
    now: Moment,
}

impl DutiesPage {
    fn stage(&self, duty: &Duty) -> &str {
        let words = &self.t.desk;
        match duty.stage(self.now) {
            Stage::Waiting => &words.waiting,
            Stage::Open => &words.on,
            Stage::Over => &words.over,
            Stage::Refused => &words.refused,
        }
    }

    fn is_waiting(&self, duty: &Duty) -> bool {
        duty.stage(self.now) == Stage::Waiting
    }

    fn can_end(&self, duty: &Duty) -> bool {
        matches!(duty.stage(self.now), Stage::Waiting | Stage::Open)
    }

    fn facts(&self, duty: &Duty) -> String {
        let words = &self.t.desk;
        let mut facts = vec![words.said.fill(&self.t.exact(duty.asked))];
        match duty.begun {
            Some(_) => facts.push(words.until.fill(&self.t.exact(duty.until))),
            None => {
                let span = self.t.span(u64::from(duty.minutes) * 60_000);
                facts.push(words.for_minutes.fill(&span));
            }
        }
        if duty.is_agreed {
            facts.push(words.agreed.clone());
        }
        if duty.begun.is_some() {
            facts.push(match u32::try_from(duty.looked) {
                Ok(0) => words.looked_nobody.clone(),
                many => words.looked.of(many.unwrap_or(u32::MAX)),
            });
        }
        facts.join(" · ")
    }

    fn who(&self, duty: &Duty) -> String {
        let address = duty.address.as_ref();
        let address = address.map_or_else(|| duty.person.to_string(), |it| it.expose().to_owned());
        format!("{address}, {}", role_in_words(duty.role))
    }
}

async fn page(site: &Site, known: &Known, form: Form) -> Result<Response, Shown> {
    let studio = &site.studio;
    let status = match form.mistake {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let others = match duty::oversees(known.role) {
        true => Some(duty::of_others(studio, &Staff::on_page(known), known.person).await?),
        false => None,
    };
    let page = DutiesPage {
        t: Texts::get(),
        frame: Frame::member("desk"),
        tabs: tabs(known.role, HERE),
        form,
        own: duty::own(studio, known.person).await?,
        others,
        now: studio.clock.now(),
    };
    Ok(render(status, &page))
}

/// `?for=mail` chooses what the form begins with.
pub(super) async fn show(
    State(site): State<Site>,
    Asker(known): Asker,
    RawQuery(query): RawQuery,
) -> Result<Response, Shown> {
    let given = pairs(query.unwrap_or_default().as_bytes());
    let wanted = given.into_iter().filter(|(name, _)| name == "for");
    let chosen = wanted.filter_map(|(_, name)| Purpose::named(&name));
    let form = Form::new(known.role, chosen.collect(), HERE);
    page(&site, &known, form).await
}

pub(super) async fn begin(
    State(site): State<Site>,
    Asker(known): Asker,
    sent: Sent,
) -> Result<Response, Shown> {
    let back = match safe_next(sent.text("back")) {
        "/" => HERE,
        back => back,
    };
    let mut form = Form::new(
        known.role,
        sent.all("for").filter_map(Purpose::named).collect(),
        back,
    );
    form.reason = sent.text("reason").to_owned();
    form.minutes = sent.text("minutes").parse().unwrap_or(0);
    let begun = duty::begin(
        &site.studio,
        &known,
        &form.chosen,
        &form.reason,
        form.minutes,
    );
    match begun.await {
        Ok(Stage::Open) => Ok(onward(back)),
        Ok(_) => Ok(onward(HERE)),
        Err(DutyError::Failure(failure)) => Err(failure.into()),
        Err(error) => {
            form.mistake = Some(error.to_string());
            page(&site, &known, form).await
        }
    }
}

pub(super) async fn agree(
    State(site): State<Site>,
    Asker(known): Asker,
    Path(id): Path<String>,
) -> Result<Response, Shown> {
    done(duty::agree(&site.studio, &known, read(&id)?).await)
}

pub(super) async fn end(
    State(site): State<Site>,
    Asker(known): Asker,
    Path(id): Path<String>,
) -> Result<Response, Shown> {
    done(duty::end(&site.studio, &known, read(&id)?).await)
}

fn read(id: &str) -> Result<DutyId, Problem> {
    id.parse().map_err(|_| Problem::nothing())
}

fn done(done: Result<(), DutyError>) -> Result<Response, Shown> {
    match done {
        Ok(()) => Ok(onward(HERE)),
        Err(DutyError::Failure(failure)) => Err(failure.into()),
        Err(error) => {
            let message = error.to_string();
            Err(Problem::new(StatusCode::CONFLICT, "duty", message).into())
        }
    }
}
