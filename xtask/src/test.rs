//! `cargo xtask test`: every step runs, whatever the one before said, so that one look shows all
//! that is wrong.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::provision::{self, Tool};
use crate::workspace::{Workspace, cargo};
use crate::{command, mutants, postgres, tidy};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Rules that no compiler checks.
    Tidy,
    /// rustfmt.
    Fmt,
    /// The compiler's and clippy's warnings, as errors.
    Clippy,
    /// Licences, bans and sources of dependencies, and advisories where they can be had.
    Deny,
    /// Tests of all crates; those that open a database open SQLite.
    Rust,
    /// Tests that open a database again, and those of the API, with a Postgres server of their own.
    Postgres,
    /// Promises that are broken on purpose: a test must see each.
    Mutants,
    /// Examples in the documentation.
    Docs,
    /// What made the shipped weights, as far as it runs without PyTorch.
    Training,
    /// The program as clients see it, through the openai SDK and the shell.
    Api,
    /// The API through clients that we did not write: openai for Node, LiteLLM, LangChain.
    Clients,
    /// The pages as people see them, in Chromium.
    Browser,
}

/// How a step ended, in tests; a step that is one check counts as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Count {
    const PASSED: Self = Self {
        passed: 1,
        failed: 0,
        skipped: 0,
    };
    const FAILED: Self = Self {
        passed: 0,
        failed: 1,
        skipped: 0,
    };
    const SKIPPED: Self = Self {
        passed: 0,
        failed: 0,
        skipped: 1,
    };

    const fn of(good: bool) -> Self {
        if good { Self::PASSED } else { Self::FAILED }
    }

    const fn and(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }

    /// A runner that failed, and yet counted no failure, is a failure.
    const fn agreeing_with(mut self, good: bool) -> Self {
        if !good && self.failed == 0 {
            self.failed = 1;
        }
        self
    }
}

/// Runs the steps, all of them where `only` is empty; true where nothing failed.
pub(crate) fn run(workspace: &Workspace, only: &[Step]) -> Result<bool> {
    ensure!(
        std::env::set_current_dir(&workspace.root).is_ok(),
        "the project's folder is gone"
    );
    let chosen = |step: &&Step| only.is_empty() || only.contains(step);
    let mut done: Vec<(Step, Count, Duration)> = Vec::new();
    for step in Step::value_variants().iter().filter(chosen) {
        println!("\n=== {} ===", name(*step));
        let begun = Instant::now();
        let count = take(*step, workspace).unwrap_or_else(|error| {
            println!("{error:#}");
            Count::FAILED
        });
        done.push((*step, count, begun.elapsed()));
    }
    println!(
        "\n{:<8} {:>7} {:>7} {:>7} {:>9}",
        "step", "passed", "failed", "skipped", "seconds"
    );
    for (step, count, took) in &done {
        println!(
            "{:<8} {:>7} {:>7} {:>7} {:>9.1}",
            name(*step),
            count.passed,
            count.failed,
            count.skipped,
            took.as_secs_f64()
        );
    }
    let total = done
        .iter()
        .fold(Count::default(), |sum, (_, count, _)| sum.and(*count));
    let skipped = match total.skipped {
        0 => String::new(),
        some => format!(", {some} skipped"),
    };
    println!(
        "\n{} passed, {} failed{skipped}",
        total.passed, total.failed
    );
    Ok(total.failed == 0)
}

fn name(step: Step) -> String {
    step.to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

fn take(step: Step, workspace: &Workspace) -> Result<Count> {
    match step {
        Step::Tidy => tidy::report(workspace).map(Count::of),
        Step::Fmt => Ok(Count::of(
            command::watch(Command::new(cargo()).args(["fmt", "--all", "--check"]))?.good,
        )),
        Step::Clippy => Ok(Count::of(
            command::watch(
                Command::new(cargo())
                    .args([
                        "clippy",
                        "--workspace",
                        "--all-targets",
                        "--locked",
                        "--quiet",
                    ])
                    .args(["--", "--deny=warnings"]),
            )?
            .good,
        )),
        Step::Deny => deny(workspace),
        Step::Rust => rust(workspace),
        Step::Postgres => postgres(workspace),
        Step::Mutants => mutants(workspace),
        Step::Docs => docs(workspace),
        Step::Training => training(workspace),
        Step::Api => api(workspace),
        Step::Clients => clients(workspace),
        Step::Browser => browser(workspace),
    }
}

const ADVISORIES: &str = "https://github.com/RustSec/advisory-db";

fn deny(workspace: &Workspace) -> Result<Count> {
    let deny = provision::tool(workspace, Tool::Deny)?;
    let check = |what: &[&str]| {
        command::watch(
            Command::new(&deny)
                .args(["--workspace", "--locked", "check"])
                .args(what),
        )
    };
    let always = Count::of(check(&["licenses", "bans", "sources"])?.good);
    let reachable = command::answer(
        Command::new("timeout")
            .args(["20", "git", "ls-remote", "--quiet", ADVISORIES, "HEAD"])
            .env("GIT_TERMINAL_PROMPT", "0"),
    );
    let advisories = if reachable.is_some() {
        Count::of(check(&["advisories"])?.good)
    } else {
        println!("advisories: skipped, since {ADVISORIES} can't be reached from here");
        Count::SKIPPED
    };
    Ok(always.and(advisories))
}

fn rust(workspace: &Workspace) -> Result<Count> {
    nextest(provision_nextest(workspace)?.env_remove(postgres::VARIABLE))
}

fn postgres(workspace: &Workspace) -> Result<Count> {
    let server = postgres::Server::start(workspace, postgres::Durability::Fleeting)?;
    let mut crates = provision_nextest(workspace)?;
    // Everything that can open a database, the program itself aside: its tests open none.
    crates.args(["-E", "rdeps(db) and not package(pinhole)"]);
    server.lend(&mut crates);
    let crates = nextest(&mut crates)?;
    let program = program(workspace)?;
    provision::observers()?;
    let mut api = Command::new(python(workspace)?);
    server.lend(api.env("PINHOLE_BIN", program).arg("-m"));
    Ok(crates.and(pytest(side_by_side(&mut api), "tests/api")?))
}

fn mutants(workspace: &Workspace) -> Result<Count> {
    let (seen, unseen) = mutants::run(workspace, "")?;
    Ok(Count {
        passed: seen,
        failed: u32::try_from(unseen.len())?,
        skipped: 0,
    })
}

fn provision_nextest(workspace: &Workspace) -> Result<Command> {
    let mut command = Command::new(provision::tool(workspace, Tool::Nextest)?);
    command
        .args([
            "nextest",
            "run",
            "--workspace",
            "--locked",
            "--no-fail-fast",
        ])
        .args(["--cargo-quiet", "--color=never", "--no-tests=fail"])
        .args(["--status-level=slow", "--final-status-level=fail"])
        .args(["--config-file", "xtask/nextest.toml"]);
    Ok(command)
}

fn nextest(command: &mut Command) -> Result<Count> {
    let said = command::watch(command)?;
    Ok(last_counted(&said.lines, "Summary").agreeing_with(said.good))
}

/// Runs the examples in documentation, if there is one: without any, the round takes a minute of
/// linking for nothing.
fn docs(workspace: &Workspace) -> Result<Count> {
    let mut sources = workspace
        .files()?
        .into_iter()
        .filter(|file| file.ends_with(".rs"));
    let any = sources.any(|file| {
        let text = workspace.text(&file).ok().flatten().unwrap_or_default();
        text.lines().any(|line| {
            line.trim_start().strip_prefix("//").is_some_and(|rest| {
                rest.starts_with(['/', '!']) && rest[1..].trim_start().starts_with("```")
            })
        })
    });
    if !any {
        println!("no examples in the documentation");
        return Ok(Count::default());
    }
    let said = command::watch(Command::new(cargo()).args([
        "test",
        "--doc",
        "--workspace",
        "--locked",
        "--quiet",
    ]))?;
    let results = said
        .lines
        .iter()
        .filter(|line| line.starts_with("test result:"));
    let count = results.fold(Count::default(), |sum, line| sum.and(counted(line)));
    Ok(count.agreeing_with(said.good))
}

fn training(workspace: &Workspace) -> Result<Count> {
    pytest(Command::new(python(workspace)?).arg("-m"), "training/tests")
}

fn api(workspace: &Workspace) -> Result<Count> {
    let program = program(workspace)?;
    provision::observers()?;
    let mut api = Command::new(python(workspace)?);
    api.env("PINHOLE_BIN", &program).arg("-m");
    let api = pytest(side_by_side(&mut api), "tests/api")?;
    let scanners = provision::python_environment(
        &workspace.target.join("tools/scanners"),
        &workspace.root.join("tests/scanners/requirements.txt"),
    )?;
    let mut scan = Command::new(python(workspace)?);
    scan.env("PINHOLE_BIN", program)
        .env("PINHOLE_SQLMAP", scanners.join("bin/sqlmap"))
        .arg("-m");
    Ok(api.and(pytest(side_by_side(&mut scan), "tests/scanners")?))
}

/// Each test has a program of its own, and waits for it most of the time: one more at once than there
/// are cores.
fn side_by_side(pytest: &mut Command) -> &mut Command {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    pytest.env(
        "PYTEST_ADDOPTS",
        format!("--numprocesses={} --dist=worksteal", cores + 1),
    )
}

/// Python with what both rounds of pytest need.
fn python(workspace: &Workspace) -> Result<PathBuf> {
    let environment = provision::python_environment(
        &workspace.target.join("tools/api"),
        &workspace.root.join("tests/api/requirements.txt"),
    )?;
    Ok(environment.join("bin/python"))
}

fn pytest(python: &mut Command, tests: &str) -> Result<Count> {
    let said = command::watch(
        python
            .args(["pytest", "-p", "no:cacheprovider", "--color=no", "-q"])
            .args(["--durations=5", tests])
            .env("PYTHONDONTWRITEBYTECODE", "1"),
    )?;
    Ok(last_counted(&said.lines, " in ").agreeing_with(said.good))
}

fn clients(workspace: &Workspace) -> Result<Count> {
    let program = program(workspace)?;
    let folder = workspace.root.join("tests/clients");
    let environment = provision::python_environment(
        &workspace.target.join("tools/clients"),
        &folder.join("requirements.txt"),
    )?;
    let mut python = Command::new(environment.join("bin/python"));
    let in_python = pytest(
        python.env("PINHOLE_BIN", &program).arg("-m"),
        "tests/clients",
    )?;
    provision::node_modules(&folder)?;
    let in_node = node(
        Command::new("node").env("PINHOLE_BIN", program),
        workspace,
        "tests/clients/",
    )?;
    Ok(in_python.and(in_node))
}

fn browser(workspace: &Workspace) -> Result<Count> {
    let program = program(workspace)?;
    provision::node_modules(&workspace.root.join("tests/browser"))?;
    node(
        Command::new("node")
            .env("PINHOLE_BIN", program)
            .env("PINHOLE_CHROMIUM", provision::chromium()?)
            .env("PINHOLE_SCREENSHOTS", workspace.target.join("screenshots")),
        workspace,
        "tests/browser/",
    )
}

/// Runs the tests of a folder one after the other.
fn node(node: &mut Command, workspace: &Workspace, folder: &str) -> Result<Count> {
    let mut tests: Vec<String> = workspace.files()?;
    tests.retain(|file| file.starts_with(folder) && file.ends_with(".test.mjs"));
    ensure!(!tests.is_empty(), "there are no tests in {folder}");
    let said = command::watch(
        node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
            .args(tests),
    )?;
    Ok(node_counted(&said.lines).agreeing_with(said.good))
}

/// The program as the tests of the crates built it: same profile, same features, nothing twice.
fn program(workspace: &Workspace) -> Result<PathBuf> {
    command::must(Command::new(cargo()).args([
        "build",
        "--workspace",
        "--bins",
        "--tests",
        "--locked",
        "--quiet",
    ]))?;
    Ok(workspace.target.join("debug/pinhole"))
}

/// What the last line that contains `mark` counts.
fn last_counted(lines: &[String], mark: &str) -> Count {
    lines
        .iter()
        .rev()
        .find(|line| line.contains(mark))
        .map_or_else(Count::default, |line| counted(line))
}

/// Reads "2 failed, 31 passed, 1 skipped" and its kin.
fn counted(line: &str) -> Count {
    let words: Vec<&str> = line
        .split([' ', ',', ';', '(', ')'])
        .filter(|word| !word.is_empty())
        .collect();
    let mut count = Count::default();
    for pair in words.windows(2) {
        let Ok(number) = pair[0].parse::<u32>() else {
            continue;
        };
        match pair[1] {
            "passed" => count.passed += number,
            "failed" | "timed" | "error" | "errors" | "exec" => count.failed += number,
            "skipped" | "ignored" | "xfailed" => count.skipped += number,
            _ => {}
        }
    }
    count
}

/// Reads node's closing lines: "ℹ pass 12", "ℹ fail 0".
fn node_counted(lines: &[String]) -> Count {
    let number = |what: &str| {
        let mut lines = lines
            .iter()
            .rev()
            .map(|line| line.trim_start_matches(['ℹ', '#', ' ']));
        let rest = lines.find_map(|line| line.strip_prefix(what)?.strip_prefix(' '));
        rest.and_then(|rest| rest.trim().parse::<u32>().ok())
            .unwrap_or(0)
    };
    Count {
        passed: number("pass"),
        failed: number("fail") + number("cancelled"),
        skipped: number("skipped") + number("todo"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_read() {
        let nextest = "     Summary [   1.2s] 9 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 3 skipped";
        assert_eq!(
            counted(nextest),
            Count {
                passed: 6,
                failed: 3,
                skipped: 3
            }
        );
        let pytest = "2 failed, 31 passed, 1 skipped, 1 error in 12.20s";
        assert_eq!(
            counted(pytest),
            Count {
                passed: 31,
                failed: 3,
                skipped: 1
            }
        );
        let cargo = "test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(
            counted(cargo),
            Count {
                passed: 4,
                failed: 0,
                skipped: 1
            }
        );
    }

    #[test]
    fn node_is_read() {
        let lines = [
            "ℹ tests 7",
            "ℹ pass 4",
            "ℹ fail 1",
            "ℹ cancelled 1",
            "ℹ skipped 1",
        ];
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(
            node_counted(&lines),
            Count {
                passed: 4,
                failed: 2,
                skipped: 1
            }
        );
    }

    #[test]
    fn a_runner_that_died_is_a_failure() {
        assert_eq!(Count::default().agreeing_with(false), Count::FAILED);
        assert_eq!(Count::PASSED.agreeing_with(true), Count::PASSED);
    }
}
