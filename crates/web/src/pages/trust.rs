//! What anybody can check of this house without trusting it: the checkpoint of its log, its public key,
//! and what its last audit found.

use askama::Template;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::clock::Moment;
use serde::Deserialize;
use serde_json::{Value, json};
use studio::privacy::log::witness::asking::{self, Said, Trouble};
use studio::privacy::log::{self, proof};
use studio::privacy::{audit, disclosures};

use super::{Frame, Shown, ok};
use crate::Site;
use crate::caller::MaybeAsker;
use crate::problem::Problem;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "trust.html")]
struct TrustPage {
    t: &'static Texts,
    frame: Frame,
    public_key: String,
    checkpoint: Option<String>,
    report: Option<Shape>,
    witnesses: Vec<Seen>,
    /// What authorities asked for: what happened, by order and in emergencies.
    counted: Vec<(&'static str, String)>,
    people: String,
}

/// A witness of the log, as the page shows it.
struct Seen {
    name: String,
    words: String,
    has_signed: bool,
}

impl Seen {
    fn of(said: &Said) -> Self {
        let texts = Texts::get();
        let words = &texts.trust;
        let mut told = match said.signed {
            Some(when) => words
                .witness_signed
                .fill_all(&[&texts.exact(when), &said.size.to_string()]),
            None => words.witness_never.clone(),
        };
        let trouble = said.trouble.map(|trouble| match trouble {
            Trouble::Forked => &words.witness_forked,
            Trouble::Unknown => &words.witness_unknown,
            Trouble::Silent => &words.witness_silent,
        });
        if let Some(trouble) = trouble {
            told.push(' ');
            told += trouble;
        }
        Self {
            name: said.name.clone(),
            words: told,
            has_signed: said.note.is_some(),
        }
    }
}

/// A report as the page shows it.
struct Shape {
    when: String,
    holds: bool,
    /// It is so old that another one should be there.
    is_overdue: bool,
    checks: Vec<Line>,
    /// Each time that the house was put back from a backup.
    restorations: Vec<String>,
}

struct Line {
    shows: String,
    promises: String,
    wrong: u64,
}

impl Shape {
    fn of(signed: &str, now: Moment) -> Option<Self> {
        let document: Value = serde_json::from_str(signed).ok()?;
        let report = document.get("report")?;
        let checks = report["checks"].as_array()?.iter().map(|check| {
            let promises = check["promises"].as_array().into_iter().flatten();
            let promises: Vec<&str> = promises.filter_map(Value::as_str).collect();
            Line {
                shows: check["shows"].as_str().unwrap_or_default().to_owned(),
                promises: promises.join(", "),
                wrong: check["wrong"].as_u64().unwrap_or(0),
            }
        });
        let texts = Texts::get();
        let exact = |seconds: &Value| {
            let seconds = seconds.as_i64().unwrap_or(0);
            texts.exact(Moment::from_millis(seconds * 1_000))
        };
        let restorations = report["restorations"].as_array();
        let restorations = restorations.into_iter().flatten().map(|one| {
            let kept = one["entries_kept"].as_u64().unwrap_or(0);
            let had = one["entries_before"].as_u64().unwrap_or(0);
            texts.trust.restored.fill_all(&[
                &exact(&one["time"]),
                &exact(&one["backup_made"]),
                &had.saturating_sub(kept).to_string(),
            ])
        });
        let when = Moment::from_millis(report["time"].as_i64()? * 1_000);
        Some(Self {
            when: Texts::get().exact(when),
            holds: report["holds"].as_bool()?,
            is_overdue: when.plus_millis(audit::OVERDUE_MS) < now,
            checks: checks.collect(),
            restorations: restorations.collect(),
        })
    }
}

impl TrustPage {
    fn verdict(&self, line: &Line) -> String {
        let words = &self.t.trust;
        match u32::try_from(line.wrong) {
            Ok(0) => words.holds.clone(),
            Ok(wrong) => words.broken.of(wrong),
            Err(_) => line.wrong.to_string(),
        }
    }

    fn audited(&self, report: &Shape) -> String {
        let words = &self.t.trust;
        let pattern = if report.is_overdue {
            &words.audited_late
        } else if report.holds {
            &words.audited
        } else {
            &words.audited_broken
        };
        pattern.fill(&report.when)
    }
}

pub(super) async fn show(
    State(site): State<Site>,
    MaybeAsker(known): MaybeAsker,
) -> Result<Response, Shown> {
    let report = audit::newest(&site.studio).await?;
    let (counters, _) = disclosures::public(&site.studio).await?;
    let lines = counters.lines.iter();
    let people = u32::try_from(counters.people).unwrap_or(u32::MAX);
    Ok(ok(&TrustPage {
        counted: lines
            .map(|line| {
                let pattern = &Texts::get().disclosures.public_times;
                let times = pattern.fill_two(&line.orders, &line.emergencies);
                (line.kind.words(), times)
            })
            .collect(),
        people: Texts::get().disclosures.people.of(people),
        t: Texts::get(),
        frame: Frame::of(known.as_ref(), "trust"),
        public_key: BASE64.encode(site.studio.keys.public_key()),
        checkpoint: log::newest(&site.studio).await?,
        report: report.and_then(|report| Shape::of(&report, site.studio.clock.now())),
        witnesses: asking::all(&site.studio)
            .await?
            .iter()
            .map(Seen::of)
            .collect(),
    }))
}

/// The newest checkpoint, for keeping: whoever has an old one can hold the house to it.
pub(super) async fn checkpoint(State(site): State<Site>) -> Result<Response, Problem> {
    let note = log::newest(&site.studio)
        .await?
        .ok_or_else(Problem::nothing)?;
    Ok(as_note(note))
}

/// The newest checkpoint that this witness has signed, with its signature.
pub(super) async fn witnessed(
    State(site): State<Site>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let mut said = asking::all(&site.studio).await?.into_iter();
    let note = said
        .find(|said| said.name == name)
        .and_then(|said| said.note);
    Ok(as_note(note.ok_or_else(Problem::nothing)?))
}

fn as_note(note: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, note).into_response()
}

#[derive(Deserialize)]
pub(super) struct Sizes {
    from: u64,
    to: u64,
}

/// Proves that the log of `to` leaves begins with that of `from` (RFC 6962, 2.1.2).
pub(super) async fn growth(
    State(site): State<Site>,
    sizes: Result<Query<Sizes>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Ok(Query(Sizes { from, to })) = sizes else {
        let message = "Say which two checkpoints to compare, by their sizes: ?from=7&to=10.";
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_value",
            message,
        ));
    };
    let proof = proof::growth(&site.studio, from, to).await?;
    let Some(proof) = proof else {
        let message = "There were never so many entries, or from is larger than to.";
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_value",
            message,
        ));
    };
    Ok(Json(json!({ "from": from, "to": to, "proof": proof })).into_response())
}

/// How often authorities asked for something and what became of it, with each entry of the log by which
/// anybody can count that again.
pub(super) async fn disclosures(State(site): State<Site>) -> Result<Response, Problem> {
    let (_, document) = disclosures::public(&site.studio).await?;
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((headers, Json(document)).into_response())
}

/// The newest report, as it was signed.
pub(super) async fn report(State(site): State<Site>) -> Result<Response, Problem> {
    let signed = audit::newest(&site.studio)
        .await?
        .ok_or_else(Problem::nothing)?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, signed).into_response())
}
