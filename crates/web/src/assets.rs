//! Files that the pages load. Their address holds a hash of all of them, so a browser keeps them
//! for good and still never mixes two versions.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

use crate::Site;
use crate::problem::Problem;

include!(concat!(env!("OUT_DIR"), "/examples.rs"));

/// A picture that a shipped model drew for one of its example prompts.
struct Example {
    model: &'static str,
    /// As [`slug`] writes it.
    prompt: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

const STYLE: &str = concat!(
    include_str!("../style/tokens.css"),
    include_str!("../style/ground.css"),
    include_str!("../style/controls.css"),
    include_str!("../style/studio.css"),
    include_str!("../style/pictures.css"),
    include_str!("../style/landing.css"),
    include_str!("../style/account.css"),
    include_str!("../style/credits.css"),
);

const MARK: &str = include_str!("../style/mark.svg");

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

const FILES: &[(&str, &str, &str)] = &[
    ("style.css", "text/css; charset=utf-8", STYLE),
    ("mark.svg", "image/svg+xml", MARK),
    (
        "prompt-form.js",
        JAVASCRIPT,
        include_str!("../islands/prompt-form.js"),
    ),
    (
        "live-jobs.js",
        JAVASCRIPT,
        include_str!("../islands/live-jobs.js"),
    ),
    (
        "light-box.js",
        JAVASCRIPT,
        include_str!("../islands/light-box.js"),
    ),
    (
        "picture-view.js",
        JAVASCRIPT,
        include_str!("../islands/picture-view.js"),
    ),
    (
        "passkey.js",
        JAVASCRIPT,
        include_str!("../islands/passkey.js"),
    ),
    (
        "picture-wall.js",
        JAVASCRIPT,
        include_str!("../islands/picture-wall.js"),
    ),
    (
        "local-time.js",
        JAVASCRIPT,
        include_str!("../islands/local-time.js"),
    ),
];

static HASH: LazyLock<String> = LazyLock::new(|| {
    let mut all = Sha256::new();
    for (name, _, content) in FILES {
        all.update(name);
        all.update(content);
    }
    for example in EXAMPLES {
        all.update(example.bytes);
    }
    all.finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
});

pub(crate) fn routes() -> Router<Site> {
    Router::new()
        .route("/assets/{hash}/{name}", get(file))
        .route("/assets/{hash}/examples/{model}/{prompt}", get(example))
        .route("/favicon.ico", get(favicon))
}

/// The address of one of [`FILES`].
pub(crate) fn url(name: &str) -> String {
    format!("/assets/{}/{name}", *HASH)
}

/// The address of the picture of an example prompt, where there is one.
pub(crate) fn example_url(model: &str, prompt: &str) -> Option<String> {
    let prompt = slug(prompt);
    EXAMPLES
        .iter()
        .find(|example| example.model == model && example.prompt == prompt)?;
    Some(format!("/assets/{}/examples/{model}/{prompt}", *HASH))
}

/// Lower case, with `-` between the words.
fn slug(prompt: &str) -> String {
    let lower = prompt.to_lowercase();
    let words = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

async fn file(Path((hash, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let found = FILES
        .iter()
        .find(|(known, ..)| *known == name && hash == *HASH);
    let (_, media_type, content) = found.ok_or_else(missing)?;
    Ok(for_good(media_type, content.as_bytes()))
}

async fn example(
    Path((hash, model, prompt)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    let same =
        |example: &&Example| example.model == model && example.prompt == prompt && hash == *HASH;
    let found = EXAMPLES.iter().find(same).ok_or_else(missing)?;
    Ok(for_good(found.media_type, found.bytes))
}

async fn favicon() -> Response {
    (
        [
            (header::CONTENT_TYPE, "image/svg+xml"),
            (header::CACHE_CONTROL, "max-age=86400"),
        ],
        MARK,
    )
        .into_response()
}

fn for_good(media_type: &'static str, content: &'static [u8]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, content).into_response()
}

fn missing() -> Problem {
    let message = "There is no such file in this version of the program. Reload the page.";
    Problem::new(StatusCode::NOT_FOUND, "not_found", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_names_its_file() {
        assert_eq!(
            slug("A yellow star on a blue background"),
            "a-yellow-star-on-a-blue-background"
        );
        assert_eq!(slug(" two  cats! "), "two-cats");
    }
}
