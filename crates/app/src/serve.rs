//! `pinhole serve`: opens the house, lets people in, and closes it in order.

mod connections;

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use engine::catalogue::{Catalogue, Installed};
use outside::mail::Post;
use studio::Studio;
use studio::accounts::{self, Gate, Rules, welcome};
use studio::credits::grants;
use studio::jobs::nodes;
use studio::jobs::worker::{self, Stop};
use studio::letters::{self, Letter, Words};
use studio::privacy::{audit, erasure, log, retention, traces};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;
use web::PublicUrl;

use crate::place::{HouseArgs, Place};

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

pub(crate) fn run(args: &ServeArgs, place: &Place) -> anyhow::Result<ExitCode> {
    start_log();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the async runtime does not start")?;
    runtime.block_on(serve(args, place))?;
    // A drawing that does not end must not keep the program from ending.
    runtime.shutdown_timeout(GRACE);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn start_log() {
    let filter = EnvFilter::try_from_env("PINHOLE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let json = std::env::var("PINHOLE_LOG_FORMAT").is_ok_and(|format| format == "json");
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = if json {
        log.json().try_init()
    } else {
        log.with_target(false).try_init()
    };
    // It fails only where a log runs already, and that one does as well.
    drop(started);
}

async fn serve(args: &ServeArgs, place: &Place) -> anyhow::Result<()> {
    let listener = listen(args.listen, args.public_url.as_ref())?;
    let address = listener.local_addr()?;
    let _lock = place.claim()?;
    let mut studio = place.studio(&args.house).await?;
    studio.gate = Gate::new(Rules {
        is_public: args.public_url.is_some(),
        min_age: args.min_age,
    });
    if accounts::is_solo(&studio).await? {
        accounts::local(&studio).await?;
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
    let letters = letters::run(
        studio.clone(),
        write_from(home(args, address)),
        post(args)?,
        stop.clone(),
    );
    let writing = tokio::spawn(letters);
    tokio::spawn(grants::keep_expiring(studio.clone(), stop.clone()));
    tokio::spawn(retention::keep_sweeping(studio.clone(), stop.clone()));
    tokio::spawn(audit::keep_auditing(studio.clone(), stop.clone()));
    let logging = tokio::spawn(log::keep_settling(studio.clone(), stop.clone()));
    tokio::spawn(traces::keep_cutting(studio.clone(), stop.clone()));
    let ground = place.ground(args.house.log_folder.clone(), args.smtp.is_some());
    let erasing = tokio::spawn(erasure::keep_erasing(studio.clone(), ground, stop.clone()));
    let mut site = web::Site::new(studio.clone(), stop.clone());
    if let Some(public) = &args.public_url {
        site = site.at(public.clone());
    }
    if args.behind_proxy {
        site = site.behind_proxy();
    }
    let router = web::router(site.with_larger_models(larger_models(&place.models())?));
    announce(args, address, &studio).await?;

    let header_timeout = Duration::from_millis(args.header_timeout_ms);
    let ending = stop.clone();
    let mut serving = tokio::spawn(async move {
        connections::serve(listener, router, header_timeout, &ending).await;
    });
    tokio::select! {
        () = told_to_stop() => {}
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
    studio.db.close().await;
    studio.keys.close().await;
    tracing::info!("stopped");
    Ok(())
}

fn listen(address: SocketAddr, public: Option<&PublicUrl>) -> anyhow::Result<TcpListener> {
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
    connections::listen(address).map_err(|error| match error.kind() {
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
    })
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

fn post(args: &ServeArgs) -> anyhow::Result<Option<Post>> {
    let Some(server) = &args.smtp else {
        return Ok(None);
    };
    let post = Post::open(server, &args.mail_from);
    Ok(Some(post.context("PINHOLE_SMTP and PINHOLE_MAIL_FROM")?))
}

fn write_from(home: String) -> impl Fn(&Letter) -> Words {
    move |letter| {
        let written = web::letters::write(letter, &home);
        (written.subject, written.text, written.html)
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

pub(crate) async fn told_to_stop() {
    let interrupted = async { tokio::signal::ctrl_c().await.is_ok() };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    interrupted.await;
}
