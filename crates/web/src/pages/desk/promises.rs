//! What the program promises, how far that is kept, and what the last audit saw of it in this house.

use std::sync::LazyLock;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::clock::Moment;
use serde_json::Value;
use studio::privacy::audit;

use super::super::{Frame, Shown, ok};
use super::{Tab, tabs};
use crate::Site;
use crate::caller::Asker;
use crate::texts::Texts;

const LIST: &str = include_str!("../../../../../docs/promises.md");

static PROMISES: LazyLock<Vec<Promise>> = LazyLock::new(|| read(LIST));

struct Promise {
    id: String,
    words: String,
    state: Kept,
    tests: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Whole,
    Partly,
    NotYet,
}

/// The rows of the table.
fn read(list: &str) -> Vec<Promise> {
    let rows = list.lines().filter(|line| line.starts_with("| "));
    let promise = |row: &str| {
        let mut cells = row.split('|').skip(1).map(str::trim);
        let (id, words) = (cells.next()?, cells.next()?);
        let state = match cells.next()? {
            "kept" => Kept::Whole,
            "partly" => Kept::Partly,
            "not yet" => Kept::NotYet,
            _ => return None,
        };
        Some(Promise {
            id: id.to_owned(),
            words: words.to_owned(),
            state,
            tests: cells.next()?.matches('`').count() / 2,
        })
    };
    rows.filter_map(promise).collect()
}

/// One line of the audit.
struct Check {
    shows: String,
    wrong: u64,
}

#[derive(Template)]
#[template(path = "desk_promises.html")]
struct PromisesPage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    checks: Vec<Check>,
    audit: Option<(bool, String)>,
}

impl PromisesPage {
    fn promises(&self) -> &'static [Promise] {
        &PROMISES
    }

    fn state(&self, promise: &Promise) -> &str {
        let words = &self.t.desk;
        match promise.state {
            Kept::Whole => &words.promise_kept,
            Kept::Partly => &words.promise_partly,
            Kept::NotYet => &words.promise_not_yet,
        }
    }

    fn tests(&self, promise: &Promise) -> String {
        self.t.desk.tests.fill(&promise.tests)
    }

    fn summary(&self) -> String {
        let many = |state| PROMISES.iter().filter(|one| one.state == state).count();
        self.t.desk.at_promises.fill_all(&[
            &many(Kept::Whole).to_string(),
            &PROMISES.len().to_string(),
            &many(Kept::Partly).to_string(),
        ])
    }

    fn verdict(&self, check: &Check) -> String {
        let words = &self.t.trust;
        match u32::try_from(check.wrong) {
            Ok(0) => words.holds.clone(),
            wrong => words.broken.of(wrong.unwrap_or(u32::MAX)),
        }
    }
}

/// Whether everything held, and when that was seen.
pub(super) fn verdict(signed: &str) -> Option<(bool, String)> {
    let document: Value = serde_json::from_str(signed).ok()?;
    let report = document.get("report")?;
    let when = Moment::from_millis(report["time"].as_i64()?.saturating_mul(1_000));
    Some((report["holds"].as_bool()?, Texts::get().exact(when)))
}

fn checks(signed: &str) -> Option<Vec<Check>> {
    let document: Value = serde_json::from_str(signed).ok()?;
    let checks = document["report"]["checks"].as_array()?.iter();
    let check = |one: &Value| Check {
        shows: one["shows"].as_str().unwrap_or_default().to_owned(),
        wrong: one["wrong"].as_u64().unwrap_or(0),
    };
    Some(checks.map(check).collect())
}

pub(super) async fn show(State(site): State<Site>, Asker(known): Asker) -> Result<Response, Shown> {
    let report = audit::newest(&site.studio).await?;
    Ok(ok(&PromisesPage {
        t: Texts::get(),
        frame: Frame::member("desk"),
        tabs: tabs(known.role, "/desk/promises"),
        checks: report.as_deref().and_then(checks).unwrap_or_default(),
        audit: report.as_deref().and_then(verdict),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_promise_of_the_list_is_read() {
        assert_eq!(PROMISES.len(), 104);
        let kept = PROMISES.iter().filter(|one| one.state == Kept::Whole);
        assert!(
            kept.clone()
                .all(|one| one.tests > 0 && one.id.contains('-'))
        );
        assert!(kept.count() > 40);
    }
}
