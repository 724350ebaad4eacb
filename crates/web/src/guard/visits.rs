//! Counts what is seen, ordered and begun, and nobody: see `studio::visits`. Who objects, by a signal of the
//! browser or by the account, is not counted, and of pages that don't look who asks nobody is.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use studio::accounts::{Known, Means};
use studio::jobs::Job;
use studio::privacy::consent::Signal;
use studio::privacy::restriction::Operation;
use studio::visits::View;

use super::access::{self, Access};
use crate::Site;
use crate::agent::{Family, agent, is_bot};
use crate::caller::{Signalled, from};
use crate::pages::wants_part;

/// What an answer says that happened, to be counted on its way out.
#[derive(Clone, Debug)]
pub(crate) enum Happened {
    Ordered { model: String, pictures: u32 },
    SignedUp,
}

impl Happened {
    pub(crate) fn ordered(job: &Job) -> Self {
        Self::Ordered {
            model: job.model.to_string(),
            pictures: job.count,
        }
    }

    /// Notes it on the answer.
    pub(crate) fn on(self, response: &mut Response) {
        response.extensions_mut().insert(self);
    }
}

const PURPOSES: [HeaderName; 2] = [
    HeaderName::from_static("sec-purpose"),
    HeaderName::from_static("purpose"),
];
/// Of a host that led here.
const MAX_HOST_CHARS: usize = 100;

/// A page that somebody asks for, until it is known whether they get it.
struct Asked {
    page: String,
    from: std::net::IpAddr,
    agent: HeaderValue,
    family: Family,
    source: Option<String>,
    country: Option<String>,
}

pub(super) async fn count(State(site): State<Site>, request: Request, next: Next) -> Response {
    let Signalled(signal) = Signalled::read(request.headers());
    if signal == Signal::Objects {
        return next.run(request).await;
    }
    let asked = asked(&site, &request);
    let response = next.run(request).await;
    let now = site.studio.clock.now();
    let known = response.extensions().get::<Known>();
    if !known.is_none_or(may_be_counted) {
        return response;
    }
    match (response.extensions().get::<Happened>(), known) {
        (Some(Happened::Ordered { model, pictures }), Some(known)) => {
            site.visits.count_order(now, known.person, model, *pictures);
        }
        (Some(Happened::SignedUp), _) => site.visits.count_sign_up(now),
        _ => {}
    }
    if let Some(asked) = asked.filter(|_| is_page(&response)) {
        let said = |name: &'static str| {
            if name.is_empty() {
                studio::visits::NONE
            } else {
                name
            }
        };
        site.visits.count_view(
            now,
            &View {
                page: &asked.page,
                from: asked.from,
                agent: asked.agent.as_bytes(),
                browser: asked.family.browser,
                system: said(asked.family.system),
                device: said(asked.family.device),
                source: asked.source.as_deref(),
                country: asked.country.as_deref(),
            },
        );
    }
    response
}

/// In a house without accounts the counts would be about the one person of it.
fn may_be_counted(known: &Known) -> bool {
    known.may_be_counted && known.means != Means::Local && Operation::Analyse.is_done_in(known.mode)
}

fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_html = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    response.status() == StatusCode::OK && is_html
}

/// `None` where no person asks for a page.
fn asked(site: &Site, request: &Request) -> Option<Asked> {
    let headers = request.headers();
    let page = request.extensions().get::<MatchedPath>()?.as_str();
    match access::of(page, request.method())? {
        // Whoever is signed in there can't be asked whether they object.
        (Access::Open | Access::Staff(_) | Access::Desk(_) | Access::Key(_), _) => return None,
        (Access::Public | Access::Session, _) => {}
    }
    let is_program = request.method() != Method::GET
        || headers.contains_key(header::AUTHORIZATION)
        || wants_part(headers)
        || PURPOSES.iter().any(|name| headers.contains_key(name))
        || is_bot(agent(headers));
    if is_program {
        return None;
    }
    Some(Asked {
        page: page.to_owned(),
        from: from(request.extensions(), headers, site),
        agent: headers.get(header::USER_AGENT)?.clone(),
        family: Family::of(agent(headers)),
        source: source(headers),
        country: country(site, headers),
    })
}

/// The host that led here, where it is another one with a name.
fn source(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name)?.to_str().ok();
    let referrer: Uri = text(header::REFERER)?.parse().ok()?;
    let own: Option<Uri> = text(header::HOST).and_then(|host| host.parse().ok());
    let host = referrer.host()?.to_ascii_lowercase();
    let is_own = own.is_some_and(|own| {
        own.host()
            .is_some_and(|own| own.eq_ignore_ascii_case(&host))
    });
    let host = host.strip_prefix("www.").unwrap_or(&host);
    let last = host.rsplit('.').next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let is_name = host.contains('.')
        && host.len() <= MAX_HOST_CHARS
        && host.chars().all(plain)
        // An address of the network ends in digits.
        && last.chars().any(|c| c.is_ascii_alphabetic());
    (is_name && !is_own).then(|| host.to_owned())
}

/// Two letters, from a header that the operator named; the proxy says them.
pub(crate) fn country(site: &Site, headers: &HeaderMap) -> Option<String> {
    let name = site.country_header.as_ref()?;
    let said = headers.get(name)?.to_str().ok()?.trim();
    let is_code = said.len() == 2 && said.chars().all(|c| c.is_ascii_alphabetic());
    let code = said.to_ascii_uppercase();
    // What is said where nobody knows.
    (is_code && code != "XX" && code != "ZZ").then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source_of(referrer: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::HOST,
            HeaderValue::from_static("pictures.example.org:8080"),
        );
        headers.insert(header::REFERER, HeaderValue::from_static(referrer));
        source(&headers)
    }

    #[test]
    fn promise_use_03_of_a_referrer_the_host_is_left() {
        let news = Some("news.example.org".to_owned());
        for known in [
            "https://news.example.org/a/secret?of=anna#here",
            "http://www.NEWS.example.org:81/",
            "https://anna:secret@news.example.org/",
        ] {
            assert_eq!(source_of(known), news, "{known}");
        }
        for unknown in [
            "https://pictures.example.org/pictures/pic_1",
            "http://192.0.2.7/",
            "http://[2001:db8::1]/",
            "http://localhost/",
            "about:blank",
            "not an address",
            "",
        ] {
            assert_eq!(source_of(unknown), None, "{unknown}");
        }
    }
}
