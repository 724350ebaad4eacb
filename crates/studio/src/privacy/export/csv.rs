//! Lines of a table for spreadsheets (RFC 4180).

/// Ends a line.
const BREAK: &str = "\r\n";

/// A line of these values; what is absent is empty.
pub(in super::super) fn line<'a>(values: impl Iterator<Item = Value<'a>>) -> String {
    let fields: Vec<String> = values.map(field).collect();
    fields.join(",") + BREAK
}

#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Value<'a> {
    Absent,
    Number(&'a str),
    Words(&'a str),
}

/// Words that a spreadsheet would take for a formula get an apostrophe before them, which it takes for
/// "this is text". The JSON beside it has them as they are.
fn field(value: Value<'_>) -> String {
    match value {
        Value::Absent => String::new(),
        Value::Number(digits) => digits.to_owned(),
        Value::Words(words) => {
            let is_formula = words.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
            let lead = if is_formula { "'" } else { "" };
            let is_plain = !words.contains([',', '"', '\r', '\n']) && !words.is_empty();
            if is_plain && !is_formula {
                return words.to_owned();
            }
            format!("\"{lead}{}\"", words.replace('"', "\"\""))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_breaks_and_formulas_are_only_words() {
        for (words, written) in [
            ("a red apple", "a red apple"),
            ("one, two", "\"one, two\""),
            ("say \"cheese\"", "\"say \"\"cheese\"\"\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            (
                "=HYPERLINK(\"http://x\")",
                "\"'=HYPERLINK(\"\"http://x\"\")\"",
            ),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\tx", "\"'\tx\""),
            ("", "\"\""),
        ] {
            assert_eq!(field(Value::Words(words)), written);
        }
        let values = [Value::Number("-5"), Value::Absent, Value::Words("x")];
        assert_eq!(line(values.into_iter()), "-5,,x\r\n");
    }
}
