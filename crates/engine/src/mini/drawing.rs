//! From briefs to pictures: one batch through the sampler, watched after each step.

use candle_core::{Device, Result, Tensor};
use domain::painter::{Brief, PaintError, Painted, Watch};
use domain::picture::{Background, Pixels, Size};

use super::Pipeline;
use super::generator::{Rows, Texts};
use crate::noise;
use crate::samplers;
use crate::words::{Reading, START};

/// Text without a word: what guidance leads away from.
const NOTHING: [u32; 1] = [START];

/// What captions of pictures with a transparent background end with.
pub(super) const TRANSPARENT: &str = "on a transparent background";

/// Alpha is never quite even: what is as near to either end is taken for it.
const ALPHA_NOISE: f32 = 0.08;

/// A picture on its way.
pub(super) struct Canvas {
    /// The brief's place in the batch that was asked for.
    index: usize,
    /// Texts of the prompt, and of what to lead away from.
    text: usize,
    away: Option<usize>,
    guidance: f32,
    size: Size,
    background: Background,
    preview_after: Vec<u32>,
}

/// The texts of a batch, each once.
#[derive(Default)]
pub(super) struct TextList(Vec<Vec<u32>>);

impl TextList {
    fn place(&mut self, ids: &[u32]) -> usize {
        let known = self.0.iter().position(|text| text == ids);
        known.unwrap_or_else(|| {
            self.0.push(ids.to_vec());
            self.0.len() - 1
        })
    }
}

impl Pipeline {
    /// Draws briefs that share their size and number of steps, and answers in their order.
    ///
    /// A picture whose watcher breaks off leaves the batch; the others go on and come out as if
    /// they had been alone.
    #[must_use]
    pub fn draw(
        &self,
        briefs: &[Brief],
        watch: &dyn Watch,
    ) -> Vec<std::result::Result<Painted, PaintError>> {
        let steps = briefs.first().map_or(1, |brief| brief.steps.max(1));
        let readings: Vec<_> = briefs
            .iter()
            .map(|brief| self.read_brief(brief, steps))
            .collect();
        let accepted = || {
            let with_index = readings.iter().zip(briefs).enumerate();
            with_index.filter_map(|(i, (reading, brief))| Some((i, reading.as_ref().ok()?, brief)))
        };
        let mut texts = TextList::default();
        let canvases: Vec<Canvas> = accepted()
            .map(|(index, reading, brief)| self.canvas(index, reading, brief, steps, &mut texts))
            .collect();
        let begun: Vec<&Brief> = accepted().map(|(_, _, brief)| brief).collect();

        let mut finished: Vec<Option<Pixels>> = vec![None; briefs.len()];
        let failure = self
            .noise(&begun)
            .and_then(|noise| self.paint(noise, canvases, &texts, steps, watch, &mut finished))
            .err()
            .map(|error| error.to_string());
        readings
            .into_iter()
            .zip(finished)
            .map(|(reading, pixels)| match (pixels, &failure) {
                (Some(pixels), _) => Ok(Painted {
                    pixels,
                    unknown_words: reading?.left_out,
                }),
                (None, Some(failure)) => reading.and(Err(PaintError::Failed(failure.clone()))),
                (None, None) => reading.and(Err(PaintError::Cancelled)),
            })
            .collect()
    }

    /// What drawing so many pictures takes in memory beside the weights, from above.
    #[must_use]
    pub fn drawing_bytes(&self, pictures: usize) -> u64 {
        self.settings.drawing_bytes(pictures)
    }

    pub(super) fn read_brief(
        &self,
        brief: &Brief,
        steps: u32,
    ) -> std::result::Result<Reading, PaintError> {
        let settings = &self.settings;
        let own = Size::square(settings.size);
        if brief.size != own && !self.upscales_to(brief.size) {
            let name = &settings.name;
            let why = match &self.upscaler {
                None => format!("{name} draws {own} pictures only. Choose that size."),
                Some(_) => {
                    let double = Size::square(2 * settings.size);
                    format!("{name} draws {own} and {double} pictures only. Choose one of these.")
                }
            };
            return Err(PaintError::Refused(why));
        }
        if brief.steps != steps {
            return Err(PaintError::Failed(
                "the briefs of one batch must share their steps".into(),
            ));
        }
        if brief.background == Background::Transparent && !settings.has_alpha() {
            return Err(PaintError::Refused(format!(
                "{} draws no transparent backgrounds. Choose an opaque one.",
                settings.name
            )));
        }
        let reading = self.read_prompt(brief);
        if reading.ids == NOTHING {
            return Err(PaintError::Refused(format!(
                "{} knows none of these words. Say in English what to draw, such as \"a red apple\".",
                settings.name
            )));
        }
        Ok(reading)
    }

    /// The words of a prompt, and those of the background that it shall have.
    fn read_prompt(&self, brief: &Brief) -> Reading {
        let (words, most) = (brief.prompt.expose(), self.settings.max_words);
        if brief.background == Background::Opaque {
            return self.words.read(words, most);
        }
        let background = self.words.read(TRANSPARENT, most).ids.split_off(1);
        let mut reading = self
            .words
            .read(words, most.saturating_sub(background.len()).max(1));
        let says_so = reading.ids.ends_with(&background);
        if reading.ids != NOTHING && !says_so {
            reading.ids.extend(background);
        }
        reading
    }

    pub(super) fn canvas(
        &self,
        index: usize,
        reading: &Reading,
        brief: &Brief,
        steps: u32,
        texts: &mut TextList,
    ) -> Canvas {
        let away = || match &brief.negative_prompt {
            Some(prompt) => {
                self.words
                    .read(prompt.expose(), self.settings.max_words)
                    .ids
            }
            None => NOTHING.to_vec(),
        };
        Canvas {
            index,
            text: texts.place(&reading.ids),
            // Led by a factor of one, nothing is left of what to lead away from.
            away: (brief.guidance != 1.0).then(|| texts.place(&away())),
            guidance: brief.guidance,
            size: brief.size,
            background: brief.background,
            preview_after: samplers::preview_steps(steps, brief.previews),
        }
    }

    /// Noise for each brief, `[pictures, positions, channels]`. Its numbers fill channel after
    /// channel.
    fn noise(&self, briefs: &[&Brief]) -> Result<Tensor> {
        let (channels, positions) = (self.settings.latent_channels, self.settings.positions());
        let numbers: Vec<f32> = briefs
            .iter()
            .flat_map(|brief| noise::of(brief, channels * positions))
            .collect();
        Tensor::from_vec(numbers, (briefs.len(), channels, positions), &Device::Cpu)?
            .transpose(1, 2)?
            .contiguous()
    }

    /// Takes noise to pictures. What is finished is in `finished`, also when a later one fails.
    fn paint(
        &self,
        noise: Tensor,
        canvases: Vec<Canvas>,
        texts: &TextList,
        steps: u32,
        watch: &dyn Watch,
        finished: &mut [Option<Pixels>],
    ) -> Result<()> {
        if canvases.is_empty() {
            return Ok(());
        }
        let (latents, canvases) = self.sample(noise, canvases, texts, steps, watch)?;
        for (place, canvas) in canvases.iter().enumerate() {
            let latent = latents.narrow(0, place, 1)?;
            finished[canvas.index] = Some(self.pixels(&latent, canvas.size, canvas.background)?);
        }
        Ok(())
    }

    /// Takes noise `[pictures, positions, channels]` to latents of the same shape, and answers
    /// them with the pictures that are still wanted.
    pub(super) fn sample(
        &self,
        noise: Tensor,
        mut canvases: Vec<Canvas>,
        texts: &TextList,
        steps: u32,
        watch: &dyn Watch,
    ) -> Result<(Tensor, Vec<Canvas>)> {
        let sampler = self.settings.sampler();
        let texts = self
            .generator
            .texts(self.text.encode(&self.words, &texts.0)?)?;
        let mut rows = self.rows(&texts, &canvases)?;
        let mut latent = noise;
        let times = samplers::times(steps, self.settings.shift);
        for (step, pair) in (1..).zip(times.windows(2)) {
            let velocity =
                |latent: &Tensor, time: f64| self.guided(latent, time, &texts, &rows, &canvases);
            let taken = samplers::step(sampler, &latent, (pair[0], pair[1]), velocity)?;
            latent = taken.latent;
            let wanted = self.ask(&taken.estimate, &canvases, step, steps, watch)?;
            if wanted.is_empty() {
                return Ok((latent, Vec::new()));
            }
            if wanted.len() < canvases.len() {
                latent = chosen(&latent, &wanted)?;
                let mut place = 0..;
                canvases.retain(|_| place.next().is_some_and(|at: u32| wanted.contains(&at)));
                rows = self.rows(&texts, &canvases)?;
            }
        }
        Ok((latent, canvases))
    }

    /// Tells each picture's watcher, and answers the places of those that are still wanted.
    fn ask(
        &self,
        estimate: &Tensor,
        canvases: &[Canvas],
        step: u32,
        steps: u32,
        watch: &dyn Watch,
    ) -> Result<Vec<u32>> {
        let mut wanted = Vec::with_capacity(canvases.len());
        for (place, canvas) in (0u32..).zip(canvases) {
            let due = canvas.preview_after.contains(&step);
            let own = Size::square(self.settings.size);
            let preview = due.then(|| {
                let latent = estimate.narrow(0, place as usize, 1)?;
                self.pixels(&latent, own, canvas.background)
            });
            let preview = preview.transpose()?;
            if watch
                .step(canvas.index, step, steps, preview.as_ref())
                .is_continue()
            {
                wanted.push(place);
            }
        }
        Ok(wanted)
    }

    /// All prompts' rows, then a row for each picture that is led away from another text.
    fn rows(&self, texts: &Texts, canvases: &[Canvas]) -> Result<Rows> {
        let prompts = canvases.iter().map(|canvas| canvas.text);
        let aways = canvases.iter().filter_map(|canvas| canvas.away);
        self.generator
            .rows(texts, &prompts.chain(aways).collect::<Vec<_>>())
    }

    /// The velocity under classifier-free guidance (Ho & Salimans 2022), both halves in one pass.
    fn guided(
        &self,
        latent: &Tensor,
        time: f64,
        texts: &Texts,
        rows: &Rows,
        canvases: &[Canvas],
    ) -> Result<Tensor> {
        let guided: Vec<u32> = (0..)
            .zip(canvases)
            .filter(|(_, c)| c.away.is_some())
            .map(|(at, _)| at)
            .collect();
        if guided.is_empty() {
            return self.generator.velocity(latent, time, texts, rows);
        }
        let both = Tensor::cat(&[latent, &chosen(latent, &guided)?], 0)?;
        let both = self.generator.velocity(&both, time, texts, rows)?;
        let mut led = both
            .narrow(0, 0, canvases.len())?
            .flatten_all()?
            .to_vec1::<f32>()?;
        let away = both
            .narrow(0, canvases.len(), guided.len())?
            .flatten_all()?
            .to_vec1::<f32>()?;
        let length = led.len() / canvases.len();
        for (place, away) in guided.iter().zip(away.chunks_exact(length)) {
            let scale = canvases[*place as usize].guidance;
            let own = &mut led[*place as usize * length..][..length];
            for (towards, away) in own.iter_mut().zip(away) {
                *towards = away + scale * (*towards - away);
            }
        }
        Tensor::from_vec(led, latent.shape(), latent.device())
    }

    fn upscales_to(&self, size: Size) -> bool {
        self.upscaler.is_some() && size == Size::square(2 * self.settings.size)
    }

    /// One latent `[1, positions, channels]` as a picture of the model's size, or twice that.
    fn pixels(&self, latent: &Tensor, size: Size, background: Background) -> Result<Pixels> {
        let mut picture = self.decoder.decode(latent)?;
        if let Some(upscaler) = self.upscaler.as_ref().filter(|_| self.upscales_to(size)) {
            picture = upscaler.grow(&picture.clamp(-1f32, 1f32)?)?;
        }
        let numbers = picture.flatten_all()?.to_vec1::<f32>()?;
        let byte = |c: f32| ((c + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8;
        if !self.settings.has_alpha() {
            return Ok(Pixels::new(size, numbers.into_iter().map(byte).collect()));
        }
        let pixels = numbers.chunks_exact(4);
        Ok(match background {
            Background::Opaque => {
                Pixels::new(size, pixels.flat_map(|p| on_white(p).map(byte)).collect())
            }
            Background::Transparent => {
                Pixels::with_alpha(size, pixels.flat_map(straight).collect())
            }
        })
    }
}

/// Straight colours and alpha of a pixel that has them premultiplied, from -1 to 1.
fn straight(pixel: &[f32]) -> [u8; 4] {
    let byte = |share: f32| (share * 255.0).round().clamp(0.0, 255.0) as u8;
    let share = (pixel[3].clamp(-1.0, 1.0) + 1.0) / 2.0;
    let alpha = (share - ALPHA_NOISE) / (1.0 - 2.0 * ALPHA_NOISE);
    if byte(alpha) == 0 {
        return [0; 4];
    }
    let colour = |channel: f32| byte((channel + 1.0) / 2.0 / share);
    [
        colour(pixel[0]),
        colour(pixel[1]),
        colour(pixel[2]),
        byte(alpha),
    ]
}

/// Premultiplied colours and alpha, all from -1 to 1, laid over white.
fn on_white(pixel: &[f32]) -> [f32; 3] {
    let alpha = pixel[3].clamp(-1.0, 1.0);
    [0, 1, 2].map(|channel| pixel[channel].min(alpha) + 1.0 - alpha)
}

fn chosen(tensor: &Tensor, places: &[u32]) -> Result<Tensor> {
    let places = Tensor::from_slice(places, places.len(), tensor.device())?;
    tensor.index_select(&places, 0)
}
