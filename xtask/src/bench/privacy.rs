//! Forgetting somebody with many pictures among others: how long it takes to the signed receipt, with
//! few others and with many, and how fast the house is searched; and taking everything along.

mod export;
mod log;
mod reading;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::served::Served;
use crate::command;
use crate::workspace::{Workspace, cargo};

/// What has to be reached.
const ERASED_WITHIN_S: f64 = 60.0;
const SEARCHED_MB_PER_S: f64 = 500.0;

const PICTURES: u32 = 10_000;
const PICTURES_OF_ORDER: u32 = 10;
const OTHERS: [u32; 2] = [10, 1_000];
/// A file of the house that nobody is in, for how fast files are read.
const BALLAST_BYTES: usize = 2 << 30;
const LIMIT: Duration = Duration::from_secs(300);

/// What of it is measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    Erasure,
    Search,
    Export,
    Log,
    Reading,
}

/// `pictures` takes the place of so many as the aims are set for: to try it in little.
pub(super) fn run(workspace: &Workspace, only: &[Part], pictures: Option<u32>) -> Result<bool> {
    let wants = |part| only.is_empty() || only.contains(&part);
    let pictures = pictures.unwrap_or(PICTURES);
    command::must(
        Command::new(cargo())
            .args(["build", "--release", "--locked", "--workspace", "--bins"])
            .args(["--example", "bench_mini", "--example", "bench_service"]),
    )?;
    let program = workspace.target.join("release/examples/bench_service");
    let mut is_good = true;
    if wants(Part::Export) {
        let folder = workspace.target.join("bench/privacy-export");
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder)?;
        is_good &= export::run(&program, &folder, pictures)?;
        drop(std::fs::remove_dir_all(folder.join("data")));
    }
    if wants(Part::Log) {
        let folder = workspace.target.join("bench/privacy-log");
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder)?;
        is_good &= log::run(&program, &folder)?;
        drop(std::fs::remove_dir_all(folder.join("data")));
    }
    if wants(Part::Reading) {
        let folder = workspace.target.join("bench/privacy-reading");
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder)?;
        is_good &= reading::run(&program, &folder)?;
        drop(std::fs::remove_dir_all(folder.join("data")));
    }
    if wants(Part::Erasure) {
        is_good &= erased(workspace, &program, pictures)?;
    }
    if !wants(Part::Search) {
        return Ok(is_good);
    }
    let folder = workspace.target.join("bench/privacy-search");
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder)?;
    for needles in [0, pictures] {
        let speed = searched(&program, &folder, needles)?;
        is_good &= speed >= SEARCHED_MB_PER_S;
        say(&format!(
            "searched for what was {needles} pictures: {speed:.0} MB/s (at least {SEARCHED_MB_PER_S})"
        ));
        drop(std::fs::remove_dir_all(folder.join("data")));
    }
    Ok(is_good)
}

/// Somebody is forgotten among few and among many others.
fn erased(workspace: &Workspace, program: &Path, pictures: u32) -> Result<bool> {
    let mut is_good = true;
    say("| pictures | others | to the receipt (s) | of it, searching (s) | found |");
    say("|---|---|---|---|---|");
    for others in OTHERS {
        let folder = workspace.target.join(format!("bench/privacy-{others}"));
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder)?;
        let measured = measure(program, &folder, others, pictures)?;
        is_good &= measured.erased_s <= ERASED_WITHIN_S && measured.residue == 0;
        say(&format!(
            "| {pictures} | {others} | {:.1} | {:.1} | {} |",
            measured.erased_s, measured.searched_s, measured.residue
        ));
    }
    Ok(is_good)
}

#[expect(clippy::print_stdout, reason = "this is what was asked for")]
fn say(line: &str) {
    println!("{line}");
}

struct Measured {
    erased_s: f64,
    searched_s: f64,
    residue: usize,
}

/// Somebody with many pictures, and others with one each.
fn measure(program: &Path, folder: &Path, others: u32, pictures: u32) -> Result<Measured> {
    let house = House::open(program, folder)?;
    for number in 0..others {
        let key = house.add(&format!("other{number}@example.org"))?;
        house.draw(&key, 1, number)?;
    }
    let receipt = house.forgotten(pictures)?;
    Ok(Measured {
        erased_s: receipt.took_s,
        searched_s: receipt.seconds()?,
        residue: receipt.residue()?,
    })
}

/// How fast a large file is searched, beside everything else.
fn searched(program: &Path, folder: &Path, pictures: u32) -> Result<f64> {
    let house = House::open(program, folder)?;
    let ballast = folder.join("data/ballast");
    let mut file = std::fs::File::create(&ballast)?;
    // Like a picture, it is nearly random (xorshift, Marsaglia, 2003).
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut chunk = vec![0; 1 << 20];
    for _ in 0..BALLAST_BYTES / chunk.len() {
        for eight in chunk.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            eight.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all(&chunk)?;
    }
    let receipt = house.forgotten(pictures)?;
    std::fs::remove_file(ballast)?;
    let bytes = receipt.search("bytes")?;
    Ok(bytes / 1e6 / receipt.seconds()?)
}

/// A running house with an operator.
struct House {
    served: Served,
    program: PathBuf,
    folder: PathBuf,
    url: String,
}

struct Receipt {
    signed: Value,
    took_s: f64,
}

impl Receipt {
    fn search(&self, name: &str) -> Result<f64> {
        let value = self.signed["receipt"]["search"][name].as_f64();
        value.with_context(|| format!("no {name} in the receipt"))
    }

    fn seconds(&self) -> Result<f64> {
        Ok(self.search("milliseconds")? / 1e3)
    }

    fn residue(&self) -> Result<usize> {
        let found = self.signed["receipt"]["search"]["found"].as_array();
        Ok(found.context("no search in the receipt")?.len())
    }
}

impl House {
    fn open(program: &Path, folder: &Path) -> Result<Self> {
        let mut served = Self::start(program, folder)?;
        let url = served.url()?;
        let house = Self {
            served,
            program: program.to_owned(),
            folder: folder.to_owned(),
            url,
        };
        house.admin(&["--email", "op@example.org", "--role", "operator", "--json"])?;
        Ok(house)
    }

    fn start(program: &Path, folder: &Path) -> Result<Served> {
        let orders = ("PINHOLE_ORDERS_PER_MINUTE", "60000".to_owned());
        Served::start(program, folder, &[orders])
    }

    /// The same house in a fresh process.
    fn restart(&mut self) -> Result<()> {
        self.served.end();
        self.served = Self::start(&self.program, &self.folder)?;
        self.url = self.served.url()?;
        Ok(())
    }

    fn admin(&self, arguments: &[&str]) -> Result<Value> {
        let done = Command::new(&self.program)
            .args(["admin", "person", "add"])
            .args(arguments)
            .env("PINHOLE_DATA", self.folder.join("data"))
            .output()?;
        let says = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "nobody was added: {says}");
        Ok(serde_json::from_slice(&done.stdout)?)
    }

    /// Somebody who may do everything with their key, which is given.
    fn add(&self, address: &str) -> Result<String> {
        let scopes = "draw pictures:read account:read account:erase account:export";
        let added = self.admin(&[
            "--email",
            address,
            "--credits",
            "1000000",
            "--key",
            "--scopes",
            scopes,
            "--json",
        ])?;
        let key = added["api_key"].as_str().context("no key")?;
        Ok(key.to_owned())
    }

    fn draw(&self, key: &str, pictures: u32, number: u32) -> Result<()> {
        self.draw_by("null", key, pictures, number)
    }

    fn draw_by(&self, model: &str, key: &str, pictures: u32, number: u32) -> Result<()> {
        let order = json!({
            "model": model,
            "prompt": format!("a wanderer over a sea of fog, the {number}. time that he was there"),
            "n": pictures,
            "response_format": "url",
        });
        let (status, answer) = self.ask("POST", "/v1/images/generations", key, &order)?;
        ensure!(status == 200, "not drawn: {answer}");
        Ok(())
    }

    /// Has somebody with so many pictures forgotten.
    fn forgotten(&self, pictures: u32) -> Result<Receipt> {
        let key = self.add("somebody@example.org")?;
        for number in 0..pictures / PICTURES_OF_ORDER {
            self.draw(&key, PICTURES_OF_ORDER, 1_000_000 + number)?;
        }
        let begun = Instant::now();
        let sure = json!({ "what": "account", "confirm": "delete my account" });
        let (status, answer) = self.ask("POST", "/v1/me/erasure", &key, &sure)?;
        ensure!(status == 202, "not begun: {answer}");
        let place = answer["receipt_url"].as_str().context("no receipt")?;
        let path = place.strip_prefix(&self.url).context("another house")?;
        while begun.elapsed() < LIMIT {
            let (status, signed) = self.ask("GET", path, &key, &Value::Null)?;
            if status == 200 {
                let took_s = begun.elapsed().as_secs_f64();
                return Ok(Receipt { signed, took_s });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("no receipt after {LIMIT:?}")
    }

    fn ask(&self, method: &str, path: &str, key: &str, body: &Value) -> Result<(u16, Value)> {
        let (status, answer) = self.exchange(method, path, key, body)?;
        Ok((status, serde_json::from_str(&answer).unwrap_or(Value::Null)))
    }

    /// A page that everybody may see.
    fn text(&self, path: &str) -> Result<String> {
        Ok(self.exchange("GET", path, "none", &Value::Null)?.1)
    }

    fn exchange(&self, method: &str, path: &str, key: &str, body: &Value) -> Result<(u16, String)> {
        let address = self.url.strip_prefix("http://").context("not http")?;
        let mut stream = TcpStream::connect(address)?;
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             authorization: Bearer {key}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.get(9..12).and_then(|status| status.parse().ok());
        let (_, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        Ok((status.context("no status")?, body.to_owned()))
    }
}
