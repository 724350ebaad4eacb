//! Organisations: what is theirs is seen by who is in them, and by nobody else; and it is nobody's own.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use db::on;
use domain::credits::Credits;
use domain::ids::{GrantId, PersonId};
use studio::credits::{self, ledger};
use studio::organisations::{self, Role, inviting, members, tending};
use studio::privacy::log::{self, Kind};
use studio::{accounts, gallery, jobs};

use crate::browser::{Browser, PASSWORD, everything_kept, last_letter, person_of};
use crate::erasure::finished;
use crate::stage::{Answer, Events, Stage, borrowed, priced, request};

const ANNA: &str = "anna@example.org";
const BO: &str = "bo@example.org";
const NAME: &str = "Lighthouse & Sons";
const HERE: &str = "/account/organisations";
/// Far longer than it may take, so that a slow machine does not fail.
const PATIENCE: Duration = Duration::from_secs(20);

/// The id in the address of its page.
async fn found(browser: &Browser<'_>, name: &str) -> PersonId {
    let made = browser.submit(HERE, &[("name", name)]).await;
    assert_eq!(made.status, 303, "{}", made.text());
    let place = made.header("location");
    let id = place
        .strip_prefix("/account/organisations/")
        .expect("its page");
    id.parse().expect("an id")
}

/// The path of a fresh link into it.
async fn link(browser: &Browser<'_>, id: PersonId) -> String {
    let page = browser
        .submit(&format!("{HERE}/{id}"), &[("what", "invite")])
        .await;
    assert_eq!(page.status, 201, "{}", page.text());
    let page = page.text();
    let (_, rest) = page
        .split_once("<pre tabindex=\"0\"><code>")
        .expect("a link");
    let link = rest.split('<').next().expect("an end");
    let (_, path) = link.split_once("localhost:8080").expect("this house");
    path.to_owned()
}

async fn act(browser: &Browser<'_>, id: Option<PersonId>) -> Answer {
    let id = id.map_or_else(String::new, |id| id.to_string());
    browser
        .submit("/account/organisations/act", &[("organisation", &id)])
        .await
}

async fn order(browser: &Browser<'_>, prompt: &str) -> Answer {
    let studio = browser.get("/").await.text();
    let fields = priced(&studio, &[("prompt", prompt)]);
    browser.submit("/draw", &borrowed(&fields)).await
}

/// Orders and waits; gives the page of the picture.
async fn drawn(browser: &Browser<'_>, whose: PersonId, prompt: &str) -> String {
    let ordered = order(browser, prompt).await;
    assert_eq!(ordered.status, 303, "{}", ordered.text());
    let studio = &browser.stage.studio;
    let page = jobs::recent(studio, whose, None, 1).await.expect("reads");
    let job = page.items.first().expect("a job").id;
    let over = tokio::time::timeout(PATIENCE, jobs::wait(studio, whose, job)).await;
    let over = over.expect("it ends").expect("reads").expect("a job");
    assert_eq!(over.state, jobs::State::Done);
    let pictures = gallery::page(studio, whose, None, 1).await.expect("reads");
    format!("/pictures/{}", pictures.items[0].id)
}

/// Anna owns it, Bo is in it, and it has credits of Anna's.
async fn both<'a>(stage: &'a Stage) -> (Browser<'a>, Browser<'a>, PersonId) {
    Browser::new(stage).welcome("op@example.org").await;
    let (anna, bo) = (Browser::new(stage), Browser::new(stage));
    anna.sign_up(ANNA).await;
    bo.sign_up(BO).await;
    let id = found(&anna, NAME).await;
    let link = link(&anna, id).await;
    let door = bo.get(&link).await;
    assert_eq!(door.status, 200);
    assert!(
        door.text().contains("Come into Lighthouse &#38; Sons?"),
        "{}",
        door.text()
    );
    assert_eq!(
        bo.submit(&link, &[]).await.header("location"),
        format!("{HERE}/{id}")
    );
    give(&anna, id, "50", None).await;
    (anna, bo, id)
}

async fn give(browser: &Browser<'_>, id: PersonId, credits: &str, gift: Option<&str>) -> Answer {
    let mut fields = vec![("what", "give"), ("credits", credits)];
    fields.extend(gift.map(|gift| ("gift", gift)));
    browser.submit(&format!("{HERE}/{id}"), &fields).await
}

async fn has(stage: &Stage, whose: PersonId) -> i64 {
    let balance = credits::balance(&stage.studio, whose).await.expect("reads");
    balance.expect("metered").available.get()
}

/// What members draw for it is the organisation's: they see it while they act for it, pay with its credits, and find
/// nothing of it among their own. Who leaves keeps their own and has lost the rest with the next request.
#[tokio::test]
async fn promise_gov_04_who_leaves_an_organisation_keeps_their_own_and_loses_the_organisations() {
    let stage = Stage::free().await;
    let (anna, bo, id) = both(&stage).await;
    let bos = person_of(&stage, BO).await;
    let own = drawn(&bo, bos, "an own red apple").await;
    let before = has(&stage, bos).await;

    assert_eq!(act(&bo, Some(id)).await.header("location"), "/");
    let studio = bo.get("/").await.text();
    assert!(
        studio.contains("You draw for Lighthouse &#38; Sons."),
        "{studio}"
    );
    assert!(!studio.contains("an own red apple"));
    let shared = drawn(&bo, id, "a shared blue boat").await;
    assert_eq!(has(&stage, bos).await, before, "it pays itself");
    assert!(has(&stage, id).await < 50);
    assert_eq!(
        bo.get(&own).await.status,
        404,
        "one is either the one or the other"
    );
    let page = bo.get(&shared).await.text();
    assert!(
        page.contains("a shared blue boat") && !page.contains("/consent"),
        "it agrees to nothing"
    );
    let picture = shared
        .strip_prefix("/pictures/")
        .expect("a picture")
        .to_owned();
    let file = format!("/v1/pictures/{picture}/content");
    assert_eq!(bo.get(&file).await.status, 200);
    // What is a person's own stays a person's own meanwhile.
    assert!(bo.get("/account").await.text().contains(BO));

    act(&bo, None).await;
    assert_eq!(bo.get(&shared).await.status, 404);
    assert_eq!(bo.get(&own).await.status, 200);
    assert_eq!(
        anna.get(&shared).await.status,
        404,
        "nor is it its owner's own"
    );
    act(&anna, Some(id)).await;
    assert_eq!(anna.get(&shared).await.status, 200);

    act(&bo, Some(id)).await;
    let phone = Browser::with_cookies_of(&bo);
    let left = bo.submit(&format!("{HERE}/{id}/leave"), &[]).await;
    assert_eq!(left.header("location"), HERE);
    for browser in [&bo, &phone] {
        for path in [&shared, &file, &format!("{HERE}/{id}")] {
            assert_eq!(browser.get(path).await.status, 404, "{path}");
        }
        assert_eq!(browser.get(&own).await.status, 200);
    }
    assert_eq!(act(&bo, Some(id)).await.status, 404);
    assert_eq!(
        anna.get(&shared).await.status,
        200,
        "what was drawn for it stays"
    );
    let log = log::of_person(&stage.studio, bos, None, 50)
        .await
        .expect("reads");
    let kinds: Vec<Kind> = log.iter().map(|entry| entry.kind).collect();
    assert!(kinds.contains(&Kind::OrganisationJoined) && kinds.contains(&Kind::OrganisationLeft));
    assert!(
        ledger::audit(&stage.studio)
            .await
            .expect("reads")
            .is_empty()
    );
}

/// Somebody who is not in it, and a member who owns nothing, ask for each page and each change.
#[tokio::test]
async fn promise_gov_04_nobody_but_its_members_sees_an_organisation_and_only_owners_change_it() {
    let stage = Stage::free().await;
    let (anna, bo, id) = both(&stage).await;
    let eve = Browser::new(&stage);
    eve.sign_up("eve@example.org").await;
    let (annas, eves) = (
        person_of(&stage, ANNA).await,
        person_of(&stage, "eve@example.org").await,
    );
    let annas = annas.to_string();
    let home = format!("{HERE}/{id}");
    let changes: [(&str, &str); 7] = [
        ("invite", ""),
        ("take_back", ""),
        ("owner", &annas),
        ("member", &annas),
        ("take_out", &annas),
        ("rename", ""),
        ("give", ""),
    ];
    assert_eq!(eve.get(&home).await.status, 404);
    assert_eq!(act(&eve, Some(id)).await.status, 404);
    let links = inviting::list(&stage.studio, annas.parse().expect("an id"), id).await;
    assert!(links.expect("reads").is_empty(), "the only one was used");
    link(&anna, id).await;
    let open = inviting::list(&stage.studio, annas.parse().expect("an id"), id).await;
    let open = open.expect("reads")[0].id.to_string();
    let kept = everything_kept(&stage).await;
    assert!(!kept.contains("Lighthouse"), "its name is sealed");
    for (what, person) in changes {
        let fields = [
            ("what", what),
            ("person", person),
            ("name", "Mine"),
            ("credits", "1"),
            ("link", &open),
        ];
        assert_eq!(eve.submit(&home, &fields).await.status, 404, "{what}");
        if what != "give" {
            assert_eq!(bo.submit(&home, &fields).await.status, 403, "{what}");
        }
    }
    for path in ["leave", "delete", "export"] {
        let fields = [("typed", NAME)];
        let path = format!("{home}/{path}");
        assert_eq!(eve.submit(&path, &fields).await.status, 404, "{path}");
        if !path.ends_with("leave") {
            assert_eq!(bo.submit(&path, &fields).await.status, 403, "{path}");
        }
    }
    let page = bo.get(&home).await.text();
    assert!(
        page.contains(NAME.split(' ').next().expect("a word"))
            && !page.contains("Delete the organisation")
    );
    // A link is good once, and for seven days.
    let first = link(&anna, id).await;
    assert_eq!(bo.submit(&first, &[]).await.status, 409, "in it already");
    assert_eq!(eve.submit(&first, &[]).await.status, 303);
    let mallory = Browser::new(&stage);
    mallory.sign_up("mallory@example.org").await;
    assert_eq!(mallory.submit(&first, &[]).await.status, 404, "used");
    let late = link(&anna, id).await;
    stage.studio.clock.advance_millis(inviting::LASTS_MS);
    assert_eq!(mallory.submit(&late, &[]).await.status, 404, "over");
    // Who runs the last end of it stays; another owner makes it possible to go.
    assert_eq!(anna.submit(&format!("{home}/leave"), &[]).await.status, 409);
    let to_owner = [("what", "owner"), ("person", &eves.to_string())];
    assert_eq!(anna.submit(&home, &to_owner).await.status, 303);
    assert_eq!(
        eve.submit(&home, &[("what", "take_out"), ("person", &annas)])
            .await
            .status,
        409
    );
    assert_eq!(anna.submit(&format!("{home}/leave"), &[]).await.status, 303);
    assert_eq!(
        eve.submit(&home, &[("what", "rename"), ("name", "Eve Ltd")])
            .await
            .status,
        303
    );
    assert!(bo.get(&home).await.text().contains("Eve Ltd"));
}

/// An answer that goes on ends when its member is out, and one's own goes on.
#[tokio::test]
async fn promise_gov_04_what_a_member_follows_ends_when_they_are_taken_out() {
    let stage = Stage::halted().await;
    let (anna, bo, id) = both(&stage).await;
    act(&bo, Some(id)).await;
    assert_eq!(order(&bo, "a shared blue boat").await.status, 303);
    let job = jobs::recent(&stage.studio, id, None, 1)
        .await
        .expect("reads");
    let job = job.items[0].id;
    let follow = |browser: &Browser<'_>| -> Request<Body> {
        let pairs: Vec<String> = browser
            .cookies
            .borrow()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let asked = request(Method::GET, &format!("/v1/jobs/events?ids={job}"));
        asked
            .header("cookie", pairs.join("; "))
            .body(Body::empty())
            .expect("a request")
    };
    act(&anna, Some(id)).await;
    let mut bos = Events::of(stage.open(follow(&bo)).await);
    let mut annas = Events::of(stage.open(follow(&anna)).await);
    assert_eq!(bos.next().await.expect("an event").0, "progress");
    assert_eq!(annas.next().await.expect("an event").0, "progress");
    let who = person_of(&stage, BO).await.to_string();
    let out = [("what", "take_out"), ("person", who.as_str())];
    assert_eq!(anna.submit(&format!("{HERE}/{id}"), &out).await.status, 303);
    let rest = tokio::time::timeout(PATIENCE, bos.rest())
        .await
        .expect("it ends");
    assert!(rest.iter().all(|(name, _)| name != "end"), "{rest:?}");
    stage.allow_steps(1_000);
    let rest = tokio::time::timeout(PATIENCE, annas.rest())
        .await
        .expect("it ends");
    assert_eq!(rest.last().expect("an end").0, "end", "hers goes on");
}

/// Credits that are handed on are neither made nor lost, keep their end, and go once.
#[tokio::test]
async fn promise_gov_04_credits_that_a_member_gives_add_up_and_keep_their_end() {
    let stage = Stage::free().await;
    let (anna, _, id) = both(&stage).await;
    let annas = person_of(&stage, ANNA).await;
    let before = has(&stage, annas).await + has(&stage, id).await;
    let gift = GrantId::new(stage.studio.clock.now(), &stage.studio.randomness).to_string();
    for _ in 0..2 {
        assert_eq!(give(&anna, id, "20", Some(&gift)).await.status, 303);
    }
    assert_eq!(has(&stage, id).await, 70);
    assert_eq!(has(&stage, annas).await + has(&stage, id).await, before);
    for (credits, status) in [("0", 400), ("-5", 400), ("many", 400), ("1000000", 409)] {
        assert_eq!(
            give(&anna, id, credits, None).await.status,
            status,
            "{credits}"
        );
    }
    assert_eq!(has(&stage, id).await, 70);
    let ends = |grants: Vec<credits::grants::Grant>| {
        grants.iter().map(|grant| grant.ends).collect::<Vec<_>>()
    };
    let hers = credits::grants::open_grants(&stage.studio, annas)
        .await
        .expect("reads");
    let its = credits::grants::open_grants(&stage.studio, id)
        .await
        .expect("reads");
    let hers = ends(hers);
    assert!(ends(its).iter().all(|end| hers.contains(end)));
    let statement = anna.get("/credits").await.text();
    assert!(
        statement.contains("Given to an organisation"),
        "{statement}"
    );
    act(&anna, Some(id)).await;
    assert!(anna.get("/credits").await.text().contains("From a member"));
    assert!(
        ledger::audit(&stage.studio)
            .await
            .expect("reads")
            .is_empty()
    );
    let house = ledger::house(&stage.studio).await.expect("reads");
    let sum = [
        house.available,
        house.held,
        house.issued,
        house.revenue,
        house.expired,
    ];
    assert_eq!(
        sum.iter().map(|part| part.get()).sum::<i64>(),
        0,
        "{house:?}"
    );
    // From someone who is not in it, nothing goes in.
    let op = person_of(&stage, "op@example.org").await;
    let gift = GrantId::new(stage.studio.clock.now(), &stage.studio.randomness);
    let given = organisations::give_credits(&stage.studio, op, id, gift, Credits::new(1)).await;
    assert!(given.is_err());
}

/// The archive has what is the organisation's, and nothing of its members.
#[tokio::test]
async fn promise_gov_04_an_organisation_is_taken_along_and_deleted_apart_from_its_members() {
    let stage = Stage::free().await;
    let (anna, bo, id) = both(&stage).await;
    let bos = person_of(&stage, BO).await;
    let own = drawn(&bo, bos, "an own red apple").await;
    act(&bo, Some(id)).await;
    drawn(&bo, id, "a shared blue boat").await;
    let home = format!("{HERE}/{id}");
    let made = anna.submit(&format!("{home}/export"), &[]).await;
    assert_eq!(made.status, 303, "{}", made.text());
    let place = made.header("location").to_owned();
    assert_eq!(bo.get(&place).await.status, 403);
    let archive = anna.get(&place).await;
    let files = crate::gallery::unpacked(&archive);
    let all: String = files
        .iter()
        .map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
        .collect();
    assert!(all.contains("a shared blue boat") && all.contains("Lighthouse"));
    for foreign in [ANNA, BO, "an own red apple", &bos.to_string()] {
        assert!(!all.contains(foreign), "{foreign}");
    }

    let slip = anna
        .submit(&format!("{home}/delete"), &[("typed", "lighthouse")])
        .await;
    assert_eq!(slip.status, 400);
    let asked = anna
        .submit(&format!("{home}/delete"), &[("typed", NAME)])
        .await;
    assert_eq!(asked.status, 303, "{}", asked.text());
    assert_eq!(bo.get("/").await.status, 200, "for himself again");
    assert!(!bo.get("/").await.text().contains("a shared blue boat"));
    let standing = finished(&stage, asked.header("location")).await;
    let found = standing.done.scan.expect("searched");
    assert!(found.residue.is_empty(), "{found:?}");
    assert_eq!(anna.get(&home).await.status, 404);
    assert_eq!(bo.get(&own).await.status, 200, "his own stays");
    assert!(
        ledger::audit(&stage.studio)
            .await
            .expect("reads")
            .is_empty()
    );
    let gone = stage.studio.keys.of(id).await;
    assert!(gone.is_err(), "its key is gone");
}

/// Whoever owned it alone is erased without being asked for it: who was in it longest owns it then, and without anybody
/// it goes.
#[tokio::test]
async fn promise_gov_04_an_organisation_outlives_its_owner_and_not_its_last_member() {
    let stage = Stage::free().await;
    let (anna, bo, id) = both(&stage).await;
    let bos = person_of(&stage, BO).await;
    let go = [("what", "account"), ("typed", "delete my account")];
    let asked = anna.submit("/account/delete", &go).await;
    finished(&stage, asked.header("location")).await;
    assert_eq!(tending::tend(&stage.studio).await.expect("looks"), 1);
    assert_eq!(
        tending::tend(&stage.studio).await.expect("looks"),
        0,
        "once"
    );
    let one = organisations::find(&stage.studio, bos, id)
        .await
        .expect("reads");
    assert_eq!(one.expect("in it").role, Role::Owner);
    let alone = members::leave(&stage.studio, bos, id).await;
    assert!(matches!(
        alone,
        Err(organisations::OrganisationError::LastMember)
    ));
    let asked = bo.submit("/account/delete", &go).await;
    finished(&stage, asked.header("location")).await;
    assert_eq!(tending::tend(&stage.studio).await.expect("looks"), 1);
    assert_eq!(
        tending::tend(&stage.studio).await.expect("looks"),
        0,
        "once"
    );
    let mut tx = stage.studio.db.read().await.expect("reads");
    let open: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT asked_by FROM erasure WHERE person_id = $1 AND ended_ms IS NULL")
            .bind(id.to_string())
            .fetch_all(conn)
            .await
    })
    .expect("reads");
    assert_eq!(open, ["empty"]);
}

/// The one local person of a house that gets its first account is that one, and no organisation.
#[tokio::test]
async fn an_organisation_is_never_taken_for_the_local_person() {
    let stage = Stage::free().await;
    let local = accounts::local_person(&stage.studio).await.expect("there");
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let id = found(&anna, NAME).await;
    let after = accounts::local_person(&stage.studio).await.expect("there");
    assert_ne!(after, id);
    assert!(after == local || after != person_of(&stage, ANNA).await);
    // Forgotten passwords and letters are people's.
    anna.submit("/reset", &[("address", ANNA)]).await;
    last_letter(&stage, ANNA).await;
    assert_eq!(anna.sign_in(ANNA, PASSWORD).await.status, 303);
}
