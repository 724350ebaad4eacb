//! What a set of weights can do, as every page, client and check sees it. "Model" means weights.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::picture::Size;

/// The name by which a model is asked for, such as `pinhole-mini`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelName(String);

impl ModelName {
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything that an order is checked against, and that a page offers controls for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    pub name: ModelName,
    /// For people, such as "Pinhole mini".
    pub title: String,
    /// One or two plain sentences: what it draws well, and what it can't.
    pub about: String,
    /// SPDX expression or the licence's own name.
    pub licence: String,
    pub place: Place,
    pub sizes: Sizes,
    /// Number of sampler steps.
    pub steps: Span<u32>,
    /// Classifier-free guidance scale (Ho & Salimans 2022); absent where the model takes none.
    pub guidance: Option<Span<f32>>,
    pub negative_prompt: bool,
    /// It can leave out what is behind the things.
    pub transparent_background: bool,
    /// Pictures that one forward pass may draw together.
    pub max_batch: usize,
    /// Prompts that it draws well.
    pub examples: Vec<Example>,
}

/// Guidance leads away from what is to be left out; by 1 it leads nowhere.
const NO_GUIDANCE: f32 = 1.0;
/// That of a model that usually draws without any, where something is to be left out.
const SOME_GUIDANCE: f32 = 2.0;

impl ModelCard {
    /// The guidance where none is asked for.
    #[must_use]
    pub fn usual_guidance(&self, leaves_out: bool) -> f32 {
        match self.guidance {
            Some(span) if leaves_out && span.default <= NO_GUIDANCE => SOME_GUIDANCE.min(span.max),
            Some(span) => span.default,
            None => NO_GUIDANCE,
        }
    }
}

/// Why a guidance that was asked for leaves nothing out; `None` where it does.
#[must_use]
pub fn leaves_nothing_out(guidance: f32) -> Option<&'static str> {
    (guidance <= NO_GUIDANCE).then_some(
        "With a guidance of 1 nothing is left out. Ask for more, or let the model choose it.",
    )
}

/// Where the drawing happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// On this machine; nothing leaves it.
    Here,
    /// At a provider: its name, and its country as ISO 3166-1 alpha-2.
    Provider { name: String, country: String },
}

/// The smallest, the largest, and what is taken when nothing is asked for; both ends allowed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span<T> {
    pub min: T,
    pub max: T,
    pub default: T,
}

impl<T: PartialOrd> Span<T> {
    pub fn contains(&self, value: &T) -> bool {
        *value >= self.min && *value <= self.max
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    pub default: Size,
    /// Both edges are multiples of this many pixels.
    pub multiple_of: u32,
    pub min_edge: u32,
    pub max_edge: u32,
    pub max_pixels: u64,
    /// Both edges are the same.
    pub square: bool,
}

impl Sizes {
    /// A model that draws in one size only.
    #[must_use]
    pub fn only(size: Size) -> Self {
        Self {
            default: size,
            multiple_of: size.width,
            min_edge: size.width,
            max_edge: size.width,
            max_pixels: size.pixels(),
            square: size.width == size.height,
        }
    }

    #[must_use]
    pub fn allows(&self, size: Size) -> bool {
        let edge =
            |n: u32| n >= self.min_edge && n <= self.max_edge && n.is_multiple_of(self.multiple_of);
        edge(size.width)
            && edge(size.height)
            && size.pixels() <= self.max_pixels
            && (!self.square || size.width == size.height)
    }

    #[must_use]
    pub const fn is_fixed(&self) -> bool {
        self.min_edge == self.max_edge
    }

    /// The limits in words, for an error or a hint.
    #[must_use]
    pub fn in_words(&self) -> String {
        if self.is_fixed() {
            return format!("only {}", self.default);
        }
        if self.square {
            let edges = (self.min_edge..=self.max_edge).step_by(self.multiple_of.max(1) as usize);
            let sizes: Vec<String> = edges.map(|edge| Size::square(edge).to_string()).collect();
            return sizes.join(" and ");
        }
        format!(
            "{} to {} pixels an edge in multiples of {}, at most {} pixels in all",
            self.min_edge, self.max_edge, self.multiple_of, self.max_pixels
        )
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    pub prompt: String,
    pub seed: u32,
}
