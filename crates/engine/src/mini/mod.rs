//! The model that ships with the program: a word encoder, a flow-matching transformer on latents,
//! and a convolutional decoder. `training/` makes its weights; the same code draws any model of
//! this make, since all sizes come from its `model.toml`.

mod decoder;
mod drawing;
mod encoder;
mod generator;
mod layers;
#[cfg(test)]
mod reference;
mod settings;
#[cfg(test)]
mod tests;
mod text;
#[cfg(test)]
pub(crate) mod tiny;
mod upscaler;

pub use encoder::{ENCODER_FILE, Encoder};
pub use settings::{Example, Settings};

use std::path::Path;

use domain::model::{ModelCard, ModelName, Place, Sizes, Span};
use domain::picture::Size;

use self::decoder::Decoder;
use self::generator::Generator;
use self::text::TextEncoder;
use self::upscaler::Upscaler;
use crate::weights::{Weights, WeightsError};
use crate::words::Words;

/// Names of the four files of a model.
pub const FILES: [&str; 4] = [
    "model.toml",
    "words.txt",
    "words.safetensors",
    "model.safetensors",
];

/// A model in memory, ready to draw.
#[derive(Debug)]
pub struct Pipeline {
    settings: Settings,
    words: Words,
    text: TextEncoder,
    generator: Generator,
    decoder: Decoder,
    upscaler: Option<Upscaler>,
    /// What its weights take in memory.
    weights_bytes: u64,
}

/// The four files of a model, as bytes inside the program.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    pub settings: &'static str,
    pub words: &'static str,
    pub table: &'static [u8],
    pub weights: &'static [u8],
}

impl Pipeline {
    /// Loads a model from a folder with its four files.
    pub fn load(folder: &Path) -> Result<Self, WeightsError> {
        let [settings, words, table, weights] = FILES.map(|name| folder.join(name));
        let text = |path: &Path| {
            std::fs::read_to_string(path).map_err(|source| WeightsError::Unreadable {
                file: path.display().to_string(),
                source,
            })
        };
        let settings = Settings::read(&settings.display().to_string(), &text(&settings)?)?;
        let table = Weights::open(&table, None)?;
        Self::read(
            settings,
            &text(&words)?,
            table,
            Weights::open(&weights, None)?,
        )
    }

    /// Loads a model that is part of the program.
    pub fn embedded(files: Embedded) -> Result<Self, WeightsError> {
        let settings = Settings::read(FILES[0], files.settings)?;
        let table = Weights::embedded(FILES[2], files.table)?;
        Self::read(
            settings,
            files.words,
            table,
            Weights::embedded(FILES[3], files.weights)?,
        )
    }

    fn read(
        settings: Settings,
        words: &str,
        table: Weights,
        mut weights: Weights,
    ) -> Result<Self, WeightsError> {
        let words = Words::load(words, table)?;
        let text = TextEncoder::read(&mut weights, &settings, words.dimensions())?;
        let generator = Generator::read(&mut weights, &settings)?;
        let decoder = Decoder::read(&mut weights, &settings)?;
        let upscaler = Upscaler::read(&mut weights, &settings)?;
        let weights_bytes = weights.numbers() * size_of::<f32>() as u64;
        // The encoder is for drawing over a picture, which takes no part in drawing a new one.
        weights.finish(|tensor| tensor.starts_with("encoder."))?;
        Ok(Self {
            settings,
            words,
            text,
            generator,
            decoder,
            upscaler,
            weights_bytes,
        })
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What its weights take in memory.
    #[must_use]
    pub fn weights_bytes(&self) -> u64 {
        self.weights_bytes
    }
}

impl Settings {
    /// Most pictures of one batch: more of them draw no faster each.
    const MAX_BATCH: usize = 8;

    /// What drawing so many pictures takes in memory beside the weights, from above.
    #[must_use]
    pub fn drawing_bytes(&self, pictures: usize) -> u64 {
        // Per position and row of the generator: its input, queries, keys and values, the wide
        // layer, and a few of its own width; two rows a picture.
        let generator = 2 * self.positions() * self.d * 16;
        let edge = |stage: usize| self.latent_size << stage;
        let widths = self.decoder_widths.iter().enumerate();
        let stage = widths
            .map(|(s, width)| edge(s) * edge(s) * width * 4)
            .max()
            .unwrap_or(0);
        // The picture and its copies; four times of all that where it is upscaled.
        let pixels = self.size as usize * self.size as usize;
        let picture = pixels * self.picture_channels * if self.upscales() { 16 } else { 4 };
        let stage = stage.max(pixels * self.upscaler_width);
        (pictures * (generator + stage + picture) * size_of::<f32>()) as u64
    }

    /// Its own size, and twice that if it has an upscaler.
    fn sizes(&self) -> Sizes {
        let own = Size::square(self.size);
        if !self.upscales() {
            return Sizes::only(own);
        }
        Sizes {
            max_edge: 2 * self.size,
            max_pixels: 4 * own.pixels(),
            ..Sizes::only(own)
        }
    }

    #[must_use]
    pub fn card(&self) -> ModelCard {
        let or_name = |text: &str| if text.is_empty() { &self.name } else { text }.to_owned();
        ModelCard {
            name: ModelName::new(&self.name),
            title: or_name(&self.title),
            about: self.about.clone(),
            licence: self.licence.clone(),
            place: Place::Here,
            sizes: self.sizes(),
            steps: Span {
                min: 1,
                max: 100.max(self.steps_default),
                default: self.steps_default,
            },
            guidance: Some(Span {
                min: 1.0,
                max: 10.0f32.max(self.guidance_default),
                default: self.guidance_default,
            }),
            negative_prompt: true,
            transparent_background: self.has_alpha(),
            max_batch: Self::MAX_BATCH,
            examples: self
                .examples
                .iter()
                .map(|e| domain::model::Example {
                    prompt: e.prompt.clone(),
                    seed: e.seed,
                })
                .collect(),
        }
    }
}
