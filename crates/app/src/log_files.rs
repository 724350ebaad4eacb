//! The log in files, one a day (UTC), each deleted 14 days after its day began, whether the program ran
//! meanwhile or not.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use domain::clock::{Clock, Moment};
use studio::jobs::worker::Stop;
use studio::privacy::inventory::LOG_KEPT_MS;
use tracing_subscriber::fmt::MakeWriter;

/// The same in days, as people count.
const KEPT_DAYS: u32 = (LOG_KEPT_MS / (24 * 60 * 60 * 1_000)) as u32;
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

/// Where the log goes.
#[derive(Args, Clone, Default)]
pub(crate) struct LogArgs {
    /// Folder in which the log is kept, in a file a day that is deleted after 14 days; erasures search it. Where
    /// others reach the house it is by default `logs` in the data folder, elsewhere the log goes to standard error
    #[arg(long, env = "PINHOLE_LOG_FOLDER", value_name = "FOLDER")]
    log_folder: Option<PathBuf>,

    /// The log goes to standard error, and whatever takes it from there deletes it after so many days, at most 14,
    /// as the privacy notice says
    #[arg(long, env = "PINHOLE_LOG_DAYS", value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=KEPT_DAYS as i64), conflicts_with = "log_folder")]
    log_days: Option<u32>,
}

impl LogArgs {
    /// The folder of its files; `None` where it goes to standard error.
    pub(crate) fn folder(&self, data: &Path, is_public: bool) -> Option<PathBuf> {
        match (&self.log_folder, self.log_days) {
            (Some(folder), _) => Some(folder.clone()),
            (None, None) if is_public => Some(data.join("logs")),
            (None, _) => None,
        }
    }
}

/// A log that is written into the file of its day. Several processes may share the folder: each line is
/// appended at once.
#[derive(Clone, Debug)]
pub(crate) struct LogFiles {
    folder: PathBuf,
    clock: Clock,
    open: Arc<Mutex<Option<(String, File)>>>,
}

impl LogFiles {
    /// Makes the folder, and makes sure that it can be written into.
    pub(crate) fn new(folder: &Path, clock: Clock) -> anyhow::Result<Self> {
        let files = Self {
            folder: folder.to_owned(),
            clock,
            open: Arc::default(),
        };
        let place = || {
            format!(
                "the log's folder {} can't be written into",
                folder.display()
            )
        };
        fs::create_dir_all(folder).with_context(place)?;
        files.sweep().with_context(place)?;
        files.file(&name(files.clock.now())).with_context(place)?;
        Ok(files)
    }

    fn file(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        options.open(self.folder.join(name))
    }

    /// Deletes the files whose time is over; gives how many.
    pub(crate) fn sweep(&self) -> io::Result<u32> {
        let now = self.clock.now();
        let mut deleted = 0;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let began = entry.file_name().to_str().and_then(day);
            if began.is_some_and(|began| began.plus_millis(LOG_KEPT_MS) <= now) {
                match fs::remove_file(entry.path()) {
                    Ok(()) => deleted += 1,
                    // Another process was quicker.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(deleted)
    }

    /// Sweeps every hour, until told to stop.
    pub(crate) async fn keep_sweeping(self, stop: Stop) {
        while !stop.is_set() {
            tokio::select! {
                () = tokio::time::sleep(SWEEP_EVERY) => {}
                () = stop.set() => break,
            }
            if let Err(error) = self.sweep() {
                tracing::error!(%error, "old files of the log could not be deleted; trying again in an hour");
            }
        }
    }
}

impl Write for &LogFiles {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let today = name(self.clock.now());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.as_ref().is_none_or(|(of, _)| *of != today) {
            *open = Some((today.clone(), self.file(&today)?));
        }
        match open.as_mut() {
            Some((_, file)) => file.write(line),
            None => Ok(line.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFiles {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

fn name(now: Moment) -> String {
    let day = now.civil();
    format!(
        "pinhole-{:04}-{:02}-{:02}.log",
        day.year, day.month, day.day
    )
}

/// When the day of a file began; `None` where it is no file of the log.
fn day(name: &str) -> Option<Moment> {
    let day = name.strip_prefix("pinhole-")?.strip_suffix(".log")?;
    Moment::start_of_day(day).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

    fn listed(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names
            .map(|name| name.into_string().expect("text"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn promise_use_04_a_line_of_the_log_is_gone_14_days_after_its_day() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("logs");
        let start = Moment::start_of_day("2026-11-23").expect("a day");
        let clock = Clock::manual(start.plus_millis(DAY_MS - 1));
        let files = LogFiles::new(&folder, clock.clone()).expect("opens");
        (&files).write_all(b"the first day\n").expect("writes");
        clock.advance_millis(1);
        (&files).write_all(b"the second\n").expect("writes");
        (&files).write_all(b"more of it\n").expect("writes");
        fs::write(folder.join("notes.txt"), "another's").expect("writes");
        let both = [
            "notes.txt",
            "pinhole-2026-11-23.log",
            "pinhole-2026-11-24.log",
        ];
        assert_eq!(listed(&folder), both);
        let second = fs::read_to_string(folder.join(both[2])).expect("reads");
        assert_eq!(second, "the second\nmore of it\n");
        clock.advance_millis(13 * DAY_MS - 1);
        assert_eq!(files.sweep().expect("sweeps"), 0);
        clock.advance_millis(1);
        assert_eq!(files.sweep().expect("sweeps"), 1);
        assert_eq!(listed(&folder), ["notes.txt", "pinhole-2026-11-24.log"]);
        // Also where nothing ran meanwhile.
        let later = Clock::manual(start.plus_millis(400 * DAY_MS));
        LogFiles::new(&folder, later).expect("opens");
        assert_eq!(listed(&folder), ["notes.txt", "pinhole-2027-12-28.log"]);
    }
}
