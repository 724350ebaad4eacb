//! A second, simple bookkeeping that the ledger is compared with.

use std::collections::BTreeMap;

use domain::credits::Credits;
use domain::ids::{GrantId, JobId, PersonId};

/// Credits that end together: when, and which grant they are of. No end sorts last.
type Lot = (i64, GrantId);

#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    pub(crate) people: BTreeMap<PersonId, Purse>,
    pub(crate) issued: i64,
    pub(crate) revenue: i64,
    pub(crate) expired: i64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Purse {
    pub(crate) lots: BTreeMap<Lot, i64>,
    pub(crate) holds: BTreeMap<JobId, Open>,
    pub(crate) entries: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) price: i64,
    pub(crate) pictures: u32,
    parts: BTreeMap<Lot, i64>,
}

impl Purse {
    pub(crate) fn available(&self) -> i64 {
        self.lots.values().sum()
    }

    pub(crate) fn held(&self) -> i64 {
        let of_one = |open: &Open| open.parts.values().sum::<i64>();
        self.holds.values().map(of_one).sum()
    }
}

impl Books {
    pub(crate) fn purse(&mut self, person: PersonId) -> &mut Purse {
        self.people.entry(person).or_default()
    }

    pub(crate) fn give(
        &mut self,
        person: PersonId,
        grant: GrantId,
        credits: Credits,
        ends_ms: Option<i64>,
    ) {
        let purse = self.purse(person);
        purse
            .lots
            .insert((ends_ms.unwrap_or(i64::MAX), grant), credits.get());
        purse.entries += 1;
        self.issued -= credits.get();
    }

    pub(crate) fn expire(&mut self, person: PersonId, now_ms: i64) {
        let purse = self.purse(person);
        let mut gone = 0;
        for ((ends_ms, _), left) in &mut purse.lots {
            if *ends_ms <= now_ms && *left > 0 {
                gone += *left;
                *left = 0;
                purse.entries += 1;
            }
        }
        purse.lots.retain(|_, left| *left > 0);
        self.expired += gone;
    }

    /// `false` where there is not enough.
    pub(crate) fn hold(
        &mut self,
        person: PersonId,
        job: JobId,
        price: i64,
        pictures: u32,
        now_ms: i64,
    ) -> bool {
        self.expire(person, now_ms);
        let purse = self.purse(person);
        let mut missing = price * i64::from(pictures);
        if purse.available() < missing {
            return false;
        }
        let mut parts = BTreeMap::new();
        for (lot, left) in &mut purse.lots {
            let taken = missing.min(*left);
            if taken > 0 {
                *left -= taken;
                missing -= taken;
                parts.insert(*lot, taken);
            }
        }
        purse.lots.retain(|_, left| *left > 0);
        purse.entries += 1;
        let open = Open {
            price,
            pictures,
            parts,
        };
        purse.holds.insert(job, open);
        true
    }

    pub(crate) fn settle(&mut self, person: PersonId, job: JobId, delivered: u32) {
        let purse = self.purse(person);
        let Some(open) = purse.holds.remove(&job) else {
            return;
        };
        let charged = open.price * i64::from(delivered.min(open.pictures));
        let mut spent = charged;
        for (lot, credits) in open.parts {
            let kept = credits.min(spent);
            spent -= kept;
            if credits > kept {
                *purse.lots.entry(lot).or_default() += credits - kept;
            }
        }
        purse.entries += 1;
        self.revenue += charged;
    }
}
