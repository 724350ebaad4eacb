//! `pinhole admin`: what operators do from the shell, on the same data folder, also while the
//! program serves.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::builder::RangedI64ValueParser;
use clap::{Args, Subcommand};
use domain::clock::Moment;
use domain::credits::Credits;
use domain::ids::{GrantId, PersonId};
use domain::personal::Address;
use domain::role::{BadRole, BadScope, Role, Scope, Scopes};
use futures::TryStreamExt;
use serde_json::json;
use studio::Studio;
use studio::accounts::key::{self, NewKey};
use studio::accounts::person::{self, Listed};
use studio::credits::grants::{self, NewGrant};
use studio::credits::{self, ledger};
use studio::jobs::line;
use studio::privacy::consent::{self, Means, Optional, Signal};
use studio::privacy::erasure::{self, AskedBy, Ground, Scope as Erasing};
use studio::privacy::export::{self, By};
use studio::privacy::looking::Staff;
use studio::privacy::restriction;

use crate::breaches::{self, BreachCommand};
use crate::disclosures::{self, DisclosureCommand};
use crate::holds::{self, HoldCommand};
use crate::invite::invite;
use crate::invoices::{self, InvoiceCommand};
use crate::news::{self, NewsCommand};
use crate::pictures::{self, PictureCommand};
use crate::place::{HouseArgs, Place};
use crate::requests::{self, RequestCommand};
use crate::terms::{self, TermsCommand};

#[derive(Subcommand)]
pub(crate) enum AdminCommand {
    /// People with accounts: add, list, give a role or a priority, make a key
    #[command(subcommand)]
    Person(PersonCommand),
    /// Legal holds: keep something of somebody for a while because a law or a court wants it
    #[command(subcommand)]
    Hold(HoldCommand),
    /// What authorities ask for of people: list it, hand out what two people agreed to
    #[command(subcommand)]
    Disclosure(DisclosureCommand),
    /// Breaches: list them, write the text for the authority
    #[command(subcommand)]
    Breach(BreachCommand),
    /// Credits: give some to somebody, check the books
    #[command(subcommand)]
    Credits(CreditsCommand),
    /// Invoices: keep what tax law wants kept of them, list them
    #[command(subcommand)]
    Invoice(InvoiceCommand),
    /// What people ask for by their rights: enter, list, answer, refuse, put off
    #[command(subcommand)]
    Request(RequestCommand),
    /// News by e-mail, to whoever wants them
    #[command(subcommand)]
    News(NewsCommand),
    /// The terms of this house: publish a version, list them, show one
    #[command(subcommand)]
    Terms(TermsCommand),
    /// Pictures that others see, or that models learn from, because their people agreed
    #[command(subcommand)]
    Picture(PictureCommand),
}

fn optional(text: &str) -> Result<Optional, &'static str> {
    Optional::named(text).ok_or("what people agree to is news, personalisation, examples, training_pictures or training_words")
}

#[derive(Subcommand)]
pub(crate) enum CreditsCommand {
    /// Give somebody credits
    Grant {
        #[command(flatten)]
        who: Who,
        /// How many
        #[arg(long, value_name = "N")]
        credits: Credits,
        /// Why; the person reads it
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// The last day on which they can be spent, in UTC; without it, they stay
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = Moment::end_of_day)]
        until: Option<Moment>,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Read the whole ledger and say what is wrong in it; fails where something is
    Check,
}

#[derive(Subcommand)]
pub(crate) enum PersonCommand {
    /// Make an account for an address that you vouch for
    Add(AddArgs),
    /// Make an account for each address of a file, one a line, that you vouch for
    Invite {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// List everybody with an account
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Give somebody a role; their sessions end
    Role {
        #[command(flatten)]
        who: Who,
        /// person, support, moderator, privacy_officer or operator
        role: String,
    },
    /// Draw somebody's next jobs before everybody else's, or after them
    Priority {
        #[command(flatten)]
        who: Who,
        /// Above 0 is before, below 0 after; everybody has 0 unless you change it
        #[arg(value_name = "TIER", allow_negative_numbers = true, value_parser = priority())]
        priority: i32,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete somebody's account with everything in it, or all that they ordered, for good
    Erase {
        #[command(flatten)]
        who: Who,
        /// Their orders and pictures alone; the account stays
        #[arg(long)]
        history: bool,
        /// Answer with the signed receipt, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Write down everything that is kept of somebody, to answer their letter; the log says so
    Export {
        #[command(flatten)]
        who: Who,
        /// The archive; it must not be there yet
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Keep what is somebody's and do nothing else with it: nothing is drawn; they are told, and read why
    Restrict {
        #[command(flatten)]
        who: Who,
        /// Why; the person reads it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Take back for somebody what they agreed to, as their letter asks; they read so in their log
    Withdraw {
        #[command(flatten)]
        who: Who,
        /// news or personalisation
        #[arg(long, value_parser = optional)]
        purpose: Optional,
    },
    /// Lift somebody's restriction: they are told by a letter, and it is lifted three days later
    Lift {
        #[command(flatten)]
        who: Who,
    },
    /// Make an API key for somebody; it is shown once
    Key {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        key: KeyArgs,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

fn priority() -> RangedI64ValueParser<i32> {
    let furthest = i64::from(line::MAX_PRIORITY);
    RangedI64ValueParser::new().range(-furthest..=furthest)
}

#[derive(Args)]
pub(crate) struct Who {
    /// The e-mail address of the account
    #[arg(long, value_name = "ADDRESS")]
    email: String,
}

#[derive(Args)]
pub(crate) struct AddArgs {
    #[command(flatten)]
    who: Who,

    /// person, support, moderator, privacy_officer or operator
    #[arg(long, default_value = "person")]
    role: String,

    /// Credits to begin with, besides what everybody gets
    #[arg(long, default_value_t = 0, value_name = "N")]
    credits: u32,

    /// Make an API key as well, and show it once
    #[arg(long)]
    key: bool,

    #[command(flatten)]
    key_args: KeyArgs,

    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct KeyArgs {
    /// What the key is called in lists
    #[arg(
        long = "key-name",
        default_value = "made by the operator",
        value_name = "NAME"
    )]
    name: String,

    /// What the key may be used for, with spaces between; without it, everything but account:erase, account:export and admin
    #[arg(long, value_name = "SCOPES")]
    scopes: Option<String>,

    /// Credits that the key may spend in all
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
}

pub(crate) fn run(command: &AdminCommand, place: &Place) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let text = runtime.block_on(async {
        let house = HouseArgs::from_env();
        let studio = place.office(&house).await?;
        let text = match command {
            AdminCommand::Person(command) => {
                // The running program sends the letters, where it sends any.
                let mail = std::env::var_os("PINHOLE_SMTP").is_some();
                let ground = place.ground(place.logs(&house, true), mail);
                on_person(&studio, &ground, command).await
            }
            AdminCommand::Credits(command) => on_credits(&studio, command).await,
            AdminCommand::Invoice(command) => invoices::run(&studio, command).await,
            AdminCommand::Request(command) => requests::run(&studio, command).await,
            AdminCommand::News(command) => news::run(&studio, command).await,
            AdminCommand::Terms(command) => terms::run(&studio, command).await,
            AdminCommand::Picture(command) => pictures::run(&studio, command).await,
            AdminCommand::Hold(command) => holds::run(&studio, command).await,
            AdminCommand::Disclosure(command) => disclosures::run(&studio, command).await,
            AdminCommand::Breach(command) => breaches::run(&studio, command).await,
        };
        studio.db.close().await;
        studio.keys.close().await;
        text
    })?;
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

async fn on_person(studio: &Studio, ground: &Ground, command: &PersonCommand) -> Result<String> {
    match command {
        PersonCommand::Add(args) => add(studio, args).await,
        PersonCommand::Invite { file } => invite(studio, file).await,
        PersonCommand::List { json } => list(studio, *json).await,
        PersonCommand::Role { who, role } => {
            let person = find(studio, who).await?;
            let role: Role = role
                .parse()
                .map_err(|error: BadRole| anyhow::anyhow!(error))?;
            person::set_role(studio, person, role).await?;
            Ok(format!(
                "{person} is now {role}; sessions of before have ended."
            ))
        }
        PersonCommand::Priority {
            who,
            priority,
            json,
        } => prioritize(studio, who, *priority, *json).await,
        PersonCommand::Erase { who, history, json } => {
            erase(studio, ground, who, *history, *json).await
        }
        PersonCommand::Export { who, to } => export(studio, who, to).await,
        PersonCommand::Restrict { who, reason } => {
            let person = find(studio, who).await?;
            restriction::hold(studio, person, reason).await?;
            Ok(format!(
                "{person} is restricted: what is theirs is kept, and nothing else is done with it. A letter tells them."
            ))
        }
        PersonCommand::Withdraw { who, purpose } => {
            let person = find(studio, who).await?;
            let (means, signal) = (Means::Operator, Signal::Absent);
            match purpose.is_by_picture() {
                true => {
                    consent::withdraw_all(studio, person, *purpose, means, signal).await?;
                }
                false => consent::withdraw(studio, person, *purpose, means, signal).await?,
            }
            Ok(format!(
                "{person} does not agree to {} any more.",
                purpose.name()
            ))
        }
        PersonCommand::Lift { who } => {
            let person = find(studio, who).await?;
            let lifts = restriction::announce_lift(studio, person).await?;
            Ok(format!(
                "A letter tells {person} that the restriction will be lifted at {}. The running program lifts it then.",
                calendar(lifts)
            ))
        }
        PersonCommand::Key { who, key, json } => {
            let person = find(studio, who).await?;
            let role = person::role_of(studio, person).await?;
            let role = role.with_context(|| format!("{person} was deleted in this moment"))?;
            let made = make_key(studio, person, role, key).await?;
            Ok(if *json {
                json!({ "person_id": person, "api_key": made }).to_string()
            } else {
                format!("{made}\nIt is shown this once.")
            })
        }
    }
}

/// `2026-11-22 00:34 UTC`
fn calendar(moment: Moment) -> String {
    let at = moment.civil();
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02} UTC",
        at.year, at.month, at.day, at.hour, at.minute
    )
}

/// Takes an erasure to its end, unless the running program does.
async fn erase(
    studio: &Studio,
    ground: &Ground,
    who: &Who,
    is_history: bool,
    as_json: bool,
) -> Result<String> {
    const LOOK_EVERY: Duration = Duration::from_millis(200);
    let person = find(studio, who).await?;
    let scope = match is_history {
        true => Erasing::History,
        false => Erasing::Account,
    };
    let begun = erasure::ask(studio, person, scope, AskedBy::Operator).await?;
    let standing = loop {
        erasure::finish(studio, ground, begun.id).await?;
        let standing = erasure::find(studio, &begun.receipt).await?;
        let standing = standing.context("the erasure is gone")?;
        if standing.receipt.is_some() {
            break standing;
        }
        // The running program was quicker.
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let signed = standing.receipt.context("no receipt")?;
    Ok(match as_json {
        true => signed,
        false => format!(
            "Erased, and this is the receipt; it can also be fetched at /receipts/{}\n{signed}",
            begun.receipt.expose()
        ),
    })
}

async fn export(studio: &Studio, who: &Who, to: &Path) -> Result<String> {
    let person = find(studio, who).await?;
    let advice = || format!("{} can't be written", to.display());
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(to).with_context(advice)?;
    let made = export::begin(studio, person, By::Staff(Staff::in_shell())).await?;
    let download = export::open(studio, person, &made).await?;
    let download = download.context("something in the archive was deleted in this moment")?;
    let size = download.size;
    let mut pieces = Box::pin(download.stream(studio.clone(), 0..size)?);
    while let Some(bytes) = pieces.try_next().await? {
        file.write_all(&bytes).with_context(advice)?;
    }
    file.sync_all().with_context(advice)?;
    Ok(format!(
        "{person}: {size} bytes in {}. Whoever has this file has everything; the person reads in their \
         log that you made it.",
        to.display()
    ))
}

async fn prioritize(studio: &Studio, who: &Who, priority: i32, as_json: bool) -> Result<String> {
    let person = find(studio, who).await?;
    if !line::set_priority(studio, person, priority).await? {
        bail!("{person} was deleted in this moment, so nothing was set");
    }
    if as_json {
        return Ok(json!({ "person_id": person, "priority": priority }).to_string());
    }
    let place = match priority {
        1.. => "before everybody's with a lower priority",
        0 => "in turn with everybody's of priority 0",
        _ => "after everybody's with a higher priority",
    };
    Ok(format!(
        "{person} has priority {priority}: their next jobs come {place}. What waits already keeps its place."
    ))
}

async fn on_credits(studio: &Studio, command: &CreditsCommand) -> Result<String> {
    match command {
        CreditsCommand::Grant {
            who,
            credits,
            reason,
            until,
            json,
        } => {
            let person = find(studio, who).await?;
            let grant = NewGrant {
                id: GrantId::new(studio.clock.now(), &studio.randomness),
                credits: *credits,
                reason: reason.clone(),
                ends: *until,
            };
            grants::give(studio, person, &grant, None).await?;
            let balance = credits::balance_of_other(studio, &Staff::in_shell(), person).await?;
            let available = balance.map_or(Credits::ZERO, |balance| balance.available);
            Ok(if *json {
                json!({ "person_id": person, "grant_id": grant.id, "available": available })
                    .to_string()
            } else {
                format!("{person} now has {available} credits.")
            })
        }
        CreditsCommand::Check => {
            let wrong = ledger::audit(studio).await?;
            if !wrong.is_empty() {
                bail!("the books are wrong:\n{}", wrong.join("\n"));
            }
            let house = ledger::house(studio).await?;
            Ok(format!(
                "The books are right: {} given, {} with people, {} held, {} earned, {} ended unused.",
                -house.issued, house.available, house.held, house.revenue, house.expired
            ))
        }
    }
}

async fn add(studio: &Studio, args: &AddArgs) -> Result<String> {
    let address = Address::new(&args.who.email)?;
    let role: Role = args
        .role
        .parse()
        .map_err(|error: BadRole| anyhow::anyhow!(error))?;
    let gift = (args.credits > 0).then(|| NewGrant {
        id: GrantId::new(studio.clock.now(), &studio.randomness),
        credits: Credits::new(args.credits.into()),
        reason: "From the operator".to_owned(),
        ends: None,
    });
    let id = person::add(studio, &address, role, gift.as_ref()).await?;
    let key = match args.key {
        true => Some(make_key(studio, id, role, &args.key_args).await?),
        false => None,
    };
    if args.json {
        return Ok(json!({ "person_id": id, "api_key": key }).to_string());
    }
    let mut text = format!("{id}\nThey choose a password on the page /reset.");
    if let Some(key) = key {
        text += &format!("\n{key}\nThe key is shown this once.");
    }
    Ok(text)
}

async fn list(studio: &Studio, as_json: bool) -> Result<String> {
    const PAGE: u32 = 500;
    let mut lines = Vec::new();
    let mut after = None;
    loop {
        let page = person::list(studio, &Staff::in_shell(), after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.person);
        lines.extend(page.iter().map(|account| line(account, as_json)));
    }
    Ok(match lines.is_empty() && !as_json {
        true => "Nobody has an account yet.".to_owned(),
        false => lines.join("\n"),
    })
}

fn line(account: &Listed, as_json: bool) -> String {
    if as_json {
        let fields = json!({
            "person_id": account.person,
            "email": account.address.expose(),
            "role": account.role.name(),
            "priority": account.priority,
            "created": account.created.as_seconds(),
        });
        return fields.to_string();
    }
    let mut line = format!(
        "{}  {:<15}  {}",
        account.person,
        account.role.name(),
        account.address.expose()
    );
    if account.priority != 0 {
        line += &format!("  priority {}", account.priority);
    }
    line
}

/// Whose address it is; nothing of theirs is read for that.
pub(crate) async fn find(studio: &Studio, who: &Who) -> Result<PersonId> {
    let address = Address::new(&who.email)?;
    let found = person::id_by_address(studio, &address).await?;
    found.context("nobody has an account with that address; `pinhole admin person list` shows all")
}

async fn make_key(studio: &Studio, id: PersonId, role: Role, args: &KeyArgs) -> Result<String> {
    let scopes = match &args.scopes {
        Some(text) => text
            .parse()
            .map_err(|error: BadScope| anyhow::anyhow!(error))?,
        None => Scope::ALL
            .into_iter()
            .filter(|scope| !scope.is_asked_for())
            .collect::<Scopes>(),
    };
    let new = NewKey {
        name: args.name.clone(),
        scopes,
        limit_credits: args.limit.map(i64::from),
    };
    Ok(key::make_for(studio, id, role, &new).await?.expose())
}
