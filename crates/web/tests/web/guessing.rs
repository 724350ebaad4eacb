//! Passwords tried in bulk: they don't get through, and the owner does.

use domain::role::Role;
use studio::accounts::person;
use studio::letters::Letter;

use crate::browser::{Browser, PASSWORD, last_letter, person_of};
use crate::outbox;
use crate::stage::Stage;

const ANNA: &str = "anna@example.org";

/// Letters about attacks to an address.
async fn alarms(stage: &Stage, address: &str) -> Vec<&'static str> {
    let all = outbox::letters(&stage.studio).await;
    let to = all
        .into_iter()
        .filter(|one| one.address.expose() == address);
    to.filter_map(|one| Some(one.letter?.kind()))
        .filter(|kind| kind.starts_with("attack"))
        .collect()
}

/// A minute of guessing, in which `per_address` tries come from each address of the network.
/// Gives how many passwords were checked.
async fn guess_for_a_minute(
    stage: &Stage,
    tries: u32,
    per_address: u32,
    mut of: impl FnMut(u32) -> (String, String),
) -> u32 {
    let mut checked = 0;
    for number in 0..tries {
        let guesser = Browser::new(stage);
        guesser.comes_from(number / per_address);
        let (address, password) = of(number);
        let answer = guesser.sign_in(&address, &password).await;
        match answer.status.as_u16() {
            401 => checked += 1,
            429 => {}
            other => panic!("{other}: {}", answer.text()),
        }
        if number % (tries / 60) == 0 {
            stage.studio.clock.advance_millis(1_000);
        }
    }
    checked
}

#[tokio::test]
async fn promise_use_06_a_stuffing_run_on_one_account_fails_and_its_owner_gets_in() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let home = Browser::new(&stage);
    home.sign_up(ANNA).await;
    home.submit("/sign-out", &[]).await;

    let guess = |number| (ANNA.to_owned(), format!("guess number {number}"));
    let checked = guess_for_a_minute(&stage, 10_000, 4, guess).await;
    assert!(checked <= 12, "{checked} of 10,000 passwords were checked");

    // A leaked password that is right does not get through either, from a browser nobody knows.
    let thief = Browser::new(&stage);
    thief.comes_from(9_999);
    let stopped = thief.sign_in(ANNA, PASSWORD).await;
    assert_eq!(stopped.status, 429);
    let wrong = thief.sign_in(ANNA, "three red apples").await;
    assert_eq!(wrong.status, 429);
    assert_eq!(
        stopped.text(),
        wrong.text(),
        "right and wrong are told alike"
    );
    assert!(thief.cookies.borrow().is_empty());

    // The owner, in the browser of before.
    assert_eq!(home.sign_in(ANNA, PASSWORD).await.status, 303);
    // And in a new one: by way of the mailbox.
    let Letter::Vouch { token } = last_letter(&stage, ANNA).await else {
        panic!("no letter to let the browser in");
    };
    let phone = Browser::new(&stage);
    phone.comes_from(20_000);
    let link = format!("/vouch/{token}");
    assert_eq!(phone.get(&link).await.status, 200);
    assert!(!phone.is_in().await, "the link alone lets nobody in");
    assert_eq!(
        phone.submit(&link, &[]).await.header("location"),
        "/sign-in"
    );
    assert!(!phone.is_in().await);
    assert_eq!(phone.sign_in(ANNA, "three red apples").await.status, 401);
    assert_eq!(phone.sign_in(ANNA, PASSWORD).await.status, 303);
    assert_eq!(phone.submit(&link, &[]).await.status, 410, "it works once");

    // Her mailbox is not flooded.
    let all = outbox::letters(&stage.studio).await;
    let warnings = all
        .iter()
        .filter(|one| one.address.expose() == ANNA)
        .count();
    assert!(warnings <= 8, "{warnings} letters");

    // Those who run the house are told once, and not by her address.
    assert_eq!(
        alarms(&stage, "op@example.org").await,
        ["attack_on_account"]
    );
    let Letter::AttackOnAccount { person, .. } = last_letter(&stage, "op@example.org").await else {
        panic!("no letter to the operator");
    };
    assert_eq!(person, person_of(&stage, ANNA).await.to_string());
    // Others are not stopped by what happens to her.
    let bo = Browser::new(&stage);
    bo.comes_from(40_000);
    assert_eq!(bo.sign_in("op@example.org", PASSWORD).await.status, 303);

    // Once it is over, a new browser is let in as always.
    stage.studio.clock.advance_millis(30 * 60_000);
    assert_eq!(thief.sign_in(ANNA, PASSWORD).await.status, 303);
}

#[tokio::test]
async fn promise_use_06_a_stuffing_run_over_many_accounts_fails_too() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let home = Browser::new(&stage);
    home.sign_up(ANNA).await;
    home.submit("/sign-out", &[]).await;
    // Pairs of a leaked list, each tried once.
    let pair = |number| (format!("person{number}@example.org"), PASSWORD.to_owned());
    let checked = guess_for_a_minute(&stage, 1_500, 3, pair).await;
    assert!(checked <= 180, "{checked} pairs were checked");
    assert_eq!(alarms(&stage, "op@example.org").await, ["attack_on_house"]);
    let again = |number| (format!("other{number}@example.org"), PASSWORD.to_owned());
    stage.studio.clock.advance_millis(50 * 60_000);
    guess_for_a_minute(&stage, 300, 3, again).await;
    let told = alarms(&stage, "op@example.org").await;
    assert_eq!(told.len(), 1, "it goes on");
    stage.studio.clock.advance_millis(61 * 60_000);
    guess_for_a_minute(&stage, 300, 3, again).await;
    let told = alarms(&stage, "op@example.org").await;
    assert_eq!(told.len(), 2, "another one");
    assert!(alarms(&stage, ANNA).await.is_empty(), "she runs no house");
    let thief = Browser::new(&stage);
    thief.comes_from(30_000);
    assert_eq!(thief.sign_in(ANNA, PASSWORD).await.status, 429);
    assert_eq!(home.sign_in(ANNA, PASSWORD).await.status, 303);
}

#[tokio::test]
async fn promise_use_06_every_operator_is_told_and_an_address_of_nobody_is_no_account() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let second = Browser::new(&stage);
    second.sign_up("second@example.org").await;
    let person = person_of(&stage, "second@example.org").await;
    let set = person::set_role(&stage.studio, person, Role::Operator).await;
    set.expect("set");
    let nobodys = |number| ("nobody@example.org".to_owned(), format!("guess {number}"));
    guess_for_a_minute(&stage, 120, 2, nobodys).await;
    assert!(alarms(&stage, "op@example.org").await.is_empty());
    Browser::new(&stage).sign_up(ANNA).await;
    let guess = |number| (ANNA.to_owned(), format!("guess number {number}"));
    guess_for_a_minute(&stage, 120, 2, guess).await;
    for operator in ["op@example.org", "second@example.org"] {
        let told = alarms(&stage, operator).await;
        assert_eq!(told, ["attack_on_account"], "{operator}");
        let Letter::AttackOnAccount { .. } = last_letter(&stage, operator).await else {
            panic!("another letter");
        };
        let written = web::letters::write(&last_letter(&stage, operator).await, "http://h");
        assert!(!written.text.contains(ANNA) && !written.html.contains(ANNA));
    }
    assert!(matches!(
        last_letter(&stage, ANNA).await,
        Letter::Vouch { .. }
    ));
}

#[tokio::test]
async fn one_address_that_guesses_is_told_to_wait() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let guesser = Browser::new(&stage);
    let mut refused = None;
    for number in 0..30 {
        let answer = guesser
            .sign_in(&format!("p{number}@example.org"), "three red apples")
            .await;
        if answer.status == 429 {
            refused = Some((number, answer));
            break;
        }
    }
    let (after, answer) = refused.expect("refused");
    assert_eq!(after, 20);
    let wait: u32 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=30).contains(&wait));
    let elsewhere = Browser::new(&stage);
    elsewhere.comes_from(1);
    assert_eq!(
        elsewhere.sign_in("op@example.org", PASSWORD).await.status,
        303
    );
    stage.studio.clock.advance_millis(30_000);
    assert_eq!(
        guesser.sign_in("op@example.org", PASSWORD).await.status,
        303
    );
}

#[tokio::test]
async fn nobody_floods_a_mailbox_through_the_forms() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let mut told = Vec::new();
    for number in 0..30 {
        let browser = Browser::new(&stage);
        browser.comes_from(number);
        let answer = browser
            .submit("/reset", &[("address", "op@example.org")])
            .await;
        assert_eq!(answer.status, 200);
        told.push(answer.text());
    }
    assert!(
        told.windows(2).all(|two| two[0] == two[1]),
        "who asks is not told"
    );
    let all = outbox::letters(&stage.studio).await;
    assert_eq!(all.len(), 4);
    let one = Browser::new(&stage);
    let mut last = 200;
    for number in 0..12 {
        let address = format!("p{number}@example.org");
        last = one
            .submit("/reset", &[("address", &address)])
            .await
            .status
            .as_u16();
    }
    assert_eq!(last, 429);
}
