//! The desk of those who run the house: what each role sees there, for how long, and who has to agree.

use domain::role::Role;
use studio::accounts::person;
use studio::letters::Letter;
use studio::privacy::holds::{self, Class, NewHold};
use studio::privacy::log;

use crate::browser::{Browser, PASSWORD, letters_to, person_of};
use crate::stage::{Answer, Stage};

const ANNA: &str = "mark-anna@example.org";
const HELPER: &str = "mark-helper@example.org";
const MARKS: [&str; 6] = [
    ANNA,
    HELPER,
    "mark-words",
    "mark-grant",
    "mark-hold",
    "mark-duty",
];
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const HOUR_MS: i64 = 60 * 60 * 1_000;

/// Somebody of this role, signed in.
pub(crate) async fn staff<'a>(stage: &'a Stage, address: &str, role: Role) -> Browser<'a> {
    let somebody = Browser::new(stage);
    somebody.sign_up(address).await;
    if role != Role::Person {
        let id = person_of(stage, address).await;
        person::set_role(&stage.studio, id, role)
            .await
            .expect("sets");
        assert_eq!(somebody.sign_in(address, PASSWORD).await.status, 303);
    }
    somebody
}

/// Asks to look; gives what is answered.
async fn say(somebody: &Browser<'_>, purposes: &[&str], reason: &str, minutes: &str) -> Answer {
    let mut fields: Vec<(&str, &str)> = purposes.iter().map(|purpose| ("for", *purpose)).collect();
    fields.push(("reason", reason));
    fields.push(("minutes", minutes));
    somebody.submit("/desk/duties", &fields).await
}

/// The number of the newest request or duty that a page names.
pub(crate) fn named(page: &str, lead: &str) -> String {
    let after = page.split(lead).nth(1).expect("it is on the page");
    let end = after.find(['"', '/']).expect("it ends");
    after[..end].to_owned()
}

/// Anna has something in every room of the desk.
async fn house(stage: &Stage) -> (Browser<'_>, String) {
    let operator = Browser::new(stage);
    operator.welcome("op@example.org").await;
    let anna = Browser::new(stage);
    anna.sign_up(ANNA).await;
    let asks = [("about", "other"), ("words", "mark-words")];
    anna.submit("/account/requests", &asks).await;
    let given = [
        ("address", ANNA),
        ("credits", "7"),
        ("reason", "mark-grant"),
    ];
    assert_eq!(operator.submit("/credits/grants", &given).await.status, 303);
    let now = stage.studio.clock.now();
    let new = NewHold {
        class: Class::Orders,
        law: "§ 147 AO".to_owned(),
        reason: "mark-hold".to_owned(),
        approver: "the privacy officer".to_owned(),
        ends: now.plus_millis(30 * DAY_MS),
        told_from: None,
    };
    let id = person_of(stage, ANNA).await;
    holds::add(&stage.studio, id, &new).await.expect("holds");
    let helper = staff(stage, HELPER, Role::Support).await;
    let said = say(&helper, &["account"], "mark-duty, of a helper", "30").await;
    assert_eq!(said.status, 303, "{}", said.text());
    operator.on_duty(Role::Operator).await;
    let list = operator.get("/desk/requests").await.text();
    let request = named(&list, "href=\"/desk/requests/");
    (operator, request)
}

#[tokio::test]
async fn promise_sec_04_each_role_sees_on_each_page_what_it_needs_and_nothing_else() {
    let stage = Stage::free().await;
    let (_operator, request) = house(&stage).await;
    let of_request = format!("/desk/requests/{request}");
    let pages: [(&str, &[Role], &[&str]); 11] = [
        ("/desk", &[], &[]),
        ("/desk/recipients", &[], &[]),
        ("/desk/promises", &[], &[]),
        ("/letters", &[Role::Operator], &[ANNA, HELPER]),
        ("/credits/grants", &[Role::Operator], &[ANNA, "mark-grant"]),
        (
            "/desk/requests",
            &[Role::PrivacyOfficer, Role::Operator],
            &[],
        ),
        (
            &of_request,
            &[Role::PrivacyOfficer, Role::Operator],
            &["mark-words"],
        ),
        (
            "/desk/holds",
            &[Role::PrivacyOfficer, Role::Operator],
            &["mark-hold"],
        ),
        (
            "/desk/disclosures",
            &[Role::PrivacyOfficer, Role::Operator],
            &[],
        ),
        (
            "/desk/breaches",
            &[Role::PrivacyOfficer, Role::Operator],
            &[],
        ),
        (
            "/desk/duties",
            &[Role::PrivacyOfficer, Role::Operator],
            &[HELPER, "mark-duty"],
        ),
    ];
    for role in Role::ALL {
        let somebody = staff(&stage, &format!("{role}@example.org"), role).await;
        if !matches!(role, Role::Person | Role::Moderator) {
            somebody.on_duty(role).await;
        }
        for (page, roles, shows) in pages {
            let answer = somebody.get(page).await;
            let reads = roles.contains(&role);
            // Pages without anything of anybody are for all staff, and everybody sees their own duties.
            let is_open = roles.is_empty() || page == "/desk/duties";
            let expected = match reads || (is_open && role != Role::Person) {
                true => 200,
                false => 403,
            };
            assert_eq!(answer.status, expected, "{role} at {page}");
            let text = answer.text();
            for mark in MARKS {
                let is_shown = reads && shows.contains(&mark);
                assert_eq!(text.contains(mark), is_shown, "{role} at {page}: {mark}");
            }
        }
    }
}

#[tokio::test]
async fn promise_sec_04_nobody_looks_without_saying_what_for_and_for_how_long() {
    let stage = Stage::free().await;
    let (operator, request) = house(&stage).await;
    let anna = person_of(&stage, ANNA).await;
    let looks = async || {
        let looks = log::looks_at(&stage.studio, anna, None, 100).await;
        looks.expect("reads").len()
    };
    let second = staff(&stage, "second@example.org", Role::Operator).await;
    let before = looks().await;
    let of_request = format!("/desk/requests/{request}");
    let pages = [
        "/letters",
        "/credits/grants",
        "/desk/requests",
        &of_request,
        "/desk/holds",
    ];
    for page in pages {
        let refused = second.get(page).await;
        assert_eq!(refused.status, 403, "{page}");
        let text = refused.text();
        assert!(text.contains("What do you need it for?"), "{page}: {text}");
        let back = format!("name=\"back\" value=\"{page}\"");
        assert!(text.contains(&back), "{page}: {text}");
        // Asked for what the page needs alone.
        let offered = text.matches("name=\"for\"").count();
        assert_eq!(offered, text.matches(" checked>").count(), "{page}: {text}");
        assert_eq!(
            offered,
            if page == "/credits/grants" { 2 } else { 1 },
            "{page}"
        );
        assert!(!MARKS.iter().any(|mark| text.contains(mark)), "{page}");
    }
    assert_eq!(looks().await, before, "who was refused has seen nothing");

    // What is said badly begins nothing.
    for (purposes, reason, minutes) in [
        (&[][..], "Anna asks why", "30"),
        (&["mail"], "short", "30"),
        (&["mail"], "Anna asks why", "31"),
        (&["drawing"], "Anna asks why", "30"),
        (&["security"], "Anna asks why", "30"),
    ] {
        let wrong = say(&second, purposes, reason, minutes).await;
        assert_eq!(wrong.status, 400, "{purposes:?} {reason} {minutes}");
        assert!(wrong.text().contains("role=\"alert\""));
    }
    assert_eq!(second.get("/letters").await.status, 403);

    // For one purpose, for half an hour, and afterwards one is where one wanted to be.
    let fields = [
        ("for", "mail"),
        ("reason", "Anna asks why no letter comes"),
        ("minutes", "30"),
        ("back", "/letters"),
    ];
    let begun = second.submit("/desk/duties", &fields).await;
    assert_eq!(begun.header("location"), "/letters");
    assert_eq!(second.get("/letters").await.status, 200);
    assert_eq!(looks().await, before + 1);
    assert_eq!(second.get("/desk/requests").await.status, 403);
    stage.studio.clock.advance_millis(HOUR_MS / 2 - 1_000);
    assert_eq!(second.get("/letters").await.status, 200);
    stage.studio.clock.advance_millis(1_000);
    assert_eq!(second.get("/letters").await.status, 403);

    // Others end it, and who looked reads of it.
    let again = say(&second, &["mail"], "Anna asks once more", "480").await;
    assert_eq!(again.status, 303);
    assert_eq!(second.get("/letters").await.status, 200);
    let page = operator.get("/desk/duties").await.text();
    assert!(page.contains("Anna asks once more") && page.contains("looked at"));
    let id = named(&page, "action=\"/desk/duties/");
    let ended = operator
        .submit(&format!("/desk/duties/{id}/end"), &[])
        .await;
    assert_eq!(ended.status, 303, "{}", ended.text());
    assert_eq!(second.get("/letters").await.status, 403);
    let own = second.get("/account/log").await.text();
    assert!(own.contains("You began to look at what is kept of others"));
    // A way out of this site is none.
    let away = [
        ("for", "mail"),
        ("reason", "Anna asks why no letter comes"),
        ("minutes", "30"),
        ("back", "//elsewhere.example"),
    ];
    let begun = second.submit("/desk/duties", &away).await;
    assert_eq!(begun.header("location"), "/desk/duties");
}

#[tokio::test]
async fn promise_sec_04_what_a_role_does_not_read_takes_two_people() {
    let stage = Stage::free().await;
    let (operator, _) = house(&stage).await;
    let officer = staff(&stage, "po@example.org", Role::PrivacyOfficer).await;
    let helper = staff(&stage, "second-helper@example.org", Role::Support).await;
    let reason = "the operator is ill, and Anna waits for her letter";
    let asked = say(&officer, &["mail"], reason, "480").await;
    assert_eq!(asked.header("location"), "/desk/duties");
    assert_eq!(officer.get("/letters").await.status, 403, "nobody agreed");
    // Those who may agree are told, and who asks is not one of them.
    let told = letters_to(&stage, "op@example.org").await;
    assert!(matches!(told[0], Letter::DutyAsked { .. }));
    let told = letters_to(&stage, "po@example.org").await;
    assert!(
        !told
            .iter()
            .any(|one| matches!(one, Letter::DutyAsked { .. }))
    );

    let page = operator.get("/desk/duties").await.text();
    assert!(page.contains(reason), "{page}");
    let id = named(&page, "action=\"/desk/duties/");
    let agree = format!("/desk/duties/{id}/agree");
    assert_eq!(officer.submit(&agree, &[]).await.status, 409, "alone");
    assert_eq!(
        helper.submit(&agree, &[]).await.status,
        403,
        "of the support"
    );
    assert_eq!(officer.get("/letters").await.status, 403);
    assert_eq!(operator.submit(&agree, &[]).await.status, 303);
    assert_eq!(operator.submit(&agree, &[]).await.status, 409, "once");
    let told = letters_to(&stage, "po@example.org").await;
    assert!(matches!(told[0], Letter::DutyAgreed { .. }));
    assert_eq!(officer.get("/letters").await.status, 200);
    assert_eq!(officer.get("/credits/grants").await.status, 403);
    // Two people make it an hour, not eight.
    stage.studio.clock.advance_millis(HOUR_MS - 1_000);
    assert_eq!(officer.get("/letters").await.status, 200);
    stage.studio.clock.advance_millis(1_000);
    assert_eq!(officer.get("/letters").await.status, 403);

    // What nobody answers lapses, and so does what is refused.
    say(
        &helper,
        &["rights"],
        "Anna says that nobody answers her",
        "30",
    )
    .await;
    let page = operator.get("/desk/duties").await.text();
    let id = named(&page, "action=\"/desk/duties/");
    let refuse = format!("/desk/duties/{id}/end");
    assert_eq!(operator.submit(&refuse, &[]).await.status, 303);
    let agree = format!("/desk/duties/{id}/agree");
    assert_eq!(operator.submit(&agree, &[]).await.status, 409);
    say(
        &helper,
        &["rights"],
        "Anna says that nobody answers her",
        "30",
    )
    .await;
    let page = operator.get("/desk/duties").await.text();
    let id = named(&page, "action=\"/desk/duties/");
    stage.studio.clock.advance_millis(24 * HOUR_MS);
    let agree = format!("/desk/duties/{id}/agree");
    assert_eq!(operator.submit(&agree, &[]).await.status, 409);
    assert_eq!(helper.get("/desk/requests").await.status, 403);
    // Not even two open what nobody reads.
    let never = say(&operator, &["drawing"], "to see what people draw", "30").await;
    assert_eq!(never.status, 400);
    assert!(never.text().contains("nobody can agree to it"));
}

#[tokio::test]
async fn promise_sec_04_another_role_ends_what_one_was_on_duty_for() {
    let stage = Stage::free().await;
    let (_operator, _) = house(&stage).await;
    let second = staff(&stage, "second@example.org", Role::Operator).await;
    second.on_duty(Role::Operator).await;
    assert_eq!(second.get("/letters").await.status, 200);
    let id = person_of(&stage, "second@example.org").await;
    for role in [Role::Support, Role::Operator] {
        person::set_role(&stage.studio, id, role)
            .await
            .expect("sets");
    }
    let signed_in = second.sign_in("second@example.org", PASSWORD).await;
    assert_eq!(signed_in.status, 303);
    let refused = second.get("/letters").await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("What do you need it for?"));
}

#[tokio::test]
async fn promise_sec_04_who_looks_at_unusually_many_is_looked_at() {
    let stage = Stage::free().await;
    let (_operator, _) = house(&stage).await;
    let second = staff(&stage, "second@example.org", Role::Operator).await;
    second.on_duty(Role::Operator).await;
    let unusual = async || {
        let told = letters_to(&stage, "op@example.org").await;
        let unusual = told
            .iter()
            .filter(|one| matches!(one, Letter::DutyUnusual { .. }));
        unusual.count()
    };
    // Each look at the list of letters is one at Anna, and at the others who got one.
    let mut looked = 0;
    while unusual().await == 0 {
        assert_eq!(second.get("/letters").await.status, 200);
        looked += 1;
        assert!(looked <= 200, "nobody was told");
    }
    assert!(looked > 10, "told after {looked} looks");
    assert_eq!(second.get("/letters").await.status, 200);
    assert_eq!(unusual().await, 1, "once for each duty");
    let own = letters_to(&stage, "second@example.org").await;
    assert!(
        !own.iter()
            .any(|one| matches!(one, Letter::DutyUnusual { .. }))
    );
}

#[tokio::test]
async fn a_request_is_answered_refused_and_extended_on_the_desk() {
    let stage = Stage::free().await;
    let (_operator, request) = house(&stage).await;
    let officer = staff(&stage, "po@example.org", Role::PrivacyOfficer).await;
    officer.on_duty(Role::PrivacyOfficer).await;
    let page = format!("/desk/requests/{request}");
    let empty = officer
        .submit(&page, &[("do", "answer"), ("text", " ")])
        .await;
    assert_eq!(empty.status, 400);
    assert!(empty.text().contains("role=\"alert\""));
    let nowhere = [
        ("do", "refuse"),
        ("text", "it is not ours"),
        ("country", "xx"),
    ];
    let refused = officer.submit(&page, &nowhere).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("it is not ours"),
        "what was typed stays"
    );
    let extend = [("do", "extend"), ("text", "many asked at once")];
    assert_eq!(officer.submit(&page, &extend).await.status, 303);
    assert_eq!(officer.submit(&page, &extend).await.status, 409, "once");
    let answer = [("do", "answer"), ("text", "we sent it to you")];
    assert_eq!(officer.submit(&page, &answer).await.status, 303);
    assert_eq!(officer.submit(&page, &answer).await.status, 409);
    let told = letters_to(&stage, ANNA).await;
    assert!(
        matches!(&told[0], Letter::RequestAnswered { text, .. } if text == "we sent it to you")
    );
    let shown = officer.get(&page).await.text();
    assert!(shown.contains("we sent it to you") && !shown.contains("name=\"do\""));
    let list = officer.get("/desk/requests").await.text();
    assert!(list.contains("Nothing waits for an answer."), "{list}");
    assert_eq!(officer.get("/desk/requests/dsr_0").await.status, 404);
}

#[tokio::test]
async fn a_hold_is_released_on_the_desk() {
    let stage = Stage::free().await;
    let (operator, _) = house(&stage).await;
    let page = operator.get("/desk/holds").await.text();
    let id = named(&page, "action=\"/desk/holds/");
    let release = format!("/desk/holds/{id}/release");
    assert_eq!(operator.submit(&release, &[]).await.status, 303);
    assert_eq!(operator.submit(&release, &[]).await.status, 409);
    let page = operator.get("/desk/holds").await.text();
    assert!(page.contains("mark-hold") && !page.contains("/release\""));
    let anna = person_of(&stage, ANNA).await;
    let told = holds::told(&stage.studio, anna).await.expect("reads");
    assert!(told.is_empty(), "nothing is held any more");
}
