//! The log: how fast entries get their places in the tree, many in one commit, and how long a proof
//! takes in a long one.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{House, LIMIT, say};

/// What has to be reached.
const LEAVES_PER_S: f64 = 5_000.0;
const PROVEN_WITHIN_S: f64 = 0.1;

const ENTRIES: u64 = 100_000;
const PROOFS: u64 = 200;

pub(super) fn run(program: &Path, folder: &Path) -> Result<bool> {
    let mut house = House::open(program, folder)?;
    house.served.end();
    let filled = Command::new(program)
        .args(["log", &ENTRIES.to_string()])
        .env("PINHOLE_DATA", folder.join("data"))
        .status()?;
    ensure!(filled.success(), "no entries");
    let begun = Instant::now();
    house.restart()?;
    while size(&house)? < ENTRIES {
        ensure!(begun.elapsed() < LIMIT, "no places after {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let speed = ENTRIES as f64 / begun.elapsed().as_secs_f64();
    let to = size(&house)?;
    let mut took: Vec<f64> = Vec::new();
    for number in 1..=PROOFS {
        // Spread over the whole log.
        let from = number * to / (PROOFS + 1);
        let path = format!("/trust/growth?from={from}&to={to}");
        let begun = Instant::now();
        let (status, answer) = house.ask("GET", &path, "none", &Value::Null)?;
        took.push(begun.elapsed().as_secs_f64());
        ensure!(status == 200, "not proven: {answer}");
    }
    took.sort_by(f64::total_cmp);
    let longest = took.last().copied().unwrap_or(f64::INFINITY);
    say(
        "| entries | with their place, a second, from the start of the program | a proof, median (ms) | the longest (ms) |",
    );
    say("|---|---|---|---|");
    say(&format!(
        "| {ENTRIES} | {speed:.0} | {:.1} | {:.1} |",
        took[took.len() / 2] * 1e3,
        longest * 1e3
    ));
    Ok(speed >= LEAVES_PER_S && longest <= PROVEN_WITHIN_S)
}

/// How many entries the newest checkpoint has.
fn size(house: &House) -> Result<u64> {
    let text = house.text("/trust/checkpoint")?;
    let size = text.lines().nth(1).and_then(|line| line.parse().ok());
    Ok(size.unwrap_or(0))
}
