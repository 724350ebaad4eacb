//! The cookies of this program, all only for who signs in: the session, the browser's token by which
//! it is known again, and for some minutes the one of who signs in with a passkey, so that nobody
//! else can use the answer. There is no other cookie, and nothing else is stored in a browser.

use axum::http::{HeaderMap, HeaderValue, header};
use studio::accounts::device::KNOWN_FOR_MS;
use studio::accounts::passkey::ANSWER_WITHIN_MS;
use studio::accounts::session::ABSOLUTE_END_MS;

use crate::Site;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    Session,
    Device,
    Passkey,
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
        }
    }

    const fn lives_s(self) -> i64 {
        match self {
            Self::Session => ABSOLUTE_END_MS / 1_000,
            Self::Device => KNOWN_FOR_MS / 1_000,
            Self::Passkey => ANSWER_WITHIN_MS / 1_000,
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
    write(headers, site, cookie, "", 0);
}

fn write(headers: &mut HeaderMap, site: &Site, cookie: Cookie, value: &str, lives_s: i64) {
    let name = cookie.name(site.is_https());
    let secure = if site.is_https() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={lives_s}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.append(header::SET_COOKIE, value);
    }
}
