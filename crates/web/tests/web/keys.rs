//! Keys of programs: scopes, revocation, and what is kept of them.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::browser::{Browser, everything_kept, person_of};
use crate::stage::{Answer, Stage, json as json_request, request};

const ANNA: &str = "anna@example.org";

async fn make(anna: &Browser<'_>, fields: &[(&str, &str)]) -> String {
    let made = anna.submit("/account/keys", fields).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let page = made.text();
    let at = page.find("<code>pin_").expect("a key") + "<code>".len();
    page[at..at + 47].to_owned()
}

fn with_key(mut request: Request<Body>, key: &str) -> Request<Body> {
    let value = format!("Bearer {key}").parse().expect("a header");
    request.headers_mut().insert("authorization", value);
    request
}

async fn get(stage: &Stage, path: &str, key: &str) -> Answer {
    let request = request(Method::GET, path).body(Body::empty());
    stage.send(with_key(request.expect("a request"), key)).await
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say_and_no_more() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let draws = make(&anna, &[("name", "drawer"), ("scope", "draw")]).await;
    let reads = make(&anna, &[("name", "reader"), ("scope", "pictures:read")]).await;
    let order = || {
        json_request(
            "/v1/images/generations",
            &json!({ "prompt": "a red apple" }),
        )
    };

    let drawn = stage.send(with_key(order(), &draws)).await;
    assert_eq!(drawn.status, 200, "{}", drawn.text());
    let picture = drawn.json()["data"][0]["picture_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let refused = stage.send(with_key(order(), &reads)).await;
    let error = refused.error(403);
    assert_eq!(error["code"], "missing_scope");
    assert!(error["message"].as_str().expect("words").contains("draw"));

    let path = format!("/v1/pictures/{picture}");
    assert_eq!(get(&stage, &path, &reads).await.status, 200);
    assert_eq!(
        get(&stage, &path, &draws).await.error(403)["code"],
        "missing_scope"
    );
    let delete = request(Method::DELETE, &path)
        .body(Body::empty())
        .expect("a request");
    assert_eq!(
        stage.send(with_key(delete, &reads)).await.error(403)["code"],
        "missing_scope"
    );
    for path in ["/pictures", "/account/keys", "/letters"] {
        assert_eq!(
            get(&stage, path, &draws).await.status,
            403,
            "{path} is no page for keys"
        );
    }
}

#[tokio::test]
async fn wrong_and_revoked_keys_are_refused() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let key = make(&anna, &[("name", "program"), ("scope", "draw")]).await;
    assert_eq!(get(&stage, "/v1/models", &key).await.status, 200);
    let changed = format!(
        "{}{}",
        &key[..46],
        if key.ends_with('A') { 'B' } else { 'A' }
    );
    for wrong in ["", "none", "sk-123", "pin_", &changed, &key[..46]] {
        let error = get(&stage, "/v1/models", wrong).await.error(401);
        assert_eq!(error["code"], "invalid_api_key", "{wrong}");
    }
    assert_eq!(
        stage.get("/v1/models").await.error(401)["code"],
        "missing_api_key"
    );

    let person = person_of(&stage, ANNA).await;
    let listed = studio::accounts::key::list(&stage.studio, person)
        .await
        .expect("keys");
    let id = listed[0].id.to_string();
    let bo = Browser::new(&stage);
    bo.sign_up("bo@example.org").await;
    bo.submit("/account/keys/revoke", &[("key", &id)]).await;
    assert_eq!(
        get(&stage, "/v1/models", &key).await.status,
        200,
        "it is not Bo's"
    );
    anna.submit("/account/keys/revoke", &[("key", &id)]).await;
    assert_eq!(
        get(&stage, "/v1/models", &key).await.error(401)["code"],
        "invalid_api_key"
    );
}

#[tokio::test]
async fn a_key_is_shown_once_and_kept_as_a_hash() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let key = make(
        &anna,
        &[("name", "program"), ("scope", "draw"), ("limit", "25")],
    )
    .await;
    let page = anna.get("/account/keys").await.text();
    assert!(!page.contains(&key));
    assert!(page.contains(&key[..8]) && page.contains("at most 25 credits"));
    assert!(page.contains("never used"));
    assert!(!everything_kept(&stage).await.contains(&key[12..]));
    stage.studio.clock.advance_millis(90_000);
    get(&stage, "/v1/models", &key).await;
    let person = person_of(&stage, ANNA).await;
    let listed = studio::accounts::key::list(&stage.studio, person)
        .await
        .expect("keys");
    let used = listed[0].used.expect("used").as_millis();
    assert_eq!(used % 60_000, 0, "to the minute");
    assert!(anna.get("/account/keys").await.text().contains("last used"));
}

#[tokio::test]
async fn a_key_to_be_made_says_what_is_wrong() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    for fields in [
        [("name", ""), ("scope", "draw"), ("limit", "")],
        [("name", "x"), ("scope", ""), ("limit", "")],
        [("name", "x"), ("scope", "admin"), ("limit", "")],
        [("name", "x"), ("scope", "draw"), ("limit", "-1")],
        [("name", "x"), ("scope", "draw"), ("limit", "many")],
    ] {
        let answer = anna.submit("/account/keys", &fields).await;
        assert_eq!(answer.status, 400, "{fields:?}");
        assert!(answer.text().contains("class=\"wrong\""), "{fields:?}");
    }
    assert!(
        !anna
            .get("/account/keys")
            .await
            .text()
            .contains("run this house")
    );
}

#[tokio::test]
async fn without_accounts_any_key_is_as_good_as_none() {
    let stage = Stage::free().await;
    for key in ["", "none", "sk-123"] {
        assert_eq!(get(&stage, "/v1/models", key).await.status, 200, "{key}");
    }
    let ours = format!("pin_{}", "x".repeat(43));
    assert_eq!(
        get(&stage, "/v1/models", &ours).await.error(401)["code"],
        "invalid_api_key"
    );
    assert_eq!(stage.get("/").await.status, 200);
    assert_eq!(
        stage.get("/account").await.status,
        409,
        "there is no account to show"
    );
}

#[tokio::test]
async fn a_key_learns_whose_it_is() {
    let stage = Stage::free().await;
    let local = stage.get("/v1/me").await.json();
    assert_eq!(local["has_account"], false);
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let key = make(&anna, &[("name", "reader"), ("scope", "account:read")]).await;
    let answer = get(&stage, "/v1/me", &key).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let me = answer.json();
    assert_eq!(me["address"], ANNA);
    assert_eq!(
        (&me["role"], &me["has_account"]),
        (&json!("operator"), &json!(true))
    );
    assert_eq!(me["scopes"], json!(["account:read"]));
    assert!(me["key_id"].as_str().expect("an id").starts_with("key_"));
    let drawer = make(&anna, &[("name", "drawer"), ("scope", "draw")]).await;
    assert_eq!(
        get(&stage, "/v1/me", &drawer).await.error(403)["code"],
        "missing_scope"
    );
}
