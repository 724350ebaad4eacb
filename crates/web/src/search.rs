//! What is looked for among pictures, read from an address and written back into one.

use domain::clock::{BadDay, Moment};
use domain::model::ModelName;
use studio::gallery::Search;
use studio::order::Prose;
use studio::pictures::Kind;

use crate::problem::Problem;

const MAX_WORDS_CHARS: usize = 200;

/// `?words=…&model=…&kind=…&from=…&until=…&favourite=…`, as it was written; empty where it says
/// nothing.
#[derive(Clone, Default)]
pub(crate) struct Asked {
    pub(crate) words: String,
    pub(crate) model: String,
    pub(crate) kind: String,
    pub(crate) from: String,
    pub(crate) until: String,
    pub(crate) favourite: String,
}

impl Asked {
    pub(crate) fn read(pairs: &[(String, String)]) -> Self {
        let mut asked = Self::default();
        for (name, value) in pairs {
            let field = match name.as_str() {
                "words" => &mut asked.words,
                "model" => &mut asked.model,
                "kind" => &mut asked.kind,
                "from" => &mut asked.from,
                "until" => &mut asked.until,
                "favourite" => &mut asked.favourite,
                _ => continue,
            };
            value.trim().clone_into(field);
        }
        asked
    }

    fn fields(&self) -> [(&'static str, &str); 6] {
        [
            ("words", &self.words),
            ("model", &self.model),
            ("kind", &self.kind),
            ("from", &self.from),
            ("until", &self.until),
            ("favourite", &self.favourite),
        ]
    }

    /// Whether anything is looked for at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.fields().iter().all(|(_, value)| value.is_empty())
    }

    /// Whether more than words is looked for.
    pub(crate) fn has_filters(&self) -> bool {
        self.fields()
            .iter()
            .skip(1)
            .any(|(_, value)| !value.is_empty())
    }

    /// `words=cat&favourite=1&`, for an address to go on with.
    pub(crate) fn query(&self) -> String {
        let said = self
            .fields()
            .into_iter()
            .filter(|(_, value)| !value.is_empty());
        let mut query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(said)
            .finish();
        if !query.is_empty() {
            query.push('&');
        }
        query
    }

    pub(crate) fn search(&self) -> Result<Search, Problem> {
        if self.words.chars().count() > MAX_WORDS_CHARS {
            let message = format!(
                "These are too many words to look for: at most {MAX_WORDS_CHARS} characters. Take fewer."
            );
            return Err(Problem::field("words", "string_above_max_length", message));
        }
        let from = day("from", &self.from, Moment::start_of_day)?;
        let until = day("until", &self.until, Moment::end_of_day)?;
        if let (Some(from), Some(until)) = (from, until)
            && from >= until
        {
            let message = "The last day is before the first one. Exchange them.";
            return Err(Problem::field("until", "invalid_value", message));
        }
        let only_favourites = match self.favourite.as_str() {
            "" | "0" | "false" => false,
            "1" | "true" => true,
            _ => {
                let message = "favourite must be true or false.";
                return Err(Problem::field("favourite", "invalid_value", message));
            }
        };
        Ok(Search {
            words: Prose(self.words.clone()),
            model: Some(self.model.clone())
                .filter(|name| !name.is_empty())
                .map(ModelName::new),
            kind: self.kind()?,
            from,
            until,
            only_favourites,
        })
    }

    fn kind(&self) -> Result<Option<Kind>, Problem> {
        if self.kind.is_empty() {
            return Ok(None);
        }
        self.kind.parse().map(Some).map_err(|()| {
            let names = Kind::ALL.map(Kind::name).join(", ");
            let message = format!("kind must be one of: {names}.");
            Problem::field("kind", "invalid_value", message)
        })
    }
}

fn day(
    param: &'static str,
    text: &str,
    read: fn(&str) -> Result<Moment, BadDay>,
) -> Result<Option<Moment>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    read(text).map(Some).map_err(|bad| {
        let message = format!("{param}: {bad}.");
        Problem::field(param, "invalid_value", message)
    })
}
