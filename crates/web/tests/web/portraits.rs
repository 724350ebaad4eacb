//! Portraits: optional, small, without a word about their photo, and seen by their person alone.

use axum::body::Body;
use axum::http::{Method, Request};
use domain::picture::{Format, Pixels, Size};
use studio::jobs::worker;

use crate::browser::Browser;
use crate::stage::{Answer, Stage, request};

const ANNA: &str = "anna@example.org";
const BOUNDARY: &str = "----a-boundary";

pub(crate) fn photo(format: Format, size: Size) -> Vec<u8> {
    let rgb = (0..size.pixels()).flat_map(|at| [at as u8, (at >> 8) as u8, 99]);
    let pixels = Pixels::new(size, rgb.collect());
    imaging::encode(&pixels, format, None).expect("encodes")
}

fn small(format: Format) -> Vec<u8> {
    let size = Size {
        width: 40,
        height: 30,
    };
    photo(format, size)
}

fn upload(kind: &str, body: Vec<u8>) -> Request<Body> {
    upload_to("/account/portrait", kind, body)
}

pub(crate) fn upload_to(path: &str, kind: &str, body: Vec<u8>) -> Request<Body> {
    request(Method::POST, path)
        .header("content-type", kind)
        .header("content-length", body.len())
        .header("origin", "http://localhost:8080")
        .header("sec-fetch-site", "same-origin")
        .body(Body::from(body))
        .expect("a request")
}

fn form(field: &str, said: &str, file: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{field}\"; filename=\"../me.exe\"\r\n\
         content-type: {said}\r\n\r\n"
    );
    [
        head.as_bytes(),
        file,
        format!("\r\n--{BOUNDARY}--\r\n").as_bytes(),
    ]
    .concat()
}

async fn send(browser: &Browser<'_>, said: &str, file: &[u8]) -> Answer {
    browser.stage.studio.clock.advance_millis(1);
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    browser.send(upload(&kind, form("file", said, file))).await
}

/// Sets a portrait, and gives it as it is served.
pub(crate) async fn sent(browser: &Browser<'_>) -> Vec<u8> {
    let sent = send(browser, "image/png", &small(Format::Png)).await;
    assert_eq!(sent.header("location"), "/account", "{}", sent.text());
    let at = shown(browser).await.expect("a portrait");
    browser.get(&at).await.body
}

/// The address of the portrait that the page of the account shows.
async fn shown(browser: &Browser<'_>) -> Option<String> {
    let page = browser.get("/account").await.text();
    let rest = page.split("class=\"portrait\" src=\"").nth(1)?;
    rest.split('"').next().map(str::to_owned)
}

#[tokio::test]
async fn promise_acc_03_a_portrait_is_set_replaced_and_removed_with_its_file() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let files = async || stage.studio.shelf.keys("portraits").await.expect("lists");
    assert_eq!(shown(&anna).await, None);
    let mut former: Option<String> = None;
    for format in Format::ALL {
        let sent = send(&anna, "image/png", &small(format)).await;
        assert_eq!(sent.header("location"), "/account", "{}", sent.text());
        let at = shown(&anna).await.expect("a portrait");
        let got = anna.get(&at).await;
        assert_eq!(got.header("content-type"), "image/webp");
        assert_eq!(got.header("cache-control"), "private, no-cache");
        let made = imaging::decode(&got.body).expect("a picture");
        assert_eq!(made.size(), Size::square(192));
        let mut again = request(Method::GET, &at).body(Body::empty()).expect("it");
        let etag = got.headers["etag"].clone();
        again.headers_mut().insert("if-none-match", etag);
        assert_eq!(anna.send(again).await.status, 304);
        if let Some(former) = former.replace(at) {
            assert_eq!(anna.get(&former).await.status, 404, "it was replaced");
        }
        assert_eq!(files().await.len(), 1, "one file for one portrait");
    }
    let last = former.expect("a portrait");
    let removed = anna.submit("/account/portrait/remove", &[]).await;
    assert_eq!(removed.status, 303);
    assert_eq!(anna.get(&last).await.status, 404);
    assert!(files().await.is_empty());
    // Nothing to take away is no mistake.
    assert_eq!(
        anna.submit("/account/portrait/remove", &[]).await.status,
        303
    );
}

#[tokio::test]
async fn a_portrait_is_shown_to_its_person_alone() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let bo = Browser::new(&stage);
    bo.sign_up("bo@example.org").await;
    send(&anna, "image/png", &small(Format::Png)).await;
    let at = shown(&anna).await.expect("a portrait");
    assert_eq!(anna.get(&at).await.status, 200);
    assert_eq!(bo.get(&at).await.status, 404);
    let nobody = Browser::new(&stage).get(&at).await;
    assert!(nobody.header("location").starts_with("/sign-in"));
    for wrong in ["por_", "..%2f..%2fpinhole.db", "pic_1"] {
        let got = anna.get(&format!("/account/portrait/{wrong}")).await;
        assert_eq!(got.status, 404, "{wrong}");
    }
}

#[tokio::test]
async fn what_makes_no_portrait_is_refused_and_named() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    send(&anna, "image/png", &small(Format::Png)).await;
    let before = shown(&anna).await;
    let jpeg = small(Format::Jpeg);
    let gif = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;";
    for (what, said, file, says) in [
        ("no file", "image/png", &b""[..], "Choose a picture first"),
        ("text", "image/png", b"a letter", "not a PNG, JPEG or WebP"),
        ("a GIF", "image/gif", gif, "not a PNG, JPEG or WebP"),
        ("half a file", "image/jpeg", &jpeg[..99], "it is damaged"),
    ] {
        let refused = send(&anna, said, file).await;
        assert_eq!(refused.status, 400, "{what}");
        assert!(refused.text().contains(says), "{what}");
        assert!(refused.text().contains("id=\"portrait-wrong\""), "{what}");
    }
    // What a file is called, and what it says of its kind, does not matter.
    assert_eq!(send(&anna, "text/html", &jpeg).await.status, 303);
    assert_ne!(shown(&anna).await, before);
    let before = shown(&anna).await;

    let form_kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let whole = form("file", "image/png", &jpeg);
    let cut = whole[..whole.len() - 20].to_vec();
    for (what, kind, body, status) in [
        ("JSON", "application/json", b"{}".to_vec(), 415),
        (
            "a form without a boundary",
            "multipart/form-data",
            whole,
            415,
        ),
        ("a form that was cut off", &form_kind, cut, 400),
        ("no form at all", &form_kind, b"xyz".to_vec(), 400),
        ("another field", &form_kind, form("other", "x", b"y"), 400),
    ] {
        let refused = anna.send(upload(kind, body)).await;
        assert_eq!(refused.status.as_u16(), status, "{what}");
    }
    assert_eq!(shown(&anna).await, before);
}

#[tokio::test]
async fn a_portrait_that_is_too_large_is_refused_before_it_is_read() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let huge = send(&anna, "image/png", &vec![0; (2 << 20) + 1]).await;
    assert_eq!(huge.status, 413);
    assert!(huge.text().contains("a portrait may have 2 MiB"));
    // Said to be large: not one byte of it is waited for.
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let mut said = upload(&kind, Vec::new());
    let never = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    *said.body_mut() = Body::from_stream(never);
    let length = (64 << 20).to_string().parse().expect("a number");
    said.headers_mut().insert("content-length", length);
    assert_eq!(anna.send(said).await.status, 413);
    // Said to be nothing, and going on for ever.
    let mut endless = upload(&kind, Vec::new());
    let ever = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0; 1 << 16]));
    *endless.body_mut() = Body::from_stream(ever);
    endless.headers_mut().remove("content-length");
    assert_eq!(anna.send(endless).await.status, 413);
    assert_eq!(shown(&anna).await, None);
    let near = photo(Format::Png, Size::square(600));
    assert!(near.len() < 2 << 20);
    assert_eq!(send(&anna, "image/png", &near).await.status, 303);
}

#[tokio::test]
async fn a_portrait_without_an_account_is_swept_and_no_other() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    send(&anna, "image/png", &small(Format::Png)).await;
    let shelf = &stage.studio.shelf;
    for orphan in [
        "portraits/por_01ARZ3NDEKTSV4RRFFQ69G5FAV.webp",
        "portraits/left.tmp",
    ] {
        shelf.put(orphan, vec![1]).await.expect("puts");
    }
    worker::take_over(&stage.studio).await.expect("takes over");
    let at = shown(&anna).await.expect("a portrait");
    let kept = shelf.keys("portraits").await.expect("lists");
    assert_eq!(kept.len(), 1);
    assert_eq!(anna.get(&at).await.status, 200);
}
