//! Every letter that this house can write, what it is for and what it tells: one entry for each kind, and
//! no letter of another.

use serde_json::{Map, Value, json};

use super::Letter;
use super::kinds::KINDS;
use crate::privacy::inventory::{ELSEWHERE, Medium, Purpose};

/// A kind of letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub kind: &'static str,
    pub purpose: Purpose,
    /// The variables of the inventory that it tells, besides the address that it goes to.
    pub tells: Vec<String>,
}

/// All of them.
#[must_use]
pub fn registry() -> Vec<Template> {
    let templates = KINDS.iter().filter_map(|kind| {
        let letter = sample(kind, "x")?;
        let told = serde_json::to_value(&letter).ok()?;
        let mut tells: Vec<String> = told.as_object()?.keys().cloned().collect();
        tells.retain(|name| name != "kind");
        Some(Template {
            kind,
            purpose: letter.purpose(),
            tells,
        })
    });
    templates.collect()
}

/// A letter of a kind that says `text` wherever it says something; `None` where there is no such kind.
#[must_use]
pub fn sample(kind: &str, text: &str) -> Option<Letter> {
    let told = ELSEWHERE
        .iter()
        .filter(|spot| spot.medium == Medium::Letter);
    let mut fields: Map<String, Value> = told
        .map(|spot| {
            let value = match spot.name {
                "at_ms" | "ends_ms" => json!(1_800_000_000_000_i64),
                "policy" | "terms" => json!(2),
                _ => json!(text),
            };
            (spot.name.to_owned(), value)
        })
        .collect();
    fields.insert("kind".to_owned(), json!(kind));
    serde_json::from_value(Value::Object(fields)).ok()
}

/// The same for programs.
pub(crate) fn json() -> Vec<Value> {
    let all = registry().into_iter();
    all.map(|template| {
        json!({
            "letter": template.kind,
            "purpose": template.purpose.words(),
            "legal_basis": template.purpose.basis().words(),
            "tells": template.tells,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::fence;

    #[test]
    fn promise_com_02_every_kind_of_letter_is_declared_with_its_purpose_and_what_it_tells() {
        let none = serde_json::from_value::<Letter>(json!({ "kind": "?" })).expect_err("no kind");
        let none = none.to_string();
        let known: Vec<&str> = none.split('`').skip(3).step_by(2).collect();
        assert_eq!(known, KINDS, "{none}");
        let all = registry();
        assert_eq!(all.len(), KINDS.len(), "one has no sample");
        for template in all {
            for variable in &template.tells {
                let is_declared = fence::is_declared(Medium::Letter, variable);
                assert!(is_declared, "{}: {variable}", template.kind);
            }
            let letter = sample(template.kind, "x").expect("a letter");
            assert_eq!(letter.kind(), template.kind);
            let is_news = template.kind == "news";
            assert_eq!(
                template.purpose == Purpose::News,
                is_news,
                "{}",
                template.kind
            );
        }
    }
}
