//! Which painter draws with which model.

use std::sync::Arc;

use domain::model::{ModelCard, ModelName};
use domain::painter::Painter;

use crate::Studio;

/// Every model that can be asked for now; the first is the default.
#[must_use]
pub fn models(studio: &Studio) -> Vec<ModelCard> {
    studio
        .painters
        .iter()
        .flat_map(|painter| painter.cards())
        .collect()
}

/// The painter of a model, and the model's card. No name means the default model.
#[must_use]
pub fn route(studio: &Studio, model: Option<&ModelName>) -> Option<(Arc<dyn Painter>, ModelCard)> {
    studio.painters.iter().find_map(|painter| {
        let wanted = |card: &ModelCard| model.is_none_or(|name| *name == card.name);
        let card = painter.cards().into_iter().find(wanted)?;
        Some((Arc::clone(painter), card))
    })
}
