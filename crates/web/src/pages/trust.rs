//! What anybody can check of this house without trusting it: the checkpoint of its log, its public key,
//! and what its last audit found.

use askama::Template;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::clock::Moment;
use serde::Deserialize;
use serde_json::{Value, json};
use studio::privacy::audit;
use studio::privacy::log::{self, proof};

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
}

/// A report as the page shows it.
struct Shape {
    when: String,
    holds: bool,
    checks: Vec<Line>,
}

struct Line {
    shows: String,
    promises: String,
    wrong: u64,
}

impl Shape {
    fn of(signed: &str) -> Option<Self> {
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
        let when = Moment::from_millis(report["time"].as_i64()? * 1_000);
        Some(Self {
            when: Texts::get().exact(when),
            holds: report["holds"].as_bool()?,
            checks: checks.collect(),
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
        let pattern = if report.holds {
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
    Ok(ok(&TrustPage {
        t: Texts::get(),
        frame: Frame::of(known.as_ref(), "trust"),
        public_key: BASE64.encode(site.studio.keys.public_key()),
        checkpoint: log::newest(&site.studio).await?,
        report: report.as_deref().and_then(Shape::of),
    }))
}

/// The newest checkpoint, for keeping: whoever has an old one can hold the house to it.
pub(super) async fn checkpoint(State(site): State<Site>) -> Result<Response, Problem> {
    let note = log::newest(&site.studio)
        .await?
        .ok_or_else(Problem::nothing)?;
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, note).into_response())
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
