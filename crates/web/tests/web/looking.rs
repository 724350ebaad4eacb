//! What staff see on pages, and what the people whom they see read of that.

use domain::role::Role;
use studio::accounts::person;

use crate::browser::{Browser, PASSWORD, person_of};
use crate::gallery::picture_of;
use crate::stage::Stage;

const ANNA: &str = "mark-of-anna@example.org";
/// Every page that shows something of others. The table of access says the same, and a test of it.
const STAFF_PAGES: [&str; 2] = ["/letters", "/credits/grants"];
/// Those that show nobody.
const HOUSE_PAGES: [&str; 1] = ["/desk/policies"];

/// Anna, with something of hers in every room, and whoever runs the house.
async fn house(stage: &Stage) -> (Browser<'_>, Browser<'_>) {
    let operator = Browser::new(stage);
    operator.welcome("op@example.org").await;
    let anna = Browser::new(stage);
    anna.sign_up(ANNA).await;
    let names = [
        ("username", "mark_username"),
        ("display_name", "mark-display-name"),
    ];
    assert_eq!(anna.submit("/account", &names).await.status, 303);
    let key = [("name", "mark-key"), ("scope", "draw")];
    assert_eq!(anna.submit("/account/keys", &key).await.status, 201);
    picture_of(&anna, ANNA, "mark-prompt").await;
    let asks = [("about", "other"), ("words", "mark-words")];
    anna.submit("/account/requests", &asks).await;
    (operator, anna)
}

async fn give(operator: &Browser<'_>, address: &str) {
    let fields = [
        ("address", address),
        ("credits", "7"),
        ("reason", "mark-reason"),
    ];
    let given = operator.submit("/credits/grants", &fields).await;
    assert_eq!(given.status, 303, "{}", given.text());
}

#[tokio::test]
async fn promise_pur_02_each_page_of_staff_shows_its_role_what_it_needs_and_others_nothing() {
    let stage = Stage::free().await;
    let (operator, _anna) = house(&stage).await;
    give(&operator, ANNA).await;
    for role in Role::ALL {
        let address = format!("{role}@example.org");
        let somebody = Browser::new(&stage);
        somebody.sign_up(&address).await;
        let id = person_of(&stage, &address).await;
        if role != Role::Person {
            person::set_role(&stage.studio, id, role)
                .await
                .expect("sets");
            assert_eq!(somebody.sign_in(&address, PASSWORD).await.status, 303);
            // The moderator reads nothing, so there is nothing to be on duty for.
            if role != Role::Moderator {
                somebody.on_duty(role).await;
            }
        }
        for page in STAFF_PAGES {
            let shown = somebody.get(page).await;
            if role == Role::Operator {
                assert_eq!(shown.status, 200, "{page}");
                let text = shown.text();
                assert!(text.contains(ANNA), "{page} says whose it is");
                for hidden in [
                    "mark-prompt",
                    "mark_username",
                    "mark-display-name",
                    "mark-key",
                    "mark-words",
                ] {
                    assert!(!text.contains(hidden), "{page} shows {hidden}");
                }
                let is_reason = text.contains("mark-reason");
                assert_eq!(is_reason, page == "/credits/grants", "{page}");
            } else {
                assert_eq!(shown.status, 403, "{role} at {page}");
                let text = shown.text();
                for hidden in [ANNA, "mark-reason", "mark_username", "mark-prompt"] {
                    assert!(!text.contains(hidden), "{role} at {page}: {text}");
                }
            }
        }
        for page in HOUSE_PAGES {
            let shown = somebody.get(page).await;
            let expected = if role == Role::Operator { 200 } else { 403 };
            assert_eq!(shown.status, expected, "{role} at {page}");
            let text = shown.text();
            for hidden in [ANNA, "mark-prompt", "mark_username", "mark-reason"] {
                assert!(!text.contains(hidden), "{role} at {page}: {text}");
            }
        }
        let fields = [("address", ANNA), ("credits", "7"), ("reason", "more")];
        let given = somebody.submit("/credits/grants", &fields).await;
        let expected = if role == Role::Operator { 303 } else { 403 };
        assert_eq!(given.status, expected, "{role} gives");
    }
}

#[tokio::test]
async fn promise_sec_04_a_person_reads_who_looked_apart_from_everything_else() {
    let stage = Stage::free().await;
    let (operator, anna) = house(&stage).await;
    operator.on_duty(Role::Operator).await;
    let looks = "/account/log?show=looks";
    let before = anna.get(looks).await.text();
    assert!(before.contains("Nobody looked."), "{before}");
    stage.studio.clock.advance_millis(1);
    assert_eq!(operator.get("/letters").await.status, 200);
    give(&operator, ANNA).await;
    stage.studio.clock.advance_millis(1);
    assert_eq!(operator.get("/credits/grants").await.status, 200);

    let seen = anna.get(looks).await.text();
    assert_eq!(
        seen.matches("An operator looked at something of yours")
            .count(),
        2,
        "{seen}"
    );
    for told in [
        "Each letter to you: the address that it goes to; what it says, until it is sent; what it is about; when it was written.",
        "Read to write to you about your account.",
        "Your account: your e-mail address.",
        "Read to reckon what you have and what you spend.",
    ] {
        assert!(seen.contains(told), "{told}: {seen}");
    }
    assert!(!seen.contains("Sign-in with") && !seen.contains("credits were given"));
    // Among everything they stand as well, and each can be proven.
    let all = anna.get("/account/log").await.text();
    assert_eq!(
        all.matches("An operator looked at something of yours")
            .count(),
        2
    );
    assert!(all.contains("Sign-in with") && all.contains("7 credits were given"));
    // Whoever looked at the house's letters read their own among them, and reads nothing of that.
    let own = operator.get(looks).await.text();
    assert!(own.contains("Nobody looked."), "{own}");
    // A page that shows nobody has looked at nobody.
    let bob = Browser::new(&stage);
    bob.sign_up("bob@example.org").await;
    assert_eq!(operator.get("/credits/grants").await.status, 200);
    let of_bob = bob.get(looks).await.text();
    assert!(of_bob.contains("Nobody looked."), "{of_bob}");
}
