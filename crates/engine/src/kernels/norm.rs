//! Layer normalisation (Ba et al. 2016), learned or modulated from outside (adaLN, Peebles & Xie
//! 2022), and the root-mean-square norm of attention heads.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::{Kernel, LANES, Lanes, dispatch, floats, sum_of_lanes};

/// `(x - mean) / deviation * weight + bias` over the last dimension.
#[derive(Debug)]
pub struct LayerNorm {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub epsilon: f32,
}

impl LayerNorm {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply_op1_no_bwd(self)
    }
}

impl CustomOp1 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = self.weight.len();
        if layout.dims().last() != Some(&width) {
            bail!("a norm of {width} numbers was given {:?}", layout.dims());
        }
        let mut output = floats(x, layout)?.to_vec();
        let (epsilon, offset) = (self.epsilon, 0.0);
        for row in output.chunks_exact_mut(width) {
            dispatch(Normalise {
                row,
                factor: &self.weight,
                offset,
                add: &self.bias,
                epsilon,
            });
        }
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }
}

/// `(x - mean) / deviation * (1 + scale) + shift`, where row p of a second tensor
/// `[pictures, any]` holds both for picture p.
#[derive(Clone, Copy, Debug)]
pub struct ModulatedNorm {
    /// The columns at which shift and scale begin.
    pub shift_at: usize,
    pub scale_at: usize,
    pub epsilon: f32,
}

impl ModulatedNorm {
    /// `x` is `[pictures * positions, width]`.
    pub fn forward(&self, x: &Tensor, modulation: &Tensor) -> Result<Tensor> {
        x.apply_op2_no_bwd(modulation, self)
    }
}

impl CustomOp2 for ModulatedNorm {
    fn name(&self) -> &'static str {
        "modulated-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        modulation: &CpuStorage,
        modulation_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = layout.shape().dims2()?;
        let (pictures, stride) = modulation_layout.shape().dims2()?;
        if pictures == 0 || !rows.is_multiple_of(pictures) {
            bail!("{rows} rows can't belong to {pictures} pictures");
        }
        if self.shift_at.max(self.scale_at) + width > stride {
            bail!("{stride} columns hold no shift and scale of {width}");
        }
        let mut output = floats(x, layout)?.to_vec();
        let modulation = floats(modulation, modulation_layout)?.chunks_exact(stride);
        let (offset, epsilon) = (1.0, self.epsilon);
        for (picture, of_picture) in output
            .chunks_exact_mut(rows / pictures * width)
            .zip(modulation)
        {
            let add = &of_picture[self.shift_at..][..width];
            let factor = &of_picture[self.scale_at..][..width];
            for row in picture.chunks_exact_mut(width) {
                dispatch(Normalise {
                    row,
                    factor,
                    offset,
                    add,
                    epsilon,
                });
            }
        }
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }
}

/// `row = normalised(row) * (offset + factor) + add`.
struct Normalise<'a> {
    row: &'a mut [f32],
    factor: &'a [f32],
    offset: f32,
    add: &'a [f32],
    epsilon: f32,
}

impl Kernel for Normalise<'_> {
    #[inline(always)]
    fn run(self) {
        let width = self.row.len() as f32;
        let mean = fold(self.row, |sum, x| sum + x) / width;
        let variance = fold(self.row, |sum, x| (x - mean).mul_add(x - mean, sum)) / width;
        let inverse = 1.0 / (variance + self.epsilon).sqrt();
        let changes = self.factor.iter().zip(self.add);
        for (x, (factor, add)) in self.row.iter_mut().zip(changes) {
            *x = ((*x - mean) * inverse).mul_add(self.offset + factor, *add);
        }
    }
}

/// `row / rms(row) * weight` (Zhang & Sennrich 2019).
#[inline(always)]
pub(super) fn rms_norm(row: &mut [f32], weight: &[f32], epsilon: f32) {
    let mean_square = fold(row, |sum, x| x.mul_add(x, sum)) / row.len() as f32;
    let inverse = 1.0 / (mean_square + epsilon).sqrt();
    for (x, weight) in row.iter_mut().zip(weight) {
        *x *= inverse * weight;
    }
}

/// Sums over a row in [`LANES`] parts.
#[inline(always)]
pub(super) fn fold(row: &[f32], step: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums: Lanes = [0.0; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] = step(sums[lane], chunk[lane]);
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum = step(*sum, *x);
    }
    sum_of_lanes(sums)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, numbers, tensor, values};
    use super::*;
    use candle_core::{D, Device};

    fn normalised(x: &Tensor, epsilon: f64) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        centred.broadcast_div(&(variance + epsilon)?.sqrt()?)
    }

    #[test]
    fn learned_norms_follow_the_plain_formula() -> Result<()> {
        for width in [1, 15, 16, 50, 320] {
            let (weight, bias) = (numbers(1, width), numbers(2, width));
            let x = tensor(3, &[2, 5, width]);
            let expected = normalised(&x, 1e-5)?
                .broadcast_mul(&Tensor::from_slice(&weight, width, &Device::Cpu)?)?
                .broadcast_add(&Tensor::from_slice(&bias, width, &Device::Cpu)?)?;
            let norm = LayerNorm {
                weight,
                bias,
                epsilon: 1e-5,
            };
            assert_close(&values(&norm.forward(&x)?), &values(&expected), 1e-5);
        }
        Ok(())
    }

    #[test]
    fn modulation_belongs_to_its_picture() -> Result<()> {
        let (pictures, positions, width) = (3, 4, 36);
        let x = tensor(1, &[pictures * positions, width]);
        let modulation = tensor(2, &[pictures, 3 * width]);
        let norm = ModulatedNorm {
            shift_at: width,
            scale_at: 2 * width,
            epsilon: 1e-6,
        };
        let found = norm.forward(&x, &modulation)?;
        let shift = modulation.narrow(1, width, width)?.unsqueeze(1)?;
        let scale = (modulation.narrow(1, 2 * width, width)?.unsqueeze(1)? + 1.0)?;
        let expected = normalised(&x.reshape((pictures, positions, width))?, 1e-6)?
            .broadcast_mul(&scale)?
            .broadcast_add(&shift)?;
        assert_close(&values(&found), &values(&expected), 1e-5);
        assert!(
            norm.forward(&x, &modulation.narrow(1, 0, 2 * width)?.contiguous()?)
                .is_err()
        );
        Ok(())
    }
}
