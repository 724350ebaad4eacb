//! What the OpenAPI document says, held against every answer that a test gets.

use axum::http::Method;
use serde_json::{Value, json};

use crate::stage::Answer;

pub(crate) struct Contract(Value);

impl Contract {
    pub(crate) const fn new(document: Value) -> Self {
        Self(document)
    }

    /// # Panics
    /// If an operation of the API answered something that the document does not say.
    pub(crate) fn holds(&self, method: &Method, path: &str, answer: &Answer) {
        let Some((template, operation)) = self.operation(method, path) else {
            return;
        };
        let status = answer.status.as_u16();
        let body = String::from_utf8_lossy(&answer.body);
        let told = format!("{method} {template} answered {status}: {body}");
        let described = &operation["responses"][status.to_string()];
        assert!(described.is_object(), "undocumented: {told}");
        let media_type = answer
            .header("content-type")
            .split(';')
            .next()
            .unwrap_or("");
        if media_type.is_empty() {
            assert!(described["content"].is_null(), "no content: {told}");
            return;
        }
        let schema = &described["content"][media_type]["schema"];
        assert!(schema.is_object(), "undocumented {media_type}: {told}");
        if media_type == "application/json" {
            let whole = json!({ "allOf": [schema], "components": self.0["components"] });
            let validator = jsonschema::validator_for(&whole).expect("a schema");
            let errors: Vec<String> = validator
                .iter_errors(&answer.json())
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{}\n{told}", errors.join("\n"));
        }
    }

    fn operation(&self, method: &Method, path: &str) -> Option<(&String, &Value)> {
        let path = path.split('?').next().unwrap_or(path);
        let method = method.as_str().to_lowercase();
        let paths = self.0["paths"].as_object().expect("paths");
        let fitting = paths.iter().filter(|(template, _)| fits(template, path));
        // "/v1/jobs/events" is also a "/v1/jobs/{id}".
        let (template, methods) =
            fitting.min_by_key(|(template, _)| template.matches('{').count())?;
        methods.get(&method).map(|operation| (template, operation))
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(&path)
            .all(|(one, other)| one.starts_with('{') || one == other)
}
