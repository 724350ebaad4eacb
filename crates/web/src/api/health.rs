//! For whoever watches over the program.

use axum::extract::State;
use studio::{Failure, Studio, gallery};

use crate::caller::Caller;
use crate::problem::Problem;

/// The process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// The database answers too.
pub(super) async fn ready(
    State(studio): State<Studio>,
    Caller(person): Caller,
) -> Result<&'static str, Problem> {
    let read: Result<_, Failure> = gallery::page(&studio, person, None, 1).await;
    read?;
    Ok("ready\n")
}
