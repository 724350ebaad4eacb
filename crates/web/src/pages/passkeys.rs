//! What passes between a page and an authenticator, as the island `passkey.js` sends and reads it:
//! bytes in base64url.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::secret::Token;
use serde_json::{Value, json};
use studio::accounts::passkey::{ALGORITHMS, ANSWER_WITHIN_MS, Asserted, Attested, Party, Wanted};

use super::sent::Sent;

/// What a browser is told to have a passkey made: one that needs no address typed, and that checks
/// who holds it.
pub(super) fn creation(house: &str, party: &Party, wanted: &Wanted) -> Value {
    let known = wanted.known.iter().map(|(id, transports)| {
        json!({ "type": "public-key", "id": letters(id), "transports": transports })
    });
    json!({
        "challenge": wanted.challenge.expose(),
        "rp": { "id": party.id, "name": house },
        "user": {
            "id": letters(&wanted.user_handle),
            "name": wanted.account,
            "displayName": wanted.display_name,
        },
        "pubKeyCredParams": ALGORITHMS.map(|number| json!({ "type": "public-key", "alg": number })),
        "excludeCredentials": known.collect::<Vec<_>>(),
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": true,
            "userVerification": "required",
        },
        "attestation": "none",
        "timeout": ANSWER_WITHIN_MS,
    })
}

/// What a browser is told to have a passkey used; one of `known`, or whichever there is.
pub(super) fn request(party: &Party, challenge: &Token, known: &[Vec<u8>]) -> Value {
    let known = known
        .iter()
        .map(|id| json!({ "type": "public-key", "id": letters(id) }));
    json!({
        "challenge": challenge.expose(),
        "rpId": party.id,
        "allowCredentials": known.collect::<Vec<_>>(),
        "userVerification": "required",
        "timeout": ANSWER_WITHIN_MS,
    })
}

fn letters(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What can't be read is as good as empty, and then refused.
fn bytes(sent: &Sent, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(sent.text(name)).unwrap_or_default()
}

pub(super) fn attested(sent: &Sent) -> Attested {
    let transports = sent.text("transports").split_whitespace();
    Attested {
        client_data: bytes(sent, "client_data"),
        attestation: bytes(sent, "attestation"),
        transports: transports.map(str::to_owned).collect(),
    }
}

pub(super) fn asserted(sent: &Sent) -> Asserted {
    Asserted {
        credential: bytes(sent, "credential"),
        client_data: bytes(sent, "client_data"),
        authenticator_data: bytes(sent, "authenticator_data"),
        signature: bytes(sent, "signature"),
        user_handle: bytes(sent, "user_handle"),
    }
}
