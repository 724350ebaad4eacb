//! Reading a picture: how much of it is the sealing. A picture is read over HTTP; then the same house
//! reads its rows and files as people do, and as they lie, in turns. The difference is what sealing
//! adds, and the rest of the answer is what it would take without.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::super::service::load::{self, Request};
use super::{House, PICTURES_OF_ORDER, say};

/// What has to be reached.
const MAX_OVERHEAD: f64 = 0.1;

const PICTURES: u32 = 200;
/// Of one connection, so that nothing waits.
const REQUESTS: usize = 2_000;

pub(super) fn run(program: &Path, folder: &Path) -> Result<bool> {
    let mut house = House::open(program, folder)?;
    let key = house.add("somebody@example.org")?;
    for number in 0..PICTURES / PICTURES_OF_ORDER {
        house.draw_by("noise", &key, PICTURES_OF_ORDER, number)?;
    }
    let (status, page) = house.ask("GET", "/v1/pictures?limit=1", &key, &Value::Null)?;
    let id = page["data"][0]["id"].as_str().context("no picture")?;
    ensure!(status == 200, "no pictures: {page}");
    let request = Request::get_as(&format!("/v1/pictures/{id}/content"), &key);
    load::measure(&house.url, std::slice::from_ref(&request), 1, REQUESTS / 4)?;
    let over_http = load::measure(&house.url, &[request], 1, REQUESTS)?;
    house.served.end();
    let done = Command::new(program)
        .arg("reading")
        .env("PINHOLE_DATA", folder.join("data"))
        .output()?;
    let says = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "not read: {says}");
    let said = String::from_utf8(done.stdout)?;
    let times: Result<Vec<f64>, _> = said.split_whitespace().map(str::parse).collect();
    let [sealed, plain] = times?[..] else {
        anyhow::bail!("two times are printed, not {said:?}");
    };
    let whole = over_http.p50_ms * 1e3;
    let added = sealed - plain;
    let overhead = added / (whole - added);
    say("| over HTTP (µs) | row and file, sealed (µs) | as they lie (µs) | sealing adds |");
    say("|---|---|---|---|");
    say(&format!(
        "| {whole:.0} | {sealed:.0} | {plain:.0} | {:.1} % (at most {:.0}) |",
        overhead * 1e2,
        MAX_OVERHEAD * 1e2
    ));
    Ok(overhead <= MAX_OVERHEAD)
}
