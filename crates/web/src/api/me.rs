//! `GET /v1/me`: who the key belongs to, and what it may do.

use axum::Json;
use axum::extract::State;
use domain::role::Scope;
use serde_json::{Value, json};
use studio::Studio;
use studio::accounts::{Means, person};

use crate::caller::Asker;
use crate::problem::Problem;

pub(super) async fn show(
    State(studio): State<Studio>,
    Asker(known): Asker,
) -> Result<Json<Value>, Problem> {
    let account = person::find(&studio, known.person).await?;
    let account = account.as_ref();
    let scopes: Vec<&str> = Scope::ALL
        .into_iter()
        .filter(|scope| known.scopes.has(*scope))
        .map(Scope::name)
        .collect();
    Ok(Json(json!({
        "id": known.person,
        "object": "person",
        // Without an account, everybody on this machine is one local person.
        "has_account": account.is_some(),
        "address": account.map(|account| account.address.expose()),
        "username": account.and_then(|account| account.username.as_ref()).map(|name| name.expose()),
        "display_name": account.and_then(|account| account.display_name.as_ref()).map(|name| name.expose()),
        "role": known.role.name(),
        "scopes": scopes,
        "key_id": match known.means {
            Means::Key { id, .. } => Some(id),
            Means::Local | Means::Session { .. } => None,
        },
        "created_at": account.map(|account| account.created.as_seconds()),
    })))
}
