//! Stable Diffusion 1.5, 2.1, SDXL and SDXL-Turbo, from the files that their authors publish.
//!
//! A prompt becomes tokens (`tokens`), tokens become states (`text`), a U-Net (`unet`) takes
//! noise away from a latent in steps (`schedule`), and a decoder makes a picture of it (`vae`).
//! The networks' shapes come from each model's own `config.json`, never from a table here, so
//! that the same code draws with a tiny model in a test and a fine-tuned one of the same family.
//!
//! Invariant: a setting that these layers can't honour is refused when the model is loaded,
//! never ignored.

mod blocks;
mod drawing;
mod folder;
mod layers;
mod pipeline;
mod preview;
#[cfg(test)]
mod reference;
mod schedule;
mod text;
mod tokens;
mod unet;
mod unet_config;
mod vae;

use std::path::PathBuf;

pub use folder::{check_files, loading_bytes};
pub use pipeline::Pipeline;
pub use schedule::Sampler;

use crate::weights::WeightsError;

/// Why a model can't be drawn with. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error("{} can't be read: {source}. Pull the model again.", file.display())]
    Unreadable {
        file: PathBuf,
        source: std::io::Error,
    },
    #[error("{}: {why}. Pull the model again, or choose another.", file.display())]
    Config { file: PathBuf, why: String },
    #[error(
        "{} holds {found} weights files where one is needed. Remove the model and pull it again.",
        folder.display()
    )]
    WeightsFiles { folder: PathBuf, found: usize },
    #[error(
        "{} is not what was pulled: it was changed or is damaged. Remove the model and pull it again.",
        file.display()
    )]
    Changed { file: PathBuf },
    #[error("{model} can't be drawn with yet. `pinhole models list` shows which models can.")]
    NotYet { model: String },
    #[error("the tokenizer failed: {0}. Pull the model again.")]
    Tokenizer(String),
    #[error("the weights can't be laid out: {0}")]
    Maths(#[from] candle_core::Error),
}
