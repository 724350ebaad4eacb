//! The pipeline beside diffusers', on tiny models with the same weights and the same noise.
//! The outputs were written by training/reference_diffusion.py.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use candle_core::{Device, Tensor};
use domain::painter::{Brief, Watch};
use domain::picture::{Background, Pixels, Size};
use domain::prompt::Prompt;

use super::layers::numbers;
use super::{Pipeline, Sampler};
use crate::weights::Weights;

#[path = "../../tests/fixtures/diffusion/tiny.rs"]
mod tiny;

const FAMILIES: [&str; 3] = ["sd1", "sd2", "sdxl"];
const PROMPT: &str = "A small Red house, isn't it? 42 café's";
const SIZE: Size = Size::square(16);

struct Nobody;

impl Watch for Nobody {
    fn step(&self, _: usize, _: u32, _: u32, _: Option<&Pixels>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

struct Reference(Weights);

impl Reference {
    fn of(family: &str) -> Self {
        let path = tiny::fixtures().join(family).join("reference.safetensors");
        Self(Weights::open(&path, None).expect("a reference"))
    }

    /// Says how far off the worst number is, where it is further than the tolerance.
    fn check(&mut self, what: &str, found: &[f32]) {
        let shape = self.0.shape(what).expect("a tensor").to_vec();
        let expected = self.0.floats(what, &shape).expect("numbers");
        assert_eq!(expected.len(), found.len(), "{what}");
        let apart = expected.iter().zip(found).map(|(a, b)| (a - b).abs());
        let worst = apart.fold(0.0, f32::max);
        println!("{} {what}: {worst:.1e} apart", self.0.file());
        assert!(worst < 1e-3, "{} {what}: {worst} apart", self.0.file());
    }
}

fn model(family: &str, sampler: Sampler) -> Pipeline {
    let folder = tempfile::tempdir().expect("folder");
    tiny::write(family, folder.path());
    Pipeline::open(folder.path(), sampler, &BTreeMap::new()).expect("a model")
}

fn brief() -> Brief {
    Brief {
        prompt: Prompt::new(PROMPT).expect("valid"),
        negative_prompt: Some(Prompt::new("blurry").expect("valid")),
        size: SIZE,
        background: Background::Opaque,
        steps: 3,
        guidance: 5.0,
        seed: 7,
        ancestors: Vec::new(),
        previews: 0,
    }
}

/// From 0 to 1, as diffusers gives pictures.
fn picture(pipeline: &Pipeline, brief: Brief) -> Vec<f32> {
    let noise = vec![tiny::noise("seed 7", 4 * 8 * 8)];
    let mut pictures = pipeline.colours(&[brief], noise, &Nobody).expect("drawn");
    let colours = pictures.remove(0).expect("not cancelled").colours;
    colours
        .into_iter()
        .map(|colour| (colour * 0.5 + 0.5).clamp(0.0, 1.0))
        .collect()
}

#[test]
fn prompts_are_cut_into_the_same_tokens() {
    for family in FAMILIES {
        let pipeline = model(family, Sampler::Euler);
        let tokens = pipeline.readers[0].words.tokens(PROMPT).expect("tokens");
        let ids: Vec<u32> = ids_of(family);
        assert_eq!(tokens.ids, ids, "{family}");
        assert_eq!(tokens.left_out, "");
    }
}

fn ids_of(family: &str) -> Vec<u32> {
    let weights = Reference::of(family).0;
    let file = safetensors::SafeTensors::deserialize(weights.bytes()).expect("safetensors");
    let ids = file.tensor("ids").expect("ids").data().as_chunks().0.iter();
    ids.map(|bytes| u32::from_le_bytes(*bytes)).collect()
}

#[test]
fn text_unet_and_decoder_each_agree() {
    for family in FAMILIES {
        let (pipeline, mut reference) = (model(family, Sampler::Euler), Reference::of(family));
        let on = pipeline
            .condition(&[Some(PROMPT)], SIZE)
            .expect("a condition");
        reference.check("text", &numbers(&on.context).expect("numbers"));
        if let Some(added) = &on.added {
            reference.check("pooled", &numbers(&added.pooled).expect("numbers"));
        }
        let latent = tiny::noise("latent", 4 * 8 * 8);
        let latent = Tensor::from_vec(latent, (1, 4, 8, 8), &Device::Cpu).expect("a latent");
        let output = pipeline
            .unet
            .forward(&latent, 421.0, &on)
            .expect("an output");
        reference.check("unet", &numbers(&output).expect("numbers"));
        let colours = pipeline.decoder.decode_unscaled(&latent).expect("colours");
        reference.check("decoded", &numbers(&colours).expect("numbers"));
    }
}

#[test]
fn whole_pictures_agree_with_both_samplers() {
    for family in FAMILIES {
        let mut reference = Reference::of(family);
        let euler = model(family, Sampler::Euler);
        reference.check("euler", &picture(&euler, brief()));
        let dpm = model(family, Sampler::DpmPlusPlus2M);
        reference.check("dpm", &picture(&dpm, brief()));
        // "plain" has no negative prompt, which SDXL takes for zeros.
        reference.check(
            "plain",
            &picture(
                &dpm,
                Brief {
                    negative_prompt: None,
                    ..brief()
                },
            ),
        );
    }
}

#[test]
fn the_other_spacings_agree_and_no_guidance_is_none() {
    use super::schedule::Spacing;
    for family in FAMILIES {
        let mut reference = Reference::of(family);
        for (name, spacing) in [
            ("trailing", Spacing::Trailing),
            ("linspace", Spacing::Linspace),
        ] {
            let pipeline = model(family, Sampler::Euler).spaced(spacing);
            let picture = picture(
                &pipeline,
                Brief {
                    guidance: 1.0,
                    ..brief()
                },
            );
            reference.check(name, &picture);
        }
    }
}
