//! Times the shipped model and its kernels, and prints one JSON object.
//!
//!     cargo run --release -p engine --example bench_mini -- [repeats [folder of a model]]
//!
//! Seconds are medians over the repeats, and the best of them, which a busy machine disturbs less.
//! Kernels are compared with what one thread's fused multiply-adds reach on registers, times the
//! threads.

use std::error::Error;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use candle_core::{Device, Tensor};
use domain::painter::{Brief, Watch};
use domain::picture::{Background, Pixels, Size};
use domain::prompt::Prompt;
use engine::kernels::{Activation, Attention, Conv3x3, Linear, Pair, peak_gflops};
use engine::mini::Pipeline;
use engine::{noise, shipped};
use rayon::ThreadPoolBuilder;
use serde_json::{Value, json};

const THREADS: [usize; 2] = [1, 2];
const AT_ONCE: [u32; 2] = [1, 4];
const PROMPT: &str = "a red apple";

struct Patient;

impl Watch for Patient {
    fn step(&self, _: usize, _: u32, _: u32, _: Option<&Pixels>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

#[expect(clippy::print_stdout, reason = "its output is what it is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let repeats = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let folder = arguments.next();

    let begun = Instant::now();
    let pipeline = match &folder {
        Some(folder) => Pipeline::load(Path::new(folder))?,
        None => shipped::load()?,
    };
    let load_s = begun.elapsed().as_secs_f64();
    let peak = peak_gflops();
    let mut runs = Vec::new();
    for threads in THREADS {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
        runs.push(pool.install(|| run(&pipeline, repeats, threads, peak * threads as f64))?);
    }
    let settings = pipeline.settings();
    let report = json!({
        "model": settings.name,
        "version": settings.version,
        "prompt": PROMPT,
        "size": settings.size,
        "steps": settings.steps_default,
        "guidance": settings.guidance_default,
        "repeats": repeats,
        "load_s": load_s,
        "weights_bytes": pipeline.weights_bytes(),
        "resident_peak_bytes": resident_peak_bytes(),
        "fma_peak_gflops_per_thread": peak,
        "runs": runs,
    });
    println!("{report:#}");
    Ok(())
}

fn run(
    pipeline: &Pipeline,
    repeats: usize,
    threads: usize,
    peak: f64,
) -> Result<Value, candle_core::Error> {
    let pictures = AT_ONCE.map(|at_once| {
        let briefs: Vec<Brief> = (1..=at_once).map(|seed| brief(pipeline, seed)).collect();
        let (median_s, best_s) = time(repeats, || {
            drop(black_box(pipeline.draw(&briefs, &Patient)));
        });
        json!({
            "at_once": at_once,
            "s_per_picture": median_s / f64::from(at_once),
            "best_s_per_picture": best_s / f64::from(at_once),
        })
    });
    let mut kernels = Vec::new();
    let mut add = |name: String, operations: usize, (median_s, best_s): (f64, f64)| {
        let [gflops, best] = [median_s, best_s].map(|s| operations as f64 / s / 1e9);
        kernels.push(json!({
            "kernel": name,
            "gflops": gflops,
            "of_peak": gflops / peak,
            "best_gflops": best,
        }));
    };
    for (rows, inputs, outputs) in [(128, 256, 1024), (128, 1024, 256), (512, 256, 768)] {
        let linear = Linear::new(&noise::normal(1, inputs * outputs), vec![0.0; outputs]);
        let x = tensor(&[rows, inputs])?;
        let seconds = time(40 * repeats, || {
            drop(black_box(linear.forward(&x, Activation::None)));
        });
        let operations = 2 * rows * inputs * outputs;
        add(
            format!("linear {rows}x{inputs}x{outputs}"),
            operations,
            seconds,
        );
    }
    for (edge, channels) in [(8, 256), (16, 160), (32, 80), (64, 32)] {
        let weights = noise::normal(1, channels * channels * 9);
        let conv = Conv3x3::new(&weights, vec![0.0; channels]);
        let x = tensor(&[1, edge, edge, channels])?;
        let seconds = time(10 * repeats, || {
            drop(black_box(conv.forward(&x, Activation::Silu)));
        });
        let operations = 2 * 9 * channels * channels * edge * edge;
        add(
            format!("conv3x3 {edge}x{edge}x{channels}"),
            operations,
            seconds,
        );
    }
    let (heads, d, positions) = (4, 64, 64);
    let qkv = tensor(&[2 * positions, 3 * heads * d])?;
    let span = |p: usize| p * positions..(p + 1) * positions;
    let pairs = [0, 1].map(|p| Pair {
        queries: span(p),
        keys: span(p),
    });
    let attention = Attention { heads, norms: None };
    let seconds = time(40 * repeats, || {
        drop(black_box(attention.to_itself(&qkv, &pairs)));
    });
    let operations = pairs.len() * heads * 4 * positions * positions * d;
    add(
        format!("attention 2x{heads}x{positions}x{d}"),
        operations,
        seconds,
    );
    Ok(json!({ "threads": threads, "pictures": pictures, "kernels": kernels }))
}

fn brief(pipeline: &Pipeline, seed: u32) -> Brief {
    let settings = pipeline.settings();
    Brief {
        prompt: Prompt::new(PROMPT).expect("a prompt"),
        negative_prompt: None,
        size: Size::square(settings.size),
        background: Background::Opaque,
        steps: settings.steps_default,
        guidance: settings.guidance_default,
        seed,
        ancestors: Vec::new(),
        previews: 0,
    }
}

fn tensor(shape: &[usize]) -> candle_core::Result<Tensor> {
    Tensor::from_vec(
        noise::normal(2, shape.iter().product()),
        shape,
        &Device::Cpu,
    )
}

/// The median and the least of the seconds that some work takes.
fn time(repeats: usize, mut work: impl FnMut()) -> (f64, f64) {
    work();
    let mut seconds: Vec<f64> = (0..repeats.max(1))
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    (seconds[seconds.len() / 2], seconds[0])
}

/// Most memory that the process ever had in use, as Linux tells it.
fn resident_peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
