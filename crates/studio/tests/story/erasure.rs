//! Somebody among others is forgotten: nothing of theirs is left, everything of the others is.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::path::Path;
use std::task::Poll;

use db::on;
use domain::credits::Credits;
use domain::ids::{GrantId, JobId, PersonId};
use domain::personal::Address;
use domain::role::{Role, Scopes};
use serde_json::Value;
use studio::accounts::key::{self, NewKey};
use studio::accounts::{person, profile, recovery, sign_in};
use studio::credits::grants::NewGrant;
use studio::credits::ledger;
use studio::gallery;
use studio::jobs::{self, Job};
use studio::order::{OrderError, OrderForm, place};
use studio::privacy::access;
use studio::privacy::erasure::{self, AskedBy, EraseError, Fate, Ground, Scope, State};
use studio::privacy::inventory::Erased;
use studio::privacy::log;
use studio::privacy::log::checkpoint::Checkpoint;

use crate::stage::{Stage, form};
use crate::{until_step, work};

const MARK: &str = "a wanderer in a mark-of-anna landscape";

pub(crate) fn address(text: &str) -> Address {
    Address::new(text).expect("an address")
}

pub(crate) fn visit() -> sign_in::Visit {
    sign_in::Visit {
        from: std::net::IpAddr::from([127, 0, 0, 1]),
        family: "Firefox on Linux".to_owned(),
        device: None,
    }
}

pub(crate) async fn member(stage: &Stage, mail: &str, role: Role) -> PersonId {
    let gift = NewGrant {
        id: GrantId::new(stage.studio.clock.now(), &stage.studio.randomness),
        credits: Credits::new(5_000),
        reason: format!("a gift for {mail}"),
        ends: None,
    };
    let id = person::add(&stage.studio, &address(mail), role, Some(&gift)).await;
    stage.studio.clock.advance_millis(1);
    id.expect("added")
}

/// Somebody with something in every room.
pub(crate) async fn settled(stage: &Stage, mail: &str, name: &str) -> PersonId {
    let studio = &stage.studio;
    let id = member(stage, mail, Role::Person).await;
    profile::set(
        studio,
        id,
        &format!("{name}-username"),
        &format!("{name} display name"),
    )
    .await
    .expect("named");
    let new = NewKey {
        name: format!("key of {name}"),
        scopes: Scopes::of_role(Role::Person),
        limit_credits: None,
    };
    key::make(studio, id, Role::Person, &new)
        .await
        .expect("made");
    recovery::ask(studio, &visit(), mail).await.expect("asked");
    for (n, count) in [(1, 2), (2, 1)] {
        let words = format!("a wanderer in a mark-of-{name} landscape, the {n}. time");
        drawn(stage, id, &words, count).await;
    }
    id
}

pub(crate) async fn drawn(stage: &Stage, person: PersonId, words: &str, count: u32) -> Job {
    let order = OrderForm {
        count: Some(count),
        ..form(words)
    };
    let job = place(&stage.studio, person, order).await.expect("accepted");
    let job = jobs::wait(&stage.studio, person, job.id).await;
    job.expect("read").expect("there")
}

pub(crate) fn ground(stage: &Stage) -> Ground {
    Ground {
        data: Some(stage.folder.path().to_owned()),
        ..Ground::default()
    }
}

pub(crate) async fn erase(stage: &Stage, person: PersonId, scope: Scope) -> erasure::Standing {
    let studio = &stage.studio;
    let begun = erasure::ask(studio, person, scope, AskedBy::Session)
        .await
        .expect("begins");
    assert!(
        erasure::finish(studio, &ground(stage), begun.id)
            .await
            .expect("ends")
    );
    let standing = erasure::find(studio, &begun.receipt).await.expect("read");
    standing.expect("found by its token")
}

pub(crate) async fn holdings(stage: &Stage, person: PersonId) -> BTreeMap<&'static str, u64> {
    let held = access::holdings(&stage.studio, person).await.expect("read");
    held.iter().map(|one| (one.table.name, one.rows)).collect()
}

/// Every file below a folder, and every value of the database, that holds a text.
pub(crate) async fn traces(stage: &Stage, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![stage.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).expect("read");
                found.extend(
                    texts
                        .iter()
                        .filter(|text| holds(&path, &bytes, text))
                        .map(|text| format!("{}: {text}", path.display())),
                );
            }
        }
    }
    let mut tx = stage.studio.db.read().await.expect("reads");
    for table in studio::privacy::inventory::TABLES {
        for column in table.columns {
            let select = format!("SELECT CAST({} AS TEXT) FROM {}", column.name, table.name);
            let values: Vec<Option<String>> = on!(tx, conn => {
                sqlx::query_scalar(sqlx::AssertSqlSafe(select)).fetch_all(conn).await
            })
            .expect("read");
            for text in texts {
                if values.iter().flatten().any(|value| value.contains(text)) {
                    found.push(format!("{}.{}: {text}", table.name, column.name));
                }
            }
        }
    }
    found
}

fn holds(path: &Path, bytes: &[u8], text: &str) -> bool {
    path.to_string_lossy().contains(text)
        || bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
}

#[tokio::test]
async fn promise_rgt_04_somebody_among_others_is_forgotten_and_the_others_are_not() {
    let stage = Stage::new().await;
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    let studio = &stage.studio;
    member(&stage, "op@example.org", Role::Operator).await;
    let anna = settled(&stage, "anna@example.org", "anna").await;
    let bert = settled(&stage, "bert@example.org", "bert").await;
    let before = holdings(&stage, bert).await;
    let pictures_of_bert = before["picture"];
    assert_eq!(studio.shelf.keys("pictures").await.expect("lists").len(), 6);
    let ids = pictures_of(&stage, anna).await;
    assert!(
        traces(&stage, &[&ids[0]]).await.len() >= 2,
        "a row and a file"
    );

    let plan = erasure::preview(studio, anna, Scope::Account)
        .await
        .expect("read");
    let standing = erase(&stage, anna, Scope::Account).await;

    assert_eq!(standing.state, State::Receipted);
    assert_eq!(standing.plan, plan, "what was shown is what was done");
    let receipt = standing.receipt.as_deref().expect("signed");
    assert!(!receipt.contains("as long as you have the account"));
    for part in plan.that(Fate::Deleted).filter(|part| part.rows > 0) {
        let deleted = standing.done.rows.get(&part.table).copied().unwrap_or(0);
        assert!(
            deleted >= part.rows,
            "{}: {deleted} of {}",
            part.table,
            part.rows
        );
    }
    assert_eq!((plan.files, standing.done.files), (3, 3));
    let scan = standing.done.scan.expect("searched");
    assert_eq!(scan.residue, []);
    assert!(
        scan.marks.values().sum::<u64>() > 20 && scan.columns > 150,
        "{scan:?}"
    );
    // Nothing is left but the books, under a number.
    for (table, rows) in holdings(&stage, anna).await {
        let stays = matches!(table, "entry" | "hold" | "erasure");
        assert_eq!(rows > 0, stays, "{table}: {rows}");
    }
    let mut marks = vec!["anna@example.org", "anna-username", "anna display"];
    marks.extend(["mark-of-anna", "key of anna"]);
    marks.extend(ids.iter().map(String::as_str));
    assert_eq!(traces(&stage, &marks).await, Vec::<String>::new());
    let keys = async |person| studio.keys.count_of(person).await.expect("counts");
    assert_eq!(keys(anna).await, 0, "nobody could read a copy of before");
    assert!(keys(bert).await > 0);
    // The others have what they had.
    assert_eq!(holdings(&stage, bert).await, before);
    let files = studio.shelf.keys("pictures").await.expect("lists");
    assert_eq!(files.len() as u64, pictures_of_bert);
    assert_eq!(
        ledger::audit(studio).await.expect("read"),
        Vec::<String>::new()
    );
}

pub(crate) async fn pictures_of(stage: &Stage, person: PersonId) -> Vec<String> {
    let page = gallery::page(&stage.studio, person, None, 100).await;
    let pictures = page.expect("read").items;
    pictures
        .iter()
        .map(|picture| picture.id.to_string())
        .collect()
}

/// What the search says is only worth something where it finds what is there.
#[tokio::test]
async fn promise_rgt_04_what_is_left_behind_is_found_and_the_receipt_says_so() {
    let stage = Stage::new().await;
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    let studio = &stage.studio;
    member(&stage, "op@example.org", Role::Operator).await;
    let anna = settled(&stage, "anna@example.org", "anna").await;
    let picture = pictures_of(&stage, anna).await.remove(0);
    // A copy that somebody made, in base64; a line in a log; a row of nobody that names a picture.
    let copy = base64_of("to: anna@example.org");
    fs::write(stage.folder.path().join("copy.txt"), copy).expect("writes");
    let log = tempfile::tempdir().expect("a folder");
    fs::write(log.path().join("log"), format!("GET /pictures/{picture}")).expect("writes");
    let mut tx = studio.db.write().await.expect("begins");
    on!(tx, conn => {
        sqlx::query("INSERT INTO attack (subject, began_ms, seen_ms) VALUES ($1, 0, 0)")
            .bind(&picture)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })
    .expect("writes");
    tx.commit().await.expect("commits");

    let begun = erasure::ask(studio, anna, Scope::Account, AskedBy::Session).await;
    let begun = begun.expect("begins");
    let ground = Ground {
        log: Some(log.path().to_owned()),
        ..ground(&stage)
    };
    erasure::finish(studio, &ground, begun.id)
        .await
        .expect("ends");
    let standing = erasure::find(studio, &begun.receipt).await.expect("read");
    let standing = standing.expect("there");
    let residue = standing.done.scan.expect("searched").residue;
    let mut places: Vec<&str> = residue.iter().map(|left| left.place.as_str()).collect();
    // The file of the database holds what its tables do, where there is one.
    places.retain(|place| *place != "database and its log");
    assert_eq!(places, ["attack", "log", "other files of the data folder"]);
    let receipt = standing.receipt.expect("signed");
    assert!(receipt.contains("\"found\":[{"), "{receipt}");
    assert!(!receipt.contains(&picture) && !receipt.contains("anna@example.org"));
}

/// The log as it was stands in the receipt, and can't be another one later.
#[tokio::test]
async fn promise_x_08_a_receipt_holds_the_house_to_its_log() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    member(&stage, "op@example.org", Role::Operator).await;
    let anna = member(&stage, "anna@example.org", Role::Person).await;
    let standing = erase(&stage, anna, Scope::Account).await;
    let receipt: Value = serde_json::from_str(&standing.receipt.expect("signed")).expect("JSON");
    let note = receipt["receipt"]["log_checkpoint"].as_str();
    let kept = Checkpoint::open(note.expect("is there"), &studio.keys.public_key());
    let kept = kept.expect("is the house's");
    let wrong = async || {
        let found = log::audit::read(studio, &[kept]).await;
        found.expect("reads").wrong
    };
    log::settle(studio).await.expect("settles");
    assert_eq!(
        wrong().await,
        Vec::<String>::new(),
        "what was forgotten leaves it whole"
    );
    let mut tx = studio.db.write().await.expect("begins");
    on!(tx, conn => {
        sqlx::query("UPDATE log_entry SET kind = 'taken_along' WHERE position = 0")
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })
    .expect("writes");
    tx.commit().await.expect("commits");
    let wrong = wrong().await;
    assert!(
        wrong.iter().any(|what| what.contains("that was brought")),
        "{wrong:?}"
    );
}

/// By hand, so that it shares nothing with the search.
fn base64_of(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = text.bytes().map(|byte| format!("{byte:08b}")).collect();
    let six = bits.as_bytes().chunks(6);
    six.map(|six| {
        let digits = std::str::from_utf8(six).expect("digits");
        let number = usize::from_str_radix(&format!("{digits:0<6}"), 2).expect("a number");
        char::from(LETTERS[number])
    })
    .collect()
}

/// Broken off anywhere, by dropping what is being done, it goes on from there: no step is left out,
/// none is gone back to, and the end is the same.
#[tokio::test]
async fn promise_rgt_04_an_erasure_that_is_broken_off_anywhere_goes_on() {
    let stage = Stage::new().await;
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    let studio = &stage.studio;
    member(&stage, "op@example.org", Role::Operator).await;
    let mut broken_off = 0;
    for round in 0..6_u64 {
        let name = format!("anna{round}");
        let address = format!("{name}@example.org");
        let anna = settled(&stage, &address, &name).await;
        let begun = erasure::ask(studio, anna, Scope::Account, AskedBy::Session).await;
        let begun = begun.expect("begins");
        let mut before = State::Requested;
        for attempt in 1.. {
            // It is woken so many times, more often with each attempt.
            let allowed = attempt * (2 + round);
            let ground = ground(&stage);
            let ended = polled(erasure::finish(studio, &ground, begun.id), allowed).await;
            let standing = erasure::find(studio, &begun.receipt).await.expect("read");
            let standing = standing.expect("there");
            assert!(
                standing.state >= before,
                "{:?} after {before:?}",
                standing.state
            );
            before = standing.state;
            let reached = standing.done.reached.iter();
            let reached: Vec<State> = reached.map(|(state, _)| *state).collect();
            let steps = reached.len();
            assert_eq!(
                reached,
                State::ALL[..steps],
                "each step, once, in its order"
            );
            if let Some(ended) = ended {
                // The very last commit may have been on its way when it was broken off.
                assert!(ended.expect("ends") || before == State::Receipted);
                break;
            }
            broken_off += 1;
            // As if another process came, after the lease of the dead one.
            let lease_ms = i64::from(studio.limits.lease_ms);
            studio.clock.advance_millis(lease_ms + 1);
        }
        assert_eq!(before, State::Receipted);
        let left = traces(&stage, &[address.as_str()]).await;
        assert_eq!(left, Vec::<String>::new());
        let files = studio.shelf.keys("pictures").await.expect("lists");
        assert_eq!(files, Vec::<String>::new());
    }
    assert!(broken_off >= 12, "{broken_off}");
    assert_eq!(
        ledger::audit(studio).await.expect("read"),
        Vec::<String>::new()
    );
}

/// What a future gives, where it needs to be woken at most so often.
pub(crate) async fn polled<F: Future>(future: F, mut allowed: u64) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        if allowed == 0 {
            return Poll::Ready(None);
        }
        allowed -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn promise_rgt_04_who_is_gone_is_as_unknown_as_whoever_never_was() {
    let stage = Stage::new().await;
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    let studio = &stage.studio;
    member(&stage, "op@example.org", Role::Operator).await;
    let anna = settled(&stage, "anna@example.org", "anna").await;
    erase(&stage, anna, Scope::Account).await;

    let of = |mail: &'static str| async move {
        let tried = sign_in::sign_in(studio, &visit(), mail, "a long enough password").await;
        tried.expect_err("nobody is let in").to_string()
    };
    assert_eq!(of("anna@example.org").await, of("nobody@example.org").await);
    let refused = place(studio, anna, form("once more")).await;
    assert!(matches!(refused, Err(OrderError::Erasing)), "{refused:?}");
    // Comes again, and finds nothing of before.
    let again = member(&stage, "anna@example.org", Role::Person).await;
    assert_ne!(again, anna);
    let has = holdings(&stage, again).await;
    for table in [
        "job", "picture", "session", "api_key", "letter", "proof", "device",
    ] {
        assert_eq!(has[table], 0, "{table}");
    }
}

/// The painter ends what it began long after its person is gone.
#[tokio::test]
async fn promise_rgt_04_what_is_drawn_too_late_is_recorded_nowhere() {
    let stage = Stage::new().await;
    let (_stop, _working) = work(&stage);
    let studio = &stage.studio;
    member(&stage, "op@example.org", Role::Operator).await;
    let anna = member(&stage, "anna@example.org", Role::Person).await;
    let begun = place(studio, anna, form(MARK)).await.expect("accepted");
    stage.painter.permits.add_permits(1);
    let stage_of_anna = Stage {
        person: anna,
        ..stage
    };
    until_step(&stage_of_anna, begun.id, 1).await;
    let stage = stage_of_anna;
    let studio = &stage.studio;
    let waiting = place(studio, anna, form("and another one"))
        .await
        .expect("accepted");

    let standing = erase(&stage, anna, Scope::Account).await;
    assert_eq!(standing.done.jobs_cancelled, 2);
    stage.painter.run_freely();
    // Whoever comes next is drawn after it.
    let bert = member(&stage, "bert@example.org", Role::Person).await;
    drawn(&stage, bert, "something of bert", 1).await;

    for id in [begun.id, waiting.id] {
        assert_eq!(rows_of(&stage, id).await, 0);
    }
    assert_eq!(studio.shelf.keys("pictures").await.expect("lists").len(), 1);
    assert_eq!(
        ledger::audit(studio).await.expect("read"),
        Vec::<String>::new()
    );
    assert_eq!(holdings(&stage, anna).await["picture"], 0);
}

async fn rows_of(stage: &Stage, id: JobId) -> i64 {
    let mut tx = stage.studio.db.read().await.expect("reads");
    on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT (SELECT COUNT(*) FROM job WHERE id = $1) + \
             (SELECT COUNT(*) FROM picture WHERE job_id = $1)",
        )
        .bind(id.to_string())
        .fetch_one(conn)
        .await
    })
    .expect("read")
}

/// Whatever somebody forgets to check, the database refuses it.
#[tokio::test]
async fn promise_rgt_04_no_row_can_be_written_for_who_is_gone() {
    let stage = Stage::new().await;
    member(&stage, "op@example.org", Role::Operator).await;
    let anna = member(&stage, "anna@example.org", Role::Person).await;
    erase(&stage, anna, Scope::Account).await;
    for table in studio::privacy::inventory::TABLES {
        let is_of_person = matches!(
            table.of,
            studio::privacy::inventory::Of::Person("person_id")
        );
        if !is_of_person || table.erased != Erased::Deleted {
            continue;
        }
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        let values = columns.iter().map(|column| match *column {
            "person_id" => format!("'{anna}'"),
            // A job there is none of; the person is refused as well.
            "job_id" | "id" => "'none'".to_owned(),
            _ => "'0'".to_owned(),
        });
        let insert = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            table.name,
            columns.join(", "),
            values.collect::<Vec<_>>().join(", ")
        );
        let mut tx = stage.studio.db.write().await.expect("begins");
        let written = on!(tx, conn => {
            sqlx::query(sqlx::AssertSqlSafe(insert)).execute(conn).await.map(|_| ())
        });
        let error = written.expect_err(table.name);
        let error = error.as_database_error().expect("refused by the database");
        assert!(error.is_foreign_key_violation(), "{}: {error}", table.name);
    }
}

#[tokio::test]
async fn promise_rgt_07_all_orders_go_and_the_account_stays() {
    let stage = Stage::new().await;
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    let studio = &stage.studio;
    member(&stage, "op@example.org", Role::Operator).await;
    let anna = settled(&stage, "anna@example.org", "anna").await;
    let before = holdings(&stage, anna).await;
    let ids = pictures_of(&stage, anna).await;
    let standing = erase(&stage, anna, Scope::History).await;
    assert_eq!(standing.done.scan.expect("searched").residue, []);
    let after = holdings(&stage, anna).await;
    for (table, rows) in &after {
        match *table {
            "job" | "picture" | "repeat" => assert_eq!(*rows, 0, "{table}"),
            // The letter about it, and the proof of it.
            "letter" | "erasure" | "log_entry" => assert_eq!(*rows, before[table] + 1, "{table}"),
            _ => assert_eq!(*rows, before[table], "{table}"),
        }
    }
    assert_eq!(
        traces(
            &stage,
            &ids.iter()
                .map(String::as_str)
                .chain(["mark-of-anna"])
                .collect::<Vec<_>>()
        )
        .await,
        Vec::<String>::new()
    );
    assert_eq!(
        ledger::audit(studio).await.expect("read"),
        Vec::<String>::new()
    );
    // And life goes on.
    drawn(&stage, anna, "something new", 1).await;
    assert_eq!(holdings(&stage, anna).await["picture"], 1);
}

#[tokio::test]
async fn the_history_of_a_house_without_accounts_goes_too() {
    let stage = Stage::new().await;
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    drawn(&stage, stage.person, MARK, 2).await;
    let refused = erasure::ask(&stage.studio, stage.person, Scope::Account, AskedBy::Local).await;
    assert!(matches!(refused, Err(EraseError::NoAccount)));
    let standing = erase(&stage, stage.person, Scope::History).await;
    assert_eq!(standing.done.files, 2);
    assert_eq!(
        traces(&stage, &["mark-of-anna"]).await,
        Vec::<String>::new()
    );
    drawn(&stage, stage.person, "something new", 1).await;
}

#[tokio::test]
async fn promise_acc_07_who_alone_runs_the_house_stays() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    let first = member(&stage, "op@example.org", Role::Operator).await;
    let refused = erasure::ask(studio, first, Scope::Account, AskedBy::Session).await;
    assert!(matches!(refused, Err(EraseError::LastOperator)));
    assert!(person::find(studio, first).await.expect("read").is_some());
    member(&stage, "second@example.org", Role::Operator).await;
    erase(&stage, first, Scope::Account).await;
    assert!(person::find(studio, first).await.expect("read").is_none());
}
