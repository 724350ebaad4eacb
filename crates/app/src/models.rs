//! `pinhole models`: the larger models, which are fetched when somebody asks for them.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use domain::recipient::{Register, Role};
use engine::catalogue::{Catalogue, Entry, Installed, LOCK_FILE, Lock, LockedFile};
use engine::diffusion::check_files;
use engine::{mini, shipped};
use indicatif::{ProgressBar, ProgressStyle};
use outside::hub::{Fetched, Hub, Order, OrderedFile, Progress, Stage};
use serde::Serialize;

use crate::place::{Place, Said};

/// The name is none that can be used: what the shell's own parser also answers with.
const USAGE: u8 = 2;

#[derive(Subcommand, Debug)]
pub(crate) enum ModelsCommand {
    /// List the built-in model and those that can be pulled, and which are here
    List {
        #[command(flatten)]
        which: Which,
        /// Print JSON, one object a model in a list
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model, or what is still missing of it, and check every file
    Pull {
        /// Its name, as `pinhole models list` prints it
        name: String,
        #[command(flatten)]
        which: Which,
        /// Print what was pulled as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show all that is known of a model
    Show {
        name: String,
        #[command(flatten)]
        which: Which,
        #[arg(long)]
        json: bool,
    },
    /// Delete a model's files, those of a broken pull too
    Remove {
        name: String,
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Which {
    /// A catalogue of your own (TOML), whose models are added to the built-in ones
    #[arg(long, env = "PINHOLE_CATALOGUE", value_name = "FILE")]
    catalogue: Option<PathBuf>,
}

impl Which {
    fn read(&self) -> Result<Catalogue> {
        Ok(Catalogue::with_file(self.catalogue.as_deref())?)
    }
}

/// Runs one of the commands over a folder of models.
pub(crate) fn run(command: ModelsCommand, models_dir: &Path, place: &Place) -> Result<ExitCode> {
    let built_in = shipped::settings()?;
    match command {
        ModelsCommand::List { which, json } => list(&built_in, &which.read()?, models_dir, json),
        ModelsCommand::Pull { name, .. } if name == built_in.name => print(&format!(
            "{name} is part of the program: there is nothing to fetch. Draw with it: \
             pinhole draw \"…\""
        )),
        ModelsCommand::Pull { name, which, json } => {
            let catalogue = which.read()?;
            match catalogue.find(&name) {
                Some(entry) => pull(entry, models_dir, json, place),
                None => Ok(unknown(&name, &catalogue)),
            }
        }
        ModelsCommand::Show { name, json, .. } if name == built_in.name => {
            show(&About::built_in(&built_in), json)
        }
        ModelsCommand::Show { name, which, json } => {
            let catalogue = which.read()?;
            match catalogue.find(&name) {
                Some(entry) => show(&About::of(entry, models_dir), json),
                None => Ok(unknown(&name, &catalogue)),
            }
        }
        ModelsCommand::Remove { name, .. } if name == built_in.name => {
            complain(&format!(
                "{name} is part of the program and stays. Others can be removed: \
                 `pinhole models list` shows which are here."
            ));
            Ok(ExitCode::from(USAGE))
        }
        ModelsCommand::Remove { name, which } => {
            let catalogue = which.read()?;
            let here = models_dir.join(&name).join(LOCK_FILE).exists() && plain(&name);
            if catalogue.find(&name).is_none() && !here {
                return Ok(unknown(&name, &catalogue));
            }
            remove(&name, models_dir)
        }
    }
}

/// All that a person or a script may want to know of a model.
#[derive(Serialize)]
struct About<'a> {
    name: &'a str,
    title: &'a str,
    about: &'a str,
    state: State,
    download_bytes: u64,
    memory_bytes: u64,
    /// What lies on the disk: a whole model or a part of one.
    disk_bytes: u64,
    size: String,
    licence: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    licence_url: Option<&'a str>,
    /// Absent where the model is part of the program.
    #[serde(flatten)]
    origin: Option<Origin<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<LockedFile>>,
}

/// Where the hub keeps it.
#[derive(Serialize)]
struct Origin<'a> {
    repo: &'a str,
    revision: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    BuiltIn,
    Installed,
    Partial,
    Available,
    NotYet,
}

impl State {
    const fn words(self) -> &'static str {
        match self {
            Self::BuiltIn => "built in",
            Self::Installed => "installed",
            Self::Partial => "partly pulled",
            Self::Available => "available",
            Self::NotYet => "not yet",
        }
    }
}

impl<'a> About<'a> {
    fn built_in(settings: &'a mini::Settings) -> Self {
        Self {
            name: &settings.name,
            title: &settings.title,
            about: &settings.about,
            state: State::BuiltIn,
            download_bytes: 0,
            memory_bytes: shipped::loaded_bytes() + settings.drawing_bytes(1),
            disk_bytes: 0,
            size: format!("{0}x{0}", settings.size),
            licence: &settings.licence,
            licence_url: None,
            origin: None,
            files: None,
        }
    }

    fn of(entry: &'a Entry, models_dir: &Path) -> Self {
        let installed = Installed::find(entry, models_dir);
        let partial = bytes_under(&partial_of(models_dir, entry.name.as_str()));
        let state = match (&installed, &partial) {
            _ if !entry.can_draw() => State::NotYet,
            (Some(_), _) => State::Installed,
            (None, Ok(_)) => State::Partial,
            (None, Err(_)) => State::Available,
        };
        let held = installed.as_ref().map_or(0, Installed::bytes);
        Self {
            name: entry.name.as_str(),
            title: &entry.title,
            about: &entry.about,
            state,
            download_bytes: entry.download_mib << 20,
            memory_bytes: entry.memory_mib << 20,
            disk_bytes: held + partial.unwrap_or(0),
            size: entry.size.to_string(),
            licence: &entry.licence,
            licence_url: Some(&entry.licence_url),
            origin: Some(Origin {
                repo: &entry.repo,
                revision: &entry.revision,
            }),
            files: installed.map(|installed| installed.lock.files),
        }
    }
}

impl About<'_> {
    fn download(&self) -> String {
        match self.state {
            State::BuiltIn => "none".to_owned(),
            _ => in_words(self.download_bytes),
        }
    }
}

fn list(
    built_in: &mini::Settings,
    catalogue: &Catalogue,
    models_dir: &Path,
    json: bool,
) -> Result<ExitCode> {
    let others = catalogue.entries().iter();
    let others = others.map(|entry| About::of(entry, models_dir));
    let mut models: Vec<About<'_>> = std::iter::once(About::built_in(built_in))
        .chain(others)
        .collect();
    for model in &mut models {
        model.files = None;
    }
    if json {
        return print(&serde_json::to_string_pretty(&models)?);
    }
    let rows = models.iter().map(|model| {
        [
            model.name.to_owned(),
            model.download(),
            in_words(model.memory_bytes),
            model.state.words().to_owned(),
            model.licence.to_owned(),
        ]
    });
    let head = ["NAME", "DOWNLOAD", "MEMORY", "STATE", "LICENCE"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(rows).collect();
    let mut text = table(&rows);
    text += "\n\n`pinhole models show NAME` tells more, `pinhole models pull NAME` fetches one.\n\
             `not yet`: the engine can't draw with these so far.";
    print(&text)
}

fn show(model: &About<'_>, json: bool) -> Result<ExitCode> {
    if json {
        return print(&serde_json::to_string_pretty(model)?);
    }
    let mut text = format!("{} ({})\n{}\n\n", model.title, model.name, model.about);
    let licence = std::iter::once(model.licence).chain(model.licence_url);
    let origin = model.origin.as_ref().map_or_else(
        || "the program itself".to_owned(),
        |Origin { repo, revision }| format!("{repo} at {revision}"),
    );
    let lines = [
        ("State", model.state.words().to_owned()),
        ("Draws", format!("{} unless told otherwise", model.size)),
        ("Download", model.download()),
        (
            "Memory",
            format!("about {} for one picture", in_words(model.memory_bytes)),
        ),
        ("On disk", in_words(model.disk_bytes)),
        ("Licence", licence.collect::<Vec<_>>().join(", ")),
        ("From", origin),
    ];
    for (name, value) in lines {
        text += &format!("{name:<10}{value}\n");
    }
    for file in model.files.iter().flatten() {
        text += &format!("\n{}  {:>12}  {}", file.sha256, file.bytes, file.path);
    }
    print(text.trim_end())
}

fn pull(entry: &Entry, models_dir: &Path, json: bool, place: &Place) -> Result<ExitCode> {
    let name = entry.name.as_str();
    if !entry.can_draw() {
        complain(&format!(
            "{name} can't be drawn with yet, so it is not fetched. `pinhole models list` shows \
             which models can."
        ));
        return Ok(ExitCode::from(USAGE));
    }
    if let Some(installed) = Installed::find(entry, models_dir) {
        check_files(&installed).with_context(|| {
            format!("{name} is installed and damaged: `pinhole models remove {name}`, then pull it")
        })?;
        return pulled(
            &installed,
            "is already here, and every file is as it was pulled",
            json,
        );
    }
    if !json {
        print(&format!(
            "{}, about {} from {}\nLicence: {} ({})",
            entry.title,
            in_words(entry.download_mib << 20),
            entry.repo,
            entry.licence,
            entry.licence_url
        ))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let fetched = runtime.block_on(fetch(
        entry,
        models_dir,
        &place.recipients(&Said::default())?,
    ))?;
    let lock = lock_of(entry, &fetched);
    fetched.settle(LOCK_FILE, &serde_json::to_string_pretty(&lock)?)?;
    let Some(installed) = Installed::find(entry, models_dir) else {
        bail!("{name} was pulled and is gone again: is something else cleaning the folder?");
    };
    pulled(&installed, "is here, and every file's hash is right", json)
}

/// Fetches with a progress bar where there is a terminal.
async fn fetch(entry: &Entry, models_dir: &Path, register: &Register) -> Result<Fetched> {
    let file = |file: &engine::catalogue::Wanted| OrderedFile {
        path: file.path.clone(),
        bytes: file.bytes,
        sha256: file.sha256.clone(),
    };
    let order = Order {
        name: entry.name.to_string(),
        repo: entry.repo.clone(),
        revision: entry.revision.clone(),
        files: entry.files.iter().map(file).collect(),
    };
    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template(
        "{bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} {wide_msg}",
    )?);
    let told = |progress: Progress<'_>| {
        bar.set_length(progress.total_bytes);
        bar.set_position(progress.done_bytes);
        bar.set_message(match progress.stage {
            Stage::Fetching => progress.file.to_owned(),
            Stage::Checking => format!("checking {}", progress.file),
        });
    };
    let hub = register.find(Role::Hub);
    let hub = hub.context("no model hub is in the register of recipients")?;
    let fetched = Hub::with_token_of_environment(hub)?
        .pull(&order, models_dir, &told)
        .await;
    bar.finish_and_clear();
    Ok(fetched?)
}

fn lock_of(entry: &Entry, fetched: &Fetched) -> Lock {
    let file = |file: &outside::hub::FetchedFile| LockedFile {
        path: file.path.clone(),
        bytes: file.bytes,
        sha256: file.sha256.clone(),
    };
    Lock {
        model: entry.name.clone(),
        repo: entry.repo.clone(),
        revision: entry.revision.clone(),
        commit: fetched.commit.clone(),
        licence: entry.licence.clone(),
        files: fetched.files.iter().map(file).collect(),
    }
}

fn pulled(installed: &Installed, says: &str, json: bool) -> Result<ExitCode> {
    if json {
        return print(&serde_json::to_string_pretty(&installed.lock)?);
    }
    print(&format!(
        "{} {says}. Draw with it: pinhole draw --model {} \"…\"",
        installed.entry.title, installed.entry.name
    ))
}

fn remove(name: &str, models_dir: &Path) -> Result<ExitCode> {
    let mut freed = None;
    for folder in [models_dir.join(name), partial_of(models_dir, name)] {
        if !folder.exists() {
            continue;
        }
        let bytes = bytes_under(&folder).unwrap_or(0);
        let failed = || {
            format!(
                "{} can't be deleted; check who may write there",
                folder.display()
            )
        };
        fs::remove_dir_all(&folder).with_context(failed)?;
        freed = Some(freed.unwrap_or(0) + bytes);
    }
    match freed {
        Some(bytes) => print(&format!(
            "{name} is removed; {} are free again.",
            in_words(bytes)
        )),
        None => bail!("{name} is not installed, so there is nothing to remove"),
    }
}

/// What [`Hub::pull`] fills.
fn partial_of(models_dir: &Path, name: &str) -> PathBuf {
    models_dir.join(format!("{name}.partial"))
}

fn bytes_under(folder: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        sum += if found.is_dir() {
            bytes_under(&entry.path())?
        } else {
            found.len()
        };
    }
    Ok(sum)
}

/// A name that leads nowhere else.
fn plain(name: &str) -> bool {
    !name.starts_with('.')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
}

fn unknown(name: &str, catalogue: &Catalogue) -> ExitCode {
    let known: Vec<&str> = catalogue
        .entries()
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    complain(&format!(
        "there is no model called {name}. There are: {}",
        known.join(", ")
    ));
    ExitCode::from(USAGE)
}

/// As people count bytes on disks.
fn in_words(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

fn table(rows: &[[String; 5]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let line = |row: &[String; 5]| {
        let cells = row
            .iter()
            .enumerate()
            .map(|(i, cell)| format!("{cell:<0$}", width(i)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn print(text: &str) -> Result<ExitCode> {
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

fn complain(text: &str) {
    // Nobody is left to tell when this fails.
    drop(writeln!(io::stderr().lock(), "pinhole: {text}"));
}
