//! `docs/promises.md` says how far each promise is kept. Here it is held to the truth: a promise
//! counts as kept only by tests that exist.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::sources::File;

const LIST: &str = "docs/promises.md";

/// The groups of promises and how many each has; the list in words is `docs/promises.md`.
const GROUPS: &[(&str, u32)] = &[
    ("GOV", 5),
    ("ACC", 7),
    ("GEN", 8),
    ("UPL", 4),
    ("PAY", 5),
    ("USE", 6),
    ("CNS", 6),
    ("PUR", 3),
    ("SHR", 7),
    ("RET", 3),
    ("SEC", 9),
    ("RGT", 11),
    ("CHD", 2),
    ("TRF", 2),
    ("POL", 5),
    ("OWN", 6),
    ("COM", 2),
    ("LEG", 4),
    ("X", 9),
];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let tests = names_of_tests(files);
    let paths = files.iter().map(|file| file.path.as_str()).collect();
    let list = files
        .iter()
        .find(|file| file.path == LIST)
        .map_or("", |file| file.text.as_str());
    let mut found = of_list(list, &tests, &paths);
    found.extend(of_tests(&tests));
    found
}

fn ids() -> BTreeSet<String> {
    let of_group = |(group, count): &(&str, u32)| {
        let group = (*group).to_owned();
        (1..=*count).map(move |number| format!("{group}-{number:02}"))
    };
    GROUPS.iter().flat_map(of_group).collect()
}

fn of_list(list: &str, tests: &BTreeSet<String>, paths: &BTreeSet<&str>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    let known = ids();
    for (number, line) in (1..).zip(list.lines()) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, id, _promise, state, named, place, _] = cells[..] else {
            continue;
        };
        if id == "id" || id.starts_with("--") {
            continue;
        }
        let here = format!("{LIST}:{number}");
        let mut say = |says: String| found.push(Finding::new(&here, says));
        if !known.contains(id) {
            say(format!("{id} is no promise that this project knows"));
        }
        if !matches!(state, "kept" | "partly" | "not yet") {
            say(format!(
                "{id}: the state is kept, partly or not yet, not {state:?}"
            ));
        }
        let named: Vec<&str> = in_backticks(named);
        if state == "kept" && named.is_empty() {
            say(format!("{id}: kept, and no test proves it"));
        }
        if state == "not yet" && !named.is_empty() {
            say(format!("{id}: has tests and is not kept at all?"));
        }
        for test in named.iter().filter(|test| !tests.contains(**test)) {
            say(format!("{id}: there is no test called {test}"));
        }
        for path in in_backticks(place)
            .iter()
            .filter(|path| !paths.contains(**path))
        {
            say(format!("{id}: there is no file {path}"));
        }
        *rows.entry(id.to_owned()).or_default() += 1;
    }
    for id in known {
        match rows.get(&id) {
            Some(1) => {}
            None => found.push(Finding::new(LIST, format!("{id} has no row"))),
            Some(count) => found.push(Finding::new(LIST, format!("{id} has {count} rows"))),
        }
    }
    found
}

/// Tests that bear the name of a promise name one that exists.
fn of_tests(tests: &BTreeSet<String>) -> Vec<Finding> {
    let known = ids();
    let promised = tests
        .iter()
        .filter_map(|test| Some((test, promise_in(test)?)));
    promised
        .filter(|(_, id)| !known.contains(id))
        .map(|(test, id)| Finding::new(test, format!("{id} is no promise in {LIST}")))
        .collect()
}

/// `promise_upl_02_gone_after_a_crash` is about UPL-02.
fn promise_in(test: &str) -> Option<String> {
    let rest = test
        .strip_prefix("test_")
        .unwrap_or(test)
        .strip_prefix("promise_")?;
    let mut parts = rest.split('_');
    let (group, number) = (parts.next()?, parts.next().unwrap_or_default());
    Some(format!("{}-{number}", group.to_uppercase()))
}

fn in_backticks(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Functions under `#[test]` and its kin in Rust, `def test_…` in Python, `test("…"` in JavaScript.
fn names_of_tests(files: &[File]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in files {
        let ending = file.path.rsplit_once('.').map_or("", |(_, ending)| ending);
        match ending {
            "rs" => names.extend(in_rust(&file.text)),
            "py" => names.extend(file.text.lines().filter_map(|line| {
                let rest = line
                    .trim_start()
                    .trim_start_matches("async ")
                    .strip_prefix("def ")?;
                rest.starts_with("test_").then(|| until_parenthesis(rest))
            })),
            "mjs" => names.extend(file.text.lines().filter_map(|line| {
                let quoted = line.trim_start().strip_prefix("test(\"")?;
                quoted.split('"').next().map(str::to_owned)
            })),
            _ => {}
        }
    }
    names
}

fn in_rust(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut marked = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            marked |= line
                .trim_end_matches(']')
                .split(['(', ':', '['])
                .any(|part| part == "test");
        } else if let Some(at) = line.find("fn ") {
            if marked {
                names.push(until_parenthesis(&line[at + 3..]));
            }
            marked = false;
        }
    }
    names
}

fn until_parenthesis(text: &str) -> String {
    text.split(['(', '<'])
        .next()
        .unwrap_or(text)
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full_list_with(change: impl Fn(&str, String) -> String) -> String {
        let rows = ids().into_iter().map(|id| {
            let row = format!("| {id} | words | not yet | | |");
            change(&id, row)
        });
        rows.collect::<Vec<_>>().join("\n")
    }

    fn says(list: &str) -> Vec<String> {
        let tests = BTreeSet::from(["promise_upl_02_gone".to_owned()]);
        let paths = BTreeSet::from(["crates/studio/src/uploads.rs"]);
        of_list(list, &tests, &paths)
            .into_iter()
            .map(|finding| finding.says)
            .collect()
    }

    #[test]
    fn there_are_104_promises() {
        assert_eq!(ids().len(), 104);
        assert!(ids().contains("X-09"));
    }

    #[test]
    fn an_honest_list_is_fine() {
        assert_eq!(says(&full_list_with(|_, row| row)), [""; 0]);
        let kept =
            "| UPL-02 | words | kept | `promise_upl_02_gone` | `crates/studio/src/uploads.rs` |";
        let list = full_list_with(|id, row| if id == "UPL-02" { kept.to_owned() } else { row });
        assert_eq!(says(&list), [""; 0]);
    }

    #[test]
    fn kept_without_a_test_is_found() {
        for row in [
            "| UPL-02 | words | kept | | |",
            "| UPL-02 | words | kept | `promise_upl_02_imagined` | |",
            "| UPL-02 | words | almost | | |",
            "| UPL-02 | words | partly | | `crates/nowhere.rs` |",
            "",
            "| UPL-02 | words | not yet | | |\n| UPL-02 | words | not yet | | |",
        ] {
            let list =
                full_list_with(|id, full| if id == "UPL-02" { row.to_owned() } else { full });
            assert_eq!(says(&list).len(), 1, "{row}");
        }
    }

    #[test]
    fn a_test_names_a_promise_that_exists() {
        let named = |name: &str| of_tests(&BTreeSet::from([name.to_owned()])).len();
        assert_eq!(named("promise_upl_02_gone"), 0);
        assert_eq!(named("test_promise_x_09_plain"), 0);
        assert_eq!(named("promise_upl_99_gone"), 1);
        assert_eq!(named("promise_gone"), 1);
        assert_eq!(named("an_honest_list"), 0);
    }

    #[test]
    fn tests_are_read_from_all_three_languages() {
        let file = |path: &str, text: &str| File {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let names = names_of_tests(&[
            file(
                "a.rs",
                "#[tokio::test(flavor = \"x\")]\nasync fn one() {}\nfn no() {}\n#[test]\nfn two() {}",
            ),
            file("b.py", "def test_three(x):\n    pass\ndef no():\n"),
            file("c.mjs", "test(\"four\", async () => {\n"),
        ]);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(names, ["four", "one", "test_three", "two"]);
    }
}
