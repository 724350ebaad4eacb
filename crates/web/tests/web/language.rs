//! Pages of notice, consent and rights in German: which language somebody gets, and that it is one at a time.

use axum::body::Body;
use axum::http::Method;
use db::on;
use domain::language::Language;
use serde_json::json;
use studio::letters::Letter;
use studio::privacy::consent::Optional;
use studio::privacy::policies::{self, Translation};
use studio::privacy::receipt;
use studio::terms::{self, Draft};

use crate::browser::{Browser, PASSWORD, last_letter};
use crate::consent::{self, ANNA, CHOICES, consents, house};
use crate::erasure::finished;
use crate::notices::publish_in;
use crate::stage::{Answer, request};

/// Pages that are told in German.
pub(crate) const OPEN: &[&str] = &[
    "/privacy",
    "/privacy/authorities",
    "/privacy/authorities?country=de",
    "/privacy/request",
    "/privacy/words",
    "/privacy/versions",
    "/support",
];
/// The same for who is signed in.
pub(crate) const OWN: &[&str] = &[
    "/account",
    "/account/confirm",
    "/account/data",
    "/account/choices",
    "/account/log",
    "/account/requests",
    "/account/objections",
    "/account/restriction",
    "/account/child",
    "/account/delete",
    "/account/notices",
];

pub(crate) async fn choose(browser: &Browser<'_>, language: &str) -> Answer {
    let fields = [("language", language), ("back", "/privacy/request")];
    browser.submit("/language", &fields).await
}

/// What of a page people read, without its marks and whatever it says to be in another language.
fn read_aloud(page: &str) -> String {
    let body = page.split("<body>").nth(1).expect("a page");
    let mut said = String::new();
    for piece in body.split('<') {
        let Some((mark, text)) = piece.split_once('>') else {
            continue;
        };
        // Names stay what they are, and quotations are in the language of who wrote them.
        let is_quoted = ["lang=\"en\"", "translate=\"no\""]
            .iter()
            .any(|sign| mark.contains(sign));
        if !is_quoted && !mark.starts_with("code") && !mark.starts_with("blockquote") {
            said.push_str(text);
        }
        said.push(' ');
    }
    said
}

/// Words by which English is known, and which no German sentence has.
const ENGLISH: [&str; 16] = [
    "the", "you", "your", "and", "of", "with", "this", "that", "is", "are", "what", "who", "it",
    "to", "has", "from",
];

fn english_in(page: &str) -> Vec<String> {
    let said = read_aloud(page);
    let words = said.split(|c: char| !c.is_alphanumeric() && !"/_-.@".contains(c));
    let mut found: Vec<String> = words
        .map(|word| word.trim_matches('.').to_lowercase())
        .filter(|word| ENGLISH.contains(&word.as_str()))
        .collect();
    found.dedup();
    found
}

#[track_caller]
fn assert_german(page: &str, what: &str) {
    let english = english_in(page);
    assert!(
        english.is_empty(),
        "{what} says {english:?}: {}",
        read_aloud(page)
    );
}

#[test]
fn english_words_are_found_and_german_ones_are_not() {
    assert_eq!(
        english_in("<body><p>Was wir haben <b>of you</b>"),
        ["of", "you"]
    );
    let fine =
        "<body><p>Was wir haben</p><button lang=\"en\">the English</button><code>is it</code>";
    assert!(english_in(fine).is_empty());
}

#[tokio::test]
async fn promise_x_09_a_page_is_in_the_language_that_the_browser_asks_for_or_that_was_chosen() {
    let stage = house().await;
    let visitor = Browser::new(&stage);
    let ask = async |path: &str, wish: &str| {
        let asked = request(Method::GET, path).header("accept-language", wish);
        visitor
            .send(asked.body(Body::empty()).expect("a request"))
            .await
    };
    let is = |answer: &Answer, language: &str| {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-language"), language);
        let begin = format!("<html lang=\"{language}\">");
        assert!(answer.text().contains(&begin), "{language}");
    };
    let page = "/privacy/request";
    is(&visitor.get(page).await, "en");
    is(&ask(page, "fr, en;q=0.5").await, "en");
    let german = ask(page, "de-AT,de;q=0.9,en;q=0.5").await;
    is(&german, "de");
    let vary = german.header("vary").to_lowercase();
    assert!(
        vary.contains("accept-language") && vary.contains("cookie"),
        "{vary}"
    );
    for language in ["de", "en"] {
        let alternate = format!(
            "<link rel=\"alternate\" hreflang=\"{language}\" href=\"{page}?lang={language}\">"
        );
        assert!(german.text().contains(&alternate), "{language}");
        is(
            &ask(&format!("{page}?lang={language}"), "en").await,
            language,
        );
    }
    // Looking stores nothing; only who presses the button gets a cookie, and it holds that language alone.
    assert!(visitor.cookies.borrow().is_empty());
    assert!(german.text().contains(
        "<button class=\"button\" name=\"language\" value=\"en\" lang=\"en\">English</button>"
    ));
    let pressed = choose(&visitor, "de").await;
    assert_eq!(pressed.header("location"), page);
    let set = pressed.header("set-cookie");
    assert!(
        set.starts_with("pinhole-language=de; Path=/; Max-Age=31536000; HttpOnly"),
        "{set}"
    );
    is(&ask(page, "en").await, "de");
    choose(&visitor, "en").await;
    is(&ask(page, "de").await, "en");
    choose(&visitor, "xx").await;
    assert_eq!(visitor.cookies.borrow()["pinhole-language"], "en");
    let away = visitor
        .submit(
            "/language",
            &[("language", "de"), ("back", "//example.org")],
        )
        .await;
    assert_eq!(away.header("location"), "/");
    // A page that has no German is in English as a whole.
    is(&ask("/about", "de").await, "en");
    is(&visitor.get("/about").await, "en");
    assert!(!visitor.get("/about").await.text().contains("hreflang"));
}

#[tokio::test]
async fn promise_x_09_a_german_page_says_nothing_in_english() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    choose(&anna, "de").await;
    let visitor = Browser::new(&stage);
    choose(&visitor, "de").await;
    let open = OPEN
        .iter()
        .flat_map(|path| [(&visitor, path), (&anna, path)]);
    let all: Vec<(&Browser<'_>, &&str)> =
        open.chain(OWN.iter().map(|path| (&anna, path))).collect();
    for (browser, path) in all {
        let page = browser.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.header("content-language"), "de", "{path}");
        let text = page.text();
        assert!(text.contains("<html lang=\"de\">"), "{path}");
        assert_german(&text, path);
    }
}

#[tokio::test]
async fn promise_x_09_a_version_is_told_in_each_language_in_which_it_was_published() {
    let stage = house().await;
    let visitor = Browser::new(&stage);
    publish_in(&stage, "One", &[]).await;
    // One that has no German is in English as a whole.
    for page in ["/privacy", "/privacy/versions/1"] {
        let german = visitor.get(&format!("{page}?lang=de")).await;
        assert_eq!(german.header("location"), format!("{page}?lang=en"));
        let english = visitor.get(german.header("location")).await;
        assert_eq!(english.header("content-language"), "en");
    }
    let none = visitor.get("/privacy/versions/1/notice.txt?lang=de").await;
    assert_eq!(none.status, 404);
    let german = Translation {
        language: Language::German,
        text: "was gespeichert wird".to_owned(),
        page: "<p>was gespeichert wird</p>".to_owned(),
    };
    publish_in(&stage, "Two", std::slice::from_ref(&german)).await;
    let now = visitor.get("/privacy/versions/2?lang=de").await;
    assert_eq!(now.status, 200);
    assert_eq!(now.header("content-language"), "de");
    assert!(now.text().contains("<p>was gespeichert wird</p>"));
    let body = visitor
        .get("/privacy/versions/2/notice.txt?lang=de")
        .await
        .text();
    assert!(
        body.starts_with("DATENSCHUTZERKLÄRUNG, VERSION 2\n")
            && body.ends_with("was gespeichert wird")
    );
    assert!(now.text().contains(&policies::sha256(&body)));
    let english = visitor.get("/privacy/versions/2/notice.txt").await.text();
    assert!(english.starts_with("PRIVACY NOTICE, VERSION 2\n"));
    // Two versions are compared in a language in which both are told; what changed is quoted as it was told then.
    let whole = visitor.get("/privacy/versions/2/changes?lang=de").await;
    let in_english = "/privacy/versions/2/changes?lang=en";
    assert_eq!(whole.header("location"), in_english);
    assert!(visitor.get(in_english).await.text().contains("<ins>"));
    let more = Translation {
        text: "was gespeichert und was vergessen wird".to_owned(),
        ..german
    };
    publish_in(&stage, "Three", &[more]).await;
    for page in ["/privacy/versions/3/changes", "/privacy/versions"] {
        let told = visitor.get(&format!("{page}?lang=de")).await;
        assert_eq!(told.header("content-language"), "de", "{page}");
        // What an operator says of themselves is theirs, in whichever language.
        let text = told.text();
        let own = text.split("class=\"compared\"").next().expect("a page");
        assert_german(own, page);
    }
    let compared = visitor.get("/privacy/versions/3/changes?lang=de").await;
    let compared = compared.text();
    assert!(
        compared.contains("<ins>was gespeichert und was vergessen wird</ins>"),
        "{compared}"
    );
    // Its hash covers every language, and whoever changes one is found.
    let studio = &stage.studio;
    let before = policies::complaints(studio).await.expect("reads");
    let change =
        "UPDATE policy SET translations = REPLACE(translations, 'gespeichert', 'vergessen')";
    let mut tx = studio.db.write().await.expect("writes");
    on!(tx, conn => sqlx::query(change).execute(conn).await.map(|_| ())).expect("is changed");
    tx.commit().await.expect("is changed");
    let after = policies::complaints(studio).await.expect("reads");
    let found = "version 2 of the notice was changed after it was published";
    assert!(!before.iter().any(|one| one == found), "{before:?}");
    assert!(after.iter().any(|one| one == found), "{after:?}");
}

/// What is wrong with a name is said on the form, and what is agreed to for a picture is read in German.
#[tokio::test]
async fn promise_x_09_correcting_and_agreeing_for_one_picture_are_told_in_german() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    choose(&anna, "de").await;
    let wrong = [("username", "2anna"), ("display_name", "Anna")];
    let wrong = anna.submit("/account", &wrong).await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.header("content-language")),
        (400, "de")
    );
    assert_german(&wrong.text(), "a mistake");
    let drawn = crate::sharing::drawn(&anna, json!({ "prompt": "ein roter Apfel" })).await;
    let path = format!("/pictures/{drawn}");
    let page = anna.get(&path).await;
    assert_eq!(page.header("content-language"), "de");
    let text = page.text();
    assert_german(&text, "a picture");
    assert!(text.contains("name=\"language\" value=\"de\""));
    let fields = [
        ("purpose", "examples"),
        ("version", "1"),
        ("language", "de"),
        ("answer", "yes"),
    ];
    let said = anna.submit(&format!("{path}/consent"), &fields).await;
    assert_eq!(said.status, 303, "{}", said.text());
    let all = anna.get(&format!("/v1{path}/consents")).await.json();
    let decision = &consent::of(&all, "examples")["decision"];
    let read = Optional::Examples.edition().sha256_in(Language::German);
    assert_eq!(decision["text_sha256"], read);
    // A part goes into a page in English, and is in English.
    let part = request(Method::GET, &path).header("x-part", "1");
    let part = anna
        .send(part.body(Body::empty()).expect("a request"))
        .await;
    assert!(part.text().contains("Draw again"));
}

/// Asking for help, and what is left in the end: the receipt.
#[tokio::test]
async fn promise_x_09_help_and_receipts_are_told_in_german() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    choose(&anna, "de").await;
    let told = |answer: &Answer, what: &str| {
        assert_eq!(answer.header("content-language"), "de", "{what}");
        assert_german(&answer.text(), what);
    };
    let wrong = [("about", "fault"), ("subject", ""), ("words", "Warum?")];
    let wrong = anna.submit("/support", &wrong).await;
    assert_eq!(wrong.status, 400);
    told(&wrong, "a mistake");
    let fields = [
        ("about", "fault"),
        ("subject", "Zu langsam"),
        ("words", "Warum?"),
    ];
    let asked = anna.submit("/support", &fields).await;
    let ticket = asked.header("location").to_owned();
    told(&anna.get(&ticket).await, "a question");
    anna.submit(&ticket, &[("do", "close")]).await;
    told(&anna.get(&ticket).await, "a closed question");
    let visitor = Browser::new(&stage);
    choose(&visitor, "de").await;
    let guest = [
        ("address", "gast@example.org"),
        ("about", "other"),
        ("subject", "Hallo"),
        ("words", "Gibt es noch mehr?"),
    ];
    told(&visitor.submit("/support", &guest).await, "a sent question");
    let Letter::TicketConfirm { token, .. } = last_letter(&stage, "gast@example.org").await else {
        panic!("no letter to confirm it");
    };
    told(
        &visitor.get(&format!("/support/confirm/{token}")).await,
        "the question of a guest",
    );

    let go = [("what", "account"), ("typed", "mein konto löschen")];
    let gone = anna.submit("/account/delete", &go).await;
    assert_eq!(gone.status, 303, "{}", gone.text());
    let receipt = gone.header("location").to_owned();
    told(&visitor.get(&receipt).await, "an erasure under way");
    finished(&stage, &receipt).await;
    told(&visitor.get(&receipt).await, "a receipt");
}

/// What the house says around the terms is German. The terms are shown as they were written, since nobody knows in
/// which language that was.
#[tokio::test]
async fn promise_x_09_terms_are_told_in_german_around_the_words_of_who_wrote_them() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    choose(&anna, "de").await;
    let nothing = anna.get("/terms").await;
    assert_eq!(nothing.status, 404);
    assert_eq!(nothing.header("content-language"), "de");
    let publish = async |text: &str, summary: &str| {
        let draft = Draft {
            text,
            summary,
            needs_acceptance: true,
            effective: None,
        };
        terms::publish(&stage.studio, draft)
            .await
            .expect("is published")
    };
    publish("# Terms\n\nYou are kind.\n\n- to the others", "").await;
    // Who is there is told of the next one a month before.
    stage
        .studio
        .clock
        .advance_millis(policies::NOTICE_MS + 2_000);
    publish(
        "# Terms\n\nYou are kind, and this is all.",
        "This is what you read.",
    )
    .await;
    stage.studio.clock.advance_millis(2_000);
    anna.sign_in(ANNA, PASSWORD).await;
    for page in ["/terms", "/terms/1", "/terms/2", "/terms/accept"] {
        let told = anna.get(page).await;
        assert_eq!(told.status, 200, "{page}");
        assert_eq!(told.header("content-language"), "de", "{page}");
        let text = told.text();
        assert!(text.contains("You are kind"), "{page}: as it was written");
        assert_german(&text, page);
    }
    let compared = anna.get("/terms/2/changes").await;
    assert_eq!(compared.header("content-language"), "de");
    let compared = compared.text();
    assert!(compared.contains("<ins>You are kind, and this is all.</ins>"));
    let own = compared.split("class=\"compared\"").next().expect("a page");
    assert_german(own, "a comparison");
    // What was wrong is said in German as well.
    for fields in [
        vec![("terms", "of another day")],
        vec![("terms", "of another day"), ("accept", "yes")],
    ] {
        let refused = anna.submit("/terms/accept", &fields).await;
        assert_eq!(refused.status, 409);
        assert_eq!(refused.header("content-language"), "de");
        let text = refused.text();
        assert!(text.contains("role=\"alert\""));
        assert_german(&text, "a mistake");
    }
}

#[tokio::test]
async fn promise_x_09_a_yes_to_the_german_words_is_the_same_yes_and_its_receipt_says_what_was_read()
{
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    choose(&anna, "de").await;
    let page = anna.get(CHOICES).await.text();
    assert!(page.contains("name=\"language\" value=\"de\""));
    let fields = [
        ("purpose", "personalisation"),
        ("version", "1"),
        ("language", "de"),
        ("answer", "yes"),
    ];
    anna.submit(CHOICES, &fields).await;
    let standing = consents(&anna, "personalisation").await;
    assert_eq!(
        (&standing["state"], &standing["is_allowed"]),
        (&json!("given"), &json!(true))
    );
    // Taking it back names the words that were agreed to.
    anna.submit(CHOICES, &[("purpose", "personalisation"), ("answer", "no")])
        .await;
    let edition = Optional::Personalisation.edition();
    let standing = consents(&anna, "personalisation").await;
    let decisions = standing["decisions"].as_array().expect("a list");
    assert_eq!(decisions.len(), 2);
    for one in decisions {
        let id = one["id"].as_str().expect("an id");
        let signed = anna.get(&format!("{CHOICES}/receipts/{id}")).await.text();
        let key = stage.studio.keys.public_key();
        let says = receipt::verify(&signed, Some(&key))
            .expect("genuine")
            .receipt;
        assert_eq!(says["language"], "de");
        assert_eq!(says["text"], edition.text_in(Language::German));
        assert_eq!(says["text_sha256"], edition.sha256_in(Language::German));
        assert_eq!(says["version"], 1);
    }
}
