//! What anybody can check of the house, and what a person reads of what was done to them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use db::on;
use domain::role::Role;
use serde_json::Value;
use sha2::{Digest, Sha256};
use studio::Studio;
use studio::accounts::person;
use studio::jobs::line;
use studio::privacy::audit;
use studio::privacy::log;
use studio::privacy::log::checkpoint::Checkpoint;
use studio::privacy::log::tree::{self, Hash};
use studio::privacy::requests::{self, Asked, Identity};

use crate::browser::{Browser, PASSWORD, person_of};
use crate::stage::Stage;

const ANNA: &str = "anna@example.org";

fn hashes(list: &Value) -> Vec<Hash> {
    let byte = |text: &str, at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    let hash = |text: &Value| -> Hash {
        let text = text.as_str().expect("a text");
        let bytes: Vec<u8> = (0..text.len())
            .step_by(2)
            .map(|at| byte(text, at))
            .collect();
        bytes.try_into().expect("32 bytes")
    };
    list.as_array().expect("a list").iter().map(hash).collect()
}

/// The checkpoint that everybody gets, checked by the key that everybody sees.
async fn checkpoint(stage: &Stage) -> Checkpoint {
    log::settle(&stage.studio).await.expect("settles");
    let visitor = Browser::new(stage);
    let page = visitor.get("/trust").await.text();
    let key = BASE64.encode(stage.studio.keys.public_key());
    assert!(
        page.contains(&key.replace('+', "&#43;")) || page.contains(&key),
        "{page}"
    );
    let note = visitor.get("/trust/checkpoint").await;
    assert_eq!(note.status, 200);
    Checkpoint::open(&note.text(), &stage.studio.keys.public_key()).expect("is signed")
}

#[tokio::test]
async fn promise_sec_08_what_is_not_protected_is_said() {
    let stage = Stage::free().await;
    let visitor = Browser::new(&stage);
    assert!(
        visitor
            .get("/privacy")
            .await
            .text()
            .contains("href=\"/trust\"")
    );
    let page = visitor.get("/trust").await.text();
    for limit in [
        "has its keys",
        "in the memory of the machine",
        "out of this house",
    ] {
        assert!(page.contains(limit), "{limit}: {page}");
    }
}

/// The proofs that a person's page about what happened links to.
async fn proofs(browser: &Browser<'_>) -> Vec<Value> {
    let page = browser.get("/account/log").await.text();
    let links = page.split("href=\"/account/log/").skip(1);
    let ids: Vec<&str> = links.filter_map(|rest| rest.split('"').next()).collect();
    let mut proofs = Vec::new();
    for id in ids {
        let file = browser.get(&format!("/account/log/{id}")).await;
        assert_eq!(file.status, 200);
        proofs.push(serde_json::from_str(&file.text()).expect("JSON"));
    }
    proofs
}

#[tokio::test]
async fn promise_sec_07_a_person_reads_and_proves_what_was_done_to_the_account() {
    let stage = Stage::free().await;
    let operator = Browser::new(&stage);
    operator.welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let person = person_of(&stage, ANNA).await;
    let priority = line::set_priority(&stage.studio, person, 3).await;
    assert!(priority.expect("is set"));
    person::set_role(&stage.studio, person, Role::Support)
        .await
        .expect("is given");
    let anna = Browser::new(&stage);
    anna.sign_in(ANNA, PASSWORD).await;
    let signed = checkpoint(&stage).await;
    let page = anna.get("/account/log").await.text();
    for words in [
        "Sign-in with",
        "Your role was changed from person to support",
        "Your place in the line was set to 3",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let proofs = proofs(&anna).await;
    assert_eq!(proofs.len(), 4, "two sign-ins, a role and a priority");
    for proof in &proofs {
        let (leaf, payload) = (proof["leaf"].as_str(), proof["payload"].as_str());
        let (leaf, payload) = (leaf.expect("a leaf"), payload.expect("a payload"));
        let commitment: String = Sha256::digest(payload)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert!(leaf.contains(&commitment));
        assert!(tree::includes(
            &signed.root,
            signed.size,
            proof["position"].as_u64().expect("a place"),
            tree::leaf_hash(leaf.as_bytes()),
            &hashes(&proof["path"]),
        ));
    }
    // Nobody else's.
    let leaf: Value =
        serde_json::from_str(proofs[0]["leaf"].as_str().expect("a leaf")).expect("JSON");
    let path = format!("/account/log/{}", leaf["id"].as_str().expect("an id"));
    assert_eq!(operator.get(&path).await.status, 404);
    assert!(
        !operator
            .get("/account/log")
            .await
            .text()
            .contains("role was changed")
    );
    assert_eq!(Browser::new(&stage).get(&path).await.status, 303);
}

#[tokio::test]
async fn promise_x_08_whoever_kept_a_checkpoint_holds_the_house_to_it() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let kept = checkpoint(&stage).await;
    let visitor = Browser::new(&stage);
    for browser in 0..3 {
        let anna = Browser::new(&stage);
        anna.sign_up(&format!("anna-{browser}@example.org")).await;
    }
    let newest = checkpoint(&stage).await;
    assert!(newest.size > kept.size);
    let path = format!("/trust/growth?from={}&to={}", kept.size, newest.size);
    let growth: Value = serde_json::from_str(&visitor.get(&path).await.text()).expect("JSON");
    let proof = hashes(&growth["proof"]);
    let (earlier, later) = ((kept.size, &kept.root), (newest.size, &newest.root));
    assert!(tree::grew(earlier, later, &proof));
    let other = tree::leaf_hash(b"another past");
    assert!(!tree::grew((kept.size, &other), later, &proof));
    for wrong in [
        "",
        "?from=2",
        "?from=x&to=3",
        "?from=3&to=2",
        "?from=0&to=999999999999",
    ] {
        let answer = visitor.get(&format!("/trust/growth{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

async fn run(studio: &Studio, statement: &'static str) {
    let mut tx = studio.db.write().await.expect("begins");
    let changed = on!(tx, conn => {
        sqlx::query(statement).execute(conn).await.map(|done| done.rows_affected())
    });
    assert_eq!(changed.expect("runs"), 1, "{statement}");
    tx.commit().await.expect("commits");
}

/// How each check of an audit is turned red, by its name, in a house with one operator who is on duty
/// and has asked for something.
const BREAKS: &[(&str, Break)] = &[
    ("", Break::Nothing),
    (
        "inventory",
        Break::Columns("ALTER TABLE queue ADD COLUMN shoe_size BIGINT"),
    ),
    (
        "sealed",
        Break::Row("UPDATE account SET display_name = 'Anna the open'"),
    ),
    ("retention", Break::Row("UPDATE session SET created_ms = 1")),
    (
        "files",
        Break::Stray("pictures/pic_01ARZ3NDEKTSV4RRFFQ69G5FAV.png"),
    ),
    (
        "files",
        Break::Stray("portraits/prt_01ARZ3NDEKTSV4RRFFQ69G5FAV.webp"),
    ),
    (
        "erasures",
        Break::Row(
            "INSERT INTO erasure (id, person_id, scope, state, asked_by, receipt_hash, plan, done, requested_ms) \
             SELECT 'era_1', 'per_of_long_ago', 'account', 'requested', 'session', 'hash', '{}', '{}', 1",
        ),
    ),
    (
        "erasures",
        Break::Row(
            "INSERT INTO erasure (id, person_id, scope, state, asked_by, receipt_hash, plan, done, requested_ms, \
             ended_ms) SELECT 'era_1', id, 'account', 'receipted', 'session', 'hash', '{}', '{}', \
             1800000000000, 1800000000000 FROM person WHERE role = 'operator'",
        ),
    ),
    (
        "duties",
        Break::Row(
            "UPDATE duty SET until_ms = begun_ms + 28860000 WHERE id = (SELECT MIN(id) FROM duty)",
        ),
    ),
    (
        "duties",
        Break::Row(
            "UPDATE duty SET agreed_by = 'hash', until_ms = begun_ms + 3660000 WHERE id = (SELECT MIN(id) FROM duty)",
        ),
    ),
    (
        "visits",
        Break::Row(
            "INSERT INTO visit_count (day_ms, kind, name, times, people) \
             VALUES (1799971200000, 'page', '/', 9, 9)",
        ),
    ),
    ("requests", Break::Row("UPDATE request SET due_ms = 1")),
    (
        "children",
        Break::Row(
            "INSERT INTO restriction (person_id, mode, since_ms) \
             SELECT id, 'minor', 1 FROM person WHERE role = 'operator'",
        ),
    ),
    ("disclosures", Break::Row(DISCLOSED)),
    (
        "breaches",
        Break::Row(
            "INSERT INTO breach (id, what, nature, classes, consequences, measures, risk, began_ms, until_ms, \
             noticed_ms, due_ms, entered_ms) VALUES ('bre_1', 'a lost disk', 'confidentiality', 'content', 'none', \
             'none', 'risk', 1, 1, 1, 1, 1800000000000)",
        ),
    ),
    (
        "books",
        Break::Row("UPDATE balance SET available = available + 1"),
    ),
    (
        "log",
        Break::Row("UPDATE log_entry SET created_ms = created_ms + 1 WHERE position = 0"),
    ),
    (
        "notice",
        Break::Row(
            "INSERT INTO policy (number, published_ms, effective_ms, is_material, changes, declaration, body, page, \
             declaration_sha256, body_sha256, page_sha256, before_sha256, sha256, log_id) \
             VALUES (1, 1, 1, 0, '[]', '{}', 'We do as we like.', 'We do as we like.', '', '', '', '', '', 'log_1')",
        ),
    ),
    (
        "terms",
        Break::Row(
            "INSERT INTO terms (number, published_ms, effective_ms, needs_acceptance, summary, body, body_sha256, \
             before_sha256, sha256, log_id) VALUES (1, 1, 4000000000000, 1, '', 'Other words.', '', '', '', 'log_1')",
        ),
    ),
    (
        "witnesses",
        Break::Row(
            "INSERT INTO log_witness (name, size, trouble, knows, since_ms) VALUES ('w', 5, 'forked', 9, 1)",
        ),
    ),
    (
        "witnesses",
        Break::Row(
            "INSERT INTO log_witness (name, size, trouble, since_ms) VALUES ('w', 0, 'silent', 1)",
        ),
    ),
];
/// An emergency that nobody looked at again.
const DISCLOSED: &str = "INSERT INTO disclosure (id, path, state, authority, law, reference, fields, received_ms, \
     ended_ms, sealed_leaves, told_ms, review_due_ms) \
     VALUES ('dis_1', 'emergency', 'disclosed', '', '', '', '', 1, 1, '', 1, 1)";
/// Broken from outside, with a file that others can read: tests/api/test_log.py.
const ELSEWHERE: &str = "key";

#[derive(Clone, Copy)]
enum Break {
    Nothing,
    /// Changes one row.
    Row(&'static str),
    Columns(&'static str),
    /// A file that belongs to nothing.
    Stray(&'static str),
}

impl Break {
    async fn happen(self, stage: &Stage) {
        match self {
            Self::Nothing => {}
            Self::Row(statement) => run(&stage.studio, statement).await,
            Self::Columns(statement) => {
                let mut tx = stage.studio.db.write().await.expect("begins");
                on!(tx, conn => sqlx::query(statement).execute(conn).await.map(|_| ()))
                    .expect("alters");
                tx.commit().await.expect("commits");
            }
            Self::Stray(name) => {
                let put = stage.studio.shelf.put(name, b"what was deleted".to_vec());
                put.await.expect("is written");
            }
        }
    }
}

/// A house in which each check has something to look at.
async fn looked_at() -> Stage {
    let stage = Stage::free().await;
    let operator = Browser::new(&stage);
    operator.welcome("op@example.org").await;
    let person = person_of(&stage, "op@example.org").await;
    let (about, by) = (Asked::Access, Identity::Session);
    requests::open(&stage.studio, person, about, "What is kept?", by)
        .await
        .expect("is open");
    operator.on_duty(Role::Operator).await;
    log::settle(&stage.studio).await.expect("settles");
    stage
}

#[tokio::test]
async fn promise_sec_05_an_audit_names_what_is_broken_and_shows_it_to_everybody() {
    let mut checks: Vec<&str> = Vec::new();
    for (check, how) in BREAKS {
        let stage = looked_at().await;
        let visitor = Browser::new(&stage);
        assert!(visitor.get("/trust").await.text().contains("has not yet"));
        assert_eq!(visitor.get("/trust/report.json").await.status, 404);
        how.happen(&stage).await;
        let report = audit::run(&stage.studio, &[]).await.expect("reads");
        checks = report.checks.iter().map(|one| one.name).collect();
        let broken = report.checks.iter().filter(|one| !one.wrong.is_empty());
        let broken: Vec<&str> = broken.map(|one| one.name).collect();
        let expected: Vec<&str> = Some(*check)
            .into_iter()
            .filter(|name| !name.is_empty())
            .collect();
        assert_eq!(broken, expected, "{:?}", report.checks);
        let signed = audit::publish(&stage.studio, &report)
            .await
            .expect("is shown");
        let page = visitor.get("/trust").await.text();
        assert_eq!(page.contains("Does not hold"), !check.is_empty(), "{page}");
        let shown = visitor.get("/trust/report.json").await.text();
        assert_eq!(shown, signed);
        // Nothing of anybody.
        assert!(
            !shown.contains("Anna") && !shown.contains("per_"),
            "{shown}"
        );
        let document: Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(document["report"]["holds"], check.is_empty());
    }
    let seen = |check: &&str| BREAKS.iter().any(|(name, _)| name == check) || *check == ELSEWHERE;
    let blind: Vec<&str> = checks.into_iter().filter(|check| !seen(check)).collect();
    assert!(blind.is_empty(), "nothing turns these red: {blind:?}");
}

#[tokio::test]
async fn promise_sec_05_the_program_audits_itself_once_a_day() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let due = async || {
        let report = audit::run_if_due(&stage.studio).await;
        report.expect("runs").is_some()
    };
    assert!(due().await);
    assert!(!due().await);
    stage.studio.clock.advance_millis(23 * 60 * 60 * 1_000);
    assert!(!due().await);
    stage.studio.clock.advance_millis(60 * 60 * 1_000);
    assert!(due().await);
    let says = async |what: &str| {
        Browser::new(&stage)
            .get("/trust")
            .await
            .text()
            .contains(what)
    };
    assert!(says("Once a day the program reads the whole house again").await);
    stage.studio.clock.advance_millis(24 * 60 * 60 * 1_000);
    assert!(!says("that is overdue").await);
    stage.studio.clock.advance_millis(61 * 60 * 1_000);
    assert!(says("that is overdue").await && !says("everything that it looked at held").await);
    assert!(due().await);
    assert!(!says("that is overdue").await);
}
