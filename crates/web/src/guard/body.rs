//! Bodies are read whole, within a size and within a time.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use crate::problem::Problem;

pub(crate) const MAX_BYTES: usize = 1 << 20;
/// Long enough for a slow phone to send a prompt, short enough that idle bodies don't pile up.
const MAX_TIME: Duration = Duration::from_secs(15);
/// For a photo over the same phone.
const MAX_TIME_FILE: Duration = Duration::from_secs(60);

pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    read_within(MAX_TIME, MAX_BYTES, headers, body).await
}

/// Reads a body that may be larger than others.
pub(crate) async fn read_up_to(
    max_bytes: usize,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Problem> {
    read_within(MAX_TIME_FILE, max_bytes, headers, body).await
}

async fn read_within(
    time: Duration,
    max_bytes: usize,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Problem> {
    if declared_bytes(headers).is_some_and(|bytes| bytes > max_bytes as u64) {
        return Err(too_large(max_bytes));
    }
    let read = tokio::time::timeout(time, collect(max_bytes, body)).await;
    read.unwrap_or_else(|_| {
        let message = "The body came too slowly, so it was cut off. Send it again.";
        Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            message,
        ))
    })
}

fn declared_bytes(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

async fn collect(max_bytes: usize, body: Body) -> Result<Bytes, Problem> {
    let mut bytes = BytesMut::new();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else {
            let message = "The body was cut off. Send it again.";
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "body_cut_off",
                message,
            ));
        };
        if bytes.len() + chunk.len() > max_bytes {
            return Err(too_large(max_bytes));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

fn too_large(max_bytes: usize) -> Problem {
    let message =
        format!("The body is too large: at most {max_bytes} bytes are read. Send a smaller one.");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_never_ends_is_cut_off() {
        let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        let cut = read_within(Duration::ZERO, MAX_BYTES, &HeaderMap::new(), never).await;
        assert_eq!(
            cut.expect_err("cut off").status,
            StatusCode::REQUEST_TIMEOUT
        );
    }
}
