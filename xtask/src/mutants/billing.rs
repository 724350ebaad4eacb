//! What an erasure must leave of invoices, and until when.

use super::Mutant;
use super::list::mutant;

const INVOICES: &str = "crates/studio/src/credits/invoices.rs";
const RECEIPT: &str = "crates/studio/src/privacy/erasure/receipt.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    mutant(
        "what-proves-a-tax-lies-open",
        "PAY-04",
        (
            INVOICES,
            "cipher.seal(place, &id, text).as_str().to_owned()",
            "text.clone()",
        ),
        "promise_pay_04_an_erasure_keeps_of_invoices_what_the_law_names_and_the_receipt_lists_it",
    ),
    mutant(
        "an-invoice-goes-ten-years-after-its-day",
        "PAY-04",
        (
            INVOICES,
            "year_ends.as_millis()",
            "invoice.issued.as_millis()",
        ),
        "promise_pay_04_an_invoice_goes_ten_years_after_its_year",
    ),
    mutant(
        "the-receipt-does-not-say-what-is-left-of-an-invoice",
        "PAY-04",
        (
            RECEIPT,
            "owed.as_ref().map(|(columns, _)| columns)",
            "None::<&Vec<&str>>",
        ),
        "promise_pay_04_an_erasure_keeps_of_invoices_what_the_law_names_and_the_receipt_lists_it",
    ),
];
