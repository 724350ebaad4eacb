//! `/v1/me`: who the key belongs to, what it may do, and how long pictures are kept.

use axum::Json;
use axum::extract::State;
use domain::role::Scope;
use serde_json::{Value, json};
use studio::Studio;
use studio::accounts::{Known, Means, person};
use studio::privacy::keeping::{choose, of as chosen};

use super::fields::Fields;
use super::keeping;
use crate::caller::Asker;
use crate::problem::Problem;

pub(super) async fn show(
    State(studio): State<Studio>,
    Asker(known): Asker,
) -> Result<Json<Value>, Problem> {
    Ok(Json(me(&studio, known).await?))
}

/// `{"retention": 86400}`
pub(super) async fn change(
    State(studio): State<Studio>,
    Asker(known): Asker,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    if let Some(keep) = keeping::read(&fields)? {
        choose(&studio, known.person, keep).await?;
    }
    Ok(Json(me(&studio, known).await?))
}

async fn me(studio: &Studio, known: Known) -> Result<Value, Problem> {
    let keep = chosen(studio, known.person).await?;
    let account = person::find(studio, known.person).await?;
    let account = account.as_ref();
    let scopes: Vec<&str> = Scope::ALL
        .into_iter()
        .filter(|scope| known.scopes.has(*scope))
        .map(Scope::name)
        .collect();
    Ok(json!({
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
        "retention": keeping::shown(keep),
        "created_at": account.map(|account| account.created.as_seconds()),
    }))
}
