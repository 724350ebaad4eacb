//! `/v1/me/erasure`: what would be deleted, and having it deleted.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use studio::Studio;
use studio::accounts::session::CONFIRMED_FOR_MS;
use studio::accounts::{Known, Means};
use studio::privacy::erasure::{self, AskedBy, Plan, Scope};

use super::Origin;
use super::fields::{Fields, pairs};
use crate::caller::Asker;
use crate::pages::erase_problem;
use crate::problem::Problem;

/// What is to be written in `confirm`, so that nobody deletes everything by a slip.
const CONFIRM_HISTORY: &str = "delete my pictures";
const CONFIRM_ACCOUNT: &str = "delete my account";

pub(crate) const fn confirmation(scope: Scope) -> &'static str {
    match scope {
        Scope::Account => CONFIRM_ACCOUNT,
        Scope::History => CONFIRM_HISTORY,
    }
}

/// `?what=account` or `?what=history`.
pub(super) async fn preview(
    State(studio): State<Studio>,
    Asker(known): Asker,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let given = pairs(query.unwrap_or_default().as_bytes());
    let what = given.into_iter().find(|(name, _)| name == "what");
    let scope = scope(what.as_ref().map(|(_, what)| what.as_str()))?;
    let plan = erasure::preview(&studio, known.person, scope).await?;
    Ok(Json(shown(&plan)))
}

fn scope(what: Option<&str>) -> Result<Scope, Problem> {
    what.and_then(Scope::named).ok_or_else(|| {
        let message =
            "what must be account or history: your whole account, or every order and picture.";
        Problem::field("what", "invalid_value", message)
    })
}

fn shown(plan: &Plan) -> Value {
    let parts = plan.parts.iter().map(|part| {
        json!({ "table": part.table, "what": part.heading(), "rows": part.rows, "fate": part.fate })
    });
    json!({
        "object": "erasure.preview",
        "what": plan.scope.name(),
        "parts": parts.collect::<Vec<_>>(),
        "files": plan.files,
        "file_bytes": plan.file_bytes,
        "credits": plan.credits,
        "confirm": confirmation(plan.scope),
    })
}

pub(super) async fn ask(
    State(studio): State<Studio>,
    Asker(known): Asker,
    origin: Origin,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let scope = scope(fields.text("what")?)?;
    let expected = confirmation(scope);
    if fields.text("confirm")? != Some(expected) {
        let message =
            format!("Nothing was deleted. To delete it for good, send confirm: {expected:?}.");
        return Err(Problem::field("confirm", "not_confirmed", message));
    }
    let by = asked_by(&studio, &known)?;
    let begun = erasure::ask(&studio, known.person, scope, by)
        .await
        .map_err(erase_problem)?;
    let receipt = origin.url(&format!("/receipts/{}.json", begun.receipt.expose()));
    let answer = json!({
        "id": begun.id,
        "object": "erasure",
        "what": scope.name(),
        "receipt_url": receipt,
    });
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// A key that may do it is proof enough; a session was perhaps left open.
fn asked_by(studio: &Studio, known: &Known) -> Result<AskedBy, Problem> {
    match known.means {
        Means::Local => Ok(AskedBy::Local),
        Means::Key { .. } => Ok(AskedBy::Key),
        Means::Session { confirmed, .. } => {
            let since = studio.clock.now().as_millis() - confirmed.as_millis();
            if since < CONFIRMED_FOR_MS {
                return Ok(AskedBy::Session);
            }
            let message =
                "Prove once more who you are, on the page /account/confirm. Nothing was deleted.";
            Err(Problem::new(
                StatusCode::FORBIDDEN,
                "confirm_first",
                message,
            ))
        }
    }
}
