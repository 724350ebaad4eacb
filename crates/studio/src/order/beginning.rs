//! With which settings the studio begins: those of the last order, where its person agreed to that; those
//! that they saved; or those that everybody gets.

use db::on;
use domain::ids::PersonId;
use domain::model::ModelName;
use domain::picture::Size;

use super::{OrderError, OrderForm, Prose, Quality};
use crate::privacy::consent::{self, Optional, Signal};
use crate::{Failure, Studio};

/// Settings without words. `None` leaves a choice to the house.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub model: Option<ModelName>,
    pub size: Option<Size>,
    pub count: Option<u32>,
    pub quality: Option<Quality>,
}

/// What the studio begins with.
#[derive(Clone, Debug, PartialEq)]
pub enum Beginning {
    House,
    Saved(Settings),
    /// Of the last order; its steps stand for its quality.
    LeftOff {
        settings: Settings,
        steps: u32,
    },
}

/// How the studio begins for somebody whose browser says this.
pub async fn of(studio: &Studio, person: PersonId, signal: Signal) -> Result<Beginning, Failure> {
    if let Some((settings, steps)) = last(studio, person, signal).await? {
        return Ok(Beginning::LeftOff { settings, steps });
    }
    Ok(match saved(studio, person).await? {
        Some(settings) => Beginning::Saved(settings),
        None => Beginning::House,
    })
}

/// The settings of the last order, found only where that is agreed to. Whoever ordered in private wants no
/// trace of it.
async fn last(
    studio: &Studio,
    person: PersonId,
    signal: Signal,
) -> Result<Option<(Settings, u32)>, Failure> {
    let allowed = consent::allows(Optional::Personalisation, signal, "job.person_id");
    let statement = format!(
        "SELECT model, width, height, count, steps FROM job WHERE person_id = $1 AND private = 0 \
         AND {allowed} ORDER BY id DESC LIMIT 1"
    );
    let mut tx = studio.db.read().await?;
    let row: Option<(String, i64, i64, i64, i64)> = on!(tx, conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(person.to_string())
            .fetch_optional(conn)
            .await
    })?;
    let Some((model, width, height, count, steps)) = row else {
        return Ok(None);
    };
    let settings = Settings {
        model: Some(ModelName::new(model)),
        size: size(Some(width), Some(height)),
        count: u32::try_from(count).ok(),
        quality: None,
    };
    Ok(Some((settings, u32::try_from(steps).unwrap_or(0))))
}

fn size(width: Option<i64>, height: Option<i64>) -> Option<Size> {
    let edge = |edge: i64| u32::try_from(edge).ok();
    Some(Size {
        width: edge(width?)?,
        height: edge(height?)?,
    })
}

impl Quality {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut all = [Self::Low, Self::Medium, Self::High].into_iter();
        all.find(|quality| quality.name() == name)
    }
}

/// What somebody saved.
pub async fn saved(studio: &Studio, person: PersonId) -> Result<Option<Settings>, Failure> {
    type Row = (
        Option<String>,
        Option<i64>,
        Option<i64>,
        Option<i64>,
        Option<String>,
    );
    let mut tx = studio.db.read().await?;
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT model, width, height, count, quality FROM preference WHERE person_id = $1",
        )
        .bind(person.to_string())
        .fetch_optional(conn)
        .await
    })?;
    Ok(row.map(|(model, width, height, count, quality)| Settings {
        model: model.map(ModelName::new),
        size: size(width, height),
        count: count.and_then(|count| u32::try_from(count).ok()),
        quality: quality.as_deref().and_then(Quality::named),
    }))
}

/// Saves settings, checked as those of an order are; without any of them, forgets what was saved.
pub async fn save(
    studio: &Studio,
    person: PersonId,
    settings: &Settings,
) -> Result<(), OrderError> {
    if *settings == Settings::default() {
        return Ok(forget(studio, person).await?);
    }
    let order = OrderForm {
        prompt: Prose("settings".to_owned()),
        model: settings.model.clone(),
        size: settings.size,
        count: settings.count,
        quality: settings.quality.unwrap_or_default(),
        ..OrderForm::default()
    };
    super::quote(studio, person, order).await?;
    let edge = |edge: fn(&Size) -> u32| settings.size.as_ref().map(edge).map(i64::from);
    let mut tx = studio.db.write().await.map_err(Failure::from)?;
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO preference (person_id, model, width, height, count, quality) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (person_id) DO UPDATE SET \
             model = excluded.model, width = excluded.width, height = excluded.height, \
             count = excluded.count, quality = excluded.quality",
        )
        .bind(person.to_string())
        .bind(settings.model.as_ref().map(ModelName::as_str))
        .bind(edge(|size| size.width))
        .bind(edge(|size| size.height))
        .bind(settings.count.map(i64::from))
        .bind(settings.quality.map(Quality::name))
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })
    .map_err(Failure::from)?;
    tx.commit().await.map_err(Failure::from)?;
    Ok(())
}

async fn forget(studio: &Studio, person: PersonId) -> Result<(), Failure> {
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query("DELETE FROM preference WHERE person_id = $1")
            .bind(person.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(())
}
