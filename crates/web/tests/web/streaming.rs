//! Orders that are answered in pieces, and clients that hang up.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::stage::{Events, Stage, json as json_request};

const PATH: &str = "/v1/images/generations";

async fn stream(stage: &Stage, body: Value) -> Events {
    Events::of(stage.open(json_request(PATH, &body)).await)
}

fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn pictures_on_their_way_and_then_the_picture() {
    let stage = Stage::free().await;
    let body = json!({ "prompt": "a red apple", "stream": true, "partial_images": 2 });
    let events = stream(&stage, body).await.rest().await;
    let (partial, completed) = (
        "image_generation.partial_image",
        "image_generation.completed",
    );
    assert_eq!(names(&events), [partial, partial, completed]);
    for (name, event) in &events {
        assert_eq!(event["type"], *name);
        assert_eq!(event["created_at"], 1_800_000_000);
        assert_eq!(event["size"], "16x16");
        assert_eq!(event["quality"], "medium");
        assert_eq!(event["background"], "opaque");
        assert_eq!(event["output_format"], "png");
        assert!(
            event["b64_json"]
                .as_str()
                .expect("text")
                .starts_with("iVBOR")
        );
    }
    assert_eq!(events[0].1["partial_image_index"], 0);
    assert_eq!(events[1].1["partial_image_index"], 1);
    assert_eq!(events[2].1["usage"]["total_tokens"], 4);
    assert_ne!(events[0].1["b64_json"], events[1].1["b64_json"]);
}

#[tokio::test]
async fn without_partials_only_the_picture_comes() {
    let stage = Stage::free().await;
    let events = stream(&stage, json!({ "prompt": "a cat", "stream": true, "n": 2 }))
        .await
        .rest()
        .await;
    assert_eq!(names(&events), ["image_generation.completed"; 2]);
    assert_eq!(
        (&events[0].1["picture_index"], &events[1].1["picture_index"]),
        (&json!(0), &json!(1))
    );
}

#[tokio::test]
async fn an_error_after_the_stream_opened_is_an_event() {
    let stage = Stage::free().await;
    let events = stream(&stage, json!({ "prompt": "a storm", "stream": true }))
        .await
        .rest()
        .await;
    assert_eq!(names(&events), ["error"]);
    assert_eq!(events[0].1["error"]["code"], "drawing_failed");
    let refused = stage
        .post(PATH, &json!({ "prompt": "", "stream": true }))
        .await;
    assert_eq!(refused.error(400)["param"], "prompt");
}

/// One step, so one preview: the job is in the middle of its drawing.
async fn in_the_middle(stage: &Stage) -> (Events, String) {
    let body = json!({ "prompt": "a cat", "stream": true, "partial_images": 3, "steps": 20 });
    let mut events = stream(stage, body).await;
    stage.allow_steps(1);
    let (name, _) = events.next().await.expect("an event");
    assert_eq!(name, "image_generation.partial_image");
    let job = stage.jobs().await[0].clone();
    assert_eq!(job["status"], "running");
    (events, job["id"].as_str().expect("text").to_owned())
}

#[tokio::test]
async fn hanging_up_cancels_the_job() {
    let stage = Stage::halted().await;
    let (events, job) = in_the_middle(&stage).await;
    drop(events);
    assert_eq!(stage.over(&job).await, "cancelled");
}

#[tokio::test]
async fn hanging_up_on_a_plain_order_cancels_it_too() {
    let stage = Stage::halted().await;
    let order = stage.open(json_request(PATH, &json!({ "prompt": "a cat" })));
    let mut order = std::pin::pin!(order);
    let job = loop {
        assert!(futures::poll!(order.as_mut()).is_pending());
        if let Some(job) = stage.jobs().await.first() {
            break job["id"].as_str().expect("text").to_owned();
        }
    };
    order.set(stage.open(json_request(PATH, &json!({}))));
    assert_eq!(stage.over(&job).await, "cancelled");
}

#[tokio::test]
async fn a_job_goes_on_for_who_asked_to_keep_it() {
    let stage = Stage::halted().await;
    let mut order = json_request(PATH, &json!({ "prompt": "a cat", "stream": true }));
    order
        .headers_mut()
        .insert("prefer", "respond-async, wait=5".parse().expect("a header"));
    let events = Events::of(stage.open(order).await);
    let job = stage.jobs().await[0]["id"]
        .as_str()
        .expect("text")
        .to_owned();
    drop(events);
    stage.allow_steps(100);
    assert_eq!(stage.over(&job).await, "done");
}

#[tokio::test]
async fn cancelling_one_job_leaves_its_neighbour() {
    let stage = Stage::halted().await;
    let (mut events, job) = in_the_middle(&stage).await;
    let mut other = json_request(PATH, &json!({ "prompt": "a dog" }));
    other
        .headers_mut()
        .insert("prefer", "respond-async".parse().expect("a header"));
    let other = stage.send(other).await.json()["id"]
        .as_str()
        .expect("text")
        .to_owned();
    let cancelled = stage
        .post(&format!("/v1/jobs/{job}/cancel"), &json!({}))
        .await;
    assert_eq!(cancelled.json()["status"], "cancelled");
    let rest = events.rest().await;
    assert_eq!(
        rest.last().expect("an event").1["error"]["code"],
        "cancelled"
    );
    stage.allow_steps(100);
    assert_eq!(stage.over(&other).await, "done");
}

#[tokio::test]
async fn a_stopping_program_ends_its_answers_and_keeps_the_jobs() {
    let stage = Stage::halted().await;
    let (mut events, job) = in_the_middle(&stage).await;
    stage.stop.now();
    let (name, last) = events.rest().await.pop().expect("an event");
    assert_eq!(
        (name.as_str(), &last["error"]["code"]),
        ("error", &json!("stopping"))
    );
    let status = stage.get(&format!("/v1/jobs/{job}")).await.json()["status"].clone();
    assert_ne!(status, "cancelled");
    let plain = stage.post(PATH, &json!({ "prompt": "a dog" })).await;
    assert_eq!(plain.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(plain.header("retry-after"), "5");
}
