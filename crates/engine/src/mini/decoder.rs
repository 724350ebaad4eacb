//! The decoder: from a latent to a picture, by convolutions and pixel shuffles (Shi et al. 2016).

use candle_core::{Result, Tensor};

use super::layers::{conv1x1, conv1x1_unfolding, conv3x3, conv3x3_unfolding};
use super::settings::Settings;
use crate::kernels::{Activation, Conv3x3, Linear};
use crate::weights::{Weights, WeightsError};

#[derive(Debug)]
pub(super) struct Decoder {
    input: Linear,
    stages: Vec<Stage>,
    output: Conv3x3,
    size: usize,
    /// Pixels that the last layer makes of one position, along an edge.
    last_factor: usize,
}

#[derive(Debug)]
struct Stage {
    blocks: Vec<Block>,
    /// Doubles the edge; the last stage has none.
    up: Option<Linear>,
}

/// `x + conv2(silu(conv1(x)))`
#[derive(Debug)]
pub(super) struct Block {
    conv1: Conv3x3,
    conv2: Conv3x3,
}

impl Block {
    pub(super) fn read(
        weights: &mut Weights,
        name: &str,
        width: usize,
    ) -> std::result::Result<Self, WeightsError> {
        Ok(Self {
            conv1: conv3x3(weights, &format!("{name}.conv1"), width, width)?,
            conv2: conv3x3(weights, &format!("{name}.conv2"), width, width)?,
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.conv2
            .onto(x, &self.conv1.forward(x, Activation::Silu)?)
    }
}

impl Decoder {
    pub(super) fn read(
        weights: &mut Weights,
        settings: &Settings,
    ) -> std::result::Result<Self, WeightsError> {
        let widths = &settings.decoder_widths;
        let mut stages = Vec::with_capacity(widths.len());
        for (s, (width, count)) in widths.iter().zip(&settings.decoder_blocks).enumerate() {
            let blocks =
                (0..*count).map(|j| Block::read(weights, &format!("decoder.stage{s}.{j}"), *width));
            let blocks = blocks.collect::<std::result::Result<_, WeightsError>>()?;
            let up = widths.get(s + 1).map(|next| {
                conv1x1_unfolding(weights, &format!("decoder.up{s}"), *width, *next, 2)
            });
            stages.push(Stage {
                blocks,
                up: up.transpose()?,
            });
        }
        let (first, last) = (widths[0], widths[widths.len() - 1]);
        Ok(Self {
            input: conv1x1(weights, "decoder.input", settings.latent_channels, first)?,
            stages,
            output: conv3x3_unfolding(
                weights,
                "decoder.output",
                last,
                settings.picture_channels,
                settings.patch / 2,
            )?,
            size: settings.latent_size,
            last_factor: settings.patch / 2,
        })
    }

    /// From latents `[pictures, positions, channels]` to pictures `[pictures, height, width, 3]`,
    /// or 4 with alpha, with numbers from about -1 to 1.
    pub(super) fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let (pictures, _, channels) = latents.dims3()?;
        let latents = latents.reshape((pictures, self.size, self.size, channels))?;
        let mut x = self.input.forward(&latents, Activation::None)?;
        for stage in &self.stages {
            for block in &stage.blocks {
                x = block.forward(&x)?;
            }
            if let Some(up) = &stage.up {
                x = unfold(&up.forward(&x, Activation::None)?, 2)?;
            }
        }
        unfold(
            &self.output.forward(&x, Activation::None)?,
            self.last_factor,
        )
    }
}

/// Spreads the channels of each position over a square of `factor` by `factor` positions:
/// `[n, h, w, factor * factor * c]`, place first, to `[n, h * factor, w * factor, c]`.
pub(super) fn unfold(x: &Tensor, factor: usize) -> Result<Tensor> {
    let (n, h, w, wide) = x.dims4()?;
    let c = wide / (factor * factor);
    // Along a line, a position's squares lie as they shall: only lines have to be parted.
    x.reshape((n * h, w, factor, factor * c))?
        .transpose(1, 2)?
        .contiguous()?
        .reshape((n, h * factor, w * factor, c))
}

/// The way back, with the order of PyTorch's pixel unshuffle: `[n, h * factor, w * factor, c]` to
/// `[n, h, w, c * factor * factor]`, channel first, then place.
pub(super) fn fold(x: &Tensor, factor: usize) -> Result<Tensor> {
    let (n, height, width, c) = x.dims4()?;
    let (h, w) = (height / factor, width / factor);
    x.reshape(vec![n, h, factor, w, factor, c])?
        .permute(vec![0, 1, 3, 5, 2, 4])?
        .contiguous()?
        .reshape((n, h, w, c * factor * factor))
}
