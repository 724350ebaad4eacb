//! The key store, with more than one who uses it.

use std::time::{Duration, Instant};

use domain::ids::JobId;
use futures::future::join_all;
use studio::privacy::inventory::Purpose;
use studio::privacy::keys::{KeyError, Place, Reading, verify};

use crate::stage::{Stage, keys_of};

const PLACE: Place = Place::new("job", "prompt");
const READING: Reading = PLACE.read_for(Purpose::Drawing);

/// So long another process may use what it remembers, and some more for a busy machine.
const AT_MOST: Duration = Duration::from_secs(20);

#[tokio::test]
async fn promise_gen_02_what_one_process_shreds_the_others_use_no_more() {
    let stage = Stage::new().await;
    let here = &stage.studio.keys;
    let there = keys_of(&stage.database, &stage.studio.db).await;
    let person = stage.somebody().await;
    let job = JobId::new(stage.studio.clock.now(), &stage.studio.randomness);
    let keys = here.make_job(person, job, 2).await.expect("makes");
    let sealed = keys
        .words()
        .expect("a key")
        .seal(PLACE, "row", "a red apple");
    // The other one remembers all of them by now.
    let words = there.job(job).await.expect("reads").words().expect("a key");
    let opened = words.open(READING, "row", sealed.as_str()).expect("opens");
    assert_eq!(opened.expose(), "a red apple");
    assert!(there.of(person).await.is_ok());

    // Words and two pictures, and the person's own.
    assert_eq!(here.count_of(person).await.expect("counts"), 4);
    assert_eq!(here.shred_person(person).await.expect("shreds"), 4);
    assert_eq!(here.count_of(person).await.expect("counts"), 0);
    assert!(matches!(here.of(person).await, Err(KeyError::Gone(_))));
    assert!(matches!(here.job(job).await, Err(KeyError::Gone(_))));
    // At once, nobody makes a new key for that person, whatever they remember.
    let another = JobId::new(stage.studio.clock.now(), &stage.studio.randomness);
    let refused = there.make_job(person, another, 1).await;
    assert!(matches!(refused, Err(KeyError::Gone(_))), "{refused:?}");
    let began = Instant::now();
    while there.of(person).await.is_ok() || there.job(job).await.is_ok() {
        assert!(began.elapsed() < AT_MOST, "it still uses what was shredded");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn orders_of_one_moment_each_get_their_keys_and_keep_them() {
    const ORDERS: usize = 300;
    let stage = Stage::new().await;
    let keys = &stage.studio.keys;
    let jobs: Vec<JobId> = (0..ORDERS)
        .map(|_| JobId::new(stage.studio.clock.now(), &stage.studio.randomness))
        .collect();
    let makings = jobs.iter().map(|job| keys.make_job(stage.person, *job, 1));
    let made = join_all(makings).await;
    // What is told to be made is there for who starts after this process.
    let later = keys_of(&stage.database, &stage.studio.db).await;
    for (job, made) in jobs.iter().zip(made) {
        let cipher = made.expect("makes").picture(0).expect("a key");
        let sealed = cipher.seal(PLACE, "row", "a red apple");
        let read = later.job(*job).await.expect("reads");
        let opened = read
            .picture(0)
            .expect("a key")
            .open(READING, "row", sealed.as_str());
        assert_eq!(opened.expect("opens").expose(), "a red apple");
        assert!(read.picture(1).is_err() && read.words().is_ok());
    }
}

#[tokio::test]
async fn promise_gen_02_of_two_who_shred_pictures_of_one_order_neither_puts_a_key_back() {
    const PICTURES: u32 = 10;
    let stage = Stage::new().await;
    let here = &stage.studio.keys;
    let there = keys_of(&stage.database, &stage.studio.db).await;
    let job = JobId::new(stage.studio.clock.now(), &stage.studio.randomness);
    here.make_job(stage.person, job, PICTURES)
        .await
        .expect("makes");
    let before = here.count_of(stage.person).await.expect("counts");
    let id = job.to_string();
    let shreddings = (1..=PICTURES as usize).map(|slot| {
        let (by, id) = (if slot % 2 == 0 { here } else { &there }, &id);
        async move { by.shred_slot(id, slot).await.expect("shreds") }
    });
    let shredded: u64 = join_all(shreddings).await.into_iter().sum();
    assert_eq!(shredded, u64::from(PICTURES));
    let after = here.count_of(stage.person).await.expect("counts");
    assert_eq!(before - after, u64::from(PICTURES));
    // Once is enough.
    assert_eq!(here.shred_slot(&id, 1).await.expect("shreds"), 0);
    let later = keys_of(&stage.database, &stage.studio.db).await;
    let kept = later.job(job).await.expect("reads");
    assert!(kept.words().is_ok(), "its words stay");
    assert!((0..PICTURES).all(|ordinal| kept.picture(ordinal).is_err()));
}

#[tokio::test]
async fn the_house_signs_and_looks_up_with_the_same_keys_after_a_restart() {
    let stage = Stage::new().await;
    let keys = &stage.studio.keys;
    let address = keys.blind("address", "anna@example.org");
    assert_ne!(address, keys.blind("username", "anna@example.org"));
    assert_ne!(address, keys.blind("address", "bo@example.org"));
    let signature = keys.sign(b"a receipt");
    let again = keys_of(&stage.database, &stage.studio.db).await;
    assert_eq!(address, again.blind("address", "anna@example.org"));
    assert!(verify(&again.public_key(), b"a receipt", &signature));
    assert!(!verify(&again.public_key(), b"another receipt", &signature));
    // Another house finds nothing of this one, and signs nothing in its name.
    let other = Stage::new().await.studio.keys;
    assert_ne!(address, other.blind("address", "anna@example.org"));
    assert!(!verify(&other.public_key(), b"a receipt", &signature));
}
