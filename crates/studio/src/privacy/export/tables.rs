//! The tables of an archive: each as JSON-LD with everything about it, and as CSV.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::PersonId;
use domain::language::Language;
use domain::recipient::Register;
use futures::TryStreamExt;
use serde_json::{Map, Value, json};
use sqlx::Row;

use super::csv;
use super::parts::{Text, Writer};
use super::schema::{Schema, Type, Types};
use super::{ExportError, compose};
use crate::privacy::access::{is_handed_out, opened, whose_to_tell};
use crate::privacy::inventory::{Column, Holds, Table};
use crate::privacy::keys::Place;
use crate::privacy::notice::{erased_in_words, kept_in_words};
use crate::privacy::recipients;
use crate::{Failure, Studio};

/// Rows that are opened together.
const ROWS_AT_ONCE: usize = 500;

/// A column in plain words.
pub(super) fn says(column: &Column) -> &'static str {
    match column.holds {
        Holds::Datum(datum) => datum.what,
        Holds::Inner => "what the program finds its way by; it says nothing by itself",
    }
}

/// Everything about a table but its rows.
fn head(register: &Register, table: &Table, schema: &Schema) -> Value {
    let purposes: Vec<Value> = table
        .purposes
        .iter()
        .map(|purpose| {
            let basis = purpose.basis();
            json!({
                "@id": purpose.dpv(),
                "words": purpose.words(),
                "legal_basis": { "@id": basis.dpv(), "words": basis.words() },
            })
        })
        .collect();
    let columns: Vec<Value> = table
        .columns
        .iter()
        .map(|column| {
            let datum = match column.holds {
                Holds::Datum(datum) => Some(datum),
                Holds::Inner => None,
            };
            let category =
                datum.map(|d| json!({ "@id": d.category.dpv(), "name": d.category.key() }));
            json!({
                "name": column.name,
                "what": says(column),
                "category": category,
                "source": datum.map(|datum| datum.source.words()),
                "handed_out": is_handed_out(column),
            })
        })
        .collect();
    json!({
        "@context": context(table),
        "@type": "dpv:PersonalDataHandling",
        "table": table.name,
        "schema": format!("{}#/$defs/{}", schema.name, table.name),
        "title": table.row,
        "purposes": purposes,
        "kept": kept_in_words(Language::English, table.kept),
        "on_erasure": erased_in_words(table.erased),
        "recipients": recipients::of_table(register, table.name),
        "columns": columns,
    })
}

/// What the names of a file mean (JSON-LD 1.1): the Data Privacy Vocabulary's words where it has them,
/// and names of the table's own for its columns.
fn context(table: &Table) -> Value {
    let mut context = compose::context(table.name);
    let more = json!({
        "title": "dct:title",
        "purposes": { "@id": "dpv:hasPurpose", "@container": "@set" },
        "legal_basis": "dpv:hasLegalBasis",
        "recipients": { "@id": "dpv:hasRecipient", "@container": "@set" },
        "category": "dpv:hasPersonalData",
        "columns": { "@id": "urn:pinhole:export:columns", "@container": "@set" },
        "rows": { "@id": "urn:pinhole:export:rows", "@container": "@set" },
    });
    if let (Some(context), Some(more)) = (context.as_object_mut(), more.as_object()) {
        context.extend(more.clone());
    }
    context
}

/// Writes both files of a table, as it is at the moment of `tx`.
pub(super) async fn write(
    studio: &Studio,
    tx: &mut Tx,
    writer: &mut Writer<'_>,
    (person, table): (PersonId, &'static Table),
    (types, schema): (&Types, &Schema),
) -> Result<(), ExportError> {
    let columns: Vec<&'static Column> = table
        .columns
        .iter()
        .filter(|column| is_handed_out(column))
        .collect();
    let mut sink = Sink {
        person,
        table,
        types: columns.iter().map(|one| types.of(table, one)).collect(),
        json: writer.open(&format!("data/{}.json", table.name)),
        csv: writer.open(&format!("csv/{}.csv", table.name)),
        written: 0,
        columns,
    };
    let head = head(&studio.recipients, table, schema).to_string();
    let head = head.strip_suffix('}').unwrap_or(&head);
    writer
        .add(&mut sink.json, &format!("{head},\"rows\":["))
        .await?;
    let names = sink
        .columns
        .iter()
        .map(|column| csv::Value::Words(column.name));
    let names = csv::line(names);
    writer.add(&mut sink.csv, &names).await?;

    let statement = select(studio.clock.now(), table, &sink.columns);
    let count = sink.columns.len();
    on!(tx, conn => {
        let mut rows = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(person.to_string())
            .fetch(conn);
        let mut some = Vec::new();
        while let Some(row) = rows.try_next().await? {
            let values = (1..=count).map(|n| row.try_get(n)).collect::<Result<_, _>>()?;
            some.push((row.try_get(0)?, values));
            if some.len() == ROWS_AT_ONCE {
                sink.add(studio, writer, std::mem::take(&mut some)).await?;
            }
        }
        sink.add(studio, writer, some).await
    })?;
    writer.add(&mut sink.json, "\n]}\n").await?;
    writer.close(sink.json).await?;
    writer.close(sink.csv).await
}

fn select(now: Moment, table: &Table, columns: &[&Column]) -> String {
    let casts: Vec<String> = columns
        .iter()
        .map(|column| format!("CAST({} AS TEXT)", column.name))
        .collect();
    let order: Vec<String> = (1..=columns.len() + 1).map(|n| n.to_string()).collect();
    format!(
        "SELECT {}, {} FROM {} WHERE {} ORDER BY {}",
        // What is sealed is bound to it, also where it is not handed out.
        table.columns[0].name,
        casts.join(", "),
        table.name,
        whose_to_tell(now, table),
        // Together they tell every row from every other.
        order.join(", "),
    )
}

/// Where the rows of a table go.
struct Sink {
    person: PersonId,
    table: &'static Table,
    columns: Vec<&'static Column>,
    types: Vec<Type>,
    json: Text,
    csv: Text,
    written: u64,
}

impl Sink {
    async fn add(
        &mut self,
        studio: &Studio,
        writer: &mut Writer<'_>,
        rows: Vec<(String, Vec<Option<String>>)>,
    ) -> Result<(), ExportError> {
        for row in opened(
            studio,
            self.person,
            self.table,
            &self.columns,
            &rows,
            Place::to_hand_out,
        )
        .await?
        {
            let fields = self.columns.iter().zip(&self.types).zip(&row);
            let object: Map<String, Value> = fields
                .clone()
                .map(|((column, kind), value)| {
                    let value = typed(*kind, value.as_deref())?;
                    Ok((column.name.to_owned(), value))
                })
                .collect::<Result<_, Failure>>()?;
            let lead = if self.written == 0 { "\n" } else { ",\n" };
            let object = Value::Object(object);
            writer
                .add(&mut self.json, &format!("{lead}{object}"))
                .await?;
            let line = fields.map(|((_, kind), value)| match (kind, value) {
                (_, None) => csv::Value::Absent,
                (Type::Text, Some(words)) => csv::Value::Words(words),
                (Type::Whole | Type::Number, Some(digits)) => csv::Value::Number(digits),
            });
            let line = csv::line(line);
            writer.add(&mut self.csv, &line).await?;
            self.written += 1;
        }
        Ok(())
    }
}

/// Numbers as numbers, by the type of the column: a prompt may look like one.
fn typed(kind: Type, value: Option<&str>) -> Result<Value, Failure> {
    let Some(text) = value else {
        return Ok(Value::Null);
    };
    let bad = || Failure::Row(format!("a number that reads {text:?}"));
    Ok(match kind {
        Type::Text => Value::from(text),
        Type::Whole => Value::from(text.parse::<i64>().map_err(|_| bad())?),
        Type::Number => Value::from(text.parse::<f64>().map_err(|_| bad())?),
    })
}
