//! Reads requests field by field, so that every error names the field and says what it takes.

use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde_json::{Map, Value};

use studio::jobs::repeat::Name;

use super::repeats;
use crate::Site;
use crate::guard;
use crate::problem::Problem;

/// The fields of a JSON object. What nobody asks for is ignored; `null` is as good as absent.
pub(super) struct Fields {
    given: Map<String, Value>,
    /// What makes the request known when it comes again.
    pub(super) name: Option<Name>,
}

impl FromRequest<Site> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Site) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let content_type = parts
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(is_json) {
            let message =
                "Send the request as JSON, with the header content-type: application/json.";
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                message,
            ));
        }
        let bytes = guard::body::read(&parts.headers, body).await?;
        if bytes.is_empty() {
            return Err(no_object(
                "The body is empty. Send a JSON object, such as {\"prompt\": \"a red apple\"}.",
            ));
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(given)) => Ok(Self {
                given,
                name: repeats::name(parts.uri.path(), &parts.headers, &bytes)?,
            }),
            Ok(_) => Err(no_object(
                "The body is JSON, but no object. Send fields in braces.",
            )),
            // Syntax errors tell the place, never the content.
            Err(error) => Err(no_object(&format!(
                "The body is not valid JSON: {error}. Mend it and send it again."
            ))),
        }
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn no_object(message: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_json", message)
}

impl Fields {
    pub(super) const fn of(fields: Map<String, Value>) -> Self {
        Self {
            given: fields,
            name: None,
        }
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Problem> {
        match self.given(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong_type(name, "a string")),
        }
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<Option<bool>, Problem> {
        match self.given(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(wrong_type(name, "true or false")),
        }
    }

    /// A whole number from 0 to `max`.
    pub(super) fn whole(&self, name: &'static str, max: u32) -> Result<Option<u32>, Problem> {
        let Some(value) = self.given(name) else {
            return Ok(None);
        };
        let number = value
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| *n <= max);
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(wrong_type(name, &format!("a whole number from 0 to {max}"))),
        }
    }

    pub(super) fn number(&self, name: &'static str) -> Result<Option<f32>, Problem> {
        let Some(value) = self.given(name) else {
            return Ok(None);
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "far more digits than guidance needs"
        )]
        let number = value.as_f64().map(|n| n as f32).filter(|n| n.is_finite());
        number.map(Some).ok_or_else(|| wrong_type(name, "a number"))
    }

    /// One of the names of `choices`, or what `absent` stands for.
    pub(super) fn choice<T: Copy>(
        &self,
        name: &'static str,
        choices: &[(&str, T)],
        absent: T,
    ) -> Result<T, Problem> {
        let Some(text) = self.text(name)? else {
            return Ok(absent);
        };
        let known = choices.iter().find(|(choice, _)| *choice == text);
        known.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
            Problem::field(
                name,
                "invalid_value",
                format!("{name} must be one of: {}.", names.join(", ")),
            )
        })
    }

    pub(super) fn given(&self, name: &str) -> Option<&Value> {
        self.given.get(name).filter(|value| !value.is_null())
    }
}

fn wrong_type(name: &'static str, wanted: &str) -> Problem {
    Problem::field(name, "invalid_type", format!("{name} must be {wanted}."))
}

/// The pairs of an address's query, or of an `application/x-www-form-urlencoded` body.
pub(crate) fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded).into_owned().collect()
}
