//! JSON in the one form that can be signed (RFC 8785): no spaces, members in the order of their names,
//! nothing escaped that need not be. Numbers are integers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::keys::Keys;

#[must_use]
pub(crate) fn text(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

/// A document under its name, with the house's signature of its text.
pub(crate) fn signed(keys: &Keys, name: &str, document: &Value) -> String {
    signed_text(keys, name, &text(document))
}

/// The same, where the document is in that form already. Its name sorts before `signature`.
pub(super) fn signed_text(keys: &Keys, name: &str, document: &str) -> String {
    let signature = text(&json!({
        "algorithm": "Ed25519",
        "public_key": BASE64.encode(keys.public_key()),
        "value": BASE64.encode(keys.sign(document.as_bytes())),
    }));
    format!("{{\"{name}\":{document},\"signature\":{signature}}}")
}

/// A signature of the house, as it stands beside what it signs.
pub(super) struct Signature {
    pub(super) public_key: [u8; 32],
    pub(super) value: Vec<u8>,
}

/// The signature in a document that was signed; `None` where it is of a kind that no house makes.
pub(super) fn signature(document: &Value) -> Option<Signature> {
    let bytes = |name: &str| {
        let text = document.get("signature")?.get(name)?.as_str()?;
        BASE64.decode(text).ok()
    };
    if document.get("signature")?.get("algorithm")? != "Ed25519" {
        return None;
    }
    Some(Signature {
        public_key: bytes("public_key")?.try_into().ok()?,
        value: bytes("value")?,
    })
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            *text += &value.to_string();
        }
        Value::Array(items) => {
            text.push('[');
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            text.push('{');
            for (number, (name, member)) in members.into_iter().enumerate() {
                if number > 0 {
                    text.push(',');
                }
                *text += &Value::from(name.as_str()).to_string();
                text.push(':');
                write(member, text);
            }
            text.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order of RFC 8785, 3.2.3, and its escapes.
    #[test]
    fn members_are_sorted_by_their_utf_16_units() {
        let value = json!({
            "\u{20ac}": "Euro Sign",
            "\r": "Carriage Return",
            "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One",
            "\u{1f600}": "Emoji: Grinning Face",
            "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis",
        });
        assert_eq!(
            text(&value),
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\
             \"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\
             \"\u{1f600}\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}"
        );
        let escapes = json!(["\u{8}\t\n\u{c}\r\"\\/\u{1f}", 1, -3, true, null, {"b": [], "a": {}}]);
        assert_eq!(
            text(&escapes),
            r#"["\b\t\n\f\r\"\\/\u001f",1,-3,true,null,{"a":{},"b":[]}]"#
        );
    }
}
