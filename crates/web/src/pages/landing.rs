//! What somebody sees who is not signed in: what this is, what it draws, what it costs.

use askama::Template;
use axum::response::Response;
use domain::model::{ModelCard, Place};
use studio::credits::Operation;
use studio::{Studio, routing};

use super::form::{Example, examples};
use super::{Frame, ok};
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "landing.html")]
struct LandingPage {
    t: &'static Texts,
    frame: Frame,
    /// The model that draws where nobody chooses; absent where none is loaded.
    card: Option<ModelCard>,
    examples: Vec<Example>,
    /// What a new account is given.
    gift: Option<String>,
    /// What one picture costs.
    each: Option<String>,
}

impl LandingPage {
    fn place(&self) -> String {
        let words = &self.t.landing;
        match self.card.as_ref().map(|card| &card.place) {
            Some(Place::Provider { name, country }) => words.provider.fill_two(name, country),
            Some(Place::Here) | None => words.here.clone(),
        }
    }
}

pub(super) fn page(studio: &Studio) -> Response {
    let t = Texts::get();
    let card = routing::route(studio, None).map(|(_, card)| card);
    let price = card.as_ref().map(|card| {
        let size = card.sizes.default;
        let steps = card.steps.default;
        let quote = studio.prices.quote(card, Operation::Draw, size, steps, 1);
        quote.total()
    });
    let welcome = studio.prices.welcome.credits;
    let gift = price.filter(|_| !welcome.is_zero()).map(|price| {
        let given = t.credits(welcome);
        match u32::try_from(welcome.get() / price.get().max(1)) {
            Ok(pictures @ 1..) => {
                let drawn = t.credits.drawn.of(pictures);
                t.landing.gift_for.fill_two(&given, &drawn)
            }
            _ => t.landing.gift.fill(&given),
        }
    });
    ok(&LandingPage {
        t,
        frame: Frame::visitor(""),
        examples: card.as_ref().map(examples).unwrap_or_default(),
        gift,
        each: price.map(|price| t.landing.cost_what.fill(&t.credits(price))),
        card,
    })
}
