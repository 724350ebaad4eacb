//! Asks witnesses to sign the newest checkpoint, and remembers what they said: also where one says that
//! it has seen more, or something else, than the log holds now.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use db::{Tx, on};
use domain::clock::Moment;
use outside::witness::{Answer, Witness};
use serde_json::json;

use super::super::audit::Restored;
use super::super::checkpoint::Head;
use super::super::note::{KeyKind, VerifierKey};
use super::super::{Event, Kind, last_of_house, note_alone, proof};
use super::seen;
use crate::jobs::worker::Stop;
use crate::{Failure, Studio};

/// How often what was added is shown to witnesses.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// How often it is shown where nothing was added.
const ROUNDS_OF_HOUR: u32 = 60;
/// How long a witness may sign nothing new before an audit says so.
pub const SILENT_MS: i64 = 24 * 60 * 60 * 1_000;

/// A witness that the operator names, and where it is reached.
#[derive(Clone, Debug)]
pub struct Named {
    key: VerifierKey,
    witness: Witness,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is the key of a log; a house shows that of its witness beside it")]
pub struct NoWitness(String);

impl Named {
    pub fn new(key: VerifierKey, witness: Witness) -> Result<Self, NoWitness> {
        match key.kind {
            KeyKind::Witness => Ok(Self { key, witness }),
            KeyKind::Log => Err(NoWitness(key.name)),
        }
    }
}

/// Why a witness signs no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It saw another past, and has the house's signature on it.
    Forked,
    /// It does not watch this log.
    Unknown,
    /// It can't be reached, or does not answer as a witness does.
    Silent,
}

impl Trouble {
    const ALL: [Self; 3] = [Self::Forked, Self::Unknown, Self::Silent];

    const fn name(self) -> &'static str {
        match self {
            Self::Forked => "forked",
            Self::Unknown => "unknown",
            Self::Silent => "silent",
        }
    }
}

/// What a witness has said so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub name: String,
    /// How many entries it saw when it signed last; 0 where it never did.
    pub size: u64,
    /// The checkpoint that it signed, with its signature.
    pub note: Option<String>,
    /// When it signed.
    pub signed: Option<Moment>,
    pub trouble: Option<Trouble>,
    /// Where it saw more, how many entries.
    pub knows: Option<u64>,
    /// Since when it is asked.
    pub since: Moment,
}

#[derive(sqlx::FromRow)]
struct Row {
    name: String,
    size: i64,
    note: Option<String>,
    signed_ms: Option<i64>,
    trouble: Option<String>,
    knows: Option<i64>,
    since_ms: i64,
}

impl From<Row> for Said {
    fn from(row: Row) -> Self {
        let mut troubles = Trouble::ALL.into_iter();
        let named = |name: &str| troubles.find(|known| known.name() == name);
        Self {
            name: row.name,
            size: row.size.unsigned_abs(),
            note: row.note,
            signed: row.signed_ms.map(Moment::from_millis),
            trouble: row.trouble.as_deref().and_then(named),
            knows: row.knows.map(i64::unsigned_abs),
            since: Moment::from_millis(row.since_ms),
        }
    }
}

/// What each witness has said, in the order of their names.
pub async fn all(studio: &Studio) -> Result<Vec<Said>, Failure> {
    all_in(&mut studio.db.read().await?).await
}

/// What witnesses have against the log, and who of them has long signed nothing. A backup that was put
/// back, and told of, explains why one saw more.
pub(in crate::privacy) async fn complaints(
    studio: &Studio,
    restorations: &[Restored],
) -> Result<Vec<String>, Failure> {
    let now = studio.clock.now();
    let mut found = Vec::new();
    for said in all(studio).await? {
        let name = &said.name;
        if said.trouble == Some(Trouble::Forked) {
            let signed = said.signed.map_or(0, Moment::as_seconds);
            let is_told = |one: &Restored| one.seconds >= signed && one.kept < said.size;
            if !restorations.iter().any(is_told) {
                let saw = said.knows.unwrap_or(said.size);
                found.push(format!(
                    "{name} saw {saw} entries that are not those of the log: it was changed or turned back"
                ));
            }
            continue;
        }
        let last = said.signed.unwrap_or(said.since);
        if said.trouble.is_some() && now.as_millis() - last.as_millis() > SILENT_MS {
            found.push(format!(
                "{name} has signed nothing for more than a day: see /trust"
            ));
        }
    }
    Ok(found)
}

async fn all_in(tx: &mut Tx) -> Result<Vec<Said>, Failure> {
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT name, size, note, signed_ms, trouble, knows, since_ms FROM log_witness ORDER BY name",
        )
        .fetch_all(conn)
        .await
    })?;
    Ok(rows.into_iter().map(Said::from).collect())
}

/// Asks these witnesses every now and then, until told to stop.
pub async fn keep_asking(studio: Studio, named: Vec<Named>, stop: Stop) {
    let mut is_declared = false;
    for round in 0_u32.. {
        if stop.is_set() {
            return;
        }
        if !is_declared {
            match declare(&studio, &named).await {
                Ok(()) => is_declared = true,
                Err(error) => tracing::error!(%error, "witnesses could not be written down"),
            }
        }
        for one in &named {
            // A log that was turned back says that all of it is signed.
            let in_any_case = round % ROUNDS_OF_HOUR == 0;
            if let Err(error) = ask(&studio, one, in_any_case).await {
                tracing::error!(%error, "a witness could not be asked; trying again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(ASK_EVERY) => {}
            () = stop.set() => {}
        }
    }
}

/// Writes down who is asked, and logs it where that changed: nobody drops a witness unseen. What one
/// that is asked no more had against the log stays.
pub async fn declare(studio: &Studio, named: &[Named]) -> Result<(), Failure> {
    let mut names: Vec<String> = named.iter().map(|one| one.key.to_string()).collect();
    names.sort();
    let what = json!({ "witnesses": names });
    let known = last_of_house(studio, Kind::WitnessesChanged).await?;
    let is_news = known
        .as_ref()
        .map_or(!names.is_empty(), |known| *known != what);
    if is_news {
        let event = Event {
            kind: Kind::WitnessesChanged,
            person: None,
            what,
        };
        note_alone(studio, &event).await?;
    }
    let mut tx = studio.db.write().await?;
    for said in all_in(&mut tx).await? {
        let is_asked = named.iter().any(|one| one.key.name == said.name);
        if is_asked || said.trouble == Some(Trouble::Forked) {
            continue;
        }
        on!(tx, conn => {
            sqlx::query("DELETE FROM log_witness WHERE name = $1")
                .bind(&said.name)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
    }
    for one in named {
        on!(tx, conn => {
            sqlx::query(
                "INSERT INTO log_witness (name, size, since_ms) VALUES ($1, 0, $2) \
                 ON CONFLICT (name) DO NOTHING",
            )
            .bind(&one.key.name)
            .bind(studio.clock.now().as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
    }
    tx.commit().await?;
    Ok(())
}

/// What came of asking.
enum Outcome {
    /// The line of its signature, and when.
    Signed {
        line: String,
        seconds: u64,
    },
    Trouble(Trouble, Option<u64>),
}

/// Shows a witness the newest checkpoint, `in_any_case` also where it has signed that one.
pub async fn ask(studio: &Studio, named: &Named, in_any_case: bool) -> Result<(), Failure> {
    let mut tx = studio.db.read().await?;
    let Some((size, note)) = proof::head(&mut tx).await? else {
        return Ok(());
    };
    let said = all_in(&mut tx).await?;
    drop(tx);
    let said = said.into_iter().find(|said| said.name == named.key.name);
    let Some(said) = said else { return Ok(()) };
    if said.size == size && said.trouble.is_none() && !in_any_case {
        return Ok(());
    }
    let outcome = show(studio, named, said.size.min(size), size, &note).await?;
    let now = studio.clock.now().as_millis();
    let mut tx = studio.db.write().await?;
    let shown = size;
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let name = named.key.name.as_str();
    match outcome {
        Outcome::Signed { line, seconds } => {
            let seen_ms = i64::try_from(seconds).unwrap_or(0).saturating_mul(1_000);
            // Another process may have come further meanwhile.
            on!(tx, conn => {
                sqlx::query(
                    "UPDATE log_witness SET size = $2, note = $3, signed_ms = $4, trouble = NULL, \
                     knows = NULL WHERE name = $1 AND (size <= $2 OR trouble IS NOT NULL)",
                )
                .bind(name)
                .bind(size)
                .bind(format!("{note}{line}"))
                .bind(seen_ms.min(now))
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
            })?;
        }
        Outcome::Trouble(trouble, knows) => {
            if trouble == Trouble::Forked {
                let newest = proof::head(&mut tx).await?.map_or(0, |(size, _)| size);
                if newest > shown && knows.is_some_and(|knows| knows <= newest) {
                    // Another process showed it more than this one had read. The next round tells.
                    return Ok(());
                }
            }
            if trouble == Trouble::Forked && said.trouble != Some(Trouble::Forked) {
                tracing::error!(
                    "a witness saw another past than the log has now: the log was changed or turned back. \
                     Run pinhole audit"
                );
            }
            on!(tx, conn => {
                // Who can't be reached any more has taken nothing back.
                sqlx::query(
                    "UPDATE log_witness SET trouble = $2, knows = $3 \
                     WHERE name = $1 AND ($2 = $4 OR trouble IS NULL OR trouble <> $4)",
                )
                .bind(name)
                .bind(trouble.name())
                .bind(knows.and_then(|knows| i64::try_from(knows).ok()))
                .bind(Trouble::Forked.name())
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
            })?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// Proves to it that the log grew out of what it saw, which it says itself where it was not that.
async fn show(
    studio: &Studio,
    named: &Named,
    saw: u64,
    size: u64,
    note: &str,
) -> Result<Outcome, Failure> {
    let mut saw = saw;
    // What it saw is answered once; should others ask it meanwhile, the next round is soon enough.
    for _ in 0..2 {
        let body = request(studio, saw, size, note).await?;
        match named.witness.add_checkpoint(body).await {
            Ok(Answer::Signed(lines)) => {
                let head = Head::read(note).map_err(|bad| Failure::Row(bad.to_string()))?;
                let mut ours = lines.lines().filter_map(|line| {
                    let line = format!("{line}\n");
                    let seconds = seen(&named.key, &head, &line)?;
                    Some(Outcome::Signed { line, seconds })
                });
                // What can't be checked is no signature.
                let silent = || Outcome::Trouble(Trouble::Silent, None);
                return Ok(ours.next().unwrap_or_else(silent));
            }
            Ok(Answer::Knows(knows)) if knows > size || knows == saw => {
                return Ok(Outcome::Trouble(Trouble::Forked, Some(knows)));
            }
            Ok(Answer::Knows(knows)) => saw = knows,
            Ok(Answer::Forked) => return Ok(Outcome::Trouble(Trouble::Forked, Some(saw))),
            Ok(Answer::Unknown) => return Ok(Outcome::Trouble(Trouble::Unknown, None)),
            Err(trouble) => {
                tracing::warn!(%trouble, "a witness did not sign");
                return Ok(Outcome::Trouble(Trouble::Silent, None));
            }
        }
    }
    Ok(Outcome::Trouble(Trouble::Silent, None))
}

async fn request(studio: &Studio, saw: u64, size: u64, note: &str) -> Result<String, Failure> {
    let mut body = format!("old {saw}\n");
    if saw > 0 {
        for hash in proof::grown(studio, saw, size).await?.unwrap_or_default() {
            body += &BASE64.encode(hash);
            body.push('\n');
        }
    }
    Ok(format!("{body}\n{note}"))
}
