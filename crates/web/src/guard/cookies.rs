//! No cookie leaves that is not declared, and none whose purpose needs a yes that nobody said: whatever a
//! handler sets, it is dropped here, and those who run the house read so in the log.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use studio::Failure;
use studio::accounts::Known;
use studio::privacy::consent::{self, Optional, Signal};
use studio::privacy::inventory::{ELSEWHERE, Medium, Spot};

use crate::Site;
use crate::caller::Signalled;
use crate::cookies;

/// By these prefixes browsers hold a cookie to its host, or to https.
const PREFIXES: [&str; 2] = ["__Host-", "__Secure-"];
/// Of the name of a cookie that nobody declared, in the log.
const MAX_LOGGED_CHARS: usize = 40;

pub(super) async fn sift(State(site): State<Site>, request: Request, next: Next) -> Response {
    let Signalled(signal) = Signalled::read(request.headers());
    let mut response = next.run(request).await;
    let known = response.extensions().get::<Known>().copied();
    sift_headers(&site, known, signal, response.headers_mut()).await;
    response
}

async fn sift_headers(site: &Site, known: Option<Known>, signal: Signal, headers: &mut HeaderMap) {
    for value in cookies::take_all(headers) {
        let name = name(&value);
        match may_be_set(site, known, signal, name).await {
            Ok(true) => cookies::put_back(headers, value),
            Ok(false) => {
                let cookie: String = name.chars().take(MAX_LOGGED_CHARS).collect();
                tracing::error!(
                    cookie,
                    "a cookie that is not declared, or that nobody agreed to, was about to be set; it was dropped"
                );
            }
            Err(error) => {
                tracing::error!(%error, "it can't be told whether a cookie may be set; it was dropped");
            }
        }
    }
}

fn name(value: &HeaderValue) -> &str {
    let text = value.to_str().unwrap_or_default();
    let name = text.split(['=', ';']).next().unwrap_or_default().trim();
    let bare = PREFIXES
        .into_iter()
        .find_map(|prefix| name.strip_prefix(prefix));
    bare.unwrap_or(name)
}

async fn may_be_set(
    site: &Site,
    known: Option<Known>,
    signal: Signal,
    name: &str,
) -> Result<bool, Failure> {
    let Some(needed) = needs(ELSEWHERE, name) else {
        return Ok(false);
    };
    for optional in needed {
        let Some(known) = known else {
            return Ok(false);
        };
        if !consent::is_allowed(&site.studio, known.person, optional, signal).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// To what somebody must have said yes before a cookie is set; `None` where it is not declared.
fn needs(declared: &[Spot], name: &str) -> Option<Vec<Optional>> {
    let mut cookies = declared.iter().filter(|spot| spot.medium == Medium::Cookie);
    let spot = cookies.find(|spot| spot.name == name)?;
    let optional = spot.purposes.iter().map(|purpose| purpose.name());
    Some(optional.filter_map(Optional::named).collect())
}

#[cfg(test)]
mod tests {
    use studio::privacy::inventory::Purpose;

    use super::*;

    #[test]
    fn promise_cns_02_a_cookie_needs_a_yes_to_each_purpose_that_rests_on_one() {
        let mut declared = *ELSEWHERE
            .iter()
            .find(|spot| spot.medium == Medium::Cookie)
            .expect("a cookie");
        declared.name = "pinhole-start";
        declared.purposes = &[Purpose::Account, Purpose::Personalisation];
        let needed = needs(&[declared], "pinhole-start");
        assert_eq!(needed, Some(vec![Optional::Personalisation]));
        assert_eq!(needs(&[declared], "tracker"), None);
        assert_eq!(needs(ELSEWHERE, "pinhole"), Some(vec![]));
    }

    #[test]
    fn the_name_of_a_cookie_is_read_as_browsers_do() {
        let named = |text: &'static str| name(&HeaderValue::from_static(text)).to_owned();
        assert_eq!(named("__Host-pinhole=1; Path=/"), "pinhole");
        assert_eq!(named("__Secure-x = 1"), "x");
        assert_eq!(named("flag"), "flag");
        assert_eq!(named("a; pinhole=1"), "a");
        assert_eq!(named("=pinhole"), "");
    }
}
