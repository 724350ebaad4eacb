//! Where the rows and the files of a running house are.

use std::fs::{self, File, TryLockError};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail};
use db::{Db, Location};

/// A Postgres address. It may hold a password, so it can't be printed.
#[derive(Clone)]
pub(crate) struct Address(String);

impl FromStr for Address {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self(text.to_owned()));
        }
        Err(
            "a database address begins with postgres://; leave it out for a SQLite file in the data folder",
        )
    }
}

#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) data: PathBuf,
    location: Location,
}

impl Place {
    /// Without an address, the rows are in a SQLite file of the data folder.
    pub(crate) fn new(data: PathBuf, database: Option<Address>) -> Self {
        let location = database.map_or_else(
            || Location::File(data.join("pinhole.db")),
            |Address(url)| Location::Postgres(url),
        );
        Self { data, location }
    }

    /// Makes the data folder. With SQLite it also makes sure that this process alone works in it,
    /// for as long as the answer is kept; on Postgres several may.
    pub(crate) fn claim(&self) -> anyhow::Result<Option<File>> {
        let data = &self.data;
        let advice = || {
            format!(
                "the data folder {} can't be written. Make it writable, or name another one: \
                 PINHOLE_DATA=/path/to/folder pinhole",
                data.display()
            )
        };
        fs::create_dir_all(data).with_context(advice)?;
        if matches!(self.location, Location::Postgres(_)) {
            return Ok(None);
        }
        let lock = File::create(data.join("lock")).with_context(advice)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => bail!(
                "another Pinhole is using the data folder {}. Stop it, or name another folder: \
                 PINHOLE_DATA=/path/to/folder pinhole",
                data.display()
            ),
            Err(TryLockError::Error(error)) => Err(error).with_context(advice),
        }
    }

    pub(crate) async fn database(&self) -> anyhow::Result<Db> {
        Db::open(&self.location)
            .await
            .with_context(|| match &self.location {
                Location::File(file) => format!("{} can't be used", file.display()),
                Location::Postgres(_) => {
                    "the database that PINHOLE_DATABASE names can't be used".to_owned()
                }
            })
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.data.join("models")
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.data.join("blobs")
    }
}
