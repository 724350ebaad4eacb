//! What somebody finds again among their pictures, and what they do with several at once.

use std::io::{Cursor, Read};

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::browser::{Browser, person_of};
use crate::stage::{Answer, Stage, borrowed, json as posted, priced, request};

const DAY_MS: i64 = 86_400_000;
const ANNA: &str = "anna@example.org";
const BO: &str = "bo@example.org";

async fn found(stage: &Stage, query: &str) -> Vec<String> {
    let answer = stage.get(&format!("/v1/pictures?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let listed = answer.json();
    let prompts = listed["data"].as_array().expect("a list").iter();
    prompts
        .map(|one| one["prompt"].as_str().expect("a prompt").to_owned())
        .collect()
}

/// Draws one a moment later than the one before, since ids sort by time.
async fn drawn(stage: &Stage, prompt: &str) -> String {
    stage.studio.clock.advance_millis(1);
    id(&stage.drawn(prompt).await)
}

fn id(drawn: &Value) -> String {
    drawn["data"][0]["picture_id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

fn patch(path: &str, body: &Value) -> Request<Body> {
    let mut request = posted(path, body);
    *request.method_mut() = Method::PATCH;
    request
}

/// The names in an archive with their bytes.
pub(crate) fn unpacked(answer: &Answer) -> Vec<(String, Vec<u8>)> {
    assert_eq!(answer.header("content-type"), "application/zip");
    let mut archive = zip::ZipArchive::new(Cursor::new(&answer.body)).expect("a ZIP");
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).expect("a file");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("its bytes");
        files.push((file.name().expect("a name").into_owned(), bytes));
    }
    files
}

#[tokio::test]
async fn words_are_found_in_capitals_or_not_and_all_of_them() {
    let stage = Stage::free().await;
    for prompt in ["a red Apple", "a green apple", "zwei ÄPFEL", "100% of a_b"] {
        drawn(&stage, prompt).await;
    }
    assert_eq!(
        found(&stage, "words=APPLE").await,
        ["a green apple", "a red Apple"]
    );
    assert_eq!(found(&stage, "words=apple+RED").await, ["a red Apple"]);
    assert_eq!(found(&stage, "words=%C3%A4pfel").await, ["zwei ÄPFEL"]);
    // Nothing in what is looked for has a meaning of its own.
    assert_eq!(found(&stage, "words=%25").await, ["100% of a_b"]);
    assert_eq!(found(&stage, "words=a_b").await, ["100% of a_b"]);
    assert_eq!(found(&stage, "words=a.b").await, [""; 0]);
    let page = stage.get("/pictures?words=red+apple").await.text();
    assert!(page.contains("alt=\"a red Apple\"") && !page.contains("alt=\"a green apple\""));
    assert!(
        page.contains("value=\"red apple\""),
        "the words stay in the field"
    );
    let none = stage.get("/pictures?words=zebra").await.text();
    assert!(none.contains("No picture of yours fits."));
}

#[tokio::test]
async fn model_kind_day_and_favourites_narrow_it_down() {
    let stage = Stage::free().await;
    let first = drawn(&stage, "the first").await;
    stage.studio.clock.advance_millis(DAY_MS);
    let flexible = json!({ "prompt": "the second", "model": "flexible" });
    stage.post("/v1/images/generations", &flexible).await;
    let varied = json!({ "variation_of": first });
    stage.post("/v1/images/generations", &varied).await;

    assert_eq!(found(&stage, "model=flexible").await, ["the second"]);
    assert_eq!(
        found(&stage, "model=scripted&kind=drawing").await,
        ["the first"]
    );
    assert_eq!(found(&stage, "kind=variation").await, ["the first"]);
    // The stage's clock began on 15 January 2027.
    assert_eq!(found(&stage, "until=2027-01-15").await, ["the first"]);
    assert_eq!(found(&stage, "from=2027-01-16").await.len(), 2);
    assert_eq!(
        found(&stage, "from=2027-01-15&until=2027-01-16")
            .await
            .len(),
        3
    );
    assert_eq!(found(&stage, "from=2027-01-17").await.len(), 0);

    let marked = stage.send(patch(
        &format!("/v1/pictures/{first}"),
        &json!({ "favourite": true }),
    ));
    assert_eq!(marked.await.json()["favourite"], true);
    assert_eq!(found(&stage, "favourite=1").await, ["the first"]);
    assert_eq!(found(&stage, "favourite=true&words=second").await.len(), 0);
    let page = stage.get("/pictures?model=flexible").await.text();
    assert!(
        page.contains("<option selected>flexible</option>"),
        "{page}"
    );
}

#[tokio::test]
async fn what_can_not_be_looked_for_is_said() {
    let stage = Stage::free().await;
    drawn(&stage, "a boat").await;
    let long = "x".repeat(201);
    for (query, param) in [
        (format!("words={long}"), "words"),
        ("kind=song".to_owned(), "kind"),
        ("from=yesterday".to_owned(), "from"),
        ("until=2027-02-30".to_owned(), "until"),
        ("from=2027-01-02&until=2027-01-01".to_owned(), "until"),
        ("favourite=perhaps".to_owned(), "favourite"),
    ] {
        let refused = stage.get(&format!("/v1/pictures?{query}")).await.error(400);
        assert_eq!(refused["param"], param, "{query}");
        let page = stage.get(&format!("/pictures?{query}")).await;
        assert_eq!(page.status, 400);
        let says = refused["message"].as_str().expect("a message");
        assert!(page.text().contains(says), "{query}");
    }
}

#[tokio::test]
async fn a_search_goes_on_from_page_to_page() {
    let stage = Stage::free().await;
    for n in 0..7 {
        drawn(&stage, &format!("cat {n}")).await;
        drawn(&stage, &format!("dog {n}")).await;
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let answer = stage
            .get(&format!("/v1/pictures?words=cat&limit=3{after}"))
            .await
            .json();
        let page = answer["data"].as_array().expect("a list");
        seen.extend(
            page.iter()
                .map(|one| one["prompt"].as_str().expect("words").to_owned()),
        );
        assert_eq!(answer["has_more"], !answer["next"].is_null());
        match answer["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let newest_first: Vec<String> = (0..7).rev().map(|n| format!("cat {n}")).collect();
    assert_eq!(seen, newest_first);
}

#[tokio::test]
async fn several_are_downloaded_with_a_list_and_nobody_elses() {
    let stage = Stage::free().await;
    let (anna, bo) = (Browser::new(&stage), Browser::new(&stage));
    anna.welcome(ANNA).await;
    bo.sign_up(BO).await;
    let apple = picture_of(&anna, ANNA, "a red apple").await;
    let boat = picture_of(&anna, ANNA, "a boat").await;
    let secret = picture_of(&bo, BO, "a secret").await;

    let chosen = [
        ("do", "download"),
        ("picture", &apple),
        ("picture", &secret),
        ("picture", &boat),
    ];
    let answer = anna.submit("/pictures/chosen", &chosen).await;
    assert_eq!(
        answer.header("content-disposition"),
        "attachment; filename=\"pinhole-pictures.zip\""
    );
    let files = unpacked(&answer);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            &format!("{apple}.png"),
            &format!("{boat}.png"),
            "pictures.json"
        ]
    );
    let original = anna.get(&format!("/v1/pictures/{apple}/content")).await;
    assert_eq!(files[0].1, original.body);
    let list: Value = serde_json::from_slice(&files[2].1).expect("JSON");
    let prompts: Vec<&Value> = list
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["prompt"])
        .collect();
    assert_eq!(prompts, ["a red apple", "a boat"]);

    let alone = anna
        .submit(
            "/pictures/chosen",
            &[("do", "download"), ("picture", &secret)],
        )
        .await;
    assert_eq!(alone.status, 404);
    for verb in ["mark", "delete-for-good"] {
        anna.submit("/pictures/chosen", &[("do", verb), ("picture", &secret)])
            .await;
    }
    let theirs = bo.get(&format!("/v1/pictures/{secret}")).await;
    assert_eq!(
        (theirs.status.as_u16(), &theirs.json()["favourite"]),
        (200, &json!(false))
    );
}

/// Draws one in a browser and gives its id.
pub(crate) async fn picture_of(browser: &Browser<'_>, address: &str, prompt: &str) -> String {
    let page = browser.get("/").await.text();
    let fields = priced(&page, &[("prompt", prompt), ("count", "1")]);
    let placed = browser.submit("/draw", &borrowed(&fields)).await;
    assert_eq!(placed.status, 303, "{}", placed.text());
    let job = placed.header("location").trim_start_matches("/#").parse();
    let studio = &browser.stage.studio;
    let person = person_of(browser.stage, address).await;
    let job = studio::jobs::wait(studio, person, job.expect("an id")).await;
    let job = job.expect("reads").expect("a job");
    job.pictures.first().expect("a picture").id.to_string()
}

#[tokio::test]
async fn several_are_deleted_after_a_look_at_what_goes() {
    let stage = Stage::free().await;
    let answer = stage
        .post(
            "/v1/images/generations",
            &json!({ "prompt": "three boats", "n": 3 }),
        )
        .await
        .json();
    let ids: Vec<String> = (0..3)
        .map(|n| {
            answer["data"][n]["picture_id"]
                .as_str()
                .expect("an id")
                .to_owned()
        })
        .collect();
    let chosen = |verb: &'static str, which: std::ops::Range<usize>| {
        let mut fields = vec![("do", verb), ("back", "/pictures?words=boats")];
        fields.extend(ids[which].iter().map(|id| ("picture", id.as_str())));
        fields
    };
    let sure = stage
        .submit("/pictures/chosen", &chosen("delete", 0..2))
        .await
        .text();
    assert!(sure.contains("Delete 2 pictures?"), "{sure}");
    assert_eq!(found(&stage, "").await.len(), 3, "only asked so far");
    let done = stage
        .submit("/pictures/chosen", &chosen("delete-for-good", 0..2))
        .await;
    assert_eq!(done.header("location"), "/pictures?words=boats");
    assert_eq!(found(&stage, "").await.len(), 1);
    assert_eq!(stage.jobs().await.len(), 1, "one of its pictures is left");
    stage
        .submit("/pictures/chosen", &chosen("delete-for-good", 0..3))
        .await;
    assert_eq!(
        stage.jobs().await.len(),
        0,
        "its words went with its last picture"
    );
    assert_eq!(
        stage
            .studio
            .shelf
            .keys("pictures")
            .await
            .expect("lists")
            .len(),
        0
    );
}

#[tokio::test]
async fn favourites_are_marked_one_by_one_or_together() {
    let stage = Stage::free().await;
    let (one, other) = (drawn(&stage, "one").await, drawn(&stage, "other").await);
    let path = format!("/pictures/{one}/favourite");
    assert_eq!(
        stage.submit(&path, &[("on", "1")]).await.header("location"),
        format!("/pictures/{one}")
    );
    assert_eq!(found(&stage, "favourite=1").await, ["one"]);
    assert_eq!(stage.submit_part(&path, &[("on", "")]).await.status, 204);
    assert_eq!(found(&stage, "favourite=1").await.len(), 0);
    let both = [
        ("do", "mark"),
        ("picture", one.as_str()),
        ("picture", other.as_str()),
    ];
    stage.submit("/pictures/chosen", &both).await;
    assert_eq!(found(&stage, "favourite=1").await.len(), 2);
    let gone = "/pictures/pic_01ARZ3NDEKTSV4RRFFQ69G5FAV/favourite";
    assert_eq!(stage.submit(gone, &[("on", "1")]).await.status, 404);
}

#[tokio::test]
async fn a_choice_of_nothing_or_of_too_much_is_refused() {
    let stage = Stage::free().await;
    let picture = drawn(&stage, "one").await;
    let none = stage
        .submit("/pictures/chosen", &[("do", "download")])
        .await;
    assert_eq!(none.status, 400);
    assert!(none.text().contains("Tick at least one."));
    let many = vec![("picture", picture.as_str()); 501];
    let fields = [vec![("do", "mark")], many].concat();
    assert_eq!(stage.submit("/pictures/chosen", &fields).await.status, 400);
    let unknown = [("do", "burn"), ("picture", picture.as_str())];
    assert_eq!(stage.submit("/pictures/chosen", &unknown).await.status, 400);
    let elsewhere = [
        ("do", "mark"),
        ("picture", picture.as_str()),
        ("back", "//evil.example"),
    ];
    assert_eq!(
        stage
            .submit("/pictures/chosen", &elsewhere)
            .await
            .header("location"),
        "/"
    );
    for ids in [
        json!([]),
        json!("pic_1"),
        json!([1]),
        json!(vec![picture.clone(); 501]),
        Value::Null,
    ] {
        let refused = stage
            .post("/v1/pictures/archive", &json!({ "ids": ids }))
            .await;
        assert_eq!(refused.error(400)["param"], "ids");
    }
    let archived = stage
        .post("/v1/pictures/archive", &json!({ "ids": [picture] }))
        .await;
    assert_eq!(unpacked(&archived).len(), 2);
}

#[tokio::test]
async fn a_variation_takes_over_everything_but_its_noise() {
    let stage = Stage::free().await;
    let order = json!({ "prompt": "a boat", "model": "flexible", "size": "48x32", "steps": 3,
        "guidance": 5.0, "negative_prompt": "fog", "seed": 7, "background": "transparent" });
    let parent = stage.post("/v1/images/generations", &order).await.json();
    let parent = id(&parent);
    let page = stage
        .submit("/draw/variations", &[("picture", &parent)])
        .await;
    let job = page.header("location").trim_start_matches("/#").to_owned();
    stage.over(&job).await;
    let varied = stage.get(&format!("/v1/jobs/{job}")).await.json();
    for (field, value) in [
        ("prompt", json!("a boat")),
        ("negative_prompt", json!("fog")),
        ("model", json!("flexible")),
        ("size", json!("48x32")),
        ("steps", json!(3)),
        ("guidance", json!(5.0)),
        ("background", json!("transparent")),
        ("n", json!(4)),
    ] {
        assert_eq!(varied[field], value, "{field}");
    }
    assert_eq!(varied["pictures"][0]["kind"], "variation");
    let again = stage.submit("/draw/again", &[("job", &job)]).await;
    let again = again.header("location").trim_start_matches("/#").to_owned();
    stage.over(&again).await;
    let again = stage.get(&format!("/v1/jobs/{again}")).await.json();
    assert_eq!(
        again["pictures"][0]["kind"], "variation",
        "drawn again, it still is one"
    );

    let path = "/v1/images/generations";
    let other = json!({ "variation_of": parent, "prompt": "a ship", "seed": 9 });
    let other = stage.post(path, &other).await.json();
    assert_eq!(other["data"][0]["seed"], 9);
    for (field, value) in [("model", json!("scripted")), ("size", json!("16x16"))] {
        let order = json!({ "variation_of": parent, field: value });
        assert_eq!(stage.post(path, &order).await.error(400)["param"], field);
    }
    for wrong in ["pic_1", "pic_01ARZ3NDEKTSV4RRFFQ69G5FAV", ""] {
        let order = json!({ "variation_of": wrong });
        assert_eq!(
            stage.post(path, &order).await.error(400)["param"],
            "variation_of"
        );
    }
    assert_eq!(
        stage.post(path, &json!({})).await.error(400)["param"],
        "prompt"
    );
}

#[tokio::test]
async fn somebody_elses_picture_can_not_be_varied() {
    let stage = Stage::free().await;
    let (anna, bo) = (Browser::new(&stage), Browser::new(&stage));
    anna.welcome(ANNA).await;
    bo.sign_up(BO).await;
    let secret = picture_of(&bo, BO, "a secret").await;
    let tried = anna
        .submit(
            "/draw/variations",
            &[("picture", &secret), ("agreed", "100")],
        )
        .await;
    assert_eq!(tried.status, 400);
    assert!(!tried.text().contains("a secret"));
    let own = picture_of(&anna, ANNA, "a boat").await;
    let unagreed = anna.submit("/draw/variations", &[("picture", &own)]).await;
    assert_eq!(unagreed.status, 409, "the price was never shown");
    let agreed = anna
        .submit("/draw/variations", &[("picture", &own), ("agreed", "8")])
        .await;
    assert_eq!(agreed.status, 303, "{}", agreed.text());
}

#[tokio::test]
async fn a_visitor_sees_what_this_is_and_gets_no_cookie() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let landing = stage.get("/").await;
    assert_eq!(landing.status, 200);
    assert_eq!(landing.header("set-cookie"), "");
    let page = landing.text();
    assert!(page.contains("href=\"/sign-up\"") && page.contains("href=\"/sign-in\""));
    assert!(!page.contains("href=\"/account\"") && !page.contains("<script"));
    assert!(page.contains("200 credits"), "what a new account is given");
    let asked = request(Method::GET, "/?remix=job_1").body(Body::empty());
    let remix = Answer::read(stage.open(asked.expect("a request")).await).await;
    assert_eq!(
        remix.header("location"),
        "/sign-in?next=%2F%3Fremix%3Djob_1"
    );
}
