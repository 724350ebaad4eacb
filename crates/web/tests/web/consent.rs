//! What is done only with a yes: who said it, to which words, and what happens when they take it back.

use axum::body::Body;
use axum::http::{Method, Request, header};
use domain::ids::PersonId;
use serde_json::{Value, json};
use studio::letters::Letter;
use studio::privacy::consent::{self, Means, Optional, Signal};
use studio::privacy::log::{self, Kind};
use studio::privacy::{receipt, restriction};

use crate::browser::{Browser, last_letter, person_of};
use crate::outbox;
use crate::stage::{Answer, Stage, form, request};

pub(crate) const ANNA: &str = "anna@example.org";
pub(crate) const BOB: &str = "bob@example.org";
pub(crate) const CHOICES: &str = "/account/choices";

pub(crate) async fn house() -> Stage {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    stage
}

pub(crate) fn asked(method: Method, path: &str) -> Request<Body> {
    let asked = request(method, path).header("content-type", "application/json");
    let body = Body::from(json!({ "version": 1 }).to_string());
    asked.body(body).expect("a request")
}

pub(crate) async fn answer(browser: &Browser<'_>, purpose: &str, answer: &str) -> Answer {
    let fields = [("purpose", purpose), ("version", "1"), ("answer", answer)];
    browser.submit(CHOICES, &fields).await
}

pub(crate) async fn consents(browser: &Browser<'_>, purpose: &str) -> Value {
    of(&browser.get("/v1/me/consents").await.json(), purpose)
}

pub(crate) fn of(list: &Value, purpose: &str) -> Value {
    let all = list["data"].as_array().expect("a list");
    let found = all.iter().find(|one| one["purpose"] == purpose);
    found.expect("a purpose").clone()
}

pub(crate) async fn rows(stage: &Stage) -> usize {
    let mut rows = 0;
    for address in ["op@example.org", ANNA, BOB] {
        let address = domain::personal::Address::new(address).expect("an address");
        let account = studio::accounts::person::by_address(&stage.studio, &address).await;
        if let Some(account) = account.expect("reads") {
            let all = consent::history(&stage.studio, account.person).await;
            rows += all.expect("reads").len();
        }
    }
    rows
}

#[tokio::test]
async fn promise_cns_04_a_yes_is_taken_back_with_one_press_as_it_was_given_and_at_once() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let person = person_of(&stage, ANNA).await;
    let page = anna.get(CHOICES).await.text();
    let of_account = |one: &Optional| !one.is_by_picture();
    for optional in Optional::ALL.into_iter().filter(of_account) {
        // Both answers are one press, on buttons of one kind, and no comes with no more questions.
        let id = format!("id=\"{}\"", optional.name());
        let part = page.split(&id).nth(1).expect("a part");
        let part = part.split("</section>").next().expect("its end");
        let buttons: Vec<&str> = part.split("<button ").skip(1).collect();
        assert_eq!(buttons.len(), 2, "{part}");
        assert!(
            buttons
                .iter()
                .all(|one| one.starts_with("class=\"button\""))
        );
        assert!(part.contains(optional.edition().says), "{part}");
        assert!(!part.contains("checked"));
        assert_eq!(consents(&anna, optional.name()).await["state"], "never");
    }
    let allowed = async || {
        let asked = Optional::Personalisation;
        consent::is_allowed(&stage.studio, person, asked, Signal::Absent)
            .await
            .expect("reads")
    };
    assert!(!allowed().await);
    let given = answer(&anna, "personalisation", "yes").await;
    assert_eq!(given.status, 303, "{}", given.text());
    assert!(allowed().await);
    assert_eq!(consents(&anna, "personalisation").await["is_allowed"], true);
    // Again changes nothing.
    answer(&anna, "personalisation", "yes").await;
    assert_eq!(rows(&stage).await, 1);
    let taken = answer(&anna, "personalisation", "no").await;
    assert_eq!(taken.status, 303);
    assert!(!allowed().await);
    assert_eq!(
        consents(&anna, "personalisation").await["state"],
        "withdrawn"
    );
    answer(&anna, "personalisation", "no").await;
    assert_eq!(rows(&stage).await, 2);
    let kinds: Vec<Kind> = log::of_person(&stage.studio, person, None, 2)
        .await
        .expect("reads")
        .iter()
        .map(|entry| entry.kind)
        .collect();
    assert_eq!(kinds, [Kind::ConsentWithdrawn, Kind::ConsentGiven]);
    // A key does the same.
    let put = anna.send(asked(Method::PUT, "/v1/me/consents/personalisation"));
    assert_eq!(of(&put.await.json(), "personalisation")["state"], "given");
    assert!(allowed().await);
    // Restricting the account is stronger than any yes.
    restriction::restrict(&stage.studio, person)
        .await
        .expect("is restricted");
    assert!(!allowed().await);
    let delete = anna.send(asked(Method::DELETE, "/v1/me/consents/personalisation"));
    assert_eq!(
        of(&delete.await.json(), "personalisation")["state"],
        "withdrawn"
    );
    let refused = anna.send(asked(Method::PUT, "/v1/me/consents/personalisation"));
    assert_eq!(refused.await.error(403)["code"], "restricted");
}

#[tokio::test]
async fn promise_cns_04_each_decision_has_a_receipt_that_nobody_can_change() {
    let stage = house().await;
    let (anna, bob) = (Browser::new(&stage), Browser::new(&stage));
    anna.sign_up(ANNA).await;
    bob.sign_up(BOB).await;
    answer(&anna, "personalisation", "yes").await;
    answer(&anna, "personalisation", "no").await;
    let standing = consents(&anna, "personalisation").await;
    let decisions = standing["decisions"].as_array().expect("a list");
    let said: Vec<&str> = decisions
        .iter()
        .map(|one| one["decision"].as_str().expect("a word"))
        .collect();
    assert_eq!(said, ["withdrawn", "given"]);
    for one in decisions {
        let id = one["id"].as_str().expect("an id");
        let path = format!("{CHOICES}/receipts/{id}");
        let signed = anna.get(&path).await.text();
        let key = stage.studio.keys.public_key();
        let genuine = receipt::verify(&signed, Some(&key)).expect("genuine");
        assert_eq!(genuine.kind, receipt::Kind::Consent);
        let says = &genuine.receipt;
        assert_eq!(says["decision"], one["decision"]);
        let edition = Optional::Personalisation.edition();
        assert_eq!(says["text"], edition.text());
        assert_eq!(says["text_sha256"], edition.sha256());
        assert_eq!(says["means"], "session");
        assert!(
            says["log_checkpoint"]
                .as_str()
                .is_some_and(|note| note.len() > 80)
        );
        assert!(anna.get(CHOICES).await.text().contains(&path));
        let forged = signed.replace("\"personalisation\"", "\"news\"");
        assert_ne!(forged, signed);
        let verdict = receipt::verify(&forged, Some(&key));
        assert_eq!(verdict, Err(receipt::BadReceipt::Forged));
        // Nobody else's.
        assert_eq!(bob.get(&path).await.status, 404);
        let api = format!("/v1/me/consents/receipts/{id}");
        assert_eq!(bob.get(&api).await.status, 404);
        assert_eq!(anna.get(&api).await.status, 200);
    }
}

#[tokio::test]
async fn promise_cns_05_a_yes_to_words_that_nobody_read_is_none() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    for version in ["", "0", "2", "one"] {
        let fields = [
            ("purpose", "personalisation"),
            ("version", version),
            ("answer", "yes"),
        ];
        let refused = anna.submit(CHOICES, &fields).await;
        assert_eq!(refused.status, 409, "{version:?}: {}", refused.text());
    }
    for (purpose, said) in [
        ("personalisation", ""),
        ("personalisation", "maybe"),
        ("drawing", "yes"),
    ] {
        assert_eq!(answer(&anna, purpose, said).await.status, 404);
    }
    let put = request(Method::PUT, "/v1/me/consents/personalisation")
        .header("content-type", "application/json");
    let refused = anna
        .send(put.body(Body::from("{}")).expect("a request"))
        .await;
    assert_eq!(refused.error(400)["param"], "version");
    assert_eq!(rows(&stage).await, 0);
}

/// Every route with each of its methods, out of the table that the guard asks.
fn table() -> Vec<(String, Method)> {
    let source = include_str!("../../src/guard/access.rs");
    let table = source.split("Operation)] = &[").nth(1).expect("a table");
    let table = table.split("];").next().expect("its end");
    let rows: String = table.split_whitespace().collect();
    rows.split("(\"/")
        .skip(1)
        .map(|row| {
            let (route, rest) = row.split_once('"').expect("a route");
            let method = rest.split(',').nth(1).expect("a method");
            (format!("/{route}"), method.parse().expect("a method"))
        })
        .collect()
}

/// Everything that a form or a program could say that sounds like agreeing.
const YES: [(&str, &str); 14] = [
    ("purpose", "personalisation"),
    ("version", "1"),
    ("answer", "yes"),
    ("consent", "1"),
    ("agree", "yes"),
    ("accept", "all"),
    ("news", "1"),
    ("newsletter", "on"),
    ("marketing", "true"),
    ("personalisation", "1"),
    ("sure", "1"),
    ("do", "set"),
    ("terms", "accepted"),
    ("prompt", "a red apple"),
];

#[tokio::test]
async fn promise_cns_05_no_request_but_those_of_consent_ever_makes_one() {
    const OWN: [&str; 3] = [
        CHOICES,
        "/v1/me/consents/{purpose}",
        "/news/confirm/{token}",
    ];
    let stage = house().await;
    let (anna, bob) = (Browser::new(&stage), Browser::new(&stage));
    anna.sign_up(ANNA).await;
    bob.sign_up(BOB).await;
    let routes = table();
    assert!(routes.len() > 120, "{}", routes.len());
    let bodies = || {
        let words: serde_json::Map<String, Value> = YES
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        [
            ("application/json", Value::from(words).to_string()),
            (
                "application/x-www-form-urlencoded",
                form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(YES)
                    .finish(),
            ),
        ]
    };
    let mut walked = 0;
    for (route, method) in &routes {
        if OWN.contains(&route.as_str()) && *method != Method::GET {
            continue;
        }
        let mut path = route.clone();
        for (part, id) in [
            ("/jobs/{id}", "/jobs/job_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            ("/pictures/{id}", "/pictures/pic_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            ("{purpose}", "personalisation"),
        ] {
            path = path.replace(part, id);
        }
        let query = bodies()[1].1.clone();
        for (kind, body) in bodies() {
            let asked = request(method.clone(), &format!("{path}?{query}"))
                .header("content-type", kind)
                .header("cookie", "consent=all; news=yes")
                .body(Body::from(body));
            // Signing out or deleting ends who asks; the next goes on.
            if !anna.is_in().await {
                anna.sign_in(ANNA, crate::browser::PASSWORD).await;
            }
            anna.send(asked.expect("a request")).await;
            assert_eq!(rows(&stage).await, 0, "{method} {route} made a consent");
            walked += 1;
        }
    }
    assert!(walked > 240, "{walked}");
    // The same words make one where they are meant to.
    let given = bob.send(form(CHOICES, &YES, &[])).await;
    assert_eq!(given.status, 303, "{}", given.text());
    assert_eq!(rows(&stage).await, 1);
}

#[tokio::test]
async fn promise_cns_06_news_are_wanted_only_once_the_mailbox_says_so() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let person = person_of(&stage, ANNA).await;
    let wants = async || wants_news(&stage, person).await;
    answer(&anna, "news", "yes").await;
    assert!(!wants().await, "a letter asks first");
    assert_eq!(consents(&anna, "news").await["state"], "asked");
    let Letter::NewsConfirm { token } = last_letter(&stage, ANNA).await else {
        panic!("no letter asks");
    };
    let link = format!("/news/confirm/{token}");
    let guest = Browser::new(&stage);
    // Mail programs open links by themselves: that says nothing.
    assert!(guest.get(&link).await.text().contains("Yes, send me news"));
    assert!(!wants().await);
    assert_eq!(guest.submit(&link, &[]).await.status, 200);
    assert!(wants().await);
    let confirmed = consents(&anna, "news").await;
    assert_eq!(confirmed["decisions"][0]["means"], "mailbox");
    assert_eq!(guest.submit(&link, &[]).await.status, 410, "once");
    answer(&anna, "news", "no").await;
    assert!(!wants().await);

    // Whoever takes it back before they confirmed is not brought in by the letter.
    answer(&anna, "news", "yes").await;
    let Letter::NewsConfirm { token } = last_letter(&stage, ANNA).await else {
        panic!("no letter asks");
    };
    answer(&anna, "news", "no").await;
    let late = guest.submit(&format!("/news/confirm/{token}"), &[]).await;
    assert_eq!(late.status, 410);
    assert!(!wants().await);
    let waits = outbox::letters(&stage.studio).await;
    let asks = |one: &outbox::Posted| matches!(one.letter, Some(Letter::NewsConfirm { .. }));
    assert!(!waits.iter().any(asks), "no letter waits that asks");
}

async fn wants_news(stage: &Stage, person: PersonId) -> bool {
    consent::is_allowed(&stage.studio, person, Optional::News, Signal::Absent)
        .await
        .expect("reads")
}

#[tokio::test]
async fn promise_cns_06_one_press_ends_news_without_signing_in() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let person = person_of(&stage, ANNA).await;
    let studio = &stage.studio;
    let reference = consent::reference(studio, person);
    let link = format!("/news/leave/{reference}");
    let guest = Browser::new(&stage);
    for by_program in [true, false] {
        answer(&anna, "news", "yes").await;
        let Letter::NewsConfirm { token } = last_letter(&stage, ANNA).await else {
            panic!("no letter asks");
        };
        guest.submit(&format!("/news/confirm/{token}"), &[]).await;
        assert!(wants_news(&stage, person).await);
        // Looking changes nothing.
        assert!(
            guest
                .get(&link)
                .await
                .text()
                .contains("Send me no more news")
        );
        assert!(wants_news(&stage, person).await);
        let left = match by_program {
            // As mail programs do it: no cookie, no origin, and these words (RFC 8058).
            true => {
                let press = request(Method::POST, &link)
                    .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(Body::from("List-Unsubscribe=One-Click"));
                stage.send(press.expect("a request")).await
            }
            false => guest.submit(&link, &[]).await,
        };
        assert_eq!(left.status, 200, "{}", left.text());
        assert!(!wants_news(&stage, person).await);
        let last = consents(&anna, "news").await["decisions"][0].clone();
        assert_eq!(last["decision"], "withdrawn");
        assert_eq!(last["means"], "letter");
    }
    // What was made up, or is another's number under this seal, ends nothing.
    let bob = Browser::new(&stage);
    bob.sign_up(BOB).await;
    let seal = reference.split_once('.').expect("a seal").1;
    let other = person_of(&stage, BOB).await;
    for forged in [
        format!("{other}.{seal}"),
        format!("{person}."),
        "x".to_owned(),
    ] {
        let link = format!("/news/leave/{forged}");
        assert_eq!(guest.get(&link).await.status, 404, "{forged}");
        assert_eq!(guest.submit(&link, &[]).await.status, 404, "{forged}");
    }
}

#[tokio::test]
async fn promise_cns_05_changing_ones_mind_has_a_measure_and_no_always_works() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let person = person_of(&stage, ANNA).await;
    let studio = &stage.studio;
    let give = async || {
        consent::give(
            studio,
            person,
            Optional::Personalisation,
            1,
            Means::Session,
            Signal::Absent,
        )
        .await
    };
    let mut refused = None;
    for _ in 0..100 {
        if let Err(error) = give().await {
            refused = Some(error);
            break;
        }
        consent::withdraw(
            studio,
            person,
            Optional::Personalisation,
            Means::Session,
            Signal::Absent,
        )
        .await
        .expect("always works");
    }
    assert!(
        matches!(refused, Some(consent::ConsentError::TooMany)),
        "{refused:?}"
    );
    assert_eq!(
        consents(&anna, "personalisation").await["is_allowed"],
        false
    );
    studio.clock.advance_millis(24 * 60 * 60 * 1_000 + 1);
    give().await.expect("another day");
}
