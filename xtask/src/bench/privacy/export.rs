//! Taking everything along: how soon its first byte is there, how long the whole takes, how much memory
//! that costs, and whether a download in parts has the same bytes.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::mib;
use super::{House, PICTURES_OF_ORDER, say};

/// What has to be reached.
const FIRST_BYTE_WITHIN_S: f64 = 1.0;
const GIB_WITHIN_S: f64 = 60.0;
const ABOVE_IDLE_MIB: f64 = 64.0;
const GIB: f64 = 1_073_741_824.0;

/// Draws noise, which can't be packed: about 110 kB a picture.
const MODEL: &str = "noise";

pub(super) fn run(program: &Path, folder: &Path, pictures: u32) -> Result<bool> {
    let mut house = House::open(program, folder)?;
    let key = house.add("somebody@example.org")?;
    for number in 0..pictures.div_ceil(PICTURES_OF_ORDER) {
        house.draw_by(MODEL, &key, PICTURES_OF_ORDER, number)?;
    }
    // A fresh process: what drawing took is no part of it.
    house.restart()?;
    let (status, _) = house.ask("GET", "/v1/me", &key, &Value::Null)?;
    ensure!(status == 200, "not let in");
    let idle = house.served.resident_bytes()?;

    let begun = Instant::now();
    let (status, made) = house.ask("POST", "/v1/me/export", &key, &Value::Null)?;
    ensure!(status == 201, "no archive: {made}");
    let composed_s = begun.elapsed().as_secs_f64();
    let id = made["id"].as_str().context("no id")?;
    let path = format!("/v1/me/export/{id}/content");
    let file = folder.join("archive.zip");
    let whole = fetch(&house, &key, &path, 0, Some(&file))?;
    let above = house.served.peak_bytes()?.saturating_sub(idle);
    let first_s = composed_s + whole.first_s;
    let gib_s = (composed_s + whole.took_s) * GIB / whole.bytes as f64;

    let half = whole.bytes / 2;
    let rest = fetch(&house, &key, &path, half, None)?;
    let is_equal = rest.bytes == whole.bytes - half && rest.sha256 == second_half(&file, half)?;
    let checking = Instant::now();
    let verified = Command::new(program)
        .args(["verify", "export"])
        .arg(&file)
        .output()?;
    let checked_s = checking.elapsed().as_secs_f64();
    std::fs::remove_file(&file)?;

    say(
        "| pictures | MiB | first byte (s) | whole (s) | a GiB (s) | memory above idle (MiB) | in parts the same | verified (s) |",
    );
    say("|---|---|---|---|---|---|---|---|");
    say(&format!(
        "| {pictures} | {:.0} | {first_s:.2} | {:.1} | {gib_s:.1} | {:.1} | {is_equal} | {checked_s:.1} |",
        mib(whole.bytes),
        composed_s + whole.took_s,
        mib(above)
    ));
    ensure!(
        verified.status.success(),
        "not verified: {}",
        String::from_utf8_lossy(&verified.stderr)
    );
    Ok(is_equal
        && first_s <= FIRST_BYTE_WITHIN_S
        && gib_s <= GIB_WITHIN_S
        && mib(above) <= ABOVE_IDLE_MIB)
}

struct Fetched {
    bytes: u64,
    first_s: f64,
    took_s: f64,
    sha256: Vec<u8>,
}

/// The archive from a byte on.
fn fetch(house: &House, key: &str, path: &str, from: u64, into: Option<&Path>) -> Result<Fetched> {
    let address = house.url.strip_prefix("http://").context("not http")?;
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         authorization: Bearer {key}\r\nrange: bytes={from}-\r\n\r\n"
    )?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    ensure!(line.starts_with("HTTP/1.1 206"), "not sent: {line}");
    while line != "\r\n" {
        line.clear();
        ensure!(reader.read_line(&mut line)? > 0, "no end of the headers");
    }
    let mut file = into.map(File::create).transpose()?;
    let (mut sha256, mut bytes, mut first_s) = (Sha256::new(), 0, None);
    let mut chunk = vec![0; 1 << 20];
    loop {
        let count = reader.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        first_s.get_or_insert_with(|| begun.elapsed().as_secs_f64());
        bytes += count as u64;
        sha256.update(&chunk[..count]);
        if let Some(file) = &mut file {
            file.write_all(&chunk[..count])?;
        }
    }
    Ok(Fetched {
        bytes,
        first_s: first_s.context("nothing came")?,
        took_s: begun.elapsed().as_secs_f64(),
        sha256: sha256.finalize().to_vec(),
    })
}

fn second_half(file: &Path, from: u64) -> Result<Vec<u8>> {
    use std::io::{Seek, SeekFrom};

    let mut file = File::open(file)?;
    file.seek(SeekFrom::Start(from))?;
    let mut sha256 = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(sha256.finalize().to_vec()),
            count => sha256.update(&chunk[..count]),
        }
    }
}
