//! Searches the whole house for whatever should be gone: every column of the database, and every file
//! of the data folder byte by byte, for each mark in each form.

mod columns;
mod files;
pub mod forms;
mod held;
mod needles;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use self::files::{Class, Opened};
use self::needles::Needles;
use super::marks::{self, Kind, Mark};
use super::steps::Work;
use crate::{Failure, Studio};

/// Where the house is.
#[derive(Clone, Debug, Default)]
pub struct Ground {
    /// Where everything is kept but what a database server keeps; absent where nothing is on a disk.
    pub data: Option<PathBuf>,
    /// Folders in it that hold nothing about anybody: weights.
    pub skipped: Vec<PathBuf>,
    /// Where the operator keeps the log, if it is known.
    pub log: Option<PathBuf>,
    /// Whether letters are sent from here.
    pub sends_letters: bool,
}

impl Ground {
    fn files(&self) -> Vec<(Class, PathBuf)> {
        let mut files = Vec::new();
        if let Some(data) = &self.data {
            let below = files::below(data, &self.skipped);
            let below = below.into_iter().map(|file| (class(data, &file), file));
            // SQLite's index of its log: it holds numbers of pages, and its locks.
            files.extend(below.filter(|(_, file)| !file.to_string_lossy().ends_with(".db-shm")));
        }
        if let Some(log) = &self.log {
            let below = files::below(log, &[]);
            files.extend(below.into_iter().map(|file| (Class::Log, file)));
        }
        files
    }
}

fn class(data: &Path, file: &Path) -> Class {
    let name = file.strip_prefix(data).unwrap_or(file).to_string_lossy();
    if name.starts_with("pinhole.db") {
        Class::Database
    } else if name.starts_with("keys") {
        Class::Keys
    } else if name.starts_with("blobs") {
        Class::Shelf
    } else {
        Class::Other
    }
}

/// What was read and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Marks that were looked for, by kind.
    pub marks: BTreeMap<Kind, u64>,
    /// Of those, how many stand in the books, where they were not looked for.
    pub marks_in_books: u64,
    /// Of those, how many others have as well, such as the same words.
    pub marks_of_others: u64,
    /// In all forms together.
    pub needles: u64,
    pub columns: u64,
    pub rows: u64,
    pub files: BTreeMap<String, Files>,
    pub bytes: u64,
    /// Files that are there and could not be read.
    pub files_closed: u64,
    /// How long it took.
    pub ms: u64,
    pub residue: Vec<Residue>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    pub files: u64,
    pub bytes: u64,
}

/// Something that should be gone and is not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Residue {
    /// The table, or the kind of file.
    pub place: String,
    pub kind: Kind,
    pub times: u64,
}

pub(super) async fn search(
    studio: &Studio,
    ground: &Ground,
    work: &Work,
) -> Result<Found, Failure> {
    let began = Instant::now();
    let mut marks = marks::all(studio, work).await?;
    if work.is_held() {
        // What is held bears these numbers.
        let is_of_held = |mark: &Mark| {
            mark.kind == Kind::Id
                && ["per_", "job_", "pic_"]
                    .iter()
                    .any(|lead| mark.text.starts_with(lead))
        };
        marks.retain(|mark| !is_of_held(mark));
    }
    let is_kept = |mark: &Mark| {
        let in_books = mark.text.starts_with("per_") || mark.text.starts_with("job_");
        mark.kind == Kind::Id && in_books && work.plan.has_books()
            // The proof of the erasure bears the person's number.
            || mark.text == work.person.to_string()
    };
    let kept: Vec<bool> = marks.iter().map(is_kept).collect();
    let everything = needles(&marks, |_| true);
    let unkept = needles(&marks, |number| !kept[number]);
    let tx = studio.db.read().await?;
    let person = work.person.to_string();
    let columns = columns::search(tx, &person, &everything, &unkept).await?;

    let mut found = Found {
        marks_in_books: kept.iter().filter(|kept| **kept).count() as u64,
        needles: everything.len() as u64,
        columns: columns.columns,
        rows: columns.rows,
        ..Found::default()
    };
    for mark in &marks {
        *found.marks.entry(mark.kind).or_default() += 1;
    }
    let mut residue = BTreeMap::new();
    // The same words, name, address or picture may be somebody else's; a number or a key may not.
    let mut of_others = BTreeSet::new();
    for hit in columns.hits {
        let kind = marks[hit.mark].kind;
        let may_be_anothers = !matches!(kind, Kind::Id | Kind::Secret | Kind::File);
        if hit.is_anothers && may_be_anothers {
            of_others.insert(hit.mark);
        } else {
            *residue.entry((hit.table, kind)).or_default() += 1;
        }
    }
    found.marks_of_others = of_others.len() as u64;

    let files = ground.files();
    let classes: Vec<Class> = files.iter().map(|(class, _)| *class).collect();
    let read = tokio::task::spawn_blocking(move || {
        let with: Vec<_> = files
            .into_iter()
            .map(|(class, file)| match class {
                Class::Database | Class::Keys => (file, &unkept, Opened::BySqlite),
                _ => (file, &everything, Opened::ByNobody),
            })
            .collect();
        files::read_all(&with)
    });
    let read = read.await.map_err(|_| Failure::Stopping)?;
    for (class, file) in classes.into_iter().zip(read) {
        let of_class = found.files.entry(class.name().to_owned()).or_default();
        of_class.files += 1;
        of_class.bytes += file.bytes;
        found.bytes += file.bytes;
        found.files_closed += u64::from(file.is_closed);
        for mark in file.marks {
            if class != Class::Database || !of_others.contains(&mark) {
                let place = (class.name().to_owned(), marks[mark].kind);
                *residue.entry(place).or_default() += 1;
            }
        }
    }
    found.residue = residue
        .into_iter()
        .map(|((place, kind), times)| Residue { place, kind, times })
        .collect();
    found.ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(found)
}

/// Every form of the marks that are wanted, each text once. Of a file's key, its name is looked for.
fn needles(marks: &[Mark], wanted: impl Fn(usize) -> bool) -> Needles {
    let mut known = BTreeSet::new();
    let marks = marks.iter().enumerate();
    let texts = marks.filter(|(number, _)| wanted(*number));
    let texts = texts.map(|(number, mark)| (number, wording(mark)));
    let once = texts.filter(|(_, text)| known.insert(*text));
    Needles::new(once.flat_map(|(number, text)| {
        let forms = forms::of(text).into_iter();
        forms.map(move |form| (number, form))
    }))
}

/// `pic_…` of `pictures/pic_….png`
fn wording(mark: &Mark) -> &str {
    match mark.kind {
        Kind::File => {
            let name = mark.text.rsplit('/').next().unwrap_or(&mark.text);
            name.split('.').next().unwrap_or(name)
        }
        _ => &mark.text,
    }
}
