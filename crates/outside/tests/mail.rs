//! Mail, against a server of a few lines.

use domain::personal::Address;
use domain::recipient::{Recipient, Register, Role, Stated};
use outside::mail::{BadPost, MailError, Post, Sheet};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const SHEET: Sheet<'static> = Sheet {
    number: None,
    subject: "A new browser signed in",
    text: "Plain words, and ü.",
    html: "<p>Simple words</p>",
    leave: None,
};

/// Takes one letter, or refuses its recipient with `verdict`; gives what was said to it.
async fn server(verdict: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("smtp://{}", listener.local_addr().expect("an address"));
    let said = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut said = String::new();
        write.write_all(b"220 ready\r\n").await.expect("writes");
        let mut in_data = false;
        while let Ok(Some(line)) = lines.next_line().await {
            said += &format!("{line}\n");
            let answer = match line.split(' ').next().unwrap_or("") {
                "." if in_data => {
                    in_data = false;
                    "250 taken"
                }
                _ if in_data => continue,
                "RCPT" => verdict,
                "DATA" => {
                    in_data = true;
                    "354 go on"
                }
                "QUIT" => "221 bye",
                _ => "250 fine",
            };
            write
                .write_all(format!("{answer}\r\n").as_bytes())
                .await
                .expect("writes");
            if line == "QUIT" {
                break;
            }
        }
        said
    });
    (url, said)
}

fn registered(role: Role, address: &str) -> Recipient {
    let register = Register::new([(role, address.to_owned(), Stated::default())]);
    register.find(role).cloned().expect("registered")
}

fn anna() -> Address {
    Address::new("anna@example.org").expect("an address")
}

#[tokio::test]
async fn a_letter_goes_as_plain_text_and_as_html() {
    let (url, said) = server("250 fine").await;
    let post = Post::open(
        &registered(Role::Mail, &url),
        "Pinhole <pictures@example.org>",
    )
    .expect("opens");
    assert_eq!(post.send(&anna(), SHEET).await, Ok(()));
    drop(post);
    let said = said.await.expect("ends");
    for expected in [
        "MAIL FROM:<pictures@example.org>",
        "RCPT TO:<anna@example.org>",
        "Subject: A new browser signed in",
        "multipart/alternative",
        "text/plain",
        "<p>Simple words</p>",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_a_delay_is_not() {
    for (verdict, expected) in [
        (
            "550 nobody here called anna@example.org",
            MailError::Refused,
        ),
        ("451 busy", MailError::Later),
    ] {
        let (url, _said) = server(verdict).await;
        let post =
            Post::open(&registered(Role::Mail, &url), "pictures@example.org").expect("opens");
        let error = post.send(&anna(), SHEET).await.expect_err("refused");
        assert_eq!(error, expected);
        assert!(!error.to_string().contains("anna"));
    }
    assert!(MailError::Refused.is_final() && !MailError::Later.is_final());
    let post = Post::open(
        &registered(Role::Mail, "smtp://127.0.0.1:1"),
        "pictures@example.org",
    )
    .expect("opens");
    assert_eq!(post.send(&anna(), SHEET).await, Err(MailError::Unreachable));
}

#[test]
fn what_is_no_server_is_said_at_the_start() {
    let bad = |server, from| {
        let server = registered(Role::Mail, server);
        Post::open(&server, from).expect_err("bad")
    };
    assert_eq!(bad("mail.example.org", "a@example.org"), BadPost::Server);
    assert_eq!(bad("smtp://127.0.0.1", "nobody"), BadPost::From);
}
