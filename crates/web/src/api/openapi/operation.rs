//! What is said of an operation.

use axum::http::Method;
use serde_json::{Value, json};

use super::schemas;

pub(super) struct Operation {
    /// As the router knows it.
    pub(super) route: &'static str,
    pub(super) method: Method,
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) about: &'static str,
    pub(super) parameters: &'static [Parameter],
    /// Name of the schema of its JSON body.
    pub(super) body: Option<&'static str>,
    pub(super) answers: &'static [Answer],
    /// Statuses of refusals, besides those that every operation knows.
    pub(super) refusals: &'static [u16],
}

impl Operation {
    /// The route as OpenAPI writes it.
    pub(super) fn path(&self) -> String {
        self.route.replace("{*", "{")
    }
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) description: &'static str,
    pub(super) content: &'static [Media],
}

pub(super) enum Media {
    /// Name of its schema.
    Json(&'static str),
    Events,
    /// Media type of a file.
    Bytes(&'static str),
}

pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: &'static str,
    pub(super) about: &'static str,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// Part of the path.
    Id(&'static str),
    Text,
    Whole {
        min: u32,
        max: u32,
    },
    OneOf(&'static [&'static str]),
}

impl Parameter {
    pub(super) fn described(&self) -> Value {
        let schema = match &self.kind {
            Kind::Id(name) => schemas::named(name),
            Kind::Text => json!({ "type": "string" }),
            Kind::Whole { min, max } => {
                json!({ "type": "integer", "minimum": min, "maximum": max })
            }
            Kind::OneOf(names) => json!({ "type": "string", "enum": names }),
        };
        json!({
            "name": self.name,
            "in": self.place,
            "required": self.place == "path",
            "description": self.about,
            "schema": schema,
        })
    }
}

/// Every status with which an operation may refuse, and what it means.
pub(super) fn refusals(operation: &Operation) -> Vec<(u16, &'static str)> {
    const ALL: [(u16, &str); 19] = [
        (
            400,
            "A field is wrong: param names it, message says what to do.",
        ),
        (401, "There is no key, or it is wrong or revoked."),
        (402, "Not enough credits, or more than max_credits."),
        (
            403,
            "The key has not the scope, another site sent this, the account is restricted, or the terms of the house are not accepted.",
        ),
        (
            404,
            "There is no such thing here, or it is somebody else's.",
        ),
        (408, "The body came too slowly."),
        (409, "It can't be done in this state."),
        (410, "It was there, and is not any more."),
        (412, "It is not, or not any more, what the request expects."),
        (413, "The body is too large."),
        (415, "The body is no JSON."),
        (416, "There are no such bytes."),
        (421, "This server does not answer to that name."),
        (429, "Too much at once. Wait as long as retry-after says."),
        (431, "The headers are too large."),
        (
            500,
            "Something went wrong in the program. Nothing was charged.",
        ),
        (501, "This can't be done here."),
        (503, "Not now. Wait as long as retry-after says."),
        (507, "The server's disk is full. Nothing was charged."),
    ];
    const ALWAYS: [u16; 8] = [400, 401, 403, 408, 421, 429, 500, 503];
    let may = |status: &u16| ALWAYS.contains(status) || operation.refusals.contains(status);
    ALL.into_iter().filter(|(status, _)| may(status)).collect()
}
