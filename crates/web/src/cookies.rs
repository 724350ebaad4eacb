//! The cookies of this program. For who signs up or in: the session, the browser's token by which
//! it is known again, for some minutes the one of who signs in with a passkey, so that nobody
//! else can use the answer, and until the browser is closed the one of who asked for an account. For who
//! pressed the button of a language: that language. There is no other cookie, and nothing else is stored in a browser.

use axum::http::{HeaderMap, HeaderValue, header};
use studio::accounts::device::KNOWN_FOR_MS;
use studio::accounts::passkey::ANSWER_WITHIN_MS;
use studio::accounts::session::ABSOLUTE_END_MS;
use studio::privacy::fence;
use studio::privacy::inventory::{CHOICE_LIVES_MS, Medium};

use crate::Site;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    Session,
    Device,
    Passkey,
    /// Which answer the question for the age got.
    Door,
    /// In which language pages are told, of who chose one.
    Language,
}

impl Cookie {
    /// With https, the prefix makes browsers hold it to this very host.
    const fn name(self, is_https: bool) -> &'static str {
        match (self, is_https) {
            (Self::Session, true) => "__Host-pinhole",
            (Self::Session, false) => "pinhole",
            (Self::Device, true) => "__Host-pinhole-device",
            (Self::Device, false) => "pinhole-device",
            (Self::Passkey, true) => "__Host-pinhole-passkey",
            (Self::Passkey, false) => "pinhole-passkey",
            (Self::Door, true) => "__Host-pinhole-door",
            (Self::Door, false) => "pinhole-door",
            (Self::Language, true) => "__Host-pinhole-language",
            (Self::Language, false) => "pinhole-language",
        }
    }

    /// `None` until the browser is closed.
    const fn lives_s(self) -> Option<i64> {
        match self {
            Self::Session => Some(ABSOLUTE_END_MS / 1_000),
            Self::Device => Some(KNOWN_FOR_MS / 1_000),
            Self::Passkey => Some(ANSWER_WITHIN_MS / 1_000),
            Self::Door => None,
            Self::Language => Some(CHOICE_LIVES_MS / 1_000),
        }
    }
}

pub(crate) fn read(headers: &HeaderMap, site: &Site, cookie: Cookie) -> Option<String> {
    let name = cookie.name(site.is_https());
    let all = headers.get_all(header::COOKIE).into_iter();
    all.filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(given, _)| *given == name)
        .map(|(_, value)| value.to_owned())
}

pub(crate) fn set(headers: &mut HeaderMap, site: &Site, cookie: Cookie, value: &str) {
    write(headers, site, cookie, value, cookie.lives_s());
}

pub(crate) fn forget(headers: &mut HeaderMap, site: &Site, cookie: Cookie) {
    write(headers, site, cookie, "", Some(0));
}

/// Takes every cookie that an answer would set out of it.
pub(crate) fn take_all(headers: &mut HeaderMap) -> Vec<HeaderValue> {
    let all = headers.get_all(header::SET_COOKIE).iter().cloned();
    let all: Vec<HeaderValue> = all.collect();
    headers.remove(header::SET_COOKIE);
    all
}

/// Puts one back that was taken out.
pub(crate) fn put_back(headers: &mut HeaderMap, value: HeaderValue) {
    headers.append(header::SET_COOKIE, value);
}

fn write(headers: &mut HeaderMap, site: &Site, cookie: Cookie, value: &str, lives_s: Option<i64>) {
    // What nobody declared reaches no browser.
    if !fence::is_declared(Medium::Cookie, cookie.name(false)) {
        return;
    }
    let name = cookie.name(site.is_https());
    let secure = if site.is_https() { "; Secure" } else { "" };
    let lives = lives_s.map_or_else(String::new, |lives_s| format!("; Max-Age={lives_s}"));
    let text = format!("{name}={value}; Path=/{lives}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.append(header::SET_COOKIE, value);
    }
}
