//! `POST /v1/images/generations`, its pictures, and the models.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::picture::Background;
use serde_json::{Value, json};

use crate::stage::{HALF, Stage, request};

const PATH: &str = "/v1/images/generations";

fn format_of(encoded: &Value) -> &'static str {
    let bytes = BASE64
        .decode(encoded.as_str().expect("text"))
        .expect("base64");
    match &bytes[..4] {
        b"\x89PNG" => "png",
        b"RIFF" => "webp",
        [0xff, 0xd8, ..] => "jpeg",
        _ => "unknown",
    }
}

#[tokio::test]
async fn a_prompt_becomes_a_picture() {
    let stage = Stage::free().await;
    let answer = stage.drawn("a red apple").await;
    assert_eq!(answer["created"], 1_800_000_000);
    assert_eq!(answer["size"], "16x16");
    assert_eq!(answer["quality"], "medium");
    assert_eq!(answer["background"], "opaque");
    assert_eq!(answer["output_format"], "png");
    assert_eq!(answer["data"].as_array().expect("a list").len(), 1);
    let item = &answer["data"][0];
    assert_eq!(format_of(&item["b64_json"]), "png");
    assert!(
        item["picture_id"]
            .as_str()
            .expect("text")
            .starts_with("pic_")
    );
    assert!(item["seed"].is_u64());
    assert!(item.get("url").is_none());
    assert_eq!(
        answer["usage"],
        json!({ "input_tokens": 3, "input_tokens_details": { "text_tokens": 3, "image_tokens": 0 }, "output_tokens": 1, "total_tokens": 4 })
    );
}

#[tokio::test]
async fn every_field_that_is_honoured() {
    let stage = Stage::free().await;
    let body = json!({
        "prompt": "a boat", "model": "flexible", "n": 2, "size": "64x32", "quality": "hd",
        "background": "auto", "output_format": "jpeg", "output_compression": 40, "moderation": "low",
        "style": "vivid", "user": "someone", "safety_identifier": "someone", "stream": false,
        "partial_images": 0, "response_format": "b64_json", "seed": 41, "steps": 3, "guidance": 2.5,
        "negative_prompt": "rain", "private": false, "retention": "keep", "max_credits": 0,
        "frame": "gold",
    });
    let answer = stage.post(PATH, &body).await.json();
    assert_eq!(answer["quality"], "high");
    assert_eq!(answer["size"], "64x32");
    assert_eq!(answer["data"][1]["seed"], 42);
    assert_eq!(format_of(&answer["data"][0]["b64_json"]), "jpeg");
    assert_eq!(answer["usage"]["input_tokens"], 3);
    let job = &stage.jobs().await[0];
    assert_eq!(job["steps"], 3);
    assert_eq!(job["guidance"], 2.5);
    assert_eq!(job["negative_prompt"], "rain");
    assert_eq!(job["status"], "done");
    assert_eq!(job["progress"], 100);
    assert_eq!(job["id"], answer["job_id"]);
}

#[tokio::test]
async fn a_transparent_background_is_alpha_in_the_file() {
    let stage = Stage::free().await;
    let asked = async |more: Value| {
        let mut body = json!({ "prompt": "a boat", "model": "flexible" });
        let fields = more.as_object().expect("fields").clone();
        body.as_object_mut().expect("fields").extend(fields);
        stage.post(PATH, &body).await
    };
    let pixels = |answer: &Value| {
        let file = answer["data"][0]["b64_json"].as_str().expect("text");
        imaging::decode(&BASE64.decode(file).expect("base64")).expect("a picture")
    };
    for format in ["png", "webp"] {
        let body = json!({ "background": "transparent", "output_format": format });
        let answer = asked(body).await.json();
        assert_eq!(answer["background"], "transparent");
        let alpha = pixels(&answer).bytes().chunks(4).all(|one| one[3] == HALF);
        assert!(alpha, "{format}");
        assert_eq!(stage.jobs().await[0]["background"], "transparent");
        let path = format!(
            "/v1/pictures/{}/content",
            answer["data"][0]["picture_id"].as_str().expect("id")
        );
        let white = stage.get(&format!("{path}?format=jpeg")).await;
        let white = imaging::decode(&white.body).expect("a picture");
        assert_eq!(white.background(), Background::Opaque);
    }
    // Where nothing is said, the words say it; where something is, they don't.
    for (prompt, background, told) in [
        ("a boat with no background", "auto", "transparent"),
        ("a boat on a Transparent background", "auto", "transparent"),
        ("a boat on a transparent background", "opaque", "opaque"),
        ("a transparent boat", "auto", "opaque"),
    ] {
        let answer = asked(json!({ "prompt": prompt, "background": background }))
            .await
            .json();
        assert_eq!(answer["background"], told, "{prompt}");
        assert_eq!(pixels(&answer).background().name(), told, "{prompt}");
    }
    let jpeg = json!({ "background": "transparent", "output_format": "jpeg" });
    assert_eq!(asked(jpeg).await.error(400)["param"], "background");
    let never = json!({ "background": "transparent", "model": "scripted" });
    assert_eq!(asked(never).await.error(400)["code"], "unsupported_value");
    let worded = json!({ "prompt": "a boat on a transparent background", "model": "scripted" });
    assert_eq!(asked(worded).await.json()["background"], "opaque");

    let models = stage.get("/v1/models").await.json();
    let backgrounds = |name: &str| {
        let all = models["data"].as_array().expect("models");
        let one = all.iter().find(|one| one["id"] == name).expect("the model");
        one["capabilities"]["backgrounds"].clone()
    };
    assert_eq!(backgrounds("scripted"), json!(["opaque"]));
    assert_eq!(backgrounds("flexible"), json!(["opaque", "transparent"]));
}

#[tokio::test]
async fn nulls_are_as_good_as_absent() {
    let stage = Stage::free().await;
    let body = json!({ "prompt": "a boat", "model": null, "n": null, "size": null, "stream": null, "seed": null });
    assert_eq!(stage.post(PATH, &body).await.status, 200);
}

#[tokio::test]
async fn qualities_mean_steps() {
    let stage = Stage::free().await;
    for (quality, steps, told) in [
        ("low", 2, "low"),
        ("auto", 4, "medium"),
        ("standard", 4, "medium"),
        ("high", 8, "high"),
        ("xhigh", 8, "high"),
        ("max", 8, "high"),
    ] {
        stage.studio.clock.advance_millis(1);
        let answer = stage
            .post(PATH, &json!({ "prompt": "a boat", "quality": quality }))
            .await
            .json();
        assert_eq!(answer["quality"], told);
        assert_eq!(stage.jobs().await[0]["steps"], steps);
    }
}

#[tokio::test]
async fn a_url_fetches_the_picture_in_its_format() {
    let stage = Stage::free().await;
    for (format, media_type) in [
        ("png", "image/png"),
        ("webp", "image/webp"),
        ("jpeg", "image/jpeg"),
    ] {
        let body = json!({ "prompt": "a boat", "response_format": "url", "output_format": format });
        let answer = stage.post(PATH, &body).await.json();
        assert!(answer["data"][0].get("b64_json").is_none());
        let url = answer["data"][0]["url"].as_str().expect("text").to_owned();
        let path = url
            .strip_prefix("http://localhost:8080")
            .expect("the address that was asked");
        let file = stage.get(path).await;
        assert_eq!(file.header("content-type"), media_type);
        assert_eq!(file.header("cache-control"), "private, no-cache");
        let again =
            request(axum::http::Method::GET, path).header("if-none-match", file.header("etag"));
        let again = stage
            .send(again.body(axum::body::Body::empty()).expect("a request"))
            .await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
        let saved = stage
            .get(&format!(
                "{}?format={format}&download=1",
                path.split('?').next().expect("a path")
            ))
            .await;
        assert!(
            saved
                .header("content-disposition")
                .starts_with("attachment; filename=\"pic_")
        );
        assert!(
            saved
                .header("content-disposition")
                .ends_with(&format!(".{format}\""))
        );
        assert_eq!(saved.body, file.body);
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_picture() {
    let stage = Stage::free().await;
    let mut pictures = Vec::new();
    for seed in [7, 7, 8] {
        let answer = stage
            .post(PATH, &json!({ "prompt": "a boat", "seed": seed }))
            .await
            .json();
        pictures.push(answer["data"][0]["b64_json"].clone());
    }
    assert_eq!(pictures[0], pictures[1]);
    assert_ne!(pictures[0], pictures[2]);
}

#[tokio::test]
async fn a_failed_drawing_is_an_error_that_leaks_nothing() {
    let stage = Stage::free().await;
    let answer = stage.post(PATH, &json!({ "prompt": "a storm" })).await;
    let error = answer.error(500);
    assert_eq!(error["code"], "drawing_failed");
    assert_eq!(error["type"], "server_error");
    assert!(!answer.text().contains("cable"));
}

#[tokio::test]
async fn words_that_were_left_out_are_named() {
    let stage = Stage::free().await;
    assert_eq!(
        stage.drawn("a zeppelin").await["unknown_words"],
        json!(["zeppelin"])
    );
}

#[tokio::test]
async fn models_are_listed_and_found() {
    let stage = Stage::free().await;
    let listed = stage.get("/v1/models").await.json();
    assert_eq!(listed["object"], "list");
    let model = stage.get("/v1/models/scripted").await.json();
    assert_eq!(listed["data"][0], model);
    assert_eq!(model["object"], "model");
    assert_eq!(model["owned_by"], "pinhole");
    assert_eq!(model["where"], "here");
    assert_eq!(model["licence"], "Apache-2.0");
    assert_eq!(model["price"]["credits_per_picture"], 0);
    assert!(model["created"].as_i64().expect("a number") > 0);
    assert_eq!(
        model["capabilities"]["steps"],
        json!({ "min": 1, "max": 20, "default": 4 })
    );
    let missing = stage.get("/v1/models/nowhere").await.error(404);
    assert_eq!(missing["code"], "model_not_found");
    assert!(
        missing["message"]
            .as_str()
            .expect("text")
            .contains("scripted")
    );
}

#[tokio::test]
async fn the_program_says_that_it_lives() {
    let stage = Stage::free().await;
    assert_eq!(stage.get("/healthz").await.status, 200);
    assert_eq!(stage.get("/readyz").await.status, 200);
    stage.studio.db.close().await;
    assert_eq!(stage.get("/healthz").await.status, 200);
    assert_eq!(stage.get("/readyz").await.status, 500);
}
