//! An id for each request, in its log lines and in its answer, so that the two can be matched. One that a
//! client chose may say anything: the log has the beginning of its SHA-256.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use domain::randomness::Randomness;
use sha2::{Digest, Sha256};
use tracing::Instrument;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const MAX_CHARS: usize = 64;

pub(super) async fn attach(
    State(randomness): State<Randomness>,
    request: Request,
    next: Next,
) -> Response {
    let given = request
        .headers()
        .get(HEADER)
        .and_then(|value| value.to_str().ok());
    let (id, logged) = match given {
        Some(id) if is_sane(id) => (id.to_owned(), beginning_of_hash(id)),
        _ => {
            let own = format!("req_{:032x}", randomness.next_u128());
            (own.clone(), own)
        }
    };
    // The route, never the address itself.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("-", MatchedPath::as_str)
        .to_owned();
    let span = tracing::info_span!("request", id = %logged, method = %request.method(), route);
    let mut response = async {
        let response = next.run(request).await;
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    }
    .instrument(span)
    .await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

fn beginning_of_hash(id: &str) -> String {
    let hash = Sha256::digest(id);
    hash.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn is_sane(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=MAX_CHARS).contains(&id.len()) && id.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_gov_05_an_id_that_a_client_chose_is_logged_as_its_hash() {
        let logged = beginning_of_hash("anna.example");
        assert_eq!(logged.len(), 16);
        assert!(!logged.contains("anna"));
        assert_ne!(logged, beginning_of_hash("bert.example"));
    }
}
