//! What can be in the scope of a request: columns of the inventory that hold something of a person, each
//! by its name. Secrets by which somebody signs in are never among them.

use crate::privacy::access::{self, is_handed_out};
use crate::privacy::inventory::{Column, Holds, Table};

/// The columns of a table that can be asked for, and the words for each.
pub(super) type Choice = (&'static Table, Vec<(&'static str, &'static str)>);

/// Everything that can be asked for.
#[must_use]
pub fn choices() -> Vec<Choice> {
    let all = access::tables().map(|table| {
        let columns = table.columns.iter().filter_map(asked);
        (table, columns.collect::<Vec<_>>())
    });
    all.filter(|(_, columns)| !columns.is_empty()).collect()
}

/// Name and words; `None` where it says nothing of anybody, or is a secret.
fn asked(column: &'static Column) -> Option<(&'static str, &'static str)> {
    match column.holds {
        Holds::Datum(datum) if is_handed_out(column) => Some((column.name, datum.what)),
        _ => None,
    }
}

/// The table and the column that a field names; `None` where it can't be asked for.
pub(super) fn named(field: &str) -> Option<(&'static Table, &'static Column)> {
    let (table, column) = field.split_once('.')?;
    let table = access::tables().find(|known| known.name == table)?;
    let mut columns = table.columns.iter();
    let column = columns.find(|known| known.name == column && asked(known).is_some())?;
    Some((table, column))
}

/// `Your account: your e-mail address; the name that others see`
#[must_use]
pub fn in_words(fields: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for (table, columns) in choices() {
        let named = columns.iter().filter(|(column, _)| {
            let name = format!("{}.{column}", table.name);
            fields.contains(&name)
        });
        let words: Vec<&str> = named.map(|(_, words)| *words).collect();
        if !words.is_empty() {
            lines.push(format!("{}: {}", table.row, words.join("; ")));
        }
    }
    lines
}

/// By which a row is in a span of time or not, the first that a table has. What has none stands, and is
/// handed out as it is.
const TIMES: [&str; 13] = [
    "created_ms",
    "received_ms",
    "asked_ms",
    "requested_ms",
    "begins_ms",
    "began_ms",
    "since_ms",
    "opened_ms",
    "written_ms",
    "sent_ms",
    "found_ms",
    "confirmed_ms",
    "issued_ms",
];

/// The column that says when a row came to be.
pub(super) fn time_of(table: &Table) -> Option<&'static str> {
    // There is one row of it, and it is what the person is now.
    if matches!(table.name, "person" | "account") {
        return None;
    }
    let has = |name: &&&str| table.columns.iter().any(|column| column.name == **name);
    TIMES.iter().find(has).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table that is added says when its rows came to be, or stands here.
    #[test]
    fn promise_leg_01_each_table_has_a_time_or_stands() {
        const STANDING: [&str; 11] = [
            "person",
            "account",
            "recovery_code",
            "balance",
            "key_spending",
            "preference",
            "hold_part",
            "repeat",
            "erasure_mark",
            "ticket_file",
            "export_part",
        ];
        for (table, _) in choices() {
            let stands = STANDING.contains(&table.name);
            assert!(time_of(table).is_some() || stands, "{}", table.name);
        }
    }

    #[test]
    fn promise_leg_01_no_secret_can_be_asked_for() {
        for field in [
            "account.password_hash",
            "totp.secret",
            "session.token_hash",
            "session.id",
            "log_head.size",
            "account.shoe_size",
            "account",
        ] {
            assert!(named(field).is_none(), "{field}");
        }
        let (table, column) = named("account.address").expect("can be asked for");
        assert_eq!((table.name, column.name), ("account", "address"));
    }
}
