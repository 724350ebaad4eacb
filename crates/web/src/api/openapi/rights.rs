//! The operations by which people use their rights, in words, and what goes in and out.

use axum::http::Method;
use domain::ids::RequestId;
use serde_json::{Value, json};
use studio::privacy::requests::{Asked, Identity, MAX_WORDS_CHARS, State};
use studio::privacy::restriction::Mode;

use super::operation::{Answer, Kind, Media, Operation, Parameter};
use super::operations::{ACCOUNT, id, json as answer, query};
use super::schemas::{identifier, named, nullable, object, optional, whole_object};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const DELETE: Method = Method::DELETE;

const REQUEST: Parameter = id("RequestId", "The request.");
const PURPOSE: Parameter = Parameter {
    name: "purpose",
    place: "path",
    about: "The name of a purpose, from the list.",
    kind: Kind::Text,
};
const OBJECTIONS: &[Answer] = &[answer(
    200,
    "Every purpose.",
    &[Media::Json("ObjectionList")],
)];
const RESTRICTION: &[Answer] = &[answer(
    200,
    "How the account is restricted.",
    &[Media::Json("Restriction")],
)];
pub(super) static OPERATIONS: &[Operation] = &[
    Operation {
        route: "/v1/me/requests",
        method: GET,
        id: "listRequests",
        tag: ACCOUNT,
        summary: "List what you asked for by your rights",
        about: "The newest first, with when an answer is due.",
        parameters: &[],
        body: None,
        answers: &[answer(200, "Your requests.", &[Media::Json("RequestList")])],
        refusals: &[],
    },
    Operation {
        route: "/v1/me/requests",
        method: POST,
        id: "makeRequest",
        tag: ACCOUNT,
        summary: "Ask for something by your rights, or complain",
        about: "An answer is due one calendar month later. Where that can't be, you are told why, and it is due two months after that.",
        parameters: &[],
        body: Some("RequestToMake"),
        answers: &[answer(
            201,
            "It is in the register.",
            &[Media::Json("Request")],
        )],
        refusals: &[409, 413, 415],
    },
    Operation {
        route: "/v1/me/requests/{id}",
        method: GET,
        id: "showRequest",
        tag: ACCOUNT,
        summary: "See how far a request is",
        about: "open_dsr holds its status in the fields of OpenDSR, signed by the house.",
        parameters: &[REQUEST],
        body: None,
        answers: &[answer(200, "The request.", &[Media::Json("Request")])],
        refusals: &[404],
    },
    Operation {
        route: "/v1/me/requests/{id}",
        method: DELETE,
        id: "withdrawRequest",
        tag: ACCOUNT,
        summary: "Withdraw a request",
        about: "While it is open. It stays in the register as withdrawn.",
        parameters: &[REQUEST],
        body: None,
        answers: &[answer(200, "The request.", &[Media::Json("Request")])],
        refusals: &[404, 409],
    },
    Operation {
        route: "/v1/me/objections",
        method: GET,
        id: "listObjections",
        tag: ACCOUNT,
        summary: "See every purpose, and whether you object to it",
        about: "With its legal basis; where that is an interest, with the weighing of it.",
        parameters: &[],
        body: None,
        answers: OBJECTIONS,
        refusals: &[],
    },
    Operation {
        route: "/v1/me/objections/{purpose}",
        method: PUT,
        id: "object",
        tag: ACCOUNT,
        summary: "Object to a purpose",
        about: "It is weighed again for you, as a request with a clock; an objection to analytics holds at once.",
        parameters: &[PURPOSE],
        body: Some("ObjectionToMake"),
        answers: OBJECTIONS,
        refusals: &[404, 409, 413, 415],
    },
    Operation {
        route: "/v1/me/objections/{purpose}",
        method: DELETE,
        id: "withdrawObjection",
        tag: ACCOUNT,
        summary: "Take an objection back",
        about: "The request in which it is weighed is withdrawn, where it is open.",
        parameters: &[PURPOSE],
        body: None,
        answers: OBJECTIONS,
        refusals: &[404, 409],
    },
    Operation {
        route: "/v1/authorities",
        method: GET,
        id: "listAuthorities",
        tag: ACCOUNT,
        summary: "Find the authority that hears complaints",
        about: "By the country that you name; it is kept nowhere.",
        parameters: &[query(
            "country",
            "Two letters; without it, all.",
            Kind::Text,
        )],
        body: None,
        answers: &[answer(200, "Authorities.", &[Media::Json("AuthorityList")])],
        refusals: &[],
    },
    Operation {
        route: "/v1/me/restriction",
        method: GET,
        id: "showRestriction",
        tag: ACCOUNT,
        summary: "See whether your account is restricted",
        about: "A restricted account keeps what is there, and nothing is done with it: orders answer 403 with the code restricted.",
        parameters: &[],
        body: None,
        answers: RESTRICTION,
        refusals: &[],
    },
    Operation {
        route: "/v1/me/restriction",
        method: PUT,
        id: "restrict",
        tag: ACCOUNT,
        summary: "Restrict your account",
        about: "At once: what waits or is being drawn is cancelled and costs nothing. Reading, taking along, correcting and deleting go on. Again changes nothing.",
        parameters: &[],
        body: None,
        answers: RESTRICTION,
        refusals: &[],
    },
    Operation {
        route: "/v1/me/restriction",
        method: DELETE,
        id: "liftRestriction",
        tag: ACCOUNT,
        summary: "Lift the restriction of your account",
        about: "What those who run the house decided can't be lifted so: 409 with the code held.",
        parameters: &[],
        body: None,
        answers: RESTRICTION,
        refusals: &[409],
    },
];

/// By name.
pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let text = || json!({ "type": "string" });
    vec![
        ("RequestId", identifier(RequestId::PREFIX)),
        (
            "Request",
            whole_object(json!({
                "id": named("RequestId"),
                "object": { "const": "request" },
                "about": { "type": "string", "enum": Asked::ALL.map(Asked::name) },
                "state": { "type": "string", "enum": State::ALL.map(State::name) },
                "identity": { "type": "string", "enum": Identity::ALL.map(Identity::name), "description": "How it is known that it is you." },
                "words": text(),
                "received": { "type": "integer" },
                "due": { "type": "integer", "description": "When an answer is due." },
                "extended": { "type": ["integer", "null"] },
                "extended_because": { "type": ["string", "null"] },
                "ended": { "type": ["integer", "null"] },
                "answer": { "type": ["string", "null"], "description": "The answer, or the reasons of a refusal." },
                "authority": nullable(&named("Authority")),
                "authorities_url": { "type": "string", "description": "All authorities, for another country's." },
                "open_dsr": { "type": "object", "description": "request in the fields of OpenDSR 2, and the house's Ed25519 signature of it in the form of RFC 8785." },
            })),
        ),
        (
            "RequestList",
            whole_object(json!({
                "object": { "const": "list" },
                "data": { "type": "array", "items": named("Request") },
            })),
        ),
        (
            "Authority",
            whole_object(json!({
                "country": { "type": "string", "pattern": "^[a-z]{2}$" },
                "country_name": text(),
                "name": text(),
                "web": text(),
            })),
        ),
        (
            "AuthorityList",
            whole_object(json!({
                "object": { "const": "list" },
                "data": { "type": "array", "items": named("Authority") },
            })),
        ),
        (
            "ObjectionList",
            whole_object(json!({
                "object": { "const": "list" },
                "data": { "type": "array", "items": whole_object(json!({
                    "purpose": text(),
                    "what": text(),
                    "legal_basis": text(),
                    "may_object": { "type": "boolean" },
                    "interest": { "type": ["string", "null"] },
                    "outweighs": { "type": ["string", "null"], "description": "Why it outweighs that of the people whose data serves it." },
                    "instead": { "type": "string", "description": "What you can do." },
                    "objected": { "type": ["integer", "null"], "description": "Since when you object." },
                    "request": nullable(&named("RequestId")),
                    "state": { "type": ["string", "null"], "description": "How the weighing of it stands." },
                })) },
            })),
        ),
        (
            "Restriction",
            whole_object(json!({
                "object": { "const": "restriction" },
                "mode": { "type": "string", "enum": Mode::ALL.map(Mode::name), "description": "open: it is not restricted; restricted: you wanted it so; held: those who run the house did; minor: you are too young for this house, and it is erased within three days." },
                "reason": { "type": ["string", "null"], "description": "Why, where it was not you." },
                "since": { "type": ["integer", "null"] },
                "lifts_at": { "type": ["integer", "null"], "description": "When it will be lifted, where that was announced to you." },
            })),
        ),
        (
            "RequestToMake",
            object(
                json!({
                    "about": optional(json!({ "type": "string", "enum": Asked::ALL.map(Asked::name) })),
                    "words": { "type": "string", "minLength": 1, "maxLength": MAX_WORDS_CHARS, "description": "What you want, and to what it refers." },
                }),
                &["words"],
            ),
        ),
        (
            "ObjectionToMake",
            object(
                json!({ "why": optional(json!({ "type": "string", "maxLength": 5_000, "description": "What makes it different for you." })) }),
                &[],
            ),
        ),
    ]
}
