//! What `cargo xtask bench service` measures: the program as it is, with a painter that draws
//! nothing, so that what is left is what the service itself takes. `bench_service fill ROWS` puts so
//! many pictures into the database of a house that was started once.

mod fill;

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;

use domain::model::{ModelCard, ModelName, Place, Sizes, Span};
use domain::painter::{Brief, Painted, Painter, Paintings, Watch};
use domain::picture::{Pixels, Size};

const SIZE: Size = Size::square(64);
/// As many as there are connections in the largest measurement.
const MAX_BATCH: usize = 64;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().is_some_and(|first| first == "fill") {
        return fill::run(arguments.next().as_deref());
    }
    app::run(Some(Arc::new(NullPainter)))
}

/// Answers at once with a grey square.
#[derive(Debug)]
struct NullPainter;

impl Painter for NullPainter {
    fn cards(&self) -> Vec<ModelCard> {
        vec![ModelCard {
            name: ModelName::new("null"),
            title: "Null".to_owned(),
            about: "A grey square.".to_owned(),
            licence: "Apache-2.0".to_owned(),
            place: Place::Here,
            sizes: Sizes::only(SIZE),
            steps: Span {
                min: 1,
                max: 1,
                default: 1,
            },
            guidance: None,
            negative_prompt: false,
            max_batch: MAX_BATCH,
            examples: Vec::new(),
        }]
    }

    fn paint<'a>(
        &'a self,
        _: &'a ModelName,
        briefs: Vec<Brief>,
        _: Arc<dyn Watch>,
    ) -> Pin<Box<dyn Future<Output = Paintings> + Send + 'a>> {
        Box::pin(async move {
            let square = |_| {
                Ok(Painted {
                    pixels: Pixels::new(SIZE, vec![128; SIZE.pixels() as usize * 3]),
                    unknown_words: Vec::new(),
                })
            };
            briefs.iter().map(square).collect()
        })
    }
}
