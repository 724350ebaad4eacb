//! A model hub on this machine: as much of Hugging Face's protocol as a pull meets.
//!
//! As on the real one, weights are led away to another host (here: the same server under the name
//! `localhost`), with their size and hash in the answer that leads there, and small files are led
//! on inside the hub and named by Git's own hash. It can be told to misbehave.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures::StreamExt;
use sha1::Sha1;
use sha2::{Digest, Sha256};

pub(crate) const REPO: &str = "someone/tiny";
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the hub does wrong; the default is nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// Nobody without a token, and nobody with this one.
    pub(crate) gated: bool,
    /// Every body ends before this byte of its file.
    pub(crate) cut_at: Option<usize>,
    /// So many bodies are cut; none is counted where absent.
    pub(crate) cuts_left: Option<u32>,
    /// So many answers are 503 first.
    pub(crate) unavailable: u32,
    pub(crate) no_ranges: bool,
    /// This file's tag is another file's.
    pub(crate) wrong_tag: Option<String>,
    /// This file belongs to another commit.
    pub(crate) moved: Option<String>,
    /// This file is said to have so many bytes.
    pub(crate) said_bytes: Option<(String, u64)>,
    pub(crate) no_commit: bool,
    /// Whom it leads to for weights, in place of itself.
    pub(crate) leads_to: Option<String>,
}

/// One request as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) file: String,
    /// At the host that the hub leads to.
    pub(crate) away: bool,
    pub(crate) range: Option<String>,
    pub(crate) token: Option<String>,
}

#[derive(Default)]
pub(crate) struct Inside {
    pub(crate) files: Mutex<BTreeMap<String, Vec<u8>>>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) seen: Mutex<Vec<Seen>>,
    port: Mutex<u16>,
}

pub(crate) struct Server {
    pub(crate) inside: Arc<Inside>,
    port: u16,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Serves these files until it is dropped.
    pub(crate) async fn start(files: BTreeMap<String, Vec<u8>>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let inside = Arc::new(Inside {
            files: Mutex::new(files),
            ..Inside::default()
        });
        *inside.port.lock().expect("lock") = port;
        let router = Router::new()
            .route("/{owner}/{repo}/resolve/{revision}/{*file}", any(resolve))
            .route("/api/resolve-cache/{*file}", any(cached))
            .route("/away/{*file}", any(away))
            .with_state(inside.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serves");
        });
        Self { inside, port, task }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn misbehave(&self, faults: Faults) {
        *self.inside.faults.lock().expect("lock") = faults;
    }

    /// What was asked for since the last time.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.inside.seen.lock().expect("lock"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The hub's own address of a file.
async fn resolve(
    State(hub): State<Arc<Inside>>,
    Path((owner, repo, _revision, file)): Path<(String, String, String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let token = hub.note(&method, &file, false, &headers);
    let faults = {
        let mut faults = hub.faults.lock().expect("lock");
        if faults.unavailable > 0 {
            faults.unavailable -= 1;
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        faults.clone()
    };
    if format!("{owner}/{repo}") != REPO {
        return (StatusCode::UNAUTHORIZED, [("x-error-code", "RepoNotFound")]).into_response();
    }
    if faults.gated {
        let status = if token {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::UNAUTHORIZED
        };
        return (status, [("x-error-code", "GatedRepo")]).into_response();
    }
    let files = hub.files.lock().expect("lock");
    let Some(bytes) = files.get(&file) else {
        return (StatusCode::NOT_FOUND, [("x-error-code", "EntryNotFound")]).into_response();
    };
    let mut answer = Response::builder().status(StatusCode::FOUND);
    if !faults.no_commit {
        let other = faults.moved.as_ref() == Some(&file);
        let commit = if other {
            COMMIT.replace('0', "f")
        } else {
            COMMIT.to_owned()
        };
        answer = answer.header("x-repo-commit", commit);
    }
    if !file.ends_with(".safetensors") {
        let to = format!("/api/resolve-cache/{file}");
        return answer
            .header(header::LOCATION, to)
            .body(Body::empty())
            .expect("an answer");
    }
    let said = faults
        .said_bytes
        .filter(|(said, _)| *said == file)
        .map(|(_, bytes)| bytes);
    let wrong = faults.wrong_tag.as_ref() == Some(&file);
    let tag = if wrong {
        "0".repeat(64)
    } else {
        hex(&Sha256::digest(bytes))
    };
    let port = *hub.port.lock().expect("lock");
    answer
        .header("x-linked-size", said.unwrap_or(bytes.len() as u64))
        .header("x-linked-etag", format!("\"{tag}\""))
        .header(
            header::LOCATION,
            format!(
                "http://{}:{port}/away/{file}",
                faults.leads_to.as_deref().unwrap_or("localhost")
            ),
        )
        .body(Body::empty())
        .expect("an answer")
}

/// Where the hub keeps small files.
async fn cached(
    State(hub): State<Arc<Inside>>,
    Path(file): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    hub.note(&method, &file, false, &headers);
    let faults = hub.faults.lock().expect("lock").clone();
    let Some(bytes) = hub.files.lock().expect("lock").get(&file).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let wrong = faults.wrong_tag.as_ref() == Some(&file);
    let git = Sha1::digest([format!("blob {}\0", bytes.len()).as_bytes(), &bytes].concat());
    let tag = if wrong { "0".repeat(40) } else { hex(&git) };
    let mut answer = hub.body(&bytes, &headers);
    answer
        .headers_mut()
        .insert(header::ETAG, format!("\"{tag}\"").parse().expect("a tag"));
    if !faults.no_commit {
        let other = faults.moved.as_ref() == Some(&file);
        let commit = if other {
            COMMIT.replace('0', "f")
        } else {
            COMMIT.to_owned()
        };
        answer
            .headers_mut()
            .insert("x-repo-commit", commit.parse().expect("a commit"));
    }
    answer
}

/// Where weights lie: another host, which knows nothing of the hub.
async fn away(
    State(hub): State<Arc<Inside>>,
    Path(file): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    hub.note(&method, &file, true, &headers);
    let Some(bytes) = hub.files.lock().expect("lock").get(&file).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    hub.body(&bytes, &headers)
}

impl Inside {
    /// Writes a request down; answers whether it bore a token.
    fn note(&self, method: &Method, file: &str, away: bool, headers: &HeaderMap) -> bool {
        let text = |name| {
            headers
                .get(name)
                .map(|v| v.to_str().expect("text").to_owned())
        };
        let seen = Seen {
            method: method.to_string(),
            file: file.to_owned(),
            away,
            range: text(header::RANGE),
            token: text(header::AUTHORIZATION),
        };
        let token = seen.token.is_some();
        self.seen.lock().expect("lock").push(seen);
        token
    }

    fn body(&self, bytes: &[u8], headers: &HeaderMap) -> Response {
        let mut faults = self.faults.lock().expect("lock");
        let range = headers.get(header::RANGE).filter(|_| !faults.no_ranges);
        let from: Option<usize> = range.map(|range| {
            let text = range.to_str().expect("text");
            let from = text
                .strip_prefix("bytes=")
                .and_then(|text| text.strip_suffix('-'));
            from.expect("an open range").parse().expect("a number")
        });
        let start = from.unwrap_or(0).min(bytes.len());
        let cut = faults.cut_at.filter(|cut| *cut < bytes.len());
        let cut = cut.filter(|_| faults.cuts_left != Some(0));
        if cut.is_some() {
            faults.cuts_left = faults.cuts_left.map(|left| left - 1);
        }
        let rest = Bytes::copy_from_slice(&bytes[start..cut.unwrap_or(bytes.len()).max(start)]);
        let end = futures::stream::once(async move {
            // What came before is sent while this waits.
            tokio::task::yield_now().await;
            Err(io::Error::from(io::ErrorKind::ConnectionReset))
        });
        let end = end.take(usize::from(cut.is_some()));
        let parts = futures::stream::iter([Ok::<_, io::Error>(rest)]).chain(end);
        let mut answer = Response::builder().header(header::CONTENT_LENGTH, bytes.len() - start);
        if from.is_some() {
            let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
            let partial = answer.status(StatusCode::PARTIAL_CONTENT);
            answer = partial.header(header::CONTENT_RANGE, range);
        }
        answer.body(Body::from_stream(parts)).expect("an answer")
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("written");
        text
    })
}
