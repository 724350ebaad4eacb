//! What is open ends with the key or the session by which it was opened, and nothing else does.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use domain::ids::JobId;
use domain::role::Role;
use serde_json::{Value, json};
use studio::accounts::person::PersonError;
use studio::accounts::{Gate, key, person, session};
use studio::jobs::progress::Board;
use studio::{Studio, jobs};

use crate::browser::{Browser, person_of};
use crate::stage::{Answer, Events, Stage, borrowed, json as json_request, request};

const ANNA: &str = "anna@example.org";
const BO: &str = "bo@example.org";
/// Far longer than it may take, so that a slow machine does not fail.
const PATIENCE: Duration = Duration::from_secs(20);

fn with_key(mut request: Request<Body>, key: &str) -> Request<Body> {
    let value = format!("Bearer {key}").parse().expect("a header");
    request.headers_mut().insert("authorization", value);
    request
}

fn with_cookies(mut request: Request<Body>, browser: &Browser<'_>) -> Request<Body> {
    let pairs: Vec<String> = browser
        .cookies
        .borrow()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let pairs = pairs.join("; ").parse().expect("cookies");
    request.headers_mut().insert("cookie", pairs);
    request
}

/// A key, and the id under which it is revoked.
async fn make_key(browser: &Browser<'_>, scopes: &[&str]) -> (String, String) {
    let mut fields = vec![("name", "program")];
    fields.extend(scopes.iter().map(|scope| ("scope", *scope)));
    let page = browser.submit("/account/keys", &fields).await.text();
    let between = |mark: &str, end: char| {
        let rest = page.split(mark).nth(1).expect("the mark");
        rest.split(end).next().expect("an end").to_owned()
    };
    let id = between("name=\"key\" value=\"", '"');
    (between("<pre tabindex=\"0\"><code>", '<'), id)
}

fn order(streams: bool) -> Request<Body> {
    let body = json!({ "prompt": "a red apple", "stream": streams });
    json_request("/v1/images/generations", &body)
}

fn follow(job: &str) -> Request<Body> {
    let path = format!("/v1/jobs/events?ids={job}");
    let request = request(Method::GET, &path).body(Body::empty());
    request.expect("a request")
}

/// What comes until the stream ends, which it does by itself.
async fn rest(mut events: Events) -> Vec<(String, Value)> {
    let rest = tokio::time::timeout(PATIENCE, events.rest()).await;
    rest.expect("it ends")
}

fn code(event: &Value) -> &str {
    event["error"]["code"].as_str().expect("a code")
}

async fn job_of(stage: &Stage, address: &str) -> jobs::Job {
    let person = person_of(stage, address).await;
    let page = jobs::recent(&stage.studio, person, None, 1).await;
    page.expect("reads").items.remove(0)
}

async fn over(stage: &Stage, address: &str, id: JobId) -> jobs::Job {
    let person = person_of(stage, address).await;
    let over = tokio::time::timeout(PATIENCE, jobs::wait(&stage.studio, person, id)).await;
    over.expect("it ends").expect("reads").expect("a job")
}

#[tokio::test]
async fn promise_acc_05_a_revoked_key_gets_no_more_and_its_job_costs_nothing() {
    let stage = Stage::halted().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let (key, id) = make_key(&anna, &["draw", "pictures:read", "account:read"]).await;
    let (other, _) = make_key(&anna, &["draw", "pictures:read"]).await;
    let drawing = Events::of(stage.open(with_key(order(true), &key)).await);
    let job = job_of(&stage, ANNA).await;
    assert!(job.charge.is_some(), "it is paid for");
    let mut followed = Events::of(
        stage
            .open(with_key(follow(&job.id.to_string()), &key))
            .await,
    );
    let mut watched = Events::of(
        stage
            .open(with_key(follow(&job.id.to_string()), &other))
            .await,
    );
    assert_eq!(followed.next().await.expect("an event").0, "progress");
    assert_eq!(watched.next().await.expect("an event").0, "progress");

    let revoked = anna.submit("/account/keys/revoke", &[("key", &id)]).await;
    assert_eq!(revoked.status, 303);
    let told = rest(drawing).await;
    let (name, last) = told.last().expect("a last event");
    assert_eq!(name, "error");
    assert!(
        ["access_ended", "cancelled"].contains(&code(last)),
        "{last}"
    );
    assert!(told.iter().all(|(name, _)| name == "error"), "no picture");
    rest(followed).await;
    // Another key of the same person sees how it ended.
    let seen = rest(watched).await;
    assert_eq!(seen.last().expect("an end").0, "end");
    let ended = over(&stage, ANNA, job.id).await;
    assert_eq!(ended.state, jobs::State::Cancelled);
    let charge = ended.charge.expect("it was held");
    assert_eq!(charge.charged.map(|credits| credits.get()), Some(0));
    stage.allow_steps(1_000);
    let after = stage.send(with_key(order(false), &other)).await;
    assert_eq!(after.status, 200, "{}", after.text());
}

#[tokio::test]
async fn promise_acc_05_an_answer_that_is_waited_for_ends_with_its_key() {
    let stage = Stage::halted().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let (key, id) = make_key(&anna, &["draw"]).await;
    for path in ["/v1/images/generations", "/v1/responses"] {
        let (key, id) = match path {
            "/v1/responses" => make_key(&anna, &["draw"]).await,
            _ => (key.clone(), id.clone()),
        };
        let body = json!({
            "prompt": "a red apple",
            "input": "a red apple",
            "tools": [{ "type": "image_generation" }],
        });
        let waits = async {
            let asked = with_key(json_request(path, &body), &key);
            Answer::read(stage.open(asked).await).await
        };
        let revokes = async {
            // Not before it was ordered.
            while stage_jobs(&stage).await == 0 {
                tokio::task::yield_now().await;
            }
            anna.submit("/account/keys/revoke", &[("key", &id)]).await
        };
        let both = async { tokio::join!(waits, revokes) };
        let (answer, _) = tokio::time::timeout(PATIENCE, both).await.expect("it ends");
        let code = answer.json()["error"]["code"].clone();
        assert!(code == "access_ended" || code == "cancelled", "{code}");
        let job = job_of(&stage, ANNA).await;
        let ended = over(&stage, ANNA, job.id).await;
        assert_eq!(ended.state, jobs::State::Cancelled);
    }
}

/// Anna's jobs that are not over.
async fn stage_jobs(stage: &Stage) -> usize {
    let person = person_of(stage, ANNA).await;
    let page = jobs::recent(&stage.studio, person, None, 10).await;
    let all = page.expect("reads").items;
    all.iter().filter(|job| !job.state.is_final()).count()
}

#[tokio::test]
async fn promise_acc_05_an_ended_session_follows_nothing_any_more() {
    let stage = Stage::halted().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let placed = anna
        .submit(
            "/draw",
            &borrowed(&crate::stage::priced(
                &anna.get("/").await.text(),
                &[("prompt", "a red apple")],
            )),
        )
        .await;
    assert_eq!(placed.status, 303, "{}", placed.text());
    let job = job_of(&stage, ANNA).await;
    let laptop = Browser::new(&stage);
    laptop.sign_in(ANNA, crate::browser::PASSWORD).await;
    let open = async |browser: &Browser<'_>| {
        let asked = with_cookies(follow(&job.id.to_string()), browser);
        Events::of(stage.open(asked).await)
    };
    let (mut ends, mut stays) = (open(&laptop).await, open(&anna).await);
    for events in [&mut ends, &mut stays] {
        assert_eq!(events.next().await.expect("an event").0, "progress");
    }
    anna.submit("/account/sessions", &[("others", "1")]).await;
    let told = rest(ends).await;
    let (name, last) = told.last().expect("a last event");
    assert_eq!((name.as_str(), code(last)), ("error", "access_ended"));
    // The other session goes on, and the job of a page with it.
    stage.allow_steps(1_000);
    let seen = rest(stays).await;
    assert_eq!(seen.last().expect("an end").0, "end");
    assert_eq!(over(&stage, ANNA, job.id).await.state, jobs::State::Done);
}

#[tokio::test]
async fn promise_acc_05_a_lowered_role_ends_what_it_opened() {
    let stage = Stage::halted().await;
    Browser::new(&stage).welcome(ANNA).await;
    let bo = Browser::new(&stage);
    bo.sign_up(BO).await;
    let person = person_of(&stage, BO).await;
    let set = person::set_role(&stage.studio, person, Role::Operator).await;
    set.expect("set");
    assert_eq!(bo.sign_in(BO, crate::browser::PASSWORD).await.status, 303);
    let (rules, _) = make_key(&bo, &["draw", "pictures:read", "admin"]).await;
    let (reads, _) = make_key(&bo, &["pictures:read"]).await;
    let drawing = Events::of(stage.open(with_key(order(true), &rules)).await);
    let job = job_of(&stage, BO).await;
    let follow = || follow(&job.id.to_string());
    let in_page = Events::of(stage.open(with_cookies(follow(), &bo)).await);
    let mut reading = Events::of(stage.open(with_key(follow(), &reads)).await);
    assert_eq!(reading.next().await.expect("an event").0, "progress");
    let set = person::set_role(&stage.studio, person, Role::Person).await;
    set.expect("set");
    for (what, events) in [("the key", drawing), ("the session", in_page)] {
        let told = rest(events).await;
        let (_, last) = told.last().expect("a last event");
        assert_eq!(code(last), "access_ended", "{what}");
    }
    // A key that could never do more goes on, and sees that the other's job was given up.
    let seen = rest(reading).await;
    assert_eq!(seen.last().expect("an end").0, "end");
}

/// Of two who run the house, one stays, however closely their roles are lowered together.
#[tokio::test]
async fn promise_acc_07_two_who_run_the_house_are_not_both_lowered_at_once() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome(ANNA).await;
    Browser::new(&stage).sign_up(BO).await;
    let studio = &stage.studio;
    let (anna, bo) = (person_of(&stage, ANNA).await, person_of(&stage, BO).await);
    for _ in 0..10 {
        for one in [anna, bo] {
            let set = person::set_role(studio, one, Role::Operator).await;
            set.expect("set");
        }
        let lowered = tokio::join!(
            person::set_role(studio, anna, Role::Person),
            person::set_role(studio, bo, Role::Person)
        );
        assert!(
            matches!(
                lowered,
                (Ok(()), Err(PersonError::LastOperator)) | (Err(PersonError::LastOperator), Ok(()))
            ),
            "{lowered:?}"
        );
    }
}

/// Another process knows nothing of what is open here, and shares only the database.
#[tokio::test]
async fn promise_acc_05_what_another_process_ends_ends_here() {
    let stage = Stage::halted().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let elsewhere = Studio {
        gate: Gate::new(stage.studio.gate.rules()),
        board: Board::default(),
        ..stage.studio.clone()
    };
    let person = person_of(&stage, ANNA).await;
    let (program, id) = make_key(&anna, &["draw"]).await;
    let (reads, _) = make_key(&anna, &["pictures:read"]).await;
    let drawing = Events::of(stage.open(with_key(order(true), &program)).await);
    let job = job_of(&stage, ANNA).await;
    let follow = || follow(&job.id.to_string());
    let in_page = Events::of(stage.open(with_cookies(follow(), &anna)).await);
    let mut reading = Events::of(stage.open(with_key(follow(), &reads)).await);
    assert_eq!(reading.next().await.expect("an event").0, "progress");

    let all = session::list(&elsewhere, person).await.expect("reads");
    let ended = session::end(&elsewhere, person, all[0].id).await;
    assert!(ended.expect("ends"));
    let told = rest(in_page).await;
    assert_eq!(code(&told.last().expect("an event").1), "access_ended");
    let id = id.parse().expect("an id");
    assert!(key::revoke(&elsewhere, person, id).await.expect("revokes"));
    let told = rest(drawing).await;
    assert_eq!(told.last().expect("an event").0, "error");
    assert_eq!(
        over(&stage, ANNA, job.id).await.state,
        jobs::State::Cancelled
    );
    drop(reading);
}
