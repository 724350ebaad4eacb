//! Who of the house reads what of whom, and that each look stands in the log of each person concerned.

use std::collections::BTreeMap;

use domain::credits::Credits;
use domain::ids::{GrantId, PersonId};
use domain::role::{Role, Scopes};
use serde_json::Value;
use studio::accounts::{Known, Means, person};
use studio::credits::grants::{self, NewGrant};
use studio::privacy::export::{self, By, ExportError};
use studio::privacy::holds::{self, Class, NewHold};
use studio::privacy::inventory::Purpose;
use studio::privacy::log::{self, Kind};
use studio::privacy::looking::{self, Staff};
use studio::privacy::requests::{self, Asked, Identity};
use studio::privacy::restriction::Mode;
use studio::{Failure, Studio, credits, letters};

use crate::erasure::{address, member};
use crate::stage::Stage;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Somebody of this role, as a page knows them.
fn staff(person: PersonId, role: Role) -> Staff {
    Staff::on_page(&Known {
        person,
        role,
        scopes: Scopes::of_role(role),
        means: Means::Local,
        mode: Mode::Open,
        may_be_counted: true,
        acting: None,
    })
}

/// What the log says of each look at a person, the newest first.
async fn looks_at(studio: &Studio, person: PersonId) -> Vec<Value> {
    let entries = log::looks_at(studio, person, None, 1_000).await;
    let entries = entries.expect("reads").into_iter();
    entries
        .inspect(|entry| assert_eq!(entry.kind, Kind::LookedAt))
        .map(|entry| entry.what)
        .collect()
}

async fn ask(studio: &Studio, person: PersonId) -> domain::ids::RequestId {
    let asked = requests::open(
        studio,
        person,
        Asked::Access,
        "mark-words",
        Identity::Session,
    );
    asked.await.expect("asks")
}

async fn lay(studio: &Studio, person: PersonId, told_in: i64) {
    let now = studio.clock.now();
    let new = NewHold {
        class: Class::Orders,
        law: "§ 147 AO".to_owned(),
        reason: "a lawsuit".to_owned(),
        approver: "the privacy officer".to_owned(),
        ends: now.plus_millis(30 * DAY_MS),
        told_from: Some(now.plus_millis(told_in * DAY_MS)),
    };
    holds::add(studio, person, &new).await.expect("holds");
}

#[tokio::test]
async fn promise_pur_02_a_role_is_refused_what_it_does_not_work_for_and_sees_nothing() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    let own = member(&stage, "op@example.org", Role::Operator).await;
    let anna = member(&stage, "anna@example.org", Role::Person).await;
    let request = ask(studio, anna).await;
    lay(studio, anna, 0).await;
    let mut seen = 0;
    for role in Role::ALL {
        let by = staff(own, role);
        let works_for = |purposes: &[Purpose]| -> bool {
            purposes.iter().all(|one| one.readers().contains(&role))
        };
        let mut check = |refused: Option<Failure>, purposes: &[Purpose]| {
            match refused {
                None => assert!(works_for(purposes), "{role} reads to {purposes:?}"),
                Some(Failure::NotForRole { role: of, .. }) => {
                    assert!(of == role && !works_for(purposes), "{role} to {purposes:?}");
                }
                Some(other) => panic!("{other}"),
            }
            seen += i32::from(works_for(purposes));
        };
        use Purpose::{Access, Account, Credits as Money, Fairness, Law, Mail, Rights};
        check(letters::recent(studio, &by, 9).await.err(), &[Mail]);
        check(grants::gifts(studio, &by, 9).await.err(), &[Money, Account]);
        check(
            person::list(studio, &by, None, 9).await.err(),
            &[Account, Fairness],
        );
        check(
            credits::balance_of_other(studio, &by, anna).await.err(),
            &[Money],
        );
        check(requests::unanswered(studio, &by).await.err(), &[Rights]);
        check(requests::show(studio, &by, request).await.err(), &[Rights]);
        check(holds::all(studio, &by).await.err(), &[Law]);
        let taken = export::begin(studio, anna, By::Staff(by)).await;
        let refused = taken.err().map(|error| match error {
            ExportError::Failure(failure) => failure,
            other => panic!("{other}"),
        });
        check(refused, &[Access]);
        stage.studio.clock.advance_millis(1);
        // What was refused left nothing, and what was read one leaf each.
        let leaves = looks_at(studio, anna).await.len();
        assert_eq!(i32::try_from(leaves).expect("few"), seen, "{role}");
    }
    assert_eq!(seen, 2 + 4 + 8);
}

/// A little generator (Marsaglia, 2003), so that each run takes the same steps.
fn next(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}

#[tokio::test]
async fn promise_sec_04_the_log_of_each_person_is_every_look_of_staff_at_them_one_by_one() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    let operator = member(&stage, "op@example.org", Role::Operator).await;
    let anna = member(&stage, "anna@example.org", Role::Person).await;
    let bob = member(&stage, "bob@example.org", Role::Person).await;
    let carl = member(&stage, "carl@example.org", Role::Person).await;
    let everybody = [operator, anna, bob, carl];
    // Each is in other lists: Anna asks and is held, Bob is held and may not know, Carl does nothing.
    let request = ask(studio, anna).await;
    lay(studio, anna, 0).await;
    lay(studio, bob, 10).await;
    // By a mailbox that is nobody's.
    let guest = address("guest@example.org");
    let by = Identity::Operator;
    requests::record(
        studio,
        &guest,
        Asked::Other,
        "Hello.",
        by,
        studio.clock.now(),
    )
    .await
    .expect("is recorded");

    let mut expected: BTreeMap<PersonId, Vec<(&str, &str)>> = BTreeMap::new();
    let mut state = 20_261_122;
    for _ in 0..60 {
        studio.clock.advance_millis(1);
        let in_shell = next(&mut state).is_multiple_of(2);
        let (by, way) = match in_shell {
            true => (Staff::in_shell(), "shell"),
            false => (staff(operator, Role::Operator), "page"),
        };
        let one = everybody[next(&mut state) as usize % 4];
        let (whose, purpose): (Vec<PersonId>, &str) = match next(&mut state) % 7 {
            0 => {
                let posted = letters::recent(studio, &by, 100).await.expect("reads");
                // Anna's request was received, and those who answer were told of both.
                assert!(posted.len() >= 3);
                (vec![operator, anna], "mail")
            }
            1 => {
                let gifts = grants::gifts(studio, &by, 2).await.expect("reads");
                assert_eq!(gifts.len(), 2);
                // The last two that were given.
                (vec![bob, carl], "credits")
            }
            2 => {
                let after = Some(anna);
                let listed = person::list(studio, &by, after, 1).await.expect("reads");
                assert_eq!(listed[0].person, bob);
                (vec![bob], "account")
            }
            3 => {
                holds::all(studio, &by).await.expect("reads");
                (vec![anna], "law")
            }
            4 => {
                let waiting = requests::unanswered(studio, &by).await.expect("reads");
                assert_eq!(waiting.len(), 2);
                assert!(waiting.iter().all(|one| one.words.is_empty()));
                (vec![anna], "rights")
            }
            5 => {
                let shown = requests::show(studio, &by, request).await.expect("reads");
                assert_eq!(shown.expect("there").words, "mark-words");
                (vec![anna], "rights")
            }
            _ => {
                let had = credits::balance_of_other(studio, &by, one).await;
                assert!(had.expect("reads").is_some());
                (vec![one], "credits")
            }
        };
        for person in whose {
            // Who reads their own leaves nothing.
            if in_shell || person != operator {
                expected
                    .entry(person)
                    .or_default()
                    .insert(0, (purpose, way));
            }
        }
        for person in everybody {
            let found = looks_at(studio, person).await;
            let found: Vec<(bool, &str)> = expected
                .get(&person)
                .map(Vec::as_slice)
                .unwrap_or_default()
                .iter()
                .zip(&found)
                .map(|((purpose, way), what)| {
                    let is_it = what["data"][purpose].is_array() && what["by"] == *way;
                    (is_it, *purpose)
                })
                .collect();
            assert!(found.iter().all(|(is_it, _)| *is_it), "{person}: {found:?}");
            let written = looks_at(studio, person).await.len();
            let looks = expected.get(&person).map_or(0, Vec::len);
            assert_eq!(written, looks, "{person} after a look to {expected:?}");
        }
    }
    // What stands in a leaf names places, and no value of anybody's.
    for person in everybody {
        for what in looks_at(studio, person).await {
            let text = what.to_string();
            assert!(
                !text.contains("example.org") && !text.contains("mark-words"),
                "{text}"
            );
            assert!(!text.contains(&operator.to_string()), "{text}");
            let look = looking::told(&what).expect("a look");
            assert_eq!(look.role, Role::Operator);
            assert!(
                look.data.iter().all(|(_, shown)| !shown.is_empty()),
                "{look:?}"
            );
        }
    }
    // In the tree as all that is logged, and forgotten with the person.
    log::settle(studio).await.expect("settles");
    let report = log::audit::read(studio, &[]).await.expect("reads");
    assert!(report.wrong.is_empty(), "{:?}", report.wrong);
}

#[tokio::test]
async fn promise_sec_04_who_is_gone_or_nobody_leaves_nothing() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    member(&stage, "op@example.org", Role::Operator).await;
    let anna = member(&stage, "anna@example.org", Role::Person).await;
    let gift = NewGrant {
        id: GrantId::new(studio.clock.now(), &studio.randomness),
        credits: Credits::new(5),
        reason: "once more".to_owned(),
        ends: None,
    };
    grants::give(studio, anna, &gift, None)
        .await
        .expect("gives");
    studio.keys.shred_person(anna).await.expect("shreds");
    let by = Staff::in_shell();
    let gifts = grants::gifts(studio, &by, 1).await.expect("reads");
    assert!(gifts[0].address.is_none() && gifts[0].grant.reason.is_empty());
    let listed = person::list(studio, &by, None, 9).await.expect("reads");
    assert!(listed.iter().all(|one| one.person != anna));
    // A leaf could be read by nobody, and there is none.
    let mut tx = studio.db.read().await.expect("begins");
    let leaves: i64 = db::on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM log_entry WHERE person_id = $1 AND kind = 'looked_at'")
            .bind(anna.to_string())
            .fetch_one(conn)
            .await
    })
    .expect("counts");
    assert_eq!(leaves, 0);
}
