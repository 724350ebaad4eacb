//! For whoever watches over the program.

use axum::extract::State;
use studio::Studio;
use studio::accounts::person;

use crate::problem::Problem;

/// The process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// The database answers too.
pub(super) async fn ready(State(studio): State<Studio>) -> Result<&'static str, Problem> {
    person::has_operator(&studio).await?;
    Ok("ready\n")
}
