//! A studio with a ledger and nobody who draws.

use std::sync::Arc;

use db::testing::TestDatabase;
use db::{Tx, on};
use domain::clock::{Clock, Moment};
use domain::credits::Credits;
use domain::ids::{GrantId, JobId, PersonId};
use domain::model::ModelName;
use domain::randomness::Randomness;
use outside::shelf::Shelf;
use studio::credits::grants::{self, NewGrant};
use studio::credits::{self, Balance, Held, NewHold, PriceList, Quote, ledger};
use studio::jobs::progress::Board;
use studio::privacy::keys::{KekSource, Keys};
use studio::{Limits, Studio};

pub(crate) const START_MS: i64 = 1_800_000_000_000;

pub(crate) struct Desk {
    pub(crate) studio: Studio,
    pub(crate) model: ModelName,
    _database: TestDatabase,
    _folder: tempfile::TempDir,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = TestDatabase::new(folder.path()).await.expect("a database");
        let db = database.open().await.expect("opens");
        let studio = Studio {
            keys: keys_of(&database, &db).await,
            db,
            shelf: Shelf::memory(),
            painters: Arc::new([]),
            clock: Clock::manual(Moment::from_millis(START_MS)),
            randomness: Randomness::seeded(7),
            board: Board::default(),
            gate: studio::accounts::Gate::default(),
            limits: Limits::default(),
            prices: Arc::new(PriceList::open(None).expect("the shipped list")),
            recipients: Arc::default(),
        };
        Self {
            studio,
            model: ModelName::new("any"),
            _database: database,
            _folder: folder,
        }
    }

    /// Somebody with accounts and without credits.
    pub(crate) async fn person(&self) -> PersonId {
        let studio = self.without_welcome();
        let person = PersonId::new(studio.clock.now(), &studio.randomness);
        studio.keys.make_person(person).await.expect("a key");
        let mut tx = self.write().await;
        insert_person(&mut tx, person).await;
        grants::open_account(&studio, &mut tx, person)
            .await
            .expect("opens");
        tx.commit().await.expect("commits");
        person
    }

    fn without_welcome(&self) -> Studio {
        let mut prices = PriceList::clone(&self.studio.prices);
        prices.welcome.credits = Credits::ZERO;
        Studio {
            prices: Arc::new(prices),
            ..self.studio.clone()
        }
    }

    pub(crate) async fn person_with(&self, credits: i64) -> PersonId {
        let person = self.person().await;
        self.give(person, credits, None).await;
        person
    }

    pub(crate) async fn give(&self, person: PersonId, credits: i64, ends: Option<Moment>) {
        let grant = self.grant(credits, ends);
        grants::give(&self.studio, person, &grant, None)
            .await
            .expect("gives");
    }

    pub(crate) fn grant(&self, credits: i64, ends: Option<Moment>) -> NewGrant {
        NewGrant {
            id: GrantId::new(self.studio.clock.now(), &self.studio.randomness),
            credits: Credits::new(credits),
            reason: "a test".to_owned(),
            ends,
        }
    }

    pub(crate) fn job(&self) -> JobId {
        JobId::new(self.studio.clock.now(), &self.studio.randomness)
    }

    pub(crate) async fn write(&self) -> Tx {
        self.studio.db.write().await.expect("begins")
    }

    pub(crate) async fn hold_in(
        &self,
        tx: &mut Tx,
        person: PersonId,
        job: JobId,
        (price, pictures): (i64, u32),
    ) -> Held {
        let price = Credits::new(price);
        let new = NewHold {
            job,
            person,
            key: None,
            model: &self.model,
            quote: Quote { price, pictures },
        };
        credits::hold(&self.studio, tx, &new).await.expect("works")
    }

    /// As an order does it: whatever is refused is rolled back.
    pub(crate) async fn hold(&self, person: PersonId, job: JobId, quote: (i64, u32)) -> Held {
        let mut tx = self.write().await;
        let held = self.hold_in(&mut tx, person, job, quote).await;
        if held == Held::Held {
            tx.commit().await.expect("commits");
        }
        held
    }

    pub(crate) async fn settle(&self, job: JobId, delivered: u32) {
        let mut tx = self.write().await;
        credits::settle(&self.studio, &mut tx, job, delivered)
            .await
            .expect("settles");
        tx.commit().await.expect("commits");
    }

    pub(crate) async fn balance(&self, person: PersonId) -> (i64, i64) {
        let Balance { available, held } = credits::balance(&self.studio, person)
            .await
            .expect("reads")
            .expect("has accounts");
        (available.get(), held.get())
    }

    /// Every rule of the books holds, but for the one that looks at jobs: here are none.
    pub(crate) async fn assert_sound(&self) {
        let found = ledger::audit(&self.studio).await.expect("reads");
        let broken: Vec<String> = found
            .into_iter()
            .filter(|found| !found.contains("while its job is"))
            .collect();
        assert_eq!(broken, [""; 0]);
        let house = ledger::house(&self.studio).await.expect("reads");
        let accounts = [
            house.available,
            house.held,
            house.issued,
            house.revenue,
            house.expired,
        ];
        let sum: i64 = accounts.iter().map(|credits| credits.get()).sum();
        assert_eq!(sum, 0, "{house:?}");
    }
}

async fn insert_person(tx: &mut Tx, person: PersonId) {
    on!(tx, conn => {
        sqlx::query("INSERT INTO person (id, created_ms) VALUES ($1, $2)")
            .bind(person.to_string())
            .bind(START_MS)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })
    .expect("inserts");
}

/// The key store of a test's database; its keys are others each time.
async fn keys_of(database: &TestDatabase, db: &db::Db) -> Keys {
    let store = database.open_keys().await.expect("opens");
    let kek = KekSource::given("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").expect("a key");
    Keys::open(db, store, kek, &Clock::system(), &Randomness::system())
        .await
        .expect("opens")
}
