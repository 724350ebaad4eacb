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
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower::ServiceExt;

/// Half of the files that a process may have open on most systems.
const MAX_CONNECTIONS: usize = 512;
/// Connections that wait a moment for a place, before they are told to come back.
const MAX_WAITING: usize = 64;
const PATIENCE: Duration = Duration::from_secs(1);
/// Connections that are being told so, and how long each may take to say what it wants, and then to
/// hear the answer.
const MAX_REFUSING: usize = 64;
const HEARING: Duration = Duration::from_secs(5);
const REFUSAL: Duration = Duration::from_millis(100);
const REFUSAL_BODY: &str = r#"{"error":{"message":"The server has as many connections as it can hold. Try again in a few seconds.","type":"server_error","param":null,"code":"too_many_connections"}}"#;
/// How long to leave the listener alone after it failed, as when too many files are open.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

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
    // Closed before it was asked, the connection would be reset, and the answer lost.
    drop(timeout(HEARING, stream.read(&mut [0; 4096])).await);
    let told = async {
        let head = format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
             retry-after: 5\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            REFUSAL_BODY.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(REFUSAL_BODY.as_bytes()).await?;
        stream.shutdown().await?;
        // So it would be with words unread.
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    drop(timeout(REFUSAL, told).await);
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
