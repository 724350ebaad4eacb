//! What stands before every handler.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::stage::{Stage, form, json as json_request, request};

#[tokio::test]
async fn only_this_machine_is_answered() {
    let stage = Stage::free().await;
    for host in [
        "evil.example",
        "localhost.evil.example",
        "192.168.0.1:8080",
        "",
    ] {
        for path in ["/", "/v1/models", "/healthz", "/nowhere"] {
            let request = Request::get(path)
                .header("host", host)
                .body(Body::empty())
                .expect("a request");
            assert_eq!(stage.send(request).await.status, 421, "{host} {path}");
        }
    }
    for host in ["localhost", "127.0.0.1:9", "[::1]:8080"] {
        let request = Request::get("/")
            .header("host", host)
            .body(Body::empty())
            .expect("a request");
        assert_eq!(stage.send(request).await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn another_site_changes_nothing() {
    let stage = Stage::free().await;
    let order = || json_request("/v1/images/generations", &json!({ "prompt": "a cat" }));
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "http://localhost:3000"),
        ("origin", "null"),
    ] {
        let mut order = order();
        order
            .headers_mut()
            .insert(name, value.parse().expect("a header"));
        assert_eq!(stage.send(order).await.error(403)["code"], "foreign_origin");
        let mut draw = form("/draw", &[("prompt", "a cat")], &[]);
        draw.headers_mut()
            .insert(name, value.parse().expect("a header"));
        let refused = stage.send(draw).await;
        assert_eq!(refused.status, 403);
        assert!(refused.text().contains("nothing was done"));
    }
    assert!(stage.jobs().await.is_empty());
    let reading = request(Method::GET, "/")
        .header("sec-fetch-site", "cross-site")
        .body(Body::empty());
    assert_eq!(stage.send(reading.expect("a request")).await.status, 200);
    assert_eq!(
        stage.send(order()).await.status,
        200,
        "a program sends no origin"
    );
}

#[tokio::test]
async fn every_answer_bears_the_headers() {
    let stage = Stage::free().await;
    for path in [
        "/",
        "/about",
        "/pictures",
        "/nowhere",
        "/v1/models",
        "/v1/nowhere",
        "/healthz",
    ] {
        let answer = stage.get(path).await;
        let policy = answer.header("content-security-policy");
        for rule in [
            "default-src 'self'",
            "img-src 'self' data: blob:",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert!(answer.header("permissions-policy").contains("camera=()"));
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.header("set-cookie").is_empty());
        assert!(answer.header("x-request-id").starts_with("req_"));
    }
}

#[tokio::test]
async fn an_id_is_taken_where_it_is_sane() {
    let stage = Stage::free().await;
    for (given, taken) in [
        ("trace-1.a_B", true),
        ("", false),
        ("two words", false),
        (&"x".repeat(65), false),
    ] {
        let request = request(Method::GET, "/healthz").header("x-request-id", given);
        let answer = stage
            .send(request.body(Body::empty()).expect("a request"))
            .await;
        assert_eq!(answer.header("x-request-id") == given, taken, "{given:?}");
    }
    let first = stage.get("/healthz").await;
    assert_ne!(
        first.header("x-request-id"),
        stage.get("/healthz").await.header("x-request-id")
    );
}

#[tokio::test]
async fn a_bug_ends_its_request_and_leaks_nothing() {
    let stage = Stage::free().await;
    stage.break_painter();
    let program = stage.get("/v1/models").await;
    assert_eq!(program.error(500)["code"], "internal_error");
    let person = stage.get("/").await;
    assert_eq!(person.status, 500);
    for answer in [program.text(), person.text()] {
        assert!(!answer.contains("secret"), "{answer}");
    }
    assert_eq!(stage.get("/healthz").await.status, 200);
}
