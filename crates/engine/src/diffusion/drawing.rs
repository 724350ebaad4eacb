//! Pictures on their way from noise, together in one batch.

use std::ops::ControlFlow;

use candle_core::{Device, Result as Maths, Tensor};
use domain::painter::{Brief, Watch};

use super::LoadError;
use super::pipeline::Pipeline;
use super::preview::Preview;
use super::schedule::{Sampler, Schedule};
use super::unet::{Condition, Unet};

#[derive(Debug)]
pub(super) struct Drawing {
    /// Which brief each row of the batch belongs to: a picture that is no longer wanted leaves.
    pub(super) alive: Vec<usize>,
    /// `[rows, channels, h, w]`, as [`Schedule`] keeps it.
    state: Tensor,
    /// The clean latents that the last step saw.
    clean: Option<Tensor>,
    /// `[rows, 1, 1, 1]`; 1 where a brief wants no guidance.
    guidance: Tensor,
    wanted: Condition,
    /// What to be guided away from; absent where no brief wants guidance.
    unwanted: Option<Condition>,
}

impl Drawing {
    pub(super) fn begin(
        pipeline: &Pipeline,
        briefs: &[Brief],
        noise: Vec<Vec<f32>>,
        schedule: &Schedule,
    ) -> Result<Self, LoadError> {
        let size = briefs[0].size;
        let (_, channels, height, width) = pipeline.latent_shape(size);
        let rows = briefs.len();
        let noise: Vec<f32> = noise.into_iter().flatten().collect();
        let noise = Tensor::from_vec(noise, (rows, channels, height, width), &Device::Cpu)?;
        let prompts: Vec<_> = briefs.iter().map(|b| Some(b.prompt.expose())).collect();
        let guidance: Vec<f32> = briefs.iter().map(|b| b.guidance.max(1.0)).collect();
        let unwanted = guidance.iter().any(|guidance| *guidance > 1.0).then(|| {
            let negatives: Vec<_> = briefs
                .iter()
                .map(|b| b.negative_prompt.as_ref().map(|p| p.expose()))
                .collect();
            pipeline.condition(&negatives, size)
        });
        Ok(Self {
            alive: (0..rows).collect(),
            state: (noise * schedule.first_noise)?,
            clean: None,
            guidance: Tensor::from_vec(guidance, (rows, 1, 1, 1), &Device::Cpu)?,
            wanted: pipeline.condition(&prompts, size)?,
            unwanted: unwanted.transpose()?,
        })
    }

    /// One step towards the picture, for every row at once.
    pub(super) fn step(
        &mut self,
        unet: &Unet,
        schedule: &Schedule,
        sampler: Sampler,
        step: usize,
    ) -> Maths<()> {
        let input = (&self.state * schedule.input_scale(step))?;
        let time = schedule.times[step];
        let output = match &self.unwanted {
            None => unet.forward(&input, time, &self.wanted)?,
            Some(unwanted) => {
                // Classifier-free guidance (Ho & Salimans 2022).
                let both = Tensor::cat(&[&input, &input], 0)?;
                let both = unet.forward(&both, time, &unwanted.and(&self.wanted)?)?;
                let rows = self.alive.len();
                let (away, towards) = (both.narrow(0, 0, rows)?, both.narrow(0, rows, rows)?);
                (&away + (towards - &away)?.broadcast_mul(&self.guidance)?)?
            }
        };
        let (a, b) = schedule.clean(step);
        let clean = ((&self.state * a)? + (output * b)?)?;
        let (a, b, c) = schedule.next(sampler, step);
        let mut state = ((&self.state * a)? + (&clean * b)?)?;
        if let (Some(before), true) = (&self.clean, c != 0.0) {
            state = (state + (before * c)?)?;
        }
        self.state = state;
        self.clean = Some(clean);
        Ok(())
    }

    /// Tells of the step, and lets those go that are no longer wanted.
    pub(super) fn tell(
        &mut self,
        briefs: &[Brief],
        step: usize,
        preview: &Preview,
        watch: &dyn Watch,
    ) -> Maths<()> {
        let mut kept = Vec::with_capacity(self.alive.len());
        for (row, &index) in self.alive.iter().enumerate() {
            let brief = &briefs[index];
            let done = u32::try_from(step + 1).unwrap_or(u32::MAX);
            let glance = match &self.clean {
                Some(clean) if due(done, brief.steps, brief.previews) => {
                    Some(preview.draw(&clean.get(row)?)?)
                }
                _ => None,
            };
            let goes_on = watch.step(index, done, brief.steps, glance.as_ref());
            if goes_on == ControlFlow::Continue(()) {
                kept.push(row);
            }
        }
        if kept.len() < self.alive.len() && !kept.is_empty() {
            self.keep(&kept)?;
        }
        self.alive = kept.into_iter().map(|row| self.alive[row]).collect();
        Ok(())
    }

    fn keep(&mut self, rows: &[usize]) -> Maths<()> {
        let rows: Vec<u32> = rows
            .iter()
            .map(|r| u32::try_from(*r).unwrap_or(u32::MAX))
            .collect();
        let rows = Tensor::new(rows.as_slice(), &Device::Cpu)?;
        self.state = self.state.index_select(&rows, 0)?;
        self.guidance = self.guidance.index_select(&rows, 0)?;
        self.clean = self
            .clean
            .as_ref()
            .map(|x| x.index_select(&rows, 0))
            .transpose()?;
        self.wanted = self.wanted.select(&rows)?;
        self.unwanted = self
            .unwanted
            .as_ref()
            .map(|on| on.select(&rows))
            .transpose()?;
        Ok(())
    }

    /// `[1, channels, h, w]`
    pub(super) fn latent(&self, row: usize) -> Maths<Tensor> {
        self.state.narrow(0, row, 1)
    }
}

/// Previews are spread evenly over the steps before the last, which brings the picture itself.
fn due(step: u32, steps: u32, previews: u32) -> bool {
    let shown = |step: u32| u64::from(step) * (u64::from(previews) + 1) / u64::from(steps.max(1));
    step < steps && shown(step) > shown(step - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_previews_as_asked_for_and_never_at_the_end() {
        let count = |steps, previews| {
            (1..=steps)
                .filter(|step| due(*step, steps, previews))
                .collect::<Vec<u32>>()
        };
        assert_eq!(count(20, 3), [5, 10, 15]);
        assert!(count(20, 0).is_empty());
        assert_eq!(count(4, 2), [2, 3]);
        assert!(count(1, 3).is_empty());
        assert_eq!(count(3, 50), [1, 2]);
    }
}
