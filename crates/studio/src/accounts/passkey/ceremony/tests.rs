//! The test vectors of the standard, and what becomes of them when anything is changed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

const VECTORS: &str = include_str!("vectors.txt");

struct Vector {
    name: &'static str,
    made_for: Token,
    attested: Attested,
    signed_for: Token,
    asserted: Asserted,
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn token(hex: &str) -> Token {
    Token::read(&URL_SAFE_NO_PAD.encode(bytes(hex))).expect("32 bytes")
}

fn vectors() -> Vec<Vector> {
    let blocks = VECTORS.split("\n\n").skip(1);
    blocks
        .map(|block| {
            let lines: Vec<&str> = block.lines().collect();
            let [
                name,
                made_for,
                data,
                attestation,
                signed_for,
                seen,
                answer,
                signature,
            ] = lines[..]
            else {
                panic!("a vector has eight lines: {lines:?}");
            };
            Vector {
                name,
                made_for: token(made_for),
                attested: Attested {
                    client_data: bytes(data),
                    attestation: bytes(attestation),
                    transports: Vec::new(),
                },
                signed_for: token(signed_for),
                asserted: Asserted {
                    credential: Vec::new(),
                    client_data: bytes(answer),
                    authenticator_data: bytes(seen),
                    signature: bytes(signature),
                    user_handle: Vec::new(),
                },
            }
        })
        .collect()
}

fn party() -> Party {
    Party {
        id: "example.org".to_owned(),
        origin: "https://example.org".to_owned(),
    }
}

fn outcome(vector: &Vector) -> Result<State, Refusal> {
    let made = made(&party(), &vector.made_for, &vector.attested)?;
    signed(&party(), &vector.signed_for, &made.key, &vector.asserted)
}

#[test]
fn the_vectors_of_the_standard_hold() {
    let mut held = Vec::new();
    for vector in vectors() {
        let outcome = outcome(&vector);
        let expected = match vector.name {
            "none-es256-crossOrigin" | "none-es256-topOrigin" => Some(Refusal::Origin),
            "packed-es384" | "packed-ed448" => Some(Refusal::Algorithm),
            _ => None,
        };
        assert_eq!(outcome.err(), expected, "{}", vector.name);
        if expected.is_none() {
            held.push(vector.name);
        }
    }
    let expected = [
        "none-es256",
        "none-es256-long-credential-id",
        "packed-rs256",
        "packed-eddsa",
        "tpm-es256",
        "fido-u2f-es256",
    ];
    assert_eq!(held, expected);
}

#[test]
fn a_passkey_is_read_as_it_was_made() {
    let vector = &vectors()[0];
    let made = made(&party(), &vector.made_for, &vector.attested).expect("holds");
    let credential = "f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4";
    assert_eq!(made.credential, bytes(credential));
    let state = State {
        sign_count: 0,
        is_verified: false,
        may_be_backed_up: true,
        is_backed_up: true,
    };
    assert_eq!(made.state, state);
    assert_eq!(state.must_be_verified(), Err(Refusal::Verification));
}

/// Every bit of what an authenticator signs counts, and no change makes the reader panic.
#[test]
fn not_one_bit_of_an_answer_may_change() {
    for vector in vectors() {
        if outcome(&vector).is_err() {
            continue;
        }
        let made = made(&party(), &vector.made_for, &vector.attested).expect("holds");
        let fields: [fn(&mut Asserted) -> &mut Vec<u8>; 3] = [
            |sent| &mut sent.authenticator_data,
            |sent| &mut sent.client_data,
            |sent| &mut sent.signature,
        ];
        for (field, part) in fields.iter().enumerate() {
            let length = part(&mut vector.asserted.clone()).len();
            // Each byte, and of it one bit.
            for at in 0..length {
                let mut sent = vector.asserted.clone();
                part(&mut sent)[at] ^= 1 << (at % 8);
                let refused = signed(&party(), &vector.signed_for, &made.key, &sent);
                assert!(refused.is_err(), "{} {field} {at}", vector.name);
            }
            for cut in 0..length {
                let mut sent = vector.asserted.clone();
                part(&mut sent).truncate(cut);
                let refused = signed(&party(), &vector.signed_for, &made.key, &sent);
                assert!(refused.is_err(), "{} {field} cut at {cut}", vector.name);
            }
        }
    }
}

#[test]
fn a_damaged_passkey_is_refused_or_signs_nothing() {
    let vector = &vectors()[0];
    let whole = &vector.attested.attestation;
    let undamaged = made(&party(), &vector.made_for, &vector.attested).expect("holds");
    for cut in 0..whole.len() {
        let mut sent = vector.attested.clone();
        sent.attestation.truncate(cut);
        let refused = made(&party(), &vector.made_for, &sent);
        assert!(refused.is_err(), "cut at {cut}");
    }
    for bit in 0..whole.len() * 8 {
        let mut sent = vector.attested.clone();
        sent.attestation[bit / 8] ^= 1 << (bit % 8);
        // Nothing signs it, so some changes stay unseen; the key is then another one.
        let Ok(made) = made(&party(), &vector.made_for, &sent) else {
            continue;
        };
        let same_key = made.key == undamaged.key;
        let answer = signed(&party(), &vector.signed_for, &made.key, &vector.asserted);
        assert_eq!(answer.is_ok(), same_key, "bit {bit}");
    }
}

#[test]
fn another_party_site_question_or_purpose_is_refused() {
    let vector = &vectors()[0];
    let made_key = made(&party(), &vector.made_for, &vector.attested).expect("holds");
    let sign = |party: &Party, challenge: &Token| {
        signed(party, challenge, &made_key.key, &vector.asserted)
    };
    let elsewhere = Party {
        origin: "https://evil.example".to_owned(),
        ..party()
    };
    assert_eq!(
        sign(&elsewhere, &vector.signed_for),
        Err(Refusal::Origin),
        "a page elsewhere"
    );
    let other = Party {
        id: "other.example.org".to_owned(),
        ..party()
    };
    assert_eq!(
        sign(&other, &vector.signed_for),
        Err(Refusal::Origin),
        "another party"
    );
    assert_eq!(
        sign(&party(), &vector.made_for),
        Err(Refusal::Challenge),
        "another question"
    );
    let mut sent = vector.asserted.clone();
    sent.client_data.clone_from(&vector.attested.client_data);
    assert_eq!(
        signed(&party(), &vector.made_for, &made_key.key, &sent),
        Err(Refusal::Purpose)
    );
    assert_eq!(
        challenge_of(&vector.asserted.client_data),
        Some(vector.signed_for.clone())
    );
    assert_eq!(challenge_of(b"{}"), None);
}

#[test]
fn keys_of_unknown_kinds_or_wrong_sizes_are_refused() {
    for (what, key, refusal) in [
        ("nothing", "", Refusal::Malformed),
        ("no map", "01", Refusal::Algorithm),
        ("no kind", "a0", Refusal::Algorithm),
        // Ed25519 whose point is a byte short.
        ("a short point", "a4010103272006214100", Refusal::Malformed),
        // P-256 with the number of Ed25519.
        ("two kinds", "a3010203272001", Refusal::Algorithm),
        // RSA without its numbers.
        ("an empty key", "a2010303390100", Refusal::Malformed),
        ("something behind it", "a000", Refusal::Malformed),
    ] {
        let key = bytes(key);
        assert_eq!(Key::read(&key).err(), Some(refusal), "{what}");
    }
}
