//! Deletes the rows, so many in a transaction that nobody waits long for the writer, and takes out of
//! the books whatever leads to the person.

use db::{Tx, on};
use domain::ids::PersonId;

use super::plan::{Fate, count, table};
use super::steps::{Halt, Work};
use super::{Scope, State};
use crate::credits::grants;
use crate::jobs::line;
use crate::privacy::access::whose;
use crate::privacy::inventory::{Erased, TABLES, Table};
use crate::{Failure, Studio, failpoint};

const ROWS_AT_ONCE: u32 = 500;
/// Goes last: then nothing can name it any more.
const PERSON: &str = "person";

pub(super) async fn delete(studio: &Studio, work: &mut Work) -> Result<(), Halt> {
    for table in TABLES.iter().rev() {
        if work.holds(table.name) {
            continue;
        }
        match table.erased {
            Erased::Deleted if table.name != PERSON && work.plan.deletes(table.name) => {
                while delete_some(studio, work, table).await? {}
            }
            Erased::Severed(blanks) | Erased::Owed(blanks) if work.plan.scope == Scope::Account => {
                while sever_some(studio, work, table, blanks).await? {}
            }
            _ => {}
        }
    }
    close(studio, work).await
}

/// Deletes some rows of a table; `false` where there are none.
async fn delete_some(
    studio: &Studio,
    work: &mut Work,
    table: &'static Table,
) -> Result<bool, Halt> {
    let mut tx = studio.db.write().await?;
    let some = tx.some_of(table.name, &whose(table), ROWS_AT_ONCE);
    let statement = format!("DELETE FROM {} WHERE {some}", table.name);
    let rows = run(&mut tx, statement, work.person).await?;
    if rows == 0 {
        return Ok(false);
    }
    work.done.count(table.name, rows);
    work.note(studio, &mut tx, work.state).await?;
    tx.commit().await?;
    failpoint::here("erasure-some-rows-gone");
    Ok(true)
}

/// Blanks some rows of the books; `false` where none is left to blank.
async fn sever_some(
    studio: &Studio,
    work: &mut Work,
    table: &'static Table,
    blanks: &[(&str, &str)],
) -> Result<bool, Halt> {
    if blanks.is_empty() {
        return Ok(false);
    }
    let differs = blanks
        .iter()
        .map(|(column, blank)| format!("{column} IS DISTINCT FROM {blank}"));
    let differs = differs.collect::<Vec<_>>().join(" OR ");
    let blanked = blanks
        .iter()
        .map(|(column, blank)| format!("{column} = {blank}"));
    let blanked = blanked.collect::<Vec<_>>().join(", ");
    let mut tx = studio.db.write().await?;
    let condition = format!("{} AND ({differs})", whose(table));
    let some = tx.some_of(table.name, &condition, ROWS_AT_ONCE);
    let statement = format!("UPDATE {} SET {blanked} WHERE {some}", table.name);
    let rows = run(&mut tx, statement, work.person).await?;
    if rows == 0 {
        return Ok(false);
    }
    *work.done.kept.entry(table.name.to_owned()).or_default() += rows;
    work.note(studio, &mut tx, work.state).await?;
    tx.commit().await?;
    failpoint::here("erasure-some-rows-gone");
    Ok(true)
}

/// Deletes every row of a person in a table; for tables with few rows of each.
pub(super) async fn delete_all_of(
    tx: &mut Tx,
    table: &Table,
    person: PersonId,
) -> Result<u64, Failure> {
    let statement = format!("DELETE FROM {} WHERE {}", table.name, whose(table));
    run(tx, statement, person).await
}

async fn run(tx: &mut Tx, statement: String, person: PersonId) -> Result<u64, Failure> {
    Ok(on!(tx, conn => {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(person.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?)
}

/// Whatever was written in the very moment of the freeze goes as well, and the person's row with it.
/// Where somebody is just writing for them, the database refuses this, and it is done again.
async fn close(studio: &Studio, work: &mut Work) -> Result<(), Halt> {
    let mut tx = studio.db.write().await?;
    line::lock(&mut tx, work.person).await?;
    for table in TABLES.iter().rev() {
        if table.erased == Erased::Deleted
            && work.plan.deletes(table.name)
            && !work.holds(table.name)
        {
            let rows = delete_all_of(&mut tx, table, work.person).await?;
            work.done.count(table.name, rows);
        }
    }
    if work.plan.scope == Scope::Account {
        grants::forget_giver(&mut tx, work.person).await?;
        for part in work.plan.that(Fate::Severed) {
            let Some(table) = table(&part.table) else {
                continue;
            };
            let owner_stays = count(&mut tx, table, work.person).await?;
            let kept = work.done.kept.entry(part.table.clone()).or_default();
            *kept = (*kept).max(owner_stays);
        }
    }
    work.reach(studio, tx, State::RowsGone).await
}
