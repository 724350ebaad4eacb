//! What can go wrong with a pull. Each message says what to do.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum HubError {
    #[error("HF_ENDPOINT is {endpoint}: {why}.")]
    BadEndpoint { endpoint: String, why: String },
    #[error("the network can't be used: {0}")]
    NoClient(String),
    #[error(
        "{name} can't be pulled as the catalogue describes it: name, repo or files are missing or malformed. Correct its entry."
    )]
    BadOrder { name: String },
    #[error(
        "{file} is not a safetensors, JSON or text file inside the model's folder. Nothing else is fetched, since other kinds can run code. Use a repository that has the weights as .safetensors."
    )]
    BadKind { file: String },
    #[error(
        "{file} holds {found}, whatever it is called, so it was deleted. Such files can run code when they are opened. Use a repository that has the weights as .safetensors."
    )]
    BadContent { file: String, found: &'static str },
    #[error(
        "{endpoint} can't be reached: {why}. Check the connection, or set HF_ENDPOINT to a mirror; then run the same command again, which goes on where it stopped."
    )]
    Unreachable { endpoint: String, why: String },
    #[error(
        "{endpoint} leads to {host} for the bytes, which the register of recipients does not name. If {host} belongs to your hub, name it in the file of PINHOLE_RECIPIENTS, below [hub]: hosts = [\"{host}\"]."
    )]
    Elsewhere { endpoint: String, host: String },
    #[error(
        "{endpoint} does not answer as a model hub does: {what} is missing. Check HF_ENDPOINT."
    )]
    NotAHub { endpoint: String, what: String },
    #[error("{repo} is only for people who accepted its licence{}. Accept it at {page}, make a token at {tokens}, set HF_TOKEN to it, and try again.", if *with_token { ", and this token's owner has not" } else { "" })]
    Gated {
        repo: String,
        page: String,
        tokens: String,
        with_token: bool,
    },
    #[error(
        "{endpoint} has no repository {repo}, or it is private. Check the catalogue's entry, or set HF_TOKEN to a token that may read it."
    )]
    NoSuchRepo { repo: String, endpoint: String },
    #[error(
        "{repo} has no file {file} at revision {revision}. It was moved or renamed: update Pinhole, or correct the catalogue's entry."
    )]
    NoSuchFile {
        file: String,
        repo: String,
        revision: String,
    },
    #[error(
        "{endpoint} gets too many requests from here. Wait some minutes and run the same command again, which goes on where it stopped."
    )]
    Busy { endpoint: String },
    #[error(
        "{endpoint} answered {status} for {file}. Run the same command again later, which goes on where it stopped."
    )]
    Refused {
        endpoint: String,
        status: u16,
        file: String,
    },
    #[error("{repo} changed while it was being pulled. Run the same command again.")]
    Moved { repo: String },
    #[error(
        "{file} on the hub is not the file that the catalogue lists: {found} instead of {expected}. Nothing was fetched. Update Pinhole, or correct the catalogue's entry."
    )]
    NotAsListed {
        file: String,
        expected: String,
        found: String,
    },
    #[error(
        "the connection broke at {done_bytes} of {total_bytes} bytes of {file}: {why}. Run the same command again, which goes on from there."
    )]
    Broken {
        file: String,
        done_bytes: u64,
        total_bytes: u64,
        why: String,
    },
    #[error(
        "{file} arrived damaged: its hash is {found} instead of {expected}. It was deleted; run the same command again."
    )]
    WrongHash {
        file: String,
        expected: String,
        found: String,
    },
    #[error("{} is already there. Remove it first to pull it again.", folder.display())]
    AlreadyThere { folder: PathBuf },
    #[error("{} is being pulled by another process. Wait until it is done.", folder.display())]
    AlreadyPulling { folder: PathBuf },
    #[error("the disk of {} has {free_bytes} bytes free and {needed_bytes} are needed: free {} more and run the same command again.", folder.display(), needed_bytes.saturating_sub(*free_bytes))]
    NoRoom {
        folder: PathBuf,
        needed_bytes: u64,
        free_bytes: u64,
    },
    #[error("the disk is full: {} can't be written. What was fetched is kept; free some space and run the same command again.", path.display())]
    DiskFull { path: PathBuf },
    #[error("{} can't be written: {source}. Choose another folder of models, or let this user write there.", path.display())]
    Disk { path: PathBuf, source: io::Error },
}
