//! Pictures as agents and their frameworks ask for them.

use serde_json::{Value, json};

use crate::stage::{Events, Stage, json as json_request};

const PATH: &str = "/v1/responses";

fn ask(input: &Value) -> Value {
    json!({ "model": "some-language-model", "input": input, "tools": [{ "type": "image_generation" }] })
}

#[tokio::test]
async fn the_last_words_of_the_user_become_the_picture() {
    let stage = Stage::free().await;
    let spoken = json!([
        { "role": "user", "content": "a storm" },
        { "role": "assistant", "content": "Here it is." },
        { "role": "user", "content": [{ "type": "input_text", "text": "a red apple" }] },
    ]);
    for input in [json!("a red apple"), spoken] {
        let answer = stage.post(PATH, &ask(&input)).await.json();
        assert_eq!(answer["object"], "response");
        assert_eq!(answer["status"], "completed");
        assert_eq!(answer["model"], "some-language-model");
        let item = &answer["output"][0];
        assert_eq!(item["type"], "image_generation_call");
        assert_eq!(item["status"], "completed");
        assert!(item["result"].as_str().expect("text").starts_with("iVBOR"));
        assert_eq!(answer["usage"]["input_tokens"], 3);
        let jobs = stage.get("/v1/jobs?limit=1").await.json();
        assert_eq!(jobs["data"][0]["prompt"], "a red apple");
    }
}

#[tokio::test]
async fn the_tool_says_how_it_shall_look() {
    let stage = Stage::free().await;
    let mut request = ask(&json!("a cat"));
    request["tools"] = json!([
        { "type": "web_search" },
        { "type": "image_generation", "model": "flexible", "size": "32x48", "output_format": "webp" },
    ]);
    let answer = stage.post(PATH, &request).await.json();
    let item = &answer["output"][0];
    assert_eq!(
        (&item["size"], &item["output_format"]),
        (&json!("32x48"), &json!("webp"))
    );
    let jobs = stage.get("/v1/jobs?limit=1").await.json();
    assert_eq!(jobs["data"][0]["model"], "flexible");
}

#[tokio::test]
async fn a_model_that_draws_may_be_named_as_the_model() {
    let stage = Stage::free().await;
    let mut request = ask(&json!("a cat"));
    request["model"] = json!("flexible");
    stage.post(PATH, &request).await.json();
    let jobs = stage.get("/v1/jobs?limit=1").await.json();
    assert_eq!(jobs["data"][0]["model"], "flexible");
}

#[tokio::test]
async fn what_can_not_be_done_is_told_with_its_field() {
    let stage = Stage::free().await;
    let input = json!("a cat");
    for (change, param) in [
        (json!({ "tools": [] }), "tools"),
        (json!({ "tools": [{ "type": "web_search" }] }), "tools"),
        (json!({ "input": null }), "input"),
        (json!({ "input": [] }), "input"),
        (
            json!({ "input": [{ "role": "assistant", "content": "a cat" }] }),
            "input",
        ),
        (
            json!({ "input": [{ "role": "user", "content": [{ "type": "input_image", "image_url": "data:," }] }] }),
            "input",
        ),
        (json!({ "input": "" }), "prompt"),
        (
            json!({ "previous_response_id": "resp_1" }),
            "previous_response_id",
        ),
        (
            json!({ "tools": [{ "type": "image_generation", "size": "17x17" }] }),
            "size",
        ),
    ] {
        let mut request = ask(&input);
        for (name, value) in change.as_object().expect("fields") {
            request[name] = value.clone();
        }
        assert_eq!(stage.post(PATH, &request).await.error(400)["param"], param);
    }
    assert_eq!(
        stage.post(PATH, &ask(&json!("a storm"))).await.error(500)["code"],
        "drawing_failed"
    );
}

#[tokio::test]
async fn a_stream_tells_each_step_in_order() {
    let stage = Stage::free().await;
    let mut request = ask(&json!("a cat"));
    request["stream"] = json!(true);
    request["tools"][0]["partial_images"] = json!(1);
    let events = Events::of(stage.open(json_request(PATH, &request)).await)
        .rest()
        .await;
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.image_generation_call.in_progress",
            "response.image_generation_call.generating",
            "response.image_generation_call.partial_image",
            "response.image_generation_call.completed",
            "response.output_item.done",
            "response.completed",
        ]
    );
    for (number, (name, event)) in events.iter().enumerate() {
        assert_eq!(event["type"], *name);
        assert_eq!(event["sequence_number"], number);
    }
    let whole = &events[8].1["response"];
    assert_eq!(whole["output"][0], events[7].1["item"]);
    assert!(
        events[5].1["partial_image_b64"]
            .as_str()
            .expect("text")
            .starts_with("iVBOR")
    );
}

#[tokio::test]
async fn a_stream_whose_drawing_fails_ends_with_the_reason() {
    let stage = Stage::free().await;
    let mut request = ask(&json!("a storm"));
    request["stream"] = json!(true);
    let events = Events::of(stage.open(json_request(PATH, &request)).await)
        .rest()
        .await;
    let (name, last) = events.last().expect("events");
    assert_eq!(name, "response.failed");
    assert_eq!(last["response"]["error"]["code"], "drawing_failed");
    assert_eq!(last["response"]["status"], "failed");
}
