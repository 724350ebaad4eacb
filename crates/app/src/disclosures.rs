//! `pinhole admin disclosure`: what authorities ask for. Whoever agrees is a person, signed in at the desk: the
//! shell knows nobody, so it enters, lists and hands out, and never agrees.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::Subcommand;
use domain::clock::Moment;
use domain::ids::DisclosureId;
use serde_json::json;
use studio::Studio;
use studio::privacy::backup::in_words;
use studio::privacy::disclosures::{self, Disclosure, NewDisclosure};
use studio::privacy::looking::Staff;

use crate::admin::{Who, find};

#[derive(Subcommand)]
pub(crate) enum DisclosureCommand {
    /// Enter what an authority asks for of one person
    Add {
        #[command(flatten)]
        who: Who,
        #[arg(long, value_name = "NAME")]
        authority: String,
        /// The law with its article, or the court with the number of its order. The person reads it
        #[arg(long, value_name = "TEXT")]
        law: String,
        /// The number that the authority gave its request
        #[arg(long, value_name = "TEXT")]
        reference: String,
        /// What it may get, as in account.address; may stand several times. pinhole privacy inventory lists them
        #[arg(long = "field", value_name = "TABLE.COLUMN", required = true)]
        fields: Vec<String>,
        /// The first day that it asks for, in UTC
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = Moment::start_of_day)]
        from: Option<Moment>,
        /// The last day that it asks for, in UTC
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = Moment::end_of_day)]
        until: Option<Moment>,
        /// The last day on which the person may not be told, where a law or a court says so
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = Moment::end_of_day)]
        gag: Option<Moment>,
        /// Which danger there is to somebody's life or body: then one person may agree
        #[arg(long, value_name = "TEXT")]
        emergency: Option<String>,
    },
    /// List every request of whoever is still here, the newest first
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Hand out what was agreed to, as a signed file: the person is told, unless a gag forbids it
    Package {
        /// As the list shows it, dsc_…
        id: DisclosureId,
        /// The file to write; it must not be there yet
        file: PathBuf,
    },
}

pub(crate) async fn run(studio: &Studio, command: &DisclosureCommand) -> Result<String> {
    match command {
        DisclosureCommand::Add {
            who,
            authority,
            law,
            reference,
            fields,
            from,
            until,
            gag,
            emergency,
        } => {
            let new = NewDisclosure {
                person: Some(find(studio, who).await?),
                authority: authority.clone(),
                law: law.clone(),
                reference: reference.clone(),
                fields: fields.clone(),
                from: *from,
                until: *until,
                emergency: emergency.clone(),
                gag_until: *gag,
            };
            Ok(disclosures::enter(studio, None, &new).await?.to_string())
        }
        DisclosureCommand::List { json } => {
            let all = disclosures::all(studio, &Staff::in_shell()).await?;
            let lines = all.iter().map(|one| line(one, *json));
            Ok(lines.collect::<Vec<_>>().join("\n"))
        }
        DisclosureCommand::Package { id, file } => {
            let shown = file.display().to_string();
            let mut open = OpenOptions::new();
            open.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
            let made = open.open(file);
            let mut made = made.with_context(|| format!("{shown} can't be written"))?;
            let package = match disclosures::hand_out(studio, *id).await {
                Ok(package) => package,
                Err(error) => {
                    drop(made);
                    std::fs::remove_file(file)?;
                    return Err(anyhow!(error));
                }
            };
            made.write_all(package.text.as_bytes())?;
            made.sync_all()?;
            Ok(format!("{shown} holds {} rows.", package.rows))
        }
    }
}

fn line(one: &Disclosure, as_json: bool) -> String {
    if as_json {
        let fields = json!({
            "id": one.id,
            "person_id": one.person,
            "path": one.path.name(),
            "state": one.state.name(),
            "authority": one.authority,
            "law": one.law,
            "reference": one.reference,
            "fields": one.fields,
            "received": one.received.as_seconds(),
            "gag_until": one.gag_until.map(Moment::as_seconds),
            "told": one.told.map(Moment::as_seconds),
            "review_due": one.review_due.map(Moment::as_seconds),
            "reviewed": one.reviewed.map(Moment::as_seconds),
        });
        return fields.to_string();
    }
    let review = match (one.waits_for_review(), one.review_due) {
        (true, Some(due)) => format!(", to be looked at again by {}", in_words(due)),
        _ => String::new(),
    };
    format!(
        "{}  {}  {}  {}, {} ({}){review}",
        one.id,
        one.path.name(),
        one.state.name(),
        one.authority,
        one.law,
        one.reference,
    )
}
