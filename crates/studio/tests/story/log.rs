//! The log that nobody can rewrite unseen, and that can forget.

use db::on;
use domain::ids::LogId;
use serde_json::json;
use sha2::{Digest, Sha256};
use studio::Studio;
use studio::privacy::log::checkpoint::{BadCheckpoint, Checkpoint};
use studio::privacy::log::tree::{self, Hash};
use studio::privacy::log::{self, Event, Kind, audit, proof};

use crate::stage::Stage;

async fn write(stage: &Stage, number: u32) -> LogId {
    let event = Event {
        kind: Kind::SignedIn,
        person: Some(stage.person),
        what: json!({ "number": number }),
    };
    let id = log::note_alone(&stage.studio, &event).await;
    id.expect("is logged")
}

async fn settled(studio: &Studio) -> Checkpoint {
    let note = log::settle(studio).await.expect("settles");
    let note = note.expect("something was logged");
    Checkpoint::open(&note, &studio.keys.public_key()).expect("is the house's")
}

/// Ten entries in three checkpoints; the second one is given.
async fn ten(stage: &Stage) -> Checkpoint {
    let mut second = None;
    for number in 0..10 {
        write(stage, number).await;
        if [2, 6, 9].contains(&number) {
            let checkpoint = settled(&stage.studio).await;
            if number == 6 {
                second = Some(checkpoint);
            }
        }
    }
    second.expect("the second")
}

async fn run(studio: &Studio, statement: &'static str) -> u64 {
    let mut tx = studio.db.write().await.expect("begins");
    let changed = on!(tx, conn => {
        sqlx::query(statement).execute(conn).await.map(|done| done.rows_affected())
    });
    tx.commit().await.expect("commits");
    changed.expect("runs")
}

async fn wrong(studio: &Studio, brought: &[Checkpoint]) -> Vec<String> {
    audit::read(studio, brought).await.expect("reads").wrong
}

fn unhex(text: &str) -> Hash {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    let bytes: Vec<u8> = (0..text.len()).step_by(2).map(byte).collect();
    bytes.try_into().expect("32 bytes")
}

#[tokio::test]
async fn promise_x_08_an_entry_is_proved_against_what_the_house_has_signed() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    let earlier = ten(&stage).await;
    let newest = settled(studio).await;
    assert_eq!((earlier.size, newest.size), (7, 10));
    let entries = log::of_person(studio, stage.person, None, 50).await;
    let entries = entries.expect("reads");
    assert_eq!(entries.len(), 10);
    for entry in entries {
        let proof = proof::inclusion(studio, stage.person, entry.id).await;
        let proof = proof.expect("reads").expect("has a place");
        let path: Vec<Hash> = proof.path.iter().map(|hash| unhex(hash)).collect();
        let leaf = tree::leaf_hash(proof.leaf.as_bytes());
        assert!(tree::includes(
            &newest.root,
            10,
            proof.position,
            leaf,
            &path
        ));
        let payload = proof.payload.expect("is not forgotten");
        let commitment = Sha256::digest(&payload);
        let leaf: serde_json::Value = serde_json::from_str(&proof.leaf).expect("JSON");
        assert_eq!(
            unhex(leaf["commitment"].as_str().expect("text")),
            commitment[..]
        );
        assert!(payload.contains("number"));
    }
    let growth = proof::growth(studio, 7, 10).await;
    let growth: Vec<String> = growth.expect("reads").expect("grew");
    let growth: Vec<Hash> = growth.iter().map(|hash| unhex(hash)).collect();
    assert!(tree::grew((7, &earlier.root), (10, &newest.root), &growth));
    assert_eq!(proof::growth(studio, 7, 11).await.expect("reads"), None);
    let somebody = domain::ids::PersonId::new(studio.clock.now(), &studio.randomness);
    let id = write(&stage, 11).await;
    let theirs = proof::inclusion(studio, somebody, id).await;
    assert!(theirs.expect("reads").is_none());
    assert!(wrong(studio, &[earlier, newest]).await.is_empty());
}

#[tokio::test]
async fn promise_x_08_whatever_is_changed_in_the_log_is_found() {
    for (what, statement) in [
        (
            "another kind",
            "UPDATE log_entry SET kind = 'taken_along' WHERE position = 4",
        ),
        (
            "another time",
            "UPDATE log_entry SET created_ms = created_ms + 1 WHERE position = 4",
        ),
        (
            "another's words",
            "UPDATE log_entry SET payload = (SELECT payload FROM log_entry WHERE position = 5) \
             WHERE position = 4",
        ),
        (
            "another's commitment",
            "UPDATE log_entry SET commitment = \
             (SELECT commitment FROM log_entry WHERE position = 5) WHERE position = 4",
        ),
        (
            "a hash",
            "UPDATE log_node SET hash = \
             (SELECT hash FROM log_node WHERE level = 0 AND number = 5) WHERE level = 0 AND number = 4",
        ),
        ("one taken out", "DELETE FROM log_entry WHERE position = 4"),
        (
            "the last taken out",
            "DELETE FROM log_entry WHERE position = 9",
        ),
        ("a shorter log", "UPDATE log_head SET size = 9"),
        (
            "another root",
            "UPDATE log_checkpoint SET root = \
             (SELECT root FROM log_checkpoint WHERE size = 3) WHERE size = 7",
        ),
        (
            "another's signature",
            "UPDATE log_checkpoint SET note = \
             (SELECT note FROM log_checkpoint WHERE size = 3) WHERE size = 7",
        ),
    ] {
        let stage = Stage::new().await;
        ten(&stage).await;
        assert!(wrong(&stage.studio, &[]).await.is_empty());
        assert_eq!(run(&stage.studio, statement).await, 1, "{what}");
        assert!(!wrong(&stage.studio, &[]).await.is_empty(), "{what}");
    }
}

/// Each entry agrees with its leaf, and only the signed root doesn't.
#[tokio::test]
async fn promise_x_08_entries_that_change_places_are_found() {
    let stage = Stage::new().await;
    ten(&stage).await;
    for statement in [
        "UPDATE log_entry SET position = 100 WHERE position = 4",
        "UPDATE log_entry SET position = 4 WHERE position = 5",
        "UPDATE log_entry SET position = 5 WHERE position = 100",
        "UPDATE log_node SET number = 100 WHERE level = 0 AND number = 4",
        "UPDATE log_node SET number = 4 WHERE level = 0 AND number = 5",
        "UPDATE log_node SET number = 5 WHERE level = 0 AND number = 100",
    ] {
        assert_eq!(run(&stage.studio, statement).await, 1, "{statement}");
    }
    let found = wrong(&stage.studio, &[]).await;
    assert!(!found.is_empty());
    assert!(
        found.iter().all(|one| one.contains("are not those of")),
        "{found:?}"
    );
}

/// Somebody who has the database, and knows how the log is built.
#[tokio::test]
async fn promise_x_08_a_log_that_was_turned_back_is_found() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    let kept = ten(&stage).await;
    for statement in [
        "DELETE FROM log_entry WHERE position >= 3",
        "DELETE FROM log_checkpoint WHERE size > 3",
        "DELETE FROM log_node WHERE level = 0 AND number >= 3",
        "DELETE FROM log_node WHERE level > 0 AND NOT (level = 1 AND number = 0)",
        "UPDATE log_head SET size = 3",
    ] {
        run(studio, statement).await;
    }
    let found = wrong(studio, &[]).await;
    assert_eq!(found.len(), 1, "the database agrees with itself: {found:?}");
    assert!(found[0].contains("turned back"), "{found:?}");
    // And with other entries in their place, signed by the house itself.
    for number in 100..120 {
        write(&stage, number).await;
    }
    settled(studio).await;
    let found = wrong(studio, &[]).await;
    assert!(found[0].contains("the key store remembers"), "{found:?}");
    let found = wrong(studio, &[kept]).await;
    assert!(found[0].contains("that was brought"), "{found:?}");
}

#[tokio::test]
async fn promise_x_08_what_is_forgotten_leaves_the_log_whole() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    let kept = ten(&stage).await;
    let forgotten = "UPDATE log_entry SET person_id = NULL, payload = NULL WHERE position < 8";
    assert_eq!(run(studio, forgotten).await, 8);
    let found = audit::read(studio, &[kept]).await.expect("reads");
    assert_eq!(found.wrong, Vec::<String>::new());
    assert_eq!(
        (found.leaves, found.forgotten, found.checkpoints),
        (10, 8, 3)
    );
    let left = log::of_person(studio, stage.person, None, 50).await;
    assert_eq!(left.expect("reads").len(), 2);
}

/// A checkpoint of another house, or one that was changed, proves nothing.
#[tokio::test]
async fn a_checkpoint_opens_under_its_own_key_alone() {
    let stage = Stage::new().await;
    ten(&stage).await;
    let note = log::newest(&stage.studio)
        .await
        .expect("reads")
        .expect("is there");
    let key = stage.studio.keys.public_key();
    let other = Stage::new().await.studio.keys.public_key();
    assert_ne!(key, other);
    assert!(Checkpoint::open(&note, &key).is_ok());
    assert_eq!(
        Checkpoint::open(&note, &other),
        Err(BadCheckpoint::OtherLog)
    );
    let grown = note.replacen("\n10\n", "\n11\n", 1);
    assert_ne!(grown, note);
    assert_eq!(Checkpoint::open(&grown, &key), Err(BadCheckpoint::Forged));
    for broken in ["", "x\n\ny", note.split_once("\n\n").expect("two parts").0] {
        assert_eq!(
            Checkpoint::open(broken, &key),
            Err(BadCheckpoint::Unreadable)
        );
    }
}

/// Several write, and several give places, at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_entry_gets_one_place_however_many_are_at_it() {
    let stage = Stage::new().await;
    let writers = (0..4_u32).map(|writer| {
        let (studio, person) = (stage.studio.clone(), stage.person);
        tokio::spawn(async move {
            for number in 0..25 {
                let event = Event {
                    kind: Kind::SignedIn,
                    person: Some(person),
                    what: json!({ "number": 100 * writer + number }),
                };
                log::note_alone(&studio, &event).await.expect("is logged");
                if number % 5 == 0 {
                    log::settle(&studio).await.expect("settles");
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("writes");
    }
    assert_eq!(settled(&stage.studio).await.size, 100);
    let found = audit::read(&stage.studio, &[]).await.expect("reads");
    assert_eq!((found.leaves, found.wrong), (100, Vec::new()));
}
