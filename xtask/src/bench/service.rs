//! `cargo xtask bench service`: what the service takes around a picture that takes nothing, on both
//! databases, and beside it LiteLLM's proxy in front of the same server, in turns.

mod litellm;
pub(super) mod load;
mod report;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use self::litellm::Proxy;
use self::load::{Load, Request};
use self::report::{Idle, OrderRow, PageRow, Report, Start};
use super::served::Served;
use super::{fetched, median, mib};
use crate::postgres::{Durability, Server};
use crate::workspace::{Workspace, cargo};
use crate::{command, provision};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// From the start of the program to its first answer, and its memory then.
    Start,
    /// Generations, on both databases and through LiteLLM's proxy.
    Orders,
    /// Pages of pictures among few and among many.
    Pages,
}

/// Turns that every server takes with orders, and starts.
const TURNS: usize = 3;
/// Connections at once, with our requests and the proxy's of one turn.
const ORDERS: [(usize, usize, usize); 3] = [(1, 400, 100), (16, 2_000, 300), (64, 4_000, 400)];
/// Of these requests, so many are sent before, and not counted.
const WARM_UP: usize = 4;
const PEOPLE: usize = 64;
/// Until a million rows are sealed.
const SEALED_WITHIN: Duration = Duration::from_secs(20 * 60);
/// Rows of pictures, and how often each page of them is asked for.
const ROWS: [u32; 3] = [1_000, 100_000, 1_000_000];
const PAGES: usize = 2_000;
const PATHS: [(&str, &str); 2] = [("/pictures", "page"), ("/v1/pictures?limit=48", "API")];
const GENERATIONS: &str = "/v1/images/generations";
/// How long a program is left alone before its memory is read.
const SETTLE: Duration = Duration::from_secs(2);

pub(super) fn run(workspace: &Workspace, only: &[Part]) -> Result<bool> {
    // Together with what the other measurement needs, so that nothing is built twice.
    command::must(
        Command::new(cargo())
            .args(["build", "--release", "--locked", "--workspace", "--bins"])
            .args(["--example", "bench_mini", "--example", "bench_service"]),
    )?;
    let folder = workspace.target.join("bench");
    let requirements = workspace.root.join("xtask/bench/litellm.txt");
    let bench = Bench {
        program: workspace.target.join("release/pinhole"),
        null: workspace.target.join("release/examples/bench_service"),
        litellm: provision::python_environment(&folder.join("litellm"), &requirements)?,
        folder: folder.join("service"),
        postgres: Server::start(workspace, Durability::Durable)?,
    };
    let wants = |part| only.is_empty() || only.contains(&part);
    let mut report = Report::default();
    if wants(Part::Start) {
        bench.starts(&mut report)?;
    }
    if wants(Part::Orders) {
        bench.orders(&mut report)?;
    }
    if wants(Part::Pages) {
        for database in [Database::Sqlite, Database::Postgres] {
            bench.pages(database, &mut report)?;
        }
    }
    report.print();
    let file = folder.join("service.json");
    std::fs::write(&file, serde_json::to_string_pretty(&report)?)
        .with_context(|| format!("writing {}", file.display()))?;
    println!("\nwritten to {}", file.display());
    Ok(true)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
        }
    }
}

struct Bench {
    program: PathBuf,
    null: PathBuf,
    litellm: PathBuf,
    folder: PathBuf,
    postgres: Server,
}

/// A running house, with its people's keys.
struct House {
    served: Served,
    url: String,
    keys: Vec<String>,
}

impl Bench {
    fn starts(&self, report: &mut Report) -> Result<()> {
        for (what, program) in [("no model", &self.null), ("shipped model", &self.program)] {
            let (mut ready, mut resident) = (Vec::new(), Vec::new());
            let mut drawn = Vec::new();
            for _ in 0..TURNS {
                let folder = self.empty("start")?;
                let begun = std::time::Instant::now();
                let mut served = Served::start(program, &folder, &[])?;
                let url = served.url()?;
                ensure!(fetched(&url, "/readyz", None)?, "it is up and not ready");
                ready.push(begun.elapsed().as_secs_f64());
                std::thread::sleep(SETTLE);
                resident.push(mib(served.resident_bytes()?));
                let order = r#"{"prompt":"a red apple"}"#;
                ensure!(fetched(&url, GENERATIONS, Some(order))?, "no picture");
                drawn.push(mib(served.resident_bytes()?));
            }
            report.starts.push(Start {
                what,
                ready_s: median(ready),
                idle_mib: median(resident),
                drawn_mib: median(drawn),
            });
        }
        Ok(())
    }

    /// Everybody in turns, so that whatever else the machine does meets them alike.
    fn orders(&self, report: &mut Report) -> Result<()> {
        let mut houses = Vec::new();
        for database in [Database::Sqlite, Database::Postgres] {
            houses.push((database, self.house(database)?));
        }
        let (_, upstream) = &houses[0];
        let workers = std::thread::available_parallelism()?.get();
        let proxy = Proxy::start(
            &self.litellm,
            &self.folder,
            workers,
            &upstream.url,
            &upstream.keys[0],
        )?;
        std::thread::sleep(SETTLE);
        let litellm = format!("LiteLLM, {workers} workers");
        for (database, house) in &houses {
            report.idle.push(Idle {
                what: format!("Pinhole, {}", database.name()),
                before_mib: mib(house.served.resident_bytes()?),
                after_mib: f64::NAN,
            });
        }
        report.idle.push(Idle {
            what: litellm.clone(),
            before_mib: mib(proxy.resident_bytes()?),
            after_mib: f64::NAN,
        });
        let through = Request::post(
            GENERATIONS,
            litellm::KEY,
            r#"{"model":"null","prompt":"a red apple"}"#,
        );
        for (connections, ours, theirs) in ORDERS {
            let mut turns: Vec<Vec<Load>> = vec![Vec::new(); houses.len() + 1];
            for turn in 0..=TURNS {
                // The first turn warms up, and is a short one.
                let share = |total: usize| if turn == 0 { total / WARM_UP } else { total };
                for ((_, house), loads) in houses.iter().zip(&mut turns) {
                    let requests = house.orders();
                    let load = load::measure(&house.url, &requests, connections, share(ours))?;
                    loads.extend((turn > 0).then_some(load));
                }
                let through = std::slice::from_ref(&through);
                let load = load::measure(&proxy.url, through, connections, share(theirs))?;
                turns[houses.len()].extend((turn > 0).then_some(load));
            }
            let names = houses
                .iter()
                .map(|(database, _)| format!("Pinhole, {}", database.name()));
            for (what, loads) in names.chain([litellm.clone()]).zip(turns) {
                report.orders.push(OrderRow::of(what, connections, &loads));
            }
        }
        for (idle, (_, house)) in report.idle.iter_mut().zip(&houses) {
            idle.after_mib = mib(house.served.resident_bytes()?);
        }
        if let Some(idle) = report.idle.last_mut() {
            idle.after_mib = mib(proxy.resident_bytes()?);
        }
        Ok(())
    }

    /// A house with people who hold keys and credits.
    fn house(&self, database: Database) -> Result<House> {
        let folder = self.empty(&format!("orders-{}", database.name()))?;
        let more = self.variables(database, "orders")?;
        let mut keys = Vec::new();
        for number in 0..PEOPLE {
            let told = command::answer(
                Command::new(&self.null)
                    .args([
                        "admin",
                        "person",
                        "add",
                        "--key",
                        "--json",
                        "--credits",
                        "1000000000",
                    ])
                    .args(["--email", &format!("person-{number}@example.org")])
                    .env("PINHOLE_DATA", folder.join("data"))
                    .envs(more.iter().map(|(name, value)| (name, value))),
            );
            let told = told.context("a person could not be added")?;
            let made: serde_json::Value = serde_json::from_str(&told)?;
            let key = made["api_key"].as_str().context("no key was told")?;
            keys.push(key.to_owned());
        }
        let mut served = Served::start(&self.null, &folder, &more)?;
        let url = served.url()?;
        Ok(House { served, url, keys })
    }

    /// The local person's pages, with ever more pictures.
    fn pages(&self, database: Database, report: &mut Report) -> Result<()> {
        let folder = self.empty(&format!("pages-{}", database.name()))?;
        let more = self.variables(database, "pages")?;
        // Makes the database, with its one person.
        Served::start(&self.null, &folder, &more)?.url()?;
        for rows in ROWS {
            command::must(
                Command::new(&self.null)
                    .args(["fill", &rows.to_string()])
                    .env("PINHOLE_DATA", folder.join("data"))
                    .envs(more.iter().map(|(name, value)| (name, value))),
            )?;
            // What was put there in the clear is sealed before anybody is let in.
            let mut served = Served::start(&self.null, &folder, &more)?;
            let url = served.url_within(SEALED_WITHIN)?;
            for (path, what) in PATHS {
                let request = [Request::get(path)];
                load::measure(&url, &request, 1, PAGES / WARM_UP)?;
                let loads = (0..TURNS).map(|_| load::measure(&url, &request, 1, PAGES));
                let loads: Vec<Load> = loads.collect::<Result<_>>()?;
                report
                    .pages
                    .push(PageRow::of(database.name(), what, rows, &loads));
            }
        }
        Ok(())
    }

    fn variables(&self, database: Database, name: &str) -> Result<Vec<(&'static str, String)>> {
        let mut more = vec![
            ("PINHOLE_MAX_RUNNING_EACH", "64".to_owned()),
            ("PINHOLE_ORDERS_PER_MINUTE", "60000".to_owned()),
        ];
        if database == Database::Postgres {
            more.push(("PINHOLE_DATABASE", self.postgres.database(name)?));
        }
        Ok(more)
    }

    fn empty(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

impl House {
    fn orders(&self) -> Vec<Request> {
        let orders = self.keys.iter();
        orders
            .map(|key| Request::post(GENERATIONS, key, r#"{"prompt":"a red apple"}"#))
            .collect()
    }
}
