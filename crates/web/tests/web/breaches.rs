//! A breach from its notice to its end: the clock of 72 hours, whom it concerns, and what they are told.

use domain::clock::{Civil, Moment};
use domain::role::Role;
use studio::letters::Letter;
use studio::privacy::{audit, breaches};

use crate::browser::{Browser, letters_to};
use crate::desk::staff;
use crate::stage::Stage;

const ANNA: &str = "anna@example.org";
const BERT: &str = "bert@example.org";
const THIEF: &str = "thief@example.org";
const HOUR_MS: i64 = 60 * 60 * 1_000;

fn written(at: Moment) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        ..
    } = at.civil();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}")
}

async fn about(stage: &Stage, address: &str) -> usize {
    let letters = letters_to(stage, address).await;
    let told = letters
        .iter()
        .filter(|one| matches!(one, Letter::Breach { .. }));
    told.count()
}

async fn complaints(stage: &Stage) -> usize {
    let report = audit::run(&stage.studio, &[]).await.expect("audits");
    let mut checks = report.checks.iter();
    let check = checks.find(|check| check.name == "breaches");
    check.expect("is a check").wrong.len()
}

/// Somebody of the staff looked at Anna without need, and signed in for it; Bert was left alone.
async fn house(stage: &Stage) -> (Browser<'_>, String) {
    let operator = Browser::new(stage);
    operator.welcome("op@example.org").await;
    for address in [ANNA, BERT] {
        Browser::new(stage).sign_up(address).await;
    }
    let given = [("address", ANNA), ("credits", "7"), ("reason", "welcome")];
    assert_eq!(operator.submit("/credits/grants", &given).await.status, 303);
    stage.studio.clock.advance_millis(HOUR_MS);
    let began = stage.studio.clock.now();
    let thief = staff(stage, THIEF, Role::Operator).await;
    thief.on_duty(Role::Operator).await;
    assert_eq!(thief.get("/credits/grants").await.status, 200);
    stage.studio.clock.advance_millis(HOUR_MS);
    let now = stage.studio.clock.now();
    let (began, until) = (written(began), written(now));
    let fields = [
        (
            "what",
            "An account of the staff looked at people without need",
        ),
        ("nature", "confidentiality"),
        ("classes", "addresses and credits"),
        ("consequences", "unwanted letters"),
        ("measures", "the account was closed"),
        ("risk", "high"),
        ("began", began.as_str()),
        ("until", until.as_str()),
        ("noticed", until.as_str()),
    ];
    let entered = operator.submit("/desk/breaches", &fields).await;
    assert_eq!(entered.status, 303, "{}", entered.text());
    let page = entered.header("location").to_owned();
    (operator, page)
}

#[tokio::test]
async fn promise_sec_08_a_drill_finds_in_the_log_whom_a_breach_concerns_and_tells_each_once() {
    let stage = Stage::free().await;
    let (operator, page) = house(&stage).await;
    let find = [("do", "find"), ("by", "looked_at"), ("address", THIEF)];
    assert_eq!(operator.submit(&page, &find).await.status, 303);
    let shown = operator.get(&page).await.text();
    assert!(shown.contains("1 found, 0 told"), "Anna alone: {shown}");
    assert_eq!(operator.submit(&page, &find).await.status, 303);
    let shown = operator.get(&page).await.text();
    assert!(shown.contains("1 found, 0 told"), "once: {shown}");

    let tell = [("do", "tell"), ("text", "Somebody saw your address.")];
    assert_eq!(operator.submit(&page, &tell).await.status, 303);
    assert_eq!(operator.submit(&page, &tell).await.status, 303);
    assert_eq!(about(&stage, ANNA).await, 1, "exactly once");
    assert_eq!(about(&stage, BERT).await, 0);
    // Who signed in meanwhile is found in the log too: the thief alone; then everybody who was here.
    let signed_in = [("do", "find"), ("by", "signed_in")];
    assert_eq!(operator.submit(&page, &signed_in).await.status, 303);
    let shown = operator.get(&page).await.text();
    assert!(shown.contains("2 found, 1 told"), "{shown}");
    let kept = [("do", "find"), ("by", "kept"), ("table", "credit_grant")];
    assert_eq!(operator.submit(&page, &kept).await.status, 303);
    let everyone = [("do", "find"), ("by", "everyone")];
    assert_eq!(operator.submit(&page, &everyone).await.status, 303);
    assert_eq!(operator.submit(&page, &tell).await.status, 303);
    assert_eq!(about(&stage, ANNA).await, 1, "exactly once");
    assert_eq!(about(&stage, BERT).await, 1);

    let anna = Browser::new(&stage);
    anna.sign_in(ANNA, crate::browser::PASSWORD).await;
    let own = anna.get("/account/log").await.text();
    assert!(
        own.contains("You were told of a breach that concerns you"),
        "{own}"
    );
    let trust = anna.get("/trust").await.text();
    assert!(
        trust.contains("From then on 72 hours run."),
        "the procedure: {trust}"
    );
}

#[tokio::test]
async fn promise_x_03_a_breach_is_reported_within_72_hours_or_everybody_sees_that_it_was_not() {
    let stage = Stage::free().await;
    let (operator, page) = house(&stage).await;
    let studio = &stage.studio;
    let noticed = letters_to(&stage, THIEF).await;
    assert!(
        noticed
            .iter()
            .any(|one| matches!(one, Letter::BreachNoted { .. }))
    );
    let close = [("do", "close")];
    assert_eq!(
        operator.submit(&page, &close).await.status,
        400,
        "not before it is reported"
    );
    assert_eq!(complaints(&stage).await, 0);
    assert_eq!(breaches::raise_overdue(studio).await.expect("looks"), 0);
    studio.clock.advance_millis(breaches::REPORT_MS);
    assert_eq!(complaints(&stage).await, 1, "the audit is red");
    assert_eq!(breaches::raise_overdue(studio).await.expect("looks"), 1);
    assert_eq!(
        breaches::raise_overdue(studio).await.expect("looks"),
        0,
        "once"
    );
    let letters = letters_to(&stage, "op@example.org").await;
    assert!(matches!(&letters[0], Letter::BreachOverdue { .. }));
    let list = operator.get("/desk/breaches").await.text();
    assert!(list.contains("badge wrong"), "{list}");

    let late = operator.submit(&page, &[("do", "report")]).await;
    assert_eq!(late.status, 400, "it says why it is late");
    let late = [("do", "report"), ("late", "nobody was there")];
    assert_eq!(operator.submit(&page, &late).await.status, 303);
    assert_eq!(complaints(&stage).await, 0);
    let notice = operator.get(&format!("{page}/notice.txt")).await;
    assert_eq!(notice.status, 200);
    for part in [
        "Art. 33 GDPR",
        "Loss of: confidentiality",
        "addresses and credits",
        "unwanted letters",
        "the account was closed",
        "nobody was there",
    ] {
        assert!(notice.text().contains(part), "{part}: {}", notice.text());
    }
    assert_eq!(
        operator.submit(&page, &close).await.status,
        400,
        "the risk is high, and nobody knows"
    );
    let everyone = [("do", "find"), ("by", "everyone")];
    assert_eq!(operator.submit(&page, &everyone).await.status, 303);
    let tell = [("do", "tell"), ("text", "Somebody saw your address.")];
    assert_eq!(operator.submit(&page, &tell).await.status, 303);
    assert_eq!(operator.submit(&page, &close).await.status, 303);
    assert_eq!(operator.submit(&page, &close).await.status, 400);
    // What puts nobody at risk has no clock, and is written down all the same.
    let helper = staff(&stage, "helper@example.org", Role::Support).await;
    assert_eq!(helper.get("/desk/breaches").await.status, 403);
}
