//! The pages with a painter that paints gradients slowly enough to watch, for whoever works on
//! how they look: `cargo run -p web --example preview`.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use db::{Db, Location};
use domain::clock::Clock;
use domain::model::{Example, ModelCard, ModelName, Place, Sizes, Span};
use domain::painter::{Brief, PaintError, Painted, Painter, Paintings, Watch};
use domain::picture::{Pixels, Size};
use domain::randomness::Randomness;
use outside::shelf::Shelf;
use studio::jobs::worker::{self, Stop};
use studio::privacy::keys::{KekSource, Keys};
use studio::{Limits, Studio, accounts};

const WORDS: &[&str] = &[
    "a",
    "an",
    "the",
    "on",
    "in",
    "of",
    "and",
    "with",
    "two",
    "three",
    "red",
    "blue",
    "yellow",
    "green",
    "white",
    "apple",
    "rocket",
    "cats",
    "cat",
    "star",
    "house",
    "tree",
    "background",
    "table",
    "heart",
    "owl",
    "boat",
    "moon",
];

/// Prompts with "storm" in them fail, and unknown words are left out.
#[derive(Debug)]
struct GradientPainter {
    name: &'static str,
    step_ms: u64,
    flexible: bool,
}

impl Painter for GradientPainter {
    fn cards(&self) -> Vec<ModelCard> {
        let examples = [
            "a red apple",
            "a yellow star on a blue background",
            "two cats",
            "a rocket",
            "an owl in a tree",
            "three green hearts",
        ];
        let example = |(seed, prompt): (u32, &str)| Example {
            prompt: prompt.to_owned(),
            seed,
        };
        let sizes = Sizes {
            min_edge: 256,
            max_edge: 1024,
            multiple_of: 64,
            max_pixels: 1 << 20,
            square: false,
            ..Sizes::only(Size::square(512))
        };
        vec![ModelCard {
            name: ModelName::new(self.name),
            title: if self.flexible {
                "Gradient XL"
            } else {
                "Pinhole Mini"
            }
            .to_owned(),
            about: "Small illustrations of about 120 everyday things, on plain backgrounds."
                .to_owned(),
            licence: "MIT".to_owned(),
            place: Place::Here,
            sizes: if self.flexible {
                sizes
            } else {
                Sizes::only(Size::square(256))
            },
            steps: Span {
                min: 1,
                max: 50,
                default: 12,
            },
            guidance: Some(Span {
                min: 1.0,
                max: 10.0,
                default: 3.0,
            }),
            negative_prompt: self.flexible,
            transparent_background: false,
            max_batch: 4,
            examples: (0..).zip(examples).map(example).collect(),
        }]
    }

    fn paint<'a>(
        &'a self,
        _: &'a ModelName,
        briefs: Vec<Brief>,
        watch: Arc<dyn Watch>,
    ) -> Pin<Box<dyn Future<Output = Paintings> + Send + 'a>> {
        Box::pin(async move {
            let mut wanted = vec![true; briefs.len()];
            let steps = briefs.first().map_or(1, |brief| brief.steps);
            for step in 1..=steps {
                tokio::time::sleep(Duration::from_millis(self.step_ms)).await;
                for (index, brief) in briefs.iter().enumerate() {
                    if !wanted[index] {
                        continue;
                    }
                    let shown = brief.previews > 0
                        && step * brief.previews / steps > (step - 1) * brief.previews / steps;
                    let preview = shown.then(|| gradient(brief, step));
                    let flow: ControlFlow<()> = watch.step(index, step, steps, preview.as_ref());
                    wanted[index] = flow.is_continue();
                }
            }
            let paint = |(brief, wanted): (&Brief, bool)| {
                let words = brief.prompt.expose().to_lowercase();
                if !wanted {
                    return Err(PaintError::Cancelled);
                }
                if words.contains("storm") {
                    return Err(PaintError::OutOfMemory);
                }
                let words = words
                    .split(|c: char| !c.is_alphabetic())
                    .filter(|word| !word.is_empty());
                let unknown = words
                    .filter(|word| !WORDS.contains(word))
                    .take(4)
                    .map(str::to_owned);
                Ok(Painted {
                    pixels: gradient(brief, steps),
                    unknown_words: unknown.collect(),
                })
            };
            briefs.iter().zip(wanted).map(paint).collect()
        })
    }
}

/// A disc on a gradient, in colours of the seed, out of a haze that clears.
fn gradient(brief: &Brief, step: u32) -> Pixels {
    let Size { width, height } = brief.size;
    let colour = |shift: u32| {
        let hue = (brief.seed.rotate_left(shift) % 360) as f32 / 60.0;
        let channel = |offset: f32| {
            let at = (hue + offset).rem_euclid(6.0);
            (at.min(4.0 - at).clamp(0.0, 1.0) * 190.0 + 40.0).min(255.0)
        };
        [channel(0.0), channel(4.0), channel(2.0)]
    };
    let (top, bottom, disc) = (colour(0), colour(9), colour(18));
    let clear = step as f32 / brief.steps as f32;
    let mut rgb = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            let (fx, fy) = (
                x as f32 / width as f32 - 0.5,
                y as f32 / height as f32 - 0.5,
            );
            let inside = ((0.28 - fx.hypot(fy)) * 60.0).clamp(0.0, 1.0);
            for channel in 0..3 {
                let ground = top[channel] * (0.5 - fy) + bottom[channel] * (0.5 + fy);
                let value = ground * (1.0 - inside) + disc[channel] * inside;
                let noise =
                    ((x * 7919 + y * 104_729 + step * 31).wrapping_mul(2_654_435_761) >> 24) as f32;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "0 to 255"
                )]
                rgb.push((value * clear + noise * (1.0 - clear)) as u8);
            }
        }
    }
    Pixels::new(brief.size, rgb)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args()
        .nth(1)
        .map_or_else(|| std::env::temp_dir().join("pinhole-preview"), Into::into);
    std::fs::create_dir_all(&folder)?;
    let step_ms = std::env::var("STEP_MS")
        .ok()
        .and_then(|ms| ms.parse().ok())
        .unwrap_or(400);
    let mut painters: Vec<Arc<dyn Painter>> = vec![Arc::new(GradientPainter {
        name: "pinhole-mini",
        step_ms,
        flexible: false,
    })];
    if std::env::var("TWO_MODELS").is_ok() {
        painters.push(Arc::new(GradientPainter {
            name: "gradient-xl",
            step_ms,
            flexible: true,
        }));
    }
    let db = Db::open(&Location::File(folder.join("pinhole.db"))).await?;
    let keys = Keys::open(
        &db,
        Db::open_keys(&Location::File(folder.join("keys.db")), None).await?,
        KekSource::file(folder.join("kek")),
        &Clock::system(),
        &Randomness::system(),
    )
    .await?;
    let studio = Studio {
        db,
        keys,
        shelf: Shelf::folder(&folder.join("shelf"))?,
        painters: painters.into(),
        clock: Clock::system(),
        randomness: Randomness::system(),
        board: studio::jobs::progress::Board::default(),
        gate: accounts::Gate::default(),
        limits: Limits::default(),
        prices: Arc::new(studio::credits::PriceList::open(None)?),
        recipients: Arc::default(),
    };
    let person = accounts::local_person(&studio).await?;
    if std::env::var("METERED").is_ok() {
        let mut tx = studio.db.write().await?;
        studio::credits::grants::open_account(&studio, &mut tx, person).await?;
        tx.commit().await?;
    }
    worker::take_over(&studio).await?;
    let stop = Stop::default();
    tokio::spawn(worker::run(studio.clone(), stop.clone()));
    let larger = web::LargerModel {
        name: "sd-1.5".to_owned(),
        title: "Stable Diffusion 1.5".to_owned(),
        about: "Draws most everyday things, places and painting styles at 512 pixels.".to_owned(),
        licence: "CreativeML OpenRAIL-M".to_owned(),
        download_mib: 2036,
        memory_mib: 6500,
        draws: true,
    };
    let later = web::LargerModel {
        name: "flux".to_owned(),
        title: "FLUX.1 schnell".to_owned(),
        draws: false,
        ..larger.clone()
    };
    let site = web::Site::new(studio, stop).with_larger_models([larger, later]);
    let listener = tokio::net::TcpListener::bind((
        "127.0.0.1",
        std::env::var("PORT")
            .ok()
            .and_then(|port| port.parse().ok())
            .unwrap_or(8099),
    ))
    .await?;
    axum::serve(listener, web::router(site)).await?;
    Ok(())
}
