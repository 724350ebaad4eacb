//! The API described for programs, as OpenAPI 3.1, and for people, as a page.
//!
//! Both are made from [`operations`] and [`schemas`], which take their limits from the code that
//! enforces them; the tests hold every answer that the program gives against the same document.

mod choices;
mod operation;
mod operations;
mod page;
mod rights;
mod schemas;

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

pub(super) use page::show as page;

use super::Origin;
use crate::Site;
use crate::guard::access::{self, Access};
use operation::{Media, Operation};

/// `GET /openapi.json`.
pub(super) async fn document(State(site): State<Site>, origin: Origin) -> Json<Value> {
    Json(describe(&site, &origin))
}

fn describe(site: &Site, origin: &Origin) -> Value {
    let mut paths = Map::new();
    for operation in operations::all() {
        let path = paths.entry(operation.path()).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_lowercase()] = described(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Pinhole",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Draw pictures, follow them, keep them or delete them.",
            "description": "Speaks what SDKs for OpenAI's image API speak, and a little of its own.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": origin.url("") }],
        "tags": operations::TAGS.map(|(name, description)| json!({ "name": name, "description": description })),
        "paths": paths,
        "components": {
            "schemas": schemas::all(site),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, made on the account's page. Until the house has its first account, none is needed.",
                },
            },
        },
    })
}

fn described(operation: &Operation) -> Value {
    let mut answers = Map::new();
    for answer in operation.answers {
        let content: Map<String, Value> = answer
            .content
            .iter()
            .map(|media| {
                (
                    media.media_type().to_owned(),
                    json!({ "schema": media.schema() }),
                )
            })
            .collect();
        let mut described = json!({ "description": answer.description, "content": content });
        if content_is_empty(&described) {
            described = json!({ "description": answer.description });
        }
        answers.insert(answer.status.to_string(), described);
    }
    for (status, description) in operation::refusals(operation) {
        answers.insert(
            status.to_string(),
            json!({
                "description": description,
                "content": { "application/json": { "schema": schemas::named("Error") } },
            }),
        );
    }
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.about,
        "parameters": operation.parameters.iter().map(operation::Parameter::described).collect::<Vec<_>>(),
        "responses": answers,
        "security": security(operation),
    });
    if let Some(body) = operation.body {
        described["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": schemas::named(body) } },
        });
    }
    described
}

fn content_is_empty(described: &Value) -> bool {
    described["content"].as_object().is_some_and(Map::is_empty)
}

/// What a key must be allowed to do.
fn security(operation: &Operation) -> Value {
    match access::of(operation.route, &operation.method) {
        Some((Access::Key(scope), _)) => json!([{ "key": [scope.name()] }]),
        _ => json!([]),
    }
}

impl Media {
    const fn media_type(&self) -> &'static str {
        match self {
            Self::Json(_) => "application/json",
            Self::Events => "text/event-stream",
            Self::Bytes(media_type) => media_type,
        }
    }

    fn schema(&self) -> Value {
        match self {
            Self::Json(name) => schemas::named(name),
            // Of each event: OpenAPI 3.1 has no word for a stream.
            Self::Events => json!({
                "type": "object",
                "description": "Server-sent events, one after the other; data is JSON.",
                "properties": { "event": { "type": "string" }, "data": { "type": "string" } },
                "required": ["data"],
            }),
            Self::Bytes(_) => json!({}),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_of_the_api_is_described_and_nothing_else() {
        let described: BTreeSet<(String, String)> = operations::all()
            .map(|one| (one.route.to_owned(), one.method.to_string()))
            .collect();
        let routed: BTreeSet<(String, String)> = access::routes()
            .filter(|(route, ..)| route.starts_with("/v1/"))
            .map(|(route, method, _)| (route.to_owned(), method.to_string()))
            .collect();
        assert_eq!(described, routed);
        let ids: BTreeSet<&str> = operations::all().map(|one| one.id).collect();
        assert_eq!(
            ids.len(),
            operations::all().count(),
            "an operation's id stands twice"
        );
    }
}
