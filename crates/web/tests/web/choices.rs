//! With what the studio begins, what a browser says by itself, and which cookies there are.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, header};
use axum::response::AppendHeaders;
use axum::routing::get;
use serde_json::{Value, json};
use tower::ServiceExt;
use web::Site;

use crate::browser::Browser;
use crate::consent::{ANNA, BOB, CHOICES, answer, asked, house, of, rows};
use crate::stage::{Stage, form, json as json_request, request};

/// The same from a browser that objects.
fn signalled(mut asked: Request<Body>) -> Request<Body> {
    let one = "1".parse().expect("a value");
    asked.headers_mut().insert("sec-gpc", one);
    asked
}

/// The part of the studio in which an order is written.
fn slate(page: &str) -> String {
    let form = page.split("<form class=\"order\"").nth(1).expect("a form");
    form.split("</form>").next().expect("its end").to_owned()
}

/// Which settings the studio of a browser begins with: shape, number and quality.
fn begins(page: &str) -> Vec<String> {
    let slate = slate(page);
    let ticked = slate.split("<input type=\"radio\"").skip(1);
    ticked
        .filter(|input| {
            input
                .split('>')
                .next()
                .is_some_and(|tag| tag.contains(" checked"))
        })
        .map(|input| input.split('"').nth(3).expect("a value").to_owned())
        .collect()
}

async fn draw(browser: &Browser<'_>, order: Value) {
    let drawn = browser.send(json_request("/v1/images/generations", &order));
    assert_eq!(drawn.await.status, 200);
}

#[tokio::test]
async fn promise_gen_05_the_studio_begins_alike_for_everybody_until_somebody_says_otherwise() {
    let stage = house().await;
    let (anna, bob) = (Browser::new(&stage), Browser::new(&stage));
    anna.sign_up(ANNA).await;
    bob.sign_up(BOB).await;
    let studio = async |browser: &Browser<'_>| browser.get("/").await.text();
    let order = json!({
        "prompt": "an emerald lantern", "model": "flexible", "size": "32x16", "n": 3, "quality": "high",
    });
    draw(&anna, order).await;
    // Anna has drawn, Bob has not: nobody sees that in what they begin with.
    let usual = slate(&studio(&bob).await);
    let begun = slate(&studio(&anna).await);
    // What is left of an order's price is the account's own.
    assert_eq!(begun, usual);

    answer(&anna, "personalisation", "yes").await;
    let left_off = studio(&anna).await;
    assert!(
        left_off.contains("<option value=\"flexible\" selected>"),
        "{left_off}"
    );
    assert_eq!(begins(&left_off), ["32x16", "3", "high"]);
    assert!(
        !slate(&left_off).contains("an emerald lantern"),
        "words are not read"
    );
    assert_eq!(slate(&studio(&bob).await), usual);
    // A private order leaves no trace.
    let hidden = json!({ "prompt": "a secret", "model": "scripted", "n": 1, "private": true });
    draw(&anna, hidden).await;
    assert_eq!(begins(&studio(&anna).await), ["32x16", "3", "high"]);
    // What the address says comes first.
    let chosen = anna.get("/?model=scripted").await.text();
    assert!(chosen.contains("<option value=\"scripted\" selected>"));
    answer(&anna, "personalisation", "no").await;
    assert_eq!(slate(&studio(&anna).await), usual);

    // Settings that are saved hold in every browser, and are nobody else's.
    let save = [
        ("model", "flexible"),
        ("shown", "flexible"),
        ("size", "32x32"),
        ("count", "4"),
        ("quality", "low"),
    ];
    let saved = anna.submit("/account/choices/settings", &save).await;
    assert_eq!(saved.status, 303, "{}", saved.text());
    let second = Browser::new(&stage);
    second.sign_in(ANNA, crate::browser::PASSWORD).await;
    assert_eq!(begins(&studio(&second).await), ["32x32", "4", "low"]);
    assert_eq!(slate(&studio(&bob).await), usual);
    let told = second.get("/v1/me/settings").await.json();
    assert_eq!(told["size"], "32x32");
    assert_eq!(told["n"], 4);
    let wrong = [
        ("model", "flexible"),
        ("shown", "flexible"),
        ("size", "33x33"),
        ("count", "4"),
    ];
    let refused = anna.submit("/account/choices/settings", &wrong).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("draw 33x33"), "{}", refused.text());
    // Of another model than the one whose shapes were shown, only the rest counts.
    let other = [
        ("model", "scripted"),
        ("shown", "flexible"),
        ("size", "32x16"),
        ("count", "2"),
        ("quality", "low"),
    ];
    assert_eq!(
        anna.submit("/account/choices/settings", &other)
            .await
            .status,
        303
    );
    let forgotten = anna
        .submit("/account/choices/settings", &[("do", "forget")])
        .await;
    assert_eq!(forgotten.status, 303);
    assert_eq!(slate(&studio(&anna).await), usual);
    let put = |body: Value| {
        let asked =
            request(Method::PUT, "/v1/me/settings").header("content-type", "application/json");
        asked.body(Body::from(body.to_string())).expect("a request")
    };
    let kept = anna
        .send(put(json!({ "n": 2, "quality": "high" })))
        .await
        .json();
    assert_eq!(kept["quality"], "high");
    let none = anna.send(put(json!({}))).await.json();
    assert_eq!(none["quality"], Value::Null);
}

#[tokio::test]
async fn promise_x_02_the_signal_is_a_no_until_somebody_says_yes_in_spite_of_it() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let heeds = anna.get("/.well-known/gpc.json").await.json();
    assert_eq!(heeds["gpc"], true);
    draw(
        &anna,
        json!({ "prompt": "a red apple", "model": "flexible", "size": "32x16", "n": 3 }),
    )
    .await;
    let plain = anna.get("/").await.body;
    let seen = async |path: &str| {
        let request = request(Method::GET, path).body(Body::empty());
        let answer = anna.send(signalled(request.expect("a request"))).await;
        assert_eq!(answer.status, 200);
        answer.text()
    };
    // Nothing is different for who sends it, but for the page that says that it was seen.
    for path in [
        "/",
        "/about",
        "/privacy",
        "/account",
        "/account/data",
        "/account/objections",
    ] {
        assert_eq!(seen(path).await, anna.get(path).await.text(), "{path}");
    }
    assert!(
        seen(CHOICES)
            .await
            .contains("Your browser sends the signal Global Privacy Control")
    );
    assert!(
        !anna
            .get(CHOICES)
            .await
            .text()
            .contains("Your browser sends the signal")
    );
    assert_eq!(rows(&stage).await, 0, "it is heard, and not written down");

    answer(&anna, "personalisation", "yes").await;
    assert_eq!(
        begins(&anna.get("/").await.text()),
        ["32x16", "3", "medium"]
    );
    let objects = seen("/").await;
    assert_eq!(
        slate(&objects),
        slate(&String::from_utf8(plain).expect("text"))
    );
    let told: Value = serde_json::from_str(&seen("/v1/me/consents").await).expect("JSON");
    assert_eq!(told["gpc"], true);
    assert_eq!(of(&told, "personalisation")["state"], "given");
    assert_eq!(of(&told, "personalisation")["is_allowed"], false);
    assert!(
        seen(CHOICES)
            .await
            .contains("but not in this browser, which objects")
    );
    // Another value is no signal.
    let zero = request(Method::GET, "/")
        .header("sec-gpc", "0")
        .body(Body::empty());
    let zero = anna.send(zero.expect("a request")).await.text();
    assert_eq!(begins(&zero), ["32x16", "3", "medium"]);

    // A later yes in spite of it wins, here and where nothing is sent.
    let fields = [
        ("purpose", "personalisation"),
        ("version", "1"),
        ("answer", "yes"),
    ];
    let despite = form(CHOICES, &fields, &[("sec-gpc", "1")]);
    assert_eq!(anna.send(despite).await.status, 303);
    assert_eq!(begins(&seen("/").await), ["32x16", "3", "medium"]);
    assert_eq!(
        begins(&anna.get("/").await.text()),
        ["32x16", "3", "medium"]
    );
    answer(&anna, "personalisation", "no").await;
    assert_eq!(begins(&anna.get("/").await.text()), begins(&objects));
}

#[tokio::test]
async fn a_house_without_accounts_has_choices_as_well() {
    let stage = Stage::free().await;
    let page = stage.get(CHOICES).await.text();
    assert!(page.contains("there is no address to write to"), "{page}");
    let fields = [
        ("purpose", "personalisation"),
        ("version", "1"),
        ("answer", "yes"),
    ];
    assert_eq!(stage.submit(CHOICES, &fields).await.status, 303);
    let told = stage.get("/v1/me/consents").await.json();
    assert_eq!(
        of(&told, "personalisation")["decisions"][0]["means"],
        "local"
    );
    let news = stage.send(asked(Method::PUT, "/v1/me/consents/news")).await;
    assert_eq!(news.error(409)["code"], "no_address");
}

/// A site with one more page, which sets cookies of its own.
async fn sets(stage: &Stage, browser: &Browser<'_>) -> Vec<String> {
    let page = || async {
        AppendHeaders([
            (header::SET_COOKIE, "tracker=1; Path=/"),
            (header::SET_COOKIE, "pinhole=kept; Path=/"),
            (header::SET_COOKIE, "__Host-visitor=2; Path=/; Secure"),
        ])
    };
    let site = Site::new(stage.studio.clone(), stage.stop.clone());
    let router = web::guarded(Router::new().route("/about", get(page)), site);
    let mut asked = request(Method::GET, "/about")
        .body(Body::empty())
        .expect("a request");
    let pairs: Vec<String> = browser
        .cookies
        .borrow()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !pairs.is_empty() {
        let pairs = pairs.join("; ").parse().expect("cookies");
        asked.headers_mut().insert(header::COOKIE, pairs);
    }
    let answer = router.oneshot(asked).await.expect("infallible");
    assert_eq!(answer.status(), 200);
    let set = answer.headers().get_all(header::SET_COOKIE).into_iter();
    set.map(|value| value.to_str().expect("text").to_owned())
        .collect()
}

#[tokio::test]
async fn promise_cns_02_a_cookie_that_nobody_declared_does_not_leave_the_house() {
    let stage = house().await;
    let (anna, guest) = (Browser::new(&stage), Browser::new(&stage));
    anna.sign_up(ANNA).await;
    for browser in [&anna, &guest] {
        assert_eq!(sets(&stage, browser).await, ["pinhole=kept; Path=/"]);
    }
    // There is no optional one, so nothing asks for it, and the page of choices says which there are.
    let page = anna.get(CHOICES).await.text();
    assert!(page.contains("There is no optional cookie here, so no banner asks"));
    for name in ["pinhole", "pinhole-device", "pinhole-passkey"] {
        assert!(page.contains(&format!("<code>{name}</code>")), "{name}");
    }
}

#[tokio::test]
async fn promise_cns_03_who_keeps_no_cookie_is_told_why_signing_in_does_not_work() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let fields = [
        ("address", ANNA),
        ("password", crate::browser::PASSWORD),
        ("next", "/pictures"),
    ];
    let blocked = Browser::new(&stage);
    let entered = blocked.submit("/sign-in", &fields).await;
    let way = entered.header("location").to_owned();
    blocked.cookies.borrow_mut().clear();
    let told = blocked.get(&way).await;
    assert_eq!(told.status, 200, "no further redirect");
    assert!(
        told.text().contains("Your browser did not keep the cookie"),
        "{}",
        told.text()
    );
    assert!(told.text().contains("href=\"/sign-in?next=%2Fpictures\""));
    // Who keeps it goes on where they wanted to.
    let kept = Browser::new(&stage);
    let entered = kept.submit("/sign-in", &fields).await;
    let arrived = kept.get(entered.header("location")).await;
    assert_eq!(arrived.header("location"), "/pictures");
    // What they wanted is never another site.
    let away = kept.get("/sign-in/done?next=https://evil.example").await;
    assert_eq!(away.header("location"), "/");
    // Public pages need no cookie at all.
    for path in ["/", "/about", "/privacy", "/trust", "/docs", "/sign-up"] {
        let page = blocked.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.headers.get(header::SET_COOKIE).is_none(), "{path}");
    }
}
