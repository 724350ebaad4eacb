//! Everything that is kept of one person: counted for a page, and as an archive. Made from the
//! inventory, so that what is declared is also what is handed out.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use db::on;
use domain::ids::{PersonId, PictureId};
use futures::{Stream, stream};
use serde_json::{Map, Value};
use sqlx::Row;

use super::inventory::{Category, Column, Holds, Of, Stored, TABLES, Table};
use super::keys::Place;
use super::{log, notice};
use crate::accounts::portrait;
use crate::archive::Zip;
use crate::jobs::Page;
use crate::{Failure, Studio, gallery, pictures};

/// Rows that are read at once.
const ROWS_AT_ONCE: i64 = 500;
const PICTURES_AT_ONCE: u32 = 50;

/// How many rows of a table are about a person.
#[derive(Clone, Copy, Debug)]
pub struct Holding {
    pub table: &'static Table,
    pub rows: u64,
}

/// Tables that can hold something of somebody.
pub fn tables() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().filter(|table| table.of != Of::Nobody)
}

/// What is kept of a person, table by table, also where that is nothing.
pub async fn holdings(studio: &Studio, person: PersonId) -> Result<Vec<Holding>, Failure> {
    let mut tx = studio.db.read().await?;
    let mut all = Vec::new();
    for table in tables() {
        let statement = format!("SELECT COUNT(*) FROM {} WHERE {}", table.name, whose(table));
        let rows: i64 = on!(tx, conn => {
            sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
                .bind(person.to_string())
                .fetch_one(conn)
                .await
        })?;
        let rows = rows.unsigned_abs();
        all.push(Holding { table, rows });
    }
    Ok(all)
}

/// The condition that finds a person's rows.
pub(super) fn whose(table: &Table) -> String {
    match table.of {
        Of::Person(column) => format!("{column} = $1"),
        Of::Row {
            column,
            table: parent,
            key,
        } => format!("{column} IN (SELECT {key} FROM {parent} WHERE person_id = $1)"),
        Of::Nobody => "$1 = ''".to_owned(),
    }
}

/// Whether a column is handed out: all are but those by which one signs in, which would only help a
/// thief of the archive.
#[must_use]
pub const fn is_handed_out(column: &Column) -> bool {
    match column.holds {
        Holds::Datum(datum) => {
            !matches!(datum.category, Category::Credentials | Category::Password)
        }
        Holds::Inner => true,
    }
}

/// A ZIP of everything: a file of JSON for each table, the person's pictures as they were drawn, the
/// portrait, and the notice as it stands.
pub fn archive(
    studio: Studio,
    person: PersonId,
) -> impl Stream<Item = Result<Bytes, Failure>> + Send + 'static {
    let begin = Some((Zip::default(), Step::Tables(0)));
    stream::try_unfold(begin, move |state| {
        let studio = studio.clone();
        async move {
            let Some((mut zip, step)) = state else {
                return Ok(None);
            };
            let next = match step {
                Step::Tables(index) => match tables().nth(index) {
                    Some(table) => {
                        add_table(&studio, person, table, &mut zip).await?;
                        Step::Tables(index + 1)
                    }
                    None => Step::Pictures(None),
                },
                Step::Pictures(before) => {
                    let page = gallery::page(&studio, person, before, PICTURES_AT_ONCE).await?;
                    add_pictures(&studio, person, &page, &mut zip).await?;
                    match page.next {
                        Some(next) => Step::Pictures(Some(next)),
                        None => Step::Rest,
                    }
                }
                Step::Rest => {
                    let now = studio.clock.now();
                    if let Some(file) = portrait::of(&studio, person).await? {
                        zip.put("portrait.webp", now, &file)?;
                    }
                    zip.put("what-is-kept.txt", now, notice::text().as_bytes())?;
                    // So that whoever takes everything along can hold the house to its log.
                    if let Some(checkpoint) = log::newest(&studio).await? {
                        zip.put("checkpoint.txt", now, checkpoint.as_bytes())?;
                    }
                    return Ok(Some((zip.finish()?, None)));
                }
            };
            Ok(Some((zip.take(), Some((zip, next)))))
        }
    })
}

enum Step {
    /// The table that comes next.
    Tables(usize),
    Pictures(Option<PictureId>),
    Rest,
}

async fn add_pictures(
    studio: &Studio,
    person: PersonId,
    page: &Page<pictures::Picture, PictureId>,
    zip: &mut Zip,
) -> Result<(), Failure> {
    for picture in &page.items {
        if let Some(bytes) = pictures::original(studio, person, picture.id).await? {
            zip.put(
                &format!("pictures/{}.png", picture.id),
                picture.created,
                &bytes,
            )?;
        }
    }
    Ok(())
}

async fn add_table(
    studio: &Studio,
    person: PersonId,
    table: &'static Table,
    zip: &mut Zip,
) -> Result<(), Failure> {
    let columns: Vec<&Column> = table
        .columns
        .iter()
        .filter(|column| is_handed_out(column))
        .collect();
    let casts: Vec<String> = columns
        .iter()
        .map(|column| format!("CAST({} AS TEXT)", column.name))
        .collect();
    let statement = format!(
        "SELECT {}, {} FROM {} WHERE {} ORDER BY {} LIMIT {ROWS_AT_ONCE} OFFSET $2",
        // What is sealed is bound to it, also where it is not handed out.
        table.columns[0].name,
        casts.join(", "),
        table.name,
        whose(table),
        // Together they tell every row from every other.
        (1..=columns.len() + 1)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(", "),
    );
    let numbers = numbers(studio).await?;
    let is_number = |column: &Column| numbers.contains(&format!("{}.{}", table.name, column.name));
    zip.begin(&format!("data/{}.json", table.name), studio.clock.now())?;
    zip.write(b"[")?;
    let mut written = 0;
    loop {
        let mut tx = studio.db.read().await?;
        let statement = statement.clone();
        let rows: Vec<(String, Vec<Option<String>>)> = on!(tx, conn => {
            let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
                .bind(person.to_string())
                .bind(written)
                .fetch_all(conn)
                .await?;
            rows.iter()
                .map(|row| {
                    let values = (1..=columns.len()).map(|n| row.try_get(n));
                    Ok((row.try_get(0)?, values.collect::<Result<_, _>>()?))
                })
                .collect::<Result<_, sqlx::Error>>()
        })?;
        drop(tx);
        let count = i64::try_from(rows.len()).unwrap_or(0);
        for row in opened(studio, person, table, &columns, rows).await? {
            let fields = columns.iter().zip(row);
            let object: Map<String, Value> = fields
                .map(|(column, value)| (column.name.to_owned(), typed(is_number(column), value)))
                .collect();
            let lead = if written == 0 { "\n" } else { ",\n" };
            zip.write(format!("{lead}{}", Value::Object(object)).as_bytes())?;
            written += 1;
        }
        if count < ROWS_AT_ONCE {
            break;
        }
    }
    zip.write(b"\n]\n")
}

/// Rows with what is sealed in them readable again. A row whose key went while it was read is left
/// out.
pub(super) async fn opened(
    studio: &Studio,
    person: PersonId,
    table: &'static Table,
    columns: &[&'static Column],
    rows: Vec<(String, Vec<Option<String>>)>,
) -> Result<Vec<Vec<Option<String>>>, Failure> {
    let own = studio.keys.of(person).await?;
    let mut objects = HashMap::new();
    if columns
        .iter()
        .any(|column| column.stored == Stored::SealedByObject)
    {
        let ids: Vec<&str> = rows.iter().map(|(id, _)| id.as_str()).collect();
        objects = studio.keys.objects(&ids).await?;
    }
    let mut readable = Vec::new();
    'rows: for (id, mut row) in rows {
        for (at, column) in columns.iter().enumerate() {
            let place = Place::new(table.name, column.name);
            let cipher = match column.stored {
                Stored::Sealed => own.clone(),
                Stored::SealedByObject => match objects.get(&id) {
                    Some(keys) => keys.words()?,
                    None => continue 'rows,
                },
                Stored::Plain | Stored::Blind(_) => continue,
            };
            // Emptied once it was sent, a letter says nothing any more.
            if let Some(text) = row[at].as_mut().filter(|text| !text.is_empty()) {
                *text = cipher.open(place, &id, text)?.into_exposed();
            }
        }
        readable.push(row);
    }
    Ok(readable)
}

/// Numbers as numbers, by the type of the column: a prompt may look like one.
fn typed(is_number: bool, value: Option<String>) -> Value {
    let Some(text) = value else {
        return Value::Null;
    };
    let number = is_number
        .then(|| {
            text.parse::<i64>()
                .map(Value::from)
                .ok()
                .or_else(|| text.parse::<f64>().map(Value::from).ok())
        })
        .flatten();
    number.unwrap_or(Value::String(text))
}

/// The columns of numbers, as `table.column`.
async fn numbers(studio: &Studio) -> Result<BTreeSet<String>, Failure> {
    let mut tx = studio.db.read().await?;
    let statement = tx.catalogue();
    let rows: Vec<(String, String, String, i64)> = on!(tx, conn => {
        sqlx::query_as(statement).fetch_all(conn).await
    })?;
    let numbers = rows
        .into_iter()
        .filter(|(_, _, kind, _)| kind.contains("INT") || kind.contains("DOUBLE"));
    Ok(numbers
        .map(|(table, column, ..)| format!("{table}.{column}"))
        .collect())
}
