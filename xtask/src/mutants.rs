//! `cargo xtask mutants`: breaks each promise on purpose, and looks whether a test sees it.
//!
//! A mutant is an expression of the program with another in its place. All of them are compiled into one
//! copy of the sources, each behind a look at an environment variable, so that there is one build however
//! many there are (mutant schemata: Untch, Offutt and Harrold, 1993). Without the variable the copy
//! behaves as the original, and every test that is named here must pass; with it, that one must fail.

mod authorities;
mod billing;
mod coming;
mod help;
mod list;
mod organisations;
mod sharing;
mod staff;
mod terms;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::provision::{self, Tool};
use crate::workspace::Workspace;

const VARIABLE: &str = "PINHOLE_MUTANT";

/// One way to break a promise.
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    /// As in `docs/promises.md`.
    pub(crate) promise: &'static str,
    pub(crate) file: &'static str,
    /// An expression that stands in the file once.
    pub(crate) original: &'static str,
    /// One of the same type, with which the promise is broken.
    pub(crate) broken: &'static str,
    /// The test that must see it.
    pub(crate) test: &'static str,
}

/// Every way to break a promise that a test must see.
pub(crate) fn all() -> impl Iterator<Item = &'static Mutant> {
    let lists = [
        list::MUTANTS,
        coming::COMING,
        billing::MUTANTS,
        staff::MUTANTS,
        organisations::MUTANTS,
        terms::MUTANTS,
        told::TOLD,
        help::MUTANTS,
        sharing::MUTANTS,
        authorities::MUTANTS,
    ];
    lists.into_iter().flatten()
}

/// Runs those whose name contains `only`; gives how many were seen, and which were not.
pub(crate) fn run(workspace: &Workspace, only: &str) -> Result<(u32, Vec<&'static str>)> {
    let chosen: Vec<&Mutant> = all().filter(|mutant| mutant.name.contains(only)).collect();
    ensure!(!chosen.is_empty(), "no mutant has {only} in its name");
    let tree = copy(workspace)?;
    let tests: BTreeSet<&str> = chosen.iter().map(|mutant| mutant.test).collect();
    let filters: Vec<String> = tests.iter().map(|test| filter(test)).collect();
    println!("{} mutants, {} tests", chosen.len(), tests.len());
    let sound = nextest(workspace, &tree, &filters.join(" or "), None)?;
    ensure!(
        sound,
        "the tests fail without any mutant: mend that first (the copy is in {})",
        tree.display()
    );
    let (mut seen, mut unseen) = (0, Vec::new());
    for mutant in chosen {
        let survives = nextest(workspace, &tree, &filter(mutant.test), Some(mutant.name))?;
        let said = if survives { "NOT SEEN" } else { "seen" };
        println!(
            "{said:<9} {:<8} {} by {}",
            mutant.promise, mutant.name, mutant.test
        );
        if survives {
            unseen.push(mutant.name);
        } else {
            seen += 1;
        }
    }
    Ok((seen, unseen))
}

fn filter(test: &str) -> String {
    format!("test(/(^|::){test}$/)")
}

/// True where the tests pass. A build that fails is an error.
fn nextest(workspace: &Workspace, tree: &Path, filter: &str, mutant: Option<&str>) -> Result<bool> {
    let mut command = Command::new(provision::tool(workspace, Tool::Nextest)?);
    command
        .current_dir(tree)
        .args(["nextest", "run", "--workspace", "--lib"])
        .args(["--test", "story", "--test", "web"])
        .args(["--cargo-quiet", "--color=never", "--no-tests=fail"])
        .args(["--status-level=none", "--final-status-level=none"])
        .args(["--failure-output=never", "--config-file"])
        .arg(workspace.root.join("xtask/nextest.toml"))
        .args(["-E", filter])
        // What is not of the workspace was built there already.
        .env("CARGO_TARGET_DIR", &workspace.target)
        .env_remove(crate::postgres::VARIABLE)
        .env_remove(VARIABLE)
        .envs(mutant.map(|name| (VARIABLE, name)));
    let output = command.output().context("nextest did not start")?;
    match output.status.code() {
        Some(0) => Ok(true),
        // Of nextest: tests ran, and some failed.
        Some(100) => Ok(false),
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            anyhow::bail!("{mutant:?} could not be tried:\n{said}")
        }
    }
}

/// The sources with every mutant in them. What did not change since the last time stays as it is, so
/// that little is built again.
fn copy(workspace: &Workspace) -> Result<PathBuf> {
    let tree = workspace.target.join("mutants");
    let mut of_file: BTreeMap<&str, Vec<&Mutant>> = BTreeMap::new();
    for mutant in all() {
        of_file.entry(mutant.file).or_default().push(mutant);
    }
    let mut kept = BTreeSet::new();
    for file in workspace.files()? {
        let source = workspace.root.join(&file);
        if !source.is_file() {
            continue;
        }
        let mut bytes = std::fs::read(&source)?;
        if let Some(mutants) = of_file.remove(file.as_str()) {
            let text = String::from_utf8(bytes).with_context(|| file.clone())?;
            bytes = mutated(&text, &mutants)?.into_bytes();
        }
        if file == "Cargo.toml" {
            bytes = versioned(&String::from_utf8(bytes)?)?.into_bytes();
        }
        let target = tree.join(&file);
        if std::fs::read(&target).ok().as_ref() != Some(&bytes) {
            if let Some(folder) = target.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(&target, bytes)?;
        }
        kept.insert(target);
    }
    let missing: Vec<&str> = of_file.into_keys().collect();
    ensure!(
        missing.is_empty(),
        "mutants of files that are not there: {missing:?}"
    );
    forget_others(&tree, &kept)?;
    Ok(tree)
}

/// The manifest with a version of its own: what is built of the copy must never pass for the program,
/// and Cargo tells two packages apart by their versions, but not by the folder of their workspace.
fn versioned(manifest: &str) -> Result<String> {
    let mut parts = manifest.splitn(2, "\nversion = \"");
    let (Some(before), Some(rest)) = (parts.next(), parts.next()) else {
        anyhow::bail!("the workspace's Cargo.toml names no version");
    };
    let (version, after) = rest.split_once('"').context("a version without an end")?;
    Ok(format!("{before}\nversion = \"{version}+mutants\"{after}"))
}

/// Takes out what was deleted in the sources since.
fn forget_others(folder: &Path, kept: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            forget_others(&path, kept)?;
        } else if !kept.contains(&path) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn mutated(text: &str, mutants: &[&Mutant]) -> Result<String> {
    let mut text = text.to_owned();
    for mutant in mutants {
        let Mutant {
            name,
            file,
            original,
            broken,
            ..
        } = mutant;
        let times = text.matches(original).count();
        ensure!(
            times == 1,
            "{name}: {original:?} stands {times} times in {file}, and should once"
        );
        let either = format!(
            "(if std::env::var_os({VARIABLE:?}).is_some_and(|on| on == {name:?}) {{ {broken} }} else {{ {original} }})"
        );
        text = text.replace(original, &either);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_given_once_and_no_mutant_is_its_original() {
        let names: BTreeSet<&str> = all().map(|mutant| mutant.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(all().all(|mutant| mutant.original != mutant.broken));
    }

    #[test]
    fn the_copy_has_a_version_of_its_own() {
        let manifest = "[workspace.package]\nversion = \"0.1.0\"\nedition = \"2024\"\n";
        let other = versioned(manifest).expect("a version");
        assert_eq!(
            other,
            "[workspace.package]\nversion = \"0.1.0+mutants\"\nedition = \"2024\"\n"
        );
        assert!(versioned("[workspace]\n").is_err());
    }

    #[test]
    fn an_expression_that_is_not_there_once_is_an_error() {
        let mutant = Mutant {
            name: "m",
            promise: "X-01",
            file: "a.rs",
            original: "a + b",
            broken: "a - b",
            test: "t",
        };
        let twice = mutated("let c = a + b; let d = a + b;", &[&mutant]);
        assert!(twice.is_err());
        assert!(mutated("let c = b;", &[&mutant]).is_err());
        let once = mutated("let c = a + b;", &[&mutant]).expect("once");
        assert!(once.contains("{ a - b } else { a + b }"), "{once}");
    }
}
