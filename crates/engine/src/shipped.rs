//! The model inside the program, so that the program alone draws.

use crate::mini::{Embedded, Pipeline, Settings};
use crate::weights::WeightsError;

macro_rules! file {
    ($include:ident, $name:literal) => {
        $include!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../models/pinhole-mini/",
            $name
        ))
    };
}

const FILES: Embedded = Embedded {
    settings: file!(include_str, "model.toml"),
    words: file!(include_str, "words.txt"),
    table: file!(include_bytes, "words.safetensors"),
    weights: file!(include_bytes, "model.safetensors"),
};

/// Its sizes and defaults.
pub fn settings() -> Result<Settings, WeightsError> {
    Settings::read("the shipped model.toml", FILES.settings)
}

pub fn load() -> Result<Pipeline, WeightsError> {
    Pipeline::embedded(FILES)
}

/// What loading takes in memory, from above: the weights, which are halves in the program, as f32.
pub fn loaded_bytes() -> u64 {
    2 * FILES.weights.len() as u64
}
