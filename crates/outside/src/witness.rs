//! A witness of logs, over HTTP (C2SP, tlog-witness).

use std::time::Duration;

use domain::recipient::{Recipient, Role};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// Signatures are short, and errors are not read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Where a witness takes checkpoints.
#[derive(Clone, Debug)]
pub struct Witness {
    client: Client,
    url: Url,
}

#[derive(Debug, thiserror::Error)]
pub enum BadWitness {
    #[error(
        "a witness is reached at an https:// address without a query, as in https://witness.example.org/house"
    )]
    Address,
    #[error("the log is shown to witnesses of the register of recipients, and to nobody else")]
    Recipient,
    #[error("the client of witnesses does not start: {0}")]
    Client(reqwest::Error),
}

/// What a witness says to a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Lines of signatures, unchecked.
    Signed(String),
    /// It signed so many entries last.
    Knows(u64),
    /// The proof does not hold.
    Forked,
    /// It does not watch this log.
    Unknown,
}

#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum WitnessError {
    #[error("the witness can't be reached")]
    Unreachable,
    #[error("the witness does not answer in time")]
    Slow,
    #[error("the witness answered with the status {0}")]
    Status(u16),
    #[error("what the witness answered is none of what a witness answers")]
    Unreadable,
}

impl Witness {
    /// In the clear it is reached on this machine alone, for trials.
    pub fn open(recipient: &Recipient) -> Result<Self, BadWitness> {
        if recipient.role() != Role::Witness {
            return Err(BadWitness::Recipient);
        }
        let mut url: Url = recipient
            .address()
            .parse()
            .map_err(|_| BadWitness::Address)?;
        let is_here = url
            .host_str()
            .is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_here);
        if !is_safe || url.query().is_some() || url.fragment().is_some() {
            return Err(BadWitness::Address);
        }
        let path = format!("{}/add-checkpoint", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let client = Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(ANSWER_LIMIT)
            .redirect(Policy::none())
            .build()
            .map_err(BadWitness::Client)?;
        Ok(Self { client, url })
    }

    /// Shows it a checkpoint: `body` is what the protocol says, proof and note.
    pub async fn add_checkpoint(&self, body: String) -> Result<Answer, WitnessError> {
        let failed = |error: reqwest::Error| {
            if error.is_timeout() {
                WitnessError::Slow
            } else {
                WitnessError::Unreachable
            }
        };
        let request = self.client.post(self.url.clone()).body(body);
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        match status {
            StatusCode::OK | StatusCode::CONFLICT => {}
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => return Ok(Answer::Unknown),
            StatusCode::UNPROCESSABLE_ENTITY => return Ok(Answer::Forked),
            other => return Err(WitnessError::Status(other.as_u16())),
        }
        let mut bytes = Vec::new();
        while let Some(some) = answer.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&some);
            if bytes.len() > MAX_ANSWER_BYTES {
                return Err(WitnessError::Unreadable);
            }
        }
        let text = String::from_utf8(bytes).map_err(|_| WitnessError::Unreadable)?;
        if status == StatusCode::OK {
            return Ok(Answer::Signed(text));
        }
        let size = text.trim_end().parse();
        size.map(Answer::Knows)
            .map_err(|_| WitnessError::Unreadable)
    }
}
