//! The question for the age is answered once while a browser is open: whoever was told that they can't have an
//! account now gets no further by going back and writing another date.
//!
//! The answer stands in a cookie that everybody gets who sends the form, old enough or not, and that only this
//! house can tell apart: whoever finds it in a browser learns that somebody wanted an account, and nothing of
//! their age. Nothing is kept in the house.

use axum::http::HeaderMap;

use crate::Site;
use crate::cookies::{self, Cookie};

const DAY_S: i64 = 24 * 60 * 60;
const NONCE_CHARS: usize = 32;

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Open,
    Shut,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Shut => "shut",
        }
    }
}

/// Whether this browser was told today or yesterday that it is too early.
pub(super) fn is_shut(site: &Site, headers: &HeaderMap) -> bool {
    let Some(value) = cookies::read(headers, site, Cookie::Door) else {
        return false;
    };
    let Some((nonce, hash)) = value.split_once('.') else {
        return false;
    };
    let today = today(site);
    // Some browsers bring such cookies back when they are opened again.
    let mut days = [today, today - 1].into_iter();
    nonce.len() == NONCE_CHARS && days.any(|day| hash == hash_of(site, Verdict::Shut, nonce, day))
}

/// Notes in the browser whether it goes on.
pub(super) fn note(site: &Site, headers: &mut HeaderMap, is_open: bool) {
    let verdict = if is_open {
        Verdict::Open
    } else {
        Verdict::Shut
    };
    let nonce = format!("{:032x}", site.studio.randomness.next_u128());
    let hash = hash_of(site, verdict, &nonce, today(site));
    cookies::set(headers, site, Cookie::Door, &format!("{nonce}.{hash}"));
}

fn hash_of(site: &Site, verdict: Verdict, nonce: &str, day: i64) -> String {
    let text = format!("{}|{nonce}|{day}", verdict.name());
    site.studio.keys.blind("door", &text)
}

fn today(site: &Site) -> i64 {
    site.studio.clock.now().as_seconds().div_euclid(DAY_S)
}
