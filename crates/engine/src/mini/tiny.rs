//! A model of a few thousand made-up weights, for tests.

use std::collections::BTreeMap;

use domain::picture::Size;
use safetensors::tensor::{Dtype, TensorView};

use super::{Embedded, Pipeline};
use crate::noise;
use crate::weights::WeightsError;

pub(crate) const SIZE: Size = Size::square(32);

const WORDS: &str = "<start>\n<pad>\na\nred\ngreen\napple\nfrog";

/// Tensors by name: shape and numbers.
pub(crate) type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

pub(crate) fn pipeline(sampler: &str) -> Pipeline {
    load(sampler, |_| ()).expect("a model")
}

/// Loads the model after a change to its tensors.
pub(crate) fn load(sampler: &str, change: fn(&mut Tensors)) -> Result<Pipeline, WeightsError> {
    let mut tensors = tensors();
    change(&mut tensors);
    Pipeline::embedded(Embedded {
        settings: settings("tiny", sampler).leak(),
        words: WORDS,
        table: table().leak(),
        weights: file(&tensors).leak(),
    })
}

/// Writes the model's four files.
pub(crate) fn write(folder: &std::path::Path, name: &str) {
    let files = [
        settings(name, "euler").into_bytes(),
        WORDS.into(),
        table(),
        file(&tensors()),
    ];
    for (name, bytes) in super::FILES.iter().zip(files) {
        std::fs::write(folder.join(name), bytes).expect("written");
    }
}

fn settings(name: &str, sampler: &str) -> String {
    format!(
        r#"
        name = "{name}"
        version = "1"
        licence = "Apache-2.0"
        size = 32
        latent_channels = 4
        latent_size = 4
        d = 24
        heads = 2
        blocks = 2
        text_d = 16
        text_heads = 2
        text_layers = 2
        max_words = 32
        decoder_widths = [8, 4]
        decoder_blocks = [1, 1]
        steps_default = 4
        guidance_default = 3.0
        sampler = "{sampler}"
        "#
    )
}

fn tensors() -> Tensors {
    let mut tensors = Tensors::new();
    let mut add = |name: &str, shape: &[usize]| {
        let count = shape.iter().product::<usize>();
        let spread = 0.8 / (count as f32 / shape[0] as f32).max(1.0).sqrt();
        let numbers = noise::normal(name.bytes().map(u32::from).sum(), count);
        tensors.insert(
            name.to_owned(),
            (shape.to_vec(), numbers.iter().map(|x| x * spread).collect()),
        );
    };
    let mut layer = |name: &str, inputs: usize, outputs: usize| {
        add(&format!("{name}.weight"), &[outputs, inputs]);
        add(&format!("{name}.bias"), &[outputs]);
    };
    let (d, text) = (24, 16);
    layer("text.input", 6, text);
    for i in 0..2 {
        let name = |part: &str| format!("text.blocks.{i}.{part}");
        layer(&name("qkv"), text, 3 * text);
        layer(&name("out"), text, text);
        layer(&name("up"), text, 4 * text);
        layer(&name("down"), 4 * text, text);
        let name = |part: &str| format!("generator.blocks.{i}.{part}");
        layer(&name("qkv"), d, 3 * d);
        layer(&name("cross_kv"), text, 2 * d);
        for square in ["out", "cross_q", "cross_out"] {
            layer(&name(square), d, d);
        }
        layer(&name("up"), d, 4 * d);
        layer(&name("down"), 4 * d, d);
    }
    layer("generator.input", 4, d);
    layer("generator.time1", 256, d);
    layer("generator.time2", d, d);
    layer("generator.pooled", text, d);
    layer("generator.modulation", d, 6 * d);
    layer("generator.final_modulation", d, 2 * d);
    layer("generator.output", d, 4);
    add("text.start", &[6]);
    add("text.position", &[32, text]);
    add("generator.position", &[16, d]);
    for i in 0..2 {
        for norm in ["norm1", "norm2"] {
            add(&format!("text.blocks.{i}.{norm}.weight"), &[text]);
            add(&format!("text.blocks.{i}.{norm}.bias"), &[text]);
        }
        for norm in ["q_norm", "k_norm", "cross_q_norm", "cross_k_norm"] {
            add(&format!("generator.blocks.{i}.{norm}.weight"), &[d / 2]);
        }
        add(&format!("generator.blocks.{i}.table"), &[6 * d]);
    }
    add("text.norm.weight", &[text]);
    add("text.norm.bias", &[text]);
    let mut conv = |name: &str, inputs: usize, outputs: usize, edge: usize| {
        add(&format!("{name}.weight"), &[outputs, inputs, edge, edge]);
        add(&format!("{name}.bias"), &[outputs]);
    };
    conv("decoder.input", 4, 8, 1);
    conv("decoder.up0", 8, 16, 1);
    conv("decoder.output", 4, 48, 3);
    for (stage, width) in [(0, 8), (1, 4)] {
        conv(&format!("decoder.stage{stage}.0.conv1"), width, width, 3);
        conv(&format!("decoder.stage{stage}.0.conv2"), width, width, 3);
    }
    conv("encoder.input", 3, 4, 3);
    tensors
}

fn table() -> Vec<u8> {
    let words = WORDS.lines().count();
    let table: Vec<u8> = (0..words * 6).map(|n| (n * 37 % 256) as u8).collect();
    let scale: Vec<u8> = [0.01f32; 6].iter().flat_map(|x| x.to_le_bytes()).collect();
    let tensors = [
        (
            "table",
            TensorView::new(Dtype::I8, vec![words, 6], &table).expect("table"),
        ),
        (
            "scale",
            TensorView::new(Dtype::F32, vec![6], &scale).expect("scale"),
        ),
    ];
    safetensors::serialize(tensors, None).expect("serialises")
}

fn file(tensors: &Tensors) -> Vec<u8> {
    let halves = |numbers: &[f32]| -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|x| half::f16::from_f32(*x).to_le_bytes())
            .collect()
    };
    let bytes: BTreeMap<&String, (Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, x))| (name, (shape.clone(), halves(x))))
        .collect();
    let views = bytes.iter().map(|(name, (shape, bytes))| {
        (
            *name,
            TensorView::new(Dtype::F16, shape.clone(), bytes).expect("a tensor"),
        )
    });
    safetensors::serialize(views, None).expect("serialises")
}
