//! What a stolen disk tells, what moved ciphertext is worth, and what is left of what was deleted.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use db::{Db, on};
use domain::ids::{JobId, PictureId};
use serde_json::json;
use studio::Failure;
use studio::privacy::keys::{KeyError, earlier};
use studio::{accounts, gallery, jobs, pictures};

use crate::browser::{Browser, PASSWORD, person_of};
use crate::gallery::picture_of;
use crate::portraits;
use crate::privacy::texts;
use crate::stage::Stage;

const ANNA: &str = "mark-of-anna@example.org";
const MARKS: [&str; 5] = [
    "mark-of-anna",
    "mark_username",
    "mark-display-name",
    "mark-prompt",
    "mark-key",
];

/// A person whose every word can be known again; gives the page's picture and portrait as served.
async fn anna(stage: &Stage) -> (Vec<u8>, Vec<u8>) {
    Browser::new(stage).welcome("op@example.org").await;
    let anna = Browser::new(stage);
    anna.sign_up(ANNA).await;
    let names = [
        ("username", "mark_username"),
        ("display_name", "mark-display-name"),
    ];
    assert_eq!(anna.submit("/account", &names).await.status, 303);
    let key = [("name", "mark-key"), ("scope", "draw")];
    assert_eq!(anna.submit("/account/keys", &key).await.status, 201);
    let asked = [("address", "mark-of-anna.new@example.org")];
    anna.submit("/account/address", &asked).await;
    let id = picture_of(&anna, ANNA, "mark-prompt").await;
    let picture = anna.get(&format!("/v1/pictures/{id}/content")).await;
    assert_eq!(picture.status, 200);
    let portrait = portraits::sent(&anna).await;
    (picture.body, portrait)
}

/// Every byte that the house keeps: its databases, their logs, and the shelf.
async fn everything(stage: &Stage) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    below(stage.folder.path(), &mut all);
    for folder in ["pictures", "portraits"] {
        for key in stage.studio.shelf.keys(folder).await.expect("lists") {
            let bytes = stage.studio.shelf.get(&key).await.expect("reads");
            all.push((key, bytes.to_vec()));
        }
    }
    if stage.studio.db.is_shared() {
        all.push(("rows".to_owned(), rows(&stage.studio.db).await));
    }
    all
}

fn below(folder: &Path, all: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            below(&path, all);
        } else {
            let bytes = std::fs::read(&path).expect("reads");
            all.push((path.display().to_string(), bytes));
        }
    }
}

/// Every row of every table and schema of a Postgres database, as text.
async fn rows(db: &Db) -> Vec<u8> {
    let mut tx = db.read().await.expect("reads");
    let tables: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables \
             WHERE table_schema IN ('public', 'keys')",
        )
        .fetch_all(conn)
        .await
    })
    .expect("lists");
    assert!(tables.iter().any(|table| table == "keys.person_key"));
    let mut all = Vec::new();
    for table in tables {
        let select = format!("SELECT CAST(one AS TEXT) FROM {table} AS one");
        let rows: Vec<String> = on!(tx, conn => {
            sqlx::query_scalar(sqlx::AssertSqlSafe(select)).fetch_all(conn).await
        })
        .expect("reads");
        for row in rows {
            all.extend_from_slice(row.as_bytes());
            all.push(b'\n');
        }
    }
    all
}

/// The ways in which some bytes can stand in a file.
fn disguises(plain: &[u8]) -> Vec<Vec<u8>> {
    let hex = |upper: bool| -> Vec<u8> {
        let digits = plain.iter().map(|byte| match upper {
            true => format!("{byte:02X}"),
            false => format!("{byte:02x}"),
        });
        digits.collect::<String>().into_bytes()
    };
    let mut all = vec![plain.to_vec(), hex(false), hex(true)];
    for big in [false, true] {
        let wide = plain.iter().flat_map(|byte| match big {
            true => [0, *byte],
            false => [*byte, 0],
        });
        all.push(wide.collect());
    }
    // Wherever it begins within three bytes, without the letters that it shares with its neighbours.
    for phase in 0..3 {
        let mut shifted = vec![b' '; phase];
        shifted.extend_from_slice(plain);
        let letters = STANDARD.encode(&shifted);
        let from = if phase == 0 { 0 } else { 4 };
        let to = letters.len() - 4;
        all.push(letters.as_bytes()[from..to].to_vec());
    }
    all
}

fn holds(bytes: &[u8], plain: &[u8]) -> bool {
    disguises(plain)
        .iter()
        .any(|one| bytes.windows(one.len()).any(|window| window == &one[..]))
}

#[tokio::test]
async fn promise_sec_02_stolen_databases_and_files_tell_nothing_without_the_key() {
    let stage = Stage::free().await;
    let (picture, portrait) = anna(&stage).await;
    // What is looked for is there, for who has the keys.
    let opened = texts(&stage.studio).await;
    for mark in MARKS {
        let known = |values: &Vec<String>| values.iter().any(|value| value.contains(mark));
        assert!(opened.iter().any(|(_, _, values)| known(values)), "{mark}");
    }
    let stolen = everything(&stage).await;
    assert!(stolen.len() >= 3, "the databases, a picture and a portrait");
    let of_picture = [&picture[..], &portrait[..]].map(|file| &file[file.len() / 3..][..24]);
    let heads: [&[u8]; 2] = [b"\x89PNG\r\n", b"WEBPVP8"];
    for (name, bytes) in &stolen {
        for mark in MARKS {
            assert!(!holds(bytes, mark.as_bytes()), "{mark} in {name}");
        }
        for part in of_picture.iter().chain(&heads) {
            assert!(!holds(bytes, part), "a part of a file in {name}");
        }
    }
}

/// Looks as the thief above does, and finds what is there.
#[test]
fn the_search_finds_what_is_there() {
    for disguise in disguises(b"mark-prompt") {
        let mut file = b"something before, ".to_vec();
        file.extend_from_slice(&disguise);
        file.extend_from_slice(b" and after");
        assert!(holds(&file, b"mark-prompt"));
    }
    let quoted = STANDARD.encode("xy mark-prompt and so on");
    assert!(holds(quoted.as_bytes(), b"mark-prompt"));
    assert!(!holds(b"mark-promp", b"mark-prompt"));
}

async fn alter(stage: &Stage, statement: String) {
    let mut tx = stage.studio.db.write().await.expect("begins");
    let changed = on!(tx, conn => {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    });
    assert!(changed.expect("alters") > 0);
    tx.commit().await.expect("commits");
}

async fn column(stage: &Stage, select: String) -> String {
    let mut tx = stage.studio.db.read().await.expect("reads");
    on!(tx, conn => sqlx::query_scalar(sqlx::AssertSqlSafe(select)).fetch_one(conn).await)
        .expect("reads")
}

/// The newest picture of somebody, and its order.
async fn newest(stage: &Stage, address: &str) -> (PictureId, JobId) {
    let person = person_of(stage, address).await;
    let page = gallery::page(&stage.studio, person, None, 1).await;
    let picture = page.expect("reads").items.remove(0);
    (picture.id, picture.job)
}

#[tokio::test]
async fn promise_sec_02_ciphertext_that_was_moved_opens_nowhere_else() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let (anna, bo) = (Browser::new(&stage), Browser::new(&stage));
    for (browser, address) in [(&anna, "anna@example.org"), (&bo, "bo@example.org")] {
        browser.sign_up(address).await;
        browser
            .submit("/account", &[("display_name", "somebody")])
            .await;
        picture_of(browser, address, "a red apple").await;
    }
    let studio = &stage.studio;
    let (of_anna, her_job) = newest(&stage, "anna@example.org").await;
    let (of_bo, his_job) = newest(&stage, "bo@example.org").await;
    let person = person_of(&stage, "anna@example.org").await;

    // From somebody else's order, and from another column of the same one.
    for source in [
        format!("(SELECT prompt FROM job WHERE id = '{his_job}')"),
        "unknown_words".to_owned(),
    ] {
        let former = column(
            &stage,
            format!("SELECT prompt FROM job WHERE id = '{her_job}'"),
        )
        .await;
        alter(
            &stage,
            format!("UPDATE job SET prompt = {source} WHERE id = '{her_job}'"),
        )
        .await;
        let refused = jobs::find(studio, person, her_job).await;
        assert!(
            matches!(refused, Err(Failure::Keys(KeyError::Broken { .. }))),
            "{refused:?}"
        );
        let shown = anna.get(&format!("/pictures/{of_anna}")).await;
        assert_eq!(shown.status, 500);
        assert!(!shown.text().contains("apple"));
        alter(
            &stage,
            format!("UPDATE job SET prompt = '{former}' WHERE id = '{her_job}'"),
        )
        .await;
        jobs::find(studio, person, her_job)
            .await
            .expect("as it was");
    }
    // From somebody else's account.
    let bo_id = person_of(&stage, "bo@example.org").await;
    alter(
        &stage,
        format!(
            "UPDATE account SET display_name = (SELECT display_name FROM account \
             WHERE person_id = '{bo_id}') WHERE person_id = '{person}'"
        ),
    )
    .await;
    assert_eq!(anna.get("/account").await.status, 500);
    // Somebody else's file in the place of one's own.
    let his = studio.shelf.get(&format!("pictures/{of_bo}.png")).await;
    let place = format!("pictures/{of_anna}.png");
    let his = his.expect("reads").to_vec();
    studio.shelf.put(&place, his).await.expect("puts");
    assert_eq!(
        anna.get(&format!("/v1/pictures/{of_anna}/content"))
            .await
            .status,
        500
    );
    assert_eq!(
        bo.get(&format!("/v1/pictures/{of_bo}/content"))
            .await
            .status,
        200
    );
    // Another person's row of keys.
    let refused = studio.keys.job(his_job).await.expect("keys").words();
    assert!(refused.is_ok(), "the others' stay as they are");
}

/// What a row was, put back as a backup would.
async fn saved(stage: &Stage, table: &str, id: &str) -> Vec<(String, Option<String>)> {
    let mut tx = stage.studio.db.read().await.expect("reads");
    let catalogue = tx.catalogue();
    let columns: Vec<(String, String, String, i64)> = on!(tx, conn => {
        sqlx::query_as(catalogue).fetch_all(conn).await
    })
    .expect("lists");
    let mut row = Vec::new();
    for (of, name, kind, _) in columns {
        if of != table {
            continue;
        }
        let select = format!("SELECT CAST({name} AS TEXT) FROM {table} WHERE id = '{id}'");
        let value: Option<String> = on!(tx, conn => {
            sqlx::query_scalar(sqlx::AssertSqlSafe(select)).fetch_one(conn).await
        })
        .expect("reads");
        let is_text = kind == "TEXT";
        let quoted = value.map(|value| match is_text {
            true => format!("'{}'", value.replace('\'', "''")),
            false => value,
        });
        row.push((name, quoted));
    }
    row
}

async fn put_back(stage: &Stage, table: &str, row: &[(String, Option<String>)]) {
    let names: Vec<&str> = row.iter().map(|(name, _)| name.as_str()).collect();
    let values: Vec<&str> = row
        .iter()
        .map(|(_, value)| value.as_deref().unwrap_or("NULL"))
        .collect();
    let insert = format!(
        "INSERT INTO {table} ({}) VALUES ({})",
        names.join(", "),
        values.join(", ")
    );
    alter(stage, insert).await;
}

#[tokio::test]
async fn promise_gen_02_a_deleted_picture_is_gone_from_every_copy() {
    let stage = Stage::free().await;
    let studio = &stage.studio;
    let person = accounts::local_person(studio).await.expect("a person");
    let body = json!({ "prompt": "a red apple", "n": 2 });
    let drawn = stage.post("/v1/images/generations", &body).await;
    assert_eq!(drawn.status, 200, "{}", drawn.text());
    let page = gallery::page(studio, person, None, 5).await.expect("reads");
    let [second, first] = &page.items[..] else {
        panic!("two pictures");
    };
    // A copy of everything but the key store.
    let job = saved(&stage, "job", &first.job.to_string()).await;
    let rows = [
        saved(&stage, "picture", &first.id.to_string()).await,
        saved(&stage, "picture", &second.id.to_string()).await,
    ];
    let name = |id: PictureId| format!("pictures/{id}.png");
    let mut files = Vec::new();
    for picture in [first, second] {
        let file = studio.shelf.get(&name(picture.id)).await.expect("reads");
        files.push(file.to_vec());
    }
    let keys = studio.keys.count_of(person).await.expect("counts");

    assert!(
        pictures::delete(studio, person, first.id)
            .await
            .expect("deletes")
    );
    assert_eq!(
        studio.keys.count_of(person).await.expect("counts"),
        keys - 1
    );
    put_back(&stage, "picture", &rows[0]).await;
    studio
        .shelf
        .put(&name(first.id), files[0].clone())
        .await
        .expect("puts");
    let gone = stage
        .get(&format!("/v1/pictures/{}/content", first.id))
        .await;
    assert_ne!(gone.status, 200);
    // The other one of the same order is untouched.
    let kept = stage
        .get(&format!("/v1/pictures/{}/content", second.id))
        .await;
    assert_eq!(kept.status, 200);

    let both = [first.id, second.id];
    let deleted = pictures::delete_several(studio, person, &both).await;
    assert_eq!(deleted.expect("deletes"), 2);
    assert_eq!(
        studio.keys.count_of(person).await.expect("counts"),
        keys - 3
    );
    put_back(&stage, "job", &job).await;
    put_back(&stage, "picture", &rows[1]).await;
    studio
        .shelf
        .put(&name(second.id), files[1].clone())
        .await
        .expect("puts");
    let refused = jobs::find(studio, person, first.job).await;
    assert!(
        matches!(refused, Err(Failure::Keys(KeyError::Gone(_)))),
        "{refused:?}"
    );
    let gone = stage
        .get(&format!("/v1/pictures/{}/content", second.id))
        .await;
    assert_ne!(gone.status, 200);
    let list = stage.get("/pictures").await;
    assert_eq!(list.status, 200, "the others' page opens all the same");
    assert!(!list.text().contains("apple"));
}

#[tokio::test]
async fn promise_acc_01_what_earlier_builds_wrote_is_sealed_before_anybody_comes_in() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome("anna@example.org").await;
    let id = picture_of(&anna, "anna@example.org", "a red apple").await;
    let studio = &stage.studio;
    let person = person_of(&stage, "anna@example.org").await;
    let (_, job) = newest(&stage, "anna@example.org").await;
    let picture = anna.get(&format!("/v1/pictures/{id}/content")).await.body;
    // As an earlier build would have left it.
    for statement in [
        format!(
            "UPDATE account SET address = 'Anna@example.org', address_key = 'anna@example.org', \
             display_name = 'Anna' WHERE person_id = '{person}'"
        ),
        format!("UPDATE job SET prompt = 'a red apple', unknown_words = '[]' WHERE id = '{job}'"),
    ] {
        alter(&stage, statement).await;
    }
    let place = format!("pictures/{id}.png");
    studio
        .shelf
        .put(&place, picture.clone())
        .await
        .expect("puts");
    studio
        .keys
        .shred_object(&job.to_string())
        .await
        .expect("shreds");

    let sealed = earlier::seal(studio).await.expect("seals");
    assert!(sealed > 0);
    assert_eq!(earlier::seal(studio).await.expect("seals"), 0, "once");
    for (name, bytes) in everything(&stage).await {
        for mark in ["nna@example.org", "a red apple"] {
            assert!(!holds(&bytes, mark.as_bytes()), "{mark} in {name}");
        }
    }
    assert!(
        anna.get("/account")
            .await
            .text()
            .contains("Anna@example.org")
    );
    let found = jobs::find(studio, person, job).await.expect("reads");
    assert_eq!(
        found.expect("a job").prompt.expect("words").expose(),
        "a red apple"
    );
    assert_eq!(
        anna.get(&format!("/v1/pictures/{id}/content")).await.body,
        picture
    );
    // The address still finds its account.
    let again = Browser::new(&stage);
    again.sign_in("anna@example.org", PASSWORD).await;
    assert_eq!(again.get("/account").await.status, 200);
}
