//! What happened to somebody's account, from the log that nobody can rewrite.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::ids::LogId;
use studio::privacy::log::{self, Entry, Kind, proof};

use super::super::{Frame, Shown, ok};
use crate::Site;
use crate::api::pairs;
use crate::caller::Member;
use crate::problem::Problem;
use crate::texts::Texts;

const AT_ONCE: u32 = 50;

#[derive(Template)]
#[template(path = "account_log.html")]
struct LogPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    entries: Vec<Entry>,
    next: Option<LogId>,
}

impl LogPage {
    /// What happened, with what the log knows of it.
    fn says(&self, entry: &Entry) -> String {
        let words = &self.t.account;
        let text = |name: &str| entry.what[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| entry.what[name].as_i64().unwrap_or_default().to_string();
        match entry.kind {
            Kind::SignedIn => words.log_signed_in.fill_two(&text("browser"), &text("by")),
            Kind::RoleChanged => words.log_role.fill_two(&text("from"), &text("to")),
            Kind::CreditsGiven => words
                .log_credits
                .fill_two(&number("credits"), &text("reason")),
            Kind::PriorityChanged => words.log_priority.fill(&number("to")),
            Kind::TakenAlong => words.log_taken.clone(),
            Kind::ErasureBegun
            | Kind::ErasureEnded
            | Kind::InventoryChanged
            | Kind::KeysRotated => entry.kind.words().to_owned(),
        }
    }

    fn when(&self, entry: &Entry) -> String {
        self.t.exact(entry.when)
    }
}

pub(super) async fn show(
    State(site): State<Site>,
    member: Member,
    RawQuery(query): RawQuery,
) -> Result<Response, Shown> {
    let given = pairs(query.unwrap_or_default().as_bytes());
    let before = given.iter().find(|(name, _)| name == "before");
    let before = before.map(|(_, id)| id.parse::<LogId>()).transpose();
    let before =
        before.map_err(|bad| Problem::field("before", "invalid_value", bad.to_string()))?;
    let person = member.known.person;
    let mut entries = log::of_person(&site.studio, person, before, AT_ONCE + 1).await?;
    let is_more = entries.len() > AT_ONCE as usize;
    entries.truncate(AT_ONCE as usize);
    let last = entries.last().map(|entry| entry.id);
    Ok(ok(&LogPage {
        t: Texts::get(),
        frame: Frame::member("account"),
        tab: "log",
        next: last.filter(|_| is_more),
        entries,
    }))
}

/// Proves an entry of the person's: a file that others' tools can check.
pub(super) async fn proof(
    State(site): State<Site>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Shown> {
    let id: LogId = id.parse().map_err(|_| Problem::nothing())?;
    let proof = proof::inclusion(&site.studio, member.known.person, id).await?;
    let proof = proof.ok_or_else(Problem::nothing)?;
    let name = format!("attachment; filename=\"{id}.json\"");
    let headers = [
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, axum::Json(proof)).into_response())
}
