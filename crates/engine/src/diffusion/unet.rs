//! The network that predicts noise: a U-Net that looks at text (Rombach et al. 2022), with SDXL's
//! picture sizes and pooled text added to its time (Podell et al. 2023).

use candle_core::{Result as Maths, Tensor};
use candle_nn::{Conv2d, GroupNorm, Module};

use super::LoadError;
use super::blocks::{Norms, ResBlock, SpatialTransformer, TransformerShape, Upsample};
use super::layers::{EmbeddingMlp, Scope, sinusoids};
use super::unet_config::UnetConfig;

/// What a batch of latents is conditioned on.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// `[batch, tokens, cross_attention_dim]`
    pub(super) context: Tensor,
    /// SDXL's, `[batch, width]`; absent in the older models.
    pub(super) added: Option<Added>,
}

#[derive(Clone, Debug)]
pub(super) struct Added {
    pub(super) pooled: Tensor,
    /// Original height and width, crop from top and left, target height and width.
    pub(super) sizes: [f32; Self::SIZES],
}

#[derive(Debug)]
pub(super) struct Unet {
    conv_in: Conv2d,
    time: EmbeddingMlp,
    added: Option<EmbeddingMlp>,
    down: Vec<Down>,
    mid: (ResBlock, SpatialTransformer, ResBlock),
    up: Vec<Up>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
    config: UnetConfig,
}

#[derive(Debug)]
struct Down {
    layers: Vec<(ResBlock, Option<SpatialTransformer>)>,
    downsample: Option<Conv2d>,
}

#[derive(Debug)]
struct Up {
    layers: Vec<(ResBlock, Option<SpatialTransformer>)>,
    upsample: Option<Upsample>,
}

impl Added {
    /// How many sizes there are.
    pub(super) const SIZES: usize = 6;
}

impl Condition {
    /// Only some of the batch, by their rows.
    pub(super) fn select(&self, rows: &Tensor) -> Maths<Self> {
        let added = self.added.as_ref().map(|added| {
            let pooled = added.pooled.index_select(rows, 0)?;
            Ok::<_, candle_core::Error>(Added {
                pooled,
                sizes: added.sizes,
            })
        });
        Ok(Self {
            context: self.context.index_select(rows, 0)?,
            added: added.transpose()?,
        })
    }

    /// This batch, and another after it.
    pub(super) fn and(&self, other: &Self) -> Maths<Self> {
        let added = match (&self.added, &other.added) {
            (Some(one), Some(two)) => {
                let pooled = Tensor::cat(&[&one.pooled, &two.pooled], 0)?;
                Some(Added {
                    pooled,
                    sizes: one.sizes,
                })
            }
            _ => None,
        };
        Ok(Self {
            context: Tensor::cat(&[&self.context, &other.context], 0)?,
            added,
        })
    }
}

impl Unet {
    pub(super) fn new(root: &Scope<'_>, config: UnetConfig) -> Result<Self, LoadError> {
        let widths = &config.block_out_channels;
        let (first, last) = (widths[0], widths[widths.len() - 1]);
        let time_width = 4 * first;
        let norms = Norms {
            groups: config.norm_num_groups,
            eps: config.norm_eps,
            time_width: Some(time_width),
        };
        let added = config
            .added
            .map(|added| EmbeddingMlp::new(&root.at("add_embedding"), added.inputs, time_width));
        let deepest = widths.len() - 1;
        let mid = root.at("mid_block");
        Ok(Self {
            conv_in: root.at("conv_in").conv(config.in_channels, first, 3, 1)?,
            time: EmbeddingMlp::new(&root.at("time_embedding"), first, time_width)?,
            added: added.transpose()?,
            down: down_blocks(root, &config, norms)?,
            mid: (
                ResBlock::new(&mid.at("resnets.0"), last, last, norms)?,
                SpatialTransformer::new(&mid.at("attentions.0"), shape(&config, deepest))?,
                ResBlock::new(&mid.at("resnets.1"), last, last, norms)?,
            ),
            up: up_blocks(root, &config, norms)?,
            norm_out: root.at("conv_norm_out").group_norm(
                first,
                config.norm_num_groups,
                config.norm_eps,
            )?,
            conv_out: root.at("conv_out").conv(first, config.out_channels, 3, 1)?,
            config,
        })
    }

    /// `x` is `[batch, channels, h, w]`; both edges must be multiples of [`UnetConfig::factor`].
    pub(super) fn forward(&self, x: &Tensor, time: f32, on: &Condition) -> Maths<Tensor> {
        let batch = x.dim(0)?;
        let time = self.time_embedding(batch, time, on)?.silu()?;
        let mut x = self.conv_in.forward(x)?;
        let mut skips = vec![x.clone()];
        for block in &self.down {
            for (resnet, look) in &block.layers {
                x = resnet.forward(&x, Some(&time))?;
                if let Some(look) = look {
                    x = look.forward(&x, &on.context)?;
                }
                skips.push(x.clone());
            }
            if let Some(downsample) = &block.downsample {
                x = downsample.forward(&x)?;
                skips.push(x.clone());
            }
        }
        x = self.mid.0.forward(&x, Some(&time))?;
        x = self.mid.1.forward(&x, &on.context)?;
        x = self.mid.2.forward(&x, Some(&time))?;
        for block in &self.up {
            for (resnet, look) in &block.layers {
                let skip = skips.pop().ok_or_else(|| {
                    candle_core::Error::Msg("the U-Net has more ups than downs".into())
                })?;
                x = resnet.forward(&Tensor::cat(&[&x, &skip], 1)?, Some(&time))?;
                if let Some(look) = look {
                    x = look.forward(&x, &on.context)?;
                }
            }
            if let Some(upsample) = &block.upsample {
                x = upsample.forward(&x)?;
            }
        }
        self.conv_out.forward(&self.norm_out.forward(&x)?.silu()?)
    }

    fn time_embedding(&self, batch: usize, time: f32, on: &Condition) -> Maths<Tensor> {
        let config = &self.config;
        let width = config.block_out_channels[0];
        let waves = |values: &[f32], width| {
            sinusoids(values, width, config.flip_sin_to_cos, config.freq_shift)
        };
        let embedding = self.time.forward(&waves(&vec![time; batch], width)?)?;
        match (&self.added, config.added, &on.added) {
            (Some(mlp), Some(shape), Some(added)) => {
                let sizes = waves(&added.sizes, shape.size_width)?
                    .flatten_all()?
                    .unsqueeze(0)?;
                let sizes = sizes.broadcast_as((batch, sizes.dim(1)?))?;
                embedding + mlp.forward(&Tensor::cat(&[&added.pooled, &sizes], 1)?)?
            }
            _ => Ok(embedding),
        }
    }
}

fn shape(config: &UnetConfig, level: usize) -> TransformerShape {
    TransformerShape {
        channels: config.block_out_channels[level],
        heads: config.heads[level],
        layers: config.transformer_layers[level],
        context: config.cross_attention_dim,
        groups: config.norm_num_groups,
    }
}

fn down_blocks(
    root: &Scope<'_>,
    config: &UnetConfig,
    norms: Norms,
) -> Result<Vec<Down>, LoadError> {
    let widths = &config.block_out_channels;
    let block = |level: usize| {
        let at = root.at(format!("down_blocks.{level}"));
        let (before, width) = (widths[level.saturating_sub(1)], widths[level]);
        let layer = |j: usize| {
            let inputs = if j == 0 { before } else { width };
            let resnet = ResBlock::new(&at.at(format!("resnets.{j}")), inputs, width, norms)?;
            let look = config.looks[level].then(|| {
                SpatialTransformer::new(&at.at(format!("attentions.{j}")), shape(config, level))
            });
            Ok::<_, LoadError>((resnet, look.transpose()?))
        };
        let last = level + 1 == widths.len();
        let downsample = (!last).then(|| at.at("downsamplers.0.conv").conv(width, width, 3, 2));
        Ok(Down {
            layers: (0..config.layers_per_block)
                .map(layer)
                .collect::<Result<_, _>>()?,
            downsample: downsample.transpose()?,
        })
    };
    (0..widths.len()).map(block).collect()
}

/// The deepest block first, each with one layer more than its counterpart.
fn up_blocks(root: &Scope<'_>, config: &UnetConfig, norms: Norms) -> Result<Vec<Up>, LoadError> {
    let widths = &config.block_out_channels;
    let block = |i: usize| {
        let at = root.at(format!("up_blocks.{i}"));
        let level = widths.len() - 1 - i;
        let width = widths[level];
        let below = widths[(level + 1).min(widths.len() - 1)];
        let above = widths[level.saturating_sub(1)];
        let layer = |j: usize| {
            let inputs = if j == 0 { below } else { width };
            let skip = if j == config.layers_per_block {
                above
            } else {
                width
            };
            let place = at.at(format!("resnets.{j}"));
            let resnet = ResBlock::new(&place, inputs + skip, width, norms)?;
            let look = config.looks[level].then(|| {
                SpatialTransformer::new(&at.at(format!("attentions.{j}")), shape(config, level))
            });
            Ok::<_, LoadError>((resnet, look.transpose()?))
        };
        let upsample = (level > 0).then(|| Upsample::new(&at, width));
        Ok(Up {
            layers: (0..=config.layers_per_block)
                .map(layer)
                .collect::<Result<_, _>>()?,
            upsample: upsample.transpose()?,
        })
    };
    (0..widths.len()).map(block).collect()
}
