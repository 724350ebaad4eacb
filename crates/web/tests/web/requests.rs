//! What people ask for by their rights: who may, until when it is answered, and how it ends.

use axum::body::Body;
use axum::http::{Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::clock::Moment;
use domain::ids::RequestId;
use domain::personal::Address;
use domain::role::Role;
use serde_json::{Value, json};
use studio::Studio;
use studio::accounts::person;
use studio::letters::Letter;
use studio::privacy::correction::{self, Way};
use studio::privacy::inventory::TABLES;
use studio::privacy::looking::Staff;
use studio::privacy::requests::{self, Asked, Identity, RequestError};
use studio::privacy::{audit, keys};

use crate::browser::{Browser, last_letter, person_of};
use crate::stage::{Stage, json as json_request, request};

const ANNA: &str = "anna@example.org";
const GUEST: &str = "guest@example.org";

async fn house() -> Stage {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    stage
}

/// A request with a method and no body.
fn asked(method: Method, path: &str) -> Request<Body> {
    request(method, path)
        .body(Body::empty())
        .expect("a request")
}

async fn ask(browser: &Browser<'_>, about: &str, words: &str) -> Value {
    let body = json!({ "about": about, "words": words });
    let made = browser.send(json_request("/v1/me/requests", &body)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()
}

fn id_of(request: &Value) -> RequestId {
    let id = request["id"].as_str().expect("an id");
    id.parse().expect("an id")
}

/// Fills the form that needs no account, and gives the link of the letter.
async fn link_for(stage: &Stage, address: &str, words: &str) -> String {
    let visitor = Browser::new(stage);
    let fields = [("about", "access"), ("words", words), ("address", address)];
    let sent = visitor.submit("/privacy/request", &fields).await;
    assert_eq!(sent.status, 200, "{}", sent.text());
    assert!(sent.text().contains("Look into your mailbox"));
    let Letter::RequestConfirm { token } = last_letter(stage, address).await else {
        panic!("no letter to {address}");
    };
    format!("/privacy/request/confirm/{token}")
}

#[tokio::test]
async fn promise_rgt_10_whoever_has_no_account_asks_by_the_mailbox_and_nobody_in_their_name() {
    let stage = house().await;
    let visitor = Browser::new(&stage);
    let form = visitor.get("/privacy/request").await.text();
    assert!(form.contains("You need no account"), "{form}");
    let before = requests::unanswered(&stage.studio, &Staff::in_shell())
        .await
        .expect("reads");
    assert!(before.is_empty());

    // Written by somebody else: nothing is in the register, and the letter says what was tried.
    let link = link_for(&stage, GUEST, "What do you keep of me?").await;
    let waiting = requests::unanswered(&stage.studio, &Staff::in_shell())
        .await
        .expect("reads");
    assert!(waiting.is_empty(), "{waiting:?}");
    let forged = format!("/privacy/request/confirm/{}", "x".repeat(43));
    assert_eq!(visitor.get(&forged).await.status, 410);
    assert_eq!(visitor.submit(&forged, &[]).await.status, 410);

    let page = visitor.get(&link).await.text();
    assert!(page.contains("What do you keep of me?"), "{page}");
    let made = visitor.submit(&link, &[]).await;
    let place = made.header("location").to_owned();
    assert!(place.starts_with("/privacy/request/dsr_"), "{place}");
    assert_eq!(visitor.submit(&link, &[]).await.status, 410, "used up");
    let waiting = requests::unanswered(&stage.studio, &Staff::in_shell())
        .await
        .expect("reads");
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].identity, Identity::Mailbox);
    assert_eq!(waiting[0].person, None);
    let page = visitor.get(&place).await.text();
    assert!(page.contains("What do you keep of me?") && page.contains("Open"));
    // Nobody guesses the address of another's request.
    let guessed = format!("/privacy/request/{}.{}", waiting[0].id, "0".repeat(64));
    assert_eq!(visitor.get(&guessed).await.status, 404);
    let bare = format!("/privacy/request/{}", waiting[0].id);
    assert_eq!(visitor.get(&bare).await.status, 404);

    // With the address of an account it is that account's.
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let link = link_for(&stage, ANNA, "Correct my age.").await;
    visitor.submit(&link, &[]).await;
    let own = anna.get("/v1/me/requests").await.json();
    assert_eq!(own["data"][0]["words"], "Correct my age.");
    assert_eq!(own["data"][0]["identity"], "mailbox");
    assert_eq!(own["data"].as_array().expect("a list").len(), 1);
}

#[tokio::test]
async fn promise_rgt_10_the_same_request_is_the_same_wherever_somebody_lives() {
    let stage = house().await;
    let (mut pages, mut fields) = (Vec::new(), Vec::new());
    for language in ["en-US", "pt-BR", "ja-JP", "sw-KE", "de-AT"] {
        let asked = request(Method::GET, "/privacy/request").header("accept-language", language);
        let answer = stage
            .send(asked.body(Body::empty()).expect("a request"))
            .await;
        assert_eq!(answer.status, 200);
        let page = answer.text();
        // What can be asked for, and what has to be said for it.
        let main = page.split("<main").nth(1).expect("a page");
        let main = main.split("</main>").next().expect("its end").to_owned();
        let named = |mark: &str| -> Vec<String> {
            let all = main.split(mark).skip(1).map(|rest| rest.split('"').next());
            all.map(|name| name.unwrap_or_default().to_owned())
                .collect()
        };
        fields.push((named("name=\""), named("value=\""), named("action=\"")));
        pages.push(page);
    }
    assert!(fields[0].0.len() >= 3 && fields.iter().all(|one| *one == fields[0]));
    // In another language where there is one, and otherwise to the letter.
    let english = &pages[..4];
    assert!(english.iter().all(|page| *page == pages[0]));
}

#[tokio::test]
async fn promise_rgt_11_a_request_has_a_clock_and_is_overdue_once() {
    let stage = house().await;
    let studio = &stage.studio;
    let officer = Browser::new(&stage);
    officer.sign_up("officer@example.org").await;
    let person = person_of(&stage, "officer@example.org").await;
    person::set_role(studio, person, Role::PrivacyOfficer)
        .await
        .expect("is given");
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let made = ask(&anna, "access", "Who got my pictures?").await;
    let received = Moment::from_millis(made["received"].as_i64().expect("a moment") * 1000);
    let due = made["due"].as_i64().expect("a moment") * 1000;
    assert_eq!(due, received.end_of_day_in_months(1).as_millis());
    for to in ["op@example.org", "officer@example.org"] {
        let Letter::RequestArrived { at_ms, .. } = last_letter(&stage, to).await else {
            panic!("{to} was not told");
        };
        assert_eq!(at_ms, due);
    }

    // In the last second it is in time, in the next it is overdue.
    let wait = due - studio.clock.now().as_millis();
    studio.clock.advance_millis(wait - 1);
    assert_eq!(requests::raise_overdue(studio).await.expect("looks"), 0);
    assert!(!late(studio).await);
    studio.clock.advance_millis(1);
    assert_eq!(requests::overdue(studio).await.expect("counts"), 1);
    assert_eq!(requests::raise_overdue(studio).await.expect("tells"), 1);
    assert_eq!(requests::raise_overdue(studio).await.expect("looks"), 0);
    for to in ["op@example.org", "officer@example.org"] {
        let letter = last_letter(&stage, to).await;
        assert!(
            matches!(letter, Letter::RequestOverdue { .. }),
            "{letter:?}"
        );
    }
    assert!(late(studio).await);
}

/// Whether an audit finds requests that nobody answered in time.
async fn late(studio: &Studio) -> bool {
    let report = audit::run(studio, &[]).await.expect("reads");
    let mut checks = report.checks.iter();
    let check = checks.find(|check| check.name == "requests");
    !check.expect("a check").wrong.is_empty()
}

#[tokio::test]
async fn promise_rgt_11_it_may_take_two_months_longer_once_and_the_person_is_told_why() {
    let stage = house().await;
    let studio = &stage.studio;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let made = ask(&anna, "other", "Explain everything.").await;
    let id = id_of(&made);
    let nothing = requests::extend(studio, id, " ").await;
    assert!(matches!(nothing, Err(RequestError::Reason)));
    studio.clock.advance_millis(1);
    let due = requests::extend(studio, id, "There are many such requests.")
        .await
        .expect("is put off");
    let received = Moment::from_millis(made["received"].as_i64().expect("a moment") * 1000);
    assert_eq!(due, received.end_of_day_in_months(3));
    let again = requests::extend(studio, id, "Still many.").await;
    assert!(matches!(again, Err(RequestError::Extended)));
    let Letter::RequestExtended { text, .. } = last_letter(&stage, ANNA).await else {
        panic!("nobody was told");
    };
    assert_eq!(text, "There are many such requests.");
    let page = anna.get("/account/requests").await.text();
    assert!(page.contains("There are many such requests."), "{page}");
    let shown = anna.get(&format!("/v1/me/requests/{id}")).await.json();
    assert_eq!(shown["due"], due.as_seconds());
}

#[tokio::test]
async fn promise_rgt_08_a_refusal_has_reasons_an_authority_and_the_deadline() {
    let stage = house().await;
    let studio = &stage.studio;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let page = anna.get("/account/requests?about=complaint").await.text();
    assert!(page.contains("value=\"complaint\" selected"), "{page}");
    let fields = [("about", "complaint"), ("words", "You drew me.")];
    let sent = anna.submit("/account/requests", &fields).await;
    assert_eq!(sent.status, 303);
    let made = anna.get("/v1/me/requests").await.json()["data"][0].clone();
    let id = id_of(&made);
    let wrong = requests::answer(studio, id, "It was another.", Some("xx")).await;
    assert!(matches!(wrong, Err(RequestError::Authority)));
    let wrong = requests::answer(studio, id, "", Some("no")).await;
    assert!(matches!(wrong, Err(RequestError::Reason)));
    studio.clock.advance_millis(1);
    requests::answer(studio, id, "It was somebody else.", Some("NO"))
        .await
        .expect("is refused");

    let due = Moment::from_millis(made["due"].as_i64().expect("a moment") * 1000);
    let letter = last_letter(&stage, ANNA).await;
    let written = web::letters::write(&letter, "https://pictures.example.org");
    for words in [
        "It was somebody else.",
        "Datatilsynet (Norway), https://www.datatilsynet.no",
        "https://pictures.example.org/privacy/authorities",
        "An answer was due until",
    ] {
        assert!(written.text.contains(words), "{words}: {}", written.text);
    }
    let page = anna.get("/account/requests").await.text();
    for words in [
        "Refused",
        "It was somebody else.",
        "Datatilsynet (Norway)",
        "An answer was due until",
        "href=\"/privacy/authorities\"",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let shown = anna.get(&format!("/v1/me/requests/{id}")).await.json();
    assert_eq!(shown["state"], "refused");
    assert_eq!(shown["answer"], "It was somebody else.");
    assert_eq!(shown["authority"]["country"], "no");
    assert_eq!(shown["due"], due.as_seconds());
    let over = requests::answer(studio, id, "Or not.", None).await;
    assert!(matches!(over, Err(RequestError::Ended)));
}

#[tokio::test]
async fn promise_rgt_08_everybody_finds_the_authority_of_the_country_that_they_choose() {
    let stage = house().await;
    let visitor = Browser::new(&stage);
    let all = visitor.get("/privacy/authorities").await.text();
    assert!(all.contains("Choose a country") && all.contains("Portugal"));
    let one = visitor.get("/privacy/authorities?country=at").await;
    assert!(one.text().contains("https://www.dsb.gv.at"));
    assert!(one.header("set-cookie").is_empty(), "it is kept nowhere");
    let notice = visitor.get("/privacy").await.text();
    assert!(
        notice.contains("href=\"/privacy/authorities\"") && notice.contains("/privacy/request")
    );
    let text = visitor.get("/privacy.txt").await.text();
    assert!(text.contains("https://www.dsb.gv.at"));
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let list = anna.get("/v1/authorities").await.json();
    assert_eq!(list["data"].as_array().expect("a list").len(), 32);
    let one = anna.get("/v1/authorities?country=GB").await.json();
    assert_eq!(one["data"][0]["web"], "https://ico.org.uk");
    assert_eq!(anna.get("/v1/authorities?country=xx").await.status, 400);
}

#[tokio::test]
async fn promise_rgt_11_an_answer_reaches_whoever_asked_however_it_came() {
    let stage = house().await;
    let studio = &stage.studio;
    let guest = Address::new(GUEST).expect("an address");
    let day = studio.clock.now().plus_millis(-5 * 86_400_000);
    let (about, by) = (Asked::Correct, Identity::Operator);
    let id = requests::record(studio, &guest, about, "My name is wrong.", by, day)
        .await
        .expect("is recorded");
    let request = requests::glance(studio, &Staff::in_shell(), id)
        .await
        .expect("reads");
    let request = request.expect("there");
    assert_eq!(
        request.due,
        day.end_of_day_in_months(1),
        "from the day on which it came"
    );
    studio.clock.advance_millis(1);
    requests::answer(studio, id, "It is mended.", None)
        .await
        .expect("is answered");
    let Letter::RequestAnswered { reference, text } = last_letter(&stage, GUEST).await else {
        panic!("no letter");
    };
    assert_eq!(text, "It is mended.");
    let page = Browser::new(&stage)
        .get(&format!("/privacy/request/{reference}"))
        .await
        .text();
    assert!(
        page.contains("It is mended.") && page.contains("Answered"),
        "{page}"
    );
    // The answer lies sealed, and goes with the request when its time is over.
    let all = crate::browser::everything_kept(&stage).await;
    assert!(!all.contains("It is mended.") && !all.contains("My name is wrong."));
    studio.clock.advance_millis(requests::KEPT_MS + 1);
    studio::privacy::retention::sweep(studio)
        .await
        .expect("sweeps");
    assert!(
        requests::glance(studio, &Staff::in_shell(), id)
            .await
            .expect("reads")
            .is_none()
    );
}

#[tokio::test]
async fn promise_rgt_11_the_status_is_signed_in_the_fields_of_open_dsr() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let made = ask(&anna, "portability", "All of it, please.").await;
    let id = id_of(&made);
    let reference = requests::reference(&stage.studio, id);
    let path = format!("/privacy/request/{reference}.json");
    let text = Browser::new(&stage).get(&path).await.text();
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let house = anna.get("/.well-known/pinhole-house.json").await.json();
    let key = house["signs_with"]["public_key"].as_str().expect("a key");
    let key = BASE64.decode(key).expect("base64");
    // As it stands in the file: RFC 8785 has one form.
    let begin = text.find("\"request\":").expect("a status") + "\"request\":".len();
    let end = text.find(",\"signature\":").expect("a signature");
    let signed = &text[begin..end];
    let value = file["signature"]["value"].as_str().expect("a signature");
    let value = BASE64.decode(value).expect("base64");
    assert!(keys::verify(&key, signed.as_bytes(), &value));
    let forged = signed.replace("in_progress", "completed");
    assert!(!keys::verify(&key, forged.as_bytes(), &value));
    let status = &file["request"];
    assert_eq!(status["request_status"], "in_progress");
    assert_eq!(status["subject_request_id"], made["id"]);
    assert_eq!(status["subject_request_type"], "portability");
    assert!(status["expected_completion_time"].as_str().is_some());

    let path = format!("/v1/me/requests/{id}");
    let withdrawn = anna.send(asked(Method::DELETE, &path)).await.json();
    assert_eq!(withdrawn["state"], "withdrawn");
    assert_eq!(
        withdrawn["open_dsr"]["request"]["request_status"],
        "cancelled"
    );
    let again = anna.send(asked(Method::DELETE, &path)).await;
    assert_eq!(again.error(409)["code"], "request_ended");
    // Another's request is not there.
    let bob = Browser::new(&stage);
    bob.sign_up("bob@example.org").await;
    assert_eq!(bob.get(&path).await.status, 404);
    assert_eq!(bob.send(asked(Method::DELETE, &path)).await.status, 404);
}

#[tokio::test]
async fn promise_rgt_03_an_objection_is_weighed_with_a_clock_and_can_be_taken_back() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let page = anna.get("/account/objections").await.text();
    for words in [
        "keep strangers out of your account",
        "whoever guesses a password",
        "It is what you asked the service for",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let why = [("purpose", "security"), ("why", "I share this browser.")];
    for _ in 0..2 {
        assert_eq!(anna.submit("/account/objections", &why).await.status, 303);
    }
    let all = anna.get("/v1/me/requests").await.json();
    assert_eq!(all["data"].as_array().expect("a list").len(), 1, "{all}");
    assert_eq!(all["data"][0]["about"], "object");
    let words = all["data"][0]["words"].as_str().expect("words");
    assert!(words.contains("I share this browser."), "{words}");
    let page = anna.get("/account/data").await.text();
    assert!(page.contains("You object to 1."), "{page}");
    let purposes = anna.get("/v1/me/objections").await.json();
    let of = |list: &Value, name: &str| {
        let list = list["data"].as_array().expect("a list");
        let found = list.iter().find(|one| one["purpose"] == name);
        found.expect("a purpose").clone()
    };
    assert_eq!(of(&purposes, "security")["request"], all["data"][0]["id"]);
    // What rests on something else says what to do instead.
    let drawing = of(&purposes, "drawing");
    assert_eq!(drawing["may_object"], false);
    let put = |path: &str| {
        let asked = request(Method::PUT, path).header("content-type", "application/json");
        asked.body(Body::from("{}")).expect("a request")
    };
    let refused = anna.send(put("/v1/me/objections/drawing")).await;
    assert_eq!(refused.error(409)["code"], "no_objection");
    assert_eq!(
        anna.send(put("/v1/me/objections/operation")).await.status,
        200
    );

    let back = asked(Method::DELETE, "/v1/me/objections/security");
    let purposes = anna.send(back).await.json();
    assert_eq!(of(&purposes, "security")["objected"], Value::Null);
    let all = anna.get("/v1/me/requests").await.json();
    let states: Vec<&Value> = all["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["state"])
        .collect();
    assert_eq!(states, ["open", "withdrawn"]);
}

#[tokio::test]
async fn promise_rgt_11_what_a_guest_asked_goes_with_an_account_of_that_address() {
    let stage = house().await;
    let studio = &stage.studio;
    let anna = Address::new(ANNA).expect("an address");
    let (about, by) = (Asked::Access, Identity::Operator);
    let id = requests::record(studio, &anna, about, "Before.", by, studio.clock.now())
        .await
        .expect("is recorded");
    let browser = Browser::new(&stage);
    browser.sign_up(ANNA).await;
    ask(&browser, "other", "After.").await;
    let sure = [("what", "account"), ("typed", "delete my account")];
    let begun = browser.submit("/account/delete", &sure).await;
    assert_eq!(begun.status, 303, "{}", begun.text());
    assert!(
        requests::glance(studio, &Staff::in_shell(), id)
            .await
            .expect("reads")
            .is_none()
    );
}

#[tokio::test]
async fn promise_gen_05_two_people_see_the_same_pages_and_no_signal_changes_them() {
    let stage = house().await;
    let (anna, bob) = (Browser::new(&stage), Browser::new(&stage));
    anna.sign_up(ANNA).await;
    bob.sign_up("bob@example.org").await;
    // Anna has used the service, Bob has not.
    let order = json!({ "prompt": "a red apple" });
    assert_eq!(
        anna.send(json_request("/v1/images/generations", &order))
            .await
            .status,
        200
    );
    for path in [
        "/about",
        "/privacy",
        "/trust",
        "/account/objections",
        "/v1/models",
    ] {
        let page = anna.get(path).await.body;
        assert_eq!(page, bob.get(path).await.body, "{path}");
        let signal = request(Method::GET, path).header("sec-gpc", "1");
        let signalled = anna
            .send(signal.body(Body::empty()).expect("a request"))
            .await;
        assert_eq!(page, signalled.body, "{path}");
    }
}

#[tokio::test]
async fn promise_acc_06_each_page_on_which_something_is_corrected_is_there() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let mut pages = 0;
    for table in TABLES {
        for column in table.columns {
            if let Some(Way::Page(page)) = correction::way(table, column) {
                assert_eq!(anna.get(page).await.status, 200, "{page}");
                pages += 1;
            }
        }
    }
    assert!(pages > 5, "{pages}");
    let centre = anna.get("/account/data").await.text();
    assert!(
        centre.contains("Revoke it, and make another one."),
        "{centre}"
    );
}
