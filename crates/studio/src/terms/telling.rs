//! Telling people of terms that they will be asked for: a letter and a notice in the app to each, once, by the
//! same rounds as of the privacy notice.

use std::time::Duration;

use db::on;
use domain::clock::Moment;
use domain::ids::PersonId;

use super::{Head, heads, heads_in};
use crate::jobs::worker::Stop;
use crate::letters::Letter;
use crate::privacy::policies::{Subject, tell, waiting};
use crate::{Failure, Studio};

const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Writes to everybody who is to be told of a version that waits for its day, and was not; gives how many
/// that were.
pub async fn tell_due(studio: &Studio) -> Result<u64, Failure> {
    let heads = heads(studio).await?;
    let mut told = 0;
    for head in waiting(&heads, studio.clock.now()) {
        if head.needs_acceptance {
            let letter = Letter::TermsChange {
                terms: head.number,
                at_ms: head.effective.as_millis(),
                text: head.summary.clone(),
            };
            told += tell(studio, Subject::Terms, head.number, &letter).await?;
        }
    }
    Ok(told)
}

/// Tells until told to stop.
pub async fn keep_telling(studio: Studio, stop: Stop) {
    while !stop.is_set() {
        match tell_due(&studio).await {
            Ok(0) => {}
            Ok(_) => tracing::info!("everybody was told of the next version of the terms"),
            Err(error) => {
                tracing::error!(%error, "people could not be told of a version of the terms; trying again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.set() => {}
        }
    }
}

/// What one person was told.
#[derive(Clone, Debug)]
pub struct Told {
    pub head: Head,
    pub told: Moment,
}

/// Everything that a person was told, the newest first.
pub async fn told(studio: &Studio, person: PersonId) -> Result<Vec<Told>, Failure> {
    let mut tx = studio.db.read().await?;
    let heads = heads_in(&mut tx).await?;
    let rows: Vec<(i64, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT terms, created_ms FROM terms_notice WHERE person_id = $1 ORDER BY terms DESC",
        )
        .bind(person.to_string())
        .fetch_all(conn)
        .await
    })?;
    let told = rows.into_iter().filter_map(|(number, told)| {
        let head = heads.iter().find(|head| head.number == number)?;
        Some(Told {
            head: head.clone(),
            told: Moment::from_millis(told),
        })
    });
    Ok(told.collect())
}
