//! A variation: the words and settings of a picture, begun in its noise with some of another mixed
//! in, so that what comes out resembles it.

use domain::ids::PersonId;

use super::{OrderError, OrderForm, Prose, invalid};
use crate::{Studio, jobs, pictures};

/// Variations of variations, so many deep.
pub const MAX_ANCESTORS: usize = 32;

const FIELD: &str = "variation_of";

/// Fills in what a form leaves to the picture that it varies, where it names one.
pub(super) async fn fill_in(
    studio: &Studio,
    person: PersonId,
    form: OrderForm,
) -> Result<OrderForm, OrderError> {
    let Some(id) = form.variation_of else {
        return Ok(form);
    };
    let missing = || {
        let message =
            "There is no such picture of yours. Name one that you have, or leave variation_of out.";
        invalid(FIELD, "invalid_value", message.to_owned())
    };
    let picture = pictures::find(studio, person, id)
        .await?
        .ok_or_else(missing)?;
    let job = jobs::find(studio, person, picture.job)
        .await?
        .ok_or_else(missing)?;
    if job.ancestors.len() >= MAX_ANCESTORS {
        let message = format!(
            "This picture is a variation of variations, {MAX_ANCESTORS} deep. Vary an earlier one."
        );
        return Err(invalid(FIELD, "invalid_value", message));
    }
    if form.model.as_ref().is_some_and(|model| *model != job.model) {
        let message = format!(
            "A variation is drawn by the model of its picture, {}. Leave model out.",
            job.model
        );
        return Err(invalid("model", "invalid_value", message));
    }
    if form.size.is_some_and(|size| size != job.size) {
        let message = format!(
            "A variation has the size of its picture, {}. Leave size out.",
            job.size
        );
        return Err(invalid("size", "invalid_value", message));
    }
    if form.prompt.0.is_empty() && job.prompt.is_none() {
        let message = "This picture was drawn in private, and its words are forgotten. Give words in \
                       prompt, or vary another picture.";
        return Err(invalid("prompt", "empty_string", message.to_owned()));
    }
    let mut ancestors = job.ancestors;
    ancestors.push(picture.seed);
    let prose = |words: &domain::prompt::Prompt| Prose(words.expose().to_owned());
    Ok(OrderForm {
        prompt: match &job.prompt {
            Some(words) if form.prompt.0.is_empty() => prose(words),
            _ => form.prompt,
        },
        negative_prompt: form
            .negative_prompt
            .or_else(|| job.negative_prompt.as_ref().map(prose)),
        model: Some(job.model),
        size: Some(job.size),
        background: form.background.or(Some(job.background)),
        steps: form.steps.or(Some(job.steps)),
        // A model without guidance draws with 1.
        guidance: form
            .guidance
            .or(Some(job.guidance).filter(|guidance| guidance.to_bits() != 1_f32.to_bits())),
        ancestors,
        variation_of: None,
        ..form
    })
}
