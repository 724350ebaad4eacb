//! Refuses what other sites would do in a person's browser: a page elsewhere must neither reach
//! this machine by a name of its own (DNS rebinding) nor send a form here (cross-site request
//! forgery). In a house without accounts this is the only lock.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::problem::Problem;
use crate::{PublicUrl, Site};

pub(super) async fn check(State(site): State<Site>, request: Request, next: Next) -> Response {
    let refusal = foreign_host(&site, request.headers(), request.uri())
        .or_else(|| foreign_origin(request.method(), request.headers()));
    match refusal {
        Some(problem) => problem.on(request.uri().path()),
        None => next.run(request).await,
    }
}

fn foreign_host(site: &Site, headers: &HeaderMap, uri: &Uri) -> Option<Problem> {
    let named = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = named.or_else(|| uri.authority().map(|authority| authority.as_str()));
    let public = site.public.as_ref().map(PublicUrl::host);
    if host.is_some_and(|host| is_this_machine(host) || public.is_some_and(|own| own == host)) {
        return None;
    }
    let message = match public {
        None => "This program answers to localhost, 127.0.0.1 and [::1] only. Open it by one of those names.".to_owned(),
        Some(own) => format!("This program answers to {own} only. Open it by that name."),
    };
    Some(Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "foreign_host",
        message,
    ))
}

/// `host` is a name or address with or without a port.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let bracketed = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match bracketed {
        Some(v6) => v6.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        None => {
            name.eq_ignore_ascii_case("localhost")
                || name
                    .parse::<IpAddr>()
                    .is_ok_and(|ip| ip.is_ipv4() && ip.is_loopback())
        }
    }
}

fn foreign_origin(method: &Method, headers: &HeaderMap) -> Option<Problem> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return None;
    }
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site_is_foreign = text(header::HeaderName::from_static("sec-fetch-site"))
        .is_some_and(|site| !matches!(site, "same-origin" | "none"));
    let host = text(header::HOST).unwrap_or("");
    let origin_is_foreign = text(header::ORIGIN).is_some_and(|origin| {
        origin
            .split_once("://")
            .is_none_or(|(_, from)| from != host)
    });
    if !site_is_foreign && !origin_is_foreign {
        return None;
    }
    let message =
        "Another site sent this request, so nothing was done. Do it on a page of this program.";
    Some(Problem::new(
        StatusCode::FORBIDDEN,
        "foreign_origin",
        message,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered_to() {
        for own in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:1",
            "127.8.8.8",
            "[::1]",
            "[::1]:8080",
        ] {
            assert!(is_this_machine(own), "{own}");
        }
        for foreign in [
            "",
            ":80",
            "evil.example",
            "localhost.evil.example:8080",
            "127.0.0.1.evil.example",
            "10.0.0.1:8080",
            "[::2]:80",
            "::1",
            "0.0.0.0:8080",
            "localhost:",
            "a@localhost",
        ] {
            assert!(!is_this_machine(foreign), "{foreign}");
        }
    }
}
