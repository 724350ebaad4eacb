//! What is kept of people, and the fences that hold the program to what it says.

use std::collections::BTreeMap;

use db::on;
use serde_json::Value;
use studio::Studio;
use studio::accounts::{device, session};
use studio::privacy::access::is_handed_out;
use studio::privacy::fence::{self, FenceError, Gap};
use studio::privacy::inventory::{Category, ELSEWHERE, Holds, Medium, Of, Source, Stored, TABLES};
use studio::privacy::keys::{Place, Sealed};
use studio::privacy::retention;

use crate::browser::Browser;
use crate::gallery::{picture_of, unpacked};
use crate::stage::{Stage, borrowed, priced};

async fn alter(stage: &Stage, statement: &'static str) {
    let mut tx = stage.studio.db.write().await.expect("begins");
    on!(tx, conn => sqlx::query(statement).execute(conn).await.map(|_| ())).expect("alters");
    tx.commit().await.expect("commits");
}

#[tokio::test]
async fn promise_gov_05_a_column_that_nobody_declared_keeps_the_house_closed() {
    let stage = Stage::free().await;
    fence::check(&stage.studio).await.expect("as declared");
    alter(&stage, "ALTER TABLE account ADD COLUMN shoe_size BIGINT").await;
    alter(&stage, "ALTER TABLE credit_grant DROP COLUMN reason").await;
    let Err(FenceError::Gaps(gaps)) = fence::check(&stage.studio).await else {
        panic!("the gaps were not seen");
    };
    let column = |table: &str, column: &str| (table.to_owned(), column.to_owned());
    let (table, added) = column("account", "shoe_size");
    let undeclared = Gap::Undeclared {
        table,
        column: added,
    };
    let (table, dropped) = column("credit_grant", "reason");
    let missing = Gap::Missing {
        table,
        column: dropped,
    };
    assert_eq!(gaps, [undeclared, missing]);
    let says = FenceError::Gaps(gaps).to_string();
    assert!(says.contains("account.shoe_size is in the database and not in the inventory"));
}

#[tokio::test]
async fn promise_gov_05_a_folder_that_nobody_declared_keeps_the_house_closed() {
    let stage = Stage::free().await;
    let shelf = &stage.studio.shelf;
    shelf.put("pictures/x", vec![1]).await.expect("puts");
    fence::check(&stage.studio).await.expect("as declared");
    shelf.put("faces/x", vec![1]).await.expect("puts");
    shelf.put("notes.txt", vec![1]).await.expect("puts");
    let Err(FenceError::Gaps(gaps)) = fence::check(&stage.studio).await else {
        panic!("the gaps were not seen");
    };
    let folder = |name: &str| Gap::Folder {
        name: name.to_owned(),
    };
    assert_eq!(gaps, [folder("faces"), folder("notes.txt")]);
}

/// Every text that the database holds, by table and column, with what is sealed opened.
pub(crate) async fn texts(studio: &Studio) -> Vec<(&'static str, &'static str, Vec<String>)> {
    let mut all = Vec::new();
    for table in TABLES {
        let row = table.columns[0].name;
        let whose = match table.of {
            Of::Person(column) => column,
            _ => row,
        };
        for column in table.columns {
            let select = format!(
                "SELECT CAST({row} AS TEXT), CAST({whose} AS TEXT), CAST({} AS TEXT) FROM {} \
                 WHERE {0} IS NOT NULL",
                column.name, table.name
            );
            let mut tx = studio.db.read().await.expect("reads");
            let found: Vec<(String, Option<String>, String)> = on!(tx, conn => {
                sqlx::query_as(sqlx::AssertSqlSafe(select)).fetch_all(conn).await
            })
            .unwrap_or_else(|error| panic!("{}.{}: {error}", table.name, column.name));
            drop(tx);
            let mut values = Vec::new();
            for (row, whose, value) in found {
                let cipher = match column.stored {
                    Stored::Plain | Stored::Blind(_) => None,
                    _ if value.is_empty() => None,
                    Stored::Sealed => {
                        let whose = whose.map(|id| id.parse().expect("an id"));
                        Some(studio.keys.of_whom(whose).await.expect("a key"))
                    }
                    Stored::SealedByHouse => Some(studio.keys.nobody()),
                    Stored::SealedByObject => {
                        let keys = studio.keys.object(&row).await.expect("keys");
                        Some(keys.words().expect("a key"))
                    }
                };
                values.push(match cipher {
                    Some(cipher) => {
                        assert!(Sealed::is(&value), "{}.{}", table.name, column.name);
                        let place = Place::new(table.name, column.name);
                        let purpose = table.purposes_of(column.name).expect("a column")[0];
                        let reading = place.reading(purpose).expect("listed");
                        let opened = cipher.open(reading, &row, &value).expect("opens");
                        opened.into_exposed()
                    }
                    None => value,
                });
            }
            all.push((table.name, column.name, values));
        }
    }
    all
}

#[tokio::test]
async fn promise_gov_05_what_a_person_enters_stands_only_where_it_is_declared() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up("mark-address@example.org").await;
    let names = [("username", "mark_username"), ("display_name", "mark-name")];
    assert_eq!(anna.submit("/account", &names).await.status, 303);
    let page = anna.get("/").await.text();
    let words = [
        ("prompt", "mark-prompt"),
        ("model", "flexible"),
        ("negative", "mark-negative"),
        ("count", "1"),
    ];
    let mut fields = priced(&page, &words);
    for (name, value) in &mut fields {
        if name == "priced_model" {
            *value = "flexible".to_owned();
        }
    }
    let placed = anna.submit("/draw", &borrowed(&fields)).await;
    assert_eq!(placed.status, 303, "{}", placed.text());
    let key = [("name", "mark-key"), ("scope", "draw")];
    assert_eq!(anna.submit("/account/keys", &key).await.status, 201);
    anna.submit(
        "/account/address",
        &[("address", "mark-new-address@example.org")],
    )
    .await;

    let categories: BTreeMap<&str, &[Category]> = BTreeMap::from([
        ("address@example.org", &[Category::Email][..]),
        ("username", &[Category::Username]),
        ("name", &[Category::Name]),
        ("prompt", &[Category::Content]),
        ("negative", &[Category::Content]),
        ("key", &[Category::Account]),
        // What a letter says, and what a link needs, until it is used.
        (
            "new-address@example.org",
            &[Category::Email, Category::Credentials, Category::Account],
        ),
    ]);
    let mut seen = Vec::new();
    for (table, column, values) in texts(&stage.studio).await {
        for (mark, allowed) in &categories {
            let marks = [format!("mark-{mark}"), format!("mark_{mark}")];
            let holds = |value: &String| marks.iter().any(|mark| value.contains(mark));
            if !values.iter().any(holds) {
                continue;
            }
            seen.push(*mark);
            let declared = TABLES.iter().find(|one| one.name == table);
            let columns = declared.expect("a table").columns.iter();
            let declared = columns.filter(|one| one.name == column);
            let is_declared = declared.into_iter().any(|one| match one.holds {
                Holds::Datum(datum) => {
                    allowed.contains(&datum.category) && datum.source != Source::Operator
                }
                Holds::Inner => false,
            });
            assert!(is_declared, "{table}.{column} holds the {mark}");
        }
    }
    for mark in categories.keys() {
        assert!(
            seen.contains(mark),
            "the {mark} was never stored, so nothing was tried"
        );
    }
}

#[tokio::test]
async fn promise_gov_02_the_notice_is_reached_from_every_page_and_tells_of_every_datum() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome("anna@example.org").await;
    let visitor = Browser::new(&stage);
    for path in [
        "/", "/sign-in", "/sign-up", "/reset", "/about", "/docs", "/nowhere", "/privacy",
    ] {
        let page = visitor.get(path).await.text();
        assert!(page.contains("href=\"/privacy\""), "{path}");
    }
    for path in [
        "/",
        "/pictures",
        "/account",
        "/account/keys",
        "/credits",
        "/letters",
    ] {
        assert!(
            anna.get(path).await.text().contains("href=\"/privacy\""),
            "{path}"
        );
    }
    let page = visitor.get("/privacy").await.text();
    let text = visitor.get("/privacy.txt").await;
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    let text = text.text();
    let in_tables = TABLES.iter().flat_map(|table| table.data());
    let elsewhere = ELSEWHERE.iter().map(|spot| (spot.name, spot.datum));
    for (name, datum) in in_tables.chain(elsewhere) {
        let escaped = datum.what.replace('\'', "&#39;");
        assert!(
            page.contains(&escaped) && text.contains(datum.what),
            "{name}"
        );
    }
    let linked = visitor.get("/privacy.jsonld").await;
    assert_eq!(linked.header("content-type"), "application/ld+json");
    let of_people = TABLES.iter().filter(|table| table.of != Of::Nobody).count();
    assert!(
        linked.json()["@graph"]
            .as_array()
            .is_some_and(|all| all.len() > of_people)
    );
    let entries = visitor.get("/privacy.json").await.json();
    assert!(
        entries["entries"]
            .as_array()
            .is_some_and(|all| all.len() > 100)
    );
}

#[tokio::test]
async fn promise_cns_01_every_cookie_that_is_set_is_declared() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome("anna@example.org").await;
    anna.get("/sign-in").await;
    let cookies = anna.cookies.borrow();
    assert!(cookies.len() >= 2);
    for name in cookies.keys() {
        let declared = ELSEWHERE
            .iter()
            .any(|spot| spot.medium == Medium::Cookie && spot.name == name);
        assert!(declared, "{name}");
    }
}

async fn rows(stage: &Stage, table: &str) -> i64 {
    let count = format!("SELECT COUNT(*) FROM {table}");
    let mut tx = stage.studio.db.read().await.expect("reads");
    on!(tx, conn => sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(conn).await)
        .expect("counts")
}

#[tokio::test]
async fn promise_ret_01_rows_go_when_their_time_is_over_and_not_before() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up("anna@example.org").await;
    anna.submit("/reset", &[("address", "anna@example.org")])
        .await;
    let studio = &stage.studio;
    assert!(rows(&stage, "proof").await > 0 && rows(&stage, "letter").await > 0);
    let (sessions, devices) = (rows(&stage, "session").await, rows(&stage, "device").await);

    studio.clock.advance_millis(session::IDLE_END_MS - 60_000);
    retention::sweep(studio).await.expect("sweeps");
    assert_eq!(
        rows(&stage, "proof").await,
        0,
        "links are good for a day at most"
    );
    assert_eq!(rows(&stage, "session").await, sessions, "a minute before");
    studio.clock.advance_millis(60_000);
    assert!(retention::overdue(studio).await.expect("counts") > 0);
    retention::sweep(studio).await.expect("sweeps");
    assert_eq!(rows(&stage, "session").await, 0);
    assert_eq!(retention::overdue(studio).await.expect("counts"), 0);

    assert_eq!(rows(&stage, "device").await, devices);
    studio.clock.advance_millis(device::KNOWN_FOR_MS);
    retention::sweep(studio).await.expect("sweeps");
    for table in ["device", "letter", "proof", "session"] {
        assert_eq!(rows(&stage, table).await, 0, "{table}");
    }
    assert_eq!(rows(&stage, "account").await, 2, "accounts stay");
}

#[tokio::test]
async fn promise_rgt_01_everything_of_a_person_is_handed_out_and_nobody_elses() {
    let stage = Stage::free().await;
    let operator = Browser::new(&stage);
    operator.welcome("op@example.org").await;
    let (anna, bo) = (Browser::new(&stage), Browser::new(&stage));
    for (browser, name) in [(&anna, "anna"), (&bo, "bo")] {
        browser.sign_up(&format!("{name}@example.org")).await;
        let set = [("display_name", name)];
        assert_eq!(browser.submit("/account", &set).await.status, 303);
        let key = [("name", name), ("scope", "draw")];
        assert_eq!(browser.submit("/account/keys", &key).await.status, 201);
        let prompt = format!("the wish of {name}");
        picture_of(browser, &format!("{name}@example.org"), &prompt).await;
    }
    let page = anna.get("/account/data").await;
    assert_eq!(page.status, 200);
    let taken = anna.submit("/account/data", &[]).await;
    let answer = anna.get(taken.header("location")).await;
    let named = answer.header("content-disposition");
    assert!(named.starts_with("attachment; filename=\"pinhole-exp_"));
    let files = unpacked(&answer);
    let text = |name: &str| {
        let file = files.iter().find(|(known, _)| known == name);
        let (_, bytes) = file.unwrap_or_else(|| panic!("no {name}"));
        String::from_utf8(bytes.clone()).expect("text")
    };
    for table in studio::privacy::access::tables() {
        let file: Value =
            serde_json::from_str(&text(&format!("data/{}.json", table.name))).expect("JSON");
        for row in file["rows"].as_array().expect("a list") {
            for column in table.columns {
                let is_there = row.get(column.name).is_some();
                assert_eq!(
                    is_there,
                    is_handed_out(column),
                    "{}.{}",
                    table.name,
                    column.name
                );
            }
        }
    }
    assert!(text("data/job.json").contains("\"prompt\":\"the wish of anna\""));
    assert!(
        text("data/job.json").contains("\"width\":16"),
        "numbers are numbers"
    );
    assert!(text("data/account.json").contains("anna@example.org"));
    assert!(text("data/api_key.json").contains("\"name\":\"anna\""));
    assert!(text("data/entry.json").contains("\"kind\":\"capture\""));
    assert!(text("what-is-kept.txt").contains("WHAT THIS SERVICE KEEPS OF YOU"));
    assert_eq!(
        files
            .iter()
            .filter(|(name, _)| name.starts_with("pictures/pic_"))
            .count(),
        1
    );
    for (name, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("argon2"), "{name}");
        assert!(
            !text.contains("bo@example.org") && !text.contains("wish of bo"),
            "{name}"
        );
    }
    // After a while the person proves again who they are, before all of it goes into a file.
    stage.studio.clock.advance_millis(session::CONFIRMED_FOR_MS);
    let later = anna.submit("/account/data", &[]).await;
    assert_eq!(
        later.header("location"),
        "/account/confirm?next=%2Faccount%2Fdata"
    );
}
