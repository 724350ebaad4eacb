//! Random operations, compared with [`Books`], and the rules of the ledger after every
//! batch.

use domain::clock::Moment;
use domain::ids::{JobId, PersonId};
use domain::randomness::Randomness;
use studio::credits::{self, Held, grants, ledger};

use crate::books::Books;
use crate::desk::Desk;

const PEOPLE: usize = 20;
/// Operations of one transaction.
const BATCH: u32 = 500;

struct Dice(Randomness);

impl Dice {
    fn below(&self, end: u32) -> u32 {
        self.0.next_u32() % end
    }

    fn one_of<T: Copy>(&self, all: &[T]) -> T {
        all[self.below(u32::try_from(all.len()).expect("few")) as usize]
    }
}

async fn run(seed: u64, operations: u32) {
    let desk = Desk::new().await;
    let dice = Dice(Randomness::seeded(seed));
    let mut people = Vec::new();
    for _ in 0..PEOPLE {
        people.push(desk.person().await);
    }
    let mut books = Books::default();
    let mut jobs: Vec<(PersonId, JobId)> = Vec::new();
    let mut done = 0;
    while done < operations {
        let before = (books.clone(), jobs.clone());
        let mut tx = desk.write().await;
        for _ in 0..BATCH.min(operations - done) {
            step(&desk, &dice, &people, &mut books, &mut jobs, &mut tx).await;
            done += 1;
        }
        // A tenth of all transactions never happened.
        if dice.below(10) == 0 {
            drop(tx);
            (books, jobs) = before;
        } else {
            tx.commit().await.expect("commits");
        }
        if dice.below(4) == 0 {
            grants::expire_all(&desk.studio).await.expect("works");
        }
        compare_purses(&desk, &mut books).await;
        // Looking at every entry costs more the more there are.
        if (done / BATCH).is_power_of_two() {
            compare_house(&desk, &books).await;
            desk.assert_sound().await;
        }
        jobs.drain(..jobs.len().saturating_sub(400));
    }
    compare_house(&desk, &books).await;
    desk.assert_sound().await;
}

async fn step(
    desk: &Desk,
    dice: &Dice,
    people: &[PersonId],
    books: &mut Books,
    jobs: &mut Vec<(PersonId, JobId)>,
    tx: &mut db::Tx,
) {
    let studio = &desk.studio;
    let now = studio.clock.now();
    match dice.below(100) {
        0..5 => {
            let person = dice.one_of(people);
            let ends = (dice.below(3) > 0).then(|| now.plus_millis(1 + i64::from(dice.below(400))));
            let grant = desk.grant(1 + i64::from(dice.below(200)), ends);
            grants::give_in(studio, tx, person, &grant, None)
                .await
                .expect("gives");
            books.give(person, grant.id, grant.credits, ends.map(Moment::as_millis));
        }
        5..50 => {
            let person = dice.one_of(people);
            let (price, pictures) = (1 + i64::from(dice.below(8)), 1 + dice.below(10));
            let job = desk.job();
            let held = desk.hold_in(tx, person, job, (price, pictures)).await;
            let expected = books.hold(person, job, price, pictures, now.as_millis());
            assert_eq!(held == Held::Held, expected, "{held:?}");
            jobs.push((person, job));
        }
        // Some are settled again and again, some were refused, and some are never settled.
        50..95 if !jobs.is_empty() => {
            let (person, job) = dice.one_of(jobs);
            let delivered = dice.below(12);
            credits::settle(studio, tx, job, delivered)
                .await
                .expect("settles");
            books.settle(person, job, delivered);
        }
        _ => studio.clock.advance_millis(i64::from(dice.below(20))),
    }
}

/// Every purse, with what ended in it taken back.
async fn compare_purses(desk: &Desk, books: &mut Books) {
    let now_ms = desk.studio.clock.now().as_millis();
    let people: Vec<PersonId> = books.people.keys().copied().collect();
    for person in people {
        books.expire(person, now_ms);
        let purse = books.purse(person);
        let expected = (purse.available(), purse.held());
        assert_eq!(desk.balance(person).await, expected, "{person}");
    }
}

async fn compare_house(desk: &Desk, books: &Books) {
    let house = ledger::house(&desk.studio).await.expect("reads");
    assert_eq!(
        [house.issued, house.revenue, house.expired].map(|credits| credits.get()),
        [books.issued, books.revenue, books.expired],
    );
}

#[tokio::test]
async fn promise_pay_02_no_random_operation_loses_or_makes_a_credit() {
    run(1, 20_000).await;
}

/// The same with a million: `cargo nextest run --workspace --run-ignored only -E 'test(a_million)'`.
#[tokio::test]
#[ignore = "takes minutes"]
async fn a_million_random_operations_lose_and_make_nothing() {
    run(2, 1_000_000).await;
}
