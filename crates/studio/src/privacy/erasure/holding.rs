//! What of an erasure is kept for a law or a court: left out of every step, told in the receipt where that is
//! lawful, and taken up again as soon as it ends.

use db::on;
use domain::ids::{ErasureId, PersonId};

use super::steps::Work;
use super::{Done, State, marks, written};
use crate::privacy::holds::{self, Class};
use crate::{Failure, Studio};

/// Stay as long as anything is held: what is held names them.
const WITH_ANYTHING: [&str; 2] = ["person", "legal_hold"];

impl Work {
    pub(super) fn is_held(&self) -> bool {
        !self.done.held.is_empty()
    }

    pub(super) fn holds_class(&self, class: Class) -> bool {
        self.done.held.iter().any(|held| held.class == class)
    }

    /// Whether the rows of a table stay for now.
    pub(super) fn holds(&self, table: &str) -> bool {
        let mut classes = self.done.held.iter().map(|held| held.class);
        self.is_held() && WITH_ANYTHING.contains(&table)
            || classes.any(|class| class.tables().contains(&table))
    }
}

/// Whose holds have ended, all or some of them, is erased further.
pub(super) async fn wake(studio: &Studio) -> Result<(), Failure> {
    let now = studio.clock.now();
    let mut tx = studio.db.read().await?;
    let waiting: Vec<(String, String, String)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT id, person_id, done FROM erasure WHERE ended_ms IS NULL AND state = 'held' ORDER BY id",
        )
        .fetch_all(conn)
        .await
    })?;
    drop(tx);
    for (id, person, done) in waiting {
        let bad = || Failure::Row(format!("erasure {id}"));
        let erasure: ErasureId = id.parse().map_err(|_| bad())?;
        let person: PersonId = person.parse().map_err(|_| bad())?;
        let mut done: Done = serde_json::from_str(&done).map_err(|_| bad())?;
        let mut tx = studio.db.write().await?;
        let held = holds::of(&mut tx, person, now).await?;
        let classes = |held: &[holds::Held]| held.iter().map(|one| one.class).collect::<Vec<_>>();
        if classes(&held) == classes(&done.held) {
            continue;
        }
        done.held = held;
        done.is_supplement = true;
        done.marking = marks::Cursor::default();
        done.parts_unlinked = 0;
        done.scan = None;
        on!(tx, conn => {
            sqlx::query(
                "UPDATE erasure SET state = $2, done = $3, seal = $4, worker = NULL, \
                 lease_until_ms = NULL WHERE id = $1 AND state = 'held'",
            )
            .bind(&id)
            .bind(State::Frozen.name())
            .bind(written(&done)?)
            .bind(marks::new_seal(studio, erasure))
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
        tx.commit().await?;
    }
    Ok(())
}
