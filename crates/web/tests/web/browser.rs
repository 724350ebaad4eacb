//! A browser with its cookies, and the ways into the house that tests take again and again.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, header};
use db::Db;
use domain::ids::PersonId;
use domain::personal::Address;
use domain::role::Role;
use studio::accounts::person;
use studio::letters::Letter;
use studio::privacy::duty;
use studio::privacy::inventory::Purpose;

use crate::outbox;
use crate::stage::{Answer, Stage, form, request};

pub(crate) const PASSWORD: &str = "three green apples";

/// Where a browser is sent that was let in.
pub(crate) const LET_IN: &str = "/sign-in/done?next=%2F";

pub(crate) struct Browser<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) cookies: RefCell<BTreeMap<String, String>>,
    host: &'static str,
    /// The network address that it comes from.
    from: Cell<Ipv4Addr>,
    /// What it says of itself.
    agent: RefCell<Option<String>>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(stage: &'a Stage) -> Self {
        Self::at(stage, "localhost:8080")
    }

    pub(crate) fn at(stage: &'a Stage, host: &'static str) -> Self {
        Self {
            stage,
            cookies: RefCell::default(),
            host,
            from: Cell::new(Ipv4Addr::LOCALHOST),
            agent: RefCell::default(),
        }
    }

    pub(crate) fn comes_from(&self, number: u32) {
        // 100.64.0.0/10, which belongs to nobody.
        self.from.set(Ipv4Addr::from_bits(0x6440_0000 + number));
    }

    pub(crate) fn says(&self, agent: &str) {
        self.agent.replace(Some(agent.to_owned()));
    }

    pub(crate) fn with_cookies_of(other: &Self) -> Self {
        let copy = Self::at(other.stage, other.host);
        copy.cookies.replace(other.cookies.borrow().clone());
        copy
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = request(Method::GET, path).body(Body::empty());
        self.send(request.expect("a request")).await
    }

    pub(crate) async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        // Ids sort by time, so what happens later gets a later one.
        self.stage.studio.clock.advance_millis(1);
        self.send(form(path, fields, &[])).await
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        let pairs: Vec<String> = self
            .cookies
            .borrow()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let headers = request.headers_mut();
        if !pairs.is_empty() {
            headers.insert(header::COOKIE, pairs.join("; ").parse().expect("cookies"));
        }
        headers.insert(header::HOST, self.host.parse().expect("a host"));
        if let Some(agent) = &*self.agent.borrow() {
            headers.insert(header::USER_AGENT, agent.parse().expect("text"));
        }
        if headers.contains_key(header::ORIGIN) {
            let origin = format!("http://{}", self.host).parse().expect("an origin");
            headers.insert(header::ORIGIN, origin);
        }
        let from = SocketAddr::from((self.from.get(), 50_000));
        request.extensions_mut().insert(ConnectInfo(from));
        let answer = self.stage.send(request).await;
        for set in answer.headers.get_all(header::SET_COOKIE) {
            let set = set.to_str().expect("text");
            let pair = set.split(';').next().expect("a pair");
            let (name, value) = pair.split_once('=').expect("a pair");
            let mut cookies = self.cookies.borrow_mut();
            if set.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    pub(crate) async fn sign_in(&self, address: &str, password: &str) -> Answer {
        let fields = [("address", address), ("password", password)];
        self.submit("/sign-in", &fields).await
    }

    /// Whether the browser is let in.
    pub(crate) async fn is_in(&self) -> bool {
        self.get("/pictures").await.status == 200
    }

    /// Signs up, opens the link in the letter, and is in.
    pub(crate) async fn sign_up(&self, address: &str) {
        let fields = [
            ("address", address),
            ("password", PASSWORD),
            ("born", "1990-05-17"),
        ];
        let asked = self.submit("/sign-up", &fields).await;
        assert_eq!(asked.status, 200, "{}", asked.text());
        let Letter::SignUp { token } = last_letter(self.stage, address).await else {
            panic!("no letter to sign up");
        };
        let link = format!("/sign-up/{token}");
        assert_eq!(self.get(&link).await.status, 200);
        let opened = self.submit(&link, &[("password", PASSWORD)]).await;
        assert_eq!(opened.header("location"), LET_IN, "{}", opened.text());
    }

    /// Says what they look for as staff: everything that their role reads.
    pub(crate) async fn on_duty(&self, role: Role) {
        let all = Purpose::ALL.into_iter();
        let read =
            all.filter(|purpose| duty::can_be_for(*purpose) && purpose.readers().contains(&role));
        let mut fields: Vec<(&str, &str)> = read.map(|purpose| ("for", purpose.name())).collect();
        fields.push(("reason", "somebody asked by mail what became of it"));
        fields.push(("minutes", "480"));
        let begun = self.submit("/desk/duties", &fields).await;
        assert_eq!(begun.status, 303, "{}", begun.text());
    }

    /// Takes the link that makes the first operator.
    pub(crate) async fn welcome(&self, address: &str) {
        let link = welcome_link(self.stage).await;
        let fields = [("address", address), ("password", PASSWORD), ("adopt", "1")];
        let entered = self.submit(&link, &fields).await;
        assert_eq!(entered.header("location"), LET_IN, "{}", entered.text());
    }
}

pub(crate) async fn welcome_link(stage: &Stage) -> String {
    let token = studio::accounts::welcome::open(&stage.studio).await;
    let token = token.expect("the database").expect("no operator yet");
    format!("/welcome/{}", token.expose())
}

/// What the newest letter to an address says.
pub(crate) async fn last_letter(stage: &Stage, address: &str) -> Letter {
    let all = outbox::letters(&stage.studio).await;
    let mut to = all
        .into_iter()
        .filter(|one| one.address.expose() == address);
    let newest = to.next().expect("a letter");
    newest.letter.expect("not sent yet")
}

/// Every letter to an address that is not sent yet, the newest first.
pub(crate) async fn letters_to(stage: &Stage, address: &str) -> Vec<Letter> {
    let all = outbox::letters(&stage.studio).await.into_iter();
    let to = all.filter(|one| one.address.expose() == address);
    to.filter_map(|one| one.letter).collect()
}

pub(crate) async fn person_of(stage: &Stage, address: &str) -> PersonId {
    let address = Address::new(address).expect("an address");
    let account = person::by_address(&stage.studio, &address).await;
    account.expect("reads").expect("an account").person
}

/// Everything that the database keeps, as far as it is text.
pub(crate) async fn everything_kept(stage: &Stage) -> String {
    if let Db::Postgres(pool) = &stage.studio.db {
        let mut all = String::new();
        let tables = "SELECT table_name::TEXT FROM information_schema.tables \
             WHERE table_schema = current_schema()";
        let tables: Vec<String> = sqlx::query_scalar(tables)
            .fetch_all(pool)
            .await
            .expect("tables");
        for table in tables {
            let rows =
                format!("SELECT COALESCE(STRING_AGG(CAST(t AS TEXT), ' '), '') FROM {table} t");
            let rows: Result<String, _> = sqlx::query_scalar(sqlx::AssertSqlSafe(rows))
                .fetch_one(pool)
                .await;
            all += &rows.unwrap_or_else(|error| panic!("{table}: {error}"));
        }
        return all;
    }
    let files = std::fs::read_dir(stage.folder.path()).expect("a folder");
    let read = |file: std::io::Result<std::fs::DirEntry>| {
        std::fs::read(file.expect("an entry").path()).expect("a file")
    };
    let bytes: Vec<u8> = files.flat_map(read).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
