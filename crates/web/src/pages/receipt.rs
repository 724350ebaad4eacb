//! How far an erasure is, and its receipt in the end, for whoever has its address: the person is
//! signed out by then.

use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::clock::Moment;
use domain::secret::Token;
use serde_json::{Value, json};
use studio::privacy::erasure::{
    self, Fate, Part, RECEIPT_KEPT_MS, Scope, Standing, State as Reached, Told,
};
use studio::privacy::log::checkpoint::{log_key, witness_key};
use studio::privacy::recipients::NOT_STATED;

use super::account::{files, size};
use super::{Frame, Shown, render};
use crate::Site;
use crate::problem::Problem;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "receipt.html")]
struct ReceiptPage {
    t: &'static Texts,
    frame: Frame,
    /// Below which the signed file is.
    path: String,
    standing: Standing,
    public_key: String,
    now: Moment,
}

impl ReceiptPage {
    fn is_over(&self) -> bool {
        self.standing.receipt.is_some()
    }

    fn heading(&self) -> &str {
        let words = &self.t.forget;
        match (self.standing.scope, self.is_over()) {
            (Scope::Account, false) => &words.going_account,
            (Scope::History, false) => &words.going_history,
            (Scope::Account, true) => &words.done_account,
            (Scope::History, true) => &words.done_history,
        }
    }

    fn until(&self) -> String {
        let ended = self.standing.done.at(Reached::Receipted);
        let ended = ended.unwrap_or(self.standing.requested);
        let until = self.t.last_day(ended.plus_millis(RECEIPT_KEPT_MS));
        self.t.forget.done_what.fill(&until)
    }

    fn asked(&self) -> String {
        self.t.exact(self.standing.requested)
    }

    /// Each step in words, and whether it is done.
    fn steps(&self) -> Vec<(&str, bool)> {
        let state = self.standing.state;
        let steps = Reached::ALL.into_iter();
        let steps = steps.filter(|step| *step != Reached::Held);
        steps
            .map(|step| (self.words(step), step <= state))
            .collect()
    }

    fn words(&self, step: Reached) -> &str {
        let words = &self.t.forget;
        match step {
            Reached::Requested => &words.step_requested,
            Reached::Verified => &words.step_verified,
            Reached::Frozen => &words.step_frozen,
            Reached::KeysShredded => &words.step_keys_shredded,
            Reached::RowsGone => &words.step_rows_gone,
            Reached::BlobsGone => &words.step_blobs_gone,
            Reached::RecipientsTold => &words.step_recipients_told,
            Reached::Checkpointed => &words.step_checkpointed,
            Reached::Scanned => &words.step_scanned,
            Reached::Receipted | Reached::Held => &words.step_receipted,
        }
    }

    fn deleted(&self) -> Vec<(&str, String)> {
        let done = &self.standing.done;
        let rows = |part: &Part| done.rows.get(&part.table).copied().unwrap_or(0);
        let parts = self.standing.plan.that(Fate::Deleted);
        let there = parts.filter(|part| rows(part) > 0);
        there
            .map(|part| (self.t.say(part.heading()), self.rows(rows(part))))
            .collect()
    }

    fn kept(&self) -> Vec<(&str, String)> {
        let done = &self.standing.done;
        let parts = self
            .standing
            .plan
            .parts
            .iter()
            .filter(|part| matches!(part.fate, Fate::Severed | Fate::Stays));
        let rows = |part: &Part| done.kept.get(&part.table).copied().unwrap_or(part.rows);
        let there = parts.filter(|part| rows(part) > 0);
        there
            .map(|part| (self.t.say(part.heading()), self.rows(rows(part))))
            .collect()
    }

    /// What is kept for now, as far as it may be told, until when.
    fn held(&self) -> Vec<String> {
        let now = self.now.as_millis();
        let held = self.standing.done.held.iter();
        let told = held.filter(|held| held.told_from_ms <= now);
        told.map(|held| {
            let until = self.t.exact(Moment::from_millis(held.until_ms));
            self.t
                .forget
                .held
                .fill_two(self.t.say(held.class.words()), &until)
        })
        .collect()
    }

    fn rows(&self, rows: u64) -> String {
        self.t.forget.rows.of(small(rows))
    }

    fn files(&self) -> Option<String> {
        let count = self.standing.done.files;
        (count > 0).then(|| files(self.t, count, self.standing.plan.file_bytes))
    }

    fn cancelled(&self) -> Option<String> {
        let jobs = self.standing.done.jobs_cancelled;
        (jobs > 0).then(|| self.t.forget.cancelled.of(small(jobs)))
    }

    fn keys(&self) -> Option<String> {
        let keys = self.standing.done.keys;
        (keys > 0).then(|| self.t.forget.keys_shredded.of(small(keys)))
    }

    fn searched(&self) -> Option<String> {
        let found = self.standing.done.scan.as_ref()?;
        let of_files: u64 = found.files.values().map(|files| files.files).sum();
        let words = &self.t.forget;
        Some(words.searched.fill_all(&[
            &size(found.bytes),
            &words.files.of(small(of_files)),
            &words.columns.of(small(found.columns)),
            &found.marks.values().sum::<u64>().to_string(),
            &erasure::scan::forms::NAMES.len().to_string(),
        ]))
    }

    fn found(&self) -> Option<Result<(), String>> {
        let found = self.standing.done.scan.as_ref()?;
        if found.residue.is_empty() {
            return Some(Ok(()));
        }
        let words = &self.t.forget;
        let places = found.residue.iter();
        let places = places.map(|left| words.place.fill_two(&left.times, &left.place));
        Some(Err(words
            .found_some
            .fill(&places.collect::<Vec<_>>().join(", "))))
    }

    fn told(&self) -> Vec<String> {
        let words = &self.t.forget;
        let letter = self.standing.done.letter.map(|told| match told {
            Told::Sent => words.told_sent.clone(),
            Told::NotSent => words.told_not.clone(),
        });
        let mut told: Vec<String> = letter.into_iter().collect();
        let others = self.others();
        if others.is_empty() {
            told.push(words.told_nobody.clone());
        }
        told.extend(others);
        told
    }
}

impl ReceiptPage {
    /// Who else got something, as the signed receipt says it.
    fn others(&self) -> Vec<String> {
        let signed = self.standing.receipt.as_deref();
        let signed = signed.and_then(|text| serde_json::from_str::<Value>(text).ok());
        let all = signed
            .as_ref()
            .and_then(|all| all["receipt"]["recipients"].as_array());
        let text = |one: &Value, name: &str| one[name].as_str().map(str::to_owned);
        all.into_iter()
            .flatten()
            .map(|one| {
                let say = |words: String| self.t.say(&words).to_owned();
                let who = say(text(one, "who").unwrap_or_default());
                let name = text(one, "name").or_else(|| text(one, "host"));
                let who = name.map_or_else(|| who.clone(), |name| format!("{who} ({name})."));
                let got = say(text(one, "got").unwrap_or_default());
                let keeps = say(text(one, "keeps").unwrap_or_else(|| NOT_STATED.to_owned()));
                self.t.forget.told_other.fill_all(&[&who, &got, &keeps])
            })
            .collect()
    }
}

fn small(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// `/receipts/TOKEN`, and `/receipts/TOKEN.json` for the signed file, with a second one below
/// `/receipts/TOKEN.supplement.json` where something was held.
pub(super) async fn show(
    State(site): State<Site>,
    Path(name): Path<String>,
) -> Result<Response, Shown> {
    let (token, is_file) = match name.strip_suffix(".json") {
        Some(token) => (token, true),
        None => (name.as_str(), false),
    };
    let (token, is_supplement) = match token.strip_suffix(".supplement") {
        Some(token) => (token, true),
        None => (token, false),
    };
    let found = match Token::read(token) {
        Some(token) => erasure::find(&site.studio, &token).await?,
        None => None,
    };
    let Some(standing) = found else {
        let message = "There is no such receipt.";
        return Err(Problem::new(StatusCode::NOT_FOUND, "receipt_not_found", message).into());
    };
    if is_file && is_supplement {
        let signed = standing.supplement.ok_or_else(Problem::nothing)?;
        return Ok(file(signed));
    }
    if is_file {
        return Ok(match standing.receipt {
            Some(signed) => file(signed),
            None => progress(&standing).into_response(),
        });
    }
    let is_over = standing.receipt.is_some();
    let page = ReceiptPage {
        t: Texts::get(),
        frame: Frame::anyone(),
        path: format!("/receipts/{token}"),
        standing,
        public_key: public_key(&site),
        now: site.studio.clock.now(),
    };
    let mut response = render(StatusCode::OK, &page);
    let headers = response.headers_mut();
    if !is_over {
        // Works without script, and the way back is not filled with it.
        headers.insert(header::REFRESH, HeaderValue::from_static("1"));
    }
    Ok(response)
}

fn file(signed: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"pinhole-receipt.json\"",
        ),
    ];
    (headers, signed).into_response()
}

/// What a program sees while it goes on.
fn progress(standing: &Standing) -> (StatusCode, Json<Value>) {
    let body = json!({
        "object": "erasure",
        "scope": standing.scope.name(),
        "state": standing.state.name(),
    });
    (StatusCode::ACCEPTED, Json(body))
}

fn public_key(site: &Site) -> String {
    BASE64.encode(site.studio.keys.public_key())
}

/// By which key this house signs.
pub(super) async fn house(State(site): State<Site>) -> Json<Value> {
    let public = site.studio.keys.public_key();
    Json(json!({
        "signs_with": { "algorithm": "Ed25519", "public_key": public_key(&site) },
        "log": log_key(public).to_string(),
        "witness": witness_key(public).to_string(),
    }))
}
