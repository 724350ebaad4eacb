//! How long pictures are kept, as requests say it: in seconds, or `keep`.

use serde_json::{Value, json};
use studio::privacy::keeping::Keep;

use super::fields::Fields;
use crate::problem::Problem;

const FIELD: &str = "retention";
const UNTIL_DELETED: &str = "keep";

pub(super) fn read(fields: &Fields) -> Result<Option<Keep>, Problem> {
    let wrong = || {
        let message = "retention must be a whole number of seconds, or keep.";
        Problem::field(FIELD, "invalid_type", message)
    };
    match fields.given(FIELD) {
        None => Ok(None),
        Some(Value::String(text)) if text == UNTIL_DELETED => Ok(Some(Keep::UntilDeleted)),
        Some(value) => {
            let seconds = value.as_i64().ok_or_else(wrong)?;
            let bad = |bad: studio::privacy::keeping::BadTime| {
                Problem::field(FIELD, "invalid_value", bad.to_string())
            };
            Keep::seconds(seconds).map(Some).map_err(bad)
        }
    }
}

pub(super) fn shown(keep: Keep) -> Value {
    match keep {
        Keep::UntilDeleted => json!(UNTIL_DELETED),
        Keep::For(ms) => json!(ms / 1_000),
    }
}
