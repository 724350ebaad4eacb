//! Layers out of weights: each asks for exactly the tensors and shapes that it needs.

use std::cell::RefCell;

use candle_core::{D, DType, Device, Result as Maths, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Embedding, GroupNorm, LayerNorm, Linear, Module};

use super::LoadError;
use crate::weights::Weights;

/// Attention scores are computed for as many queries at a time as fit into this many numbers, so
/// that a large picture takes longer and not more memory.
pub(super) const MAX_SCORES: usize = 1 << 25;

/// A place in a weights file, such as `down_blocks.0.resnets.1`.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    weights: &'a RefCell<Weights>,
    prefix: String,
}

impl<'a> Scope<'a> {
    pub(super) fn root(weights: &'a RefCell<Weights>) -> Self {
        Self {
            weights,
            prefix: String::new(),
        }
    }

    pub(super) fn at(&self, name: impl std::fmt::Display) -> Self {
        Self {
            weights: self.weights,
            prefix: self.full(name),
        }
    }

    fn full(&self, name: impl std::fmt::Display) -> String {
        if self.prefix.is_empty() {
            name.to_string()
        } else {
            format!("{}.{name}", self.prefix)
        }
    }

    pub(super) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.weights
            .borrow()
            .shape(&self.full(name))
            .map(<[usize]>::to_vec)
    }

    pub(super) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, LoadError> {
        let values = self.weights.borrow_mut().floats(&self.full(name), shape)?;
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }

    pub(super) fn linear(&self, inputs: usize, outputs: usize) -> Result<Linear, LoadError> {
        let bias = self.tensor("bias", &[outputs])?;
        Ok(Linear::new(
            self.tensor("weight", &[outputs, inputs])?,
            Some(bias),
        ))
    }

    pub(super) fn linear_no_bias(
        &self,
        inputs: usize,
        outputs: usize,
    ) -> Result<Linear, LoadError> {
        Ok(Linear::new(
            self.tensor("weight", &[outputs, inputs])?,
            None,
        ))
    }

    /// A linear layer that some files hold as a convolution of one pixel.
    pub(super) fn linear_or_conv(
        &self,
        inputs: usize,
        outputs: usize,
    ) -> Result<Linear, LoadError> {
        if self.shape("weight").is_some_and(|shape| shape.len() == 4) {
            let weight = self.tensor("weight", &[outputs, inputs, 1, 1])?;
            let bias = self.tensor("bias", &[outputs])?;
            return Ok(Linear::new(weight.reshape((outputs, inputs))?, Some(bias)));
        }
        self.linear(inputs, outputs)
    }

    pub(super) fn embedding(&self, rows: usize, width: usize) -> Result<Embedding, LoadError> {
        Ok(Embedding::new(
            self.tensor("weight", &[rows, width])?,
            width,
        ))
    }

    pub(super) fn layer_norm(&self, width: usize, eps: f64) -> Result<LayerNorm, LoadError> {
        let bias = self.tensor("bias", &[width])?;
        Ok(LayerNorm::new(self.tensor("weight", &[width])?, bias, eps))
    }

    pub(super) fn group_norm(
        &self,
        channels: usize,
        groups: usize,
        eps: f64,
    ) -> Result<GroupNorm, LoadError> {
        let (weight, bias) = (
            self.tensor("weight", &[channels])?,
            self.tensor("bias", &[channels])?,
        );
        Ok(GroupNorm::new(weight, bias, channels, groups, eps)?)
    }

    pub(super) fn conv(
        &self,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        stride: usize,
    ) -> Result<Conv2d, LoadError> {
        let weight = self.tensor("weight", &[outputs, inputs, kernel, kernel])?;
        let bias = self.tensor("bias", &[outputs])?;
        let config = Conv2dConfig {
            padding: kernel / 2,
            stride,
            ..Conv2dConfig::default()
        };
        Ok(Conv2d::new(weight, Some(bias), config))
    }
}

/// Scaled dot-product attention (Vaswani et al. 2017) over `[batch, tokens, heads * width]`;
/// `mask` is added to the scores and broadcasts to `[batch, heads, queries, keys]`.
pub(super) fn attention(
    (query, key, value): (&Tensor, &Tensor, &Tensor),
    heads: usize,
    mask: Option<&Tensor>,
) -> Maths<Tensor> {
    let (batch, queries, width) = query.dims3()?;
    let keys = key.dim(1)?;
    let split = |x: &Tensor| {
        let (batch, tokens, width) = x.dims3()?;
        x.reshape((batch, tokens, heads, width / heads))?
            .transpose(1, 2)?
            .contiguous()
    };
    let scale = 1.0 / f64::sqrt((width / heads) as f64);
    let query = (split(query)? * scale)?;
    let (key, value) = (split(key)?.transpose(2, 3)?.contiguous()?, split(value)?);
    let rows = (MAX_SCORES / (batch * heads * keys)).max(1);
    let mut parts = Vec::with_capacity(queries.div_ceil(rows));
    for start in (0..queries).step_by(rows) {
        let length = rows.min(queries - start);
        let part = query.narrow(2, start, length)?.contiguous()?;
        let mut scores = part.matmul(&key)?;
        if let Some(mask) = mask {
            scores = scores.broadcast_add(&mask.narrow(D::Minus2, start, length)?)?;
        }
        parts.push(candle_nn::ops::softmax_last_dim(&scores)?.matmul(&value)?);
    }
    let whole = if parts.len() == 1 {
        parts.swap_remove(0)
    } else {
        Tensor::cat(&parts, 2)?
    };
    whole.transpose(1, 2)?.reshape((batch, queries, width))
}

/// Sines and cosines of each number at `width / 2` frequencies: `[n]` to `[n, width]`.
pub(super) fn sinusoids(
    values: &[f32],
    width: usize,
    cosines_first: bool,
    shift: f32,
) -> Maths<Tensor> {
    let half = width / 2;
    let frequency = |i: usize| (-f32::ln(10_000.0) * i as f32 / (half as f32 - shift)).exp();
    let mut rows = Vec::with_capacity(values.len() * width);
    for value in values {
        let angles: Vec<f32> = (0..half).map(|i| value * frequency(i)).collect();
        let sines = angles.iter().map(|a| a.sin());
        let cosines = angles.iter().map(|a| a.cos());
        if cosines_first {
            rows.extend(cosines.chain(sines));
        } else {
            rows.extend(sines.chain(cosines));
        }
    }
    Tensor::from_vec(rows, (values.len(), 2 * half), &Device::Cpu)
}

/// Two linear layers with a SiLU between: how a time, or a size, becomes an embedding.
#[derive(Debug)]
pub(super) struct EmbeddingMlp {
    first: Linear,
    second: Linear,
}

impl EmbeddingMlp {
    pub(super) fn new(at: &Scope<'_>, inputs: usize, width: usize) -> Result<Self, LoadError> {
        let first = at.at("linear_1").linear(inputs, width)?;
        Ok(Self {
            first,
            second: at.at("linear_2").linear(width, width)?,
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Maths<Tensor> {
        self.second.forward(&self.first.forward(x)?.silu()?)
    }
}

/// All of a tensor's numbers, row by row.
pub(super) fn numbers(x: &Tensor) -> Maths<Vec<f32>> {
    x.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}
