//! Programs that are run while one watches, and whose words are kept.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use anyhow::{Context, Result, ensure};

/// What a program said, and whether it ended well.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) good: bool,
    /// Both streams, line by line as they came.
    pub(crate) lines: Vec<String>,
}

/// Runs a program, shows what it says as it says it, and keeps it.
pub(crate) fn watch(command: &mut Command) -> Result<Said> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{name} did not start"))?;
    let lines = Mutex::new(Vec::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        scope.spawn(|| forward(stdout, &lines));
        forward(stderr, &lines);
    });
    let status = child
        .wait()
        .with_context(|| format!("waiting for {name}"))?;
    let lines = lines
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(Said {
        good: status.success(),
        lines,
    })
}

/// Runs a program that has to end well.
pub(crate) fn must(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let said = watch(command)?;
    ensure!(said.good, "this failed: {shown}");
    Ok(())
}

/// What a program prints on standard output, quietly; `None` where it fails or is not there.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn forward(stream: Option<impl Read>, lines: &Mutex<Vec<String>>) {
    let Some(stream) = stream else { return };
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    while matches!(reader.read_until(b'\n', &mut bytes), Ok(1..)) {
        let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        bytes.clear();
        let mut out = std::io::stdout().lock();
        // A reader that went away is no reason to stop the tests.
        drop(writeln!(out, "{line}").and_then(|()| out.flush()));
        lines
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(line);
    }
}
