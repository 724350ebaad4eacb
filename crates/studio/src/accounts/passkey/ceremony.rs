//! What a browser brings from an authenticator, and whether it holds: the relying party's part of
//! Web Authentication Level 3 (W3C), sections 7.1 and 7.2.
//!
//! Where a passkey is kept is not asked, so attestation statements are not looked at. Signatures
//! are checked by aws-lc.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use domain::secret::Token;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::cbor::Item;

/// For whom an authenticator signs: passkeys of one party are worth nothing to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The name of the host, without a port.
    pub id: String,
    /// As browsers write it: `https://pictures.example.org`.
    pub origin: String,
}

/// Why something was not accepted. Nothing in it is personal, so that operators may read it.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    #[error("the browser sent something that can't be read")]
    Malformed,
    #[error("it was made for another purpose")]
    Purpose,
    #[error("it answers another question")]
    Challenge,
    #[error("it was made on another site")]
    Origin,
    #[error("nobody touched the authenticator")]
    Presence,
    #[error("the authenticator did not check who holds it")]
    Verification,
    #[error("its kind of key is not known here")]
    Algorithm,
    #[error("its signature is wrong")]
    Signature,
}

/// What a browser sends after it made a passkey.
#[derive(Clone, Debug)]
pub struct Attested {
    pub client_data: Vec<u8>,
    pub attestation: Vec<u8>,
    /// How the authenticator can be reached, in the browser's words.
    pub transports: Vec<String>,
}

/// What a browser sends after it used a passkey.
#[derive(Clone, Debug)]
pub struct Asserted {
    pub credential: Vec<u8>,
    pub client_data: Vec<u8>,
    pub authenticator_data: Vec<u8>,
    pub signature: Vec<u8>,
    pub user_handle: Vec<u8>,
}

/// A passkey that was just made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) credential: Vec<u8>,
    /// In COSE, as the authenticator wrote it.
    pub(super) key: Vec<u8>,
    pub(super) state: State,
}

/// What an authenticator says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) sign_count: u32,
    /// It checked who holds it, by a PIN or a finger.
    pub(super) is_verified: bool,
    pub(super) may_be_backed_up: bool,
    pub(super) is_backed_up: bool,
}

impl State {
    pub(super) fn must_be_verified(self) -> Result<Self, Refusal> {
        if self.is_verified {
            Ok(self)
        } else {
            Err(Refusal::Verification)
        }
    }
}

/// The longest credential id that the standard allows.
const MAX_CREDENTIAL_BYTES: usize = 1023;

/// The question that a browser answers, as far as it says.
pub(super) fn challenge_of(client_data: &[u8]) -> Option<Token> {
    let read: ClientData = serde_json::from_slice(client_data).ok()?;
    Token::read(&read.challenge)
}

/// Reads what a browser made: the key that signs from now on.
pub(super) fn made(party: &Party, challenge: &Token, sent: &Attested) -> Result<Made, Refusal> {
    check_client_data(party, challenge, "webauthn.create", &sent.client_data)?;
    let (object, rest) = Item::read(&sent.attestation).ok_or(Refusal::Malformed)?;
    let data = object.named("authData").and_then(Item::bytes);
    let data = data.filter(|_| rest.is_empty());
    let data = AuthenticatorData::read(data.ok_or(Refusal::Malformed)?)?;
    let state = data.check(party)?;
    let (credential, key) = data.made.ok_or(Refusal::Malformed)?;
    if credential.is_empty() || credential.len() > MAX_CREDENTIAL_BYTES {
        return Err(Refusal::Malformed);
    }
    Key::read(key)?;
    Ok(Made {
        credential: credential.to_vec(),
        key: key.to_vec(),
        state,
    })
}

/// Whether the holder of `key` answered the challenge.
pub(super) fn signed(
    party: &Party,
    challenge: &Token,
    key: &[u8],
    sent: &Asserted,
) -> Result<State, Refusal> {
    check_client_data(party, challenge, "webauthn.get", &sent.client_data)?;
    let state = AuthenticatorData::read(&sent.authenticator_data)?.check(party)?;
    let mut message = sent.authenticator_data.clone();
    message.extend_from_slice(&Sha256::digest(&sent.client_data));
    Key::read(key)?.verify(&message, &sent.signature)?;
    Ok(state)
}

#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    is_cross_origin: bool,
    #[serde(rename = "topOrigin")]
    top_origin: Option<String>,
}

fn check_client_data(
    party: &Party,
    challenge: &Token,
    kind: &str,
    bytes: &[u8],
) -> Result<(), Refusal> {
    let data: ClientData = serde_json::from_slice(bytes).map_err(|_| Refusal::Malformed)?;
    if data.kind != kind {
        return Err(Refusal::Purpose);
    }
    if data.challenge != challenge.expose() {
        return Err(Refusal::Challenge);
    }
    // No page of this program stands inside another's.
    if data.origin != party.origin || data.is_cross_origin || data.top_origin.is_some() {
        return Err(Refusal::Origin);
    }
    Ok(())
}

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const HAS_CREDENTIAL: u8 = 1 << 6;
const HAS_EXTENSIONS: u8 = 1 << 7;
const AAGUID_BYTES: usize = 16;

struct AuthenticatorData<'a> {
    party_hash: &'a [u8],
    flags: u8,
    sign_count: u32,
    /// The id of a credential and its key, where one was made.
    made: Option<(&'a [u8], &'a [u8])>,
}

impl<'a> AuthenticatorData<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        Self::parse(bytes).ok_or(Refusal::Malformed)
    }

    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (party_hash, rest) = bytes.split_at_checked(32)?;
        let (&flags, rest) = rest.split_first()?;
        let (sign_count, mut rest) = rest.split_first_chunk::<4>()?;
        let mut made = None;
        if flags & HAS_CREDENTIAL != 0 {
            let after = rest.get(AAGUID_BYTES..)?;
            let (length, after) = after.split_first_chunk::<2>()?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (credential, after) = after.split_at_checked(length)?;
            let (_, behind) = Item::read(after)?;
            made = Some((credential, &after[..after.len() - behind.len()]));
            rest = behind;
        }
        if flags & HAS_EXTENSIONS != 0 {
            (_, rest) = Item::read(rest)?;
        }
        rest.is_empty().then_some(Self {
            party_hash,
            flags,
            sign_count: u32::from_be_bytes(*sign_count),
            made,
        })
    }

    fn check(&self, party: &Party) -> Result<State, Refusal> {
        if self.party_hash != Sha256::digest(&party.id).as_slice() {
            return Err(Refusal::Origin);
        }
        let has = |flag: u8| self.flags & flag != 0;
        if !has(USER_PRESENT) {
            return Err(Refusal::Presence);
        }
        if has(BACKED_UP) && !has(BACKUP_ELIGIBLE) {
            return Err(Refusal::Malformed);
        }
        Ok(State {
            sign_count: self.sign_count,
            is_verified: has(USER_VERIFIED),
            may_be_backed_up: has(BACKUP_ELIGIBLE),
            is_backed_up: has(BACKED_UP),
        })
    }
}

/// The kinds of keys that are taken, as COSE numbers them, the most wanted first.
pub const ALGORITHMS: [i64; 3] = [ES256, EDDSA, RS256];
const ES256: i64 = -7;
const EDDSA: i64 = -8;
const RS256: i64 = -257;

enum Key<'a> {
    /// An uncompressed point.
    Es256([u8; 65]),
    Ed25519(&'a [u8]),
    Rs256 {
        modulus: &'a [u8],
        exponent: &'a [u8],
    },
}

impl<'a> Key<'a> {
    /// Reads a key in COSE (RFC 9053).
    fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let (map, rest) = Item::read(bytes).ok_or(Refusal::Malformed)?;
        if !rest.is_empty() {
            return Err(Refusal::Malformed);
        }
        let int = |name| map.numbered(name).and_then(Item::int);
        let part = |name| map.numbered(name).and_then(Item::bytes);
        let (kind, curve) = (int(1), int(-1));
        let key = match int(3) {
            Some(ES256) if kind == Some(2) && curve == Some(1) => {
                part(-2).zip(part(-3)).and_then(|(x, y)| point(x, y))
            }
            Some(EDDSA) if kind == Some(1) && curve == Some(6) => {
                let x = part(-2).filter(|x| x.len() == 32);
                x.map(Self::Ed25519)
            }
            Some(RS256) if kind == Some(3) => part(-1)
                .zip(part(-2))
                .map(|(modulus, exponent)| Self::Rs256 { modulus, exponent }),
            _ => return Err(Refusal::Algorithm),
        };
        key.ok_or(Refusal::Malformed)
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        let verified = match self {
            Self::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature)
            }
            Self::Ed25519(x) => UnparsedPublicKey::new(&ED25519, x).verify(message, signature),
            Self::Rs256 { modulus, exponent } => RsaPublicKeyComponents {
                n: modulus,
                e: exponent,
            }
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
        };
        verified.map_err(|_| Refusal::Signature)
    }
}

fn point(x: &[u8], y: &[u8]) -> Option<Key<'static>> {
    let mut point = [4; 65];
    point[1..33].copy_from_slice(<&[u8; 32]>::try_from(x).ok()?);
    point[33..].copy_from_slice(<&[u8; 32]>::try_from(y).ok()?);
    Some(Key::Es256(point))
}

#[cfg(test)]
mod tests;
