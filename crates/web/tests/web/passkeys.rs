//! Passkeys: they sign in by themselves, each answer once, and nothing else passes for one.

use db::on;

use crate::authenticator::{Authenticator, letters as base64, told};
use crate::browser::{Browser, LET_IN, PASSWORD, everything_kept, person_of};
use crate::outbox;
use crate::stage::{Answer, Stage};

const ANNA: &str = "anna@example.org";
const BO: &str = "bo@example.org";
const SECURITY: &str = "/account/password";

async fn kinds_to(stage: &Stage, address: &str) -> Vec<&'static str> {
    let all = outbox::letters(&stage.studio).await;
    let to = all
        .into_iter()
        .filter(|one| one.address.expose() == address);
    to.map(|one| one.letter.expect("not sent yet").kind())
        .collect()
}

/// A house in which Anna is signed in and has a passkey.
async fn with_passkey(stage: &Stage) -> (Browser<'_>, Authenticator) {
    let anna = Browser::new(stage);
    anna.welcome(ANNA).await;
    let mut phone = Authenticator::new();
    let added = anna.add_passkey("my phone", &mut phone).await;
    assert_eq!(added.header("location"), SECURITY, "{}", added.text());
    (anna, phone)
}

/// The ids of the passkeys that the page of security shows.
async fn shown(browser: &Browser<'_>) -> Vec<String> {
    let page = browser.get(SECURITY).await.text();
    let mark = "remove\"><input type=\"hidden\" name=\"passkey\" value=\"";
    let ids = page.split(mark).skip(1);
    ids.map(|rest| rest.split('"').next().expect("an end").to_owned())
        .collect()
}

fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 401, "{what}: {}", answer.text());
    assert!(answer.text().contains("was not accepted"), "{what}");
}

#[tokio::test]
async fn promise_acc_05_a_passkey_signs_in_without_address_or_password() {
    let stage = Stage::free().await;
    let (anna, mut phone) = with_passkey(&stage).await;
    let page = anna.get(SECURITY).await.text();
    assert!(page.contains("my phone") && page.contains("never used"));
    assert_eq!(kinds_to(&stage, ANNA).await, ["passkey_added"]);

    let other = Browser::new(&stage);
    let question = other.question().await;
    assert_eq!(question["rpId"], "localhost");
    assert_eq!(question["userVerification"], "required");
    assert_eq!(question["allowCredentials"], serde_json::json!([]));
    let challenge = question["challenge"].as_str().expect("a challenge");
    assert!(
        !everything_kept(&stage).await.contains(challenge),
        "only its hash is kept"
    );
    let mut fields = phone.sign(&question);
    fields.push(("next", "/pictures".to_owned()));
    let entered = other.send_fields("/sign-in/passkey", &fields).await;
    assert_eq!(entered.header("location"), "/sign-in/done?next=%2Fpictures");
    assert!(other.is_in().await);
    assert!(!other.cookies.borrow().contains_key("pinhole-passkey"));
    assert_eq!(kinds_to(&stage, ANNA).await[0], "new_device");
    let sessions = other.get("/account/sessions").await.text();
    assert!(sessions.contains("signed in with the passkey “my phone”"));
    assert!(sessions.contains("signed in with the password"));
    assert!(other.get(SECURITY).await.text().contains("last used"));

    // In the same browser it is no news.
    other.submit("/sign-out", &[]).await;
    assert_eq!(other.sign_in_with(&mut phone).await.status, 303);
    assert_eq!(kinds_to(&stage, ANNA).await.len(), 2);
}

#[tokio::test]
async fn promise_acc_05_a_passkey_counts_as_both_factors() {
    let stage = Stage::free().await;
    let (_, mut phone) = with_passkey(&stage).await;
    let person = person_of(&stage, ANNA).await;
    let mut tx = stage.studio.db.write().await.expect("begins");
    on!(tx, conn => {
        sqlx::query("INSERT INTO totp (person_id, secret, confirmed_ms, last_step) VALUES ($1, $2, 1, 0)")
            .bind(person.to_string())
            .bind("A".repeat(32))
            .execute(conn)
            .await
            .map(drop)
    })
    .expect("written");
    tx.commit().await.expect("commits");
    let other = Browser::new(&stage);
    let with_password = other.sign_in(ANNA, PASSWORD).await;
    assert!(with_password.text().contains("One more code"));
    assert_eq!(
        other.sign_in_with(&mut phone).await.header("location"),
        LET_IN
    );
}

#[tokio::test]
async fn promise_acc_05_an_answer_is_taken_once_from_the_browser_that_was_asked_and_in_time() {
    let stage = Stage::free().await;
    let (_, mut phone) = with_passkey(&stage).await;
    let other = Browser::new(&stage);
    let fields = phone.sign(&other.question().await);
    let copy = Browser::with_cookies_of(&other);
    assert_eq!(
        other.send_fields("/sign-in/passkey", &fields).await.status,
        303
    );
    let again = copy.send_fields("/sign-in/passkey", &fields).await;
    assert_refused(&again, "the same answer again");

    // Somebody else's browser shows an answer that was caught on its way.
    let thief = Browser::new(&stage);
    thief.question().await;
    let fields = phone.sign(&copy.question().await);
    let caught = thief.send_fields("/sign-in/passkey", &fields).await;
    assert_refused(&caught, "another browser");
    let spent = copy.send_fields("/sign-in/passkey", &fields).await;
    assert_refused(&spent, "used up by that try");
    let nothing = Browser::new(&stage);
    let fields = phone.sign(&copy.question().await);
    let stray = nothing.send_fields("/sign-in/passkey", &fields).await;
    assert_refused(&stray, "a browser that asked for nothing");

    let late = Browser::new(&stage);
    let fields = phone.sign(&late.question().await);
    stage.studio.clock.advance_millis(10 * 60_000);
    let ended = late.send_fields("/sign-in/passkey", &fields).await;
    assert_refused(&ended, "after ten minutes");
    assert!(!late.is_in().await && !thief.is_in().await);
    assert_eq!(late.sign_in_with(&mut phone).await.status, 303);
}

/// Everything that may be wrong is answered alike, as is a passkey that nobody has.
#[tokio::test]
async fn promise_acc_05_what_is_no_passkey_of_the_person_is_refused_alike() {
    let stage = Stage::free().await;
    let (_, mut phone) = with_passkey(&stage).await;
    let mut answers = Vec::new();
    type Change = fn(&mut Authenticator);
    let changes: [(&str, Change); 7] = [
        ("a page elsewhere", |phone| {
            phone.origin = "https://evil.example".to_owned();
        }),
        ("another port", |phone| {
            phone.origin = "http://localhost:9090".to_owned();
        }),
        ("another party", |phone| {
            phone.party = "evil.example".to_owned();
        }),
        ("nobody there", |phone| phone.flags &= !1),
        ("holder not checked", |phone| phone.flags &= !(1 << 2)),
        ("not as it was made", |phone| phone.flags &= !(1 << 3)),
        ("a passkey that nobody has", |phone| {
            phone.id = vec![9; 32];
        }),
    ];
    let fresh = |phone: &Authenticator| {
        (
            phone.origin.clone(),
            phone.party.clone(),
            phone.flags,
            phone.id.clone(),
        )
    };
    let good = fresh(&phone);
    for (number, (what, change)) in (0..).zip(changes) {
        change(&mut phone);
        let other = Browser::new(&stage);
        other.comes_from(number);
        let answer = other.sign_in_with(&mut phone).await;
        assert_refused(&answer, what);
        assert!(!other.is_in().await, "{what}");
        answers.push(answer.text());
        (phone.origin, phone.party, phone.flags, phone.id) = good.clone();
    }
    for (field, value) in [
        ("signature", base64(&[0; 70])),
        ("signature", String::new()),
        ("signature", "not base64!".to_owned()),
        ("credential", String::new()),
        ("client_data", base64(b"{}")),
        ("client_data", base64(b"\xff\xfe")),
        ("authenticator_data", base64(&[0; 36])),
        ("authenticator_data", "A".repeat(200_000)),
        ("user_handle", base64(b"per_somebody_else")),
        ("user_handle", String::new()),
    ] {
        let other = Browser::new(&stage);
        other.comes_from(100);
        let asked = other.question().await;
        let mut fields = phone.sign(&asked);
        for (name, given) in &mut fields {
            if *name == field {
                given.clone_from(&value);
            }
        }
        let answer = other.send_fields("/sign-in/passkey", &fields).await;
        assert_refused(&answer, field);
        answers.push(answer.text());
    }
    assert!(
        answers.windows(2).all(|two| two[0] == two[1]),
        "all are told the same"
    );
    assert_eq!(
        Browser::new(&stage).sign_in_with(&mut phone).await.status,
        303
    );
}

#[tokio::test]
async fn nobody_signs_in_as_somebody_else() {
    let stage = Stage::free().await;
    let (_, mut phone) = with_passkey(&stage).await;
    let bo = Browser::new(&stage);
    bo.sign_up(BO).await;
    let mut own = Authenticator::new();
    assert_eq!(bo.add_passkey("mine", &mut own).await.status, 303);
    // With the own key, and the other's name or id.
    let other = Browser::new(&stage);
    let handle = std::mem::replace(&mut own.user_handle, phone.user_handle.clone());
    assert_refused(&other.sign_in_with(&mut own).await, "another's handle");
    own.user_handle = handle;
    let id = std::mem::replace(&mut own.id, phone.id.clone());
    assert_refused(&other.sign_in_with(&mut own).await, "another's id");
    // An id that somebody has can't be taken either.
    let taken = bo.add_passkey("hers", &mut own).await;
    assert_eq!(taken.status, 400);
    assert!(taken.text().contains("in use already"));
    own.id = id;
    // Nor can one remove or rename what is another's.
    let hers = {
        let anna = Browser::new(&stage);
        assert_eq!(anna.sign_in_with(&mut phone).await.status, 303);
        shown(&anna).await.remove(0)
    };
    for path in ["/account/passkeys/remove", "/account/passkeys/rename"] {
        let fields = [("passkey", hers.as_str()), ("name", "x")];
        assert_eq!(bo.submit(path, &fields).await.status, 404, "{path}");
    }
    assert_eq!(
        Browser::new(&stage).sign_in_with(&mut phone).await.status,
        303
    );
}

#[tokio::test]
async fn promise_acc_05_a_passkey_that_counts_backwards_is_refused_and_its_owner_told() {
    let stage = Stage::free().await;
    let (_, mut phone) = with_passkey(&stage).await;
    let other = Browser::new(&stage);
    assert_eq!(other.sign_in_with(&mut phone).await.status, 303);
    assert_eq!(other.sign_in_with(&mut phone).await.status, 303);
    phone.count = 1;
    // It says 2 again, as a copy would that was used once.
    let copied = Browser::new(&stage).sign_in_with(&mut phone).await;
    assert_refused(&copied, "a copy");
    assert_eq!(kinds_to(&stage, ANNA).await[0], "passkey_copied");
    assert_eq!(other.sign_in_with(&mut phone).await.status, 303);

    // One that never counts is no copy.
    let mut synced = Authenticator::new();
    synced.counts = false;
    assert_eq!(other.add_passkey("synced", &mut synced).await.status, 303);
    for _ in 0..2 {
        assert_eq!(other.sign_in_with(&mut synced).await.status, 303);
    }
    // A changed count without a right signature is no reason for a letter.
    let letters = kinds_to(&stage, ANNA).await.len();
    phone.count = 0;
    let mut fields = phone.sign(&other.question().await);
    fields[3].1 = base64(&[1; 70]);
    other.send_fields("/sign-in/passkey", &fields).await;
    assert_eq!(kinds_to(&stage, ANNA).await.len(), letters);
}

#[tokio::test]
async fn promise_acc_05_a_passkey_is_renamed_and_removed_with_its_sessions() {
    let stage = Stage::free().await;
    let (anna, mut phone) = with_passkey(&stage).await;
    let lost = Browser::new(&stage);
    assert_eq!(lost.sign_in_with(&mut phone).await.status, 303);
    let id = shown(&anna).await.remove(0);
    for bad in ["", " ", &"x".repeat(61), "a\u{7}b"] {
        let fields = [("passkey", id.as_str()), ("name", bad)];
        let refused = anna.submit("/account/passkeys/rename", &fields).await;
        assert_eq!(refused.status, 400, "{bad:?}");
        assert!(refused.text().contains("1 to 60 characters"));
    }
    let fields = [("passkey", id.as_str()), ("name", "<old> phone")];
    anna.submit("/account/passkeys/rename", &fields).await;
    let page = anna.get(SECURITY).await.text();
    assert!(page.contains("&#60;old&#62; phone") && !page.contains("my phone"));

    let former = Browser::with_cookies_of(&anna);
    let removed = anna
        .submit("/account/passkeys/remove", &[("passkey", &id)])
        .await;
    assert_eq!(removed.header("location"), SECURITY);
    assert!(anna.is_in().await && !former.is_in().await, "a new token");
    assert!(!lost.is_in().await, "what it opened is closed");
    assert!(shown(&anna).await.is_empty());
    assert_eq!(kinds_to(&stage, ANNA).await[0], "passkey_removed");
    assert_refused(&lost.sign_in_with(&mut phone).await, "it is gone");
    let twice = anna
        .submit("/account/passkeys/remove", &[("passkey", &id)])
        .await;
    assert_eq!(twice.status, 404);
    // The same authenticator may be added again.
    assert_eq!(anna.add_passkey("again", &mut phone).await.status, 303);
}

#[tokio::test]
async fn the_last_way_to_sign_in_stays() {
    let stage = Stage::free().await;
    let (anna, _) = with_passkey(&stage).await;
    let mut tx = stage.studio.db.write().await.expect("begins");
    on!(tx, conn => {
        sqlx::query("UPDATE account SET password_hash = NULL").execute(conn).await.map(drop)
    })
    .expect("written");
    tx.commit().await.expect("commits");
    let id = shown(&anna).await.remove(0);
    let fields = [("passkey", id.as_str())];
    let refused = anna.submit("/account/passkeys/remove", &fields).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("only way"));
    assert_eq!(shown(&anna).await, std::slice::from_ref(&id));
    anna.add_passkey("a second", &mut Authenticator::new())
        .await;
    let removed = anna.submit("/account/passkeys/remove", &fields).await;
    assert_eq!(removed.status, 303);
    assert_eq!(shown(&anna).await.len(), 1);
}

#[tokio::test]
async fn adding_and_removing_asks_again_who_somebody_is_and_takes_a_passkey_for_an_answer() {
    let stage = Stage::free().await;
    let (anna, mut phone) = with_passkey(&stage).await;
    let bo = Browser::new(&stage);
    bo.sign_up(BO).await;
    let mut bos = Authenticator::new();
    bo.add_passkey("mine", &mut bos).await;
    let id = shown(&anna).await.remove(0);
    stage.studio.clock.advance_millis(15 * 60_000);
    let confirm = anna.get("/account/passkeys").await;
    let confirm = confirm.header("location").to_owned();
    assert!(confirm.starts_with("/account/confirm?next="));
    for (path, fields) in [
        ("/account/passkeys", vec![("name", "x")]),
        ("/account/passkeys/remove", vec![("passkey", id.as_str())]),
    ] {
        let asked = anna.submit(path, &fields).await;
        assert!(asked.header("location").starts_with("/account/confirm"));
    }
    assert_eq!(shown(&anna).await, [id]);

    let ask = async || told(&anna.get(&confirm).await.text(), "data-use");
    let asked = ask().await;
    assert_eq!(asked["allowCredentials"][0]["id"], base64(&phone.id));
    let with = async |fields| anna.send_fields("/account/confirm/passkey", &fields).await;
    assert_refused(&with(bos.sign(&asked)).await, "another's passkey");
    assert_refused(&with(phone.sign(&asked)).await, "used up");
    let question = Browser::new(&stage).question().await;
    assert_refused(&with(phone.sign(&question)).await, "for signing in");
    let former = Browser::with_cookies_of(&anna);
    let mut fields = phone.sign(&ask().await);
    fields.push(("next", "/account/passkeys".to_owned()));
    let confirmed = with(fields).await;
    assert_eq!(confirmed.header("location"), "/account/passkeys");
    assert_eq!(anna.get("/account/passkeys").await.status, 200);
    assert!(!former.is_in().await, "the session has a new token");
    // What was asked for a change does not sign in.
    let fields = phone.sign(&ask().await);
    let other = Browser::new(&stage);
    other.question().await;
    let entered = other.send_fields("/sign-in/passkey", &fields).await;
    assert_refused(&entered, "for a change");
}

#[tokio::test]
async fn what_a_browser_brings_is_looked_at_before_it_is_added() {
    let stage = Stage::free().await;
    let (anna, mut phone) = with_passkey(&stage).await;
    let page = anna.get("/account/passkeys").await.text();
    let asked = told(&page, "data-create");
    assert_eq!(asked["attestation"], "none");
    assert_eq!(asked["excludeCredentials"][0]["id"], base64(&phone.id));
    let selection = &asked["authenticatorSelection"];
    assert_eq!(selection["residentKey"], "required");
    assert_eq!(selection["userVerification"], "required");
    let refused = |answer: &Answer, words: &str| {
        assert_eq!(answer.status, 400, "{words}");
        assert!(answer.text().contains(words), "{words}: {}", answer.text());
    };
    let add = async |key: &mut Authenticator| anna.add_passkey("x", key).await;
    let mut key = Authenticator::new();
    key.origin = "https://evil.example".to_owned();
    refused(&add(&mut key).await, "made on another site");
    let mut key = Authenticator::new();
    key.flags = 1;
    refused(&add(&mut key).await, "did not check who holds it");
    refused(&add(&mut phone).await, "in use already");
    let nameless = anna.add_passkey(" ", &mut Authenticator::new()).await;
    refused(&nameless, "1 to 60 characters");
    let empty = anna.submit("/account/passkeys", &[("name", "x")]).await;
    refused(&empty, "took too long, or was sent twice");
    // An answer to a question of another session.
    let other = Browser::new(&stage);
    other.sign_in(ANNA, PASSWORD).await;
    let mut fields = Authenticator::new().make(&asked);
    fields.push(("name", "x".to_owned()));
    let foreign = other.send_fields("/account/passkeys", &fields).await;
    refused(&foreign, "took too long, or was sent twice");
    assert_eq!(shown(&anna).await.len(), 1);
    for number in 1..20 {
        let name = format!("key {number}");
        let added = anna.add_passkey(&name, &mut Authenticator::new()).await;
        assert_eq!(added.status, 303, "{number}");
    }
    let full = anna.get("/account/passkeys").await;
    assert_eq!(full.status, 409);
    assert!(full.text().contains("20 passkeys already"));
}

#[tokio::test]
async fn promise_use_06_passkeys_are_throttled_and_work_while_passwords_are_guessed() {
    let stage = Stage::free().await;
    let (anna, mut phone) = with_passkey(&stage).await;
    for number in 0..150 {
        let guesser = Browser::new(&stage);
        guesser.comes_from(1_000 + number);
        guesser
            .sign_in(ANNA, &format!("guess number {number}"))
            .await;
    }
    let other = Browser::new(&stage);
    other.comes_from(1);
    assert_eq!(other.sign_in(ANNA, PASSWORD).await.status, 429);
    assert_eq!(other.sign_in_with(&mut phone).await.status, 303);

    let guesser = Browser::new(&stage);
    guesser.comes_from(2);
    let mut stranger = Authenticator::new();
    let mut tries = 0;
    let refused = loop {
        let answer = guesser.sign_in_with(&mut stranger).await;
        if answer.status != 401 {
            break answer;
        }
        tries += 1;
    };
    assert_eq!((tries, refused.status.as_u16()), (20, 429));
    assert!(!refused.header("retry-after").is_empty());
    let last = loop {
        let answer = guesser.submit("/sign-in/passkey/question", &[]).await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!(last.status, 429);
    // Neither touches those who are in, or come from elsewhere.
    assert!(anna.is_in().await);
    assert_eq!(other.sign_in_with(&mut phone).await.status, 303);
}

#[tokio::test]
async fn passkeys_are_offered_where_browsers_have_them_and_elsewhere_the_page_says_why_not() {
    let button = "<pass-key data-ask=";
    let stage = Stage::free().await;
    let (_, mut phone) = with_passkey(&stage).await;
    let here = Browser::new(&stage).get("/sign-in").await.text();
    assert!(here.contains(button) && here.contains("autocomplete=\"username webauthn\""));
    let number = Browser::at(&stage, "127.0.0.1:8080");
    let page = number.get("/sign-in").await.text();
    assert!(page.contains("Passkeys work at http://localhost:8080") && !page.contains(button));
    let asked = number.submit("/sign-in/passkey/question", &[]).await;
    assert_eq!(asked.status, 409);
    number.sign_in(ANNA, PASSWORD).await;
    let page = number.get(SECURITY).await.text();
    assert!(page.contains("Passkeys work at http://localhost:8080"));
    assert!(!page.contains("href=\"/account/passkeys\""));
    assert_eq!(number.get("/account/passkeys").await.status, 303);
    // A question that was asked by the one name can't be answered by the other.
    let local = Browser::new(&stage);
    let fields = phone.sign(&local.question().await);
    number.cookies.replace(local.cookies.borrow().clone());
    let answer = number.send_fields("/sign-in/passkey", &fields).await;
    assert_refused(&answer, "another name");

    for (url, host, says) in [
        ("http://house.example", "house.example", "Without https"),
        ("https://10.0.0.5:8443", "10.0.0.5:8443", "not for a number"),
    ] {
        let stage = Stage::public(url).await;
        let page = Browser::at(&stage, host).get("/sign-in").await.text();
        assert!(page.contains(says) && !page.contains(button), "{url}");
        let local = Browser::new(&stage).get("/sign-in").await.text();
        assert!(local.contains(&format!("Passkeys work at {url}")));
    }
}

#[tokio::test]
async fn a_house_with_a_name_has_passkeys_of_that_name() {
    let stage = Stage::public("https://pictures.example.org:8443").await;
    let anna = Browser::at(&stage, "pictures.example.org:8443");
    anna.welcome(ANNA).await;
    let mut phone = Authenticator::new();
    phone.party = "pictures.example.org".to_owned();
    phone.origin = "https://pictures.example.org:8443".to_owned();
    let added = anna.add_passkey("my phone", &mut phone).await;
    assert_eq!(added.header("location"), SECURITY, "{}", added.text());
    let other = Browser::at(&stage, "pictures.example.org:8443");
    let question = other.submit("/sign-in/passkey/question", &[]).await;
    let cookie = question.header("set-cookie");
    assert!(cookie.starts_with("__Host-pinhole-passkey="));
    assert!(cookie.contains("HttpOnly") && cookie.contains("Secure"));
    assert_eq!(
        other.sign_in_with(&mut phone).await.header("location"),
        LET_IN
    );
}
