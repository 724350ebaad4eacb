//! Versions of the privacy notice, where time passes and several processes publish.

use domain::clock::Moment;
use domain::controller::Controller;
use domain::personal::Address;
use domain::role::Role;
use studio::Studio;
use studio::accounts::person;
use studio::privacy::log::{self, Kind};
use studio::privacy::policies::transfer::{Reason, TransferError};
use studio::privacy::policies::{
    self, Declaration, Draft, NOTICE_MS, PolicyError, Refusal, RulingError, Wishes,
};
use studio::privacy::receipt;

use crate::stage::Stage;

fn declared(studio: &Studio, name: &str) -> Declaration {
    let none = "none, because nobody is watched".to_owned();
    let controller = Controller {
        name: name.to_owned(),
        address: "1 Example Street".to_owned(),
        email: "privacy@example.org".to_owned(),
        officer: none.clone(),
        representative: none,
    };
    Declaration::of_this_build(&studio.recipients, Some(&controller))
}

async fn publish(
    studio: &Studio,
    name: &str,
    wishes: Wishes,
) -> Result<policies::Plan, PolicyError> {
    let declaration = declared(studio, name);
    let draft = Draft {
        declaration: &declaration,
        text: "what is kept",
        page: name,
        translations: &[],
    };
    policies::publish(studio, draft, wishes).await
}

async fn serves(studio: &Studio) -> i64 {
    let version = policies::now_in_force(studio).await.expect("reads");
    version.map_or(0, |version| version.head.number)
}

#[tokio::test]
async fn promise_pol_01_the_version_that_is_served_is_the_one_in_force_at_that_time() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    assert_eq!(serves(studio).await, 0);
    let first = publish(studio, "One", Wishes::default())
        .await
        .expect("the first");
    assert!(first.number == 1 && !first.is_material && first.effective == studio.clock.now());
    assert!(matches!(
        publish(studio, "One", Wishes::default()).await,
        Err(PolicyError::Same(1))
    ));
    // Somebody else answers: people have to know long before.
    let early = Wishes {
        effective: Some(studio.clock.now().plus_millis(NOTICE_MS - 1)),
        ..Wishes::default()
    };
    let refused = publish(studio, "Two", early).await;
    assert!(matches!(refused, Err(PolicyError::TooEarly { .. })));
    let second = publish(studio, "Two", Wishes::default())
        .await
        .expect("the second");
    assert!(second.is_material);
    assert_eq!(second.effective, studio.clock.now().plus_millis(NOTICE_MS));
    assert_eq!(serves(studio).await, 1);
    // Until its day the build of the second may not run, and from then on that of the first may not.
    let rule = async |name: &str| {
        policies::rule(&studio.db, studio.clock.now(), &declared(studio, name)).await
    };
    let waits = rule("Two").await.expect_err("waits");
    assert!(matches!(
        waits,
        RulingError::Refused(Refusal::Waits { number: 2, .. })
    ));
    rule("One").await.expect("is in force");
    studio.clock.advance_millis(NOTICE_MS - 1);
    assert_eq!(serves(studio).await, 1);
    studio.clock.advance_millis(1);
    assert_eq!(serves(studio).await, 2);
    rule("Two").await.expect("is in force");
    let outdated = rule("One").await.expect_err("is outdated");
    assert!(matches!(
        outdated,
        RulingError::Refused(Refusal::Outdated { number: 1, .. })
    ));
    let unknown = rule("Three").await.expect_err("was never published");
    assert!(matches!(
        unknown,
        RulingError::Refused(Refusal::NotPublished { .. })
    ));
    // An operator may be stricter than the program, and is held to it.
    let strict = Wishes {
        is_material: true,
        effective: None,
    };
    let third = publish(studio, "Two", strict).await;
    assert!(matches!(third, Err(PolicyError::Same(2))));
    let heads = policies::heads(studio).await.expect("reads");
    assert_eq!(heads[1].before_sha256, heads[0].sha256);
    let at = |ms: i64| {
        let when = Moment::from_millis(heads[0].published.as_millis() + ms);
        policies::in_force(&heads, when).map(|head| head.number)
    };
    assert_eq!(
        [at(-1), at(0), at(NOTICE_MS - 1), at(NOTICE_MS)],
        [None, Some(1), Some(1), Some(2)]
    );
    assert_eq!(policies::complaints(studio).await.expect("reads"), [""; 0]);
}

/// Many processes of a house open at once for the first time: one of them publishes, and the chain has no
/// gap.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_pol_01_processes_that_publish_at_once_write_each_version_once() {
    let stage = Stage::new().await;
    let all: Vec<_> = (0..8)
        .map(|number| {
            let studio = stage.neighbour().studio;
            // Each text twice.
            let page = format!("page {}", number / 2);
            tokio::spawn(async move {
                let declaration = declared(&studio, "One");
                let draft = Draft {
                    declaration: &declaration,
                    text: "what is kept",
                    page: &page,
                    translations: &[],
                };
                policies::publish(&studio, draft, Wishes::default()).await
            })
        })
        .collect();
    for one in all {
        match one.await.expect("ends") {
            Ok(_) | Err(PolicyError::Same(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let heads = policies::heads(&stage.studio).await.expect("reads");
    let numbers: Vec<i64> = heads.iter().map(|head| head.number).collect();
    let expected: Vec<i64> = (1..=i64::try_from(heads.len()).expect("few")).collect();
    assert!(heads.len() >= 4 && numbers == expected, "{numbers:?}");
    let wrong = policies::complaints(&stage.studio).await.expect("reads");
    assert_eq!(wrong, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_pol_02_processes_that_tell_at_once_write_to_each_person_once() {
    const PEOPLE: u64 = 37;
    let stage = Stage::new().await;
    let studio = &stage.studio;
    for number in 0..PEOPLE {
        let address = Address::new(&format!("p{number}@example.org")).expect("an address");
        person::add(studio, &address, Role::Person, None)
            .await
            .expect("is added");
    }
    publish(studio, "One", Wishes::default())
        .await
        .expect("the first");
    assert_eq!(policies::tell_due(studio).await.expect("tells"), 0);
    publish(studio, "Two", Wishes::default())
        .await
        .expect("the second");
    let all: Vec<_> = (0..4)
        .map(|_| {
            let studio = stage.neighbour().studio;
            tokio::spawn(async move { policies::tell_due(&studio).await })
        })
        .collect();
    let mut told = 0;
    for one in all {
        told += one.await.expect("ends").expect("tells");
    }
    assert_eq!(told, PEOPLE);
    assert_eq!(policies::tell_due(studio).await.expect("tells"), 0);
    let letters = letters(studio).await;
    assert_eq!(letters, PEOPLE);
    let counted = policies::counted(studio).await.expect("counts");
    assert_eq!(counted.get(&2), Some(&(PEOPLE, 0)));
    // Nobody is told of what holds already.
    studio.clock.advance_millis(NOTICE_MS);
    let late = Address::new("late@example.org").expect("an address");
    person::add(studio, &late, Role::Person, None)
        .await
        .expect("is added");
    assert_eq!(policies::tell_due(studio).await.expect("tells"), 0);
}

async fn letters(studio: &Studio) -> u64 {
    let mut tx = studio.db.read().await.expect("begins");
    let letters: i64 = db::on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM letter WHERE kind = 'policy_changes'")
            .fetch_one(conn)
            .await
    })
    .expect("counts");
    letters.unsigned_abs()
}

#[tokio::test]
async fn promise_pol_03_a_change_is_announced_until_a_month_after_its_day() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    publish(studio, "One", Wishes::default())
        .await
        .expect("the first");
    let begin = studio.clock.now();
    let announced = async |ms: i64| {
        let heads = policies::heads(studio).await.expect("reads");
        let told = policies::announced(&heads, begin.plus_millis(ms));
        told.map(|told| (told.number, told.holds))
    };
    assert_eq!(announced(0).await, None);
    publish(studio, "Two", Wishes::default())
        .await
        .expect("the second");
    assert_eq!(announced(0).await, Some((2, false)));
    assert_eq!(announced(NOTICE_MS - 1).await, Some((2, false)));
    assert_eq!(announced(NOTICE_MS).await, Some((2, true)));
    assert_eq!(announced(2 * NOTICE_MS - 1).await, Some((2, true)));
    assert_eq!(announced(2 * NOTICE_MS).await, None);
}

/// The house goes from One to Two: not a moment before everybody had 30 days.
#[tokio::test]
async fn promise_leg_03_a_house_goes_to_nobody_before_people_had_30_days() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    for number in 0..3 {
        let address = Address::new(&format!("p{number}@example.org")).expect("an address");
        person::add(studio, &address, Role::Person, None)
            .await
            .expect("is added");
    }
    let complete = || policies::transfer::complete(studio, Reason::AssetSale);
    publish(studio, "One", Wishes::default())
        .await
        .expect("the first");
    assert!(matches!(complete().await, Err(TransferError::None)));
    let plan = publish(studio, "Two", Wishes::default())
        .await
        .expect("the second");
    assert!(matches!(
        complete().await,
        Err(TransferError::Untold {
            people: 3,
            number: 2
        })
    ));
    studio.clock.advance_millis(1_000);
    assert_eq!(policies::tell_due(studio).await.expect("tells"), 3);
    // The last one was told a second after it was published.
    let ready = plan.effective.plus_millis(1_000);
    studio.clock.advance_millis(NOTICE_MS - 1);
    match complete().await {
        Err(TransferError::TooEarly(when)) => assert_eq!(when, ready),
        other => panic!("{other:?}"),
    }
    studio.clock.advance_millis(1);
    // Two at once, and once more: each person reads it once.
    let neighbour = stage.neighbour();
    let there = policies::transfer::complete(&neighbour.studio, Reason::AssetSale);
    let (here, there) = tokio::join!(complete(), there);
    there.expect("is completed there");
    here.expect("is completed here");
    let manifest = complete().await.expect("everybody had their time");
    for number in 0..3 {
        let address = Address::new(&format!("p{number}@example.org")).expect("an address");
        let found = person::by_address(studio, &address).await.expect("reads");
        let person = found.expect("is there").person;
        let entries = log::of_person(studio, person, None, 50)
            .await
            .expect("reads");
        let handed: Vec<_> = entries
            .iter()
            .filter(|one| one.kind == Kind::HandedOver)
            .collect();
        assert_eq!(handed.len(), 1, "{number}");
        assert_eq!(handed[0].what["to"], "Two");
    }
    let genuine = receipt::verify(&manifest, Some(&studio.keys.public_key())).expect("is genuine");
    assert_eq!(genuine.kind, receipt::Kind::Transfer);
    let said = &genuine.receipt;
    assert_eq!(
        (&said["from"]["name"], &said["to"]["name"]),
        (&"One".into(), &"Two".into())
    );
    assert_eq!(
        (&said["reason"], &said["notice"]["version"]),
        (&"asset-sale".into(), &2.into())
    );
    let heads = policies::heads(studio).await.expect("reads");
    assert_eq!(said["notice"]["sha256"], heads[1].sha256.as_str());
    let rows = said["rows"].as_array().expect("rows");
    assert!(rows.contains(&serde_json::json!({ "table": "account", "rows": 3 })));
    assert!(!manifest.contains("p1@"));
    // Whatever is changed in it is seen.
    let forged = manifest.replace("\"Two\"", "\"Six\"");
    assert_eq!(
        receipt::verify(&forged, None),
        Err(receipt::BadReceipt::Forged)
    );
}

#[tokio::test]
async fn promise_leg_03_a_transfer_that_is_withdrawn_can_not_be_completed() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    publish(studio, "One", Wishes::default())
        .await
        .expect("the first");
    publish(studio, "Two", Wishes::default())
        .await
        .expect("the second");
    assert!(
        policies::transfer::announced(studio)
            .await
            .expect("reads")
            .is_some()
    );
    studio.clock.advance_millis(1_000);
    // The one of before, published again.
    let plan = publish(studio, "One", Wishes::default())
        .await
        .expect("the third");
    assert_eq!((plan.is_material, plan.overtakes), (false, vec![2]));
    studio.clock.advance_millis(2 * NOTICE_MS);
    assert!(
        policies::transfer::announced(studio)
            .await
            .expect("reads")
            .is_none()
    );
    let done = policies::transfer::complete(studio, Reason::Merger).await;
    assert!(matches!(done, Err(TransferError::None)));
}
