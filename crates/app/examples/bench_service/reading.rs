//! What it costs to read pictures that are sealed, next to reading the same rows and files as they lie.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use db::{Db, Location, on};
use domain::clock::Clock;
use domain::ids::{PersonId, PictureId};
use domain::picture::Format;
use domain::randomness::Randomness;
use outside::shelf::Shelf;
use studio::credits::PriceList;
use studio::jobs::progress::Board;
use studio::pictures::{self, Wanted};
use studio::privacy::keys::{KekSource, Keys};
use studio::{Limits, Studio, accounts};

const PICTURES: usize = 200;
const ROUNDS: usize = 10;

/// Prints how many microseconds a picture takes, sealed and as it lies.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "whoever measures reads it there"
)]
pub(super) fn run() -> ExitCode {
    match measured() {
        Ok([sealed, plain]) => {
            println!("{:.1} {:.1}", micros(sealed), micros(plain));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench_service reading: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6 / (PICTURES * ROUNDS) as f64
}

fn measured() -> Result<[Duration; 2]> {
    let data = std::env::var_os("PINHOLE_DATA").context("PINHOLE_DATA is not set")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let studio = open(Path::new(&data)).await?;
        let mut times = [Duration::ZERO; 2];
        let mut rows = studio.db.read().await?;
        let ids: Vec<(String, String)> = on!(rows, conn => {
            sqlx::query_as("SELECT person_id, id FROM picture ORDER BY id LIMIT 200")
                .fetch_all(conn)
                .await
        })?;
        drop(rows);
        ensure!(ids.len() == PICTURES, "{} pictures are too few", ids.len());
        // The first round finds nothing in memory, and does not count.
        for round in 0..=ROUNDS {
            for (person, id) in &ids {
                let began = Instant::now();
                let sealed = as_people_do(&studio, person.parse()?, id.parse()?).await?;
                let between = Instant::now();
                let plain = as_it_lies(&studio, person, id).await?;
                ensure!(
                    sealed > 0 && plain > sealed,
                    "these are not the same picture"
                );
                if round > 0 {
                    times[0] += between - began;
                    times[1] += between.elapsed();
                }
            }
        }
        studio.db.close().await;
        studio.keys.close().await;
        Ok(times)
    })
}

/// How many bytes the picture has.
async fn as_people_do(studio: &Studio, person: PersonId, id: PictureId) -> Result<usize> {
    let found = pictures::find(studio, person, id).await?;
    let found = found.context("the picture is gone")?;
    let file = pictures::file(studio, &found, Wanted::plain(Format::Png, None)).await?;
    Ok(file.bytes.len())
}

/// The same row and the same file, without any key.
async fn as_it_lies(studio: &Studio, person: &str, id: &str) -> Result<usize> {
    let mut rows = studio.db.read().await?;
    let prompt: String = on!(rows, conn => {
        sqlx::query_scalar(
            "SELECT job.prompt, picture.*, job.model, job.ancestors, hold.price FROM picture \
             JOIN job ON job.id = picture.job_id LEFT JOIN hold ON hold.job_id = job.id \
             WHERE picture.id = $1 AND picture.person_id = $2",
        )
        .bind(id)
        .bind(person)
        .fetch_one(conn)
        .await
    })?;
    drop(rows);
    ensure!(!prompt.is_empty(), "a picture without words");
    Ok(studio.shelf.get(&format!("pictures/{id}.png")).await?.len())
}

async fn open(data: &Path) -> Result<Studio> {
    let db = Db::open(&Location::File(data.join("pinhole.db"))).await?;
    let store = Db::open_keys(&Location::File(data.join("keys/keys.db")), None).await?;
    let (clock, randomness) = (Clock::system(), Randomness::system());
    let kek = KekSource::file(data.join("kek"));
    Ok(Studio {
        keys: Keys::open(&db, store, kek, &clock, &randomness).await?,
        db,
        shelf: Shelf::folder(&data.join("blobs"))?,
        painters: Arc::new([]),
        clock,
        randomness,
        board: Board::default(),
        gate: accounts::Gate::default(),
        limits: Limits::default(),
        prices: Arc::new(PriceList::open(None)?),
        recipients: Arc::default(),
    })
}
