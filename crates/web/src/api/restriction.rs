//! `/v1/me/restriction`: whether the account is restricted, restricting it, and lifting that.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use studio::Studio;
use studio::privacy::restriction::{self, Mode};

use crate::caller::Asker;
use crate::pages::restrict_problem;
use crate::problem::Problem;

pub(super) async fn show(
    State(studio): State<Studio>,
    Asker(known): Asker,
) -> Result<Json<Value>, Problem> {
    let restriction = restriction::of(&studio, known.person).await?;
    let restriction = restriction.as_ref();
    Ok(Json(json!({
        "object": "restriction",
        "mode": restriction.map_or(Mode::Open, |one| one.mode).name(),
        "reason": restriction.and_then(|one| one.reason.as_deref()),
        "since": restriction.map(|one| one.since.as_seconds()),
        "lifts_at": restriction.and_then(|one| one.lifts).map(|lifts| lifts.as_seconds()),
    })))
}

pub(super) async fn set(
    State(studio): State<Studio>,
    Asker(known): Asker,
) -> Result<Json<Value>, Problem> {
    restriction::restrict(&studio, known.person).await?;
    show(State(studio), Asker(known)).await
}

pub(super) async fn lift(
    State(studio): State<Studio>,
    Asker(known): Asker,
) -> Result<Json<Value>, Problem> {
    restriction::lift(&studio, known.person)
        .await
        .map_err(restrict_problem)?;
    show(State(studio), Asker(known)).await
}
