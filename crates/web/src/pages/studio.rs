//! The studio: the prompt, and below it the newest work.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::ids::{JobId, PersonId};
use domain::model::ModelName;
use studio::accounts::{Known, Means};
use studio::order::beginning;
use studio::privacy::restriction;
use studio::{Studio, jobs, routing};

use super::credits::Purse;
use super::form::{Controls, Written};
use super::job_card::JobCard;
use super::{Frame, Shown, landing, onward, render};
use crate::api::pairs;
use crate::caller::{MaybeAsker, Signalled};
use crate::guard;
use crate::problem::Problem;
use crate::texts::Texts;

const JOBS_PER_PAGE: u32 = 20;

#[derive(Template)]
#[template(path = "studio.html")]
struct StudioPage {
    t: &'static Texts,
    frame: Frame,
    form: Written,
    controls: Controls,
    /// The field that is wrong, and what to do.
    mistake: Option<(String, String)>,
    purse: Option<Purse>,
    feed: Vec<JobCard>,
    /// The last job of this page, where there are older ones.
    older: Option<JobId>,
    is_newest: bool,
    /// Nothing is drawn: the account is restricted.
    is_restricted: bool,
}

impl StudioPage {
    fn is_wrong(&self, param: &str) -> bool {
        self.mistake
            .as_ref()
            .is_some_and(|(wrong, _)| wrong == param)
    }

    /// Whether the rarely used controls are to be seen at once.
    fn shows_more(&self) -> bool {
        let form = &self.form;
        let filled = [&form.seed, &form.steps, &form.guidance, &form.negative]
            .iter()
            .any(|text| !text.is_empty());
        filled
            || form.private
            || form.transparent
            || ["seed", "steps", "guidance", "negative_prompt", "background"]
                .iter()
                .any(|param| self.is_wrong(param))
    }

    fn has_live(&self) -> bool {
        self.feed.iter().any(JobCard::is_live)
    }
}

pub(super) async fn show(
    State(studio): State<Studio>,
    MaybeAsker(known): MaybeAsker,
    Signalled(signal): Signalled,
    RawQuery(query): RawQuery,
) -> Result<Response, Shown> {
    let known = known.filter(|known| !matches!(known.means, Means::Key { .. }));
    let Some(Known { person, .. }) = known else {
        return Ok(match query {
            Some(query) => onward(&guard::sign_in(Some(&format!("/?{query}")))),
            None => landing::page(&studio),
        });
    };
    let mut before = None;
    let asked = pairs(query.unwrap_or_default().as_bytes());
    let mut written = match asked.iter().all(|(name, _)| name == "before") {
        true => Written::beginning(&studio, &beginning::of(&studio, person, signal).await?),
        // The address says with what.
        false => Written::default(),
    };
    for (name, value) in asked {
        match name.as_str() {
            "before" => before = Some(value.parse().map_err(|_| Problem::no_job())?),
            "model" => written.model = value,
            "remix" => {
                let id: JobId = value.parse().map_err(|_| Problem::no_job())?;
                let job = jobs::find(&studio, person, id)
                    .await?
                    .ok_or_else(Problem::no_job)?;
                written = match routing::route(&studio, Some(&job.model)) {
                    Some((_, card)) => Written::like(&job, &card),
                    None => Written {
                        prompt: job
                            .prompt
                            .as_ref()
                            .map_or_else(String::new, |words| words.expose().to_owned()),
                        ..Written::default()
                    },
                };
            }
            "example" => {
                let chosen = chosen_card(&studio, &written);
                let example = value
                    .parse()
                    .ok()
                    .and_then(|index: usize| chosen?.examples.into_iter().nth(index));
                written.prompt = example.map_or_else(String::new, |example| example.prompt);
            }
            _ => {}
        }
    }
    page(&studio, person, written, before, None)
        .await
        .map_err(Shown::from)
}

/// The studio with a form as it was written, and with what is wrong in it.
pub(super) async fn page(
    studio: &Studio,
    person: PersonId,
    form: Written,
    before: Option<JobId>,
    mistake: Option<Problem>,
) -> Result<Response, Problem> {
    let t = Texts::get();
    let Some(card) = chosen_card(studio, &form) else {
        let message = "No model is loaded, so nothing can be drawn. The operator finds the reason in the log.";
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no_model",
            message,
        ));
    };
    let work = jobs::recent(studio, person, before, JOBS_PER_PAGE).await?;
    let purse = Purse::of(studio, person).await?;
    let cards = work.items.into_iter();
    let cards = cards.map(|job| JobCard::new(studio, job, purse.as_ref()));
    let feed = cards.collect();
    let status = mistake
        .as_ref()
        .map_or(StatusCode::OK, |problem| problem.status);
    let is_restricted = restriction::of(studio, person).await?.is_some();
    let prices = purse.as_ref().map(|purse| purse.prices.as_ref());
    let page = StudioPage {
        t,
        frame: Frame::member("studio"),
        controls: Controls::new(t, &routing::models(studio), card, &form, prices),
        form,
        mistake: mistake.map(|problem| {
            (
                problem.param.unwrap_or_default().into_owned(),
                problem.message,
            )
        }),
        purse,
        feed,
        older: work.next,
        is_newest: before.is_none(),
        is_restricted,
    };
    Ok(render(status, &page))
}

/// The model that the form names, or the default one.
pub(super) fn chosen_card(studio: &Studio, form: &Written) -> Option<domain::model::ModelCard> {
    let named = ModelName::new(form.model.clone());
    let found = routing::route(studio, Some(&named)).or_else(|| routing::route(studio, None));
    found.map(|(_, card)| card)
}
