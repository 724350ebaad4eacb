//! `pinhole admin person invite`: accounts for everybody on a list that an operator vouches for.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use domain::personal::Address;
use domain::role::Role;
use studio::Studio;
use studio::accounts::person::{self, PersonError};

/// Makes an account for each address of a file, one a line. Cut off, it goes on when it is called again.
pub(crate) async fn invite(studio: &Studio, file: &Path) -> Result<String> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("{} can't be read as text", file.display()))?;
    let lines = text.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty());
    // All of them first, so that a mistake in the middle makes nobody.
    let addresses: Result<Vec<Address>> = lines
        .map(|(at, line)| Address::new(line).with_context(|| format!("line {}", at + 1)))
        .collect();
    let (mut made, mut known) = (0, 0);
    for address in addresses? {
        match person::add(studio, &address, Role::Person, None).await {
            Ok(_) => made += 1,
            Err(PersonError::AddressTaken) => known += 1,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(format!(
        "{made} accounts are made; {known} were there already. People choose a password on the page /reset."
    ))
}
