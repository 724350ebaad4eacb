//! Measurements, always against something else on the same machine in the same run.

mod engine;
mod privacy;
mod served;
mod service;

use anyhow::{Context, Result};
use clap::Subcommand;

use crate::workspace::Workspace;

#[derive(Debug, Subcommand)]
pub(crate) enum Subject {
    /// The shipped model in this engine, in PyTorch and in ONNX Runtime.
    Engine,
    /// The service around the picture, with an engine that takes no time, beside LiteLLM's proxy.
    Service {
        /// Measure this part alone; may be given several times.
        #[arg(long, value_enum)]
        only: Vec<service::Part>,
    },
    /// Forgetting somebody with 10,000 pictures, searching the house for what should be gone, and taking
    /// everything along.
    Privacy {
        /// Measure this part alone; may be given several times.
        #[arg(long, value_enum)]
        only: Vec<privacy::Part>,
        /// So many pictures instead, to try it in little.
        #[arg(long)]
        pictures: Option<u32>,
    },
}

pub(crate) fn run(workspace: &Workspace, subject: &Subject) -> Result<bool> {
    match subject {
        Subject::Engine => engine::run(workspace),
        Subject::Service { only } => service::run(workspace, only),
        Subject::Privacy { only, pictures } => privacy::run(workspace, only, *pictures),
    }
}

/// Whether the server answered with success.
fn fetched(url: &str, path: &str, body: Option<&str>) -> Result<bool> {
    use std::io::{Read, Write};

    let address = url.strip_prefix("http://").context("not an http address")?;
    let mut stream = std::net::TcpStream::connect(address)?;
    let (method, body) = body.map_or(("GET", ""), |body| ("POST", body));
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer.starts_with(b"HTTP/1.1 200 "))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-12);
        assert!(median(Vec::new()).is_nan());
    }
}
