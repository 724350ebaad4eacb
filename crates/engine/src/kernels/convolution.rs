//! Convolutions of 3x3 with a border of zeros, on channels-last pictures.
//!
//! Beside each other lie the three neighbours in a line of a channels-last picture, so the
//! surroundings of a position are three runs of `3 * channels` numbers: they are multiplied where
//! they lie, and no im2col matrix is written.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::matrix::{After, Panels, Rows, Start, multiply};
use super::{Activation, floats};

/// A 3x3 convolution, stride 1.
#[derive(Debug)]
pub struct Conv3x3 {
    panels: Panels,
    channels: usize,
    bias: Vec<f32>,
}

impl Conv3x3 {
    /// From weights `[outputs, channels, 3, 3]`, row by row, and a bias of `[outputs]`.
    ///
    /// # Panics
    /// If their lengths don't fit each other.
    #[must_use]
    pub fn new(weight: &[f32], bias: Vec<f32>) -> Self {
        let outputs = bias.len();
        let inputs = weight.len() / outputs.max(1);
        let channels = inputs / 9;
        assert_eq!(
            weight.len(),
            outputs * channels * 9,
            "nine weights a channel and output"
        );
        let panels = Panels::pack(outputs, inputs, |o, i| {
            let (place, channel) = (i / channels, i % channels);
            weight[(o * channels + channel) * 9 + place]
        });
        Self {
            panels,
            channels,
            bias,
        }
    }

    /// `[pictures, height, width, channels]` to `[pictures, height, width, outputs]`.
    pub fn forward(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        x.apply_op1_no_bwd(&Plain {
            conv: self,
            activation,
        })
    }

    /// `residual + conv(x)`.
    pub fn onto(&self, residual: &Tensor, x: &Tensor) -> Result<Tensor> {
        x.apply_op2_no_bwd(residual, &Onto { conv: self })
    }

    fn run(
        &self,
        x: &[f32],
        layout: &Layout,
        activation: Activation,
        residual: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let (pictures, height, width, channels) = layout.shape().dims4()?;
        if channels != self.channels {
            bail!(
                "a convolution of {} channels was given {channels}",
                self.channels
            );
        }
        let shape = Shape::from((pictures, height, width, self.panels.outputs));
        let mut output = vec![0.0; shape.elem_count()];
        if residual.is_some_and(|residual| residual.len() != output.len()) {
            bail!("the residual is not {shape:?}");
        }
        let bordered = bordered(x, height, width, channels);
        let rows = Rows {
            numbers: &bordered,
            count: pictures * height * width,
            run: 3 * channels,
            runs: 3,
            stride: (width + 2) * channels,
            start: Start::Window {
                height,
                width,
                channels,
            },
        };
        let after = After {
            bias: &self.bias,
            activation,
            residual,
            gate: None,
        };
        multiply(rows, &self.panels, after, &mut output);
        Ok((CpuStorage::F32(output), shape))
    }
}

/// The pictures with one position of zeros all round.
fn bordered(x: &[f32], height: usize, width: usize, channels: usize) -> Vec<f32> {
    let line = width * channels;
    let bordered_line = line + 2 * channels;
    let pictures = x.len() / (height * line).max(1);
    let mut bordered = Vec::with_capacity(pictures * (height + 2) * bordered_line);
    for picture in x.chunks_exact(height * line) {
        bordered.resize(bordered.len() + bordered_line, 0.0);
        for line in picture.chunks_exact(line) {
            bordered.resize(bordered.len() + channels, 0.0);
            bordered.extend_from_slice(line);
            bordered.resize(bordered.len() + channels, 0.0);
        }
        bordered.resize(bordered.len() + bordered_line, 0.0);
    }
    bordered
}

struct Plain<'a> {
    conv: &'a Conv3x3,
    activation: Activation,
}

impl CustomOp1 for Plain<'_> {
    fn name(&self) -> &'static str {
        "conv3x3"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.conv
            .run(floats(x, layout)?, layout, self.activation, None)
    }
}

struct Onto<'a> {
    conv: &'a Conv3x3,
}

impl CustomOp2 for Onto<'_> {
    fn name(&self) -> &'static str {
        "conv3x3-onto"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let residual = Some(floats(residual, residual_layout)?);
        self.conv
            .run(floats(x, layout)?, layout, Activation::None, residual)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, numbers, on_threads, tensor, values};
    use super::*;
    use candle_core::Device;

    fn reference(x: &Tensor, weight: &[f32], bias: &[f32]) -> Result<Tensor> {
        let channels = weight.len() / bias.len() / 9;
        let weight = Tensor::from_slice(weight, (bias.len(), channels, 3, 3), &Device::Cpu)?;
        let bias = Tensor::from_slice(bias, bias.len(), &Device::Cpu)?;
        let first = x
            .permute((0, 3, 1, 2))?
            .contiguous()?
            .conv2d(&weight, 1, 1, 1, 1)?;
        first
            .permute((0, 2, 3, 1))?
            .contiguous()?
            .broadcast_add(&bias)
    }

    #[test]
    fn every_size_follows_candles_convolution() -> Result<()> {
        let sizes = [
            (1, 1, 1, 1, 1),
            (2, 5, 7, 3, 18),
            (1, 8, 8, 64, 64),
            (3, 4, 6, 20, 33),
        ];
        for (pictures, height, width, channels, outputs) in sizes {
            let (weight, bias) = (numbers(1, outputs * channels * 9), numbers(2, outputs));
            let x = tensor(3, &[pictures, height, width, channels]);
            let conv = Conv3x3::new(&weight, bias.clone());
            let plain = reference(&x, &weight, &bias)?;
            assert_close(
                &values(&conv.forward(&x, Activation::None)?),
                &values(&plain),
                1e-5,
            );
            let silu = candle_nn::ops::silu(&plain)?;
            assert_close(
                &values(&conv.forward(&x, Activation::Silu)?),
                &values(&silu),
                1e-5,
            );
            let residual = tensor(4, plain.dims());
            let onto = values(&conv.onto(&residual, &x)?);
            assert_close(&onto, &values(&(plain + residual)?), 1e-5);
        }
        Ok(())
    }

    #[test]
    fn bits_depend_neither_on_threads_nor_on_the_other_pictures() -> Result<()> {
        let conv = Conv3x3::new(&numbers(1, 40 * 48 * 9), numbers(2, 40));
        let x = tensor(3, &[3, 9, 10, 48]);
        let alone = values(&conv.forward(&x.narrow(0, 1, 1)?, Activation::Silu)?);
        for threads in [1, 2, 3] {
            let all = on_threads(threads, || conv.forward(&x, Activation::Silu))?;
            assert_eq!(values(&all.narrow(0, 1, 1)?), alone, "{threads} threads");
        }
        Ok(())
    }

    #[test]
    fn wrong_channels_are_an_error() {
        let conv = Conv3x3::new(&numbers(1, 2 * 3 * 9), numbers(2, 2));
        assert!(
            conv.forward(&tensor(3, &[1, 4, 4, 2]), Activation::None)
                .is_err()
        );
        assert!(
            conv.forward(&tensor(3, &[4, 4, 3]), Activation::None)
                .is_err()
        );
    }
}
