//! The generator: a diffusion transformer (DiT, Peebles & Xie 2022) that tells the velocity of a
//! latent, with one modulation for all blocks (adaLN-single, Chen et al. 2023) and normed queries
//! and keys.
//!
//! A row is one latent with one text: a picture that is guided has two rows.

use candle_core::{Device, Result, Tensor};

use super::layers::{head_norms, linear};
use super::settings::Settings;
use super::text::Encoded;
use crate::kernels::{Activation, Attention, Linear, ModulatedNorm, Pair};
use crate::weights::{Weights, WeightsError};

/// Cosines, and as many sines, that tell the time.
const FREQUENCIES: usize = 128;

const EPSILON: f32 = 1e-6;

#[derive(Debug)]
pub(super) struct Generator {
    input: Linear,
    /// `[positions, d]`
    position: Tensor,
    time1: Linear,
    time2: Linear,
    pooled: Linear,
    modulation: Linear,
    blocks: Vec<Block>,
    final_modulation: Linear,
    output: Linear,
    positions: usize,
    d: usize,
}

#[derive(Debug)]
struct Block {
    /// Added to the modulation that all blocks share: `[1, 6 * d]`.
    table: Tensor,
    qkv: Linear,
    attention: Attention,
    out: Linear,
    cross_q: Linear,
    cross_kv: Linear,
    cross_attention: Attention,
    cross_out: Linear,
    up: Linear,
    down: Linear,
}

/// What the generator needs to know of some texts: worked out once for all steps.
pub(super) struct Texts {
    /// Each block's keys and values, `[tokens, 2 * d]`.
    keys_values: Vec<Tensor>,
    /// `[texts, d]`
    pooled: Tensor,
    encoded: Encoded,
}

/// Which text each row of a batch is drawn to.
pub(super) struct Rows {
    /// `[rows, d]`
    pooled: Tensor,
    to_itself: Vec<Pair>,
    to_text: Vec<Pair>,
}

impl Generator {
    pub(super) fn read(
        weights: &mut Weights,
        settings: &Settings,
    ) -> std::result::Result<Self, WeightsError> {
        let (d, channels, positions) = (settings.d, settings.latent_channels, settings.positions());
        let position = weights.floats("generator.position", &[positions, d])?;
        let blocks = (0..settings.blocks).map(|i| Block::read(weights, i, settings));
        let blocks = blocks.collect::<std::result::Result<_, _>>()?;
        Ok(Self {
            input: linear(weights, "generator.input", channels, d)?,
            position: matrix(position, positions, d),
            time1: linear(weights, "generator.time1", 2 * FREQUENCIES, d)?,
            time2: linear(weights, "generator.time2", d, d)?,
            pooled: linear(weights, "generator.pooled", settings.text_d, d)?,
            modulation: linear(weights, "generator.modulation", d, 6 * d)?,
            blocks,
            final_modulation: linear(weights, "generator.final_modulation", d, 2 * d)?,
            output: linear(weights, "generator.output", d, channels)?,
            positions,
            d,
        })
    }

    pub(super) fn texts(&self, encoded: Encoded) -> Result<Texts> {
        let firsts: Vec<u32> = encoded.spans.iter().map(|span| span.start as u32).collect();
        let count = firsts.len();
        let firsts = Tensor::from_vec(firsts, count, &Device::Cpu)?;
        let firsts = encoded.tokens.index_select(&firsts, 0)?;
        let pooled = self.pooled.forward(&firsts, Activation::None)?;
        let keys_values = self
            .blocks
            .iter()
            .map(|block| block.cross_kv.forward(&encoded.tokens, Activation::None))
            .collect::<Result<_>>()?;
        Ok(Texts {
            keys_values,
            pooled,
            encoded,
        })
    }

    /// A batch whose rows are drawn to the texts of these indices.
    pub(super) fn rows(&self, texts: &Texts, of_rows: &[usize]) -> Result<Rows> {
        let span = |row: usize| row * self.positions..(row + 1) * self.positions;
        let indices: Vec<u32> = of_rows.iter().map(|text| *text as u32).collect();
        let indices = Tensor::from_vec(indices, of_rows.len(), &Device::Cpu)?;
        let pair = |row: usize, text: usize| Pair {
            queries: span(row),
            keys: texts.encoded.spans[text].clone(),
        };
        Ok(Rows {
            pooled: texts.pooled.index_select(&indices, 0)?,
            to_itself: (0..of_rows.len())
                .map(|row| Pair {
                    queries: span(row),
                    keys: span(row),
                })
                .collect(),
            to_text: of_rows
                .iter()
                .enumerate()
                .map(|(row, text)| pair(row, *text))
                .collect(),
        })
    }

    /// The velocity of latents `[rows, positions, channels]` at a time from 0 to 1.
    pub(super) fn velocity(
        &self,
        latents: &Tensor,
        time: f64,
        texts: &Texts,
        rows: &Rows,
    ) -> Result<Tensor> {
        let (count, _, _) = latents.dims3()?;
        let condition = self.condition(time, &rows.pooled)?;
        let shared = self.modulation.forward(&condition, Activation::None)?;
        let position = self.position.repeat((count, 1))?;
        let mut x = self.input.onto(&position, &latents.flatten(0, 1)?)?;
        for (block, keys_values) in self.blocks.iter().zip(&texts.keys_values) {
            x = block.forward(&x, &shared, keys_values, rows)?;
        }
        let last = self
            .final_modulation
            .forward(&condition, Activation::None)?;
        let norm = ModulatedNorm {
            shift_at: 0,
            scale_at: self.d,
            epsilon: EPSILON,
        };
        let velocity = self
            .output
            .forward(&norm.forward(&x, &last)?, Activation::None)?;
        velocity.reshape(latents.shape())
    }

    /// SiLU(time + pooled text): `[rows, d]`.
    fn condition(&self, time: f64, pooled: &Tensor) -> Result<Tensor> {
        let time = Tensor::from_vec(time_embedding(time), (1, 2 * FREQUENCIES), &Device::Cpu)?;
        let time = self.time1.forward(&time, Activation::Silu)?;
        let time = self.time2.forward(&time, Activation::None)?;
        Activation::Silu.forward(&pooled.broadcast_add(&time)?)
    }
}

impl Block {
    fn read(
        weights: &mut Weights,
        index: usize,
        settings: &Settings,
    ) -> std::result::Result<Self, WeightsError> {
        let name = |part: &str| format!("generator.blocks.{index}.{part}");
        let (d, heads) = (settings.d, settings.heads);
        let table = weights.floats(&name("table"), &[6 * d])?;
        let mut norms = |of: &str| {
            let (queries, keys) = (format!("{of}q_norm.weight"), format!("{of}k_norm.weight"));
            head_norms(weights, &name(&queries), &name(&keys), d / heads)
        };
        let attention = Attention {
            heads,
            norms: Some(norms("")?),
        };
        let cross_attention = Attention {
            heads,
            norms: Some(norms("cross_")?),
        };
        Ok(Self {
            table: matrix(table, 1, 6 * d),
            qkv: linear(weights, &name("qkv"), d, 3 * d)?,
            attention,
            out: linear(weights, &name("out"), d, d)?,
            cross_q: linear(weights, &name("cross_q"), d, d)?,
            cross_kv: linear(weights, &name("cross_kv"), settings.text_d, 2 * d)?,
            cross_attention,
            cross_out: linear(weights, &name("cross_out"), d, d)?,
            up: linear(weights, &name("up"), d, 4 * d)?,
            down: linear(weights, &name("down"), 4 * d, d)?,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        shared: &Tensor,
        keys_values: &Tensor,
        rows: &Rows,
    ) -> Result<Tensor> {
        let d = x.dim(1)?;
        let norm = |shift: usize| ModulatedNorm {
            shift_at: shift * d,
            scale_at: (shift + 1) * d,
            epsilon: EPSILON,
        };
        let modulation = shared.broadcast_add(&self.table)?;

        let h = norm(0).forward(x, &modulation)?;
        let qkv = self.qkv.forward(&h, Activation::None)?;
        let mixed = self.attention.to_itself(&qkv, &rows.to_itself)?;
        let x = self.out.gated_onto(x, &mixed, &modulation, 2 * d)?;

        let nothing = Tensor::zeros((1, 2 * d), x.dtype(), x.device())?;
        let q = self
            .cross_q
            .forward(&norm(0).forward(&x, &nothing)?, Activation::None)?;
        let read = self
            .cross_attention
            .to_others(&q, keys_values, &rows.to_text)?;
        let x = self.cross_out.onto(&x, &read)?;

        let h = self
            .up
            .forward(&norm(3).forward(&x, &modulation)?, Activation::Gelu)?;
        self.down.gated_onto(&x, &h, &modulation, 5 * d)
    }
}

fn matrix(numbers: Vec<f32>, rows: usize, columns: usize) -> Tensor {
    debug_assert_eq!(numbers.len(), rows * columns);
    Tensor::from_vec(numbers, (rows, columns), &Device::Cpu)
        .expect("the weights file was checked for this shape")
}

/// Cosines of the time at frequencies from 1000 down, then their sines.
fn time_embedding(time: f64) -> Vec<f32> {
    let angle = |i: usize| {
        let frequency = libm::exp(-libm::log(10_000.0) * i as f64 / FREQUENCIES as f64);
        1000.0 * time * frequency
    };
    let cosines = (0..FREQUENCIES).map(|i| libm::cos(angle(i)) as f32);
    cosines
        .chain((0..FREQUENCIES).map(|i| libm::sin(angle(i)) as f32))
        .collect()
}
