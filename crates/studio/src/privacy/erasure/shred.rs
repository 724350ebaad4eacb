//! Shreds the keys: from here on nobody can read what was sealed under them, in no copy of it.

use db::on;
use domain::ids::JobId;
use futures::future::try_join_all;

use super::Scope;
use super::State;
use super::steps::{Halt, Work};
use crate::privacy::holds::Class;
use crate::{Failure, Studio};

/// Orders whose keys go at once.
const ORDERS_AT_ONCE: i64 = 500;

pub(super) async fn shred(studio: &Studio, work: &mut Work) -> Result<(), Halt> {
    match work.plan.scope {
        Scope::Account if work.is_held() => of_what_goes(studio, work).await?,
        Scope::Account => {
            // Counted before they go, so that whoever takes this up again knows how many there were.
            let keys = studio.keys.count_of(work.person).await;
            work.done.keys = work.done.keys.max(keys.map_err(Failure::from)?);
            let mut tx = studio.db.write().await?;
            work.note(studio, &mut tx, work.state).await?;
            tx.commit().await?;
            let shredded = studio.keys.shred_person(work.person).await;
            shredded.map_err(Failure::from)?;
        }
        Scope::History => of_orders(studio, work).await?,
    }
    let tx = studio.db.write().await?;
    work.reach(studio, tx, State::KeysShredded).await
}

/// Under a hold, the person's own key stays, and with it those of what is held.
async fn of_what_goes(studio: &Studio, work: &mut Work) -> Result<(), Halt> {
    let objects = studio.keys.objects_of(work.person).await;
    for object in objects.map_err(Failure::from)? {
        let class = match object.starts_with(JobId::PREFIX) {
            true => Class::Orders,
            false => Class::Account,
        };
        if !work.holds_class(class) {
            let shredded = studio.keys.shred_object(&object).await;
            work.done.keys += shredded.map_err(Failure::from)?;
        }
    }
    Ok(())
}

async fn of_orders(studio: &Studio, work: &mut Work) -> Result<(), Halt> {
    let mut after = String::new();
    loop {
        let mut tx = studio.db.read().await?;
        let jobs: Vec<String> = on!(tx, conn => {
            sqlx::query_scalar("SELECT id FROM job WHERE person_id = $1 AND id > $2 ORDER BY id LIMIT $3")
                .bind(work.person.to_string())
                .bind(&after)
                .bind(ORDERS_AT_ONCE)
                .fetch_all(conn)
                .await
        })?;
        drop(tx);
        let Some(last) = jobs.last() else {
            return Ok(());
        };
        let shredding = jobs.iter().map(|job| studio.keys.shred_object(job));
        let shredded = try_join_all(shredding).await.map_err(Failure::from)?;
        work.done.keys += shredded.iter().sum::<u64>();
        after.clone_from(last);
        let mut tx = studio.db.write().await?;
        work.note(studio, &mut tx, work.state).await?;
        tx.commit().await?;
    }
}
