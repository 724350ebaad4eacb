//! One order with its pictures, as a card of the studio.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::clock::Moment;
use domain::ids::JobId;
use domain::picture::Size;
use studio::Studio;
use studio::jobs::progress::Progress;
use studio::jobs::{self, Job, State as JobState};

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
}

impl JobCard {
    pub(super) fn new(studio: &Studio, job: Job) -> Self {
        let live = jobs::glance(studio, &job);
        Self {
            t: Texts::get(),
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
    Ok(super::ok(&JobCard::new(&studio, job)))
}
