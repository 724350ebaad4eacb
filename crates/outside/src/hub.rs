//! Weights from a model hub: whatever speaks Hugging Face's `resolve` protocol.
//!
//! A pull fetches into `<name>.partial` and goes on there when it is tried again; the folder takes
//! its name only when every file is whole and its hash is right.
//!
//! Invariants: nothing but safetensors, JSON and text is fetched, by name and by content, since a
//! pickle runs code when it is opened; the token goes to the hub alone, never to where the hub
//! sends us for the bytes, and is never printed; bytes come from the hub's own hosts alone, as the
//! register of recipients names them.

mod disk;
mod error;
mod transfer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::recipient::{Recipient, Role};
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};

use disk::{Partial, Room};
pub use error::HubError;

/// Where weights come from unless another hub is set.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
/// Under which names that hub hands out the bytes.
pub const DEFAULT_STORES: [&str; 2] = ["huggingface.co", "hf.co"];
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// A connection that says nothing for so long is broken.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// Times that something is tried without getting further.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The hub leads to a repository's newer name, and on to where its small files are kept.
const MAX_REDIRECTS: u32 = 5;

/// A model to pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What its folder will be called.
    pub name: String,
    /// `owner/name`
    pub repo: String,
    /// A commit or a branch.
    pub revision: String,
    pub files: Vec<OrderedFile>,
}

/// One of its files, with what is known of it beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderedFile {
    pub path: String,
    pub bytes: Option<u64>,
    pub sha256: Option<String>,
}

/// How far a pull is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    pub file: &'a str,
    pub stage: Stage,
    pub done_bytes: u64,
    pub total_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Fetching,
    /// The file is here, and its hash is being worked out.
    Checking,
}

/// Told again and again while a pull goes on.
pub type Told<'a> = &'a (dyn Fn(Progress<'_>) + Send + Sync);

/// Files that were fetched and checked, and that wait for [`Fetched::settle`].
#[derive(Debug)]
pub struct Fetched {
    /// What the revision meant.
    pub commit: String,
    pub files: Vec<FetchedFile>,
    partial: Partial,
    target: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedFile {
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
}

impl Fetched {
    /// Writes one more file, which describes the others, and gives the folder its name, in which
    /// all of it appears at once.
    pub fn settle(self, describing: &str, text: &str) -> Result<PathBuf, HubError> {
        self.partial.settle(describing, text, &self.target)?;
        Ok(self.target)
    }
}

/// A client of one hub.
#[derive(Clone)]
pub struct Hub {
    /// Follows no redirect: what the hub itself says of a file is in its first answer.
    asking: Client,
    fetching: Client,
    endpoint: Url,
    token: Option<String>,
    pause: Duration,
}

/// What the hub says of a file before it is fetched.
#[derive(Debug)]
struct Record {
    bytes: u64,
    commit: String,
    tag: Tag,
}

/// What the file's hash must be.
#[derive(Debug)]
enum Tag {
    Sha256(String),
    /// Of a small file that lies in the repository itself.
    Git(String),
    Unknown,
}

impl Hub {
    /// Takes a token from `HF_TOKEN`, the file in `HF_TOKEN_PATH`, or where `hf auth login` leaves it.
    pub fn with_token_of_environment(recipient: &Recipient) -> Result<Self, HubError> {
        let set = |name: &str| {
            std::env::var(name)
                .ok()
                .filter(|value| !value.trim().is_empty())
        };
        let home = || std::env::home_dir().map(|home| home.join(".cache/huggingface"));
        let file = set("HF_TOKEN_PATH").map(PathBuf::from).or_else(|| {
            let home = set("HF_HOME").map(PathBuf::from).or_else(home)?;
            Some(home.join("token"))
        });
        let token = set("HF_TOKEN").or_else(|| std::fs::read_to_string(file?).ok());
        Self::open(recipient, token)
    }

    pub fn open(recipient: &Recipient, token: Option<String>) -> Result<Self, HubError> {
        let endpoint = recipient.address();
        let bad = |why: &str| HubError::BadEndpoint {
            endpoint: endpoint.to_owned(),
            why: why.to_owned(),
        };
        if recipient.role() != Role::Hub {
            return Err(bad("that is no hub of the register of recipients"));
        }
        let url = Url::parse(endpoint).map_err(|_| bad("it is no address"))?;
        let token = token
            .map(|token| token.trim().to_owned())
            .filter(|token| !token.is_empty());
        let loopback = match url.host_str() {
            Some("localhost" | "127.0.0.1" | "[::1]") => true,
            Some(_) => false,
            None => return Err(bad("it names no server")),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback || token.is_none() => {}
            "http" => return Err(bad("a token is not sent without encryption: use https")),
            _ => return Err(bad("it must begin with https://")),
        }
        let client = || {
            Client::builder()
                .user_agent(concat!("pinhole/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_LIMIT)
                .read_timeout(SILENCE_LIMIT)
        };
        let built = |client: reqwest::Result<Client>| {
            client.map_err(|error| HubError::NoClient(error.to_string()))
        };
        Ok(Self {
            asking: built(client().redirect(Policy::none()).build())?,
            fetching: built(client().redirect(inside(recipient.clone())).build())?,
            endpoint: url,
            token,
            pause: FIRST_PAUSE,
        })
    }

    /// How long to wait before trying again, doubled each time.
    #[must_use]
    pub fn with_pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// Fetches a model's files into `<models_dir>/<name>.partial`, or what is still missing there.
    pub async fn pull(
        &self,
        order: &Order,
        models_dir: &Path,
        told: Told<'_>,
    ) -> Result<Fetched, HubError> {
        order.check()?;
        let target = models_dir.join(&order.name);
        if target.exists() {
            return Err(HubError::AlreadyThere { folder: target });
        }
        let mut records = Vec::with_capacity(order.files.len());
        for file in &order.files {
            records.push(self.record(order, file).await?);
        }
        let commit = match records.first() {
            Some(first) if records.iter().all(|record| record.commit == first.commit) => {
                first.commit.clone()
            }
            _ => {
                return Err(HubError::Moved {
                    repo: order.repo.clone(),
                });
            }
        };
        let partial = Partial::open(models_dir, &order.name)?;
        let total_bytes = records.iter().map(|record| record.bytes).sum();
        let there = order
            .files
            .iter()
            .map(|file| partial.bytes_of(&file.path))
            .sum();
        Room::of(models_dir)?.check(models_dir, u64::saturating_sub(total_bytes, there))?;
        let mut pull = transfer::Pull {
            hub: self,
            order,
            partial: &partial,
            told,
            total_bytes,
            done_bytes: 0,
        };
        let mut files = Vec::with_capacity(order.files.len());
        for (file, record) in order.files.iter().zip(&records) {
            files.push(pull.file(file, record).await?);
        }
        Ok(Fetched {
            commit,
            files,
            partial,
            target,
        })
    }

    /// Asks the hub for a file's size, hash and commit.
    async fn record(&self, order: &Order, file: &OrderedFile) -> Result<Record, HubError> {
        let answer = self
            .ask(self.address(order, &file.path)?, order, &file.path)
            .await?;
        let headers = answer.headers();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let not_a_hub = |what: &str| HubError::NotAHub {
            endpoint: self.endpoint.to_string(),
            what: what.to_owned(),
        };
        let commit = text("x-repo-commit")
            .ok_or_else(|| not_a_hub("X-Repo-Commit"))?
            .to_owned();
        let bytes = text("x-linked-size").or_else(|| text("content-length"));
        let bytes: u64 = bytes
            .and_then(|n| n.parse().ok())
            .ok_or_else(|| not_a_hub("the file's size"))?;
        let tag = Tag::read(headers);
        let wrong = |expected: String, found: String| HubError::NotAsListed {
            file: file.path.clone(),
            expected,
            found,
        };
        if let Some(listed) = file.bytes.filter(|listed| *listed != bytes) {
            return Err(wrong(format!("{listed} bytes"), format!("{bytes} bytes")));
        }
        let tag = match (&file.sha256, tag) {
            (Some(listed), Tag::Sha256(found)) if !listed.eq_ignore_ascii_case(&found) => {
                return Err(wrong(listed.clone(), found));
            }
            (Some(listed), _) => Tag::Sha256(listed.to_ascii_lowercase()),
            (None, tag) => tag,
        };
        Ok(Record { bytes, commit, tag })
    }

    /// A HEAD request; redirects inside the hub are followed, one to elsewhere is the answer.
    async fn ask(&self, url: Url, order: &Order, path: &str) -> Result<Response, HubError> {
        let mut url = url;
        for _ in 0..MAX_REDIRECTS {
            let answer = self
                .again_and_again(|| self.asking.head(url.clone()))
                .await?;
            let status = answer.status();
            let inside = answer
                .headers()
                .get(LOCATION)
                .and_then(|to| to.to_str().ok())
                .filter(|to| to.starts_with('/') && !to.starts_with("//"));
            match inside.and_then(|to| url.join(to).ok()) {
                Some(next) if status.is_redirection() => url = next,
                _ if status.is_success() || status.is_redirection() => return Ok(answer),
                _ => return Err(self.refusal(&answer, order, path)),
            }
        }
        Err(HubError::NotAHub {
            endpoint: self.endpoint.to_string(),
            what: "an end".into(),
        })
    }

    /// Sends a request until there is an answer that trying again would not change.
    async fn again_and_again(
        &self,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<Response, HubError> {
        let mut pause = self.pause;
        for attempt in 1.. {
            let request = match &self.token {
                Some(token) => request().bearer_auth(token),
                None => request(),
            };
            match request.send().await {
                Ok(answer) if attempt < TRIES && passing(answer.status()) => {}
                Ok(answer) => return Ok(answer),
                Err(error) if elsewhere(&error).is_some() => {
                    let host = elsewhere(&error).map(|elsewhere| elsewhere.0.clone());
                    return Err(HubError::Elsewhere {
                        endpoint: self.endpoint.to_string(),
                        host: host.unwrap_or_default(),
                    });
                }
                Err(error) if attempt >= TRIES => return Err(self.unreachable(&error)),
                Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        unreachable!("the last try returns")
    }

    fn unreachable(&self, error: &reqwest::Error) -> HubError {
        HubError::Unreachable {
            endpoint: self.endpoint.to_string(),
            why: cause_of(error),
        }
    }

    /// Why the hub does not give a file.
    fn refusal(&self, answer: &Response, order: &Order, path: &str) -> HubError {
        let (repo, endpoint) = (
            order.repo.clone(),
            self.endpoint.as_str().trim_end_matches('/'),
        );
        let code = answer
            .headers()
            .get("x-error-code")
            .and_then(|code| code.to_str().ok());
        match (answer.status(), code) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some("RepoNotFound"))
            | (StatusCode::NOT_FOUND, Some("RepoNotFound")) => HubError::NoSuchRepo {
                repo,
                endpoint: endpoint.to_owned(),
            },
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => HubError::Gated {
                page: format!("{endpoint}/{repo}"),
                tokens: format!("{endpoint}/settings/tokens"),
                repo,
                with_token: self.token.is_some(),
            },
            (StatusCode::NOT_FOUND, _) => HubError::NoSuchFile {
                file: path.to_owned(),
                repo,
                revision: order.revision.clone(),
            },
            (StatusCode::TOO_MANY_REQUESTS, _) => HubError::Busy {
                endpoint: endpoint.to_owned(),
            },
            (status, _) => HubError::Refused {
                endpoint: endpoint.to_owned(),
                status: status.as_u16(),
                file: path.to_owned(),
            },
        }
    }

    fn address(&self, order: &Order, path: &str) -> Result<Url, HubError> {
        let mut url = self.endpoint.clone();
        let unusable = || HubError::BadEndpoint {
            endpoint: self.endpoint.to_string(),
            why: "it has no path".into(),
        };
        url.path_segments_mut()
            .map_err(|()| unusable())?
            .pop_if_empty()
            .extend(order.repo.split('/'))
            .extend(["resolve", &order.revision])
            .extend(path.split('/'));
        Ok(url)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = if self.token.is_some() {
            "with"
        } else {
            "without"
        };
        write!(f, "Hub({}, {token} token)", self.endpoint)
    }
}

impl Order {
    fn check(&self) -> Result<(), HubError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        let name =
            |name: &str| !name.starts_with('.') && !name.is_empty() && name.chars().all(plain);
        let repo = self.repo.split_once('/');
        let good = name(&self.name)
            && name(&self.revision)
            && repo.is_some_and(|(owner, repo)| name(owner) && name(repo));
        if !good || self.files.is_empty() {
            return Err(HubError::BadOrder {
                name: self.name.clone(),
            });
        }
        self.files
            .iter()
            .try_for_each(|file| disk::check_path(&file.path))
    }
}

impl Tag {
    fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let tag = text("x-linked-etag")
            .or_else(|| text("etag"))
            .unwrap_or_default();
        let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
        let hex = tag.bytes().all(|b| b.is_ascii_hexdigit());
        match tag.len() {
            64 if hex => Self::Sha256(tag.to_ascii_lowercase()),
            40 if hex => Self::Git(tag.to_ascii_lowercase()),
            _ => Self::Unknown,
        }
    }
}

/// Follows where the hub leads, as long as that is its own.
fn inside(recipient: Recipient) -> Policy {
    Policy::custom(move |attempt| {
        let host = attempt.url().host_str().unwrap_or_default().to_owned();
        if attempt.previous().len() > MAX_REDIRECTS as usize {
            attempt.error("it leads on and on")
        } else if recipient.answers_for(&host) {
            attempt.follow()
        } else {
            attempt.error(Elsewhere(host))
        }
    })
}

/// The hub leads to somebody who is not in the register.
#[derive(Clone, Debug, thiserror::Error)]
#[error("it leads to {0}, which the register of recipients does not name")]
struct Elsewhere(String);

/// Where the hub wanted to lead us, where that is why nothing came.
fn elsewhere(error: &reqwest::Error) -> Option<&Elsewhere> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(at) = cause {
        if let Some(found) = at.downcast_ref() {
            return Some(found);
        }
        cause = at.source();
    }
    None
}

/// Trouble that may be over in a moment.
fn passing(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        )
}

/// The innermost reason, which is the one that tells a person something.
fn cause_of(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
