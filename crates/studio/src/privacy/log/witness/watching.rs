//! Watches the logs of other houses: remembers how far each has come, and signs only what holds all of
//! that.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use db::on;

use super::super::checkpoint::{BadCheckpoint, Head, witness_key};
use super::super::note::{KeyKind, VerifierKey};
use super::super::tree::{self, Hash};
use super::super::{hex, unhex};
use super::{statement, timed};
use crate::{Failure, Studio};

/// More than any tree of 2^63 leaves needs.
const MAX_PROOF: usize = 63;

/// The logs that this house watches.
#[derive(Clone, Debug, Default)]
pub struct Watched(Vec<VerifierKey>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is the key of a witness; what is watched are logs, so name the keys of those")]
pub struct NoLog(String);

impl Watched {
    /// Of keys of logs alone.
    pub fn of(keys: Vec<VerifierKey>) -> Result<Self, NoLog> {
        match keys.iter().find(|key| key.kind != KeyKind::Log) {
            Some(other) => Err(NoLog(other.name.clone())),
            None => Ok(Self(keys)),
        }
    }

    fn find(&self, origin: &str) -> Option<&VerifierKey> {
        self.0.iter().find(|key| key.name == origin)
    }
}

/// Why a checkpoint is not signed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(
        "send \"old \" and the size that was last signed here, the hashes of the proof, an empty line, and \
         the checkpoint"
    )]
    Unreadable,
    #[error(
        "this log is not watched here: its operator and this house's have to agree on that first"
    )]
    Unknown,
    #[error("the signature is not that of this log's key")]
    Forged,
    /// What was last signed has so many leaves.
    #[error("{0}\n")]
    Knows(u64),
    #[error("the log does not hold what was signed before")]
    Forked,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(Refusal);

struct Asked<'a> {
    old: u64,
    proof: Vec<Hash>,
    head: Head<'a>,
}

impl<'a> Asked<'a> {
    fn read(body: &'a str) -> Result<Self, Refusal> {
        use Refusal::Unreadable;
        let (lead, note) = body.split_once("\n\n").ok_or(Unreadable)?;
        let mut lines = lead.lines();
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old.ok_or(Unreadable)?;
        let size: u64 = old.parse().map_err(|_| Unreadable)?;
        let hash = |line: &str| BASE64.decode(line).ok()?.try_into().ok();
        let proof: Option<Vec<Hash>> = lines.map(hash).collect();
        let proof = proof.filter(|proof| proof.len() <= MAX_PROOF);
        if size.to_string() != old {
            return Err(Unreadable);
        }
        Ok(Self {
            old: size,
            proof: proof.ok_or(Unreadable)?,
            head: Head::read(note).map_err(|_| Unreadable)?,
        })
    }
}

/// Signs a checkpoint that grew out of the last one; gives the line of the signature.
pub async fn add(studio: &Studio, watched: &Watched, body: &str) -> Result<String, Refusal> {
    let Asked { old, proof, head } = Asked::read(body)?;
    let log = watched.find(head.origin).ok_or(Refusal::Unknown)?;
    head.check(log).map_err(|bad| match bad {
        BadCheckpoint::Unreadable | BadCheckpoint::OtherLog | BadCheckpoint::Forged => {
            Refusal::Forged
        }
    })?;
    let size = i64::try_from(head.size).map_err(|_| Refusal::Unreadable)?;
    if old > head.size {
        return Err(Refusal::Unreadable);
    }
    let mut tx = studio.db.write().await?;
    // Locks the row: of two who ask at once, the second is compared with the first.
    let (known, root): (i64, String) = on!(tx, conn => {
        sqlx::query_as(
            "INSERT INTO log_watched (origin, size, root, seen_ms) VALUES ($1, 0, '', 0) \
             ON CONFLICT (origin) DO UPDATE SET size = log_watched.size RETURNING size, root",
        )
        .bind(head.origin)
        .fetch_one(conn)
        .await
    })?;
    let known = known.unsigned_abs();
    if known != old {
        return Err(Refusal::Knows(known));
    }
    // Nothing was ever signed: nothing has to be held.
    let grew = match known {
        0 => proof.is_empty(),
        _ => tree::grew((known, &unhex(&root)?), (head.size, &head.root), &proof),
    };
    if !grew {
        return Err(if known == head.size {
            Refusal::Knows(known)
        } else {
            Refusal::Forked
        });
    }
    let now = studio.clock.now();
    on!(tx, conn => {
        sqlx::query("UPDATE log_watched SET size = $2, root = $3, seen_ms = $4 WHERE origin = $1")
            .bind(head.origin)
            .bind(size)
            .bind(hex(&head.root))
            .bind(now.as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    let seconds = now.as_seconds().unsigned_abs();
    let signature = studio.keys.sign(statement(seconds, &head).as_bytes());
    let key = witness_key(studio.keys.public_key());
    Ok(key.line(&timed(seconds, &signature)))
}
