//! Receipts that the house signed, checked by whoever holds one, without asking anybody.

use serde_json::Value;

use super::consent::receipt as consent;
use super::erasure::receipt as erasure;
use super::policies::transfer;
use super::{canonical, keys};
use crate::training;

/// What a receipt proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Erasure,
    Consent,
    /// What a collection holds from which models learn.
    TrainingSet,
    /// What of a house went to somebody else.
    Transfer,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        match name {
            erasure::KIND => Some(Self::Erasure),
            consent::KIND => Some(Self::Consent),
            training::KIND => Some(Self::TrainingSet),
            transfer::KIND => Some(Self::Transfer),
            _ => None,
        }
    }
}

/// Why something in a receipt can't be believed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadReceipt {
    #[error("This is no receipt: it is not JSON with a receipt and its signature.")]
    Unreadable,
    #[error(
        "This is no receipt of an erasure, of a consent, of a collection or of a transfer as this program writes them."
    )]
    OtherKind,
    #[error("The receipt was signed by another house than the one whose key was named.")]
    OtherKey,
    #[error("The signature does not fit: the receipt was changed after it was signed.")]
    Forged,
}

/// A receipt whose signature fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Genuine {
    pub kind: Kind,
    pub receipt: Value,
    /// Of the house that signed it: compare it with the one that the house shows.
    pub public_key: [u8; 32],
}

/// Checks a receipt, by the key of the house where that is known.
pub fn verify(document: &str, public_key: Option<&[u8; 32]>) -> Result<Genuine, BadReceipt> {
    let document: Value = serde_json::from_str(document).map_err(|_| BadReceipt::Unreadable)?;
    let receipt = document.get("receipt").ok_or(BadReceipt::Unreadable)?;
    let signature = canonical::signature(&document).ok_or(BadReceipt::Unreadable)?;
    let signed_by = signature.public_key;
    let kind = receipt.get("kind").and_then(Value::as_str);
    let kind = kind.and_then(Kind::named).ok_or(BadReceipt::OtherKind)?;
    if public_key.is_some_and(|known| *known != signed_by) {
        return Err(BadReceipt::OtherKey);
    }
    let text = canonical::text(receipt);
    if !keys::verify(&signed_by, text.as_bytes(), &signature.value) {
        return Err(BadReceipt::Forged);
    }
    Ok(Genuine {
        kind,
        receipt: receipt.clone(),
        public_key: signed_by,
    })
}
