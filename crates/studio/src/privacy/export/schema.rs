//! What the files of an archive look like, as JSON Schema (2020-12): made from the inventory and from
//! the types of the columns, so that it is never another than what is written.

use std::collections::HashMap;

use db::{Tx, on};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{KIND, tables};
use crate::privacy::access::{self, is_handed_out};
use crate::privacy::canonical;
use crate::privacy::inventory::{Column, Table};
use crate::privacy::log::hex;
use crate::{Failure, Studio};

/// The schema, and its name, in which its hash stands: what once was published is never another.
#[derive(Clone, Debug)]
pub struct Schema {
    pub name: String,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Whole,
    Number,
    Text,
}

/// The types of the columns, as the database has them.
pub(super) struct Types(HashMap<(String, String), (Type, bool)>);

impl Types {
    pub(super) async fn read(tx: &mut Tx) -> Result<Self, Failure> {
        let statement = tx.catalogue();
        let rows: Vec<(String, String, String, i64)> = on!(tx, conn => {
            sqlx::query_as(statement).fetch_all(conn).await
        })?;
        let types = rows.into_iter().map(|(table, column, kind, may_be_null)| {
            let kind = match kind.as_str() {
                kind if kind.contains("INT") => Type::Whole,
                kind if kind.contains("DOUBLE") => Type::Number,
                _ => Type::Text,
            };
            ((table, column), (kind, may_be_null != 0))
        });
        Ok(Self(types.collect()))
    }

    pub(super) fn of(&self, table: &Table, column: &Column) -> Type {
        self.get(table, column).0
    }

    fn get(&self, table: &Table, column: &Column) -> (Type, bool) {
        let key = (table.name.to_owned(), column.name.to_owned());
        self.0.get(&key).copied().unwrap_or((Type::Text, true))
    }
}

/// The schema of archives as they are written now.
pub async fn schema(studio: &Studio) -> Result<Schema, Failure> {
    let mut tx = studio.db.read().await?;
    Ok(of(&Types::read(&mut tx).await?))
}

pub(super) fn of(types: &Types) -> Schema {
    let mut files = Map::new();
    for table in access::tables() {
        files.insert(table.name.to_owned(), file(table, types));
    }
    files.insert("manifest".to_owned(), manifest());
    files.insert("rights".to_owned(), rights());
    files.insert("log".to_owned(), log());
    let document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An archive of everything that a Pinhole house keeps of a person",
        "description": format!(
            "Files of an archive of kind {KIND}. data/TABLE.json is as $defs/TABLE says, manifest.json, \
             rights.json and log.json as the definitions of their names."
        ),
        "$defs": files,
    });
    let text = canonical::text(&document);
    let hash = hex(&Sha256::digest(&text).into());
    Schema {
        name: format!("export-{}.json", &hash[..16]),
        text,
    }
}

/// Nothing else may be in it, and nothing may be missing.
fn whole(properties: &Value) -> Value {
    let names: Vec<&String> = properties
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .collect();
    json!({
        "type": "object",
        "required": names,
        "additionalProperties": false,
        "properties": properties,
    })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn hash() -> Value {
    json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn file(table: &Table, types: &Types) -> Value {
    let columns = table.columns.iter().filter(|column| is_handed_out(column));
    let rows: Map<String, Value> = columns
        .map(|column| {
            let (kind, may_be_null) = types.get(table, column);
            let name = match kind {
                Type::Whole => "integer",
                Type::Number => "number",
                Type::Text => "string",
            };
            let kind = if may_be_null {
                json!([name, "null"])
            } else {
                json!(name)
            };
            let described = json!({ "type": kind, "description": tables::says(column) });
            (column.name.to_owned(), described)
        })
        .collect();
    let node = json!({ "type": "object", "required": ["@id"] });
    whole(&json!({
        "@context": { "type": "object" },
        "@type": text(),
        "table": { "const": table.name },
        "schema": text(),
        "title": text(),
        "purposes": list(&node),
        "kept": text(),
        "on_erasure": text(),
        "recipients": list(&json!({ "type": "object" })),
        "columns": list(&whole(&json!({
            "name": text(),
            "what": text(),
            "category": { "type": ["object", "null"] },
            "source": { "type": ["string", "null"] },
            "handed_out": { "type": "boolean" },
        }))),
        "rows": list(&whole(&Value::Object(rows))),
    }))
}

fn manifest() -> Value {
    let entry = whole(&json!({ "name": text(), "sha256": hash(), "size": count() }));
    whole(&json!({
        "manifest": whole(&json!({
            "kind": { "const": KIND },
            "export": text(),
            "person": text(),
            "made_ms": count(),
            "program": text(),
            "verify": text(),
            "schema": text(),
            "log_checkpoint": { "type": ["string", "null"] },
            "recipients": list(&json!({ "type": "object" })),
            "entries": list(&entry),
        })),
        "signature": whole(&json!({
            "algorithm": { "const": "Ed25519" },
            "public_key": text(),
            "value": text(),
        })),
    }))
}

fn rights() -> Value {
    whole(&json!({
        "@context": { "type": "object" },
        "editions": list(&whole(&json!({ "edition": text(), "statement": text() }))),
        "pictures": list(&whole(&json!({
            "picture": text(),
            "file": text(),
            "sha256": hash(),
            "owner": text(),
            "edition": text(),
        }))),
    }))
}

fn log() -> Value {
    let place = json!({ "type": ["integer", "null"], "minimum": 0 });
    whole(&json!({
        "@context": { "type": "object" },
        "checkpoint": { "type": ["string", "null"] },
        "size": count(),
        "entries": list(&whole(&json!({
            "id": text(),
            "kind": text(),
            "what": text(),
            "time_ms": count(),
            "leaf": text(),
            "payload": { "type": ["string", "null"] },
            "position": place,
            "path": list(&hash()),
        }))),
    }))
}
