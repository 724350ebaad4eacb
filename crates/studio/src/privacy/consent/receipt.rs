//! The receipt of one decision: what was read, what was said to it and when, signed by the house.

use domain::clock::Moment;
use domain::ids::{ConsentId, PersonId};
use domain::language::Language;
use serde_json::{Value, json};

use super::{Decision, Signal, find};
use crate::privacy::{canonical, log};
use crate::{Failure, Studio};

/// Says what a document is, and which edition of its fields it has.
pub const KIND: &str = "pinhole/consent-receipt/1";

/// The signed receipt of a decision; `None` where that person took none of this number. Whoever rewrites
/// the log later contradicts the checkpoint in it.
pub async fn signed(
    studio: &Studio,
    person: PersonId,
    id: ConsentId,
) -> Result<Option<String>, Failure> {
    let Some(decision) = find(studio, person, id).await? else {
        return Ok(None);
    };
    let checkpoint = log::settle(studio).await?;
    let document = compose(person, &decision, checkpoint.as_deref(), studio.clock.now());
    Ok(Some(canonical::signed(&studio.keys, "receipt", &document)))
}

fn compose(person: PersonId, decision: &Decision, checkpoint: Option<&str>, now: Moment) -> Value {
    let edition = decision.optional.edition_of(decision.version);
    let read = edition.and_then(|edition| edition.read_in(&decision.text_sha256));
    json!({
        "kind": KIND,
        "id": decision.id,
        "person": person,
        "purpose": decision.optional.name(),
        "picture": decision.picture,
        "number": decision.number,
        "decision": decision.verdict.name(),
        "decided": decision.when.as_seconds(),
        "version": decision.version,
        "language": read.map(Language::code),
        "text": edition.zip(read).map(|(edition, read)| edition.text_in(read)),
        "text_sha256": decision.text_sha256,
        "means": decision.means.name(),
        "gpc": decision.signal == Signal::Objects,
        "log_entry": decision.log,
        "log_checkpoint": checkpoint,
        "issued": now.as_seconds(),
    })
}
