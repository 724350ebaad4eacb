//! What the log may hold: every field of every `tracing` call stands in the inventory of what is kept
//! of people, and every field that stands there is logged somewhere.

use std::collections::BTreeSet;

use super::Finding;
use super::sources::File;

const INVENTORY: &str = "crates/studio/src/privacy/inventory/elsewhere.rs";
const MACROS: &[&str] = &[
    "tracing::error!(",
    "tracing::warn!(",
    "tracing::info!(",
    "tracing::debug!(",
    "tracing::trace!(",
    "tracing::info_span!(",
    "tracing::debug_span!(",
];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let declared = files
        .iter()
        .find(|file| file.path == INVENTORY)
        .map_or_else(BTreeSet::new, |file| declared(&file.text));
    let mut logged = BTreeSet::new();
    let mut found = Vec::new();
    let sources = files
        .iter()
        .filter(|file| file.path.starts_with("crates/") && file.path.contains("/src/"));
    for file in sources {
        for field in fields(&file.text) {
            if !declared.contains(&field) {
                found.push(Finding::new(
                    &file.path,
                    format!("logs the field {field:?}, which {INVENTORY} does not declare"),
                ));
            }
            logged.insert(field);
        }
    }
    let stale = declared.difference(&logged);
    found.extend(stale.map(|field| {
        Finding::new(
            INVENTORY,
            format!("declares the log field {field:?}, which nothing logs"),
        )
    }));
    found
}

/// The names in `logged("…", …)`.
fn declared(source: &str) -> BTreeSet<String> {
    let calls = source.split("logged(").skip(1);
    let names = calls.filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next());
    names.map(str::to_owned).collect()
}

/// The fields of every call of [`MACROS`], in their order.
fn fields(source: &str) -> Vec<String> {
    let calls = MACROS
        .iter()
        .flat_map(|name| source.split(name).skip(1))
        .map(arguments);
    calls
        .flatten()
        .filter_map(|argument| {
            let name = argument.split('=').next().unwrap_or("").trim();
            let name = name.trim_start_matches(['%', '?']);
            // `%job.id` alone is logged under its path.
            let is_name = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
            is_name.then(|| name.to_owned())
        })
        .collect()
}

/// What stands between the commas of a call, of which `rest` is all after its first parenthesis;
/// its messages are left out.
fn arguments(rest: &str) -> Vec<String> {
    let (mut depth, mut is_quoted, mut is_escaped) = (0, false, false);
    let mut arguments = vec![String::new()];
    for c in rest.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            ',' if depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if let Some(argument) = arguments.last_mut() {
            argument.push(c);
        }
    }
    let arguments = arguments.into_iter();
    arguments
        .map(|argument| argument.trim().to_owned())
        .filter(|argument| !argument.is_empty() && !argument.starts_with('"'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_and_messages_are_not() {
        let source = r#"
            tracing::warn!(%error, job = %job.id, "a, \"b\", c");
            tracing::info_span!("request", %id, method = %request.method(), route);
            tracing::info!("stopping: prompt = here");
        "#;
        assert_eq!(fields(source), ["error", "job", "id", "method", "route"]);
    }

    #[test]
    fn what_is_not_declared_is_found_and_so_is_what_nothing_logs() {
        let file = |path: &str, text: &str| File {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let files = [
            file(INVENTORY, r#"logged("error", "x"), logged("stale", "x")"#),
            file(
                "crates/a/src/b.rs",
                r#"tracing::error!(%error, prompt = %prompt, "x")"#,
            ),
        ];
        let says: Vec<String> = check(&files).into_iter().map(|one| one.says).collect();
        assert_eq!(says.len(), 2, "{says:?}");
        assert!(says[0].contains("\"prompt\"") && says[1].contains("\"stale\""));
    }
}
