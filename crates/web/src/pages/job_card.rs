//! One order with its pictures, as a card of the studio.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::clock::Moment;
use domain::credits::Credits;
use domain::ids::JobId;
use domain::picture::Size;
use studio::Studio;
use studio::jobs::progress::Progress;
use studio::jobs::{self, Job, State as JobState};

use super::credits::Purse;
use crate::api::live_text;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::texts::Texts;
use crate::when;

#[derive(Template)]
#[template(path = "job_card.html")]
pub(super) struct JobCard {
    t: &'static Texts,
    job: Job,
    live: Option<Progress>,
    now: Moment,
    /// `196 credits left`, where the person is metered.
    left: Option<String>,
    /// What the same order would cost now.
    again: Option<Credits>,
}

impl JobCard {
    pub(super) fn new(studio: &Studio, job: Job, purse: Option<&Purse>) -> Self {
        let live = jobs::glance(studio, &job);
        let t = Texts::get();
        Self {
            t,
            left: purse.map(|purse| purse.left(t)),
            again: purse.and_then(|purse| purse.again(studio, &job)),
            job,
            live,
            now: studio.clock.now(),
        }
    }

    fn state(&self) -> JobState {
        // A job that ended since its row was read shows so once the page asks again.
        self.live.as_ref().map_or(self.job.state, |live| live.state)
    }

    pub(super) fn is_live(&self) -> bool {
        !self.job.state.is_final()
    }

    fn status(&self) -> String {
        live_text(self.t, &self.job, self.live.as_ref())
    }

    fn blanks(&self) -> std::ops::Range<u32> {
        0..if self.is_live() { self.job.count } else { 0 }
    }

    fn columns(&self) -> u32 {
        let shown = if self.is_live() {
            self.job.count
        } else {
            u32::try_from(self.job.pictures.len()).unwrap_or(1)
        };
        shown.clamp(1, 4)
    }

    fn size(&self) -> Size {
        self.job.size
    }

    fn iso(&self) -> String {
        when::iso(self.job.created)
    }

    fn exact(&self) -> String {
        self.t.exact(self.job.created)
    }

    fn ago(&self) -> String {
        self.t.ago(self.job.created, self.now)
    }

    /// What it costs at most, or did cost; `None` where nothing.
    fn cost(&self) -> Option<String> {
        let words = &self.t.credits;
        let charge = self.job.charge?;
        let quoted = self.t.credits(charge.quoted);
        match charge.charged {
            None => Some(words.cost_of.fill(&quoted)),
            Some(charged) if charged.is_zero() => None,
            Some(charged) if charged == charge.quoted => Some(quoted),
            Some(charged) => Some(words.charged_of.fill_two(&self.t.number(charged), &quoted)),
        }
    }

    /// `Draw again · 4 credits`
    fn again_label(&self) -> String {
        let words = &self.t.job;
        let label = if self.job.pictures.is_empty() {
            &words.try_again
        } else {
            &words.again
        };
        match self.again {
            Some(cost) => self
                .t
                .credits
                .button
                .fill_all(&[label, &self.t.credits(cost)]),
            None => label.clone(),
        }
    }

    fn steps(&self) -> String {
        self.t.job.steps.of(self.job.steps)
    }
}

pub(super) async fn show(
    State(studio): State<Studio>,
    Caller(person): Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: JobId = id.parse().map_err(|_| Problem::no_job())?;
    let job = jobs::find(&studio, person, id)
        .await?
        .ok_or_else(Problem::no_job)?;
    let purse = Purse::of(&studio, person).await?;
    Ok(super::ok(&JobCard::new(&studio, job, purse.as_ref())))
}
