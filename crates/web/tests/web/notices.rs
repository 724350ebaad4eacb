//! What a house has to tell people, in the app.

use domain::controller::Controller;
use studio::privacy::consent::{self, Means, Optional, Signal};
use studio::privacy::log::{self, Kind};
use studio::privacy::policies::{
    self, Declaration, Draft, NOTICE_MS, Translation, Wishes, in_force,
};

use crate::browser::{Browser, person_of};
use crate::stage::Stage;

async fn publish(stage: &Stage, name: &str) {
    publish_in(stage, name, &[]).await;
}

pub(crate) async fn publish_in(stage: &Stage, name: &str, translations: &[Translation]) {
    let none = "none, because nobody is watched".to_owned();
    let controller = Controller {
        name: name.to_owned(),
        address: "1 Example Street".to_owned(),
        email: "privacy@example.org".to_owned(),
        officer: none.clone(),
        representative: none,
    };
    let studio = &stage.studio;
    let declaration = Declaration::of_this_build(&studio.recipients, Some(&controller));
    let draft = Draft {
        declaration: &declaration,
        text: name,
        page: "<p>what is kept</p>",
        translations,
    };
    policies::publish(studio, draft, Wishes::default())
        .await
        .expect("is published");
}

/// Each version is in each feed with the newest first, and programs are told which one holds.
#[tokio::test]
async fn promise_pol_05_programs_find_each_version_in_the_feeds_and_which_one_holds() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    for name in ["One", "Two", "Three"] {
        publish(&stage, name).await;
    }
    let visitor = Browser::new(&stage);
    let feed = visitor.get("/privacy/versions.json").await.json();
    let items = feed["items"].as_array().expect("items");
    let urls: Vec<&str> = items
        .iter()
        .filter_map(|item| item["url"].as_str())
        .collect();
    assert_eq!(urls.len(), 3, "{feed}");
    for (url, number) in urls.iter().zip([3, 2, 1]) {
        assert!(
            url.ends_with(&format!("/privacy/versions/{number}")),
            "{url}"
        );
    }
    let atom = visitor.get("/privacy/versions.atom").await.text();
    assert_eq!(atom.matches("<entry>").count(), 3, "{atom}");
    let machine = visitor.get("/.well-known/privacy-policy.json").await.json();
    let all = policies::heads(&stage.studio).await.expect("reads");
    let force = in_force(&all, stage.studio.clock.now());
    let force = force.expect("one holds");
    assert_eq!(machine["in_force"]["number"], force.number);
    assert_eq!(machine["in_force"]["sha256"], force.sha256);
    assert_eq!(machine["versions"].as_array().expect("versions").len(), 3);
}

const BANNER: &str = "class=\"announced\"";

#[tokio::test]
async fn promise_pol_04_a_change_that_matters_is_in_the_app_until_it_is_read_once() {
    let stage = Stage::free().await;
    let studio = &stage.studio;
    let operator = Browser::new(&stage);
    operator.welcome("op@example.org").await;
    publish(&stage, "One").await;
    let anna = Browser::new(&stage);
    anna.sign_up("anna@example.org").await;
    assert!(!anna.get("/").await.text().contains(BANNER));
    assert!(
        anna.get("/account/notices")
            .await
            .text()
            .contains("nothing to tell")
    );
    publish(&stage, "Two").await;
    // Two processes, and each looks again: everybody is told once.
    for _ in 0..2 {
        policies::tell_due(studio).await.expect("tells");
    }
    studio.clock.advance_millis(2_000);
    let person = person_of(&stage, "anna@example.org").await;
    assert_eq!(policies::unread(studio, person).await.expect("reads"), 1);
    for page in ["/", "/pictures", "/account", "/privacy"] {
        assert!(anna.get(page).await.text().contains(BANNER), "{page}");
    }
    let shown = anna.get("/account/notices").await.text();
    assert!(
        shown.contains("Somebody else answers for this house: Two, in place of One"),
        "{shown}"
    );
    let visitor = Browser::new(&stage);
    assert!(
        visitor
            .get("/about")
            .await
            .text()
            .contains("/privacy/versions/2/changes")
    );

    let read = async || {
        let entries = log::of_person(studio, person, None, 100)
            .await
            .expect("reads");
        entries
            .iter()
            .filter(|entry| entry.kind == Kind::PolicyRead)
            .count()
    };
    assert_eq!(read().await, 0);
    for number in ["7", "x", "2", "2", "2"] {
        let done = anna.submit("/account/notices", &[("policy", number)]).await;
        assert_eq!(done.status, 303);
    }
    assert_eq!(read().await, 1);
    assert!(!anna.get("/").await.text().contains(BANNER));
    assert!(
        anna.get("/account/notices")
            .await
            .text()
            .contains("that you read it")
    );
    // Nobody else read it by that, and to have read is to have agreed to nothing.
    assert!(operator.get("/").await.text().contains(BANNER));
    assert!(
        consent::history(studio, person)
            .await
            .expect("reads")
            .is_empty()
    );
    let desk = operator.get("/desk/policies").await.text();
    assert!(desk.contains("Told to 2, read by 1."), "{desk}");
}

/// A yes is to one purpose in one edition of its words: what comes anew begins with a no, whatever was agreed
/// to before, and whoever says no to it goes on as before.
#[tokio::test]
async fn promise_pol_04_a_yes_of_before_counts_for_nothing_new_and_a_no_costs_nothing() {
    let stage = Stage::free().await;
    let studio = &stage.studio;
    let operator = Browser::new(&stage);
    operator.welcome("op@example.org").await;
    let person = person_of(&stage, "op@example.org").await;
    let allowed = async |optional| {
        consent::is_allowed(studio, person, optional, Signal::Absent)
            .await
            .expect("reads")
    };
    let old = Optional::Personalisation;
    consent::give(
        studio,
        person,
        old,
        old.edition().version,
        Means::Session,
        Signal::Absent,
    )
    .await
    .expect("is given");
    assert!(allowed(old).await && !allowed(Optional::News).await);
    publish(&stage, "One").await;
    publish(&stage, "Two").await;
    policies::tell_due(studio).await.expect("tells");
    studio.clock.advance_millis(NOTICE_MS);
    operator
        .submit("/account/notices", &[("policy", "2")])
        .await;
    // The day came, and nothing was agreed to by that, by reading it, or by going on.
    assert!(allowed(old).await && !allowed(Optional::News).await);
    let refused = consent::give(
        studio,
        person,
        Optional::News,
        0,
        Means::Session,
        Signal::Absent,
    )
    .await;
    assert!(matches!(refused, Err(consent::ConsentError::OtherWords)));
    consent::withdraw(
        studio,
        person,
        Optional::News,
        Means::Session,
        Signal::Absent,
    )
    .await
    .expect("is refused");
    assert!(allowed(old).await);
    assert_eq!(operator.get("/").await.status, 200);
}
