//! Every operation of the API in words.

use axum::http::Method;

use super::super::PAGE_MAX;
use super::operation::{Answer, Kind, Media, Operation, Parameter};
use super::{choices, rights};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

const IMAGES: &str = "Images";
const JOBS: &str = "Jobs";
const PICTURES: &str = "Pictures";
const MODELS: &str = "Models";
const CREDITS: &str = "Credits";

pub(super) const ACCOUNT: &str = "Account";

pub(super) const TAGS: [(&str, &str); 6] = [
    (IMAGES, "Draw."),
    (JOBS, "Every order with its way through the queue."),
    (PICTURES, "What was drawn and kept."),
    (MODELS, "What draws here, and what it takes."),
    (CREDITS, "What there is to spend, and what was spent."),
    (
        ACCOUNT,
        "Who asks, and what they can do with what is theirs.",
    ),
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
const EXPORT: Parameter = id("ExportId", "The archive.");

pub(super) const fn id(schema: &'static str, about: &'static str) -> Parameter {
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

pub(super) const fn query(name: &'static str, about: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        place: "query",
        about,
        kind,
    }
}

pub(super) const fn json(
    status: u16,
    description: &'static str,
    content: &'static [Media],
) -> Answer {
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

/// Every operation.
pub(super) fn all() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS
        .iter()
        .chain(rights::OPERATIONS)
        .chain(choices::OPERATIONS)
}

static OPERATIONS: &[Operation] = &[
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
        route: "/v1/me",
        method: PATCH,
        id: "changeMe",
        tag: ACCOUNT,
        summary: "Say how long your pictures are kept",
        about: "Those that you order from now on. Answers you, as you are now.",
        parameters: &[],
        body: Some("PersonChange"),
        answers: &[json(200, "You.", &[Media::Json("Person")])],
        refusals: &[413, 415],
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
        route: "/v1/me/export",
        method: POST,
        id: "takeAlong",
        tag: ACCOUNT,
        summary: "Take everything along",
        about: "Composes one archive of everything that is kept of you, and answers when it is ready; it can be fetched for a day, or until you delete something that is in it. At most 10 a day.",
        parameters: &[],
        body: None,
        answers: &[json(201, "It is ready.", &[Media::Json("Export")])],
        refusals: &[409],
    },
    Operation {
        route: "/v1/me/export",
        method: GET,
        id: "listExports",
        tag: ACCOUNT,
        summary: "List the archives of the last day",
        about: "The newest first, also those that can't be fetched any more.",
        parameters: &[],
        body: None,
        answers: &[json(200, "The archives.", &[Media::Json("ExportList")])],
        refusals: &[],
    },
    Operation {
        route: "/v1/me/export/{id}",
        method: GET,
        id: "showExport",
        tag: ACCOUNT,
        summary: "Show an archive",
        about: "Whether it can still be fetched, and how large it is.",
        parameters: &[EXPORT],
        body: None,
        answers: &[json(200, "The archive.", &[Media::Json("Export")])],
        refusals: &[404],
    },
    Operation {
        route: "/v1/me/export/{id}/content",
        method: GET,
        id: "fetchExport",
        tag: ACCOUNT,
        summary: "Fetch an archive, or a part of it",
        about: "A ZIP with a signed manifest. The same archive has the same bytes each time: with the header range a download that broke off goes on where it was, and if-range or if-match say of which archive (its etag) one has the beginning.",
        parameters: &[
            EXPORT,
            Parameter {
                name: "range",
                place: "header",
                about: "bytes=N- for everything from byte N on; one range at a time.",
                kind: Kind::Text,
            },
            Parameter {
                name: "if-range",
                place: "header",
                about: "The etag of the archive whose beginning one has; of another one, all is sent.",
                kind: Kind::Text,
            },
            Parameter {
                name: "if-match",
                place: "header",
                about: "The same; of another one, or where it ended, 412 is answered.",
                kind: Kind::Text,
            },
        ],
        body: None,
        answers: &[
            json(200, "The archive.", &[Media::Bytes("application/zip")]),
            json(206, "The part of it.", &[Media::Bytes("application/zip")]),
            json(304, "The client has it.", &[]),
        ],
        refusals: &[404, 409, 410, 412, 416],
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
        summary: "Mark a picture as a favourite, or say how long it is kept",
        about: "Its time is counted from now. Answers the picture as it is now.",
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
                name: "rights",
                place: "query",
                about: "1: with a note in the file (XMP) whose it is. It names nobody.",
                kind: Kind::OneOf(&["0", "1"]),
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
