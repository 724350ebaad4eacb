//! By which name passkeys are made here: browsers tie each to the host and origin of a page.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use studio::accounts::passkey::Party;

use crate::Site;
use crate::texts::Texts;

/// The party of a request; or why passkeys can't be used by the name that it was sent to.
#[derive(Clone, Debug)]
pub(crate) struct RelyingParty(pub(crate) Result<Party, String>);

impl FromRequestParts<Site> for RelyingParty {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        site: &Site,
    ) -> Result<Self, std::convert::Infallible> {
        let named = parts.headers.get(header::HOST);
        let named = named.and_then(|host| host.to_str().ok());
        let host = named.or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
        let host = host.unwrap_or_default().to_ascii_lowercase();
        Ok(Self(of(site, &host)))
    }
}

fn of(site: &Site, host: &str) -> Result<Party, String> {
    let words = &Texts::get().door;
    let name = name_of(host);
    let Some(public) = &site.public else {
        // This machine, by one of its names; browsers take one of them for a party.
        return match name {
            "localhost" => Ok(Party {
                id: name.to_owned(),
                origin: format!("http://{host}"),
            }),
            _ => {
                let port = &host[name.len()..];
                let local = format!("http://localhost{port}");
                Err(words.passkey_elsewhere.fill(&local))
            }
        };
    };
    if public.host() != host {
        return Err(words.passkey_elsewhere.fill(public));
    }
    if name != "localhost" && !public.is_https() {
        return Err(words.passkey_needs_https.clone());
    }
    if is_number(name) {
        return Err(words.passkey_needs_name.clone());
    }
    Ok(Party {
        id: name.to_owned(),
        origin: public.to_string(),
    })
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_number(name: &str) -> bool {
    name.starts_with('[') || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_told_from_its_port() {
        for (host, name) in [
            ("localhost", "localhost"),
            ("localhost:8080", "localhost"),
            ("[::1]:8080", "[::1]"),
            ("pictures.example.org", "pictures.example.org"),
        ] {
            assert_eq!(name_of(host), name);
        }
        assert!(is_number("127.0.0.1") && is_number("[::1]"));
        assert!(!is_number("localhost"));
    }
}
