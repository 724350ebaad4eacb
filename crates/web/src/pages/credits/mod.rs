//! Credits: what a person has, what things cost, and the statement.

mod download;
mod give;
mod purse;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use domain::clock::Moment;
use domain::credits::Credits;
use domain::ids::EntryId;
use domain::model::ModelCard;
use studio::credits::grants::{self, Grant};
use studio::credits::invoices::{self, Invoice};
use studio::credits::ledger::Kind;
use studio::credits::statement::{self, Line, What};
use studio::credits::{Operation, PriceList};
use studio::{Studio, routing};

pub(crate) use purse::Purse;

use super::{Shown, ok};
use crate::Site;
use crate::api::pairs;
use crate::caller::Caller;
use crate::pages::Frame;
use crate::problem::Problem;
use crate::texts::Texts;
use crate::when;

const LINES_PER_PAGE: u32 = 50;
/// Of the words of a job, enough to know it again by.
const EXCERPT_CHARS: usize = 60;

pub(super) fn routes() -> Router<Site> {
    Router::new()
        .route("/credits", get(show))
        .route("/credits/grants", get(give::show).post(give::give))
        .route("/credits/statement.csv", get(download::csv))
        .route("/credits/statement.json", get(download::json))
}

#[derive(Template)]
#[template(path = "credits.html")]
struct CreditsPage {
    t: &'static Texts,
    frame: Frame,
    purse: Option<Purse>,
    grants: Vec<Grant>,
    tariffs: Vec<Tariff>,
    lines: Vec<Line>,
    invoices: Vec<Invoice>,
    older: Option<EntryId>,
    is_newest: bool,
}

/// What one model costs.
struct Tariff {
    title: String,
    usual_steps: u32,
    by_steps: bool,
    rows: Vec<(String, Credits)>,
}

impl CreditsPage {
    fn held(&self) -> Option<String> {
        let held = self.purse.as_ref()?.balance.held;
        (!held.is_zero()).then(|| self.t.credits.held.fill(&self.t.number(held)))
    }

    fn is_by_steps(&self) -> bool {
        self.tariffs.iter().all(|tariff| tariff.by_steps)
    }

    /// Grants that end.
    fn ending(&self) -> Vec<String> {
        let sentence = |grant: &Grant| {
            let words = [
                &self.t.credits(grant.remaining),
                &self.t.last_day(grant.ends?),
                &self.named(grant.is_welcome, &grant.reason),
            ];
            Some(
                self.t
                    .credits
                    .grant_left
                    .fill_all(&words.map(String::as_str)),
            )
        };
        self.grants.iter().filter_map(sentence).collect()
    }

    fn named(&self, is_welcome: bool, reason: &str) -> String {
        if is_welcome {
            self.t.credits.welcome.clone()
        } else {
            reason.to_owned()
        }
    }

    /// What an entry was for, in a few words.
    fn what(&self, line: &Line) -> String {
        let words = &self.t.credits;
        match &line.what {
            What::Grant {
                is_welcome, reason, ..
            } if line.kind == Kind::Expiry => {
                let grant = self.named(*is_welcome, reason);
                words.ended.fill(&grant)
            }
            What::Grant { .. } if line.kind == Kind::Gift => words.handed_on.clone(),
            What::Grant {
                is_welcome: true, ..
            } => words.welcome.clone(),
            What::Grant { reason, .. } => words.grant.fill(reason),
            What::Job {
                asked, delivered, ..
            } => match *delivered {
                None => words.for_pictures.of(*asked),
                Some(0) => words.nothing_drawn.clone(),
                Some(delivered) if delivered == *asked => words.drawn.of(delivered),
                Some(delivered) => words
                    .drawn_some
                    .fill_two(&delivered, &words.drawn.of(*asked)),
            },
        }
    }

    /// The small print of an entry.
    fn more(&self, line: &Line) -> String {
        let words = &self.t.credits;
        match &line.what {
            What::Grant { ends, .. } if line.kind == Kind::Grant => {
                ends.map_or_else(String::new, |ends| words.until.fill(&self.t.last_day(ends)))
            }
            What::Grant { .. } => String::new(),
            What::Job { model, price, .. } => {
                format!(
                    "{model} · {}",
                    words.cost_each.fill(&self.t.credits(*price))
                )
            }
        }
    }

    fn excerpt(&self, line: &Line) -> Option<String> {
        let What::Job {
            prompt: Some(prompt),
            ..
        } = &line.what
        else {
            return None;
        };
        let words = prompt.expose();
        let mut excerpt: String = words.chars().take(EXCERPT_CHARS).collect();
        if excerpt.len() < words.len() {
            excerpt.push('…');
        }
        Some(excerpt)
    }

    fn iso(&self, at: &Moment) -> String {
        when::iso(*at)
    }

    fn exact(&self, at: &Moment) -> String {
        self.t.exact(*at)
    }
}

async fn show(
    State(studio): State<Studio>,
    Caller(person): Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, Shown> {
    let given = pairs(query.unwrap_or_default().as_bytes());
    let before = given.iter().find(|(name, _)| name == "before");
    let before = before.map(|(_, id)| id.parse::<EntryId>()).transpose();
    let before =
        before.map_err(|bad| Problem::field("before", "invalid_value", bad.to_string()))?;
    let t = Texts::get();
    let purse = Purse::of(&studio, person).await?;
    let page = statement::page(&studio, person, before, LINES_PER_PAGE, false).await?;
    let prices = Arc::clone(&studio.prices);
    let cards = routing::models(&studio);
    Ok(ok(&CreditsPage {
        t,
        frame: Frame::member("account"),
        grants: grants::open_grants(&studio, person).await?,
        tariffs: cards.iter().map(|card| tariff(t, card, &prices)).collect(),
        purse,
        lines: page.items,
        invoices: invoices::of(&studio, person).await?,
        older: page.next,
        is_newest: before.is_none(),
    }))
}

/// The bands that a model's sizes reach into.
fn tariff(t: &Texts, card: &ModelCard, prices: &PriceList) -> Tariff {
    let price = prices.price(&card.name, Operation::Draw);
    let mut rows = Vec::new();
    let smallest = u64::from(card.sizes.min_edge) * u64::from(card.sizes.min_edge);
    for band in &price.bands {
        let Some(up_to) = band.up_to else {
            rows.push((t.credits.price_larger.clone(), band.credits));
            break;
        };
        if up_to.pixels() >= smallest {
            let size = up_to.to_string().replace('x', " × ");
            rows.push((t.credits.up_to.fill(&size), band.credits));
        }
        if up_to.pixels() >= card.sizes.max_pixels {
            break;
        }
    }
    Tariff {
        title: card.title.clone(),
        usual_steps: card.steps.default,
        by_steps: price.by_steps,
        rows,
    }
}
