//! The pipeline against PyTorch: `training/reference.py` wrote a tiny model of random weights, what
//! it draws from a given noise, and one picture of the shipped weights.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use candle_core::safetensors::{load, load_buffer};
use candle_core::{DType, Device, Result, Tensor};
use domain::painter::{Brief, Watch};
use domain::picture::{Background, Pixels, Size};
use domain::prompt::Prompt;
use safetensors::SafeTensors;
use serde::Deserialize;

use super::drawing::{TRANSPARENT, TextList};
use super::{ENCODER_FILE, Encoder, Pipeline};
use crate::weights::Weights;
use crate::words::normalise;
use crate::{noise, shipped};

const PROMPTS: [&str; 2] = [
    "two red cats on a blue background",
    "A dog's rocket, flying!",
];
const STEPS: u32 = 4;
const GUIDANCE: f32 = 3.0;
/// How far latents and pixels, which go from -1 to 1, may be off.
const TOLERANCE: f32 = 1e-3;

struct Patient;

impl Watch for Patient {
    fn step(&self, _: usize, _: u32, _: u32, _: Option<&Pixels>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../training/fixtures")
}

/// Tiny models: one as the first weights were made, and one with alpha, finer latents, an upscaler.
const MODELS: [&str; 2] = ["tiny", "tiny-alpha"];

fn pipeline(model: &str, sampler: &str) -> Pipeline {
    let mut pipeline = Pipeline::load(&fixtures().join(model)).expect("the tiny model");
    pipeline.settings.sampler = sampler.to_owned();
    pipeline
}

fn brief(pipeline: &Pipeline, prompt: &str, steps: u32, guidance: f32) -> Brief {
    Brief {
        prompt: Prompt::new(prompt).expect("a prompt"),
        negative_prompt: None,
        size: Size::square(pipeline.settings.size),
        background: Background::Opaque,
        steps,
        guidance,
        seed: 0,
        ancestors: Vec::new(),
        previews: 0,
    }
}

/// `[n, c, h, w]` as `[n, h * w, c]`.
fn channels_last(tensor: &Tensor) -> Result<Tensor> {
    tensor.flatten(2, 3)?.transpose(1, 2)?.contiguous()
}

fn largest_difference(one: &Tensor, other: &Tensor) -> Result<f32> {
    (one - other)?.abs()?.flatten_all()?.max(0)?.to_scalar()
}

/// Latents `[n, h * w, c]` and pixels `[n, c, h, w]` of prompts from a noise `[n, c, h, w]`, after
/// their words were read as `ids` says.
fn drawn(
    pipeline: &Pipeline,
    briefs: &[Brief],
    ids: &[&Tensor],
    noise: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let steps = briefs[0].steps;
    let mut texts = TextList::default();
    let mut canvases = Vec::new();
    for (index, brief) in briefs.iter().enumerate() {
        let reading = pipeline.read_brief(brief, steps).expect("known words");
        let read: Vec<i64> = reading.ids.iter().map(|id| i64::from(*id)).collect();
        assert_eq!(read, ids[index].to_vec1::<i64>()?, "prompt {index}");
        canvases.push(pipeline.canvas(index, &reading, brief, steps, &mut texts));
    }
    let noise = channels_last(noise)?;
    let (latents, drawn) = pipeline.sample(noise, canvases, &texts, steps, &Patient)?;
    assert_eq!(drawn.len(), briefs.len());
    let pixels = pipeline.decoder.decode(&latents)?.permute((0, 3, 1, 2))?;
    Ok((latents, pixels.contiguous()?))
}

fn assert_near(what: &str, one: &Tensor, other: &Tensor) -> Result<()> {
    let off = largest_difference(one, other)?;
    assert!(off < TOLERANCE, "{what} are off by {off}");
    Ok(())
}

fn check(model: &str, sampler: &str, reference: &HashMap<String, Tensor>) -> Result<()> {
    let pipeline = pipeline(model, sampler);
    let briefs = PROMPTS.map(|prompt| brief(&pipeline, prompt, STEPS, GUIDANCE));
    let ids = [0, 1].map(|index| &reference[&format!("ids.{index}")]);
    let (latents, pixels) = drawn(&pipeline, &briefs, &ids, &reference["noise"])?;
    let expected = channels_last(&reference[&format!("{sampler}.{}", STEPS - 1)])?;
    assert_near(&format!("{model}, {sampler}: latents"), &latents, &expected)?;
    let expected = &reference[&format!("{sampler}.pixels")];
    assert_near(&format!("{model}, {sampler}: pixels"), &pixels, expected)
}

#[test]
fn pictures_equal_pytorchs_on_the_same_noise() -> Result<()> {
    for model in MODELS {
        let reference = vectors(model)?;
        assert_eq!(reference["noise"].dtype(), DType::F32);
        check(model, "euler", &reference)?;
        check(model, "heun", &reference)?;
    }
    Ok(())
}

#[test]
fn pictures_become_the_same_latents_as_in_pytorch() -> Result<()> {
    for model in MODELS {
        let reference = vectors(model)?;
        let weights = Weights::open(&fixtures().join(model).join(ENCODER_FILE), None);
        let settings = pipeline(model, "euler").settings;
        let encoder = Encoder::read(weights.expect("weights"), &settings).expect("an encoder");
        let picture = reference["encoder.picture"].permute((0, 2, 3, 1))?;
        let latents = encoder.encode(&picture.contiguous()?)?;
        let expected = channels_last(&reference["encoder.latent"])?;
        assert_near(&format!("{model}: encoded latents"), &latents, &expected)?;
    }
    Ok(())
}

#[test]
fn pictures_are_upscaled_as_in_pytorch() -> Result<()> {
    let reference = vectors("tiny-alpha")?;
    let pipeline = pipeline("tiny-alpha", "euler");
    let picture = reference["encoder.picture"].permute((0, 2, 3, 1))?;
    let upscaler = pipeline.upscaler.as_ref().expect("an upscaler");
    let grown = upscaler.grow(&picture.contiguous()?)?;
    let expected = reference["upscaler.pixels"].permute((0, 2, 3, 1))?;
    assert_near("upscaled pixels", &grown, &expected)
}

/// What a brief for either size gives, and for a third.
#[test]
fn a_model_with_an_upscaler_draws_twice_its_size_too() {
    let pipeline = pipeline("tiny-alpha", "euler");
    let own = pipeline.settings.size;
    let asked = |edge: u32| Brief {
        size: Size::square(edge),
        ..brief(&pipeline, PROMPTS[0], STEPS, GUIDANCE)
    };
    let mut drawn = pipeline.draw(&[asked(own), asked(2 * own), asked(3 * own)], &Patient);
    let refused = drawn.pop().expect("three").expect_err("no such size");
    assert!(
        refused.to_string().contains("64x64 and 128x128"),
        "{refused}"
    );
    let sizes = drawn.into_iter().map(|p| p.expect("drawn").pixels.size());
    assert_eq!(sizes.collect::<Vec<_>>(), [own, 2 * own].map(Size::square));
    let card = pipeline.settings.card();
    assert!(card.sizes.allows(Size::square(2 * own)) && !card.sizes.allows(Size::square(3 * own)));
    let wide = Size {
        width: 2 * own,
        height: own,
    };
    assert!(!card.sizes.allows(wide));
    assert_eq!(card.sizes.in_words(), "64x64 and 128x128");
}

/// Over white, what is drawn without a background is what is drawn with one: it is the same picture.
#[test]
fn a_transparent_background_is_alpha_and_nothing_else() {
    let pipeline = pipeline("tiny-alpha", "euler");
    let asked = |background| Brief {
        background,
        ..brief(&pipeline, PROMPTS[0], STEPS, GUIDANCE)
    };
    let said = Brief {
        prompt: Prompt::new(&format!("{} {TRANSPARENT}", PROMPTS[0])).expect("a prompt"),
        ..asked(Background::Opaque)
    };
    let drawn = pipeline.draw(&[asked(Background::Transparent), said], &Patient);
    let [alpha, white] = &drawn[..] else {
        panic!("two");
    };
    let [alpha, white] = [alpha, white].map(|one| &one.as_ref().expect("drawn").pixels);
    assert_eq!(alpha.background(), Background::Transparent);
    assert_eq!(white.background(), Background::Opaque);
    let apart = alpha
        .rgb()
        .iter()
        .zip(white.rgb().iter())
        .map(|(a, b)| a.abs_diff(*b))
        .max();
    // The noise of alpha goes to its ends, by eight parts of a hundred.
    assert!(apart.expect("pixels") <= 24, "{apart:?}");

    let opaque = super::tiny::pipeline("euler");
    let brief = Brief {
        prompt: Prompt::new("a green frog").expect("a prompt"),
        size: super::tiny::SIZE,
        ..asked(Background::Transparent)
    };
    let refused = opaque
        .draw(&[brief], &Patient)
        .remove(0)
        .expect_err("no alpha");
    assert!(refused.to_string().contains("transparent"), "{refused}");
}

fn vectors(model: &str) -> Result<HashMap<String, Tensor>> {
    let file = fixtures().join(model).join("reference.safetensors");
    load(file, &Device::Cpu)
}

/// Where this fails after new weights were shipped, `training/reference.py --check` was forgotten.
#[test]
fn the_shipped_weights_draw_what_they_draw_in_pytorch() -> Result<()> {
    let bytes = std::fs::read(fixtures().join("mini-check.safetensors")).expect("the check");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
    let told = header.metadata().clone().expect("settings of the picture");
    let reference = load_buffer(&bytes, &Device::Cpu)?;
    let mut pipeline = shipped::load().expect("the shipped model");
    pipeline.settings.sampler.clone_from(&told["sampler"]);
    let number = |name: &str| told[name].parse::<f64>().expect("a number");
    assert!((number("shift") - pipeline.settings.shift).abs() < 1e-9);
    let [steps, seed] = ["steps", "seed"].map(|name| told[name].parse::<u32>().expect("whole"));
    let guidance = told["guidance"].parse().expect("a number");
    let brief = brief(&pipeline, &told["prompt"], steps, guidance);
    let noise = &reference["noise"];
    let own = Tensor::from_vec(
        noise::normal(seed, noise.elem_count()),
        noise.shape(),
        &Device::Cpu,
    )?;
    assert_eq!(largest_difference(&own, noise)?, 0.0, "noise of the seed");
    let (latents, pixels) = drawn(&pipeline, &[brief], &[&reference["ids"]], noise)?;
    let expected = channels_last(&reference["latent"])?;
    assert_near("latents", &latents, &expected)?;
    // The reference is averaged over 4 x 4, so that it stays small.
    let pixels = pixels.clamp(-1f32, 1f32)?.avg_pool2d(4)?;
    assert_near("pixels", &pixels, &reference["pixels"])
}

#[test]
fn words_are_read_as_in_training() {
    #[derive(Deserialize)]
    struct Case {
        prompt: String,
        words: Vec<String>,
        ids: Vec<u32>,
    }
    let text = std::fs::read_to_string(fixtures().join(MODELS[0]).join("words-cases.json"))
        .expect("cases");
    let cases: Vec<Case> = serde_json::from_str(&text).expect("cases");
    let words = pipeline(MODELS[0], "euler").words;
    assert!(!cases.is_empty());
    for case in cases {
        assert_eq!(
            normalise(&case.prompt).collect::<Vec<_>>(),
            case.words,
            "{}",
            case.prompt
        );
        assert_eq!(
            words.read(&case.prompt, 32).ids,
            case.ids,
            "{}",
            case.prompt
        );
    }
}
