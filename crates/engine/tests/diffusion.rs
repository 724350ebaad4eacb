//! A tiny Stable Diffusion model from its folder to pictures, and the folders that are refused.

#[path = "fixtures/diffusion/tiny.rs"]
#[expect(dead_code, reason = "other tests ask it for more")]
mod tiny;

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Mutex;

use domain::painter::{Brief, PaintError, Watch};
use domain::picture::{Background, Pixels, Size};
use domain::prompt::Prompt;
use engine::catalogue::{Catalogue, Installed, LOCK_FILE, Lock, LockedFile};
use engine::diffusion::{LoadError, Pipeline, Sampler, check_files};
use sha2::{Digest, Sha256};

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

/// Remembers what it was told, and wants one picture no longer after a step.
#[derive(Default)]
struct Watcher {
    enough: Option<(usize, u32)>,
    told: Mutex<Vec<(usize, u32, bool)>>,
}

impl Watch for Watcher {
    fn step(&self, index: usize, step: u32, _: u32, preview: Option<&Pixels>) -> ControlFlow<()> {
        self.told
            .lock()
            .expect("lock")
            .push((index, step, preview.is_some()));
        if self.enough == Some((index, step)) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

fn brief(prompt: &str, seed: u32) -> Brief {
    Brief {
        prompt: Prompt::new(prompt).expect("a prompt"),
        negative_prompt: None,
        size: Size::square(16),
        background: Background::Opaque,
        steps: 4,
        guidance: 3.0,
        seed,
        ancestors: Vec::new(),
        previews: 0,
    }
}

fn open(folder: &Path) -> Result<Pipeline, LoadError> {
    Pipeline::open(folder, Sampler::DpmPlusPlus2M, &BTreeMap::new())
}

fn pipeline(family: &str) -> Pipeline {
    let folder = tempfile::tempdir().expect("folder");
    tiny::write(family, folder.path());
    open(folder.path()).expect("a model")
}

fn pixels(pipeline: &Pipeline, briefs: &[Brief]) -> Vec<Pixels> {
    let painted = pipeline.draw(briefs, &Watcher::default());
    painted
        .into_iter()
        .map(|picture| picture.expect("drawn").pixels)
        .collect()
}

/// The largest step between two pictures' colours.
fn apart(one: &Pixels, other: &Pixels) -> u8 {
    assert_eq!(one.size(), other.size());
    one.rgb()
        .iter()
        .zip(other.rgb().iter())
        .map(|(a, b)| a.abs_diff(*b))
        .max()
        .unwrap_or(0)
}

#[test]
fn a_batch_draws_what_each_brief_draws_alone() {
    for family in ["sd1", "sdxl"] {
        let pipeline = pipeline(family);
        let mut briefs = vec![
            brief("a red house", 1),
            brief("blurry", 2),
            brief("a red house", 2),
        ];
        briefs[1].guidance = 1.0;
        briefs[2].negative_prompt = Some(Prompt::new("blurry").expect("a prompt"));
        let together = pixels(&pipeline, &briefs);
        for (picture, brief) in together.iter().zip(&briefs) {
            let alone = pixels(&pipeline, std::slice::from_ref(brief));
            assert!(
                apart(picture, &alone[0]) <= 1,
                "{family}: {}",
                apart(picture, &alone[0])
            );
        }
        assert!(
            apart(&together[1], &together[2]) > 5,
            "prompt and guidance matter"
        );
        assert!(apart(&together[0], &together[2]) > 5, "the seed matters");
    }
}

#[test]
fn the_same_brief_gives_the_same_picture() {
    let pipeline = pipeline("sd2");
    let briefs = [brief("a red house", 9)];
    assert_eq!(pixels(&pipeline, &briefs), pixels(&pipeline, &briefs));
}

#[test]
fn other_shapes_are_drawn_and_impossible_ones_are_refused() {
    let pipeline = pipeline("sd1");
    let size = Size {
        width: 24,
        height: 8,
    };
    let wide = Brief {
        size,
        ..brief("a red house", 1)
    };
    assert_eq!(pixels(&pipeline, &[wide])[0].size(), size);
    let bad = [
        Brief {
            size: Size::square(18),
            ..brief("a", 1)
        },
        Brief {
            steps: 0,
            ..brief("a", 1)
        },
        Brief {
            steps: 501,
            ..brief("a", 1)
        },
    ];
    for bad in bad {
        let refused = pipeline.draw(std::slice::from_ref(&bad), &Watcher::default());
        assert!(
            matches!(refused[..], [Err(PaintError::Refused(_))]),
            "{refused:?}"
        );
    }
}

#[test]
fn a_cancelled_picture_leaves_and_the_others_go_on() {
    let pipeline = pipeline("sd1");
    let briefs = [
        brief("a red house", 1),
        brief("blurry", 2),
        brief("a house", 3),
    ];
    let watcher = Watcher {
        enough: Some((1, 2)),
        ..Watcher::default()
    };
    let painted = pipeline.draw(&briefs, &watcher);
    assert!(matches!(painted[1], Err(PaintError::Cancelled)));
    for i in [0, 2] {
        let alone = pixels(&pipeline, std::slice::from_ref(&briefs[i]));
        let picture = &painted[i].as_ref().expect("drawn").pixels;
        assert!(apart(picture, &alone[0]) <= 1);
    }
    let told = watcher.told.into_inner().expect("lock");
    let of = |index| told.iter().filter(|(i, ..)| *i == index).count();
    assert_eq!([of(0), of(1), of(2)], [4, 2, 4]);
    let watcher = Watcher {
        enough: Some((0, 1)),
        ..Watcher::default()
    };
    assert!(matches!(
        pipeline.draw(&briefs[..1], &watcher)[..],
        [Err(PaintError::Cancelled)]
    ));
    assert_eq!(
        watcher.told.into_inner().expect("lock").len(),
        1,
        "nothing more is worked out"
    );
}

#[test]
fn previews_come_when_they_are_asked_for() {
    let pipeline = pipeline("sdxl");
    let watcher = Watcher::default();
    let briefs = [
        Brief {
            previews: 1,
            ..brief("a", 1)
        },
        brief("a", 2),
    ];
    pipeline
        .draw(&briefs, &watcher)
        .into_iter()
        .for_each(|picture| assert!(picture.is_ok()));
    let told = watcher.told.into_inner().expect("lock");
    let shown: Vec<_> = told
        .iter()
        .filter(|(.., shown)| *shown)
        .map(|(i, step, _)| (i, step))
        .collect();
    assert_eq!(shown, [(&0, &2)]);
}

#[test]
fn words_that_do_not_fit_are_told() {
    let pipeline = pipeline("sd1");
    let long = format!("{} house", "red ".repeat(80));
    let painted = pipeline
        .draw(&[brief(&long, 1)], &Watcher::default())
        .remove(0)
        .expect("drawn");
    let left_out = painted.unknown_words;
    assert_eq!(
        (left_out.len(), left_out.last().map(String::as_str)),
        (6, Some("house"))
    );
    let strange = "\u{1F600} caf\u{e9} \u{4f60}\u{597d} <|endoftext|> ' 12345";
    let painted = pipeline.draw(&[brief(strange, 1)], &Watcher::default());
    assert!(painted[0].is_ok(), "{painted:?}");
    let huge = "x".repeat(32_000);
    assert!(pipeline.draw(&[brief(&huge, 1)], &Watcher::default())[0].is_ok());
}

/// Why a model is refused after something was done to its folder.
fn refusal(change: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().expect("folder");
    tiny::write("sd1", folder.path());
    change(folder.path());
    open(folder.path())
        .expect_err("must be refused")
        .to_string()
}

fn edit(folder: &Path, file: &str, from: &str, to: &str) {
    let text = fs::read_to_string(folder.join(file)).expect("there");
    assert!(text.contains(from), "{file}");
    fs::write(folder.join(file), text.replace(from, to)).expect("written");
}

#[test]
fn weights_that_are_cut_damaged_or_of_another_kind_are_refused() {
    let cut = refusal(|folder| {
        let whole = fs::read(folder.join(UNET)).expect("there");
        fs::write(folder.join(UNET), &whole[..whole.len() / 2]).expect("written");
    });
    assert!(cut.contains("cut short") && cut.contains(UNET), "{cut}");
    let pickle = refusal(|folder| {
        fs::write(folder.join(UNET), b"\x80\x02}q\x00.").expect("written");
    });
    assert!(pickle.contains("pickle"), "{pickle}");
    let shape = refusal(|folder| {
        let mut parts = tiny::tensors("sd1");
        let (part, tensors) = parts
            .iter_mut()
            .find(|(part, _)| part == "unet")
            .expect("a part");
        let conv = tensors
            .iter_mut()
            .find(|(name, _)| name == "conv_in.weight")
            .expect("there");
        conv.1[0] += 1;
        fs::write(folder.join(UNET), tiny::safetensors_of(part, tensors)).expect("written");
    });
    assert!(
        shape.contains("conv_in.weight has the shape [17"),
        "{shape}"
    );
    let missing = refusal(|folder| {
        let mut parts = tiny::tensors("sd1");
        let (part, tensors) = parts
            .iter_mut()
            .find(|(part, _)| part == "unet")
            .expect("a part");
        tensors.retain(|(name, _)| name != "conv_out.bias");
        fs::write(folder.join(UNET), tiny::safetensors_of(part, tensors)).expect("written");
    });
    assert!(
        missing.contains("lacks the tensor conv_out.bias"),
        "{missing}"
    );
    let gone = refusal(|folder| fs::remove_file(folder.join(UNET)).expect("removed"));
    assert!(gone.contains("holds 0 weights files"), "{gone}");
}

#[test]
fn weights_that_hold_no_numbers_give_no_picture() {
    let folder = tempfile::tempdir().expect("folder");
    tiny::write("sd1", folder.path());
    let mut bytes = fs::read(folder.path().join(UNET)).expect("there");
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(folder.path().join(UNET), bytes).expect("written");
    let painted = open(folder.path())
        .expect("a model")
        .draw(&[brief("a", 1)], &Watcher::default());
    let [Err(PaintError::Failed(why))] = &painted[..] else {
        panic!("{painted:?}")
    };
    assert!(why.contains("no colours"), "{why}");
}

#[test]
fn configurations_that_cannot_be_honoured_are_refused_by_name() {
    let unet = "unet/config.json";
    let cases = [
        (
            unet,
            "\"in_channels\": 4",
            "\"in_channels\": 9",
            "inpainting",
        ),
        (
            unet,
            "\"act_fn\": \"silu\"",
            "\"act_fn\": \"relu\"",
            "relu is unknown",
        ),
        (
            unet,
            "\"UpBlock2D\"",
            "\"SkipUpBlock2D\"",
            "SkipUpBlock2D is unknown",
        ),
        (
            unet,
            "\"freq_shift\": 0",
            "\"freq_shift\": 0, \"class_embed_type\": \"x\"",
            "class_embed_type",
        ),
        (
            unet,
            "\"cross_attention_dim\": 24",
            "\"cross_attention_dim\": 32",
            "cross_attention_dim is 32",
        ),
        (
            unet,
            "\"attention_head_dim\": 2",
            "\"attention_head_dim\": 3",
            "split on 3 heads",
        ),
        ("vae/config.json", "0.18215", "-1.0", "scaling_factor"),
        (
            "text_encoder/config.json",
            "quick_gelu",
            "mish",
            "unknown variant",
        ),
        (
            "scheduler/scheduler_config.json",
            "scaled_linear",
            "cosine",
            "unknown variant",
        ),
        (
            "tokenizer/vocab.json",
            "<|endoftext|>",
            "<|end|>",
            "lacks the word <|endoftext|>",
        ),
        ("model_index.json", "{", "", "model_index.json"),
    ];
    for (file, from, to, says) in cases {
        let why = refusal(|folder| edit(folder, file, from, to));
        assert!(why.contains(says), "{file} {to}: {why}");
    }
}

#[test]
fn a_pulled_model_is_checked_against_what_was_pulled() {
    let models = tempfile::tempdir().expect("folder");
    let folder = models.path().join("sd-1.5");
    let files = tiny::write("sd1", &folder).into_iter().map(|path| {
        let bytes = fs::read(folder.join(&path)).expect("there");
        let sha256 = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        LockedFile {
            path,
            bytes: bytes.len() as u64,
            sha256,
        }
    });
    let catalogue = Catalogue::shipped();
    let entry = catalogue.find("sd-1.5").expect("listed");
    let lock = Lock {
        model: entry.name.clone(),
        repo: entry.repo.clone(),
        revision: entry.revision.clone(),
        commit: entry.revision.clone(),
        licence: entry.licence.clone(),
        files: files.collect(),
    };
    let text = serde_json::to_string(&lock).expect("json");
    fs::write(folder.join(LOCK_FILE), text).expect("written");
    let installed = Installed::find(entry, models.path()).expect("installed");
    let pipeline = Pipeline::load(&installed).expect("a model");
    assert!(pipeline.weights_bytes() > 100_000 && pipeline.drawing_bytes(&[brief("a", 1)]) > 0);
    check_files(&installed).expect("whole");
    for file in [UNET, "scheduler/scheduler_config.json"] {
        let whole = fs::read(folder.join(file)).expect("there");
        let mut changed = whole.clone();
        *changed.last_mut().expect("bytes") ^= 1;
        fs::write(folder.join(file), changed).expect("written");
        let why = Pipeline::load(&installed).expect_err("changed").to_string();
        assert!(why.contains(file) && why.contains("again"), "{why}");
        assert!(check_files(&installed).is_err());
        fs::write(folder.join(file), whole).expect("written");
    }
    Pipeline::load(&installed).expect("whole again");
}
