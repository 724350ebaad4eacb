//! What things cost, on the pages and in the API: quoted before, charged after, and told.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use crate::browser::{Browser, person_of};
use crate::stage::{Answer, Fields, Stage, borrowed, json as json_request, request};

const DRAW: &str = "/v1/images/generations";

/// A stage whose person has the welcome grant of 200 credits. A picture of the first model in its
/// own size and four steps costs 2.
async fn metered() -> Stage {
    let stage = Stage::free().await;
    stage.meter().await;
    stage
}

async fn left(stage: &Stage) -> i64 {
    let answer = stage.get("/v1/credits").await.json();
    answer["available"].as_i64().expect("a number")
}

fn order(prompt: &str, count: u32) -> Value {
    json!({ "prompt": prompt, "n": count })
}

/// The same fields, one of them with another value.
fn with<'a>(fields: &Fields<'a>, changed: &str, to: &'a str) -> Fields<'a> {
    let pairs = fields
        .iter()
        .map(|(name, value)| (*name, if *name == changed { to } else { *value }));
    pairs.collect()
}

#[tokio::test]
async fn where_nothing_is_metered_nothing_has_a_price() {
    let stage = Stage::free().await;
    let answer = stage.drawn("a boat").await;
    assert_eq!(answer["credits"], json!({ "quoted": 0, "charged": 0 }));
    let credits = stage.get("/v1/credits").await.json();
    assert_eq!(credits["metered"], false);
    assert!(credits["available"].is_null());
    let model = stage.get("/v1/models/scripted").await.json();
    assert_eq!(model["price"]["credits_per_picture"], 0);
    for page in ["/", "/credits"] {
        let html = stage.get(page).await.text();
        assert!(!html.contains("2 credits"), "{html}");
    }
    let all = stage.get("/v1/credits/entries").await.json();
    assert_eq!(all["data"], json!([]));
}

#[tokio::test]
async fn an_order_is_quoted_held_and_charged() {
    let stage = Stage::halted().await;
    stage.meter().await;
    let model = stage.get("/v1/models/scripted").await.json();
    assert_eq!(model["price"]["credits_per_picture"], 2);
    assert_eq!(model["price"]["by_steps"], true);
    assert_eq!(
        model["price"]["sizes"][0],
        json!({ "up_to": "256x256", "credits": 2 })
    );

    let job = stage.async_order(&order("a boat", 3)).await;
    assert_eq!(job["credits"], json!({ "quoted": 6, "charged": null }));
    let credits = stage.get("/v1/credits").await.json();
    assert_eq!(
        (&credits["available"], &credits["held"]),
        (&json!(194), &json!(6))
    );
    assert_eq!(credits["grants"][0]["remaining"], 194);

    stage.allow_steps(100);
    stage.over(job["id"].as_str().expect("an id")).await;
    let credits = stage.get("/v1/credits").await.json();
    assert_eq!(
        (&credits["available"], &credits["held"]),
        (&json!(194), &json!(0))
    );
    assert_eq!(
        stage.jobs().await[0]["credits"],
        json!({ "quoted": 6, "charged": 6 })
    );
    let picture = stage.get("/v1/pictures").await.json()["data"][0].clone();
    assert_eq!(picture["credits"], 2);
}

#[tokio::test]
async fn promise_pay_02_what_fails_or_is_cancelled_costs_nothing() {
    let stage = metered().await;
    let failed = stage.post(DRAW, &order("a storm", 4)).await;
    assert_eq!(failed.status, 500);
    assert_eq!(left(&stage).await, 200);

    let stage = Stage::halted().await;
    stage.meter().await;
    let job = stage.async_order(&order("a boat", 4)).await;
    assert_eq!(left(&stage).await, 192);
    let id = job["id"].as_str().expect("an id");
    let cancelled = stage
        .post(&format!("/v1/jobs/{id}/cancel"), &json!({}))
        .await;
    assert_eq!(
        cancelled.json()["credits"],
        json!({ "quoted": 8, "charged": 0 })
    );
    assert_eq!(left(&stage).await, 200);
}

#[tokio::test]
async fn four_asked_and_two_refused_costs_two() {
    let stage = metered().await;
    let body = json!({ "prompt": "a squall", "n": 4, "seed": 10 });
    let answer = stage.post(DRAW, &body).await.json();
    assert_eq!(answer["data"].as_array().expect("a list").len(), 2);
    assert_eq!(answer["credits"], json!({ "quoted": 8, "charged": 4 }));
    assert_eq!(left(&stage).await, 196);
    let html = stage.get("/").await.text();
    assert!(html.contains("4 of 8 credits"), "{html}");
    let statement = stage.get("/credits").await.text();
    assert!(statement.contains("2 of 4 pictures"), "{statement}");
}

#[tokio::test]
async fn an_order_above_its_own_limit_is_refused() {
    let stage = metered().await;
    let body = |max: u32| json!({ "prompt": "a boat", "n": 2, "max_credits": max });
    let error = stage.post(DRAW, &body(3)).await.error(400);
    assert_eq!(error["code"], "max_credits_exceeded");
    assert_eq!(error["param"], "max_credits");
    assert!(
        error["message"]
            .as_str()
            .expect("text")
            .contains("4 credits")
    );
    assert_eq!(left(&stage).await, 200);
    assert!(stage.jobs().await.is_empty());
    assert_eq!(stage.post(DRAW, &body(4)).await.status, 200);
    assert_eq!(left(&stage).await, 196);
}

#[tokio::test]
async fn who_has_too_little_is_told_what_to_do() {
    let stage = metered().await;
    // 200 credits are 10 orders of 20.
    let body = json!({ "prompt": "a boat", "n": 10 });
    for _ in 0..10 {
        assert_eq!(stage.post(DRAW, &body).await.status, 200);
    }
    let error = stage.post(DRAW, &order("a boat", 1)).await.error(402);
    assert_eq!(error["code"], "insufficient_credits");
    let message = error["message"].as_str().expect("text");
    assert!(
        message.contains("costs 2 credits") && message.contains("have 0"),
        "{message}"
    );
    let fields = stage.priced(&[("prompt", "a boat"), ("count", "1")]).await;
    let page = stage.submit("/draw", &borrowed(&fields)).await;
    assert_eq!(page.status, 402);
    assert!(page.text().contains("costs 2 credits"), "{}", page.text());
}

#[tokio::test]
async fn the_button_says_what_each_choice_costs() {
    let stage = metered().await;
    let html = stage.get("/?model=flexible").await.text();
    for (classes, says) in [
        ("n1 medium s0", "Draw 1 · 2 credits"),
        ("n1 low s0", "Draw 1 · 1 credit"),
        ("n4 high s0", "Draw 4 · 16 credits"),
    ] {
        let label = html
            .split(&format!("class=\"{classes}\""))
            .nth(1)
            .expect(classes);
        let text = label.split('>').nth(1).expect("text");
        assert!(text.starts_with(says), "{classes}: {text}");
    }
    assert!(html.contains("200 credits left"));
}

#[tokio::test]
async fn nothing_is_drawn_at_a_price_that_the_page_did_not_show() {
    let stage = metered().await;
    let asked = [("prompt", "a boat"), ("count", "2"), ("steps", "20")];
    let shown = stage.priced(&asked).await;
    let fields = borrowed(&shown);
    // Steps were written without a script that reckons: the page asks once more.
    let again = stage.submit("/draw", &fields).await;
    assert_eq!(again.status, 409);
    let html = again.text();
    assert!(html.contains("This costs 20 credits now"), "{html}");
    assert!(html.contains("Draw 2 · 20 credits"), "{html}");
    assert!(stage.jobs().await.is_empty());
    // What it shows now is agreed to.
    let agreed = with(&fields, "priced_steps", "20");
    assert_eq!(stage.submit("/draw", &agreed).await.status, 303);
    assert_eq!(left(&stage).await, 180);
    // Prices of another day are not agreed to, nor is a form that shows none.
    let stale = with(&agreed, "prices", "0");
    assert_eq!(stage.submit("/draw", &stale).await.status, 409);
    let job = stage.jobs().await[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    for agreed in ["19", ""] {
        let page = stage
            .submit("/draw/again", &[("job", &job), ("agreed", agreed)])
            .await;
        assert_eq!(page.status, 409, "{}", page.text());
    }
    let page = stage
        .submit("/draw/again", &[("job", &job), ("agreed", "20")])
        .await;
    assert_eq!(page.status, 303);
}

#[tokio::test]
async fn promise_gen_04_a_statement_sums_to_the_balance_line_by_line() {
    let stage = metered().await;
    for (prompt, count) in [("a boat", 2), ("a storm", 1), ("=a cat", 3)] {
        stage.studio.clock.advance_millis(1_000);
        stage.post(DRAW, &order(prompt, count)).await;
    }
    // In pages of two, newest first.
    let mut entries = Vec::new();
    let mut after = String::new();
    loop {
        let page = stage
            .get(&format!("/v1/credits/entries?limit=2{after}"))
            .await
            .json();
        let data = page["data"].as_array().expect("a list").clone();
        after = format!(
            "&after={}",
            data.last().expect("an entry")["id"]
                .as_str()
                .expect("an id")
        );
        entries.extend(data);
        if page["has_more"] == false {
            break;
        }
    }
    let kinds: Vec<&str> = entries
        .iter()
        .map(|entry| entry["kind"].as_str().expect("text"))
        .collect();
    assert_eq!(
        kinds,
        [
            "capture", "hold", "void", "hold", "capture", "hold", "grant"
        ]
    );
    let (mut available, mut held) = (0, 0);
    for entry in entries.iter().rev() {
        available += entry["available"].as_i64().expect("a number");
        held += entry["held"].as_i64().expect("a number");
        assert_eq!(entry["available_after"], available);
        assert_eq!(entry["held_after"], held);
    }
    assert_eq!((available, held), (left(&stage).await, 0));
    assert_eq!(available, 190);

    // The downloads hold the same, oldest first.
    let json = stage.get("/credits/statement.json").await;
    entries.reverse();
    assert_eq!(json.json(), Value::Array(entries));
    let csv = stage.get("/credits/statement.csv").await;
    assert!(csv.header("content-disposition").contains("attachment"));
    let lines: Vec<String> = csv.text().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 8);
    assert!(lines[7].ends_with(",190"), "{}", lines[7]);
    let page = stage.get("/credits").await.text();
    assert!(
        page.contains("190 credits") && page.contains("Nothing drawn, nothing charged"),
        "{page}"
    );
}

#[tokio::test]
async fn a_wrong_cursor_finds_nothing() {
    let stage = metered().await;
    let error = stage
        .get("/v1/credits/entries?after=ent_1")
        .await
        .error(400);
    assert_eq!(error["param"], "after");
    let other = "ent_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let page = stage
        .get(&format!("/v1/credits/entries?after={other}"))
        .await
        .json();
    assert_eq!(page["data"], json!([]));
}

/// A fresh key of somebody who is signed in.
async fn key(browser: &Browser<'_>, limit: &str) -> String {
    let fields = [
        ("name", "a program"),
        ("scope", "draw"),
        ("scope", "account:read"),
        ("limit", limit),
    ];
    let made = browser.submit("/account/keys", &fields).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let page = made.text();
    let at = page.find("<code>pin_").expect("a key") + "<code>".len();
    page[at..at + 47].to_owned()
}

async fn post_with(stage: &Stage, key: &str, body: &Value) -> Answer {
    let mut request = json_request(DRAW, body);
    let bearer = format!("Bearer {key}").parse().expect("a header");
    request.headers_mut().insert("authorization", bearer);
    stage.send(request).await
}

async fn left_with(stage: &Stage, key: &str) -> i64 {
    let request = request(Method::GET, "/v1/credits")
        .header("authorization", format!("Bearer {key}"))
        .body(Body::empty());
    let answer = stage.send(request.expect("a request")).await;
    answer.json()["available"].as_i64().expect("a number")
}

#[tokio::test]
async fn everyone_with_an_account_is_welcomed_and_pays_alone() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome("anna@example.org").await;
    let bo = Browser::new(&stage);
    bo.sign_up("bo@example.org").await;
    let (annas, bos) = (key(&anna, "").await, key(&bo, "").await);
    assert_eq!(
        post_with(&stage, &annas, &order("a boat", 3)).await.status,
        200
    );
    assert_eq!(left_with(&stage, &annas).await, 194);
    assert_eq!(left_with(&stage, &bos).await, 200);
    let page = bo.get("/credits").await.text();
    assert!(
        page.contains("200 credits") && page.contains("Welcome"),
        "{page}"
    );
    assert!(!page.contains("a boat"));
}

#[tokio::test]
async fn a_key_spends_no_more_than_its_own_limit() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome("anna@example.org").await;
    let limited = key(&anna, "7").await;
    let other = key(&anna, "").await;
    assert_eq!(
        post_with(&stage, &limited, &order("a boat", 2))
            .await
            .status,
        200
    );
    // What cost nothing was not spent.
    assert_eq!(
        post_with(&stage, &limited, &order("a storm", 1))
            .await
            .status,
        500
    );
    let refused = post_with(&stage, &limited, &order("a boat", 2)).await;
    let error = refused.error(402);
    assert_eq!(error["code"], "key_limit_reached");
    let message = error["message"].as_str().expect("text");
    assert!(
        message.contains("costs 4") && message.contains("3 more of its 7"),
        "{message}"
    );
    assert_eq!(
        post_with(&stage, &limited, &order("a boat", 1))
            .await
            .status,
        200
    );
    assert_eq!(
        post_with(&stage, &other, &order("a boat", 2)).await.status,
        200
    );
    assert_eq!(left_with(&stage, &limited).await, 190);
    let page = anna.get("/account/keys").await.text();
    assert!(page.contains("6 credits spent"), "{page}");
}

#[tokio::test]
async fn an_operator_gives_credits_with_a_reason_and_an_end() {
    let stage = Stage::free().await;
    let operator = Browser::new(&stage);
    operator.welcome("op@example.org").await;
    let bo = Browser::new(&stage);
    bo.sign_up("bo@example.org").await;
    assert_eq!(bo.get("/credits/grants").await.status, 403);
    operator.on_duty(domain::role::Role::Operator).await;

    let page = operator.get("/credits/grants").await.text();
    let id = page.split("name=\"id\" value=\"").nth(1).expect("an id");
    let id = id.split('"').next().expect("an id").to_owned();
    // The stage's clock stands on 15 January 2027.
    let gift = |changed: &'static str, to: &'static str| -> Vec<(String, String)> {
        [
            ("id", id.as_str()),
            ("address", "Bo@example.org"),
            ("credits", "50"),
            ("reason", "for the workshop"),
            ("until", "2027-01-31"),
        ]
        .iter()
        .map(|(name, value)| {
            let value = if *name == changed { to } else { value };
            ((*name).to_owned(), value.to_owned())
        })
        .collect()
    };
    for (field, wrong) in [
        ("address", "bo"),
        ("address", "nobody@example.org"),
        ("credits", "0"),
        ("credits", "many"),
        ("reason", " "),
        ("until", "2020-01-01"),
        ("until", "soon"),
    ] {
        let fields = gift(field, wrong);
        let refused = operator.submit("/credits/grants", &borrowed(&fields)).await;
        assert_eq!(refused.status, 400, "{field}: {wrong}");
        let mark = format!("id=\"{field}-wrong\"");
        assert!(
            refused.text().contains(&mark),
            "{field}: {}",
            refused.text()
        );
    }
    // Sent twice, it is given once.
    for _ in 0..2 {
        let fields = gift("", "");
        let given = operator.submit("/credits/grants", &borrowed(&fields)).await;
        assert_eq!(given.status, 303, "{}", given.text());
    }
    let page = bo.get("/credits").await.text();
    assert!(page.contains("250 credits"), "{page}");
    assert!(
        page.contains("50 credits until 31 Jan 2027: for the workshop"),
        "{page}"
    );
    let page = operator.get("/credits/grants").await.text();
    assert!(
        page.contains("bo@example.org") && page.contains("50 left"),
        "{page}"
    );

    // The last day is over: what is left of it goes, and the statement says so.
    stage.studio.clock.advance_millis(20 * 86_400_000);
    let bos = person_of(&stage, "bo@example.org").await;
    let balance = studio::credits::balance(&stage.studio, bos).await;
    assert_eq!(
        balance.expect("reads").expect("metered").available.get(),
        200
    );
    let audit = studio::credits::ledger::audit(&stage.studio).await;
    assert_eq!(audit.expect("reads"), [""; 0]);
}
