//! The desk of those who run the house: what there is to do, and what they are on duty for.

mod breaches;
mod children;
mod disclosures;
mod duties;
mod holds;
mod policies;
mod promises;
mod recipients;
mod requests;
mod support;

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use domain::clock::Moment;
use domain::role::Role;
use studio::Failure;
use studio::privacy::inventory::Purpose;
use studio::privacy::restriction::child;
use studio::privacy::{audit, duty};

use super::{Frame, Shown, ok};
use crate::Site;
use crate::caller::Asker;
use crate::problem::Problem;
use crate::texts::Texts;

pub(super) use duties::ask as ask_for_duty;

pub(super) fn routes() -> Router<Site> {
    Router::new()
        .route("/desk", get(show))
        .route("/desk/duties", get(duties::show).post(duties::begin))
        .route("/desk/duties/{id}/agree", post(duties::agree))
        .route("/desk/duties/{id}/end", post(duties::end))
        .route("/desk/requests", get(requests::list))
        .route(
            "/desk/requests/{id}",
            get(requests::show).post(requests::answer),
        )
        .route("/desk/support", get(support::list))
        .route(
            "/desk/support/{id}",
            get(support::show).post(support::answer),
        )
        .route("/desk/support/{id}/files/{file}", get(support::file))
        .route("/desk/children", get(children::list).post(children::act))
        .route("/desk/holds", get(holds::list))
        .route("/desk/holds/{id}/release", post(holds::release))
        .route(
            "/desk/disclosures",
            get(disclosures::list).post(disclosures::enter),
        )
        .route(
            "/desk/disclosures/{id}",
            get(disclosures::show).post(disclosures::decide),
        )
        .route("/desk/disclosures/{id}/package", post(disclosures::package))
        .route("/desk/breaches", get(breaches::list).post(breaches::enter))
        .route(
            "/desk/breaches/{id}",
            get(breaches::show).post(breaches::act),
        )
        .route("/desk/breaches/{id}/notice.txt", get(breaches::notice))
        .route("/desk/policies", get(policies::show))
        .route("/desk/recipients", get(recipients::show))
        .route("/desk/promises", get(promises::show))
}

/// One part of the desk.
pub(super) struct Tab {
    pub(super) to: &'static str,
    pub(super) words: &'static str,
    pub(super) is_here: bool,
}

/// The parts that are of use to a role.
pub(super) fn tabs(role: Role, here: &str) -> Vec<Tab> {
    let texts = Texts::get();
    let t = &texts.desk;
    let answers = Purpose::Rights.readers().contains(&role);
    let helps = Purpose::Support.readers().contains(&role);
    let writes = Purpose::Mail.readers().contains(&role);
    let all = [
        ("/desk", &t.overview, true),
        ("/desk/duties", &t.duties, true),
        ("/desk/support", &texts.desk_support.title, helps),
        ("/desk/requests", &t.requests, answers),
        ("/desk/children", &texts.desk_children.title, answers),
        ("/desk/holds", &t.holds, answers),
        ("/desk/disclosures", &texts.disclosures.title, answers),
        ("/desk/breaches", &texts.breaches.title, answers),
        ("/letters", &t.letters, writes),
        ("/credits/grants", &t.credits, role == Role::Operator),
        ("/desk/visits", &texts.visits.title, role == Role::Operator),
        (
            "/desk/policies",
            &texts.desk_policies.title,
            role == Role::Operator,
        ),
        ("/desk/recipients", &t.recipients, true),
        ("/desk/promises", &t.promises, true),
    ];
    let of_use = all.into_iter().filter(|(.., is_of_use)| *is_of_use);
    of_use
        .map(|(to, words, _)| Tab {
            to,
            words,
            is_here: to == here,
        })
        .collect()
}

/// Where somebody looks who has not said what for, they are asked, and come back here afterwards.
pub(super) fn or_asked<T>(looked: Result<T, Failure>, back: &str) -> Result<T, Shown> {
    looked.map_err(|failure| match failure {
        Failure::NotOnDuty { purposes } => Shown::asks(purposes, back.to_owned()),
        other => Problem::from(other).into(),
    })
}

#[derive(Template)]
#[template(path = "desk.html")]
struct DeskPage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    open: u64,
    overdue: u64,
    waiting: u64,
    duties: Vec<String>,
    /// Whether everything held, and when that was seen.
    audit: Option<(bool, String)>,
    /// Questions to the support that wait.
    questions: u64,
    /// Accounts of children that are locked.
    children: u64,
    answers: bool,
    helps: bool,
    oversees: bool,
}

async fn show(State(site): State<Site>, Asker(known): Asker) -> Result<Response, Shown> {
    let studio = &site.studio;
    let t = Texts::get();
    let (open, overdue) = studio::privacy::requests::count(studio).await?;
    let now = studio.clock.now();
    let duties = duty::own(studio, known.person).await?;
    // Of several for the same, the one that lasts longest.
    let mut on: BTreeMap<Purpose, Moment> = BTreeMap::new();
    for one in duties {
        if one.stage(now) == duty::Stage::Open {
            let until = on.entry(one.purpose).or_insert(one.until);
            *until = one.until.max(*until);
        }
    }
    let report = audit::newest(studio).await?;
    Ok(ok(&DeskPage {
        t,
        frame: Frame::member("desk"),
        tabs: tabs(known.role, "/desk"),
        open,
        overdue,
        waiting: duty::waiting(studio).await?,
        duties: on
            .into_iter()
            .map(|(purpose, until)| {
                let until = t.desk.until.fill(&t.exact(until));
                format!("{}, {until}", purpose.words_to_staff())
            })
            .collect(),
        audit: report.as_deref().and_then(promises::verdict),
        questions: studio::support::waiting(studio).await?,
        children: child::count(studio).await?,
        helps: Purpose::Support.readers().contains(&known.role),
        answers: Purpose::Rights.readers().contains(&known.role),
        oversees: duty::oversees(known.role),
    }))
}
