//! Requests that come again, and the pace at which they may come.

use axum::body::Body;
use axum::http::Request;
use db::on;
use serde_json::{Value, json};
use studio::Limits;

use crate::stage::{Answer, Events, Stage, json as json_request};

const PATH: &str = "/v1/images/generations";
const MINUTE_MS: i64 = 60_000;

fn order(body: &Value, headers: &[(&'static str, &str)]) -> Request<Body> {
    let mut request = json_request(PATH, body);
    for (name, value) in headers {
        let value = value.parse().expect("a header");
        request.headers_mut().insert(*name, value);
    }
    request
}

async fn asked(stage: &Stage, body: &Value, headers: &[(&'static str, &str)]) -> Answer {
    stage.send(order(body, headers)).await
}

fn picture(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let id = answer.json()["data"][0]["picture_id"].clone();
    id.as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_named_request_is_drawn_once_a_day() {
    let stage = Stage::free().await;
    let body = json!({ "prompt": "a red apple" });
    let name = [("idempotency-key", "order 7")];
    let first = asked(&stage, &body, &name).await;
    assert_eq!(first.header("idempotent-replayed"), "");
    let again = asked(&stage, &body, &name).await;
    assert_eq!(picture(&again), picture(&first));
    assert_eq!(again.header("idempotent-replayed"), "true");
    let streamed = json!({ "prompt": "a red apple", "stream": true });
    let other_body = asked(&stage, &streamed, &name).await;
    assert_eq!(other_body.error(409)["code"], "idempotency_key_reused");
    assert_eq!(stage.jobs().await.len(), 1);

    let other_name = asked(&stage, &body, &[("idempotency-key", "order 8")]).await;
    assert_ne!(picture(&other_name), picture(&first));
    stage.studio.clock.advance_millis(24 * 60 * MINUTE_MS);
    let next_day = asked(&stage, &body, &name).await;
    assert_ne!(picture(&next_day), picture(&first));

    for bad in ["", &"x".repeat(256)] {
        let refused = asked(&stage, &body, &[("idempotency-key", bad)]).await;
        assert_eq!(refused.error(400)["param"], "idempotency-key");
    }
}

#[tokio::test]
async fn an_sdk_that_tries_again_gets_the_first_answer() {
    let stage = Stage::free().await;
    let body = json!({ "prompt": "a red apple" });
    let attempt = |count: &'static str| [("x-stainless-retry-count", count)];
    let first = asked(&stage, &body, &attempt("0")).await;
    let retry = asked(&stage, &body, &attempt("1")).await;
    assert_eq!(picture(&retry), picture(&first));
    // Who asks twice on purpose gets two; a retry means the latest, and then the other.
    let second = asked(&stage, &body, &attempt("0")).await;
    assert_ne!(picture(&second), picture(&first));
    let plain = asked(&stage, &body, &[]).await;
    assert_ne!(picture(&plain), picture(&second));
    assert_eq!(
        picture(&asked(&stage, &body, &attempt("1")).await),
        picture(&second)
    );
    // Other words are another request.
    let other = asked(&stage, &json!({ "prompt": "a pear" }), &attempt("1")).await;
    assert_ne!(picture(&other), picture(&first));
    stage.studio.clock.advance_millis(MINUTE_MS);
    let late = asked(&stage, &body, &attempt("2")).await;
    assert_ne!(picture(&late), picture(&first));
    assert_ne!(picture(&late), picture(&second));

    // What failed was not charged, and is worth another try.
    let storm = json!({ "prompt": "a storm" });
    asked(&stage, &storm, &attempt("0")).await.error(500);
    let before = stage.jobs().await.len();
    asked(&stage, &storm, &attempt("1")).await.error(500);
    assert_eq!(stage.jobs().await.len(), before + 1);
}

#[tokio::test]
async fn the_same_name_twice_at_once_is_one_job() {
    let stage = Stage::halted().await;
    let body = json!({ "prompt": "a red apple", "stream": true });
    let name = [("idempotency-key", "twice")];
    let open = || stage.open(order(&body, &name));
    let (one, two, three) = tokio::join!(open(), open(), open());
    assert_eq!(stage.jobs().await.len(), 1);
    stage.allow_steps(100);
    let mut pictures = Vec::new();
    for stream in [one, two, three] {
        let events = Events::of(stream).rest().await;
        let (name, picture) = events.last().expect("an event");
        assert_eq!(name, "image_generation.completed");
        pictures.push(picture["picture_id"].clone());
    }
    assert!(pictures.iter().all(|picture| *picture == pictures[0]));
}

#[tokio::test]
async fn a_job_waits_a_while_for_a_client_that_tries_again() {
    let stage = Stage::with_limits(patient()).await;
    let body = json!({ "prompt": "a red apple", "steps": 3 });
    let attempt = |count: &'static str| [("x-stainless-retry-count", count)];
    let ordered = async {
        while stage.jobs().await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    // Once its job is there, the client hangs up.
    tokio::select! {
        answer = stage.send(order(&body, &attempt("0"))) => panic!("{}", answer.text()),
        () = ordered => {}
    }
    let retry = order(&body, &attempt("1"));
    // Drawn before the retry is there, it would end as what nobody waits for.
    let known = async {
        until_repeat(&stage, |_, asked| asked == 2).await;
        stage.allow_steps(3);
    };
    let (retry, ()) = tokio::join!(stage.send(retry), known);
    assert_eq!(retry.header("idempotent-replayed"), "true");
    picture(&retry);
    assert_eq!(stage.jobs().await.len(), 1);
}

/// Waits longer than any machine is slow.
fn patient() -> Limits {
    Limits {
        repeat_grace_ms: 600_000,
        ..Limits::default()
    }
}

#[tokio::test]
async fn promise_pay_02_what_is_drawn_when_its_client_is_gone_costs_nothing() {
    let stage = Stage::with_limits(patient()).await;
    stage.meter().await;
    let credits = async || {
        let told = stage.get("/v1/credits").await.json();
        (told["available"].as_i64(), told["held"].as_i64())
    };
    let before = credits().await;
    let body = json!({ "prompt": "a red apple", "stream": true });
    for (name, count) in [("idempotency-key", "0"), ("x-stainless-retry-count", "0")] {
        let stream = stage.open(order(&body, &[(name, count)])).await;
        let job = stage.jobs().await[0]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        assert_ne!(credits().await, before);
        drop(stream);
        until_repeat(&stage, |present, _| present == 0).await;
        stage.allow_steps(4);
        assert_eq!(stage.over(&job).await, "cancelled");
        assert_eq!(credits().await, before);
        assert_eq!(stage.get("/v1/pictures").await.json()["data"], json!([]));
    }
    // Whoever comes again after all gets a drawing, and pays for that one.
    stage.allow_steps(4);
    let again = stage
        .open(order(&body, &[("x-stainless-retry-count", "1")]))
        .await;
    let (name, drawn) = Events::of(again).rest().await.pop().expect("an event");
    assert_eq!(name, "image_generation.completed");
    let charged = drawn["credits"]["charged"].as_i64().expect("a charge");
    assert!(charged > 0);
    assert_eq!(
        credits().await,
        (before.0.map(|had| had - charged), Some(0))
    );
}

/// Waits until the one request that may come again has so many who wait for its answer, and was sent
/// so often.
async fn until_repeat(stage: &Stage, is_so: impl Fn(i64, i64) -> bool) {
    let looking = async {
        loop {
            let mut tx = stage.studio.db.read().await.expect("begins");
            let found: Option<(i64, i64)> = on!(tx, conn => {
                sqlx::query_as("SELECT present, asked FROM repeat ORDER BY job_id DESC LIMIT 1")
                    .fetch_optional(conn)
                    .await
            })
            .expect("reads");
            if found.is_some_and(|(present, asked)| is_so(present, asked)) {
                return;
            }
        }
    };
    let limit = std::time::Duration::from_secs(60);
    tokio::time::timeout(limit, looking).await.expect("in time");
}

#[tokio::test]
async fn a_job_whose_client_never_comes_back_is_cancelled() {
    let stage = Stage::with_limits(Limits {
        repeat_grace_ms: 0,
        ..Limits::default()
    })
    .await;
    let body = json!({ "prompt": "a red apple", "stream": true });
    for name in ["idempotency-key", "x-stainless-retry-count"] {
        let stream = stage.open(order(&body, &[(name, "0")])).await;
        let job = stage.jobs().await[0]["id"].clone();
        drop(stream);
        stage.allow_steps(1);
        assert_eq!(stage.over(job.as_str().expect("an id")).await, "cancelled");
    }
    // Given up, it is nobody's answer: it is drawn anew.
    stage.allow_steps(100);
    let again = stage.open(order(&body, &[("idempotency-key", "0")])).await;
    let events = Events::of(again).rest().await;
    assert_eq!(
        events.last().expect("an event").0,
        "image_generation.completed"
    );
}

#[tokio::test]
async fn orders_have_a_pace() {
    let stage = Stage::with_limits(Limits {
        max_orders_per_minute: 2,
        ..Limits::default()
    })
    .await;
    stage.allow_steps(100);
    let body = json!({ "prompt": "a red apple" });
    let pace = |answer: &Answer| {
        ["limit", "remaining", "reset"].map(|name| {
            answer
                .header(&format!("x-ratelimit-{name}-requests"))
                .to_owned()
        })
    };
    let wrong = stage.post(PATH, &json!({ "prompt": "" })).await;
    assert_eq!(pace(&wrong), ["2", "2", "0ms"]);
    assert_eq!(pace(&stage.post(PATH, &body).await), ["2", "1", "30000ms"]);
    assert_eq!(pace(&stage.post(PATH, &body).await), ["2", "0", "60000ms"]);
    let refused = stage.post(PATH, &body).await;
    assert_eq!(refused.error(429)["code"], "rate_limit_exceeded");
    assert_eq!(refused.header("retry-after"), "30");
    assert_eq!(pace(&refused), ["2", "0", "60000ms"]);
    stage.studio.clock.advance_millis(30_000);
    picture(&stage.post(PATH, &body).await);
}
