//! The operations by which people choose what is done only with a yes, and the settings to begin with.

use axum::http::Method;
use domain::ids::ConsentId;
use serde_json::{Value, json};
use studio::privacy::consent::{Means, Optional, Verdict};

use super::operation::{Answer, Kind, Media, Operation, Parameter};
use super::operations::{ACCOUNT, id, json as answer};
use super::schemas::{identifier, named, object, optional, whole_object};

const GET: Method = Method::GET;
const PUT: Method = Method::PUT;
const DELETE: Method = Method::DELETE;

const PURPOSE: Parameter = Parameter {
    name: "purpose",
    place: "path",
    about: "What it is about, from the list.",
    kind: Kind::OneOf(&["news", "personalisation"]),
};
const EVERY_PURPOSE: Parameter = Parameter {
    name: "purpose",
    place: "path",
    about: "What it is about. Of what is agreed to picture by picture, this is about all pictures at once.",
    kind: Kind::OneOf(&[
        "news",
        "personalisation",
        "examples",
        "training_pictures",
        "training_words",
    ]),
};
const OF_PICTURES: Parameter = Parameter {
    name: "purpose",
    place: "path",
    about: "What it is about.",
    kind: Kind::OneOf(&["examples", "training_pictures", "training_words"]),
};
const OF_PICTURE: &[Answer] = &[answer(
    200,
    "How each stands for this picture.",
    &[Media::Json("PictureConsentList")],
)];
const CONSENTS: &[Answer] = &[answer(
    200,
    "How each stands.",
    &[Media::Json("ConsentList")],
)];
const SETTINGS: &[Answer] = &[answer(
    200,
    "The settings that are saved.",
    &[Media::Json("Settings")],
)];

pub(super) static OPERATIONS: &[Operation] = &[
    Operation {
        route: "/v1/me/consents",
        method: GET,
        id: "listConsents",
        tag: ACCOUNT,
        summary: "See what is done only with your consent, and how it stands",
        about: "With the words by which you are asked, and every decision that you took. The header Sec-GPC: 1 counts as a no wherever you have not said yes in spite of it.",
        parameters: &[],
        body: None,
        answers: CONSENTS,
        refusals: &[],
    },
    Operation {
        route: "/v1/me/consents/{purpose}",
        method: PUT,
        id: "consent",
        tag: ACCOUNT,
        summary: "Say yes to something",
        about: "To the words of the version that the person read: where there are newer ones, 409 with the code other_words. It holds at once; for news a letter asks first whether it was them, and until its link is opened the state is asked. Again changes nothing.",
        parameters: &[PURPOSE],
        body: Some("ConsentToGive"),
        answers: CONSENTS,
        refusals: &[404, 409, 413, 415],
    },
    Operation {
        route: "/v1/me/consents/{purpose}",
        method: DELETE,
        id: "withdrawConsent",
        tag: ACCOUNT,
        summary: "Say no, or take a yes back",
        about: "It holds at once. Again changes nothing.",
        parameters: &[EVERY_PURPOSE],
        body: None,
        answers: CONSENTS,
        refusals: &[404],
    },
    Operation {
        route: "/v1/pictures/{id}/consents",
        method: GET,
        id: "listPictureConsents",
        tag: ACCOUNT,
        summary: "See what you agreed to for one picture",
        about: "Whether everybody may see it, and whether models may learn from it or its words. All of it is off until you say yes for this very picture.",
        parameters: &[id("PictureId", "The picture.")],
        body: None,
        answers: OF_PICTURE,
        refusals: &[404],
    },
    Operation {
        route: "/v1/pictures/{id}/consents/{purpose}",
        method: PUT,
        id: "consentForPicture",
        tag: ACCOUNT,
        summary: "Say yes to something for one picture",
        about: "To the words of the version that the person read: where there are newer ones, 409 with the code other_words. A picture that was drawn in private is not taken: 409 with the code private. It holds at once. Again changes nothing.",
        parameters: &[id("PictureId", "The picture."), OF_PICTURES],
        body: Some("ConsentToGive"),
        answers: OF_PICTURE,
        refusals: &[404, 409, 413, 415],
    },
    Operation {
        route: "/v1/pictures/{id}/consents/{purpose}",
        method: DELETE,
        id: "withdrawPictureConsent",
        tag: ACCOUNT,
        summary: "Say no for one picture, or take a yes back",
        about: "It holds at once. Again changes nothing.",
        parameters: &[id("PictureId", "The picture."), OF_PICTURES],
        body: None,
        answers: OF_PICTURE,
        refusals: &[404],
    },
    Operation {
        route: "/v1/me/consents/receipts/{id}",
        method: GET,
        id: "showConsentReceipt",
        tag: ACCOUNT,
        summary: "Get the receipt of a decision",
        about: "What was read and what was said, signed by the house. pinhole verify receipt FILE checks it.",
        parameters: &[id("ConsentId", "The decision.")],
        body: None,
        answers: &[answer(
            200,
            "The signed receipt.",
            &[Media::Json("ConsentReceipt")],
        )],
        refusals: &[404],
    },
    Operation {
        route: "/v1/me/settings",
        method: GET,
        id: "showSettings",
        tag: ACCOUNT,
        summary: "See the settings with which your studio begins",
        about: "Those that you saved. They change nothing for programs.",
        parameters: &[],
        body: None,
        answers: SETTINGS,
        refusals: &[],
    },
    Operation {
        route: "/v1/me/settings",
        method: PUT,
        id: "saveSettings",
        tag: ACCOUNT,
        summary: "Save the settings with which your studio begins",
        about: "All of them at once, checked as an order is; {} forgets them.",
        parameters: &[],
        body: Some("SettingsToSave"),
        answers: SETTINGS,
        refusals: &[404, 413, 415],
    },
];

/// By name.
pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let text = || json!({ "type": "string" });
    let whole = || json!({ "type": "integer" });
    let flag = || json!({ "type": "boolean" });
    let decision = || json!({ "type": "string", "enum": Verdict::ALL.map(Verdict::name) });
    let means = || json!({ "type": "string", "enum": Means::ALL.map(Means::name) });
    let quality = || json!({ "type": "string", "enum": ["low", "medium", "high"] });
    let mut states: Vec<&str> = Verdict::ALL.map(Verdict::name).into();
    states.extend(["never", "outdated"]);
    vec![
        ("ConsentId", identifier(ConsentId::PREFIX)),
        (
            "ConsentList",
            whole_object(json!({
                "object": { "const": "list" },
                "gpc": { "type": "boolean", "description": "Whether this request bears the signal Sec-GPC." },
                "data": { "type": "array", "items": whole_object(json!({
                    "purpose": { "type": "string", "enum": Optional::ALL.map(Optional::name) },
                    "title": text(),
                    "text": { "type": "string", "description": "What you are asked to agree to." },
                    "version": { "type": "integer", "description": "Of the text." },
                    "text_sha256": text(),
                    "state": { "type": "string", "enum": states, "description": "outdated: you agreed to other words than these, so it is off." },
                    "is_allowed": { "type": "boolean", "description": "Whether it is done now, and for requests that bear the signal as this one does or not." },
                    "since": { "type": ["integer", "null"] },
                    "decisions": { "type": "array", "items": named("Consent") },
                })) },
            })),
        ),
        (
            "PictureConsentList",
            whole_object(json!({
                "object": { "const": "list" },
                "picture": named("PictureId"),
                "data": { "type": "array", "items": whole_object(json!({
                    "purpose": { "type": "string", "enum": ["examples", "training_pictures", "training_words"] },
                    "title": text(),
                    "text": { "type": "string", "description": "What you are asked to agree to." },
                    "version": { "type": "integer", "description": "Of the text." },
                    "text_sha256": text(),
                    "state": { "type": "string", "enum": states, "description": "outdated: you agreed to other words than these, so it is off." },
                    "decision": { "anyOf": [named("Consent"), { "type": "null" }], "description": "The newest." },
                })) },
            })),
        ),
        (
            "Consent",
            whole_object(json!({
                "id": named("ConsentId"),
                "decision": decision(),
                "version": whole(),
                "text_sha256": text(),
                "means": means(),
                "gpc": flag(),
                "decided": whole(),
                "receipt_url": text(),
            })),
        ),
        (
            "ConsentReceipt",
            whole_object(json!({
                "receipt": { "type": "object", "description": "What was read and said, in the form of RFC 8785." },
                "signature": { "type": "object", "description": "The house's Ed25519 signature of it." },
            })),
        ),
        (
            "ConsentToGive",
            object(
                json!({ "version": { "type": "integer", "description": "That of the text that the person read." } }),
                &["version"],
            ),
        ),
        (
            "Settings",
            whole_object(json!({
                "object": { "const": "settings" },
                "model": { "type": ["string", "null"] },
                "size": { "type": ["string", "null"] },
                "n": { "type": ["integer", "null"] },
                "quality": { "type": ["string", "null"], "enum": ["low", "medium", "high", null] },
            })),
        ),
        (
            "SettingsToSave",
            object(
                json!({
                    "model": optional(text()),
                    "size": optional(text()),
                    "n": optional(whole()),
                    "quality": optional(quality()),
                }),
                &[],
            ),
        ),
    ]
}
