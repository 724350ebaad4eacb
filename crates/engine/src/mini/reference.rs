//! The pipeline against PyTorch: `training/reference.py` wrote a tiny model of random weights, and
//! what it draws from a given noise.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use candle_core::safetensors::load;
use candle_core::{DType, Device, Result, Tensor};
use domain::painter::{Brief, Watch};
use domain::picture::{Pixels, Size};
use domain::prompt::Prompt;
use serde::Deserialize;

use super::Pipeline;
use super::drawing::TextList;
use crate::words::normalise;

const PROMPTS: [&str; 2] = [
    "two red cats on a blue background",
    "A dog's rocket, flying!",
];
const STEPS: u32 = 4;
const GUIDANCE: f32 = 3.0;

struct Patient;

impl Watch for Patient {
    fn step(&self, _: usize, _: u32, _: u32, _: Option<&Pixels>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../training/fixtures/tiny")
}

fn pipeline(sampler: &str) -> Pipeline {
    let mut pipeline = Pipeline::load(&folder()).expect("the tiny model");
    pipeline.settings.sampler = sampler.to_owned();
    pipeline
}

fn brief(prompt: &str) -> Brief {
    Brief {
        prompt: Prompt::new(prompt).expect("a prompt"),
        negative_prompt: None,
        size: Size::square(64),
        steps: STEPS,
        guidance: GUIDANCE,
        seed: 0,
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

fn check(sampler: &str, reference: &HashMap<String, Tensor>) -> Result<()> {
    let pipeline = pipeline(sampler);
    let mut texts = TextList::default();
    let mut canvases = Vec::new();
    for (index, prompt) in PROMPTS.iter().enumerate() {
        let brief = brief(prompt);
        let reading = pipeline.read_brief(&brief, STEPS).expect("known words");
        let ids: Vec<i64> = reading.ids.iter().map(|id| i64::from(*id)).collect();
        assert_eq!(
            ids,
            reference[&format!("ids.{index}")].to_vec1::<i64>()?,
            "{prompt}"
        );
        canvases.push(pipeline.canvas(index, &reading, &brief, STEPS, &mut texts));
    }
    let noise = channels_last(&reference["noise"])?;
    let (latents, drawn) = pipeline.sample(noise, canvases, &texts, STEPS, &Patient)?;
    assert_eq!(drawn.len(), PROMPTS.len());
    let expected = channels_last(&reference[&format!("{sampler}.{}", STEPS - 1)])?;
    let off = largest_difference(&latents, &expected)?;
    assert!(off < 1e-3, "{sampler}: latents are off by {off}");
    let pixels = pipeline
        .decoder
        .decode(&latents)?
        .permute((0, 3, 1, 2))?
        .contiguous()?;
    let off = largest_difference(&pixels, &reference[&format!("{sampler}.pixels")])?;
    assert!(off < 1e-3, "{sampler}: pixels are off by {off}");
    Ok(())
}

#[test]
fn pictures_equal_pytorchs_on_the_same_noise() -> Result<()> {
    let reference = load(folder().join("reference.safetensors"), &Device::Cpu)?;
    assert_eq!(reference["noise"].dtype(), DType::F32);
    check("euler", &reference)?;
    check("heun", &reference)
}

#[test]
fn words_are_read_as_in_training() {
    #[derive(Deserialize)]
    struct Case {
        prompt: String,
        words: Vec<String>,
        ids: Vec<u32>,
    }
    let text = std::fs::read_to_string(folder().join("words-cases.json")).expect("cases");
    let cases: Vec<Case> = serde_json::from_str(&text).expect("cases");
    let words = pipeline("euler").words;
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
