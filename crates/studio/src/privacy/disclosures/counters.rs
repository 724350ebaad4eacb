//! How many requests there were and what became of them, counted from the log alone, with each entry and
//! its proof, so that anybody can count again.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Path;
use crate::privacy::log::Kind;
use crate::privacy::log::proof::{self, Proven};
use crate::{Failure, Studio};

/// One kind of entry, and how often there is one by each path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub kind: Kind,
    pub orders: usize,
    pub emergencies: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    pub lines: Vec<Line>,
    /// Each request is about one.
    pub people: usize,
}

/// The kinds that are counted, as they follow each other.
const COUNTED: [Kind; 5] = [
    Kind::DisclosureReceived,
    Kind::DisclosureApproved,
    Kind::DisclosureRefused,
    Kind::DisclosureMade,
    Kind::DisclosureReviewed,
];

/// The counters, and the document that proves them.
pub async fn public(studio: &Studio) -> Result<(Counters, Value), Failure> {
    let mut tx = studio.db.snapshot().await?;
    let head = proof::head(&mut tx).await?;
    let (size, checkpoint) = head.map_or((0, None), |(size, note)| (size, Some(note)));
    let entries = proof::all_of_house(studio, &mut tx, &COUNTED, size).await?;
    drop(tx);
    let counters = count(&entries);
    let lines = counters.lines.iter().map(|line| {
        json!({
            "kind": line.kind.name(),
            Path::Order.name(): line.orders,
            Path::Emergency.name(): line.emergencies,
        })
    });
    let proven = entries.iter().map(|entry| {
        let (position, path) = match &entry.place {
            Some((position, path)) => (Some(position), path.as_slice()),
            None => (None, &[][..]),
        };
        json!({
            "leaf": entry.leaf,
            "payload": entry.payload,
            "position": position,
            "path": path,
        })
    });
    let document = json!({
        "counters": lines.collect::<Vec<_>>(),
        "people": counters.people,
        "checkpoint": checkpoint,
        "size": size,
        "entries": proven.collect::<Vec<_>>(),
    });
    Ok((counters, document))
}

fn count(entries: &[Proven]) -> Counters {
    let said: Vec<(Kind, Value)> = entries
        .iter()
        .map(|entry| {
            let payload = entry.payload.as_deref().unwrap_or_default();
            let payload: Value = serde_json::from_str(payload).unwrap_or_default();
            (entry.kind, payload["what"].clone())
        })
        .collect();
    let times = |kind: Kind, path: Path| {
        let all = said
            .iter()
            .filter(|(known, what)| *known == kind && what["path"] == path.name());
        // What is handed out once more is the same disclosure.
        let requests: BTreeSet<&str> = all
            .filter_map(|(_, what)| what["disclosure"].as_str())
            .collect();
        requests.len()
    };
    let lines = COUNTED.map(|kind| Line {
        kind,
        orders: times(kind, Path::Order),
        emergencies: times(kind, Path::Emergency),
    });
    let made = lines.iter().find(|line| line.kind == Kind::DisclosureMade);
    Counters {
        people: made.map_or(0, |line| line.orders + line.emergencies),
        lines: lines.to_vec(),
    }
}
