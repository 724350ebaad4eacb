//! What draws here, what it can't, and what is kept.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::model::{ModelCard, Place};
use studio::routing;

use super::ok;
use crate::api::Origin;
use crate::caller::MaybeAsker;
use crate::pages::Frame;
use crate::texts::Texts;
use crate::{LargerModel, Site};

#[derive(Template)]
#[template(path = "about.html")]
struct AboutPage {
    t: &'static Texts,
    frame: Frame,
    cards: Vec<ModelCard>,
    larger: Vec<LargerModel>,
    api: String,
}

impl AboutPage {
    fn place(&self, card: &ModelCard) -> String {
        match &card.place {
            Place::Here => self.t.about.place_here.clone(),
            Place::Provider { name, country } => {
                self.t.about.place_provider.fill_two(name, country)
            }
        }
    }

    fn steps(&self, card: &ModelCard) -> String {
        let steps = card.steps;
        let numbers = [steps.min, steps.max, steps.default].map(|n| n.to_string());
        self.t
            .about
            .steps_value
            .fill_all(&[&numbers[0], &numbers[1], &numbers[2]])
    }

    /// As people count bytes on disks.
    fn gigabytes(&self, mib: u64) -> String {
        let tenths = (mib << 20).div_ceil(100_000_000);
        self.t
            .about
            .gigabytes
            .fill(&format!("{}.{}", tenths / 10, tenths % 10))
    }
}

pub(super) async fn show(
    State(site): State<Site>,
    MaybeAsker(known): MaybeAsker,
    origin: Origin,
) -> Response {
    let cards = routing::models(&site.studio);
    let is_here =
        |larger: &&LargerModel| !cards.iter().any(|card| card.name.as_str() == larger.name);
    let larger = site.larger_models.iter().filter(is_here).cloned().collect();
    ok(&AboutPage {
        t: Texts::get(),
        frame: Frame::of(known.as_ref(), "about"),
        larger,
        cards,
        api: origin.url("/v1"),
    })
}
