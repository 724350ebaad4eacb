//! CLIP's text encoder (Radford et al. 2021), as Stable Diffusion uses it.

use candle_core::{Device, Result as Maths, Tensor};
use candle_nn::{Embedding, LayerNorm, Linear, Module};
use serde::Deserialize;

use super::LoadError;
use super::layers::{Scope, attention};

/// `text_encoder/config.json`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct TextConfig {
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    pub(super) max_position_embeddings: usize,
    pub(super) vocab_size: usize,
    hidden_act: Activation,
    #[serde(default = "usual_eps")]
    layer_norm_eps: f64,
    #[serde(default)]
    projection_dim: usize,
    /// 2 in old files, where it means the largest id.
    #[serde(default = "old_end")]
    eos_token_id: u32,
}

fn usual_eps() -> f64 {
    1e-5
}

fn old_end() -> u32 {
    2
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Activation {
    QuickGelu,
    Gelu,
}

impl TextConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        let heads = self.num_attention_heads;
        if heads == 0 || !self.hidden_size.is_multiple_of(heads) {
            return Err(format!(
                "{} numbers can't be split on {heads} heads",
                self.hidden_size
            ));
        }
        if self.num_hidden_layers < 2 || self.max_position_embeddings < 3 {
            return Err("it has too few layers or positions".into());
        }
        Ok(())
    }
}

/// What the encoder makes of a batch of prompts.
#[derive(Debug)]
pub(super) struct Encoded {
    /// `[batch, tokens, hidden_size]`, after the final norm.
    pub(super) last: Tensor,
    /// The same before the last layer, which is what SDXL looks at.
    pub(super) penultimate: Tensor,
    /// One vector a prompt, where the file holds a projection.
    pub(super) pooled: Option<Tensor>,
}

#[derive(Debug)]
pub(super) struct TextEncoder {
    tokens: Embedding,
    positions: Tensor,
    layers: Vec<Layer>,
    norm: LayerNorm,
    projection: Option<Linear>,
    config: TextConfig,
}

impl TextEncoder {
    /// `projected`: the encoder must also give [`Encoded::pooled`].
    pub(super) fn new(
        root: &Scope<'_>,
        config: TextConfig,
        projected: bool,
    ) -> Result<Self, LoadError> {
        let at = root.at("text_model");
        let width = config.hidden_size;
        let positions = config.max_position_embeddings;
        let layer = |i| Layer::new(&at.at(format!("encoder.layers.{i}")), &config);
        let projection = || {
            root.at("text_projection")
                .linear_no_bias(width, config.projection_dim)
        };
        Ok(Self {
            tokens: at
                .at("embeddings.token_embedding")
                .embedding(config.vocab_size, width)?,
            positions: at
                .at("embeddings.position_embedding")
                .tensor("weight", &[positions, width])?,
            layers: (0..config.num_hidden_layers)
                .map(layer)
                .collect::<Result<_, _>>()?,
            norm: at
                .at("final_layer_norm")
                .layer_norm(width, config.layer_norm_eps)?,
            projection: projected.then(projection).transpose()?,
            config,
        })
    }

    pub(super) fn width(&self) -> usize {
        self.config.hidden_size
    }

    /// Of [`Encoded::pooled`]; 0 where there is none.
    pub(super) fn pooled_width(&self) -> usize {
        self.projection
            .as_ref()
            .map_or(0, |_| self.config.projection_dim)
    }

    /// Every row of `ids` has the same length, at most `max_position_embeddings`.
    pub(super) fn encode(&self, ids: &[Vec<u32>]) -> Maths<Encoded> {
        let length = ids.first().map_or(0, Vec::len);
        let flat: Vec<u32> = ids.iter().flatten().copied().collect();
        let rows = Tensor::from_vec(flat, (ids.len(), length), &Device::Cpu)?;
        let positions = self.positions.narrow(0, 0, length)?;
        let mut x = self.tokens.forward(&rows)?.broadcast_add(&positions)?;
        let mask = causal_mask(length)?;
        let mut penultimate = x.clone();
        for layer in &self.layers {
            penultimate = x;
            x = layer.forward(&penultimate, &mask)?;
        }
        let last = self.norm.forward(&x)?;
        let pooled = self.projection.as_ref().map(|layer| {
            let ends: Vec<Tensor> = ids
                .iter()
                .enumerate()
                .map(|(i, ids)| last.get(i)?.get(self.end_of(ids)))
                .collect::<Maths<_>>()?;
            layer.forward(&Tensor::stack(&ends, 0)?)
        });
        Ok(Encoded {
            last,
            penultimate,
            pooled: pooled.transpose()?,
        })
    }

    /// The position whose state stands for the whole prompt.
    fn end_of(&self, ids: &[u32]) -> usize {
        let end = match self.config.eos_token_id {
            2 => ids.iter().max().copied().unwrap_or(0),
            end => end,
        };
        ids.iter().position(|id| *id == end).unwrap_or(0)
    }
}

/// Nothing looks at what comes after it.
fn causal_mask(length: usize) -> Maths<Tensor> {
    let row = |i: usize| (0..length).map(move |j| if j > i { f32::MIN } else { 0.0 });
    let mask: Vec<f32> = (0..length).flat_map(row).collect();
    Tensor::from_vec(mask, (1, 1, length, length), &Device::Cpu)
}

#[derive(Debug)]
struct Layer {
    norm1: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    heads: usize,
    norm2: LayerNorm,
    up: Linear,
    activation: Activation,
    down: Linear,
}

impl Layer {
    fn new(at: &Scope<'_>, config: &TextConfig) -> Result<Self, LoadError> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let norm = |name: &str| at.at(name).layer_norm(width, config.layer_norm_eps);
        let look = |name: &str| at.at("self_attn").at(name).linear(width, width);
        Ok(Self {
            norm1: norm("layer_norm1")?,
            query: look("q_proj")?,
            key: look("k_proj")?,
            value: look("v_proj")?,
            out: look("out_proj")?,
            heads: config.num_attention_heads,
            norm2: norm("layer_norm2")?,
            up: at.at("mlp.fc1").linear(width, inner)?,
            activation: config.hidden_act,
            down: at.at("mlp.fc2").linear(inner, width)?,
        })
    }

    fn forward(&self, x: &Tensor, mask: &Tensor) -> Maths<Tensor> {
        let inner = self.norm1.forward(x)?;
        let (query, key) = (self.query.forward(&inner)?, self.key.forward(&inner)?);
        let value = self.value.forward(&inner)?;
        let seen = attention((&query, &key, &value), self.heads, Some(mask))?;
        let x = (x + self.out.forward(&seen)?)?;
        let inner = self.up.forward(&self.norm2.forward(&x)?)?;
        let inner = match self.activation {
            Activation::QuickGelu => (&inner * candle_nn::ops::sigmoid(&(&inner * 1.702)?)?)?,
            Activation::Gelu => inner.gelu_erf()?,
        };
        &x + self.down.forward(&inner)?
    }
}
