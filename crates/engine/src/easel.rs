//! The models in memory, and one drawing with one of them.

use domain::model::ModelName;
use domain::painter::{Brief, PaintError, Paintings, Watch};

use crate::memory;
use crate::models::{Model, Models};

/// Draws, with the models that it used last at hand.
pub(crate) struct Easel {
    models: Models,
    memory_limit_bytes: Option<u64>,
    /// The one used last is at the end.
    at_hand: Vec<(ModelName, Model)>,
}

impl Easel {
    pub(crate) fn new(models: Models, memory_limit_bytes: Option<u64>) -> Self {
        Self {
            models,
            memory_limit_bytes,
            at_hand: Vec::new(),
        }
    }

    pub(crate) fn draw(
        &mut self,
        name: &ModelName,
        briefs: &[Brief],
        watch: &dyn Watch,
    ) -> Paintings {
        let drawn = self.fetch(name).and_then(|()| {
            let Some((_, model)) = self.at_hand.last() else {
                return Err(PaintError::Failed(
                    "the model that was just loaded is gone".into(),
                ));
            };
            let needed = model.drawing_bytes(briefs);
            self.make_room(needed, 1)
        });
        match (drawn, self.at_hand.last()) {
            (Ok(()), Some((_, model))) => model.draw(briefs, watch),
            (drawn, _) => briefs.iter().map(|_| Err(again(&drawn))).collect(),
        }
    }

    /// Takes a model out of memory.
    pub(crate) fn forget(&mut self, name: &ModelName) {
        self.at_hand.retain(|(held, _)| held != name);
    }

    /// Puts a model at the end of those at hand.
    fn fetch(&mut self, name: &ModelName) -> Result<(), PaintError> {
        if let Some(place) = self.at_hand.iter().position(|(held, _)| held == name) {
            self.at_hand[place..].rotate_left(1);
            return Ok(());
        }
        let Some(source) = self.models.find(name) else {
            let why = format!("There is no model called {name} here. Choose another one.");
            return Err(PaintError::Refused(why));
        };
        self.make_room(source.loading_bytes(), 0)?;
        let model = source.load().map_err(PaintError::Failed)?;
        self.at_hand.push((name.clone(), model));
        Ok(())
    }

    /// Lets go of the models that were not used for longest, until so much fits beside the
    /// `keep` last ones.
    fn make_room(&mut self, needed_bytes: u64, keep: usize) -> Result<(), PaintError> {
        while !self.fits(needed_bytes) {
            if self.at_hand.len() <= keep {
                return Err(PaintError::OutOfMemory);
            }
            self.at_hand.remove(0);
        }
        Ok(())
    }

    fn fits(&self, needed_bytes: u64) -> bool {
        let held: u64 = self
            .at_hand
            .iter()
            .map(|(_, model)| model.weights_bytes())
            .sum();
        let within_limit = self
            .memory_limit_bytes
            .is_none_or(|limit| held.saturating_add(needed_bytes) <= limit);
        within_limit && memory::available_bytes().is_none_or(|free| needed_bytes <= free)
    }
}

/// The same refusal for each brief.
fn again(outcome: &Result<(), PaintError>) -> PaintError {
    match outcome {
        Err(PaintError::Cancelled) => PaintError::Cancelled,
        Err(PaintError::OutOfMemory) => PaintError::OutOfMemory,
        Err(PaintError::Refused(why)) => PaintError::Refused(why.clone()),
        Err(PaintError::Failed(why)) => PaintError::Failed(why.clone()),
        Ok(()) => PaintError::Failed("nothing was drawn".to_owned()),
    }
}
