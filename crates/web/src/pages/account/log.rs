//! What happened to somebody's account, from the log that nobody can rewrite.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::ids::LogId;
use domain::role::Role;
use studio::privacy::log::{self, Entry, Kind, proof};
use studio::privacy::looking::{self, Shown as Seen};
use studio::privacy::wording;

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
    /// Those alone that say who looked.
    is_looks: bool,
}

impl LogPage {
    /// What happened, with what the log knows of it.
    fn says(&self, entry: &Entry) -> String {
        let words = &self.t.account;
        let text = |name: &str| entry.what[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| entry.what[name].as_i64().unwrap_or_default().to_string();
        match entry.kind {
            Kind::SignedIn => words
                .log_signed_in
                .fill_two(&self.browser(&text("browser")), self.t.say(&text("by"))),
            Kind::RoleChanged => words.log_role.fill_two(&text("from"), &text("to")),
            Kind::CreditsGiven => words
                .log_credits
                .fill_two(&number("credits"), &text("reason")),
            Kind::PriorityChanged => words.log_priority.fill(&number("to")),
            Kind::TakenAlong if text("by") == "operator" => words.log_written_down.clone(),
            Kind::LookedAt => match looking::told(&entry.what) {
                Some(look) if look.is_everything() => words.log_written_down.clone(),
                Some(look) => words.log_looked.fill(&self.role(look.role)),
                None => self.t.say(entry.kind.words()).to_owned(),
            },
            Kind::KeyMade => words.log_key_made.fill(&text("scopes")),
            Kind::TakenAlong => words.log_taken.clone(),
            Kind::BroughtIn => words
                .log_brought
                .fill_two(&number("orders"), &number("pictures")),
            Kind::LearnedFrom => words
                .log_learned
                .fill_two(&number("pictures"), &text("set")),
            Kind::TermsAccepted => words.log_terms.fill(&number("terms")),
            Kind::HandedOver => words.log_handed.fill(&text("to")),
            Kind::InvoiceRecorded => words.log_invoice.fill(&text("number")),
            Kind::ConsentWithdrawn if text("means") == "house" => words.log_taken_down.clone(),
            Kind::ErasureBegun
            | Kind::ErasureEnded
            | Kind::Restricted
            | Kind::RestrictionLifted
            | Kind::RequestReceived
            | Kind::RequestExtended
            | Kind::RequestAnswered
            | Kind::RequestRefused
            | Kind::RequestWithdrawn
            | Kind::Objected
            | Kind::ObjectionWithdrawn
            | Kind::ConsentAsked
            | Kind::ConsentGiven
            | Kind::ConsentWithdrawn
            | Kind::NewsSent
            | Kind::LearningRefused
            | Kind::InventoryChanged
            | Kind::KeysRotated
            | Kind::BackupMade
            | Kind::HouseRestored
            | Kind::DisclosureReceived
            | Kind::DisclosureApproved
            | Kind::DisclosureRefused
            | Kind::DisclosureMade
            | Kind::DisclosureReviewed
            | Kind::Disclosed
            | Kind::BreachNoted
            | Kind::BreachReported
            | Kind::BreachClosed
            | Kind::BreachTold
            | Kind::HoldLaid
            | Kind::HoldReleased
            | Kind::WitnessesChanged
            | Kind::DutyAsked
            | Kind::DutyBegun
            | Kind::DutyEnded
            | Kind::PolicyPublished
            | Kind::PolicyRead
            | Kind::TermsPublished
            | Kind::OrganisationFounded
            | Kind::OrganisationJoined
            | Kind::OrganisationLeft
            | Kind::OrganisationOwned
            | Kind::OrganisationDisowned => self.t.say(entry.kind.words()).to_owned(),
        }
    }

    /// `Firefox on Linux`
    fn browser(&self, named: &str) -> String {
        let language = self.t.tongue();
        match named.split_once(" on ") {
            Some((browser, system)) => wording::fill(
                language,
                "{} on {}",
                &[
                    wording::say(language, browser),
                    wording::say(language, system),
                ],
            ),
            None => wording::say(language, named).to_owned(),
        }
    }

    fn role(&self, role: Role) -> &str {
        let words = &self.t.account;
        match role {
            Role::Person => &words.role_person,
            Role::Support => &words.role_support,
            Role::Moderator => &words.role_moderator,
            Role::PrivacyOfficer => &words.role_privacy_officer,
            Role::Operator => &words.role_operator,
        }
    }

    /// What was looked at and what for, a line for each kind of thing.
    fn shown(&self, entry: &Entry) -> Vec<String> {
        let words = &self.t.account;
        let look = match entry.kind {
            Kind::LookedAt => looking::told(&entry.what),
            _ => None,
        };
        let mut lines = Vec::new();
        for (purpose, shown) in look.into_iter().flat_map(|look| look.data) {
            for Seen { row, what } in &shown {
                let what: Vec<&str> = what.iter().map(|what| self.t.say(what)).collect();
                lines.push(format!("{}: {}.", self.t.say(row), what.join("; ")));
            }
            lines.push(words.log_looked_to.fill(self.t.say(purpose.words())));
        }
        lines
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
    let is_looks = given
        .iter()
        .any(|(name, which)| name == "show" && which == "looks");
    let (studio, limit) = (&site.studio, AT_ONCE + 1);
    let mut entries = match is_looks {
        true => log::looks_at(studio, person, before, limit).await?,
        false => log::of_person(studio, person, before, limit).await?,
    };
    let is_more = entries.len() > AT_ONCE as usize;
    entries.truncate(AT_ONCE as usize);
    let last = entries.last().map(|entry| entry.id);
    Ok(ok(&LogPage {
        t: Texts::get(),
        frame: Frame::member("account"),
        tab: "log",
        next: last.filter(|_| is_more),
        is_looks,
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
