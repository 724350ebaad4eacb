//! A house that is the witness of another one's log, and one that has a witness.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use db::on;
use domain::recipient::{Register, Role, Stated};
use outside::witness::Witness;
use serde_json::json;
use studio::Studio;
use studio::privacy::log::checkpoint::log_key;
use studio::privacy::log::note::{KeyKind, VerifierKey};
use studio::privacy::log::witness::asking::{self, Named, Trouble};
use studio::privacy::log::witness::watching::{self, Refusal, Watched};
use studio::privacy::log::{self, Event, Kind, proof};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::stage::Stage;

/// Logs so many entries, and gives the log's size and its newest checkpoint.
async fn grown(stage: &Stage, many: u32) -> (u64, String) {
    for number in 0..many {
        let event = Event {
            kind: Kind::SignedIn,
            person: Some(stage.person),
            what: json!({ "number": number }),
        };
        log::note_alone(&stage.studio, &event)
            .await
            .expect("is logged");
    }
    let note = log::settle(&stage.studio).await.expect("settles");
    let note = note.expect("something was logged");
    let size = note.lines().nth(1).expect("a size");
    (size.parse().expect("a number"), note)
}

/// What is sent to a witness: the log of `later` leaves grew out of that of `earlier`.
async fn body(studio: &Studio, earlier: u64, (later, note): &(u64, String)) -> String {
    let mut body = format!("old {earlier}\n");
    if earlier > 0 {
        let path = proof::growth(studio, earlier, *later).await;
        for hash in path.expect("reads").expect("grew") {
            let byte = |at| u8::from_str_radix(&hash[at..at + 2], 16).expect("hexadecimal");
            let bytes: Vec<u8> = (0..hash.len()).step_by(2).map(byte).collect();
            body += &BASE64.encode(bytes);
            body.push('\n');
        }
    }
    format!("{body}\n{note}")
}

#[tokio::test]
async fn promise_x_08_a_witness_signs_no_other_past() {
    let (house, other) = (Stage::new().await, Stage::new().await);
    let key = log_key(house.studio.keys.public_key());
    let watched = Watched::of(vec![key]).expect("a log");
    let show = async |earlier: u64, of: &(u64, String)| {
        let body = body(&house.studio, earlier, of).await;
        watching::add(&other.studio, &watched, &body).await
    };
    let first = grown(&house, 5).await;
    let line = show(0, &first).await.expect("is signed");
    assert!(line.starts_with("\u{2014} pinhole-witness-"), "{line}");
    let second = grown(&house, 8).await;
    assert!(matches!(show(0, &second).await, Err(Refusal::Knows(5))));
    show(5, &second).await.expect("is signed");
    // The log is turned back, and written anew, longer than it was.
    let mut tx = house.studio.db.write().await.expect("begins");
    for statement in [
        "DELETE FROM log_entry WHERE position >= 5",
        "DELETE FROM log_checkpoint WHERE size > 5",
        "DELETE FROM log_node",
        "UPDATE log_entry SET position = NULL",
        "UPDATE log_head SET size = 0",
        "DELETE FROM log_checkpoint",
    ] {
        on!(tx, conn => sqlx::query(statement).execute(conn).await.map(|_| ())).expect("runs");
    }
    tx.commit().await.expect("commits");
    let again = grown(&house, 20).await;
    assert!(again.0 > second.0);
    assert!(matches!(show(0, &again).await, Err(Refusal::Knows(13))));
    assert!(matches!(show(13, &again).await, Err(Refusal::Forked)));
    let nobody = Watched::default();
    let body = body(&house.studio, 0, &again).await;
    let unknown = watching::add(&other.studio, &nobody, &body).await;
    assert!(matches!(unknown, Err(Refusal::Unknown)));
}

/// A witness that answers once, with this status and text, after `first` is done.
async fn answers(listener: &TcpListener, first: impl Future<Output = (u16, String)>) {
    let (mut asker, _) = listener.accept().await.expect("is asked");
    let mut asked = Vec::new();
    // Its signature ends a note; what else is sent has no such line.
    while !(asked.ends_with(b"\n") && String::from_utf8_lossy(&asked).contains("\n\u{2014} ")) {
        let read = asker.read_buf(&mut asked).await.expect("reads");
        assert!(read > 0, "the question breaks off");
    }
    let (status, text) = first.await;
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 {status} So\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{text}"
    );
    asker.write_all(answer.as_bytes()).await.expect("answers");
}

/// The name of the witness, and what the house has of it.
struct Watching {
    stage: Stage,
    listener: TcpListener,
    named: Named,
}

impl Watching {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let address = format!("http://{}", listener.local_addr().expect("has one"));
        let register = Register::new([(Role::Witness, address, Stated::default())]);
        let recipient = register.find(Role::Witness).expect("it was put there");
        let key = VerifierKey {
            name: "watcher.example".to_owned(),
            kind: KeyKind::Witness,
            public: [7; 32],
        };
        let witness = Witness::open(recipient).expect("is reached here");
        let named = Named::new(key, witness).expect("a witness");
        asking::declare(&stage.studio, std::slice::from_ref(&named))
            .await
            .expect("is written down");
        Self {
            stage,
            listener,
            named,
        }
    }

    /// What the house holds of the witness after that answer.
    async fn after(&self, answer: impl Future<Output = (u16, String)>) -> Option<Trouble> {
        let asked = asking::ask(&self.stage.studio, &self.named, true);
        let (asked, ()) = tokio::join!(asked, answers(&self.listener, answer));
        asked.expect("the house writes down what it said");
        let said = asking::all(&self.stage.studio).await.expect("reads");
        said.first().expect("it is asked").trouble
    }
}

#[tokio::test]
async fn promise_x_08_who_cannot_be_reached_any_more_has_taken_nothing_back() {
    let watching = Watching::new().await;
    grown(&watching.stage, 3).await;
    let says = async |status: u16| watching.after(async { (status, String::new()) }).await;
    assert_eq!(says(503).await, Some(Trouble::Silent));
    assert_eq!(says(404).await, Some(Trouble::Unknown));
    assert_eq!(says(422).await, Some(Trouble::Forked));
    assert_eq!(says(503).await, Some(Trouble::Forked));
    assert_eq!(says(404).await, Some(Trouble::Forked));
}

#[tokio::test]
async fn promise_x_08_what_another_process_showed_it_meanwhile_is_no_other_past() {
    let watching = Watching::new().await;
    grown(&watching.stage, 3).await;
    let meanwhile = async {
        let (size, _) = grown(&watching.stage, 3).await;
        (409, format!("{size}\n"))
    };
    assert_eq!(Box::pin(watching.after(meanwhile)).await, None);
    // More than the log has is another past.
    let more = async { (409, "7000\n".to_owned()) };
    assert_eq!(watching.after(more).await, Some(Trouble::Forked));
}
