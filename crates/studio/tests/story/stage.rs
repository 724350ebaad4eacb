//! A studio with a painter whose every step the test allows.

use std::collections::HashSet;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use db::on;
use db::testing::TestDatabase;
use domain::clock::{Clock, Moment};
use domain::ids::PersonId;
use domain::model::{ModelCard, ModelName, Place, Sizes, Span};
use domain::painter::{Brief, PaintError, Painted, Painter, Paintings, Watch};
use domain::picture::{Pixels, Size};
use domain::randomness::Randomness;
use outside::shelf::Shelf;
use studio::credits::PriceList;
use studio::jobs::progress::Board;
use studio::jobs::worker::Stop;
use studio::order::{OrderForm, Prose};
use studio::privacy::keys::{KekSource, Keys};
use studio::{Limits, Studio, accounts};
use tokio::sync::Semaphore;

pub(crate) const SIZE: Size = Size::square(16);

/// Draws a colour made of the seed, one step for each permit.
#[derive(Debug)]
pub(crate) struct ScriptedPainter {
    pub(crate) permits: Semaphore,
    /// Prompts that fail.
    pub(crate) broken: Mutex<HashSet<String>>,
    /// Prompts of each pass, as they were asked for together.
    pub(crate) passes: Mutex<Vec<Vec<String>>>,
}

impl ScriptedPainter {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            permits: Semaphore::new(0),
            broken: Mutex::default(),
            passes: Mutex::default(),
        })
    }

    /// Lets every drawing run to its end.
    pub(crate) fn run_freely(&self) {
        self.permits.add_permits(100_000);
    }
}

impl Painter for ScriptedPainter {
    fn cards(&self) -> Vec<ModelCard> {
        vec![ModelCard {
            name: ModelName::new("scripted"),
            title: "Scripted".to_owned(),
            about: "One colour.".to_owned(),
            licence: "Apache-2.0".to_owned(),
            place: Place::Here,
            sizes: Sizes::only(SIZE),
            steps: Span {
                min: 1,
                max: 20,
                default: 4,
            },
            guidance: Some(Span {
                min: 1.0,
                max: 10.0,
                default: 3.0,
            }),
            negative_prompt: false,
            transparent_background: false,
            max_batch: 4,
            examples: Vec::new(),
        }]
    }

    fn paint<'a>(
        &'a self,
        _model: &'a ModelName,
        briefs: Vec<Brief>,
        watch: Arc<dyn Watch>,
    ) -> Pin<Box<dyn Future<Output = Paintings> + Send + 'a>> {
        Box::pin(async move {
            let prompts = briefs.iter().map(|brief| brief.prompt.expose().to_owned());
            self.passes
                .lock()
                .expect("unpoisoned")
                .push(prompts.collect());
            let mut stopped = vec![false; briefs.len()];
            for step in 1..=briefs[0].steps {
                self.permits.acquire().await.expect("open").forget();
                for (index, brief) in briefs.iter().enumerate() {
                    let preview = (brief.previews > 0).then(|| colour(brief.seed));
                    if !stopped[index] {
                        let verdict = watch.step(index, step, brief.steps, preview.as_ref());
                        stopped[index] = verdict == ControlFlow::Break(());
                    }
                }
                if stopped.iter().all(|stopped| *stopped) {
                    break;
                }
            }
            let broken = self.broken.lock().expect("unpoisoned");
            let results = briefs.iter().zip(stopped).map(|(brief, stopped)| {
                if stopped {
                    Err(PaintError::Cancelled)
                } else if broken.contains(brief.prompt.expose()) && brief.seed % 2 == 1 {
                    Err(PaintError::Failed("as scripted".to_owned()))
                } else {
                    Ok(Painted {
                        pixels: colour(brief.seed),
                        unknown_words: vec!["zorp".to_owned()],
                    })
                }
            });
            results.collect()
        })
    }
}

pub(crate) fn colour(seed: u32) -> Pixels {
    let [red, green, blue, _] = seed.to_le_bytes();
    let rgb = [red, green, blue].repeat((SIZE.width * SIZE.height) as usize);
    Pixels::new(SIZE, rgb)
}

pub(crate) struct Stage {
    pub(crate) studio: Studio,
    pub(crate) painter: Arc<ScriptedPainter>,
    pub(crate) person: PersonId,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) database: TestDatabase,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = TestDatabase::new(folder.path()).await.expect("a database");
        let painter = ScriptedPainter::new();
        let studio = open(&database, folder.path(), &painter).await;
        let person = accounts::local_person(&studio).await.expect("a person");
        Self {
            studio,
            painter,
            person,
            folder,
            database,
        }
    }

    /// Another person.
    pub(crate) async fn somebody(&self) -> PersonId {
        let now = self.studio.clock.now();
        let id = PersonId::new(now, &self.studio.randomness);
        let keys = &self.studio.keys;
        keys.make_person(id).await.expect("a key");
        let mut tx = self.studio.db.write().await.expect("begins");
        on!(tx, conn => {
            sqlx::query("INSERT INTO person (id, created_ms) VALUES ($1, $2)")
                .bind(id.to_string())
                .bind(now.as_millis())
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })
        .expect("writes");
        tx.commit().await.expect("commits");
        id
    }

    /// A second process on the same data, with a painter of its own.
    pub(crate) fn neighbour(&self) -> Neighbour {
        let painter = ScriptedPainter::new();
        let studio = Studio {
            painters: Arc::new([Arc::clone(&painter) as Arc<dyn Painter>]),
            board: Board::default(),
            ..self.studio.clone()
        };
        Neighbour {
            studio,
            painter,
            stop: Stop::default(),
        }
    }

    /// The same data, as a process finds it that starts after this one ended.
    pub(crate) async fn restart(self) -> Self {
        self.studio.db.close().await;
        let painter = ScriptedPainter::new();
        let clock = self.studio.clock.clone();
        let mut studio = open(&self.database, self.folder.path(), &painter).await;
        studio.clock = clock;
        Self {
            studio,
            painter,
            ..self
        }
    }
}

pub(crate) struct Neighbour {
    pub(crate) studio: Studio,
    pub(crate) painter: Arc<ScriptedPainter>,
    pub(crate) stop: Stop,
}

async fn open(
    database: &TestDatabase,
    folder: &std::path::Path,
    painter: &Arc<ScriptedPainter>,
) -> Studio {
    let painter: Arc<dyn Painter> = Arc::clone(painter) as _;
    let db = database.open().await.expect("opens");
    Studio {
        keys: keys_of(database, &db).await,
        db,
        shelf: Shelf::folder(&folder.join("blobs")).expect("opens"),
        painters: Arc::new([painter]),
        clock: Clock::manual(Moment::from_millis(1_800_000_000_000)),
        randomness: Randomness::seeded(7),
        board: Board::default(),
        gate: accounts::Gate::default(),
        limits: Limits {
            max_waiting_jobs: 5,
            ..Limits::default()
        },
        prices: Arc::new(PriceList::open(None).expect("the shipped list")),
        recipients: Arc::default(),
    }
}

/// The key store of a test's database; its keys are others each time.
pub(crate) async fn keys_of(database: &TestDatabase, db: &db::Db) -> Keys {
    let store = database.open_keys().await.expect("opens");
    let kek = KekSource::given("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").expect("a key");
    Keys::open(db, store, kek, &Clock::system(), &Randomness::system())
        .await
        .expect("opens")
}

pub(crate) fn form(prompt: &str) -> OrderForm {
    OrderForm {
        prompt: Prose(prompt.to_owned()),
        seed: Some(10),
        ..OrderForm::default()
    }
}
