//! How long what is drawn is kept, what is drawn in private, and accounts that nobody uses.

use axum::body::Body;
use axum::http::{Method, Request};
use db::on;
use domain::ids::PictureId;
use serde_json::{Value, json};
use studio::accounts::idle;
use studio::letters::Letter;
use studio::privacy::keeping;
use studio::privacy::retention;

use crate::browser::{Browser, PASSWORD, last_letter, person_of};
use crate::outbox;
use crate::stage::{Stage, json as posted};

const DAY_MS: i64 = 86_400_000;
const ANNA: &str = "anna@example.org";

async fn ordered(stage: &Stage, more: Value) -> Value {
    stage.studio.clock.advance_millis(1);
    let mut order = json!({ "prompt": "a red apple" });
    order
        .as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    let answer = stage.post("/v1/images/generations", &order).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn picture_of(drawn: &Value) -> String {
    let id = drawn["data"][0]["picture_id"].as_str();
    id.expect("an id").to_owned()
}

async fn patch(stage: &Stage, path: &str, body: &Value) -> crate::stage::Answer {
    let mut request: Request<Body> = posted(path, body);
    *request.method_mut() = Method::PATCH;
    stage.send(request).await
}

async fn is_there(stage: &Stage, id: &str) -> bool {
    stage.get(&format!("/v1/pictures/{id}")).await.status == 200
}

async fn count(stage: &Stage, statement: &'static str) -> i64 {
    let mut tx = stage.studio.db.read().await.expect("reads");
    on!(tx, conn => sqlx::query_scalar(statement).fetch_one(conn).await).expect("counts")
}

#[tokio::test]
async fn promise_ret_02_a_picture_goes_when_the_time_is_over_that_its_person_chose() {
    let stage = Stage::free().await;
    let studio = &stage.studio;
    let before = picture_of(&ordered(&stage, json!({})).await);
    let me = patch(&stage, "/v1/me", &json!({ "retention": 2 * 86_400 })).await;
    assert_eq!(me.json()["retention"], 2 * 86_400);
    let as_chosen = picture_of(&ordered(&stage, json!({})).await);
    let shorter = picture_of(&ordered(&stage, json!({ "retention": 86_400 })).await);
    let forever = picture_of(&ordered(&stage, json!({ "retention": "keep" })).await);
    let changed = picture_of(&ordered(&stage, json!({})).await);
    let path = format!("/v1/pictures/{changed}");
    let answer = patch(&stage, &path, &json!({ "retention": 3 * 86_400 })).await;
    let now = studio.clock.now().as_seconds();
    assert_eq!(answer.json()["ends_at"], now + 3 * 86_400);
    let shown = stage.get(&format!("/v1/pictures/{forever}")).await.json();
    assert_eq!(shown["ends_at"], Value::Null);

    let all = [&before, &as_chosen, &shorter, &forever, &changed];
    let stays_on_day = [
        [true, true, true, true, true],
        [true, true, false, true, true],
        [true, false, false, true, true],
        [true, false, false, true, false],
    ];
    for (days, stay) in stays_on_day.into_iter().enumerate() {
        retention::sweep(studio).await.expect("sweeps");
        assert_eq!(retention::overdue(studio).await.expect("counts"), 0);
        for (id, stays) in all.into_iter().zip(stay) {
            assert_eq!(is_there(&stage, id).await, stays, "{id} after {days} days");
        }
        let files = studio.shelf.keys("pictures").await.expect("lists");
        assert_eq!(files.len(), stay.iter().filter(|stays| **stays).count());
        studio.clock.advance_millis(DAY_MS);
    }
    // Orders go with their last picture, and their keys with them.
    assert_eq!(count(&stage, "SELECT COUNT(*) FROM job").await, 2);
    assert_eq!(count(&stage, "SELECT COUNT(*) FROM shredding").await, 0);
}

#[tokio::test]
async fn promise_ret_02_what_is_overdue_is_counted() {
    let stage = Stage::free().await;
    ordered(&stage, json!({ "retention": 60 })).await;
    assert_eq!(retention::overdue(&stage.studio).await.expect("counts"), 0);
    stage.studio.clock.advance_millis(60_000);
    assert_eq!(retention::overdue(&stage.studio).await.expect("counts"), 1);
}

#[tokio::test]
async fn a_time_that_cannot_be_kept_is_refused_by_name() {
    let stage = Stage::free().await;
    for (retention, code) in [
        (json!(59), "invalid_value"),
        (json!(-1), "invalid_value"),
        (json!(10_i64 * 366 * 86_400), "invalid_value"),
        (json!(i64::MAX), "invalid_value"),
        (json!(1.5), "invalid_type"),
        (json!("60"), "invalid_type"),
        (json!("forever"), "invalid_type"),
        (json!([60]), "invalid_type"),
    ] {
        let body = json!({ "prompt": "a red apple", "retention": retention });
        let answers = [
            stage.post("/v1/images/generations", &body).await,
            patch(&stage, "/v1/me", &body).await,
        ];
        for answer in answers {
            let error = answer.error(400);
            assert_eq!(error["param"], "retention", "{retention}");
            assert_eq!(error["code"], code, "{retention}");
        }
    }
    let form = [("kept", "99999999999999999999")];
    assert_eq!(stage.submit("/pictures/keeping", &form).await.status, 400);
    assert_eq!(stage.get("/v1/me").await.json()["retention"], "keep");
}

#[tokio::test]
async fn pages_say_until_when_and_let_it_be_chosen() {
    let stage = Stage::free().await;
    let first = picture_of(&ordered(&stage, json!({})).await);
    let page = format!("/pictures/{first}");
    assert!(
        stage
            .get(&page)
            .await
            .text()
            .contains("Until I delete them")
    );
    let form = [("kept", "7")];
    let answer = stage.submit(&format!("{page}/keeping"), &form).await;
    assert_eq!(answer.header("location"), page);
    let shown = stage.get(&page).await.text();
    assert!(shown.contains("7 days left"), "{shown}");
    assert!(stage.get("/pictures").await.text().contains("Deleted on "));
    // From now on, and for those that are there.
    stage
        .submit("/pictures/keeping", &[("kept", "30"), ("all", "1")])
        .await;
    assert!(stage.get(&page).await.text().contains("30 days left"));
    assert_eq!(stage.get("/v1/me").await.json()["retention"], 30 * 86_400);
    stage
        .submit("/pictures/keeping", &[("kept", ""), ("all", "1")])
        .await;
    let shown = stage.get(&format!("/v1/pictures/{first}")).await.json();
    assert_eq!(shown["ends_at"], Value::Null);
}

#[tokio::test]
async fn nobody_chooses_for_somebody_elses_picture() {
    let stage = Stage::free().await;
    let operator = Browser::new(&stage);
    operator.welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let (studio, owner) = (&stage.studio, person_of(&stage, "op@example.org").await);
    let order = studio::order::OrderForm {
        prompt: studio::order::Prose("a red apple".to_owned()),
        count: Some(1),
        ..studio::order::OrderForm::default()
    };
    let job = studio::order::place(studio, owner, order).await;
    let job = studio::jobs::wait(studio, owner, job.expect("accepted").id).await;
    let id: PictureId = job.expect("reads").expect("a job").pictures[0].id;
    let form = [("kept", "1")];
    let path = format!("/pictures/{id}/keeping");
    assert_eq!(anna.submit(&path, &form).await.status, 404);
    assert_eq!(operator.submit(&path, &form).await.status, 303);
    let id = id.to_string();
    studio.clock.advance_millis(DAY_MS);
    keeping::sweep(studio).await.expect("sweeps");
    let gone = operator.get(&format!("/v1/pictures/{id}")).await;
    assert_eq!(gone.status, 404);
}

#[tokio::test]
async fn promise_gen_02_a_private_order_leaves_no_words_and_after_an_hour_the_books_alone() {
    let stage = Stage::free().await;
    stage.meter().await;
    let studio = &stage.studio;
    let words = "a heron at dusk";
    let drawn = ordered(&stage, json!({ "prompt": words, "private": true })).await;
    let (id, job) = (picture_of(&drawn), drawn["job_id"].as_str().expect("an id"));
    for path in [format!("/v1/pictures/{id}"), format!("/v1/jobs/{job}")] {
        let shown = stage.get(&path).await;
        assert_eq!(shown.status, 200);
        assert_eq!(shown.json()["prompt"], Value::Null, "{path}");
    }
    let stored: (String, Option<String>, String) = {
        let mut tx = studio.db.read().await.expect("reads");
        on!(tx, conn => {
            sqlx::query_as("SELECT prompt, negative_prompt, unknown_words FROM job")
                .fetch_one(conn)
                .await
        })
        .expect("a job")
    };
    assert_eq!(stored, (String::new(), None, String::new()));
    // A copy of the row from before would not help: its key is gone.
    let keys = studio
        .keys
        .object(job)
        .await
        .expect("the picture's is left");
    assert!(keys.words().is_err() && keys.picture(0).is_ok());
    for page in ["/", "/pictures", "/credits", &format!("/pictures/{id}")] {
        let shown = stage.get(page).await;
        assert_eq!(shown.status, 200, "{page}");
        assert!(!shown.text().contains(words), "{page}");
    }
    let found = stage.get("/v1/pictures?words=heron").await.json();
    assert_eq!(found["data"], json!([]));
    // What it did not keep it can't do again.
    let again = stage.priced(&[("job", job), ("agreed", "100")]).await;
    let again = stage
        .submit("/draw/again", &crate::stage::borrowed(&again))
        .await;
    assert_eq!(again.status, 400, "{}", again.text());
    let vary = json!({ "variation_of": id });
    let vary = stage.post("/v1/images/generations", &vary).await;
    assert_eq!(vary.error(400)["param"], "prompt");

    let picture = stage.get(&format!("/v1/pictures/{id}/content")).await;
    assert_eq!(picture.status, 200);
    studio.clock.advance_millis(keeping::PRIVATE_MS);
    retention::sweep(studio).await.expect("sweeps");
    assert!(!is_there(&stage, &id).await);
    assert_eq!(count(&stage, "SELECT COUNT(*) FROM job").await, 0);
    assert_eq!(count(&stage, "SELECT COUNT(*) FROM repeat").await, 0);
    assert_eq!(count(&stage, "SELECT COUNT(*) FROM hold").await, 1);
    assert!(studio.keys.object(job).await.is_err());
}

#[tokio::test]
async fn promise_gen_02_a_private_order_that_brings_nothing_leaves_no_words() {
    let stage = Stage::halted().await;
    let order = json!({ "prompt": "a heron at dusk", "private": true });
    let waiting = stage.async_order(&order).await;
    stage.studio.clock.advance_millis(1);
    let id = waiting["id"].as_str().expect("an id");
    assert_eq!(waiting["prompt"], "a heron at dusk", "while it is needed");
    let path = format!("/v1/jobs/{id}/cancel");
    let cancelled = stage.post(&path, &json!({})).await.json();
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled["prompt"], Value::Null);
    let keys = stage.studio.keys.object(id).await.expect("others are left");
    assert!(keys.words().is_err());
    stage.studio.clock.advance_millis(keeping::PRIVATE_MS);
    retention::sweep(&stage.studio).await.expect("sweeps");
    assert_eq!(stage.get(&format!("/v1/jobs/{id}")).await.status, 404);
}

#[tokio::test]
async fn a_private_order_may_be_kept_for_longer() {
    let stage = Stage::free().await;
    let order = json!({ "private": true, "retention": "keep" });
    let id = picture_of(&ordered(&stage, order).await);
    stage.studio.clock.advance_millis(400 * DAY_MS);
    retention::sweep(&stage.studio).await.expect("sweeps");
    assert!(is_there(&stage, &id).await);
}

async fn ends_letters(stage: &Stage) -> usize {
    let all = outbox::letters(&stage.studio).await;
    let to = all.iter().filter(|one| one.address.expose() == ANNA);
    to.filter(|one| matches!(one.letter, Some(Letter::Idle { .. })))
        .count()
}

#[tokio::test]
async fn promise_ret_03_an_account_that_nobody_uses_ends_after_two_letters() {
    let stage = Stage::free().await;
    let operator = Browser::new(&stage);
    operator.welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let (studio, start) = (&stage.studio, stage.studio.clock.now());
    let until = |days: i64| {
        let passed = studio.clock.now().as_millis() - start.as_millis();
        studio.clock.advance_millis(days * DAY_MS - passed);
    };
    let end = idle::ENDS_AFTER_MS / DAY_MS;
    // Each time a day early, then in time; then she signs in, and it begins anew.
    for (day, letters) in [(end - 31, 0), (end - 29, 1), (end - 8, 1), (end - 6, 2)] {
        until(day);
        assert_eq!(idle::look(studio).await.expect("looks"), 0);
        assert_eq!(ends_letters(&stage).await, letters, "day {day}");
    }
    let Letter::Idle { ends_ms } = last_letter(&stage, ANNA).await else {
        panic!("the last letter says when");
    };
    assert!(ends_ms > studio.clock.now().plus_millis(6 * DAY_MS).as_millis());
    assert_eq!(anna.sign_in(ANNA, PASSWORD).await.status, 303);
    until(end + 30);
    assert_eq!(idle::look(studio).await.expect("looks"), 0, "she was here");

    // Nobody comes; the program itself slept, and yet there is time between the letters.
    until(3 * end);
    assert_eq!(idle::look(studio).await.expect("looks"), 0, "the first");
    until(3 * end + 22);
    assert_eq!(idle::look(studio).await.expect("looks"), 0, "too early");
    until(3 * end + 24);
    assert_eq!(idle::look(studio).await.expect("looks"), 0, "the second");
    until(3 * end + 30);
    assert_eq!(idle::look(studio).await.expect("looks"), 0, "too early");
    until(3 * end + 32);
    assert_eq!(idle::look(studio).await.expect("looks"), 1);
    assert_eq!(idle::look(studio).await.expect("looks"), 0, "once");
    let Letter::AccountErased { token } = last_letter(&stage, ANNA).await else {
        panic!("the receipt comes by letter");
    };
    assert_eq!(anna.get(&format!("/receipts/{token}")).await.status, 200);
    // Who runs the house stays, however long nobody looks in.
    assert_eq!(
        operator.sign_in("op@example.org", PASSWORD).await.status,
        303
    );
}
