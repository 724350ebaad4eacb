//! A backup is taken and put back: what was kept is there again, and what was forgotten since is not.

use std::fs;
use std::path::PathBuf;

use db::testing::TestDatabase;
use db::{Db, on};
use domain::credits::Credits;
use domain::ids::{PersonId, PictureId};
use domain::picture::Format;
use domain::randomness::Randomness;
use domain::role::{Role, Scopes};
use studio::accounts::key::{self, NewKey};
use studio::credits::{self, ledger};
use studio::jobs::{self, State as JobState};
use studio::order::place;
use studio::privacy::backup::{self, BackupError, Content, KEYS_TAKEN_MS};
use studio::privacy::erasure::{self, AskedBy, Scope};
use studio::privacy::keys::{KekSource, Keys};
use studio::privacy::log::checkpoint::Checkpoint;
use studio::privacy::log::{self, audit};
use studio::{Studio, pictures};

use crate::erasure::{erase, ground, holdings, member, pictures_of, settled, traces};
use crate::stage::{Stage, form};
use crate::work;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const KEK: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Where backups are: not in the house.
struct Attic(tempfile::TempDir);

impl Attic {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    async fn house(&self, studio: &Studio, name: &str) -> PathBuf {
        let file = self.file(name);
        backup::take(studio, &file).await.expect("is taken");
        file
    }

    async fn keys(&self, studio: &Studio, name: &str) -> PathBuf {
        let file = self.file(name);
        let taken = backup::take_keys(studio, &file, KEYS_TAKEN_MS).await;
        taken.expect("is taken");
        file
    }
}

async fn file_of(studio: &Studio, person: PersonId, picture: &str) -> Option<Vec<u8>> {
    let id: PictureId = picture.parse().expect("an id");
    let picture = pictures::find(studio, person, id).await.expect("reads")?;
    let file = pictures::file(studio, &picture, pictures::Wanted::plain(Format::Png, None)).await;
    Some(file.expect("reads").bytes.to_vec())
}

async fn wrong(studio: &Studio, brought: &[Checkpoint]) -> Vec<String> {
    log::settle(studio).await.expect("settles");
    audit::read(studio, brought).await.expect("reads").wrong
}

/// Searches for who was erased again, as the running program does by itself.
async fn search_again(stage: &Stage) -> u32 {
    let mut tx = stage.studio.db.read().await.expect("reads");
    let open: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT id FROM erasure WHERE ended_ms IS NULL").fetch_all(conn).await
    })
    .expect("reads");
    drop(tx);
    for id in &open {
        let id = id.parse().expect("an id");
        let done = erasure::finish(&stage.studio, &ground(stage), id).await;
        assert!(done.expect("ends"));
    }
    let mut tx = stage.studio.db.read().await.expect("reads");
    let receipts: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT receipt FROM erasure WHERE asked_by = 'restoration'")
            .fetch_all(conn)
            .await
    })
    .expect("reads");
    for receipt in &receipts {
        assert!(receipt.contains("\"found\":[]"), "{receipt}");
    }
    u32::try_from(receipts.len()).expect("a few")
}

#[tokio::test]
async fn promise_x_07_a_backup_of_six_days_ago_brings_back_nobody_who_was_erased() {
    let stage = Stage::new().await;
    let (stop, working) = work(&stage);
    stage.painter.run_freely();
    let studio = &stage.studio;
    member(&stage, "op@example.org", Role::Operator).await;
    let anna = settled(&stage, "anna@example.org", "anna").await;
    let bert = settled(&stage, "bert@example.org", "bert").await;
    let carl = settled(&stage, "carl@example.org", "carl").await;
    let of_anna = pictures_of(&stage, anna).await;
    let of_bert = pictures_of(&stage, bert).await;
    let of_carl = pictures_of(&stage, carl).await;
    let mut kept = Vec::new();
    for picture in &of_bert[1..] {
        kept.push(file_of(studio, bert, picture).await.expect("is there"));
    }
    let attic = Attic::new();
    let file = attic.house(studio, "house").await;

    // Then somebody goes, somebody's orders go, a picture goes, and somebody comes.
    stage.studio.clock.advance_millis(DAY_MS);
    erase(&stage, anna, Scope::Account).await;
    erase(&stage, carl, Scope::History).await;
    let gone: PictureId = of_bert[0].parse().expect("an id");
    assert!(pictures::delete(studio, bert, gone).await.expect("deletes"));
    let dora = settled(&stage, "dora@example.org", "dora").await;
    let checkpoint = log::settle(studio).await.expect("settles").expect("one");
    let of_before = Checkpoint::open(&checkpoint, &studio.keys.public_key()).expect("is ours");
    stage.studio.clock.advance_millis(5 * DAY_MS);
    stop.now();
    working.await.expect("stops");

    let refused = backup::restore(studio, &file, false).await;
    assert!(matches!(refused, Err(BackupError::NotEmpty)));
    let restored = backup::restore(studio, &file, true)
        .await
        .expect("restores");

    let replayed = &restored.replayed;
    assert_eq!((replayed.people, replayed.orders), (1, 2), "{replayed:?}");
    assert_eq!(replayed.pictures, 1, "{replayed:?}");
    let ids: Vec<&str> = of_anna.iter().chain(&of_carl).map(String::as_str).collect();
    let words = [
        "anna@example.org",
        "mark-of-anna",
        "anna-username",
        &of_bert[0],
    ];
    for (table, rows) in holdings(&stage, anna).await {
        let stays = matches!(table, "entry" | "hold" | "erasure" | "erasure_mark");
        assert_eq!(rows > 0, stays, "{table}: {rows}");
    }
    assert_eq!(holdings(&stage, dora).await["account"], 0, "she came later");
    let files = studio.shelf.keys("pictures").await.expect("lists");
    for id in ids.iter().chain(&[of_bert[0].as_str()]) {
        assert!(!files.iter().any(|file| file.contains(id)), "{id}");
    }
    for (picture, before) in of_bert[1..].iter().zip(&kept) {
        let now = file_of(studio, bert, picture).await.expect("is there");
        assert!(now == *before, "byte for byte");
    }
    assert_eq!(file_of(studio, bert, &of_bert[0]).await, None);
    assert_eq!(search_again(&stage).await, 1);
    let left = traces(&stage, &[&words[..], &ids[..]].concat()).await;
    // SQLite's own log is cut by the search, and with it what the restoration wrote.
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(
        ledger::audit(studio).await.expect("reads"),
        Vec::<String>::new()
    );
    // The log was put back, says so, and is whole; what was given up is excused, and nothing else.
    assert_eq!(wrong(studio, &[of_before]).await, Vec::<String>::new());
    let found = audit::read(studio, &[]).await.expect("reads");
    assert_eq!(found.restorations.len(), 1);
    assert!(found.restorations[0].had > found.restorations[0].kept);
    let forged = Checkpoint {
        seconds: studio.clock.now().as_seconds() + 1,
        ..of_before
    };
    assert_ne!(wrong(studio, &[forged]).await, Vec::<String>::new());
}

#[tokio::test]
async fn promise_x_07_nothing_of_anybody_stands_in_a_backup_for_who_has_no_key() {
    let stage = Stage::new().await;
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    let studio = &stage.studio;
    let anna = settled(&stage, "anna@example.org", "anna").await;
    let attic = Attic::new();
    let mut marks = vec!["anna@example.org".to_owned(), "mark-of-anna".to_owned()];
    marks.extend(["anna-username".to_owned(), anna.to_string()]);
    marks.extend(pictures_of(&stage, anna).await);
    let keys = wrapped_keys(studio).await;
    assert!(keys.len() > 5);
    for file in [
        attic.house(studio, "house").await,
        attic.keys(studio, "keys").await,
    ] {
        let bytes = fs::read(&file).expect("reads");
        let holds = |text: &str| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        for mark in marks.iter().chain(&keys) {
            assert!(!holds(mark), "{mark} in {file:?}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&file).expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}

async fn wrapped_keys(studio: &Studio) -> Vec<String> {
    // A picture's key, as the key store has it, is in no backup of the house; in one of the keys it is sealed.
    let mut tx = studio.db.read().await.expect("reads");
    let orders: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar("SELECT id FROM job").fetch_all(conn).await
    })
    .expect("reads");
    drop(tx);
    let mut all = orders.clone();
    all.push(KEK.to_owned());
    all.extend(["person_key", "object_key", "house_key"].map(|name| format!("[\"{name}\"")));
    all
}

#[tokio::test]
async fn promise_sec_06_a_backup_of_which_a_byte_was_changed_is_refused() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    member(&stage, "op@example.org", Role::Operator).await;
    let attic = Attic::new();
    let house = attic.house(studio, "house").await;
    let keys = attic.keys(studio, "keys").await;
    let kek = KekSource::given(KEK).expect("a key");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let database = TestDatabase::on_sqlite(elsewhere.path());
    let store = database.open_keys().await.expect("opens");
    let chance = Randomness::seeded(20_260_101);
    for (file, trials) in [(&house, 120), (&keys, 120)] {
        let good = fs::read(file).expect("reads");
        let bent = attic.file("bent");
        // Every byte of the first line, of the manifest's first and last, and any others.
        let any = (0..trials).map(|_| (chance.next_u128() % good.len() as u128) as usize);
        let named = (0..20).chain(good.len() - 100..good.len());
        for at in any.chain(named) {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << (chance.next_u128() % 8);
            fs::write(&bent, bytes).expect("writes");
            let outcome = match file == &house {
                true => backup::restore(studio, &bent, true).await.map(|_| 0),
                false => backup::restore_keys(&store, &kek, &bent, studio.clock.now()).await,
            };
            assert!(outcome.is_err(), "byte {at} of {file:?}");
        }
        for length in [0, 10, 17, 400, good.len() - 1, good.len() + 1] {
            let mut bytes = good.clone();
            bytes.resize(length, b'\n');
            fs::write(&bent, bytes).expect("writes");
            let outcome = match file == &house {
                true => backup::restore(studio, &bent, true).await.map(|_| 0),
                false => backup::restore_keys(&store, &kek, &bent, studio.clock.now()).await,
            };
            assert!(outcome.is_err(), "{length} bytes of {file:?}");
        }
    }
    assert!(!backup::keys_are_there(&store).await.expect("reads"));
    assert_eq!(
        holdings_of_house(studio).await,
        (1, 0),
        "nothing was changed"
    );
    // Another house's is refused as well.
    let other = Stage::new().await;
    let refused = backup::restore(&other.studio, &house, true).await;
    assert!(matches!(refused, Err(BackupError::OtherHouse(_))));
    let refused = backup::restore(studio, &keys, true).await;
    assert!(matches!(refused, Err(BackupError::OfKeys(_))));
}

/// Accounts, and restorations.
async fn holdings_of_house(studio: &Studio) -> (i64, i64) {
    let mut tx = studio.db.read().await.expect("reads");
    on!(tx, conn => {
        sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM account), (SELECT COUNT(*) FROM restoration)",
        )
        .fetch_one(conn)
        .await
    })
    .expect("reads")
}

/// A house whose keys and rows are somewhere else now, as whoever lost everything opens it.
async fn moved(stage: &Stage, db: Db, store: Db) -> Studio {
    let kek = KekSource::given(KEK).expect("a key");
    let clock = stage.studio.clock.clone();
    let keys = Keys::open(&db, store, kek, &clock, &Randomness::system()).await;
    Studio {
        db,
        keys: keys.expect("opens"),
        shelf: outside::shelf::Shelf::memory(),
        ..stage.studio.clone()
    }
}

#[tokio::test]
async fn promise_x_07_a_house_that_was_lost_comes_back_from_its_two_backups() {
    let stage = Stage::new().await;
    let (stop, working) = work(&stage);
    stage.painter.run_freely();
    let studio = &stage.studio;
    let anna = settled(&stage, "anna@example.org", "anna").await;
    let bert = settled(&stage, "bert@example.org", "bert").await;
    let of_bert = pictures_of(&stage, bert).await;
    let before = file_of(studio, bert, &of_bert[1]).await.expect("is there");
    let attic = Attic::new();
    let house = attic.house(studio, "house").await;
    let keys = attic.keys(studio, "keys").await;
    assert_eq!(backup::content_of(&keys).expect("reads"), Content::Keys);
    stage.studio.clock.advance_millis(DAY_MS);
    let standing = erase(&stage, anna, Scope::Account).await;
    let receipt = standing.receipt.expect("signed");
    assert!(
        receipt.contains("\"backups_readable_until\":1"),
        "{receipt}"
    );
    assert!(receipt.contains("is taken until"), "{receipt}");
    let gone: PictureId = of_bert[0].parse().expect("an id");
    assert!(pictures::delete(studio, bert, gone).await.expect("deletes"));
    // A younger backup of the keys knows what was deleted, also when it has ended.
    let younger = attic.file("younger");
    let taken = backup::take_keys(studio, &younger, 1_000)
        .await
        .expect("is taken");
    assert!(taken.ends.expect("has an end") <= studio.clock.now().plus_millis(1_000));
    stop.now();
    working.await.expect("stops");
    stage.studio.clock.advance_millis(5 * DAY_MS);

    let elsewhere = tempfile::tempdir().expect("a folder");
    // Rows of Postgres are put back into SQLite, where there is a server, and back again in the end.
    let database = TestDatabase::on_sqlite(elsewhere.path());
    let kek = KekSource::given(KEK).expect("a key");
    let now = studio.clock.now();
    let store = database.open_keys().await.expect("opens");
    let ended = backup::restore_keys(&store, &kek, &younger, now).await;
    let says = ended.expect_err("has ended").to_string();
    assert!(says.contains("taken for seven days"), "{says}");
    let people = backup::restore_keys(&store, &kek, &keys, now).await;
    assert_eq!(people.expect("restores"), 3);
    let again = backup::restore_keys(&store, &kek, &keys, now).await;
    assert!(matches!(again, Err(BackupError::KeysThere)));

    let db = database.open().await.expect("opens");
    let moved = moved(&stage, db, store).await;
    // Keys alone are no house.
    let early = backup::finish(&moved).await;
    assert!(matches!(early, Err(BackupError::NobodyHere)));
    assert!(backup::bury(&moved, &younger).await.expect("reads") >= 2);
    let restored = backup::restore(&moved, &house, false)
        .await
        .expect("restores");
    assert_eq!(restored.replayed.people, 1, "{:?}", restored.replayed);
    assert_eq!(restored.replayed.pictures, 1, "{:?}", restored.replayed);
    assert_eq!(moved.keys.count_of(anna).await.expect("reads"), 0);
    assert_eq!(
        file_of(&moved, bert, &of_bert[1]).await.expect("is there"),
        before
    );
    assert_eq!(file_of(&moved, bert, &of_bert[0]).await, None);
    assert_eq!(wrong(&moved, &[]).await, Vec::<String>::new());
    assert_eq!(
        ledger::audit(&moved).await.expect("reads"),
        Vec::<String>::new()
    );
    assert_eq!(backup::finish(&moved).await.expect("is over"), None);

    let back = attic.house(&moved, "back").await;
    studio.clock.advance_millis(1_000);
    backup::restore(studio, &back, true)
        .await
        .expect("restores");
    let there_and_back = file_of(studio, bert, &of_bert[1]).await;
    assert_eq!(there_and_back.expect("is there"), before);
    assert_eq!(
        ledger::audit(studio).await.expect("reads"),
        Vec::<String>::new()
    );

    // Past its end, a backup of the keys opens nothing.
    studio.clock.advance_millis(DAY_MS);
    let late = tempfile::tempdir().expect("a folder");
    let late = TestDatabase::on_sqlite(late.path())
        .open_keys()
        .await
        .expect("opens");
    let refused = backup::restore_keys(&late, &kek, &keys, studio.clock.now()).await;
    assert!(matches!(refused, Err(BackupError::Ended { .. })));
}

#[tokio::test]
async fn what_was_under_way_is_voided_and_what_was_held_goes_back() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    member(&stage, "op@example.org", Role::Operator).await;
    let anna = member(&stage, "anna@example.org", Role::Person).await;
    let new = || NewKey {
        name: "a key".to_owned(),
        scopes: Scopes::of_role(Role::Person),
        limit_credits: None,
    };
    let lost = key::make(studio, anna, Role::Person, &new())
        .await
        .expect("made");
    let stays = key::make(studio, anna, Role::Person, &new())
        .await
        .expect("made");
    let job = place(studio, anna, form("never drawn"))
        .await
        .expect("accepted");
    let attic = Attic::new();
    let file = attic.house(studio, "house").await;
    let keys = key::list(studio, anna).await.expect("reads");
    let of_lost = keys
        .iter()
        .find(|key| lost.expose().starts_with(&key.beginning));
    key::revoke(studio, anna, of_lost.expect("listed").id)
        .await
        .expect("revokes");

    let restored = backup::restore(studio, &file, true)
        .await
        .expect("restores");
    assert_eq!(restored.replayed.orders_voided, 1);
    assert_eq!(
        restored.replayed.api_keys, 1,
        "the one that was revoked since"
    );
    let job = jobs::find(studio, anna, job.id)
        .await
        .expect("reads")
        .expect("there");
    assert_eq!(job.state, JobState::Cancelled);
    let balance = credits::balance(studio, anna)
        .await
        .expect("reads")
        .expect("metered");
    assert_eq!(balance.held, Credits::ZERO);
    assert_eq!(
        ledger::audit(studio).await.expect("reads"),
        Vec::<String>::new()
    );
    let keys = key::list(studio, anna).await.expect("reads");
    assert_eq!(keys.len(), 1, "revoked ones are not listed");
    assert!(stays.expose().starts_with(&keys[0].beginning));
}

/// Who turns the database back by hand, and writes into it that a backup was put back, is not believed.
#[tokio::test]
async fn promise_x_08_a_restoration_that_the_key_store_does_not_know_is_none() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    member(&stage, "op@example.org", Role::Operator).await;
    log::settle(studio).await.expect("settles");
    let mut tx = studio.db.write().await.expect("begins");
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO restoration (id, state, backup_id, backup_made_ms, begun_ms) \
             VALUES ('res_01ARZ3NDEKTSV4RRFFQ69G5FAV', 'replaying', 'bak', 0, 0)",
        )
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })
    .expect("writes");
    tx.commit().await.expect("commits");
    let refused = backup::finish(studio)
        .await
        .expect_err("is refused")
        .to_string();
    assert!(refused.contains("does not know"), "{refused}");
}

/// Broken off at any point where it waits for something, a restoration goes on with the next start.
#[tokio::test]
async fn promise_x_07_a_restoration_that_is_broken_off_goes_on() {
    let stage = Stage::new().await;
    let (stop, working) = work(&stage);
    stage.painter.run_freely();
    let studio = &stage.studio;
    let bert = settled(&stage, "bert@example.org", "bert").await;
    let mut gone = Vec::new();
    for name in ["anna", "carl"] {
        gone.push(settled(&stage, &format!("{name}@example.org"), name).await);
    }
    let attic = Attic::new();
    let file = attic.house(studio, "house").await;
    for person in &gone {
        let begun = erasure::ask(studio, *person, Scope::Account, AskedBy::Session).await;
        let id = begun.expect("begins").id;
        erasure::finish(studio, &ground(&stage), id)
            .await
            .expect("ends");
    }
    stop.now();
    working.await.expect("stops");
    let mut broken_off = 0;
    let mut allowed = 40;
    let mut is_done = false;
    while !is_done {
        let restoring = Box::pin(backup::restore(studio, &file, true));
        is_done = crate::erasure::polled(restoring, allowed).await.is_some();
        if !is_done {
            broken_off += 1;
            // The next start goes on, and is broken off as well.
            for more in 1..40 {
                let finishing = Box::pin(backup::finish(studio));
                let ended = crate::erasure::polled(finishing, more * 5).await;
                studio
                    .clock
                    .advance_millis(i64::from(studio.limits.lease_ms) + 1);
                if let Some(ended) = ended {
                    ended.expect("goes on");
                    break;
                }
            }
            backup::finish(studio).await.expect("goes on");
            allowed += 97;
            studio.clock.advance_millis(1_000);
        }
        let holds = holdings(&stage, bert).await;
        assert!(holds["picture"] > 0, "he is never lost");
    }
    assert!(broken_off > 3, "{broken_off}");
    for person in gone {
        assert_eq!(holdings(&stage, person).await["job"], 0);
    }
    assert_eq!(wrong(studio, &[]).await, Vec::<String>::new());
    assert_eq!(
        ledger::audit(studio).await.expect("reads"),
        Vec::<String>::new()
    );
}

/// While it is taken, people go on: what comes later is not in it, and nothing is half in it.
#[tokio::test]
async fn a_backup_is_of_one_moment_while_people_go_on() {
    let stage = Stage::new().await;
    let (stop, working) = work(&stage);
    stage.painter.run_freely();
    let studio = &stage.studio;
    let bert = settled(&stage, "bert@example.org", "bert").await;
    let attic = Attic::new();
    let busy = async {
        for round in 0..12 {
            let words = format!("apples of round {round} on a table");
            crate::erasure::drawn(&stage, bert, &words, 1).await;
        }
    };
    let taking = async {
        let mut files = Vec::new();
        for number in 0..4 {
            files.push(attic.house(studio, &format!("house-{number}")).await);
            tokio::task::yield_now().await;
        }
        files
    };
    let ((), files) = tokio::join!(busy, taking);
    stop.now();
    working.await.expect("stops");
    for file in files {
        studio.clock.advance_millis(1_000);
        backup::restore(studio, &file, true)
            .await
            .expect("restores");
        assert_eq!(
            ledger::audit(studio).await.expect("reads"),
            Vec::<String>::new()
        );
        assert_eq!(wrong(studio, &[]).await, Vec::<String>::new());
        for picture in pictures_of(&stage, bert).await {
            assert!(file_of(studio, bert, &picture).await.is_some());
        }
    }
}

#[tokio::test]
async fn a_backup_takes_nobodys_place_and_leaves_nothing_where_it_fails() {
    let stage = Stage::new().await;
    let attic = Attic::new();
    let file = attic.house(&stage.studio, "house").await;
    let refused = backup::take(&stage.studio, &file).await;
    assert!(matches!(refused, Err(BackupError::Exists(_))));
    let refused = backup::take(&stage.studio, &attic.file("no/such/folder")).await;
    assert!(matches!(refused, Err(BackupError::File { .. })));
    let left: Vec<_> = fs::read_dir(attic.0.path()).expect("reads").collect();
    assert_eq!(left.len(), 1);
}
