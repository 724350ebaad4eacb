//! Asks a server over and over, on connections that stay open, and measures each answer.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// An answer that takes longer counts as none.
const LIMIT: Duration = Duration::from_secs(60);

/// What came of some requests, all of which were answered well.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Load {
    pub(super) per_s: f64,
    pub(in super::super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// A request as it is sent, byte for byte.
#[derive(Clone, Debug)]
pub(in super::super) struct Request(Vec<u8>);

impl Request {
    pub(super) fn get(path: &str) -> Self {
        Self(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes())
    }

    pub(in super::super) fn get_as(path: &str, key: &str) -> Self {
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\r\n"
        );
        Self(head.into_bytes())
    }

    pub(super) fn post(path: &str, key: &str, body: &str) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Self(head.into_bytes())
    }
}

/// Sends `total` requests on so many connections at once; each connection repeats one of them.
pub(in super::super) fn measure(
    url: &str,
    requests: &[Request],
    connections: usize,
    total: usize,
) -> Result<Load> {
    let address = url.strip_prefix("http://").context("not an http address")?;
    let sent = AtomicUsize::new(0);
    let begun = Instant::now();
    let times: Result<Vec<Vec<Duration>>> = std::thread::scope(|scope| {
        let asking: Vec<_> = requests
            .iter()
            .cycle()
            .take(connections)
            .map(|request| scope.spawn(|| ask(address, request, &sent, total)))
            .collect();
        let ended = asking.into_iter().map(|one| match one.join() {
            Ok(times) => times,
            Err(broken) => std::panic::resume_unwind(broken),
        });
        ended.collect()
    });
    let took = begun.elapsed();
    let mut times = times?.concat();
    times.sort_unstable();
    ensure!(
        times.len() == total,
        "{} of {total} were answered",
        times.len()
    );
    Ok(Load {
        per_s: total as f64 / took.as_secs_f64(),
        p50_ms: percentile(&times, 50),
        p99_ms: percentile(&times, 99),
    })
}

fn ask(
    address: &str,
    request: &Request,
    sent: &AtomicUsize,
    total: usize,
) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut times = Vec::new();
    while sent.fetch_add(1, Ordering::Relaxed) < total {
        let begun = Instant::now();
        stream.write_all(&request.0)?;
        answered(&mut reader)?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

/// Reads one answer, which has to be a success.
fn answered(reader: &mut impl BufRead) -> Result<()> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = None;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        if line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = Some(value.trim().parse()?);
        }
    }
    let Some(length) = length else {
        bail!("answered {status:?} without a length");
    };
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    ensure!(
        status == "200",
        "answered {status:?}: {}",
        String::from_utf8_lossy(&body)
    );
    Ok(())
}

/// By the nearest rank; `sorted` has at least one.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1].as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert!((percentile(&times, 50) - 100.0).abs() < 1e-9);
        assert!((percentile(&times, 99) - 198.0).abs() < 1e-9);
        assert!((percentile(&times[..1], 99) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn an_answer_is_read_to_its_end_and_a_refusal_told() {
        let mut two = &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 429 x\r\ncontent-length: 4\r\n\r\nslow"[..];
        assert!(answered(&mut two).is_ok());
        let refused = answered(&mut two).unwrap_err().to_string();
        assert!(
            refused.contains("429") && refused.contains("slow"),
            "{refused}"
        );
    }
}
