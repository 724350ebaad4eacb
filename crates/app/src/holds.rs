//! `pinhole admin hold`: what a law or a court wants kept, for a while.

use anyhow::Result;
use clap::Subcommand;
use domain::clock::Moment;
use domain::ids::HoldId;
use serde_json::json;
use studio::Studio;
use studio::privacy::backup::in_words;
use studio::privacy::holds::{self, Class, Hold, NewHold};
use studio::privacy::looking::Staff;

use crate::admin::{Who, find};

#[derive(Subcommand)]
pub(crate) enum HoldCommand {
    /// Keep one class of somebody's data; neither they nor time deletes it until the hold ends
    Add {
        #[command(flatten)]
        who: Who,
        /// account (address, names, portrait), orders (with pictures), or log
        #[arg(long, value_parser = class)]
        class: Class,
        /// What obliges to it: the law with its article, or the court with the number of its order. The person reads it
        #[arg(long, value_name = "TEXT")]
        law: String,
        /// Why. The person reads it
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who answers for it. The person reads it
        #[arg(long, value_name = "NAME")]
        approver: String,
        /// The last day, in UTC; at most two years from now
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = Moment::end_of_day)]
        until: Moment,
        /// The day from which on the person is told, where a law forbids it before; without it, at once
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = Moment::start_of_day)]
        tell_from: Option<Moment>,
    },
    /// List every hold of whoever is still here
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// End a hold before its time; what was to be erased goes then
    Release {
        /// As the list shows it, hld_…
        id: HoldId,
    },
}

fn class(text: &str) -> Result<Class, &'static str> {
    Class::named(text).ok_or("a hold keeps account, orders or log")
}

pub(crate) async fn run(studio: &Studio, command: &HoldCommand) -> Result<String> {
    match command {
        HoldCommand::Add {
            who,
            class,
            law,
            reason,
            approver,
            until,
            tell_from,
        } => {
            let new = NewHold {
                class: *class,
                law: law.clone(),
                reason: reason.clone(),
                approver: approver.clone(),
                ends: *until,
                told_from: *tell_from,
            };
            let person = find(studio, who).await?;
            Ok(holds::add(studio, person, &new).await?.to_string())
        }
        HoldCommand::List { json } => {
            let all = holds::all(studio, &Staff::in_shell()).await?;
            let now = studio.clock.now();
            let lines = all.iter().map(|hold| held(hold, now, *json));
            Ok(lines.collect::<Vec<_>>().join("\n"))
        }
        HoldCommand::Release { id } => {
            holds::release(studio, *id).await?;
            Ok(format!("{id} is over."))
        }
    }
}

fn held(hold: &Hold, now: Moment, as_json: bool) -> String {
    if as_json {
        let fields = json!({
            "id": hold.id,
            "person_id": hold.person,
            "class": hold.class.name(),
            "law": hold.law,
            "reason": hold.reason,
            "approver": hold.approver,
            "begins": hold.begins.as_seconds(),
            "ends": hold.ends.as_seconds(),
            "told_from": hold.told_from.as_seconds(),
            "released": hold.released.map(Moment::as_seconds),
            "active": hold.is_active(now),
        });
        return fields.to_string();
    }
    let state = match hold.is_active(now) {
        true => "holds",
        false => "over",
    };
    format!(
        "{}  {}  {:<7}  {state} until {}  {}{} ({})",
        hold.id,
        hold.person,
        hold.class.name(),
        in_words(hold.ends),
        hold.law
            .as_ref()
            .map(|law| format!("{law}: "))
            .unwrap_or_default(),
        hold.reason,
        hold.approver
    )
}
