//! Samplers for flow matching (Lipman et al. 2023): from noise at time 1 to a picture at time 0.
//!
//! A latent at time t is `(1 - t) * picture + t * noise`; the model tells its velocity,
//! `noise - picture`.

use std::fmt;
use std::str::FromStr;

use candle_core::{Result, Tensor};

/// How a step is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampler {
    /// One velocity a step.
    #[default]
    Euler,
    /// Two velocities a step, second order (Heun 1900); the last step is Euler's, since there is
    /// nothing to learn about time 0.
    Heun,
}

impl Sampler {
    /// Velocities that a drawing of so many steps asks for.
    #[must_use]
    pub fn velocities(self, steps: u32) -> u32 {
        match self {
            Self::Euler => steps,
            Self::Heun => 2 * steps - 1,
        }
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the sampler must be euler or heun")]
pub struct BadSampler;

impl FromStr for Sampler {
    type Err = BadSampler;
    fn from_str(text: &str) -> std::result::Result<Self, BadSampler> {
        match text {
            "euler" => Ok(Self::Euler),
            "heun" => Ok(Self::Heun),
            _ => Err(BadSampler),
        }
    }
}

impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Euler => "euler",
            Self::Heun => "heun",
        })
    }
}

/// `steps + 1` times from 1 to 0. A `shift` above 1 spends more of the steps near the noise
/// (Esser et al. 2024, section 5.3.2).
#[must_use]
pub fn times(steps: u32, shift: f64) -> Vec<f64> {
    let time = |k: u32| {
        let even = 1.0 - f64::from(k) / f64::from(steps);
        shift * even / (1.0 + (shift - 1.0) * even)
    };
    (0..=steps).map(time).collect()
}

/// A latent after a step, and what the picture looked like from before it.
#[derive(Debug)]
pub struct Step {
    pub latent: Tensor,
    /// The estimate of the finished latent: where the velocity points, at time 0.
    pub estimate: Tensor,
}

/// One step from time `from` to the earlier time `to`.
pub fn step(
    sampler: Sampler,
    latent: &Tensor,
    (from, to): (f64, f64),
    mut velocity: impl FnMut(&Tensor, f64) -> Result<Tensor>,
) -> Result<Step> {
    let along = |velocity: &Tensor, time: f64| latent + (velocity * time)?;
    let first = velocity(latent, from)?;
    let estimate = along(&first, -from)?;
    let ahead = along(&first, to - from)?;
    if sampler == Sampler::Euler || to <= 0.0 {
        return Ok(Step {
            latent: ahead,
            estimate,
        });
    }
    let both = (first + velocity(&ahead, to)?)?;
    Ok(Step {
        latent: along(&both, (to - from) * 0.5)?,
        estimate,
    })
}

/// The steps (of 1 to `steps`) after which a preview is due: `previews` of them, spread evenly,
/// none after the last step, which brings the picture itself.
#[must_use]
pub fn preview_steps(steps: u32, previews: u32) -> Vec<u32> {
    let previews = previews.min(steps.saturating_sub(1));
    let at = |n: u32| (u64::from(n) * u64::from(steps) / u64::from(previews + 1)) as u32;
    (1..=previews).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn number(tensor: &Tensor) -> f64 {
        f64::from(tensor.to_vec1::<f32>().expect("a number")[0])
    }

    /// Solves x' = 2x from 1 at time 1: x(0) = e^-2.
    fn solve(sampler: Sampler, steps: u32) -> f64 {
        let mut latent = Tensor::from_slice(&[1.0f32], 1, &Device::Cpu).expect("a tensor");
        for pair in times(steps, 1.0).windows(2) {
            let velocity = |x: &Tensor, _: f64| x * 2.0;
            latent = step(sampler, &latent, (pair[0], pair[1]), velocity)
                .expect("a step")
                .latent;
        }
        number(&latent)
    }

    #[test]
    fn heun_is_of_second_order_and_euler_of_first() {
        let exact = (-2.0f64).exp();
        let error = |sampler, steps| (solve(sampler, steps) - exact).abs();
        let gain = |sampler| error(sampler, 20) / error(sampler, 40);
        assert!(
            (1.8..2.3).contains(&gain(Sampler::Euler)),
            "{}",
            gain(Sampler::Euler)
        );
        assert!(gain(Sampler::Heun) > 3.0, "{}", gain(Sampler::Heun));
        assert!(error(Sampler::Heun, 20) < error(Sampler::Euler, 20) / 4.0);
    }

    #[test]
    fn a_straight_path_arrives_in_one_step_and_is_seen_from_anywhere() {
        let (picture, noise) = (0.25, 1.5);
        let start = Tensor::from_slice(&[noise as f32], 1, &Device::Cpu).expect("a tensor");
        let velocity = |x: &Tensor, _: f64| x.ones_like()? * (noise - picture);
        let whole = step(Sampler::Euler, &start, (1.0, 0.0), velocity).expect("a step");
        assert!((number(&whole.latent) - picture).abs() < 1e-6);
        let part = step(Sampler::Heun, &start, (1.0, 0.6), velocity).expect("a step");
        assert!((number(&part.estimate) - picture).abs() < 1e-6);
    }

    #[test]
    fn times_run_from_one_to_nothing_and_a_shift_holds_them_up() {
        assert_eq!(times(4, 1.0), [1.0, 0.75, 0.5, 0.25, 0.0]);
        let shifted = times(4, 3.0);
        assert_eq!((shifted[0], shifted[4]), (1.0, 0.0));
        assert!((shifted[2] - 0.75).abs() < 1e-12);
        assert!(shifted.windows(2).all(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn previews_are_even_and_never_the_last_step() {
        assert_eq!(preview_steps(20, 3), [5, 10, 15]);
        assert_eq!(preview_steps(4, 9), [1, 2, 3]);
        assert_eq!(preview_steps(1, 3), [0u32; 0]);
        assert_eq!(preview_steps(20, 0), [0u32; 0]);
    }
}
