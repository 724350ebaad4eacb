//! Visits are counted, and nobody is followed: how many came on a day, and what they saw.
//!
//! Who was here already today is known by a hash with a random number of that day. Both are in the memory
//! of this process alone and are gone at midnight (UTC) and when it ends. Nothing is written before, and
//! then only sums of at least [`CROWD`] people each.
//!
//! Architecture invariant: nothing in here writes an address, a browser's words, a person's number or a hash
//! of any of them anywhere, and no function gives one out.

mod book;
mod crowd;

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::clock::Moment;
use domain::ids::PersonId;
use domain::randomness::Randomness;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub use book::{Day, KEPT_MS, MAX_DAYS_READ, Report, close, keep_publishing, publish, report};
pub use crowd::CROWD;
pub(crate) use crowd::fold;

/// Several cells of which each is about few people; and what finds no place any more.
pub const OTHER: &str = "other";
/// Nothing was said.
pub const NONE: &str = "none";

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Hashes that are kept of a day, of visitors and of who saw which page: 20 MB or so. Whoever comes after
/// that is not counted any more; what they see is.
const MAX_SEEN: usize = 1_000_000;
/// Names of one kind on one day, since anybody can make up hosts.
const MAX_NAMES: usize = 500;
/// Days that wait to be written, where the database does not take them.
const MAX_DAYS: usize = 8;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Visits,
    Page,
    /// The host from which somebody came first.
    Source,
    Country,
    Browser,
    System,
    Device,
    /// Pictures that were ordered.
    Model,
    SignUp,
}

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::Visits,
        Self::Page,
        Self::Source,
        Self::Country,
        Self::Browser,
        Self::System,
        Self::Device,
        Self::Model,
        Self::SignUp,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Visits => "visits",
            Self::Page => "page",
            Self::Source => "source",
            Self::Country => "country",
            Self::Browser => "browser",
            Self::System => "system",
            Self::Device => "device",
            Self::Model => "model",
            Self::SignUp => "sign_up",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether each person stands in one cell of it alone.
    const fn is_split(self) -> bool {
        match self {
            Self::Visits
            | Self::Source
            | Self::Country
            | Self::Browser
            | Self::System
            | Self::Device
            | Self::SignUp => true,
            Self::Page | Self::Model => false,
        }
    }
}

/// One count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    pub times: u64,
    /// Different ones, as far as that can be known.
    pub people: u64,
}

/// A page that somebody saw.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The pattern of its address, never the address.
    pub page: &'a str,
    /// Stays in here.
    pub from: IpAddr,
    /// What the browser says of itself; stays in here.
    pub agent: &'a [u8],
    pub browser: &'a str,
    pub system: &'a str,
    pub device: &'a str,
    pub source: Option<&'a str>,
    pub country: Option<&'a str>,
}

/// The counters of one process. Clones share them.
#[derive(Clone, Debug)]
pub struct Visits(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    randomness: Randomness,
    counting: Mutex<Counting>,
}

#[derive(Debug)]
struct Counting {
    today: Today,
    over: VecDeque<Over>,
}

/// A day that is over, or was when the process ended, as it may be written.
#[derive(Clone, Debug)]
struct Over {
    day: Moment,
    cells: Vec<(Kind, String, Cell)>,
}

struct Today {
    day: Moment,
    /// Overwritten when the day is over.
    salt: Zeroizing<[u8; 32]>,
    seen: HashSet<u64>,
    cells: HashMap<Kind, HashMap<String, Cell>>,
}

impl std::fmt::Debug for Today {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Today(…)")
    }
}

impl Visits {
    #[must_use]
    pub fn new(randomness: &Randomness, now: Moment) -> Self {
        Self(Arc::new(Inner {
            randomness: randomness.clone(),
            counting: Mutex::new(Counting {
                today: Today::new(randomness, day_of(now)),
                over: VecDeque::new(),
            }),
        }))
    }

    pub fn count_view(&self, now: Moment, view: &View<'_>) {
        let mut counting = self.on(now);
        let today = &mut counting.today;
        let visitor = today.hash(&[b"visitor", &network(view.from), view.agent]);
        let is_new = today.is_first(visitor);
        today.add(Kind::Visits, NONE, 1, is_new);
        if is_new {
            for (kind, name) in [
                (Kind::Source, view.source.unwrap_or(NONE)),
                (Kind::Country, view.country.unwrap_or(NONE)),
                (Kind::Browser, view.browser),
                (Kind::System, view.system),
                (Kind::Device, view.device),
            ] {
                today.add(kind, name, 1, true);
            }
        }
        let here = today.hash(&[b"page", &visitor.to_le_bytes(), view.page.as_bytes()]);
        let is_new_here = today.is_first(here);
        today.add(Kind::Page, view.page, 1, is_new_here);
    }

    /// Somebody ordered pictures.
    pub fn count_order(&self, now: Moment, person: PersonId, model: &str, pictures: u32) {
        let mut counting = self.on(now);
        let today = &mut counting.today;
        let whose = person.to_string();
        let drawer = today.hash(&[b"model", whose.as_bytes(), model.as_bytes()]);
        let is_new = today.is_first(drawer);
        today.add(Kind::Model, model, pictures.into(), is_new);
    }

    /// Somebody made an account.
    pub fn count_sign_up(&self, now: Moment) {
        self.on(now).today.add(Kind::SignUp, NONE, 1, true);
    }

    /// The counters of the day that it is; the former one's are folded first, and its random number is gone.
    fn on(&self, now: Moment) -> MutexGuard<'_, Counting> {
        let counting = self.0.counting.lock();
        let mut counting = counting.unwrap_or_else(PoisonError::into_inner);
        if counting.today.day != day_of(now) {
            self.turn(&mut counting, now);
        }
        counting
    }

    fn turn(&self, counting: &mut Counting, now: Moment) {
        let next = Today::new(&self.0.randomness, day_of(now));
        let former = std::mem::replace(&mut counting.today, next);
        let (day, cells) = (former.day, former.folded());
        if cells.is_empty() {
            return;
        }
        if counting.over.len() >= MAX_DAYS {
            counting.over.pop_front();
        }
        counting.over.push_back(Over { day, cells });
    }

    /// Whatever may be written; with `all`, today's as well, which ends its counting.
    fn take_over(&self, now: Moment, all: bool) -> VecDeque<Over> {
        let mut counting = self.on(now);
        if all {
            self.turn(&mut counting, now);
        }
        std::mem::take(&mut counting.over)
    }

    /// Back again, since it could not be written.
    fn put_back(&self, now: Moment, mut over: VecDeque<Over>) {
        let mut counting = self.on(now);
        over.append(&mut counting.over);
        let too_many = over.len().saturating_sub(MAX_DAYS);
        over.drain(..too_many);
        counting.over = over;
    }
}

impl Today {
    fn new(randomness: &Randomness, day: Moment) -> Self {
        let mut salt = Zeroizing::new([0; 32]);
        randomness.fill(&mut *salt);
        Self {
            day,
            salt,
            seen: HashSet::new(),
            cells: HashMap::new(),
        }
    }

    /// SHA-256 of the day's random number and all parts, each with its length; of it, 64 bits.
    fn hash(&self, parts: &[&[u8]]) -> u64 {
        let mut hash = Sha256::new_with_prefix(*self.salt);
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(hash.finalize());
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// Whether this was not seen today; `false` where no more can be remembered.
    fn is_first(&mut self, hash: u64) -> bool {
        (self.seen.len() < MAX_SEEN) && self.seen.insert(hash)
    }

    fn add(&mut self, kind: Kind, name: &str, times: u64, is_new: bool) {
        let cells = self.cells.entry(kind).or_default();
        let name = match cells.contains_key(name) || cells.len() < MAX_NAMES {
            true => name,
            false => OTHER,
        };
        if !cells.contains_key(name) {
            cells.insert(name.to_owned(), Cell::default());
        }
        if let Some(cell) = cells.get_mut(name) {
            cell.times += times;
            cell.people += u64::from(is_new);
        }
    }

    fn folded(self) -> Vec<(Kind, String, Cell)> {
        let folded = self.cells.into_iter().flat_map(|(kind, cells)| {
            let told = crowd::fold(kind, cells).into_iter();
            told.map(move |(name, cell)| (kind, name, cell))
        });
        folded.collect()
    }
}

/// The day that a moment is in, in UTC.
const fn day_of(moment: Moment) -> Moment {
    let millis = moment.as_millis();
    Moment::from_millis(millis - millis.rem_euclid(DAY_MS))
}

/// An IPv4 address, or the /64 that one IPv6 customer has.
fn network(from: IpAddr) -> [u8; 16] {
    let bits = match from.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits() >> 64 << 64,
    };
    bits.to_le_bytes()
}

#[cfg(test)]
mod tests;
