//! `GET /v1/models`, and one of them.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use domain::model::{ModelCard, Place};
use domain::picture::{Background, Format};
use serde_json::{Value, json};
use studio::credits::PriceList;
use studio::routing;

use super::credits;
use super::images::MAX_PARTIAL_IMAGES;
use crate::Site;
use crate::caller::Caller;
use crate::problem::Problem;

pub(super) async fn list(
    State(site): State<Site>,
    Caller(person): Caller,
) -> Result<Json<Value>, Problem> {
    let prices = credits::prices(&site.studio, person).await?;
    let data: Vec<Value> = routing::models(&site.studio)
        .iter()
        .map(|card| model(&site, card, prices.as_deref()))
        .collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}

pub(super) async fn show(
    State(site): State<Site>,
    Caller(person): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let cards = routing::models(&site.studio);
    if let Some(card) = cards.iter().find(|card| card.name.as_str() == id) {
        let prices = credits::prices(&site.studio, person).await?;
        return Ok(Json(model(&site, card, prices.as_deref())));
    }
    let names: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
    let message = format!(
        "There is no model of that name here. Available: {}.",
        names.join(", ")
    );
    let status = StatusCode::NOT_FOUND;
    Err(Problem {
        status,
        ..Problem::field("model", "model_not_found", message)
    })
}

fn model(site: &Site, card: &ModelCard, prices: Option<&PriceList>) -> Value {
    let owner = match &card.place {
        Place::Here => "pinhole",
        Place::Provider { name, .. } => name,
    };
    json!({
        "id": card.name,
        "object": "model",
        // Since when it is offered: weights bear no date.
        "created": site.opened.as_seconds(),
        "owned_by": owner,
        "title": card.title,
        "about": card.about,
        "licence": card.licence,
        "where": card.place,
        "price": credits::price(card, prices),
        "capabilities": {
            "sizes": card.sizes,
            "steps": card.steps,
            "guidance": card.guidance,
            "negative_prompt": card.negative_prompt,
            "max_pictures": site.studio.limits.max_pictures_per_order,
            "max_batch": card.max_batch,
            "max_partial_images": MAX_PARTIAL_IMAGES,
            "output_formats": Format::ALL,
            "backgrounds": match card.transparent_background {
                true => [Background::Opaque, Background::Transparent].as_slice(),
                false => &[Background::Opaque],
            },
        },
    })
}
