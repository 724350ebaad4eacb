//! Who may ask for what: every route and method, in one table. What is missing here is refused,
//! and a test compares the table with the routes.

use axum::http::Method;
use domain::role::{Role, Scope};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody; it is not even looked who asks.
    Open,
    /// Everybody; who is signed in is known.
    Public,
    /// Somebody who is signed in on a page. A key is no session.
    Session,
    /// Somebody of this role, signed in on a page.
    Staff(Role),
    /// A key with this scope, or somebody who is signed in.
    Key(Scope),
}

use Access::{Key, Open, Public, Session, Staff};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

const TABLE: &[(&str, Method, Access)] = &[
    ("/v1/images/generations", POST, Key(Scope::Draw)),
    ("/v1/responses", POST, Key(Scope::Draw)),
    ("/v1/models", GET, Key(Scope::Draw)),
    ("/v1/models/{*id}", GET, Key(Scope::Draw)),
    ("/v1/me", GET, Key(Scope::AccountRead)),
    ("/v1/me/erasure", GET, Key(Scope::AccountErase)),
    ("/v1/me/erasure", POST, Key(Scope::AccountErase)),
    ("/v1/jobs", GET, Key(Scope::PicturesRead)),
    ("/v1/jobs/events", GET, Key(Scope::PicturesRead)),
    ("/v1/jobs/{id}", GET, Key(Scope::PicturesRead)),
    ("/v1/jobs/{id}", DELETE, Key(Scope::PicturesWrite)),
    ("/v1/jobs/{id}/events", GET, Key(Scope::PicturesRead)),
    ("/v1/jobs/{id}/cancel", POST, Key(Scope::Draw)),
    ("/v1/pictures", GET, Key(Scope::PicturesRead)),
    ("/v1/pictures/archive", POST, Key(Scope::PicturesRead)),
    ("/v1/pictures/{id}", GET, Key(Scope::PicturesRead)),
    ("/v1/pictures/{id}", PATCH, Key(Scope::PicturesWrite)),
    ("/v1/pictures/{id}", DELETE, Key(Scope::PicturesWrite)),
    ("/v1/pictures/{id}/content", GET, Key(Scope::PicturesRead)),
    ("/v1/credits", GET, Key(Scope::AccountRead)),
    ("/v1/credits/entries", GET, Key(Scope::AccountRead)),
    ("/healthz", GET, Open),
    ("/readyz", GET, Open),
    ("/assets/{hash}/{name}", GET, Open),
    ("/assets/{hash}/examples/{model}/{prompt}", GET, Open),
    ("/favicon.ico", GET, Open),
    ("/", GET, Public),
    ("/draw", POST, Session),
    ("/draw/again", POST, Session),
    ("/draw/variations", POST, Session),
    ("/jobs/{id}/card", GET, Session),
    ("/jobs/{id}/cancel", POST, Session),
    ("/jobs/{id}/remove", POST, Session),
    ("/pictures", GET, Session),
    ("/pictures/chosen", POST, Session),
    ("/pictures/{id}", GET, Session),
    ("/pictures/{id}/thumbnail", GET, Session),
    ("/pictures/{id}/favourite", POST, Session),
    ("/pictures/{id}/delete", POST, Session),
    ("/about", GET, Public),
    ("/privacy", GET, Public),
    ("/privacy.txt", GET, Open),
    ("/privacy.json", GET, Open),
    ("/privacy.jsonld", GET, Open),
    ("/trust", GET, Public),
    ("/trust/checkpoint", GET, Open),
    ("/trust/growth", GET, Open),
    ("/trust/report.json", GET, Open),
    ("/openapi.json", GET, Public),
    ("/docs", GET, Public),
    ("/sign-up", GET, Public),
    ("/sign-up", POST, Public),
    ("/sign-up/{token}", GET, Public),
    ("/sign-up/{token}", POST, Public),
    ("/sign-in", GET, Public),
    ("/sign-in", POST, Public),
    ("/sign-in/code", POST, Public),
    ("/sign-in/passkey", POST, Public),
    ("/sign-in/passkey/question", POST, Public),
    ("/vouch/{token}", GET, Public),
    ("/vouch/{token}", POST, Public),
    ("/address/{token}", GET, Public),
    ("/address/{token}", POST, Public),
    ("/sign-out", POST, Public),
    ("/reset", GET, Public),
    ("/reset", POST, Public),
    ("/reset/{token}", GET, Public),
    ("/reset/{token}", POST, Public),
    ("/welcome/{token}", GET, Public),
    ("/welcome/{token}", POST, Public),
    ("/account/delete", GET, Session),
    ("/account/delete", POST, Session),
    ("/receipts/{token}", GET, Open),
    ("/.well-known/pinhole-house.json", GET, Open),
    ("/account", GET, Session),
    ("/account", POST, Session),
    ("/account/address", POST, Session),
    ("/account/portrait", POST, Session),
    ("/account/portrait/{id}", GET, Session),
    ("/account/portrait/remove", POST, Session),
    ("/account/confirm", GET, Session),
    ("/account/confirm", POST, Session),
    ("/account/confirm/passkey", POST, Session),
    ("/account/passkeys", GET, Session),
    ("/account/passkeys", POST, Session),
    ("/account/passkeys/rename", POST, Session),
    ("/account/passkeys/remove", POST, Session),
    ("/account/codes", GET, Session),
    ("/account/codes", POST, Session),
    ("/account/codes/off", POST, Session),
    ("/account/password", GET, Session),
    ("/account/password", POST, Session),
    ("/account/sessions", GET, Session),
    ("/account/sessions", POST, Session),
    ("/account/data", GET, Session),
    ("/account/data", POST, Session),
    ("/account/log", GET, Session),
    ("/account/log/{id}", GET, Session),
    ("/account/keys", GET, Session),
    ("/account/keys", POST, Session),
    ("/account/keys/revoke", POST, Session),
    ("/credits", GET, Session),
    ("/credits/statement.csv", GET, Session),
    ("/credits/statement.json", GET, Session),
    ("/credits/grants", GET, Staff(Role::Operator)),
    ("/credits/grants", POST, Staff(Role::Operator)),
    ("/letters", GET, Staff(Role::Operator)),
];

/// What a route asks for; `None` where the table does not know it.
pub(crate) fn of(route: &str, method: &Method) -> Option<Access> {
    let method = if *method == Method::HEAD {
        &GET
    } else {
        method
    };
    let mut entries = TABLE.iter();
    let found = entries.find(|(known, allows, _)| *known == route && allows == method);
    found.map(|(.., access)| *access)
}

/// Every route with each of its methods.
#[cfg(test)]
pub(crate) fn routes() -> impl Iterator<Item = (&'static str, &'static Method)> {
    TABLE.iter().map(|(route, method, _)| (*route, method))
}

/// Whether a route is known with any method: the router answers the others with 405.
pub(crate) fn knows(route: &str) -> bool {
    TABLE.iter().any(|(known, ..)| *known == route)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Every `.route("…", get(…).post(…))` in the sources.
    fn routes(folder: &Path, found: &mut BTreeSet<(String, String)>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                routes(&path, found);
            } else if !path.ends_with("access.rs") {
                read(&fs::read_to_string(&path).expect("text"), found);
            }
        }
    }

    fn read(source: &str, found: &mut BTreeSet<(String, String)>) {
        for call in source.split(".route(").skip(1) {
            let mut quoted = call.split('"');
            let route = quoted.nth(1).expect("a path").to_owned();
            let mut depth = 1;
            let handlers: String = call
                .chars()
                .take_while(|c| {
                    depth += i32::from(*c == '(') - i32::from(*c == ')');
                    depth > 0
                })
                .collect();
            for method in ["get", "post", "put", "patch", "delete"] {
                let alone = |mark: char| handlers.contains(&format!("{mark}{method}("));
                if [' ', '.', '\n', ','].into_iter().any(alone) {
                    found.insert((route.clone(), method.to_uppercase()));
                }
            }
        }
    }

    #[test]
    fn every_route_has_its_rule_and_every_rule_its_route() {
        let mut routed = BTreeSet::new();
        routes(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut routed,
        );
        let table = TABLE
            .iter()
            .map(|(route, method, _)| ((*route).to_owned(), method.to_string()));
        let ruled: BTreeSet<_> = table.collect();
        assert_eq!(ruled.len(), TABLE.len(), "a rule stands twice");
        let without: Vec<_> = routed.difference(&ruled).collect();
        assert!(without.is_empty(), "routes without a rule: {without:?}");
        let stale: Vec<_> = ruled.difference(&routed).collect();
        assert!(stale.is_empty(), "rules without a route: {stale:?}");
    }

    #[test]
    fn the_reader_of_routes_sees_all_methods() {
        let mut found = BTreeSet::new();
        read(
            r#".route("/a", get(x::get)).route(
                "/b",
                get(one).delete(two),
            )"#,
            &mut found,
        );
        let expected = [("/a", "GET"), ("/b", "DELETE"), ("/b", "GET")];
        let expected = expected.map(|(route, method)| (route.to_owned(), method.to_owned()));
        assert_eq!(found, BTreeSet::from(expected));
    }
}
