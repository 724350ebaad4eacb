//! The encoder: from a picture to the latent that the decoder would make it of, for drawing over
//! a picture. It has a file of its own, since a new picture needs none.

use candle_core::{Result, Tensor};

use super::decoder::{Block, fold};
use super::layers::{conv1x1, conv3x3};
use super::settings::Settings;
use crate::kernels::{Activation, Conv3x3, Linear};
use crate::weights::{Weights, WeightsError};

/// Name of the encoder's file beside a model's others.
pub const ENCODER_FILE: &str = "encoder.safetensors";

#[derive(Debug)]
pub struct Encoder {
    patch: usize,
    input: Conv3x3,
    stages: [Block; 3],
    downs: [Linear; 2],
    output: Linear,
}

impl Encoder {
    /// Reads the weights of `encoder.safetensors`, all of them.
    pub fn read(
        mut weights: Weights,
        settings: &Settings,
    ) -> std::result::Result<Self, WeightsError> {
        let [first, second, third] = settings.encoder_widths[..] else {
            return Err(WeightsError::BadText {
                file: super::FILES[0].to_owned(),
                why: "encoder_widths must name three stages".to_owned(),
            });
        };
        let (from, patch) = (settings.picture_channels, settings.patch);
        let all = &mut weights;
        let encoder = Self {
            patch,
            input: conv3x3(all, "encoder.input", from * patch * patch, first)?,
            stages: [
                Block::read(all, "encoder.stage0.0", first)?,
                Block::read(all, "encoder.stage1.0", second)?,
                Block::read(all, "encoder.stage2.0", third)?,
            ],
            downs: [
                conv1x1(all, "encoder.down0", 4 * first, second)?,
                conv1x1(all, "encoder.down1", 4 * second, third)?,
            ],
            output: conv1x1(all, "encoder.output", third, settings.latent_channels)?,
        };
        weights.finish(|_| false)?;
        Ok(encoder)
    }

    /// From pictures `[pictures, height, width, channels]` with numbers from -1 to 1, edges the
    /// model's size, to latents `[pictures, positions, channels]`.
    pub fn encode(&self, pictures: &Tensor) -> Result<Tensor> {
        let x = self
            .input
            .forward(&fold(pictures, self.patch)?, Activation::None)?;
        let mut x = self.stages[0].forward(&x)?;
        for (down, stage) in self.downs.iter().zip(&self.stages[1..]) {
            x = stage.forward(&down.forward(&fold(&x, 2)?, Activation::None)?)?;
        }
        self.output.forward(&x, Activation::None)?.flatten(1, 2)
    }
}
