//! What goes in and out, as JSON Schema. Answers list every field, and no other may come.

#![expect(
    clippy::needless_pass_by_value,
    reason = "a schema reads best where it is written in place"
)]

use domain::ids::{EntryId, ExportId, GrantId, JobId, PictureId};
use domain::picture::Format;
use domain::prompt::Prompt;
use domain::role::{Role, Scope};
use serde_json::{Map, Value, json};
use studio::archive;
use studio::pictures::Kind;
use studio::privacy::keeping;

use super::super::images::MAX_PARTIAL_IMAGES;
use super::{choices, rights};
use crate::Site;

/// A reference to one of [`all`].
pub(super) fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

pub(super) fn all(site: &Site) -> Value {
    let mut schemas = Map::new();
    for (name, schema) in requests(site)
        .into_iter()
        .chain(answers())
        .chain(rights::schemas())
        .chain(choices::schemas())
    {
        schemas.insert(name.to_owned(), schema);
    }
    schemas.into()
}

const QUALITIES: [&str; 8] = [
    "auto", "low", "medium", "standard", "high", "hd", "xhigh", "max",
];

/// How long pictures are kept.
fn retention() -> Value {
    json!({
        "oneOf": [
            { "type": "string", "const": "keep" },
            { "type": "integer", "minimum": keeping::MIN_S, "maximum": keeping::MAX_S },
        ],
        "description": "For how many seconds pictures are kept, or keep: until they are deleted.",
    })
}

fn requests(site: &Site) -> Vec<(&'static str, Value)> {
    let max_pictures = site.studio.limits.max_pictures_per_order;
    let formats = Format::ALL.map(Format::name);
    let drawing = json!({
        "model": optional(json!({ "type": "string", "description": "A name from /v1/models." })),
        "size": optional(json!({
            "type": "string",
            "pattern": "^(auto|[1-9][0-9]{0,4}x[1-9][0-9]{0,4})$",
            "description": "auto, or width and height in pixels within the model's limits.",
        })),
        "quality": optional(json!({ "type": "string", "enum": QUALITIES })),
        "output_format": optional(json!({ "type": "string", "enum": formats })),
        "output_compression": optional(whole(0, 100, "Quality of a JPEG.")),
        "background": optional(json!({ "type": "string", "enum": ["auto", "opaque", "transparent"] })),
        "moderation": optional(json!({ "type": "string", "enum": ["auto", "low"] })),
        "partial_images": optional(whole(0, MAX_PARTIAL_IMAGES, "Previews of each picture, with stream.")),
        "seed": optional(whole(0, u32::MAX, "The same seed with the same words draws the same picture.")),
    });
    let mut generation = json!({
        "prompt": optional(json!({ "type": "string", "minLength": 1, "maxLength": Prompt::MAX_CHARS, "description": "What to draw. May be left out with variation_of alone." })),
        "variation_of": optional(json!({ "type": "string", "pattern": identifier(PictureId::PREFIX)["pattern"], "description": "A picture of yours: draw others that resemble it. Model and size are its own, and so is everything else that is left out." })),
        "n": optional(whole(1, max_pictures, "How many pictures.")),
        "stream": optional(json!({ "type": "boolean" })),
        "response_format": optional(json!({ "type": "string", "enum": ["b64_json", "url"] })),
        "style": optional(json!({ "type": "string", "description": "Accepted, changes nothing." })),
        "user": optional(json!({ "type": "string", "description": "Accepted, sent nowhere." })),
        "safety_identifier": optional(json!({ "type": "string", "description": "Accepted, sent nowhere." })),
        "negative_prompt": optional(json!({ "type": "string", "maxLength": Prompt::MAX_CHARS, "description": "What not to draw, where the model takes it." })),
        "steps": optional(whole(1, 1000, "Sampler steps, within the model's limits.")),
        "guidance": optional(json!({ "type": "number", "description": "How closely to follow the words, within the model's limits." })),
        "private": optional(json!({ "type": "boolean", "description": "Forget the words once it is drawn, and the pictures an hour later unless retention says otherwise." })),
        "retention": optional(retention()),
        "max_credits": optional(whole(0, u32::MAX, "Refuse where it would cost more.")),
    });
    extend(&mut generation, &drawing);
    let mut tool = drawing;
    tool["type"] = json!({ "type": "string", "const": "image_generation" });
    let message = json!({
        "type": "object",
        "required": ["role", "content"],
        "properties": {
            "role": { "type": "string", "enum": ["user", "assistant", "system", "developer"] },
            "content": { "oneOf": [
                { "type": "string" },
                { "type": "array", "items": {
                    "type": "object",
                    "required": ["type", "text"],
                    "properties": { "type": { "type": "string", "enum": ["input_text", "output_text"] }, "text": { "type": "string" } },
                } },
            ] },
        },
    });
    let mut generation = object(generation, &[]);
    generation["anyOf"] = json!([{ "required": ["prompt"] }, { "required": ["variation_of"] }]);
    vec![
        ("GenerationRequest", generation),
        (
            "PictureChange",
            object(
                json!({
                    "favourite": optional(json!({ "type": "boolean" })),
                    "retention": optional(retention()),
                }),
                &[],
            ),
        ),
        (
            "PersonChange",
            object(json!({ "retention": optional(retention()) }), &[]),
        ),
        (
            "ErasureRequest",
            object(
                json!({
                    "what": { "type": "string", "enum": ["account", "history"], "description": "Your account with everything in it, or every order and picture." },
                    "confirm": { "type": "string", "enum": ["delete my account", "delete my pictures"], "description": "The preview says which: the first for the account, the second for the history." },
                }),
                &["what", "confirm"],
            ),
        ),
        (
            "PictureChoice",
            object(
                json!({ "ids": { "type": "array", "minItems": 1, "maxItems": archive::MAX_PICTURES, "items": named("PictureId") } }),
                &["ids"],
            ),
        ),
        (
            "ResponseRequest",
            object(
                json!({
                    "model": optional(json!({ "type": "string" })),
                    "input": { "oneOf": [{ "type": "string", "minLength": 1 }, { "type": "array", "minItems": 1, "items": message }] },
                    "tools": { "type": "array", "minItems": 1, "items": object(tool, &["type"]) },
                    "stream": optional(json!({ "type": "boolean" })),
                    "instructions": optional(json!({ "type": "string" })),
                    "metadata": optional(json!({ "type": "object" })),
                }),
                &["input", "tools"],
            ),
        ),
    ]
}

fn answers() -> Vec<(&'static str, Value)> {
    let time = || json!({ "type": "integer", "description": "Seconds since 1970." });
    let text = || json!({ "type": "string" });
    let words = || json!({ "type": "array", "items": { "type": "string" }, "description": "Words that the model does not know and left out." });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let size = || json!({ "type": "string", "pattern": "^[1-9][0-9]*x[1-9][0-9]*$" });
    let seed = || json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
    let list = |item: &str| {
        whole_object(json!({
            "object": { "const": "list" },
            "data": { "type": "array", "items": named(item) },
            "has_more": { "type": "boolean" },
        }))
    };
    let span = |kind: &str| {
        whole_object(
            json!({ "min": { "type": kind }, "max": { "type": kind }, "default": { "type": kind } }),
        )
    };
    let why = || nullable(&whole_object(json!({ "code": text(), "message": text() })));
    let look = json!({
        "background": { "type": "string", "enum": ["opaque", "transparent"] },
        "output_format": { "type": "string", "enum": Format::ALL.map(Format::name) },
        "quality": { "type": "string", "enum": ["low", "medium", "high"] },
        "size": size(),
    });
    let mut images = json!({
        "created": time(),
        "data": { "type": "array", "items": {
            "type": "object",
            "required": ["picture_id", "seed"],
            "properties": {
                "b64_json": { "type": "string", "contentEncoding": "base64" },
                "url": { "type": "string", "format": "uri" },
                "picture_id": named("PictureId"),
                "seed": seed(),
            },
            "additionalProperties": false,
        } },
        "usage": named("Usage"),
        "job_id": named("JobId"),
        "model": text(),
        "unknown_words": words(),
        "credits": named("Charge"),
        "error": why(),
    });
    extend(&mut images, &look);
    let mut call = json!({
        "id": text(),
        "type": { "const": "image_generation_call" },
        "status": { "const": "completed" },
        "result": { "type": "string", "contentEncoding": "base64" },
        "picture_id": named("PictureId"),
        "seed": seed(),
    });
    extend(&mut call, &look);
    vec![
        ("JobId", identifier(JobId::PREFIX)),
        ("PictureId", identifier(PictureId::PREFIX)),
        ("ExportId", identifier(ExportId::PREFIX)),
        ("EntryId", identifier(EntryId::PREFIX)),
        ("GrantId", identifier(GrantId::PREFIX)),
        (
            "Error",
            whole_object(json!({ "error": whole_object(json!({
                "message": { "type": "string", "description": "What happened, and what to do." },
                "type": { "type": "string", "enum": ["invalid_request_error", "rate_limit_error", "server_error"] },
                "param": { "type": ["string", "null"], "description": "The field that is wrong." },
                "code": { "type": "string", "description": "For programs to decide by." },
            })) })),
        ),
        (
            "Usage",
            whole_object(json!({
                "input_tokens": count(),
                "input_tokens_details": whole_object(json!({ "text_tokens": count(), "image_tokens": count() })),
                "output_tokens": count(),
                "total_tokens": count(),
            })),
        ),
        ("Images", whole_object(images)),
        ("Response", response(&whole_object(call))),
        (
            "Deleted",
            whole_object(json!({
                "id": text(),
                "object": { "type": "string", "enum": ["job.deleted", "picture.deleted"] },
                "deleted": { "const": true },
            })),
        ),
        (
            "ErasurePreview",
            whole_object(json!({
                "object": { "const": "erasure.preview" },
                "what": { "type": "string", "enum": ["account", "history"] },
                "parts": { "type": "array", "items": whole_object(json!({
                    "table": text(),
                    "what": { "type": "string", "description": "What one row is." },
                    "rows": { "type": "integer", "minimum": 0 },
                    "fate": { "type": "string", "enum": ["deleted", "severed", "stays", "proof"], "description": "severed: it stays in the books, without anything that leads to you; stays: it belongs to the account, which stays." },
                })) },
                "files": { "type": "integer", "minimum": 0 },
                "file_bytes": { "type": "integer", "minimum": 0 },
                "credits": { "type": ["integer", "null"], "minimum": 0, "description": "What is left to spend; with the account it ends. Null where nothing is metered." },
                "confirm": { "type": "string", "description": "What the request has to say in confirm." },
            })),
        ),
        (
            "Erasure",
            whole_object(json!({
                "id": text(),
                "object": { "const": "erasure" },
                "what": { "type": "string", "enum": ["account", "history"] },
                "receipt_url": { "type": "string", "description": "Answers 202 with how far it is, then 200 with the signed receipt. Nobody else knows it." },
            })),
        ),
        (
            "ExportList",
            whole_object(json!({
                "object": { "const": "list" },
                "data": { "type": "array", "items": named("Export") },
            })),
        ),
        (
            "Export",
            whole_object(json!({
                "id": named("ExportId"),
                "object": { "const": "export" },
                "status": { "type": "string", "enum": ["composing", "ready", "ended"], "description": "ended: its time is over, or something that was in it was deleted." },
                "bytes": { "type": ["integer", "null"], "minimum": 0 },
                "files": { "type": ["integer", "null"], "minimum": 0 },
                "manifest_sha256": { "type": ["string", "null"], "description": "Names these very bytes; it is the etag of the archive." },
                "created_at": time(),
                "expires_at": time(),
                "url": { "type": ["string", "null"], "description": "Where it is fetched; null unless it is ready." },
            })),
        ),
        (
            "Charge",
            whole_object(json!({
                "quoted": { "type": "integer", "minimum": 0, "description": "What the whole job costs at most." },
                "charged": { "type": ["integer", "null"], "minimum": 0, "description": "What it cost, once it is over." },
            })),
        ),
        ("Credits", credits()),
        ("CreditEntryList", list("CreditEntry")),
        ("CreditEntry", credit_entry()),
        (
            "PictureList",
            whole_object(json!({
                "object": { "const": "list" },
                "data": { "type": "array", "items": named("Picture") },
                "has_more": { "type": "boolean" },
                "next": nullable(&named("PictureId")),
            })),
        ),
        (
            "Picture",
            whole_object(json!({
                "id": named("PictureId"),
                "object": { "const": "picture" },
                "job_id": named("JobId"),
                "model": text(),
                "prompt": { "type": ["string", "null"], "description": "Null where it was drawn in private." },
                "seed": seed(),
                "size": size(),
                "bytes": count(),
                "sha256": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
                "kind": { "type": "string", "enum": Kind::ALL.map(Kind::name) },
                "favourite": { "type": "boolean" },
                "credits": count(),
                "created_at": time(),
                "ends_at": nullable(&time()),
                "url": { "type": "string", "format": "uri" },
            })),
        ),
        (
            "Person",
            whole_object(json!({
                "id": text(),
                "object": { "const": "person" },
                "has_account": { "type": "boolean" },
                "address": { "type": ["string", "null"] },
                "username": { "type": ["string", "null"] },
                "display_name": { "type": ["string", "null"] },
                "role": { "type": "string", "enum": Role::ALL.map(Role::name) },
                "scopes": { "type": "array", "items": { "type": "string", "enum": Scope::ALL.map(Scope::name) } },
                "key_id": { "type": ["string", "null"] },
                "retention": retention(),
                "created_at": nullable(&time()),
            })),
        ),
        ("JobList", list("Job")),
        (
            "Job",
            whole_object(json!({
                "id": named("JobId"),
                "object": { "const": "job" },
                "status": { "type": "string", "enum": ["queued", "running", "done", "failed", "cancelled"] },
                "message": text(),
                "jobs_ahead": { "type": ["integer", "null"] },
                "left_ms": { "type": ["integer", "null"] },
                "progress": { "type": "integer", "minimum": 0, "maximum": 100 },
                "drawn": { "type": ["array", "null"], "items": whole_object(json!({ "step": count(), "steps": count() })) },
                "model": text(),
                "prompt": { "type": ["string", "null"], "description": "Null where it was private and is over." },
                "private": { "type": "boolean" },
                "retention": retention(),
                "negative_prompt": { "type": ["string", "null"] },
                "size": size(),
                "background": { "type": "string", "enum": ["opaque", "transparent"] },
                "n": count(),
                "steps": count(),
                "guidance": { "type": "number" },
                "seed": seed(),
                "created_at": time(),
                "started_at": nullable(&time()),
                "finished_at": nullable(&time()),
                "unknown_words": words(),
                "credits": named("Charge"),
                "error": why(),
                "pictures": { "type": "array", "items": named("Picture") },
            })),
        ),
        (
            "ModelList",
            whole_object(
                json!({ "object": { "const": "list" }, "data": { "type": "array", "items": named("Model") } }),
            ),
        ),
        (
            "Model",
            whole_object(json!({
                "id": text(),
                "object": { "const": "model" },
                "created": time(),
                "owned_by": text(),
                "title": text(),
                "about": text(),
                "licence": text(),
                "where": { "description": "here, or the provider with its country.", "oneOf": [
                    { "const": "here" },
                    whole_object(json!({ "provider": whole_object(json!({ "name": text(), "country": text() })) })),
                ] },
                "price": whole_object(json!({
                    "credits_per_picture": count(),
                    "by_steps": { "type": "boolean" },
                    "sizes": { "type": "array", "items": whole_object(json!({ "up_to": nullable(&size()), "credits": count() })) },
                })),
                "capabilities": whole_object(json!({
                    "sizes": whole_object(json!({ "default": size(), "multiple_of": count(), "min_edge": count(), "max_edge": count(), "max_pixels": count(), "square": { "type": "boolean", "description": "Both edges are the same." } })),
                    "steps": span("integer"),
                    "guidance": nullable(&span("number")),
                    "negative_prompt": { "type": "boolean" },
                    "max_pictures": count(),
                    "max_batch": count(),
                    "max_partial_images": count(),
                    "output_formats": { "type": "array", "items": text() },
                    "backgrounds": { "type": "array", "items": text() },
                })),
            })),
        ),
    ]
}

fn credits() -> Value {
    let count = || json!({ "type": "integer", "minimum": 0 });
    let time = || json!({ "type": "integer" });
    let grant = whole_object(json!({
        "id": named("GrantId"),
        "object": { "const": "credit_grant" },
        "credits": count(),
        "remaining": count(),
        "reason": { "type": "string" },
        "created_at": time(),
        "ends_at": nullable(&time()),
    }));
    whole_object(json!({
        "object": { "const": "credits" },
        "metered": { "type": "boolean" },
        "available": nullable(&count()),
        "held": nullable(&count()),
        "grants": { "type": "array", "items": grant },
    }))
}

fn credit_entry() -> Value {
    let change = |about| json!({ "type": "integer", "description": about });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let shared = json!({
        "id": named("EntryId"),
        "object": { "const": "credit_entry" },
        "kind": { "type": "string", "enum": ["grant", "hold", "capture", "void", "expiry", "gift"] },
        "created_at": { "type": "integer" },
        "available": change("How it changed what may be spent."),
        "held": change("How it changed what is held."),
        "available_after": count(),
        "held_after": count(),
    });
    let mut of_job = json!({
        "job_id": named("JobId"),
        "model": { "type": "string" },
        "asked": count(),
        "delivered": nullable(&count()),
        "credits_per_picture": count(),
    });
    let mut of_grant = json!({ "grant_id": named("GrantId"), "reason": { "type": "string" } });
    extend(&mut of_job, &shared);
    extend(&mut of_grant, &shared);
    json!({ "oneOf": [whole_object(of_job), whole_object(of_grant)] })
}

fn response(call: &Value) -> Value {
    let count = || json!({ "type": "integer", "minimum": 0 });
    whole_object(json!({
        "id": { "type": "string" },
        "object": { "const": "response" },
        "created_at": { "type": "integer" },
        "status": { "const": "completed" },
        "model": { "type": "string" },
        "output": { "type": "array", "items": call },
        "tools": { "type": "array", "items": { "type": "object" } },
        "tool_choice": { "const": "auto" },
        "parallel_tool_calls": { "const": false },
        "instructions": {},
        "metadata": {},
        "error": { "type": "null" },
        "incomplete_details": { "type": "null" },
        "temperature": { "type": "null" },
        "top_p": { "type": "null" },
        "credits": named("Charge"),
        "usage": whole_object(json!({
            "input_tokens": count(),
            "input_tokens_details": whole_object(json!({ "cached_tokens": count() })),
            "output_tokens": count(),
            "output_tokens_details": whole_object(json!({ "reasoning_tokens": count() })),
            "total_tokens": count(),
        })),
    }))
}

/// An object that has all of these fields, and no other.
pub(super) fn whole_object(properties: Value) -> Value {
    let names: Vec<String> = properties
        .as_object()
        .map(|fields| fields.keys().cloned().collect())
        .unwrap_or_default();
    json!({ "type": "object", "required": names, "properties": properties, "additionalProperties": false })
}

/// An object of which these fields must be there; unknown ones are ignored.
pub(super) fn object(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

pub(super) fn identifier(prefix: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^{prefix}[0-7][0-9A-HJKMNP-TV-Z]{{25}}$") })
}

fn whole(min: u32, max: u32, about: &str) -> Value {
    json!({ "type": "integer", "minimum": min, "maximum": max, "description": about })
}

/// May be left out, or null.
pub(super) fn optional(schema: Value) -> Value {
    nullable(&schema)
}

pub(super) fn nullable(schema: &Value) -> Value {
    json!({ "oneOf": [schema, { "type": "null" }] })
}

fn extend(properties: &mut Value, more: &Value) {
    if let (Value::Object(properties), Value::Object(more)) = (properties, more) {
        properties.extend(more.clone());
    }
}
