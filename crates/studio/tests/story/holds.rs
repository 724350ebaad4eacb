//! What a law wants kept is kept, and nothing else; when that ends, it goes by itself.

use domain::clock::Moment;
use domain::ids::PersonId;
use domain::role::Role;
use serde_json::Value;
use studio::accounts::{person, sign_in};
use studio::privacy::erasure::{self, AskedBy, EraseError, Scope, State};
use studio::privacy::holds::{self, Class, HoldError, NewHold};
use studio::privacy::looking::Staff;
use studio::privacy::{access, log, retention};
use studio::{Failure, Studio, gallery, jobs, pictures};

use crate::erasure::{address, ground, holdings, member, pictures_of, settled, traces, visit};
use crate::stage::Stage;
use crate::work;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

fn hold(stage: &Stage, class: Class, days: i64) -> NewHold {
    NewHold {
        class,
        law: "LG Köln, 12 O 345/26".to_owned(),
        reason: "case 12 O 345/26".to_owned(),
        approver: "the privacy officer".to_owned(),
        ends: stage.studio.clock.now().plus_millis(days * DAY_MS),
        told_from: None,
    }
}

async fn lay(stage: &Stage, person: PersonId, new: &NewHold) -> domain::ids::HoldId {
    let laid = holds::add(&stage.studio, person, new).await;
    laid.expect("is laid")
}

/// Asks for the account to go, and takes it as far as it gets.
async fn erased(stage: &Stage, person: PersonId) -> domain::secret::Token {
    let studio = &stage.studio;
    let begun = erasure::ask(studio, person, Scope::Account, AskedBy::Session).await;
    let begun = begun.expect("begins");
    erasure::finish(studio, &ground(stage), begun.id)
        .await
        .expect("ends");
    begun.receipt
}

/// What the running program does every second.
async fn one_round(stage: &Stage) {
    let stop = jobs::worker::Stop::default();
    let erasing = erasure::keep_erasing(stage.studio.clone(), ground(stage), stop.clone());
    let erasing = tokio::spawn(erasing);
    let until = async {
        loop {
            let mut tx = stage.studio.db.read().await.expect("reads");
            let open: i64 = db::on!(tx, conn => {
                sqlx::query_scalar(
                    "SELECT COUNT(*) FROM erasure WHERE ended_ms IS NULL",
                )
                .fetch_one(conn)
                .await
            })
            .expect("reads");
            if open == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    until.await;
    stop.now();
    erasing.await.expect("stops");
}

async fn standing(studio: &Studio, receipt: &domain::secret::Token) -> erasure::Standing {
    let found = erasure::find(studio, receipt).await.expect("reads");
    found.expect("is there")
}

fn said(receipt: Option<&String>) -> Value {
    let document: Value = serde_json::from_str(receipt.expect("signed")).expect("JSON");
    document["receipt"].clone()
}

#[tokio::test]
async fn promise_leg_04_an_erasure_leaves_what_is_held_and_takes_it_when_the_hold_ends() {
    for is_released in [false, true] {
        let stage = Stage::new().await;
        let (_stop, _working) = work(&stage);
        stage.painter.run_freely();
        let studio = &stage.studio;
        member(&stage, "op@example.org", Role::Operator).await;
        let anna = settled(&stage, "anna@example.org", "anna").await;
        let pictures = pictures_of(&stage, anna).await;
        let id = lay(&stage, anna, &hold(&stage, Class::Orders, 30)).await;

        let receipt = erased(&stage, anna).await;

        let first = standing(studio, &receipt).await;
        assert_eq!(first.state, State::Held);
        let rows = holdings(&stage, anna).await;
        assert_eq!(
            (rows["job"], rows["picture"]),
            (2, 3),
            "exactly what is held"
        );
        for (table, rows) in rows {
            let stays = [
                "person",
                "job",
                "picture",
                "legal_hold",
                "entry",
                "hold",
                "erasure",
            ];
            assert_eq!(rows > 0, stays.contains(&table), "{table}: {rows}");
        }
        let says = said(first.receipt.as_ref());
        assert_eq!(says["held"][0]["class"], "orders");
        assert_eq!(says["search"]["found"], Value::Array(Vec::new()), "{says}");
        assert!(
            traces(&stage, &["anna@example.org", "anna-username"])
                .await
                .is_empty()
        );
        // The account is closed, its address is free, and what is held can still be read.
        let tried = sign_in::sign_in(studio, &visit(), "anna@example.org", "any password").await;
        assert!(tried.is_err());
        let page = gallery::page(studio, anna, None, 10).await.expect("reads");
        assert_eq!(page.items.len(), 3);

        if is_released {
            holds::release(studio, id).await.expect("is over");
        } else {
            studio.clock.advance_millis(31 * DAY_MS);
        }
        one_round(&stage).await;

        let last = standing(studio, &receipt).await;
        assert_eq!(last.state, State::Receipted);
        let says = said(last.supplement.as_ref());
        assert_eq!(
            (&says["supplement"], &says["search"]["found"]),
            (&true.into(), &Value::Array(Vec::new()))
        );
        assert_eq!(
            said(last.receipt.as_ref())["held"][0]["class"],
            "orders",
            "the first one stays"
        );
        for (table, rows) in holdings(&stage, anna).await {
            let stays = matches!(table, "entry" | "hold" | "erasure");
            assert_eq!(rows > 0, stays, "{table}: {rows}");
        }
        assert_eq!(studio.keys.count_of(anna).await.expect("reads"), 0);
        let marks: Vec<&str> = pictures
            .iter()
            .map(String::as_str)
            .chain(["mark-of-anna"])
            .collect();
        assert_eq!(traces(&stage, &marks).await, Vec::<String>::new());
        assert_eq!(
            studio.shelf.keys("pictures").await.expect("lists"),
            Vec::<String>::new()
        );
    }
}

#[tokio::test]
async fn promise_leg_04_each_class_keeps_its_own_and_nothing_else() {
    for class in Class::ALL {
        let stage = Stage::new().await;
        let (_stop, _working) = work(&stage);
        stage.painter.run_freely();
        let studio = &stage.studio;
        member(&stage, "op@example.org", Role::Operator).await;
        let anna = settled(&stage, "anna@example.org", "anna").await;
        lay(&stage, anna, &hold(&stage, class, 30)).await;
        let receipt = erased(&stage, anna).await;
        let rows = holdings(&stage, anna).await;
        for held in Class::ALL {
            for table in held.tables() {
                assert_eq!(rows[table] > 0, held == class, "{table} under {class:?}");
            }
        }
        let says = said(standing(studio, &receipt).await.receipt.as_ref());
        assert_eq!(says["search"]["found"], Value::Array(Vec::new()), "{says}");
        // Whoever has the address may come again, whatever is held of who had it.
        let again = person::add(studio, &address("anna@example.org"), Role::Person, None).await;
        again.expect("the address is free");
        log::settle(studio).await.expect("settles");
        let found = log::audit::read(studio, &[]).await.expect("reads");
        assert_eq!(found.wrong, Vec::<String>::new());
    }
}

#[tokio::test]
async fn promise_ret_03_what_is_held_is_not_deleted_by_its_person_nor_by_time() {
    let stage = Stage::new().await;
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    let studio = &stage.studio;
    member(&stage, "op@example.org", Role::Operator).await;
    let anna = settled(&stage, "anna@example.org", "anna").await;
    let bert = settled(&stage, "bert@example.org", "bert").await;
    let of_anna = pictures_of(&stage, anna).await;
    let of_bert = pictures_of(&stage, bert).await;
    let mut tx = studio.db.write().await.expect("begins");
    db::on!(tx, conn => {
        sqlx::query("UPDATE picture SET ends_ms = created_ms + 60000")
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })
    .expect("writes");
    tx.commit().await.expect("commits");
    let id = lay(&stage, anna, &hold(&stage, Class::Orders, 30)).await;
    let first = of_anna[0].parse().expect("an id");
    let refused = pictures::delete(studio, anna, first).await;
    assert!(matches!(refused, Err(Failure::Held)));
    let refused = erasure::ask(studio, anna, Scope::History, AskedBy::Session).await;
    assert!(matches!(refused, Err(EraseError::Failure(Failure::Held))));
    studio.clock.advance_millis(DAY_MS);
    retention::sweep(studio).await.expect("sweeps");
    assert_eq!(pictures_of(&stage, anna).await, of_anna, "held");
    assert!(!of_bert.is_empty() && pictures_of(&stage, bert).await.is_empty());
    let overdue = retention::overdue(studio).await;
    assert_eq!(overdue.expect("reads"), 0, "what is held is not overdue");
    holds::release(studio, id).await.expect("is over");
    retention::sweep(studio).await.expect("sweeps");
    assert!(pictures_of(&stage, anna).await.is_empty());
}

#[tokio::test]
async fn promise_leg_04_a_hold_is_reasoned_ends_and_is_told_when_that_is_lawful() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    member(&stage, "op@example.org", Role::Operator).await;
    let anna = member(&stage, "anna@example.org", Role::Person).await;
    let now = studio.clock.now();
    let fine = hold(&stage, Class::Log, 30);
    for (wrong, is_it) in [
        (
            NewHold {
                reason: " ".to_owned(),
                ..fine.clone()
            },
            "Words",
        ),
        (
            NewHold {
                ends: now,
                ..fine.clone()
            },
            "End",
        ),
        (
            NewHold {
                ends: now.plus_millis(3 * 366 * DAY_MS),
                ..fine.clone()
            },
            "End",
        ),
        (
            NewHold {
                told_from: Some(fine.ends.plus_millis(1)),
                ..fine.clone()
            },
            "Told",
        ),
    ] {
        let refused = holds::add(studio, anna, &wrong)
            .await
            .expect_err("is refused");
        let name = match refused {
            HoldError::Words => "Words",
            HoldError::End => "End",
            HoldError::Told => "Told",
            other => panic!("{other}"),
        };
        assert_eq!(name, is_it);
    }
    let later: Moment = now.plus_millis(10 * DAY_MS);
    let secret = NewHold {
        told_from: Some(later),
        ..fine
    };
    lay(&stage, anna, &secret).await;
    let listed = holds::all(studio, &Staff::in_shell()).await.expect("reads");
    assert_eq!(listed[0].reason, "case 12 O 345/26");
    let seen = log::looks_at(studio, anna, None, 10).await.expect("reads");
    assert!(seen.is_empty(), "a leaf would tell of it too early");
    assert!(holds::told(studio, anna).await.expect("reads").is_empty());
    let shown = access::holdings(studio, anna).await.expect("reads");
    let found = shown.iter().find(|one| one.table.name == "legal_hold");
    let shown = found.map(|one| one.rows);
    assert_eq!(shown, Some(0), "nor is it counted");
    let plan = erasure::preview(studio, anna, Scope::Account)
        .await
        .expect("reads");
    assert!(
        plan.parts
            .iter()
            .all(|part| part.table != "legal_hold" || part.rows == 0)
    );
    let entries = log::of_person(studio, anna, None, 50).await.expect("reads");
    assert!(
        entries
            .iter()
            .all(|entry| entry.kind != log::Kind::HoldLaid)
    );
    let receipt = erased(&stage, anna).await;
    let says = said(standing(studio, &receipt).await.receipt.as_ref());
    assert_eq!(says["held"], Value::Array(Vec::new()));
    assert!(
        says["not_listed"]
            .as_str()
            .expect("says so")
            .contains("A law can forbid")
    );
    studio.clock.advance_millis(10 * DAY_MS);
    assert_eq!(holds::told(studio, anna).await.expect("reads").len(), 1);
}

#[tokio::test]
async fn promise_pur_03_a_hold_names_the_law_or_the_order_that_obliges_to_it() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    let anna = member(&stage, "anna@example.org", Role::Person).await;
    let fine = hold(&stage, Class::Orders, 30);
    let long = "§ 1 ".repeat(200);
    for law in ["", "  ", "because we were asked", "the law", &long] {
        let law = law.to_owned();
        let wrong = NewHold {
            law,
            ..fine.clone()
        };
        let refused = holds::add(studio, anna, &wrong).await;
        assert!(matches!(refused, Err(HoldError::Law)), "{refused:?}");
    }
    assert!(holds::told(studio, anna).await.expect("reads").is_empty());
    for law in [
        "§ 147 AO",
        "LG Köln, 12 O 345/26",
        "Art. 9 Regulation (EU) 2022/2065",
    ] {
        // Ids sort by time.
        studio.clock.advance_millis(1);
        let law = law.to_owned();
        lay(
            &stage,
            anna,
            &NewHold {
                law,
                ..fine.clone()
            },
        )
        .await;
    }
    // Whose it is reads it, and so does whoever looks after holds.
    let told = holds::told(studio, anna).await.expect("reads");
    let laws: Vec<Option<&str>> = told.iter().map(|hold| hold.law.as_deref()).collect();
    assert_eq!(laws[0], Some("§ 147 AO"));
    let listed = holds::all(studio, &Staff::in_shell()).await.expect("reads");
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|hold| hold.law.is_some()));
}
