//! What `cargo xtask bench service` measures: the program as it is, with a painter that draws
//! nothing, so that what is left is what the service itself takes. `bench_service fill ROWS` puts so
//! many pictures, and `bench_service log ENTRIES` so many entries of the log that wait for their
//! place, into the database of a house that was started once. `bench_service reading` times how its
//! pictures are read.

mod fill;
mod reading;

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;

use domain::model::{ModelCard, ModelName, Place, Sizes, Span};
use domain::painter::{Brief, Painted, Painter, Paintings, Watch};
use domain::picture::{Pixels, Size};

const SIZE: Size = Size::square(64);
/// Of noise: a file of about 110 kB.
const LARGE: Size = Size::square(192);
/// As many as there are connections in the largest measurement.
const MAX_BATCH: usize = 64;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("fill") => return fill::run(fill::Rows::Pictures, arguments.next().as_deref()),
        Some("log") => return fill::run(fill::Rows::Log, arguments.next().as_deref()),
        Some("reading") => return reading::run(),
        _ => {}
    }
    app::run(Some(Arc::new(NullPainter)))
}

/// Answers at once with a grey square.
#[derive(Debug)]
struct NullPainter;

impl Painter for NullPainter {
    fn cards(&self) -> Vec<ModelCard> {
        let card = |name: &str, about: &str, size| ModelCard {
            name: ModelName::new(name),
            title: name.to_owned(),
            about: about.to_owned(),
            licence: "Apache-2.0".to_owned(),
            place: Place::Here,
            sizes: Sizes::only(size),
            steps: Span {
                min: 1,
                max: 1,
                default: 1,
            },
            guidance: None,
            negative_prompt: false,
            transparent_background: false,
            max_batch: MAX_BATCH,
            examples: Vec::new(),
        };
        vec![
            card("null", "A grey square.", SIZE),
            card("noise", "A square of noise.", LARGE),
        ]
    }

    fn paint<'a>(
        &'a self,
        _: &'a ModelName,
        briefs: Vec<Brief>,
        _: Arc<dyn Watch>,
    ) -> Pin<Box<dyn Future<Output = Paintings> + Send + 'a>> {
        Box::pin(async move {
            let square = |brief: &Brief| {
                let bytes = brief.size.pixels() as usize * 3;
                let rgb = match brief.size == LARGE {
                    true => noise(brief.seed, bytes),
                    false => vec![128; bytes],
                };
                Ok(Painted {
                    pixels: Pixels::new(brief.size, rgb),
                    unknown_words: Vec::new(),
                })
            };
            briefs.iter().map(square).collect()
        })
    }
}

/// Bytes that can't be packed (xorshift, Marsaglia, 2003).
fn noise(seed: u32, bytes: usize) -> Vec<u8> {
    let mut state = u64::from(seed) ^ 0x2545_f491_4f6c_dd1d;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(bytes).collect()
}
