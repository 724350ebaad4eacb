//! What drawing costs: a list that is read and checked at the start, and the quote before each run.

use std::path::Path;

use domain::credits::Credits;
use domain::model::{ModelCard, ModelName};
use domain::picture::Size;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

/// The list that holds where the operator names none.
const SHIPPED: &str = include_str!("prices.toml");

/// Names every model that has no price of its own.
const ANY_MODEL: &str = "*";
const MAX_PRICE: i64 = 1_000_000;
const MAX_DAYS: u32 = 36_500;
const MS_PER_DAY: i64 = 86_400_000;

/// What a person asks a model to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Draw,
}

impl Operation {
    const ALL: [Self; 1] = [Self::Draw];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draw => "draw",
        }
    }
}

/// What an order may cost at most: so much for each picture that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    pub price: Credits,
    pub pictures: u32,
}

impl Quote {
    /// Beyond all that can be paid counts as the most that there is.
    #[must_use]
    pub fn total(self) -> Credits {
        let total = self.price.checked_mul(self.pictures);
        total.unwrap_or(Credits::MAX).min(Credits::MAX)
    }
}

/// What a new account is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    pub credits: Credits,
    /// For how long; for good where absent.
    pub lasts_ms: Option<i64>,
}

/// Every price, and the welcome grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceList {
    pub welcome: Welcome,
    /// Changes whenever a price does, so that a page knows whether it shows old ones.
    edition: String,
    /// Those that name a model come before those for every model.
    prices: Vec<(Option<ModelName>, Operation, Price)>,
}

/// What one model takes for one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// From small to large; the last one holds for everything larger.
    pub bands: Vec<Band>,
    /// Whether steps beyond the model's usual number cost more, and fewer cost less.
    pub by_steps: bool,
}

/// Credits for one picture of at most `up_to` pixels, drawn in the model's usual number of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    pub up_to: Option<Size>,
    pub credits: Credits,
}

#[derive(Debug, thiserror::Error)]
pub enum BadPriceList {
    #[error("the price list {file} can't be read: {cause}")]
    Unreadable { file: String, cause: std::io::Error },
    #[error("{file}, line {line}: {says}")]
    Wrong {
        file: String,
        line: usize,
        says: String,
    },
}

impl PriceList {
    /// The operator's list, or the shipped one where there is none.
    pub fn open(file: Option<&Path>) -> Result<Self, BadPriceList> {
        let Some(file) = file else {
            return Self::read(SHIPPED, "the shipped price list");
        };
        let name = file.display().to_string();
        match std::fs::read_to_string(file) {
            Ok(text) => Self::read(&text, &name),
            Err(cause) => Err(BadPriceList::Unreadable { file: name, cause }),
        }
    }

    /// Reads a list; `file` is what errors call it.
    pub fn read(text: &str, file: &str) -> Result<Self, BadPriceList> {
        let wrong = |at: usize, says: String| BadPriceList::Wrong {
            file: file.to_owned(),
            line: text[..at.min(text.len())].matches('\n').count() + 1,
            says,
        };
        let written: Written = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            wrong(at, error.message().to_owned())
        })?;
        let hash = Sha256::digest(text);
        let edition = hash.iter().take(6);
        written
            .checked(edition.map(|byte| format!("{byte:02x}")).collect())
            .map_err(|Mistake { at, says }| wrong(at, says))
    }

    #[must_use]
    pub fn edition(&self) -> &str {
        &self.edition
    }

    /// What a model takes for an operation.
    #[must_use]
    pub fn price(&self, model: &ModelName, operation: Operation) -> &Price {
        let found = self.prices.iter().find(|(named, of, _)| {
            *of == operation && named.as_ref().is_none_or(|named| named == model)
        });
        // Every list that was read has a price for all models.
        &found.unwrap_or(&self.prices[self.prices.len() - 1]).2
    }

    /// What an order costs at most.
    #[must_use]
    pub fn quote(
        &self,
        card: &ModelCard,
        operation: Operation,
        size: Size,
        steps: u32,
        pictures: u32,
    ) -> Quote {
        let price = self.price(&card.name, operation);
        Quote {
            price: price.of(size, steps, card.steps.default),
            pictures,
        }
    }
}

impl Price {
    /// Credits for one picture.
    #[must_use]
    pub fn of(&self, size: Size, steps: u32, usual_steps: u32) -> Credits {
        let credits = self.of_size(size);
        if !self.by_steps {
            return credits;
        }
        let exact = credits.in_proportion(steps, usual_steps);
        exact.unwrap_or(Credits::MAX).min(Credits::MAX)
    }

    /// Credits for one picture in the usual number of steps.
    #[must_use]
    pub fn of_size(&self, size: Size) -> Credits {
        let fits = |band: &&Band| {
            band.up_to
                .is_none_or(|largest| size.pixels() <= largest.pixels())
        };
        self.bands
            .iter()
            .find(fits)
            .map_or(Credits::MAX, |band| band.credits)
    }
}

/// The file as it is written, each value with its place.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    welcome: WrittenWelcome,
    price: Spanned<Vec<Spanned<WrittenPrice>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWelcome {
    credits: Spanned<i64>,
    days: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPrice {
    model: Spanned<String>,
    operation: Spanned<String>,
    sizes: Spanned<Vec<Spanned<WrittenBand>>>,
    by_steps: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBand {
    up_to: Option<Spanned<String>>,
    credits: Spanned<i64>,
}

struct Mistake {
    at: usize,
    says: String,
}

fn mistake<T>(place: &Spanned<T>, says: impl Into<String>) -> Mistake {
    Mistake {
        at: place.span().start,
        says: says.into(),
    }
}

impl Written {
    fn checked(self, edition: String) -> Result<PriceList, Mistake> {
        let mut prices: Vec<(Option<ModelName>, Operation, Price)> = Vec::new();
        for written in self.price.get_ref() {
            let one = written.get_ref();
            let price = one.checked()?;
            if prices
                .iter()
                .any(|(model, of, _)| (model, of) == (&price.0, &price.1))
            {
                let says = format!(
                    "there is a price for {:?} of {:?} already; keep one of them",
                    one.operation.get_ref(),
                    one.model.get_ref()
                );
                return Err(mistake(&one.model, says));
            }
            prices.push(price);
        }
        // `false` sorts before `true`.
        prices.sort_by_key(|(model, ..)| model.is_none());
        for operation in Operation::ALL {
            if !prices
                .iter()
                .any(|(model, of, _)| model.is_none() && *of == operation)
            {
                let says = format!(
                    "no price for {:?} of model \"*\", which every model without its own price takes; add one",
                    operation.name()
                );
                return Err(mistake(&self.price, says));
            }
        }
        Ok(PriceList {
            welcome: self.welcome.checked()?,
            edition,
            prices,
        })
    }
}

impl WrittenWelcome {
    fn checked(self) -> Result<Welcome, Mistake> {
        let credits = *self.credits.get_ref();
        if credits != 0 && Credits::granted(credits).is_err() {
            let says = format!(
                "credits is {credits}; give 0 to {} to a new account",
                Credits::MAX_GRANT
            );
            return Err(mistake(&self.credits, says));
        }
        let lasts_ms = match &self.days {
            None => None,
            Some(days) if (1..=MAX_DAYS).contains(days.get_ref()) => {
                Some(i64::from(*days.get_ref()) * MS_PER_DAY)
            }
            Some(days) => {
                let says = format!(
                    "days is {}; give 1 to {MAX_DAYS}, or leave it out",
                    days.get_ref()
                );
                return Err(mistake(days, says));
            }
        };
        Ok(Welcome {
            credits: Credits::new(credits),
            lasts_ms,
        })
    }
}

impl WrittenPrice {
    fn checked(&self) -> Result<(Option<ModelName>, Operation, Price), Mistake> {
        let named = self.operation.get_ref();
        let known = Operation::ALL.into_iter().find(|one| one.name() == named);
        let operation = known.ok_or_else(|| {
            let names = Operation::ALL.map(Operation::name).join(", ");
            mistake(
                &self.operation,
                format!("there is no operation {named:?}; known: {names}"),
            )
        })?;
        let model = self.model.get_ref();
        let model = match model.as_str() {
            ANY_MODEL => None,
            "" => {
                return Err(mistake(
                    &self.model,
                    "name a model, or \"*\" for all others",
                ));
            }
            name => Some(ModelName::new(name)),
        };
        let mut bands: Vec<Band> = Vec::new();
        for written in self.sizes.get_ref() {
            let band = written.get_ref().checked()?;
            let Some(before) = bands.last().map(|band: &Band| band.up_to) else {
                bands.push(band);
                continue;
            };
            let Some(before) = before else {
                let says = "only the last size goes without up_to: it holds for everything larger";
                return Err(mistake(written, says));
            };
            if band
                .up_to
                .is_some_and(|size| size.pixels() <= before.pixels())
            {
                let says = format!("sizes go from small to large, and {before} comes before this");
                return Err(mistake(written, says));
            }
            bands.push(band);
        }
        if bands.last().is_none_or(|band| band.up_to.is_some()) {
            let says = "the last size goes without up_to, so that every larger picture has a price; add { credits = … }";
            return Err(mistake(&self.sizes, says));
        }
        let by_steps = self.by_steps;
        Ok((model, operation, Price { bands, by_steps }))
    }
}

impl WrittenBand {
    fn checked(&self) -> Result<Band, Mistake> {
        let credits = *self.credits.get_ref();
        if !(0..=MAX_PRICE).contains(&credits) {
            let says = format!("credits is {credits}; a picture costs 0 to {MAX_PRICE}");
            return Err(mistake(&self.credits, says));
        }
        let up_to = match &self.up_to {
            None => None,
            Some(text) => {
                let size = text.get_ref().parse::<Size>();
                Some(size.map_err(|bad| mistake(text, bad.to_string()))?)
            }
        };
        Ok(Band {
            up_to,
            credits: Credits::new(credits),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<PriceList, String> {
        PriceList::read(text, "prices.toml").map_err(|bad| bad.to_string())
    }

    const WELCOME: &str = "[welcome]\ncredits = 0\n";

    fn with(price: &str) -> String {
        format!("{WELCOME}[[price]]\nmodel = \"*\"\noperation = \"draw\"\n{price}\n")
    }

    #[test]
    fn the_shipped_list_prices_by_size_and_steps() {
        let list = PriceList::open(None).expect("reads");
        assert_eq!(list.welcome.credits, Credits::new(200));
        assert_eq!(list.welcome.lasts_ms, None);
        let price = list.price(&ModelName::new("any"), Operation::Draw);
        for (size, steps, cost) in [
            (Size::square(256), 12, 2),
            (Size::square(256), 6, 1),
            (Size::square(256), 1, 1),
            (Size::square(256), 24, 4),
            (Size::square(272), 12, 4),
            (Size::square(1024), 12, 8),
            (Size::square(2048), 13, 18),
        ] {
            assert_eq!(
                price.of(size, steps, 12),
                Credits::new(cost),
                "{size} {steps}"
            );
        }
    }

    #[test]
    fn a_model_of_its_own_price_takes_that() {
        let text = with("sizes = [{ credits = 2 }]\nby_steps = false")
            + "[[price]]\nmodel = \"grand\"\noperation = \"draw\"\nsizes = [{ credits = 9 }]\nby_steps = false\n";
        let list = list(&text).expect("reads");
        let cost = |name| {
            list.price(&ModelName::new(name), Operation::Draw)
                .of(Size::square(64), 50, 1)
        };
        assert_eq!(cost("grand"), Credits::new(9));
        assert_eq!(cost("other"), Credits::new(2));
    }

    #[test]
    fn a_wrong_list_is_refused_by_line() {
        let band = "sizes = [{ credits = 2 }]\nby_steps = true";
        for (text, line, says) in [
            ("", 1, "welcome"),
            ("[welcome]\ncredits = 1\nprice = 3\n", 3, "unknown field"),
            (
                &with(band).replace("credits = 0", "credits = -1"),
                2,
                "credits is -1",
            ),
            (
                &with(band).replace("credits = 0", "credits = 5\ndays = 0"),
                3,
                "days is 0",
            ),
            (
                &with(band).replace("\"draw\"", "\"paint\""),
                5,
                "known: draw",
            ),
            (&with(band).replace("\"*\"", "\"\""), 4, "name a model"),
            (
                &with(band).replace("\"*\"", "\"one\""),
                3,
                "no price for \"draw\" of model \"*\"",
            ),
            (
                &format!("{}{}", with(band), with(band).replace(WELCOME, "")),
                9,
                "already",
            ),
            (&with("sizes = []\nby_steps = true"), 6, "the last size"),
            (
                &with("sizes = [\n{ up_to = \"64x64\", credits = 1 }]\nby_steps = true"),
                6,
                "the last size",
            ),
            (
                &with("sizes = [{ credits = 1 },\n{ credits = 2 }]\nby_steps = true"),
                7,
                "only the last",
            ),
            (
                &with(
                    "sizes = [{ up_to = \"64x64\", credits = 1 },\n{ up_to = \"32x32\", credits = 2 }]\nby_steps = true",
                ),
                7,
                "small to large",
            ),
            (
                &with("sizes = [{ credits = 9999999 }]\nby_steps = true"),
                6,
                "0 to 1000000",
            ),
            (
                &with("sizes = [{ up_to = \"big\", credits = 1 }]\nby_steps = true"),
                6,
                "",
            ),
            (
                &with("sizes = [{ credits = 1.5 }]\nby_steps = true"),
                6,
                "float",
            ),
            (
                &with("sizes = [{ credits = 1 }]\nby_steps = true\nper = 3"),
                8,
                "unknown field",
            ),
            ("[welcome\n", 1, ""),
        ] {
            let error = list(text).expect_err(text);
            assert!(
                error.starts_with(&format!("prices.toml, line {line}: ")),
                "{error}\n{text}"
            );
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn no_quote_overflows() {
        let quote = Quote {
            price: Credits::MAX,
            pictures: 10,
        };
        assert_eq!(quote.total(), Credits::MAX);
        let list = list(&with("sizes = [{ credits = 1000000 }]\nby_steps = true")).expect("reads");
        let price = list.price(&ModelName::new("any"), Operation::Draw);
        assert_eq!(
            price.of(Size::square(64), u32::MAX, 1),
            Credits::new(1_000_000 * i64::from(u32::MAX))
        );
    }
}
