//! The whole statement as a file, written while it is read, so that its length costs no memory.

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::credits::Credits;
use domain::ids::PersonId;
use futures::stream;
use studio::credits::ledger::Kind;
use studio::credits::statement::{self, Line, What};
use studio::{Failure, Studio};

use crate::api::entry;
use crate::caller::Caller;
use crate::when;

/// Entries that are read at once.
const LINES_AT_ONCE: u32 = 500;

const HEAD: &str = "number,time,entry,kind,what,model,pictures_asked,pictures_delivered,credits_per_picture,available,held,available_after,held_after,balance\r\n";

pub(super) async fn csv(State(studio): State<Studio>, Caller(person): Caller) -> Response {
    let body = written(studio, person, Form::Csv);
    let named = "attachment; filename=\"pinhole-statement.csv\"";
    let headers = [
        (
            header::CONTENT_TYPE,
            "text/csv; charset=utf-8; header=present",
        ),
        (header::CONTENT_DISPOSITION, named),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

pub(super) async fn json(State(studio): State<Studio>, Caller(person): Caller) -> Response {
    let body = written(studio, person, Form::Json);
    let named = "attachment; filename=\"pinhole-statement.json\"";
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, named),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

#[derive(Clone, Copy)]
enum Form {
    Csv,
    Json,
}

/// How far a download is.
enum Place {
    After(u64),
    End,
}

fn written(studio: Studio, person: PersonId, form: Form) -> Body {
    let parts = stream::try_unfold(Place::After(0), move |place| {
        let studio = studio.clone();
        async move {
            let Place::After(after) = place else {
                return Ok::<_, Failure>(None);
            };
            let lines = statement::part(&studio, person, after, LINES_AT_ONCE).await;
            let lines = lines.inspect_err(|error| {
                tracing::error!(%error, "a statement broke off");
            })?;
            let mut text = String::new();
            if after == 0 {
                text.push_str(form.head());
            }
            for line in &lines {
                form.line(&mut text, line);
            }
            let next = match lines.last() {
                Some(line) if lines.len() == LINES_AT_ONCE as usize => Place::After(line.ordinal),
                _ => {
                    text.push_str(form.foot());
                    Place::End
                }
            };
            Ok(Some((Bytes::from(text), next)))
        }
    });
    Body::from_stream(parts)
}

impl Form {
    const fn head(self) -> &'static str {
        match self {
            Self::Csv => HEAD,
            Self::Json => "[",
        }
    }

    const fn foot(self) -> &'static str {
        match self {
            Self::Csv => "",
            Self::Json => "\n]\n",
        }
    }

    fn line(self, text: &mut String, line: &Line) {
        match self {
            Self::Csv => csv_line(text, line),
            Self::Json => {
                text.push_str(if line.ordinal > 1 { ",\n" } else { "\n" });
                text.push_str(&entry(line).to_string());
            }
        }
    }
}

/// One record of RFC 4180.
fn csv_line(text: &mut String, line: &Line) {
    let number = |n: Option<u32>| n.map_or_else(String::new, |n| n.to_string());
    let credits = |credits: Credits| credits.to_string();
    let (what, model, asked, delivered, price) = match &line.what {
        What::Job {
            id,
            model,
            asked,
            delivered,
            price,
            ..
        } => (
            id.to_string(),
            model.to_string(),
            Some(*asked),
            *delivered,
            price.to_string(),
        ),
        What::Grant { reason, .. } => (reason.clone(), String::new(), None, None, String::new()),
    };
    // A hold is written before anything can have arrived.
    let delivered = delivered.filter(|_| line.kind != Kind::Hold);
    let fields = [
        line.ordinal.to_string(),
        when::iso(line.at),
        line.id.to_string(),
        line.kind.name().to_owned(),
        quoted(&what),
        quoted(&model),
        number(asked),
        number(delivered),
        price,
        credits(line.available),
        credits(line.held),
        credits(line.available_after),
        credits(line.held_after),
        credits(line.balance_after()),
    ];
    text.push_str(&fields.join(","));
    text.push_str("\r\n");
}

/// Words as a field. What a spreadsheet would take for a formula, it gets as words.
fn quoted(words: &str) -> String {
    let is_formula = words.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let mark = if is_formula { "'" } else { "" };
    format!("\"{mark}{}\"", words.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_words_in_a_spreadsheet() {
        for (words, field) in [
            ("a gift", "\"a gift\""),
            ("say \"hi\", twice", "\"say \"\"hi\"\", twice\""),
            ("=HYPERLINK(1)", "\"'=HYPERLINK(1)\""),
            ("-1", "\"'-1\""),
        ] {
            assert_eq!(quoted(words), field);
        }
    }
}
