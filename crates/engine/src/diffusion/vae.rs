//! The decoder that turns a latent into a picture (Kingma & Welling 2013; Rombach et al. 2022).

use candle_core::{Result as Maths, Tensor};
use candle_nn::{Conv2d, GroupNorm, Linear, Module};
use serde::Deserialize;

use super::LoadError;
use super::blocks::{Norms, ResBlock, Upsample};
use super::layers::{Scope, attention};

const EPS: f64 = 1e-6;

/// `vae/config.json`, as far as decoding needs it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct VaeConfig {
    pub(super) block_out_channels: Vec<usize>,
    layers_per_block: usize,
    pub(super) latent_channels: usize,
    norm_num_groups: usize,
    #[serde(default = "usual_scaling")]
    pub(super) scaling_factor: f64,
    #[serde(default = "yes")]
    use_post_quant_conv: bool,
}

/// Stable Diffusion's first autoencoder names no factor, and this is its own.
fn usual_scaling() -> f64 {
    0.18215
}

fn yes() -> bool {
    true
}

impl VaeConfig {
    /// Pixels an edge for one latent pixel.
    pub(super) fn factor(&self) -> usize {
        1 << self.block_out_channels.len().saturating_sub(1)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.block_out_channels.is_empty() || self.norm_num_groups == 0 {
            return Err("it has no blocks or no groups".into());
        }
        if !(self.scaling_factor.is_finite() && self.scaling_factor > 0.0) {
            return Err(format!("scaling_factor is {}", self.scaling_factor));
        }
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct Decoder {
    post_quant: Option<Conv2d>,
    conv_in: Conv2d,
    mid: (ResBlock, PixelAttention, ResBlock),
    up: Vec<(Vec<ResBlock>, Option<Upsample>)>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
    scaling: f64,
}

impl Decoder {
    pub(super) fn new(root: &Scope<'_>, config: &VaeConfig) -> Result<Self, LoadError> {
        let at = root.at("decoder");
        let groups = config.norm_num_groups;
        let norms = Norms {
            groups,
            eps: EPS,
            time_width: None,
        };
        let widths: Vec<usize> = config.block_out_channels.iter().rev().copied().collect();
        let (widest, narrowest) = (widths[0], config.block_out_channels[0]);
        let latent = config.latent_channels;
        let post_quant = config
            .use_post_quant_conv
            .then(|| root.at("post_quant_conv").conv(latent, latent, 1, 1))
            .transpose()?;
        let mut up = Vec::with_capacity(widths.len());
        for (i, &width) in widths.iter().enumerate() {
            let block = at.at(format!("up_blocks.{i}"));
            let before = widths[i.saturating_sub(1)];
            let resnet = |j: usize| {
                let inputs = if j == 0 { before } else { width };
                ResBlock::new(&block.at(format!("resnets.{j}")), inputs, width, norms)
            };
            let resnets = (0..=config.layers_per_block)
                .map(resnet)
                .collect::<Result<_, _>>()?;
            let last = i + 1 == widths.len();
            up.push((
                resnets,
                (!last).then(|| Upsample::new(&block, width)).transpose()?,
            ));
        }
        let mid = at.at("mid_block");
        Ok(Self {
            post_quant,
            conv_in: at.at("conv_in").conv(latent, widest, 3, 1)?,
            mid: (
                ResBlock::new(&mid.at("resnets.0"), widest, widest, norms)?,
                PixelAttention::new(&mid.at("attentions.0"), widest, groups)?,
                ResBlock::new(&mid.at("resnets.1"), widest, widest, norms)?,
            ),
            up,
            norm_out: at.at("conv_norm_out").group_norm(narrowest, groups, EPS)?,
            conv_out: at.at("conv_out").conv(narrowest, 3, 3, 1)?,
            scaling: config.scaling_factor,
        })
    }

    /// A latent as the sampler leaves it, `[1, channels, h, w]`, to colours from -1 to 1.
    pub(super) fn decode(&self, latent: &Tensor) -> Maths<Tensor> {
        self.decode_unscaled(&(latent / self.scaling)?)
    }

    pub(super) fn decode_unscaled(&self, latent: &Tensor) -> Maths<Tensor> {
        let mut x = match &self.post_quant {
            Some(layer) => layer.forward(latent)?,
            None => latent.clone(),
        };
        x = self.conv_in.forward(&x)?;
        x = self.mid.0.forward(&x, None)?;
        x = self.mid.1.forward(&x)?;
        x = self.mid.2.forward(&x, None)?;
        for (resnets, upsample) in &self.up {
            for resnet in resnets {
                x = resnet.forward(&x, None)?;
            }
            if let Some(upsample) = upsample {
                x = upsample.forward(&x)?;
            }
        }
        self.conv_out.forward(&self.norm_out.forward(&x)?.silu()?)
    }
}

/// Every latent pixel looks at every other, with one head.
#[derive(Debug)]
struct PixelAttention {
    norm: GroupNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
}

impl PixelAttention {
    fn new(at: &Scope<'_>, width: usize, groups: usize) -> Result<Self, LoadError> {
        // Files from before 2023 call the same layers otherwise.
        let old = at.shape("query.weight").is_some();
        let names = if old {
            ["query", "key", "value", "proj_attn"]
        } else {
            ["to_q", "to_k", "to_v", "to_out.0"]
        };
        let [query, key, value, out] = names.map(|name| at.at(name).linear_or_conv(width, width));
        Ok(Self {
            norm: at.at("group_norm").group_norm(width, groups, EPS)?,
            query: query?,
            key: key?,
            value: value?,
            out: out?,
        })
    }

    fn forward(&self, x: &Tensor) -> Maths<Tensor> {
        let (batch, channels, height, width) = x.dims4()?;
        let tokens = self
            .norm
            .forward(x)?
            .flatten_from(2)?
            .transpose(1, 2)?
            .contiguous()?;
        let (query, key) = (self.query.forward(&tokens)?, self.key.forward(&tokens)?);
        let seen = attention((&query, &key, &self.value.forward(&tokens)?), 1, None)?;
        let inner = self.out.forward(&seen)?.transpose(1, 2)?;
        x + inner.reshape((batch, channels, height, width))?
    }
}
