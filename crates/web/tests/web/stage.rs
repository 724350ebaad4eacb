//! A site with one person and a painter whose every step the test allows.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, HeaderName, Method, Request, StatusCode};
use db::testing::TestDatabase;
use domain::clock::{Clock, Moment};
use domain::model::{Example, ModelCard, ModelName, Place, Sizes, Span};
use domain::painter::{Brief, PaintError, Painted, Painter, Paintings, Watch};
use domain::picture::{Background, Pixels, Size};
use domain::randomness::Randomness;
use futures::StreamExt;
use outside::shelf::Shelf;
use serde_json::Value;
use studio::credits::{PriceList, grants};
use studio::jobs::progress::Board;
use studio::jobs::worker::{self, Stop};
use studio::privacy::keys::{KekSource, Keys};
use studio::visits::Visits;
use studio::{Limits, Studio, accounts};
use tokio::sync::{OnceCell, Semaphore};
use tower::ServiceExt;
use web::Site;

use crate::contract::Contract;

/// Takes one permit for each step of a pass. Prompts with "storm" fail, those with "squall" where
/// the seed is odd, and "zeppelin" is a word
/// that it does not know.
#[derive(Debug)]
pub(crate) struct ScriptedPainter {
    permits: Semaphore,
    is_broken: AtomicBool,
}

impl Painter for ScriptedPainter {
    fn cards(&self) -> Vec<ModelCard> {
        assert!(
            !self.is_broken.load(Ordering::SeqCst),
            "the secret of the painter"
        );
        let card = |name: &str, sizes: Sizes, negative_prompt| ModelCard {
            name: ModelName::new(name),
            title: format!("The {name} model"),
            about: "Plain colours.".to_owned(),
            licence: "Apache-2.0".to_owned(),
            place: Place::Here,
            sizes,
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
            negative_prompt,
            transparent_background: negative_prompt,
            max_batch: 4,
            examples: vec![Example {
                prompt: "a red apple".to_owned(),
                seed: 1,
            }],
        };
        let many = Sizes {
            min_edge: 16,
            max_edge: 64,
            multiple_of: 16,
            max_pixels: 4096,
            square: false,
            default: Size::square(32),
        };
        vec![
            card("scripted", Sizes::only(Size::square(16)), false),
            card("flexible", many, true),
        ]
    }

    fn paint<'a>(
        &'a self,
        _: &'a ModelName,
        briefs: Vec<Brief>,
        watch: Arc<dyn Watch>,
    ) -> Pin<Box<dyn Future<Output = Paintings> + Send + 'a>> {
        Box::pin(async move {
            let mut wanted = vec![true; briefs.len()];
            for step in 1..=briefs[0].steps {
                self.permits.acquire().await.expect("open").forget();
                for (index, brief) in briefs.iter().enumerate() {
                    if !wanted[index] {
                        continue;
                    }
                    let shows = step <= brief.previews;
                    let preview = shows.then(|| colour(brief, step as u8));
                    wanted[index] = watch.step(index, step, brief.steps, preview.as_ref())
                        == ControlFlow::Continue(());
                }
                if !wanted.contains(&true) {
                    break;
                }
            }
            briefs
                .iter()
                .zip(wanted)
                .map(|(brief, wanted)| {
                    if wanted {
                        finish(brief)
                    } else {
                        Err(PaintError::Cancelled)
                    }
                })
                .collect()
        })
    }
}

fn finish(brief: &Brief) -> Result<Painted, PaintError> {
    let words = brief.prompt.expose();
    if words.contains("storm") {
        return Err(PaintError::Failed("a cable came loose".to_owned()));
    }
    if words.contains("squall") && brief.seed % 2 == 1 {
        return Err(PaintError::Failed(
            "every other cable came loose".to_owned(),
        ));
    }
    let unknown_words = words.contains("zeppelin").then(|| "zeppelin".to_owned());
    Ok(Painted {
        pixels: colour(brief, 0),
        unknown_words: unknown_words.into_iter().collect(),
    })
}

/// Alpha of what is drawn without a background.
pub(crate) const HALF: u8 = 128;

fn colour(brief: &Brief, shade: u8) -> Pixels {
    let [red, green, blue, _] = brief.seed.to_le_bytes();
    let (colour, count) = ([red ^ shade, green, blue], brief.size.pixels() as usize);
    match brief.background {
        Background::Opaque => Pixels::new(brief.size, colour.repeat(count)),
        Background::Transparent => {
            let pixel = [colour[0], colour[1], colour[2], HALF];
            Pixels::with_alpha(brief.size, pixel.repeat(count))
        }
    }
}

pub(crate) struct Stage {
    pub(crate) studio: Studio,
    pub(crate) stop: Stop,
    painter: Arc<ScriptedPainter>,
    router: Router,
    contract: OnceCell<Contract>,
    pub(crate) visits: Visits,
    _database: TestDatabase,
    pub(crate) folder: tempfile::TempDir,
}

impl Stage {
    /// Whatever is ordered is drawn at once.
    pub(crate) async fn free() -> Self {
        let stage = Self::halted().await;
        stage.allow_steps(100_000);
        stage
    }

    /// Nothing is drawn until [`Stage::allow_steps`].
    pub(crate) async fn halted() -> Self {
        let rules = accounts::Rules::default();
        Self::with(rules, few(), |site| site).await
    }

    /// Nothing is drawn until [`Stage::allow_steps`].
    pub(crate) async fn with_limits(limits: Limits) -> Self {
        Self::with(accounts::Rules::default(), limits, |site| site).await
    }

    /// A house that others reach by `url`.
    pub(crate) async fn public(url: &str) -> Self {
        let rules = accounts::Rules {
            is_public: true,
            ..accounts::Rules::default()
        };
        let url = url.parse().expect("an address");
        Self::with(rules, few(), |site| site.at(url)).await
    }

    /// The same, behind a proxy that says in `country` where requests come from.
    pub(crate) async fn behind_proxy(url: &str, country: &'static str) -> Self {
        let rules = accounts::Rules {
            is_public: true,
            ..accounts::Rules::default()
        };
        let url = url.parse().expect("an address");
        let header = HeaderName::from_static(country);
        let dress = |site: Site| {
            let site = site.at(url).behind_proxy().told_countries(header);
            site.with_min_ages([("US".to_owned(), 13)])
        };
        Self::with(rules, few(), dress).await
    }

    async fn with(
        rules: accounts::Rules,
        limits: Limits,
        dress: impl FnOnce(Site) -> Site,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = TestDatabase::new(folder.path()).await.expect("a database");
        let painter = Arc::new(ScriptedPainter {
            permits: Semaphore::new(0),
            is_broken: AtomicBool::new(false),
        });
        let db = database.open().await.expect("opens");
        let studio = Studio {
            keys: keys_of(&database, &db).await,
            db,
            shelf: Shelf::memory(),
            painters: Arc::from([Arc::clone(&painter) as Arc<dyn Painter>]),
            clock: Clock::manual(Moment::from_millis(1_800_000_000_000)),
            randomness: Randomness::seeded(7),
            board: Board::default(),
            gate: accounts::Gate::new(rules),
            limits,
            prices: Arc::new(PriceList::open(None).expect("the shipped list")),
            recipients: Arc::default(),
        };
        if !rules.is_public {
            accounts::local_person(&studio).await.expect("a person");
        }
        let stop = Stop::default();
        tokio::spawn(worker::run(studio.clone(), stop.clone()));
        let site = dress(Site::new(studio.clone(), stop.clone()));
        let visits = site.visits().clone();
        let router = web::router(site);
        Self {
            studio,
            stop,
            painter,
            router,
            contract: OnceCell::new(),
            visits,
            _database: database,
            folder,
        }
    }

    pub(crate) fn allow_steps(&self, steps: usize) {
        self.painter.permits.add_permits(steps);
    }

    /// From now on, the painter panics when it is asked for its cards.
    pub(crate) fn break_painter(&self) {
        self.painter.is_broken.store(true, Ordering::SeqCst);
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(
            request(Method::GET, path)
                .body(Body::empty())
                .expect("a request"),
        )
        .await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(json(path, body)).await
    }

    /// A form as a browser sends it from a page of this site.
    pub(crate) async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(form(path, fields, &[])).await
    }

    /// A form as an island sends it.
    pub(crate) async fn submit_part(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(form(path, fields, &[("x-part", "card")])).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = Answer::read(self.open(request).await).await;
        if path.starts_with("/v1/") {
            self.contract().await.holds(&method, &path, &answer);
        }
        answer
    }

    async fn contract(&self) -> &Contract {
        let read = async || {
            let asked = request(Method::GET, "/openapi.json").body(Body::empty());
            let answer = Answer::read(self.open(asked.expect("a request")).await).await;
            Contract::new(answer.json())
        };
        self.contract.get_or_init(read).await
    }

    /// The answer, its body unread.
    pub(crate) async fn open(&self, request: Request<Body>) -> axum::response::Response {
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("infallible")
    }

    /// From now on its person has the welcome grant, and pays.
    pub(crate) async fn meter(&self) {
        let person = accounts::local_person(&self.studio)
            .await
            .expect("a person");
        let mut tx = self.studio.db.write().await.expect("begins");
        grants::open_account(&self.studio, &mut tx, person)
            .await
            .expect("opens");
        tx.commit().await.expect("commits");
    }

    /// The job of an order that nobody waits for.
    pub(crate) async fn async_order(&self, body: &Value) -> Value {
        let mut request = json("/v1/images/generations", body);
        request
            .headers_mut()
            .insert("prefer", "respond-async".parse().expect("a value"));
        let answer = self.send(request).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        answer.json()
    }

    /// The fields of the studio's form with what the page says about its prices.
    pub(crate) async fn priced(&self, fields: &[(&str, &str)]) -> Vec<(String, String)> {
        priced(&self.get("/").await.text(), fields)
    }

    /// Orders one picture and waits until it is there.
    pub(crate) async fn drawn(&self, prompt: &str) -> Value {
        let answer = self
            .post(
                "/v1/images/generations",
                &serde_json::json!({ "prompt": prompt }),
            )
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()
    }

    pub(crate) async fn jobs(&self) -> Vec<Value> {
        self.get("/v1/jobs").await.json()["data"]
            .as_array()
            .expect("a list")
            .clone()
    }

    /// Waits until the job is being drawn.
    pub(crate) async fn begun(&self, id: &str) {
        let person = accounts::local_person(&self.studio)
            .await
            .expect("a person");
        let id = id.parse().expect("an id");
        let job = studio::jobs::find(&self.studio, person, id).await;
        let job = job.expect("reads").expect("a job");
        studio::jobs::follow(&self.studio, &job)
            .expect("is unfinished")
            .wait_for(|progress| progress.state == studio::jobs::State::Drawing)
            .await
            .expect("goes on");
    }

    /// Waits until the job is over, and gives its status.
    pub(crate) async fn over(&self, id: &str) -> String {
        let person = accounts::local_person(&self.studio)
            .await
            .expect("a person");
        let id = id.parse().expect("an id");
        let job = studio::jobs::wait(&self.studio, person, id)
            .await
            .expect("reads")
            .expect("a job");
        job.state.name().to_owned()
    }
}

/// Fields of the studio's form, and the hidden ones that say for which prices its button stood.
pub(crate) fn priced(page: &str, fields: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for name in ["prices", "priced_model", "priced_steps"] {
        let mark = format!("name=\"{name}\" value=\"");
        let rest = page.split(&mark).nth(1).expect("a hidden field");
        let value = rest.split('"').next().expect("a value");
        all.push((name.to_owned(), value.to_owned()));
    }
    let given = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    all.extend(given);
    all
}

pub(crate) type Fields<'a> = Vec<(&'a str, &'a str)>;

pub(crate) fn borrowed(fields: &[(String, String)]) -> Fields<'_> {
    let pairs = fields.iter();
    pairs
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// The key store of a test's database; its keys are others each time.
async fn keys_of(database: &TestDatabase, db: &db::Db) -> Keys {
    let store = database.open_keys().await.expect("opens");
    let kek = KekSource::given("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").expect("a key");
    Keys::open(db, store, kek, &Clock::system(), &Randomness::system())
        .await
        .expect("opens")
}

/// So few that a test can reach them.
fn few() -> Limits {
    Limits {
        max_waiting_jobs: 3,
        ..Limits::default()
    }
}

pub(crate) fn request(method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost:8080")
}

pub(crate) fn json(path: &str, body: &Value) -> Request<Body> {
    let request = request(Method::POST, path).header("content-type", "application/json");
    request
        .body(Body::from(body.to_string()))
        .expect("a request")
}

pub(crate) fn form(path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = request(Method::POST, path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", "http://localhost:8080")
        .header("sec-fetch-site", "same-origin");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    request.body(Body::from(body)).expect("a request")
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn read(response: axum::response::Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 64 << 20)
            .await
            .expect("a body")
            .to_vec();
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("text"))
    }

    /// The error of a refusal, in the form that clients read.
    pub(crate) fn error(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        let error = self.json()["error"].clone();
        let mut names: Vec<&str> = error
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["code", "message", "param", "type"]);
        error
    }
}

/// Server-sent events, one after the other.
pub(crate) struct Events {
    body: BodyDataStream,
    unread: String,
}

impl Events {
    pub(crate) fn of(response: axum::response::Response) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body().into_data_stream(),
            unread: String::new(),
        }
    }

    /// The next event and its data; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let line = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(str::trim)
                };
                let (name, data) = (
                    line("event:").expect("a name"),
                    line("data:").expect("data"),
                );
                let told = (name.to_owned(), serde_json::from_str(data).expect("JSON"));
                self.unread = rest.to_owned();
                return Some(told);
            }
            let chunk = self.body.next().await?.expect("a chunk");
            self.unread
                .push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }

    pub(crate) async fn rest(&mut self) -> Vec<(String, Value)> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}
