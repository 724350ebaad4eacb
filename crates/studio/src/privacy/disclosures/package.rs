//! What is handed out: the columns that a request names, of its time, and nothing else; canonical JSON
//! that the house signs. It is kept nowhere: the log has its SHA-256.

use std::collections::BTreeMap;

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{DisclosureId, PersonId};
use futures::TryStreamExt;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sqlx::Row as _;

use super::row::{Row, locked};
use super::{Disclosure, DisclosureError, State, clock, deciding, scope};
use crate::privacy::access::{opened, whose};
use crate::privacy::canonical;
use crate::privacy::inventory::{Column, Holds, Table};
use crate::privacy::keys::Place;
use crate::privacy::log::{self, Event, Kind, hex};
use crate::{Failure, Studio};

/// Says what a document is, and which edition of its fields it has.
const KIND: &str = "pinhole/disclosure/1";
const MAX_ROWS: usize = 100_000;

/// What goes to the authority. It can't be printed.
pub struct Package {
    pub name: String,
    pub text: String,
    pub rows: usize,
}

impl std::fmt::Debug for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Package({}, {} rows)", self.name, self.rows)
    }
}

/// Hands out what two people agreed to: writes it into the person's log and the house's, and tells the
/// person, unless a gag forbids it.
pub async fn hand_out(studio: &Studio, id: DisclosureId) -> Result<Package, DisclosureError> {
    let now = studio.clock.now();
    let mut tx = studio.db.write().await?;
    let row = locked(&mut tx, id).await?;
    if !row.is_approved() {
        return Err(DisclosureError::Unapproved);
    }
    let about = row.open(studio).await?.ok_or(DisclosureError::Missing)?;
    let person = about.person.ok_or(DisclosureError::Empty)?;
    let (text, rows) = compose(studio, &mut tx, &about, person).await?;
    on!(tx, conn => {
        sqlx::query(
            "UPDATE disclosure SET state = $2, ended_ms = COALESCE(ended_ms, $3) WHERE id = $1",
        )
        .bind(&row.id)
        .bind(State::Disclosed.name())
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    deciding::note(studio, &mut tx, Kind::DisclosureMade, &row.id, &row.path).await?;
    let sha256 = hex(&Sha256::digest(&text).into());
    tell_or_seal(studio, &mut tx, &row, &about, person, &sha256).await?;
    tx.commit().await?;
    Ok(Package {
        name: format!("{id}.json"),
        text,
        rows,
    })
}

/// The leaf of the person is written now in any case; under a gag the house's key seals it until then.
async fn tell_or_seal(
    studio: &Studio,
    tx: &mut Tx,
    row: &Row,
    about: &Disclosure,
    person: PersonId,
    sha256: &str,
) -> Result<(), Failure> {
    let is_told = row.may_be_told(studio.clock.now());
    let event = Event {
        kind: Kind::Disclosed,
        person: Some(person).filter(|_| is_told),
        what: json!({ "disclosure": row.id, "fields": about.fields, "sha256": sha256 }),
    };
    let leaf = log::note(studio, tx, &event).await?;
    if is_told {
        return clock::tell(studio, tx, about, person).await;
    }
    on!(tx, conn => {
        sqlx::query("UPDATE disclosure SET sealed_leaves = TRIM(sealed_leaves || ' ' || $2) WHERE id = $1")
            .bind(&row.id)
            .bind(leaf.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

async fn compose(
    studio: &Studio,
    tx: &mut Tx,
    about: &Disclosure,
    person: PersonId,
) -> Result<(String, usize), DisclosureError> {
    let mut wanted: BTreeMap<&str, (&'static Table, Vec<&'static Column>)> = BTreeMap::new();
    for field in &about.fields {
        // A column that the inventory dropped since then is kept no more.
        if let Some((table, column)) = scope::named(field) {
            wanted
                .entry(table.name)
                .or_insert((table, Vec::new()))
                .1
                .push(column);
        }
    }
    let (mut tables, mut count) = (Vec::new(), 0);
    for (table, columns) in wanted.into_values() {
        let rows = read(studio, tx, about, (person, table), &columns).await?;
        count += rows.len();
        if count > MAX_ROWS {
            return Err(DisclosureError::TooMuch(MAX_ROWS));
        }
        let says = columns.iter().map(|column| match column.holds {
            Holds::Datum(datum) => json!({ "name": column.name, "what": datum.what }),
            Holds::Inner => Value::Null,
        });
        let rows: Vec<Value> = rows.into_iter().map(|row| object(&columns, row)).collect();
        let sha256 = hex(&Sha256::digest(canonical::text(&json!(rows))).into());
        tables.push(json!({
            "table": table.name,
            "title": table.row,
            "columns": says.collect::<Vec<_>>(),
            "rows": rows,
            "rows_sha256": sha256,
            "time_column": scope::time_of(table),
        }));
    }
    let document = json!({
        "kind": KIND,
        "disclosure": about.id,
        "authority": about.authority,
        "law": about.law,
        "reference": about.reference,
        "person": person,
        "fields": about.fields,
        "from_ms": about.from.map(Moment::as_millis),
        "until_ms": about.until.map(Moment::as_millis),
        "made_ms": studio.clock.now().as_millis(),
        "tables": tables,
    });
    Ok((canonical::signed(&studio.keys, "package", &document), count))
}

fn object(columns: &[&Column], row: Vec<Option<String>>) -> Value {
    let fields = columns.iter().zip(row);
    let object: Map<String, Value> = fields
        .map(|(column, value)| (column.name.to_owned(), json!(value)))
        .collect();
    Value::Object(object)
}

/// The rows of a table in the scope, readable, the columns as they are asked for.
async fn read(
    studio: &Studio,
    tx: &mut Tx,
    about: &Disclosure,
    (person, table): (PersonId, &'static Table),
    columns: &[&'static Column],
) -> Result<Vec<Vec<Option<String>>>, DisclosureError> {
    let casts = columns
        .iter()
        .map(|column| format!("CAST({} AS TEXT)", column.name));
    let order: Vec<String> = (1..=columns.len() + 1).map(|n| n.to_string()).collect();
    let mut span = String::new();
    if let Some(time) = scope::time_of(table) {
        if let Some(from) = about.from {
            span += &format!(" AND {time} >= {}", from.as_millis());
        }
        if let Some(until) = about.until {
            span += &format!(" AND {time} < {}", until.as_millis());
        }
    }
    let statement = format!(
        "SELECT {}, {} FROM {} WHERE {}{span} ORDER BY {} LIMIT {}",
        // What is sealed is bound to it.
        table.columns[0].name,
        casts.collect::<Vec<_>>().join(", "),
        table.name,
        whose(table),
        order.join(", "),
        MAX_ROWS + 1,
    );
    let count = columns.len();
    let rows = on!(tx, conn => {
        let mut rows = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(person.to_string())
            .fetch(conn);
        let mut all: Vec<(String, Vec<Option<String>>)> = Vec::new();
        while let Some(row) = rows.try_next().await? {
            let values = (1..=count).map(|n| row.try_get(n)).collect::<Result<_, _>>()?;
            all.push((row.try_get(0)?, values));
        }
        Ok::<_, sqlx::Error>(all)
    })?;
    Ok(opened(studio, person, table, columns, &rows, Place::to_disclose).await?)
}
