//! What is kept of invoices.

use super::Category::Account;
use super::Source::Operator;
use super::{Erased, Kept, Limit, Of, Purpose, Table, datum, inner};

/// So long most countries of the European Union want invoices kept, or shorter: Directive 2006/112/EC,
/// Art. 369k, asks for ten years from the end of the year.
pub const INVOICES_KEPT_MS: i64 = 3_653 * 24 * 60 * 60 * 1_000;

pub(super) const INVOICE: Table = Table {
    name: "invoice",
    row: "Each invoice",
    of: Of::Person("person_id"),
    purposes: &[Purpose::Billing],
    kept: Kept::Until(&[Limit {
        column: "year_ends_ms",
        ms: INVOICES_KEPT_MS,
        after: "the year of the invoice ended",
    }]),
    erased: Erased::Owed(&[("person_id", "NULL")]),
    columns: &[
        inner("id"),
        inner("person_id"),
        datum("number", "its number", Account, Operator),
        datum("amount", "the amount", Account, Operator),
        datum("currency", "the currency", Account, Operator),
        datum("country", "the country whose tax is due", Account, Operator),
        datum(
            "vat",
            "what proves which tax is due, such as your VAT number",
            Account,
            Operator,
        )
        .sealed_by_house(),
        datum(
            "customer",
            "the number under which whoever takes the money knows you",
            Account,
            Operator,
        )
        .sealed_by_house(),
        datum("issued_ms", "its date", Account, Operator),
        inner("year_ends_ms"),
    ],
};
