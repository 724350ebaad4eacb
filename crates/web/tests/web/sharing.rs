//! What people agree to picture by picture: who sees it, what learns from it, and how that ends.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Method;
use domain::ids::PersonId;
use serde_json::{Value, json};
use studio::privacy::consent::{Means, Optional, Signal, Subject};
use studio::privacy::log::{self, Kind};
use studio::privacy::{consent, receipt, restriction};
use studio::training::{self, Item, TrainingError};

use crate::browser::{Browser, person_of};
use crate::consent::{ANNA, BOB, house};
use crate::stage::{Answer, Stage, json as posted, request};

pub(crate) async fn drawn(browser: &Browser<'_>, order: Value) -> String {
    let answer = browser.send(posted("/v1/images/generations", &order)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let id = &answer.json()["data"][0]["picture_id"];
    id.as_str().expect("an id").to_owned()
}

async fn say(browser: &Browser<'_>, picture: &str, purpose: &str, answer: &str) -> Answer {
    let fields = [("purpose", purpose), ("version", "1"), ("answer", answer)];
    let path = format!("/pictures/{picture}/consent");
    browser.submit(&path, &fields).await
}

/// Addresses of the pictures that a stranger sees.
async fn shown(stage: &Stage) -> Vec<String> {
    let page = Browser::new(stage).get("/examples").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("cache-control"), "private, no-cache");
    let text = page.text();
    let links = text.split("<img src=\"/examples/").skip(1);
    links
        .map(|rest| format!("/examples/{}", rest.split('"').next().expect("an end")))
        .collect()
}

fn prompt(words: &str) -> Value {
    json!({ "prompt": words, "model": "scripted", "n": 1 })
}

#[tokio::test]
async fn promise_own_04_nothing_is_shown_that_was_not_agreed_to_and_a_no_holds_at_once() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let picture = drawn(&anna, prompt("a marked heron")).await;
    let other = drawn(&anna, prompt("another heron")).await;
    assert!(shown(&stage).await.is_empty());

    // The page of the picture asks, with everything off.
    let page = anna.get(&format!("/pictures/{picture}")).await.text();
    for optional in Optional::ALL.into_iter().filter(|one| one.is_by_picture()) {
        let says = optional.edition().says.replace('\'', "&#39;");
        assert!(page.contains(&says), "{optional:?}");
    }
    assert_eq!(
        page.matches("value=\"no\" aria-pressed=\"true\"").count(),
        3
    );

    let said = say(&anna, &picture, "examples", "yes").await;
    assert_eq!(said.status, 303, "{}", said.text());
    let there = shown(&stage).await;
    assert_eq!(there.len(), 1);
    let stranger = Browser::new(&stage);
    let file = stranger.get(&there[0]).await;
    assert_eq!(file.status, 200);
    assert_eq!(file.header("content-type"), "image/jpeg");
    assert!(file.header("x-robots-tag").contains("noindex"));
    // Of whom it is, and of its words, nothing.
    let page = stranger.get("/examples").await.text();
    let person = person_of(&stage, ANNA).await.to_string();
    for telling in [
        "heron",
        ANNA,
        person.as_str(),
        picture.as_str(),
        other.as_str(),
    ] {
        assert!(!page.contains(telling), "{telling}");
        let bytes = telling.as_bytes();
        assert!(!file.body.windows(bytes.len()).any(|part| part == bytes));
    }

    say(&anna, &picture, "examples", "no").await;
    assert!(shown(&stage).await.is_empty());
    // Also for whoever has it in their browser, and asks whether it is still the same.
    let tag = file.header("etag").to_owned();
    let again = request(Method::GET, &there[0]).header("if-none-match", tag);
    let again = stage
        .send(again.body(Body::empty()).expect("a request"))
        .await;
    assert_eq!(again.status, 404);

    // A new yes is another address, and what is deleted is gone with it.
    say(&anna, &picture, "examples", "yes").await;
    let anew = shown(&stage).await;
    assert_ne!(anew, there);
    anna.submit(&format!("/pictures/{picture}/delete"), &[])
        .await;
    assert!(shown(&stage).await.is_empty());
    assert_eq!(stranger.get(&anew[0]).await.status, 404);
}

#[tokio::test]
async fn promise_own_04_everything_is_taken_back_with_one_press_and_a_restriction_is_stronger() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    for words in ["one", "two", "three"] {
        let picture = drawn(&anna, prompt(words)).await;
        say(&anna, &picture, "examples", "yes").await;
    }
    assert_eq!(shown(&stage).await.len(), 3);
    let page = anna.get("/account/choices").await.text();
    assert!(page.contains("3 pictures of yours"), "{page}");

    let person = person_of(&stage, ANNA).await;
    restriction::restrict(&stage.studio, person)
        .await
        .expect("is restricted");
    assert!(shown(&stage).await.is_empty());
    restriction::lift(&stage.studio, person)
        .await
        .expect("is lifted");
    assert_eq!(shown(&stage).await.len(), 3);

    let back = [("purpose", "examples")];
    let answer = anna.submit("/account/choices/pictures", &back).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert!(shown(&stage).await.is_empty());
    let entries = log::of_person(&stage.studio, person, None, 3)
        .await
        .expect("reads");
    assert!(
        entries
            .iter()
            .all(|entry| entry.kind == Kind::ConsentWithdrawn)
    );
}

#[tokio::test]
async fn promise_own_04_what_the_house_takes_down_is_gone_and_its_person_reads_who_did_it() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let picture = drawn(&anna, prompt("a heron")).await;
    say(&anna, &picture, "examples", "yes").await;
    let there = shown(&stage).await;
    let id = there[0]
        .rsplit('/')
        .next()
        .expect("an id")
        .parse()
        .expect("an id");
    let taken = studio::examples::take_down(&stage.studio, id)
        .await
        .expect("reads");
    assert_eq!(taken.expect("was there").picture.to_string(), picture);
    assert!(shown(&stage).await.is_empty());
    assert!(
        studio::examples::take_down(&stage.studio, id)
            .await
            .expect("reads")
            .is_none()
    );
    assert_eq!(anna.get(&format!("/pictures/{picture}")).await.status, 200);
    let told = anna.get("/account/log").await.text();
    assert!(
        told.contains("took a picture of yours from among the examples"),
        "{told}"
    );
}

#[tokio::test]
async fn promise_gen_08_what_is_agreed_to_is_one_picture_of_ones_own_in_the_words_of_today() {
    let stage = house().await;
    let (anna, bob) = (Browser::new(&stage), Browser::new(&stage));
    anna.sign_up(ANNA).await;
    bob.sign_up(BOB).await;
    let picture = drawn(&anna, prompt("a heron")).await;
    // Nobody agrees for somebody else, nor to words that they did not read, nor for all pictures at once.
    for purpose in ["examples", "training_pictures", "training_words"] {
        let path = format!("/v1/pictures/{picture}/consents/{purpose}");
        let asked = |version: i64| {
            let mut asked = posted(&path, &json!({ "version": version }));
            *asked.method_mut() = Method::PUT;
            asked
        };
        bob.send(asked(1)).await.error(404);
        assert_eq!(anna.send(asked(2)).await.error(409)["code"], "other_words");
        let mut all = posted(
            &format!("/v1/me/consents/{purpose}"),
            &json!({ "version": 1 }),
        );
        *all.method_mut() = Method::PUT;
        assert_eq!(anna.send(all).await.error(409)["code"], "by_picture");
        let list = anna.send(asked(1)).await.json();
        let stands = list["data"].as_array().expect("a list").iter();
        let given: Vec<&Value> = stands.filter(|one| one["state"] == "given").collect();
        assert!(given.iter().any(|one| one["purpose"] == purpose));
    }
    let state = anna
        .get(&format!("/v1/pictures/{picture}/consents"))
        .await
        .json();
    let receipt = state["data"][0]["decision"]["receipt_url"]
        .as_str()
        .expect("a receipt");
    let path = receipt
        .split_once("/v1/")
        .map(|(_, rest)| format!("/v1/{rest}"))
        .expect("a path");
    let receipt = anna.get(&path).await.json();
    assert_eq!(receipt["receipt"]["picture"], picture);
    assert_eq!(receipt["receipt"]["decision"], "given");
    // A picture that was drawn in private is nobody's but its person's.
    let mut hidden = prompt("a secret");
    hidden["private"] = json!(true);
    let hidden = drawn(&anna, hidden).await;
    assert_eq!(say(&anna, &hidden, "examples", "yes").await.status, 409);
    assert_eq!(shown(&stage).await.len(), 1);
}

/// People with a picture each, of which all but the first `silent` let models learn.
async fn teachers(stage: &Stage, people: usize, silent: usize) -> Vec<(PersonId, Subject)> {
    let mut all = Vec::new();
    for number in 0..people {
        let address = format!("person{number}@example.org");
        let browser = Browser::new(stage);
        browser.comes_from(u32::try_from(number).expect("few"));
        browser.sign_up(&address).await;
        let picture = drawn(&browser, prompt(&format!("a heron, number {number}"))).await;
        let person = person_of(stage, &address).await;
        let about = Subject::picture(Optional::TrainingPictures, picture.parse().expect("an id"));
        if number >= silent {
            let given = consent::give(
                &stage.studio,
                person,
                about,
                1,
                Means::Session,
                Signal::Absent,
            );
            given.await.expect("is given");
        }
        all.push((person, about));
    }
    all
}

#[tokio::test]
async fn promise_gen_08_models_learn_from_nothing_that_was_not_agreed_to() {
    let stage = house().await;
    let people = teachers(&stage, 12, 2).await;
    let studio = &stage.studio;
    let (mut names, mut words) = (Vec::new(), 0);
    let keep = |name: &str, item: &Item| {
        names.push(name.to_owned());
        words += item.words().iter().len();
        Ok(())
    };
    let collection = training::gather(studio, &[], keep)
        .await
        .expect("is gathered");
    assert_eq!(collection.pictures, 10);
    assert_eq!(
        (names[0].as_str(), names[9].as_str()),
        ("000001.png", "000010.png")
    );
    // Words stay here, since nobody said yes to those.
    assert_eq!(words, 0);
    // Everybody who gave one reads so, and nobody else.
    for (number, (person, _)) in people.iter().enumerate() {
        let entries = log::of_person(studio, *person, None, 50)
            .await
            .expect("reads");
        let told = entries
            .iter()
            .filter(|entry| entry.kind == Kind::LearnedFrom)
            .count();
        assert_eq!(told, usize::from(number >= 2), "{number}");
    }
    // Whoever did not agree is asked for in vain, and reads that too.
    let (person, silent) = people[0];
    let nothing = |_: &str, _: &Item| panic!("nothing is taken");
    let only = [silent.picture.expect("a picture")];
    let refused = training::gather(studio, &only, nothing).await;
    assert!(
        matches!(refused, Err(TrainingError::NoConsent(_))),
        "{refused:?}"
    );
    let newest = log::of_person(studio, person, None, 1)
        .await
        .expect("reads");
    assert_eq!(newest[0].kind, Kind::LearningRefused);
    // What is taken back is in no collection from then on, and neither are the others without it.
    let (person, about) = people[11];
    consent::withdraw(studio, person, about, Means::Session, Signal::Absent)
        .await
        .expect("holds");
    let only = [about.picture.expect("a picture")];
    let refused = training::gather(studio, &only, nothing).await;
    assert!(
        matches!(refused, Err(TrainingError::NoConsent(_))),
        "{refused:?}"
    );
    let too_few = training::gather(studio, &[], nothing).await;
    assert!(
        matches!(too_few, Err(TrainingError::TooFew { people: 9 })),
        "{too_few:?}"
    );
}

#[tokio::test]
async fn promise_own_03_a_collection_tells_of_nobody_and_nobody_gives_more_than_a_tenth() {
    let stage = house().await;
    let people = teachers(&stage, 10, 0).await;
    let studio = &stage.studio;
    // One gives many more, and the words of one picture go along.
    let first = Browser::new(&stage);
    first
        .sign_in("person0@example.org", crate::browser::PASSWORD)
        .await;
    for words in [
        "a blue door",
        "call me at person0@example.org",
        "a selfie",
        "a red door",
    ] {
        let picture = drawn(&first, prompt(words)).await;
        say(&first, &picture, "training_pictures", "yes").await;
        say(&first, &picture, "training_words", "yes").await;
    }
    for (person, about) in &people[1..] {
        let about = Subject {
            optional: Optional::TrainingWords,
            ..*about
        };
        let given = consent::give(studio, *person, about, 1, Means::Session, Signal::Absent);
        given.await.expect("is given");
    }
    let mut offered = BTreeSet::new();
    for _ in 0..12 {
        // Which of theirs goes along is chance; a likeness is never.
        let (mut bytes, mut words) = (Vec::new(), BTreeSet::new());
        let keep = |_: &str, item: &Item| {
            bytes.extend_from_slice(item.png());
            words.extend(item.words().map(str::to_owned));
            Ok(())
        };
        let collection = training::gather(studio, &[], keep)
            .await
            .expect("is gathered");
        assert_eq!(collection.pictures, 10);
        assert!(words.len() >= 9, "{words:?}");
        offered.extend(words);
        bytes.extend_from_slice(collection.manifest.as_bytes());
        for (number, (person, about)) in people.iter().enumerate() {
            let picture = about.picture.expect("a picture");
            let address = format!("person{number}@");
            for telling in [person.to_string(), picture.to_string(), address] {
                let telling = telling.as_bytes();
                assert!(!bytes.windows(telling.len()).any(|part| part == telling));
            }
        }
        let signed = receipt::verify(&collection.manifest, None).expect("fits");
        assert_eq!(signed.kind, receipt::Kind::TrainingSet);
        assert_eq!(signed.receipt["pictures"], 10);
        assert_eq!(signed.receipt["people_at_least"], 10);
    }
    assert!(!offered.contains("a selfie"));
    assert!(
        !offered.iter().any(|text| text.contains('@')),
        "{offered:?}"
    );
}
