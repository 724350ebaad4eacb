//! An authenticator in software, and the browser's part, as Web Authentication says; written apart
//! from the program's own.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::browser::Browser;
use crate::stage::Answer;

pub(crate) struct Authenticator {
    pair: EcdsaKeyPair,
    pub(crate) id: Vec<u8>,
    pub(crate) user_handle: Vec<u8>,
    pub(crate) count: u32,
    /// Counts each use; otherwise it stays at 0.
    pub(crate) counts: bool,
    /// User present, user verified, may be backed up.
    pub(crate) flags: u8,
    pub(crate) party: String,
    pub(crate) origin: String,
}

pub(crate) type Fields = Vec<(&'static str, String)>;

pub(crate) fn letters(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A string of bytes in CBOR.
fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("short").to_be_bytes();
    [&[0x59, length[0], length[1]], bytes].concat()
}

impl Authenticator {
    pub(crate) fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        let id = Sha256::digest(pair.public_key().as_ref()).to_vec();
        Self {
            pair,
            id,
            user_handle: Vec::new(),
            count: 0,
            counts: true,
            flags: 0b0000_1101,
            party: "localhost".to_owned(),
            origin: "http://localhost:8080".to_owned(),
        }
    }

    fn data(&self) -> Vec<u8> {
        let party = Sha256::digest(&self.party);
        [&party[..], &[self.flags], &self.count.to_be_bytes()].concat()
    }

    fn client_data(&self, kind: &str, challenge: &Value) -> Vec<u8> {
        let data = json!({
            "type": kind,
            "challenge": challenge,
            "origin": self.origin,
            "crossOrigin": false,
        });
        data.to_string().into_bytes()
    }

    /// Makes its passkey, and gives what the browser sends.
    pub(crate) fn make(&mut self, asked: &Value) -> Fields {
        let user = asked["user"]["id"].as_str().expect("a user");
        self.user_handle = URL_SAFE_NO_PAD.decode(user).expect("bytes");
        let point = self.pair.public_key().as_ref();
        // {1: 2, 3: -7, -1: 1, -2: x, -3: y}
        let key = [
            &[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21][..],
            &string(&point[1..33]),
            &[0x22],
            &string(&point[33..]),
        ]
        .concat();
        let mut data = self.data();
        data[32] |= 1 << 6;
        let length = u16::try_from(self.id.len()).expect("short").to_be_bytes();
        data.extend([&[7; 16][..], &length, &self.id, &key].concat());
        // {"fmt": "none", "attStmt": {}, "authData": …}
        let object = [
            &b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData"[..],
            &string(&data),
        ]
        .concat();
        let client_data = self.client_data("webauthn.create", &asked["challenge"]);
        vec![
            ("client_data", letters(&client_data)),
            ("attestation", letters(&object)),
            ("transports", "internal hybrid".to_owned()),
        ]
    }

    /// Signs, and gives what the browser sends.
    pub(crate) fn sign(&mut self, asked: &Value) -> Fields {
        self.count += u32::from(self.counts);
        let client_data = self.client_data("webauthn.get", &asked["challenge"]);
        let data = self.data();
        let message = [&data[..], &Sha256::digest(&client_data)].concat();
        let signed = self.pair.sign(&SystemRandom::new(), &message);
        vec![
            ("credential", letters(&self.id)),
            ("client_data", letters(&client_data)),
            ("authenticator_data", letters(&data)),
            ("signature", letters(signed.expect("signs").as_ref())),
            ("user_handle", letters(&self.user_handle)),
        ]
    }
}

/// What the page tells the browser, under the name of an attribute.
pub(crate) fn told(page: &str, attribute: &str) -> Value {
    let mark = format!("{attribute}=\"");
    let text = page.split(&mark).nth(1).expect("the attribute");
    let text = text.split('"').next().expect("an end");
    serde_json::from_str(&text.replace("&#34;", "\"")).expect("JSON")
}

impl Browser<'_> {
    pub(crate) async fn send_fields(&self, path: &str, fields: &Fields) -> Answer {
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        self.submit(path, &fields).await
    }

    /// Adds a passkey to the account that is signed in here.
    pub(crate) async fn add_passkey(
        &self,
        name: &str,
        authenticator: &mut Authenticator,
    ) -> Answer {
        let page = self.get("/account/passkeys").await.text();
        let mut fields = authenticator.make(&told(&page, "data-create"));
        fields.push(("name", name.to_owned()));
        self.send_fields("/account/passkeys", &fields).await
    }

    /// What an authenticator is asked for signing in.
    pub(crate) async fn question(&self) -> Value {
        let asked = self.submit("/sign-in/passkey/question", &[]).await;
        assert_eq!(asked.status, 200, "{}", asked.text());
        asked.json()
    }

    pub(crate) async fn sign_in_with(&self, authenticator: &mut Authenticator) -> Answer {
        let asked = self.question().await;
        let fields = authenticator.sign(&asked);
        self.send_fields("/sign-in/passkey", &fields).await
    }
}
