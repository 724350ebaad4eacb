//! SiLU and GELU on lanes, on an exponential of our own: the system's differs between platforms
//! in its last bits, and works on one number at a time.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::{Kernel, LANES, Lanes, dispatch, floats};

/// What becomes of a layer's sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    None,
    /// x * sigmoid(x).
    Silu,
    /// The approximation with tanh (Hendrycks & Gimpel 2016).
    Gelu,
}

impl Activation {
    /// Of every number of a tensor.
    pub fn forward(self, x: &Tensor) -> Result<Tensor> {
        x.apply_op1_no_bwd(&self)
    }

    #[inline(always)]
    pub(super) fn of(self, x: Lanes) -> Lanes {
        match self {
            Self::None => x,
            Self::Silu => silu(x),
            Self::Gelu => gelu(x),
        }
    }
}

impl CustomOp1 for Activation {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut output = floats(x, layout)?.to_vec();
        dispatch(Each {
            activation: *self,
            numbers: &mut output,
        });
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }
}

struct Each<'a> {
    activation: Activation,
    numbers: &'a mut [f32],
}

impl Kernel for Each<'_> {
    #[inline(always)]
    fn run(self) {
        let (chunks, rest) = self.numbers.as_chunks_mut::<LANES>();
        for chunk in chunks {
            *chunk = self.activation.of(*chunk);
        }
        let mut last = [0.0; LANES];
        last[..rest.len()].copy_from_slice(rest);
        rest.copy_from_slice(&self.activation.of(last)[..rest.len()]);
    }
}

#[inline(always)]
fn silu(x: Lanes) -> Lanes {
    // Plain loops here: the array's own `map` would stay compiled for the oldest processor.
    let mut inner = x;
    for lane in &mut inner {
        *lane = -*lane;
    }
    over_one_more(x, exp(inner))
}

/// `0.5 x (1 + tanh(u))` is `x * sigmoid(2 u)`.
#[inline(always)]
fn gelu(x: Lanes) -> Lanes {
    const TWICE_ROOT: f32 = 1.595_769_2; // 2 sqrt(2 / pi)
    let mut inner = x;
    for lane in &mut inner {
        *lane = -TWICE_ROOT * (0.044_715 * *lane * *lane).mul_add(*lane, *lane);
    }
    over_one_more(x, exp(inner))
}

/// `x / (1 + power)`.
#[inline(always)]
fn over_one_more(mut x: Lanes, power: Lanes) -> Lanes {
    for lane in 0..LANES {
        x[lane] /= 1.0 + power[lane];
    }
    x
}

/// e to the power of each lane, within two units in the last place; below -87 it stays at e^-87,
/// above 88 at e^88.
///
/// 2^n from the exponent's bits times a polynomial on [-ln 2 / 2, ln 2 / 2], whose coefficients
/// are those of Cephes' `expf` (Moshier 1989).
#[inline(always)]
pub(super) fn exp(x: Lanes) -> Lanes {
    // Adding this pushes a float's fraction out: its low bits are then the rounded integer.
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let mut power = [0.0; LANES];
    for lane in 0..LANES {
        let x = x[lane].clamp(-87.0, 88.0);
        let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
        let n = shifted - ROUND;
        let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, x));
        let mut p = 1.987_569_1e-4_f32;
        p = p.mul_add(r, 1.398_199_9e-3);
        p = p.mul_add(r, 8.333_452e-3);
        p = p.mul_add(r, 4.166_579_6e-2);
        p = p.mul_add(r, 1.666_666_5e-1);
        p = p.mul_add(r, 5e-1);
        let fraction = p.mul_add(r * r, r) + 1.0;
        let scale = shifted.to_bits().wrapping_add(127).wrapping_shl(23);
        power[lane] = fraction * f32::from_bits(scale);
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: fn(Lanes) -> Lanes, reference: fn(f64) -> f64, tolerance: f64) {
        for step in -4_000..=4_000 {
            let x = step as f32 * 0.021_7;
            let exact = reference(f64::from(x));
            let off = (f64::from(found([x; LANES])[7]) - exact).abs() / exact.abs().max(1e-30);
            assert!(off <= tolerance, "at {x}: off by {off:e} of {exact:e}");
        }
    }

    #[test]
    fn exp_is_right_to_two_units_in_the_last_place() {
        check(exp, f64::exp, 2.4e-7);
        assert_eq!(exp([0.0; LANES])[0], 1.0);
        assert!(exp([f32::NEG_INFINITY; LANES])[0] < 2e-38);
        assert!(exp([1e9; LANES])[0].is_finite());
    }

    #[test]
    fn a_tensor_of_any_length_is_activated() -> Result<()> {
        for length in [1, 16, 37] {
            let x = super::super::testing::tensor(1, &[length]);
            let expected = candle_nn::ops::silu(&x)?.to_vec1::<f32>()?;
            let found = Activation::Silu.forward(&x)?.to_vec1::<f32>()?;
            super::super::testing::assert_close(&found, &expected, 1e-6);
        }
        Ok(())
    }

    #[test]
    fn silu_and_gelu_follow_their_definitions() {
        let near = |found: fn(Lanes) -> Lanes, reference: fn(f64) -> f64| {
            for step in -2_000..=2_000 {
                let x = step as f32 * 0.01;
                let off = f64::from(found([x; LANES])[3]) - reference(f64::from(x));
                assert!(off.abs() < 2e-6, "at {x}: off by {off:e}");
            }
        };
        near(silu, |x| x / (1.0 + (-x).exp()));
        near(gelu, |x| {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
            0.5 * x * (1.0 + u.tanh())
        });
        assert!(
            silu([f32::NAN; LANES])[0].is_nan(),
            "a broken number stays visible"
        );
    }
}
