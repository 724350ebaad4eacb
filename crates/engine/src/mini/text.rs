//! The text encoder: a small transformer over the words of a prompt.

use std::ops::Range;

use candle_core::{Device, Result, Tensor};

use super::layers::{layer_norm, linear, vector};
use super::settings::Settings;
use crate::kernels::{Activation, Attention, LayerNorm, Linear, Pair};
use crate::weights::{Weights, WeightsError};
use crate::words::Words;

#[derive(Debug)]
pub(super) struct TextEncoder {
    /// Added to the first word's vector.
    start: Vec<f32>,
    input: Linear,
    /// `[max_words, width]`
    position: Vec<f32>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    width: usize,
}

#[derive(Debug)]
struct Block {
    norm1: LayerNorm,
    qkv: Linear,
    attention: Attention,
    out: Linear,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
}

/// Encoded texts.
pub(super) struct Encoded {
    /// All texts' tokens, one after the other: `[tokens, width]`.
    pub(super) tokens: Tensor,
    /// Each text's tokens; the first stands for the whole text.
    pub(super) spans: Vec<Range<usize>>,
}

impl TextEncoder {
    pub(super) fn read(
        weights: &mut Weights,
        settings: &Settings,
        dimensions: usize,
    ) -> std::result::Result<Self, WeightsError> {
        let width = settings.text_d;
        let position = weights.floats("text.position", &[settings.max_words, width])?;
        let blocks = (0..settings.text_layers).map(|i| {
            Block::read(
                weights,
                &format!("text.blocks.{i}"),
                width,
                settings.text_heads,
            )
        });
        let blocks = blocks.collect::<std::result::Result<_, _>>()?;
        Ok(Self {
            start: vector(weights, "text.start", dimensions)?,
            input: linear(weights, "text.input", dimensions, width)?,
            position,
            blocks,
            norm: layer_norm(weights, "text.norm", width)?,
            width,
        })
    }

    /// Encodes texts of different lengths together, each as if it were alone. No text is empty,
    /// and none has more than `max_words` ids.
    pub(super) fn encode(&self, words: &Words, texts: &[Vec<u32>]) -> Result<Encoded> {
        let mut spans = Vec::with_capacity(texts.len());
        let (mut vectors, mut positions) = (Vec::new(), Vec::new());
        let mut rows = 0;
        for ids in texts {
            let first = vectors.len();
            vectors.extend(ids.iter().flat_map(|id| words.vector(*id)));
            for (number, start) in vectors[first..].iter_mut().zip(&self.start) {
                *number += start;
            }
            positions.extend_from_slice(&self.position[..ids.len() * self.width]);
            spans.push(rows..rows + ids.len());
            rows += ids.len();
        }
        let pairs: Vec<Pair> = spans
            .iter()
            .map(|span| Pair {
                queries: span.clone(),
                keys: span.clone(),
            })
            .collect();
        let vectors = Tensor::from_vec(vectors, (rows, words.dimensions()), &Device::Cpu)?;
        let positions = Tensor::from_vec(positions, (rows, self.width), &Device::Cpu)?;
        let mut tokens = self.input.onto(&positions, &vectors)?;
        for block in &self.blocks {
            tokens = block.forward(&tokens, &pairs)?;
        }
        Ok(Encoded {
            tokens: self.norm.forward(&tokens)?,
            spans,
        })
    }
}

impl Block {
    fn read(
        weights: &mut Weights,
        name: &str,
        width: usize,
        heads: usize,
    ) -> std::result::Result<Self, WeightsError> {
        Ok(Self {
            norm1: layer_norm(weights, &format!("{name}.norm1"), width)?,
            qkv: linear(weights, &format!("{name}.qkv"), width, 3 * width)?,
            attention: Attention { heads, norms: None },
            out: linear(weights, &format!("{name}.out"), width, width)?,
            norm2: layer_norm(weights, &format!("{name}.norm2"), width)?,
            up: linear(weights, &format!("{name}.up"), width, 4 * width)?,
            down: linear(weights, &format!("{name}.down"), 4 * width, width)?,
        })
    }

    fn forward(&self, x: &Tensor, pairs: &[Pair]) -> Result<Tensor> {
        let qkv = self
            .qkv
            .forward(&self.norm1.forward(x)?, Activation::None)?;
        let x = self.out.onto(x, &self.attention.to_itself(&qkv, pairs)?)?;
        let wide = self
            .up
            .forward(&self.norm2.forward(&x)?, Activation::Gelu)?;
        self.down.onto(&x, &wide)
    }
}
