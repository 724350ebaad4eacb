//! A running `pinhole serve`, and what the system tells of a process.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

const START_LIMIT: Duration = Duration::from_secs(60);

/// A running server, ended when it goes out of scope.
pub(super) struct Served {
    child: Child,
    ready: PathBuf,
}

impl Served {
    /// Starts it with its data in `folder`, and more variables where they are given.
    pub(super) fn start(program: &Path, folder: &Path, more: &[(&str, String)]) -> Result<Self> {
        let ready = folder.join("ready");
        drop(std::fs::remove_file(&ready));
        let log = std::fs::File::create(folder.join("log"))?;
        let child = Command::new(program)
            .arg("serve")
            .current_dir(folder)
            .env("PINHOLE_LISTEN", "127.0.0.1:0")
            .env("PINHOLE_DATA", folder.join("data"))
            .env("PINHOLE_READY_FILE", &ready)
            .envs(more.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("pinhole did not start")?;
        Ok(Self { child, ready })
    }

    /// Where it listens, once it is ready.
    pub(super) fn url(&mut self) -> Result<String> {
        self.url_within(START_LIMIT)
    }

    pub(super) fn url_within(&mut self, limit: Duration) -> Result<String> {
        let begun = Instant::now();
        loop {
            if let Ok(written) = std::fs::read_to_string(&self.ready)
                && written.ends_with('\n')
            {
                return Ok(written.trim().to_owned());
            }
            ensure!(
                self.child.try_wait()?.is_none(),
                "pinhole ended before it was ready"
            );
            ensure!(
                begun.elapsed() < limit,
                "pinhole is not ready after {limit:?}"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends it, so that another can take its place.
    pub(super) fn end(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    pub(super) fn peak_bytes(&self) -> Result<u64> {
        status_bytes(self.child.id(), "VmHWM")
    }

    pub(super) fn resident_bytes(&self) -> Result<u64> {
        resident_bytes(self.child.id())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.end();
    }
}

/// Of a process and of those that it started.
pub(super) fn resident_bytes(process: u32) -> Result<u64> {
    let mut sum = status_bytes(process, "VmRSS")?;
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    for child in children.unwrap_or_default().split_whitespace() {
        sum += resident_bytes(child.parse()?)?;
    }
    Ok(sum)
}

fn status_bytes(process: u32, name: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = value.and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.with_context(|| format!("no {name} in /proc"))? * 1024)
}
