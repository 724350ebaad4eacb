//! What may not stand in a file, how long a file may be, and what it may not be called.

use anyhow::Result;

use super::Finding;
use crate::workspace::Workspace;

/// A text file of the project.
#[derive(Debug)]
pub(super) struct File {
    /// Relative to the root, with `/` between the parts.
    pub(super) path: String,
    pub(super) text: String,
}

const MAX_LINES: usize = 600;

const FORBIDDEN_NAMES: &[&str] = &[
    "utils", "util", "common", "helpers", "helper", "misc", "base", "core", "shared",
];

/// Endings of files that people write code in.
const CODE: &[&str] = &["rs", "py", "mjs", "js", "html", "css", "sql", "toml", "sh"];

/// Marks of unfinished work. Written in halves, so that this file is held to its own rule.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
];

/// Words that tie the project to one person's machine, or to one mirror of a registry.
const ONE_MACHINE: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("registry.npm", "js.org"),
    concat!("files.python", "hosted.org"),
    concat!("py", "pi.org"),
    concat!("index.cra", "tes.io"),
    concat!("static.cra", "tes.io"),
    concat!("deb.deb", "ian.org"),
];

/// In which sources what may not stand, with the rule that it would break.
const FENCES: &[(&str, &[&str], &str)] = &[
    ("crates/web/src/", SQL, "web sees no SQL: ask studio for it"),
    ("crates/engine/src/", SQL, "engine sees no SQL"),
    (
        "crates/domain/src/",
        &["std::fs", "std::net", "std::io"],
        "domain does no input or output",
    ),
    (
        "crates/",
        &["UPDATE entry", "DELETE FROM entry"],
        "the ledger only grows: write another entry",
    ),
    (
        "crates/",
        OPENS_CONNECTIONS,
        "only outside opens a connection",
    ),
    (
        "crates/studio/src/",
        OPENS_DATABASES,
        "only db reaches the database",
    ),
    (
        "crates/web/src/",
        OPENS_DATABASES,
        "only db reaches the database",
    ),
    (
        "crates/app/src/",
        OPENS_DATABASES,
        "only db reaches the database",
    ),
];

/// By which a page could keep something in a browser, or a handler set a cookie.
const KEEPS_IN_BROWSERS: &[&str] = &[
    "localStorage",
    "sessionStorage",
    "indexedDB",
    "document.cookie",
    "cookieStore",
    "caches.open",
    "serviceWorker",
    "SET_COOKIE",
    "set-cookie",
];

const SQL: &[&str] = &[
    "sqlx",
    "SELECT ",
    "INSERT INTO",
    "DELETE FROM",
    "CREATE TABLE",
    "UPDATE ",
];
const OPENS_CONNECTIONS: &[&str] = &[
    "TcpStream::connect",
    "UdpSocket",
    "UnixStream::connect",
    "reqwest::",
    "hf_hub::",
    "lettre::",
    "hyper_util::client",
    "Command::new(",
];
/// What only `db` uses to reach the database.
const OPENS_DATABASES: &[&str] = &["PgConn", "PgPool", "PgListener", ".connect("];
/// By which `outside` opens connections.
const CONNECTS: &[&str] = &[
    "TcpStream",
    "UdpSocket",
    "Client::builder(",
    "Client::new(",
    "reqwest::get(",
    "SmtpTransport::",
    "lookup_host",
    "AmazonS3Builder",
    "parse_url(",
];
/// Where the register of recipients is filled.
const REGISTER: &[&str] = &[
    "crates/domain/src/recipient.rs",
    "crates/studio/src/privacy/recipients/stated.rs",
];

pub(super) fn read(workspace: &Workspace) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for path in workspace.files()? {
        if let Some(text) = workspace.text(&path)? {
            files.push(File { path, text });
        }
    }
    Ok(files)
}

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    files.iter().flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Finding> {
    let mut found = Vec::new();
    let ending = file.path.rsplit_once('.').map_or("", |(_, ending)| ending);
    let in_code = CODE.contains(&ending);

    found.extend(bad_name(&file.path, ending));
    let lines = file.text.lines().count();
    if matches!(ending, "rs" | "py" | "mjs") && lines > MAX_LINES {
        let says = format!("{lines} lines, at most {MAX_LINES}: it is probably two rooms");
        found.push(Finding::new(&file.path, says));
    }
    for (number, line) in (1..).zip(file.text.lines()) {
        let place = format!("{}:{number}", file.path);
        if ending == "rs"
            && (line.contains(concat!("#[al", "low(")) || line.contains(concat!("#![al", "low(")))
        {
            found.push(Finding::new(
                &place,
                "write #[expect(…, reason = \"…\")] instead",
            ));
        }
        if in_code && let Some(word) = UNFINISHED.iter().find(|word| has_word(line, word)) {
            found.push(Finding::new(
                &place,
                format!("{word}: finish it, or file an issue"),
            ));
        }
        // Lock files name their sources by design.
        let lock = file.path.ends_with(".lock") || file.path.ends_with("package-lock.json");
        if !lock && let Some(word) = ONE_MACHINE.iter().find(|word| has_path(line, word)) {
            found.push(Finding::new(
                &place,
                format!("{word} holds on one machine only"),
            ));
        }
        if file.path.ends_with("package-lock.json") && line.contains("\"resolved\"") {
            let says = "an address in a lock file: set omit-lockfile-registry-resolved=true";
            found.push(Finding::new(&place, says));
        }
        found.extend(behind_fences(file, &place, line));
    }
    found.extend(to_nobody_of_the_register(file));
    found.extend(kept_in_browsers(file));
    found
}

/// What stands in browsers is declared, and set in one place.
fn kept_in_browsers(file: &File) -> Option<Finding> {
    let folders = [
        "crates/web/src/",
        "crates/web/islands/",
        "crates/web/templates/",
    ];
    let is_concerned = folders.iter().any(|folder| file.path.starts_with(folder));
    if !is_concerned || file.path == "crates/web/src/cookies.rs" {
        return None;
    }
    let word = KEEPS_IN_BROWSERS
        .iter()
        .find(|word| file.text.contains(**word))?;
    let says = format!(
        "{word}: only crates/web/src/cookies.rs keeps something in a browser, and only what the inventory declares"
    );
    Some(Finding::new(&file.path, says))
}

/// A connection goes to somebody of the register of recipients, and that is filled in one place.
fn to_nobody_of_the_register(file: &File) -> Option<Finding> {
    let mut lines = file.text.lines();
    let has = |word: &str| file.text.contains(word);
    if file.path.starts_with("crates/outside/src/") && !has("&Recipient") {
        let connects = lines.find_map(|line| CONNECTS.iter().find(|word| line.contains(**word)))?;
        let says = format!("{connects} without a &Recipient: only the register says to whom");
        return Some(Finding::new(&file.path, says));
    }
    let is_source = file.path.starts_with("crates/") && file.path.contains("/src/");
    let program = file.text.split("#[cfg(test)]").next().unwrap_or_default();
    let fills = program.contains("Register::new(");
    if is_source && !REGISTER.contains(&file.path.as_str()) && fills {
        let says = "a register of its own: recipients are declared in studio::privacy::recipients";
        return Some(Finding::new(&file.path, says));
    }
    None
}

fn bad_name(path: &str, ending: &str) -> Option<Finding> {
    let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.split('.').next().unwrap_or(file);
    let is_module = matches!(ending, "rs" | "py" | "mjs" | "js");
    let parts = folders.split('/').chain(is_module.then_some(stem));
    let bad = parts
        .into_iter()
        .find(|part| FORBIDDEN_NAMES.contains(part))?;
    Some(Finding::new(
        path,
        format!("{bad:?} says nothing: name the step of the story"),
    ))
}

fn behind_fences(file: &File, place: &str, line: &str) -> Vec<Finding> {
    let code = line.split("//").next().unwrap_or(line);
    FENCES
        .iter()
        .filter(|(folder, ..)| file.path.starts_with(folder) && file.path.ends_with(".rs"))
        .filter(|(folder, ..)| *folder != "crates/" || may_not_connect(&file.path))
        .filter_map(|(_, words, why)| {
            let word = words.iter().find(|word| code.contains(**word))?;
            Some(Finding::new(place, format!("{}: {why}", word.trim())))
        })
        .collect()
}

/// Tests talk to the program as its clients do, and `outside` is there to connect.
fn may_not_connect(path: &str) -> bool {
    path.contains("/src/") && !path.starts_with("crates/outside/") && !path.ends_with("tests.rs")
}

/// Whether `word` stands in `line` by itself, not as a part of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(part_of_name);
        let after = line[at + word.len()..]
            .chars()
            .next()
            .is_some_and(part_of_name);
        !before && (!after || word.ends_with('('))
    })
}

/// Whether an absolute path or a host stands in `line`; `tests/common` is no `/common`.
fn has_path(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | ')'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(path: &str, text: &str) -> usize {
        check(&[File {
            path: path.to_owned(),
            text: text.to_owned(),
        }])
        .len()
    }

    #[test]
    fn names_that_say_nothing() {
        assert_eq!(says("crates/web/src/utils.rs", ""), 1);
        assert_eq!(says("crates/studio/src/common/price.rs", ""), 1);
        assert_eq!(says("crates/web/templates/base.html", ""), 0);
        assert_eq!(says("crates/studio/src/credits/price.rs", ""), 0);
    }

    #[test]
    fn long_files() {
        assert_eq!(says("crates/db/src/open.rs", &"x\n".repeat(MAX_LINES)), 0);
        assert_eq!(
            says("crates/db/src/open.rs", &"x\n".repeat(MAX_LINES + 1)),
            1
        );
    }

    #[test]
    fn unfinished_work() {
        assert_eq!(
            says("crates/db/src/open.rs", concat!("// TO", "DO: later")),
            1
        );
        assert_eq!(
            says("crates/db/src/open.rs", concat!("    todo", "!(\"later\")")),
            1
        );
        assert_eq!(
            says("crates/db/src/open.rs", concat!("let TO", "DOS = 1;")),
            0
        );
        assert_eq!(says("docs/why.md", concat!("no TO", "DO is left")), 0);
    }

    #[test]
    fn allow_instead_of_expect() {
        assert_eq!(
            says("crates/db/src/open.rs", concat!("#[al", "low(dead_code)]")),
            1
        );
        assert_eq!(
            says(
                "crates/db/src/open.rs",
                "#[expect(dead_code, reason = \"soon\")]"
            ),
            0
        );
    }

    #[test]
    fn one_machine() {
        assert_eq!(says("README.md", concat!("see /ho", "me/anna/pinhole")), 1);
        assert_eq!(says("README.md", concat!("https://py", "pi.org/simple")), 1);
        assert_eq!(says("README.md", concat!("docs/wo", "rk/shop.md")), 0);
        assert_eq!(
            says(
                "tests/browser/package-lock.json",
                "\"resolved\": \"https://x\""
            ),
            1
        );
    }

    #[test]
    fn fences() {
        assert_eq!(
            says(
                "crates/web/src/pages.rs",
                "let q = \"SELECT id FROM jobs\";"
            ),
            1
        );
        assert_eq!(
            says(
                "crates/studio/src/jobs.rs",
                "let q = \"SELECT id FROM jobs\";"
            ),
            0
        );
        assert_eq!(
            says("crates/web/src/pages.rs", "// nothing is UPDATE d here"),
            0
        );
        assert_eq!(
            says("crates/studio/src/jobs.rs", "reqwest::get(address)"),
            1
        );
        assert_eq!(
            says("crates/app/src/models.rs", "Command::new(\"curl\")"),
            1
        );
        assert_eq!(says("crates/web/src/lib.rs", "PgConnection::x(address)"), 1);
        assert_eq!(
            says("crates/app/tests/serve.rs", "TcpStream::connect(address)"),
            0
        );
    }

    #[test]
    fn promise_shr_01_a_connection_without_a_recipient_is_found() {
        let connects = "let client = Client::builder().build();";
        let to_somebody = format!("fn open(to: &Recipient) {{ {connects} }}");
        assert_eq!(says("crates/outside/src/hub.rs", &to_somebody), 0);
        assert_eq!(says("crates/outside/src/hub.rs", connects), 1);
        assert_eq!(
            says("crates/outside/src/s3.rs", "AmazonS3Builder::new()"),
            1
        );
        let register = "let all = Register::new([]);";
        assert_eq!(says("crates/app/src/serve.rs", register), 1);
        assert_eq!(
            says("crates/studio/src/privacy/recipients/stated.rs", register),
            0
        );
        assert_eq!(says("crates/outside/tests/hub.rs", register), 0);
    }

    #[test]
    fn promise_gov_05_what_is_kept_in_a_browser_beside_the_cookies_is_found() {
        let kept = "localStorage.setItem('prompt', words)";
        assert_eq!(says("crates/web/islands/prompt-form.js", kept), 1);
        assert_eq!(
            says("crates/web/src/pages/draw.rs", "header::SET_COOKIE"),
            1
        );
        assert_eq!(says("crates/web/src/cookies.rs", "header::SET_COOKIE"), 0);
    }
}
