//! `pinhole admin request`: what people ask for by their rights, listed with its clocks and answered.

use std::io::{self, Read};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use domain::clock::Moment;
use domain::ids::RequestId;
use domain::personal::Address;
use serde_json::{Value, json};
use studio::Studio;
use studio::privacy::authorities;
use studio::privacy::looking::Staff;
use studio::privacy::requests::{self, Asked, Came, Identity, Request};

use crate::admin::AdminCommand;

#[derive(Subcommand)]
pub(crate) enum RequestCommand {
    /// Enter a request that came by letter, by mail or in person
    Add {
        /// The address of whoever asks: the answer goes there
        #[arg(long, value_name = "ADDRESS")]
        email: String,
        /// access, correct, erase, restrict, object, portability, complaint or other
        #[arg(long, value_name = "KIND", default_value = "other")]
        about: String,
        /// The day on which it came, in UTC; without it, today
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = Moment::start_of_day)]
        received: Option<Moment>,
        /// You made sure that it is them
        #[arg(long)]
        identified: bool,
        /// What they ask for; - reads it from the standard input
        #[arg(long, value_name = "TEXT")]
        text: String,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a request as mail, from the standard input: for the alias of the privacy address in a mail
    /// server. Its sender gets a letter with a link; ends with 75 where the server should try again
    Mail,
    /// List what waits for an answer, the most urgent first
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show one request with its words
    Show {
        request: RequestId,
        /// Answer with the signed status, as JSON
        #[arg(long)]
        signed: bool,
    },
    /// Answer a request: what was asked for is done. Whoever asked gets it as a letter
    Answer {
        request: RequestId,
        /// What was done; - reads it from the standard input
        #[arg(long, value_name = "TEXT")]
        text: String,
    },
    /// Refuse a request, with the reasons, and name the authority that hears complaints about it
    Refuse {
        request: RequestId,
        /// The reasons; - reads them from the standard input
        #[arg(long, value_name = "TEXT")]
        text: String,
        /// The country whose authority is competent, in two letters
        #[arg(long, value_name = "COUNTRY")]
        country: String,
    },
    /// Put the answer off by two months, with the reason. Can be done once
    Extend {
        request: RequestId,
        /// Why; - reads it from the standard input
        #[arg(long, value_name = "TEXT")]
        text: String,
    },
}

/// By which a mail server knows that it should try again (sysexits, EX_TEMPFAIL).
const TRY_AGAIN: u8 = 75;

/// A mail that can't be taken now comes again.
pub(crate) fn or_again(command: &AdminCommand, ended: Result<ExitCode>) -> Result<ExitCode> {
    match (command, ended) {
        (AdminCommand::Request(RequestCommand::Mail), Err(error)) => {
            crate::complain(&error);
            Ok(ExitCode::from(TRY_AGAIN))
        }
        (_, ended) => ended,
    }
}

/// More of a mail is not read: what it asks for stands at its beginning.
const MAX_MAIL_BYTES: u64 = 2 << 20;

pub(crate) async fn run(studio: &Studio, command: &RequestCommand) -> Result<String> {
    match command {
        RequestCommand::Add {
            email,
            about,
            received,
            identified,
            text,
            json,
        } => {
            let address = Address::new(email)?;
            let asked = Asked::named(about).with_context(|| {
                let known = Asked::ALL.map(Asked::name).join(", ");
                format!("{about:?} is no kind of request. Use one of: {known}")
            })?;
            let identity = match identified {
                true => Identity::Operator,
                false => Identity::Unproven,
            };
            let now = studio.clock.now();
            let received = received.unwrap_or(now);
            if received > now {
                bail!("a request can't come on a day that is still to come");
            }
            let words = text_of(text)?;
            let id = requests::record(studio, &address, asked, &words, identity, received).await?;
            let request = requests::glance(studio, &Staff::in_shell(), id).await?;
            let request = request.with_context(|| format!("{id} was deleted in this moment"))?;
            Ok(match json {
                true => fields(studio, &request).to_string(),
                false => format!("{id}: an answer is due until {}.", last_day(request.due)),
            })
        }
        RequestCommand::Mail => {
            let mut mail = Vec::new();
            let read = io::stdin()
                .lock()
                .take(MAX_MAIL_BYTES)
                .read_to_end(&mut mail);
            read.context("the mail can't be read")?;
            Ok(match requests::by_mail(studio, &mail).await? {
                Came::Asked(asked) => format!(
                    "A request ({}) waits until its sender has opened the link in the letter.",
                    asked.name()
                ),
                Came::NoSender => "Nothing was done: the mail has no single sender.".to_owned(),
                Came::Automatic => "Nothing was done: a program sent this by itself.".to_owned(),
                Came::Empty => "Nothing was done: the mail says nothing.".to_owned(),
                Came::Enough => {
                    "Nothing was done: enough links wait in that mailbox already.".to_owned()
                }
            })
        }
        RequestCommand::List { json } => {
            let waiting = requests::unanswered(studio, &Staff::in_shell()).await?;
            if waiting.is_empty() && !json {
                return Ok("Nothing waits for an answer.".to_owned());
            }
            let lines: Vec<String> = waiting
                .iter()
                .map(|request| match json {
                    true => fields(studio, request).to_string(),
                    false => line(studio, request),
                })
                .collect();
            Ok(lines.join("\n"))
        }
        RequestCommand::Show { request, signed } => {
            let request = found(studio, *request).await?;
            Ok(match signed {
                true => requests::signed(studio, &request),
                false => in_words(studio, &request),
            })
        }
        RequestCommand::Answer { request, text } => {
            requests::answer(studio, *request, &text_of(text)?, None).await?;
            Ok(format!(
                "{request} is answered, and a letter brings the answer."
            ))
        }
        RequestCommand::Refuse {
            request,
            text,
            country,
        } => {
            requests::answer(studio, *request, &text_of(text)?, Some(country)).await?;
            Ok(format!(
                "{request} is refused, and a letter brings the reasons and the authority."
            ))
        }
        RequestCommand::Extend { request, text } => {
            let due = requests::extend(studio, *request, &text_of(text)?).await?;
            Ok(format!(
                "{request} is due until {} now, and a letter tells why.",
                last_day(due)
            ))
        }
    }
}

async fn found(studio: &Studio, id: RequestId) -> Result<Request> {
    let found = requests::show(studio, &Staff::in_shell(), id).await?;
    found.context("there is no such request; `pinhole admin request list` shows what waits")
}

fn text_of(given: &str) -> Result<String> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .context("the standard input can't be read as text")?;
    Ok(text)
}

/// `2026-12-22`
fn last_day(due: Moment) -> String {
    let day = due.plus_millis(-1).civil();
    format!("{:04}-{:02}-{:02}", day.year, day.month, day.day)
}

fn fields(studio: &Studio, request: &Request) -> Value {
    json!({
        "request": request.id,
        "about": request.asked.name(),
        "state": request.state.name(),
        "identity": request.identity.name(),
        "channel": request.channel,
        "person_id": request.person,
        "received": request.received.as_seconds(),
        "due": request.due.as_seconds(),
        "is_extended": request.extended.is_some(),
        "is_overdue": is_overdue(studio, request),
    })
}

fn is_overdue(studio: &Studio, request: &Request) -> bool {
    request.ended.is_none() && request.due <= studio.clock.now()
}

fn line(studio: &Studio, request: &Request) -> String {
    let late = if is_overdue(studio, request) {
        "  OVERDUE"
    } else {
        ""
    };
    format!(
        "{}  {:<11}  due {}  identity {}{late}",
        request.id,
        request.asked.name(),
        last_day(request.due),
        request.identity.name(),
    )
}

fn in_words(studio: &Studio, request: &Request) -> String {
    let whose = match (&request.person, &request.address) {
        (Some(person), _) => person.to_string(),
        (None, Some(address)) => address.expose().to_owned(),
        (None, None) => "nobody known".to_owned(),
    };
    let mut text = format!(
        "{}\nfrom {whose}, {}\n\n{}",
        line(studio, request),
        request.state.name(),
        request.words
    );
    if let Some(delay) = &request.delay {
        text += &format!("\n\nIt takes longer because: {delay}");
    }
    if let Some(answer) = &request.answer {
        text += &format!("\n\nAnswer: {answer}");
    }
    let country = request.country.as_deref().and_then(authorities::of);
    if let Some(authority) = country {
        text += &format!("\nAuthority: {}", authority.in_a_line());
    }
    text
}
