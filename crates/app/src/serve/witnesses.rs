//! Who watches the log of this house, and whose logs it watches.

use anyhow::Context;
use clap::Args;
use domain::recipient::{Register, Role};
use outside::witness::Witness;
use studio::privacy::log::note::VerifierKey;
use studio::privacy::log::witness::asking::Named;
use studio::privacy::log::witness::watching::Watched;

use crate::place::witness_addresses;

#[derive(Args)]
pub(super) struct WitnessArgs {
    /// Somebody who watches the log: the witness's key and address, with a space between, as in
    /// "NAME+ID+KEY https://other.example.org/witness"; several with commas between
    #[arg(
        id = "witness",
        long = "witness",
        env = "PINHOLE_WITNESSES",
        value_delimiter = ',',
        value_name = "KEY ADDRESS"
    )]
    witnesses: Vec<String>,

    /// Key of the log of another house, which this one watches for it; several with commas between
    #[arg(
        id = "witness-for",
        long = "witness-for",
        env = "PINHOLE_WITNESS_FOR",
        value_delimiter = ',',
        value_name = "KEY"
    )]
    watched: Vec<String>,
}

impl WitnessArgs {
    pub(super) fn addresses(&self) -> Vec<String> {
        witness_addresses(self.witnesses.iter().map(String::as_str))
    }

    /// By the addresses of the register.
    pub(super) fn asked(&self, register: &Register) -> anyhow::Result<Vec<Named>> {
        let said = self.witnesses.iter().map(|text| text.trim());
        said.filter(|text| !text.is_empty())
            .map(|text| named(text, register).with_context(|| format!("the witness \"{text}\"")))
            .collect()
    }

    pub(super) fn watched(&self) -> anyhow::Result<Watched> {
        let said = self.watched.iter().map(|text| text.trim());
        let keys: anyhow::Result<Vec<VerifierKey>> = said
            .filter(|text| !text.is_empty())
            .map(|text| text.parse().with_context(|| format!("the log \"{text}\"")))
            .collect();
        Ok(Watched::of(keys?)?)
    }
}

fn named(text: &str, register: &Register) -> anyhow::Result<Named> {
    let (key, address) = text
        .split_once(char::is_whitespace)
        .context("write its key, a space, and its address")?;
    let mut all = register.all(Role::Witness);
    let recipient = all.find(|one| one.address() == address.trim());
    let recipient = recipient.context("it is not in the register of recipients")?;
    Ok(Named::new(key.parse()?, Witness::open(recipient)?)?)
}
