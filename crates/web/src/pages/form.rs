//! The form in which a person orders: what they wrote in it, and what the chosen model offers.

use domain::credits::Credits;
use domain::ids::PictureId;
use domain::model::{ModelCard, ModelName, Place};
use domain::picture::{Background, Size};
use studio::credits::{Operation, Price, PriceList, Quote};
use studio::jobs::Job;
use studio::order::beginning::{Beginning, Settings};
use studio::order::{OrderForm, Prose, Quality};
use studio::{Studio, routing};

use crate::assets;
use crate::problem::Problem;
use crate::texts::Texts;

/// Counts that the page offers; the API takes more.
const COUNTS: [u32; 4] = [1, 2, 3, 4];
const DEFAULT_COUNT: u32 = 2;
/// Enough for a picture to come out of the blur, few enough to cost nothing.
const PREVIEWS: u32 = 6;
const MAX_EXAMPLES: usize = 6;

/// The fields as they were written, so that a mistake loses nothing.
#[derive(Clone, Default)]
pub(super) struct Written {
    pub(super) prompt: String,
    pub(super) negative: String,
    pub(super) model: String,
    pub(super) size: String,
    pub(super) count: String,
    pub(super) quality: String,
    pub(super) seed: String,
    pub(super) steps: String,
    pub(super) guidance: String,
    /// For which prices, model and steps the button showed what it costs.
    pub(super) prices: String,
    pub(super) priced_model: String,
    pub(super) priced_steps: String,
    /// The button that only changes the model was pressed.
    pub(super) choose: bool,
    pub(super) private: bool,
    pub(super) transparent: bool,
}

impl Written {
    pub(super) fn read(pairs: Vec<(String, String)>) -> Self {
        let mut written = Self::default();
        for (name, value) in pairs {
            let field = match name.as_str() {
                "prompt" => &mut written.prompt,
                "negative" => &mut written.negative,
                "model" => &mut written.model,
                "size" => &mut written.size,
                "count" => &mut written.count,
                "quality" => &mut written.quality,
                "seed" => &mut written.seed,
                "steps" => &mut written.steps,
                "guidance" => &mut written.guidance,
                "prices" => &mut written.prices,
                "priced_model" => &mut written.priced_model,
                "priced_steps" => &mut written.priced_steps,
                "choose" => {
                    written.choose = true;
                    continue;
                }
                "private" => {
                    written.private = true;
                    continue;
                }
                "transparent" => {
                    written.transparent = true;
                    continue;
                }
                _ => continue,
            };
            *field = value;
        }
        written
    }

    /// Settings without words.
    pub(super) fn of(settings: &Settings) -> Self {
        let text = |value: Option<String>| value.unwrap_or_default();
        Self {
            model: text(settings.model.as_ref().map(ToString::to_string)),
            size: text(settings.size.map(|size| size.to_string())),
            count: text(settings.count.map(|count| count.to_string())),
            quality: text(settings.quality.map(|quality| quality.name().to_owned())),
            ..Self::default()
        }
    }

    /// What the studio begins with; steps are those of a quality where they fit one.
    pub(super) fn beginning(studio: &Studio, begins: &Beginning) -> Self {
        match begins {
            Beginning::House => Self::default(),
            Beginning::Saved(settings) => Self::of(settings),
            Beginning::LeftOff { settings, steps } => {
                let card = routing::route(studio, settings.model.as_ref());
                let (quality, steps) = card.map_or_else(
                    || ("", String::new()),
                    |(_, card)| quality_of(*steps, &card),
                );
                Self {
                    quality: quality.to_owned(),
                    steps,
                    ..Self::of(settings)
                }
            }
        }
    }

    /// A former order, to be changed.
    pub(super) fn like(job: &Job, card: &ModelCard) -> Self {
        let (quality, steps) = quality_of(job.steps, card);
        Self {
            prompt: job
                .prompt
                .as_ref()
                .map_or_else(String::new, |words| words.expose().to_owned()),
            negative: job
                .negative_prompt
                .as_ref()
                .map_or_else(String::new, |words| words.expose().to_owned()),
            model: job.model.to_string(),
            size: job.size.to_string(),
            count: job.count.to_string(),
            quality: quality.to_owned(),
            steps,
            guidance: match card.guidance {
                Some(span) if span.default.to_bits() != job.guidance.to_bits() => {
                    job.guidance.to_string()
                }
                _ => String::new(),
            },
            private: job.is_private,
            transparent: job.background == Background::Transparent,
            ..Self::default()
        }
    }

    /// The same order with the settings that the button's price was for.
    pub(super) fn as_priced(&self) -> Self {
        Self {
            model: self.priced_model.clone(),
            steps: self.priced_steps.clone(),
            ..self.clone()
        }
    }

    pub(super) fn order(&self) -> Result<OrderForm, Problem> {
        let given = |text: &str| {
            Some(text.trim())
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        Ok(OrderForm {
            prompt: Prose(self.prompt.clone()),
            negative_prompt: given(&self.negative).map(Prose),
            model: given(&self.model).map(ModelName::new),
            size: given(&self.size)
                .map(|text| text.parse::<Size>())
                .transpose()
                .map_err(|bad| Problem::field("size", "invalid_value", bad.to_string()))?,
            background: self.transparent.then_some(Background::Transparent),
            count: Some(number(&self.count, "n")?.unwrap_or(DEFAULT_COUNT)),
            quality: match self.quality.as_str() {
                "low" => Quality::Low,
                "high" => Quality::High,
                _ => Quality::Medium,
            },
            steps: number(&self.steps, "steps")?,
            guidance: number(&self.guidance, "guidance")?,
            seed: number(&self.seed, "seed")?,
            variation_of: None,
            ancestors: Vec::new(),
            previews: PREVIEWS,
            keep: None,
            is_private: self.private,
            max_credits: None,
            key: None,
        })
    }
}

/// The quality that takes so many steps, or the steps themselves.
fn quality_of(steps: u32, card: &ModelCard) -> (&'static str, String) {
    let default = card.steps.default;
    match steps {
        steps if steps == default => ("", String::new()),
        steps if steps == default / 2 => ("low", String::new()),
        steps if steps == default * 2 => ("high", String::new()),
        steps => ("", steps.to_string()),
    }
}

/// The same order once more, with a new seed; of a variation, another one.
pub(super) fn again(job: &Job, card: Option<&ModelCard>) -> OrderForm {
    OrderForm {
        // What was private has no words any more, and an order without words is refused.
        prompt: Prose(
            job.prompt
                .as_ref()
                .map_or_else(String::new, |words| words.expose().to_owned()),
        ),
        negative_prompt: job
            .negative_prompt
            .as_ref()
            .map(|words| Prose(words.expose().to_owned())),
        model: Some(job.model.clone()),
        size: Some(job.size),
        background: Some(job.background),
        count: Some(job.count),
        quality: Quality::Medium,
        steps: Some(job.steps),
        guidance: card.and_then(|card| card.guidance).map(|_| job.guidance),
        seed: None,
        variation_of: None,
        ancestors: job.ancestors.clone(),
        previews: PREVIEWS,
        keep: None,
        is_private: job.is_private,
        max_credits: None,
        key: None,
    }
}

/// Pictures that resemble one.
pub(super) fn variations(of: PictureId, count: u32) -> OrderForm {
    OrderForm {
        variation_of: Some(of),
        count: Some(count),
        previews: PREVIEWS,
        ..OrderForm::default()
    }
}

fn number<T: std::str::FromStr>(text: &str, param: &'static str) -> Result<Option<T>, Problem> {
    // A comma is how half of the world writes it.
    let text = text.trim().replace(',', ".");
    if text.is_empty() {
        return Ok(None);
    }
    let message = format!("The {param} must be a number that fits. Change it, or leave it empty.");
    text.parse()
        .map(Some)
        .map_err(|_| Problem::field(param, "invalid_type", message))
}

/// One way to choose something.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) chosen: bool,
    /// Width and height of the drawn shape.
    pub(super) shape: (u32, u32),
}

pub(super) struct Example {
    pub(super) index: usize,
    pub(super) prompt: String,
    pub(super) picture: Option<String>,
}

/// What the button says for one choice of count, quality and shape.
pub(super) struct Label {
    /// Names the choices, for the style to show the one label that fits.
    pub(super) classes: String,
    pub(super) text: String,
    /// What the label says without the price.
    pub(super) draw: String,
    /// What a script needs to reckon with other steps: credits for one picture in the usual number
    /// of steps, and the steps of this label's quality.
    pub(super) base: Credits,
    pub(super) steps: u32,
    pub(super) count: u32,
}

/// Everything about the form that depends on the model.
pub(super) struct Controls {
    pub(super) models: Vec<Choice>,
    pub(super) shapes: Vec<Choice>,
    pub(super) counts: Vec<Choice>,
    pub(super) qualities: Vec<Choice>,
    pub(super) labels: Vec<Label>,
    /// The price of each picture follows its steps.
    pub(super) by_steps: bool,
    pub(super) card: ModelCard,
    pub(super) examples: Vec<Example>,
}

impl Controls {
    pub(super) fn new(
        t: &Texts,
        cards: &[ModelCard],
        card: ModelCard,
        written: &Written,
        prices: Option<&PriceList>,
    ) -> Self {
        let choice = |value: &str, label: &str, chosen: bool| Choice {
            value: value.to_owned(),
            label: label.to_owned(),
            chosen,
            shape: (0, 0),
        };
        let quality = match written.quality.as_str() {
            known @ ("low" | "high") => known,
            _ => "medium",
        };
        let words = &t.studio;
        let qualities = [
            ("low", &words.quick),
            ("medium", &words.normal),
            ("high", &words.fine),
        ];
        let count = written
            .count
            .parse()
            .ok()
            .filter(|n| COUNTS.contains(n))
            .unwrap_or(DEFAULT_COUNT);
        let shapes = shapes(t, &card, written.size.parse().ok());
        let price = prices.map(|prices| prices.price(&card.name, Operation::Draw));
        Self {
            labels: match price {
                None => COUNTS.map(|n| unpriced(t, n)).into(),
                Some(price) => priced(t, &card, &shapes, price, written),
            },
            by_steps: price.is_some_and(|price| price.by_steps),
            models: cards
                .iter()
                .map(|one| choice(one.name.as_str(), &one.title, one.name == card.name))
                .collect(),
            shapes,
            counts: COUNTS
                .iter()
                .map(|n| choice(&n.to_string(), &words.draw.of(*n), *n == count))
                .collect(),
            qualities: qualities
                .iter()
                .map(|(value, label)| choice(value, label, *value == quality))
                .collect(),
            examples: examples(&card),
            card,
        }
    }

    /// Where it is drawn, in a line, and what that means.
    pub(super) fn shield(&self, t: &'static Texts) -> (String, &'static str) {
        match &self.card.place {
            Place::Here => (t.studio.here.clone(), &t.studio.here_what),
            Place::Provider { name, country } => (
                t.studio.provider.fill_two(name, country),
                &t.studio.provider_what,
            ),
        }
    }

    /// Whether there are steps to choose from.
    pub(super) fn has_steps(&self) -> bool {
        self.card.steps.min < self.card.steps.max
    }
}

fn unpriced(t: &Texts, count: u32) -> Label {
    let draw = t.studio.draw.of(count);
    Label {
        classes: format!("n{count} any"),
        text: draw.clone(),
        draw,
        base: Credits::ZERO,
        steps: 0,
        count,
    }
}

/// One label for each count, quality and shape; steps that were written hold in every quality.
fn priced(
    t: &Texts,
    card: &ModelCard,
    shapes: &[Choice],
    price: &Price,
    written: &Written,
) -> Vec<Label> {
    let named = [
        ("low", Quality::Low),
        ("medium", Quality::Medium),
        ("high", Quality::High),
    ];
    let steps_written = written.steps.trim().parse::<u32>().ok();
    let steps_written = steps_written.filter(|steps| card.steps.contains(steps));
    let mut sizes: Vec<Size> = shapes
        .iter()
        .filter_map(|one| one.value.parse().ok())
        .collect();
    if sizes.is_empty() {
        sizes.push(card.sizes.default);
    }
    let mut labels = Vec::new();
    for count in COUNTS {
        for (name, quality) in named {
            for (place, size) in sizes.iter().enumerate() {
                let steps = quality.steps(card);
                let counted = steps_written.unwrap_or(steps);
                let each = price.of(*size, counted, card.steps.default);
                let quote = Quote {
                    price: each,
                    pictures: count,
                };
                let draw = t.studio.draw.of(count);
                labels.push(Label {
                    classes: format!("n{count} {name} s{place}"),
                    text: t
                        .credits
                        .button
                        .fill_all(&[&draw, &t.credits(quote.total())]),
                    draw,
                    base: price.of_size(*size),
                    steps,
                    count,
                });
            }
        }
    }
    labels
}

pub(super) fn examples(card: &ModelCard) -> Vec<Example> {
    let named = card.examples.iter().enumerate().take(MAX_EXAMPLES);
    let example = |(index, example): (usize, &domain::model::Example)| Example {
        index,
        prompt: example.prompt.clone(),
        picture: assets::example_url(card.name.as_str(), &example.prompt),
    };
    named.map(example).collect()
}

/// Square, wide and tall, of about the default's number of pixels, or squares; none where there is no choice.
fn shapes(t: &Texts, card: &ModelCard, written: Option<Size>) -> Vec<Choice> {
    if card.sizes.is_fixed() {
        return Vec::new();
    }
    let words = &t.studio;
    let sizes = if card.sizes.square {
        let largest = Size::square(card.sizes.max_edge);
        vec![
            (card.sizes.default, &words.square, (10, 10)),
            (largest, &words.square, (16, 16)),
        ]
    } else {
        // Drawn with about the same area.
        vec![
            (of_ratio(card, 1, 1), &words.square, (14, 14)),
            (of_ratio(card, 3, 2), &words.wide, (18, 12)),
            (of_ratio(card, 2, 3), &words.tall, (12, 18)),
        ]
    };
    let chosen = written
        .filter(|size| sizes.iter().any(|(one, ..)| one == size))
        .unwrap_or(sizes[0].0);
    let allowed = sizes
        .into_iter()
        .filter(|(size, ..)| card.sizes.allows(*size));
    let choice = |(size, label, shape): (Size, &crate::texts::Pattern, (u32, u32))| Choice {
        value: size.to_string(),
        label: label.fill(&size.to_string().replace('x', " × ")),
        chosen: size == chosen,
        shape,
    };
    allowed.map(choice).collect()
}

fn of_ratio(card: &ModelCard, width: u32, height: u32) -> Size {
    let sizes = &card.sizes;
    if width == height && sizes.default.width == sizes.default.height {
        return sizes.default;
    }
    let unit = (sizes.default.pixels() as f64 / f64::from(width * height)).sqrt();
    let edge = |parts: u32| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an edge in pixels is small and positive"
        )]
        let exact = (unit * f64::from(parts)) as u32;
        (exact / sizes.multiple_of * sizes.multiple_of).clamp(sizes.min_edge, sizes.max_edge)
    };
    Size {
        width: edge(width),
        height: edge(height),
    }
}
