//! What a law or a court wants kept, for those who answer for it.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::clock::Moment;
use studio::privacy::holds::{self, Class, Hold, HoldError};
use studio::privacy::looking::Staff;

use super::super::{Frame, Shown, ok, onward};
use super::{Tab, or_asked, tabs};
use crate::Site;
use crate::caller::Asker;
use crate::problem::Problem;
use crate::texts::Texts;

const HERE: &str = "/desk/holds";

#[derive(Template)]
#[template(path = "desk_holds.html")]
struct HoldsPage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    holds: Vec<Hold>,
    now: Moment,
}

impl HoldsPage {
    fn class(&self, hold: &Hold) -> &str {
        let words = &self.t.desk;
        match hold.class {
            Class::Account => &words.class_account,
            Class::Orders => &words.class_orders,
            Class::Log => &words.class_log,
        }
    }

    fn is_active(&self, hold: &Hold) -> bool {
        hold.is_active(self.now)
    }

    fn day(&self, at: &Moment) -> String {
        self.t.last_day(*at)
    }

    fn exact(&self, at: &Moment) -> String {
        self.t.exact(*at)
    }
}

pub(super) async fn list(State(site): State<Site>, Asker(known): Asker) -> Result<Response, Shown> {
    let mut holds = or_asked(
        holds::all(&site.studio, &Staff::on_page(&known)).await,
        HERE,
    )?;
    let now = site.studio.clock.now();
    holds.sort_by_key(|hold| (!hold.is_active(now), hold.ends));
    Ok(ok(&HoldsPage {
        t: Texts::get(),
        frame: Frame::member("desk"),
        tabs: tabs(known.role, HERE),
        holds,
        now,
    }))
}

pub(super) async fn release(
    State(site): State<Site>,
    Path(id): Path<String>,
) -> Result<Response, Shown> {
    let id = id.parse().map_err(|_| Problem::nothing())?;
    match holds::release(&site.studio, id).await {
        Ok(()) => Ok(onward(HERE)),
        Err(HoldError::Failure(failure)) => Err(failure.into()),
        Err(error) => {
            let message = error.to_string();
            Err(Problem::new(StatusCode::CONFLICT, "hold", message).into())
        }
    }
}
