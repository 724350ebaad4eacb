//! `pinhole privacy transfer`: the house goes to somebody else, as a version of the notice announced it.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use studio::Studio;
use studio::privacy::backup::in_words;
use studio::privacy::policies::transfer::{self, Reason};

use crate::place::{HouseArgs, Place};
use crate::privacy::write_new;

#[derive(Subcommand)]
pub(crate) enum TransferCommand {
    /// To whom it goes, since when that is announced and from when it can be completed
    Show,
    /// Write down, signed, what goes to whom; refused before everybody had 30 days to leave
    Complete {
        #[arg(long, value_enum)]
        reason: Why,
        /// The file to write; it must not be there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Why {
    Merger,
    Acquisition,
    AssetSale,
    Financing,
}

impl From<Why> for Reason {
    fn from(why: Why) -> Self {
        match why {
            Why::Merger => Self::Merger,
            Why::Acquisition => Self::Acquisition,
            Why::AssetSale => Self::AssetSale,
            Why::Financing => Self::Financing,
        }
    }
}

pub(crate) async fn run(command: &TransferCommand, place: &Place) -> Result<String> {
    let studio = place.study(&HouseArgs::from_env()).await?;
    let told = obey(&studio, command).await;
    studio.db.close().await;
    studio.keys.close().await;
    told
}

async fn obey(studio: &Studio, command: &TransferCommand) -> Result<String> {
    match command {
        TransferCommand::Show => Ok(match transfer::announced(studio).await? {
            None => "This house goes to nobody else.\n".to_owned(),
            Some(known) => format!(
                "From {} to {}, by version {} of the privacy notice.\n\
                 Announced {}. Its day is {}.\n\
                 People with an account who were not told yet: {}\n\
                 It can be completed from {}.\n",
                known.from.name,
                known.to.name,
                known.head.number,
                in_words(known.head.published),
                in_words(known.head.effective),
                known.untold,
                in_words(known.ready),
            ),
        }),
        TransferCommand::Complete { reason, out } => {
            let manifest = transfer::complete(studio, (*reason).into()).await?;
            write_new(out, &manifest)?;
            Ok(format!(
                "{} says what goes to whom. pinhole verify receipt checks it.\n",
                out.display()
            ))
        }
    }
}
