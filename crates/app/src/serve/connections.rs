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
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

/// Half of the files that a process may have open on most systems.
const MAX_CONNECTIONS: usize = 512;
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
    loop {
        let (stream, peer, place) = tokio::select! {
            accepted = accept(&listener, &free) => accepted,
            () = stop.set() => break,
        };
        let answers = router
            .clone()
            .map_request(move |request: Request<Incoming>| {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(ConnectInfo(peer));
                request
            });
        let connection = open.watch(
            protocol.serve_connection(TokioIo::new(stream), TowerToHyperService::new(answers)),
        );
        tokio::spawn(async move {
            // A client that went away or was too slow; nobody is left to tell.
            drop(connection.await);
            drop(place);
        });
    }
    drop(listener);
    open.shutdown().await;
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    free: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        let Ok(place) = Arc::clone(free).acquire_owned().await else {
            // Nobody closes it.
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
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
