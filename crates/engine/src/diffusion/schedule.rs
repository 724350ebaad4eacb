//! From noise to a latent: the noise levels of a diffusion model and the steps between them.
//!
//! A state is kept as x0 + sigma * noise (Karras et al. 2022), in which Euler's method and
//! DPM-Solver++ are two lines each. Both are deterministic: the same seed gives the same picture.

use serde::{Deserialize, Serialize};

/// How one noise level leads to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sampler {
    /// First order. The one to take for models distilled to a few steps.
    #[serde(rename = "euler")]
    Euler,
    /// DPM-Solver++ of second order, multistep (Lu et al. 2022): as good in about two thirds of
    /// the steps.
    #[serde(rename = "dpm++2m")]
    DpmPlusPlus2M,
}

/// `scheduler/scheduler_config.json`: how the model was trained to see noise.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ScheduleConfig {
    #[serde(rename = "_class_name", default)]
    class_name: String,
    num_train_timesteps: usize,
    beta_start: f64,
    beta_end: f64,
    beta_schedule: BetaSchedule,
    #[serde(default)]
    pub(super) prediction_type: Prediction,
    timestep_spacing: Option<Spacing>,
    #[serde(default)]
    steps_offset: u32,
    #[serde(default)]
    rescale_betas_zero_snr: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BetaSchedule {
    Linear,
    ScaledLinear,
}

/// What the network's output means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) enum Prediction {
    #[default]
    #[serde(rename = "epsilon")]
    Noise,
    /// Salimans & Ho 2022.
    #[serde(rename = "v_prediction")]
    Velocity,
}

/// Which of the trained noise levels are visited (Lin et al. 2023, table 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Spacing {
    Linspace,
    Leading,
    Trailing,
}

impl ScheduleConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        let betas = [self.beta_start, self.beta_end];
        if self.num_train_timesteps < 2 || betas.iter().any(|b| !(*b > 0.0 && *b < 1.0)) {
            return Err("its noise levels make no sense".into());
        }
        if self.rescale_betas_zero_snr {
            return Err("rescale_betas_zero_snr is set, which this engine can't honour".into());
        }
        Ok(())
    }

    /// PNDM and DDIM lead where nothing is said; the others space evenly.
    fn spacing(&self) -> Spacing {
        let leads = ["PNDMScheduler", "DDIMScheduler"].contains(&self.class_name.as_str());
        let usual = if leads {
            Spacing::Leading
        } else {
            Spacing::Linspace
        };
        self.timestep_spacing.unwrap_or(usual)
    }

    #[cfg(test)]
    pub(super) fn spaced(mut self, spacing: Spacing) -> Self {
        self.timestep_spacing = Some(spacing);
        self
    }

    /// The noise level of every trained time.
    fn trained_sigmas(&self) -> Vec<f64> {
        let n = self.num_train_timesteps;
        let between = |from: f64, to: f64, i: usize| from + (to - from) * i as f64 / (n - 1) as f64;
        let beta = |i| match self.beta_schedule {
            BetaSchedule::Linear => between(self.beta_start, self.beta_end, i),
            BetaSchedule::ScaledLinear => {
                between(self.beta_start.sqrt(), self.beta_end.sqrt(), i).powi(2)
            }
        };
        let mut alphas = 1.0;
        (0..n)
            .map(|i| {
                alphas *= 1.0 - beta(i);
                ((1.0 - alphas) / alphas).sqrt()
            })
            .collect()
    }
}

/// The levels that one drawing visits, from most noise to none.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// What the network is told, one a step.
    pub(super) times: Vec<f32>,
    /// One more than `times`: the last is zero.
    pub(super) sigmas: Vec<f64>,
    /// How much noise a drawing begins with.
    pub(super) first_noise: f64,
    pub(super) prediction: Prediction,
}

impl Schedule {
    pub(super) fn new(config: &ScheduleConfig, sampler: Sampler, steps: u32) -> Self {
        let trained = config.trained_sigmas();
        let spacing = config.spacing();
        let times = times(config, spacing, sampler, steps);
        let mut sigmas: Vec<f64> = times.iter().map(|t| interpolate(&trained, *t)).collect();
        let largest = sigmas[0];
        sigmas.push(0.0);
        let first_noise = match (sampler, spacing) {
            // Nearly all noise, so that what remains of a picture is left out.
            (Sampler::Euler, Spacing::Linspace | Spacing::Trailing) => largest,
            _ => (largest * largest + 1.0).sqrt(),
        };
        let times = times.iter().map(|t| *t as f32).collect();
        Self {
            times,
            sigmas,
            first_noise,
            prediction: config.prediction_type,
        }
    }

    /// What the network sees is the state times this.
    pub(super) fn input_scale(&self, step: usize) -> f64 {
        1.0 / (self.sigmas[step].powi(2) + 1.0).sqrt()
    }

    /// The clean latent that the network means: `a * state + b * output`.
    pub(super) fn clean(&self, step: usize) -> (f64, f64) {
        let sigma = self.sigmas[step];
        match self.prediction {
            Prediction::Noise => (1.0, -sigma),
            Prediction::Velocity => {
                let power = sigma * sigma + 1.0;
                (1.0 / power, -sigma / power.sqrt())
            }
        }
    }

    /// The next state: `a * state + b * clean + c * clean of the step before`.
    pub(super) fn next(&self, sampler: Sampler, step: usize) -> (f64, f64, f64) {
        let (sigma, next) = (self.sigmas[step], self.sigmas[step + 1]);
        let ratio = next / sigma;
        if sampler == Sampler::Euler || step == 0 || next == 0.0 {
            // The first order of DPM-Solver++ is the same line.
            return (ratio, 1.0 - ratio, 0.0);
        }
        let last_stride = (self.sigmas[step - 1] / sigma).ln();
        let weight = (sigma / next).ln() / (2.0 * last_stride);
        (
            ratio,
            (1.0 - ratio) * (1.0 + weight),
            -(1.0 - ratio) * weight,
        )
    }
}

fn times(config: &ScheduleConfig, spacing: Spacing, sampler: Sampler, steps: u32) -> Vec<f64> {
    let trained = config.num_train_timesteps as f64;
    let steps = steps.max(1);
    let n = f64::from(steps);
    // DPM-Solver++ divides the way into one stride more, and leaves out the last.
    let extra = u32::from(sampler == Sampler::DpmPlusPlus2M);
    let time = |i: u32| match spacing {
        Spacing::Trailing => (trained - f64::from(i) * (trained / n)).round_ties_even() - 1.0,
        Spacing::Leading => {
            let stride = (trained / f64::from(steps + extra)).floor();
            stride * f64::from(steps + extra - 1 - i) + f64::from(config.steps_offset)
        }
        Spacing::Linspace => {
            let strides = f64::from((steps + extra - 1).max(1));
            let even = (trained - 1.0) * (f64::from(steps + extra - 1 - i) / strides);
            if extra == 1 {
                even.round_ties_even()
            } else {
                even
            }
        }
    };
    (0..steps).map(|i| time(i).max(0.0)).collect()
}

fn interpolate(values: &[f64], at: f64) -> f64 {
    let last = values.len() - 1;
    let at = at.clamp(0.0, last as f64);
    let below = (at.floor() as usize).min(last);
    let above = (below + 1).min(last);
    values[below] + (values[above] - values[below]) * (at - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ScheduleConfig {
        let text = r#"{"_class_name": "PNDMScheduler", "num_train_timesteps": 1000,
            "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
            "steps_offset": 1}"#;
        serde_json::from_str(text).expect("valid")
    }

    #[test]
    fn the_levels_are_those_that_stable_diffusion_is_known_by() {
        let sigmas = config().trained_sigmas();
        assert!((sigmas[0] - 0.0292).abs() < 1e-3, "{}", sigmas[0]);
        assert!((sigmas[999] - 14.6146).abs() < 1e-3, "{}", sigmas[999]);
    }

    #[test]
    fn each_spacing_begins_and_ends_where_it_should() {
        let ends = |spacing, sampler| {
            let times = Schedule::new(&config().spaced(spacing), sampler, 20).times;
            (times[0], times[19], times.len())
        };
        assert_eq!(ends(Spacing::Leading, Sampler::Euler), (951.0, 1.0, 20));
        assert_eq!(ends(Spacing::Trailing, Sampler::Euler), (999.0, 49.0, 20));
        assert_eq!(ends(Spacing::Linspace, Sampler::Euler), (999.0, 0.0, 20));
        assert_eq!(
            ends(Spacing::Leading, Sampler::DpmPlusPlus2M),
            (941.0, 48.0, 20)
        );
    }

    #[test]
    fn one_step_and_all_steps_stay_in_range() {
        for spacing in [Spacing::Leading, Spacing::Trailing, Spacing::Linspace] {
            for sampler in [Sampler::Euler, Sampler::DpmPlusPlus2M] {
                for steps in [1, 2, 3, 500] {
                    let schedule = Schedule::new(&config().spaced(spacing), sampler, steps);
                    let falling = schedule.sigmas.is_sorted_by(|a, b| a > b);
                    assert!(falling, "{spacing:?} {sampler:?} {steps}");
                    assert_eq!(schedule.times.len(), steps as usize);
                }
            }
        }
    }

    #[test]
    fn the_last_step_is_the_clean_latent_itself() {
        for sampler in [Sampler::Euler, Sampler::DpmPlusPlus2M] {
            let schedule = Schedule::new(&config(), sampler, 4);
            assert_eq!(schedule.next(sampler, 3), (0.0, 1.0, 0.0));
        }
    }
}
