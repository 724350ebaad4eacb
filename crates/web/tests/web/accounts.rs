//! How people come in: the first operator, signing up, signing in, a forgotten password.

use std::time::Instant;

use serde_json::json;
use studio::jobs;
use studio::letters::Letter;

use crate::browser::{Browser, PASSWORD, everything_kept, last_letter, person_of, welcome_link};
use crate::outbox;
use crate::stage::{Stage, borrowed, priced};

const ANNA: &str = "anna@example.org";

async fn letters_to(stage: &Stage, address: &str) -> Vec<String> {
    let all = outbox::letters(&stage.studio).await;
    let to = all.iter().filter(|one| one.address.expose() == address);
    to.filter_map(|one| one.letter.as_ref().map(|letter| letter.kind().to_owned()))
        .collect()
}

#[tokio::test]
async fn the_first_operator_keeps_what_was_drawn_before() {
    let stage = Stage::free().await;
    let drawn = stage
        .post(
            "/v1/images/generations",
            &json!({ "prompt": "a red apple" }),
        )
        .await;
    let picture = drawn.json()["data"][0]["picture_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let link = welcome_link(&stage).await;
    let stranger = Browser::new(&stage);
    assert_eq!(stranger.get("/").await.status, 200, "nobody signs in yet");
    let shown = stranger.get(&link).await;
    assert!(shown.text().contains("Keep the picture that was drawn"));
    let weak = [("address", ANNA), ("password", "password")];
    assert_eq!(stranger.submit(&link, &weak).await.status, 400);

    let anna = Browser::new(&stage);
    let fields = [("address", ANNA), ("password", PASSWORD), ("adopt", "1")];
    assert_eq!(anna.submit(&link, &fields).await.status, 303);
    assert!(anna.get("/pictures").await.text().contains(&picture));
    assert!(anna.get("/account").await.text().contains("operator"));
    anna.on_duty(domain::role::Role::Operator).await;
    assert_eq!(anna.get("/letters").await.status, 200);

    // From now on everybody signs in, and the link is worth nothing.
    let away = stranger.get(&format!("/pictures/{picture}")).await;
    assert_eq!(away.status, 303);
    let next = format!("/sign-in?next=%2Fpictures%2F{picture}");
    assert_eq!(away.header("location"), next);
    assert_eq!(
        stage.get("/v1/pictures").await.error(401)["code"],
        "missing_api_key"
    );
    assert_eq!(stranger.submit(&link, &fields).await.status, 410);
    assert_eq!(stranger.get(&link).await.status, 410);
    assert!(
        studio::accounts::welcome::open(&stage.studio)
            .await
            .expect("reads")
            .is_none()
    );
}

#[tokio::test]
async fn promise_acc_03_an_address_is_all_that_it_takes() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    assert!(!anna.is_in().await);
    anna.sign_up(ANNA).await;
    let studio = anna.get("/").await.text();
    let fields = priced(&studio, &[("prompt", "a red apple"), ("count", "1")]);
    let drawn = anna.submit("/draw", &borrowed(&fields)).await;
    assert_eq!(drawn.status, 303);
    let person = person_of(&stage, ANNA).await;
    let job = jobs::recent(&stage.studio, person, None, 1)
        .await
        .expect("jobs")
        .items
        .remove(0);
    let job = jobs::wait(&stage.studio, person, job.id)
        .await
        .expect("reads")
        .expect("a job");
    let picture = job.pictures[0].id.to_string();
    assert!(anna.get("/pictures").await.text().contains(&picture));
    assert_eq!(anna.get("/account").await.status, 200);
    assert_eq!(anna.get("/letters").await.status, 403, "she is no operator");

    let bo = Browser::new(&stage);
    bo.sign_up("bo@example.org").await;
    assert_eq!(bo.get(&format!("/pictures/{picture}")).await.status, 404);
    assert_eq!(
        bo.get(&format!("/pictures/{picture}/thumbnail"))
            .await
            .status,
        404
    );
    let delete = format!("/pictures/{picture}/delete");
    assert_eq!(bo.submit(&delete, &[]).await.status, 404);
    assert_eq!(anna.submit(&delete, &[]).await.status, 303);
    assert!(!anna.get("/pictures").await.text().contains(&picture));
}

#[tokio::test]
async fn promise_acc_01_an_account_needs_its_address_and_its_password() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    let fields = [
        ("address", ANNA),
        ("password", PASSWORD),
        ("born", "1990-05-17"),
    ];
    anna.submit("/sign-up", &fields).await;
    let Letter::SignUp { token } = last_letter(&stage, ANNA).await else {
        panic!("no letter to sign up");
    };
    // Before the link is opened there is no account.
    assert_eq!(anna.sign_in(ANNA, PASSWORD).await.status, 401);
    let link = format!("/sign-up/{token}");
    for _ in 0..5 {
        let wrong = anna
            .submit(&link, &[("password", "three red apples")])
            .await;
        assert_eq!(wrong.status, 401);
    }
    let late = anna.submit(&link, &[("password", PASSWORD)]).await;
    assert_eq!(late.status, 410, "it can't be guessed at");

    anna.sign_up(ANNA).await;
    assert!(anna.is_in().await);
    anna.submit("/sign-out", &[]).await;
    assert!(!anna.is_in().await);
    assert_eq!(anna.sign_in("ANNA@example.org", PASSWORD).await.status, 303);

    // A link ends after a day.
    let fields = [
        ("address", "bo@example.org"),
        ("password", PASSWORD),
        ("born", "1990-05-17"),
    ];
    anna.submit("/sign-up", &fields).await;
    let Letter::SignUp { token } = last_letter(&stage, "bo@example.org").await else {
        panic!("no letter to sign up");
    };
    stage.studio.clock.advance_millis(24 * 60 * 60 * 1_000);
    assert_eq!(anna.get(&format!("/sign-up/{token}")).await.status, 410);
}

#[tokio::test]
async fn promise_acc_02_known_and_unknown_addresses_are_answered_alike() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    Browser::new(&stage).sign_up(ANNA).await;
    let without = |text: String| {
        text.replace(ANNA, "ADDRESS")
            .replace("nobody@example.org", "ADDRESS")
    };
    for (path, status) in [("/sign-in", 401), ("/sign-up", 200), ("/reset", 200)] {
        let mut told = Vec::new();
        for address in [ANNA, "nobody@example.org"] {
            let fields = [
                ("address", address),
                ("password", "seven blue pears"),
                ("born", "1990-05-17"),
            ];
            let answer = Browser::new(&stage).submit(path, &fields).await;
            assert_eq!(answer.status, status, "{path}");
            // The one of the question for the age, which everybody gets.
            let set = answer.header("set-cookie").to_owned();
            let is_door = set.starts_with("pinhole-door=");
            assert_eq!(is_door, path == "/sign-up", "{set}");
            assert!(is_door || set.is_empty());
            told.push((without(answer.text()), set.len()));
        }
        assert_eq!(told[0], told[1], "{path}");
    }
    assert_eq!(
        letters_to(&stage, ANNA).await,
        ["reset", "has_account", "sign_up"]
    );
    assert_eq!(letters_to(&stage, "nobody@example.org").await, ["sign_up"]);
}

#[tokio::test]
async fn promise_acc_02_known_and_unknown_addresses_take_the_same_time() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    Browser::new(&stage).sign_up(ANNA).await;
    let mut ticks = [0; 2];
    for _ in 0..9 {
        for (index, address) in [ANNA, "nobody@example.org"].into_iter().enumerate() {
            let begun = processor_ticks();
            let answer = Browser::new(&stage)
                .sign_in(address, "seven blue pears")
                .await;
            ticks[index] += processor_ticks() - begun;
            assert_eq!(answer.status, 401);
        }
    }
    // Without the hash, an unknown address would take a hundredth of the work.
    let [known, unknown] = ticks;
    assert!(
        known.min(unknown) > 10,
        "too few ticks to compare: {ticks:?}"
    );
    assert!(known < 2 * unknown && unknown < 2 * known, "{ticks:?}");
}

/// What this process has taken of its processors so far, in the kernel's ticks: unlike the time that
/// passes, it is the same however busy the machine is.
fn processor_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux tells");
    // After the name, which may hold spaces: state is the third field, utime the 14th, stime the 15th.
    let after_name = stat.rsplit(')').next().expect("a name");
    let fields = after_name.split_whitespace().skip(11).take(2);
    fields
        .map(|ticks| ticks.parse::<u64>().expect("a number"))
        .sum()
}

#[tokio::test]
async fn promise_acc_02_a_password_of_64_kib_is_refused_before_it_is_hashed() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let huge = "x".repeat(1 << 16);
    let browser = Browser::new(&stage);
    let fields = [
        ("address", ANNA),
        ("password", &huge),
        ("born", "1990-05-17"),
    ];
    let refused = browser.submit("/sign-up", &fields).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("too long"));
    let begun = Instant::now();
    for _ in 0..20 {
        assert_eq!(browser.sign_in("op@example.org", &huge).await.status, 401);
    }
    let refusals = begun.elapsed();
    let begun = Instant::now();
    for _ in 0..20 {
        browser.sign_in("op@example.org", "seven blue pears").await;
    }
    assert!(refusals * 2 < begun.elapsed(), "{refusals:?}");
    assert!(letters_to(&stage, ANNA).await.is_empty());
}

#[tokio::test]
async fn every_field_of_the_door_says_what_is_wrong() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let browser = Browser::new(&stage);
    for (address, password, born, says) in [
        ("anna", PASSWORD, "1990-05-17", "no e-mail address"),
        (ANNA, "short", "1990-05-17", "too short"),
        (ANNA, "password123", "1990-05-17", "first that are tried"),
        (ANNA, PASSWORD, "17.5.1990", "date of birth"),
        (ANNA, PASSWORD, "", "date of birth"),
    ] {
        let fields = [("address", address), ("password", password), ("born", born)];
        let answer = browser.submit("/sign-up", &fields).await;
        assert_eq!(answer.status, 400, "{says}");
        let page = answer.text();
        assert!(page.contains(says), "{says}: {page}");
        assert!(page.contains("aria-invalid"), "{says}");
        assert!(
            !page.contains(&format!("value=\"{password}\"")),
            "no password is sent back"
        );
    }
    assert!(letters_to(&stage, ANNA).await.is_empty());
}

#[tokio::test]
async fn promise_chd_01_going_back_and_writing_another_date_is_refused_and_nothing_is_kept() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let before = everything_kept(&stage).await;
    let browser = Browser::new(&stage);
    let fields = |born| [("address", ANNA), ("password", PASSWORD), ("born", born)];
    let main = |page: String| page.split_once("<main").expect("a page").1.to_owned();
    let refused = browser.submit("/sign-up", &fields("2020-01-01")).await;
    assert!(refused.text().contains("No account was made"));
    let again = browser.submit("/sign-up", &fields("1990-05-17")).await;
    assert_eq!(main(again.text()), main(refused.text()));
    assert_eq!(
        main(browser.get("/sign-up").await.text()),
        main(refused.text())
    );
    assert_eq!(
        everything_kept(&stage).await,
        before,
        "something was written"
    );
    // Whoever looks into the browser can't tell it from that of somebody who is old enough.
    let old = Browser::new(&stage);
    let asked = old.submit("/sign-up", &fields("1990-05-17")).await;
    assert!(!asked.text().contains("No account was made"));
    let shape = |browser: &Browser<'_>| {
        let cookies = browser.cookies.borrow();
        let name = cookies.keys().cloned().collect::<Vec<_>>();
        (name, cookies["pinhole-door"].len())
    };
    assert_eq!(shape(&browser), shape(&old));
    assert_ne!(
        browser.cookies.borrow()["pinhole-door"],
        old.cookies.borrow()["pinhole-door"]
    );
    let set = asked.headers.get("set-cookie").expect("a cookie");
    assert!(!set.to_str().expect("text").contains("Max-Age"));
    // A browser that brings it back days later may ask again.
    stage.studio.clock.advance_millis(2 * 24 * 60 * 60 * 1_000);
    assert!(
        browser
            .get("/sign-up")
            .await
            .text()
            .contains("name=\"born\"")
    );
}

#[tokio::test]
async fn promise_chd_01_the_age_is_that_of_the_country_and_nothing_but_over_and_it_are_kept() {
    let stage = Stage::behind_proxy("http://localhost:8080", "x-country").await;
    // Fourteen years old: enough where thirteen is asked, and not where sixteen is.
    for (country, is_let_in) in [("US", true), ("us", true), ("DE", false), ("", false)] {
        let browser = Browser::new(&stage);
        let fields = [
            ("address", "teen@example.org"),
            ("password", PASSWORD),
            ("born", "2012-06-01"),
        ];
        let mut form = crate::stage::form("/sign-up", &fields, &[]);
        form.headers_mut()
            .insert("x-country", country.parse().expect("a value"));
        let answer = browser.send(form).await.text();
        assert_eq!(
            !answer.contains("No account was made"),
            is_let_in,
            "{country}"
        );
    }
    let kept = everything_kept(&stage).await;
    assert!(!kept.contains("2012-06-01"));
}

#[tokio::test]
async fn who_is_too_young_gets_no_account_and_leaves_nothing_behind() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let browser = Browser::new(&stage);
    let content = |page: String| page.split_once("<main").expect("a page").1.to_owned();
    let asks = content(browser.get("/sign-up").await.text());
    assert!(!asks.contains("16"), "the question hints at its answer");
    let fields = [
        ("address", ANNA),
        ("password", PASSWORD),
        ("born", "2020-01-01"),
    ];
    let refused = browser.submit("/sign-up", &fields).await;
    assert!(refused.text().contains("No account was made"));
    assert!(!content(refused.text()).contains("16"));
    assert!(letters_to(&stage, ANNA).await.is_empty());
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_once_and_signs_everybody_out() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let forgetful = Browser::new(&stage);
    let mut links = Vec::new();
    for _ in 0..2 {
        forgetful.submit("/reset", &[("address", ANNA)]).await;
        let Letter::Reset { token } = last_letter(&stage, ANNA).await else {
            panic!("no letter to reset");
        };
        links.push(format!("/reset/{token}"));
    }
    assert_eq!(forgetful.get(&links[0]).await.status, 200);
    let weak = forgetful
        .submit(&links[0], &[("password", "password")])
        .await;
    assert_eq!(weak.status, 400);
    let new = [("password", "seven blue pears")];
    assert_eq!(forgetful.submit(&links[0], &new).await.status, 200);
    for link in &links {
        assert_eq!(
            forgetful.submit(link, &new).await.status,
            410,
            "one reset ends all links"
        );
    }
    assert!(!anna.is_in().await, "every session has ended");
    assert_eq!(anna.sign_in(ANNA, PASSWORD).await.status, 401);
    assert_eq!(anna.sign_in(ANNA, "seven blue pears").await.status, 303);
    assert!(
        letters_to(&stage, ANNA)
            .await
            .contains(&"password_changed".to_owned())
    );

    forgetful.submit("/reset", &[("address", ANNA)]).await;
    let Letter::Reset { token } = last_letter(&stage, ANNA).await else {
        panic!("no letter to reset");
    };
    stage.studio.clock.advance_millis(60 * 60 * 1_000);
    assert_eq!(forgetful.get(&format!("/reset/{token}")).await.status, 410);
}

#[tokio::test]
async fn a_new_browser_is_told_of_and_a_known_one_is_not() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    anna.submit("/sign-out", &[]).await;
    anna.sign_in(ANNA, PASSWORD).await;
    assert_eq!(letters_to(&stage, ANNA).await, ["sign_up"]);
    Browser::new(&stage).sign_in(ANNA, PASSWORD).await;
    assert_eq!(letters_to(&stage, ANNA).await, ["new_device", "sign_up"]);
}
