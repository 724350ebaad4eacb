//! Brings what the checks need to a machine that has cargo, Python and Node: Debian's packages,
//! tools, and two environments pinned by hashes. Whatever is there already is left alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::command;
use crate::workspace::{Workspace, cargo};

/// A tool of cargo's, with the version to build where no ready binary fits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tool {
    Deny,
    Nextest,
}

impl Tool {
    const fn binary(self) -> &'static str {
        match self {
            Self::Deny => "cargo-deny",
            Self::Nextest => "cargo-nextest",
        }
    }

    const fn version(self) -> &'static str {
        match self {
            Self::Deny => "0.20.2",
            Self::Nextest => "0.9.148",
        }
    }
}

/// The path of a tool, installed under `target/tools` at first use.
pub(crate) fn tool(workspace: &Workspace, tool: Tool) -> Result<PathBuf> {
    let tools = workspace.target.join("tools");
    let built = tools.join("bin").join(tool.binary());
    if built.is_file() {
        return Ok(built);
    }
    let requirements = workspace.root.join("xtask/tools/requirements.txt");
    match python_environment(&tools.join("wheels"), &requirements) {
        Ok(environment) => Ok(environment.join("bin").join(tool.binary())),
        Err(error) => {
            println!(
                "no ready {} for this machine, building it: {error:#}",
                tool.binary()
            );
            build(tool, &tools)?;
            Ok(built)
        }
    }
}

fn build(tool: Tool, tools: &Path) -> Result<()> {
    command::must(
        Command::new(cargo())
            .args(["install", "--locked", "--version", tool.version(), "--root"])
            .arg(tools)
            .arg(tool.binary()),
    )
}

/// A virtual environment in `folder` that holds exactly what `requirements` pins. Where a file
/// there has a hash, pip wants one for all of them, and checks it. Returns the folder.
pub(crate) fn python_environment(folder: &Path, requirements: &Path) -> Result<PathBuf> {
    let stamp = folder.join("installed.sha256");
    let wanted = digest(&[requirements])?;
    if std::fs::read_to_string(&stamp).is_ok_and(|there| there == wanted) {
        return Ok(folder.to_owned());
    }
    // Debian packs the means to make environments apart from Python.
    let can_make = Command::new("python3")
        .args(["-c", "import venv, ensurepip"])
        .output();
    if !can_make.is_ok_and(|output| output.status.success()) {
        debian(&["python3", "python3-venv"])?;
    }
    println!(
        "installing {} into {}",
        requirements.display(),
        folder.display()
    );
    command::must(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(folder),
    )?;
    command::must(
        Command::new(folder.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(["--no-deps", "--only-binary=:all:", "--requirement"])
            .arg(requirements),
    )?;
    std::fs::write(&stamp, wanted).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(folder.to_owned())
}

/// The packages of `folder`'s package-lock.json, in its `node_modules`.
pub(crate) fn node_modules(folder: &Path) -> Result<()> {
    let stamp = folder.join("node_modules/installed.sha256");
    let wanted = digest(&[
        &folder.join("package.json"),
        &folder.join("package-lock.json"),
    ])?;
    if std::fs::read_to_string(&stamp).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    if node_version().is_none() {
        debian(&["nodejs", "npm"])?;
    }
    let version = node_version().unwrap_or_default();
    ensure!(
        version >= MIN_NODE,
        "Node {version} is too old to drive a browser: install Node {MIN_NODE} or newer"
    );
    println!("installing the packages of {}", folder.display());
    command::must(
        Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(folder),
    )?;
    std::fs::write(&stamp, wanted).with_context(|| format!("writing {}", stamp.display()))
}

/// Playwright asks for it.
const MIN_NODE: u32 = 20;

/// The major version of Node, where Node and npm are there.
fn node_version() -> Option<u32> {
    command::answer(Command::new("npm").arg("--version"))?;
    let version = command::answer(Command::new("node").arg("--version"))?;
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Debian's Chromium, or the one that `PINHOLE_CHROMIUM` names.
pub(crate) fn chromium() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("PINHOLE_CHROMIUM") {
        return Ok(path.into());
    }
    let path = PathBuf::from("/usr/bin/chromium");
    if !path.is_file() {
        debian(&["chromium", "fonts-dejavu-core"])?;
    }
    Ok(path)
}

/// What watches the program from the outside: strace sees whom it connects to, faketime moves its clock.
pub(crate) fn observers() -> Result<()> {
    let missing =
        |program: &&str| command::answer(Command::new(program).arg("--version")).is_none();
    let packages: Vec<&str> = ["strace", "faketime"].into_iter().filter(missing).collect();
    if packages.is_empty() {
        return Ok(());
    }
    debian(&packages)
}

/// The folder of Postgres' own programs, initdb among them: on the path, or where Debian keeps
/// them, or installed now.
pub(crate) fn postgres() -> Result<PathBuf> {
    if let Some(found) = find_postgres() {
        return Ok(found);
    }
    debian(&["postgresql"])?;
    find_postgres().context("Postgres was installed, and its initdb is nowhere to be found")
}

fn find_postgres() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(|folder| {
        let all = ["initdb", "postgres", "pg_isready"];
        all.iter().all(|program| folder.join(program).is_file())
    });
    let debians = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
        let folders = versions.map(|version| version.path().join("bin"));
        folders.filter(|bin| bin.join("initdb").is_file()).max()
    };
    on_path.or_else(debians)
}

fn debian(packages: &[&str]) -> Result<()> {
    if command::answer(Command::new("apt-get").arg("--version")).is_none() {
        bail!("this machine has no apt-get; install what answers to {packages:?} and try again");
    }
    println!("installing Debian's packages {packages:?}");
    command::must(as_root("apt-get").args(["update", "--quiet=2"]))?;
    command::must(
        as_root("apt-get")
            .args(["install", "--quiet=2", "--yes", "--no-install-recommends"])
            .args(packages),
    )
}

fn as_root(program: &str) -> Command {
    let mut command = Command::new(if is_root() { "env" } else { "sudo" });
    command.args(["DEBIAN_FRONTEND=noninteractive", program]);
    command
}

pub(crate) fn is_root() -> bool {
    command::answer(Command::new("id").arg("-u")).is_some_and(|id| id == "0")
}

fn digest(files: &[&Path]) -> Result<String> {
    let mut hasher = Sha256::new();
    for file in files {
        let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        hasher.update(&bytes);
    }
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
