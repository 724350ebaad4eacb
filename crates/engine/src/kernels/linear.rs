//! Fully connected layers, with what follows them done while the sums are still in registers.

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail,
};

use super::matrix::{After, Gate, Panels, Rows, multiply};
use super::{Activation, floats};

/// `y = x W^T + b` over the last dimension.
#[derive(Debug)]
pub struct Linear {
    panels: Panels,
    bias: Vec<f32>,
}

impl Linear {
    /// From weights `[outputs, inputs]`, row by row, and a bias of `[outputs]`.
    ///
    /// # Panics
    /// If their lengths don't fit each other.
    #[must_use]
    pub fn new(weight: &[f32], bias: Vec<f32>) -> Self {
        let outputs = bias.len();
        let inputs = weight.len() / outputs.max(1);
        assert_eq!(weight.len(), outputs * inputs, "weights for each output");
        let panels = Panels::pack(outputs, inputs, |o, i| weight[o * inputs + i]);
        Self { panels, bias }
    }

    /// `[.., inputs]` to `[.., outputs]`.
    pub fn forward(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        x.apply_op1_no_bwd(&Plain {
            linear: self,
            activation,
        })
    }

    /// `residual + linear(x)`.
    pub fn onto(&self, residual: &Tensor, x: &Tensor) -> Result<Tensor> {
        x.apply_op2_no_bwd(residual, &Onto { linear: self })
    }

    /// `residual + gate * linear(x)`, where row p of `gates` `[pictures, any]` holds the factors
    /// of picture p from column `gate_at` on.
    pub fn gated_onto(
        &self,
        residual: &Tensor,
        x: &Tensor,
        gates: &Tensor,
        gate_at: usize,
    ) -> Result<Tensor> {
        x.apply_op3_no_bwd(
            residual,
            gates,
            &Gated {
                linear: self,
                gate_at,
            },
        )
    }

    fn after(&self) -> After<'_> {
        After {
            bias: &self.bias,
            activation: Activation::None,
            residual: None,
            gate: None,
        }
    }

    fn run(&self, x: &[f32], layout: &Layout, after: After<'_>) -> Result<(CpuStorage, Shape)> {
        let mut shape = layout.dims().to_vec();
        match shape.last_mut() {
            Some(last) if *last == self.panels.inputs => *last = self.panels.outputs,
            _ => bail!(
                "a layer for {} inputs was given {:?}",
                self.panels.inputs,
                layout.dims()
            ),
        }
        let shape = Shape::from(shape);
        let mut output = vec![0.0; shape.elem_count()];
        if after
            .residual
            .is_some_and(|residual| residual.len() != output.len())
        {
            bail!("the residual is not {shape:?}");
        }
        multiply(
            Rows::dense(x, self.panels.inputs),
            &self.panels,
            after,
            &mut output,
        );
        Ok((CpuStorage::F32(output), shape))
    }
}

struct Plain<'a> {
    linear: &'a Linear,
    activation: Activation,
}

impl CustomOp1 for Plain<'_> {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let after = After {
            activation: self.activation,
            ..self.linear.after()
        };
        self.linear.run(floats(x, layout)?, layout, after)
    }
}

struct Onto<'a> {
    linear: &'a Linear,
}

impl CustomOp2 for Onto<'_> {
    fn name(&self) -> &'static str {
        "linear-onto"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let residual = Some(floats(residual, residual_layout)?);
        self.linear.run(
            floats(x, layout)?,
            layout,
            After {
                residual,
                ..self.linear.after()
            },
        )
    }
}

struct Gated<'a> {
    linear: &'a Linear,
    gate_at: usize,
}

impl CustomOp3 for Gated<'_> {
    fn name(&self) -> &'static str {
        "linear-gated-onto"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
        gates: &CpuStorage,
        gates_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (pictures, stride) = gates_layout.shape().dims2()?;
        let rows = layout.shape().elem_count() / self.linear.panels.inputs;
        if pictures == 0 || !rows.is_multiple_of(pictures) {
            bail!("{rows} rows can't belong to {pictures} pictures");
        }
        let gate = Gate {
            numbers: floats(gates, gates_layout)?,
            stride,
            at: self.gate_at,
            rows: rows / pictures,
        };
        let residual = Some(floats(residual, residual_layout)?);
        let after = After {
            residual,
            gate: Some(gate),
            ..self.linear.after()
        };
        self.linear.run(floats(x, layout)?, layout, after)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, numbers, on_threads, tensor, values};
    use super::*;
    use candle_core::Device;

    fn reference(x: &Tensor, weight: &[f32], bias: &[f32]) -> Result<Tensor> {
        let inputs = weight.len() / bias.len();
        let weight = Tensor::from_slice(weight, (bias.len(), inputs), &Device::Cpu)?;
        let bias = Tensor::from_slice(bias, bias.len(), &Device::Cpu)?;
        x.matmul(&weight.t()?)?.broadcast_add(&bias)
    }

    #[test]
    fn layers_of_any_size_follow_the_plain_product() -> Result<()> {
        for (rows, inputs, outputs) in [(1, 1, 1), (7, 33, 17), (64, 320, 960), (13, 128, 48)] {
            let (weight, bias) = (numbers(1, inputs * outputs), numbers(2, outputs));
            let x = tensor(3, &[rows, inputs]);
            let linear = Linear::new(&weight, bias.clone());
            let plain = reference(&x, &weight, &bias)?;
            assert_close(
                &values(&linear.forward(&x, Activation::None)?),
                &values(&plain),
                1e-5,
            );
            let silu = candle_nn::ops::silu(&plain)?;
            assert_close(
                &values(&linear.forward(&x, Activation::Silu)?),
                &values(&silu),
                1e-5,
            );
            let gelu = plain.gelu()?;
            assert_close(
                &values(&linear.forward(&x, Activation::Gelu)?),
                &values(&gelu),
                1e-5,
            );
            let residual = tensor(4, &[rows, outputs]);
            let onto = values(&linear.onto(&residual, &x)?);
            assert_close(&onto, &values(&(&plain + &residual)?), 1e-5);
        }
        Ok(())
    }

    #[test]
    fn gates_belong_to_their_picture() -> Result<()> {
        let (pictures, positions, inputs, outputs) = (3, 5, 24, 20);
        let (weight, bias) = (numbers(1, inputs * outputs), numbers(2, outputs));
        let x = tensor(3, &[pictures, positions, inputs]);
        let residual = tensor(4, &[pictures, positions, outputs]);
        let gates = tensor(5, &[pictures, outputs + 9]);
        let linear = Linear::new(&weight, bias.clone());
        let found = linear.gated_onto(&residual, &x, &gates, 9)?;
        let flat = x.reshape((pictures * positions, inputs))?;
        let plain = reference(&flat, &weight, &bias)?.reshape((pictures, positions, outputs))?;
        let gate = gates.narrow(1, 9, outputs)?.unsqueeze(1)?;
        let expected = (plain.broadcast_mul(&gate)? + residual)?;
        assert_close(&values(&found), &values(&expected), 1e-5);
        Ok(())
    }

    #[test]
    fn bits_depend_neither_on_threads_nor_on_the_other_rows() -> Result<()> {
        let linear = Linear::new(&numbers(1, 320 * 960), numbers(2, 960));
        let x = tensor(3, &[67, 320]);
        let alone = values(&linear.forward(&x.narrow(0, 3, 1)?, Activation::Gelu)?);
        for threads in [1, 2, 3] {
            let all = on_threads(threads, || linear.forward(&x, Activation::Gelu))?;
            assert_eq!(values(&all.narrow(0, 3, 1)?), alone, "{threads} threads");
        }
        Ok(())
    }

    #[test]
    fn a_wrong_width_is_an_error() {
        let linear = Linear::new(&numbers(1, 12), numbers(2, 3));
        assert!(
            linear
                .forward(&tensor(3, &[2, 5]), Activation::None)
                .is_err()
        );
        assert!(
            linear
                .onto(&tensor(4, &[1, 3]), &tensor(3, &[2, 4]))
                .is_err()
        );
    }
}
