//! Each route has its rule, and each rule its route.

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
        } else if !path.ends_with("access.rs") && !path.ends_with("access/tests.rs") {
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
        .map(|(route, method, ..)| ((*route).to_owned(), method.to_string()));
    let ruled: BTreeSet<_> = table.collect();
    assert_eq!(ruled.len(), TABLE.len(), "a rule stands twice");
    let without: Vec<_> = routed.difference(&ruled).collect();
    assert!(without.is_empty(), "routes without a rule: {without:?}");
    let stale: Vec<_> = ruled.difference(&routed).collect();
    assert!(stale.is_empty(), "rules without a route: {stale:?}");
}

/// What staff see of others is walked through with marked values in `tests/web/looking.rs`: a page that
/// is added here is added there.
#[test]
fn promise_pur_02_each_page_of_staff_is_walked_through() {
    let of_staff = TABLE
        .iter()
        .filter(|(.., access, _)| matches!(access, Staff(_) | Desk(_)));
    let routes: Vec<String> = of_staff
        .map(|(route, method, access, _)| match access {
            Desk(roles) => format!("{method} {route} {}", roles.len()),
            other => format!("{method} {route} {other:?}"),
        })
        .collect();
    assert_eq!(
        routes,
        [
            "GET /credits/grants Staff(Operator)",
            "POST /credits/grants Staff(Operator)",
            "GET /letters 4",
            "GET /desk 4",
            "GET /desk/duties 4",
            "POST /desk/duties 4",
            "POST /desk/duties/{id}/agree 2",
            "POST /desk/duties/{id}/end 4",
            "GET /desk/requests 4",
            "GET /desk/requests/{id} 4",
            "POST /desk/requests/{id} 2",
            "GET /desk/support 4",
            "GET /desk/support/{id} 4",
            "POST /desk/support/{id} 2",
            "GET /desk/support/{id}/files/{file} 4",
            "GET /desk/children 4",
            "POST /desk/children 2",
            "GET /desk/holds 4",
            "POST /desk/holds/{id}/release 2",
            "GET /desk/disclosures 2",
            "POST /desk/disclosures 2",
            "GET /desk/disclosures/{id} 2",
            "POST /desk/disclosures/{id} 2",
            "POST /desk/disclosures/{id}/package 2",
            "GET /desk/breaches 2",
            "POST /desk/breaches 2",
            "GET /desk/breaches/{id} 2",
            "POST /desk/breaches/{id} 2",
            "GET /desk/breaches/{id}/notice.txt 2",
            "GET /desk/recipients 4",
            "GET /desk/promises 4",
            "GET /desk/visits Staff(Operator)",
            "GET /desk/policies Staff(Operator)",
        ]
    );
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
