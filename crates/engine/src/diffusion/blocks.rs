//! What U-Nets and autoencoders of this family are built from.

use candle_core::{Result as Maths, Tensor};
use candle_nn::{Conv2d, GroupNorm, LayerNorm, Linear, Module};

use super::LoadError;
use super::layers::{Scope, attention};

/// Two convolutions around which the signal also passes (He et al. 2015), told the time between.
#[derive(Debug)]
pub(super) struct ResBlock {
    norm1: GroupNorm,
    conv1: Conv2d,
    time: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    shortcut: Option<Conv2d>,
}

/// What every [`ResBlock`] of one network shares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Norms {
    pub(super) groups: usize,
    pub(super) eps: f64,
    pub(super) time_width: Option<usize>,
}

impl ResBlock {
    pub(super) fn new(
        at: &Scope<'_>,
        inputs: usize,
        outputs: usize,
        norms: Norms,
    ) -> Result<Self, LoadError> {
        let Norms {
            groups,
            eps,
            time_width,
        } = norms;
        let time = time_width.map(|width| at.at("time_emb_proj").linear(width, outputs));
        let shortcut =
            (inputs != outputs).then(|| at.at("conv_shortcut").conv(inputs, outputs, 1, 1));
        Ok(Self {
            norm1: at.at("norm1").group_norm(inputs, groups, eps)?,
            conv1: at.at("conv1").conv(inputs, outputs, 3, 1)?,
            time: time.transpose()?,
            norm2: at.at("norm2").group_norm(outputs, groups, eps)?,
            conv2: at.at("conv2").conv(outputs, outputs, 3, 1)?,
            shortcut: shortcut.transpose()?,
        })
    }

    /// `time` is the embedding after its SiLU, `[batch, time_width]`.
    pub(super) fn forward(&self, x: &Tensor, time: Option<&Tensor>) -> Maths<Tensor> {
        let mut inner = self.conv1.forward(&self.norm1.forward(x)?.silu()?)?;
        if let (Some(layer), Some(time)) = (&self.time, time) {
            inner = inner.broadcast_add(&layer.forward(time)?.unsqueeze(2)?.unsqueeze(3)?)?;
        }
        let inner = self.conv2.forward(&self.norm2.forward(&inner)?.silu()?)?;
        match &self.shortcut {
            Some(layer) => layer.forward(x)? + inner,
            None => x + inner,
        }
    }
}

/// Doubles width and height, then smooths.
#[derive(Debug)]
pub(super) struct Upsample(Conv2d);

impl Upsample {
    pub(super) fn new(at: &Scope<'_>, channels: usize) -> Result<Self, LoadError> {
        Ok(Self(
            at.at("upsamplers.0.conv").conv(channels, channels, 3, 1)?,
        ))
    }

    pub(super) fn forward(&self, x: &Tensor) -> Maths<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        self.0
            .forward(&x.upsample_nearest2d(2 * height, 2 * width)?)
    }
}

/// How a [`SpatialTransformer`] is shaped.
#[derive(Clone, Copy, Debug)]
pub(super) struct TransformerShape {
    pub(super) channels: usize,
    pub(super) heads: usize,
    pub(super) layers: usize,
    /// Width of the text tokens that it looks at.
    pub(super) context: usize,
    pub(super) groups: usize,
}

/// Pixels look at each other, then at the text (Rombach et al. 2022).
#[derive(Debug)]
pub(super) struct SpatialTransformer {
    norm: GroupNorm,
    proj_in: Linear,
    layers: Vec<TransformerLayer>,
    proj_out: Linear,
}

impl SpatialTransformer {
    pub(super) fn new(at: &Scope<'_>, shape: TransformerShape) -> Result<Self, LoadError> {
        let width = shape.channels;
        let layer = |i| TransformerLayer::new(&at.at(format!("transformer_blocks.{i}")), shape);
        Ok(Self {
            // Its own epsilon, whatever the rest of the network has.
            norm: at.at("norm").group_norm(width, shape.groups, 1e-6)?,
            proj_in: at.at("proj_in").linear_or_conv(width, width)?,
            layers: (0..shape.layers).map(layer).collect::<Result<_, _>>()?,
            proj_out: at.at("proj_out").linear_or_conv(width, width)?,
        })
    }

    pub(super) fn forward(&self, x: &Tensor, context: &Tensor) -> Maths<Tensor> {
        let (batch, channels, height, width) = x.dims4()?;
        let tokens = self
            .norm
            .forward(x)?
            .flatten_from(2)?
            .transpose(1, 2)?
            .contiguous()?;
        let mut tokens = self.proj_in.forward(&tokens)?;
        for layer in &self.layers {
            tokens = layer.forward(&tokens, context)?;
        }
        let inner = self.proj_out.forward(&tokens)?.transpose(1, 2)?;
        x + inner.reshape((batch, channels, height, width))?
    }
}

#[derive(Debug)]
struct TransformerLayer {
    norm1: LayerNorm,
    to_self: Attention,
    norm2: LayerNorm,
    to_text: Attention,
    norm3: LayerNorm,
    up: Linear,
    down: Linear,
}

impl TransformerLayer {
    fn new(at: &Scope<'_>, shape: TransformerShape) -> Result<Self, LoadError> {
        let TransformerShape {
            channels,
            heads,
            context,
            ..
        } = shape;
        let norm = |name: &str| at.at(name).layer_norm(channels, 1e-5);
        Ok(Self {
            norm1: norm("norm1")?,
            to_self: Attention::new(&at.at("attn1"), channels, channels, heads)?,
            norm2: norm("norm2")?,
            to_text: Attention::new(&at.at("attn2"), channels, context, heads)?,
            norm3: norm("norm3")?,
            up: at.at("ff.net.0.proj").linear(channels, 8 * channels)?,
            down: at.at("ff.net.2").linear(4 * channels, channels)?,
        })
    }

    fn forward(&self, x: &Tensor, context: &Tensor) -> Maths<Tensor> {
        let inner = self.norm1.forward(x)?;
        let x = (x + self.to_self.forward(&inner, &inner)?)?;
        let x = (&x + self.to_text.forward(&self.norm2.forward(&x)?, context)?)?;
        // GEGLU (Shazeer 2020).
        let up = self.up.forward(&self.norm3.forward(&x)?)?;
        let half = up.dim(2)? / 2;
        let gate = up.narrow(2, half, half)?.contiguous()?.gelu_erf()?;
        &x + self.down.forward(&(up.narrow(2, 0, half)? * gate)?)?
    }
}

#[derive(Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    heads: usize,
}

impl Attention {
    fn new(at: &Scope<'_>, width: usize, context: usize, heads: usize) -> Result<Self, LoadError> {
        Ok(Self {
            query: at.at("to_q").linear_no_bias(width, width)?,
            key: at.at("to_k").linear_no_bias(context, width)?,
            value: at.at("to_v").linear_no_bias(context, width)?,
            out: at.at("to_out.0").linear(width, width)?,
            heads,
        })
    }

    fn forward(&self, x: &Tensor, context: &Tensor) -> Maths<Tensor> {
        let query = self.query.forward(x)?;
        let (key, value) = (self.key.forward(context)?, self.value.forward(context)?);
        self.out
            .forward(&attention((&query, &key, &value), self.heads, None)?)
    }
}
