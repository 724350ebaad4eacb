//! Sessions: what a browser holds, what the house keeps of it, and when it ends.

use axum::body::Body;
use axum::http::Method;
use domain::secret::Token;
use studio::accounts::session::{ABSOLUTE_END_MS, IDLE_END_MS};

use crate::browser::{Browser, PASSWORD, everything_kept, person_of};
use crate::stage::{Stage, request};

const ANNA: &str = "anna@example.org";

#[tokio::test]
async fn promise_cns_01_signed_out_no_cookie_signed_in_exactly_the_declared() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let browser = Browser::new(&stage);
    for path in [
        "/",
        "/about",
        "/sign-in",
        "/sign-up",
        "/reset",
        "/nowhere",
        "/pictures",
        "/v1/models",
    ] {
        browser.get(path).await;
        assert!(browser.cookies.borrow().is_empty(), "{path}");
    }
    let entered = browser.sign_in("op@example.org", PASSWORD).await;
    let names: Vec<String> = browser.cookies.borrow().keys().cloned().collect();
    assert_eq!(names, ["pinhole", "pinhole-device"]);
    for set in entered.headers.get_all("set-cookie") {
        let set = set.to_str().expect("text");
        assert!(
            set.contains("; Path=/;") && set.contains("; HttpOnly; SameSite=Lax"),
            "{set}"
        );
        assert!(!set.contains("Domain"));
    }
}

#[tokio::test]
async fn promise_cns_01_over_https_cookies_belong_to_this_host_alone() {
    let stage = Stage::public("https://pictures.example.org").await;
    let browser = Browser::at(&stage, "pictures.example.org");
    assert_eq!(
        browser.get("/account").await.header("location"),
        "/sign-in?next=%2Faccount"
    );
    browser.welcome("op@example.org").await;
    let names: Vec<String> = browser.cookies.borrow().keys().cloned().collect();
    assert_eq!(names, ["__Host-pinhole", "__Host-pinhole-device"]);
    let again = browser.sign_in("op@example.org", PASSWORD).await;
    let sets = again.headers.get_all("set-cookie").iter();
    let is_kept =
        |set: &&axum::http::HeaderValue| !set.to_str().expect("text").contains("Max-Age=0");
    assert_eq!(sets.filter(is_kept).count(), 2);
    for set in again.headers.get_all("set-cookie") {
        assert!(set.to_str().expect("text").ends_with("; Secure"));
    }
    assert_eq!(
        Browser::at(&stage, "other.example.org")
            .get("/")
            .await
            .status,
        421
    );
}

#[tokio::test]
async fn promise_acc_05_a_stolen_table_of_sessions_lets_nobody_in() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let token = anna.cookies.borrow()["pinhole"].clone();
    assert!(Token::read(&token).is_some(), "256 bits");
    let kept = everything_kept(&stage).await;
    assert!(!kept.contains(&token), "the token itself is kept");
    assert!(!kept.contains(&anna.cookies.borrow()["pinhole-device"]));
    let hash = domain_hash(&token);
    assert!(kept.contains(&hash), "the hash is kept");
    let thief = Browser::new(&stage);
    for stolen in [hash.as_str(), &hash[..43]] {
        thief
            .cookies
            .borrow_mut()
            .insert("pinhole".to_owned(), stolen.to_owned());
        assert!(!thief.is_in().await);
    }
}

fn domain_hash(token: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(token)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[tokio::test]
async fn promise_acc_05_a_session_is_never_the_one_that_a_browser_brought() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome(ANNA).await;
    let planted = "p".repeat(43);
    let victim = Browser::new(&stage);
    victim
        .cookies
        .borrow_mut()
        .insert("pinhole".to_owned(), planted.clone());
    victim.sign_in(ANNA, PASSWORD).await;
    assert_ne!(victim.cookies.borrow()["pinhole"], planted);
    let attacker = Browser::new(&stage);
    attacker
        .cookies
        .borrow_mut()
        .insert("pinhole".to_owned(), planted);
    assert!(!attacker.is_in().await);
    // And each sign-in begins a session of its own.
    let first = victim.cookies.borrow()["pinhole"].clone();
    victim.sign_in(ANNA, PASSWORD).await;
    assert_ne!(victim.cookies.borrow()["pinhole"], first);
}

#[tokio::test]
async fn promise_acc_05_sessions_end_idle_or_old() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let step = IDLE_END_MS - 120_000;
    let mut passed = 0;
    while passed + step < ABSOLUTE_END_MS {
        stage.studio.clock.advance_millis(step);
        passed += step;
        assert!(anna.is_in().await, "it is used, so it lives");
    }
    stage.studio.clock.advance_millis(ABSOLUTE_END_MS - passed);
    assert!(!anna.is_in().await, "it is old");
    anna.sign_in(ANNA, PASSWORD).await;
    assert!(anna.is_in().await);
    stage.studio.clock.advance_millis(IDLE_END_MS);
    assert!(!anna.is_in().await, "it was idle");
}

#[tokio::test]
async fn promise_acc_05_a_person_sees_and_ends_sessions_one_by_one() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let phone = Browser::new(&stage);
    let mut sign_in = crate::stage::form(
        "/sign-in",
        &[("address", ANNA), ("password", PASSWORD)],
        &[],
    );
    let agent = "Mozilla/5.0 (Android 15; Mobile; rv:150.0) Gecko/150.0 Firefox/150.0";
    sign_in
        .headers_mut()
        .insert("user-agent", agent.parse().expect("a header"));
    phone.send(sign_in).await;
    let tablet = Browser::new(&stage);
    tablet.sign_in(ANNA, PASSWORD).await;
    let page = anna.get("/account/sessions").await.text();
    assert!(page.contains("Firefox on Android") && page.contains("This browser"));
    assert!(
        !everything_kept(&stage).await.contains("Gecko"),
        "what a browser says is kept"
    );

    let sessions =
        studio::accounts::session::list(&stage.studio, person_of(&stage, ANNA).await).await;
    let sessions = sessions.expect("sessions");
    assert_eq!(sessions.len(), 3);
    let phones = sessions
        .iter()
        .find(|one| one.family.contains("Android"))
        .expect("the phone");
    let id = phones.id.to_string();
    assert!(phone.is_in().await);
    // Somebody else can't end it.
    let bo = Browser::new(&stage);
    bo.sign_up("bo@example.org").await;
    bo.submit("/account/sessions", &[("session", &id)]).await;
    assert!(phone.is_in().await);
    anna.submit("/account/sessions", &[("session", &id)]).await;
    assert!(!phone.is_in().await, "it ended at once");
    assert!(tablet.is_in().await && anna.is_in().await);
    anna.submit("/account/sessions", &[("others", "1")]).await;
    assert!(!tablet.is_in().await && anna.is_in().await);
}

#[tokio::test]
async fn promise_acc_05_a_changed_password_rotates_the_session_and_ends_the_others() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let other = Browser::new(&stage);
    other.sign_in(ANNA, PASSWORD).await;
    let copied = Browser::with_cookies_of(&anna);
    let change = |current, new| [("current", current), ("password", new)];
    let wrong = anna
        .submit(
            "/account/password",
            &change("three red apples", "seven blue pears"),
        )
        .await;
    assert_eq!(wrong.status, 400);
    let right = anna
        .submit("/account/password", &change(PASSWORD, "seven blue pears"))
        .await;
    assert_eq!(right.status, 303);
    assert!(anna.is_in().await, "she stays");
    assert!(!copied.is_in().await, "the former token is worth nothing");
    assert!(!other.is_in().await);
    assert_eq!(other.sign_in(ANNA, PASSWORD).await.status, 401);
}

#[tokio::test]
async fn promise_acc_05_a_changed_role_ends_sessions() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let person = person_of(&stage, ANNA).await;
    let role = domain::role::Role::Operator;
    studio::accounts::person::set_role(&stage.studio, person, role)
        .await
        .expect("a role");
    assert!(!anna.is_in().await);
    anna.sign_in(ANNA, PASSWORD).await;
    anna.on_duty(role).await;
    assert_eq!(anna.get("/letters").await.status, 200);
}

#[tokio::test]
async fn a_form_of_another_site_does_nothing_with_a_persons_cookies() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let mut forged = crate::stage::form("/sign-out", &[], &[]);
    forged
        .headers_mut()
        .insert("sec-fetch-site", "cross-site".parse().expect("a header"));
    assert_eq!(anna.send(forged).await.status, 403);
    assert!(anna.is_in().await);
    let reading = request(Method::GET, "/sign-out").body(Body::empty());
    assert_eq!(anna.send(reading.expect("a request")).await.status, 405);
}
