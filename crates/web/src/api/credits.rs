//! Credits: the balance, its entries, and what things cost.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use domain::credits::Credits;
use domain::ids::{EntryId, PersonId};
use domain::model::ModelCard;
use serde_json::{Value, json};
use studio::credits::statement::{self, Line, What};
use studio::credits::{self, Operation, PriceList, grants};
use studio::jobs::Job;
use studio::{Failure, Studio};

use super::Paging;
use crate::caller::Caller;
use crate::problem::Problem;

pub(super) async fn show(
    State(studio): State<Studio>,
    Caller(person): Caller,
) -> Result<Json<Value>, Problem> {
    let balance = credits::balance(&studio, person).await?;
    let open = grants::open_grants(&studio, person).await?;
    let grants: Vec<Value> = open
        .iter()
        .map(|grant| {
            json!({
                "id": grant.id,
                "object": "credit_grant",
                "credits": grant.credits,
                "remaining": grant.remaining,
                "reason": grant.reason,
                "created_at": grant.created.as_seconds(),
                "ends_at": grant.ends.map(|at| at.as_seconds()),
            })
        })
        .collect();
    Ok(Json(json!({
        "object": "credits",
        "metered": balance.is_some(),
        "available": balance.map(|balance| balance.available),
        "held": balance.map(|balance| balance.held),
        "grants": grants,
    })))
}

pub(super) async fn entries(
    State(studio): State<Studio>,
    Caller(person): Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let paging = Paging::<EntryId>::read(query.as_deref())?;
    let page = statement::page(&studio, person, paging.after, paging.limit, true).await?;
    let data: Vec<Value> = page.items.iter().map(entry).collect();
    Ok(Json(
        json!({ "object": "list", "data": data, "has_more": page.next.is_some() }),
    ))
}

/// An entry of the ledger as the API and the download show it.
pub(crate) fn entry(line: &Line) -> Value {
    let mut shown = json!({
        "id": line.id,
        "object": "credit_entry",
        "kind": line.kind.name(),
        "created_at": line.at.as_seconds(),
        "available": line.available,
        "held": line.held,
        "available_after": line.available_after,
        "held_after": line.held_after,
    });
    let what = match &line.what {
        What::Job {
            id,
            model,
            asked,
            delivered,
            price,
            ..
        } => json!({
            "job_id": id,
            "model": model,
            "asked": asked,
            "delivered": delivered,
            "credits_per_picture": price,
        }),
        What::Grant { id, reason, .. } => json!({ "grant_id": id, "reason": reason }),
    };
    super::images::extend(&mut shown, what);
    shown
}

/// What a job costs at most, and what it cost once it is over.
pub(super) fn of_job(job: &Job) -> Value {
    match job.charge {
        Some(charge) => json!({ "quoted": charge.quoted, "charged": charge.charged }),
        None => json!({ "quoted": 0, "charged": 0 }),
    }
}

/// The prices that a person pays; none where nothing is metered.
pub(super) async fn prices(
    studio: &Studio,
    person: PersonId,
) -> Result<Option<Arc<PriceList>>, Failure> {
    let balance = credits::balance(studio, person).await?;
    Ok(balance.map(|_| Arc::clone(&studio.prices)))
}

/// What a model takes: `credits_per_picture` in its own size and usual number of steps.
pub(super) fn price(card: &ModelCard, prices: Option<&PriceList>) -> Value {
    let Some(prices) = prices else {
        return json!({
            "credits_per_picture": 0,
            "by_steps": false,
            "sizes": [{ "up_to": null, "credits": 0 }],
        });
    };
    let price = prices.price(&card.name, Operation::Draw);
    let usual = card.steps.default;
    let each: Credits = price.of(card.sizes.default, usual, usual);
    let sizes: Vec<Value> = price
        .bands
        .iter()
        .map(|band| json!({ "up_to": band.up_to, "credits": band.credits }))
        .collect();
    json!({ "credits_per_picture": each, "by_steps": price.by_steps, "sizes": sizes })
}
