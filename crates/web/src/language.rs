//! In which language a page is told: as its address says, or as somebody chose before, or as their browser
//! asks. Nobody's language is found out or stored, but in the browser of who chose one.
//!
//! Architecture invariant: a page is told in one language. Those that are not told in each of them are in
//! English as a whole.

use axum::http::Uri;
use domain::language::Language;

/// The routes of the pages that are told in every language.
const TOLD_IN_ALL: &[&str] = &[
    "/privacy",
    "/privacy/versions",
    "/privacy/versions/{number}",
    "/privacy/versions/{number}/changes",
    "/privacy/authorities",
    "/privacy/request",
    "/privacy/request/{reference}",
    "/privacy/request/confirm/{token}",
    "/privacy/words",
    "/terms",
    "/terms/{number}",
    "/terms/{number}/changes",
    "/terms/accept",
    "/account",
    "/account/address",
    "/account/confirm",
    "/account/confirm/passkey",
    "/account/portrait",
    "/account/data",
    "/account/choices",
    "/account/choices/pictures",
    "/account/choices/settings",
    "/account/log",
    "/account/requests",
    "/account/requests/withdraw",
    "/account/objections",
    "/account/restriction",
    "/account/child",
    "/account/delete",
    "/account/notices",
    "/pictures/{id}",
    "/receipts/{token}",
    "/support",
    "/support/{reference}",
    "/support/confirm/{token}",
    "/news/confirm/{token}",
    "/news/leave/{reference}",
];
/// By which an address names a language.
pub(crate) const PARAMETER: &str = "lang";
/// Of the address of a page to which somebody comes back.
const MAX_BACK_BYTES: usize = 1_000;

tokio::task_local! {
    static HERE: Here;
}

/// The page that is being answered.
#[derive(Clone, Debug)]
pub(crate) struct Here {
    pub(crate) language: Language,
    /// Its address without a language; absent where it is the answer to a form.
    pub(crate) at: Option<String>,
}

impl Here {
    pub(crate) async fn scope<T>(self, answer: impl Future<Output = T>) -> T {
        HERE.scope(self, answer).await
    }
}

/// Of the request that is answered; English outside of any.
pub(crate) fn here() -> Language {
    HERE.try_with(|here| here.language).unwrap_or_default()
}

pub(crate) fn is_told_in_all(route: &str) -> bool {
    TOLD_IN_ALL.contains(&route)
}

/// The address of a page without the language that it names.
pub(crate) fn bare(uri: &Uri) -> String {
    let query = uri.query().unwrap_or_default().split('&');
    let others: Vec<&str> = query
        .filter(|pair| !pair.is_empty() && !pair.starts_with(&format!("{PARAMETER}=")))
        .collect();
    let path = uri.path();
    let bare = match others.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", others.join("&")),
    };
    match bare.len() <= MAX_BACK_BYTES {
        true => bare,
        false => path.to_owned(),
    }
}

/// The language that an address names.
pub(crate) fn named(uri: &Uri) -> Option<Language> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let mut named = pairs.filter_map(|pair| pair.split_once('='));
    let (_, code) = named.find(|(name, _)| *name == PARAMETER)?;
    Language::of_code(code)
}

/// A language in which the page of this request is told.
pub(crate) struct Tongue {
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    /// The page in it.
    pub(crate) at: String,
    pub(crate) is_here: bool,
}

/// Those of the page that is answered; none where it is told in English alone.
pub(crate) fn tongues() -> Vec<Tongue> {
    let Some((at, here)) = HERE
        .try_with(|here| Some((here.at.clone()?, here.language)))
        .ok()
        .flatten()
    else {
        return Vec::new();
    };
    let joint = if at.contains('?') { '&' } else { '?' };
    let tongue = |language: Language| Tongue {
        code: language.code(),
        name: language.name(),
        at: format!("{at}{joint}{PARAMETER}={}", language.code()),
        is_here: language == here,
    };
    Language::ALL.map(tongue).into()
}

/// Where the form leads back to that chooses a language.
pub(crate) fn back() -> String {
    let at = HERE.try_with(|here| here.at.clone()).ok().flatten();
    at.unwrap_or_else(|| "/".to_owned())
}

/// The page that is answered, in English: where this one thing on it has no other language.
pub(crate) fn in_english() -> String {
    let at = back();
    let joint = if at.contains('?') { '&' } else { '?' };
    format!("{at}{joint}{PARAMETER}={}", Language::English.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_but_for_its_language() {
        for (address, bare_address, language) in [
            ("/privacy", "/privacy", None),
            ("/privacy?lang=de", "/privacy", Some(Language::German)),
            (
                "/privacy?country=no&lang=en",
                "/privacy?country=no",
                Some(Language::English),
            ),
            ("/privacy?lang=xx&a=1", "/privacy?a=1", None),
            ("/privacy?language=de", "/privacy?language=de", None),
        ] {
            let uri: Uri = address.parse().expect("an address");
            assert_eq!(bare(&uri), bare_address);
            assert_eq!(named(&uri), language, "{address}");
        }
    }
}
