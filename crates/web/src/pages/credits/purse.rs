//! What pages need to name prices.

use std::sync::Arc;

use domain::credits::Credits;
use domain::ids::PersonId;
use studio::credits::{self, Balance, Operation, PriceList};
use studio::jobs::Job;
use studio::{Failure, Studio, routing};

use crate::texts::Texts;

/// What a metered person has, and what things cost.
#[derive(Clone)]
pub(crate) struct Purse {
    pub(crate) balance: Balance,
    pub(crate) prices: Arc<PriceList>,
}

impl Purse {
    /// `None` where nothing is metered: then no page speaks of credits.
    pub(crate) async fn of(studio: &Studio, person: PersonId) -> Result<Option<Self>, Failure> {
        let balance = credits::balance(studio, person).await?;
        Ok(balance.map(|balance| Self {
            balance,
            prices: Arc::clone(&studio.prices),
        }))
    }

    /// `196 credits left`
    pub(crate) fn left(&self, t: &Texts) -> String {
        t.credits.left.fill(&t.credits(self.balance.available))
    }

    /// What the same order would cost now; `None` where its model is gone.
    pub(crate) fn again(&self, studio: &Studio, job: &Job) -> Option<Credits> {
        self.of_pictures(studio, job, job.count)
    }

    /// What so many pictures of the same settings would cost now; `None` where the model is gone.
    pub(crate) fn of_pictures(&self, studio: &Studio, job: &Job, count: u32) -> Option<Credits> {
        let (_, card) = routing::route(studio, Some(&job.model))?;
        let quote = self
            .prices
            .quote(&card, Operation::Draw, job.size, job.steps, count);
        Some(quote.total())
    }
}
