//! The pipeline through its front door, on a tiny model with made-up weights.

use std::ops::ControlFlow;
use std::sync::Mutex;

use domain::painter::{Brief, PaintError, Painted, Watch};
use domain::picture::{Background, Pixels, Size};
use domain::prompt::Prompt;
use rayon::ThreadPoolBuilder;

use super::Pipeline;
use super::tiny::{self, SIZE};
use crate::weights::WeightsError;

/// Remembers every call, and breaks a picture off after a step.
#[derive(Default)]
struct Witness {
    calls: Mutex<Vec<(usize, u32, bool)>>,
    break_off: Option<(usize, u32)>,
}

impl Watch for Witness {
    fn step(
        &self,
        index: usize,
        step: u32,
        steps: u32,
        preview: Option<&Pixels>,
    ) -> ControlFlow<()> {
        assert!(step >= 1 && step <= steps, "step {step} of {steps}");
        assert!(preview.is_none_or(|pixels| pixels.size() == SIZE));
        self.calls
            .lock()
            .expect("unpoisoned")
            .push((index, step, preview.is_some()));
        match self.break_off == Some((index, step)) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

fn brief(prompt: &str, seed: u32) -> Brief {
    Brief {
        prompt: Prompt::new(prompt).expect("a prompt"),
        negative_prompt: None,
        size: SIZE,
        background: Background::Opaque,
        steps: 4,
        guidance: 3.0,
        seed,
        ancestors: Vec::new(),
        previews: 0,
    }
}

fn painted(pipeline: &Pipeline, briefs: &[Brief]) -> Vec<Painted> {
    let paintings = pipeline.draw(briefs, &Witness::default());
    paintings
        .into_iter()
        .map(|painting| painting.expect("a picture"))
        .collect()
}

fn four() -> Vec<Brief> {
    let unguided = Brief {
        guidance: 1.0,
        ..brief("green frog", 4)
    };
    let away = Brief {
        negative_prompt: Prompt::new("red").ok(),
        ..brief("apple", 1)
    };
    vec![brief("a red apple", 1), brief("frog", 2), unguided, away]
}

#[test]
fn a_brief_gives_the_same_bytes_on_any_threads_and_in_any_company() {
    let pipeline = tiny::pipeline("euler");
    let alone: Vec<Painted> = four()
        .iter()
        .map(|brief| painted(&pipeline, std::slice::from_ref(brief)).remove(0))
        .collect();
    for threads in [1, 2, 3] {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a pool");
        let together = pool.install(|| painted(&pipeline, &four()));
        assert_eq!(together, alone, "{threads} threads");
    }
    let mut backwards = four();
    backwards.reverse();
    let mut together = painted(&pipeline, &backwards);
    together.reverse();
    assert_eq!(together, alone);
}

#[test]
fn seed_prompt_guidance_and_what_to_avoid_all_matter() {
    let pipeline = tiny::pipeline("euler");
    let base = brief("a red apple", 1);
    let others = [
        brief("a red apple", 2),
        brief("a green apple", 1),
        Brief {
            guidance: 5.0,
            ..base.clone()
        },
        Brief {
            guidance: 1.0,
            ..base.clone()
        },
        Brief {
            negative_prompt: Prompt::new("frog").ok(),
            ..base.clone()
        },
        Brief {
            steps: 5,
            ..base.clone()
        },
        Brief {
            ancestors: vec![2],
            ..base.clone()
        },
    ];
    let picture = painted(&pipeline, std::slice::from_ref(&base))
        .remove(0)
        .pixels;
    for other in others {
        assert_ne!(
            painted(&pipeline, std::slice::from_ref(&other))[0].pixels,
            picture,
            "{other:?}"
        );
    }
    let heun = painted(&tiny::pipeline("heun"), &[base]).remove(0).pixels;
    assert_ne!(heun, picture);
}

#[test]
fn one_that_is_broken_off_leaves_and_the_others_take_no_harm() {
    for sampler in ["euler", "heun"] {
        let pipeline = tiny::pipeline(sampler);
        let whole = painted(&pipeline, &four());
        let witness = Witness {
            break_off: Some((1, 2)),
            ..Witness::default()
        };
        let paintings = pipeline.draw(&four(), &witness);
        for (index, painting) in paintings.into_iter().enumerate() {
            match index {
                1 => assert!(matches!(painting, Err(PaintError::Cancelled))),
                _ => assert_eq!(painting.expect("a picture"), whole[index]),
            }
        }
        let calls = witness.calls.into_inner().expect("unpoisoned");
        let steps_of = |index| calls.iter().filter(|call| call.0 == index).count();
        assert_eq!([0, 1, 2, 3].map(steps_of), [4, 2, 4, 4]);
    }
}

#[test]
fn nothing_more_is_drawn_once_nobody_wants_anything() {
    let pipeline = tiny::pipeline("euler");
    let witness = Witness {
        break_off: Some((0, 1)),
        ..Witness::default()
    };
    let paintings = pipeline.draw(&[brief("frog", 1)], &witness);
    assert!(matches!(paintings[..], [Err(PaintError::Cancelled)]));
    assert_eq!(witness.calls.into_inner().expect("unpoisoned").len(), 1);
}

#[test]
fn previews_come_to_those_who_asked() {
    let pipeline = tiny::pipeline("euler");
    let mut briefs = four();
    briefs[2].previews = 1;
    briefs[3].previews = 99;
    let witness = Witness::default();
    let paintings = pipeline.draw(&briefs, &witness);
    assert!(paintings.iter().all(Result::is_ok));
    let calls = witness.calls.into_inner().expect("unpoisoned");
    let seen: Vec<_> = calls
        .iter()
        .filter(|call| call.2)
        .map(|call| (call.0, call.1))
        .collect();
    assert_eq!(seen, [(3, 1), (2, 2), (3, 2), (3, 3)]);
}

#[test]
fn words_that_it_does_not_know_are_told_and_cost_no_other_picture() {
    let pipeline = tiny::pipeline("euler");
    let long = "frog ".repeat(6_000);
    let briefs = [
        brief("a red flibbertigibbet", 1),
        brief("赤い", 1),
        brief(&long, 1),
    ];
    let mut paintings = pipeline.draw(&briefs, &Witness::default()).into_iter();
    let first = paintings.next().expect("three").expect("a picture");
    assert_eq!(first.unknown_words, ["flibbertigibbet"]);
    let second = paintings.next().expect("three").expect_err("no word");
    assert!(matches!(&second, PaintError::Refused(why) if why.contains("none of these words")));
    assert_eq!(
        paintings
            .next()
            .expect("three")
            .expect("a picture")
            .unknown_words,
        ["frog"]
    );
}

#[test]
fn what_the_model_cant_do_is_refused_before_anything_is_drawn() {
    let pipeline = tiny::pipeline("euler");
    let wide = Brief {
        size: Size {
            width: 64,
            height: 32,
        },
        ..brief("frog", 1)
    };
    let longer = Brief {
        steps: 9,
        ..brief("frog", 1)
    };
    let witness = Witness::default();
    let paintings = pipeline.draw(std::slice::from_ref(&wide), &witness);
    assert!(matches!(&paintings[..], [Err(PaintError::Refused(why))] if why.contains("32x32")));
    assert!(witness.calls.into_inner().expect("unpoisoned").is_empty());
    let mixed = pipeline.draw(&[brief("frog", 1), longer, wide], &Witness::default());
    assert!(matches!(
        mixed[..],
        [
            Ok(_),
            Err(PaintError::Failed(_)),
            Err(PaintError::Refused(_))
        ]
    ));
    assert!(pipeline.draw(&[], &Witness::default()).is_empty());
}

#[test]
fn weights_of_another_model_are_refused_by_name() {
    let refusal = |change: fn(&mut tiny::Tensors)| match tiny::load("euler", change) {
        Err(error) => error,
        Ok(_) => panic!("must be refused"),
    };
    let missing = refusal(|tensors| drop(tensors.remove("generator.blocks.1.up.bias")));
    assert!(
        matches!(&missing, WeightsError::Missing { tensor, .. } if tensor == "generator.blocks.1.up.bias")
    );
    let extra =
        refusal(|tensors| drop(tensors.insert("generator.more".into(), (vec![1], vec![0.0]))));
    assert!(
        matches!(&extra, WeightsError::Extra { tensor, count: 1, .. } if tensor == "generator.more")
    );
    let wrong = refusal(|tensors| {
        let tensor = tensors.get_mut("decoder.input.weight").expect("there");
        tensor.0 = vec![4, 8, 1, 1];
    });
    let message = wrong.to_string();
    assert!(
        message.contains("[4, 8, 1, 1] instead of [8, 4, 1, 1]"),
        "{message}"
    );
}
