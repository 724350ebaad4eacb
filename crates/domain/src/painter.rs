//! The one open set: whoever can turn a brief into pixels.

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;

use crate::model::{ModelCard, ModelName};
use crate::picture::{Background, Pixels, Size};
use crate::prompt::Prompt;

/// One picture to draw. Everything in it was checked against the model's card.
#[derive(Clone, Debug, PartialEq)]
pub struct Brief {
    pub prompt: Prompt,
    pub negative_prompt: Option<Prompt>,
    pub size: Size,
    pub background: Background,
    pub steps: u32,
    pub guidance: f32,
    /// The same seed with the same brief gives the same picture.
    pub seed: u32,
    /// Seeds of the pictures that this one is a variation of, eldest first; none for a picture of
    /// its own. It begins in their noise, with a part of its own seed's mixed in.
    pub ancestors: Vec<u32>,
    /// How many previews to show on the way, spread evenly over the steps.
    pub previews: u32,
}

/// What a painter tells while it draws, and how it learns that it should stop.
pub trait Watch: Send + Sync {
    /// After sampler step `step` (1 to `steps`) of the `index`-th brief. `Break` means that this
    /// picture is no longer wanted; the others go on.
    fn step(
        &self,
        index: usize,
        step: u32,
        steps: u32,
        preview: Option<&Pixels>,
    ) -> ControlFlow<()>;
}

/// A picture as it was drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Painted {
    pub pixels: Pixels,
    /// Words of the prompt that the model does not know and left out, in their order.
    pub unknown_words: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum PaintError {
    #[error("cancelled")]
    Cancelled,
    /// The brief can't be drawn as it is; the message tells the person what to change.
    #[error("{0}")]
    Refused(String),
    #[error(
        "not enough memory to draw this: choose a smaller size, fewer pictures, or a smaller model"
    )]
    OutOfMemory,
    /// The weights or the engine failed; the message is for the operator.
    #[error("{0}")]
    Failed(String),
}

pub type Paintings = Vec<Result<Painted, PaintError>>;

/// Draws briefs. Implemented by the local engine and by each provider.
pub trait Painter: Send + Sync + fmt::Debug {
    /// The models that can be asked for now.
    fn cards(&self) -> Vec<ModelCard>;

    /// Draws briefs that share model, size and step count, at most `max_batch` of them, and
    /// answers in their order. Dropping the future is no cancellation: `watch` is.
    fn paint<'a>(
        &'a self,
        model: &'a ModelName,
        briefs: Vec<Brief>,
        watch: std::sync::Arc<dyn Watch>,
    ) -> Pin<Box<dyn Future<Output = Paintings> + Send + 'a>>;
}
