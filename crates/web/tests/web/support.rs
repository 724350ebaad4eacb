//! Help: who may write, who reads it, and how long it is kept.

use domain::clock::Moment;
use domain::picture::{Format, Size};
use domain::role::Role;
use studio::accounts::person;
use studio::letters::Letter;
use studio::privacy::inventory::Purpose;
use studio::privacy::retention;
use studio::support;

use crate::browser::{Browser, PASSWORD, everything_kept, last_letter, letters_to, person_of};
use crate::erasure::finished;
use crate::portraits::{photo, upload_to};
use crate::privacy::texts;
use crate::stage::{Answer, Stage};

const ANNA: &str = "anna@example.org";
const GUEST: &str = "guest@example.org";
const OPERATOR: &str = "op@example.org";
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const BOUNDARY: &str = "----a-boundary";

async fn house(stage: &Stage) -> Browser<'_> {
    let operator = Browser::new(stage);
    operator.welcome(OPERATOR).await;
    operator
}

fn question<'a>(subject: &'a str, words: &'a str) -> [(&'a str, &'a str); 3] {
    [("about", "credits"), ("subject", subject), ("words", words)]
}

/// Writes as somebody with an account; gives the page of the ticket.
async fn write(browser: &Browser<'_>, subject: &str, words: &str) -> String {
    browser.stage.studio.clock.advance_millis(1);
    let sent = browser.submit("/support", &question(subject, words)).await;
    assert_eq!(sent.status, 303, "{}", sent.text());
    sent.header("location").to_owned()
}

/// Fills the form without an account; gives the link of the letter.
async fn link_for(stage: &Stage, address: &str, words: &str) -> String {
    let visitor = Browser::new(stage);
    let mut fields = question("where are my credits", words).to_vec();
    fields.push(("address", address));
    let sent = visitor.submit("/support", &fields).await;
    assert_eq!(sent.status, 200, "{}", sent.text());
    assert!(sent.text().contains("Look into your mailbox"));
    let Letter::TicketConfirm { token } = last_letter(stage, address).await else {
        panic!("no letter to {address}");
    };
    format!("/support/confirm/{token}")
}

/// A form with pictures.
async fn send_files(
    browser: &Browser<'_>,
    path: &str,
    fields: &[(&str, &str)],
    files: &[Vec<u8>],
) -> Answer {
    browser.stage.studio.clock.advance_millis(1);
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        body.extend(part.as_bytes());
    }
    for file in files {
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"mark-name.png\"\r\n\
             content-type: image/png\r\n\r\n"
        );
        body.extend(head.as_bytes());
        body.extend(file);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    browser.send(upload_to(path, &kind, body)).await
}

async fn rows(stage: &Stage, table: &str) -> usize {
    let all = texts(&stage.studio).await;
    let mut of_table = all.iter().filter(|(name, ..)| *name == table);
    of_table.next().map_or(0, |(.., values)| values.len())
}

/// The number of the ticket in the address of its page.
fn desk_of(page: &str) -> String {
    let reference = page.strip_prefix("/support/").expect("a ticket");
    let id = reference.split('.').next().expect("a number");
    format!("/desk/support/{id}")
}

#[tokio::test]
async fn promise_com_01_who_has_no_account_writes_by_the_mailbox_and_reads_the_answer() {
    let stage = Stage::free().await;
    let operator = house(&stage).await;
    operator.on_duty(Role::Operator).await;
    let visitor = Browser::new(&stage);
    let form = visitor.get("/support").await.text();
    assert!(
        form.contains("You need no account") && !form.contains("<script"),
        "{form}"
    );
    assert!(visitor.get("/").await.text().contains("href=\"/support\""));

    // Written by anybody: there is no ticket, and the letter says what was tried.
    let link = link_for(&stage, GUEST, "mark-words").await;
    assert_eq!(rows(&stage, "ticket").await, 0);
    let forged = format!("/support/confirm/{}", "x".repeat(43));
    assert_eq!(visitor.submit(&forged, &[]).await.status, 410);
    assert!(visitor.get(&link).await.text().contains("mark-words"));
    let made = visitor.submit(&link, &[]).await;
    let page = made.header("location").to_owned();
    assert_eq!(visitor.submit(&link, &[]).await.status, 410, "used up");
    assert!(visitor.get(&page).await.text().contains("mark-words"));
    let Letter::TicketOpened { reference } = last_letter(&stage, GUEST).await else {
        panic!("nobody was told where it is");
    };
    assert_eq!(format!("/support/{reference}"), page);
    // Nobody guesses the address of another's.
    let bare = page.split('.').next().expect("a number");
    assert_eq!(visitor.get(bare).await.status, 404);
    let guessed = format!("{bare}.{}", "0".repeat(64));
    assert_eq!(visitor.get(&guessed).await.status, 404);
    assert_eq!(
        visitor.submit(&guessed, &[("do", "close")]).await.status,
        404
    );

    // Whoever answers is told once, however many wait.
    let Letter::TicketArrived { .. } = last_letter(&stage, OPERATOR).await else {
        panic!("nobody was told that somebody waits");
    };
    let told = letters_to(&stage, OPERATOR).await.len();
    let other = link_for(&stage, "second@example.org", "another").await;
    visitor.submit(&other, &[]).await;
    assert_eq!(letters_to(&stage, OPERATOR).await.len(), told);

    let list = operator.get("/desk/support").await.text();
    assert!(
        list.contains("where are my credits") && !list.contains(GUEST),
        "{list}"
    );
    let desk = desk_of(&page);
    let shown = operator.get(&desk).await.text();
    assert!(
        shown.contains("mark-words") && shown.contains(GUEST),
        "{shown}"
    );
    stage.studio.clock.advance_millis(1);
    let answered = operator.submit(
        &desk,
        &[("words", "They are <b>there</b>."), ("do", "answer")],
    );
    assert_eq!(answered.await.status, 303);
    let Letter::TicketAnswered { text, .. } = last_letter(&stage, GUEST).await else {
        panic!("the answer did not go out");
    };
    assert_eq!(text, "They are <b>there</b>.");
    let shown = visitor.get(&page).await.text();
    assert!(
        shown.contains("They are &#60;b&#62;there") && shown.contains("answered"),
        "{shown}"
    );

    stage.studio.clock.advance_millis(1);
    assert_eq!(
        visitor
            .submit(&page, &[("words", "Now I see them.")])
            .await
            .status,
        303
    );
    let shown = operator.get(&desk).await.text();
    assert!(shown.contains("Now I see them."), "{shown}");
    let closed = operator.submit(&desk, &[("words", "Good."), ("do", "close")]);
    assert_eq!(closed.await.status, 303);
    let letter = last_letter(&stage, GUEST).await;
    assert!(matches!(letter, Letter::TicketClosed { .. }), "{letter:?}");
    assert_eq!(
        visitor.submit(&page, &[("words", "More.")]).await.status,
        409
    );
    assert_eq!(
        operator.submit(&desk, &[("words", "More.")]).await.status,
        409
    );
}

#[tokio::test]
async fn promise_com_01_a_ticket_is_sealed_and_read_by_who_answers_on_duty_alone() {
    let stage = Stage::free().await;
    let operator = house(&stage).await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let page = write(&anna, "mark-subject", "mark-words").await;
    let desk = desk_of(&page);
    for kept in ["mark-subject", "mark-words"] {
        assert!(
            !everything_kept(&stage).await.contains(kept),
            "{kept} lies open"
        );
    }
    assert!(anna.get("/support").await.text().contains("mark-subject"));
    // With an account, the address of the page is enough as well: it came in a letter to its mailbox.
    assert!(
        Browser::new(&stage)
            .get(&page)
            .await
            .text()
            .contains("mark-words")
    );

    for role in Role::ALL {
        let address = format!("{role}@example.org");
        let somebody = Browser::new(&stage);
        somebody.sign_up(&address).await;
        let id = person_of(&stage, &address).await;
        if role != Role::Person {
            person::set_role(&stage.studio, id, role)
                .await
                .expect("sets");
            assert_eq!(somebody.sign_in(&address, PASSWORD).await.status, 303);
        }
        let reads = Purpose::Support.readers().contains(&role);
        assert_eq!(reads, matches!(role, Role::Support | Role::Operator));
        for at in ["/desk/support", desk.as_str()] {
            let off = somebody.get(at).await;
            assert_eq!(off.status, 403, "{role} at {at}");
            for hidden in ["mark-subject", "mark-words"] {
                assert!(!off.text().contains(hidden), "{role} at {at}");
            }
        }
        if reads {
            somebody.on_duty(role).await;
            assert!(
                somebody
                    .get("/desk/support")
                    .await
                    .text()
                    .contains("mark-subject")
            );
            assert!(somebody.get(&desk).await.text().contains("mark-words"));
        } else {
            let answer = somebody
                .submit(&desk, &[("words", "I am the support.")])
                .await;
            assert_eq!(answer.status, 403, "{role} answers");
        }
    }
    let looks = anna.get("/account/log?show=looks").await.text();
    assert!(
        looks.contains("Each message between you and the support"),
        "{looks}"
    );
    assert!(
        looks.contains("Read to help you where you ask for it."),
        "{looks}"
    );
    drop(operator);
}

#[tokio::test]
async fn promise_com_01_pictures_tell_nothing_but_what_they_show_and_go_when_it_is_closed() {
    let stage = Stage::free().await;
    let operator = house(&stage).await;
    operator.on_duty(Role::Operator).await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let size = Size {
        width: 90,
        height: 60,
    };
    let plain = photo(Format::Png, size);
    let noted = imaging::with_note(&plain, Format::Png, size, "<x>mark-place</x>").expect("a note");
    let fields = question("it looks odd", "See the picture.");
    let sent = send_files(&anna, "/support", &fields, &[noted, plain]).await;
    assert_eq!(sent.status, 303, "{}", sent.text());
    let page = sent.header("location").to_owned();
    let shown = anna.get(&page).await.text();
    let files: Vec<&str> = shown.split("<img src=\"").skip(1).collect();
    assert_eq!(files.len(), 2, "{shown}");
    let at = files[0].split('"').next().expect("an address");
    let got = anna.get(at).await;
    assert_eq!(got.header("content-type"), "image/jpeg");
    assert_eq!(got.header("cache-control"), "no-store");
    assert_eq!(imaging::decode(&got.body).expect("a picture").size(), size);
    assert!(!got.body.windows(9).any(|bytes| bytes == b"mark-plac"));
    let of_desk = at.replacen(&page, &desk_of(&page), 1);
    assert_eq!(operator.get(&of_desk).await.body, got.body);
    let kept = texts(&stage.studio).await;
    assert!(
        !kept
            .iter()
            .any(|(.., values)| values.iter().any(|text| text.contains("mark-name")))
    );
    // Beside another ticket, its number is worth nothing.
    let other = write(&anna, "another", "nothing").await;
    let elsewhere = at.replacen(&page, &other, 1);
    assert_eq!(anna.get(&elsewhere).await.status, 404);

    assert_eq!(rows(&stage, "ticket_file").await, 2);
    let closed = anna.submit(&page, &[("do", "close")]).await;
    assert_eq!(closed.status, 303, "{}", closed.text());
    assert_eq!(rows(&stage, "ticket_file").await, 0);
    assert_eq!(anna.get(at).await.status, 404);
    assert_eq!(operator.get(&of_desk).await.status, 404);
    assert!(anna.get(&page).await.text().contains("See the picture."));
}

#[tokio::test]
async fn promise_com_01_what_is_answered_closes_by_itself_and_goes_a_year_later() {
    let stage = Stage::free().await;
    let studio = &stage.studio;
    let operator = house(&stage).await;
    operator.on_duty(Role::Operator).await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let answered = write(&anna, "first", "Please.").await;
    let waits = write(&anna, "second", "Please.").await;
    let desk = desk_of(&answered);
    assert_eq!(
        operator.submit(&desk, &[("words", "Done.")]).await.status,
        303
    );
    let said = studio.clock.now();
    let until = |days: i64, more: i64| {
        let then = Moment::from_millis(said.as_millis() + days * DAY_MS + more);
        studio
            .clock
            .advance_millis(then.as_millis() - studio.clock.now().as_millis());
    };
    until(14, -1);
    assert_eq!(support::close_silent(studio).await.expect("looks"), 0);
    until(14, 0);
    assert_eq!(support::close_silent(studio).await.expect("closes"), 1);
    assert_eq!(support::close_silent(studio).await.expect("looks"), 0);
    assert!(anna.get(&answered).await.text().contains("closed"));
    assert!(anna.get(&waits).await.text().contains("waits for us"));
    until(14 + 365, -1);
    retention::sweep(studio).await.expect("sweeps");
    assert_eq!(
        (
            rows(&stage, "ticket").await,
            rows(&stage, "ticket_message").await
        ),
        (2, 3)
    );
    until(14 + 365, 0);
    assert!(retention::overdue(studio).await.expect("counts") >= 1);
    retention::sweep(studio).await.expect("sweeps");
    assert_eq!(
        (
            rows(&stage, "ticket").await,
            rows(&stage, "ticket_message").await
        ),
        (1, 1)
    );
    assert_eq!(anna.get(&answered).await.status, 404);
    assert_eq!(anna.get(&waits).await.status, 200, "nobody answered it yet");
}

#[tokio::test]
async fn promise_com_01_an_erased_account_leaves_no_ticket_not_even_from_before_it() {
    let stage = Stage::free().await;
    let _operator = house(&stage).await;
    let visitor = Browser::new(&stage);
    let link = link_for(&stage, ANNA, "mark-before").await;
    visitor.submit(&link, &[]).await;
    let other = link_for(&stage, GUEST, "mark-other").await;
    visitor.submit(&other, &[]).await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let size = Size {
        width: 9,
        height: 9,
    };
    let fields = question("mark-subject", "mark-words");
    send_files(&anna, "/support", &fields, &[photo(Format::Png, size)]).await;
    assert_eq!(
        (
            rows(&stage, "ticket").await,
            rows(&stage, "ticket_file").await
        ),
        (3, 1)
    );

    let proof = [("password", PASSWORD), ("next", "/account/delete")];
    anna.submit("/account/confirm", &proof).await;
    let sure = [("what", "account"), ("typed", "delete my account")];
    let begun = anna.submit("/account/delete", &sure).await;
    assert_eq!(begun.status, 303, "{}", begun.text());
    finished(&stage, begun.header("location")).await;
    assert_eq!(
        (
            rows(&stage, "ticket").await,
            rows(&stage, "ticket_file").await
        ),
        (1, 0)
    );
    let left = texts(&stage.studio).await;
    let left: Vec<String> = left.into_iter().flat_map(|(.., values)| values).collect();
    assert!(left.iter().any(|text| text == "mark-other"));
    assert!(
        !left
            .iter()
            .any(|text| ["mark-before", "mark-subject", "mark-words"].contains(&text.as_str()))
    );
}

#[tokio::test]
async fn bad_input_is_told_on_the_form_and_nothing_written_is_lost() {
    let stage = Stage::free().await;
    let _operator = house(&stage).await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let long = "x".repeat(151);
    let words = "x".repeat(10_001);
    let bad = [
        (question(" ", "my long story"), "on one line"),
        (question(&long, "my long story"), "on one line"),
        (question("two\nlines", "my long story"), "on one line"),
        (question("my story", "\u{3000}"), "Write your message"),
        (question("my story", &words), "Write your message"),
    ];
    for (fields, says) in bad {
        let refused = anna.submit("/support", &fields).await;
        assert_eq!(refused.status, 400);
        let page = refused.text();
        assert!(page.contains(says), "{says}: {page}");
        assert!(
            page.contains("my long story") || page.contains("value=\"my story\""),
            "{page}"
        );
    }
    let size = Size {
        width: 9,
        height: 9,
    };
    let picture = photo(Format::Png, size);
    let fields = question("a subject", "my long story");
    for (files, says) in [
        (
            vec![b"GIF89a".to_vec()],
            "is not a PNG, JPEG or WebP picture",
        ),
        (vec![picture[..40].to_vec()], "is damaged"),
        (vec![picture.clone(); 4], "3 pictures can go with a message"),
        (
            vec![picture.clone(); 40],
            "3 pictures can go with a message",
        ),
    ] {
        let refused = send_files(&anna, "/support", &fields, &files).await;
        assert_eq!(refused.status, 400, "{says}");
        let page = refused.text();
        assert!(
            page.contains(says) && page.contains("my long story"),
            "{says}: {page}"
        );
    }
    let large = send_files(&anna, "/support", &fields, &[vec![0; 7 << 20]]).await;
    assert_eq!(large.status, 413);
    assert!(large.text().contains("6 MiB"), "{}", large.text());
    assert_eq!(rows(&stage, "ticket").await, 0);

    // Closed at once or not: each of them tells whoever answers.
    for number in 0..10 {
        let page = write(&anna, "again", "and again").await;
        if number > 0 {
            anna.submit(&page, &[("do", "close")]).await;
        }
    }
    let refused = anna
        .submit("/support", &question("again", "the eleventh"))
        .await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("10 tickets of yours are open"),
        "{}",
        refused.text()
    );
    stage.studio.clock.advance_millis(DAY_MS);
    write(&anna, "again", "the day after").await;
    let visitor = Browser::new(&stage);
    let mut fields = question("my story", "my long story").to_vec();
    fields.push(("address", "nobody"));
    let refused = visitor.submit("/support", &fields).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("my long story"));
}
