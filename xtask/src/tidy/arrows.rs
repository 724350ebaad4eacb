//! Who may import whom. The drawing of the house is in ARCHITECTURE.md; this is the lock on it.

use super::Finding;
use crate::workspace::Package;

/// Each crate with what it may import from this workspace. The order is from the ground up, and
/// tests may only reach down.
const HOUSE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("db", &["domain"]),
    ("engine", &["domain"]),
    ("imaging", &["domain"]),
    ("outside", &["domain"]),
    ("studio", &["domain", "db", "imaging", "outside"]),
    ("web", &["domain", "studio"]),
    (
        "pinhole",
        &[
            "domain", "db", "engine", "imaging", "outside", "studio", "web",
        ],
    ),
    ("xtask", &[]),
];

/// Foreign crates that only some rooms may use, since they carry a room's duty with them. Tests
/// are free to use them.
const DUTIES: &[(&str, &[&str], &str)] = &[
    (
        "sqlx",
        &["db", "studio"],
        "SQL is spoken in db and studio alone",
    ),
    ("axum", &["web", "pinhole"], "HTTP is served by web alone"),
    ("askama", &["web"], "pages are made in web alone"),
    ("reqwest", &["outside"], OUTBOUND),
    ("hyper", &["outside", "pinhole"], ACCEPTS),
    ("hyper-util", &["outside", "pinhole"], ACCEPTS),
    ("ureq", &["outside"], OUTBOUND),
    ("hf-hub", &["outside"], OUTBOUND),
    ("object_store", &["outside"], OUTBOUND),
    ("lettre", &["outside"], OUTBOUND),
    ("candle-core", &["engine"], TENSORS),
    ("candle-nn", &["engine"], TENSORS),
    ("candle-transformers", &["engine"], TENSORS),
    ("gemm", &["engine"], TENSORS),
    ("safetensors", &["engine"], TENSORS),
    (
        "image",
        &["imaging"],
        "bytes become pictures, and pictures bytes, in imaging alone",
    ),
    (
        "clap",
        &["pinhole", "xtask"],
        "only programs have a command line",
    ),
    (
        "tokio",
        &["db", "outside", "studio", "web", "pinhole"],
        "domain and engine know no runtime",
    ),
];

const ACCEPTS: &str = "only outside opens a connection, and only the program accepts one";
const OUTBOUND: &str = "only outside opens a connection";
const TENSORS: &str = "only engine knows tensors";

pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    packages.iter().flat_map(of_package).collect()
}

fn of_package(package: &Package) -> Vec<Finding> {
    let place = format!("{} (Cargo.toml)", package.name);
    let Some(room) = HOUSE.iter().position(|(name, _)| *name == package.name) else {
        let says = "this crate has no place in the house: add it to xtask's list of arrows, \
                    to ARCHITECTURE.md, and say why";
        return vec![Finding::new(place, says)];
    };
    let (_, may_import) = HOUSE[room];
    let mut found = Vec::new();
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        let in_tests = dependency.kind.as_deref() == Some("dev");
        if let Some(other) = HOUSE.iter().position(|(crate_name, _)| *crate_name == name) {
            if in_tests && other >= room {
                let says = format!("tests reach down only: {name} stands on {}", package.name);
                found.push(Finding::new(&place, says));
            } else if !in_tests && !may_import.contains(&name) {
                let says = format!("may not import {name}; it may import {may_import:?}");
                found.push(Finding::new(&place, says));
            }
        }
        let duty = DUTIES
            .iter()
            .find(|(foreign, ..)| *foreign == name && !in_tests);
        if let Some((_, rooms, why)) = duty
            && !rooms.contains(&package.name.as_str())
        {
            found.push(Finding::new(&place, format!("may not use {name}: {why}")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn says(name: &str, dependencies: &[(&str, Option<&str>)]) -> Vec<String> {
        let dependencies = dependencies.iter().map(|(name, kind)| Dependency {
            name: (*name).to_owned(),
            kind: kind.map(str::to_owned),
        });
        let package = Package {
            name: name.to_owned(),
            dependencies: dependencies.collect(),
        };
        check(&[package])
            .into_iter()
            .map(|finding| finding.says)
            .collect()
    }

    #[test]
    fn the_house_as_drawn_is_fine() {
        for (name, may_import) in HOUSE {
            let arrows: Vec<_> = may_import.iter().map(|other| (*other, None)).collect();
            assert_eq!(says(name, &arrows), [""; 0], "{name}");
        }
    }

    #[test]
    fn the_drawing_itself_only_points_down() {
        for (room, (name, may_import)) in HOUSE.iter().enumerate() {
            for other in *may_import {
                let below = HOUSE.iter().position(|(name, _)| name == other);
                assert!(below.is_some_and(|below| below < room), "{name} -> {other}");
            }
        }
    }

    #[test]
    fn a_wrong_arrow_is_found() {
        assert_eq!(says("web", &[("db", None)]).len(), 1);
        assert_eq!(says("web", &[("db", Some("build"))]).len(), 1);
        assert_eq!(says("studio", &[("engine", None)]).len(), 1);
        assert_eq!(says("db", &[("xtask", None)]).len(), 1);
    }

    #[test]
    fn tests_reach_down_and_never_up() {
        assert_eq!(says("studio", &[("engine", Some("dev"))]), [""; 0]);
        assert_eq!(says("engine", &[("studio", Some("dev"))]).len(), 1);
    }

    #[test]
    fn duties_stay_in_their_rooms() {
        assert_eq!(
            says("engine", &[("tokio", None), ("sqlx", None), ("axum", None)]).len(),
            3
        );
        assert_eq!(says("web", &[("sqlx", None)]).len(), 1);
        assert_eq!(says("studio", &[("reqwest", None)]).len(), 1);
        assert_eq!(says("engine", &[("tokio", Some("dev"))]), [""; 0]);
    }

    #[test]
    fn a_new_crate_needs_a_place() {
        assert_eq!(says("kitchen", &[]).len(), 1);
    }
}
