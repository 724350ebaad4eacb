//! How far a request is, in the fields of OpenDSR (version 2) and signed, so that whoever asked can show
//! to others when it was received and when an answer was due. OpenDSR signs with RSA certificates; this
//! house signs with its Ed25519 key, as everything else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::clock::{Civil, Moment};
use serde_json::json;

use super::{Request, State};
use crate::Studio;
use crate::privacy::canonical;

impl State {
    /// In OpenDSR's words.
    const fn open_dsr(self) -> &'static str {
        match self {
            Self::Open => "in_progress",
            Self::Answered | Self::Refused => "completed",
            Self::Withdrawn => "cancelled",
        }
    }
}

/// The status as canonical JSON, with the house's signature of it.
#[must_use]
pub fn signed(studio: &Studio, request: &Request) -> String {
    let document = json!({
        "api_version": "2.0",
        "controller_id": BASE64.encode(studio.keys.public_key()),
        "expected_completion_time": time(request.due),
        "received_time": time(request.received),
        "request_status": request.state.open_dsr(),
        "subject_request_id": request.id,
        "subject_request_type": request.asked.name(),
        "outcome": request.state.name(),
        "completed_time": request.ended.map(time),
        "status_time": time(studio.clock.now()),
    });
    canonical::signed(&studio.keys, "request", &document)
}

/// `2026-11-22T00:34:12Z`
fn time(moment: Moment) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = moment.civil();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
