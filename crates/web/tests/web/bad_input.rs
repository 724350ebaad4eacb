//! What is refused, and how: the right status, the field, and what to do about it.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, json as json_request, request};

const PATH: &str = "/v1/images/generations";

#[tokio::test]
async fn a_bad_field_is_named() {
    let stage = Stage::free().await;
    let cases = [
        (json!({ "prompt": null }), "prompt", "Say in a few words"),
        (json!({ "prompt": "" }), "prompt", "Say in a few words"),
        (json!({ "prompt": " \n\t" }), "prompt", "Say in a few words"),
        (
            json!({ "prompt": "x".repeat(40_000) }),
            "prompt",
            "Shorten it",
        ),
        (json!({ "prompt": "a\u{0}b" }), "prompt", "Remove it"),
        (json!({ "prompt": 7 }), "prompt", "a string"),
        (json!({ "prompt": ["a cat"] }), "prompt", "a string"),
        (json!({ "n": 0 }), "n", "1 to 10"),
        (json!({ "n": 11 }), "n", "1 to 10"),
        (json!({ "n": -1 }), "n", "whole number"),
        (json!({ "n": 1.5 }), "n", "whole number"),
        (json!({ "n": "two" }), "n", "whole number"),
        (json!({ "size": "large" }), "size", "256x256"),
        (json!({ "size": "1024x1024" }), "size", "16x16"),
        (json!({ "size": "0x0" }), "size", "256x256"),
        (json!({ "size": 16 }), "size", "a string"),
        (
            json!({ "background": "transparent" }),
            "background",
            "opaque",
        ),
        (json!({ "background": "checkered" }), "background", "opaque"),
        (json!({ "output_format": "gif" }), "output_format", "png"),
        (
            json!({ "output_compression": 101 }),
            "output_compression",
            "100",
        ),
        (
            json!({ "output_compression": -1 }),
            "output_compression",
            "0",
        ),
        (
            json!({ "output_compression": 50 }),
            "output_compression",
            "jpeg",
        ),
        (
            json!({ "output_compression": 50, "output_format": "webp" }),
            "output_compression",
            "jpeg",
        ),
        (json!({ "quality": "perfect" }), "quality", "high"),
        (
            json!({ "response_format": "fax" }),
            "response_format",
            "b64_json",
        ),
        (json!({ "moderation": "none" }), "moderation", "auto"),
        (json!({ "style": 3 }), "style", "a string"),
        (json!({ "user": {} }), "user", "a string"),
        (json!({ "stream": "yes" }), "stream", "true or false"),
        (
            json!({ "partial_images": 4, "stream": true }),
            "partial_images",
            "3",
        ),
        (json!({ "partial_images": 1 }), "partial_images", "stream"),
        (json!({ "seed": -1 }), "seed", "4294967295"),
        (json!({ "seed": 1_u64 << 40 }), "seed", "4294967295"),
        (json!({ "steps": 0 }), "steps", "1 to 20"),
        (json!({ "steps": 10_000 }), "steps", "1 to 20"),
        (json!({ "guidance": 1e9 }), "guidance", "1 to 10"),
        (json!({ "guidance": "much" }), "guidance", "a number"),
        (
            json!({ "negative_prompt": "rain" }),
            "negative_prompt",
            "no negative prompt",
        ),
        (
            json!({ "model": "flexible", "negative_prompt": "rain", "guidance": 1.0 }),
            "guidance",
            "nothing is left out",
        ),
        (json!({ "private": "yes" }), "private", "true or false"),
        (json!({ "retention": 5 }), "retention", "60 to"),
        (
            json!({ "max_credits": "none" }),
            "max_credits",
            "whole number",
        ),
    ];
    for (fields, param, hint) in cases {
        let mut body = json!({ "prompt": "a red apple" });
        body.as_object_mut()
            .expect("an object")
            .extend(fields.as_object().expect("an object").clone());
        let error = stage.post(PATH, &body).await.error(400);
        assert_eq!(error["param"], param, "{error}");
        assert_eq!(error["type"], "invalid_request_error");
        let message = error["message"].as_str().expect("text");
        assert!(
            message.contains(hint) && message.ends_with('.'),
            "{param}: {message}"
        );
    }
    let error = stage
        .post(PATH, &json!({ "prompt": "a cat", "model": "dall-e-9" }))
        .await
        .error(404);
    assert_eq!(
        (&error["param"], &error["code"]),
        (&json!("model"), &json!("model_not_found"))
    );
    assert!(
        stage.jobs().await.is_empty(),
        "a refused order is not written down"
    );
}

#[tokio::test]
async fn a_body_that_is_no_request() {
    let stage = Stage::free().await;
    let deep = "{\"a\":".repeat(50_000);
    let json_type = Some("application/json; charset=utf-8");
    let cases: [(Option<&str>, &[u8], u16, &str); 9] = [
        (json_type, b"{", 400, "JSON"),
        (json_type, b"", 400, "JSON"),
        (json_type, b"[]", 400, "object"),
        (json_type, b"{\"prompt\": \"\xff\xfe\"}", 400, "JSON"),
        (json_type, br#"{"prompt": "\ud800"}"#, 400, "JSON"),
        (json_type, deep.as_bytes(), 400, "JSON"),
        (Some("text/plain"), b"a red apple", 415, "application/json"),
        (Some("application/jsonp"), b"{}", 415, "application/json"),
        (
            None,
            b"{\"prompt\": \"a red apple\"}",
            415,
            "application/json",
        ),
    ];
    for (content_type, body, status, hint) in cases {
        let mut request = request(Method::POST, PATH);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let error = stage
            .send(request.body(Body::from(body.to_vec())).expect("a request"))
            .await
            .error(status);
        assert!(
            error["message"].as_str().expect("text").contains(hint),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read() {
    let stage = Stage::free().await;
    let never = || Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let declared = request(Method::POST, PATH)
        .header("content-type", "application/json")
        .header("content-length", "20000000");
    let error = stage
        .send(declared.body(never()).expect("a request"))
        .await
        .error(413);
    assert!(error["message"].as_str().expect("text").contains("at most"));
    let error = stage
        .post(PATH, &json!({ "prompt": "x".repeat(2 << 20) }))
        .await
        .error(413);
    assert_eq!(error["code"], "body_too_large");
}

#[tokio::test]
async fn addresses_and_methods_that_are_not_there() {
    let stage = Stage::free().await;
    let missing = stage.get("/v1/nowhere").await.error(404);
    assert!(
        missing["message"]
            .as_str()
            .expect("text")
            .contains("/v1/nowhere")
    );
    let wrong = stage.get(PATH).await;
    assert_eq!(wrong.header("allow"), "POST");
    assert!(
        wrong.error(405)["message"]
            .as_str()
            .expect("text")
            .contains("POST")
    );
    for path in [
        "/v1/jobs/nonsense",
        "/v1/jobs/job_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "/v1/pictures/pic_01ARZ3NDEKTSV4RRFFQ69G5FAV/content",
        "/v1/pictures/x",
    ] {
        stage.get(path).await.error(404);
    }
    let picture = stage.drawn("a cat").await["data"][0]["picture_id"]
        .as_str()
        .expect("text")
        .to_owned();
    for (query, param) in [
        ("format=gif", "format"),
        ("output_compression=x", "output_compression"),
        ("output_compression=101", "output_compression"),
    ] {
        let error = stage
            .get(&format!("/v1/pictures/{picture}/content?{query}"))
            .await
            .error(400);
        assert_eq!(error["param"], param);
    }
    for (path, param) in [
        ("/v1/jobs?limit=0", "limit"),
        ("/v1/jobs?limit=x", "limit"),
        ("/v1/pictures?after=job_1", "after"),
        ("/v1/jobs/events", "ids"),
        ("/v1/jobs/events?ids=x", "ids"),
    ] {
        assert_eq!(stage.get(path).await.error(400)["param"], param, "{path}");
    }
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let stage = Stage::halted().await;
    let mut last = None;
    // One is drawn, three wait, one is too many.
    for n in 0..6 {
        let mut order = json_request(
            PATH,
            &json!({ "prompt": format!("cat {n}"), "steps": n + 1 }),
        );
        order
            .headers_mut()
            .insert("prefer", "respond-async".parse().expect("a header"));
        let answer = stage.send(order).await;
        if answer.status == 429 {
            last = Some(answer);
            break;
        }
        assert_eq!(answer.status, 202);
    }
    let refused = last.expect("a limit");
    let seconds: u32 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=3600).contains(&seconds), "{seconds}");
    let error: Value = refused.error(429);
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("rate_limit_error"), &json!("queue_full"))
    );
}
