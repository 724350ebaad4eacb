//! Children: how it becomes known, what is done with the account meanwhile, and that it goes in time.

use axum::http::Method;
use domain::clock::Moment;
use domain::role::Role;
use domain::secret::Token;
use serde_json::json;
use studio::accounts::person;
use studio::accounts::session::CONFIRMED_FOR_MS;
use studio::letters::Letter;
use studio::privacy::restriction::child::{self, CONTEST_MS, ChildError, ERASED_WITHIN_MS};
use studio::privacy::restriction::{self, Mode, RestrictError};
use studio::privacy::{audit, erasure};

use crate::browser::{Browser, PASSWORD, last_letter, letters_to, person_of};
use crate::gallery::picture_of;
use crate::privacy::texts;
use crate::stage::{Stage, json as json_request, request};

const ANNA: &str = "anna@example.org";
const OPERATOR: &str = "op@example.org";
const HERE: &str = "/desk/children";

/// Whoever runs the house, on duty, and Anna with a picture.
async fn house(stage: &Stage) -> (Browser<'_>, Browser<'_>) {
    let operator = Browser::new(stage);
    operator.welcome(OPERATOR).await;
    operator.on_duty(Role::Operator).await;
    let anna = Browser::new(stage);
    anna.sign_up(ANNA).await;
    picture_of(&anna, ANNA, "mark-prompt").await;
    (operator, anna)
}

fn lock<'a>(account: &'a str, reason: &'a str) -> [(&'a str, &'a str); 3] {
    [("do", "lock"), ("account", account), ("reason", reason)]
}

fn wait_until(stage: &Stage, then: Moment) {
    let clock = &stage.studio.clock;
    clock.advance_millis(then.as_millis() - clock.now().as_millis());
}

/// What an audit has against the accounts of children.
async fn late(stage: &Stage) -> bool {
    let report = audit::run(&stage.studio, &[]).await.expect("reads");
    let mut checks = report.checks.iter();
    let check = checks.find(|check| check.name == "children");
    !check.expect("a check").wrong.is_empty()
}

/// Takes the erasure that was begun to its end, as the loop of a running house does, and looks what is left.
async fn forgotten(stage: &Stage) {
    let stop = studio::jobs::worker::Stop::default();
    let ground = erasure::Ground::default();
    let erasing = erasure::keep_erasing(stage.studio.clone(), ground, stop.clone());
    let erasing = tokio::spawn(erasing);
    // The letter with the receipt is written with the first step.
    let token = loop {
        let mut all = letters_to(stage, ANNA).await.into_iter();
        let found = all.find_map(|letter| match letter {
            Letter::AccountErased { token } => Some(token),
            _ => None,
        });
        if let Some(token) = found {
            break token;
        }
        tokio::task::yield_now().await;
    };
    let read = Token::read(&token).expect("a token");
    while erasure::find(&stage.studio, &read)
        .await
        .expect("reads")
        .is_none_or(|standing| standing.receipt.is_none())
    {
        tokio::task::yield_now().await;
    }
    stop.now();
    erasing.await.expect("ends");
    let place = format!("/receipts/{token}.json");
    let receipt = Browser::new(stage).get(&place).await.json();
    assert_eq!(receipt["receipt"]["asked_by"], "age", "{receipt}");
    let left = texts(&stage.studio).await;
    let left: Vec<String> = left.into_iter().flat_map(|(.., values)| values).collect();
    for gone in ["mark-prompt", "mark-reason", "mark-contest"] {
        assert!(
            !left.iter().any(|text| text.contains(gone)),
            "{gone} is left"
        );
    }
}

/// When the account was locked.
async fn since(stage: &Stage) -> Moment {
    let person = person_of(stage, ANNA).await;
    let locked = child::of(&stage.studio, person).await.expect("reads");
    locked.expect("it is locked").since
}

#[tokio::test]
async fn promise_chd_02_a_report_is_read_and_what_is_known_locks_and_erases_with_a_receipt() {
    let stage = Stage::free().await;
    let (operator, anna) = house(&stage).await;
    // Anybody may report, by their mailbox. That alone does nothing to Anna.
    let visitor = Browser::new(&stage);
    let fields = [
        ("about", "child"),
        ("subject", "a child"),
        ("words", "Anna is in my class of ten-year-olds."),
        ("address", "teacher@example.org"),
    ];
    assert_eq!(visitor.submit("/support", &fields).await.status, 200);
    let Letter::TicketConfirm { token } = last_letter(&stage, "teacher@example.org").await else {
        panic!("no letter");
    };
    visitor
        .submit(&format!("/support/confirm/{token}"), &[])
        .await;
    let told = last_letter(&stage, OPERATOR).await;
    assert!(matches!(told, Letter::TicketArrived { .. }), "{told:?}");
    assert!(anna.is_in().await);

    // Who answers for it locks, with a reason, and can't do it by a slip.
    for (fields, says) in [
        (lock("nobody@example.org", "known"), "There is no account"),
        (lock("???", "known"), "There is no account"),
        (lock(ANNA, " "), "Say why"),
        (lock(OPERATOR, "known"), "who runs the house"),
    ] {
        let refused = operator.submit(HERE, &fields).await;
        assert_eq!(refused.status, 400, "{says}");
        assert!(refused.text().contains(says), "{says}: {}", refused.text());
    }
    let locked = operator.submit(HERE, &lock(ANNA, "mark-reason")).await;
    assert_eq!(locked.status, 303, "{}", locked.text());
    let since = since(&stage).await;
    assert!(operator.get(HERE).await.text().contains("mark-reason"));
    assert!(!anna.is_in().await, "signed out everywhere");
    let Letter::ChildLocked { at_ms } = last_letter(&stage, ANNA).await else {
        panic!("Anna was not told");
    };
    assert_eq!(at_ms, since.as_millis() + CONTEST_MS);

    // Nothing is done with what is hers, and she can read it, take it and delete it.
    assert_eq!(anna.sign_in(ANNA, PASSWORD).await.status, 303);
    let order = json_request("/v1/images/generations", &json!({ "prompt": "a dog" }));
    assert_eq!(anna.send(order).await.error(403)["code"], "restricted");
    let page = anna.get("/account/restriction").await.text();
    assert!(
        page.contains("mark-reason") && page.contains("I am old enough"),
        "{page}"
    );
    assert!(!page.contains("teacher"), "nobody learns who reported");
    assert_eq!(anna.get("/account/delete").await.status, 200);
    let lifted = restriction::lift(&stage.studio, person_of(&stage, ANNA).await).await;
    assert!(matches!(lifted, Err(RestrictError::Minor)));
    let person = person_of(&stage, ANNA).await;
    restriction::hold(&stage.studio, person, "a dispute")
        .await
        .expect("changes nothing");
    let announced = restriction::announce_lift(&stage.studio, person).await;
    assert!(
        matches!(announced, Err(RestrictError::Minor)),
        "{announced:?}"
    );
    let lift = request(Method::DELETE, "/v1/me/restriction").body(axum::body::Body::empty());
    assert_eq!(anna.send(lift.expect("a request")).await.status, 409);

    wait_until(&stage, Moment::from_millis(at_ms - 1));
    assert_eq!(child::erase_due(&stage.studio).await.expect("looks"), 0);
    wait_until(&stage, Moment::from_millis(at_ms));
    assert_eq!(child::erase_due(&stage.studio).await.expect("erases"), 1);
    forgotten(&stage).await;
    wait_until(&stage, since.plus_millis(ERASED_WITHIN_MS));
    assert!(!late(&stage).await);
}

#[tokio::test]
async fn promise_chd_02_somebody_says_it_of_themselves_and_is_locked_at_once() {
    let stage = Stage::free().await;
    let (_operator, anna) = house(&stage).await;
    let sure = [("do", "state"), ("sure", "1")];
    stage.studio.clock.advance_millis(CONFIRMED_FOR_MS + 1);
    let asked = anna.submit("/account/child", &sure).await;
    assert!(asked.header("location").starts_with("/account/confirm?"));
    let proof = [("password", PASSWORD), ("next", "/account/child")];
    anna.submit("/account/confirm", &proof).await;
    let slip = anna.submit("/account/child", &[("do", "state")]).await;
    assert_eq!(slip.status, 400);
    assert!(slip.text().contains("Nothing was done."));
    assert_eq!(anna.submit("/account/child", &sure).await.status, 303);
    let page = anna.get("/account/child").await.text();
    assert!(page.contains("You said that you are too young"), "{page}");
    let order = json_request("/v1/images/generations", &json!({ "prompt": "a dog" }));
    assert_eq!(anna.send(order).await.status, 403);
    // Once more is nothing more.
    let letters = letters_to(&stage, ANNA).await.len();
    assert_eq!(anna.submit("/account/child", &sure).await.status, 303);
    assert_eq!(letters_to(&stage, ANNA).await.len(), letters);
    stage.studio.clock.advance_millis(CONTEST_MS);
    assert_eq!(child::erase_due(&stage.studio).await.expect("erases"), 1);
    forgotten(&stage).await;
}

#[tokio::test]
async fn promise_chd_02_what_is_contested_is_weighed_before_anything_goes_and_in_time() {
    let stage = Stage::free().await;
    let (operator, anna) = house(&stage).await;
    let studio = &stage.studio;
    let id = person_of(&stage, ANNA).await;
    operator
        .submit(HERE, &lock(&id.to_string(), "mark-reason"))
        .await;
    let since = since(&stage).await;
    assert_eq!(anna.sign_in(ANNA, PASSWORD).await.status, 303);
    let said = |words| [("do", "contest"), ("words", words)];
    assert_eq!(anna.submit("/account/child", &said(" ")).await.status, 400);
    wait_until(&stage, since.plus_millis(CONTEST_MS - 1_000));
    let contested = anna.submit("/account/child", &said("mark-contest")).await;
    assert_eq!(contested.status, 303, "{}", contested.text());
    assert_eq!(
        anna.submit("/account/child", &said("again")).await.status,
        409
    );
    let Letter::ChildContested { at_ms, .. } = last_letter(&stage, OPERATOR).await else {
        panic!("nobody was told to weigh it");
    };
    assert!(at_ms < since.as_millis() + ERASED_WITHIN_MS);
    wait_until(&stage, since.plus_millis(CONTEST_MS + 1));
    assert_eq!(child::erase_due(studio).await.expect("waits"), 0);
    operator.on_duty(Role::Operator).await;
    let desk = operator.get(HERE).await.text();
    assert!(desk.contains("mark-contest"), "{desk}");

    let person = id.to_string();
    let open = [
        ("do", "unlock"),
        ("person", person.as_str()),
        ("reason", "She is a teacher."),
    ];
    assert_eq!(operator.submit(HERE, &open).await.status, 303);
    let Letter::ChildUnlocked { text } = last_letter(&stage, ANNA).await else {
        panic!("Anna was not told");
    };
    assert_eq!(text, "She is a teacher.");
    assert!(matches!(
        child::unlock(studio, id, "again").await,
        Err(ChildError::Open)
    ));
    let order = json_request("/v1/images/generations", &json!({ "prompt": "a dog" }));
    assert_eq!(anna.send(order).await.status, 200);
    studio.clock.advance_millis(ERASED_WITHIN_MS);
    assert_eq!(child::erase_due(studio).await.expect("looks"), 0);
    assert!(!late(&stage).await);
}

#[tokio::test]
async fn promise_chd_02_what_nobody_weighs_goes_all_the_same_and_an_audit_sees_where_it_does_not() {
    let stage = Stage::free().await;
    let (operator, anna) = house(&stage).await;
    let studio = &stage.studio;
    operator.submit(HERE, &lock(ANNA, "mark-reason")).await;
    let since = since(&stage).await;
    assert_eq!(anna.sign_in(ANNA, PASSWORD).await.status, 303);
    anna.submit(
        "/account/child",
        &[("do", "contest"), ("words", "mark-contest")],
    )
    .await;
    // Nothing erases: the house stood still.
    wait_until(&stage, since.plus_millis(ERASED_WITHIN_MS - 1));
    assert!(!late(&stage).await);
    wait_until(&stage, since.plus_millis(ERASED_WITHIN_MS));
    assert!(late(&stage).await);
    assert_eq!(child::erase_due(studio).await.expect("erases"), 1);
    forgotten(&stage).await;
    assert!(!late(&stage).await);
}

#[tokio::test]
async fn promise_chd_02_only_who_answers_for_it_locks_and_reads_why() {
    let stage = Stage::free().await;
    let (operator, _anna) = house(&stage).await;
    operator.submit(HERE, &lock(ANNA, "mark-reason")).await;
    for role in [
        Role::Person,
        Role::Support,
        Role::Moderator,
        Role::PrivacyOfficer,
    ] {
        let address = format!("{role}@example.org");
        let somebody = Browser::new(&stage);
        somebody.sign_up(&address).await;
        let id = person_of(&stage, &address).await;
        if role != Role::Person {
            person::set_role(&stage.studio, id, role)
                .await
                .expect("sets");
            assert_eq!(somebody.sign_in(&address, PASSWORD).await.status, 303);
        }
        let off = somebody.get(HERE).await;
        assert_eq!(off.status, 403, "{role}");
        assert!(!off.text().contains("mark-reason"), "{role}");
        if role == Role::PrivacyOfficer {
            somebody.on_duty(role).await;
            assert!(somebody.get(HERE).await.text().contains("mark-reason"));
        } else {
            let answer = somebody
                .submit(HERE, &lock("person@example.org", "I say so."))
                .await;
            assert_eq!(answer.status, 403, "{role} locks");
        }
    }
}

#[tokio::test]
async fn promise_chd_02_who_was_restricted_before_is_so_again() {
    let stage = Stage::free().await;
    let (operator, _anna) = house(&stage).await;
    let studio = &stage.studio;
    let id = person_of(&stage, ANNA).await;
    let person = id.to_string();
    let open = [
        ("do", "unlock"),
        ("person", person.as_str()),
        ("reason", "She is a teacher."),
    ];
    for held in [false, true] {
        match held {
            true => restriction::hold(studio, id, "a dispute")
                .await
                .expect("holds"),
            false => restriction::restrict(studio, id).await.expect("restricts"),
        }
        assert_eq!(
            operator
                .submit(HERE, &lock(ANNA, "mark-reason"))
                .await
                .status,
            303
        );
        assert_eq!(operator.submit(HERE, &open).await.status, 303);
        let left = restriction::of(studio, id)
            .await
            .expect("reads")
            .expect("it holds");
        let expected = if held { Mode::Held } else { Mode::Restricted };
        assert_eq!(left.mode, expected);
        assert_eq!(left.reason.as_deref(), held.then_some("a dispute"));
        assert!(child::of(studio, id).await.expect("reads").is_none());
    }
}
