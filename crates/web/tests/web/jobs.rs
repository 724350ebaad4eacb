//! Jobs and pictures: listed, followed, cancelled, deleted.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use crate::stage::{Events, Stage, json as json_request, request};

const PATH: &str = "/v1/images/generations";

async fn ordered(stage: &Stage, body: Value) -> Value {
    let mut order = json_request(PATH, &body);
    order
        .headers_mut()
        .insert("prefer", "respond-async".parse().expect("a header"));
    let answer = stage.send(order).await;
    assert_eq!(answer.status, 202);
    let job = answer.json();
    assert_eq!(
        answer.header("location"),
        format!(
            "http://localhost:8080/v1/jobs/{}",
            job["id"].as_str().expect("text")
        )
    );
    assert_eq!(answer.header("preference-applied"), "respond-async");
    job
}

fn id(value: &Value) -> &str {
    value["id"].as_str().expect("an id")
}

#[tokio::test]
async fn a_job_is_followed_to_its_end() {
    let stage = Stage::halted().await;
    let job = ordered(&stage, json!({ "prompt": "a cat", "n": 2, "steps": 2 })).await;
    let follow = request(Method::GET, &format!("/v1/jobs/{}/events", id(&job))).body(Body::empty());
    let mut events = Events::of(stage.open(follow.expect("a request")).await);
    let (name, first) = events.next().await.expect("an event");
    assert_eq!(name, "progress");
    assert_eq!(first["progress"], 0);
    stage.allow_steps(2);
    let rest = events.rest().await;
    let steps: Vec<u64> = rest
        .iter()
        .filter(|(name, _)| name == "progress")
        .map(|(_, told)| told["progress"].as_u64().expect("a number"))
        .collect();
    assert!(steps.is_sorted(), "{steps:?}");
    let (name, last) = rest.last().expect("an end");
    assert_eq!(
        (name.as_str(), &last["status"], &last["progress"]),
        ("end", &json!("done"), &json!(100))
    );
    assert_eq!(last["message"], "2 pictures");
    assert_eq!(last["pictures"].as_array().expect("a list").len(), 2);
    assert_eq!(
        &stage.get(&format!("/v1/jobs/{}", id(&job))).await.json(),
        last
    );
}

#[tokio::test]
async fn one_stream_follows_several_jobs_and_shows_them_on_their_way() {
    let stage = Stage::halted().await;
    let page = stage
        .submit_part(
            "/draw",
            &[("prompt", "a cat"), ("count", "1"), ("steps", "3")],
        )
        .await;
    assert_eq!(page.status, 201);
    stage.begun(id(&stage.jobs().await[0])).await;
    // Ids sort by time.
    stage.studio.clock.advance_millis(1);
    let other = ordered(&stage, json!({ "prompt": "a dog", "steps": 2 })).await;
    assert_eq!(
        (&other["status"], &other["jobs_ahead"]),
        (&json!("queued"), &json!(0))
    );
    let ids: Vec<String> = stage
        .jobs()
        .await
        .iter()
        .map(|job| id(job).to_owned())
        .collect();
    let follow = request(
        Method::GET,
        &format!("/v1/jobs/events?ids={}", ids.join(",")),
    )
    .body(Body::empty());
    let mut events = Events::of(stage.open(follow.expect("a request")).await);
    stage.allow_steps(100);
    let all = events.rest().await;
    let preview = all
        .iter()
        .find(|(name, _)| name == "preview")
        .expect("a preview");
    assert_eq!(preview.1["media_type"], "image/jpeg");
    assert!(
        preview.1["b64_json"]
            .as_str()
            .expect("text")
            .starts_with("/9j/")
    );
    // Which one is told of first depends on when it was looked.
    let ended: BTreeSet<&str> = all
        .iter()
        .filter(|(name, _)| name == "end")
        .map(|(_, job)| id(job))
        .collect();
    assert_eq!(ended, ids.iter().map(String::as_str).collect());
    let ends = all.iter().filter(|(name, _)| name == "end").count();
    assert_eq!(ends, 2, "each once");
}

#[tokio::test]
async fn a_job_that_is_over_ends_at_once_and_stays_as_it_is() {
    let stage = Stage::free().await;
    stage.drawn("a cat").await;
    let job = stage.jobs().await.remove(0);
    let follow = request(Method::GET, &format!("/v1/jobs/{}/events", id(&job))).body(Body::empty());
    let events = Events::of(stage.open(follow.expect("a request")).await)
        .rest()
        .await;
    assert_eq!(events, [("end".to_owned(), job.clone())]);
    let cancelled = stage
        .post(&format!("/v1/jobs/{}/cancel", id(&job)), &json!({}))
        .await;
    assert_eq!((cancelled.status.as_u16(), cancelled.json()), (200, job));
}

#[tokio::test]
async fn lists_come_in_pages() {
    let stage = Stage::free().await;
    for n in 0..3 {
        stage.studio.clock.advance_millis(1);
        stage.drawn(&format!("cat {n}")).await;
    }
    for list in ["jobs", "pictures"] {
        let first = stage.get(&format!("/v1/{list}?limit=2")).await.json();
        assert_eq!(
            (&first["object"], &first["has_more"]),
            (&json!("list"), &json!(true))
        );
        assert_eq!(
            (&first["data"][0]["prompt"], &first["data"][1]["prompt"]),
            (&json!("cat 2"), &json!("cat 1"))
        );
        let after = id(&first["data"][1]);
        let second = stage
            .get(&format!("/v1/{list}?limit=2&after={after}"))
            .await
            .json();
        assert_eq!(
            (&second["has_more"], &second["data"][0]["prompt"]),
            (&json!(false), &json!("cat 0"))
        );
        assert_eq!(second["data"].as_array().expect("a list").len(), 1);
    }
}

#[tokio::test]
async fn a_deleted_picture_is_gone() {
    let stage = Stage::free().await;
    let picture = stage.drawn("a cat").await["data"][0]["picture_id"]
        .as_str()
        .expect("text")
        .to_owned();
    let path = format!("/v1/pictures/{picture}");
    assert_eq!(stage.get(&path).await.json()["prompt"], "a cat");
    let delete = || {
        request(Method::DELETE, &path)
            .body(Body::empty())
            .expect("a request")
    };
    assert_eq!(
        stage.send(delete()).await.json(),
        json!({ "id": picture, "object": "picture.deleted", "deleted": true })
    );
    stage.send(delete()).await.error(404);
    stage.get(&path).await.error(404);
    assert!(stage.jobs().await.is_empty(), "its job went with it");
    stage.get(&format!("{path}/content")).await.error(404);
    assert_eq!(stage.get(&format!("/pictures/{picture}")).await.status, 404);
    assert!(
        stage
            .studio
            .shelf
            .keys("pictures")
            .await
            .expect("lists")
            .is_empty()
    );
}

#[tokio::test]
async fn a_job_is_removed_once_it_is_over() {
    let stage = Stage::halted().await;
    let job = ordered(&stage, json!({ "prompt": "a cat" })).await;
    let path = format!("/v1/jobs/{}", id(&job));
    let remove = || {
        request(Method::DELETE, &path)
            .body(Body::empty())
            .expect("a request")
    };
    let refused = stage.send(remove()).await.error(409);
    assert_eq!(refused["code"], "job_unfinished");
    let why = refused["message"].as_str().expect("text");
    assert!(why.contains("Cancel it first"), "{why}");
    stage
        .post(&format!("{path}/cancel"), &json!({}))
        .await
        .json();
    assert_eq!(
        stage.send(remove()).await.json(),
        json!({ "id": id(&job), "object": "job.deleted", "deleted": true })
    );
    assert_eq!(
        stage.send(remove()).await.error(404)["code"],
        "job_not_found"
    );
    stage.get(&path).await.error(404);
    let nonsense = request(Method::DELETE, "/v1/jobs/nonsense").body(Body::empty());
    stage.send(nonsense.expect("a request")).await.error(404);
    assert!(stage.jobs().await.is_empty());
}
