//! What a letter tells: nothing that the inventory does not declare.

use serde::Serialize;

use crate::Failure;
use crate::privacy::fence;
use crate::privacy::inventory::Medium;

/// What a letter tells, as it is kept until it is sent. What nobody declared is never written.
pub(super) fn fields(letter: &impl Serialize) -> Result<String, Failure> {
    let row = |error: serde_json::Error| Failure::Row(error.to_string());
    let fields = serde_json::to_value(letter).map_err(row)?;
    let names = fields.as_object().into_iter().flat_map(|all| all.keys());
    let mut told = names.filter(|name| *name != "kind");
    match told.find(|name| !fence::is_declared(Medium::Letter, name)) {
        Some(name) => Err(Failure::Row(format!(
            "a letter tells {name:?}, which the inventory does not declare"
        ))),
        None => Ok(fields.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letters::Letter;

    #[test]
    fn promise_gov_05_a_letter_tells_nothing_that_is_not_declared() {
        let reset = Letter::Reset {
            token: "t".to_owned(),
        };
        assert_eq!(
            fields(&reset).expect("declared"),
            r#"{"kind":"reset","token":"t"}"#
        );
        let more = serde_json::json!({ "kind": "reset", "token": "t", "shoe_size": 43 });
        let refused = fields(&more).expect_err("nobody declared it");
        assert!(refused.to_string().contains("shoe_size"), "{refused}");
    }
}
