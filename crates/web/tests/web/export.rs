//! Everything taken along: fetched whole and in parts, and ended when something in it is deleted.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use axum::body::Body;
use axum::http::Method;
use db::on;
use serde_json::{Value, json};
use studio::accounts::session;
use studio::privacy::export::verify::{Archive, BadExport};
use studio::privacy::export::{self, By, KEPT_MS, MAX_A_DAY};
use studio::privacy::looking::Staff;
use studio::privacy::{access, retention};

use crate::browser::{Browser, person_of};
use crate::gallery::{picture_of, unpacked};
use crate::stage::{Answer, Stage, request};

const ANNA: &str = "anna@example.org";

async fn house() -> Stage {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    stage
}

async fn ask(stage: &Stage, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    stage
        .send(request.body(Body::empty()).expect("a request"))
        .await
}

/// An archive of the local person's, and where it is.
async fn made(stage: &Stage) -> (Value, String) {
    stage.studio.clock.advance_millis(1);
    let made = ask(stage, Method::POST, "/v1/me/export", &[]).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let content = format!(
        "/v1/me/export/{}/content",
        made["id"].as_str().expect("an id")
    );
    (made, content)
}

/// A deterministic choice of places.
fn places(size: usize, count: usize) -> Vec<usize> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut all = vec![0, 1, size / 2, size - 1];
    for _ in 0..count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        all.push(usize::try_from(state % size as u64).expect("small"));
    }
    all
}

#[tokio::test]
async fn promise_rgt_05_a_download_that_broke_off_goes_on_anywhere() {
    let stage = Stage::free().await;
    for prompt in ["a red apple", "=1+1, \"quoted\"\r\nlines"] {
        stage.drawn(prompt).await;
    }
    let (about, path) = made(&stage).await;
    let whole = ask(&stage, Method::GET, &path, &[]).await;
    assert_eq!(whole.status, 200);
    let size = whole.body.len();
    assert_eq!(about["bytes"], json!(size));
    assert_eq!(whole.header("content-length"), size.to_string());
    assert_eq!(whole.header("accept-ranges"), "bytes");
    let etag = whole.header("etag").to_owned();
    assert_eq!(
        etag,
        format!("\"{}\"", about["manifest_sha256"].as_str().expect("a hash"))
    );
    assert_eq!(
        unpacked(&whole).len() as u64,
        about["files"].as_u64().expect("a number")
    );

    // What happens meanwhile changes nothing in it.
    stage.drawn("drawn later").await;
    stage.studio.clock.advance_millis(60_000);
    for place in places(size, 60) {
        let range = format!("bytes={place}-");
        let headers = [("range", range.as_str()), ("if-range", &etag)];
        let rest = ask(&stage, Method::GET, &path, &headers).await;
        assert_eq!(rest.status, 206);
        assert!(rest.body == whole.body[place..], "from {place}");
        let says = format!("bytes {place}-{}/{size}", size - 1);
        assert_eq!(rest.header("content-range"), says);
        assert_eq!(rest.header("content-length"), (size - place).to_string());
        let last = (place + 300).min(size - 1);
        let range = format!("bytes={place}-{last}");
        let part = ask(&stage, Method::GET, &path, &[("range", &range)]).await;
        assert!(part.body == whole.body[place..=last], "{range}");
    }
    let beyond = format!("bytes={size}-");
    let beyond = ask(&stage, Method::GET, &path, &[("range", &beyond)]).await;
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range"), format!("bytes */{size}"));
    let other = [("range", "bytes=5-"), ("if-range", "\"another\"")];
    assert_eq!(
        ask(&stage, Method::GET, &path, &other).await.body,
        whole.body
    );
    let other = [("range", "bytes=5-"), ("if-match", "\"another\"")];
    let refused = ask(&stage, Method::GET, &path, &other).await;
    assert_eq!(refused.error(412)["code"], "export_changed");
    let known = ask(&stage, Method::GET, &path, &[("if-none-match", &etag)]).await;
    assert_eq!(known.status, 304);
    let head = ask(&stage, Method::HEAD, &path, &[]).await;
    assert_eq!(head.header("content-length"), size.to_string());
}

#[tokio::test]
async fn promise_rgt_05_an_archive_ends_when_something_in_it_is_deleted() {
    let stage = Stage::free().await;
    let drawn = stage.drawn("a red apple").await;
    stage.drawn("a boat").await;
    let (_, path) = made(&stage).await;
    let whole = ask(&stage, Method::GET, &path, &[]).await;
    let etag = whole.header("etag").to_owned();

    let id = drawn["data"][0]["picture_id"].as_str().expect("an id");
    let gone = ask(&stage, Method::DELETE, &format!("/v1/pictures/{id}"), &[]).await;
    assert_eq!(gone.status, 200);
    let on = [("range", "bytes=100-"), ("if-match", etag.as_str())];
    assert_eq!(
        ask(&stage, Method::GET, &path, &on).await.error(412)["code"],
        "export_ended"
    );
    let refused = ask(&stage, Method::GET, &path, &on[..1]).await;
    assert_eq!(refused.error(410)["code"], "export_ended");
    // Nothing of it stays, also not in a copy of the database: its key is gone.
    let mut tx = stage.studio.db.read().await.expect("reads");
    let left: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM export_part").fetch_one(conn).await
    })
    .expect("counts");
    assert_eq!(left, 0);
    drop(tx);
    let listed = ask(&stage, Method::GET, "/v1/me/export", &[]).await.json();
    let export = &listed["data"][0];
    assert_eq!(export["status"], "ended");
    let key = stage
        .studio
        .keys
        .object(export["id"].as_str().expect("an id"))
        .await;
    assert!(key.is_err(), "its key stayed");

    let (_, path) = made(&stage).await;
    let files = unpacked(&ask(&stage, Method::GET, &path, &[]).await);
    assert!(files.iter().all(|(name, _)| !name.contains(id)));
    assert!(files.iter().any(|(name, _)| name.starts_with("pictures/")));
}

#[tokio::test]
async fn promise_sec_06_archives_are_made_so_often_and_fetched_by_who_may() {
    let stage = house().await;
    let (anna, bo) = (Browser::new(&stage), Browser::new(&stage));
    anna.sign_up(ANNA).await;
    bo.sign_up("bo@example.org").await;
    let post = || request(Method::POST, "/v1/me/export").header("origin", "http://localhost:8080");
    let begin = async |browser: &Browser<'_>| {
        stage.studio.clock.advance_millis(1);
        browser
            .send(post().body(Body::empty()).expect("a request"))
            .await
    };
    let first = begin(&anna).await.json();
    let path = format!(
        "/v1/me/export/{}/content",
        first["id"].as_str().expect("an id")
    );
    assert_eq!(anna.get(&path).await.status, 200);
    assert_eq!(bo.get(&path).await.error(404)["code"], "export_not_found");
    assert_eq!(stage.get(&path).await.error(401)["code"], "missing_api_key");
    for _ in 1..MAX_A_DAY {
        assert_eq!(begin(&anna).await.status, 201);
    }
    let refused = begin(&anna).await;
    assert_eq!(refused.error(429)["code"], "too_many_exports");
    let wait: i64 = refused.header("retry-after").parse().expect("seconds");
    assert!(
        (KEPT_MS / 1_000 - 60..=KEPT_MS / 1_000).contains(&wait),
        "{wait}"
    );
    assert_eq!(begin(&bo).await.status, 201, "others go on");
    // The first made room for newer ones.
    assert_eq!(anna.get(&path).await.error(410)["code"], "export_ended");
    let listed = anna.get("/v1/me/export").await.json();
    let ready = listed["data"].as_array().expect("a list").iter();
    assert_eq!(ready.filter(|one| one["status"] == "ready").count(), 2);
    // A session that was left open is no proof.
    stage
        .studio
        .clock
        .advance_millis(session::CONFIRMED_FOR_MS + 1);
    for answer in [
        begin(&anna).await,
        anna.get("/v1/me/export").await,
        anna.get(&path).await,
    ] {
        assert_eq!(answer.error(403)["code"], "confirm_first");
    }
}

#[tokio::test]
async fn promise_ret_01_an_archive_goes_after_a_day_with_its_key() {
    let stage = Stage::free().await;
    stage.drawn("a red apple").await;
    let (about, path) = made(&stage).await;
    stage.studio.clock.advance_millis(KEPT_MS - 1);
    assert_eq!(ask(&stage, Method::GET, &path, &[]).await.status, 200);
    stage.studio.clock.advance_millis(1);
    assert_eq!(
        ask(&stage, Method::GET, &path, &[]).await.error(410)["code"],
        "export_ended"
    );
    assert!(retention::overdue(&stage.studio).await.expect("counts") > 0);
    retention::sweep(&stage.studio).await.expect("sweeps");
    assert_eq!(ask(&stage, Method::GET, &path, &[]).await.status, 404);
    let key = stage
        .studio
        .keys
        .object(about["id"].as_str().expect("an id"))
        .await;
    assert!(key.is_err(), "its key stayed");
}

#[tokio::test]
async fn promise_own_01_each_picture_is_its_persons_and_says_so() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let picture = picture_of(&anna, ANNA, "a red apple").await;
    let taken = anna.submit("/account/data", &[]).await;
    let files = unpacked(&anna.get(taken.header("location")).await);
    let file = |name: &str| -> Value {
        let (_, bytes) = files
            .iter()
            .find(|(known, _)| known == name)
            .expect("is there");
        serde_json::from_slice(bytes).expect("JSON")
    };
    let rights = file("rights.json");
    let right = &rights["pictures"][0];
    let person = person_of(&stage, ANNA).await;
    assert_eq!(right["picture"], json!(picture));
    assert_eq!(right["owner"], json!(person));
    let edition = rights["editions"].as_array().expect("a list").iter();
    let statement = edition
        .filter(|one| one["edition"] == right["edition"])
        .map(|one| one["statement"].as_str().expect("words"));
    assert!(
        statement
            .collect::<String>()
            .contains("belongs to the person")
    );
    let row = &file("data/picture.json")["rows"][0];
    assert_eq!(row["rights"], right["edition"]);
    let (_, bytes) = files
        .iter()
        .find(|(name, _)| *name == format!("pictures/{picture}.png"))
        .expect("the file");
    let id = picture.parse().expect("an id");
    let found = studio::pictures::find(&stage.studio, person, id).await;
    let found = found.expect("reads").expect("is there");
    let png = domain::picture::Format::Png;
    let plain = studio::pictures::Wanted::plain(png, None);
    let original = studio::pictures::file(&stage.studio, &found, plain).await;
    let original = original.expect("reads");
    assert!(original.bytes == *bytes);
}

#[tokio::test]
async fn promise_own_02_a_picture_is_delivered_to_its_owner_alone_until_it_is_deleted() {
    let stage = Stage::free().await;
    let operator = Browser::new(&stage);
    operator.welcome("op@example.org").await;
    let (anna, bo) = (Browser::new(&stage), Browser::new(&stage));
    anna.sign_up(ANNA).await;
    bo.sign_up("bo@example.org").await;
    let picture = picture_of(&anna, ANNA, "a red apple").await;
    let places = [
        format!("/pictures/{picture}"),
        format!("/pictures/{picture}/thumbnail"),
        format!("/v1/pictures/{picture}"),
        format!("/v1/pictures/{picture}/content"),
        format!("/v1/pictures/{picture}/content?format=jpeg"),
    ];
    for place in &places {
        assert_eq!(anna.get(place).await.status, 200, "{place}");
        for other in [&operator, &bo] {
            assert_eq!(other.get(place).await.status, 404, "{place}");
        }
        assert_ne!(stage.get(place).await.status, 200, "{place}");
    }
    for other in [&operator, &bo] {
        let chosen = [("do", "download"), ("picture", picture.as_str())];
        assert_eq!(other.submit("/pictures/chosen", &chosen).await.status, 404);
        let taken = other.submit("/account/data", &[]).await;
        let files = unpacked(&other.get(taken.header("location")).await);
        assert!(files.iter().all(|(name, _)| !name.contains(&picture)));
    }
    let gone = anna
        .submit(&format!("/pictures/{picture}/delete"), &[])
        .await;
    assert_eq!(gone.status, 303);
    for place in &places {
        assert_eq!(anna.get(place).await.status, 404, "{place}");
    }
    assert!(
        stage
            .studio
            .shelf
            .keys("pictures")
            .await
            .expect("lists")
            .is_empty()
    );
}

#[tokio::test]
async fn promise_rgt_05_every_file_is_as_the_published_schema_says() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    anna.submit("/account/keys", &[("name", "a key"), ("scope", "draw")])
        .await;
    picture_of(&anna, ANNA, "a red apple").await;
    let taken = anna.submit("/account/data", &[]).await;
    let files: BTreeMap<String, Vec<u8>> = unpacked(&anna.get(taken.header("location")).await)
        .into_iter()
        .collect();
    let published = stage.get("/schemas/export.json").await;
    assert_eq!(published.header("content-type"), "application/schema+json");
    assert_eq!(files["schema.json"], published.body, "the published one");
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).expect("JSON");
    let name = manifest["manifest"]["schema"].as_str().expect("a name");
    assert_eq!(
        stage.get(&format!("/schemas/{name}")).await.body,
        published.body
    );
    assert_eq!(stage.get("/schemas/export-0.json").await.status, 404);
    let schema = published.json();
    let names = access::tables().map(|table| (format!("data/{}.json", table.name), table.name));
    let others = ["manifest", "rights", "log"].map(|name| (format!("{name}.json"), name));
    for (file, definition) in names.chain(others) {
        let mut one = schema.clone();
        one["$ref"] = json!(format!("#/$defs/{definition}"));
        let validator = jsonschema::validator_for(&one).expect("a schema");
        let document: Value = serde_json::from_slice(&files[&file]).expect("JSON");
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|e| e.to_string())
            .collect();
        assert!(errors.is_empty(), "{file}: {errors:?}");
        let mut more = document;
        more["more"] = json!(1);
        assert!(!validator.is_valid(&more), "{file}: anything goes");
    }
}

#[tokio::test]
async fn promise_rgt_05_the_first_thing_that_differs_is_told() {
    let stage = Stage::free().await;
    stage.drawn("a red apple").await;
    let (_, path) = made(&stage).await;
    let whole = ask(&stage, Method::GET, &path, &[]).await.body;
    let key = stage.studio.keys.public_key();
    let check =
        |bytes: &[u8]| Archive::open(std::io::Cursor::new(bytes.to_vec()), Some(&key))?.check();
    let sound = check(&whole).expect("is whole");
    assert!(
        sound.files > 40 && sound.entries == 1 && sound.unplaced == 0,
        "{sound:?}"
    );
    let other = Archive::open(std::io::Cursor::new(whole.clone()), Some(&[1; 32]));
    assert!(matches!(other, Err(BadExport::OtherKey)));
    let at = |mark: &[u8]| {
        whole
            .windows(mark.len())
            .position(|one| one == mark)
            .expect("is there")
    };
    for (mark, by) in [
        (&b"\"person\":\""[..], "manifest"),
        (b"a red apple", "data/job.json"),
        (b"\x89PNG", "pictures/"),
    ] {
        let mut bent = whole.clone();
        bent[at(mark) + mark.len() / 2] ^= 1;
        let error = check(&bent).expect_err("was changed").to_string();
        assert!(error.contains(by), "{error}");
    }
    // Somebody who packs it anew, so that the ZIP's own checksums are right.
    let (from, to) = (&b"a red apple"[..], &b"a big apple"[..]);
    let words = repacked(&whole, |name, bytes| {
        (name == "data/job.json").then(|| swapped(bytes, from, to))
    });
    let error = check(&words).expect_err("was changed");
    assert!(matches!(&error, BadExport::Changed(file) if file == "data/job.json"));
    let manifest = repacked(&whole, |name, bytes| {
        (name == "manifest.json").then(|| swapped(bytes, b"\"per_", b"\"pes_"))
    });
    let error = check(&manifest).expect_err("was changed");
    assert!(matches!(error, BadExport::Forged));
    assert!(check(&repacked(&whole, |_, _| None)).is_ok(), "the same");
    assert!(check(&whole[..whole.len() - 30]).is_err(), "cut short");
    assert!(check(b"no ZIP").is_err());
    assert!(
        export::find(
            &stage.studio,
            person(&stage).await,
            "exp_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id")
        )
        .await
        .expect("reads")
        .is_none()
    );
}

/// The archive with some of its files as `other` has them.
fn repacked(archive: &[u8], other: impl Fn(&str, &[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut read = zip::ZipArchive::new(Cursor::new(archive)).expect("a ZIP");
    let mut write = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..read.len() {
        let mut file = read.by_index(index).expect("a file");
        let name = file.name().expect("a name").into_owned();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("its bytes");
        let stored = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        write.start_file(&name, stored).expect("begins");
        let bytes = other(&name, &bytes).unwrap_or(bytes);
        write.write_all(&bytes).expect("writes");
    }
    write.finish().expect("ends").into_inner()
}

/// With the first of these bytes in place of those.
fn swapped(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut found = bytes.windows(from.len());
    let at = found.position(|one| one == from).expect("is there");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[tokio::test]
async fn promise_sec_04_who_is_written_down_by_staff_reads_that_it_was_not_them() {
    let stage = house().await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let person = person_of(&stage, ANNA).await;
    stage.studio.clock.advance_millis(1);
    let made = export::begin(&stage.studio, person, By::Staff(Staff::in_shell()))
        .await
        .expect("composes");
    assert!(made.size_bytes.is_some());
    let page = anna.get("/account/log").await.text();
    assert!(page.contains("Somebody who runs this house wrote down everything"));
    assert!(!page.contains("You took everything along"));
    anna.submit("/account/data", &[]).await;
    assert!(
        anna.get("/account/log")
            .await
            .text()
            .contains("You took everything along")
    );
}

async fn person(stage: &Stage) -> domain::ids::PersonId {
    studio::accounts::local_person(&stage.studio)
        .await
        .expect("a person")
}
