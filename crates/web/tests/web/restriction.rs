//! An account that is restricted: kept, read, taken along, and nothing else.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use studio::accounts::idle;
use studio::accounts::session::CONFIRMED_FOR_MS;
use studio::letters::Letter;
use studio::privacy::log::{self, Kind};
use studio::privacy::restriction::child;
use studio::privacy::restriction::{self, Mode, NOTICE_MS, Operation, RestrictError};
use studio::privacy::{keeping, retention};

use crate::browser::{Browser, PASSWORD, last_letter, person_of};
use crate::outbox;
use crate::stage::{Answer, Stage, form, json as json_request, request};

const ANNA: &str = "anna@example.org";

/// Every route with its method and what it does, out of the table that the guard asks.
fn table() -> Vec<(String, Method, Operation, bool)> {
    let source = include_str!("../../src/guard/access.rs");
    let table = source.split("Operation)] = &[").nth(1).expect("a table");
    let table = table.split("];").next().expect("its end");
    let rows: String = table.split_whitespace().collect();
    rows.split("(\"/")
        .skip(1)
        .map(|row| {
            let (route, rest) = row.split_once('"').expect("a route");
            let fields: Vec<&str> = rest.trim_end_matches([',', ')']).split(',').collect();
            let operation = fields.last().expect("an operation");
            let known = Operation::ALL.into_iter();
            let mut named = known.filter(|one| format!("{one:?}") == *operation);
            (
                format!("/{route}"),
                fields[1].parse().expect("a method"),
                named.next().unwrap_or_else(|| panic!("{row}")),
                fields[2] == "Open",
            )
        })
        .collect()
}

fn asked(route: &str, method: &Method) -> Request<Body> {
    let mut path = route.to_owned();
    for (part, id) in [
        ("/jobs/{id}", "/jobs/job_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ("/pictures/{id}", "/pictures/pic_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    ] {
        path = path.replace(part, id);
    }
    if *method == Method::POST && !route.starts_with("/v1/") {
        return form(&path, &[], &[]);
    }
    let sent = request(method.clone(), &path).header("content-type", "application/json");
    sent.body(Body::from("{}")).expect("a request")
}

fn is_refused(answer: &Answer) -> bool {
    let text = answer.text();
    answer.status == 403 && (text.contains("restricted") || text.contains("is locked"))
}

#[tokio::test]
async fn promise_rgt_03_every_route_answers_a_restricted_person_as_the_table_says() {
    let routes = table();
    assert!(routes.len() > 100, "{}", routes.len());
    for mode in [Mode::Restricted, Mode::Held, Mode::Minor] {
        let stage = Stage::free().await;
        let op = Browser::new(&stage);
        op.welcome("op@example.org").await;
        let person = match mode {
            // Nobody who runs the house is a child.
            Mode::Minor => {
                op.get("/sign-out").await;
                op.submit("/sign-out", &[]).await;
                op.sign_up(ANNA).await;
                person_of(&stage, ANNA).await
            }
            _ => person_of(&stage, "op@example.org").await,
        };
        match mode {
            Mode::Minor => child::state(&stage.studio, person)
                .await
                .expect("is locked"),
            Mode::Held => restriction::hold(&stage.studio, person, "a dispute")
                .await
                .expect("is held"),
            _ => restriction::restrict(&stage.studio, person)
                .await
                .expect("is restricted"),
        }
        for (route, method, operation, is_open) in &routes {
            let ends = ["/sign-out", "/v1/me/restriction", "/account/restriction"];
            if ends.contains(&route.as_str()) && *method != Method::GET {
                continue;
            }
            let answer = op.send(asked(route, method)).await;
            // What runs the house asks for a role first.
            if mode == Mode::Minor && *operation == Operation::RunHouse {
                continue;
            }
            let refused = !is_open && !operation.is_done_in(mode);
            let told = answer.status;
            assert_eq!(is_refused(&answer), refused, "{method} {route}: {told}");
        }
        // Still in, and still restricted.
        assert_eq!(op.get("/account/data").await.status, 200);
        let shown = op.get("/v1/me/restriction").await.json();
        assert_eq!(shown["mode"], mode.name());
    }
}

#[tokio::test]
async fn promise_rgt_03_a_person_restricts_the_account_and_lifts_that() {
    let stage = Stage::halted().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let person = person_of(&stage, ANNA).await;
    let order = || json_request("/v1/images/generations", &json!({ "prompt": "an apple" }));
    let later = || {
        let mut order = order();
        let prefer = "respond-async".parse().expect("a value");
        order.headers_mut().insert("prefer", prefer);
        order
    };
    let drawn = anna.send(later()).await.json();
    let waiting = anna.send(later()).await.json();
    let left = async || anna.get("/v1/credits").await.json()["available"].clone();

    let page = anna.get("/account/restriction").await.text();
    assert!(page.contains("Restrict my account"), "{page}");
    let set = anna.submit("/account/restriction", &[("do", "set")]).await;
    assert_eq!(set.status, 303);
    // What was under way is cancelled and paid back.
    for job in [&drawn, &waiting] {
        let path = format!("/v1/jobs/{}", job["id"].as_str().expect("an id"));
        let job = anna.get(&path).await.json();
        assert_eq!(job["status"], "cancelled", "{job}");
    }
    assert_eq!(left().await, 200);
    let refused = anna.send(order()).await.error(403);
    assert_eq!(refused["code"], "restricted");
    let says = refused["message"].as_str().expect("words");
    assert!(says.contains("lift the restriction at /account/restriction"));
    let page = anna.get("/").await.text();
    assert!(page.contains("Nothing can be drawn: your account is restricted."));
    assert!(matches!(
        last_letter(&stage, ANNA).await,
        Letter::Restricted
    ));
    let chosen = [
        ("do", "mark"),
        ("picture", "pic_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    ];
    assert!(is_refused(&anna.submit("/pictures/chosen", &chosen).await));
    // A key does no more than its person.
    let key = json!({ "prompt": "an apple" });
    assert!(is_refused(
        &anna.send(json_request("/v1/responses", &key)).await
    ));

    // Whoever finds the browser open doesn't lift it, and nobody does by a slip.
    let sure = [("do", "lift"), ("sure", "1")];
    stage.studio.clock.advance_millis(CONFIRMED_FOR_MS + 1);
    let asked = anna.submit("/account/restriction", &sure).await;
    assert!(asked.header("location").starts_with("/account/confirm?"));
    let proof = [("password", PASSWORD), ("next", "/account/restriction")];
    anna.submit("/account/confirm", &proof).await;
    let slip = anna.submit("/account/restriction", &[("do", "lift")]).await;
    assert_eq!(slip.status, 400);
    let lifted = anna.submit("/account/restriction", &sure).await;
    assert_eq!(lifted.status, 303, "{}", lifted.text());
    stage.allow_steps(100);
    assert_eq!(anna.send(order()).await.status, 200);
    let kinds: Vec<Kind> = log::of_person(&stage.studio, person, None, 10)
        .await
        .expect("reads")
        .iter()
        .map(|entry| entry.kind)
        .collect();
    assert_eq!(
        kinds[..2],
        [Kind::RestrictionLifted, Kind::Restricted],
        "{kinds:?}"
    );
    let page = anna.get("/account/log").await.text();
    assert!(page.contains("The account was restricted"), "{page}");
}

#[tokio::test]
async fn promise_rgt_03_what_the_house_restricts_it_lifts_after_a_notice() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let person = person_of(&stage, ANNA).await;
    let studio = &stage.studio;
    let nothing = restriction::hold(studio, person, " ").await;
    assert!(matches!(nothing, Err(RestrictError::Reason)));
    let none = restriction::announce_lift(studio, person).await;
    assert!(matches!(none, Err(RestrictError::Open)));
    restriction::hold(studio, person, "Two people claim a picture.")
        .await
        .expect("is held");
    let page = anna.get("/account/restriction").await.text();
    assert!(page.contains("Two people claim a picture."), "{page}");
    let lifting = request(Method::DELETE, "/v1/me/restriction").body(Body::empty());
    let refused = anna.send(lifting.expect("a request")).await;
    assert_eq!(refused.error(409)["code"], "held");
    // The person's own wish changes nothing of it.
    anna.submit("/account/restriction", &[("do", "set")]).await;
    let shown: Value = anna.get("/v1/me/restriction").await.json();
    assert_eq!(shown["mode"], "held");
    assert_eq!(shown["reason"], "Two people claim a picture.");

    let lifts = restriction::announce_lift(studio, person)
        .await
        .expect("is announced");
    let Letter::RestrictionEnds { at_ms } = last_letter(&stage, ANNA).await else {
        panic!("nobody was told");
    };
    assert_eq!(at_ms, lifts.as_millis());
    studio.clock.advance_millis(NOTICE_MS - 1);
    assert_eq!(restriction::lift_due(studio).await.expect("looks"), 0);
    assert!(
        restriction::of(studio, person)
            .await
            .expect("reads")
            .is_some()
    );
    studio.clock.advance_millis(1);
    assert_eq!(restriction::lift_due(studio).await.expect("lifts"), 1);
    assert!(
        restriction::of(studio, person)
            .await
            .expect("reads")
            .is_none()
    );
}

#[tokio::test]
async fn a_house_without_accounts_can_be_restricted_as_well() {
    let stage = Stage::free().await;
    let put = request(Method::PUT, "/v1/me/restriction").body(Body::empty());
    let set = stage.send(put.expect("a request")).await.json();
    assert_eq!(set["mode"], "restricted");
    let order = json!({ "prompt": "an apple" });
    let refused = stage.post("/v1/images/generations", &order).await;
    assert_eq!(refused.error(403)["code"], "restricted");
    let delete = || {
        let asked = request(Method::DELETE, "/v1/me/restriction").body(Body::empty());
        asked.expect("a request")
    };
    assert_eq!(stage.send(delete()).await.json()["mode"], "open");
    assert_eq!(
        stage.send(delete()).await.error(409)["code"],
        "not_restricted"
    );
    stage.drawn("an apple").await;
}

#[tokio::test]
async fn promise_rgt_03_nothing_of_a_restricted_person_is_swept_before_that_is_lifted() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let (anna, bob) = (Browser::new(&stage), Browser::new(&stage));
    let studio = &stage.studio;
    for (browser, address) in [(&anna, ANNA), (&bob, "bob@example.org")] {
        browser.sign_up(address).await;
        let order = json!({ "prompt": "an apple", "retention": 60 });
        let drawn = browser.send(json_request("/v1/images/generations", &order));
        assert_eq!(drawn.await.status, 200);
    }
    let person = person_of(&stage, ANNA).await;
    restriction::restrict(studio, person)
        .await
        .expect("is restricted");
    studio.clock.advance_millis(61_000);
    let left = async |browser: &Browser<'_>| {
        let list = browser.get("/v1/pictures").await.json();
        list["data"].as_array().expect("a list").len()
    };
    assert_eq!(keeping::sweep(studio).await.expect("sweeps"), 1);
    assert_eq!((left(&anna).await, left(&bob).await), (1, 0));
    assert_eq!(retention::overdue(studio).await.expect("counts"), 0);
    // Nor is the account, however long nobody uses it.
    let years = idle::ENDS_AFTER_MS + 1;
    studio.clock.advance_millis(years);
    idle::look(studio).await.expect("looks");
    let told = outbox::letters(studio).await;
    let told: Vec<&str> = told
        .iter()
        .filter(|one| matches!(one.letter, Some(Letter::Idle { .. })))
        .map(|one| one.address.expose())
        .collect();
    assert_eq!(told, ["bob@example.org"]);
    restriction::lift(studio, person).await.expect("is lifted");
    assert_eq!(keeping::sweep(studio).await.expect("sweeps"), 1);
}
