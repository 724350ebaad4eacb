//! A loaded model, and the way from briefs to pictures.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{D, Device, Tensor};
use domain::painter::{Brief, PaintError, Painted, Paintings, Watch};
use domain::picture::{Pixels, Size};
use serde::Deserialize;

use super::LoadError;
use super::drawing::Drawing;
use super::folder::{Folder, check_file, is_weights};
use super::layers::{MAX_SCORES, Scope, numbers};
use super::preview::{Preview, byte};
use super::schedule::{Sampler, Schedule, ScheduleConfig};
use super::text::{TextConfig, TextEncoder};
use super::tokens::Words;
use super::unet::{Added, Condition, Unet};
use super::unet_config;
use super::vae::{Decoder, VaeConfig};
use crate::catalogue::Installed;
use crate::noise;
use crate::weights::Weights;

/// More steps would visit the same noise level twice.
const MAX_STEPS: u32 = 500;

/// One text encoder with its words.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) words: Words,
    pub(super) encoder: TextEncoder,
}

/// A model that is in memory and ready to draw.
#[derive(Debug)]
pub struct Pipeline {
    /// One, or SDXL's two.
    pub(super) readers: Vec<Reader>,
    pub(super) unet: Unet,
    pub(super) decoder: Decoder,
    schedule: ScheduleConfig,
    sampler: Sampler,
    preview: Preview,
    channels: usize,
    /// Pixels an edge for one latent pixel, and how many latent pixels an edge must divide by.
    scale: usize,
    latent_multiple: usize,
    weights_bytes: u64,
    /// Channels of the U-Net at its widest picture, and of the decoder at nearly its own.
    widths: (usize, usize),
    /// SDXL knows "nothing said" as zeros, not as an empty prompt.
    zeros_for_nothing: bool,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    force_zeros_for_empty_prompt: bool,
}

impl Pipeline {
    /// Loads a pulled model, checking every file against what was pulled.
    pub fn load(installed: &Installed) -> Result<Self, LoadError> {
        let Installed { entry, folder, .. } = installed;
        if !entry.can_draw() {
            return Err(LoadError::NotYet {
                model: entry.name.to_string(),
            });
        }
        let sha256 = installed.sha256();
        // Weights are checked where they are mapped.
        for (inner, expected) in sha256.iter().filter(|(inner, _)| !is_weights(inner)) {
            check_file(&folder.join(inner), expected)?;
        }
        Self::open(folder, entry.sampler(), &sha256)
    }

    /// Reads a model from its folder. `sha256` holds the hash that each file must have, by its
    /// path inside the folder; a file that it does not name is not checked.
    pub fn open(
        root: &Path,
        sampler: Sampler,
        sha256: &BTreeMap<String, String>,
    ) -> Result<Self, LoadError> {
        let folder = Folder { root, sha256 };
        let index: Index = folder.config("model_index.json", Ok)?;
        let schedule = folder.config("scheduler/scheduler_config.json", |c: ScheduleConfig| {
            c.check().map(|()| c)
        })?;
        let shape = folder.config("unet/config.json", unet_config::Raw::check)?;
        let vae = folder.config("vae/config.json", |c: VaeConfig| c.check().map(|()| c))?;
        let mut held = 0;
        let mut readers = vec![reader(
            folder,
            ["tokenizer", "text_encoder"],
            false,
            &mut held,
        )?];
        if folder.has("text_encoder_2") {
            let names = ["tokenizer_2", "text_encoder_2"];
            readers.push(reader(folder, names, true, &mut held)?);
        }
        let fits = |wanted: usize, found: usize, what: &str| {
            let why = || format!("{what} is {wanted} and the other networks give {found}");
            let file = || folder.path("unet/config.json");
            (wanted == found)
                .then_some(())
                .ok_or_else(|| LoadError::Config {
                    file: file(),
                    why: why(),
                })
        };
        fits(shape.in_channels, vae.latent_channels, "in_channels")?;
        let widths = readers.iter().map(|r| r.encoder.width()).sum();
        fits(shape.cross_attention_dim, widths, "cross_attention_dim")?;
        if let Some(added) = shape.added {
            let pooled = readers.last().map_or(0, |r| r.encoder.pooled_width());
            let found = pooled + Added::SIZES * added.size_width;
            fits(added.inputs, found, "projection_class_embeddings_input_dim")?;
        }
        let latent_multiple = shape.factor();
        let decoder_widths = &vae.block_out_channels;
        let nearly_widest = decoder_widths[1.min(decoder_widths.len() - 1)];
        let widths = (shape.block_out_channels[0], nearly_widest);
        let weights = folder.weights("unet")?;
        let unet = Unet::new(&Scope::root(&weights), shape)?;
        held += finish_reading(weights.into_inner(), |_| false)?;
        let weights = folder.weights("vae")?;
        let decoder = Decoder::new(&Scope::root(&weights), &vae)?;
        let encoding = |name: &str| name.starts_with("encoder.") || name.starts_with("quant_");
        held += finish_reading(weights.into_inner(), encoding)?;
        Ok(Self {
            readers,
            unet,
            decoder,
            schedule,
            sampler,
            preview: Preview::new(vae.latent_channels, vae.scaling_factor),
            channels: vae.latent_channels,
            scale: vae.factor(),
            latent_multiple,
            weights_bytes: held,
            widths,
            zeros_for_nothing: index.force_zeros_for_empty_prompt,
        })
    }

    #[cfg(test)]
    pub(super) fn spaced(self, spacing: super::schedule::Spacing) -> Self {
        Self {
            schedule: self.schedule.spaced(spacing),
            ..self
        }
    }

    /// Draws briefs of one size and step count in one batch, each from its own seed, and answers
    /// in their order.
    pub fn draw(&self, briefs: &[Brief], watch: &dyn Watch) -> Paintings {
        let Some(first) = briefs.first() else {
            return Vec::new();
        };
        let all = |error: &dyn Fn() -> PaintError| briefs.iter().map(|_| Err(error())).collect();
        if !briefs
            .iter()
            .all(|b| b.size == first.size && b.steps == first.steps)
        {
            let why = "pictures that are drawn together must share size and steps";
            return all(&|| PaintError::Failed(why.into()));
        }
        if let Err(why) = self.check(first) {
            return all(&|| PaintError::Refused(why.clone()));
        }
        let noise = briefs
            .iter()
            .map(|b| noise::of(b, self.latent_numbers(b.size)))
            .collect();
        match self.colours(briefs, noise, watch) {
            Ok(pictures) => pictures
                .into_iter()
                .map(|c| finish(first.size, c))
                .collect(),
            Err(error) => all(&|| PaintError::Failed(error.to_string())),
        }
    }

    /// Each picture's colours from -1 to 1, plane by plane, out of its noise; `None` for one that
    /// was cancelled.
    pub(super) fn colours(
        &self,
        briefs: &[Brief],
        noise: Vec<Vec<f32>>,
        watch: &dyn Watch,
    ) -> Result<Vec<Option<Coloured>>, LoadError> {
        let Some(first) = briefs.first() else {
            return Ok(Vec::new());
        };
        let schedule = Schedule::new(&self.schedule, self.sampler, first.steps);
        let mut drawing = Drawing::begin(self, briefs, noise, &schedule)?;
        for step in 0..schedule.times.len() {
            drawing.step(&self.unet, &schedule, self.sampler, step)?;
            drawing.tell(briefs, step, &self.preview, watch)?;
            if drawing.alive.is_empty() {
                break;
            }
        }
        let mut pictures: Vec<_> = briefs.iter().map(|_| None).collect();
        for (row, &index) in drawing.alive.iter().enumerate() {
            // One at a time: decoding takes the most memory of all.
            let colours = numbers(&self.decoder.decode(&drawing.latent(row)?)?)?;
            pictures[index] = Some(Coloured {
                colours,
                left_out: self.left_out(&briefs[index])?,
            });
        }
        Ok(pictures)
    }

    /// What a batch of texts means to the U-Net; `None` is nothing said.
    pub(super) fn condition(
        &self,
        texts: &[Option<&str>],
        size: Size,
    ) -> Result<Condition, LoadError> {
        let mut states = Vec::with_capacity(self.readers.len());
        let mut pooled = None;
        for reader in &self.readers {
            let ids = |text: &Option<&str>| Ok(reader.words.tokens(text.unwrap_or(""))?.ids);
            let ids: Vec<Vec<u32>> = texts.iter().map(ids).collect::<Result<_, LoadError>>()?;
            let encoded = reader.encoder.encode(&ids)?;
            states.push(if self.readers.len() == 1 {
                encoded.last
            } else {
                encoded.penultimate
            });
            pooled = encoded.pooled;
        }
        let mut context = Tensor::cat(&states, D::Minus1)?;
        if self.zeros_for_nothing {
            let said: Vec<f32> = texts
                .iter()
                .map(|t| f32::from(u8::from(t.is_some())))
                .collect();
            let said = Tensor::from_vec(said, (texts.len(), 1), &Device::Cpu)?;
            context = context.broadcast_mul(&said.unsqueeze(2)?)?;
            pooled = pooled
                .map(|pooled| pooled.broadcast_mul(&said))
                .transpose()?;
        }
        let (height, width) = (size.height as f32, size.width as f32);
        let sizes = [height, width, 0.0, 0.0, height, width];
        Ok(Condition {
            context,
            added: pooled.map(|pooled| Added { pooled, sizes }),
        })
    }

    #[must_use]
    pub fn weights_bytes(&self) -> u64 {
        self.weights_bytes
    }

    /// What drawing these together takes in memory beside the weights, from above.
    #[must_use]
    pub fn drawing_bytes(&self, briefs: &[Brief]) -> u64 {
        // Numbers alive at once for each channel: of a latent pixel in the U-Net (the ways that
        // lead across it, and a transformer's wide layer), and of a pixel in the decoder.
        const UNET: usize = 40;
        const DECODER: usize = 4;
        let Some(first) = briefs.first() else {
            return 0;
        };
        let (_, _, height, width) = self.latent_shape(first.size);
        let rows = 2 * briefs.len();
        let unet = rows * height * width * self.widths.0 * UNET;
        let decoder = height * width * self.scale * self.scale * self.widths.1 * DECODER;
        let numbers = unet.max(decoder) + 3 * MAX_SCORES;
        (numbers * size_of::<f32>()) as u64
    }

    /// `[1, channels, h, w]` of one picture's latent.
    pub(super) fn latent_shape(&self, size: Size) -> (usize, usize, usize, usize) {
        let edge = |n: u32| n as usize / self.scale;
        (1, self.channels, edge(size.height), edge(size.width))
    }

    fn latent_numbers(&self, size: Size) -> usize {
        let (_, channels, height, width) = self.latent_shape(size);
        channels * height * width
    }

    fn check(&self, brief: &Brief) -> Result<(), String> {
        let multiple = u32::try_from(self.scale * self.latent_multiple).unwrap_or(u32::MAX);
        let fits = |n: u32| n >= multiple && n.is_multiple_of(multiple);
        if !fits(brief.size.width) || !fits(brief.size.height) {
            return Err(format!(
                "This model draws edges that are multiples of {multiple} pixels; {} is not of \
                 such edges.",
                brief.size
            ));
        }
        if brief.steps == 0 || brief.steps > MAX_STEPS {
            return Err(format!("Choose 1 to {MAX_STEPS} steps."));
        }
        Ok(())
    }

    /// The words of a prompt that no reader had room for.
    fn left_out(&self, brief: &Brief) -> Result<Vec<String>, LoadError> {
        let mut fewest: Option<String> = None;
        for reader in &self.readers {
            let left_out = reader.words.tokens(brief.prompt.expose())?.left_out;
            if fewest
                .as_ref()
                .is_none_or(|words| words.len() > left_out.len())
            {
                fewest = Some(left_out);
            }
        }
        let words = fewest.unwrap_or_default();
        Ok(words.split_whitespace().map(str::to_owned).collect())
    }
}

/// A finished picture before it is rounded to bytes.
#[derive(Debug)]
pub(super) struct Coloured {
    pub(super) colours: Vec<f32>,
    left_out: Vec<String>,
}

fn finish(size: Size, picture: Option<Coloured>) -> Result<Painted, PaintError> {
    let Coloured { colours, left_out } = picture.ok_or(PaintError::Cancelled)?;
    if colours.iter().any(|colour| !colour.is_finite()) {
        let why = "the weights gave numbers that are no colours: they are damaged or of another \
                   model. Pull the model again.";
        return Err(PaintError::Failed(why.into()));
    }
    let area = colours.len() / 3;
    let rgb = (0..3 * area)
        .map(|i| byte(colours[i % 3 * area + i / 3]))
        .collect();
    Ok(Painted {
        pixels: Pixels::new(size, rgb),
        unknown_words: left_out,
    })
}

/// Opens a tokenizer with its encoder, and adds what that holds in memory.
fn reader(
    folder: Folder<'_>,
    [tokenizer, encoder]: [&str; 2],
    projected: bool,
    held: &mut u64,
) -> Result<Reader, LoadError> {
    let config = format!("{encoder}/config.json");
    let config = folder.config(&config, |c: TextConfig| c.check().map(|()| c))?;
    let (length, vocab) = (config.max_position_embeddings, config.vocab_size);
    let words = Words::open(&folder.path(tokenizer), length, vocab)?;
    let weights = folder.weights(encoder)?;
    let encoder = TextEncoder::new(&Scope::root(&weights), config, projected)?;
    // Old files keep a list of positions, and a projection where none is asked for.
    let spare = |name: &str| name.ends_with("position_ids") || name == "text_projection.weight";
    *held += finish_reading(weights.into_inner(), spare)?;
    Ok(Reader { words, encoder })
}

/// Ends reading a file; answers how many bytes of it are now held as f32.
fn finish_reading(weights: Weights, spare: impl Fn(&str) -> bool) -> Result<u64, LoadError> {
    let kept = weights.names().filter(|name| !spare(name));
    let numbers: usize = kept
        .filter_map(|n| weights.shape(n))
        .map(|s| s.iter().product::<usize>())
        .sum();
    weights.finish(spare)?;
    Ok((numbers * size_of::<f32>()) as u64)
}
