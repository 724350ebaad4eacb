//! The upscaler: a picture to one with twice the edge.

use candle_core::{Result, Tensor};

use super::decoder::{Block, fold, unfold};
use super::layers::{conv3x3, conv3x3_unfolding};
use super::settings::Settings;
use crate::kernels::{Activation, Conv3x3};
use crate::weights::{Weights, WeightsError};

/// It works on squares of 2 x 2 pixels, and makes 4 x 4 of each.
const SQUARE: usize = 2;
const GROWN: usize = 4;

#[derive(Debug)]
pub(super) struct Upscaler {
    input: Conv3x3,
    blocks: Vec<Block>,
    output: Conv3x3,
}

impl Upscaler {
    /// The upscaler, if the settings tell of one.
    pub(super) fn read(
        weights: &mut Weights,
        settings: &Settings,
    ) -> std::result::Result<Option<Self>, WeightsError> {
        if !settings.upscales() {
            return Ok(None);
        }
        let (width, channels) = (settings.upscaler_width, settings.picture_channels);
        let blocks = (0..settings.upscaler_blocks)
            .map(|j| Block::read(weights, &format!("upscaler.blocks.{j}"), width));
        Ok(Some(Self {
            blocks: blocks.collect::<std::result::Result<_, WeightsError>>()?,
            input: conv3x3(weights, "upscaler.input", channels * SQUARE * SQUARE, width)?,
            output: conv3x3_unfolding(weights, "upscaler.output", width, channels, GROWN)?,
        }))
    }

    /// From pictures `[pictures, height, width, channels]` with numbers from -1 to 1.
    pub(super) fn grow(&self, picture: &Tensor) -> Result<Tensor> {
        let mut x = self
            .input
            .forward(&fold(picture, SQUARE)?, Activation::None)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        let correction = unfold(&self.output.forward(&x, Activation::None)?, GROWN)?;
        let places = SQUARE * SQUARE;
        let doubled = Tensor::cat(&vec![picture; places], 3)?;
        unfold(&doubled, SQUARE)? + correction
    }
}
