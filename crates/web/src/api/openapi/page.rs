//! The same document for people: one page, no script, nothing fetched from elsewhere.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::{describe, operations};
use crate::Site;
use crate::api::Origin;
use crate::caller::MaybeAsker;
use crate::pages::{self, Frame};
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "api.html")]
struct ApiPage {
    t: &'static Texts,
    frame: Frame,
    base: String,
    chapters: Vec<Chapter>,
    schemas: Vec<Shape>,
}

struct Chapter {
    name: String,
    about: String,
    operations: Vec<Entry>,
}

struct Entry {
    id: String,
    method: String,
    path: String,
    summary: String,
    about: String,
    scope: String,
    parameters: Vec<Field>,
    /// Name of the schema of its body.
    body: String,
    answers: Vec<Outcome>,
}

struct Outcome {
    status: String,
    about: String,
    /// Name of the schema, where it is JSON.
    schema: String,
}

struct Shape {
    name: String,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    kind: String,
    is_required: bool,
    about: String,
}

pub(in crate::api) async fn show(
    State(site): State<Site>,
    MaybeAsker(known): MaybeAsker,
    origin: Origin,
) -> Response {
    let document = describe(&site, &origin);
    let entries = || entries(&document);
    let chapters = operations::TAGS.iter().map(|(name, about)| Chapter {
        name: (*name).to_owned(),
        about: (*about).to_owned(),
        operations: entries()
            .filter(|(tag, _)| tag == name)
            .map(|(_, entry)| entry)
            .collect(),
    });
    let schemas = document["components"]["schemas"].as_object();
    let shapes = schemas.into_iter().flatten().filter_map(|(name, schema)| {
        let fields = fields(schema);
        (!fields.is_empty()).then(|| Shape {
            name: name.clone(),
            fields,
        })
    });
    pages::ok(&ApiPage {
        t: Texts::get(),
        frame: Frame::of(known.as_ref(), "api"),
        base: origin.url("/v1"),
        chapters: chapters.collect(),
        schemas: shapes.collect(),
    })
}

/// Every operation with its tag.
fn entries(document: &Value) -> impl Iterator<Item = (String, Entry)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(|(method, operation)| {
            (text(&operation["tags"][0]), entry(path, method, operation))
        })
    })
}

fn entry(path: &str, method: &str, operation: &Value) -> Entry {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let answers = operation["responses"].as_object().into_iter().flatten();
    Entry {
        id: text(&operation["operationId"]),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(&operation["summary"]),
        about: text(&operation["description"]),
        scope: text(&operation["security"][0]["key"][0]),
        parameters: parameters
            .map(|parameter| Field {
                name: text(&parameter["name"]),
                kind: kind(&parameter["schema"]),
                is_required: parameter["required"] == true,
                about: text(&parameter["description"]),
            })
            .collect(),
        body: reference(&operation["requestBody"]["content"]["application/json"]["schema"]),
        answers: answers
            .map(|(status, answer)| Outcome {
                status: status.clone(),
                about: text(&answer["description"]),
                schema: reference(&answer["content"]["application/json"]["schema"]),
            })
            .collect(),
    }
}

fn fields(schema: &Value) -> Vec<Field> {
    let required = schema["required"].as_array().into_iter().flatten();
    let required: Vec<&str> = required.filter_map(Value::as_str).collect();
    // Answers hold all of their fields: to say so at each would be noise.
    let is_answer = schema["additionalProperties"] == false;
    let properties = schema["properties"].as_object().into_iter().flatten();
    let field = |(name, schema): (&String, &Value)| {
        let inner = one(schema);
        Field {
            name: name.clone(),
            kind: kind(schema),
            is_required: !is_answer && required.contains(&name.as_str()),
            about: text(&inner["description"]),
        }
    };
    properties.map(field).collect()
}

/// What may stand in a field, in a few words.
fn kind(schema: &Value) -> String {
    let schema = one(schema);
    let named = reference(schema);
    if !named.is_empty() {
        return named;
    }
    if let Some(names) = schema["enum"].as_array() {
        let names: Vec<String> = names.iter().map(text).collect();
        return names.join(", ");
    }
    if !schema["const"].is_null() {
        return text(&schema["const"]);
    }
    let range = match (&schema["minimum"], &schema["maximum"]) {
        (Value::Number(min), Value::Number(max)) => format!(" {min} to {max}"),
        _ => String::new(),
    };
    let length = match (&schema["minLength"], &schema["maxLength"]) {
        (Value::Number(min), Value::Number(max)) => format!(", {min} to {max} characters"),
        (_, Value::Number(max)) => format!(", at most {max} characters"),
        _ => String::new(),
    };
    let kind = match &schema["type"] {
        Value::Array(kinds) => text(&kinds[0]),
        Value::String(kind) if kind == "array" => format!("list of {}", kind_of_items(schema)),
        Value::String(kind) => kind.clone(),
        _ => "anything".to_owned(),
    };
    format!("{kind}{range}{length}")
}

fn kind_of_items(schema: &Value) -> String {
    kind(&schema["items"])
}

/// The schema beside null.
fn one(schema: &Value) -> &Value {
    let either = schema["oneOf"].as_array();
    let null = serde_json::json!({ "type": "null" });
    match either {
        Some(either) if either.contains(&null) => &either[0],
        _ => schema,
    }
}

fn reference(schema: &Value) -> String {
    let reference = schema["$ref"].as_str().unwrap_or("");
    reference.rsplit('/').next().unwrap_or("").to_owned()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
