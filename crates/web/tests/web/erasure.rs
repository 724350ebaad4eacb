//! Having everything deleted, on the page and with a key: shown before, asked twice, proven after.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use studio::accounts::session::CONFIRMED_FOR_MS;
use studio::privacy::erasure::{self, Ground};
use studio::privacy::receipt;

use crate::browser::{Browser, person_of};
use crate::stage::{Answer, Stage, json as json_request, request};

const PASSWORD: &str = "three green apples";

/// Takes what was asked for to its end, as the loop of a running house does.
pub(crate) async fn finished(stage: &Stage, place: &str) -> erasure::Standing {
    let token = place.rsplit('/').next().expect("a token");
    let token = token.strip_suffix(".json").unwrap_or(token);
    let token = domain::secret::Token::read(token).expect("a token");
    let stop = studio::jobs::worker::Stop::default();
    let erasing = erasure::keep_erasing(stage.studio.clone(), Ground::default(), stop.clone());
    let erasing = tokio::spawn(erasing);
    let standing = loop {
        let found = erasure::find(&stage.studio, &token).await.expect("read");
        let standing = found.expect("there");
        if standing.receipt.is_some() {
            break standing;
        }
        tokio::task::yield_now().await;
    };
    stop.now();
    erasing.await.expect("ends");
    standing
}

#[tokio::test]
async fn promise_acc_07_the_page_shows_what_goes_and_deletes_what_was_typed() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up("anna@example.org").await;
    stage.studio.clock.advance_millis(CONFIRMED_FOR_MS + 1);
    let asked = anna.get("/account/delete").await;
    assert_eq!(asked.status, 303);
    assert!(asked.header("location").starts_with("/account/confirm?"));
    let proof = [("password", PASSWORD), ("next", "/account/delete")];
    let proven = anna.submit("/account/confirm", &proof).await;
    assert_eq!(proven.header("location"), "/account/delete");

    let page = anna.get("/account/delete").await.text();
    for words in [
        "What goes",
        "Each browser in which you are signed in",
        "What stays, and why",
        "To go on, type: delete my account",
        "There is nothing here to delete.",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let slip = [("what", "account"), ("typed", "delete my pictures")];
    let refused = anna.submit("/account/delete", &slip).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("Nothing was deleted."));
    assert!(anna.is_in().await);

    let sure = [("what", "account"), ("typed", " Delete my account ")];
    let begun = anna.submit("/account/delete", &sure).await;
    assert_eq!(begun.status, 303, "{}", begun.text());
    let place = begun.header("location").to_owned();
    assert!(place.starts_with("/receipts/"));
    // Signed out in the same moment; the page of the receipt needs nobody.
    assert!(!anna.is_in().await);
    let other = Browser::new(&stage);
    let progress = other.get(&place).await;
    assert_eq!(progress.header("refresh"), "1");
    assert!(progress.text().contains("This account is being deleted"));
    assert_eq!(other.get(&format!("{place}.json")).await.status, 202);

    finished(&stage, &place).await;
    let page = other.get(&place).await;
    assert_eq!(page.header("refresh"), "");
    let page = page.text();
    assert!(page.contains("This account is deleted") && page.contains("Nothing of it was found."));
    assert!(!page.contains("anna@example.org"));
    let signed = other.get(&format!("{place}.json")).await.text();
    let house = other.get("/.well-known/pinhole-house.json").await.json();
    let genuine = receipt::verify(&signed, Some(&stage.studio.keys.public_key()));
    assert_eq!(genuine.expect("genuine").receipt["scope"], "account");
    assert!(signed.contains(house["signs_with"]["public_key"].as_str().expect("a key")));
    let unknown = format!("/receipts/{}", "x".repeat(43));
    assert_eq!(other.get(&unknown).await.status, 404);
}

#[tokio::test]
async fn promise_acc_07_whoever_alone_runs_the_house_is_told_what_to_do() {
    let stage = Stage::free().await;
    let op = Browser::new(&stage);
    op.welcome("op@example.org").await;
    let sure = [("what", "account"), ("typed", "delete my account")];
    let refused = op.submit("/account/delete", &sure).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .text()
            .contains("Make somebody else an operator first")
    );
    person_of(&stage, "op@example.org").await;
}

#[tokio::test]
async fn a_house_without_accounts_deletes_what_was_drawn() {
    let stage = Stage::free().await;
    stage.drawn("a red apple").await;
    let page = stage.get("/account/delete").await.text();
    assert!(page.contains("Nobody has an account in this house"));
    assert!(page.contains("Each of your orders") && page.contains("1 file"));
    let sure = [("what", "history"), ("typed", "delete my pictures")];
    let begun = stage.submit("/account/delete", &sure).await;
    assert_eq!(begun.status, 303, "{}", begun.text());
    // Nothing can be ordered until it is over.
    let order = json!({ "prompt": "another apple" });
    let refused = stage.post("/v1/images/generations", &order).await;
    assert_eq!(refused.error(409)["code"], "erasing");
    finished(&stage, begun.header("location")).await;
    assert_eq!(stage.get("/v1/jobs").await.json()["data"], json!([]));
    stage.drawn("another apple").await;
}

async fn key(anna: &Browser<'_>, scopes: &[&str]) -> String {
    let mut fields = vec![("name", "a key")];
    fields.extend(scopes.iter().map(|scope| ("scope", *scope)));
    let page = anna.submit("/account/keys", &fields).await.text();
    let at = page.find("<code>pin_").expect("a key") + "<code>".len();
    page[at..at + 47].to_owned()
}

async fn with_key(stage: &Stage, key: &str, mut request: Request<Body>) -> Answer {
    let value = format!("Bearer {key}").parse().expect("a header");
    request.headers_mut().insert("authorization", value);
    stage.send(request).await
}

#[tokio::test]
async fn promise_acc_07_a_key_deletes_what_it_may_and_what_was_confirmed() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up("anna@example.org").await;
    let usual = key(&anna, &["draw", "pictures:write", "account:write"]).await;
    let erases = key(&anna, &["account:erase"]).await;
    let ask = |body: Value| json_request("/v1/me/erasure", &body);
    let account = json!({ "what": "account", "confirm": "delete my account" });
    let refused = with_key(&stage, &usual, ask(account.clone())).await;
    assert_eq!(refused.error(403)["code"], "missing_scope");

    let preview = request(Method::GET, "/v1/me/erasure?what=account").body(Body::empty());
    let preview = with_key(&stage, &erases, preview.expect("a request")).await;
    assert_eq!(preview.json()["confirm"], "delete my account");
    assert_eq!(preview.json()["credits"], 200);
    for (body, code) in [
        (json!({ "what": "account" }), "not_confirmed"),
        (
            json!({ "what": "account", "confirm": "delete my pictures" }),
            "not_confirmed",
        ),
        (
            json!({ "what": "all", "confirm": "delete" }),
            "invalid_value",
        ),
    ] {
        let refused = with_key(&stage, &erases, ask(body)).await;
        assert_eq!(refused.error(400)["code"], code);
    }
    // A session that was left open is no proof.
    stage.studio.clock.advance_millis(CONFIRMED_FOR_MS + 1);
    let refused = anna.send(ask(account.clone())).await;
    assert_eq!(refused.error(403)["code"], "confirm_first");
    assert!(anna.is_in().await);

    let begun = with_key(&stage, &erases, ask(account)).await;
    assert_eq!(begun.status, 202, "{}", begun.text());
    let place = begun.json()["receipt_url"]
        .as_str()
        .expect("a place")
        .to_owned();
    for gone in [&usual, &erases] {
        let me = request(Method::GET, "/v1/me").body(Body::empty());
        let refused = with_key(&stage, gone, me.expect("a request")).await;
        assert_eq!(refused.error(401)["code"], "invalid_api_key");
    }
    let standing = finished(&stage, &place).await;
    assert_eq!(standing.done.credits_ended, 200);
}
