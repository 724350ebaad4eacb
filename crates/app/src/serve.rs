//! `pinhole serve`: opens the house, lets people in, and closes it in order.

mod connections;
mod witnesses;

use std::fs;
use std::io::{ErrorKind, IsTerminal};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::HeaderName;
use clap::Args;
use domain::clock::Clock;
use domain::recipient::{Register, Role};
use engine::catalogue::{Catalogue, Installed};
use outside::mail::Post;
use studio::Studio;
use studio::accounts::{self, Gate, Rules, welcome};
use studio::credits::grants;
use studio::jobs::nodes;
use studio::jobs::worker::{self, Stop};
use studio::letters::{self, Letter, Words};
use studio::privacy::log::witness::asking;
use studio::privacy::policies as told;
use studio::privacy::{
    audit, breaches, disclosures, erasure, keeping, log, requests, restriction, retention, traces,
};
use studio::visits;
use tokio::net::TcpSocket;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use web::PublicUrl;

use self::witnesses::WitnessArgs;
use crate::log_files::LogFiles;
use crate::place::{HouseArgs, Place, Said};
use crate::policies;

const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
const DEFAULT_HEADER_TIMEOUT_MS: u64 = 30_000;
/// How long a drawing may take to end once the program was told to stop.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// And how long the answers that were begun may take after that.
const LAST_WORDS: Duration = Duration::from_secs(2);

#[derive(Args)]
pub(crate) struct ServeArgs {
    /// Address and port to listen on; of this machine only, unless there is a public address
    #[arg(long, env = "PINHOLE_LISTEN", default_value = DEFAULT_LISTEN, value_name = "ADDRESS")]
    listen: SocketAddr,

    /// File that gets the address as soon as requests are answered, for scripts that wait for it
    #[arg(long, env = "PINHOLE_READY_FILE", value_name = "FILE")]
    ready_file: Option<PathBuf>,

    /// How long a client may take for the head of a request, before its connection is closed
    #[arg(long, env = "PINHOLE_HEADER_TIMEOUT_MS", default_value_t = DEFAULT_HEADER_TIMEOUT_MS, value_name = "MILLISECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    header_timeout_ms: u64,

    /// Serve alone, and leave the drawing to `pinhole work`
    #[arg(long, env = "PINHOLE_NO_DRAWING")]
    no_drawing: bool,

    #[command(flatten)]
    house: HouseArgs,

    /// Address by which others reach this program, as in https://pictures.example.org; with it,
    /// everybody signs in
    #[arg(long, env = "PINHOLE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<PublicUrl>,

    /// A proxy before this program says in x-forwarded-for where requests come from
    #[arg(long, env = "PINHOLE_BEHIND_PROXY")]
    behind_proxy: bool,

    /// Header in which that proxy says from which country a request comes, in two letters; only countries of
    /// ten visitors a day are counted
    #[arg(
        long,
        env = "PINHOLE_COUNTRY_HEADER",
        value_name = "HEADER",
        requires = "behind_proxy"
    )]
    country_header: Option<HeaderName>,

    /// Mail server, as in smtps://user:password@mail.example.org; without one, letters wait on a
    /// page for the operator
    #[arg(long, env = "PINHOLE_SMTP", value_name = "URL", hide_env_values = true)]
    smtp: Option<String>,

    /// Who letters come from
    #[arg(
        long,
        env = "PINHOLE_MAIL_FROM",
        default_value = "Pinhole <pinhole@localhost>",
        value_name = "ADDRESS"
    )]
    mail_from: String,

    /// How old people must be to sign up; 0 asks nobody
    #[arg(long, env = "PINHOLE_MIN_AGE", default_value_t = Rules::default().min_age, value_name = "YEARS")]
    min_age: u32,

    /// How old people of a country must be to sign up, where that is another age, as in US=13,AT=14; the proxy
    /// says the country
    #[arg(
        long,
        env = "PINHOLE_MIN_AGE_IN",
        value_name = "COUNTRY=YEARS",
        value_delimiter = ',',
        value_parser = age_in,
        requires = "country_header"
    )]
    min_age_in: Vec<(String, u32)>,

    #[command(flatten)]
    witnesses: WitnessArgs,
}

/// `US=13`
fn age_in(text: &str) -> Result<(String, u32), &'static str> {
    let bad = "write the two letters of a country and an age from 1 to 99, as in US=13";
    let (country, years) = text.split_once('=').ok_or(bad)?;
    let is_code = country.len() == 2 && country.bytes().all(|b| b.is_ascii_alphabetic());
    match years.parse() {
        Ok(years @ 1..=99) if is_code => Ok((country.to_ascii_uppercase(), years)),
        _ => Err(bad),
    }
}

impl ServeArgs {
    /// What holds without a command line: the environment, then the defaults.
    #[must_use]
    pub(crate) fn from_env() -> Self {
        #[derive(clap::Parser)]
        struct Alone {
            #[command(flatten)]
            args: ServeArgs,
        }
        <Alone as clap::Parser>::parse_from(["pinhole"]).args
    }
}

#[expect(
    clippy::print_stdout,
    reason = "whoever starts it learns where the log is"
)]
pub(crate) fn run(args: &ServeArgs, place: &Place) -> anyhow::Result<ExitCode> {
    let folder = place.logs(&args.house, args.public_url.is_some());
    let log = start_log(folder.as_deref())?;
    if let Some(folder) = &folder {
        println!("The log is in {}", folder.display());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the async runtime does not start")?;
    runtime.block_on(serve(args, place, log))?;
    // A drawing that does not end must not keep the program from ending.
    runtime.shutdown_timeout(GRACE);
    Ok(ExitCode::SUCCESS)
}

/// Into files of this folder, or to standard error.
pub(crate) fn start_log(folder: Option<&Path>) -> anyhow::Result<Option<LogFiles>> {
    let filter = EnvFilter::try_from_env("PINHOLE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let json = std::env::var("PINHOLE_LOG_FORMAT").is_ok_and(|format| format == "json");
    let files = match folder {
        Some(folder) => Some(LogFiles::new(folder, Clock::system())?),
        None => None,
    };
    let writer = match &files {
        Some(files) => BoxMakeWriter::new(files.clone()),
        None => BoxMakeWriter::new(std::io::stderr),
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(files.is_none() && std::io::stderr().is_terminal())
        .with_writer(writer);
    let started = if json {
        log.json().try_init()
    } else {
        log.with_target(false).try_init()
    };
    // It fails only where a log runs already, and that one does as well.
    drop(started);
    Ok(files)
}

async fn serve(args: &ServeArgs, place: &Place, files: Option<LogFiles>) -> anyhow::Result<()> {
    let controller = match &args.public_url {
        Some(_) => Some(place.controller()?),
        None => None,
    };
    let socket = bind(args.listen, args.public_url.as_ref())?;
    let address = socket.local_addr()?;
    let _lock = place.claim()?;
    let recipients = Arc::new(place.recipients(&Said {
        mail: args.smtp.clone(),
        witnesses: Some(args.witnesses.addresses()),
    })?);
    if let Some(controller) = &controller {
        policies::rule(place, &recipients, controller).await?;
    }
    let mut studio = place.studio(&args.house).await?;
    studio.recipients = recipients;
    studio.gate = Gate::new(Rules {
        is_public: args.public_url.is_some(),
        min_age: args.min_age,
    });
    if accounts::is_solo(&studio).await? {
        accounts::local(&studio).await?;
    }
    if let Some(controller) = &controller {
        policies::publish_first(&studio, controller).await?;
    }
    worker::take_over(&studio).await?;
    if args.no_drawing && !studio.db.is_shared() {
        bail!(
            "with a SQLite database nobody else can draw. Leave --no-drawing out, or name a \
             Postgres database in PINHOLE_DATABASE"
        );
    }

    let stop = Stop::default();
    let working = if args.no_drawing {
        let (studio, stop) = (studio.clone(), stop.clone());
        tokio::spawn(async move { nodes::attend(&studio, &stop).await })
    } else {
        tokio::spawn(worker::run(studio.clone(), stop.clone()))
    };
    if !studio.db.is_shared() {
        letters::take_over(&studio).await?;
    }
    let letters = letters::run(
        studio.clone(),
        write_from(home(args, address)),
        post(args, &studio.recipients)?,
        stop.clone(),
    );
    let writing = tokio::spawn(letters);
    tokio::spawn(grants::keep_expiring(studio.clone(), stop.clone()));
    tokio::spawn(retention::keep_sweeping(studio.clone(), stop.clone()));
    tokio::spawn(keeping::keep_sweeping(studio.clone(), stop.clone()));
    tokio::spawn(restriction::keep_lifting(studio.clone(), stop.clone()));
    tokio::spawn(requests::keep_watching(studio.clone(), stop.clone()));
    tokio::spawn(disclosures::keep_watching(studio.clone(), stop.clone()));
    tokio::spawn(breaches::keep_watching(studio.clone(), stop.clone()));
    tokio::spawn(told::keep_telling(studio.clone(), stop.clone()));
    tokio::spawn(studio::terms::keep_telling(studio.clone(), stop.clone()));
    tokio::spawn(audit::keep_auditing(studio.clone(), stop.clone()));
    let witnesses = args.witnesses.asked(&studio.recipients)?;
    tokio::spawn(asking::keep_asking(studio.clone(), witnesses, stop.clone()));
    if let Some(files) = files {
        tokio::spawn(files.keep_sweeping(stop.clone()));
    }
    let logging = tokio::spawn(log::keep_settling(studio.clone(), stop.clone()));
    tokio::spawn(traces::keep_cutting(studio.clone(), stop.clone()));
    let ground = place.ground(
        place.logs(&args.house, args.public_url.is_some()),
        args.smtp.is_some(),
    );
    let erasing = tokio::spawn(erasure::keep_erasing(studio.clone(), ground, stop.clone()));
    let mut site = web::Site::new(studio.clone(), stop.clone());
    if let Some(public) = &args.public_url {
        site = site.at(public.clone());
    }
    if let Some(controller) = controller {
        site = site.under(controller);
    }
    if args.behind_proxy {
        site = site.behind_proxy();
    }
    if let Some(header) = &args.country_header {
        site = site.told_countries(header.clone());
    }
    site = site.with_min_ages(args.min_age_in.iter().cloned());
    site = site.watching(args.witnesses.watched()?);
    let visits = site.visits().clone();
    let counting = visits::keep_publishing(studio.clone(), visits.clone(), stop.clone());
    tokio::spawn(counting);
    let router = web::router(site.with_larger_models(larger_models(&place.models())?));
    let listener = connections::listen(socket).map_err(|error| in_use(address, &error))?;
    let told = told_to_stop()?;
    announce(args, address, &studio).await?;

    let header_timeout = Duration::from_millis(args.header_timeout_ms);
    let ending = stop.clone();
    let mut serving = tokio::spawn(async move {
        connections::serve(listener, router, header_timeout, &ending).await;
    });
    tokio::select! {
        () = told => {}
        ended = &mut serving => {
            ended?;
            bail!("the server stopped by itself");
        }
    }
    tracing::info!("stopping: what is being drawn goes back into the queue");
    stop.now();
    if tokio::time::timeout(GRACE, working).await.is_err() {
        tracing::warn!("the drawing did not stop in time; the next start takes it up again");
    }
    if tokio::time::timeout(GRACE, writing).await.is_err() {
        tracing::warn!("a letter was not sent in time; the next start tries it again");
    }
    if tokio::time::timeout(GRACE, logging).await.is_err() {
        tracing::warn!("entries of the log have no place yet; the next start gives them one");
    }
    if tokio::time::timeout(GRACE, erasing).await.is_err() {
        tracing::warn!("an erasure did not stop in time; the next start takes it up again");
    }
    if tokio::time::timeout(LAST_WORDS, serving).await.is_err() {
        tracing::warn!("some answers were cut off: their clients took too long");
    }
    if let Err(error) = visits::close(&studio, &visits).await {
        tracing::warn!(%error, "what was counted today could not be written, and is lost");
    }
    studio.db.close().await;
    studio.keys.close().await;
    tracing::info!("stopped");
    Ok(())
}

fn bind(address: SocketAddr, public: Option<&PublicUrl>) -> anyhow::Result<TcpSocket> {
    match public {
        None if !address.ip().is_loopback() => bail!(
            "{address} can be reached from other machines. Say by which name they reach it, so \
             that everybody signs in: PINHOLE_PUBLIC_URL=https://pictures.example.org. For \
             yourself alone, listen on 127.0.0.1, and reach it through an SSH tunnel."
        ),
        Some(public) if !public.is_https() => tracing::warn!(
            "the public address is http: passwords and pictures cross the network in the clear. \
             Use it for trials only."
        ),
        _ => {}
    }
    connections::bind(address).map_err(|error| in_use(address, &error))
}

fn in_use(address: SocketAddr, error: &std::io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::AddrInUse => anyhow::anyhow!(
            "port {} is in use. Stop the program that uses it, or choose another port: \
             PINHOLE_LISTEN=127.0.0.1:8081 pinhole",
            address.port()
        ),
        ErrorKind::PermissionDenied => anyhow::anyhow!(
            "port {} needs more rights than this program has. Choose one above 1023: \
             PINHOLE_LISTEN=127.0.0.1:8080 pinhole",
            address.port()
        ),
        _ => anyhow::anyhow!("{address} can't be listened on: {error}"),
    }
}

/// What the page about models offers besides those that are here.
fn larger_models(models: &Path) -> anyhow::Result<Vec<web::LargerModel>> {
    let catalogue = Catalogue::from_environment()?;
    let missing = catalogue
        .entries()
        .iter()
        .filter(|entry| Installed::find(entry, models).is_none());
    let offered = missing.map(|entry| web::LargerModel {
        name: entry.name.to_string(),
        title: entry.title.clone(),
        about: entry.about.clone(),
        licence: entry.licence.clone(),
        download_mib: entry.download_mib,
        memory_mib: entry.memory_mib,
        draws: entry.can_draw(),
    });
    Ok(offered.collect())
}

/// By which address people reach this program.
fn home(args: &ServeArgs, address: SocketAddr) -> String {
    match &args.public_url {
        Some(public) => public.to_string(),
        None => format!("http://{address}"),
    }
}

fn post(args: &ServeArgs, register: &Register) -> anyhow::Result<Option<Post>> {
    let Some(server) = register.find(Role::Mail) else {
        return Ok(None);
    };
    let post = Post::open(server, &args.mail_from);
    Ok(Some(post.context("PINHOLE_SMTP and PINHOLE_MAIL_FROM")?))
}

fn write_from(home: String) -> impl Fn(&Letter) -> Words {
    move |letter| {
        let written = web::letters::write(letter, &home);
        Words {
            subject: written.subject,
            text: written.text,
            html: written.html,
            leave: written.leave,
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the first thing that a newcomer looks for"
)]
async fn announce(args: &ServeArgs, address: SocketAddr, studio: &Studio) -> anyhow::Result<()> {
    let home = home(args, address);
    println!("Pinhole is ready: {home}");
    if let Some(token) = welcome::open(studio).await? {
        let link = format!("{home}/welcome/{}", token.expose());
        println!("To let others in, make the first account: {link}");
    }
    if let Some(file) = &args.ready_file {
        let written = file.with_extension("part");
        fs::write(&written, format!("http://{address}\n"))
            .and_then(|()| fs::rename(&written, file))
            .with_context(|| format!("{} can't be written", file.display()))?;
    }
    Ok(())
}

/// Ends when the program is told to stop. It listens from this call on, not only once it is awaited:
/// who is told that the program is ready may end it.
#[cfg(unix)]
pub(crate) fn told_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let unheard = "the program can't be told to stop";
    let mut interrupt = signal(SignalKind::interrupt()).context(unheard)?;
    let mut terminate = signal(SignalKind::terminate()).context(unheard)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ends when the program is told to stop.
#[cfg(not(unix))]
pub(crate) fn told_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}
