//! A prompt comes in: every field is checked against the model that shall draw it, then the job
//! is written down.

pub mod beginning;
mod variation;

use domain::credits::Credits;
use domain::ids::{JobId, KeyId, PersonId, PictureId};
use domain::model::{ModelCard, ModelName, leaves_nothing_out};
use domain::picture::{Background, Size};
use domain::prompt::{BadPrompt, Prompt};
use tokio::sync::watch;

use crate::credits::{self, Operation, Quote, Refusal};
use crate::jobs::line::NotNow;
use crate::jobs::progress::Progress;
use crate::jobs::queue::{self, Enqueued, NewJob};
use crate::jobs::repeat::{self, Known, Name};
use crate::jobs::{self, Job};
use crate::privacy::keeping::Keep;
use crate::privacy::keys::KeyError;
use crate::{Failure, Studio, routing};

/// What was asked for, unchecked. `None` leaves a choice to the model.
#[derive(Clone, Debug, Default)]
pub struct OrderForm {
    pub prompt: Prose,
    pub negative_prompt: Option<Prose>,
    pub model: Option<ModelName>,
    pub size: Option<Size>,
    /// `None` as the words say.
    pub background: Option<Background>,
    /// Number of pictures.
    pub count: Option<u32>,
    pub quality: Quality,
    pub steps: Option<u32>,
    pub guidance: Option<f32>,
    pub seed: Option<u32>,
    /// Draw variations of this picture: what the form leaves out is as it was there.
    pub variation_of: Option<PictureId>,
    /// Seeds of the pictures that are varied, eldest first.
    pub ancestors: Vec<u32>,
    /// Previews of each picture while it is drawn.
    pub previews: u32,
    /// How long the pictures are kept; `None` as the person chose for all.
    pub keep: Option<Keep>,
    /// The words are forgotten once it is drawn.
    pub is_private: bool,
    /// Refuse where it could cost more than this.
    pub max_credits: Option<Credits>,
    /// The API key with which it is ordered.
    pub key: Option<KeyId>,
}

/// Unchecked words of a person: personal, so they can't be printed.
#[derive(Clone, Default)]
pub struct Prose(pub String);

domain::unprintable!(Prose);

impl std::fmt::Debug for Prose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prose(…)")
    }
}

/// How much work to put into a picture, where the number of steps is not given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quality {
    Low,
    #[default]
    Medium,
    High,
}

impl Quality {
    /// Sampler steps of a model in this quality.
    #[must_use]
    pub fn steps(self, card: &ModelCard) -> u32 {
        let span = card.steps;
        let steps = match self {
            Self::Low => span.default / 2,
            Self::Medium => span.default,
            Self::High => span.default * 2,
        };
        steps.clamp(span.min, span.max)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// A field is wrong: its name, a code for programs, and what to do.
    #[error("{message}")]
    Invalid {
        param: &'static str,
        code: &'static str,
        message: String,
    },
    #[error("There is no model named {name:?} here. Available: {available}.")]
    UnknownModel { name: String, available: String },
    #[error(
        "{waiting} jobs are waiting already, of everybody. Try again in {retry_after_s} seconds."
    )]
    QueueFull { waiting: u32, retry_after_s: u32 },
    #[error(
        "{waiting} jobs of yours are waiting already. Wait until one is drawn, in about {retry_after_s} seconds, or cancel one."
    )]
    TooManyWaiting { waiting: u32, retry_after_s: u32 },
    #[error(
        "This idempotency key was used for another request within the last day. Use a new key for a new request."
    )]
    OtherBody,
    #[error("The same request was given up in this moment. Send it again.")]
    Again,
    #[error("These are too many orders at once. Try again in {retry_after_s} seconds.")]
    TooFast { retry_after_s: u32 },
    #[error(
        "What you ordered so far is being deleted, which takes seconds. Nothing can be ordered meanwhile; try again when it is over."
    )]
    Erasing,
    #[error(
        "Your account is restricted: what is yours is kept, and nothing is drawn. Lift that on the page /account/restriction, or read there why you can't."
    )]
    Restricted,
    #[error(
        "This costs {quoted} credits, more than the {max} that the order allows. Allow more, or order fewer or smaller pictures."
    )]
    AboveMaximum { quoted: Credits, max: Credits },
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<NotNow> for OrderError {
    fn from(why: NotNow) -> Self {
        match why {
            NotNow::Full {
                waiting,
                retry_after_s,
            } => Self::QueueFull {
                waiting,
                retry_after_s,
            },
            NotNow::OwnFull {
                waiting,
                retry_after_s,
            } => Self::TooManyWaiting {
                waiting,
                retry_after_s,
            },
            NotNow::TooFast { retry_after_s } => Self::TooFast { retry_after_s },
            NotNow::Erasing => Self::Erasing,
            NotNow::Restricted => Self::Restricted,
        }
    }
}

pub use variation::MAX_ANCESTORS;

pub const MAX_PREVIEWS: u32 = 8;

/// An order that has its job.
#[derive(Debug)]
pub struct Placed {
    pub job: Job,
    /// Where the request may come again: how many requests get this job's answer so far.
    pub asked: Option<i64>,
    /// Follows a new job from before it is begun, so that nothing of it is missed.
    pub live: Option<watch::Receiver<Progress>>,
}

impl Placed {
    /// An earlier request made the job.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        self.asked.is_some_and(|asked| asked > 1)
    }
}

/// Checks an order and puts it into the queue.
pub async fn place(studio: &Studio, person: PersonId, form: OrderForm) -> Result<Job, OrderError> {
    Ok(place_once(studio, person, form, None).await?.job)
}

/// Checks an order and puts it into the queue, unless it repeats an earlier one: then it gets that
/// one's job.
pub async fn place_once(
    studio: &Studio,
    person: PersonId,
    form: OrderForm,
    name: Option<&Name>,
) -> Result<Placed, OrderError> {
    if let Some(name) = name
        && let Some(known) = known(studio, person, name).await?
    {
        return Ok(known);
    }
    let form = variation::fill_in(studio, person, form).await?;
    let (_, card) =
        routing::route(studio, form.model.as_ref()).ok_or_else(|| no_model(studio, &form))?;
    let max_credits = form.max_credits;
    let new = check(studio, person, form, &card)?;
    within(studio, &new, max_credits).await?;
    // Before the transaction, in one commit with whoever orders at the same moment.
    let keys = studio.keys.make_job(person, new.id, new.count).await;
    let keys = match keys {
        Err(KeyError::Gone(_)) => return Err(OrderError::Erasing),
        keys => keys.map_err(Failure::from)?,
    };
    let expected = studio.board.expect(new.id, new.count);
    let enqueued = queue::enqueue(studio, &new, &keys, name).await;
    if !matches!(enqueued, Ok(Enqueued::Accepted { .. })) {
        studio.keys.unmake_job(new.id);
    }
    let (charge, keep) = match enqueued? {
        Enqueued::Accepted { charge, keep } => (charge, keep),
        Enqueued::Known => {
            let known = match name {
                Some(name) => known(studio, person, name).await?,
                None => None,
            };
            // The other one was abandoned in this very moment.
            return known.ok_or(OrderError::Again);
        }
        Enqueued::NotNow(why) => return Err(why.into()),
        Enqueued::Refused(refusal) => return Err(refusal.into()),
    };
    studio.board.announce();
    let job = jobs::new(studio, new, charge, keep).await?;
    let live = expected.arrived(job.ahead);
    studio.board.look();
    Ok(Placed {
        job,
        asked: name.map(|_| 1),
        live,
    })
}

async fn known(
    studio: &Studio,
    person: PersonId,
    name: &Name,
) -> Result<Option<Placed>, OrderError> {
    match repeat::find(studio, person, name).await? {
        Known::New => Ok(None),
        Known::OtherBody => Err(OrderError::OtherBody),
        Known::Again { job, asked } => {
            let job = jobs::find(studio, person, job).await?;
            let asked = Some(asked);
            Ok(job.map(|job| Placed {
                job,
                asked,
                live: None,
            }))
        }
    }
}

/// What an order would cost whoever is metered, without placing it.
pub async fn quote(
    studio: &Studio,
    person: PersonId,
    form: OrderForm,
) -> Result<Quote, OrderError> {
    let form = variation::fill_in(studio, person, form).await?;
    let (_, card) =
        routing::route(studio, form.model.as_ref()).ok_or_else(|| no_model(studio, &form))?;
    Ok(check(studio, person, form, &card)?.quote)
}

async fn within(
    studio: &Studio,
    new: &NewJob,
    max_credits: Option<Credits>,
) -> Result<(), OrderError> {
    let quoted = new.quote.total();
    match max_credits {
        Some(max) if quoted > max && credits::balance(studio, new.person).await?.is_some() => {
            Err(OrderError::AboveMaximum { quoted, max })
        }
        _ => Ok(()),
    }
}

fn no_model(studio: &Studio, form: &OrderForm) -> OrderError {
    let names = routing::models(studio);
    let names: Vec<&str> = names.iter().map(|card| card.name.as_str()).collect();
    let name = form.model.as_ref().map_or("", ModelName::as_str);
    OrderError::UnknownModel {
        name: name.chars().take(100).collect(),
        available: names.join(", "),
    }
}

fn check(
    studio: &Studio,
    person: PersonId,
    form: OrderForm,
    card: &ModelCard,
) -> Result<NewJob, OrderError> {
    let now = studio.clock.now();
    let negative_prompt = match form.negative_prompt {
        Some(text) if !text.0.trim().is_empty() => {
            if !card.negative_prompt {
                let message = format!("{} takes no negative prompt. Leave it out.", card.title);
                return Err(invalid("negative_prompt", "unsupported_parameter", message));
            }
            Some(prompt("negative_prompt", &text)?)
        }
        _ => None,
    };
    let guidance = guidance(form.guidance, card, negative_prompt.is_some())?;
    let prompt = prompt("prompt", &form.prompt)?;
    let size = size(form.size, card)?;
    let background = background(form.background, &prompt, card)?;
    let count = count(form.count, studio.limits.max_pictures_per_order)?;
    let steps = steps(form.steps, form.quality, card)?;
    let quote = studio
        .prices
        .quote(card, Operation::Draw, size, steps, count);
    Ok(NewJob {
        id: JobId::new(now, &studio.randomness),
        person,
        model: card.name.clone(),
        prompt,
        negative_prompt,
        size,
        background,
        count,
        steps,
        guidance,
        seed: form.seed.unwrap_or_else(|| studio.randomness.next_u32()),
        ancestors: form.ancestors,
        previews: form.previews.min(MAX_PREVIEWS),
        keep: form.keep,
        is_private: form.is_private,
        key: form.key,
        quote,
        created: now,
    })
}

fn invalid(param: &'static str, code: &'static str, message: String) -> OrderError {
    OrderError::Invalid {
        param,
        code,
        message,
    }
}

fn prompt(param: &'static str, text: &Prose) -> Result<Prompt, OrderError> {
    Prompt::new(&text.0).map_err(|bad| {
        let code = match bad {
            BadPrompt::Empty => "empty_string",
            BadPrompt::TooLong { .. } => "string_above_max_length",
            BadPrompt::Control { .. } => "invalid_string",
        };
        invalid(param, code, bad.to_string())
    })
}

fn size(asked: Option<Size>, card: &ModelCard) -> Result<Size, OrderError> {
    let size = asked.unwrap_or(card.sizes.default);
    if card.sizes.allows(size) {
        return Ok(size);
    }
    let limits = card.sizes.in_words();
    let message = format!(
        "{} can't draw {size}: it draws {limits}. Use one of those, or auto.",
        card.title
    );
    Err(invalid("size", "invalid_value", message))
}

fn background(
    asked: Option<Background>,
    prompt: &Prompt,
    card: &ModelCard,
) -> Result<Background, OrderError> {
    match asked {
        Some(Background::Transparent) if !card.transparent_background => {
            let message = format!(
                "{} draws no transparent backgrounds. Use opaque or auto.",
                card.title
            );
            Err(invalid("background", "unsupported_value", message))
        }
        Some(asked) => Ok(asked),
        None if card.transparent_background && asks_for_none(prompt) => Ok(Background::Transparent),
        None => Ok(Background::Opaque),
    }
}

/// Whether the words leave out what is behind the things.
fn asks_for_none(prompt: &Prompt) -> bool {
    let words = prompt.expose().to_lowercase();
    [
        "transparent background",
        "without a background",
        "no background",
    ]
    .iter()
    .any(|none| words.contains(none))
}

fn count(asked: Option<u32>, max: u32) -> Result<u32, OrderError> {
    let count = asked.unwrap_or(1);
    if (1..=max).contains(&count) {
        return Ok(count);
    }
    let message = format!("n is {count}; ask for 1 to {max} pictures at once.");
    Err(invalid("n", "invalid_value", message))
}

fn steps(asked: Option<u32>, quality: Quality, card: &ModelCard) -> Result<u32, OrderError> {
    let span = card.steps;
    let Some(steps) = asked else {
        return Ok(quality.steps(card));
    };
    if span.contains(&steps) {
        return Ok(steps);
    }
    let message = format!(
        "steps is {steps}; {} takes {} to {}.",
        card.title, span.min, span.max
    );
    Err(invalid("steps", "invalid_value", message))
}

fn guidance(asked: Option<f32>, card: &ModelCard, leaves_out: bool) -> Result<f32, OrderError> {
    if let Some(why) = asked.and_then(leaves_nothing_out).filter(|_| leaves_out) {
        return Err(invalid("guidance", "invalid_value", why.to_owned()));
    }
    match (asked, card.guidance) {
        (None, _) => Ok(card.usual_guidance(leaves_out)),
        (Some(_), None) => {
            let message = format!("{} takes no guidance. Leave it out.", card.title);
            Err(invalid("guidance", "unsupported_parameter", message))
        }
        (Some(asked), Some(span)) if span.contains(&asked) => Ok(asked),
        (Some(asked), Some(span)) => {
            let message = format!(
                "guidance is {asked}; {} takes {} to {}.",
                card.title, span.min, span.max
            );
            Err(invalid("guidance", "invalid_value", message))
        }
    }
}
