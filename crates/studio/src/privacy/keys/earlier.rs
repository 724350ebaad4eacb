//! What builds before there were keys wrote in the clear: sealed at the start, before anybody is let
//! in. It may be broken off at any moment, and goes on at the next start where it was; two processes may
//! do it at once. Which columns are sealed, and under whose key, is read from the inventory.

use std::collections::HashMap;

use db::on;
use domain::ids::PersonId;
use outside::shelf::ShelfError;
use sqlx::Row;

use super::{Cipher, ObjectKeys, Place, Sealed};
use crate::accounts::portrait;
use crate::privacy::inventory::NOBODY;
use crate::privacy::inventory::{Column, Of, Stored, TABLES, Table};
use crate::{Failure, Studio, failpoint, pictures};

/// Rows that are looked at in one go, and sealed in one transaction.
const AT_ONCE: i64 = 500;

/// Seals what is not sealed yet; tells how many rows and files that were.
pub async fn seal(studio: &Studio) -> Result<u64, Failure> {
    let mut sealed = people(studio).await?;
    sealed += jobs(studio).await?;
    for table in TABLES {
        let columns: Vec<&Column> = table
            .columns
            .iter()
            .filter(|column| column.stored != Stored::Plain)
            .collect();
        if !columns.is_empty() {
            sealed += rows(studio, table, &columns).await?;
        }
    }
    sealed += files(studio, pictures::FOLDER).await?;
    sealed += files(studio, portrait::FOLDER).await?;
    // Free pages and the log still hold what was overwritten.
    if sealed > 0 {
        studio.db.compact().await?;
    }
    Ok(sealed)
}

/// How far a place was gone through; `None` where it was to its end.
async fn progress(studio: &Studio, place: &str) -> Result<Option<String>, Failure> {
    let mut tx = studio.db.read().await?;
    let found: Option<(String, i64)> = on!(tx, conn => {
        sqlx::query_as("SELECT after, is_done FROM sealing WHERE place = $1")
            .bind(place)
            .fetch_optional(conn)
            .await
    })?;
    Ok(match found {
        Some((_, 1)) => None,
        Some((after, _)) => Some(after),
        None => Some(String::new()),
    })
}

/// Notes that a place was gone through up to a row, or to its end.
async fn note(studio: &Studio, place: &str, after: &str, is_done: bool) -> Result<(), Failure> {
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO sealing (place, after, is_done) VALUES ($1, $2, $3) \
             ON CONFLICT (place) DO UPDATE SET after = excluded.after, is_done = excluded.is_done",
        )
        .bind(place)
        .bind(after)
        .bind(i64::from(is_done))
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    failpoint::here("sealing-noted");
    Ok(())
}

/// Gives a key to everybody who came before there were keys.
async fn people(studio: &Studio) -> Result<u64, Failure> {
    let mut given = 0;
    while let Some(after) = progress(studio, "person").await? {
        let mut tx = studio.db.read().await?;
        let ids: Vec<String> = on!(tx, conn => {
            sqlx::query_scalar("SELECT id FROM person WHERE id > $1 AND id <> $3 ORDER BY id LIMIT $2")
                .bind(&after)
                .bind(AT_ONCE)
                .bind(NOBODY)
                .fetch_all(conn)
                .await
        })?;
        drop(tx);
        let mut making = Vec::new();
        for id in &ids {
            making.push(studio.keys.make_person(person(id)?));
        }
        futures::future::try_join_all(making).await?;
        given += ids.len() as u64;
        let last = ids.last().unwrap_or(&after);
        note(studio, "person", last, ids.is_empty()).await?;
    }
    Ok(given)
}

/// Makes the keys of every order that was placed before there were keys.
async fn jobs(studio: &Studio) -> Result<u64, Failure> {
    const PLACE: &str = "job keys";
    let mut given = 0;
    while let Some(after) = progress(studio, PLACE).await? {
        let mut tx = studio.db.read().await?;
        let found: Vec<(String, String, i64)> = on!(tx, conn => {
            sqlx::query_as(
                "SELECT id, person_id, count FROM job WHERE id > $1 ORDER BY id LIMIT $2",
            )
            .bind(&after)
            .bind(AT_ONCE)
            .fetch_all(conn)
            .await
        })?;
        drop(tx);
        let mut making = Vec::new();
        for (id, whose, count) in &found {
            let slots = 1 + usize::try_from(*count).unwrap_or(0);
            let making_one = studio.keys.make_object(person(whose)?, id.clone(), slots);
            making.push(making_one);
        }
        futures::future::try_join_all(making).await?;
        given += found.len() as u64;
        let last = found.last().map_or(&after, |(id, ..)| id);
        note(studio, PLACE, last, found.is_empty()).await?;
    }
    Ok(given)
}

fn person(id: &str) -> Result<PersonId, Failure> {
    id.parse()
        .map_err(|_| Failure::Row(format!("person id {id:?}")))
}

/// Seals the columns of a table, row by row in the order of their names.
async fn rows(studio: &Studio, table: &Table, columns: &[&Column]) -> Result<u64, Failure> {
    let key = table.columns[0].name;
    let whose = match table.of {
        Of::Person(column) => column,
        Of::Row { .. } | Of::Nobody => key,
    };
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let select = format!(
        "SELECT {key}, {whose}, {} FROM {} WHERE {key} > $1 ORDER BY {key} LIMIT {AT_ONCE}",
        names.join(", "),
        table.name
    );
    let mut sealed = 0;
    while let Some(after) = progress(studio, table.name).await? {
        let mut tx = studio.db.read().await?;
        let select = select.clone();
        let found: Vec<Plain> = on!(tx, conn => {
            let rows = sqlx::query(sqlx::AssertSqlSafe(select))
                .bind(&after)
                .fetch_all(conn)
                .await?;
            rows.iter()
                .map(|row| {
                    let values = (2..2 + columns.len()).map(|n| row.try_get(n));
                    Ok(Plain {
                        key: row.try_get(0)?,
                        person: row.try_get(1)?,
                        values: values.collect::<Result<_, _>>()?,
                    })
                })
                .collect::<Result<_, sqlx::Error>>()
        })?;
        drop(tx);
        sealed += seal_rows(studio, table, columns, &found).await?;
        let last = found.last().map_or(&after, |row| &row.key);
        note(studio, table.name, last, found.is_empty()).await?;
    }
    Ok(sealed)
}

/// A row as it was found.
struct Plain {
    key: String,
    person: Option<String>,
    values: Vec<Option<String>>,
}

async fn seal_rows(
    studio: &Studio,
    table: &Table,
    columns: &[&Column],
    found: &[Plain],
) -> Result<u64, Failure> {
    let by_object = columns
        .iter()
        .any(|column| column.stored == Stored::SealedByObject);
    let mut objects = HashMap::new();
    if by_object {
        let ids: Vec<&str> = found.iter().map(|row| row.key.as_str()).collect();
        objects = studio.keys.objects(&ids).await?;
    }
    let mut changes: Vec<(usize, &Plain, String)> = Vec::new();
    for row in found {
        for (at, column) in columns.iter().enumerate() {
            let Some(value) = row.values[at].as_deref().filter(|text| !text.is_empty()) else {
                continue;
            };
            if let Some(stored) = stored(studio, table, column, row, value, &objects).await? {
                changes.push((at, row, stored));
            }
        }
    }
    if changes.is_empty() {
        return Ok(0);
    }
    let mut tx = studio.db.write().await?;
    for (at, row, stored) in &changes {
        let column = columns[*at].name;
        let (table, key) = (table.name, table.columns[0].name);
        // Only where it still is as it was found.
        let statement =
            format!("UPDATE {table} SET {column} = $2 WHERE {key} = $1 AND {column} = $3");
        on!(tx, conn => {
            sqlx::query(sqlx::AssertSqlSafe(statement))
                .bind(&row.key)
                .bind(stored)
                .bind(&row.values[*at])
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
    }
    tx.commit().await?;
    Ok(changes.len() as u64)
}

/// A value as it shall be stored; `None` where it is so already, or nobody has its key any more.
async fn stored(
    studio: &Studio,
    table: &Table,
    column: &Column,
    row: &Plain,
    value: &str,
    objects: &HashMap<String, ObjectKeys>,
) -> Result<Option<String>, Failure> {
    let cipher: Cipher = match column.stored {
        Stored::Plain => return Ok(None),
        Stored::Blind(kind) => {
            let is_blind = value.len() == BLIND_CHARS && !value.contains('@');
            return Ok((!is_blind).then(|| studio.keys.blind(kind, value)));
        }
        _ if Sealed::is(value) => return Ok(None),
        Stored::Sealed => {
            let whose = row.person.as_deref().map(person).transpose()?;
            studio.keys.of_whom(whose).await?
        }
        Stored::SealedByHouse => studio.keys.nobody(),
        Stored::SealedByObject => match objects.get(&row.key) {
            Some(keys) => keys.words()?,
            None => return Ok(None),
        },
    };
    let place = Place::new(table.name, column.name);
    let sealed = cipher.seal(place, &row.key, value);
    Ok(Some(sealed.as_str().to_owned()))
}

/// Of 32 bytes in base64url. A hash in hexadecimal has 64, a username at most 30, and an address that
/// were as long has an @.
const BLIND_CHARS: usize = 43;

/// Seals the files of a folder of the shelf; each is replaced whole.
async fn files(studio: &Studio, folder: &str) -> Result<u64, Failure> {
    let mut sealed = 0;
    let Some(mut after) = progress(studio, folder).await? else {
        return Ok(0);
    };
    let mut keys = studio.shelf.keys(folder).await?;
    keys.retain(|key| *key > after);
    keys.sort_unstable();
    if !keys.is_empty() {
        let count = keys.len();
        tracing::info!(
            "looking through {count} files in {folder} for some that are not sealed yet"
        );
    }
    for some in keys.chunks(FILES_AT_ONCE) {
        for key in some {
            sealed += u64::from(seal_file(studio, folder, key).await?);
            after.clone_from(key);
        }
        note(studio, folder, &after, false).await?;
    }
    note(studio, folder, &after, true).await?;
    Ok(sealed)
}

const FILES_AT_ONCE: usize = 50;

async fn seal_file(studio: &Studio, folder: &str, key: &str) -> Result<bool, Failure> {
    let bytes = match studio.shelf.get(key).await {
        Ok(bytes) => bytes,
        Err(ShelfError::Missing(_)) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    if Sealed::is_file(&bytes) {
        return Ok(false);
    }
    let sealed = match folder {
        pictures::FOLDER => pictures::seal_earlier(studio, key, &bytes).await?,
        _ => portrait::seal_earlier(studio, key, &bytes).await?,
    };
    // A file without a row is swept; nobody can say whose it was.
    let Some(sealed) = sealed else {
        return Ok(false);
    };
    studio.shelf.put(key, sealed).await?;
    Ok(true)
}
