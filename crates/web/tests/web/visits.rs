//! How much the house is used: counted without cookies, told in crowds, and nothing kept of anybody.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use axum::body::Body;
use axum::http::{Method, header};
use domain::role::Role;
use sha2::{Digest, Sha256};
use studio::accounts::person;
use studio::visits::{self, Cell, Kind, NONE, OTHER};

use crate::browser::{Browser, PASSWORD, everything_kept, person_of};
use crate::stage::{Answer, Stage, request};

const HOUSE: &str = "http://localhost:8080";
const ANNA: &str = "anna@example.org";
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const PHONE: &str = "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36";

/// A page as a browser asks for it.
async fn see(browser: &Browser<'_>, path: &str, more: &[(&str, &str)]) -> Answer {
    let mut asked = request(Method::GET, path);
    if more.iter().all(|(name, _)| *name != "user-agent") {
        asked = asked.header("user-agent", FIREFOX);
    }
    for (name, value) in more {
        asked = asked.header(*name, *value);
    }
    browser
        .send(asked.body(Body::empty()).expect("a request"))
        .await
}

/// Visitors with these numbers, each from an address of their own.
async fn crowd(stage: &Stage, numbers: std::ops::Range<u32>, path: &str, more: &[(&str, &str)]) {
    for number in numbers {
        let visitor = Browser::new(stage);
        visitor.comes_from(number);
        let seen = see(&visitor, path, more).await;
        assert_eq!(seen.status, 200, "{path}");
        assert!(seen.headers.get(header::SET_COOKIE).is_none());
    }
}

/// The day goes by, and what was counted on it is written.
async fn over(stage: &Stage) {
    stage.studio.clock.advance_millis(DAY_MS);
    let written = visits::publish(&stage.studio, &stage.visits).await;
    written.expect("is written");
}

/// What is told of yesterday.
async fn told(stage: &Stage, kind: Kind) -> Vec<(String, Cell)> {
    let yesterday = stage.studio.clock.now().plus_millis(-DAY_MS);
    let report = visits::report(&stage.studio, yesterday, yesterday).await;
    report.expect("reads").of(kind).to_vec()
}

async fn visitors(stage: &Stage) -> u64 {
    told(stage, Kind::Visits)
        .await
        .first()
        .map_or(0, |(_, cell)| cell.people)
}

fn cells(names: &[(&str, u64, u64)]) -> Vec<(String, Cell)> {
    let cell = |(name, times, people): &(&str, u64, u64)| {
        let (times, people) = (*times, *people);
        ((*name).to_owned(), Cell { times, people })
    };
    names.iter().map(cell).collect()
}

#[tokio::test]
async fn promise_use_03_visits_are_told_in_crowds_and_nothing_is_kept_of_visitors() {
    let stage = Stage::public(HOUSE).await;
    let operator = Browser::new(&stage);
    operator.welcome("op@example.org").await;
    let from_news = [("referer", "https://news.example.org/a/zqstory?of=somebody")];
    crowd(&stage, 0..12, "/about", &from_news).await;
    crowd(&stage, 0..12, "/privacy", &[]).await;
    // Few of a kind: one host, one browser, one page.
    crowd(
        &stage,
        20..23,
        "/sign-in?next=%2Fzqsecret",
        &[("user-agent", PHONE)],
    )
    .await;
    crowd(
        &stage,
        30..31,
        "/about",
        &[("referer", "https://home-of-anna.example.org/")],
    )
    .await;
    over(&stage).await;
    let day = Cell {
        times: 28,
        people: 16,
    };
    assert_eq!(told(&stage, Kind::Visits).await, [(NONE.to_owned(), day)]);
    // The page of the three is told with the next smallest, and visitors of pages in tens.
    let pages = cells(&[("/about", 13, 10), (OTHER, 15, 10)]);
    assert_eq!(told(&stage, Kind::Page).await, pages);
    assert_eq!(told(&stage, Kind::Source).await, cells(&[(OTHER, 16, 16)]));
    assert_eq!(told(&stage, Kind::Browser).await, cells(&[(OTHER, 16, 16)]));
    assert_eq!(told(&stage, Kind::Country).await, cells(&[(NONE, 16, 16)]));
    let kept = everything_kept(&stage).await;
    for trace in [
        "100.64.0",
        "Gecko",
        "Pixel",
        "news.example",
        "home-of-anna",
        "zqsecret",
        "zqstory",
    ] {
        assert!(!kept.contains(trace), "{trace}");
    }
    assert!(kept.contains("/about"));
}

#[tokio::test]
async fn promise_use_03_where_ten_came_from_a_site_its_host_is_told_and_no_more_of_it() {
    let stage = Stage::behind_proxy(HOUSE, "x-country").await;
    let visit = async |number: u32, country: &str, referrer: &str| {
        let from = format!("203.0.113.9, 198.51.100.{number}");
        let more = [
            ("x-forwarded-for", from.as_str()),
            ("x-country", country),
            ("referer", referrer),
        ];
        see(&Browser::new(&stage), "/about", &more).await
    };
    for number in 0..11 {
        visit(
            number,
            "de",
            "https://www.news.example.org/a/zqstory?of=somebody",
        )
        .await;
    }
    for number in 100..110 {
        visit(
            number,
            "not a country",
            "http://localhost:8080/pictures/pic_1",
        )
        .await;
    }
    over(&stage).await;
    let sources = cells(&[("news.example.org", 11, 11), (NONE, 10, 10)]);
    assert_eq!(told(&stage, Kind::Source).await, sources);
    let countries = cells(&[("DE", 11, 11), (NONE, 10, 10)]);
    assert_eq!(told(&stage, Kind::Country).await, countries);
    let kept = everything_kept(&stage).await;
    assert!(kept.contains("news.example.org"));
    assert!(!kept.contains("198.51.100") && !kept.contains("zqstory"));
}

#[tokio::test]
async fn promise_use_05_who_sends_the_signal_leaves_no_row() {
    let stage = Stage::public(HOUSE).await;
    let signal = [("sec-gpc", "1")];
    for path in [
        "/about", "/privacy", "/sign-in", "/sign-up", "/trust", "/docs",
    ] {
        crowd(&stage, 0..15, path, &signal).await;
    }
    over(&stage).await;
    assert_eq!(visitors(&stage).await, 0);
    let all = visits::close(&stage.studio, &stage.visits).await;
    assert_eq!(all.expect("is written"), 0);
    // The same journey without it is counted.
    crowd(&stage, 0..15, "/about", &[]).await;
    over(&stage).await;
    assert_eq!(visitors(&stage).await, 15);
}

#[tokio::test]
async fn promise_use_05_who_objects_is_not_counted_from_the_next_page_on() {
    let stage = Stage::public(HOUSE).await;
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.comes_from(77);
    anna.sign_up(ANNA).await;
    let objects = async |what: &[(&str, &str)]| {
        let set = anna.submit("/account/objections", what).await;
        assert_eq!(set.status, 303, "{}", set.text());
    };
    let counted = async || {
        crowd(&stage, 0..10, "/about", &[]).await;
        assert_eq!(see(&anna, "/pictures", &[]).await.status, 200);
        over(&stage).await;
        visitors(&stage).await
    };
    assert_eq!(counted().await, 11);
    objects(&[("purpose", "analytics")]).await;
    assert_eq!(counted().await, 10);
    let page = see(&anna, "/account/objections", &[]).await.text();
    assert!(page.contains("You are not counted."), "{page}");
    let listed = anna.get("/account/requests").await.text();
    assert!(
        !listed.contains("count how much"),
        "nothing is to be weighed"
    );
    objects(&[("purpose", "analytics"), ("do", "withdraw")]).await;
    assert_eq!(counted().await, 11);
    // Who is restricted is not counted either.
    assert_eq!(
        anna.submit("/account/restriction", &[("do", "set"), ("sure", "1")])
            .await
            .status,
        303
    );
    assert_eq!(counted().await, 10);
}

#[tokio::test]
async fn programs_prefetching_and_whoever_runs_the_house_alone_are_not_counted() {
    let stage = Stage::public(HOUSE).await;
    for not in [
        ("user-agent", "curl/8.5.0"),
        (
            "user-agent",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        ),
        ("sec-purpose", "prefetch"),
        ("authorization", "Bearer nothing"),
    ] {
        crowd(&stage, 0..12, "/about", &[not]).await;
    }
    // It is not looked who asks for these.
    crowd(&stage, 0..12, "/privacy.txt", &[]).await;
    crowd(&stage, 0..12, "/privacy/request", &[]).await;
    let written = visits::close(&stage.studio, &stage.visits).await;
    assert_eq!(written.expect("is written"), 0);
    let solo = Stage::free().await;
    for number in 0..12 {
        let browser = Browser::new(&solo);
        browser.comes_from(number);
        assert_eq!(see(&browser, "/about", &[]).await.status, 200);
    }
    let written = visits::close(&solo.studio, &solo.visits).await;
    assert_eq!(written.expect("is written"), 0);
}

/// The database is taken, with everything that the program said, and 1,000 pairs of address and browser are
/// tried by who knows how they are hashed, and even with which number.
#[tokio::test]
async fn promise_use_03_of_a_thousand_guesses_none_is_found_in_the_database() {
    let stage = Stage::public(HOUSE).await;
    crowd(&stage, 0..40, "/about", &[]).await;
    over(&stage).await;
    let kept = everything_kept(&stage).await;
    assert!(kept.contains("/about"));
    let salts: [&[u8]; 4] = [&[0; 32], b"", b"2027-01-15", HOUSE.as_bytes()];
    let found = |kept: &str| {
        // Every beginning of a hash that stands anywhere.
        let beginnings: HashSet<&[u8]> = kept.as_bytes().windows(BEGINNING).collect();
        let is_found = |number: &u32| {
            let address = Ipv4Addr::from_bits(0x6440_0000 + number);
            salts.iter().any(|salt| {
                let mut forms = forms_of(salt, address).into_iter();
                forms.any(|form| beginnings.contains(&form.as_bytes()[..BEGINNING]))
            })
        };
        (0..1_000).filter(is_found).collect::<Vec<u32>>()
    };
    assert!(found(&kept).is_empty());
    assert!(!kept.contains("100.64.0."));
    // A house that kept a hash would be found out.
    let somebody = Ipv4Addr::from_bits(0x6440_0000 + 7);
    let careless = format!("{kept} {}", forms_of(salts[2], somebody)[1]);
    assert_eq!(found(&careless), [7_u32]);
}

/// Characters of a hash that nobody else's has, by chance.
const BEGINNING: usize = 12;

/// Ways in which a hash of somebody could stand somewhere.
fn forms_of(salt: &[u8], address: Ipv4Addr) -> Vec<String> {
    let mut forms = Vec::new();
    for joined in [
        format!("{address}{FIREFOX}"),
        format!("{address}|{FIREFOX}"),
        address.to_string(),
    ] {
        let digest = Sha256::new()
            .chain_update(salt)
            .chain_update(joined)
            .finalize();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        forms.push(hex);
    }
    forms
}

/// Signs up, in and out of the account, and asks in a letter, with a mark in what the browser says.
#[tokio::test]
async fn promise_use_02_of_a_browser_its_family_is_kept_and_of_its_address_nothing() {
    let stage = Stage::public(HOUSE).await;
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.comes_from(77);
    let agent = FIREFOX.replace("X11;", "X11; mark-of-anna;");
    anna.says(&agent);
    anna.sign_up(ANNA).await;
    let elsewhere = Browser::new(&stage);
    elsewhere.comes_from(78);
    elsewhere.says(&agent);
    assert_eq!(elsewhere.sign_in(ANNA, "a wrong guess").await.status, 401);
    assert_eq!(elsewhere.sign_in(ANNA, PASSWORD).await.status, 303);
    let page = anna.get("/account/sessions").await.text();
    assert_eq!(
        page.matches("<strong>Firefox on Linux").count(),
        2,
        "{page}"
    );
    let kept = everything_kept(&stage).await;
    assert!(kept.contains("Firefox on Linux"));
    for trace in ["mark-of-anna", "Gecko", "100.64.0.77", "100.64.0.78"] {
        assert!(!kept.contains(trace), "{trace}");
    }
}

#[tokio::test]
async fn operators_see_numbers_and_plots_of_days_that_are_over() {
    let stage = Stage::public(HOUSE).await;
    let operator = Browser::new(&stage);
    operator.welcome("op@example.org").await;
    let empty = operator.get("/desk/visits").await.text();
    assert!(empty.contains("Nothing is told of these days"), "{empty}");
    crowd(&stage, 0..12, "/about", &[]).await;
    crowd(&stage, 0..12, "/privacy", &[]).await;
    let today = operator
        .get("/desk/visits?from=2027-01-15&until=2027-01-15")
        .await;
    assert!(today.text().contains("Nothing is told of these days"));
    over(&stage).await;
    let page = operator.get("/desk/visits").await.text();
    assert!(page.contains("17 Dec 2026 to 15 Jan 2027"), "{page}");
    for told in [
        "12 in all, at most 12 a day",
        "24 in all, at most 24 a day",
        "<span>/about</span>",
        "fewer than 10",
        "role=\"img\"",
        "15 Jan 2027",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains("<script"));
    for wrong in [
        "?from=2027-01-16&until=2027-01-15",
        "?from=x&until=2027-01-15",
        "?from=2027-01-01",
    ] {
        let answer = operator.get(&format!("/desk/visits{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(answer.text().contains("range-wrong"));
    }
    for role in Role::ALL {
        let address = format!("{role}@example.org");
        let somebody = Browser::new(&stage);
        somebody.sign_up(&address).await;
        let id = person_of(&stage, &address).await;
        person::set_role(&stage.studio, id, role)
            .await
            .expect("sets");
        assert_eq!(somebody.sign_in(&address, PASSWORD).await.status, 303);
        let status = if role == Role::Operator { 200 } else { 403 };
        assert_eq!(somebody.get("/desk/visits").await.status, status, "{role}");
    }
}
