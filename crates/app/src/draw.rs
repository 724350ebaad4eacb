//! `pinhole draw`: one prompt, some files, no server.
//!
//! Exit codes: 0 drawn, 1 the drawing failed, 2 what was asked for can't be done, 3 no such model
//! here, 4 a file can't be written, 130 interrupted. Files appear whole or not at all.

mod files;
mod progress;
mod terminal;

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use domain::model::{ModelCard, ModelName, leaves_nothing_out};
use domain::painter::{Brief, PaintError, Painted, Painter};
use domain::picture::{Background, Format, Size};
use domain::prompt::Prompt;
use domain::randomness::Randomness;
use engine::catalogue::Catalogue;
use engine::painter::{LocalPainter, Settings};
use serde_json::json;

use files::Target;
use progress::Progress;

/// Pictures of one call; more are a loop in the shell.
const MAX_COUNT: u32 = 100;

const USAGE: u8 = 2;
const NO_MODEL: u8 = 3;
const CANT_WRITE: u8 = 4;
const INTERRUPTED: u8 = 130;

#[derive(Args)]
#[command(after_help = "\
Exit codes: 0 drawn, 1 the drawing failed, 2 what was asked for can't be done, 3 no such model \
here, 4 a file can't be written, 130 interrupted.")]
pub(crate) struct DrawArgs {
    /// What to draw, in English; - reads it from standard input
    prompt: String,

    /// File to write; - is standard output. With --count, apple.png becomes apple-1.png and so on
    #[arg(long, short, value_name = "FILE", default_value = "picture.png")]
    out: PathBuf,

    /// The same number gives the same picture; each further picture takes the next number
    #[arg(long)]
    seed: Option<u32>,

    /// Draw variations of the picture that the same words and this seed give; again with the seed
    /// of one of those, to vary it further
    #[arg(long, value_name = "SEED")]
    variation_of: Vec<u32>,

    /// Width and height in pixels, like 256x256
    #[arg(long)]
    size: Option<Size>,

    /// Leave out what is behind the things; the file is PNG or WebP
    #[arg(long)]
    transparent: bool,

    /// Sampler steps: more take longer and are finer
    #[arg(long)]
    steps: Option<u32>,

    /// How closely to follow the prompt
    #[arg(long)]
    guidance: Option<f32>,

    /// Pictures to draw
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_COUNT)))]
    count: u32,

    /// Model to draw with; `pinhole models list` shows them
    #[arg(long)]
    model: Option<String>,

    /// A catalogue of your own, beside the one inside the program
    #[arg(long, env = "PINHOLE_CATALOGUE", value_name = "FILE")]
    catalogue: Option<PathBuf>,

    /// What to keep out of the picture
    #[arg(long, value_name = "PROMPT")]
    negative: Option<String>,

    /// png, jpeg or webp; without it, the file's ending tells
    #[arg(long)]
    format: Option<Format>,

    /// Overwrite files
    #[arg(long)]
    force: bool,

    /// Print one JSON object: files, seeds, seconds, model, words left out
    #[arg(long)]
    json: bool,

    /// Show the picture in the terminal (kitty, iTerm and sixel)
    #[arg(long)]
    show: bool,
}

/// Something that ends the command with a code of its own.
struct Refusal {
    code: u8,
    why: String,
}

impl Refusal {
    fn usage(why: impl Into<String>) -> Self {
        Self {
            code: USAGE,
            why: why.into(),
        }
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a command owns its arguments"
)]
pub(crate) fn run(args: DrawArgs, models: &Path) -> anyhow::Result<ExitCode> {
    let catalogue = Catalogue::with_file(args.catalogue.as_deref())?;
    let settings = Settings {
        models: Some(models.to_owned()),
        catalogue: Some(catalogue.clone()),
        ..Settings::default()
    };
    let painter = LocalPainter::new(settings).context("the drawing thread does not start")?;
    match draw(&args, &painter, &catalogue) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(refusal) => {
            say(&format!("pinhole: {}", refusal.why));
            Ok(ExitCode::from(refusal.code))
        }
    }
}

fn draw(args: &DrawArgs, painter: &LocalPainter, catalogue: &Catalogue) -> Result<(), Refusal> {
    let card = choose(args.model.as_deref(), painter.cards(), catalogue)?;
    let briefs = briefs(args, &card)?;
    let targets = files::targets(&args.out, args.format, briefs.len())?;
    if args.json && matches!(targets[..], [Target::Out(_)]) {
        return Err(Refusal::usage(
            "--json and the picture can't both go to standard output",
        ));
    }
    let keeps_alpha = |target: &Target| target.format() != Format::Jpeg;
    if args.transparent && !targets.iter().all(keeps_alpha) {
        return Err(Refusal::usage(
            "JPEG knows no transparency. Write a .png or .webp file.",
        ));
    }
    files::check(&targets, args.force)?;

    let begun = Instant::now();
    let painted = paint(painter, &card, &briefs)?;
    let seconds = begun.elapsed().as_secs_f64();
    for (target, painted) in targets.iter().zip(&painted) {
        files::write(target, &painted.pixels, args.force)?;
        if args.show {
            show(painted)?;
        }
    }
    let left_out = &painted[0].unknown_words;
    if args.json {
        let seeds: Vec<u32> = briefs.iter().map(|brief| brief.seed).collect();
        let report = json!({
            "model": card.name,
            "files": targets.iter().map(Target::name).collect::<Vec<_>>(),
            "seeds": seeds,
            "size": briefs[0].size,
            "steps": briefs[0].steps,
            "guidance": briefs[0].guidance,
            "seconds": (seconds * 1e3).round() / 1e3,
            "unknown_words": left_out,
        });
        return print(format!("{report}\n").as_bytes());
    }
    if !left_out.is_empty() {
        say(&format!(
            "left out, since {} does not know it: {}",
            card.name,
            left_out.join(", ")
        ));
    }
    if !matches!(targets[..], [Target::Out(_)]) {
        let names: Vec<_> = targets.iter().map(Target::name).collect();
        say(&format!(
            "{} (seed {}, {seconds:.1} s)",
            names.join(" "),
            briefs[0].seed
        ));
    }
    Ok(())
}

fn choose(
    name: Option<&str>,
    cards: Vec<ModelCard>,
    catalogue: &Catalogue,
) -> Result<ModelCard, Refusal> {
    let names: Vec<_> = cards.iter().map(|card| card.name.to_string()).collect();
    let wanted = |card: &ModelCard| name.is_none_or(|name| card.name == ModelName::new(name));
    cards.into_iter().find(wanted).ok_or_else(|| {
        let name = name.unwrap_or("anything");
        let advice = match catalogue.find(name) {
            Some(entry) if entry.can_draw() => format!("`pinhole models pull {name}` fetches it."),
            Some(_) => "The engine can't draw with it yet.".to_owned(),
            None => "`pinhole models list` shows what can be pulled.".to_owned(),
        };
        let here = names.join(", ");
        Refusal {
            code: NO_MODEL,
            why: format!(
                "there is no model called {name} here. {advice} Or choose one that is here: {here}."
            ),
        }
    })
}

fn briefs(args: &DrawArgs, card: &ModelCard) -> Result<Vec<Brief>, Refusal> {
    let typed = match args.prompt.as_str() {
        "-" => read_prompt()?,
        typed => typed.to_owned(),
    };
    let prompt = Prompt::new(&typed).map_err(|error| Refusal::usage(error.to_string()))?;
    let negative = args.negative.as_deref().map(Prompt::new).transpose();
    let negative_prompt = negative.map_err(|error| Refusal::usage(error.to_string()))?;
    if negative_prompt.is_some() && !card.negative_prompt {
        return Err(Refusal::usage(format!(
            "{} takes no negative prompt",
            card.name
        )));
    }
    let size = args.size.unwrap_or(card.sizes.default);
    if !card.sizes.allows(size) {
        let limits = card.sizes.in_words();
        return Err(Refusal::usage(format!(
            "{} can't draw {size}: {limits}",
            card.name
        )));
    }
    let background = match args.transparent {
        true if !card.transparent_background => {
            return Err(Refusal::usage(format!(
                "{} draws no transparent backgrounds",
                card.name
            )));
        }
        true => Background::Transparent,
        false => Background::Opaque,
    };
    let steps = args.steps.unwrap_or(card.steps.default);
    if !card.steps.contains(&steps) {
        let (min, max) = (card.steps.min, card.steps.max);
        return Err(Refusal::usage(format!(
            "{} takes {min} to {max} steps",
            card.name
        )));
    }
    let guidance = match (&card.guidance, args.guidance) {
        (Some(span), asked) => {
            let leaves_out = negative_prompt.is_some();
            if let Some(why) = asked.and_then(leaves_nothing_out).filter(|_| leaves_out) {
                return Err(Refusal::usage(why.to_owned()));
            }
            let guidance = asked.unwrap_or_else(|| card.usual_guidance(leaves_out));
            if !span.contains(&guidance) {
                let (min, max) = (span.min, span.max);
                let why = format!("{} takes a guidance of {min} to {max}", card.name);
                return Err(Refusal::usage(why));
            }
            guidance
        }
        (None, Some(_)) => {
            return Err(Refusal::usage(format!("{} takes no guidance", card.name)));
        }
        (None, None) => 1.0,
    };
    let first = args.seed.unwrap_or_else(|| Randomness::system().next_u32());
    let brief = |n: u32| Brief {
        prompt: prompt.clone(),
        negative_prompt: negative_prompt.clone(),
        size,
        background,
        steps,
        guidance,
        seed: first.wrapping_add(n),
        ancestors: args.variation_of.clone(),
        previews: 0,
    };
    Ok((0..args.count).map(brief).collect())
}

fn read_prompt() -> Result<String, Refusal> {
    // A character has at most four bytes; what is longer is refused with the limit's own words.
    let limit = Prompt::MAX_CHARS as u64 * 4 + 1;
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(limit).read_to_end(&mut bytes);
    read.map_err(|error| Refusal::usage(format!("standard input can't be read: {error}")))?;
    String::from_utf8(bytes)
        .map_err(|_| Refusal::usage("the prompt is not text in UTF-8. Write it in UTF-8."))
}

/// Draws batch by batch; an interrupt ends it at once, since nothing was written yet.
fn paint(
    painter: &LocalPainter,
    card: &ModelCard,
    briefs: &[Brief],
) -> Result<Vec<Painted>, Refusal> {
    let failed = |why: String| Refusal { code: 1, why };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(format!("the async runtime does not start: {error}")))?;
    let progress = Arc::new(Progress::start(briefs));
    let mut painted = Vec::with_capacity(briefs.len());
    for batch in briefs.chunks(card.max_batch.max(1)) {
        let paintings = runtime.block_on(async {
            tokio::select! {
                biased;
                _ = tokio::signal::ctrl_c() => None,
                paintings = painter.paint(&card.name, batch.to_vec(), progress.clone()) => Some(paintings),
            }
        });
        let Some(paintings) = paintings else {
            progress.end();
            let why = "interrupted; nothing was written".to_owned();
            return Err(Refusal {
                code: INTERRUPTED,
                why,
            });
        };
        for painting in paintings {
            painted.push(painting.map_err(|error| {
                progress.end();
                let code = if matches!(error, PaintError::Refused(_)) {
                    USAGE
                } else {
                    1
                };
                Refusal {
                    code,
                    why: error.to_string(),
                }
            })?);
        }
    }
    progress.end();
    Ok(painted)
}

fn show(painted: &Painted) -> Result<(), Refusal> {
    let terminal = terminal::Terminal::of(|name| std::env::var(name).ok());
    match terminal.filter(|_| io::stderr().is_terminal()) {
        Some(terminal) => {
            let picture = terminal
                .picture(&painted.pixels)
                .map_err(|error| Refusal::usage(error.to_string()))?;
            // A terminal that went away is no reason to lose the files.
            drop(io::stderr().write_all(&picture));
        }
        None => say("this terminal shows no pictures that --show knows (kitty, iTerm, sixel)"),
    }
    Ok(())
}

/// Writes to standard output.
fn print(bytes: &[u8]) -> Result<(), Refusal> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| Refusal {
            code: CANT_WRITE,
            why: format!("standard output can't be written: {error}"),
        })
}

#[expect(
    clippy::print_stderr,
    reason = "the person at the shell reads it there"
)]
fn say(line: &str) {
    eprintln!("{line}");
}
