//! Accepts connections and answers on them, with a limit for everything that a client could drag out:
//! how many connections there are, and how long each may take to say what it wants.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use studio::jobs::worker::Stop;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower::ServiceExt;

/// Half of the files that a process may have open on most systems.
const MAX_CONNECTIONS: usize = 512;
/// Connections that wait in the kernel until they are accepted, where it lets as many. They take no
/// file, and what they say is there by then.
const BACKLOG: u32 = 4096;
/// Connections that wait a moment for a place, before they are told to come back.
const MAX_WAITING: usize = 64;
const PATIENCE: Duration = Duration::from_secs(1);
/// Connections that are being told so; how long each may take to say what it wants, how much of that
/// is heard, and how long it may take to hear the answer where more than that was to come.
const MAX_REFUSING: usize = 256;
const HEARING: Duration = Duration::from_secs(15);
const MAX_HEARD: u64 = 64 << 10;
const MAX_HEADERS: usize = 64;
const REFUSAL: Duration = Duration::from_millis(100);
const REFUSAL_BODY: &str = r#"{"error":{"message":"The server has as many connections as it can hold. Try again in a few seconds.","type":"server_error","param":null,"code":"too_many_connections"}}"#;
/// How long to leave the listener alone after it failed, as when too many files are open.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Takes an address. Whoever connects is refused until it is listened at.
pub(super) fn bind(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart need not wait until the connections of the former process are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Lets people in.
pub(super) fn listen(socket: TcpSocket) -> std::io::Result<TcpListener> {
    socket.listen(BACKLOG)
}

/// Answers until told to stop; then it accepts nobody new, and returns once every answer that was
/// begun is given.
///
/// `header_timeout` is how long a client may take for the head of a request, the first or the next
/// one; then its connection is closed. Bodies have a limit of their own.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    header_timeout: Duration,
    stop: &Stop,
) {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout);
    let open = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let waiting = Arc::new(Semaphore::new(MAX_WAITING));
    let refusing = Arc::new(Semaphore::new(MAX_REFUSING));
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = stop.set() => break,
        };
        let answers = router
            .clone()
            .map_request(move |request: Request<Incoming>| {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(ConnectInfo(peer));
                request
            });
        let (protocol, watcher) = (protocol.clone(), open.watcher());
        let converse = async move |stream, place: OwnedSemaphorePermit| {
            let connection =
                protocol.serve_connection(TokioIo::new(stream), TowerToHyperService::new(answers));
            // A client that went away or was too slow; nobody is left to tell.
            drop(watcher.watch(connection).await);
            drop(place);
        };
        if let Ok(place) = Arc::clone(&free).try_acquire_owned() {
            tokio::spawn(converse(stream, place));
        } else if let Ok(turn) = Arc::clone(&waiting).try_acquire_owned() {
            let free = Arc::clone(&free);
            tokio::spawn(async move {
                let place = timeout(PATIENCE, free.acquire_owned()).await;
                drop(turn);
                match place {
                    Ok(Ok(place)) => converse(stream, place).await,
                    _ => refuse(stream).await,
                }
            });
        } else if let Ok(turn) = Arc::clone(&refusing).acquire_owned().await {
            tokio::spawn(async move {
                refuse(stream).await;
                drop(turn);
            });
        }
    }
    drop(listener);
    open.shutdown().await;
}

/// Tells a client to come back. It may have gone away, or never read it.
async fn refuse(mut stream: TcpStream) {
    // Closed before it was asked, or with words unread, the connection would be reset, and the answer
    // lost.
    let heard = timeout(HEARING, hear(&mut stream)).await;
    let is_whole = matches!(heard, Ok(Ok(true)));
    let told = async {
        let head = format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
             retry-after: 5\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            REFUSAL_BODY.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(REFUSAL_BODY.as_bytes()).await?;
        stream.shutdown().await?;
        if !is_whole {
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
        }
        Ok::<_, std::io::Error>(())
    };
    drop(timeout(REFUSAL, told).await);
}

/// Reads a request and forgets it; `false` where there is more of it than is heard.
async fn hear(stream: &mut TcpStream) -> std::io::Result<bool> {
    let mut stream = stream.take(MAX_HEARD);
    let mut heard = Vec::new();
    loop {
        if stream.read_buf(&mut heard).await? == 0 {
            return Ok(false);
        }
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let head = match request.parse(&heard) {
            Ok(httparse::Status::Complete(head)) => head,
            Ok(httparse::Status::Partial) => continue,
            Err(_) => return Ok(false),
        };
        let Some(body) = body_bytes(request.headers) else {
            return Ok(false);
        };
        let missing = (head as u64 + body).saturating_sub(heard.len() as u64);
        let rest = tokio::io::copy(&mut stream.take(missing), &mut tokio::io::sink()).await?;
        return Ok(rest == missing);
    }
}

/// How long a body is; `None` where its head does not tell.
fn body_bytes(headers: &[httparse::Header<'_>]) -> Option<u64> {
    let of = |name: &str| {
        let mut named = headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case(name));
        named.next().map(|header| header.value)
    };
    match (of("transfer-encoding"), of("content-length")) {
        (Some(_), _) => None,
        (None, None) => Some(0),
        (None, Some(length)) => std::str::from_utf8(length).ok()?.trim().parse().ok(),
    }
}

/// The next connection.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_the_client(error.kind()) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted; trying again");
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    }
}

const fn is_of_the_client(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}
