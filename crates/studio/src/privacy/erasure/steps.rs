//! The steps of an erasure, one after the other: whoever holds its lease takes the next one.

use std::time::Duration;

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{ErasureId, LetterId, PersonId};
use domain::secret::Token;
use futures::{StreamExt, stream};
use serde_json::json;
use tokio::time::Instant;

use super::marks::{self, Kind};
use super::plan::{Plan, table};
use super::scan::Ground;
use super::{Done, Scope, State, Told, freeze, holding, receipt, rows, scan, shred, written};
use crate::jobs::worker::Stop;
use crate::letters::{self, LetterState};
use crate::privacy::log::{self, Event};
use crate::privacy::traces;
use crate::{Failure, Studio, failpoint};

/// How often it is looked whether something is to be forgotten.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a step that failed is left alone.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How long the erasure waits for the letter that tells the person.
const LETTER_WITHIN: Duration = Duration::from_secs(30);
const FILES_AT_ONCE: usize = 8;
const FREEZE_TRIES: u32 = 3;
const KEY_TABLES: [&str; 2] = ["person_key", "object_key"];

/// Why a step ended before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Halt {
    #[error("another process works on this erasure")]
    TakenOver,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(Halt);

#[derive(Debug, sqlx::FromRow)]
pub(super) struct Row {
    id: String,
    person_id: String,
    state: String,
    asked_by: String,
    plan: String,
    done: String,
    seal: Option<String>,
    letter_id: Option<String>,
    pub(super) receipt: Option<String>,
    pub(super) supplement: Option<String>,
    requested_ms: i64,
}

/// An erasure that this process works on.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) id: ErasureId,
    pub(super) person: PersonId,
    pub(super) state: State,
    pub(super) asked_by: String,
    pub(super) plan: Plan,
    pub(super) done: Done,
    pub(super) seal: String,
    pub(super) letter: Option<LetterId>,
    pub(super) requested: Moment,
}

impl Row {
    pub(super) fn into_work(self, studio: &Studio) -> Result<Work, Failure> {
        let bad = |what: &str| Failure::Row(format!("{what} of {}", self.id));
        let letter = self.letter_id.as_deref().map(str::parse).transpose();
        let id = self.id.parse().map_err(|_| bad("id"))?;
        Ok(Work {
            id,
            person: self.person_id.parse().map_err(|_| bad("person"))?,
            state: State::named(&self.state)?,
            plan: serde_json::from_str(&self.plan).map_err(|_| bad("plan"))?,
            done: serde_json::from_str(&self.done).map_err(|_| bad("progress"))?,
            letter: letter.map_err(|_| bad("letter"))?,
            asked_by: self.asked_by,
            seal: match &self.seal {
                Some(sealed) => marks::open_seal(studio, id, sealed)?,
                None => String::new(),
            },
            requested: Moment::from_millis(self.requested_ms),
        })
    }
}

impl Work {
    /// Writes down what was done, in the transaction that does it. Whoever has lost the lease
    /// meanwhile writes nothing.
    pub(super) async fn note(
        &self,
        studio: &Studio,
        tx: &mut Tx,
        state: State,
    ) -> Result<(), Halt> {
        let done = written(&self.done)?;
        let noted = on!(tx, conn => {
            sqlx::query(
                "UPDATE erasure SET state = $2, done = $3, lease_until_ms = $4 \
                 WHERE id = $1 AND worker = $5 AND state = $6",
            )
            .bind(self.id.to_string())
            .bind(state.name())
            .bind(done)
            .bind(studio.limits.lease_end(studio.clock.now()).as_millis())
            .bind(studio.board.node().to_string())
            .bind(self.state.name())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
        if noted == 1 {
            Ok(())
        } else {
            Err(Halt::TakenOver)
        }
    }

    /// Commits a step.
    pub(super) async fn reach(
        &mut self,
        studio: &Studio,
        mut tx: Tx,
        state: State,
    ) -> Result<(), Halt> {
        self.done.reach(state, studio.clock.now());
        self.note(studio, &mut tx, state).await?;
        let [before, after] = points(state);
        failpoint::here(before);
        tx.commit().await?;
        failpoint::here(after);
        self.state = state;
        Ok(())
    }
}

const fn points(state: State) -> [&'static str; 2] {
    match state {
        State::Requested | State::Verified => {
            ["erasure-verified-uncommitted", "erasure-verified-committed"]
        }
        State::Frozen => ["erasure-frozen-uncommitted", "erasure-frozen-committed"],
        State::KeysShredded => [
            "erasure-keys-shredded-uncommitted",
            "erasure-keys-shredded-committed",
        ],
        State::RowsGone => [
            "erasure-rows-gone-uncommitted",
            "erasure-rows-gone-committed",
        ],
        State::BlobsGone => [
            "erasure-blobs-gone-uncommitted",
            "erasure-blobs-gone-committed",
        ],
        State::RecipientsTold => [
            "erasure-recipients-told-uncommitted",
            "erasure-recipients-told-committed",
        ],
        State::Checkpointed => [
            "erasure-checkpointed-uncommitted",
            "erasure-checkpointed-committed",
        ],
        State::Scanned => ["erasure-scanned-uncommitted", "erasure-scanned-committed"],
        State::Receipted | State::Held => [
            "erasure-receipted-uncommitted",
            "erasure-receipted-committed",
        ],
    }
}

/// Freezes at once what was just asked for, while whoever asked still has the token.
pub(super) async fn begin(studio: &Studio, id: ErasureId, receipt: &Token) -> Result<(), Failure> {
    let mut tries = 1;
    loop {
        let Some(mut work) = claim(studio, id).await? else {
            return Ok(());
        };
        let frozen = freeze::freeze(studio, &mut work, Some(receipt)).await;
        let_go(studio, id).await?;
        match frozen {
            Ok(()) | Err(Halt::TakenOver) => return Ok(()),
            // On Postgres, somebody who ends a job of theirs may have come in between.
            Err(Halt::Failure(error)) if tries < FREEZE_TRIES => {
                tracing::warn!(%error, "an erasure could not begin at once; trying again");
                tries += 1;
            }
            Err(Halt::Failure(failure)) => return Err(failure),
        }
    }
}

/// Takes an erasure that nobody works on.
async fn claim(studio: &Studio, id: ErasureId) -> Result<Option<Work>, Failure> {
    let now = studio.clock.now();
    let mut tx = studio.db.write().await?;
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as(
            "UPDATE erasure SET worker = $2, lease_until_ms = $3 WHERE id = $1 \
             AND ended_ms IS NULL AND COALESCE(lease_until_ms, 0) <= $4 RETURNING *",
        )
        .bind(id.to_string())
        .bind(studio.board.node().to_string())
        .bind(studio.limits.lease_end(now).as_millis())
        .bind(now.as_millis())
        .fetch_optional(conn)
        .await
    })?;
    tx.commit().await?;
    row.map(|row| row.into_work(studio)).transpose()
}

async fn let_go(studio: &Studio, id: ErasureId) -> Result<(), Failure> {
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query("UPDATE erasure SET lease_until_ms = NULL WHERE id = $1 AND worker = $2")
            .bind(id.to_string())
            .bind(studio.board.node().to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(())
}

/// Holds the lease while a step takes long.
async fn keep(studio: &Studio, id: ErasureId) {
    loop {
        tokio::time::sleep(studio.limits.renew_every()).await;
        let renewed = async {
            let mut tx = studio.db.write().await?;
            on!(tx, conn => {
                sqlx::query("UPDATE erasure SET lease_until_ms = $3 WHERE id = $1 AND worker = $2")
                    .bind(id.to_string())
                    .bind(studio.board.node().to_string())
                    .bind(studio.limits.lease_end(studio.clock.now()).as_millis())
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected())
            })?;
            tx.commit().await?;
            Ok::<_, Failure>(())
        };
        if let Err(error) = renewed.await {
            tracing::warn!(%error, "the lease of an erasure could not be renewed; trying again");
        }
    }
}

/// Forgets whatever is to be forgotten, until told to stop.
pub async fn keep_erasing(studio: Studio, ground: Ground, stop: Stop) {
    if !studio.db.is_shared()
        && let Err(error) = take_over(&studio).await
    {
        tracing::warn!(%error, "an erasure of a former process waits until its lease ends");
    }
    while !stop.is_set() {
        let pause = match erase_all(&studio, &ground, &stop).await {
            Ok(()) => LOOK_EVERY,
            Err(error) => {
                tracing::error!(%error, "an erasure could not go on; trying again");
                PAUSE_AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.set() => {}
        }
    }
}

/// This process alone has the data folder, so whoever held a lease is dead.
async fn take_over(studio: &Studio) -> Result<(), Failure> {
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query("UPDATE erasure SET lease_until_ms = NULL WHERE ended_ms IS NULL")
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(())
}

async fn erase_all(studio: &Studio, ground: &Ground, stop: &Stop) -> Result<(), Failure> {
    holding::wake(studio).await?;
    let mut tx = studio.db.read().await?;
    let open: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT id FROM erasure WHERE ended_ms IS NULL AND state <> 'held' ORDER BY id",
        )
            .fetch_all(conn)
            .await
    })?;
    drop(tx);
    let mut outcome = Ok(());
    for id in open {
        let id = id
            .parse()
            .map_err(|_| Failure::Row(format!("erasure {id:?}")))?;
        tokio::select! {
            // One that can't go on must not keep the others waiting.
            done = finish(studio, ground, id) => outcome = outcome.and(done.map(drop)),
            // The next start takes it up again.
            () = stop.set() => return Ok(()),
        }
    }
    outcome
}

/// Takes one erasure to its end. `false` where another process works on it.
pub async fn finish(studio: &Studio, ground: &Ground, id: ErasureId) -> Result<bool, Failure> {
    finish_to(studio, ground, id, State::Receipted).await
}

/// The same, up to a state.
pub(super) async fn finish_to(
    studio: &Studio,
    ground: &Ground,
    id: ErasureId,
    end: State,
) -> Result<bool, Failure> {
    let Some(mut work) = claim(studio, id).await? else {
        return Ok(false);
    };
    let steps = async {
        while work.state < end {
            step(studio, ground, &mut work).await?;
        }
        Ok(())
    };
    let ended = tokio::select! {
        ended = steps => ended,
        () = keep(studio, id) => Ok(()),
    };
    match ended {
        Ok(()) => {
            if end < State::Receipted {
                // Whoever goes on needs not wait.
                let_go(studio, id).await?;
            }
            Ok(true)
        }
        Err(Halt::TakenOver) => Ok(false),
        Err(Halt::Failure(failure)) => {
            // Whoever comes next tries at once.
            let_go(studio, id).await?;
            Err(failure)
        }
    }
}

async fn step(studio: &Studio, ground: &Ground, work: &mut Work) -> Result<(), Halt> {
    match work.state {
        State::Requested | State::Verified => freeze::freeze(studio, work, None).await,
        State::Frozen => {
            marks::collect(studio, work).await?;
            shred::shred(studio, work).await
        }
        State::KeysShredded => rows::delete(studio, work).await,
        State::RowsGone => unlink(studio, work).await,
        State::BlobsGone => tell(studio, ground, work).await,
        State::RecipientsTold => cut(studio, work).await,
        State::Checkpointed => {
            let found = scan::search(studio, ground, work).await?;
            work.done.scan = Some(found);
            let tx = studio.db.write().await?;
            work.reach(studio, tx, State::Scanned).await
        }
        State::Scanned => receipt::write(studio, work).await,
        State::Receipted | State::Held => Ok(()),
    }
}

/// Deletes the files, part by part of the list.
async fn unlink(studio: &Studio, work: &mut Work) -> Result<(), Halt> {
    while work.done.parts_unlinked < work.done.marking.parts {
        let mut tx = studio.db.read().await?;
        let marks = marks::part(&mut tx, work, work.done.parts_unlinked).await?;
        drop(tx);
        let files = marks.into_iter().filter(|mark| mark.kind == Kind::File);
        let deleting = stream::iter(files).map(|file| {
            let shelf = studio.shelf.clone();
            async move { shelf.delete(&file.text).await }
        });
        let mut deleted = deleting.buffer_unordered(FILES_AT_ONCE);
        while let Some(outcome) = deleted.next().await {
            outcome.map_err(Failure::from)?;
            work.done.files += 1;
        }
        work.done.parts_unlinked += 1;
        let mut tx = studio.db.write().await?;
        work.note(studio, &mut tx, work.state).await?;
        tx.commit().await?;
        failpoint::here("erasure-some-files-gone");
    }
    let tx = studio.db.write().await?;
    work.reach(studio, tx, State::BlobsGone).await
}

/// Waits for the letter, not for long, and deletes it: the address was nowhere else any more.
async fn tell(studio: &Studio, ground: &Ground, work: &mut Work) -> Result<(), Halt> {
    if let Some(letter) = work.letter {
        let began = Instant::now();
        let told = loop {
            match letters::state(studio, letter).await? {
                Some(LetterState::Sent) => break Told::Sent,
                Some(LetterState::Waiting)
                    if ground.sends_letters && began.elapsed() < LETTER_WITHIN =>
                {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Some(LetterState::Waiting | LetterState::Failed) | None => break Told::NotSent,
            }
        };
        work.done.letter = Some(told);
    }
    let mut tx = studio.db.write().await?;
    if let Some(letter) = work.letter {
        letters::delete(&mut tx, letter).await?;
    }
    work.reach(studio, tx, State::RecipientsTold).await
}

/// Lets go of what the database's own log still holds.
async fn cut(studio: &Studio, work: &mut Work) -> Result<(), Halt> {
    let gone = work.done.rows.keys();
    let gone = gone.filter_map(|name| table(name));
    let tables: Vec<&'static str> = gone.map(|table| table.name).collect();
    let is_cut = traces::cut(studio, &tables).await?;
    studio.keys.store().scrub(&KEY_TABLES).await?;
    if !is_cut {
        return Err(Failure::Busy.into());
    }
    let tx = studio.db.write().await?;
    work.reach(studio, tx, State::Checkpointed).await
}

/// Ends the erasure: its list goes, and who is still here may order again.
pub(super) async fn end(studio: &Studio, work: &mut Work, signed: &str) -> Result<(), Halt> {
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query("DELETE FROM erasure_mark WHERE erasure_id = $1")
            .bind(work.id.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    on!(tx, conn => {
        sqlx::query(
            "UPDATE erasure SET seal = NULL, letter_id = NULL, ended_ms = $3, \
             receipt = COALESCE(receipt, $2), \
             supplement = CASE WHEN receipt IS NULL THEN NULL ELSE $2 END WHERE id = $1",
        )
        .bind(work.id.to_string())
        .bind(signed)
        // What is held keeps it open.
        .bind((!work.is_held()).then(|| studio.clock.now().as_millis()))
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    if work.plan.scope == Scope::History {
        freeze::release(&mut tx, work).await?;
    }
    // Of nobody: the number of an erasure leads to no person.
    let event = Event {
        kind: log::Kind::ErasureEnded,
        person: None,
        what: json!({ "erasure": work.id, "scope": work.plan.scope.name() }),
    };
    log::note(studio, &mut tx, &event).await?;
    let end = match work.is_held() {
        true => State::Held,
        false => State::Receipted,
    };
    work.reach(studio, tx, end).await
}
