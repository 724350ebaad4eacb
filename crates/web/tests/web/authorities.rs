//! What authorities ask for: who decides, what is handed out, when the person hears of it, and what
//! everybody can count again.

use std::collections::BTreeMap;

use db::on;
use domain::clock::{Civil, Moment};
use domain::role::Role;
use serde_json::Value;
use sha2::{Digest, Sha256};
use studio::letters::Letter;
use studio::privacy::log::checkpoint::Checkpoint;
use studio::privacy::log::tree::{self, Hash};
use studio::privacy::{access, audit, disclosures, log};

use crate::browser::{Browser, letters_to, person_of};
use crate::desk::staff;
use crate::gallery::picture_of;
use crate::stage::Stage;

const ANNA: &str = "anna@example.org";
const OFFICER: &str = "po@example.org";
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const TOLD: &str = "Something of yours was handed out to an authority";

/// So many days from now.
fn day(stage: &Stage, days: i64) -> String {
    let at: Moment = stage.studio.clock.now().plus_millis(days * DAY_MS);
    let Civil {
        year, month, day, ..
    } = at.civil();
    format!("{year:04}-{month:02}-{day:02}")
}

/// An operator and a privacy officer on duty, and Anna.
async fn house(stage: &Stage) -> [Browser<'_>; 3] {
    let operator = Browser::new(stage);
    operator.welcome("op@example.org").await;
    operator.on_duty(Role::Operator).await;
    let officer = staff(stage, OFFICER, Role::PrivacyOfficer).await;
    officer.on_duty(Role::PrivacyOfficer).await;
    let anna = Browser::new(stage);
    anna.sign_up(ANNA).await;
    [operator, officer, anna]
}

/// Enters a request; gives its page.
async fn entered(by: &Browser<'_>, more: &[(&str, &str)]) -> String {
    let mut fields = vec![
        ("address", ANNA),
        ("authority", "LKA Hamburg"),
        ("law", "§ 100j StPO"),
        ("reference", "345 Js 12/26"),
    ];
    if !more.iter().any(|(name, _)| *name == "field") {
        fields.push(("field", "account.address"));
    }
    fields.retain(|(name, _)| *name == "field" || !more.iter().any(|(given, _)| given == name));
    fields.extend(more);
    let entered = by.submit("/desk/disclosures", &fields).await;
    assert_eq!(entered.status, 303, "{}", entered.text());
    entered.header("location").to_owned()
}

async fn says(by: &Browser<'_>, page: &str, what: &str) -> u16 {
    let fields = [("do", what), ("why", "the authority is not competent")];
    by.submit(page, &fields).await.status.as_u16()
}

async fn packed(by: &Browser<'_>, page: &str) -> Value {
    let file = by.submit(&format!("{page}/package"), &[]).await;
    assert_eq!(file.status, 200, "{}", file.text());
    assert!(file.header("content-disposition").starts_with("attachment"));
    file.json()
}

async fn told(stage: &Stage, address: &str) -> usize {
    let letters = letters_to(stage, address).await;
    let told = letters
        .iter()
        .filter(|one| matches!(one, Letter::Disclosed { .. }));
    told.count()
}

async fn complaints(stage: &Stage, name: &str) -> usize {
    let report = audit::run(&stage.studio, &[]).await.expect("audits");
    let mut checks = report.checks.iter();
    let check = checks.find(|check| check.name == name).expect("is a check");
    check.wrong.len()
}

#[tokio::test]
async fn promise_leg_01_two_different_people_agree_before_anything_is_handed_out() {
    let stage = Stage::free().await;
    let [operator, officer, anna] = house(&stage).await;
    let page = entered(&operator, &[]).await;
    let asked = letters_to(&stage, OFFICER).await;
    assert!(
        matches!(&asked[0], Letter::DisclosureAsked { .. }),
        "told to decide"
    );
    let package = format!("{page}/package");
    assert_eq!(operator.submit(&package, &[]).await.status, 409);
    assert_eq!(says(&operator, &page, "approve").await, 303);
    assert_eq!(
        operator.submit(&package, &[]).await.status,
        409,
        "one is not enough"
    );
    assert_eq!(
        says(&operator, &page, "approve").await,
        403,
        "one is not two"
    );
    assert_eq!(officer.submit(&package, &[]).await.status, 409);
    assert_eq!(told(&stage, ANNA).await, 0);
    assert_eq!(says(&officer, &page, "approve").await, 303);
    assert_eq!(says(&officer, &page, "approve").await, 409);

    let file = packed(&officer, &page).await;
    let package = &file["package"];
    assert_eq!(package["tables"][0]["rows"][0]["address"], ANNA);
    assert_eq!(package["law"], "§ 100j StPO");
    assert_eq!(file["signature"]["algorithm"], "Ed25519");
    assert_eq!(told(&stage, ANNA).await, 1);
    packed(&operator, &page).await;
    assert_eq!(told(&stage, ANNA).await, 1, "a letter once");
    let own = anna.get("/account/log").await.text();
    assert_eq!(
        own.matches(TOLD).count(),
        2,
        "each time is in the log: {own}"
    );
    assert_eq!(says(&officer, &page, "refuse").await, 409);

    // Whoever has another part in the house neither reads nor decides, and nobody without a duty.
    let helper = staff(&stage, "helper@example.org", Role::Support).await;
    assert_eq!(helper.get(&page).await.status, 403);
    assert_eq!(says(&helper, &page, "approve").await, 403);
    let other = staff(&stage, "other@example.org", Role::PrivacyOfficer).await;
    let asked = other.get(&page).await;
    assert_eq!(asked.status, 403);
    assert!(asked.text().contains("What do you need it for?"));
}

#[tokio::test]
async fn promise_leg_01_a_request_is_entered_whole_and_refused_with_reasons() {
    let stage = Stage::free().await;
    let [operator, officer, _anna] = house(&stage).await;
    let (past, late) = (day(&stage, -1), day(&stage, 900));
    for wrong in [
        ("authority", " "),
        ("law", "the law"),
        ("reference", ""),
        ("field", "account.password_hash"),
        ("field", "account.shoe_size"),
        ("address", "nobody@example.org"),
        ("gag", past.as_str()),
        ("gag", late.as_str()),
        ("from", "tomorrow"),
    ] {
        let mut fields = BTreeMap::from([
            ("address", ANNA),
            ("authority", "LKA Hamburg"),
            ("law", "§ 100j StPO"),
            ("reference", "345 Js 12/26"),
            ("field", "account.address"),
        ]);
        fields.insert(wrong.0, wrong.1);
        let fields: Vec<_> = fields.into_iter().collect();
        let answer = operator.submit("/desk/disclosures", &fields).await;
        assert_eq!(answer.status, 400, "{wrong:?}");
        let text = answer.text();
        assert!(text.contains("role=\"alert\""), "{wrong:?}");
        assert!(
            wrong.0 == "authority" || text.contains("LKA Hamburg"),
            "it stays"
        );
    }
    let page = entered(&operator, &[]).await;
    let empty = officer
        .submit(&page, &[("do", "refuse"), ("why", " ")])
        .await;
    assert_eq!(empty.status, 409);
    assert_eq!(says(&officer, &page, "refuse").await, 303);
    let shown = officer.get(&page).await.text();
    assert!(shown.contains("the authority is not competent"), "{shown}");
    assert_eq!(says(&officer, &page, "approve").await, 409);
    let package = format!("{page}/package");
    assert_eq!(officer.submit(&package, &[]).await.status, 409);
    // Of who is nobody here nothing can be handed out, and the request is counted all the same.
    let page = entered(&operator, &[("address", "")]).await;
    assert_eq!(says(&officer, &page, "approve").await, 409);
    assert_eq!(says(&officer, &page, "refuse").await, 303);
}

#[tokio::test]
async fn promise_leg_01_a_package_holds_the_columns_of_its_scope_and_nothing_else() {
    let stage = Stage::free().await;
    let [operator, officer, anna] = house(&stage).await;
    let names = [
        ("username", "canary_username"),
        ("display_name", "canary-display-name"),
    ];
    assert_eq!(anna.submit("/account", &names).await.status, 303);
    let key = [("name", "canary-key"), ("scope", "draw")];
    assert_eq!(anna.submit("/account/keys", &key).await.status, 201);
    picture_of(&anna, ANNA, "canary-early-prompt").await;
    let asks = [("about", "other"), ("words", "canary-words")];
    anna.submit("/account/requests", &asks).await;
    let bert = Browser::new(&stage);
    bert.sign_up("canary-bert@example.org").await;
    picture_of(&bert, "canary-bert@example.org", "canary-of-bert").await;
    stage.studio.clock.advance_millis(2 * DAY_MS);
    picture_of(&anna, ANNA, "canary-in-time").await;
    operator.on_duty(Role::Operator).await;
    officer.on_duty(Role::PrivacyOfficer).await;

    let today = day(&stage, 0);
    let scope = [
        ("field", "account.address"),
        ("field", "job.width"),
        ("from", today.as_str()),
        ("until", today.as_str()),
    ];
    let page = entered(&operator, &scope).await;
    assert_eq!(says(&operator, &page, "approve").await, 303);
    assert_eq!(says(&officer, &page, "approve").await, 303);
    let file = packed(&officer, &page).await;
    let text = file.to_string();
    assert!(!text.contains("canary"), "out of its scope: {text}");
    let tables = file["package"]["tables"].as_array().expect("a list");
    let columns: Vec<String> = tables
        .iter()
        .flat_map(|table| {
            let rows = table["rows"].as_array().expect("rows");
            assert_eq!(rows.len(), 1, "of its time: {table}");
            let names = rows[0].as_object().expect("an object").keys();
            let names: Vec<String> = names
                .map(|name| format!("{}.{name}", table["table"].as_str().expect("a name")))
                .collect();
            names
        })
        .collect();
    assert_eq!(columns, ["account.address", "job.width"]);

    // What is in the scope is readable, whatever key it lies under.
    let page = entered(
        &operator,
        &[("field", "job.prompt"), ("from", today.as_str())],
    )
    .await;
    assert_eq!(says(&operator, &page, "approve").await, 303);
    assert_eq!(says(&officer, &page, "approve").await, 303);
    let text = packed(&officer, &page).await.to_string();
    assert!(
        text.contains("canary-in-time") && !text.contains("canary-early"),
        "{text}"
    );
    assert!(!text.contains("canary-of-bert") && !text.contains("canary_username"));
}

/// The commitments of what was handed out, and whose they are.
async fn leaves(stage: &Stage) -> Vec<(String, Option<String>)> {
    let mut tx = stage.studio.db.read().await.expect("reads");
    on!(tx, conn => {
        sqlx::query_as("SELECT commitment, person_id FROM log_entry WHERE kind = 'disclosed' ORDER BY id")
            .fetch_all(conn)
            .await
    })
    .expect("reads")
}

#[tokio::test]
async fn promise_leg_01_a_gag_ends_and_the_person_is_told_with_the_leaf_of_then() {
    let stage = Stage::free().await;
    let [operator, officer, anna] = house(&stage).await;
    let studio = &stage.studio;
    let gag = day(&stage, 3);
    let page = entered(&operator, &[("gag", gag.as_str())]).await;
    assert_eq!(says(&operator, &page, "approve").await, 303);
    assert_eq!(says(&officer, &page, "approve").await, 303);
    packed(&officer, &page).await;
    let sealed = leaves(&stage).await;
    assert_eq!(sealed.len(), 1, "the leaf is there at once");
    assert_eq!(sealed[0].1, None);
    log::settle(studio).await.expect("settles");

    let silent = async || {
        assert_eq!(told(&stage, ANNA).await, 0);
        let own = anna.get("/account/log").await.text();
        assert!(
            !own.contains(TOLD) && !own.contains("Each time that an authority"),
            "{own}"
        );
        let person = person_of(&stage, ANNA).await;
        let kept = access::holdings(studio, person).await.expect("reads");
        let kept = kept.iter().find(|one| one.table.name == "disclosure");
        assert_eq!(kept.map(|one| one.rows), Some(0), "nor counted");
    };
    silent().await;
    assert_eq!(disclosures::tell_ended(studio).await.expect("looks"), 0);
    studio.clock.advance_millis(2 * DAY_MS);
    assert_eq!(disclosures::tell_ended(studio).await.expect("looks"), 0);
    silent().await;
    assert_eq!(complaints(&stage, "disclosures").await, 0);

    studio.clock.advance_millis(3 * DAY_MS);
    assert_eq!(
        complaints(&stage, "disclosures").await,
        1,
        "it is over, and nobody was told"
    );
    assert_eq!(disclosures::tell_ended(studio).await.expect("tells"), 1);
    assert_eq!(disclosures::tell_ended(studio).await.expect("tells"), 0);
    assert_eq!(told(&stage, ANNA).await, 1);
    let own = anna.get("/account/log").await.text();
    assert!(own.contains(TOLD), "{own}");
    let opened = leaves(&stage).await;
    assert_eq!(opened[0].0, sealed[0].0, "the leaf of then");
    assert!(opened[0].1.is_some(), "is hers now");
    assert_eq!(complaints(&stage, "disclosures").await, 0);
    assert_eq!(complaints(&stage, "log").await, 0, "the log is what it was");
}

fn hash(text: &str) -> Hash {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    let bytes: Vec<u8> = (0..text.len()).step_by(2).map(byte).collect();
    bytes.try_into().expect("32 bytes")
}

/// Counts the proven entries, with no word of the program's.
fn counted(document: &Value, key: &[u8; 32]) -> BTreeMap<(String, String), i64> {
    let note = document["checkpoint"].as_str().expect("signed");
    let checkpoint = Checkpoint::open(note, key).expect("signed by the house");
    let mut counted = BTreeMap::new();
    for entry in document["entries"].as_array().expect("a list") {
        let (leaf, payload) = (&entry["leaf"], &entry["payload"]);
        let leaf = leaf.as_str().expect("text");
        let payload = payload.as_str().expect("text");
        let path = entry["path"].as_array().expect("a list").iter();
        let path: Vec<Hash> = path.map(|one| hash(one.as_str().expect("text"))).collect();
        let position = entry["position"].as_u64().expect("has its place");
        let leaf_hash = tree::leaf_hash(leaf.as_bytes());
        let (root, size) = (&checkpoint.root, checkpoint.size);
        let is_in = tree::includes(root, size, position, leaf_hash, &path);
        assert!(is_in, "is in the log: {leaf}");
        let leaf: Value = serde_json::from_str(leaf).expect("JSON");
        let digest = Sha256::digest(payload);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(leaf["commitment"], digest.as_str());
        let said: Value = serde_json::from_str(payload).expect("JSON");
        let kind = leaf["kind"].as_str().expect("text").to_owned();
        let path = said["what"]["path"].as_str().expect("text").to_owned();
        *counted.entry((kind, path)).or_default() += 1;
    }
    counted
}

#[tokio::test]
async fn promise_leg_01_the_public_counters_are_those_of_the_log() {
    let stage = Stage::free().await;
    let [operator, officer, _anna] = house(&stage).await;
    let danger = ("emergency", "somebody is missing and may be in danger");
    let mut pages = Vec::new();
    for more in [&[][..], &[], &[], &[danger]] {
        pages.push(entered(&operator, more).await);
    }
    assert_eq!(says(&officer, &pages[0], "refuse").await, 303);
    for page in &pages[1..] {
        assert_eq!(says(&operator, page, "approve").await, 303);
    }
    assert_eq!(says(&officer, &pages[1], "approve").await, 303);
    packed(&officer, &pages[1]).await;
    packed(&officer, &pages[3]).await;
    assert_eq!(says(&officer, &pages[3], "right").await, 303);
    log::settle(&stage.studio).await.expect("settles");

    let visitor = Browser::new(&stage);
    let document = visitor.get("/trust/disclosures.json").await;
    assert_eq!(document.status, 200);
    let text = document.text();
    assert!(
        !text.contains("LKA") && !text.contains(ANNA) && !text.contains("per_"),
        "{text}"
    );
    let document = document.json();
    let mut shown = BTreeMap::new();
    for line in document["counters"].as_array().expect("a list") {
        for path in ["order", "emergency"] {
            let times = line[path].as_i64().expect("a number");
            if times > 0 {
                let kind = line["kind"].as_str().expect("text").to_owned();
                shown.insert((kind, path.to_owned()), times);
            }
        }
    }
    let expected = [
        ("disclosure_received", "order", 3),
        ("disclosure_received", "emergency", 1),
        ("disclosure_refused", "order", 1),
        ("disclosure_approved", "order", 1),
        ("disclosure_approved", "emergency", 1),
        ("disclosure_made", "order", 1),
        ("disclosure_made", "emergency", 1),
        ("disclosure_reviewed", "emergency", 1),
    ];
    let expected = expected.map(|(kind, path, times)| ((kind.to_owned(), path.to_owned()), times));
    assert_eq!(shown, BTreeMap::from(expected));
    assert_eq!(counted(&document, &stage.studio.keys.public_key()), shown);
    assert_eq!(document["people"], 2);
    let page = visitor.get("/trust").await.text();
    assert!(
        page.contains("Something of 2 people was handed out."),
        "{page}"
    );
}

#[tokio::test]
async fn promise_leg_02_an_emergency_takes_one_and_is_looked_at_again_by_somebody_else() {
    let stage = Stage::free().await;
    let [operator, officer, _anna] = house(&stage).await;
    let studio = &stage.studio;
    let danger = [("emergency", "somebody is missing and may be in danger")];
    let page = entered(&operator, &danger).await;
    assert_eq!(
        says(&officer, &page, "right").await,
        409,
        "nothing to look at yet"
    );
    assert_eq!(says(&operator, &page, "approve").await, 303);
    packed(&operator, &page).await;
    assert_eq!(told(&stage, ANNA).await, 1);
    assert_eq!(
        says(&operator, &page, "right").await,
        403,
        "somebody else does"
    );
    studio.clock.advance_millis(7 * DAY_MS - 60_000);
    assert_eq!(complaints(&stage, "disclosures").await, 0);
    assert_eq!(disclosures::raise_overdue(studio).await.expect("looks"), 0);

    studio.clock.advance_millis(60_000);
    assert_eq!(
        complaints(&stage, "disclosures").await,
        1,
        "the audit is red"
    );
    assert_eq!(disclosures::raise_overdue(studio).await.expect("looks"), 1);
    assert_eq!(
        disclosures::raise_overdue(studio).await.expect("looks"),
        0,
        "once"
    );
    for address in ["op@example.org", OFFICER] {
        let letters = letters_to(&stage, address).await;
        let alarms = letters.iter();
        let alarms = alarms.filter(|one| matches!(one, Letter::DisclosureUnreviewed { .. }));
        assert_eq!(alarms.count(), 1, "{address}");
    }
    officer.on_duty(Role::PrivacyOfficer).await;
    assert!(officer.get(&page).await.text().contains("overdue"));
    assert_eq!(says(&officer, &page, "wrong").await, 303);
    assert_eq!(says(&officer, &page, "wrong").await, 409);
    assert_eq!(complaints(&stage, "disclosures").await, 0);
    assert!(officer.get(&page).await.text().contains("It was wrong"));
}
