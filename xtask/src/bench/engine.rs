//! `cargo xtask bench engine`: seconds per picture of the shipped model in this engine, in PyTorch
//! and in ONNX Runtime, with the same weights, words, steps and guidance, in turns.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::served::Served;
use super::{fetched, median, mib};
use crate::workspace::{Workspace, cargo};
use crate::{command, provision};

const MODEL: &str = "models/pinhole-mini";
/// Turns that each engine takes, and drawings in each turn.
const TURNS: u32 = 3;
const DRAWINGS: u32 = 3;
const THREADS: [u32; 2] = [1, 2];
const AT_ONCE: [u32; 2] = [1, 4];
const STARTS: u32 = 5;

const OURS: &str = "pinhole";
const OTHERS: [&str; 3] = ["eager", "compiled", "onnx"];

/// What one turn of this engine tells, for all numbers of threads at once.
#[derive(Debug, Deserialize)]
struct OurTurn {
    steps: u32,
    guidance: f64,
    load_s: f64,
    resident_peak_bytes: u64,
    fma_peak_gflops_per_thread: f64,
    runs: Vec<OurRun>,
}

#[derive(Debug, Deserialize)]
struct OurRun {
    threads: u32,
    pictures: Vec<OurPictures>,
    kernels: Vec<Kernel>,
}

#[derive(Debug, Deserialize)]
struct OurPictures {
    at_once: u32,
    s_per_picture: f64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Kernel {
    kernel: String,
    gflops: f64,
    of_peak: f64,
}

/// What one turn of another engine tells, for one number of threads and of pictures.
#[derive(Debug, Deserialize)]
struct TheirTurn {
    load_s: f64,
    s_per_picture: f64,
    resident_peak_bytes: u64,
}

/// All turns of one engine with one number of threads and of pictures.
#[derive(Debug, Default)]
struct Turns {
    s_per_picture: Vec<f64>,
    load_s: Vec<f64>,
    peak_mib: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Row {
    engine: &'static str,
    threads: u32,
    at_once: u32,
    s_per_picture: f64,
    /// How much longer than this engine.
    ratio: f64,
    /// To the weights in memory; for the others, to the first picture.
    load_s: f64,
    peak_mib: f64,
}

#[derive(Debug, Serialize)]
struct Start {
    ready_s: f64,
    first_picture_s: f64,
    peak_mib: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    steps: u32,
    guidance: f64,
    turns: u32,
    drawings: u32,
    rows: Vec<Row>,
    start: Start,
    fma_peak_gflops_per_thread: f64,
    /// On one thread.
    kernels: Vec<Kernel>,
}

pub(super) fn run(workspace: &Workspace) -> Result<bool> {
    // Together, so that both get the same features and nothing is built twice.
    command::must(
        Command::new(cargo())
            .args(["build", "--release", "--locked", "--workspace", "--bins"])
            .args(["--example", "bench_mini"]),
    )?;
    let folder = workspace.target.join("bench");
    let requirements = workspace.root.join("xtask/bench/requirements.txt");
    let environment = provision::python_environment(&folder.join("environment"), &requirements)?;
    let bench = Bench {
        example: workspace.target.join("release/examples/bench_mini"),
        program: workspace.target.join("release/pinhole"),
        python: environment.join("bin/python"),
        root: workspace.root.clone(),
        graphs: folder.join("graphs"),
    };
    let (last, rows) = bench.rows()?;
    let start = bench.start(&folder.join("start"))?;
    let single = last.runs.into_iter().find(|run| run.threads == 1);
    let report = Report {
        steps: last.steps,
        guidance: last.guidance,
        turns: TURNS,
        drawings: DRAWINGS,
        rows,
        start,
        fma_peak_gflops_per_thread: last.fma_peak_gflops_per_thread,
        kernels: single.map(|run| run.kernels).unwrap_or_default(),
    };
    print(&report);
    let file = folder.join("engine.json");
    std::fs::write(&file, serde_json::to_string_pretty(&report)?)
        .with_context(|| format!("writing {}", file.display()))?;
    println!("\nwritten to {}", file.display());
    Ok(true)
}

struct Bench {
    example: PathBuf,
    program: PathBuf,
    python: PathBuf,
    root: PathBuf,
    graphs: PathBuf,
}

impl Bench {
    /// All engines in turns, so that whatever else the machine does meets them alike; and this
    /// engine's last turn.
    fn rows(&self) -> Result<(OurTurn, Vec<Row>)> {
        let mut turns: BTreeMap<(&str, u32, u32), Turns> = BTreeMap::new();
        let mut broken = BTreeSet::new();
        let mut last = None;
        for turn in 1..=TURNS {
            println!("turn {turn} of {TURNS}");
            let ours = self.our_turn()?;
            for run in &ours.runs {
                for pictures in &run.pictures {
                    let key = (OURS, run.threads, pictures.at_once);
                    let seen = turns.entry(key).or_default();
                    seen.add(
                        pictures.s_per_picture,
                        ours.load_s,
                        ours.resident_peak_bytes,
                    );
                }
            }
            last = Some(ours);
            for threads in THREADS {
                for at_once in AT_ONCE {
                    for engine in OTHERS {
                        let key = (engine, threads, at_once);
                        if broken.contains(&key) {
                            continue;
                        }
                        match self.their_turn(engine, threads, at_once) {
                            Ok(TheirTurn {
                                load_s,
                                s_per_picture,
                                resident_peak_bytes,
                            }) => {
                                let seen = turns.entry(key).or_default();
                                seen.add(s_per_picture, load_s, resident_peak_bytes);
                            }
                            Err(error) => {
                                println!("{engine} left out: {error:#}");
                                broken.insert(key);
                            }
                        }
                    }
                }
            }
        }
        let settings = THREADS
            .into_iter()
            .flat_map(|t| AT_ONCE.map(|at_once| (t, at_once)));
        let mut rows = Vec::new();
        for (threads, at_once) in settings {
            let mut ours = f64::NAN;
            for engine in std::iter::once(OURS).chain(OTHERS) {
                let Some(seen) = turns.remove(&(engine, threads, at_once)) else {
                    continue;
                };
                let s_per_picture = median(seen.s_per_picture);
                if engine == OURS {
                    ours = s_per_picture;
                }
                rows.push(Row {
                    engine,
                    threads,
                    at_once,
                    s_per_picture,
                    ratio: s_per_picture / ours,
                    load_s: median(seen.load_s),
                    peak_mib: median(seen.peak_mib),
                });
            }
        }
        Ok((last.context("no turn was taken")?, rows))
    }

    fn our_turn(&self) -> Result<OurTurn> {
        told(
            Command::new(&self.example)
                .arg(DRAWINGS.to_string())
                .current_dir(&self.root),
        )
    }

    fn their_turn(&self, engine: &str, threads: u32, at_once: u32) -> Result<TheirTurn> {
        told(
            Command::new(&self.python)
                .arg("xtask/bench/engine_reference.py")
                .args(["--engine", engine, "--model", MODEL])
                .args([
                    "--threads",
                    &threads.to_string(),
                    "--at-once",
                    &at_once.to_string(),
                ])
                .args(["--drawings", &DRAWINGS.to_string(), "--graphs"])
                .arg(&self.graphs)
                .env("PYTHONPATH", &self.root)
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .env("OMP_NUM_THREADS", threads.to_string())
                .current_dir(&self.root),
        )
    }

    /// `pinhole serve` in an empty folder, to ready and to the first picture.
    fn start(&self, folder: &Path) -> Result<Start> {
        let (mut ready, mut first, mut peak) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..STARTS {
            drop(std::fs::remove_dir_all(folder));
            std::fs::create_dir_all(folder)?;
            let begun = Instant::now();
            let mut served = Served::start(&self.program, folder, &[])?;
            let url = served.url()?;
            ensure!(fetched(&url, "/readyz", None)?, "it is up and not ready");
            ready.push(begun.elapsed().as_secs_f64());
            let order = r#"{"prompt":"a red apple"}"#;
            ensure!(
                fetched(&url, "/v1/images/generations", Some(order))?,
                "no first picture"
            );
            first.push(begun.elapsed().as_secs_f64());
            peak.push(mib(served.peak_bytes()?));
        }
        Ok(Start {
            ready_s: median(ready),
            first_picture_s: median(first),
            peak_mib: median(peak),
        })
    }
}

impl Turns {
    fn add(&mut self, s_per_picture: f64, load_s: f64, peak_bytes: u64) {
        self.s_per_picture.push(s_per_picture);
        self.load_s.push(load_s);
        self.peak_mib.push(mib(peak_bytes));
    }
}

/// What a program prints on standard output, as JSON.
fn told<T: for<'a> Deserialize<'a>>(command: &mut Command) -> Result<T> {
    let shown = format!("{command:?}");
    let output = command
        .output()
        .with_context(|| format!("this did not start: {shown}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    let end = complaint.lines().last().unwrap_or("it said nothing");
    ensure!(output.status.success(), "{shown} failed: {end}");
    serde_json::from_str(&said).with_context(|| format!("{shown} said {said:?}"))
}

fn print(report: &Report) {
    println!(
        "\n{} steps, guidance {}; medians of {TURNS} turns of {DRAWINGS} drawings each",
        report.steps, report.guidance
    );
    println!(
        "{:<9} {:>7} {:>7} {:>11} {:>6} {:>8} {:>9}",
        "engine", "threads", "at once", "s/picture", "ratio", "load s", "peak MiB"
    );
    for row in &report.rows {
        println!(
            "{:<9} {:>7} {:>7} {:>11.4} {:>6.2} {:>8.2} {:>9.0}",
            row.engine,
            row.threads,
            row.at_once,
            row.s_per_picture,
            row.ratio,
            row.load_s,
            row.peak_mib
        );
    }
    let Start {
        ready_s,
        first_picture_s,
        peak_mib,
    } = &report.start;
    println!(
        "\nserve: ready after {ready_s:.3} s, first picture after {first_picture_s:.3} s, \
         peak {peak_mib:.0} MiB (medians of {STARTS})"
    );
    println!(
        "\nkernels on one thread, against {:.0} GFLOP/s of fused multiply-add",
        report.fma_peak_gflops_per_thread
    );
    for Kernel {
        kernel,
        gflops,
        of_peak,
    } in &report.kernels
    {
        println!(
            "{kernel:<28} {gflops:>7.1} GFLOP/s {:>4.0} %",
            100.0 * of_peak
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_tells_is_read_or_its_complaint_shown() {
        let mut command = Command::new("printf");
        command.arg(r#"{"load_s": 1, "s_per_picture": 2, "resident_peak_bytes": 3}"#);
        assert!(told::<TheirTurn>(&mut command).is_ok_and(|turn| turn.resident_peak_bytes == 3));
        let mut command = Command::new("cat");
        let failed = told::<TheirTurn>(command.arg("/no/such/file")).unwrap_err();
        assert!(failed.to_string().contains("/no/such/file"));
    }
}
