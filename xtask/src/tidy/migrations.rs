//! A migration that landed is never edited: somebody's database has already run it.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::Finding;
use crate::command;
use crate::workspace::Workspace;

const LIST: &str = "migrations/checksums.txt";

/// Compares the migrations with their checksums, and the list with its own past.
pub(super) fn check(workspace: &Workspace) -> Result<Vec<Finding>> {
    let list = std::fs::read_to_string(workspace.root.join(LIST)).unwrap_or_default();
    let mut found = compare(&present(workspace)?, &recorded(&list));
    let past = command::answer(
        Command::new("git")
            .args(["log", "--format=", "--unified=0", "--patch", "--", LIST])
            .current_dir(&workspace.root),
    );
    found.extend(lost(&past.unwrap_or_default()).into_iter().map(|line| {
        Finding::new(
            LIST,
            format!("this line was here and is gone, but the list only grows: {line}"),
        )
    }));
    Ok(found)
}

/// Adds the migrations that are not on the list yet.
pub(crate) fn record(workspace: &Workspace) -> Result<()> {
    let path = workspace.root.join(LIST);
    let mut list = std::fs::read_to_string(&path).unwrap_or_default();
    let known = recorded(&list);
    for (name, checksum) in present(workspace)? {
        if !known.contains_key(&name) {
            list.push_str(&format!("{checksum}  {name}\n"));
        }
    }
    std::fs::write(&path, list).with_context(|| format!("writing {}", path.display()))
}

/// Names and SHA-256 of the migrations in the tree.
fn present(workspace: &Workspace) -> Result<BTreeMap<String, String>> {
    let mut present = BTreeMap::new();
    for file in workspace.files()? {
        if let Some(name) = file.strip_prefix("migrations/")
            && name.ends_with(".sql")
        {
            let bytes = std::fs::read(workspace.root.join(&file))?;
            let checksum = Sha256::digest(&bytes)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            present.insert(name.to_owned(), checksum);
        }
    }
    Ok(present)
}

/// The list as `sha256sum` writes it: checksum, two blanks, name.
fn recorded(list: &str) -> BTreeMap<String, String> {
    let pairs = list.lines().filter_map(|line| line.split_once("  "));
    pairs
        .map(|(checksum, name)| (name.to_owned(), checksum.to_owned()))
        .collect()
}

fn compare(
    present: &BTreeMap<String, String>,
    recorded: &BTreeMap<String, String>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, checksum) in present {
        let says = match recorded.get(name) {
            None => "not on the list yet: cargo xtask tidy --record-migrations",
            Some(known) if known != checksum => {
                "was edited after it landed; put it back and write a new migration"
            }
            Some(_) => continue,
        };
        found.push(Finding::new(format!("migrations/{name}"), says));
    }
    let gone = recorded.keys().filter(|name| !present.contains_key(*name));
    found.extend(gone.map(|name| {
        Finding::new(
            format!("migrations/{name}"),
            "landed once and is gone; put it back",
        )
    }));
    found
}

/// Lines that a history of patches took away and did not put back.
fn lost(patches: &str) -> Vec<String> {
    let lines = |sign: char| {
        let signed = patches
            .lines()
            .filter_map(move |line| line.strip_prefix(sign));
        signed
            .filter(move |line| line.contains("  ") && !line.starts_with(sign))
            .map(str::to_owned)
    };
    let mut balance: BTreeMap<String, i32> = BTreeMap::new();
    lines('+').for_each(|line| *balance.entry(line).or_default() += 1);
    lines('-').for_each(|line| *balance.entry(line).or_default() -= 1);
    balance
        .into_iter()
        .filter(|(_, count)| *count <= 0)
        .map(|(line, _)| line)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    }

    #[test]
    fn edited_new_and_missing_migrations_are_found() {
        let recorded = recorded("aa  0001_jobs.sql\nbb  0002_pictures.sql\n");
        assert_eq!(
            compare(
                &map(&[("0001_jobs.sql", "aa"), ("0002_pictures.sql", "bb")]),
                &recorded
            ),
            []
        );
        let found = compare(
            &map(&[("0001_jobs.sql", "ab"), ("0003_people.sql", "cc")]),
            &recorded,
        );
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn the_list_only_grows() {
        let grown = "@@ -0,0 +1 @@\n+aa  0001_jobs.sql\n@@ -1,0 +2 @@\n+bb  0002_pictures.sql\n";
        assert!(lost(grown).is_empty());
        let edited = format!("@@ -1 +1 @@\n-aa  0001_jobs.sql\n+ab  0001_jobs.sql\n{grown}");
        assert_eq!(lost(&edited), ["aa  0001_jobs.sql"]);
    }
}
