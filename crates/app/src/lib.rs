//! `pinhole`: the studio, the shell command, and the tools of whoever runs it. A library, so that
//! measurements can run the same program with another painter.

mod admin;
mod audit;
mod backup;
mod breaches;
mod disclosures;
mod draw;
mod holds;
mod import;
mod invite;
mod invoices;
mod keys;
mod log_files;
mod models;
mod news;
mod pictures;
mod place;
mod policies;
mod privacy;
mod requests;
mod serve;
mod terms;
mod transfer;
mod verify;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use domain::painter::Painter;

use crate::place::{Address, KeyStoreArgs, Place, RecipientArgs};
use crate::policies::ControllerArgs;

/// An AI image generator that anyone can run for other people.
///
/// Without a command it serves the studio on http://127.0.0.1:8080.
#[derive(Parser)]
#[command(name = "pinhole", version, about, long_about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// Folder that holds the database, the pictures and the pulled models; made when missing
    #[arg(
        long,
        global = true,
        env = "PINHOLE_DATA",
        default_value = "pinhole-data",
        value_name = "FOLDER"
    )]
    data: PathBuf,

    /// Address of a Postgres database, postgres://user:password@host/name, for more than one
    /// machine; without it, a SQLite file in the data folder
    #[arg(
        long,
        global = true,
        env = "PINHOLE_DATABASE",
        hide_env_values = true,
        value_name = "ADDRESS"
    )]
    database: Option<Address>,

    #[command(flatten)]
    key_store: KeyStoreArgs,

    #[command(flatten)]
    parties: RecipientArgs,

    #[command(flatten)]
    controller: ControllerArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the studio and the API (what happens without a command)
    Serve(serve::ServeArgs),
    /// Draw what other processes take orders for, over a Postgres database
    Work(work::WorkArgs),
    /// Draw in the shell, without a server
    Draw(draw::DrawArgs),
    /// List, pull, show and remove larger models
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// What operators do from the shell, also while the program serves
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// The keys by which everything of people is sealed: show them, exchange the outermost
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Write a backup of the house, or of its keys, also while it is open
    Backup(backup::BackupArgs),
    /// Put a backup back into a house that is empty or stopped; what was deleted since stays deleted
    Restore(backup::RestoreArgs),
    /// Read the house as it runs and say which promises hold in it; fails where one is broken
    Audit(audit::AuditArgs),
    /// What is kept of people, why and until when
    #[command(subcommand)]
    Privacy(privacy::PrivacyCommand),
    /// Bring in an archive that somebody has of another house
    Import(import::ImportArgs),
    /// Check what a house has signed
    #[command(subcommand)]
    Verify(verify::VerifyCommand),
}

/// Does what the command line says. Pictures are drawn by the shipped model and by those that were
/// pulled, or by `painter` alone where one is given.
#[must_use]
pub fn run(painter: Option<Arc<dyn Painter>>) -> ExitCode {
    let cli = Cli::parse();
    let models_dir = cli.data.join("models");
    let parties = (cli.parties, cli.controller);
    let place = Place::new(cli.data, cli.database, cli.key_store, parties, painter);
    let ended = match cli.command {
        None => serve::run(&serve::ServeArgs::from_env(), &place),
        Some(Command::Serve(args)) => serve::run(&args, &place),
        Some(Command::Work(args)) => work::run(&args, &place),
        Some(Command::Draw(args)) => draw::run(args, &models_dir),
        Some(Command::Models(command)) => models::run(command, &models_dir, &place),
        Some(Command::Admin(command)) => requests::or_again(&command, admin::run(&command, &place)),
        Some(Command::Keys(command)) => keys::run(&command, &place),
        Some(Command::Backup(args)) => backup::take(&args, &place),
        Some(Command::Restore(args)) => backup::restore(&args, &place),
        Some(Command::Audit(args)) => audit::run(&args, &place),
        Some(Command::Privacy(command)) => privacy::run(&command, &place),
        Some(Command::Import(args)) => import::run(&args, &place),
        Some(Command::Verify(command)) => verify::run(&command),
    };
    ended.unwrap_or_else(|error| {
        complain(&error);
        ExitCode::FAILURE
    })
}

#[expect(
    clippy::print_stderr,
    reason = "the person at the shell reads it there"
)]
fn complain(error: &anyhow::Error) {
    eprintln!("pinhole: {error:#}");
}
