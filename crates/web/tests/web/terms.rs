//! The operator's terms: asked for where there are any, accepted as they were shown, and no consent.

use axum::body::Body;
use axum::http::Request;
use studio::letters::Letter;
use studio::privacy::consent;
use studio::privacy::log::{self, Kind};
use studio::privacy::policies::NOTICE_MS;
use studio::terms::{self, Draft, TermsError};

use crate::browser::{Browser, PASSWORD, last_letter, person_of};
use crate::stage::Stage;

async fn publish(
    stage: &Stage,
    text: &str,
    needs_acceptance: bool,
) -> Result<terms::Head, TermsError> {
    let draft = Draft {
        text,
        summary: "",
        needs_acceptance,
        effective: None,
    };
    let head = terms::publish(&stage.studio, draft).await;
    // What pages know of it is a second old at most.
    stage.studio.clock.advance_millis(2_000);
    head
}

fn field(page: &str) -> String {
    let (_, rest) = page
        .split_once("name=\"terms\" value=\"")
        .expect("names the terms");
    rest.split('"').next().expect("ends").to_owned()
}

const FORM: [(&str, &str); 3] = [
    ("address", "anna@example.org"),
    ("password", PASSWORD),
    ("born", "1990-05-17"),
];

#[tokio::test]
async fn promise_own_06_a_house_without_terms_asks_for_none() {
    let stage = Stage::free().await;
    let operator = Browser::new(&stage);
    operator.welcome("op@example.org").await;
    let visitor = Browser::new(&stage);
    let page = visitor.get("/sign-up").await.text();
    assert!(!page.contains("accept_terms") && !page.contains("/terms"));
    assert_eq!(visitor.get("/terms").await.status, 404);
    assert_eq!(visitor.get("/terms/versions.atom").await.status, 404);
    let anna = Browser::new(&stage);
    anna.sign_up("anna@example.org").await;
    assert_eq!(anna.get("/").await.status, 200);
    let desk = operator.get("/desk/policies").await.text();
    assert!(desk.contains("No terms were published"));
}

/// The version that is accepted is the one that was shown, whatever is published in between; it is a row and a
/// leaf, and no consent.
#[tokio::test]
async fn promise_own_06_terms_are_accepted_as_they_were_shown_and_that_is_no_consent() {
    let stage = Stage::free().await;
    let studio = &stage.studio;
    let operator = Browser::new(&stage);
    operator.welcome("op@example.org").await;
    let first = publish(&stage, "# Terms\n\n- be <b>kind</b>", true)
        .await
        .expect("the first");
    let anna = Browser::new(&stage);
    let shown = anna.get("/sign-up").await.text();
    assert!(shown.contains("accept_terms") && !shown.contains("checked"));
    let read = anna.get("/terms/1").await.text();
    assert!(
        read.contains("be &#60;b&#62;kind") || read.contains("be &lt;b&gt;kind"),
        "{read}"
    );
    let hash = field(&shown);
    assert_eq!(hash, first.sha256);

    // Without a tick, and with the tick of a version that is not the one in force any more.
    let mut form = FORM.to_vec();
    form.push(("terms", &hash));
    let refused = anna.submit("/sign-up", &form).await;
    assert!(refused.status == 400 && refused.text().contains("Read them, and tick the box"));
    publish(&stage, "# Terms\n\n- be kind, always", true)
        .await
        .expect("the second, at once: nobody else is there");
    form.push(("accept_terms", "yes"));
    let refused = anna.submit("/sign-up", &form).await;
    assert_eq!(refused.status, 400);
    let again = refused.text();
    assert!(again.contains("changed while you read") && !again.contains("checked"));
    let second = field(&again);
    assert_ne!(second, hash);
    let mut form = FORM.to_vec();
    form.extend([("terms", second.as_str()), ("accept_terms", "yes")]);
    assert_eq!(anna.submit("/sign-up", &form).await.status, 200);

    let Letter::SignUp { token } = last_letter(&stage, "anna@example.org").await else {
        panic!("no letter to sign up");
    };
    let path = format!("/sign-up/{token}");
    let done = anna.submit(&path, &[("password", PASSWORD)]).await;
    assert_eq!(done.status, 303);
    let person = person_of(&stage, "anna@example.org").await;
    let accepted = terms::of_person(studio, person).await.expect("reads");
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0].number, 2);
    let entries = log::of_person(studio, person, None, 100)
        .await
        .expect("reads");
    let leaves: Vec<_> = entries
        .iter()
        .filter(|entry| entry.kind == Kind::TermsAccepted)
        .collect();
    assert_eq!(leaves.len(), 1);
    assert_eq!(leaves[0].what["text_sha256"], accepted[0].text_sha256);
    assert!(
        consent::history(studio, person)
            .await
            .expect("reads")
            .is_empty()
    );
    assert_eq!(anna.get("/").await.status, 200);
    // Not who runs the house: nobody accepted in their place.
    assert_eq!(operator.get("/").await.status, 303);
    let desk = operator.get("/desk/policies").await.text();
    assert!(desk.contains("Accepted by 1, not yet by 1."), "{desk}");
}

/// Who is there is told a month before, asked from the day on, and keeps every right without accepting.
#[tokio::test]
async fn promise_own_06_who_does_not_accept_keeps_their_rights_and_draws_nothing() {
    let stage = Stage::free().await;
    let studio = &stage.studio;
    let operator = Browser::new(&stage);
    operator.welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up("anna@example.org").await;
    let person = person_of(&stage, "anna@example.org").await;
    assert!(matches!(
        publish(&stage, "words", false).await,
        Err(TermsError::NothingToEdit)
    ));
    let early = Draft {
        text: "One",
        summary: "",
        needs_acceptance: true,
        effective: Some(studio.clock.now()),
    };
    assert!(matches!(
        terms::publish(studio, early).await,
        Err(TermsError::TooEarly { .. })
    ));
    let first = publish(&stage, "One", true).await.expect("the first");
    assert!(matches!(
        publish(&stage, "One, edited", false).await,
        Err(TermsError::Overtakes(1))
    ));
    for told in [2, 0] {
        assert_eq!(terms::tell_due(studio).await.expect("tells"), told);
    }
    assert!(anna.get("/").await.text().contains("The terms change"));
    assert!(
        anna.get("/account/notices")
            .await
            .text()
            .contains("terms-1")
    );

    studio.clock.advance_millis(NOTICE_MS);
    // Sessions may have ended meanwhile.
    anna.sign_in("anna@example.org", PASSWORD).await;
    let asked = anna.get("/").await;
    assert_eq!(
        (
            asked.status.as_u16(),
            asked.headers["location"].to_str().unwrap_or("")
        ),
        (303, "/terms/accept")
    );
    let drawn = anna
        .submit("/draw", &[("prompt", "a red apple"), ("count", "1")])
        .await;
    assert_eq!(drawn.headers["location"], "/terms/accept");
    let api = Request::post("/v1/images/generations")
        .header("content-type", "application/json")
        .body(Body::from(r#"{"prompt":"a red apple"}"#))
        .expect("is a request");
    let refused = anna.send(api).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("\"terms_not_accepted\""));
    for page in [
        "/pictures",
        "/account/data",
        "/account/restriction",
        "/support",
        "/privacy",
        "/account/log",
        "/terms",
    ] {
        assert_eq!(anna.get(page).await.status, 200, "{page}");
    }
    let page = anna.get("/terms/accept").await.text();
    let hash = field(&page);
    assert_eq!(hash, first.sha256);
    let unticked = anna.submit("/terms/accept", &[("terms", &hash)]).await;
    assert_eq!(unticked.status, 409);
    let wrong = anna
        .submit("/terms/accept", &[("terms", "00"), ("accept", "yes")])
        .await;
    assert_eq!(wrong.status, 409);
    assert!(terms::owes(studio, person).await.expect("reads"));
    for _ in 0..2 {
        let done = anna
            .submit("/terms/accept", &[("terms", &hash), ("accept", "yes")])
            .await;
        assert_eq!(done.status, 303);
    }
    assert_eq!(
        terms::of_person(studio, person).await.expect("reads").len(),
        1
    );
    assert_eq!(anna.get("/").await.status, 200);

    // The wording alone: nobody is asked.
    publish(&stage, "One.", false).await.expect("edits");
    assert_eq!(anna.get("/").await.status, 200);
    assert_eq!(terms::tell_due(studio).await.expect("tells"), 0);
    let changes = anna.get("/terms/2/changes").await.text();
    assert!(changes.contains("<ins>One.</ins>"), "{changes}");
    assert_eq!(terms::complaints(studio).await.expect("reads"), [""; 0]);
    assert!(
        anna.get("/terms/versions.atom")
            .await
            .text()
            .contains("/terms/2</id>")
    );
}
