//! Every operation of the API in words.

use axum::http::Method;
use serde_json::{Value, json};

use super::super::PAGE_MAX;
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

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

const IMAGES: &str = "Images";
const JOBS: &str = "Jobs";
const PICTURES: &str = "Pictures";
const MODELS: &str = "Models";
const CREDITS: &str = "Credits";

const ACCOUNT: &str = "Account";

pub(super) const TAGS: [(&str, &str); 6] = [
    (IMAGES, "Draw."),
    (JOBS, "Every order with its way through the queue."),
    (PICTURES, "What was drawn and kept."),
    (MODELS, "What draws here, and what it takes."),
    (CREDITS, "What there is to spend, and what was spent."),
    (ACCOUNT, "Who asks."),
];

const LIMIT: Parameter = Parameter {
    name: "limit",
    place: "query",
    about: "How many of them.",
    kind: Kind::Whole {
        min: 1,
        max: PAGE_MAX,
    },
};
const JOB: Parameter = id("JobId", "The job.");
const PICTURE: Parameter = id("PictureId", "The picture.");

const fn id(schema: &'static str, about: &'static str) -> Parameter {
    Parameter {
        name: "id",
        place: "path",
        about,
        kind: Kind::Id(schema),
    }
}

const fn after(schema: &'static str) -> Parameter {
    Parameter {
        name: "after",
        place: "query",
        about: "The last id of the page before.",
        kind: Kind::Id(schema),
    }
}

const fn query(name: &'static str, about: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        place: "query",
        about,
        kind,
    }
}

const fn json(status: u16, description: &'static str, content: &'static [Media]) -> Answer {
    Answer {
        status,
        description,
        content,
    }
}

const JOB_ANSWER: &[Answer] = &[json(200, "The job.", &[Media::Json("Job")])];

const ONCE: Parameter = Parameter {
    name: "idempotency-key",
    place: "header",
    about: "A name of your own for this request, of 1 to 255 characters. For 24 hours the same request under it gets the first's answer and is charged once; another body under it is 409.",
    kind: Kind::Text,
};

pub(super) static OPERATIONS: &[Operation] = &[
    Operation {
        route: "/v1/images/generations",
        method: POST,
        id: "generateImages",
        tag: IMAGES,
        summary: "Draw pictures",
        about: "Answers when the last picture is there; with stream, tells of each on its way; with the header prefer: respond-async, answers with the job at once. A client that hangs up cancels its job, unless it preferred respond-async.",
        parameters: &[
            Parameter {
                name: "prefer",
                place: "header",
                about: "respond-async: answer with the job at once, and go on without me.",
                kind: Kind::OneOf(&["respond-async"]),
            },
            ONCE,
        ],
        body: Some("GenerationRequest"),
        answers: &[
            json(
                200,
                "The pictures, or a stream of events.",
                &[Media::Json("Images"), Media::Events],
            ),
            json(202, "The job, which goes on.", &[Media::Json("Job")]),
        ],
        refusals: &[402, 404, 409, 413, 415, 507],
    },
    Operation {
        route: "/v1/responses",
        method: POST,
        id: "createResponse",
        tag: IMAGES,
        summary: "Draw as an agent's tool",
        about: "What the user said last is drawn, word for word. The tool image_generation says how.",
        parameters: &[ONCE],
        body: Some("ResponseRequest"),
        answers: &[json(
            200,
            "The response, or a stream of its events.",
            &[Media::Json("Response"), Media::Events],
        )],
        refusals: &[402, 404, 409, 413, 415, 507],
    },
    Operation {
        route: "/v1/models",
        method: GET,
        id: "listModels",
        tag: MODELS,
        summary: "List the models",
        about: "The first one draws where an order names none.",
        parameters: &[],
        body: None,
        answers: &[json(200, "The models.", &[Media::Json("ModelList")])],
        refusals: &[],
    },
    Operation {
        route: "/v1/models/{*id}",
        method: GET,
        id: "getModel",
        tag: MODELS,
        summary: "Get one model",
        about: "What it can do, where it draws, under which licence, and what it costs.",
        parameters: &[Parameter {
            name: "id",
            place: "path",
            about: "The model's name.",
            kind: Kind::Text,
        }],
        body: None,
        answers: &[json(200, "The model.", &[Media::Json("Model")])],
        refusals: &[404],
    },
    Operation {
        route: "/v1/me",
        method: GET,
        id: "getMe",
        tag: ACCOUNT,
        summary: "Get yourself",
        about: "Whom the key belongs to, and what it may do.",
        parameters: &[],
        body: None,
        answers: &[json(200, "You.", &[Media::Json("Person")])],
        refusals: &[],
    },
    Operation {
        route: "/v1/me/erasure",
        method: GET,
        id: "previewErasure",
        tag: ACCOUNT,
        summary: "See what an erasure would delete",
        about: "How much of each kind would go and how much would stay. Changes nothing.",
        parameters: &[query(
            "what",
            "Your account with everything in it, or every order and picture.",
            Kind::OneOf(&["account", "history"]),
        )],
        body: None,
        answers: &[json(
            200,
            "What would go, and what would stay.",
            &[Media::Json("ErasurePreview")],
        )],
        refusals: &[],
    },
    Operation {
        route: "/v1/me/erasure",
        method: POST,
        id: "askForErasure",
        tag: ACCOUNT,
        summary: "Delete your account, or everything that you ordered",
        about: "For good: nobody can bring it back. With the account, this key and every other way in ends at once. The receipt is at its address as soon as all is done, which takes seconds; until then that address says how far it is.",
        parameters: &[],
        body: Some("ErasureRequest"),
        answers: &[json(202, "It has begun.", &[Media::Json("Erasure")])],
        refusals: &[409, 413, 415],
    },
    Operation {
        route: "/v1/jobs",
        method: GET,
        id: "listJobs",
        tag: JOBS,
        summary: "List your jobs",
        about: "The newest first.",
        parameters: &[LIMIT, after("JobId")],
        body: None,
        answers: &[json(200, "A page of jobs.", &[Media::Json("JobList")])],
        refusals: &[],
    },
    Operation {
        route: "/v1/jobs/events",
        method: GET,
        id: "followJobs",
        tag: JOBS,
        summary: "Follow several jobs",
        about: "Server-sent events: progress whenever something changed, preview for each clearer sight of a picture, end with the whole job.",
        parameters: &[Parameter {
            name: "ids",
            place: "query",
            about: "Up to 50 job ids with commas between them.",
            kind: Kind::Text,
        }],
        body: None,
        answers: &[json(200, "Events of all of them.", &[Media::Events])],
        refusals: &[404],
    },
    Operation {
        route: "/v1/jobs/{id}",
        method: GET,
        id: "getJob",
        tag: JOBS,
        summary: "Get one job",
        about: "How far it is, what was ordered, and what came of it.",
        parameters: &[JOB],
        body: None,
        answers: JOB_ANSWER,
        refusals: &[404],
    },
    Operation {
        route: "/v1/jobs/{id}",
        method: DELETE,
        id: "removeJob",
        tag: JOBS,
        summary: "Remove a job that is over",
        about: "With its words, its pictures and their files.",
        parameters: &[JOB],
        body: None,
        answers: &[json(200, "It is gone.", &[Media::Json("Deleted")])],
        refusals: &[404, 409],
    },
    Operation {
        route: "/v1/jobs/{id}/events",
        method: GET,
        id: "followJob",
        tag: JOBS,
        summary: "Follow one job",
        about: "The same events as for several.",
        parameters: &[JOB],
        body: None,
        answers: &[json(200, "Its events.", &[Media::Events])],
        refusals: &[404],
    },
    Operation {
        route: "/v1/jobs/{id}/cancel",
        method: POST,
        id: "cancelJob",
        tag: JOBS,
        summary: "Cancel a job",
        about: "It costs nothing then. One that is over stays as it is.",
        parameters: &[JOB],
        body: None,
        answers: JOB_ANSWER,
        refusals: &[404],
    },
    Operation {
        route: "/v1/pictures",
        method: GET,
        id: "listPictures",
        tag: PICTURES,
        summary: "List your pictures",
        about: "The newest first; with words, model, kind, days or favourite, those that fit. A page may then be short, or empty, and still have more: ask again with after set to its next.",
        parameters: &[
            LIMIT,
            after("PictureId"),
            query(
                "words",
                "Each must stand in the prompt, in capitals or not.",
                Kind::Text,
            ),
            query("model", "The model that drew it.", Kind::Text),
            query(
                "kind",
                "How it came about.",
                Kind::OneOf(&["drawing", "variation"]),
            ),
            query(
                "from",
                "Drawn on this day or later, as in 2026-12-31, in UTC.",
                Kind::Text,
            ),
            query("until", "Drawn on this day or earlier.", Kind::Text),
            query(
                "favourite",
                "1 or true: only those that are marked.",
                Kind::OneOf(&["0", "1", "false", "true"]),
            ),
        ],
        body: None,
        answers: &[json(
            200,
            "A page of pictures.",
            &[Media::Json("PictureList")],
        )],
        refusals: &[],
    },
    Operation {
        route: "/v1/pictures/{id}",
        method: GET,
        id: "getPicture",
        tag: PICTURES,
        summary: "Get one picture's facts",
        about: "Its prompt, seed, size, and where its file is.",
        parameters: &[PICTURE],
        body: None,
        answers: &[json(200, "The picture.", &[Media::Json("Picture")])],
        refusals: &[404],
    },
    Operation {
        route: "/v1/pictures/{id}",
        method: PATCH,
        id: "markPicture",
        tag: PICTURES,
        summary: "Mark a picture as a favourite, or no longer",
        about: "Answers the picture as it is now.",
        parameters: &[PICTURE],
        body: Some("PictureChange"),
        answers: &[json(200, "The picture.", &[Media::Json("Picture")])],
        refusals: &[404, 413, 415],
    },
    Operation {
        route: "/v1/pictures/archive",
        method: POST,
        id: "archivePictures",
        tag: PICTURES,
        summary: "Get several pictures as one file",
        about: "A ZIP of the pictures and a list of them, pictures.json. What is not yours, or gone, is left out.",
        parameters: &[],
        body: Some("PictureChoice"),
        answers: &[json(
            200,
            "The archive.",
            &[Media::Bytes("application/zip")],
        )],
        refusals: &[404, 413, 415],
    },
    Operation {
        route: "/v1/pictures/{id}",
        method: DELETE,
        id: "deletePicture",
        tag: PICTURES,
        summary: "Delete a picture",
        about: "Its row and its file; with a job's last picture, the job's words too.",
        parameters: &[PICTURE],
        body: None,
        answers: &[json(200, "It is gone.", &[Media::Json("Deleted")])],
        refusals: &[404],
    },
    Operation {
        route: "/v1/pictures/{id}/content",
        method: GET,
        id: "getPictureContent",
        tag: PICTURES,
        summary: "Get a picture's file",
        about: "As it was stored, or written anew in another format.",
        parameters: &[
            PICTURE,
            Parameter {
                name: "format",
                place: "query",
                about: "png where nothing is said.",
                kind: Kind::OneOf(&["png", "jpeg", "webp"]),
            },
            Parameter {
                name: "output_compression",
                place: "query",
                about: "Quality of a JPEG.",
                kind: Kind::Whole { min: 0, max: 100 },
            },
            Parameter {
                name: "download",
                place: "query",
                about: "1: as a file to be saved.",
                kind: Kind::OneOf(&["0", "1"]),
            },
        ],
        body: None,
        answers: &[
            json(
                200,
                "The file.",
                &[
                    Media::Bytes("image/png"),
                    Media::Bytes("image/jpeg"),
                    Media::Bytes("image/webp"),
                ],
            ),
            json(304, "You have it already.", &[]),
        ],
        refusals: &[404],
    },
    Operation {
        route: "/v1/credits",
        method: GET,
        id: "getCredits",
        tag: CREDITS,
        summary: "Get your credits",
        about: "What may be spent, what is held for jobs that are not over, and the grants that it comes from.",
        parameters: &[],
        body: None,
        answers: &[json(200, "The balance.", &[Media::Json("Credits")])],
        refusals: &[],
    },
    Operation {
        route: "/v1/credits/entries",
        method: GET,
        id: "listCreditEntries",
        tag: CREDITS,
        summary: "List the entries of your ledger",
        about: "The newest first. Each is the one before and its change.",
        parameters: &[LIMIT, after("EntryId")],
        body: None,
        answers: &[json(
            200,
            "A page of entries.",
            &[Media::Json("CreditEntryList")],
        )],
        refusals: &[],
    },
];

/// Every status with which an operation may refuse, and what it means.
pub(super) fn refusals(operation: &Operation) -> Vec<(u16, &'static str)> {
    const ALL: [(u16, &str); 16] = [
        (
            400,
            "A field is wrong: param names it, message says what to do.",
        ),
        (401, "There is no key, or it is wrong or revoked."),
        (402, "Not enough credits, or more than max_credits."),
        (403, "The key has not the scope, or another site sent this."),
        (
            404,
            "There is no such thing here, or it is somebody else's.",
        ),
        (408, "The body came too slowly."),
        (409, "It can't be done in this state."),
        (413, "The body is too large."),
        (415, "The body is no JSON."),
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
