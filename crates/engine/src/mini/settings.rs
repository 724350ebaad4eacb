//! A model's sizes and defaults, as `model.toml` beside the weights tells them.

use serde::Deserialize;

use crate::samplers::Sampler;
use crate::weights::WeightsError;

/// Everything about a model but its weights and words. The same code draws with larger numbers.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Settings {
    pub name: String,
    /// The name for people.
    #[serde(default)]
    pub title: String,
    /// What it draws well, and what it can't.
    #[serde(default)]
    pub about: String,
    pub version: String,
    pub licence: String,
    /// Edge of a picture in pixels.
    pub size: u32,
    pub latent_channels: usize,
    /// Edge of a latent.
    pub latent_size: usize,
    /// Width of the generator, its heads and its blocks.
    pub d: usize,
    pub heads: usize,
    pub blocks: usize,
    pub text_d: usize,
    pub text_heads: usize,
    pub text_layers: usize,
    /// Most ids that a prompt may have, the first one included.
    pub max_words: usize,
    pub decoder_widths: Vec<usize>,
    pub decoder_blocks: Vec<usize>,
    /// Three stages; empty where there is no encoder.
    #[serde(default)]
    pub encoder_widths: Vec<usize>,
    /// Red, green and blue; or these, premultiplied, and alpha.
    #[serde(default = "opaque")]
    pub picture_channels: usize,
    /// Edge of the squares of pixels that the encoder begins with. The decoder ends with half of it.
    #[serde(default = "eight")]
    pub patch: usize,
    /// Width and blocks of the upscaler; zero where there is none.
    #[serde(default)]
    pub upscaler_width: usize,
    #[serde(default)]
    pub upscaler_blocks: usize,
    pub steps_default: u32,
    pub guidance_default: f32,
    #[serde(default = "unshifted")]
    pub shift: f64,
    #[serde(default = "euler")]
    pub sampler: String,
    /// Prompts that it draws well.
    #[serde(default)]
    pub examples: Vec<Example>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Example {
    pub prompt: String,
    #[serde(default)]
    pub seed: u32,
}

fn unshifted() -> f64 {
    1.0
}

fn opaque() -> usize {
    3
}

fn eight() -> usize {
    8
}

fn euler() -> String {
    Sampler::Euler.to_string()
}

impl Settings {
    /// Largest number of anything that is believed; wrong numbers fail against the weights'
    /// shapes, and these limits keep the arithmetic on the way there from overflowing.
    const MOST: usize = 1 << 16;

    /// Reads and checks `model.toml`; `file` stands in messages.
    pub fn read(file: &str, text: &str) -> Result<Self, WeightsError> {
        let bad = |why: String| WeightsError::BadText {
            file: file.to_owned(),
            why,
        };
        let settings: Self =
            toml::from_str(text).map_err(|error| bad(error.message().to_owned()))?;
        settings.check().map_err(bad)?;
        Ok(settings)
    }

    /// The sampler by its name, which [`Settings::read`] has checked.
    #[must_use]
    pub fn sampler(&self) -> Sampler {
        self.sampler.parse().unwrap_or_default()
    }

    /// Positions of a latent, each one token of the generator.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.latent_size * self.latent_size
    }

    /// Whether its pictures tell what is transparent.
    #[must_use]
    pub fn has_alpha(&self) -> bool {
        self.picture_channels == 4
    }

    /// Whether it draws twice its size, too, by way of its upscaler.
    #[must_use]
    pub fn upscales(&self) -> bool {
        self.upscaler_width > 0
    }

    fn check(&self) -> Result<(), String> {
        let numbers = [
            ("size", self.size as usize),
            ("latent_channels", self.latent_channels),
            ("latent_size", self.latent_size),
            ("d", self.d),
            ("heads", self.heads),
            ("blocks", self.blocks),
            ("text_d", self.text_d),
            ("text_heads", self.text_heads),
            ("text_layers", self.text_layers),
            ("max_words", self.max_words),
            ("steps_default", self.steps_default as usize),
        ];
        let lists = [
            ("decoder_widths", &self.decoder_widths),
            ("decoder_blocks", &self.decoder_blocks),
        ];
        let in_lists = lists
            .iter()
            .flat_map(|(name, list)| list.iter().map(|n| (*name, *n)));
        for (name, number) in numbers.into_iter().chain(in_lists) {
            if number == 0 || number > Self::MOST {
                return Err(format!("{name} is {number}, which can't be"));
            }
        }
        let whole_heads = |width: usize, heads: usize| width.is_multiple_of(heads);
        if !whole_heads(self.d, self.heads) || !whole_heads(self.text_d, self.text_heads) {
            return Err("the width is no multiple of the heads".to_owned());
        }
        if self.decoder_widths.len() != self.decoder_blocks.len() || self.decoder_widths.is_empty()
        {
            return Err("decoder_widths and decoder_blocks must name the same stages".to_owned());
        }
        if !(3..=4).contains(&self.picture_channels) || ![2, 4, 8, 16].contains(&self.patch) {
            return Err("picture_channels or patch can't be".to_owned());
        }
        if !matches!(self.encoder_widths.len(), 0 | 3)
            || self
                .encoder_widths
                .iter()
                .any(|width| !(1..=Self::MOST).contains(width))
        {
            return Err("encoder_widths must name three stages".to_owned());
        }
        if self.upscaler_width.max(self.upscaler_blocks) > Self::MOST {
            return Err("upscaler_width or upscaler_blocks can't be".to_owned());
        }
        // Each stage but the last doubles the edge, and the output makes half a patch of one.
        let grown = u32::try_from(self.decoder_widths.len().saturating_sub(1))
            .ok()
            .and_then(|doublings| (self.latent_size as u64).checked_shl(doublings))
            .and_then(|edge| edge.checked_mul(self.patch as u64 / 2));
        if self.decoder_widths.len() > 16 || grown != Some(u64::from(self.size)) {
            return Err(format!(
                "the decoder's stages don't lead to {} pixels",
                self.size
            ));
        }
        if !(0.0..=100.0).contains(&self.guidance_default) || !(0.01..=100.0).contains(&self.shift)
        {
            return Err("guidance_default or shift is out of reach".to_owned());
        }
        self.sampler
            .parse::<Sampler>()
            .map(drop)
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        name = "m"
        version = "1"
        licence = "MIT"
        size = 32
        latent_channels = 4
        latent_size = 4
        d = 16
        heads = 2
        blocks = 1
        text_d = 8
        text_heads = 2
        text_layers = 1
        max_words = 32
        decoder_widths = [8, 4]
        decoder_blocks = [1, 1]
        steps_default = 20
        guidance_default = 3.0
    "#;

    #[test]
    fn what_is_not_said_is_the_plain_thing() {
        let settings = Settings::read("model.toml", GOOD).expect("good");
        assert_eq!((settings.sampler(), settings.shift), (Sampler::Euler, 1.0));
        assert_eq!(settings.positions(), 16);
        assert_eq!((settings.picture_channels, settings.patch), (3, 8));
        assert!(!settings.upscales());
    }

    #[test]
    fn numbers_that_cant_be_are_refused_before_any_arithmetic() {
        for (from, to) in [
            ("heads = 2\n", "heads = 3\n"),
            ("d = 16", "d = 0"),
            ("size = 32", "size = 64"),
            ("blocks = 1\n", "blocks = 99999999999\n"),
            ("decoder_widths = [8, 4]", "decoder_widths = []"),
            ("decoder_blocks = [1, 1]", "decoder_blocks = [1]"),
            (
                "steps_default = 20",
                "steps_default = 20\nsampler = \"dpm\"",
            ),
            ("guidance_default = 3.0", "guidance_default = nan"),
            ("heads = 2\n", "heads = 2\npatch = 4\n"),
            ("heads = 2\n", "heads = 2\npicture_channels = 2\n"),
            ("heads = 2\n", "heads = 2\nencoder_widths = [4, 8]\n"),
            ("heads = 2\n", "heads = 2\nupscaler_width = 99999999\n"),
            ("name = \"m\"", ""),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            let error = Settings::read("model.toml", &text).expect_err(to);
            assert!(error.to_string().starts_with("model.toml: "), "{error}");
        }
    }
}
