//! Where the rows and the files of a running house are, and the rules that hold in it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use clap::Args;
use db::{Db, Location, Presence};
use domain::clock::Clock;
use domain::controller::{Controller, Incomplete};
use domain::ids::NodeId;
use domain::painter::Painter;
use domain::randomness::Randomness;
use domain::recipient::Register;
use engine::catalogue::Catalogue;
use engine::painter::{LocalPainter, Settings};
use outside::shelf::Shelf;
use studio::accounts::Gate;
use studio::credits::PriceList;
use studio::jobs::progress::Board;
use studio::privacy::backup::Replayed;
use studio::privacy::erasure::Ground;
use studio::privacy::keys::{KekSource, Keys, earlier};
use studio::privacy::recipients::{self, Settings as Parties};
use studio::privacy::{audit, backup, fence};
use studio::{Limits, Studio};

use crate::log_files::LogArgs;
use crate::policies::{self, ControllerArgs};

/// A Postgres address. It may hold a password, so it can't be printed.
#[derive(Clone)]
pub(crate) struct Address(String);

impl FromStr for Address {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self(text.to_owned()));
        }
        Err(
            "a database address begins with postgres://; leave it out for a SQLite file in the data folder",
        )
    }
}

/// Where the keys are by which everything of people is sealed.
#[derive(Args, Clone)]
pub(crate) struct KeyStoreArgs {
    /// File of the key-encryption keys; by default `kek` in the data folder, made at the first start.
    /// PINHOLE_KEK holds the keys themselves instead, in base64
    #[arg(long, global = true, env = "PINHOLE_KEK_FILE", value_name = "FILE")]
    kek_file: Option<PathBuf>,

    /// Address of the Postgres database of the key store; by default one beside the other, whose name
    /// ends in _keys, made when it is missing
    #[arg(
        long,
        global = true,
        env = "PINHOLE_KEYS_DATABASE",
        hide_env_values = true,
        value_name = "ADDRESS"
    )]
    keys_database: Option<Address>,
}

/// To whom something can leave the house.
#[derive(Args, Clone, Default)]
pub(crate) struct RecipientArgs {
    /// File in which the operator states who the recipients are (TOML): name, country, contract, transfer
    /// tool and retention of the mail server, the database server and the model hub
    #[arg(long, global = true, env = "PINHOLE_RECIPIENTS", value_name = "FILE")]
    recipients: Option<PathBuf>,
}

impl RecipientArgs {
    /// The environment counts where nothing else was said.
    fn register(&self, said: &Said, database: Option<&str>) -> anyhow::Result<Register> {
        let set = |name: &str| {
            std::env::var(name)
                .ok()
                .filter(|text| !text.trim().is_empty())
        };
        let witnesses = || {
            let named = set("PINHOLE_WITNESSES").unwrap_or_default();
            witness_addresses(named.split(','))
        };
        Ok(recipients::register(&Parties {
            stated: self.recipients.clone(),
            mail: said.mail.clone().or_else(|| set("PINHOLE_SMTP")),
            database: database.map(str::to_owned),
            hub: set("HF_ENDPOINT"),
            witnesses: said.witnesses.clone().unwrap_or_else(witnesses),
        })?)
    }
}

/// Recipients that a command line names.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) mail: Option<String>,
    pub(crate) witnesses: Option<Vec<String>>,
}

/// The addresses of witnesses, each of which is named by key and address.
pub(crate) fn witness_addresses<'a>(named: impl Iterator<Item = &'a str>) -> Vec<String> {
    let parts = named.filter_map(|text| text.trim().split_once(char::is_whitespace));
    parts
        .map(|(_, address)| address.trim().to_owned())
        .collect()
}

/// What an operator sets for every process of a house.
#[derive(Args, Clone)]
pub(crate) struct HouseArgs {
    /// Price list that takes the place of the shipped one
    #[arg(long, env = "PINHOLE_PRICES", value_name = "FILE")]
    prices: Option<PathBuf>,

    /// Jobs that may wait, of everybody
    #[arg(long, env = "PINHOLE_MAX_WAITING", default_value_t = Limits::default().max_waiting_jobs, value_name = "JOBS")]
    max_waiting: u32,

    /// Jobs of one person that may wait
    #[arg(long, env = "PINHOLE_MAX_WAITING_EACH", default_value_t = Limits::default().max_waiting_jobs_each, value_name = "JOBS")]
    max_waiting_each: u32,

    /// Jobs of one person that may be drawn at once, in all processes together
    #[arg(long, env = "PINHOLE_MAX_RUNNING_EACH", default_value_t = Limits::default().max_running_jobs_each, value_name = "JOBS", value_parser = clap::value_parser!(u32).range(1..))]
    max_running_each: u32,

    /// Orders that one person may place in a minute
    #[arg(long, env = "PINHOLE_ORDERS_PER_MINUTE", default_value_t = Limits::default().max_orders_per_minute, value_name = "ORDERS", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    orders_per_minute: u32,

    /// How long a process that draws may be silent before its jobs are another's
    #[arg(long, env = "PINHOLE_LEASE_MS", default_value_t = Limits::default().lease_ms, value_name = "MILLISECONDS", value_parser = clap::value_parser!(u32).range(1_000..))]
    lease_ms: u32,

    #[command(flatten)]
    pub(crate) log: LogArgs,

    /// How long a drawing goes on whose client is gone, where that client may come again
    #[arg(long, env = "PINHOLE_REPEAT_GRACE_MS", default_value_t = Limits::default().repeat_grace_ms, value_name = "MILLISECONDS")]
    repeat_grace_ms: u32,
}

impl HouseArgs {
    /// What holds without a command line: the environment, then the defaults.
    pub(crate) fn from_env() -> Self {
        #[derive(clap::Parser)]
        struct Alone {
            #[command(flatten)]
            args: HouseArgs,
        }
        <Alone as clap::Parser>::parse_from(["pinhole"]).args
    }

    fn limits(&self) -> Limits {
        Limits {
            max_waiting_jobs: self.max_waiting,
            max_waiting_jobs_each: self.max_waiting_each,
            max_running_jobs_each: self.max_running_each,
            max_orders_per_minute: self.orders_per_minute,
            lease_ms: self.lease_ms,
            repeat_grace_ms: self.repeat_grace_ms,
            ..Limits::default()
        }
    }
}

#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) data: PathBuf,
    location: Location,
    key_store: KeyStoreArgs,
    parties: RecipientArgs,
    controller: ControllerArgs,
    /// The schema of the databases stays as it is found.
    is_as_found: bool,
    /// Draws in place of the models that are here.
    painter: Option<Arc<dyn Painter>>,
    /// That this process is in the house, once it is.
    presence: Arc<Mutex<Option<Presence>>>,
}

/// Keeps others out of the house as long as it is kept.
pub(crate) struct Alone {
    _lock: Option<File>,
    _presence: Presence,
}

impl Place {
    /// Without an address, the rows are in a SQLite file of the data folder.
    pub(crate) fn new(
        data: PathBuf,
        database: Option<Address>,
        key_store: KeyStoreArgs,
        (parties, controller): (RecipientArgs, ControllerArgs),
        painter: Option<Arc<dyn Painter>>,
    ) -> Self {
        let location = database.map_or_else(
            || Location::File(data.join("pinhole.db")),
            |Address(url)| Location::Postgres(url),
        );
        Self {
            data,
            location,
            key_store,
            parties,
            controller,
            is_as_found: false,
            painter,
            presence: Arc::default(),
        }
    }

    /// Makes the data folder. With SQLite it also makes sure that this process alone works in it,
    /// for as long as the answer is kept; on Postgres several may.
    pub(crate) fn claim(&self) -> anyhow::Result<Option<File>> {
        let data = &self.data;
        let advice = || {
            format!(
                "the data folder {} can't be written. Make it writable, or name another one: \
                 PINHOLE_DATA=/path/to/folder pinhole",
                data.display()
            )
        };
        fs::create_dir_all(data).with_context(advice)?;
        if self.is_shared() {
            return Ok(None);
        }
        let lock = File::create(data.join("lock")).with_context(advice)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => bail!(
                "another Pinhole is using the data folder {}. Stop it, or name another folder: \
                 PINHOLE_DATA=/path/to/folder pinhole",
                data.display()
            ),
            Err(TryLockError::Error(error)) => Err(error).with_context(advice),
        }
    }

    pub(crate) async fn database(&self) -> anyhow::Result<Db> {
        let opened = match self.is_as_found {
            false => Db::open(&self.location).await.map(Some),
            true => Db::open_as_it_is(&self.location).await,
        };
        let opened = opened.with_context(|| match &self.location {
            Location::File(file) => format!("{} can't be used", file.display()),
            Location::Postgres(_) => {
                "the database that PINHOLE_DATABASE names can't be used".to_owned()
            }
        })?;
        opened.context("there is no house here yet")
    }

    /// The database as another build may have left it; `None` where there is none yet.
    pub(crate) async fn database_as_it_is(&self) -> anyhow::Result<Option<Db>> {
        Ok(Db::open_as_it_is(&self.location).await?)
    }

    /// Who answers for this house.
    pub(crate) fn controller(&self) -> Result<Controller, Incomplete> {
        self.controller.read()
    }

    pub(crate) async fn studio(&self, house: &HouseArgs) -> anyhow::Result<Studio> {
        let painter = match &self.painter {
            Some(painter) => Arc::clone(painter),
            None => self.local_painter()?,
        };
        let studio = self.open(house, Arc::new([painter])).await?;
        let resumed = studio.keys.resume_rotation().await?;
        if resumed > 0 {
            tracing::info!(
                "ended a rotation of keys that was broken off: {resumed} keys wrapped anew"
            );
        }
        Ok(studio)
    }

    fn local_painter(&self) -> anyhow::Result<Arc<dyn Painter>> {
        let painter = LocalPainter::new(Settings {
            models: Some(self.models()),
            catalogue: Some(Catalogue::from_environment()?),
            ..Settings::default()
        })?;
        Ok(Arc::new(painter))
    }

    /// The house as it is seen from a shell: nothing can be drawn in it.
    pub(crate) async fn office(&self, house: &HouseArgs) -> anyhow::Result<Studio> {
        let advice = || format!("the data folder {} can't be made", self.data.display());
        fs::create_dir_all(&self.data).with_context(advice)?;
        self.open(house, Arc::new([])).await
    }

    async fn open(
        &self,
        house: &HouseArgs,
        painters: Arc<[Arc<dyn Painter>]>,
    ) -> anyhow::Result<Studio> {
        policies::rule_for_a_shell(self).await?;
        let studio = self.enter(house, painters).await?;
        fence::check(&studio).await?;
        if let Some(replayed) = backup::finish(&studio).await? {
            let Replayed {
                people,
                orders,
                pictures,
                ..
            } = replayed;
            tracing::warn!(
                "this house was put back from a backup: {people} people, {orders} orders and {pictures} \
                 pictures that were deleted since are deleted again"
            );
        }
        let sealed = earlier::seal(&studio).await?;
        if sealed > 0 {
            tracing::info!("sealed what earlier builds wrote: {sealed} rows and files");
        }
        audit::declare_inventory(&studio).await?;
        Ok(studio)
    }

    async fn enter(
        &self,
        house: &HouseArgs,
        painters: Arc<[Arc<dyn Painter>]>,
    ) -> anyhow::Result<Studio> {
        let db = self.database().await?;
        let presence = db.enter(false).await?;
        let presence = presence.context(
            "a backup is being put back in this house just now. Wait until that is over",
        )?;
        *self.presence.lock().unwrap_or_else(PoisonError::into_inner) = Some(presence);
        self.furnish(db, house, painters).await
    }

    /// The house for who publishes what this build does, while an earlier one runs it: where versions hold
    /// already, nothing of its databases is brought up to date.
    pub(crate) async fn study(&self, house: &HouseArgs) -> anyhow::Result<Studio> {
        let is_held = match self.database_as_it_is().await? {
            Some(db) => {
                let is_held = studio::privacy::policies::has_versions(&db).await?;
                db.close().await;
                is_held
            }
            None => false,
        };
        if !is_held {
            return self.office(house).await;
        }
        let place = Self {
            is_as_found: true,
            ..self.clone()
        };
        place.enter(house, Arc::new([])).await
    }

    /// The house for somebody who is alone in it, as it is: nothing is looked at and nothing is noted.
    pub(crate) async fn alone(&self, house: &HouseArgs) -> anyhow::Result<(Studio, Alone)> {
        let lock = self.claim()?;
        let db = self.database().await?;
        let alone = self.seclude(lock, &db).await?;
        let store = self.key_store_beside(&db).await?;
        if !backup::keys_are_there(&store).await? {
            bail!(
                "there are no keys here, and without them nothing in a backup of the house can be read. Put \
                 the keys back first, from their own backup: pinhole restore FILE"
            );
        }
        store.close().await;
        Ok((self.furnish(db, house, Arc::new([])).await?, alone))
    }

    /// The key store and the key-encryption keys, for somebody who is alone in the house.
    pub(crate) async fn alone_with_keys(&self) -> anyhow::Result<(Db, KekSource, Alone)> {
        let lock = self.claim()?;
        let db = self.database().await?;
        let alone = self.seclude(lock, &db).await?;
        let store = self.key_store_beside(&db).await?;
        db.close().await;
        Ok((store, self.kek()?, alone))
    }

    async fn seclude(&self, lock: Option<File>, db: &Db) -> anyhow::Result<Alone> {
        let presence = db.enter(true).await?;
        let presence = presence.context(
            "somebody is in this house: stop every pinhole serve and pinhole work on this database first",
        )?;
        Ok(Alone {
            _lock: lock,
            _presence: presence,
        })
    }

    async fn furnish(
        &self,
        db: Db,
        house: &HouseArgs,
        painters: Arc<[Arc<dyn Painter>]>,
    ) -> anyhow::Result<Studio> {
        let (clock, randomness) = (Clock::system(), Randomness::system());
        let keys = self.keys(&db, &clock).await?;
        Ok(Studio {
            db,
            keys,
            shelf: Shelf::folder(&self.data.join("blobs"))?,
            painters,
            board: Board::of(NodeId::new(clock.now(), &randomness)),
            clock,
            randomness,
            gate: Gate::default(),
            limits: house.limits(),
            prices: Arc::new(PriceList::open(house.prices.as_deref())?),
            recipients: Arc::new(self.recipients(&Said::default())?),
        })
    }

    /// Everybody to whom this house can connect.
    pub(crate) fn recipients(&self, said: &Said) -> anyhow::Result<Register> {
        let database = match &self.location {
            Location::File(_) => None,
            Location::Postgres(url) => Some(url.as_str()),
        };
        self.parties.register(said, database)
    }

    fn kek(&self) -> anyhow::Result<KekSource> {
        Ok(match std::env::var("PINHOLE_KEK") {
            Ok(text) if !text.trim().is_empty() => KekSource::given(&text)?,
            _ => KekSource::file(
                self.key_store
                    .kek_file
                    .clone()
                    .unwrap_or_else(|| self.data.join("kek")),
            ),
        })
    }

    async fn keys(&self, db: &Db, clock: &Clock) -> anyhow::Result<Keys> {
        let source = self.kek()?;
        let is_new = source.is_missing();
        let store = self.key_store_beside(db).await?;
        let keys = Keys::open(db, store, source, clock, &Randomness::system()).await?;
        let place = keys.source().place();
        if is_new {
            tracing::warn!(
                "made the key-encryption key in {place}: without it nothing of people can be read. Copy \
                 it to where the backups of the data folder are not, or keep it there from the start: \
                 PINHOLE_KEK_FILE=/path/to/file"
            );
        }
        if keys.source().is_open_to_others() {
            tracing::warn!("others on this machine can read {place}: chmod 600 {place}");
        }
        Ok(keys)
    }

    async fn key_store_beside(&self, db: &Db) -> anyhow::Result<Db> {
        let (location, beside) = match (&self.key_store.keys_database, &self.location) {
            (Some(_), Location::File(_)) => bail!(
                "PINHOLE_KEYS_DATABASE names a Postgres database, but PINHOLE_DATABASE does not: name \
                 both, or neither"
            ),
            (Some(Address(url)), Location::Postgres(_)) => (Location::Postgres(url.clone()), None),
            (None, Location::Postgres(url)) => {
                (Location::Postgres(db::beside(url)?), Some(url.as_str()))
            }
            (None, Location::File(_)) => {
                let folder = self.data.join("keys");
                make_private(&folder)
                    .with_context(|| format!("the folder {} can't be made", folder.display()))?;
                (Location::File(folder.join("keys.db")), None)
            }
        };
        if db.is_shared() && location == self.location {
            bail!(
                "PINHOLE_KEYS_DATABASE names the database of the pictures: keys need one of their own"
            );
        }
        let opened = match self.is_as_found {
            false => Db::open_keys(&location, beside).await,
            true => Db::open_keys_as_they_are(&location).await,
        };
        opened.with_context(|| match &location {
            Location::File(file) => format!("{} can't be used", file.display()),
            Location::Postgres(_) => "the database of the keys can't be used".to_owned(),
        })
    }

    pub(crate) const fn is_shared(&self) -> bool {
        matches!(self.location, Location::Postgres(_))
    }

    /// What an erasure searches in the end.
    pub(crate) fn ground(&self, log: Option<PathBuf>, sends_letters: bool) -> Ground {
        Ground {
            data: Some(self.data.clone()),
            skipped: vec![self.models()],
            log: log.filter(|folder| folder.exists()),
            sends_letters,
        }
    }

    /// Where the log is written to files; `None` where it goes to standard error.
    pub(crate) fn logs(&self, house: &HouseArgs, is_public: bool) -> Option<PathBuf> {
        house.log.folder(&self.data, is_public)
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.data.join("models")
    }
}

/// A folder for the owner alone.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}
