//! Keeps guessers out without keeping owners out.
//!
//! Failed sign-ins fill three measures: of the network address that they come from, of the account
//! that they try, and of the whole house. A full measure of an address turns that address away. A
//! full one of an account, or of the house, means that somebody is trying passwords in bulk: then
//! browsers that are not known get no password checked at all, right or wrong, and the owner gets a
//! letter with a link that makes the browser known. Known browsers have measures of their own, so a
//! crowd elsewhere does not touch them.
//!
//! Everything is in memory, and nothing in it can be read back as an address.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use domain::clock::Moment;
use domain::personal::Address;
use domain::secret::Token;

use super::sign_in::Visit;

/// A measure: how much it takes at once, and how long until one of it is free again.
#[derive(Clone, Copy, Debug)]
struct Measure {
    capacity: u32,
    refill_ms: i64,
}

/// Failed sign-ins from one address. Many people may share one.
const OF_ADDRESS: Measure = Measure {
    capacity: 20,
    refill_ms: 30_000,
};
/// Failed sign-ins to one account, from browsers that it does not know.
const OF_ACCOUNT: Measure = Measure {
    capacity: 10,
    refill_ms: 90_000,
};
/// Failed sign-ins in a browser that is known.
const OF_DEVICE: Measure = Measure {
    capacity: 20,
    refill_ms: 30_000,
};
/// Failed sign-ins to all accounts, from browsers that they do not know.
const OF_HOUSE: Measure = Measure {
    capacity: 100,
    refill_ms: 1_000,
};
/// Questions for authenticators that one address of the network may cause; each is a row.
const QUESTIONS_OF_ADDRESS: Measure = Measure {
    capacity: 60,
    refill_ms: 2_000,
};
/// Looks whether the same attack goes on.
const ALARMS_OF_TARGET: Measure = Measure {
    capacity: 1,
    refill_ms: 60_000,
};
/// Looks for all attacks of one kind.
const ALARMS: Measure = Measure {
    capacity: 10,
    refill_ms: 60_000,
};
/// Letters that one address of the network may cause.
const LETTERS_OF_ADDRESS: Measure = Measure {
    capacity: 10,
    refill_ms: 60_000,
};
/// Letters to one mailbox.
const LETTERS_OF_MAILBOX: Measure = Measure {
    capacity: 4,
    refill_ms: 15 * 60_000,
};

/// Measures that are kept at a time; those that have emptied go first.
const MAX_MEASURES: usize = 100_000;
/// How often it is looked for those, while there are so many.
const BETWEEN_LOOKS_MS: i64 = 1_000;

#[derive(Debug, Default)]
pub(crate) struct Throttle {
    keys: RandomState,
    measures: Mutex<Measures>,
    /// Of known browsers. A crowd elsewhere makes none of these, so it leaves room for them.
    devices: Mutex<Measures>,
}

#[derive(Debug, Default)]
struct Measures {
    fills: HashMap<u64, Fill>,
    /// When those that have emptied went last.
    looked: Option<Moment>,
}

/// How full a measure was, and when.
#[derive(Clone, Copy, Debug)]
struct Fill {
    used: f64,
    at: Moment,
    measure: Measure,
}

impl Fill {
    fn now(&self, now: Moment) -> f64 {
        let passed = (now.as_millis() - self.at.as_millis()).max(0);
        (self.used - passed as f64 / self.measure.refill_ms as f64).max(0.0)
    }
}

/// What a try to sign in meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Go,
    /// Too many tries from this address: come back later.
    Wait {
        retry_after_s: u32,
    },
    /// Somebody tries passwords in bulk: the browser must be made known first.
    MakeKnown(Target),
}

/// Where passwords are tried in bulk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Account,
    House,
}

impl Target {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::House => "house",
        }
    }
}

impl Throttle {
    /// Counts a try before it is made, as if it failed; [`Throttle::succeeded`] takes it back.
    pub(crate) fn try_sign_in(
        &self,
        now: Moment,
        visit: &Visit,
        address: &Address,
        known_device: Option<&Token>,
    ) -> Verdict {
        let from = self.from(visit.from);
        if let Some(token) = known_device {
            return match take(&self.devices, now, self.device(token), OF_DEVICE) {
                Ok(()) => Verdict::Go,
                Err(retry_after_s) => Verdict::Wait { retry_after_s },
            };
        }
        if let Err(retry_after_s) = self.take(now, from, OF_ADDRESS) {
            return Verdict::Wait { retry_after_s };
        }
        // What is stopped at one account is no try against the house: the others stay open.
        if self.take(now, self.account(address), OF_ACCOUNT).is_err() {
            return Verdict::MakeKnown(Target::Account);
        }
        match self.take(now, self.house(), OF_HOUSE) {
            Ok(()) => Verdict::Go,
            Err(_) => Verdict::MakeKnown(Target::House),
        }
    }

    /// Whether it is time to look whether an attack has begun. A crowd of accounts that are tried
    /// one by one is told of a few times, until it is an attack on the house.
    pub(crate) fn may_raise(&self, now: Moment, target: Target, address: &Address) -> bool {
        let key = match target {
            Target::House => self.keys.hash_one("alarm of the house"),
            Target::Account => self.keys.hash_one(("alarm", address.folded())),
        };
        if self.take(now, key, ALARMS_OF_TARGET).is_err() {
            return false;
        }
        let all = self.keys.hash_one(("alarms", target));
        self.take(now, all, ALARMS).is_ok()
    }

    pub(crate) fn succeeded(
        &self,
        now: Moment,
        visit: &Visit,
        address: &Address,
        known_device: Option<&Token>,
    ) {
        match known_device {
            Some(token) => give_back(&self.devices, now, self.device(token)),
            None => {
                give_back(&self.measures, now, self.from(visit.from));
                give_back(&self.measures, now, self.account(address));
                give_back(&self.measures, now, self.house());
            }
        }
    }

    /// Counts a try with a passkey before it is made. Nobody guesses a passkey, so what others do
    /// stops nobody here.
    pub(crate) fn try_passkey(
        &self,
        now: Moment,
        visit: &Visit,
        known_device: Option<&Token>,
    ) -> Result<(), u32> {
        match known_device {
            Some(token) => take(&self.devices, now, self.device(token), OF_DEVICE),
            None => self.take(now, self.from(visit.from), OF_ADDRESS),
        }
    }

    pub(crate) fn passkey_succeeded(
        &self,
        now: Moment,
        visit: &Visit,
        known_device: Option<&Token>,
    ) {
        match known_device {
            Some(token) => give_back(&self.devices, now, self.device(token)),
            None => give_back(&self.measures, now, self.from(visit.from)),
        }
    }

    /// Whether an address of the network may have another question for an authenticator.
    pub(crate) fn may_ask_for_passkey(&self, now: Moment, from: IpAddr) -> Result<(), u32> {
        let key = self.keys.hash_one(("questions", network(from)));
        self.take(now, key, QUESTIONS_OF_ADDRESS)
    }

    /// Whether an address of the network may cause another letter.
    pub(crate) fn may_ask_for_letter(&self, now: Moment, from: IpAddr) -> Result<(), u32> {
        let key = self.keys.hash_one(("letters", network(from)));
        self.take(now, key, LETTERS_OF_ADDRESS)
    }

    /// Whether a mailbox may get another letter that somebody who is not signed in caused. Whoever
    /// asked is not told.
    pub(crate) fn may_write_to(&self, now: Moment, address: &Address) -> bool {
        let key = self.keys.hash_one(("mailbox", address.folded()));
        self.take(now, key, LETTERS_OF_MAILBOX).is_ok()
    }

    fn take(&self, now: Moment, key: u64, measure: Measure) -> Result<(), u32> {
        take(&self.measures, now, key, measure)
    }

    fn from(&self, from: IpAddr) -> u64 {
        self.keys.hash_one(("from", network(from)))
    }

    fn account(&self, address: &Address) -> u64 {
        self.keys.hash_one(("account", address.folded()))
    }

    fn device(&self, token: &Token) -> u64 {
        self.keys.hash_one(("device", token.expose()))
    }

    fn house(&self) -> u64 {
        self.keys.hash_one("house")
    }
}

/// Takes one of a measure; or tells in how many seconds one will be free.
fn take(of: &Mutex<Measures>, now: Moment, key: u64, measure: Measure) -> Result<(), u32> {
    let mut measures = of.lock().unwrap_or_else(PoisonError::into_inner);
    if measures.fills.len() >= MAX_MEASURES && !measures.fills.contains_key(&key) {
        let looked = measures.looked.map_or(0, Moment::as_millis);
        if (now.as_millis() - looked).abs() >= BETWEEN_LOOKS_MS {
            measures.fills.retain(|_, fill| fill.now(now) > 0.0);
            measures.looked = Some(now);
        }
        if measures.fills.len() >= MAX_MEASURES {
            // More guessers than can be remembered: nobody new for a while.
            return Err(60);
        }
    }
    let fill = measures.fills.entry(key).or_insert(Fill {
        used: 0.0,
        at: now,
        measure,
    });
    let used = fill.now(now);
    if used + 1.0 > f64::from(measure.capacity) {
        let missing = used + 1.0 - f64::from(measure.capacity);
        let wait_ms = missing * measure.refill_ms as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few minutes at most, never negative"
        )]
        let wait_s = (wait_ms / 1_000.0).ceil() as u32;
        return Err(wait_s.max(1));
    }
    fill.used = used + 1.0;
    fill.at = now;
    Ok(())
}

fn give_back(of: &Mutex<Measures>, now: Moment, key: u64) {
    let mut measures = of.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(fill) = measures.fills.get_mut(&key) {
        fill.used = (fill.now(now) - 1.0).max(0.0);
        fill.at = now;
    }
}

/// An IPv4 address, or the /64 that one IPv6 customer has.
fn network(from: IpAddr) -> u64 {
    match from.to_canonical() {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use domain::randomness::Randomness;

    use super::*;

    /// A crowd of networks that is larger than what can be remembered keeps strangers out for a while, and nobody who
    /// is known.
    #[test]
    fn promise_use_06_more_guessers_than_can_be_remembered_keep_no_known_browser_out() {
        let throttle = Throttle::default();
        let now = Moment::from_millis(1_000_000);
        let anna = Address::new("anna@example.org").expect("an address");
        let visit = |network: u128| Visit {
            from: IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) + (network << 64))),
            family: "Firefox on Linux".to_owned(),
            device: None,
        };
        for network in 0..MAX_MEASURES as u128 {
            throttle.try_sign_in(now, &visit(network), &anna, None);
        }
        let held = throttle.measures.lock().expect("sound").fills.len();
        assert_eq!(held, MAX_MEASURES, "no more than that");
        let stranger = throttle.try_sign_in(now, &visit(u128::from(u32::MAX)), &anna, None);
        assert_eq!(stranger, Verdict::Wait { retry_after_s: 60 });
        let known = Token::new(&Randomness::system());
        let hers = throttle.try_sign_in(now, &visit(1), &anna, Some(&known));
        assert_eq!(hers, Verdict::Go);
        // Once their measures are empty they make room.
        let later = now.plus_millis(24 * 60 * 60 * 1_000);
        let again = throttle.try_sign_in(later, &visit(u128::from(u32::MAX)), &anna, None);
        assert_eq!(again, Verdict::Go);
    }
}
