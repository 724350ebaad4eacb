//! Who is who in this house: addresses from its settings, and the rest from a file of the operator's.

use std::path::{Path, PathBuf};

use domain::recipient::{Register, Role, Stated, Transfer};
use outside::hub;
use serde::Deserialize;

/// Where the operator says who is who.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// A file of what only the operator knows (TOML), with a part for each role.
    pub stated: Option<PathBuf>,
    pub mail: Option<String>,
    pub database: Option<String>,
    /// Another model hub than the usual one.
    pub hub: Option<String>,
    pub witnesses: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    mail: Stated,
    database: Stated,
    hub: Stated,
}

#[derive(Debug, thiserror::Error)]
pub enum BadRegister {
    #[error("the file of recipients {file} can't be read: {cause}")]
    Unreadable { file: String, cause: std::io::Error },
    #[error("the file of recipients {file}, line {line}: {says}")]
    Wrong {
        file: String,
        line: usize,
        says: String,
    },
    #[error(
        "the file of recipients, [{0}]: whoever is certified for the EU-US Data Privacy Framework is so since a day. State it: transfer_since = \"2026-01-31\""
    )]
    NoDate(&'static str),
}

/// Everybody to whom this house can connect.
pub fn register(settings: &Settings) -> Result<Register, BadRegister> {
    let written = match &settings.stated {
        None => Written::default(),
        Some(file) => read(file)?,
    };
    let (role, address) = match &settings.hub {
        None => (Role::Hub, hub::DEFAULT_ENDPOINT.to_owned()),
        Some(endpoint) => (Role::Hub, endpoint.clone()),
    };
    let mut of_hub = written.hub;
    if address == hub::DEFAULT_ENDPOINT {
        of_hub.hosts.extend(hub::DEFAULT_STORES.map(str::to_owned));
        let known = || "Hugging Face".to_owned();
        of_hub.name.get_or_insert_with(known);
    }
    let mut all = vec![(role, address, of_hub)];
    all.extend(
        settings
            .mail
            .clone()
            .map(|mail| (Role::Mail, mail, written.mail)),
    );
    let database = settings.database.clone();
    all.extend(database.map(|address| (Role::Database, address, written.database)));
    let witnesses = settings.witnesses.iter().cloned();
    all.extend(witnesses.map(|address| (Role::Witness, address, Stated::default())));
    let undated = all.iter().find(|(.., stated)| {
        stated.transfer == Some(Transfer::DataPrivacyFramework) && stated.transfer_since.is_none()
    });
    if let Some((role, ..)) = undated {
        return Err(BadRegister::NoDate(role.name()));
    }
    Ok(Register::new(all))
}

fn read(file: &Path) -> Result<Written, BadRegister> {
    let name = || file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|cause| BadRegister::Unreadable {
        file: name(),
        cause,
    })?;
    toml::from_str(&text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        BadRegister::Wrong {
            file: name(),
            line: text[..at.min(text.len())].matches('\n').count() + 1,
            says: error.message().to_owned(),
        }
    })
}
